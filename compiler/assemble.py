"""From a network in names to arrays: directions get their rows, functionals become columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from compiler.ir import Array, FeedForwardWeights, HeadWeights, LayerWeights, Readout
from compiler.lower import SymbolicLayer, SymbolicModel, SymbolicReadout
from compiler.symbolic import BOS, ONE, Block, Direction, Functional, SymbolicHead
from rasp.errors import Refusal

MAX_PARAMETERS = 200_000_000


class Assembler:
    """Arrays over a fixed order of residual directions, in one dtype."""

    def __init__(self, model: SymbolicModel, dtype: str) -> None:
        self.model = model
        self.dtype = dtype
        self.smallest, self.largest = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
        self.row = {direction: index for index, direction in enumerate(model.directions)}

    @property
    def width(self) -> int:
        """How many dimensions of heads and neurons read or write the residual stream."""
        return sum(2 * len(layer.neurons) + sum(map(_width, layer.heads)) for layer in self.model.layers)

    @property
    def size(self) -> int:
        """How many parameters the layers have, without biases."""
        return len(self.row) * self.width

    def check_size(self) -> None:
        """Nothing, or a Refusal where the arrays would hold more numbers than memory should have to."""
        if self.size > MAX_PARAMETERS:
            raise Refusal(
                f"the model would have {self.size:,} parameters, over {MAX_PARAMETERS:,}: {len(self.row):,} residual "
                f"directions times {self.width:,} dimensions of heads and neurons",
                hint="use a smaller maximum length or vocabulary; --prefer small takes narrow heads",
            )

    def embeddings(self, vocabulary_size: int, max_length: int) -> tuple[Array, Array]:
        """W_E [V+1, D] and W_pos [N+1, D]; row 0 of each is BOS."""
        tokens = np.zeros((vocabulary_size + 1, len(self.row)), dtype=self.dtype)
        positions = np.zeros((max_length + 1, len(self.row)), dtype=self.dtype)
        tokens[0, self.row[BOS]] = 1
        tokens[1:, self.row[ONE]] = 1
        for table, features in ((tokens, self.model.token_features), (positions, self.model.position_features)):
            for direction, column in features.items():
                for weight in np.unique(column).tolist():
                    self._stored(weight)
                table[1:, self.row[direction]] = column
        return tokens, positions

    def layers(self) -> tuple[tuple[FeedForwardWeights, ...], tuple[LayerWeights, ...]]:
        """The input feed-forwards, and the layers: one without heads of its own belongs to the one before it."""
        before: list[FeedForwardWeights] = []
        found: list[LayerWeights] = []
        for symbols in self.model.layers:
            feed_forwards = (self._feed_forward(symbols),) if symbols.neurons else ()
            if symbols.heads:
                found.append(LayerWeights(tuple(map(self._head, symbols.heads)), feed_forwards))
            elif found:
                found[-1] = LayerWeights(found[-1].heads, (*found[-1].feed_forwards, *feed_forwards))
            else:
                before += feed_forwards
        return tuple(before), tuple(found)

    def readout(self, readout: SymbolicReadout) -> Readout:
        """W_U [D, O] of a readout."""
        logits = self._columns(readout.logits)
        shown = readout.name, readout.kind, readout.values
        return Readout(*shown, logits, readout.check, readout.types, accuracy=readout.accuracy)

    def _head(self, head: SymbolicHead) -> HeadWeights:
        values = self._columns([functional for functional, _ in head.values])
        written = self._rows([{direction: 1.0} for _, direction in head.values])
        queries, keys = self._blocks(head.queries), self._blocks(head.keys)
        return HeadWeights(head.selector, head.name, head.line, head.kind, queries, keys, values, written, head.mask)

    def _feed_forward(self, layer: SymbolicLayer) -> FeedForwardWeights:
        neurons = layer.neurons
        biases = np.array([neuron.bias for neuron in neurons], dtype=self.dtype)
        if any(float(stored) != neuron.bias for stored, neuron in zip(biases, neurons, strict=True)):
            raise Refusal(f"a bias has no exact {self.dtype} value", hint="use float64")
        source_map = self.model.reader.source_map
        owners = [encoding.node for encoding, columns in layer.groups for _ in range(columns.stop - columns.start)]
        return FeedForwardWeights(
            W_in=self._columns([neuron.inputs for neuron in neurons]),
            b_in=biases,
            W_out=self._rows([neuron.outputs for neuron in neurons]),
            neurons=tuple(map(source_map.text, owners)),
            lines=tuple(map(source_map.line, owners)),
        )

    def _blocks(self, blocks: Sequence[Block]) -> Array:
        """The blocks side by side, [D, sum of widths]."""
        matrix = np.zeros((len(self.row), sum(block.width for block in blocks)), dtype=self.dtype)
        column = 0
        for block in blocks:
            rows = [self.row[direction] for direction in block.directions]
            matrix[rows, column : column + block.width] = block.matrix
            column += block.width
        return matrix

    def _columns(self, functionals: Sequence[Functional | Mapping[Direction, float]]) -> Array:
        """One column a functional, [D, number of functionals]."""
        matrix = np.zeros((len(self.row), len(functionals)), dtype=self.dtype)
        for column, functional in enumerate(functionals):
            for direction, weight in functional.items():
                matrix[self.row[direction], column] = self._stored(weight)
        return matrix

    def _rows(self, functionals: Sequence[Functional | Mapping[Direction, float]]) -> Array:
        """One row a functional, [number of functionals, D]."""
        matrix = np.zeros((len(functionals), len(self.row)), dtype=self.dtype)
        for row, functional in enumerate(functionals):
            for direction, weight in functional.items():
                matrix[row, self.row[direction]] = self._stored(weight)
        return matrix

    def _stored(self, weight: float) -> float:
        """The weight, or Refusal where the dtype cannot come near it."""
        if weight != 0 and not self.smallest <= abs(weight) <= self.largest:
            raise Refusal(f"a weight of {weight:.3g} is beyond {self.dtype}", hint="use float64, or other numbers")
        return weight


def _width(head: SymbolicHead) -> int:
    """How many columns the four matrices of a head have together."""
    return 2 * sum(block.width for block in head.queries) + 2 * len(head.values)

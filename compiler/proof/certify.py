"""The certificate: a proof, over the finished arrays, that every value in the residual stream is what its name says.

The proof goes from layer to layer. Suppose every direction written so far holds what its name says: a one-hot or a
stored number exactly, a head's mean or reciprocal up to a bounded error. Each head and each group of neurons reads a
few s-ops, whose reachable combinations are listed; so all that it can ever compute is computed here, from the
actual weights, and compared with what the program says. Then what it writes is right as well. For every input of 1 to
N tokens over the vocabulary this leaves nothing out, because the listed combinations are a superset of what occurs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from compiler.assemble import Assembler
from compiler.ir import Accuracy, Block, Certificate, ModelWeights, Readout
from compiler.lower import SymbolicLayer, SymbolicModel, SymbolicReadout
from compiler.operations.bit_codes import bits_at, is_bit_of
from compiler.outputs import output_codes
from compiler.plan import Plan
from compiler.precision import Precision
from compiler.proof.heads import Heads
from compiler.proof.neurons import Neurons
from compiler.proof.stream import Stream
from compiler.rounding import error_of, misses
from compiler.run.decode import own_gaps
from compiler.selectors import Conjunction, relations_in
from compiler.symbolic import BOS, ONE, combine
from compiler.values.categorical import value_key
from rasp.graph import Aggregate, Selector, SOp


class Certifier:
    """One model's proof. `certificate()` gives it, or raises a Refusal that names what does not hold."""

    def __init__(
        self,
        weights: ModelWeights,
        planned: Plan,
        symbolic: SymbolicModel,
        conjunctions: Mapping[Selector, Conjunction],
        precision: Precision,
    ) -> None:
        self.weights, self.planned, self.symbolic = weights, planned, symbolic
        self.stream = Stream(symbolic, planned.storage, precision)
        self.heads, self.neurons = Heads(self.stream, conjunctions), Neurons(self.stream)

    @np.errstate(over="ignore", invalid="ignore")
    def certificate(self) -> Certificate:
        """The certificate. Refusal where a check fails: what is beyond all floats equals nothing that is wanted."""
        self._structure()
        self._embedding()
        self._writers()
        plans = list(self.planned.heads)
        for layer, symbols in zip(self.weights.blocks, self.symbolic.layers, strict=True):
            for head, symbol in zip(layer.heads, symbols.heads, strict=True):
                self.heads.check(head, symbol, plans.pop(0)[0])
            if layer.feed_forward is not None:
                for encoding, columns in symbols.groups:
                    self.neurons.check(layer.feed_forward, encoding, columns)
        for readout, symbolic in zip(self.weights.outputs, self.symbolic.outputs, strict=True):
            self._readout(readout, symbolic)
        for readout, symbolic in zip(self.weights.guards, self.symbolic.guards, strict=True):
            self.stream.coefficients(f"guard {readout.name}", readout.W_U, symbolic.logits)
        w = self.weights
        mask = ", causal" if w.causal else ""
        names = relations_in(w.masks)
        relations = f" with every relation {' and '.join(names)}" if names else ""
        inputs = f"all inputs of 1 to {w.max_length} tokens over {len(w.vocabulary)}{relations}"
        statement = f"exact for {inputs} in {w.dtype}{mask}"
        near = [f"{output.name} {output.accuracy}" for output in w.outputs if output.accuracy is not None]
        statement = "; ".join([statement, *near])
        return Certificate(statement, self.stream.checks, self.stream.headroom, self.stream.tightest)

    def _structure(self) -> None:
        """The arrays have the directions, layers and shapes of the construction, and the same outputs and guards."""
        names = tuple(direction.name for direction in self.symbolic.directions)
        if self.weights.directions != names or list(map(_shape, self.weights.blocks)) != list(
            map(_symbolic_shape, self.symbolic.layers)
        ):
            self.stream.fail(self.weights.name, "the weights are not built as this program's are")
        pairs = ((self.weights.outputs, self.symbolic.outputs), (self.weights.guards, self.symbolic.guards))
        for (readouts, wanted), what in zip(pairs, ("outputs", "guards"), strict=True):
            if list(map(_meaning, readouts)) != list(map(_meaning, wanted)):
                self.stream.fail(self.weights.name, f"the {what} are not those of this program")

    def _embedding(self) -> None:
        wanted = Assembler(self.symbolic, self.weights.dtype).embeddings(
            len(self.weights.vocabulary), self.weights.max_length
        )
        for name, found, want in zip(("W_E", "W_pos"), (self.weights.W_E, self.weights.W_pos), wanted, strict=True):
            if not np.array_equal(found, want):
                self.stream.fail(name, "an embedding does not hold what its directions mean")
            self.stream.checks += 1

    def _writers(self) -> None:
        """Every direction is written once, by the embedding, one head, or one group of neurons, before it is read."""
        written: set[int] = set()
        for table in (self.weights.W_E, self.weights.W_pos):
            self._write(written, [table])
        for layer, symbols in zip(self.weights.blocks, self.symbolic.layers, strict=True):
            for head in layer.heads:
                self._read_before(written, head.name, head.W_Q, head.W_K, head.W_V)
            self._write(written, [head.W_O for head in layer.heads])
            if layer.feed_forward is not None:
                self._read_before(written, "a feed-forward", layer.feed_forward.W_in)
                self._write(written, [layer.feed_forward.W_out[columns] for _, columns in symbols.groups])
        for readout in (*self.weights.outputs, *self.weights.guards):
            self._read_before(written, f"the readout of {readout.name}", readout.W_U)

    @cached_property
    def _always_zero(self) -> set[int]:
        """The rows of directions that are 0 in every state: nothing has to write them."""
        raw = set(self.stream.reader.raw.values())
        computed = [direction for direction in self.stream.node_of if direction not in raw and direction is not BOS]
        levels = {direction: self.stream.meaning(direction).levels for direction in computed}
        return set(
            self.stream.rows(
                [direction for direction in computed if levels[direction].size and not levels[direction].any()]
            )
        )

    def _write(self, written: set[int], matrices: Sequence[Any]) -> None:
        for matrix in matrices:
            rows = set(np.flatnonzero(np.any(matrix != 0, axis=0)).tolist())
            if rows & written:
                self.stream.fail(self.weights.directions[min(rows & written)], "is written twice")
            written |= rows

    def _read_before(self, written: set[int], where: str, *matrices: Any) -> None:
        read = {row for matrix in matrices for row in np.flatnonzero(np.any(matrix != 0, axis=1)).tolist()}
        early = read - written - self._always_zero
        if early:
            self.stream.fail(where, f"{self.weights.directions[min(early)]} is read before it is written")

    def _readout(self, readout: Readout, symbolic: SymbolicReadout) -> None:
        self.stream.coefficients(f"output {readout.name}", readout.W_U, symbolic.logits)
        if readout.types != symbolic.types:
            self.stream.fail(f"output {readout.name}", "the kinds of its numbers are not the program's")
        node = symbolic.node
        if readout.kind == "number":
            self.stream.holds(node, symbolic.logits, [None])
        elif readout.kind == "coded":
            self._by_bits(node, symbolic)
        else:
            values = self.stream.analysis[node]
            alike: dict[Hashable, set[Hashable]] = defaultdict(set)
            for value, code in zip(values.universe, output_codes(node, self.stream.storage), strict=True):
                alike[value_key(values.universe[code])].add(value_key(value))
            self.stream.holds(
                node,
                symbolic.logits,
                [frozenset(alike[value_key(value)]) for value in symbolic.values],
            )
        if readout.accuracy != symbolic.accuracy:
            self.stream.fail(f"output {readout.name}", "its accuracy is not the program's")
        if readout.accuracy is not None:
            self._accuracy(readout.name, node, readout.accuracy)
        if readout.kind == "number" and len(readout.values) > 1:
            levels = [float(value) for value in readout.values]
            error = error_of(node, self.stream.storage, self.stream.precision)
            rooms = zip(levels, own_gaps(levels), strict=True)
            headroom = min(gap / 4 / max(error.at(level), 1e-300) for level, gap in rooms)
            if headroom <= 1:
                self.stream.fail(f"output {readout.name}", "rounding may take a number for another")
            self.stream.note(headroom, f"output {readout.name}: rounding")

    def _by_bits(self, node: SOp, symbolic: SymbolicReadout) -> None:
        """Logits are 1 less the bits by which a class differs from what is copied; no two classes have the same bits.

        The bits are copied by the head of the node, of the same key: the bits of a copy are the copies of its bits.
        """
        where, bits = f"output {symbolic.name}", self.stream.storage.bit_codes[node].bits
        assert isinstance(node, Aggregate)
        if not self.stream.analysis.width_bounds(node.selector).at_most_one or not all(
            is_bit_of(bit, node) for bit in bits
        ):
            self.stream.fail(where, "its bits are not copied as it is")
        values = self.stream.analysis[node]
        codes = zip(*(bits_at(bit, values.universe) for bit in bits), strict=True)
        found = dict(zip(map(value_key, values.universe), codes, strict=True))
        own = {found[value_key(value)]: value_key(value) for value in symbolic.values}
        stands_for = zip(values.universe, output_codes(node, self.stream.storage), strict=True)
        alike = ((own.get(found[value_key(value)]), value_key(values.universe[code])) for value, code in stands_for)
        if len(own) < len(symbolic.values) or any(one != other for one, other in alike):
            self.stream.fail(where, "two of its values have the same bits, or equal ones have others")
        read = list(map(self.stream.reader.number, bits))
        for logit, code in zip(symbolic.logits, own, strict=True):
            terms = ((of / 2, functional) for of, functional in zip(code, read, strict=True))
            if logit != combine(*terms, (1 - len(bits) / 2, {ONE: 1.0})):
                self.stream.fail(where, "a logit is not 1 less the bits that differ")
        self.stream.checks += len(own) * len(bits)

    def _accuracy(self, name: str, node: SOp, accuracy: Accuracy) -> None:
        """A number that is none of a list misses the program's by no more than is promised of it."""
        missed = misses(node, self.stream.storage, self.stream.precision, accuracy.smallest)
        if missed > accuracy.share:
            is_rounding = error_of(node, self.stream.storage, self.stream.precision).relative > accuracy.share
            what = "a sum rounded at every step" if is_rounding else "what is left after numbers cancel"
            self.stream.fail(
                f"output {name}",
                f"{what} may be off by {missed:.2g} of the larger of the result and "
                f"{accuracy.smallest:.6g}, the smallest number that is averaged, and {accuracy.share:.2g} is promised",
                "use float64, or --tolerance with a larger number",
            )
        self.stream.note(accuracy.share / max(missed, 1e-300), f"output {name}: accuracy")


def _meaning(readout: Readout | SymbolicReadout) -> Hashable:
    """What the logits of a readout stand for."""
    return readout.name, readout.kind, tuple(map(value_key, readout.values)), readout.check


Shape: TypeAlias = tuple[list[tuple[int, int]], int]


def _shape(layer: Block) -> Shape:
    """How wide the scores and the values of each head are, and how many hidden units there are."""
    heads = [(head.W_Q.shape[1], head.W_V.shape[1]) for head in layer.heads]
    return heads, 0 if layer.feed_forward is None else len(layer.feed_forward.b_in)


def _symbolic_shape(layer: SymbolicLayer) -> Shape:
    heads = [(sum(block.width for block in head.queries), len(head.values)) for head in layer.heads]
    return heads, len(layer.neurons)

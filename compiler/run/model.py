"""A compiled model that runs: inputs in, values and attention out, on torch or on the numpy reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.ir import Array, LayerWeights, ModelWeights, Readout
from compiler.run.decode import check, decode, selected_states
from compiler.run.reference import Trace, forward
from rasp.display import Displayed
from rasp.errors import DataFault
from rasp.operations import Atom, atom_key, describe, is_atom

if TYPE_CHECKING:
    from compiler.run.network import SparseTransformer, Transformer

BOS_LABEL = "BOS"
ENGINES = ("reference", "torch")


@dataclass(frozen=True, eq=False)
class Result(Displayed):
    """One input through the model: the values of each output by name, and everything the forward pass did.

    BOS is in row and column 0 of the trace.
    """

    tokens: tuple[Atom, ...]
    outputs: dict[str, list[Atom]]
    trace: Trace

    @property
    def output(self) -> list[Atom]:
        """The values of the first output, one a token."""
        return next(iter(self.outputs.values()))

    @property
    def attention(self) -> tuple[tuple[Array, ...], ...]:
        """Attention [T+1, T+1] of each head of each layer; row = query."""
        return self.trace.attention

    @property
    def labels(self) -> list[str]:
        """BOS and the tokens, as pictures label them."""
        return [BOS_LABEL, *map(str, self.tokens)]


class CompiledModel(Displayed):
    """Weights together with a way to run them. `weights` is the whole contract.

    `timings` are the seconds each pass of the compiler took; empty for a model from a file.
    """

    def __init__(self, weights: ModelWeights, timings: Mapping[str, float] | None = None) -> None:
        self.weights = weights
        self.timings = dict(timings or {})
        self._ids = {atom_key(token): number for number, token in enumerate(weights.vocabulary, start=1)}

    @property
    def layers(self) -> tuple[LayerWeights, ...]:
        """The layers in order."""
        return self.weights.layers

    @cached_property
    def network(self) -> Transformer:
        """The torch module (torch is imported here, on first use)."""
        from compiler.run.network import Transformer

        return Transformer(self.weights)

    @cached_property
    def sparse_network(self) -> SparseTransformer:
        """A torch module that computes the same without most of the zeros, from the weights as they are now."""
        from compiler.run.network import SparseTransformer

        return SparseTransformer(self.weights)

    def encode(self, tokens: Sequence[Atom]) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Token ids [T+1], BOS first. DataFault for a token outside the vocabulary and for too long or empty input."""
        if not len(tokens):
            raise DataFault("an input needs at least one token")
        if len(tokens) > self.weights.max_length:
            raise DataFault(f"the input has {len(tokens)} tokens, the model takes at most {self.weights.max_length}")
        return np.array([0, *(self._id(token, position) for position, token in enumerate(tokens))])

    def _id(self, token: Atom, position: int) -> int:
        if is_atom(token) and atom_key(token) in self._ids:
            return self._ids[atom_key(token)]
        shown = ", ".join(map(repr, self.weights.vocabulary[:12]))
        more = ", …" if len(self.weights.vocabulary) > 12 else ""
        named = describe(token) if is_atom(token) else f"a {type(token).__name__}"
        raise DataFault(f"{named} at position {position} is not in the vocabulary", hint=f"tokens are {shown}{more}")

    def trace(
        self, token_ids: np.ndarray[Any, np.dtype[np.int64]], engine: str = "torch", *, whole: bool = True
    ) -> Trace:
        """The forward pass on token ids [T] or [B, T]; engine `torch`, `reference` or `sparse`.

        Unless it is `whole`, only logits are kept: neither attention nor the residual stream. `sparse`, which is torch
        without most of the zeros, never keeps them.
        """
        if engine == "reference":
            return forward(self.weights, token_ids, whole=whole)
        from compiler.run.network import trace

        if engine == "sparse":
            return trace(self.sparse_network, token_ids, whole=False)
        return trace(self.network, token_ids, whole=whole)

    def decode(self, trace: Trace, index: int | tuple[()] = ()) -> dict[str, list[Atom]]:
        """The values of each output in a trace (of input `index` of a batch). ValueFault where the program has none."""
        for guard, logits in zip(self.weights.guards, trace.guards, strict=True):
            check(guard, logits[index][1:])
        pairs = zip(self.weights.outputs, trace.outputs, strict=True)
        return {
            output.name: decode(output, logits[index][1:], self._selected_states(output, trace, index))
            for output, logits in pairs
        }

    def _selected_states(self, output: Readout, trace: Trace, index: int | tuple[()]) -> list[list[str]]:
        places = () if output.types is None else output.types.guards
        return [selected_states(self.weights.guards[place], trace.guards[place][index][1:]) for place in places]

    def run(self, tokens: Sequence[Atom], *, engine: str = "torch") -> Result:
        """The model on one input; engine `torch` or `reference`.

        DataFault for an input the model cannot take, ValueFault where the program has no value on it.
        """
        trace = self.trace(self.encode(tokens), engine)
        return Result(tuple(tokens), self.decode(trace), trace)

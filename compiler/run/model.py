"""A compiled model that runs: inputs in, values and attention out, on torch or on the numpy reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from compiler.ir import Array, LayerWeights, ModelWeights, Readout
from compiler.run.decode import check, decode, selected_states
from compiler.run.reference import Trace, forward
from compiler.tensors import parameter_counts
from rasp.calls import Given, batch_of, inputs_of
from rasp.display import Displayed
from rasp.errors import DataFault, RaspError
from rasp.operations import Atom, atom_key, describe, is_atom

if TYPE_CHECKING:
    from compiler.run.network import SparseTransformer, Transformer

Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
BOS_LABEL = "BOS"
ENGINES = ("reference", "torch")

# What runs a model elsewhere: token ids [T] or [B, T] in, logits out, and if the whole trace is asked for the
# attention, where the runtime gives it.
Runtime: TypeAlias = "Callable[[np.ndarray[Any, np.dtype[np.int64]], bool], Trace]"


@dataclass(frozen=True, eq=False)
class Result(Displayed):
    """One input through the model: the values of each output by name, and everything the forward pass did.

    BOS is in row and column 0 of the trace.
    """

    tokens: tuple[Atom, ...]
    outputs: dict[str, list[Atom]]
    trace: Trace

    def __repr__(self) -> str:
        found = ", ".join(f"{name} = {values}" for name, values in self.outputs.items())
        return f"<Result of {list(self.tokens)}: {found}>"

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

    `timings` are the seconds each pass of the compiler took; empty for a model from a file. `runtimes` are further
    engines that `trace` takes, by name: the place where another library runs the same weights.
    """

    def __init__(self, weights: ModelWeights, timings: Mapping[str, float] | None = None) -> None:
        self.weights = weights
        self.timings = dict(timings or {})
        self.runtimes: dict[str, Runtime] = {}
        self._ids = {atom_key(token): number for number, token in enumerate(weights.vocabulary, start=1)}

    def __repr__(self) -> str:
        w = self.weights
        counts, proof = parameter_counts(w), w.certificate
        kind = f"causal {w.dtype}" if w.causal else w.dtype
        exact = "no certificate" if proof is None else f"certified, headroom {proof.headroom:.3g}"
        return (
            f"<CompiledModel {w.name}: {w.depth} layers, heads {w.heads}, d_model {w.d_model}, "
            f"{counts['total']:,} parameters ({counts['nonzero']:,} not 0), {len(w.vocabulary)} tokens, "
            f"up to {w.max_length} positions, {kind}, {exact}>"
        )

    def __call__(self, given: Given) -> list[Any]:
        """The values of the first output on an input, one a token, by torch.

        A string is one input, its characters; so is a flat list of atoms. A list of lists is several inputs, and gives
        a list for each. `run` gives the whole result. Errors as for `run`.
        """
        inputs, several = inputs_of(given)
        return self.batch(inputs) if several else self.run(inputs[0]).output

    def batch(self, inputs: Sequence[Sequence[Atom]]) -> list[list[Atom]]:
        """The values of the first output on each of some inputs: strings, or flat lists of atoms.

        They go through the network together, the shorter ones with padding that no head attends to. Errors as for
        `run`; they name the input.
        """
        encoded = [self._encoded(index, given) for index, given in enumerate(batch_of(inputs))]
        lengths = np.array(list(map(len, encoded)))
        padding = np.arange(lengths.max()) >= lengths[:, None]
        ids = np.zeros(padding.shape, dtype=np.int64)
        ids[~padding] = np.concatenate(encoded)
        trace = self.trace(ids, whole=False, padding=padding)
        return [self._decoded(trace, index, size) for index, size in enumerate(lengths.tolist())]

    def _encoded(self, index: int, given: Sequence[Atom]) -> np.ndarray[Any, np.dtype[np.int64]]:
        with _of_input(index):
            return self.encode(given)

    def _decoded(self, trace: Trace, index: int, size: int) -> list[Atom]:
        outputs, guards = (tuple(part[index, :size] for part in parts) for parts in (trace.outputs, trace.guards))
        with _of_input(index):
            return next(iter(self.decode(Trace(outputs, guards, (), ())).values()))

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
        words = any(isinstance(known, str) and len(known) > 1 for known in self.weights.vocabulary)
        lists = """; an input of words is a list, such as '["red", "green"]'""" if words else ""
        hint = f"tokens are {shown}{more}{lists}"
        raise DataFault(f"{named} at position {position} is not in the vocabulary", hint=hint)

    def trace(
        self,
        token_ids: np.ndarray[Any, np.dtype[np.int64]],
        engine: str = "torch",
        *,
        whole: bool = True,
        padding: Flags | None = None,
    ) -> Trace:
        """The forward pass on token ids [T] or [B, T]; engine `torch`, `reference`, `sparse` or one of the `runtimes`.

        Unless it is `whole`, only logits are kept: neither attention nor the residual stream. `sparse`, which is torch
        without most of the zeros, never keeps them. `padding` [B, T], for torch, is true at tokens that are none.
        DataFault for an engine that is not known.
        """
        if engine in self.runtimes:
            return self.runtimes[engine](token_ids, whole)
        if engine == "reference":
            return forward(self.weights, token_ids, whole=whole)
        from compiler.run.network import trace

        if engine == "sparse":
            return trace(self.sparse_network, token_ids, whole=False)
        if engine != "torch":
            known = ", ".join((*ENGINES, "sparse", *self.runtimes))
            raise DataFault(f"there is no engine {engine!r}", hint=f"engines are {known}")
        return trace(self.network, token_ids, whole=whole, padding=padding)

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
        """The model on one input, a string or a flat sequence of atoms; engine `torch` or `reference`.

        DataFault for an input the model cannot take, ValueFault where the program has no value on it.
        """
        trace = self.trace(self.encode(tokens), engine)
        return Result(tuple(tokens), self.decode(trace), trace)


@contextmanager
def _of_input(index: int) -> Iterator[None]:
    """Says in an error which input of a batch it is about."""
    try:
        yield
    except RaspError as error:
        error.notes.append(f"this is input {index} of the batch")
        raise

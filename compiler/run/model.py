"""A compiled model that runs: inputs in, values and attention out, on torch or on the numpy reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from compiler.ir import LayerWeights, ModelWeights, Readout
from compiler.run.decode import check, closest, decode, selected_states
from compiler.run.edits import Edit
from compiler.run.graph_inputs import NOTHING, GraphInputs, HeadMasks, graph_inputs, head_masks
from compiler.run.reference import Trace, forward
from compiler.run.research import Research, padded, part_of
from compiler.run.result import Result
from compiler.selectors import relations_in
from compiler.tensors import parameter_counts
from rasp.calls import Given, batch_of, inputs_of
from rasp.display import Displayed
from rasp.errors import DataFault, RaspError
from rasp.graph import Selector
from rasp.operations import Atom, atom_key, describe, is_atom, python_value
from rasp.relations import graph_of, relations_of

if TYPE_CHECKING:
    from compiler.run.network import SparseTransformer, Transformer

Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
ENGINES = ("reference", "torch")
_GRAPHS = "model.trace(ids, graphs=model.graphs(inputs)), or model.run(input), which makes them itself"

# What runs a model elsewhere: token ids [T] or [B, T] in, logits out, and if the whole trace is asked for the
# attention, where the runtime gives it. The last argument are the masks of heads that have any.
Runtime: TypeAlias = "Callable[[np.ndarray[Any, np.dtype[np.int64]], bool, GraphInputs], Trace]"


class CompiledModel(Research, Displayed):
    """Weights together with a way to run them. `weights` is the whole contract.

    `timings` are the seconds each pass of the compiler took; empty for a model from a file. `edits` are what is changed
    in every forward pass, none in a model as it was compiled; it is `covered` by its certificate if there are none, or
    only such as it was compiled for. `runtimes` are further engines that `trace` takes, by name: the place where
    another library runs the same weights.
    """

    def __init__(
        self,
        weights: ModelWeights,
        timings: Mapping[str, float] | None = None,
        edits: Iterable[Edit] = (),
        *,
        covered: bool = True,
    ) -> None:
        self.weights = weights
        self.timings: dict[str, float] = dict(timings or {})
        self.runtimes: dict[str, Runtime] = {}
        self.edits: tuple[Edit, ...] = tuple(edits)
        self.covered = covered
        self._edited_from: CompiledModel | None = None
        self._ids = {atom_key(token): number for number, token in enumerate(weights.vocabulary, start=1)}

    def __repr__(self) -> str:
        w = self.weights
        counts, proof = parameter_counts(w), w.certificate
        kind = f"causal {w.dtype}" if w.causal else w.dtype
        exact = "no certificate" if proof is None else f"certified, headroom {proof.headroom:.3g}"
        exact = f"edited at {', '.join(sorted({point.name for point, _ in self.edits}))}" if self.edits else exact
        return (
            f"<CompiledModel {w.name}: {w.depth} layers, heads {w.heads}, d_model {w.d_model}, "
            f"{counts['total']:,} parameters ({counts['nonzero']:,} not 0), {len(w.vocabulary)} tokens, "
            f"up to {w.max_length} positions, {kind}, {exact}>"
        )

    def __call__(self, given: Given, *, strict: bool | None = None) -> list[Any]:
        """The values of the first output on an input, one a token, by torch.

        A string is one input, its characters; so is a flat list of atoms. A list of lists is several inputs, and gives
        a list for each. `run` gives the whole result. `strict` and errors as for `run`.
        """
        inputs, several = inputs_of(given)
        return self.batch(inputs, strict=strict) if several else self.run(inputs[0], strict=strict).output

    def batch(self, inputs: Sequence[Sequence[Atom]], *, strict: bool | None = None) -> list[list[Atom]]:
        """The values of the first output on each of some inputs: strings, or flat lists of atoms.

        They go through the network together, the shorter ones with padding that no head attends to. Errors as for
        `run`; they name the input.
        """
        given = batch_of(inputs)
        encoded = [self._encoded(index, tokens) for index, tokens in enumerate(given)]
        ids, padding = padded(encoded)
        trace = self.trace(ids, whole=False, padding=padding, graphs=self.graphs(given))
        found = []
        for index, tokens in enumerate(given):
            with _of_input(index):
                found.append(self.result(tokens, part_of(trace, index, len(tokens) + 1), strict=strict).output)
        return found

    def _encoded(self, index: int, given: Sequence[Atom]) -> np.ndarray[Any, np.dtype[np.int64]]:
        with _of_input(index):
            return self.encode(given)

    def edited(self, edits: Iterable[Edit], *, covered: bool = False) -> CompiledModel:
        """The model with more changes to its forward pass; it has the same network."""
        found = CompiledModel(self.weights, self.timings, (*self.edits, *edits), covered=self.covered and covered)
        found._edited_from = self
        return found

    @property
    def layers(self) -> tuple[LayerWeights, ...]:
        """The layers in order."""
        return self.weights.layers

    @cached_property
    def network(self) -> Transformer:
        """The torch module (torch is imported here, on first use)."""
        if self._edited_from is not None:
            return self._edited_from.network
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
        graphs: GraphInputs = NOTHING,
    ) -> Trace:
        """The forward pass on token ids [T] or [B, T]; engine `torch`, `reference`, `sparse` or one of the `runtimes`.

        Unless it is `whole`, only logits are kept: neither attention nor the residual stream. `sparse`, which is torch
        without most of the zeros, never keeps them. `padding` [B, T], for torch, is true at tokens that are none.
        `graphs` (`self.graphs(inputs)`) are the masks, for a model whose heads have any.
        DataFault for an engine that is not known.
        """
        if self.weights.masks and not graphs.has_any and not relations_in(self.weights.masks):
            graphs = self._static(token_ids, padding)
        if self.weights.masks and not graphs.has_any:
            raise DataFault("heads of the model look along relations or masks, and none are given", hint=_GRAPHS)
        if self.edits and engine not in ENGINES:
            raise DataFault(f"an edited model runs on {' or '.join(ENGINES)}, not on {engine}")
        if self.edits:
            return self.hooked(token_ids, padding, (), graphs, engine)[0]
        if engine in self.runtimes:
            return self.runtimes[engine](token_ids, whole, graphs)
        if engine == "reference":
            return forward(self.weights, token_ids, whole=whole, graphs=graphs)
        from compiler.run.network import trace

        if engine == "sparse":
            return trace(self.sparse_network, token_ids, whole=False, graphs=graphs)
        if engine != "torch":
            known = ", ".join((*ENGINES, "sparse", *self.runtimes))
            raise DataFault(f"there is no engine {engine!r}", hint=f"engines are {known}")
        return trace(self.network, token_ids, whole=whole, padding=padding, graphs=graphs)

    def _static(self, token_ids: np.ndarray[Any, np.dtype[np.int64]], padding: Flags | None) -> GraphInputs:
        """The masks that positions alone decide, for inputs of the lengths that token ids [T] or [B, T] have."""
        size = token_ids.shape[-1] - 1
        lengths = [size] if padding is None else [size - int(row.sum()) for row in padding]
        found = graph_inputs(self.weights, lengths, ())
        return found if token_ids.ndim == 2 else found.at(0)

    def graphs(self, inputs: Sequence[Sequence[Atom]]) -> GraphInputs:
        """The masks of the model's heads on some inputs. DataFault where an input lacks a relation."""
        return graph_inputs(self.weights, list(map(len, inputs)), list(map(relations_of, inputs)))

    def masks(self, given: Sequence[Atom] | Mapping[str, Any]) -> dict[Selector, Flags]:
        """For the heads of one's own: each mask on an input, [T+1, T+1] with BOS in front, True where a query may look.

        `head.mask` of the weights says which is whose. This is what torch's scaled_dot_product_attention takes;
        nn.MultiheadAttention takes the complement. DataFault where the input lacks a relation.
        """
        return dict(self.graphs([graph_of(given) or cast("Sequence[Atom]", given)]).at(0).masks)

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

    def run(self, tokens: Sequence[Atom], *, engine: str = "torch", strict: bool | None = None) -> Result:
        """The model on one input, a string or a flat sequence of atoms; engine `torch` or `reference`.

        DataFault for an input the model cannot take. Where it is `strict`, as models are that were not edited,
        ValueFault where the program has no value on it; else the result has the nearest values and their margins.
        """
        tokens = graph_of(tokens) or tokens
        trace = self.trace(self.encode(tokens), engine, graphs=self.graphs([tokens]).at(0))
        return self.result(tokens, trace, strict=strict)

    def result(self, tokens: Sequence[Atom], trace: Trace, *, strict: bool | None = None) -> Result:
        """The result that a trace of an input is. Errors as for `run`."""
        sight = partial(self._head_masks, tokens)
        if self.covered if strict is None else strict:
            outputs = {name: _as_python(values) for name, values in self.decode(trace).items()}
            return Result(tuple(tokens), outputs, trace, covered=self.covered, sight=sight)
        found = {
            output.name: closest(output, logits[1:], self._selected_states(output, trace, ()))
            for output, logits in zip(self.weights.outputs, trace.outputs, strict=True)
        }
        outputs = {name: _as_python(values) for name, (values, _) in found.items()}
        margins = {name: margins for name, (_, margins) in found.items()}
        return Result(tuple(tokens), outputs, trace, margins, self._complaints(trace), self.covered, sight)

    def _head_masks(self, tokens: Sequence[Atom]) -> HeadMasks:
        return head_masks(self.weights, self.graphs([tokens]).at(0), len(tokens))

    def _complaints(self, trace: Trace) -> tuple[str, ...]:
        """What the guards of a trace would have been errors for."""
        found = []
        for guard, logits in zip(self.weights.guards, trace.guards, strict=True):
            try:
                check(guard, logits[1:])
            except RaspError as error:
                found.append(error.message)
        return tuple(found)


def _as_python(values: Sequence[Atom]) -> list[Any]:
    """Values as results have them: symbols as None and tuples."""
    return list(map(python_value, values))


@contextmanager
def _of_input(index: int) -> Iterator[None]:
    """Says in an error which input of a batch it is about."""
    try:
        yield
    except RaspError as error:
        error.notes.append(f"this is input {index} of the batch")
        raise

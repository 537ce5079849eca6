"""Looking inside a model and changing what happens there: caches, hooks, ablations, patches, interventions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from compiler.ir import ModelWeights
from compiler.run.cache import Cache, Names
from compiler.run.edits import Edit, Heads, pairs, replaced, without_heads, without_neurons, written
from compiler.run.graph_inputs import NOTHING, GraphInputs
from compiler.run.named import NamedSOps
from compiler.run.points import Places, Point, Where
from compiler.run.reference import Trace
from compiler.run.result import Result
from rasp.calls import Given, inputs_of
from rasp.errors import DataFault
from rasp.graph import SOp
from rasp.interventions import Interventions, position, value_of
from rasp.operations import Atom

if TYPE_CHECKING:
    from compiler.run.hooked import Engine
    from compiler.run.network import Transformer

Hook: TypeAlias = Callable[..., Any]


class Research(ABC):
    """What a researcher does with a model. Tensors are torch's; layers, heads and positions of tokens count from 0.

    One input alone has no batch axis, several have it in front: in caches and for hooks alike. BOS is position 0 of
    every tensor, so token t is at t + 1 there.
    """

    weights: ModelWeights
    edits: tuple[Edit, ...]
    covered: bool

    @property
    @abstractmethod
    def network(self) -> Transformer: ...

    @abstractmethod
    def encode(self, tokens: Sequence[Atom]) -> np.ndarray[Any, np.dtype[np.int64]]: ...

    @abstractmethod
    def graphs(self, inputs: Sequence[Sequence[Atom]]) -> GraphInputs: ...

    @abstractmethod
    def edited(self, edits: Iterable[Edit], *, covered: bool = False) -> Self: ...

    @abstractmethod
    def run(self, tokens: Sequence[Atom], *, engine: str = "torch", strict: bool | None = None) -> Result: ...

    @abstractmethod
    def result(self, tokens: Sequence[Atom], trace: Trace, *, strict: bool | None = None) -> Result: ...

    @cached_property
    def _places(self) -> Places:
        return Places(self.weights)

    @cached_property
    def _named(self) -> NamedSOps:
        return NamedSOps(self.weights)

    def names(self) -> Names:
        """The names of the model's s-ops and of the places in its forward pass, as a table."""
        return Names(tuple(self._named.names), tuple(self._places.all))

    def run_with_cache(
        self, given: Given, names: Iterable[Where] | None = None, *, strict: bool | None = None
    ) -> tuple[Any, Cache]:
        """The result on an input (or a list of results, for several) and a cache of what the forward pass did.

        `names` are the places to keep: all where none are given. NameFault for one that the model does not have.
        `strict` as for `run`; the s-ops of the cache follow it.
        """
        points = self._places.all if names is None else self._some(names)
        return self._run(given, [point.name for point in points], strict)

    def run_with_hooks(
        self, given: Given, fwd_hooks: Iterable[tuple[Where, Hook]], *, strict: bool | None = None
    ) -> Any:
        """The result on an input (or a list of results, for several) while hooks read or change what is at some places.

        A hook is called as `hook(tensor, hook=place)` and returns what is to be there instead, or None, also after
        changing the tensor in place. A place is a name, long or short, or a condition on long names. NameFault where a
        hook would never fire, DataFault for a result of another shape. `strict` as for `run`.
        """
        hooks = [(point, hook) for where, hook in fwd_hooks for point in self._places.some(where)]
        return self.edited(hooks)._run(given, (), strict)[0]

    def ablate(self, *, head: Heads | None = None, mlp: object = None, neurons: Sequence[int] | None = None) -> Self:
        """The model without some heads, each (layer, head), or without hidden units: all of a layer's, or `neurons`.

        What a head would add to the stream is 0, and so is what a unit holds. NameFault for what the model does not
        have.
        """
        found = [] if head is None else without_heads(self._places, self.weights, pairs(head))
        found += [] if mlp is None else without_neurons(self._places, mlp, neurons)
        if not found:
            raise DataFault("nothing to ablate", hint="head=(layer, head), or mlp=layer with neurons=[…]")
        return self.edited(found)

    def patch(
        self,
        source: Given,
        *names: Where | SOp,
        head: int | Sequence[int] | None = None,
        positions: Sequence[int] | None = None,
    ) -> Self:
        """The model with what is at some places on the input `source`, whatever the input is.

        A name is a place, or an s-op, whose values are then those on the source. With `head` only that one (or some)
        of a layer, with `positions` only at those tokens (queries). The input it is run on must be as long as the
        source, unless positions are given. NameFault for what the model does not have.
        """
        if not names:
            raise DataFault("nothing to patch", hint='m.patch(source, ("z", 1), head=0), or the name of an s-op')
        heads = [head] if isinstance(head, int) else head
        result, cache = self.run_with_cache(source, strict=False)
        if not isinstance(result, Result):
            raise DataFault("the input to patch from is one input, not several")
        found: list[Edit] = []
        for name in names:
            if self._is_sop(name):
                found += self._copied(name, cache, positions)
            else:
                assert not isinstance(name, SOp)
                found += [replaced(p, cache[p.name], heads, positions) for p in self._places.some(name)]
        return self.edited(found)

    def _copied(self, name: Any, cache: Cache, positions: Sequence[int] | None) -> list[Edit]:
        values = cache[name]
        wanted = range(len(values)) if positions is None else positions
        return written(self.weights, self._places, self._named.find(name), {at: values[at] for at in wanted})

    def _is_sop(self, name: object) -> bool:
        return isinstance(name, SOp) or name in self._named.names

    def intervene(
        self, given: Given, values: Interventions, *, engine: str = "torch", strict: bool | None = None
    ) -> Result:
        """The result on an input while some s-ops have other values: `{"level": {2: 1}}` makes level 1 at token 2.

        The values are written into the residual stream where the model computes the s-op, and everything later reads
        them there. The certificate covers it (`result.covered`) where the model was compiled with these s-ops in
        `interventions`: it then gives what `rasp.evaluate(…, given=…)` gives. Elsewhere what does not read the stored
        value does not change. Positions may be texts, so that interventions can be JSON. NameFault for what is not
        stored, ValueFault for a value that the s-op cannot have, DataFault for a position that is none. `engine` as for
        `run`.
        """
        inputs, several = inputs_of(given)
        if several:
            raise DataFault("an intervention is on one input, not on several")
        found: list[Edit] = []
        covered = True
        for name, at in values.items():
            held = self._named.find(name)
            covered = covered and held.name in self.weights.interventions
            places = {position(where, len(inputs[0])): value_of(value) for where, value in at.items()}
            found += written(self.weights, self._places, held, places)
        return self.edited(found, covered=covered).run(inputs[0], engine=engine, strict=strict)

    def _some(self, names: Iterable[Where]) -> list[Point]:
        several = [names] if isinstance(names, (str, tuple)) or callable(names) else names
        return [point for name in several for point in self._places.some(name)]

    def _run(self, given: Given, wanted: Sequence[str], strict: bool | None) -> tuple[Any, Cache]:
        """The result, or results, and what was kept."""
        inputs, several = inputs_of(given)
        encoded = [self.encode(tokens) for tokens in inputs]
        ids, padding = padded(encoded)
        graphs = self.graphs(inputs)
        trace, kept = self.hooked(ids if several else ids[0], padding if several else None, wanted, graphs)
        traces = [part_of(trace, at, len(one)) for at, one in enumerate(encoded)] if several else [trace]
        results = [self.result(tokens, one, strict=strict) for tokens, one in zip(inputs, traces, strict=True)]
        streams = [one.residuals[-1][1:] for one in traces]
        strictly = self.covered if strict is None else strict
        cache = Cache(self._places, self._named, kept, inputs, streams, alone=not several, strict=strictly)
        return (results if several else results[0]), cache

    def hooked(
        self,
        token_ids: Any,
        padding: Any = None,
        wanted: Sequence[str] = (),
        graphs: GraphInputs = NOTHING,
        engine: str = "torch",
    ) -> tuple[Trace, dict[str, Any]]:
        """The trace of token ids [T] or [B, T], with the model's edits, and what is at the wanted places.

        By torch, or by numpy (`reference`), whose arrays hooks then see.
        """
        from compiler.run.hooked import Taps, traced

        alone = token_ids.ndim == 1
        opened = self._engine(engine)
        taps = Taps(self._places, self.edits, wanted, opened, alone)
        return traced(opened, self.weights, token_ids[None] if alone else token_ids, padding, taps, graphs)

    def _engine(self, name: str) -> Engine:
        if name == "reference":
            from compiler.run.hooked import Numpy

            return Numpy(self.weights)
        from compiler.run.network import Tapped

        return Tapped(self.network)


def padded(encoded: Sequence[Any]) -> tuple[Any, Any]:
    """Token ids of several lengths as [B, T], and where there are none."""
    lengths = np.array(list(map(len, encoded)))
    padding = np.arange(lengths.max()) >= lengths[:, None]
    ids = np.zeros(padding.shape, dtype=np.int64)
    ids[~padding] = np.concatenate(list(encoded))
    return ids, padding


def part_of(trace: Trace, index: int, size: int) -> Trace:
    """The trace of one input of a batch, as long as it is with BOS."""
    return Trace(
        tuple(logits[index, :size] for logits in trace.outputs),
        tuple(logits[index, :size] for logits in trace.guards),
        tuple(tuple(pattern[index, :size, :size] for pattern in layer) for layer in trace.attention),
        tuple(stream[index, :size] for stream in trace.residuals),
    )

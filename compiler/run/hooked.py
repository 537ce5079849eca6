"""A forward pass in which every intermediate array can be read and changed, in torch or in numpy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import Array, ModelWeights
from compiler.run.graph_inputs import GraphInputs
from compiler.run.points import INPUT, Places, Point, stage_points
from compiler.run.reference import Trace
from rasp.errors import DataFault

# What is called with the tensor at a place and, as `hook`, the place; it returns what is to be there instead, or None.
Hook: TypeAlias = Callable[..., Any]
# An array of one library, torch's or numpy's.
X: TypeAlias = Any
# Where the queries of a head must not attend [B or 1, T, T]; None: nowhere.
MaskOf: TypeAlias = "Callable[[Any], X | None]"


class Engine(ABC):
    """The weights of a model as the arrays of one library, and what a forward pass needs of that library.

    Heads have W_Q, W_K, W_V and W_O, feed-forwards W_in, b_in and W_out; each layer has its heads, then its
    feed-forwards. `outputs` and `guards` are unembeddings.
    """

    W_E: X
    W_pos: X
    input_mlps: Sequence[Any]
    layers: Sequence[tuple[Sequence[Any], Sequence[Any]]]
    outputs: Sequence[X]
    guards: Sequence[X]

    @abstractmethod
    def ids(self, token_ids: Any) -> X:
        """Token ids as an index of W_E."""

    @abstractmethod
    def masks(self, ids: X, padding: Any, graphs: GraphInputs) -> MaskOf:
        """Where the queries of each head must not attend: after themselves, at padding, by masks of their own."""

    @abstractmethod
    def copied(self, x: X) -> X: ...

    @abstractmethod
    def relu(self, x: X) -> X: ...

    @abstractmethod
    def hidden(self, scores: X, where: X) -> X:
        """Scores that are minus infinity where queries must not attend."""

    @abstractmethod
    def softmax(self, scores: X) -> X:
        """Attention of scores, over the last axis."""

    @abstractmethod
    def stacked(self, parts: Sequence[X], axis: int) -> X: ...

    @abstractmethod
    def widened(self, x: X, width: int) -> X:
        """The array with zeros at the end of its last axis, which then has that width."""

    @abstractmethod
    def array(self, x: X) -> Array:
        """The same in numpy."""


class Numpy(Engine):
    """The weights as they are."""

    def __init__(self, weights: ModelWeights) -> None:
        self.causal = weights.causal
        self.W_E, self.W_pos = weights.W_E, weights.W_pos
        self.input_mlps = weights.input_feed_forwards
        self.layers = [(layer.heads, layer.feed_forwards) for layer in weights.layers]
        self.outputs = [output.W_U for output in weights.outputs]
        self.guards = [guard.W_U for guard in weights.guards]

    def ids(self, token_ids: Any) -> X:
        return np.asarray(token_ids)

    def masks(self, ids: X, padding: Any, graphs: GraphInputs) -> MaskOf:
        size = ids.shape[1]
        common = np.triu(np.full((1, size, size), self.causal), 1)
        common = common if padding is None else common | padding[:, None, :]
        return lambda head: common if head.mask is None else common | ~graphs.masks[head.mask]

    def copied(self, x: X) -> X:
        return x.copy()

    def relu(self, x: X) -> X:
        return np.maximum(x, 0)

    def hidden(self, scores: X, where: X) -> X:
        return np.where(where, -np.inf, scores)

    def softmax(self, scores: X) -> X:
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return weights / weights.sum(axis=-1, keepdims=True)

    def stacked(self, parts: Sequence[X], axis: int) -> X:
        return np.stack(parts, axis)

    def widened(self, x: X, width: int) -> X:
        return np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, width - x.shape[-1])])

    def array(self, x: X) -> Array:
        return np.asarray(x)


class Taps:
    """What happens at the places of one forward pass: hooks are called in order, and what is `wanted` is `kept`.

    Arrays come with the batch axis in front, unless the pass is of one input alone: then hooks see none, and none is
    kept.
    """

    def __init__(
        self, places: Places, hooks: Iterable[tuple[Point, Hook]], wanted: Collection[str], engine: Engine, alone: bool
    ) -> None:
        self.places, self.wanted, self.engine, self.alone = places, wanted, engine, alone
        self.hooks: dict[str, list[Hook]] = defaultdict(list)
        for point, hook in hooks:
            self.hooks[point.name].append(hook)
        self.kept: dict[str, X] = {}

    def asks(self, *short: str | int) -> bool:
        """Whether anybody reads or changes what is at a place."""
        name = self.places.one(short).name
        return name in self.wanted or name in self.hooks

    def __call__(self, value: X, *short: str | int) -> X:
        """What is at a place [B, ...], after its hooks."""
        point = self.places.one(short)
        for hook in self.hooks.get(point.name, ()):
            value = self._hooked(self.engine.copied(value), point, hook)
        if point.name in self.wanted:
            self.kept[point.name] = value[0] if self.alone else value
        return value

    def _hooked(self, value: X, point: Point, hook: Hook) -> X:
        shown = value[0] if self.alone else value
        found = hook(shown, hook=point)
        found = shown if found is None else found
        if not isinstance(found, type(shown)) or found.shape != shown.shape:
            given = f"a tensor {list(found.shape)}" if hasattr(found, "shape") else f"a {type(found).__name__}"
            raise DataFault(f"the hook at {point.name} gave {given}, where a tensor {list(shown.shape)} belongs")
        return found[None] if self.alone else found

    def by_head(self, parts: list[X], axis: int, *short: str | int) -> list[X]:
        """What each head of a layer has at a place; hooks see all heads as one array, narrow ones filled up with 0."""
        if not self.asks(*short):
            return parts
        widest = max(part.shape[-1] for part in parts)
        filled = [self.engine.widened(part, widest) for part in parts]
        every = self(self.engine.stacked(filled, axis), *short)
        before = (slice(None),) * axis
        return [every[(*before, at)][..., : part.shape[-1]] for at, part in enumerate(parts)]


def traced(
    engine: Engine, weights: ModelWeights, token_ids: Any, padding: Any, taps: Taps, graphs: GraphInputs
) -> tuple[Trace, dict[str, X]]:
    """The trace of token ids [B, T] (BOS first) with what was kept of it. `padding` [B, T] is true at no tokens."""
    ids = engine.ids(token_ids)
    stages = {taps.places.one(short).name: taps.places.one(short) for short in stage_points(weights)}
    patterns: list[tuple[X, ...]] = []
    own = taps.wanted
    taps.wanted = {*own, *stages}
    x = _stream(engine, ids, engine.masks(ids, padding, graphs), taps, patterns)
    alone: Any = 0 if taps.alone else slice(None)
    residuals = tuple(engine.array(taps.kept[name]) for name in stages)
    outputs = tuple(engine.array((x @ output)[alone]) for output in engine.outputs)
    guards = tuple(engine.array((x @ guard)[alone]) for guard in engine.guards)
    attention = tuple(tuple(engine.array(pattern[alone]) for pattern in layer) for layer in patterns)
    return Trace(outputs, guards, attention, residuals), {name: taps.kept[name] for name in taps.kept if name in own}


def _stream(engine: Engine, ids: X, mask: MaskOf, taps: Taps, patterns: list[tuple[X, ...]]) -> X:
    """The residual stream after the last layer."""
    embedded = taps(engine.W_E[ids], "embed")
    placed = taps(engine.stacked([engine.W_pos[: ids.shape[1]]] * len(ids), 0), "pos_embed")
    x = taps(embedded + placed, "resid_pre", INPUT)
    x = _fed_forward(engine, x, engine.input_mlps, INPUT, taps)
    for at, (heads, mlps) in enumerate(engine.layers):
        x = taps(x, "resid_pre", at)
        x = taps(_attended(engine, x, heads, at, mask, taps, patterns), "resid_mid", at)
        x = _fed_forward(engine, x, mlps, at, taps)
    return x


def _attended(
    engine: Engine, x: X, heads: Sequence[Any], at: int, mask: MaskOf, taps: Taps, patterns: list[tuple[X, ...]]
) -> X:
    """The stream with what the heads of a layer add to it."""
    queries = taps.by_head([x @ head.W_Q for head in heads], 2, "q", at)
    keys = taps.by_head([x @ head.W_K for head in heads], 2, "k", at)
    values = taps.by_head([x @ head.W_V for head in heads], 2, "v", at)
    scores = [q @ k.swapaxes(-1, -2) for q, k in zip(queries, keys, strict=True)]
    where = map(mask, heads)
    scores = [s if hidden is None else engine.hidden(s, hidden) for s, hidden in zip(scores, where, strict=True)]
    scores = taps.by_head(scores, 1, "scores", at)
    attention = taps.by_head([engine.softmax(found) for found in scores], 1, "pattern", at)
    patterns.append(tuple(attention))
    mixed = taps.by_head([a @ v for a, v in zip(attention, values, strict=True)], 2, "z", at)
    written = taps.by_head([z @ head.W_O for z, head in zip(mixed, heads, strict=True)], 2, "result", at)
    return _added(engine, x, written, taps, "attn_out", at)


def _added(engine: Engine, x: X, parts: list[X], taps: Taps, *short: str | int) -> X:
    """The stream with parts added one after another, as the network does; or with what a hook made of their sum."""
    if taps.asks(*short):
        total = engine.stacked(parts, 0).sum(axis=0)
        found = taps(total, *short)
        if found is not total:
            return x + found
    for part in parts:
        x = x + part
    return x


def _fed_forward(engine: Engine, x: X, mlps: Sequence[Any], at: int | str, taps: Taps) -> X:
    """The stream after a block's feed-forwards, one after another."""
    for number, mlp in enumerate(mlps):
        more = (number,) if number else ()
        x = taps(x, "resid_mid", at, *more) if number else x
        before = taps(x @ mlp.W_in + mlp.b_in, "pre", at, *more)
        hidden = taps(engine.relu(before), "post", at, *more)
        x = x + taps(hidden @ mlp.W_out, "mlp_out", at, *more)
    return taps(x, "resid_post", at)

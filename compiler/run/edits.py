"""Changes to a forward pass: heads and neurons switched off, tensors and s-ops of another input put in.

Each is a list of places with what happens there. Tensors may have a batch axis in front or none, so axes are counted
from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import FeedForwardWeights, Held, ModelWeights
from compiler.run.named import looks
from compiler.run.points import Places, Point, stage_points
from rasp.errors import DataFault, NameFault
from rasp.operations import Atom

Edit: TypeAlias = "tuple[Point, Callable[..., Any]]"
Heads: TypeAlias = "tuple[int, int] | Sequence[tuple[int, int]]"


def pairs(given: Any) -> list[tuple[int, int]]:
    """One (layer, head), or several, as a list."""
    found = [given] if isinstance(given, tuple) and all(isinstance(part, int) for part in given) else list(given)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in found):
        raise DataFault(f"a head is (layer, head), both from 0, not {given!r}")
    return found


def without_heads(places: Places, weights: ModelWeights, heads: Iterable[tuple[int, int]]) -> list[Edit]:
    """Heads that add nothing to the residual stream."""
    found = []
    for layer, head in heads:
        point = places.one(("z", layer))
        _check_head(weights, point, head)
        found.append((point, _zeroed(point.head_axis or 0, [head])))
    return found


def _check_head(weights: ModelWeights, point: Point, head: int) -> None:
    at = point.layer()
    count = len(weights.layers[at].heads) if at is not None else 0
    if not 0 <= head < count:
        raise NameFault(f"layer {at} has no head {head}", hint=f"its heads are 0 to {count - 1}")


def without_neurons(places: Places, where: object, neurons: Sequence[int] | None) -> list[Edit]:
    """Hidden units that stay 0: some of a feed-forward, or all of them."""
    asked = where if isinstance(where, tuple) else (where,)
    return [(places.one(("post", *asked)), _zeroed(-1, neurons))]


def _zeroed(axis: int, indices: Sequence[int] | None) -> Callable[..., Any]:
    """What sets some indices of an axis, counted from the end, to 0; or all."""

    def hook(value: Any, hook: Point) -> Any:
        if indices is not None and max(indices, default=-1) >= value.shape[axis]:
            raise NameFault(f"{hook.name} has no index {max(indices)}", hint=f"it has {value.shape[axis]}")
        value[_at(axis, slice(None) if indices is None else list(indices))] = 0
        return value

    return hook


def _at(axis: int, index: Any) -> Any:
    """The index of an axis that is counted from the end."""
    return (..., index, *[slice(None)] * (-1 - axis))


def replaced(point: Point, source: Any, heads: Sequence[int] | None, positions: Sequence[int] | None) -> Edit:
    """A place where some heads, at some positions (of tokens), have what another input has there; all where None."""
    if heads is not None and point.head_axis is None:
        raise DataFault(f"{point.name} has no heads", hint=f"its shape is {point.shape}")

    def hook(value: Any, hook: Point) -> Any:
        if value.shape[-source.ndim :] != source.shape:
            raise DataFault(
                f"{hook.name} is {list(value.shape)} here and {list(source.shape)} in the input to patch from",
                hint="both inputs must have the same length",
            )
        for index in _cells(point, heads, positions):
            value[(..., *index)] = source[index]
        return value

    return point, hook


def _cells(point: Point, heads: Sequence[int] | None, positions: Sequence[int] | None) -> list[tuple[Any, ...]]:
    """The index of each part that is exchanged, as one of the axes of a place without a batch."""
    axes = point.shape.count(",") + 1
    found = []
    for head in [None] if heads is None else heads:
        for position in [None] if positions is None else positions:
            index: list[Any] = [slice(None)] * axes
            if head is not None:
                index[point.head_axis or 0] = head
            if position is not None:
                index[point.query_axis] = position + 1
            found.append(tuple(index))
    return found


def written(weights: ModelWeights, places: Places, held: Held, values: Mapping[int, Atom]) -> list[Edit]:
    """An s-op that has other values at some positions, from the step of the forward pass on that computes it.

    NameFault where the residual stream does not hold it, ValueFault for a value that it cannot have.
    """
    if not held.is_stored:
        raise NameFault(
            f"{held.name} is not in the residual stream, so nothing can be written there",
            hint=f'rasp.compile(…, interventions=["{held.name}"]) stores it',
        )
    by_place: dict[Any, list[tuple[int, int, float]]] = {}
    for position, value in values.items():
        for row, number in looks(held, value).items():
            by_place.setdefault(_written_at(weights, row), []).append((position + 1, row, number))
    return [(places.one(short), _set(cells)) for short, cells in by_place.items()]


def _set(cells: Sequence[tuple[int, int, float]]) -> Callable[..., Any]:
    """What sets some cells (position, direction) of the stream."""

    def hook(value: Any, hook: Point) -> Any:
        for position, row, number in cells:
            if position >= value.shape[-2]:
                raise DataFault(f"the input has no position {position - 1}")
            value[..., position, row] = number
        return value

    return hook


def _written_at(weights: ModelWeights, row: int) -> Any:
    """The place where a direction of the stream has its value: after the last step that writes to it."""
    steps = [True, *(_feeds(part, row) for part in weights.input_feed_forwards)]
    for layer in weights.layers:
        steps.append(any(bool(head.W_O[:, row].any()) for head in layer.heads))
        steps += [_feeds(part, row) for part in layer.feed_forwards]
    return stage_points(weights)[int(np.flatnonzero(steps)[-1])]


def _feeds(part: FeedForwardWeights, row: int) -> bool:
    return bool(part.W_out[:, row].any())

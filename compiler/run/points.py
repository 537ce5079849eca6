"""The places in a forward pass that can be read and changed, under the names that TransformerLens gives them.

`blocks.1.attn.hook_pattern` is `("pattern", 1)` for short. What comes before the first layer is the block `input`,
which has no attention. A block's first feed-forward is its `mlp`; where it has more, they are `mlps.1`, `mlps.2` …, and
`("post", 0, 1)` is the second one of layer 0. Layers, heads and feed-forwards count from 0.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from compiler.ir import ModelWeights
from rasp.errors import NameFault

Short: TypeAlias = "tuple[str | int, ...]"
Where: TypeAlias = "str | Short | Callable[[str], bool]"

INPUT = "input"
_OTHERWISE = {"attn": "pattern", "attn_scores": "scores", "hidden": "post", "resid": "resid_post"}
_BY_HEAD = {"q": "[T, H, K]", "k": "[T, H, K]", "v": "[T, H, V]", "scores": "[H, T, T]", "pattern": "[H, T, T]"}
_BY_HEAD |= {"z": "[T, H, V]", "result": "[T, H, D]"}


@dataclass(frozen=True)
class Point:
    """One place: its full name, the short one, and the shape of what is there for one input (BOS is position 0)."""

    name: str
    short: Short
    shape: str

    @property
    def head_axis(self) -> int | None:
        """The axis of the heads, counted from the end; None where heads are not told apart."""
        return None if self.short[0] not in _BY_HEAD else -3 if self.shape.startswith("[H") else -2

    @property
    def query_axis(self) -> int:
        """The axis of the positions (of the queries, where there are two), counted from the end."""
        return -2 if self.head_axis in (None, -3) else -3

    def layer(self) -> int | None:
        """The layer; None for what comes before the first one."""
        return self.short[1] if len(self.short) > 1 and isinstance(self.short[1], int) else None


def points(weights: ModelWeights) -> list[Point]:
    """Every place of a model, in the order in which the forward pass comes by."""
    found = [Point(f"hook_{name}", (name,), "[T, D]") for name in ("embed", "pos_embed")]
    found += _block(INPUT, INPUT, 0, len(weights.input_feed_forwards))
    for at, layer in enumerate(weights.layers):
        found += _block(f"blocks.{at}", at, len(layer.heads), len(layer.feed_forwards))
    return found


def _block(prefix: str, at: int | str, heads: int, feed_forwards: int) -> Iterator[Point]:
    yield Point(f"{prefix}.hook_resid_pre", ("resid_pre", at), "[T, D]")
    if heads:
        for name, shape in _BY_HEAD.items():
            full = {"scores": "attn_scores"}.get(name, name)
            yield Point(f"{prefix}.attn.hook_{full}", (name, at), shape)
        yield Point(f"{prefix}.hook_attn_out", ("attn_out", at), "[T, D]")
        yield Point(f"{prefix}.hook_resid_mid", ("resid_mid", at), "[T, D]")
    for number in range(feed_forwards):
        yield from _feed_forward(prefix, at, number)
    yield Point(f"{prefix}.hook_resid_post", ("resid_post", at), "[T, D]")


def _feed_forward(prefix: str, at: int | str, number: int) -> Iterator[Point]:
    inner = f"{prefix}.mlps.{number}" if number else f"{prefix}.mlp"
    outer = inner if number else prefix
    more = (number,) if number else ()
    if number:
        yield Point(f"{outer}.hook_resid_mid", ("resid_mid", at, number), "[T, D]")
    yield Point(f"{inner}.hook_pre", ("pre", at, *more), "[T, M]")
    yield Point(f"{inner}.hook_post", ("post", at, *more), "[T, M]")
    yield Point(f"{outer}.hook_mlp_out", ("mlp_out", at, *more), "[T, D]")


class Places:
    """The places of a model, found by any of their names."""

    def __init__(self, weights: ModelWeights) -> None:
        self.all: list[Point] = points(weights)
        self._depth = weights.depth
        self._known: dict[object, Point] = {point.short: point for point in self.all}
        self._known |= {point.name: point for point in self.all}

    def one(self, asked: object) -> Point:
        """The place of a full name or a short one. NameFault where there is none: it says what there is."""
        found = self._known.get(self._settled(asked))
        if found is None:
            raise NameFault(f"the model has no place {_shown(asked)}", hint=self._hint(asked))
        return found

    def some(self, asked: Where) -> list[Point]:
        """The places that a name or a condition on full names means. NameFault where it means none."""
        if not callable(asked):
            return [self.one(asked)]
        found = [point for point in self.all if asked(point.name)]
        if not found:
            raise NameFault("the hook would never fire: no place has such a name", hint="m.names() prints all of them")
        return found

    def _settled(self, asked: object) -> Any:
        """A name as it is known: other words for the same, layers counted from the end, the first feed-forward."""
        if isinstance(asked, str):
            return asked if asked in self._known else (asked,)
        parts: list[Any] = list(asked) if isinstance(asked, tuple) else [asked]
        if parts and isinstance(parts[0], str):
            parts[0] = _OTHERWISE.get(parts[0], parts[0])
        if len(parts) > 1 and type(parts[1]) is int and parts[1] < 0:
            parts[1] += self._depth
        return tuple(parts[:-1] if len(parts) == 3 and parts[-1] == 0 else parts)

    def _hint(self, asked: object) -> str:
        short = self._settled(asked)
        alike = [point.short for point in self.all if isinstance(short, tuple) and short[:1] == point.short[:1]]
        if alike:
            return f"there is {', '.join(map(_shown, alike))}"
        words = list(dict.fromkeys(str(point.short[0]) for point in self.all)) + [point.name for point in self.all]
        close = difflib.get_close_matches(str(short[0]), words, 3)
        return f"did you mean {' or '.join(close)}?" if close else "m.names() prints all of them"


def _shown(asked: object) -> str:
    return repr(asked[0] if isinstance(asked, tuple) and len(asked) == 1 else asked)


def stage_points(weights: ModelWeights) -> list[Short]:
    """The place where the residual stream is as at each of the model's stages."""
    found = [("resid_pre", INPUT), *_after(INPUT, len(weights.input_feed_forwards))]
    for at, layer in enumerate(weights.layers):
        found += [("resid_mid", at), *_after(at, len(layer.feed_forwards))]
    return found


def _after(at: int | str, feed_forwards: int) -> list[Short]:
    """The places after each of a block's feed-forwards: before the next one, or at the end."""
    return [
        *(("resid_mid", at, number) for number in range(1, feed_forwards)),
        *[("resid_post", at)] * bool(feed_forwards),
    ]

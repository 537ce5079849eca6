"""What a forward pass left behind: its tensors by place, its s-ops by name, and the list of both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from compiler.ir import Array
from compiler.run.named import Decoded, NamedSOps
from compiler.run.points import Places, Point
from rasp.errors import NameFault, ValueFault
from rasp.graph import SOp
from rasp.operations import Atom, python_value

CLEAR = 0.5


@dataclass(frozen=True)
class Names:
    """The names of a model: its s-ops, and the places in its forward pass. Printed, it is a table of them."""

    sops: tuple[str, ...]
    places: tuple[Point, ...]

    def __iter__(self) -> Iterator[str]:
        yield from self.sops
        yield from (point.name for point in self.places)

    def __str__(self) -> str:
        short = [_short(point) for point in self.places]
        wide, wider = max(map(len, short)), max(len(point.name) for point in self.places)
        lines = [f"s-ops, decoded: {', '.join(self.sops) or 'none has a name'}", "places, for one input:"]
        lines += [f"  {s:<{wide}}  {p.name:<{wider}}  {p.shape}" for s, p in zip(short, self.places, strict=True)]
        return "\n".join(lines)

    __repr__ = __str__


def _short(point: Point) -> str:
    return ", ".join(map(repr, point.short))


class Cache(Mapping[Any, Any]):
    """The forward pass of one input, or of several.

    `cache["level"]`: the values of an s-op, one a token, read from the residual stream after the last layer.
    `cache["pattern", 1]`, or the full name `cache["blocks.1.attn.hook_pattern"]`: the tensor there. BOS is at position
    0 of it. The tensors of one input have no batch axis; those of several have it in front, and what is beyond the end
    of an input means nothing. NameFault for a name that the model does not have or that was not kept.
    """

    def __init__(
        self,
        places: Places,
        named: NamedSOps,
        tensors: Mapping[str, Any],
        inputs: Sequence[Sequence[Atom]],
        streams: Sequence[Array],
        *,
        alone: bool,
        strict: bool,
    ) -> None:
        self._places, self._named, self._tensors = places, named, tensors
        self._inputs, self._streams, self._alone, self._strict = inputs, streams, alone, strict

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, SOp) or key in self._named.names:
            found = [list(map(python_value, decoded.values)) for decoded in self._decoded(key)]
            return found[0] if self._alone else found
        name = self._place(key).name
        if name not in self._tensors:
            raise NameFault(f"{name} was not kept", hint="ask run_with_cache for it, or give it no names to keep all")
        return self._tensors[name]

    def _place(self, key: Any) -> Point:
        try:
            return self._places.one(key)
        except NameFault:
            if not isinstance(key, str) or "hook_" in key:
                raise
            self._named.find(key)
            raise

    def margins(self, sop: str | SOp) -> Any:
        """How clearly the stream says each value of an s-op: 1 as it was compiled, 0 or less halfway to another."""
        found = [decoded.margins for decoded in self._decoded(sop, strict=False)]
        return found[0] if self._alone else found

    def _decoded(self, key: str | SOp, *, strict: bool | None = None) -> list[Decoded]:
        held = self._named.find(key)
        found = [self._named.decoded(held, *given) for given in zip(self._inputs, self._streams, strict=True)]
        low = min(margin if margin == margin else 1.0 for decoded in found for margin in decoded.margins)
        if low < CLEAR and (self._strict if strict is None else strict):
            raise ValueFault(
                f"{held.name} is not clearly one of its values: the smallest margin is {low:.2f}",
                hint="strict=False gives the nearest values, and cache.margins(name) how near they are",
            )
        return found

    def __iter__(self) -> Iterator[str]:
        yield from self._tensors

    def __len__(self) -> int:
        return len(self._tensors)

    def __contains__(self, key: object) -> bool:
        try:
            return key in self._named.names or self._places.one(key).name in self._tensors
        except NameFault:
            return False

    def __repr__(self) -> str:
        given = "one input" if self._alone else f"{len(self._inputs)} inputs"
        return f"<Cache of {given}: {len(self._tensors)} tensors; s-ops {', '.join(self._named.names)}>"

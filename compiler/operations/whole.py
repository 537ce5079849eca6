"""Which integer a mean is: the integer, or one far from all that matter where the mean is none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from rasp.graph import Map, Node, SOp
from rasp.operations import Operation


@dataclass(frozen=True)
class Whole(Operation):
    """A number where it is one of some successive integers, and `far` for every other number; `key` has all three."""

    key: tuple[int, int, int] = (0, 0, 0)

    @property
    def integers(self) -> range:
        return range(self.key[0], self.key[1] + 1)


def whole(number: SOp, low: int, high: int, far: int) -> Map:
    """The s-op as an int where it is one from `low` to `high`; `far` elsewhere."""
    return Map(
        Whole("whole", 1, (low, high, far), lambda x: int(x) if low <= x <= high and x == int(x) else far), (number,)
    )


def is_whole(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and isinstance(node.op, Whole)

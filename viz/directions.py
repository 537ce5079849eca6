"""The named directions of a residual stream, grouped by the s-op they store. No drawing here.

A direction is called `tokens=a` where it says that an s-op has a value, and by an expression where it holds a number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.symbolic import split_direction
from viz.labels import label

_CLOSE = 1e-3
_LONGEST_INTEGER = 1e5


@dataclass(frozen=True)
class Group:
    """The directions of one s-op: their rows in the stream, and the value each stands for (none of a number)."""

    name: str
    members: tuple[int, ...]
    values: tuple[str, ...]


def groups(directions: Sequence[str]) -> tuple[Group, ...]:
    """The directions by s-op, in the order in which the first of each comes."""
    found: dict[tuple[str, bool], list[tuple[int, str]]] = {}
    for row, direction in enumerate(directions):
        name, value = split_direction(direction)
        found.setdefault((name, value is not None), []).append((row, label(value or "")))
    return tuple(
        Group(name, tuple(row for row, _ in parts), tuple(value for _, value in parts) if valued else ())
        for (name, valued), parts in found.items()
    )


def decoded(group: Group, column: NDArray[Any]) -> str:
    """The value that a residual vector says the s-op has: where one direction is 1 and the others are 0, else ''."""
    parts = column[list(group.members)]
    if not group.values or np.abs(np.sort(parts) - np.eye(len(parts))[-1]).max() > _CLOSE:
        return ""
    return group.values[int(parts.argmax())]


def written(number: float) -> str:
    """A number to 3 digits, or a whole one in full while it is short: 1, .333, -2304, 1.68e7."""
    text = f"{number:.0f}" if number == round(number) and abs(number) < _LONGEST_INTEGER else f"{number:.3g}"
    text = text.replace("e+0", "e").replace("e+", "e")
    head, point, tail = text.partition(".")
    return f"{head[:-1]}.{tail}" if point and head in ("0", "-0") else text

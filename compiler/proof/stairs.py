"""Steps along one raw number, proved step by step: a step is looked at where it is taken, not in every state.

Units come in pairs that read the same a(x) = s·x + R + b, rounded once, the second of them less 1, for the difference
ReLU(a) − ReLU(a − 1). Rounding keeps order, so a(x) only rises along the way (where all s > 0; the other way where all
s < 0). If a ≤ 0 at the upper end of one stretch of readings, the pair is off there and on all stretches below. If a ≥ 1
at the lower end of the next, it is on all above. Where s·x + R is between half of the exact range and its end, floats
are integers, so the pair is then exactly 1. So each stretch has what the units without x write, and all steps before.

What is added up in any order is largest at the upper end of the way, where every unit is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from compiler.precision import Precision
from compiler.symbolic import Matrix
from compiler.values.grid import Ints

Vector: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Stairs:
    """Pairs of units by the first of each: `slope`, what they read at x = 0, bias and what they write; and the rest.

    `written` is what the units that do not read x write, `sizes` what is added up for that above 0, and below.
    """

    slope: Vector
    at_rest: Vector
    bias: Vector
    change: Matrix
    written: Vector
    sizes: Vector
    precision: Precision

    def give(self, want: Matrix, first: Vector, last: Vector) -> bool:
        """Whether stretches of readings, each from its first to its last, have exactly what is wanted."""
        low, high = (first, last) if self.slope[0] > 0 else (last, first)
        order = np.argsort(low * self.slope[0], kind="stable")
        low, high = low[order], high[order]
        if np.any(np.diff(high * np.sign(self.slope[0])) < 0):
            return False
        taken = self._taken(low)
        before = np.maximum(taken - 1, 0)
        some = np.arange(len(self.slope))
        if np.any((self._unit(some, high[before]) > 0) & (taken > 0)) or not self._is_exact(taken, low, high):
            return False
        rises = np.zeros_like(want)
        is_taken = taken < len(low)
        np.add.at(rises, taken[is_taken], self.change[is_taken])
        return np.array_equal(self.written + np.cumsum(rises, axis=0), want[order])

    def _taken(self, low: Vector) -> Ints:
        """For each step the first stretch at whose lower end it is taken; past the last one where it never is."""
        begin, end = np.zeros(len(self.slope), dtype=np.intp), np.full(len(self.slope), len(low))
        while np.any(open_ := begin < end):
            some = np.flatnonzero(open_)
            middle = (begin[some] + end[some]) // 2
            is_on = self._unit(some, low[middle]) >= 1
            end[some[is_on]], begin[some[~is_on]] = middle[is_on], middle[~is_on] + 1
        return begin

    def _is_exact(self, taken: Ints, low: Vector, high: Vector) -> bool:
        """Whether a step that is taken is an exact 1, and no sum leaves the exact range."""
        exact = self.precision.exact
        some = np.flatnonzero(taken < len(low))
        least, most = self._read(some, low[taken[some]]), self._read(some, np.full(len(some), high[-1]))
        if np.any(least < exact / 2) or np.any(most > exact):
            return False
        hidden = np.maximum(most + self.bias[some], 0).astype(np.float64)
        sides = np.abs(hidden @ np.maximum(self.change[some], 0)), np.abs(hidden @ np.maximum(-self.change[some], 0))
        return bool(np.all(sides[0] + sides[1] + self.sizes < exact))

    def _read(self, some: Ints, x: Vector) -> Any:
        """What some units read of readings, one each, before their bias."""
        wide = np.longdouble if self.precision.name == "float64" else np.float64
        return (self.slope[some].astype(wide) * x.astype(wide) + self.at_rest[some].astype(wide)).astype(self._dtype)

    def _unit(self, some: Ints, x: Vector) -> Any:
        return self._read(some, x) + self.bias[some].astype(self._dtype)

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype(self.precision.name)


def stairs_of(slope: Vector, at_rest: Vector, bias: Vector, written: Matrix, precision: Precision) -> Stairs | None:
    """Units as stairs; None where some pair of them is no step, or a sum may be of other numbers than integers."""
    moving = np.flatnonzero(slope)
    one, other = moving[::2], moving[1::2]
    if not len(moving) or len(one) != len(other) or np.any(np.sign(slope[moving]) != np.sign(slope[moving[0]])):
        return None
    same = np.array_equal(slope[one], slope[other]) and np.array_equal(at_rest[one], at_rest[other])
    if not same or not np.array_equal(bias[one] - 1, bias[other]) or not np.array_equal(written[one], -written[other]):
        return None
    if any(np.any(np.mod(part, 1)) for part in (at_rest, bias, written)) or np.any(np.frexp(slope[moving])[0] % 0.5):
        return None
    hidden = np.maximum(at_rest + bias, 0) * (slope == 0)
    found = Stairs(
        slope[one], at_rest[one], bias[one], written[one], hidden @ written, hidden @ np.abs(written), precision
    )
    return found if np.all(np.abs(at_rest) + np.abs(bias) <= 2 * precision.exact) else None

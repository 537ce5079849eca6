"""What a floating-point type can hold exactly, and the constants the constructions take from it."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Precision:
    """One dtype. Integers up to `exact` are exact; a softmax score `vanish` below the largest has weight exactly 0.

    `tiniest` is the smallest number that is held in full: what is smaller may be rounded, or to 0 by some machines.
    `largest` is a size that no sum may reach, well below where numbers become infinite.
    `tolerance` is the relative accuracy promised of numbers that are none of a list.
    `vanish` is a power of two at or above 104 (float32) or 746 (float64), where exp underflows to 0.
    Adding `rounder`, 1.5 times the largest power of two whose neighbours are 1 apart, rounds a number to an integer.
    """

    name: str
    unit: float
    exact: float
    vanish: float
    tiniest: float
    largest: float
    tolerance: float

    @property
    def rounder(self) -> float:
        return 0.75 * self.exact


PRECISIONS = {
    "float32": Precision("float32", 2.0**-24, 2.0**24, 128.0, 2.0**-126, 2.0**127, 1e-5),
    "float64": Precision("float64", 2.0**-53, 2.0**53, 1024.0, 2.0**-1022, 2.0**1023, 1e-12),
}


def precision(dtype: str, tolerance: float | None = None) -> Precision:
    """What a dtype can hold, with the accuracy asked for, or its own."""
    found = PRECISIONS[dtype]
    return found if tolerance is None else replace(found, tolerance=tolerance)

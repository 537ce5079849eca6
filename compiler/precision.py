"""What a floating-point type can hold exactly, and the constants the constructions take from it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Precision:
    """One dtype. Integers up to `exact` are exact; a softmax score `vanish` below the largest has weight exactly 0.

    `vanish` is a power of two at or above 104 (float32) or 746 (float64), where exp underflows to 0.
    Adding `rounder`, 1.5 times the largest power of two whose neighbours are 1 apart, rounds a number to an integer.
    """

    name: str
    unit: float
    exact: float
    vanish: float

    @property
    def rounder(self) -> float:
        return 0.75 * self.exact


PRECISIONS = {
    "float32": Precision("float32", 2.0**-24, 2.0**24, 128.0),
    "float64": Precision("float64", 2.0**-53, 2.0**53, 1024.0),
}

"""Scores that compare ints by their squares, proved by what they are of each key: no pair is looked at.

If every dimension of a key k is α + β·k + γ·k², then so is the score of each query q, with sums A, B and C of what it
reads times α, β and γ. If C is −u for all queries, and B is 2u·q, the score is A + u·q² − u·(k − q)²: A + u·q² where k
is q, and less by u at least elsewhere, as both are ints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.symbolic import Matrix

_LARGEST = 2**24
_EXACT = 2.0**53


@dataclass(frozen=True)
class Squares:
    """The smallest and largest full score, by how much others fall short of it at least, and a bound on all sums."""

    low: float
    high: float
    gap: float
    reach: float


def squares_of(queries: Sequence[Any], reads: Matrix, keys: Sequence[Any], held: Matrix) -> Squares | None:
    """What is proved of ints that are compared with ==, by what queries read of each dimension that keys hold.

    None where the scores are no such squares, or none of the ints are equal.
    """
    if not all(isinstance(value, int) and abs(value) <= _LARGEST for side in (queries, keys) for value in side):
        return None
    q, k = np.array(queries, dtype=np.float64), np.array(keys, dtype=np.float64)
    parts = _by_powers(k, held)
    is_met = np.isin(q, k)
    reach = float((np.abs(reads) @ np.abs(held).max(axis=0)).max())
    if parts is None or not is_met.any() or (np.abs(reads) @ np.abs(parts).max(axis=0)).max() >= _EXACT:
        return None
    constant, linear, square = (reads @ part for part in parts)
    unit = -square[0]
    if unit <= 0 or np.any(square != -unit) or np.any(linear != 2 * unit * q) or reach >= _EXACT:
        return None
    full = constant + unit * q * q
    low = float(full[is_met].min())
    others = full[~is_met] - unit
    return Squares(low, float(full[is_met].max()), float(min(unit, (low - others).min(initial=np.inf))), reach)


def _by_powers(k: Any, held: Matrix) -> Matrix | None:
    """The ints α, β and γ of every dimension, a row each; None where it is no α + β·k + γ·k², or keys are too few."""
    points = np.unique(k)
    if len(points) < 3:
        return None
    some = points[[0, len(points) // 2, -1]]
    rows = [int(np.argmax(k == point)) for point in some]
    powers = np.vander(some, 3, increasing=True)
    parts = np.rint(np.linalg.solve(powers, held[rows]))
    found = np.vander(k, 3, increasing=True)
    if (np.abs(found) @ np.abs(parts)).max(initial=0.0) >= _EXACT or not np.array_equal(found @ parts, held):
        return None
    return parts

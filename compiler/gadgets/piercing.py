"""Which steps of several contexts can be one: those whose thresholds may lie at the same place.

In each context a step lies anywhere between two neighbouring readings. Intervals that have a common part can share one
threshold. The one that ends first needs a threshold below its end, and what lies just below that end is the best place:
any other interval that such a threshold meets, it meets there as well, as it ends later. So taking all that contain the
last part of the interval that ends first, and going on with those left, makes the fewest groups (the classical greedy
piercing of intervals, Hochbaum & Maass, 1985, on a line).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from compiler.values.grid import Ints

_KEPT = 0.5
"""The share of the interval that ends first that all others of its group contain: a step as steep is twice as steep."""


def pierced(lower: Sequence[float], upper: Sequence[float]) -> Iterator[Ints]:
    """Groups of intervals that contain the last part of that one of them that ends first; each is in one group.

    Intervals that do not overlap are in different groups.
    """
    starts, ends = np.array(lower), np.array(upper)
    left = np.argsort(ends, kind="stable")
    while len(left):
        first = left[0]
        inside = starts[left] <= ends[first] - _KEPT * (ends[first] - starts[first])
        yield left[inside]
        left = left[~inside]

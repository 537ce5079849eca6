"""Functions of one exact integer: steps along a linear form ℓ of integers that are stored without rounding error.

ReLU(ℓ − v + 1) − ReLU(ℓ − v) is exactly 1 from v on, else 0, as ℓ is an integer and so are all sums. The second unit of
a step from v and the first of one from v + 1 are one unit: a spline with a knot a value. Units from the highest value
on are always 0, and left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from compiler.gadgets.steps import WIDER
from compiler.gadgets.tables import Target
from compiler.precision import Precision
from compiler.symbolic import ONE, Direction, Functional, Neuron, combine, masked
from rasp.errors import Refusal


def spline(
    name: str, levels: Sequence[int], targets: Sequence[Target], read: Functional, precision: Precision
) -> list[Neuron]:
    """The hidden units that write a target for each level, rising, of what a functional reads."""
    knots: dict[int, list[tuple[float, Target]]] = defaultdict(list)
    for level, (before, after) in zip(levels[1:], pairwise(targets), strict=True):
        change = combine((1.0, after), (-1.0, before))
        knots[level - 1].append((1.0, change))
        knots[level].append((-1.0, change))
    slopes = {knot: combine(*terms) for knot, terms in knots.items() if knot < levels[-1]}
    _check(name, targets[0], slopes, levels[-1], precision)
    found = [Neuron({ONE: 1.0}, 0.0, dict(targets[0]))] if targets[0] else []
    return found + [
        Neuron(masked(combine((1.0, read), (-float(knot), {ONE: 1.0}))), 0.0, slope)
        for knot, slope in slopes.items()
        if slope
    ]


def _check(name: str, first: Target, slopes: Mapping[int, Target], highest: int, precision: Precision) -> None:
    """Refusal where a sum of the units, in some order, reaches the end of the exact integers."""
    sums: dict[Direction, float] = defaultdict(float, {direction: abs(weight) for direction, weight in first.items()})
    for knot, slope in slopes.items():
        for direction, weight in slope.items():
            sums[direction] += abs(weight) * (highest - knot)
    if max(sums.values(), default=0.0) >= precision.exact:
        raise Refusal(f"{name} is a sum of steps beyond exact integers", hint=WIDER)

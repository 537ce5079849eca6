"""Where the values of a number lie that are too many to list.

What is computed from listed numbers and from means of them lies on an arithmetic progression b + k·h, for integers k:
sums, multiples and choices of progressions do, and the means of m numbers of a progression of step h lie on one of step
h/m.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeAlias

from compiler.operations.differences import is_difference
from compiler.values.width_bounds import BoundedWidths
from rasp.errors import Refusal
from rasp.graph import Aggregate, Map, SOp

MAX_FLOATS = 64
_SIMPLE = 10**6
_ROUNDED = Fraction(1, 2**50)
CLOSE = Fraction(1, 2**44)
_HALF_UNIT = Fraction(1, 2**53)
EXACT_MEANS = "use numbers of few binary digits, whose means are exact, or compare with one between the values"


@dataclass(frozen=True)
class Progression:
    """The numbers `base + k·step` from `low` to `high` (step 0: one number); floats may be off by `error`."""

    base: Fraction
    step: Fraction
    low: Fraction
    high: Fraction
    error: Fraction

    @property
    def size(self) -> Fraction:
        return max(abs(self.low), abs(self.high))

    def scaled(self, factor: Fraction) -> Progression:
        """Every number times a factor, rounded to a float."""
        low, high = sorted((self.low * factor, self.high * factor))
        found = Progression(self.base * factor, abs(self.step * factor), low, high, abs(self.error * factor))
        return found.rounded()

    def plus(self, other: Progression) -> Progression:
        """The sums of two numbers, rounded to a float."""
        ends = self.low + other.low, self.high + other.high
        step = gcd_of([self.step, other.step])
        return Progression(self.base + other.base, step, *ends, self.error + other.error).rounded()

    def rounded(self) -> Progression:
        """The floats nearest to the numbers."""
        unit = gcd_of([self.base, self.step])
        if unit.denominator & (unit.denominator - 1) == 0 and self.size < 2**53 * unit:
            return self
        return replace(self, error=self.error + self.size * _HALF_UNIT)


@dataclass(frozen=True)
class Beside:
    """What is next to a threshold: the largest number below it and the smallest above, each only where there is one.

    Between them are exact `means` and `others` so close to the threshold that their floats may be at it.
    """

    below: tuple[Fraction, ...]
    means: frozenset[Fraction]
    others: frozenset[Fraction]
    above: tuple[Fraction, ...]

    @property
    def here(self) -> frozenset[Fraction]:
        """All that is at the threshold, as far as rounding goes."""
        return self.means | self.others


@dataclass(frozen=True)
class Tie:
    """Several floats, between two `ends`, that what is at a threshold may be rounded to.

    Which of them a mean is depends on how the numbers were rounded that it is the mean of.
    """

    beside: Beside
    ends: tuple[float, float]

    @property
    def number(self) -> Fraction:
        """What stands for all of them in the residual stream."""
        return min(self.beside.here)

    @property
    def floats(self) -> list[Fraction] | None:
        """All of them, rising; None where they are many."""
        low, high = self.ends
        found = [low]
        while found[-1] < high and len(found) <= MAX_FLOATS:
            found.append(math.nextafter(found[-1], math.inf))
        return list(map(Fraction, found)) if len(found) <= MAX_FLOATS else None

    def holds(self, number: float) -> bool:
        """Whether a float is one of them."""
        return self.ends[0] <= number <= self.ends[1]

    def runs(self, threshold: Fraction) -> list[list[Fraction]]:
        """Points that stand for all of them and for the neighbours; nothing lies between two points of one run.

        Where there are few floats that is all of them, else the ends and what is next to the threshold.
        """
        below, above = self.beside.below, self.beside.above
        if self.floats is not None:
            return [[*below, *self.floats, *above]]
        low, high = map(Fraction, self.ends)
        at = float(threshold)
        next_to = map(Fraction, (math.nextafter(at, -math.inf), at, math.nextafter(at, math.inf)))
        return [[*below, low], [number for number in next_to if low < number < high], [high, *above]]


@dataclass(frozen=True)
class Means:
    """The means of m numbers of a progression for every m in `sizes`, and some other numbers.

    `ends` are the floats that the smallest number of the progression may be, from and to, and those of the largest: a
    mean that is one of the two is a mean of such floats, and no other is rounded beyond them.
    """

    progression: Progression
    sizes: range
    others: tuple[Fraction, ...]
    ends: tuple[tuple[float, float], tuple[float, float]] = ((-math.inf, math.inf), (-math.inf, math.inf))

    @property
    def outermost(self) -> set[Fraction]:
        """The smallest and the largest float of a mean, and the other numbers."""
        return {*map(Fraction, self._floats(self.progression.low, self.progression.high)), *self.others}

    def around(self, threshold: Fraction) -> list[Fraction] | None:
        """What stands for the means next to a threshold: the largest below, the threshold, the smallest above.

        Each only where there is one. None where some floats may be at the threshold and others beside it.
        """
        found = self.beside(threshold)
        if len(found.here) > 1 or any(len({*self._floats(mean, mean)}) > 1 for mean in found.means):
            return None
        return [*found.below, *found.here, *found.above]

    def tie(self, threshold: Fraction) -> Tie:
        """The floats at a threshold, where they are several."""
        found = self.beside(threshold)
        floats = {*self._floats(min(found.means), max(found.means))} if found.means else set[float]()
        floats |= set(map(float, found.others))
        return Tie(found, (min(floats), max(floats)))

    def _floats(self, low: Fraction, high: Fraction) -> tuple[float, float]:
        """The smallest float that one mean may be rounded to, and the largest one of another."""
        (least, _), (_, most) = self.ends
        error = self.progression.error
        lowest = min(max(float(low - error), least), most)
        highest = max(min(float(high + error), most), least)
        return (
            max(lowest, self.ends[1][0]) if low == self.progression.high else lowest,
            min(highest, self.ends[0][1]) if high == self.progression.low else highest,
        )

    def _end(self, mean: Fraction, side: int) -> Fraction:
        """The smallest (side 0) or the largest float that a mean may be rounded to; itself where it is exact."""
        return Fraction(self._floats(mean, mean)[side]) if self.progression.error else mean

    def beside(self, threshold: Fraction) -> Beside:
        """What is next to a threshold."""
        error = self.progression.error
        close = max(CLOSE * max(self.progression.size, abs(threshold)), 4 * error)
        below = [value for value in self.others if value < threshold - close]
        above = [value for value in self.others if value > threshold + close]
        others = frozenset(value for value in self.others if abs(value - threshold) <= close)
        low, step = self.progression.low, self.progression.step
        before, at, after = self._places((threshold - close - low, threshold + close - low))
        below += [self._end(low + before * step, 1)] if before is not None else []
        above += [self._end(low + after * step, 0)] if after is not None else []
        means = frozenset(low + place * step for place in at)
        return Beside((max(below),) if below else (), means, others, (min(above),) if above else ())

    def _places(self, ends: tuple[Fraction, Fraction]) -> _Places:
        """Of all k/m steps above the lowest number: the last before two ends, those between, the first after."""
        step = self.progression.step or Fraction(1)
        number = int((self.progression.high - self.progression.low) / step) if self.progression.step else 0
        return _fractions_around(self.sizes, number, (ends[0] / step, ends[1] / step))


_Places: TypeAlias = tuple[Fraction | None, frozenset[Fraction], Fraction | None]


@lru_cache(maxsize=256)
def _fractions_around(sizes: range, number: int, ends: tuple[Fraction, Fraction]) -> _Places:
    """Of all k/m for m in `sizes` and k up to m·number: the last before two ends, those between, the first after.

    The many means of a head are all alike, so it is remembered.
    """
    first, last = ends
    before: tuple[int, int] | None = None
    after: tuple[int, int] | None = None
    at: set[Fraction] = set()
    for size in sizes:
        start = min(max(-(-first.numerator * size // first.denominator), 0), number * size + 1)
        stop = max(min(last.numerator * size // last.denominator, number * size), -1)
        if start > 0 and (before is None or (start - 1) * before[1] > before[0] * size):
            before = (start - 1, size)
        if stop < number * size and (after is None or (stop + 1) * after[1] < after[0] * size):
            after = (stop + 1, size)
        at |= {Fraction(place, size) for place in (start, stop) if start <= stop}
    return _fraction(before), frozenset(at), _fraction(after)


def _fraction(parts: tuple[int, int] | None) -> Fraction | None:
    return None if parts is None else Fraction(*parts)


def gcd_of(numbers: Sequence[Fraction]) -> Fraction:
    """The largest fraction of which all are multiples; 0 for zeros."""
    denominator = math.lcm(*(number.denominator for number in numbers))
    return Fraction(math.gcd(*(int(number * denominator) for number in numbers)), denominator)


class Progressions:
    """The arithmetic progressions of s-ops, each found once; for means and differences also more than that."""

    def __init__(self, analysis: BoundedWidths) -> None:
        self._analysis = analysis
        self._known: dict[SOp, Progression] = {}
        self._known_means: dict[SOp, Means] = {}

    def begin_with(self, known: Progressions) -> None:
        """Takes over all that others have found."""
        self._known |= known._known
        self._known_means |= known._known_means

    def __getitem__(self, node: SOp) -> Progression:
        """A progression that holds all values of an s-op of numbers. Refusal where there is none."""
        if node not in self._known:
            self._known[node] = self._find(node)
        return self._known[node]

    def _find(self, node: SOp) -> Progression:
        values = self._analysis[node]
        if values.listed:
            return _progression_of_values(values.universe)
        if isinstance(node, Aggregate):
            return _progression_of_means(self.means(node))
        if isinstance(node, Map) and node.op.name in _RULES:
            return _RULES[node.op.name](self, *node.args)
        raise Refusal(f"the values of {node!r} are too many to list, and lie on no arithmetic progression")

    def means(self, node: SOp) -> Means:
        """The values of a mean, or of the difference of two. Refusal where they lie on no arithmetic progression."""
        if node not in self._known_means:
            self._known_means[node] = self._find_means(node)
        return self._known_means[node]

    def _find_means(self, node: SOp) -> Means:
        if not isinstance(node, Aggregate):
            assert is_difference(node)
            return self._differences(node)
        widths = self._analysis.width_bounds(node.selector)
        least = int(widths.low.min())
        others = () if least or isinstance(node.default, str) else (_held_by_floats(Fraction(node.default)),)
        progression, values = self[node.value], self._analysis[node.value]
        sizes = range(max(least, 1), int(widths.high.max()) + 1)
        return Means(progression, sizes, others, _ends(progression, values.range, values.universe))

    def _differences(self, node: Map) -> Means:
        """The difference of two means is 0, or at least the smallest difference that their denominators allow."""
        left, right = (arg for arg in node.args if isinstance(arg, Aggregate))
        some, other = self.means(left), self.means(right)
        base, high = some.progression.base, Fraction(self._analysis[node].range[1])
        unit = gcd_of(
            [some.progression.step, *(v - base for v in (other.progression.base, *some.others, *other.others))]
        )
        unit = gcd_of([unit, other.progression.step])
        shared = max((math.lcm(m, n) for m in some.sizes for n in other.sizes), default=1)
        step = unit / (max(some.sizes, default=1) if left.selector is right.selector else shared)
        size = max(some.progression.size, other.progression.size)
        if some.progression.error or other.progression.error or step < 4 * CLOSE * size:
            raise Refusal(f"whether {left!r} and {right!r} are equal is a matter of rounding", hint=EXACT_MEANS)
        count = math.ceil(high / step) if step else 0
        return Means(Progression(Fraction(0), step, Fraction(0), count * step, Fraction(0)), range(1, 2), ())

    def has_exact_means(self, node: Aggregate) -> bool:
        """Whether the sums of which an aggregate is the mean are exact, so that two means are equal or far apart."""
        try:
            progression = self[node.value]
        except Refusal:
            return False
        return progression.error == 0 and progression.size < 2**40 * (progression.step or 1)

    def has_exact_differences(self, left: Aggregate, right: Aggregate) -> bool:
        """Whether the sums of the differences of what two aggregates average are exact as well."""
        progression = self[left.value].plus(self[right.value].scaled(Fraction(-1)))
        return progression.error == 0 and progression.size < 2**40 * (progression.step or 1)

    def quotients(self, node: SOp, divisor: SOp) -> Progression:
        """The quotients of an s-op and a listed one."""
        return _union([self[node].scaled(1 / Fraction(value)) for value in self._analysis[divisor].universe])

    def products(self, left: SOp, right: SOp) -> Progression:
        """The products of two s-ops of which one is listed."""
        factor, other = (left, right) if self._analysis[left].listed else (right, left)
        return _union([self[other].scaled(Fraction(value)) for value in self._analysis[factor].universe])


def _progression_of_values(values: Sequence[Any]) -> Progression:
    exact = [_held_by_floats(Fraction(value)) for value in values]
    size = max(map(abs, exact))
    meant = [simple(value, size) for value in exact]
    error = max(abs(one - other) for one, other in zip(exact, meant, strict=True))
    low, high = min(meant), max(meant)
    return Progression(low, gcd_of([value - low for value in meant]), low, high, error)


def _held_by_floats(number: Fraction) -> Fraction:
    """The number itself. Refusal for an int that no float is: one key's is copied as it is, but a mean is a float."""
    if Fraction(float(number)) != number:
        raise Refusal(f"{number} is an int that no float holds, and is read beside means", hint="use smaller ints")
    return number


def _ends(
    progression: Progression, extremes: tuple[float, float], values: Sequence[Any]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """The floats that stand for the lowest number of a progression, from and to, and for the highest."""
    low, high = progression.low + progression.error, progression.high - progression.error
    lowest = [float(value) for value in values if value <= low]
    highest = [float(value) for value in values if value >= high]
    return (extremes[0], max(lowest, default=math.inf)), (min(highest, default=-math.inf), extremes[1])


def simple(value: Fraction, size: Fraction) -> Fraction:
    """The fraction with a small denominator that a float was rounded from, or the float itself.

    `size` is that of the largest number it was computed with, whose rounding may be left of it where others cancel.
    """
    near = value.limit_denominator(_SIMPLE)
    return near if abs(near - value) <= size * _ROUNDED else value


def _progression_of_means(means: Means) -> Progression:
    progression = means.progression
    steps = [progression.step / math.lcm(*means.sizes), *(other - progression.base for other in means.others)]
    ends = [progression.low, progression.high, *means.others]
    found = Progression(progression.base, gcd_of(steps), min(ends), max(ends), progression.error)
    return found.rounded() if len(means.sizes) > 1 or 1 not in means.sizes else found


def _union(parts: Sequence[Progression]) -> Progression:
    base = parts[0].base
    step = gcd_of([*(part.step for part in parts), *(part.base - base for part in parts)])
    low, high = min(part.low for part in parts), max(part.high for part in parts)
    return Progression(base, step, low, high, max(part.error for part in parts))


_RULES: dict[str, Callable[..., Progression]] = {
    "+": lambda known, left, right: known[left].plus(known[right]),
    "-": lambda known, left, right: known[left].plus(known[right].scaled(Fraction(-1))),
    "neg": lambda known, arg: known[arg].scaled(Fraction(-1)),
    "pos": lambda known, arg: known[arg],
    "*": Progressions.products,
    "/": Progressions.quotients,
    "if": lambda known, condition, then, other: _union([known[then], known[other]]),
}

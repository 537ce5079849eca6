"""Comparisons of a number whose values are too many to list.

A mean x of m values that lie on a lattice (b + k·h for integers k) is b + j·h/m for an integer j, and m is at most N.
So next to a threshold t there is a largest possible value below it, a smallest above it, and perhaps t. A program that
only compares x (or rounds it) needs no more of x than on which side of its thresholds it lies: for each threshold
these two or three values, as *representatives*, stand for all.

Where the program computes with x before it compares (`2 * x - tokens_int > 3`), the threshold is where the affine
function a·x + b of x changes sign. Its floats are rounded, but rounding is monotone: between two representatives that
compare alike everything compares alike. That is checked with the program's own operations, so it does not matter how
exact a threshold is.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import partial
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.affine import AFFINE, Affine, chosen, itself, term
from compiler.cells import Ints
from compiler.columns import UNDEFINED, Coded, joined
from compiler.gaps import is_gap, is_opaque
from compiler.selectors import JOINT, replaced
from rasp.elementwise import COMPARISONS, OPERATIONS, Operation
from rasp.errors import Refusal
from rasp.graph import Aggregate, Best, Constant, Map, Prefer, Select, Selector, SOp, topological

if TYPE_CHECKING:
    from compiler.values import ValueAnalysis

MAX_THRESHOLDS = 20_000
_SIMPLE = 10**6
_ROUNDED = Fraction(1, 2**50)
_CLOSE = Fraction(1, 2**44)
_HALF_UNIT = Fraction(1, 2**53)
_EXACT = "use numbers of few binary digits, whose means are exact, or compare with one between the values"
_TRUTH = {"and", "or", "not", "indicator"}


# -- where the values lie


@dataclass(frozen=True)
class Lattice:
    """The numbers `base + k·step` from `low` to `high` (step 0: one number); floats may be off by `error`."""

    base: Fraction
    step: Fraction
    low: Fraction
    high: Fraction
    error: Fraction

    @property
    def size(self) -> Fraction:
        return max(abs(self.low), abs(self.high))

    def scaled(self, factor: Fraction) -> Lattice:
        """Every number times a factor, rounded to a float."""
        low, high = sorted((self.low * factor, self.high * factor))
        found = Lattice(self.base * factor, abs(self.step * factor), low, high, abs(self.error * factor))
        return found.rounded()

    def plus(self, other: Lattice) -> Lattice:
        """The sums of two numbers, rounded to a float."""
        ends = self.low + other.low, self.high + other.high
        step = _gcd([self.step, other.step])
        return Lattice(self.base + other.base, step, *ends, self.error + other.error).rounded()

    def rounded(self) -> Lattice:
        """The floats nearest to the numbers."""
        unit = _gcd([self.base, self.step])
        if unit.denominator & (unit.denominator - 1) == 0 and self.size < 2**53 * unit:
            return self
        return replace(self, error=self.error + self.size * _HALF_UNIT)


@dataclass(frozen=True)
class Means:
    """The means of m numbers of a lattice for every m in `sizes`, and some other numbers."""

    lattice: Lattice
    sizes: range
    others: tuple[Fraction, ...]

    def around(self, threshold: Fraction) -> list[Fraction] | None:
        """What stands for the means next to a threshold: the largest below, the threshold, the smallest above.

        Each only where there is one. None where some floats may be at the threshold and others beside it.
        """
        error = self.lattice.error
        close = max(_CLOSE * max(self.lattice.size, abs(threshold)), 4 * error)
        below = [value for value in self.others if value < threshold - close]
        above = [value for value in self.others if value > threshold + close]
        here = {value for value in self.others if abs(value - threshold) <= close}
        exact = set(here)
        low, step = self.lattice.low, self.lattice.step
        before, at, after = self._places((threshold - close - low, threshold + close - low))
        below += [low + before * step + error] if before is not None else []
        above += [low + after * step - error] if after is not None else []
        here |= {low + place * step for place in at}
        if len(here) > 1 or any(float(value - error) != float(value + error) for value in here - exact):
            return None
        return [*([max(below)] if below else []), *here, *([min(above)] if above else [])]

    def _places(self, ends: tuple[Fraction, Fraction]) -> tuple[Fraction | None, set[Fraction], Fraction | None]:
        """Of all k/m steps above the lowest number: the last before two ends, those between, the first after."""
        step = self.lattice.step or Fraction(1)
        first, last = (end / step for end in ends)
        number = int((self.lattice.high - self.lattice.low) / step) if self.lattice.step else 0
        before: tuple[int, int] | None = None
        after: tuple[int, int] | None = None
        at: set[Fraction] = set()
        for size in self.sizes:
            start = min(max(-(-first.numerator * size // first.denominator), 0), number * size + 1)
            stop = max(min(last.numerator * size // last.denominator, number * size), -1)
            if start > 0 and (before is None or (start - 1) * before[1] > before[0] * size):
                before = (start - 1, size)
            if stop < number * size and (after is None or (stop + 1) * after[1] < after[0] * size):
                after = (stop + 1, size)
            at |= {Fraction(place, size) for place in (start, stop) if start <= stop}
        return _fraction(before), at, _fraction(after)


def _fraction(parts: tuple[int, int] | None) -> Fraction | None:
    return None if parts is None else Fraction(*parts)


def _gcd(numbers: Sequence[Fraction]) -> Fraction:
    denominator = math.lcm(*(number.denominator for number in numbers))
    return Fraction(math.gcd(*(int(number * denominator) for number in numbers)), denominator)


def numbers_of(analysis: ValueAnalysis, node: SOp) -> Means:
    """The values of a mean, or of the gap of two. Refusal where they lie on no lattice."""
    if isinstance(node, Aggregate):
        return means_of(analysis, node)
    assert is_gap(node)
    return _gaps(analysis, node)


def _gaps(analysis: ValueAnalysis, node: Map) -> Means:
    """The gap of two means is 0, or at least the smallest difference that their denominators allow."""
    left, right = (arg for arg in node.args if isinstance(arg, Aggregate))
    some, other = means_of(analysis, left), means_of(analysis, right)
    base, high = some.lattice.base, Fraction(analysis[node].range[1])
    unit = _gcd([some.lattice.step, *(v - base for v in (other.lattice.base, *some.others, *other.others))])
    unit = _gcd([unit, other.lattice.step])
    shared = max((math.lcm(m, n) for m in some.sizes for n in other.sizes), default=1)
    step = unit / (max(some.sizes, default=1) if left.selector is right.selector else shared)
    if some.lattice.error or other.lattice.error or step < 4 * _CLOSE * max(some.lattice.size, other.lattice.size):
        raise Refusal(f"whether {left!r} and {right!r} are equal is a matter of rounding", hint=_EXACT)
    count = math.ceil(high / step) if step else 0
    return Means(Lattice(Fraction(0), step, Fraction(0), count * step, Fraction(0)), range(1, 2), ())


def means_of(analysis: ValueAnalysis, node: Aggregate) -> Means:
    """The values of a mean of numbers. Refusal where they lie on no lattice."""
    spread = analysis.spread(node.selector)
    least = int(spread.low.min())
    lattice = lattice_of(analysis, node.value)
    others = () if least or isinstance(node.default, str) else (Fraction(node.default),)
    return Means(lattice, range(max(least, 1), int(spread.high.max()) + 1), others)


def has_exact_means(analysis: ValueAnalysis, node: Aggregate) -> bool:
    """Whether the sums of which an aggregate is the mean are exact, so that two means are equal or far apart."""
    try:
        lattice = lattice_of(analysis, node.value)
    except Refusal:
        return False
    return lattice.error == 0 and lattice.size < 2**40 * (lattice.step or 1)


def lattice_of(analysis: ValueAnalysis, node: SOp) -> Lattice:
    """A lattice that holds all values of an s-op of numbers. Refusal where there is none."""
    values = analysis[node]
    if values.listed:
        return _lattice_of_values(values.universe)
    if isinstance(node, Aggregate):
        return _lattice_of_means(means_of(analysis, node))
    if isinstance(node, Map) and node.op.name in _LATTICES:
        return _LATTICES[node.op.name](analysis, *node.args)
    raise Refusal(f"the values of {node!r} are too many to list, and lie on no lattice")


def _lattice_of_values(values: Sequence[Any]) -> Lattice:
    exact = [Fraction(value) for value in values]
    simple = list(map(_simple, exact))
    error = max(abs(one - other) for one, other in zip(exact, simple, strict=True))
    low, high = min(simple), max(simple)
    return Lattice(low, _gcd([value - low for value in simple]), low, high, error)


def _simple(value: Fraction) -> Fraction:
    """The fraction with a small denominator that a float was rounded from, or the float itself."""
    near = value.limit_denominator(_SIMPLE)
    return near if abs(near - value) <= abs(value) * _ROUNDED else value


def _lattice_of_means(means: Means) -> Lattice:
    lattice = means.lattice
    steps = [lattice.step / math.lcm(*means.sizes), *(other - lattice.base for other in means.others)]
    ends = [lattice.low, lattice.high, *means.others]
    found = Lattice(lattice.base, _gcd(steps), min(ends), max(ends), lattice.error)
    return found.rounded() if len(means.sizes) > 1 or 1 not in means.sizes else found


def _union(lattices: Sequence[Lattice]) -> Lattice:
    base = lattices[0].base
    step = _gcd([*(lattice.step for lattice in lattices), *(lattice.base - base for lattice in lattices)])
    low, high = min(lattice.low for lattice in lattices), max(lattice.high for lattice in lattices)
    return Lattice(base, step, low, high, max(lattice.error for lattice in lattices))


def _sums(analysis: ValueAnalysis, left: SOp, right: SOp) -> Lattice:
    return lattice_of(analysis, left).plus(lattice_of(analysis, right))


def _differences(analysis: ValueAnalysis, left: SOp, right: SOp) -> Lattice:
    return lattice_of(analysis, left).plus(lattice_of(analysis, right).scaled(Fraction(-1)))


def _multiples(analysis: ValueAnalysis, left: SOp, right: SOp) -> Lattice:
    factor, other = (left, right) if analysis[left].listed else (right, left)
    lattice = lattice_of(analysis, other)
    return _union([lattice.scaled(Fraction(value)) for value in analysis[factor].universe])


def _quotients(analysis: ValueAnalysis, left: SOp, right: SOp) -> Lattice:
    lattice = lattice_of(analysis, left)
    return _union([lattice.scaled(1 / Fraction(value)) for value in analysis[right].universe])


_LATTICES: dict[str, Callable[..., Lattice]] = {
    "+": _sums,
    "-": _differences,
    "neg": lambda analysis, arg: lattice_of(analysis, arg).scaled(Fraction(-1)),
    "pos": lattice_of,
    "*": _multiples,
    "/": _quotients,
    "if": lambda analysis, condition, then, other: _union([lattice_of(analysis, then), lattice_of(analysis, other)]),
}


# -- where a program cuts them


@dataclass(frozen=True, eq=False)
class Cut:
    """What a program asks of affine functions of one number: the signs of `left − right`, or where `left` rounds to.

    `functions` are what that difference may be, one for each branch of a conditional on the number.
    """

    left: SOp
    right: SOp | None
    functions: tuple[Affine, ...]


def cuts_of(root: SOp, source: SOp) -> tuple[Cut, ...] | None:
    """All that an elementwise s-op asks of one of its sources; None where it does more than compare and round it."""
    finder = _Finder(source)
    return tuple(finder.found) if finder.asks(root) else None


class _Finder:
    def __init__(self, source: SOp) -> None:
        self.source = source
        self.found: list[Cut] = []
        self._asked: dict[SOp, bool] = {}
        self._depends: dict[SOp, bool] = {source: True}

    def depends(self, node: SOp) -> bool:
        if node not in self._depends:
            reads = isinstance(node, Map) and not is_opaque(node)
            self._depends[node] = reads and any(list(map(self.depends, node.args)))  # type: ignore[attr-defined]
        return self._depends[node]

    def asks(self, node: SOp) -> bool:
        """Whether the node asks nothing but cuts of the source; they become found."""
        if node not in self._asked:
            self._asked[node] = self._asks(node)
        return self._asked[node]

    def _asks(self, node: SOp) -> bool:
        if not self.depends(node):
            return True
        if not isinstance(node, Map) or node is self.source:
            return False
        if isinstance(node.op, Bins):
            return True
        if node.op.name in COMPARISONS and self._cut(*node.args):
            return True
        if node.op.name == "round" and self._cut(node.args[0], None):
            return True
        truths = 1 if node.op.name == "if" else len(node.args) if node.op.name in _TRUTH else 0
        return all(
            (place < truths and self._cut(arg, Constant(0))) or self.asks(arg) for place, arg in enumerate(node.args)
        )

    def _cut(self, left: SOp, right: SOp | None) -> bool:
        if not self.depends(left) and (right is None or not self.depends(right)):
            return False
        functions = self._functions(left if right is None else Map(OPERATIONS["-"], (left, right)))
        if functions is None:
            return False
        self.found.append(Cut(left, right, tuple(functions)))
        return True

    def _functions(self, node: SOp) -> list[Affine] | None:
        """The node as affine functions of the source; None where it is none."""
        if node is self.source:
            return [itself(node)]
        if not self.depends(node):
            return [({}, node)]
        if not isinstance(node, Map) or node.op.name not in AFFINE:
            return None
        if node.op.name == "if":
            return self._branches(*node.args)
        sides = [self._functions(arg) for arg in node.args]
        if any(side is None for side in sides):
            return None
        found = [AFFINE[node.op.name](parts) for parts in product(*(side for side in sides if side))]
        return None if any(function is None for function in found) else [f for f in found if f is not None]

    def _branches(self, condition: SOp, then: SOp, otherwise: SOp) -> list[Affine] | None:
        """Of a condition on the source each branch; another one chooses the coefficients."""
        some, other = self._functions(then), self._functions(otherwise)
        if some is None or other is None:
            return None
        if self.depends(condition):
            known = self._cut(condition, Constant(0)) or self.asks(condition)
            return [*some, *other] if known else None
        return [chosen(condition, one, another) for one, another in product(some, other)]


# -- representatives


@dataclass(frozen=True)
class Bins(Operation):
    """A number as the representative of its bin: the last of the rising `points` that is not above it.

    Where `open`, other values may lie between two points.
    """

    thresholds: tuple[Fraction, ...] = field(compare=False, default=())
    points: tuple[Fraction, ...] = field(compare=False, default=())
    open: tuple[bool, ...] = field(compare=False, default=())


def bins(analysis: ValueAnalysis, root: SOp, source: SOp) -> Map | None:
    """What an s-op needs to know of a source whose values are too many to list; None where cuts are not enough."""
    cuts = cuts_of(root, source)
    if cuts is None or not (isinstance(source, Aggregate) or is_gap(source)):
        return None
    means = numbers_of(analysis, source)
    found = {threshold for cut in cuts for threshold in _thresholds(analysis, cut, source, means)}
    found |= {threshold for op in _known_bins(root, source) for threshold in op.thresholds}
    if len(found) > MAX_THRESHOLDS:
        raise Refusal(f"{source!r} is compared with {len(found):,} numbers, over {MAX_THRESHOLDS:,}")
    binned = Map(_bins(source, means, tuple(sorted(found))), (source,))
    for cut in cuts:
        analysis.check_cut(cut, source)
    return binned


def in_bins(analysis: ValueAnalysis, selector: Selector) -> Selector:
    """The selector with representatives in place of numbers that it compares and that are too many to list.

    Refusal where keys and queries both are.
    """
    return replaced(selector, lambda leaf: _leaf_in_bins(analysis, leaf))


def _leaf_in_bins(analysis: ValueAnalysis, leaf: Selector) -> Selector:
    match leaf:
        case Select(keys=keys, queries=queries, op=op):
            known = analysis[keys].listed, analysis[queries].listed
            if known == (False, True):
                return Select(_compared(analysis, keys, queries), queries, op)
            if known == (True, False):
                return Select(keys, _compared(analysis, queries, keys), op)
            if known == (False, False):
                raise Refusal(
                    f"{keys!r} and {queries!r} have too many values to list: no score says which keys fit a query",
                    hint="compare a rounded number, or one side with a constant",
                )
        case Best(selector=inner, score=score):
            return Best(in_bins(analysis, inner), score)
        case Prefer(selector=inner, condition=condition):
            return Prefer(in_bins(analysis, inner), in_bins(analysis, condition))
    return leaf


def _compared(analysis: ValueAnalysis, number: SOp, listed: SOp) -> SOp:
    """A number that is compared with the values of another s-op alone, of representatives of its sources."""
    others = [value for value in analysis[listed].universe if not isinstance(value, str)]
    asked = Map(JOINT, tuple(Map(OPERATIONS["<"], (number, Constant(value))) for value in others))
    found: dict[SOp, SOp] = {}
    for source in analysis.sources(number):
        if not analysis[source].listed:
            binned = bins(analysis, asked, source)
            if binned is None:
                raise Refusal(f"{number!r} is compared in a selector, but its possible values are too many to list")
            found[source] = binned
    return _replaced(number, found)


def _replaced(node: SOp, found: Mapping[SOp, SOp]) -> SOp:
    if node in found or not isinstance(node, Map) or is_opaque(node):
        return found.get(node, node)
    return Map(node.op, tuple(_replaced(arg, found) for arg in node.args))


def _known_bins(root: SOp, source: SOp) -> Iterator[Bins]:
    for node in topological([root]):
        if isinstance(node, Map) and isinstance(node.op, Bins) and node.args[0] is source:
            yield node.op


def _thresholds(analysis: ValueAnalysis, cut: Cut, source: SOp, means: Means) -> Iterator[Fraction]:
    """Where the functions of a cut change sign, or where their rounding changes."""
    for function in cut.functions:
        slopes, constants = analysis.columns((term(function, source), function[1]))
        pairs = set(zip(slopes.codes.tolist(), constants.codes.tolist(), strict=True))
        for slope, constant in ((slopes.values[a], constants.values[b]) for a, b in pairs):
            if slope and not isinstance(constant, str):
                yield from _crossings(Fraction(slope), Fraction(constant), means, cut.right is None)


def _crossings(slope: Fraction, constant: Fraction, means: Means, rounds: bool) -> Iterator[Fraction]:
    if not rounds:
        yield -constant / slope
        return
    ends = [slope * end + constant for end in (means.lattice.low, means.lattice.high, *means.others)]
    if max(ends) - min(ends) > MAX_THRESHOLDS:
        raise Refusal(f"a number is rounded to {int(max(ends) - min(ends)):,} integers, over {MAX_THRESHOLDS:,}")
    for integer in range(math.floor(min(ends)), math.ceil(max(ends))):
        yield (integer + Fraction(1, 2) - constant) / slope


def _bins(source: SOp, means: Means, thresholds: tuple[Fraction, ...]) -> Bins:
    error = means.lattice.error
    points = {means.lattice.low - error, means.lattice.high + error, *means.others}
    neighbours: set[tuple[float, float]] = set()
    for threshold in thresholds:
        group = means.around(threshold)
        if group is None:
            raise Refusal(
                f"whether {source!r} is {float(threshold):.9g} or only close to it is a matter of rounding",
                hint=_EXACT,
            )
        points.update(group)
        neighbours.update(pairwise(map(float, group)))
    order = list({float(point): point for point in sorted(points)}.items())
    floats = [number for number, _ in order]
    rising = tuple(point for _, point in order)
    apart = tuple(pair not in neighbours for pair in pairwise(floats))
    return Bins(
        "bins", 1, (thresholds, rising, apart), partial(_representative, floats), None, thresholds, rising, apart
    )


def points_of(node: SOp) -> tuple[Fraction, ...]:
    """The representatives, rising, of a source that an s-op reads in bins."""
    assert isinstance(node, Map)
    assert isinstance(node.op, Bins)
    return node.op.points


def _representative(floats: list[float], value: float) -> float:
    return floats[max(0, bisect_right(floats, value) - 1)]


def check_cut(analysis: ValueAnalysis, cut: Cut, source: SOp) -> None:
    """Nothing, or a Refusal where a cut may change between two representatives that stand for all between them."""
    proxy = Map(OPERATIONS["round"], (cut.left,)) if cut.right is None else Map(OPERATIONS["<"], (cut.left, cut.right))
    tuples, known = analysis.evaluated(proxy)
    at = next(at for at, factor in enumerate(tuples.factors) if analysis.sources(factor)[0] is source)
    binned = tuples.factors[at]
    assert isinstance(binned, Map)
    assert isinstance(binned.op, Bins)
    answers = known[proxy].codes if cut.right is None else _signs(known[cut.left], known[cut.right])
    others = [tuples.codes[:, other] for other in range(len(tuples.factors)) if other != at]
    order = np.lexsort((tuples.codes[:, at], *others))
    rows = answers[order].reshape(-1, len(binned.op.points))
    if np.any((rows[:, :-1] != rows[:, 1:]) & np.array(binned.op.open, dtype=bool)):
        raise Refusal(f"what {proxy!r} gives depends on how floats are rounded on the way")


def _signs(left: Coded, right: Coded) -> Ints:
    """Where the left number is smaller (−1), equal, larger, and 2 where one of them is missing or a string."""
    (some, other), codes = joined([left, right])
    found = np.array(
        [_sign(left.values[a], right.values[b]) for a, b in zip(some.tolist(), other.tolist(), strict=True)]
    )
    signs: Ints = found[codes]
    return signs


def _sign(left: Any, right: Any) -> int:
    if UNDEFINED in (left, right) or isinstance(left, str) is not isinstance(right, str):
        return 2
    return int(left > right) - int(left < right)

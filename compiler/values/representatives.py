"""Comparisons of a number whose values are too many to list.

A mean x of m values that lie on an arithmetic progression (b + k·h for integers k) is b + j·h/m for an integer j, and m
is at most N. So next to a threshold t there is a largest possible value below it, a smallest above it, and perhaps t. A
program that only compares x (or rounds it) needs no more of x than on which side of its thresholds it lies: for each
threshold these two or three values, as *representatives*, stand for all.

Where the program computes with x before it compares (`2 * x - tokens_int > 3`), the threshold is where the affine
function a·x + b of x changes sign. Its floats are rounded, but each operation that reads x once is monotone in it, and
so is its rounding: between two representatives that compare alike everything compares alike. That is checked with the
program's own operations, so it does not matter how exact a threshold is. Where x is read several times with different
signs (`x - 0.1 + 0.1 == x`), what is rounded need not be monotone. Then the exact difference, which is, must be further
from the threshold at both representatives than rounding can take it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise, product
from typing import Any, Protocol

import numpy as np

from compiler.operations.differences import is_difference
from compiler.operations.opaque import is_opaque
from compiler.operations.whole import Whole
from compiler.selectors import JOINT, BoolTable, replaced
from compiler.values.affine import AFFINE, Affine, chosen, itself, term
from compiler.values.categorical import UNDEFINED, Categorical, Tuples, joined
from compiler.values.grid import Ints
from compiler.values.progressions import EXACT_MEANS, Means, Progressions, Tie
from compiler.values.roundoff import UNIT, largest, roundoff
from compiler.values.sets import Floats, ValueSets
from rasp.errors import Refusal
from rasp.graph import Aggregate, Best, Constant, Fits, Map, Prefer, Select, Selector, SOp, topological
from rasp.operations import COMPARISONS, OPERATIONS, Operation

MAX_THRESHOLDS = 20_000
MAX_BRANCHES = 256
_TRUTH = {"and", "or", "not", "indicator"}


class Tables(ValueSets, Protocol):
    """Where it is known besides which s-ops others are made of, and what they are in every combination of values."""

    @property
    def progressions(self) -> Progressions: ...

    def sources(self, node: SOp) -> tuple[SOp, ...]: ...

    def evaluated(self, node: SOp) -> tuple[Tuples, Mapping[SOp, Categorical]]: ...

    def columns(self, nodes: tuple[SOp, ...]) -> tuple[Categorical, ...]: ...

    def check_test(self, test: ThresholdTest, source: SOp) -> None: ...


# -- what a program asks of a number


@dataclass(frozen=True, eq=False)
class ThresholdTest:
    """What a program asks of affine functions of one number: how `left` and `right` compare, or where `left` rounds to.

    `op` says how they are compared; where it says nothing, all that matters is which is larger, or neither. `functions`
    are what the difference may be, one for each branch of a conditional on the number.
    """

    left: SOp
    right: SOp | None
    functions: tuple[Affine, ...]
    op: str = ""


def threshold_tests(analysis: Tables, root: SOp, source: SOp) -> tuple[ThresholdTest, ...] | None:
    """All that an elementwise s-op asks of one of its sources; None where it does more than compare and round it."""
    finder = _Finder(analysis, source)
    return tuple(finder.found) if finder.asks(root) else None


class _Finder:
    def __init__(self, analysis: Tables, source: SOp) -> None:
        self.analysis, self.source = analysis, source
        self.found: list[ThresholdTest] = []
        self._asked: dict[SOp, bool] = {}
        self._known: dict[SOp, list[Affine] | None] = {source: [itself(source)]}

    def depends(self, node: SOp) -> bool:
        return any(source is self.source for source in self.analysis.sources(node))

    def asks(self, node: SOp) -> bool:
        """Whether the node asks nothing but threshold tests of the source; they become found."""
        if node not in self._asked:
            self._asked[node] = self._asks(node)
        return self._asked[node]

    def _asks(self, node: SOp) -> bool:
        if not self.depends(node):
            return True
        if not isinstance(node, Map) or node is self.source:
            return False
        if isinstance(node.op, Representatives):
            return True
        if isinstance(node.op, Whole):
            return all(self._test(node.args[0], Constant(integer)) for integer in node.op.integers)
        if node.op.name in COMPARISONS and self._test(node.args[0], node.args[1], node.op.name):
            return True
        if node.op.name == "round" and self._test(node.args[0], None):
            return True
        truths = 1 if node.op.name == "if" else len(node.args) if node.op.name in _TRUTH else 0
        return all(
            (place < truths and self._test(arg, Constant(0))) or self.asks(arg) for place, arg in enumerate(node.args)
        )

    def _test(self, left: SOp, right: SOp | None, op: str = "") -> bool:
        if not self.depends(left) and (right is None or not self.depends(right)):
            return False
        if left is right:  # a number is never above or below itself
            return True
        functions = self._functions(left if right is None else Map(OPERATIONS["-"], (left, right)))
        if functions is None:
            return False
        self.found.append(ThresholdTest(left, right, tuple(functions), op))
        return True

    def _functions(self, node: SOp) -> list[Affine] | None:
        """The node as affine functions of the source; None where it is none."""
        if node not in self._known:
            found = self._known[node] = self._find_functions(node)
            if found is not None and len(found) > MAX_BRANCHES:
                raise Refusal(f"the cases of {node!r} make over {MAX_BRANCHES} functions of {self.source!r}")
        return self._known[node]

    def _find_functions(self, node: SOp) -> list[Affine] | None:
        if not self.depends(node):
            return [({}, node)]
        if not isinstance(node, Map):
            return None
        if node.op.name == "if":
            return self._branches(*node.args)
        if node.op.name not in AFFINE:
            return None
        sides = [self._functions(arg) for arg in node.args]
        if any(side is not None and self.depends(arg) for arg, side in zip(node.args, sides, strict=True)):
            sides = [side or self._levels(arg) for arg, side in zip(node.args, sides, strict=True)]
        known = [side for side in sides if side is not None]
        if len(known) < len(sides):
            return None
        found = [AFFINE[node.op.name](parts) for parts in product(*known)]
        return None if any(function is None for function in found) else [f for f in found if f is not None]

    def _levels(self, node: SOp) -> list[Affine] | None:
        """What is constant between the thresholds of its own tests, as each of the numbers that it may be."""
        if not self.asks(node):
            return None
        values = self.analysis[node]
        return [({}, Constant(value)) for value in values.universe] if values.listed and values.numeric else None

    def _branches(self, condition: SOp, then: SOp, otherwise: SOp) -> list[Affine] | None:
        """Of a condition on the source each branch; another one chooses the coefficients, or any of both if many."""
        some, other = self._functions(then), self._functions(otherwise)
        if some is None or other is None:
            return None
        if self.depends(condition):
            known = self._test(condition, Constant(0)) or self.asks(condition)
            return [*some, *other] if known else None
        if len(some) * len(other) > MAX_BRANCHES:
            return [*some, *other]
        return [chosen(condition, one, another) for one, another in product(some, other)]


# -- representatives


@dataclass(frozen=True)
class Representatives(Operation):
    """A number as the representative of its interval: the last of the rising `points` that is not above it.

    Where `open`, other values may lie between two points. Points that differ by rounding only are read as one number.
    """

    key: tuple[tuple[Fraction, ...], tuple[Fraction, ...], tuple[bool, ...], tuple[Fraction, ...]] = ((), (), (), ())

    @property
    def thresholds(self) -> tuple[Fraction, ...]:
        return self.key[0]

    @property
    def points(self) -> tuple[Fraction, ...]:
        return self.key[1]

    @property
    def open(self) -> tuple[bool, ...]:
        return self.key[2]


def represented(analysis: Tables, root: SOp, source: SOp) -> Map | None:
    """What an s-op needs to know of a source whose values are too many to list; None where tests are not enough."""
    tests = threshold_tests(analysis, root, source)
    if tests is None or not (isinstance(source, Aggregate) or is_difference(source)):
        return None
    means = analysis.progressions.means(source)
    found = {threshold for test in tests for threshold in _thresholds(analysis, test, source, means)}
    found |= {threshold for op in _known_representatives(analysis, root, source) for threshold in op.thresholds}
    if len(found) > MAX_THRESHOLDS:
        raise Refusal(f"{source!r} is compared with {len(found):,} numbers, over {MAX_THRESHOLDS:,}")
    representative = Map(_representatives(source, means, tuple(sorted(found))), (source,))
    for test in tests:
        analysis.check_test(test, source)
    return representative


def ties_of(analysis: Tables, root: SOp, mean: Aggregate) -> list[Tie]:
    """Where a root asks which of several floats a mean is; where it does more, all that are listed."""
    means, tests = analysis.progressions.means(mean), threshold_tests(analysis, root, mean)
    if tests is None:
        values = analysis[mean]
        asked = {Fraction(values.universe[code]) for code, own in enumerate(values.numerically_equal) if code != own}
    else:
        asked = {threshold for test in tests for threshold in _thresholds(analysis, test, mean, means)}
    ties = [means.tie(threshold) for threshold in sorted(asked) if means.around(threshold) is None]
    return [*{tie.number: tie for tie in ties}.values()]


def with_representatives(analysis: Tables, selector: Selector) -> Selector:
    """The selector with representatives in place of numbers that it compares and that are too many to list.

    Refusal where keys and queries both are.
    """
    return replaced(selector, lambda leaf: _leaf_with_representatives(analysis, leaf))


def _leaf_with_representatives(analysis: Tables, leaf: Selector) -> Selector:
    match leaf:
        case Fits(keys=keys, queries=queries):
            if not (analysis[keys].listed and analysis[queries].listed):
                raise Refusal(f"{leaf!r} asks a Python function about numbers that are too many to list")
        case Select(keys=keys, queries=queries, op=op):
            known = analysis[keys].listed, analysis[queries].listed
            if known == (False, True):
                return Select(_compared(analysis, keys, queries), queries, op)
            if known == (True, False):
                return Select(keys, _compared(analysis, queries, keys), op)
            if known == (False, False):
                raise Refusal(
                    f"{keys!r} and {queries!r} have too many values to list: no score says which keys fit a query",
                    hint="compare one side with a constant",
                )
        case Best(selector=inner, score=score):
            return Best(with_representatives(analysis, inner), score)
        case Prefer(selector=inner, condition=condition):
            return Prefer(with_representatives(analysis, inner), with_representatives(analysis, condition))
    return leaf


def _compared(analysis: Tables, number: SOp, listed: SOp) -> SOp:
    """A number that is compared with the values of another s-op alone, of representatives of its sources."""
    others = [value for value in analysis[listed].universe if not isinstance(value, str)]
    asked = Map(JOINT, tuple(Map(OPERATIONS["<"], (number, Constant(value))) for value in others))
    found: dict[SOp, SOp] = {}
    for source in analysis.sources(number):
        if not analysis[source].listed:
            representative = represented(analysis, asked, source)
            if representative is None:
                raise Refusal(f"{number!r} is compared in a selector, but its possible values are too many to list")
            found[source] = representative
    return _put(number, found)


def _put(node: SOp, found: dict[SOp, SOp]) -> SOp:
    """The s-op of what is found for its sources; `found` gets what is found for its parts."""
    if node not in found:
        if not isinstance(node, Map) or is_opaque(node):
            return node
        found[node] = Map(node.op, tuple(_put(arg, found) for arg in node.args))
    return found[node]


def _known_representatives(analysis: Tables, root: SOp, source: SOp) -> Iterator[Representatives]:
    for node in topological([root], dict.fromkeys(analysis.sources(root))):
        if isinstance(node, Map) and isinstance(node.op, Representatives) and node.args[0] is source:
            yield node.op


def _thresholds(analysis: Tables, test: ThresholdTest, source: SOp, means: Means) -> Iterator[Fraction]:
    """Where the functions of a test change sign, or where their rounding changes."""
    for function in test.functions:
        if source not in function[0]:
            continue
        slopes, constants = analysis.columns((term(function, source), function[1]))
        pairs = set(zip(slopes.codes.tolist(), constants.codes.tolist(), strict=True))
        for slope, constant in ((slopes.categories[a], constants.categories[b]) for a, b in pairs):
            if slope and not isinstance(constant, str):
                yield from _crossings(Fraction(slope), Fraction(constant), means, test.right is None)


def _crossings(slope: Fraction, constant: Fraction, means: Means, rounds: bool) -> Iterator[Fraction]:
    if not rounds:
        yield -constant / slope
        return
    ends = [slope * end + constant for end in (means.progression.low, means.progression.high, *means.others)]
    if max(ends) - min(ends) > MAX_THRESHOLDS:
        raise Refusal(f"a number is rounded to {int(max(ends) - min(ends)):,} integers, over {MAX_THRESHOLDS:,}")
    for integer in range(math.floor(min(ends)), math.ceil(max(ends))):
        yield (integer + Fraction(1, 2) - constant) / slope


def _representatives(source: SOp, means: Means, thresholds: tuple[Fraction, ...]) -> Representatives:
    points = means.outermost
    neighbours: set[tuple[float, float]] = set()
    ties: list[Tie] = []
    for threshold in thresholds:
        group = means.around(threshold)
        ties += [] if group is not None else [means.tie(threshold)]
        for run in [group] if group is not None else ties[-1].runs(threshold):
            points.update(run)
            neighbours.update(pairwise(map(float, run)))
    order = list({float(point): point for point in sorted(points)}.items())
    floats = [number for number, _ in order]
    rising = tuple(point for _, point in order)
    read = tuple(next((tie.number for tie in ties if tie.holds(number)), point) for number, point in order)
    apart = tuple(pair not in neighbours for pair in pairwise(floats))
    return Representatives("bins", 1, (thresholds, rising, apart, read), partial(_representative, floats))


def readings_of(node: SOp) -> tuple[Fraction, ...]:
    """For each representative, rising, of a source that an s-op reads by them, the number that the source holds."""
    assert isinstance(node, Map)
    assert isinstance(node.op, Representatives)
    return node.op.key[3]


def _representative(floats: list[float], value: float) -> float:
    return floats[max(0, bisect_right(floats, value) - 1)]


def check_test(analysis: Tables, test: ThresholdTest, source: SOp) -> None:
    """Nothing, or a Refusal where a test may change between two representatives that stand for all between them."""
    proxy = (
        Map(OPERATIONS["round"], (test.left,)) if test.right is None else Map(OPERATIONS["<"], (test.left, test.right))
    )
    tuples, known = analysis.evaluated(proxy)
    at = next(at for at, factor in enumerate(tuples.factors) if analysis.sources(factor)[0] is source)
    representative = tuples.factors[at]
    assert isinstance(representative, Map)
    assert isinstance(representative.op, Representatives)
    answers = known[proxy].codes if test.right is None else _answers(test.op, known[test.left], known[test.right])
    others = [tuples.codes[:, other] for other in range(len(tuples.factors)) if other != at]
    order = np.lexsort((tuples.codes[:, at], *others))
    rows = answers[order].reshape(-1, len(representative.op.points))
    is_open = np.array(representative.op.open, dtype=bool)
    alike = not np.any((rows[:, :-1] != rows[:, 1:]) & is_open)
    if alike and not _is_monotone(analysis, test, source):
        clear = _clear(analysis, test, known)[order].reshape(-1, len(representative.op.points))
        alike = bool(clear[:, _beside(is_open)].all())
    if not alike:
        hint = EXACT_MEANS if analysis.progressions.means(source).progression.error else None
        raise Refusal(f"what {proxy!r} gives depends on how floats are rounded on the way", hint=hint)


def _beside(is_open: BoolTable) -> BoolTable:
    """Which representatives have other values beside them, on one side or both."""
    return np.append(is_open, False) | np.append(False, is_open)


def _clear(analysis: Tables, test: ThresholdTest, known: Mapping[SOp, Categorical]) -> BoolTable:
    """In which combinations no rounding on the way to a test can change what it gives, there and anywhere near.

    What the interpreter computes is off by at most e from an exact function. Where it is at least 2e from the threshold
    at both representatives, the function is at least e from it between them, as it is linear, and so what the
    interpreter computes there is on the same side.
    """
    sides = [test.left] if test.right is None else [test.left, test.right]
    if not all(analysis[side].numeric for side in sides):
        return np.zeros(len(known[test.left].codes), dtype=bool)
    found = [_floats(known[side]) for side in sides]
    sizes = [largest(analysis[side].range) for side in sides]
    error = 2 * sum(roundoff(analysis, side).at(size) for side, size in zip(sides, sizes, strict=True))
    error += 4 * UNIT * sum(sizes)
    if test.right is not None:
        return np.isnan(found[0] - found[1]) | (np.abs(found[0] - found[1]) > error)
    return np.isnan(found[0]) | (np.rint(found[0] - error) == np.rint(found[0] + error))


def _floats(found: Categorical) -> Floats:
    """The numbers of a column, NaN for what is none."""
    numbers = [float(v) if isinstance(v, (int, float)) else math.nan for v in found.categories]
    return np.array(numbers, dtype=np.float64)[found.codes]


_RISES, _FALLS, _CONSTANT, _EITHER = 1, -1, 0, 2


def _is_monotone(analysis: Tables, test: ThresholdTest, source: SOp) -> bool:
    """Whether what a test asks of a source rises with it, or falls, as the interpreter rounds it."""
    known: dict[SOp, int | None] = {source: _RISES}
    left = _direction(analysis, test.left, known)
    if test.right is None or left is None:
        return left is not None
    right = _direction(analysis, test.right, known)
    return right is not None and _joined(left, -right if right != _EITHER else right) is not None


def _direction(analysis: Tables, root: SOp, known: dict[SOp, int | None]) -> int | None:
    """Whether the rounded value of an s-op rises or falls with a source, all else being equal; None: not known."""
    for node in topological([root], known):
        if isinstance(node, SOp):
            known[node] = _node_direction(analysis, node, known)
    return known[root]


def _node_direction(analysis: Tables, node: SOp, known: Mapping[SOp, int | None]) -> int | None:
    if not isinstance(node, Map) or is_opaque(node):
        return _CONSTANT
    sides = [known[arg] for arg in node.args]
    if not any(sides) and None not in sides:
        return _CONSTANT
    if node.op.name == "if":
        return _EITHER if None not in sides[1:] else None
    if None in sides or node.op.name not in AFFINE:
        return None
    first, *others = (side for side in sides if side is not None)
    if node.op.name in ("neg", "-") and others in ([], [_CONSTANT]):
        return _turned(first) if not others else first
    if node.op.name in ("+", "-"):
        return _joined(first, _turned(others[0]) if node.op.name == "-" else others[0])
    if node.op.name in ("*", "/"):
        return _scaled(analysis, node, first, others[0])
    return first


def _turned(direction: int) -> int:
    return direction if direction == _EITHER else -direction


def _joined(left: int, right: int) -> int | None:
    """The direction of a sum."""
    if _CONSTANT in (left, right):
        return left or right
    return left if left == right != _EITHER else None


def _scaled(analysis: Tables, node: Map, first: int, second: int) -> int | None:
    """The direction of a product or a quotient, of which one side does not depend on the source."""
    if first and second:
        return None
    moving, factor = (first, node.args[1]) if first else (second, node.args[0])
    low, high = analysis[factor].range
    return moving if low >= 0 else _turned(moving) if high <= 0 else _EITHER


def _answers(op: str, left: Categorical, right: Categorical) -> Ints:
    """What matters of the signs to a comparison: a larger and a smaller number both differ, but one may be between."""
    signs = _signs(left, right)
    if op in ("<", ">="):
        return np.where(signs == 0, 1, signs)
    return np.where(signs == 0, -1, signs) if op in (">", "<=") else signs


def _signs(left: Categorical, right: Categorical) -> Ints:
    """Where the left number is smaller (−1), equal, larger, and 2 where one of them is missing or a string."""
    (some, other), codes = joined([left, right])
    found = np.array(
        [_sign(left.categories[a], right.categories[b]) for a, b in zip(some.tolist(), other.tolist(), strict=True)]
    )
    signs: Ints = found[codes]
    return signs


def _sign(left: Any, right: Any) -> int:
    if UNDEFINED in (left, right) or isinstance(left, str) is not isinstance(right, str):
        return 2
    return int(left > right) - int(left < right)

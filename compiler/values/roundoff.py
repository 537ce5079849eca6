"""How far rounded arithmetic may lie from exact arithmetic: bounds, and those of the interpreter's own floats.

The interpreter's rounded arithmetic is what a program means. Where the compiler computes the same number in another
way (`(m + 1000) - 1000` as m), the difference between the two has a bound, and that bound is carried along.

A bound has two parts, as errors of products and of sums of one sign are relative to the number, but what is left after
a cancellation is not: |found − x| ≤ relative·|x| + absolute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from compiler.values.sets import ValueSets
from rasp.graph import Aggregate, Map, Node, SOp, topological

UNIT = 2.0**-53
_TINIEST = 2.0**-1074
SLACK = 1 + 2.0**-20
_EXACT_INT = 2**53
Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Error:
    """A bound on how far a found number is from the number x: relative·|x| + absolute."""

    relative: float = 0.0
    absolute: float = 0.0

    def at(self, size: float) -> float:
        """The bound for a number of this size."""
        return self.relative * abs(size) + self.absolute if size else self.absolute

    def then(self, other: Error) -> Error:
        """What two deviations one after the other come to, the second being that of the number found first."""
        relative = (self.relative + other.relative) * SLACK
        return Error(relative, (self.absolute + other.absolute) * SLACK)

    def scaled(self, factor: float) -> Error:
        """The bound for the number times an exact factor."""
        return Error(self.relative, self.absolute * abs(factor)) if factor else EXACT

    def within(self, reach: Range) -> Error:
        """The same bound without its relative part, for numbers in a range."""
        return Error(0.0, self.at(largest(reach)))


EXACT = Error()
UNBOUNDED = Error(math.inf, math.inf)


def largest(reach: Range) -> float:
    """The largest absolute value in a range."""
    return max(map(abs, reach))


def of_one_sign(*reaches: Range) -> bool:
    """Whether no two numbers of these ranges have different signs."""
    return all(low >= 0 for low, _ in reaches) or all(high <= 0 for _, high in reaches)


def sum_error(terms: Sequence[tuple[Range, Error]]) -> Error:
    """The error of a sum before it is rounded. One number, or some of one sign, cancel nothing: it stays relative."""
    relative = max((error.relative for _, error in terms), default=0.0)
    if len(terms) == 1 or of_one_sign(*(reach for reach, _ in terms)):
        return Error(relative, sum(error.absolute for _, error in terms))
    return Error(0.0, sum(error.at(largest(reach)) for reach, error in terms))


def roundoff(analysis: ValueSets, root: SOp, parts: Sequence[SOp] = (), *, rounded_means: bool = False) -> Error:
    """How far the interpreter's value of an s-op may lie from the exact result of its arithmetic on some parts of it.

    Whatever is no arithmetic on numbers is a part in any case: aggregates, widths, what other operations give. Where
    `rounded_means`, the exact result is that of exact means, which the interpreter rounds once.
    """
    known: dict[SOp, Error] = {}
    if rounded_means:
        known.update((node, Error(UNIT)) for node in topological([root]) if isinstance(node, Aggregate))
    for node in topological([root], _Parts(analysis, frozenset(parts))):
        assert isinstance(node, Map)
        known[node] = _error(analysis, node, [known.get(arg, EXACT) for arg in node.args])
    return known.get(root, EXACT)


@dataclass(frozen=True)
class _Parts(Container[Node]):
    """Where arithmetic ends: at the parts given, and at all that is no arithmetic."""

    analysis: ValueSets
    given: frozenset[SOp]

    def __contains__(self, node: object) -> bool:
        is_arithmetic = isinstance(node, Map) and node.op.name in _RULES and self.analysis[node].numeric
        return not is_arithmetic or node in self.given


def _error(analysis: ValueSets, node: Map, errors: Sequence[Error]) -> Error:
    found = _RULES[node.op.name](analysis, node.args, errors)
    if node.op.name in _CHOICES or (_is_int(analysis, node) and found == EXACT):
        return found
    conversions = sum(largest(analysis[arg].range) > _EXACT_INT and not _is_float(analysis, arg) for arg in node.args)
    return found.then(Error((1 + conversions) * UNIT, _TINIEST))


def _is_int(analysis: ValueSets, node: SOp) -> bool:
    """Whether an s-op is an int wherever it has a value, and so was never rounded."""
    values = analysis[node]
    return values.listed and all(isinstance(value, int) for value in values.universe)


def _is_float(analysis: ValueSets, node: SOp) -> bool:
    values = analysis[node]
    return not values.listed or all(isinstance(value, float) for value in values.universe)


def _plus(analysis: ValueSets, args: Sequence[SOp], errors: Sequence[Error], sign: int = 1) -> Error:
    (low, high), (least, most) = (analysis[arg].range for arg in args)
    other = (least, most) if sign > 0 else (-most, -least)
    return sum_error([((low, high), errors[0]), (other, errors[1])])


def _times(analysis: ValueSets, args: Sequence[SOp], errors: Sequence[Error]) -> Error:
    some, other = (largest(analysis[arg].range) for arg in args)
    absolute = errors[0].absolute * other + errors[1].absolute * some + errors[0].absolute * errors[1].absolute
    return Error((errors[0].relative + errors[1].relative) * SLACK, absolute * SLACK)


def _over(analysis: ValueSets, args: Sequence[SOp], errors: Sequence[Error]) -> Error:
    dividend, divisor = analysis[args[0]], analysis[args[1]]
    sizes = [abs(value) for value in divisor.universe if value] if divisor.listed else []
    if not sizes or errors[1].at(min(sizes)) > min(sizes) / 2:
        return UNBOUNDED
    least = float(min(sizes))
    off = errors[1].absolute / least
    absolute = (errors[0].absolute + 2 * off * largest(dividend.range)) / least
    return Error((errors[0].relative + 2 * errors[1].relative) * SLACK, absolute * 2)


def _either(analysis: ValueSets, args: Sequence[SOp], errors: Sequence[Error]) -> Error:
    return Error(max(error.relative for error in errors[1:]), max(error.absolute for error in errors[1:]))


_CHOICES = {"if", "neg", "pos"}
_RULES: dict[str, Callable[[ValueSets, Sequence[SOp], Sequence[Error]], Error]] = {
    "+": _plus,
    "-": lambda analysis, args, errors: _plus(analysis, args, errors, -1),
    "*": _times,
    "/": _over,
    "if": _either,
    "neg": lambda analysis, args, errors: errors[0],
    "pos": lambda analysis, args, errors: errors[0],
}

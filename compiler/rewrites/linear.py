"""Linear is free: sums of numbers under one selector are one number, and a comparison with it asks its sign.

A *count* is the sum of the integers that a selector selects, written as a rounded product: `round((indices+1)*mean)`,
where the selector selects `indices + 1` keys. If s is that sum and w > 0 the width, the interpreter's mean is the float
nearest to s/w, and w times that differs from s by less than |s|/2⁵¹, so it rounds to s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from compiler.facts import Facts
from compiler.operations.differences import distance, excess
from compiler.rewrites.change import Change
from compiler.values.analysis import MANY
from compiler.values.grid import Cells
from compiler.values.sets import ValueSet
from rasp.graph import Aggregate, Constant, Map, Node, SOp
from rasp.operations import COMPARISONS, OPERATIONS

_LARGEST_COUNT = 2**49
_LARGEST_INT = 2**53


@dataclass(frozen=True)
class _Count:
    """round(width · mean), an int: the sum of what the selector of the mean selects; `width` is how much that is."""

    width: SOp
    mean: Aggregate

    @property
    def sop(self) -> Map:
        return Map(OPERATIONS["round"], (Map(OPERATIONS["*"], (self.width, self.mean)),))


def add_counts(node: Node, facts: Facts) -> Change | None:
    """The sum or the difference of two counts of one selector as one count."""
    if not isinstance(node, Map) or node.op.name not in ("+", "-"):
        return None
    together = _together(node, facts)
    return None if together is None else Change(together.sop)


def _together(node: Map, facts: Facts) -> _Count | None:
    left, right = (_count(arg, facts) for arg in node.args)
    if left is None or right is None or left.mean.selector is not right.mean.selector:
        return None
    values = Map(node.op, (left.mean.value, right.mean.value))
    mean = Aggregate(left.mean.selector, values, 0)
    return _Count(left.width, mean) if facts.compiles(mean) and _sums_are_ints(mean, facts) else None


def compare_counts(node: Node, facts: Facts) -> Change | None:
    """The comparison of a difference with 0 as one of its sides; of a count with 0, or with another, as one of a mean.

    A float difference is below, at or above 0 as its sides compare, as floats are dense enough around 0 to hold it;
    ints are floats first, so none may be larger than those that all are. A count has the sign of its mean.
    """
    if not isinstance(node, Map) or node.op.name not in COMPARISONS:
        return None
    left, right = node.args
    if _is_zero(left) and not _is_zero(right):
        return compare_counts(Map(OPERATIONS[_MIRRORED[node.op.name]], (right, left)), facts)
    if not _is_zero(right):
        return _compared_counts(node, facts)
    counted = _count(left, facts)
    if counted is not None:
        return Change(Map(node.op, (counted.mean, right)))
    args = _subtracted(left)
    if args is None or not all(map(facts.compiles, args)):
        return None
    sides = [facts.values[arg] for arg in args]
    if not all(side.numeric and max(map(abs, side.range)) < _LARGEST_INT for side in sides):
        return None
    return Change(Map(node.op, args))


def _subtracted(node: SOp) -> tuple[SOp, SOp] | None:
    """What a difference is one of, however it is written: a - b, a + -b, a + b * -1."""
    if not isinstance(node, Map) or node.op.name not in ("+", "-"):
        return None
    left, right = node.args
    if node.op.name == "-":
        return left, right
    opposites = (_opposite(left), right), (_opposite(right), left)
    return next(((other, part) for part, other in opposites if part is not None), None)


def _opposite(node: SOp) -> SOp | None:
    """What a number is minus that, if it is written so. A float and its opposite have the same digits."""
    if not isinstance(node, Map) or node.op.name not in ("neg", "*"):
        return None
    if node.op.name == "neg":
        return node.args[0]
    left, right = node.args
    return right if _is_minus_one(left) else left if _is_minus_one(right) else None


def _is_minus_one(node: SOp) -> bool:
    return isinstance(node, Constant) and not isinstance(node.value, str) and node.value == -1


def _compared_counts(node: Map, facts: Facts) -> Change | None:
    together = _together(Map(OPERATIONS["-"], node.args), facts)
    return None if together is None else Change(Map(node.op, (together.mean, Constant(0))))


def _is_zero(node: SOp) -> bool:
    return isinstance(node, Constant) and not isinstance(node.value, str) and node.value == 0


def _count(node: SOp, facts: Facts) -> _Count | None:
    """A count, if the s-op is one: the width is always as many keys as the selector selects, and at least one."""
    if not isinstance(node, Map) or node.op.name != "round" or not isinstance(node.args[0], Map):
        return None
    product = node.args[0]
    if product.op.name != "*":
        return None
    for width, mean in (product.args, product.args[::-1]):
        if isinstance(mean, Aggregate) and _sums_are_ints(mean, facts) and _is_width(width, mean, facts):
            return _Count(width, mean)
    return None


def _sums_are_ints(mean: Aggregate, facts: Facts) -> bool:
    if not facts.compiles(mean.value) or not facts.computes(mean.selector):
        return False
    values = facts.values[mean.value]
    is_ints = values.listed and values.numbers and all(isinstance(value, int) for value in values.universe)
    return is_ints and max(map(abs, values.range)) * facts.max_length < _LARGEST_COUNT


def _is_width(width: SOp, mean: Aggregate, facts: Facts) -> bool:
    if not facts.compiles(width):
        return False
    bounds = facts.width_bounds(mean.selector)
    only = _only_value(facts.values[width])
    return only is not None and bounds.never_empty and bounds.is_exactly(only)


def _only_value(values: ValueSet) -> Cells | None:
    """The whole number that an s-op has in each cell; None where it may have several, or others."""
    if not values.listed or not values.numbers or not values.is_decided or not all(map(_is_whole, values.universe)):
        return None
    return values.cell_pattern.map(np.array(values.universe, dtype=np.intp)[values.decided_codes].__getitem__)


def _is_whole(value: float) -> bool:
    return abs(value) < _LARGEST_INT and value == int(value)


def compare(node: Node, facts: Facts) -> Change | None:
    """The comparison of two means with many values as one of a single number with 0.

    In one head that is the mean of the differences: it has the sign of the difference of the means, as their sums are
    exact. Else it is their difference.
    """
    if not isinstance(node, Map) or node.op.name not in _COMPARED:
        return None
    left, right = node.args
    if not isinstance(left, Aggregate) or not isinstance(right, Aggregate) or not all(map(facts.compiles, node.args)):
        return None
    if not _has_many_means(left, facts) or not _has_many_means(right, facts):
        return None
    if left.selector is right.selector:
        sign = (left.default > right.default) - (left.default < right.default)  # type: ignore[operator]
        together = Aggregate(left.selector, left.value - right.value, sign)
        if facts.compiles(together) and facts.values.progressions.has_exact_differences(left, right):
            return Change(Map(node.op, (together, Constant(0))))
    return Change(_COMPARED[node.op.name](left, right))


def _has_many_means(node: Aggregate, facts: Facts) -> bool:
    values = facts.values[node]
    if values.listed and len(values.universe) <= MANY:
        return False
    if not facts.values[node.value].numbers or facts.values.width_bounds(node.selector).at_most_one:
        return False
    return not isinstance(node.default, (str, bool)) and facts.values.progressions.has_exact_means(node)


def _with_zero(number: SOp, op: str) -> Map:
    return Map(OPERATIONS[op], (number, Constant(0)))


_COMPARED: dict[str, Callable[[SOp, SOp], Map]] = {
    ">": lambda left, right: _with_zero(excess(left, right), ">"),
    "<": lambda left, right: _with_zero(excess(right, left), ">"),
    ">=": lambda left, right: _with_zero(excess(right, left), "=="),
    "<=": lambda left, right: _with_zero(excess(left, right), "=="),
    "==": lambda left, right: _with_zero(distance(left, right), "=="),
    "!=": lambda left, right: _with_zero(distance(left, right), ">"),
}

_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}

"""Sums of ints, found for all cells at once: of what a cell decides, such as length and position, and of ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from compiler.values.grid import Ints, PositionGrid
from compiler.values.linear import LinearForm, LinearForms
from compiler.values.sets import Ranges, ValueSet, ValueSets, grouped, sizes
from rasp.graph import Constant, Map, SOp, topological

_EXACT = 2**53
_MOST = 1 << 20
_MANY = 50_000
_WHOLE = {"+", "-", "*", "neg", "pos"}


class Summed(ValueSets, Protocol):
    """Where it is known besides which s-ops are linear forms of others, and for which cells."""

    @property
    def grid(self) -> PositionGrid: ...

    @property
    def linear(self) -> LinearForms: ...

    def sources(self, node: SOp, /) -> tuple[SOp, ...]: ...


def whole_sum(analysis: Summed, node: Map) -> ValueSet | None:
    """The values of a weighted sum of ints that each cell decides, or of ranges of ints; None for anything else.

    It is made of nothing but ints, so the interpreter computes it without rounding, and so does this. Where the ranges
    are of s-ops of their own, no value of one is bound to a value of another for all that is known, and every sum of
    theirs is possible. Where they are not, or a weight leaves numbers out, but there are too many combinations to look
    at, all ints between the ends are a superset of the sums.
    """
    form = analysis.linear[node]
    if form is None or len(form.weights) < 2 or node in form.weights or not _is_whole(node, form):
        return None
    parts = [(int(weight), analysis[part]) for part, weight in form.weights.items()]
    if not all(values.listed and all(map(_is_int, values.universe)) for _, values in parts):
        return None
    reach = abs(int(form.constant)) + sum(abs(weight) * max(map(abs, values.universe)) for weight, values in parts)
    are_decided = all(values.is_decided for _, values in parts)
    are_free = all(_is_own_source(analysis, part) and abs(weight) == 1 for part, weight in form.weights.items())
    if reach >= _EXACT or not (are_decided or are_free or _is_large(analysis, node)):
        return None
    return _summed(analysis.grid, parts, int(form.constant))


def _is_large(analysis: Summed, node: Map) -> bool:
    """Whether the parts of a sum have too many values together to look at all."""
    count = 1
    for source in analysis.sources(node):
        if not analysis[source].listed:
            return False
        count *= len(analysis[source].universe)
        if count > _MANY:
            return True
    return False


def _is_own_source(analysis: Summed, part: SOp) -> bool:
    sources = analysis.sources(part)
    return len(sources) == 1 and sources[0] is part


def _summed(grid: PositionGrid, parts: Sequence[tuple[int, ValueSet]], constant: int) -> ValueSet | None:
    """The sums between the sum of the lowest values and that of the highest, per cell.

    None where a part is no range, or where all ints between the least and the greatest sum are too many to list.
    """
    low = high = grid.same(constant)
    for weight, values in parts:
        ends = _ranges(values)
        if ends is None:
            return None
        least, most = (weight * end for end in (ends if weight > 0 else ends[::-1]))
        low = low.plus(values.cell_pattern.map(least.__getitem__))
        high = high.plus(values.cell_pattern.map(most.__getitem__))
    start, size = low.min(), high.max() - low.min() + 1
    if size > _MOST:
        return None
    found, cell_set = low.with_other(high, lambda low, high: (low - start) * size + high - start).distinct(size**2)
    return grouped(Ranges(found // size, found % size + 1), cell_set, range(start, start + size))


def _ranges(values: ValueSet) -> tuple[Ints, Ints] | None:
    """The lowest and the highest int of each pattern, where all between are in it too; else None."""
    numbers, count = np.array(values.universe, dtype=np.intp), sizes(values.patterns)
    if not count.all():
        return None
    if isinstance(values.patterns, Ranges) and (values.is_decided or (np.diff(numbers) == 1).all()):
        return numbers[values.patterns.starts], numbers[values.patterns.stops - 1]
    starts = np.cumsum(count) - count
    patterns = values.patterns
    every = numbers[patterns.flat if isinstance(patterns, Ranges) else np.concatenate(patterns)]
    low, high = np.minimum.reduceat(every, starts), np.maximum.reduceat(every, starts)
    return (low, high) if np.array_equal(high - low + 1, count) else None


def _is_whole(node: Map, form: LinearForm) -> bool:
    """Whether the form is computed by adding, subtracting and multiplying ints alone."""
    between = topological([node], form.weights)
    kinds = ((isinstance(part, Map) and part.op.name in _WHOLE) or _is_whole_constant(part) for part in between)
    return all(kinds) and all(weight.denominator == 1 for weight in (*form.weights.values(), form.constant))


def _is_whole_constant(part: object) -> bool:
    return isinstance(part, Constant) and _is_int(part.value)


def _is_int(value: object) -> bool:
    return type(value) is int

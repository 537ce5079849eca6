"""The values of aggregates and of widths."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

from compiler.operations.indicator_means import is_indicator_mean, means_of
from compiler.values.categorical import value_key
from compiler.values.grid import Cells, Ints
from compiler.values.sets import Floats, Ranges, ValueSet, everywhere, grouped, unlisted
from compiler.values.width_bounds import BoundedWidths, Comparisons, WidthBounds, selected_values
from rasp.errors import Refusal
from rasp.graph import Aggregate, Map, SelectorWidth, SOp
from rasp.operations import Atom, Symbol, describe

MAX_MEANS = 60_000
_MANY_SUMS = 2_000
_EXACT = 2**53
_NAN_BITS = 0x7FF8_0000_0000_0001


class Gathers(BoundedWidths, Comparisons, Protocol):
    """Where it is known besides which means are numbers with bounds, even if their values could be listed."""

    @property
    def bounded(self) -> frozenset[SOp]: ...


def aggregated(analysis: Gathers, node: Aggregate) -> ValueSet:
    """The values of an aggregate: copies, means, or bounds where the means are too many. Refusal for mixed kinds."""
    widths = analysis.width_bounds(node.selector)
    values = analysis[node.value]
    if is_indicator_mean(node):
        return unlisted(analysis.grid, 0.0, 1.0)
    if not widths.high.max():
        return everywhere(analysis.grid, [node.default])
    if not values.listed or node in analysis.bounded:
        return _mean_of_unlisted(analysis, node, values, widths)
    selected, cell_selected = selected_values(analysis, node.selector, node.value, widths)
    if not widths.at_most_one and not values.averaged and any(_is_number(value) for value in values.universe):
        raise Refusal(f"{node!r} may need the mean of values of several kinds: {_kinds(values)}")
    if widths.at_most_one or not values.averaged:
        return _copies(analysis, node, values, widths, selected, cell_selected)
    return _means(analysis, node, values, widths, selected, cell_selected)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kinds(values: ValueSet) -> str:
    names = {Symbol: "None or a tuple"}
    return ", ".join(sorted({names.get(type(value), type(value).__name__) for value in values.universe}))


def _mean_of_unlisted(analysis: Gathers, node: Aggregate, values: ValueSet, widths: WidthBounds) -> ValueSet:
    low, high = values.range
    copied = not values.numbers and widths.low.min() <= 1
    if widths.never_empty:
        return unlisted(analysis.grid, low, high, bools=copied)
    if isinstance(node.default, str):
        raise Refusal(f"{node!r} mixes numbers that cannot be listed with {describe(node.default)}, its default")
    default = float(node.default)
    bools = copied or isinstance(node.default, bool)
    return unlisted(analysis.grid, min(low, default), max(high, default), bools=bools)


def _copies(
    analysis: Gathers,
    node: Aggregate,
    values: ValueSet,
    widths: WidthBounds,
    selected: Sequence[Ints],
    cell_selected: Cells,
) -> ValueSet:
    universe = [*values.universe, node.default]
    default = next(
        (code for code, value in enumerate(values.universe) if value_key(value) == value_key(node.default)),
        len(values.universe),
    )
    both = cell_selected.with_other(widths.low, lambda place, low: place * 2 + (low == 0))
    kinds, cell_set = both.distinct(2 * len(selected))
    sets = [
        np.union1d(selected[kind // 2], [default]) if kind % 2 or not len(selected[kind // 2]) else selected[kind // 2]
        for kind in kinds.tolist()
    ]
    return grouped(sets, cell_set, universe)


def _means(
    analysis: Gathers,
    node: Aggregate,
    values: ValueSet,
    widths: WidthBounds,
    selected: Sequence[Ints],
    cell_selected: Cells,
) -> ValueSet:
    size = analysis.grid.max_length + 1
    both = cell_selected.with_other(widths.low, lambda place, low: place * size + low)
    keys = both.with_other(widths.high, lambda key, high: key * size + high)
    kinds, cell_set = keys.distinct(len(selected) * size**2)
    ends = zip((kinds // size**2).tolist(), (kinds // size % size).tolist(), (kinds % size).tolist(), strict=True)
    numbering = _Numbering()
    sets: list[Ints] = []
    for place, low, high in ends:
        found = _mean_values([values.universe[code] for code in selected[place].tolist()], low, high, node.default)
        if found is None or numbering.count > MAX_MEANS:
            return _mean_of_unlisted(analysis, node, values, widths)
        sets.append(numbering.codes(*found))
    return grouped(sets, cell_set, numbering.universe())


class _Numbering:
    """Codes of values in order of first appearance: atoms one by one, floats as whole arrays.

    A float is known by its bits; any other atom by those of a NaN of its own, which no finite float has.
    """

    def __init__(self) -> None:
        self.count = 0
        self._atoms: dict[Hashable, tuple[int, Atom]] = {}
        self._bits = np.zeros(0, dtype=np.int64)
        self._codes = np.zeros(0, dtype=np.intp)

    def codes(self, atoms: Sequence[Atom], floats: Floats) -> Ints:
        """The distinct codes, rising, of some atoms and of some floats, which all become known."""
        bits = np.concatenate([np.array(list(map(self._bits_of, atoms)), dtype=np.int64), floats.view(np.int64)])
        bits = bits[np.sort(np.unique(bits, return_index=True)[1])]
        places = np.searchsorted(self._bits, bits)
        fresh = np.append(self._bits, 0)[places] != bits
        fresh[places == len(self._bits)] = True
        found = np.empty(len(bits), dtype=np.intp)
        found[~fresh] = self._codes[places[~fresh]]
        found[fresh] = np.arange(self.count, self.count + fresh.sum())
        self.count += int(fresh.sum())
        order = np.argsort(bits[fresh])
        self._bits = np.insert(self._bits, places[fresh][order], bits[fresh][order])
        self._codes = np.insert(self._codes, places[fresh][order], found[fresh][order])
        return np.sort(found)

    def _bits_of(self, atom: Atom) -> int:
        if isinstance(atom, float):
            return int(np.float64(atom).view(np.int64))
        return self._atoms.setdefault(value_key(atom), (_NAN_BITS + len(self._atoms), atom))[0]

    def universe(self) -> list[Atom]:
        """The value of every code."""
        atom_of = dict(self._atoms.values())
        bits = self._bits[np.argsort(self._codes)]
        return [atom_of.get(b, f) for b, f in zip(bits.tolist(), bits.view(np.float64).tolist(), strict=True)]


def _mean_values(candidates: list[Any], low: int, high: int, default: Atom) -> tuple[list[Any], Floats] | None:
    """Every mean of low to high values out of the candidates (a superset); None where they are too many to list."""
    nothing = np.zeros(0)
    found: list[Any] = [default] if low == 0 or not candidates else []
    if low <= 1:
        found += candidates
    if high < 2 or not candidates:
        return found, nothing
    if len({float(c) for c in candidates}) == 1:
        return [*found, float(candidates[0])], nothing
    if not all(isinstance(c, int) for c in candidates):
        means = _means_of_floats(candidates, low, high)
        return None if means is None else (found, means)
    if (high - low) * high > 50 * MAX_MEANS:
        return None
    smallest, largest = min(candidates), max(candidates)
    step = math.gcd(*(c - smallest for c in candidates))
    sizes = range(max(low, 2), high + 1)
    if sum(m * (largest - smallest) // step + 1 for m in sizes) > 50 * MAX_MEANS:
        return None
    means = np.unique(np.concatenate([_means_of(m, smallest, largest, step) for m in sizes]))
    return (found, means) if len(means) <= MAX_MEANS else None


def _means_of_floats(candidates: Sequence[Any], low: int, high: int) -> Floats | None:
    """The means of low to high numbers, each rounded once from its exact sum; None where the sums are too many."""
    exact = list(map(Fraction, {float(c) if isinstance(c, float) else c for c in candidates}))
    unit = math.lcm(*(number.denominator for number in exact))
    steps = [int(number * unit) for number in exact]
    sums, count = {0}, 0
    means: list[float] = []
    for size in range(1, high + 1):
        sums = {total + step for total in sums for step in steps}
        count += len(sums)
        if count > min(MAX_MEANS, _MANY_SUMS):
            return None
        means += [total / (size * unit) for total in sums] if size >= max(low, 2) else []
    return np.unique(np.array(means, dtype=np.float64))


def _means_of(size: int, smallest: int, largest: int, step: int) -> Floats:
    """The means of so many ints from `smallest` to `largest`, `step` apart, each rounded once."""
    totals = range(size * smallest, size * largest + 1, step)
    if max(map(abs, (totals.start, totals.stop))) > _EXACT:
        return np.array([total / size for total in totals])
    return np.arange(totals.start, totals.stop, totals.step) / size


def counted(analysis: Gathers, node: SelectorWidth) -> ValueSet:
    """The values of a width."""
    widths = analysis.width_bounds(node.selector)
    return _counts(analysis, widths.low, widths.high)


def indicator_counted(analysis: Gathers, node: Map) -> ValueSet:
    """How many keys a head selects; of indicators with a condition, all of them or none."""
    mean = means_of(node)[0]
    widths = analysis.width_bounds(mean.selector)
    conditional = len(mean.value.children) > 1
    return _counts(analysis, analysis.grid.same(0) if conditional else widths.low, widths.high)


def _counts(analysis: Gathers, low: Cells, high: Cells) -> ValueSet:
    size = analysis.grid.max_length + 1
    ends, cell_set = low.with_other(high, lambda low, high: low * size + high).distinct(size**2)
    return grouped(Ranges(ends // size, ends % size + 1), cell_set, range(size))

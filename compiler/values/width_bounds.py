"""How many keys a selector can select in every cell, and what values they can have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from compiler.selectors import JOINT, BoolTable, Conjunction, Predicate, folded, is_edge
from compiler.values.categorical import distinct
from compiler.values.distinct import Masked, is_distinct
from compiler.values.grid import Ints, PositionGrid
from compiler.values.sets import ValueSet, ValueSets, union
from rasp.errors import Refusal
from rasp.graph import And, Map, Not, Or, Select, Selector, SOp
from rasp.interpret import Run


@dataclass(frozen=True, eq=False)
class WidthBounds:
    """How many keys a selector can select, per cell: at least `low`, at most `high` (int arrays over cells)."""

    low: Ints
    high: Ints

    @property
    def never_empty(self) -> bool:
        return bool((self.low >= 1).all())

    @property
    def at_most_one(self) -> bool:
        return bool((self.high <= 1).all())

    @property
    def of_one_key(self) -> WidthBounds:
        """The same on inputs on which no more than one key is selected."""
        return WidthBounds(np.minimum(self.low, 1), np.minimum(self.high, 1))


class BoundedWidths(ValueSets, Protocol):
    """Where it is known besides how many keys selectors can select."""

    def width_bounds(self, selector: Selector) -> WidthBounds: ...


class Comparisons(Masked, Protocol):
    """Where it is known besides what selectors compare, and for which cells; `causal` masks later keys."""

    @property
    def grid(self) -> PositionGrid: ...

    @property
    def conjunctions(self) -> Mapping[Selector, Conjunction]: ...

    def predicate_table(self, predicate: Predicate) -> BoolTable: ...


def width_bounds_of(analysis: Comparisons, selector: Conjunction) -> WidthBounds:
    """How many keys a head can select, by what each predicate selects for every pair of cells."""
    grid = analysis.grid
    low = np.zeros(len(grid), dtype=np.intp)
    high = np.zeros(len(grid), dtype=np.intp)
    for n, some, every in rows(analysis, selector):
        low[grid.row(n)] = every.sum(axis=1)
        high[grid.row(n)] = some.sum(axis=1)
    for predicate in selector.predicates:
        high = np.minimum(high, 1) if _selects_one(analysis, predicate) else high
        high = _most_for_one_value(analysis, predicate, high)
    low = np.minimum(low, high)  # lower only where a key has no value, and so the input has none
    if not selector.preferences:
        return WidthBounds(low, high)
    return WidthBounds(np.minimum(low, 1), np.minimum(high, 1) if _tell_positions_apart(analysis, selector) else high)


def _selects_one(analysis: Comparisons, predicate: Predicate) -> bool:
    """Whether a predicate compares for equality what no two keys have in common."""
    is_equality = isinstance(predicate.formula, Select) and predicate.formula.op == "=="
    return is_equality and is_distinct(analysis, predicate.keys)


def _most_for_one_value(analysis: Comparisons, predicate: Predicate, high: Ints) -> Ints:
    """Per cell, the most keys a predicate can select for any one value of the query, where that may be below `high`.

    It is not below where the query has one value, or no more than one key is selected.
    """
    grid = analysis.grid
    queries, keys = analysis[predicate.queries], analysis[predicate.keys]
    several = np.array([len(codes) > 1 for codes in queries.patterns])[queries.cell_pattern] & (high > 1)
    if not several.any():
        return high
    table = analysis.predicate_table(predicate).astype(np.float32)
    some = (table @ keys.masks.T.astype(np.float32) > 0).astype(np.float32)
    most = high.copy()
    for n in range(1, grid.max_length + 1):
        row = grid.row(n)
        if not several[row].any():
            continue
        selected = some @ np.bincount(keys.cell_pattern[row], minlength=len(keys.patterns)).astype(np.float32)
        places = np.flatnonzero(several[row]) + row.start
        patterns, which = distinct(queries.cell_pattern[places], len(queries.patterns))
        largest = np.array([selected[queries.patterns[p]].max() for p in patterns.tolist()], dtype=np.intp)
        most[places] = np.minimum(high[places], largest[which])
    return most


def _tell_positions_apart(analysis: Comparisons, selector: Conjunction) -> bool:
    """Whether no two positions of an input can have the same scores."""
    scores = tuple(score for score in selector.preferences if isinstance(score, SOp))
    if any(_tells_positions_apart(analysis, score) for score in scores):
        return True
    try:
        return len(scores) > 1 and _tells_positions_apart(analysis, Map(JOINT, scores))
    except Refusal:
        return False


def _tells_positions_apart(analysis: Comparisons, score: SOp) -> bool:
    values = analysis[score]
    same: dict[Any, int] = {}
    code = np.array([same.setdefault(value, len(same)) for value in values.universe], dtype=np.intp)
    sets = [np.unique(code[pattern]) for pattern in values.patterns]
    for n in range(2, analysis.grid.max_length + 1):
        found = np.concatenate([sets[p] for p in values.cell_pattern[analysis.grid.row(n)].tolist()])
        if len(np.unique(found)) < len(found):
            return False
    return True


def rows(analysis: Comparisons, selector: Conjunction) -> Iterable[tuple[int, BoolTable, BoolTable]]:
    """For every length n: which (query, key) pairs may be selected, and which surely are; bool [n, n] each."""
    grid = analysis.grid
    prepared = []
    for predicate in selector.predicates:
        queries, keys = analysis[predicate.queries], analysis[predicate.keys]
        table = analysis.predicate_table(predicate)
        own = _own(keys, table) if predicate.keys is predicate.queries else None
        prepared.append((queries.cell_pattern, keys.cell_pattern, own, *_possible(queries, keys, table)))
    for n in range(1, grid.max_length + 1):
        row = grid.row(n)
        some = np.ones((n, n), dtype=bool)
        every = np.ones((n, n), dtype=bool)
        for query_pattern, key_pattern, own, some_pattern, every_pattern in prepared:
            pairs = np.ix_(query_pattern[row], key_pattern[row])
            some_here, every_here = some_pattern[pairs], every_pattern[pairs]
            if own is not None:
                np.fill_diagonal(some_here, own[0][key_pattern[row]])
                np.fill_diagonal(every_here, own[1][key_pattern[row]])
            some &= some_here
            every &= every_here
        if selector.mask is not None:
            possible, sure = masked_cells(selector.mask, n)
            some &= possible
            every &= sure
        yield (n, np.tril(some), np.tril(every)) if analysis.causal else (n, some, every)


def masked_cells(mask: Selector, n: int) -> tuple[BoolTable, BoolTable]:
    """For a length, which cells a mask may leave to the scores, and which it surely does: any edge may be there."""
    every, none = np.ones((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    tokens = Run([0] * n)

    def cells(leaf: Selector) -> tuple[BoolTable, BoolTable]:
        if is_edge(leaf):
            return every, none
        found = tokens.selector(leaf)
        return found, found

    return folded(mask, cells, _KLEENE)


Bounds: TypeAlias = "tuple[BoolTable, BoolTable]"
_KLEENE: Mapping[type[Selector], Callable[..., Bounds]] = {
    Not: lambda inner: (~inner[1], ~inner[0]),
    And: lambda left, right: (left[0] & right[0], left[1] & right[1]),
    Or: lambda left, right: (left[0] | right[0], left[1] | right[1]),
}


def _own(values: ValueSet, table: BoolTable) -> tuple[BoolTable, BoolTable]:
    """For every pattern whether a position matches itself: some value it can have does, and every value does."""
    same = table.diagonal()
    some = np.array([same[codes].any() for codes in values.patterns])
    return some, np.array([same[codes].all() for codes in values.patterns])


def _possible(queries: ValueSet, keys: ValueSet, table: BoolTable) -> tuple[BoolTable, BoolTable]:
    """For every query pattern and key pattern: whether some values match, and whether all do."""
    query_masks, key_masks = queries.masks.astype(np.float32), keys.masks.astype(np.float32)
    some = query_masks @ table.astype(np.float32) @ key_masks.T > 0
    every = query_masks @ (~table).astype(np.float32) @ key_masks.T == 0
    return some, every


def selected_values(analysis: Comparisons, selector: Selector, value: SOp) -> tuple[tuple[Ints, ...], Ints]:
    """The value codes that a selector may select, per cell: distinct sets, and the index of each cell's set."""
    values = analysis[value]
    sets: dict[bytes, int] = {}
    arrays: list[Ints] = []
    of_patterns: dict[bytes, int] = {}
    cell_set = np.empty(len(analysis.grid), dtype=np.intp)
    for n, some, _ in rows(analysis, analysis.conjunctions[selector]):
        row = analysis.grid.row(n)
        patterns, selected = _selected_patterns(some, values.cell_pattern[row], len(values.patterns))
        for cell, mask in enumerate(selected, row.start):
            key = patterns[mask].tobytes()
            if key not in of_patterns:
                codes = union([values.patterns[p] for p in patterns[mask].tolist()], len(values.universe))
                of_patterns[key] = sets.setdefault(codes.tobytes(), len(arrays))
                if of_patterns[key] == len(arrays):
                    arrays.append(codes)
            cell_set[cell] = of_patterns[key]
    return tuple(arrays), cell_set


def _selected_patterns(some: BoolTable, patterns: Ints, count: int) -> tuple[Ints, BoolTable]:
    """The distinct patterns of the keys, of `count` there are, and which of them each query may select."""
    found, which = distinct(patterns, count)
    if len(found) == 1:
        return found, np.any(some, axis=1, keepdims=True)
    if len(found) == len(patterns):
        return found, some[:, np.argsort(which)]
    return found, some.astype(np.float32) @ np.eye(len(found), dtype=np.float32)[which] > 0

"""How many keys a selector can select in every cell, and what values they can have."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Protocol, TypeAlias

import numpy as np

from compiler.selectors import JOINT, KLEENE, BoolTable, Cases, Conjunction, Predicate, folded, is_edge
from compiler.values.categorical import distinct, value_key
from compiler.values.distinct import Masked, is_distinct
from compiler.values.grid import Ints, PositionGrid
from compiler.values.sets import ValueSet, ValueSets, union
from rasp.errors import Refusal
from rasp.graph import Map, Select, Selector, SOp
from rasp.interpret import Run

Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
_MOST_PAIRS = 1 << 24


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
    pairs = Pairs(analysis, selector)
    high, low = pairs.counts(pairs.some), pairs.counts(pairs.every)
    for predicate in selector.predicates:
        if isinstance(predicate, Cases):
            continue
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
    most = high.copy()
    selected = _selected_by_value(grid, keys, _any(analysis.predicate_table(predicate).T, keys).T)
    for pattern, cells in _cells_by_number(queries.cell_pattern, np.flatnonzero(several)):
        most[cells] = np.minimum(high[cells], selected[queries.patterns[pattern]].max(axis=0)[grid.length[cells] - 1])
    return most


def _cells_by_number(numbers: Ints, cells: Ints) -> Iterable[tuple[int, Ints]]:
    """Some cells by the number each has."""
    order = cells[np.argsort(numbers[cells], kind="stable")]
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return zip(numbers[order[starts]].tolist(), np.split(order, starts[1:]), strict=True)


def _selected_by_value(grid: PositionGrid, keys: ValueSet, some: BoolTable) -> Ints:
    """How many keys each query value may select at each length, [values, lengths]; `some` is by value and pattern."""
    columns, class_of = _classes(some.T)
    places = class_of[keys.cell_pattern] * grid.max_length + grid.length - 1
    counts = np.bincount(places, minlength=len(columns) * grid.max_length).reshape(len(columns), -1)
    return np.asarray((some[:, columns].astype(np.float32) @ counts.astype(np.float32)).astype(np.int32))


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
    longest = analysis.grid.max_length
    same_at_all = of_positions(analysis.grid, values.cell_pattern) is not None
    for n in [longest] if same_at_all else range(2, longest + 1):
        found = np.concatenate([sets[p] for p in values.cell_pattern[analysis.grid.row(n)].tolist()])
        if len(np.unique(found)) < len(found):
            return False
    return True


class Pairs:
    """All pairs of a query's and a key's cell of one length, by what some predicates may select there.

    Cells that no predicate tells apart have one *kind*, as a query and as a key. `some` and `every` say which pairs may
    be selected, and which surely are.
    """

    def __init__(self, analysis: Comparisons, selector: Conjunction) -> None:
        self.grid, self.causal, self.mask = analysis.grid, analysis.causal, selector.mask
        found = [_possible_pairs(analysis, predicate) for predicate in selector.predicates]
        queries, self.query_kind = kinds(self.grid, [(one.query, len(one.some)) for one in found])
        keys, self.key_kind = kinds(self.grid, [(one.key, one.some.shape[1]) for one in found])
        some = Selected([one.some for one in found], queries, keys)
        every = Selected([one.every for one in found], queries, keys)
        if any(one.some_own is not None for one in found):
            some = self._with_itself(some, [one.itself(one.some, one.some_own) for one in found])
            every = self._with_itself(every, [one.itself(one.every, one.every_own) for one in found])
        self.some, self.every = some, every
        self.key_of_position = of_positions(self.grid, self.key_kind)

    def _with_itself(self, selected: Selected, own: Sequence[Flags]) -> Selected:
        """The same with what each cell selects of itself, where the kinds say otherwise."""
        itself = _all(own, np.ones(len(self.grid), dtype=bool))
        if np.array_equal(itself, selected.pairs(self.query_kind, self.key_kind)):
            return selected
        return replace(selected, itself=itself)

    @property
    def by_position(self) -> bool:
        """Whether the kind of a key depends on its position alone, and a table of kinds and positions is affordable."""
        is_small = self.some.query_kinds * self.grid.max_length <= max(_MOST_PAIRS, 4 * len(self.grid))
        return self.key_of_position is not None and is_small and self.mask is None

    def counts(self, selected: Selected) -> Ints:
        """For every cell, as a query, how many keys are selected."""
        grid = self.grid
        if self.by_position:
            assert self.key_of_position is not None
            every_kind = np.arange(selected.query_kinds)
            upto = np.cumsum(selected.table(every_kind, self.key_of_position), axis=1, dtype=np.int32)
            found = upto[self.query_kind, grid.position if self.causal else grid.length - 1].astype(np.intp)
        elif self.mask is not None:
            lengths = range(1, grid.max_length + 1)
            return np.concatenate([self.of_length(selected, n).sum(axis=1) for n in lengths])
        elif selected.query_kinds * selected.key_kinds <= _MOST_PAIRS and not self.causal:
            found = self._counts_by_kind(selected)[self.query_kind, grid.length - 1]
        else:
            found = np.concatenate([self._counts_of(selected, n) for n in range(1, grid.max_length + 1)])
        if selected.itself is None:
            return found
        return found + selected.itself - selected.pairs(self.query_kind, self.key_kind)

    def _counts_by_kind(self, selected: Selected) -> Ints:
        """How many keys each kind of query selects at each length, [kinds, lengths]."""
        longest, count = self.grid.max_length, selected.key_kinds
        keys = np.bincount(self.key_kind * longest + self.grid.length - 1, minlength=count * longest)
        table = selected.table(np.arange(selected.query_kinds), np.arange(count)).astype(np.float32)
        return np.asarray((table @ keys.reshape(count, longest).astype(np.float32)).astype(np.intp))

    def _counts_of(self, selected: Selected, n: int) -> Ints:
        row = self.grid.row(n)
        queries, query_of = distinct(self.query_kind[row], selected.query_kinds)
        keys, key_of = distinct(self.key_kind[row], selected.key_kinds)
        found = selected.table(queries, keys)
        if self.causal:
            return np.asarray(np.cumsum(found[:, key_of], axis=1)[query_of, np.arange(n)])
        count = np.bincount(key_of, minlength=len(keys))
        return np.asarray((found.astype(np.float32) @ count.astype(np.float32)).astype(np.intp)[query_of])

    def of_length(self, selected: Selected, n: int) -> BoolTable:
        """Which keys are selected by each query of the inputs of length n, [n, n]."""
        row = self.grid.row(n)
        found = selected.table(self.query_kind[row], self.key_kind[row])
        if selected.itself is not None:
            np.fill_diagonal(found, selected.itself[row])
        if self.mask is not None:
            found = found & masked_cells(self.mask, n)[selected is self.every]
        return np.tril(found) if self.causal else found


@dataclass(frozen=True, eq=False)
class Selected:
    """Pairs of a query's and a key's kind that are selected: what holds in all `tables`, by their rows and columns.

    `itself` says it for every cell and itself, where the kinds do not tell.
    """

    tables: list[BoolTable]
    rows: list[Ints]
    columns: list[Ints]
    itself: Flags | None = None

    @property
    def query_kinds(self) -> int:
        return len(self.rows[0]) if self.rows else 1

    @property
    def key_kinds(self) -> int:
        return len(self.columns[0]) if self.columns else 1

    def table(self, queries: Ints, keys: Ints) -> BoolTable:
        """Whether some kinds of queries (rows) select some kinds of keys (columns)."""
        every = zip(self.tables, self.rows, self.columns, strict=True)
        found = (table[np.ix_(row[queries], column[keys])] for table, row, column in every)
        return _all(found, np.ones((len(queries), len(keys)), dtype=bool))

    def pairs(self, queries: Ints, keys: Ints) -> Flags:
        """Whether some kinds of queries each select the kind of key beside it."""
        every = zip(self.tables, self.rows, self.columns, strict=True)
        found = (table[row[queries], column[keys]] for table, row, column in every)
        return _all(found, np.ones(len(queries), dtype=bool))


@dataclass(frozen=True, eq=False)
class _Possible:
    """What one predicate may select, and surely does: tables of classes, and the class of every cell on both sides.

    `some_own` and `every_own` say it for every cell and itself, where that is not what the classes tell.
    """

    query: Ints
    key: Ints
    some: BoolTable
    every: BoolTable
    some_own: Flags | None = None
    every_own: Flags | None = None

    def itself(self, table: BoolTable, own: Flags | None) -> Flags:
        """For every cell whether it may select itself, or surely does."""
        found: Flags = table[self.query, self.key] if own is None else own
        return found


def _possible_pairs(analysis: Comparisons, predicate: Predicate | Cases) -> _Possible:
    if isinstance(predicate, Cases):
        return _possible_in_cases(analysis, predicate)
    queries, keys = analysis[predicate.queries], analysis[predicate.keys]
    table = analysis.predicate_table(predicate)
    some, every = _possible(queries, keys, table)
    rows, row_of = _classes(np.hstack([some, every]))
    columns, column_of = _classes(np.vstack([some, every]).T)
    found = _Possible(
        row_of[queries.cell_pattern],
        column_of[keys.cell_pattern],
        some[np.ix_(rows, columns)],
        every[np.ix_(rows, columns)],
    )
    if predicate.keys is not predicate.queries:
        return found
    some_own, every_own = _own(keys, table)
    return replace(found, some_own=some_own[keys.cell_pattern], every_own=every_own[keys.cell_pattern])


def _possible_in_cases(analysis: Comparisons, cases: Cases) -> _Possible:
    """What cases may select: pairs whose chooser may be in a case that may hold; surely if all that it may be in do."""
    chooser = analysis[cases.chooser]
    places = np.array(cases.places(map(value_key, chooser.universe)), dtype=np.intp)
    chosen = np.zeros((len(chooser.patterns), len(cases.cases) + 1), dtype=bool)
    for row, codes in enumerate(chooser.patterns):
        chosen[row, places[codes]] = True
    may, must = (np.zeros((len(analysis.grid), len(cases.cases) + 1), dtype=bool) for _ in range(2))
    for at, case in enumerate(cases.cases):
        asked = analysis[cases.asked(case)]
        holds = cases.holds(case, asked.universe)
        may[:, at] = np.array([holds[codes].any() for codes in asked.patterns])[asked.cell_pattern]
        must[:, at] = np.array([holds[codes].all() for codes in asked.patterns])[asked.cell_pattern]
    kind, kind_of = _classes(np.hstack([may, must]))
    which = chosen.astype(np.float32).T
    some = may[kind].astype(np.float32) @ which > 0
    every = (~must[kind]).astype(np.float32) @ which == 0
    if cases.by_keys:
        return _Possible(kind_of, chooser.cell_pattern, some, every)
    return _Possible(chooser.cell_pattern, kind_of, some.T, every.T)


def _classes(table: BoolTable) -> tuple[Ints, Ints]:
    """A row of each kind, and the kind of every row, where equal rows are one kind."""
    found: dict[bytes, int] = {}
    packed = np.packbits(table, axis=1)
    kind = np.array([found.setdefault(row.tobytes(), len(found)) for row in packed], dtype=np.intp)
    first = np.empty(len(found), dtype=np.intp)
    first[kind[::-1]] = np.arange(len(kind) - 1, -1, -1)
    return first, kind


def _all(tables: Iterable[BoolTable], every: BoolTable) -> BoolTable:
    return reduce(operator.and_, tables, every)


def masked_cells(mask: Selector, n: int) -> tuple[BoolTable, BoolTable]:
    """For a length, which cells a mask may leave to the scores, and which it surely does: any edge may be there."""
    every, none = np.ones((n, n), dtype=bool), np.zeros((n, n), dtype=bool)
    tokens = Run([0] * n)

    def cells(leaf: Selector) -> tuple[BoolTable, BoolTable]:
        if is_edge(leaf):
            return every, none
        found = tokens.selector(leaf)
        return found, found

    return folded(mask, cells, KLEENE)


def kinds(grid: PositionGrid, classes: Sequence[tuple[Ints, int]]) -> tuple[list[Ints], Ints]:
    """The distinct combinations of classes that cells have: the class of each sort in each, and that of each cell."""
    kind = np.zeros(len(grid), dtype=np.intp)
    picks: list[Ints] = []
    count = 1
    for class_of, size in classes:
        found, kind = distinct(kind * size + class_of, count * size)
        picks = [*(pick[found // size] for pick in picks), found % size]
        count = len(found)
    return picks, kind


def of_positions(grid: PositionGrid, numbers: Ints) -> Ints | None:
    """What each position has, where that is the same at all lengths; else None."""
    found = numbers[grid.row(grid.max_length)]
    return found if np.array_equal(numbers, found[grid.position]) else None


def _own(values: ValueSet, table: BoolTable) -> tuple[BoolTable, BoolTable]:
    """For every pattern whether a position matches itself: some value it can have does, and every value does."""
    same = table.diagonal()
    some = np.array([same[codes].any() for codes in values.patterns])
    return some, np.array([same[codes].all() for codes in values.patterns])


def _possible(queries: ValueSet, keys: ValueSet, table: BoolTable) -> tuple[BoolTable, BoolTable]:
    """For every query pattern and key pattern: whether some values match, and whether all do."""
    some, not_every = (_any(_any(part, queries).T, keys).T for part in (table, ~table))
    return some, ~not_every


def _any(table: BoolTable, values: ValueSet) -> BoolTable:
    """For every pattern of some values whether one of its rows of a table has each column."""
    if all(len(codes) == 1 for codes in values.patterns):
        return table[np.concatenate(values.patterns)]
    if len(values.patterns) == 1:
        return np.asarray(table[values.patterns[0]].any(axis=0, keepdims=True))
    return np.asarray(values.masks.astype(np.float32) @ table.astype(np.float32) > 0)


def selected_values(analysis: Comparisons, selector: Selector, value: SOp) -> tuple[tuple[Ints, ...], Ints]:
    """The value codes that a selector may select, per cell: distinct sets, and the index of each cell's set."""
    values = analysis[value]
    pairs = Pairs(analysis, analysis.conjunctions[selector])
    if len(values.patterns) == 1:
        return (values.patterns[0], np.zeros(0, dtype=np.intp)), (pairs.counts(pairs.some) == 0).astype(np.intp)
    value_of = of_positions(analysis.grid, values.cell_pattern)
    if value_of is not None and pairs.by_position and pairs.some.itself is None:
        assert pairs.key_of_position is not None
        return _first_selected(pairs, values, value_of, pairs.key_of_position)
    return _selected_by_length(pairs, values)


def _first_selected(pairs: Pairs, values: ValueSet, value_of: Ints, key_of: Ints) -> tuple[tuple[Ints, ...], Ints]:
    """The same where keys and values depend on the position alone: queries of a kind select the first so many keys."""
    table = pairs.some.table(np.arange(pairs.some.query_kinds), key_of)
    size = pairs.grid.max_length + 1
    found, cell_set = distinct(pairs.query_kind * size + pairs.counts(pairs.some), len(table) * size)
    sets = []
    for kind, count in zip((found // size).tolist(), (found % size).tolist(), strict=True):
        places = np.flatnonzero(table[kind])[:count]
        patterns = distinct(value_of[places], len(values.patterns))[0]
        sets.append(union([values.patterns[p] for p in patterns.tolist()], len(values.universe)))
    return tuple(sets), cell_set


def _selected_by_length(pairs: Pairs, values: ValueSet) -> tuple[tuple[Ints, ...], Ints]:
    """The same for all selectors and values, from all pairs of every length."""
    sets: dict[bytes, int] = {}
    arrays: list[Ints] = []
    of_patterns: dict[bytes, int] = {}
    cell_set = np.empty(len(pairs.grid), dtype=np.intp)
    for n in range(1, pairs.grid.max_length + 1):
        row = pairs.grid.row(n)
        some = pairs.of_length(pairs.some, n)
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

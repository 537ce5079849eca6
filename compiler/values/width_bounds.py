"""How many keys a selector can select in every cell, and what values they can have."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Protocol, TypeAlias

import numpy as np

from compiler.selectors import JOINT, KLEENE, BoolTable, Case, Cases, Conjunction, Predicate, folded, is_edge
from compiler.values.categorical import value_key
from compiler.values.distinct import Masked, is_distinct
from compiler.values.grid import Cells, Ints, PositionGrid
from compiler.values.ordered import first_keys, ordered_counts
from compiler.values.sets import Ranges, ValueSet, ValueSets, sizes, union
from rasp.batch.columns import distinct
from rasp.errors import Refusal
from rasp.graph import Map, Select, Selector, SOp
from rasp.interpret import Run

Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
_MOST_PAIRS = 1 << 24


@dataclass(frozen=True, eq=False)
class WidthBounds:
    """How many keys a selector can select, per cell: at least `low`, at most `high`."""

    low: Cells
    high: Cells

    @property
    def never_empty(self) -> bool:
        return self.low.min() >= 1

    @property
    def at_most_one(self) -> bool:
        return self.high.max() <= 1

    @property
    def of_one_key(self) -> WidthBounds:
        """The same on inputs on which no more than one key is selected."""
        return WidthBounds(_one(self.low), _one(self.high))

    def is_exactly(self, number: Cells) -> bool:
        """Whether every cell selects as many keys as it has here."""
        return all(bound.with_other(number, np.equal).min() for bound in (self.low, self.high))


def _one(number: Cells) -> Cells:
    return number.map(lambda found: np.minimum(found, 1))


class BoundedWidths(ValueSets, Protocol):
    """Where it is known besides how many keys selectors can select."""

    def width_bounds(self, selector: Selector) -> WidthBounds: ...


class Comparisons(Masked, Protocol):
    """Where it is known besides what selectors compare, and for which cells; `causal` masks later keys."""

    @property
    def grid(self) -> PositionGrid: ...

    def conjunction(self, selector: Selector) -> Conjunction: ...

    def predicate_table(self, predicate: Predicate) -> BoolTable: ...


def width_bounds_of(analysis: Comparisons, selector: Conjunction) -> WidthBounds:
    """How many keys a head can select, by what each predicate selects for every pair of cells."""
    low, high = ordered_counts(analysis, selector) or _counts(analysis, selector)
    low = low.with_other(high, np.minimum)  # lower only where a key has no value, and so the input has none
    if not selector.preferences:
        return WidthBounds(low, high)
    return WidthBounds(_one(low), _one(high) if _tell_positions_apart(analysis, selector) else high)


def _counts(analysis: Comparisons, selector: Conjunction) -> tuple[Cells, Cells]:
    """How many keys are surely selected, and how many may be, by the kinds of all cells."""
    pairs = Pairs(analysis, selector)
    high = pairs.counts(pairs.some)
    for predicate in selector.predicates:
        if isinstance(predicate, Cases):
            continue
        high = _one(high) if _selects_one(analysis, predicate) else high
        high = _most_for_one_value(analysis, predicate, high)
    return pairs.counts(pairs.every), high


def _selects_one(analysis: Comparisons, predicate: Predicate) -> bool:
    """Whether a predicate compares for equality what no two keys have in common."""
    is_equality = isinstance(predicate.formula, Select) and predicate.formula.op == "=="
    return is_equality and is_distinct(analysis, predicate.keys)


def _most_for_one_value(analysis: Comparisons, predicate: Predicate, high: Cells) -> Cells:
    """Per cell, the most keys a predicate can select for any one value of the query, where that may be below `high`.

    It is not below where the query has one value, or no more than one key is selected.
    """
    grid = analysis.grid
    queries, keys = analysis[predicate.queries], analysis[predicate.keys]
    several = queries.cell_pattern.map((sizes(queries.patterns) > 1).__getitem__)
    several = several.with_other(high, lambda found, most: found & (most > 1))
    if not several.max():
        return high
    selected = _selected_by_value(grid, keys, keys.any(analysis.predicate_table(predicate).T).T)
    if len(queries.patterns) == 1:
        most = Cells(grid, "length", selected[queries.patterns[0]].max(axis=0).astype(np.intp))
        return high.with_other(most, np.minimum)
    bound, pattern = high.full.copy(), queries.cell_pattern.full
    for number, cells in _cells_by_number(pattern, np.flatnonzero(several.full)):
        largest = selected[queries.patterns[number]].max(axis=0)
        bound[cells] = np.minimum(bound[cells], largest[grid.length[cells] - 1])
    return Cells.of(grid, bound)


def _cells_by_number(numbers: Ints, cells: Ints) -> Iterable[tuple[int, Ints]]:
    """Some cells by the number each has."""
    order = cells[np.argsort(numbers[cells], kind="stable")]
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    return zip(numbers[order[starts]].tolist(), np.split(order, starts[1:]), strict=True)


def _selected_by_value(grid: PositionGrid, keys: ValueSet, some: BoolTable) -> Ints:
    """How many keys each query value may select at each length, [values, lengths]; `some` is by value and pattern."""
    columns, class_of = _classes(some.T)
    counts = _of_kinds(keys.cell_pattern.map(class_of.__getitem__), len(columns))
    return np.asarray((some[:, columns].astype(np.float32) @ counts.astype(np.float32)).astype(np.int32))


def _of_kinds(kind: Cells, count: int) -> Ints:
    """How many cells of each length are of each kind, [kinds, lengths]."""
    longest = kind.grid.max_length
    if kind.by_position is None:
        return np.bincount(kind.full * longest + kind.grid.length - 1, minlength=count * longest).reshape(count, -1)
    found = np.zeros((count, longest), dtype=np.intp)
    found[kind.by_position, np.arange(longest)] = 1
    return np.cumsum(found, axis=1)


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
    same_at_all = values.cell_pattern.by_position is not None
    for n in [longest] if same_at_all else range(2, longest + 1):
        found = np.concatenate([sets[p] for p in values.cell_pattern.row(n).tolist()])
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
        self.key_of_position = self.key_kind.by_position

    def _with_itself(self, selected: Selected, own: Sequence[Cells]) -> Selected:
        """The same with what each cell selects of itself, where the kinds say otherwise."""
        itself = reduce(lambda some, other: some.with_other(other, np.bitwise_and), own)
        if itself.with_other(self._own_pairs(selected), np.equal).min():
            return selected
        return replace(selected, itself=itself)

    def _own_pairs(self, selected: Selected) -> Cells:
        """Whether the kinds of a cell, as a query and as a key, say that it selects itself."""
        return self.query_kind.with_other(self.key_kind, selected.pairs)

    @property
    def by_position(self) -> bool:
        """Whether the kind of a key depends on its position alone, and a table of kinds and positions is affordable."""
        is_small = self.some.query_kinds * self.grid.max_length <= max(_MOST_PAIRS, 4 * len(self.grid))
        return self.key_of_position is not None and is_small and self.mask is None

    def counts(self, selected: Selected) -> Cells:
        """For every cell, as a query, how many keys are selected."""
        if self.mask is not None:
            lengths = range(1, self.grid.max_length + 1)
            return Cells.of(self.grid, np.concatenate([self.of_length(selected, n).sum(axis=1) for n in lengths]))
        found = self._counts(selected)
        if selected.itself is None:
            return found
        of_others = found.with_other(self._own_pairs(selected), np.subtract)
        return of_others.with_other(selected.itself, np.add)

    def _counts(self, selected: Selected) -> Cells:
        """The same by the kinds of all keys, the query itself like others."""
        grid = self.grid
        if self.by_position:
            return self._counts_by_position(selected)
        if selected.query_kinds * selected.key_kinds <= _MOST_PAIRS and not self.causal:
            upto = self._counts_by_kind(selected)
            return self.query_kind.with_other(grid.lengths, lambda kind, n: upto[kind, n - 1])
        return Cells.of(grid, np.concatenate([self._counts_of(selected, n) for n in range(1, grid.max_length + 1)]))

    def _counts_by_position(self, selected: Selected) -> Cells:
        """The same where the kind of a key is that of its position: how many of the first so many are selected."""
        assert self.key_of_position is not None
        every_kind = np.arange(selected.query_kinds)
        upto = np.cumsum(selected.table(every_kind, self.key_of_position), axis=1, dtype=np.int32)
        low, high = first_keys(self.query_kind, self.causal, lambda kind, m: upto[kind, m - 1].astype(np.intp))
        return low if selected is self.every else high

    def _counts_by_kind(self, selected: Selected) -> Ints:
        """How many keys each kind of query selects at each length, [kinds, lengths]."""
        keys = _of_kinds(self.key_kind, selected.key_kinds).astype(np.float32)
        table = selected.table(np.arange(selected.query_kinds), np.arange(selected.key_kinds)).astype(np.float32)
        return np.asarray((table @ keys).astype(np.intp))

    def _counts_of(self, selected: Selected, n: int) -> Ints:
        queries, query_of = distinct(self.query_kind.row(n), selected.query_kinds)
        keys, key_of = distinct(self.key_kind.row(n), selected.key_kinds)
        found = selected.table(queries, keys)
        if self.causal:
            return np.asarray(np.cumsum(found[:, key_of], axis=1)[query_of, np.arange(n)])
        count = np.bincount(key_of, minlength=len(keys))
        return np.asarray((found.astype(np.float32) @ count.astype(np.float32)).astype(np.intp)[query_of])

    def of_length(self, selected: Selected, n: int) -> BoolTable:
        """Which keys are selected by each query of the inputs of length n, [n, n]."""
        found = selected.table(self.query_kind.row(n), self.key_kind.row(n))
        if selected.itself is not None:
            np.fill_diagonal(found, selected.itself.row(n))
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
    itself: Cells | None = None

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

    def pairs(self, queries: Ints, keys: Ints) -> Any:
        """Whether some kinds of queries each select the kind of key beside it."""
        every = zip(self.tables, self.rows, self.columns, strict=True)
        found = (table[row[queries], column[keys]] for table, row, column in every)
        return _all(found, np.ones(len(queries), dtype=bool))


@dataclass(frozen=True, eq=False)
class _Possible:
    """What one predicate may select, and surely does: tables of classes, and the class of every cell on both sides.

    `some_own` and `every_own` say it for every cell and itself, where that is not what the classes tell.
    """

    query: Cells
    key: Cells
    some: BoolTable
    every: BoolTable
    some_own: Cells | None = None
    every_own: Cells | None = None

    def itself(self, table: BoolTable, own: Cells | None) -> Cells:
        """For every cell whether it may select itself, or surely does."""
        if own is not None:
            return own
        return self.query.with_other(self.key, lambda query, key: table[query, key].astype(np.intp))


def _possible_pairs(analysis: Comparisons, predicate: Predicate | Cases) -> _Possible:
    if isinstance(predicate, Cases):
        return _possible_in_cases(analysis, predicate)
    queries, keys = analysis[predicate.queries], analysis[predicate.keys]
    table = analysis.predicate_table(predicate)
    found = _possible(queries, keys, table)
    if predicate.keys is not predicate.queries:
        return found
    some_own, every_own = (keys.cell_pattern.map(own.__getitem__) for own in _own(keys, table))
    return replace(found, some_own=some_own, every_own=every_own)


def _possible_in_cases(analysis: Comparisons, cases: Cases) -> _Possible:
    """What cases may select: pairs whose chooser may be in a case that may hold; surely if all that it may be in do."""
    chooser = analysis[cases.chooser]
    places = cases.places(map(value_key, chooser.universe))
    which = chooser.any(np.eye(len(cases.cases) + 1, dtype=bool)[places]).astype(np.float32).T
    picks, kind_of = kinds(analysis.grid, [(_answers(analysis[cases.asked(c)], cases, c), 4) for c in cases.cases])
    answers = np.column_stack([*picks, np.zeros_like(picks[0])])
    some = (answers & 1).astype(np.float32) @ which > 0
    every = (answers & 2 == 0).astype(np.float32) @ which == 0
    if cases.by_keys:
        return _Possible(kind_of, chooser.cell_pattern, some, every)
    return _Possible(chooser.cell_pattern, kind_of, some.T, every.T)


def _answers(asked: ValueSet, cases: Cases, case: Case) -> Cells:
    """For every cell 1 where a case may hold for what it asks, and 2 more where it surely does."""
    holds = np.asarray(cases.holds(case, asked.universe))[:, None]
    return asked.cell_pattern.map((asked.any(holds)[:, 0] + 2 * ~asked.any(~holds)[:, 0]).__getitem__)


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


def kinds(grid: PositionGrid, classes: Sequence[tuple[Cells, int]]) -> tuple[list[Ints], Cells]:
    """The distinct combinations of classes that cells have: the class of each sort in each, and that of each cell."""
    kind = grid.same(0)
    picks: list[Ints] = []
    count = 1
    for class_of, size in classes:
        both = kind.with_other(class_of, lambda kind, found, size=size: kind * size + found)  # type: ignore[misc]
        found, kind = both.distinct(count * size)
        picks = [*(pick[found // size] for pick in picks), found % size]
        count = len(found)
    return picks, kind


def _own(values: ValueSet, table: BoolTable) -> tuple[BoolTable, BoolTable]:
    """For every pattern whether a position matches itself: some value it can have does, and every value does."""
    same = table.diagonal()[:, None]
    return values.any(same)[:, 0], ~values.any(~same)[:, 0]


def _possible(queries: ValueSet, keys: ValueSet, table: BoolTable) -> _Possible:
    """Whether some values of a query and a key match, and whether all do, by classes of their patterns."""
    counts = keys.counts_in_blocks(table.T)
    columns, column_of = _distinct_rows(np.hstack([found > 0, found < size[:, None]]) for size, found in counts)
    matches, fails = np.split(np.ascontiguousarray(columns.T), 2)
    blocks = zip(queries.any_in_blocks(matches), queries.any_in_blocks(fails), strict=True)
    rows, row_of = _distinct_rows(np.hstack([some, ~not_every]) for some, not_every in blocks)
    kinds, kind_of = _classes(rows.T.reshape(2, -1, len(rows)).swapaxes(0, 1).reshape(len(columns), -1))
    some, every = np.split(rows, 2, axis=1)
    key = keys.cell_pattern.map(kind_of[column_of].__getitem__)
    return _Possible(queries.cell_pattern.map(row_of.__getitem__), key, some[:, kinds], every[:, kinds])


def _distinct_rows(blocks: Iterable[BoolTable]) -> tuple[BoolTable, Ints]:
    """The distinct rows of a table that comes in blocks, and which of them each is."""
    found: dict[bytes, int] = {}
    kept: list[BoolTable] = []
    kind: list[int] = []
    for block in blocks:
        for row, packed in zip(block, np.packbits(block, axis=1), strict=True):
            kind.append(found.setdefault(packed.tobytes(), len(found)))
            if kind[-1] == len(kept):
                kept.append(row)
    return np.array(kept), np.array(kind, dtype=np.intp)


def selected_values(
    analysis: Comparisons, selector: Selector, value: SOp, widths: WidthBounds
) -> tuple[Sequence[Ints], Cells]:
    """The value codes that a selector may select, per cell: distinct sets, and the index of each cell's set."""
    values = analysis[value]
    if len(values.patterns) == 1:
        is_empty = widths.high.map(lambda high: (high == 0).astype(np.intp))
        return (values.patterns[0], np.zeros(0, dtype=np.intp)), is_empty
    if not analysis.grid.is_small:
        return (np.arange(len(values.universe)),), analysis.grid.same(0)
    pairs = Pairs(analysis, analysis.conjunction(selector))
    value_of = values.cell_pattern.by_position
    if value_of is not None and pairs.by_position and pairs.some.itself is None:
        assert pairs.key_of_position is not None
        return _first_selected(pairs, values, value_of, pairs.key_of_position)
    return _selected_by_kind(pairs, values) or _selected_by_length(pairs, values)


def _first_selected(pairs: Pairs, values: ValueSet, value_of: Ints, key_of: Ints) -> tuple[Sequence[Ints], Cells]:
    """The same where keys and values depend on the position alone: queries of a kind select the first so many keys."""
    table = pairs.some.table(np.arange(pairs.some.query_kinds), key_of)
    size = pairs.grid.max_length + 1
    counts = pairs.query_kind.with_other(pairs.counts(pairs.some), lambda kind, count: kind * size + count)
    found, cell_set = counts.distinct(len(table) * size)
    sets = []
    for kind, count in zip((found // size).tolist(), (found % size).tolist(), strict=True):
        places = np.flatnonzero(table[kind])[:count]
        patterns = distinct(value_of[places], len(values.patterns))[0]
        sets.append(union(_some_of(values.patterns, patterns), len(values.universe)))
    return tuple(sets), cell_set


def _some_of(sets: Sequence[Ints], places: Ints) -> Sequence[Ints]:
    return sets.at(places) if isinstance(sets, Ranges) else [sets[place] for place in places.tolist()]


def _selected_by_kind(pairs: Pairs, values: ValueSet) -> tuple[Sequence[Ints], Cells] | None:
    """The same by the kinds of queries, and by those of keys with their patterns that an input of each length has.

    None where there are too many of them, or where a key is selected for more than its kind.
    """
    both = [(pairs.key_kind, pairs.some.key_kinds), (values.cell_pattern, len(values.patterns))]
    (keys, patterns), kind = kinds(pairs.grid, both)
    queries, size = pairs.some.query_kinds, pairs.grid.max_length
    told_by_kind = pairs.mask is None and pairs.some.itself is None and not pairs.causal
    if not told_by_kind or queries * max(len(keys), len(values.patterns)) > 4 * size**2:
        return None
    there = (_of_kinds(kind, len(keys)) > 0).astype(np.float32)
    table = pairs.some.table(np.arange(queries), keys).astype(np.float32)
    selected = np.zeros((queries, size, len(values.patterns)), dtype=bool)
    for pattern, some in _cells_by_number(patterns, np.arange(len(patterns))):
        selected[:, :, pattern] = table[:, some] @ there[some] > 0
    asked = pairs.query_kind.with_other(pairs.grid.lengths, lambda query, n: query * size + n - 1)
    found, cell_asked = asked.distinct(queries * size)
    rows = selected.reshape(-1, len(values.patterns))[found]
    cell_row = cell_asked.map(_row_numbers(rows).__getitem__)
    _, first, which = np.unique(cell_row.numbers, return_index=True, return_inverse=True)
    unions = _Unions(values)
    index = np.empty(len(first), dtype=np.intp)
    for at in np.argsort(first).tolist():
        index[at] = unions.number(np.flatnonzero(rows[cell_asked.numbers[first[at]]]))
    return tuple(unions.found), Cells.of(pairs.grid, cell_row.map(lambda _: index[which]).full)


def _row_numbers(table: BoolTable) -> Ints:
    """A number for every row, the same for equal ones."""
    number, count = np.zeros(len(table), dtype=np.intp), 1
    for column in np.packbits(table, axis=1).T:
        found, number = distinct(number * 256 + column, count * 256)
        count = len(found)
    return number


def _selected_by_length(pairs: Pairs, values: ValueSet) -> tuple[Sequence[Ints], Cells]:
    """The same for all selectors and values, from all pairs of every length."""
    unions = _Unions(values)
    cell_set = np.empty(len(pairs.grid), dtype=np.intp)
    for n in range(1, pairs.grid.max_length + 1):
        row = pairs.grid.row(n)
        some = pairs.of_length(pairs.some, n)
        patterns, selected = _selected_patterns(some, values.cell_pattern.row(n), len(values.patterns))
        cell_set[row] = [unions.number(patterns[mask]) for mask in selected]
    return tuple(unions.found), Cells.of(pairs.grid, cell_set)


class _Unions:
    """The codes that are in some of the patterns of a value set: the distinct sets `found`, in order."""

    def __init__(self, values: ValueSet) -> None:
        self.values = values
        self.found: list[Ints] = []
        self._numbers: dict[bytes, int] = {}
        self._of_patterns: dict[bytes, int] = {}

    def number(self, patterns: Ints) -> int:
        """Which of the sets is the union of some patterns."""
        key = patterns.tobytes()
        if key not in self._of_patterns:
            codes = union([self.values.patterns[p] for p in patterns.tolist()], len(self.values.universe))
            self._of_patterns[key] = self._numbers.setdefault(codes.tobytes(), len(self.found))
            if self._of_patterns[key] == len(self.found):
                self.found.append(codes)
        return self._of_patterns[key]


def _selected_patterns(some: BoolTable, patterns: Ints, count: int) -> tuple[Ints, BoolTable]:
    """The distinct patterns of the keys, of `count` there are, and which of them each query may select."""
    found, which = distinct(patterns, count)
    if len(found) == 1:
        return found, np.any(some, axis=1, keepdims=True)
    if len(found) == len(patterns):
        return found, some[:, np.argsort(which)]
    return found, some.astype(np.float32) @ np.eye(len(found), dtype=np.float32)[which] > 0

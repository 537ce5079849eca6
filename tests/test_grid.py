"""Numbers over all cells, kept by what decides them, and counts of ordered keys without a table of all pairs."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest

from compiler.facts import Facts
from compiler.options import Options
from compiler.pipeline import Compilation
from compiler.values import analysis
from compiler.values import grid as grids
from compiler.values.categorical import Tuples
from compiler.values.grid import Along, Cells, PositionGrid
from compiler.values.ordered import ordered_counts
from compiler.values.sets import Packed, Ranges, ValueSet, codes_of, grouped, sizes, union
from compiler.values.width_bounds import Pairs, _selected_by_kind, _selected_by_length
from rasp.errors import Refusal
from rasp.graph import SelectorWidth, SOp, aggregate, indices, length, select, tokens, where
from rasp.operations import COMPARISONS

GRID = PositionGrid(5)
BY: dict[Along, Cells] = {
    "nothing": GRID.same(3),
    "position": GRID.positions,
    "length": GRID.lengths,
    "end": GRID.lengths.with_other(GRID.positions, np.subtract),
    "cell": GRID.lengths.with_other(GRID.positions, np.multiply),
}
PLACES: list[Callable[[], SOp]] = [
    lambda: indices,
    lambda: 3 - indices,
    lambda: indices * 2 - 3,
    lambda: length,
    lambda: length - 1 - indices,
    lambda: length * indices,
    lambda: indices * 0 + 2,
]
BY_PLACE: dict[Along, SOp] = {
    "nothing": indices * 0 + 3,
    "position": indices,
    "length": length,
    "end": length - indices,
    "cell": length * indices,
}


@pytest.mark.parametrize("along", BY)
def test_numbers_are_kept_by_what_decides_them(along: Along) -> None:
    cells = BY[along]
    assert cells.along == along
    assert [cells.row(n).tolist() for n in range(1, 6)] == [cells.full[GRID.row(n)].tolist() for n in range(1, 6)]
    assert Cells.of(GRID, cells.full.copy()).along == along


@pytest.mark.parametrize("one", BY)
@pytest.mark.parametrize("other", BY)
def test_functions_of_two_numbers_are_those_of_each_cell(one: Along, other: Along) -> None:
    found = BY[one].with_other(BY[other], lambda a, b: a * 7 + b)
    assert found.tolist() == (BY[one].full * 7 + BY[other].full).tolist()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("op", COMPARISONS)
def test_ordered_keys_are_counted_as_pairs_are(op: str, causal: bool) -> None:
    for keys in (indices, 2 - indices):
        for query in PLACES:
            width = SelectorWidth(select(keys, query(), op))
            facts = Compilation({"": width + 0 * length}, Options("ab", 6, causal=causal)).checked
            conjunction = facts.conjunctions.get(width.selector)
            if conjunction is None:
                continue
            found, pairs = ordered_counts(facts.values, conjunction), Pairs(facts.values, conjunction)
            assert found is not None
            assert [side.tolist() for side in found] == [pairs.counts(pairs.some).tolist()] * 2


@pytest.mark.parametrize("queries", BY)
@pytest.mark.parametrize("places", BY)
def test_values_selected_by_kinds_are_those_of_all_pairs(queries: Along, places: Along) -> None:
    value = where(tokens == "a", indices % 3, BY_PLACE[places])
    chosen = select(indices % 4 + BY_PLACE[places] % 2, BY_PLACE[queries] % 5, ">=")
    facts = Compilation({"": aggregate(chosen, value)}, Options("ab", 7)).facts
    facts.examine([aggregate(chosen, value)])
    pairs, values = Pairs(facts.values, facts.conjunctions[chosen]), facts.values[value]
    found, expected = _selected_by_kind(pairs, values), _selected_by_length(pairs, values)
    assert found is not None
    assert [side.tolist() for side in found[0]] == [side.tolist() for side in expected[0]]
    assert (found[1].along, found[1].tolist()) == (expected[1].along, expected[1].tolist())


def test_bounds_stand_for_counts_where_there_are_too_many_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    width = SelectorWidth(select(indices, indices + 2, "<"))
    facts = Compilation({"": width}, Options("ab", 6)).checked
    exact = facts.values.width_bounds(width.selector).low
    monkeypatch.setattr(grids, "MOST_CELLS", 5)
    bounds = ordered_counts(facts.values, facts.conjunctions[width.selector])
    assert bounds is not None
    assert (bounds[0].along, bounds[1].along, exact.along) == ("position", "position", "cell")
    for n in range(1, 7):
        assert np.all(bounds[0].row(n) <= exact.row(n))
        assert np.all(exact.row(n) <= bounds[1].row(n))


def test_what_would_take_a_number_for_each_of_too_many_cells_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grids, "MOST_CELLS", 5)
    with pytest.raises(Refusal, match="the length and the position together, and 15 pairs of them are too many"):
        _ = PositionGrid(5).lengths.with_other(PositionGrid(5).positions, np.add)


def test_ranges_are_sets_of_codes() -> None:
    ranges = Ranges(np.array([0, 2, 2, 7, 7]), np.array([1, 5, 5, 7, 9]))
    listed = [ranges[at] for at in range(5)]
    assert union(ranges, 10).tolist() == union(listed, 10).tolist() == [0, 2, 3, 4, 7, 8]
    assert ranges.flat.tolist() == np.concatenate(listed).tolist()
    some, other = (grouped(sets, GRID.positions, range(10)) for sets in (ranges, listed))
    assert (some.universe, sets_of(some)) == (other.universe, sets_of(other))
    table = np.arange(36).reshape(6, 6) % 5 == 0
    assert np.array_equal(some.any(table)[some.cell_pattern.full], other.any(table)[other.cell_pattern.full])


def test_packed_sets_are_sets_of_codes() -> None:
    listed = [np.array(codes, dtype=np.intp) for codes in ([3, 5], [], [0], [1, 2, 9])]
    packed = Packed(np.concatenate(listed), np.array([2, 2, 3, 6]))
    for found, wanted in ((packed, listed), (packed[1:3], listed[1:3]), (packed[2:], listed[2:])):
        assert [codes.tolist() for codes in found] == [codes.tolist() for codes in wanted]
        assert sizes(found).tolist() == sizes(wanted).tolist()
    number, place = np.array([3, 0, 3, 2]), np.array([2, 1, 0, 0])
    for sets in (packed, listed):
        assert codes_of(sets, number, place).tolist() == [9, 5, 1, 0]


@pytest.mark.parametrize("at_once", [1, 7, 1 << 20])
def test_products_of_patterns_are_found_a_part_at_a_time(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analysis, "_AT_ONCE", at_once)
    grid = PositionGrid(3)
    left = Tuples((tokens,), np.arange(3)[:, None], [np.array([0, 2]), np.array([1])], by_position(grid, [0, 0, 1]))
    codes = Ranges(np.array([0, 1]), np.array([2, 4]))
    found = analysis._Product((tokens, indices), left, ValueSet((5, 6, 7, 8), codes, by_position(grid, [0, 1, 1])), 12)
    wanted = [[0, 1, 8, 9], [1, 2, 3, 9, 10, 11], [5, 6, 7]]
    assert [found.reached[places].tolist() for places in found.tuples.patterns] == wanted
    assert found.reached.tolist() == sorted({code for codes in wanted for code in codes})


def by_position(grid: PositionGrid, numbers: list[int]) -> Cells:
    return Cells(grid, "position", np.array(numbers))


def test_combinations_are_counted_without_keeping_them() -> None:
    values, both = Facts(Options("abc", 9)).values, (length, indices, tokens)
    assert values.combinations(both) == 3 * 45
    assert both not in values._tuples
    assert values.combinations(both) == len(values.tuples(both).codes)


def sets_of(values: ValueSet) -> list[list[int]]:
    return [values.patterns[pattern].tolist() for pattern in values.cell_pattern.tolist()]


@pytest.mark.parametrize("program", [length - 1 - indices, aggregate(select(indices, length - 1 - indices), tokens)])
def test_memory_of_an_analysis_grows_with_the_length(program: SOp) -> None:
    def most(size: int) -> int:
        facts = Compilation({"": program}, Options("ab", size)).facts
        tracemalloc.start()
        facts.examine([program])
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    most(100)
    assert most(800) < 2.5 * most(400)

"""Value sets: whatever the interpreter gives on an input of length n at position i is in the set of cell (n, i)."""

from __future__ import annotations

import itertools
import math
import random
from contextlib import suppress

import numpy as np
import pytest

from compiler.facts import Facts
from compiler.options import Options
from compiler.source_map import SourceMap
from compiler.values.aggregates import _mean_values, _Numbering
from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import value_key
from compiler.values.grid import PositionGrid
from compiler.values.linear import LinearForms
from compiler.values.sets import ValueSet
from compiler.values.width_bounds import _selected_patterns
from rasp.errors import Failures, RaspError, Refusal
from rasp.graph import (
    Constant,
    SelectorWidth,
    SOp,
    aggregate,
    full,
    indicator,
    indices,
    length,
    select,
    selector_width,
    tokens,
    tokens_asis,
    tokens_int,
    topological,
    where,
)
from rasp.interpret import Run, run
from rasp.operations import Atom
from tests.random_graphs import random_case

BEFORE = select(indices, indices, "<")
UP_TO = select(indices, indices, "<=")
SAME = select(tokens, tokens)
ATOMS: tuple[Atom, ...] = (0, 1, True, 0.0, -0.0, 0.5, "", "a", 2**80)


def analysis_of(root: SOp, vocabulary: tuple[Atom, ...] = ("a", "b"), max_length: int = 3) -> ValueAnalysis:
    facts = Facts(Options(vocabulary, max_length))
    facts.check([root], SourceMap())
    return facts.values


def cell(values: ValueSet, n: int, i: int) -> set[Atom]:
    """What is possible at position i of an input of length n."""
    codes = values.patterns[values.cell_pattern.row(n)[i]]
    return {values.universe[code] for code in codes.tolist()}


@pytest.mark.parametrize(
    ("node", "at", "expected"),
    [
        (tokens, (2, 0), {"a", "b"}),
        (indices, (3, 2), {2}),
        (length, (2, 0), {2}),
        (length - 1 - indices, (3, 0), {2}),
        (length - indices * 0 == 3, (3, 1), {True}),
        (selector_width(BEFORE), (3, 2), {2}),
        (selector_width(SAME), (3, 0), {1, 2, 3}),
        (selector_width(SAME & BEFORE), (3, 1), {0, 1}),
        (aggregate(select(indices, indices - 1), tokens, "-"), (3, 0), {"-"}),
        (aggregate(select(indices, indices - 1), tokens, "-"), (3, 1), {"a", "b"}),
        (aggregate(UP_TO, indicator(tokens == "a")), (3, 0), {0, 1}),
        (aggregate(UP_TO, indicator(tokens == "a")), (3, 1), {0.0, 0.5, 1.0}),
        (aggregate(full, indices, "-"), (1, 0), {0}),
        (tokens + tokens, (1, 0), {"aa", "bb"}),
        (where(tokens == "a", tokens == "a", tokens == "b"), (1, 0), {True}),
    ],
)
def test_cells(node: SOp, at: tuple[int, int], expected: set[Atom]) -> None:
    values = analysis_of(node)[node]
    assert cell(values, *at) == expected


def listed_cells(analysis: ValueAnalysis, node: SOp) -> list[set[object]]:
    values = analysis[node]
    sets = [{value_key(values.universe[code]) for code in codes.tolist()} for codes in values.patterns]
    return [sets[pattern] for pattern in values.cell_pattern.tolist()]


def has_no_value(run: Run, root: SOp) -> bool:
    try:
        run.sop(root)
    except RaspError:
        return True
    return False


def check_superset(root: SOp, vocabulary: tuple[Atom, ...], max_length: int) -> int:
    """How many values were looked up; AssertionError at one that is not in its set."""
    analysis = analysis_of(root, vocabulary, max_length)
    nodes = [node for node in topological([root]) if isinstance(node, SOp)]
    cells = {node: listed_cells(analysis, node) for node in nodes if analysis[node].listed}
    looked = 0
    for n in range(1, max_length + 1):
        for given in itertools.product(vocabulary, repeat=n):
            run = Run(given)
            if any(max(run.sop(selector_width(selector)).tolist()) > 1 for selector in analysis.single):
                assert has_no_value(run, root), (analysis.single, given)
                continue
            for node in nodes:
                try:
                    found = run.sop(node).tolist()
                except RaspError:
                    continue
                for i, value in enumerate(found):
                    looked += 1
                    if node in cells:
                        assert value_key(value) in cells[node][n * (n - 1) // 2 + i], (node, given, i, value)
                    else:
                        low, high = analysis[node].range
                        assert low - 1e-9 <= value <= high + 1e-9, (node, given, i, value)
    return looked


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_what_happens_is_in_the_sets(first: int) -> None:
    looked = 0
    for seed in range(first, first + 50):
        case = random_case(seed, longest=3, depth=4)
        with suppress(Refusal, Failures):
            looked += check_superset(case.root, case.vocabulary[:2], max_length=4)
    assert looked > 20_000


def test_marked_keys_are_counted_from_both_sides() -> None:
    node = selector_width(SAME & BEFORE)
    analysis = analysis_of(node, max_length=4)
    assert isinstance(node, SelectorWidth)
    widths = analysis.width_bounds(node.selector)
    assert widths.low.max() == 0
    assert widths.high.tolist() == [i for n in range(1, 5) for i in range(n)]


def test_where_an_operation_fails_no_value_is_listed() -> None:
    inverse = 1 / tokens_int
    node = where(inverse > 0, inverse, 0)
    analysis = analysis_of(node, (0, 1, 2))
    assert set(analysis[node].universe) == {1.0, 0.5}
    assert list(analysis.partial) == [inverse]


def test_what_never_has_a_value_is_refused() -> None:
    with pytest.raises(Refusal, match="has no value on any input"):
        analysis_of(1 / (indices - indices))


def test_means_that_are_too_many_are_bounds() -> None:
    node = aggregate(UP_TO, tokens_asis)
    values = analysis_of(2 * node - 1, (0.1, 0.75, -2.5), max_length=30)[2 * node - 1]
    assert not values.listed
    assert values.range == (-6.0, 0.5)


def test_few_means_of_floats_are_listed_as_the_interpreter_rounds_them() -> None:
    node = aggregate(full, tokens_asis)
    values = analysis_of(node, (0.1, 0.2, 0.7), max_length=3)[node]
    inputs = [given for n in (1, 2, 3) for given in itertools.product((0.1, 0.2, 0.7), repeat=n)]
    assert set(values.universe) == {run(node, given)[0] for given in inputs}


def test_ints_are_never_twins_and_floats_only_side_by_side() -> None:
    values = analysis_of(tokens_asis, (1, 2, 10**16, 2**53, 2**53 + 1))[tokens_asis]
    assert values.numerically_equal == (0, 1, 2, 3, 4)
    floats = (1.0, 1.0 + 4e-13, 1.0 + 8e-13, 1, 0.3, 0.1 + 0.2, 0.0, 5e-17)
    assert analysis_of(tokens_asis, floats)[tokens_asis].numerically_equal == (0, 1, 1, 0, 4, 4, 6, 7)


def test_equal_numbers_of_several_types_are_twins() -> None:
    values = analysis_of(tokens_asis, (1, True, 1.0, 2, "1"))[tokens_asis]
    codes = values.numerically_equal
    assert len({codes[0], codes[1], codes[2]}) == 1
    assert len(set(codes)) == 3


def test_codes_come_in_order_of_first_appearance() -> None:
    rng = random.Random(5)
    numbering = _Numbering()
    codes: dict[object, int] = {}
    for _ in range(200):
        atoms = [rng.choice(ATOMS) for _ in range(rng.randrange(4))]
        floats = [rng.randrange(-20, 20) / rng.choice([1, 2, 3, 7]) for _ in range(rng.randrange(9))]
        found = numbering.codes(atoms, np.array(floats, dtype=np.float64))
        expected = {codes.setdefault(value_key(value), len(codes)) for value in (*atoms, *floats)}
        assert found.tolist() == sorted(expected)
    assert [value_key(value) for value in numbering.universe()] == list(codes)
    assert numbering.count == len(codes)


@pytest.mark.parametrize("seed", range(60))
def test_every_mean_of_some_ints_is_found(seed: int) -> None:
    rng = random.Random(seed)
    scale = rng.choice([1, 3, 2**52 + 1, 2**900])
    candidates = sorted({rng.randrange(-3, 4) * scale for _ in range(rng.randrange(1, 4))})
    low, high = sorted((rng.randrange(4), rng.randrange(5)))
    result = _mean_values(candidates, low, high, "none")
    assert result is not None
    found = {value_key(value) for value in (*result[0], *result[1].tolist())}
    for size in range(low, high + 1):
        for chosen in itertools.combinations_with_replacement(candidates, size):
            mean = "none" if size == 0 else chosen[0] if size == 1 else sum(chosen) / size
            assert value_key(mean) in found


def test_marked_patterns_are_those_of_the_marked_keys() -> None:
    rng = np.random.default_rng(1)
    for count in (1, 2, 5, 40):
        for n in (1, 4, 9):
            some, patterns = rng.random((n, n)) < 0.3, rng.integers(0, count, n)
            for keys in (patterns, np.zeros(n, dtype=int), rng.permutation(40)[:n]):
                found, marked = _selected_patterns(some, keys, 40)
                for query in range(n):
                    assert found[marked[query]].tolist() == sorted(set(keys[some[query]].tolist()))


def test_linear_forms_are_exact() -> None:
    form = LinearForms()[(indices * 3 - length / 4 + 0.1) / 2 - indices]
    assert form is not None
    assert {str(node): weight for node, weight in form.weights.items()} == {"indices": 0.5, "length": -0.125}
    assert math.isclose(form.constant, 0.05)
    product = LinearForms()[indices * length]
    assert product is not None
    assert set(product.weights) == {indices * length}
    assert LinearForms()[indices + Constant("x")] is not None
    assert LinearForms()[Constant("x")] is None


def test_cells_of_a_length_are_together() -> None:
    grid = PositionGrid(4)
    assert len(grid) == 10
    assert grid.length[grid.row(3)].tolist() == [3, 3, 3]
    assert grid.position[grid.row(3)].tolist() == [0, 1, 2]


def test_sums_that_lie_far_apart_are_listed_without_what_is_between() -> None:
    total, facts = indices * 10**15 + length, Facts(Options("ab", 3))
    assert facts.compiles(total)
    assert sorted(facts.values[total].universe) == [at * 10**15 + size for at in range(3) for size in range(at + 1, 4)]

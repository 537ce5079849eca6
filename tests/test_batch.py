"""Long inputs and whole batches: what the interpreter's own rules say, without a matrix."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from rasp.batch import evaluation, ragged, selection
from rasp.batch.run import BatchRun, runs
from rasp.errors import DataFault, RaspError
from rasp.graph import (
    Selector,
    SOp,
    aggregate,
    apply,
    full,
    indicator,
    indices,
    select,
    select_best,
    selector_width,
    tokens,
    tokens_asis,
)
from rasp.interpret import Run, run
from rasp.language.program import load_program
from rasp.meaning import EvaluationFault
from rasp.operations import Atom, Operation
from tests.wild_graphs import wild

BEFORE = select(indices, indices, "<")
TWO_ORDERS = select(tokens, tokens, "<") & BEFORE
NOWHERE_SORTED = TWO_ORDERS & select(indices * indices % 7919, indices, ">") & select(-indices % 1009, indices % 7, ">")


def outcome(root: SOp, given: tuple[Atom, ...], causal: bool) -> list[tuple[str, str]] | str:
    """Every value with its type, or the whole error."""
    try:
        return [(type(value).__name__, repr(value)) for value in run(root, given, causal=causal)]
    except RaspError as error:
        return str(error)


@pytest.mark.parametrize("way", ["runs", "cells", "small blocks", "nothing kept"])
def test_without_matrices_everything_is_as_with_them(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All node kinds, ties, mixed types, −0.0, ints beyond 2⁶³, floats that nearly agree, nan, causal; errors too."""
    cost = 0.0 if way in ("runs", "nothing kept") else 1e18
    monkeypatch.setattr(selection, "_RUN_START", cost)
    monkeypatch.setattr(selection, "_RUN_POSITION", cost)
    if way == "small blocks":
        monkeypatch.setattr(ragged, "MAX_CELLS", 16)
    if way == "nothing kept":
        monkeypatch.setattr(evaluation, "KEPT_POSITIONS", 0)
    for seed in range(500):
        drawn = wild(seed)
        with monkeypatch.context() as patch:
            wanted = outcome(drawn.root, drawn.inputs[0], drawn.causal)
            patch.setattr("rasp.interpret.SHORT", 0)
            assert outcome(drawn.root, drawn.inputs[0], drawn.causal) == wanted, f"seed {seed}: {drawn}"


PROGRAMS = {
    "reverse": "abcdef",
    "histogram": "abcdef",
    "sort": "abcdef",
    "running_maximum": "31415926",
    "most_frequent": "abcde",
    "dyck2": "()[]",
    "dyck2_plain": "()[]",
    "running_fraction": "abcd",
    "long_addition": "0123456789+",
    "induction": "abcdef",
    "rules": "xabcde:>;",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_on_long_inputs_make_no_cells(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sop, rng = load_program(f"programs/{name}.rasp").sop(), random.Random(1)
    given = rng.choices(PROGRAMS[name], k=400)
    monkeypatch.setattr("rasp.interpret.SHORT", 400)
    wanted = run(sop, given)
    monkeypatch.setattr("rasp.interpret.SHORT", 0)
    monkeypatch.setattr(selection.Selection, "cells", None)
    assert run(sop, given) == wanted


@pytest.mark.parametrize(
    "selector",
    [
        TWO_ORDERS,
        select(tokens, tokens, ">=") & select(indices, indices, ">"),
        select(tokens, tokens, "<=") & select(indices, indices % 50, ">=") & select(indices % 3, indices % 2),
        select(tokens, tokens, ">") & ~BEFORE & select(tokens, "c", "!="),
        ~TWO_ORDERS | select(tokens, tokens),
        select(indices % 7, indices % 5, ">") & select(indices % 11, indices % 13, "<"),
        select_best(select(tokens, tokens, ">") & BEFORE, indices % 9),
    ],
)
@pytest.mark.parametrize("causal", [False, True])
def test_two_orders_at_once_make_no_cells(selector: Selector, causal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    given = tuple(random.Random(3).choices("abcdef", k=170))
    roots = selector_width(selector), aggregate(selector, indices * indices, -1)
    monkeypatch.setattr("rasp.interpret.SHORT", 170)
    wanted = [outcome(root, given, causal) for root in roots]
    monkeypatch.setattr("rasp.interpret.SHORT", 0)
    monkeypatch.setattr(selection, "_RUN_START", 0.0)
    monkeypatch.setattr(selection, "_RUN_POSITION", 0.0)
    monkeypatch.setattr(selection.Selection, "cells", None)
    assert [outcome(root, given, causal) for root in roots] == wanted


def test_an_input_without_means_stands_beside_one_of_infinite_ones() -> None:
    inputs = [("a", "b"), (math.inf, 1.7e308, 1.7e308)]
    assert BatchRun.of(inputs).sop(aggregate(full, tokens_asis)).lists() == [None, [math.inf] * 3]


def test_a_hundred_thousand_tokens() -> None:
    given = random.Random(2).choices("abcdefgh", k=100_000)
    assert run(load_program("programs/sort.rasp").sop(), given) == sorted(given)
    assert run(load_program("programs/reverse.rasp").sop(), given) == given[::-1]
    counts = Counter(given)
    assert run(selector_width(select(tokens, tokens)), given) == [counts[token] for token in given]


def test_the_first_position_is_found_from_a_mean_over_all() -> None:
    length = round(1 / aggregate(full, indicator(indices == 0)))
    assert run(length, "ab" * 30_000) == [60_000] * 60_000


def test_numpy_floats_are_floats(monkeypatch: pytest.MonkeyPatch) -> None:
    given = tuple(np.array([1.5, 2.5, 0.25]))
    wanted = run(aggregate(full, tokens_asis), given)
    monkeypatch.setattr("rasp.interpret.SHORT", 0)
    assert run(aggregate(full, tokens_asis), given) == wanted


def test_what_selectors_select_is_forgotten_once_it_is_read() -> None:
    fresh = Run("ab" * 500)
    fresh.sop(aggregate(select_best(NOWHERE_SORTED, indices), tokens, ""))
    assert not fresh._long.selection._marks


def test_a_selector_is_a_matrix_where_it_is_shown() -> None:
    matrix = Run("ab" * 100).selector(TWO_ORDERS)
    assert matrix.shape == (200, 200)
    assert matrix[199, :4].tolist() == [True, False, True, False]
    assert not matrix[0].any()


def test_cells_are_refused_before_hours_are_spent_on_them() -> None:
    with pytest.raises(EvaluationFault, match=r"90,000,000,000 cells \(300,000 tokens\) .* and select"):
        run(selector_width(select_best(NOWHERE_SORTED, indices) & NOWHERE_SORTED), "ab" * 150_000)


def typed(values: list[Atom] | None) -> list[tuple[str, str]] | None:
    return None if values is None else [(type(value).__name__, repr(value)) for value in values]


@pytest.mark.parametrize(("cost", "cells"), [(0.0, 1 << 20), (1e18, 1 << 20), (1e18, 40)])
def test_a_batch_is_its_inputs_one_by_one(cost: float, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs of several lengths; where one of them is an error, that says nothing of the others."""
    monkeypatch.setattr(selection, "_RUN_START", cost)
    monkeypatch.setattr(selection, "_RUN_POSITION", cost)
    monkeypatch.setattr(ragged, "MAX_CELLS", cells)
    for seed in range(100):
        drawn = wild(seed, count=8)
        batch = BatchRun.of(drawn.inputs, causal=drawn.causal)
        found = batch.sop(drawn.root).lists()
        for at, given in enumerate(drawn.inputs):
            wanted = outcome(drawn.root, given, drawn.causal)
            alone = str(batch.error(drawn.root, at)) if found[at] is None else typed(found[at])
            assert alone == wanted, f"seed {seed}, input {at}: {drawn}"


def test_the_cells_of_a_batch() -> None:
    run_ = BatchRun("ab", np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0]]), np.array([3, 1, 2]), causal=True)
    cells = run_.selector(select(tokens, tokens))
    assert cells[0].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert cells[1].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert cells[2].tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_a_batch_has_columns_of_codes_and_of_numbers() -> None:
    batch = BatchRun("ab", np.array([[0, 1, 1], [1, 0, 0]]), np.array([3, 2]))
    found = batch.sop(tokens + "!")
    assert found.levels[found.codes[0]].tolist() == ["a!", "b!", "b!"]
    assert found.codes[1, 2] == -1
    numbers = batch.numbers(indices * 2)
    assert numbers is not None
    assert numbers.tolist() == [[0, 2, 4], [0, 2, 0]]
    assert batch.numbers(tokens) is None


def test_an_operation_runs_once_for_each_tuple_of_values() -> None:
    seen: list[Atom] = []
    counted = apply(Operation.python(lambda token: seen.append(token) or token), tokens)  # type: ignore[func-returns-value]
    assert BatchRun("abc", np.array([[0, 1], [1, 0], [0, 0]])).sop(counted).lists() == [
        ["a", "b"],
        ["b", "a"],
        ["a"] * 2,
    ]
    assert sorted(seen) == ["a", "b"]


@pytest.mark.parametrize(
    ("ids", "lengths", "words"),
    [
        (np.zeros((0, 3)), None, "a batch needs inputs of 1 to 3 tokens"),
        (np.zeros((1, 3)), np.array([0]), "a batch needs inputs of 1 to 3 tokens"),
        (np.zeros((1, 3)), np.array([4]), "a batch needs inputs of 1 to 3 tokens"),
        (np.full((1, 1), 2), None, "ids are places in the vocabulary, 0 to 1"),
        (np.full((1, 1), -1), None, "ids are places in the vocabulary, 0 to 1"),
    ],
)
def test_what_is_no_batch(ids: np.ndarray, lengths: np.ndarray | None, words: str) -> None:
    with pytest.raises(DataFault, match=words):
        BatchRun("ab", ids, lengths)


@pytest.mark.parametrize("inputs", [[], [["a"], []], [[None]]])
def test_what_is_no_list_of_inputs(inputs: list[list[Atom]]) -> None:
    with pytest.raises(DataFault, match=r"a batch needs inputs|a NoneType, not a string or a number"):
        BatchRun.of(inputs)


def test_many_runs_know_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rasp.batch.run.CHUNK", 4)
    root = 1 / (indices - 2)
    each = list(runs(root, ["ab", "cd", "efg", "h"]))
    assert [run_.tokens for run_ in each] == [["a", "b"], ["c", "d"], ["e", "f", "g"], ["h"]]
    assert each[1].sop(root).tolist() == [-0.5, -1.0]
    with pytest.raises(EvaluationFault, match="division by zero at position 2"):
        each[2].sop(root)


def test_the_example_of_the_documentation() -> None:
    sort = load_program("programs/sort.rasp").sop()
    batch = BatchRun("a-c", np.array([[2, 1, 0], [1, 0, 0]]), np.array([3, 2]))
    assert batch.sop(sort).lists() == [["a", "b", "c"], ["a", "b"]]
    assert batch.defined(sort).tolist() == [True, True]

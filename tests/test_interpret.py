"""The interpreter: what every node means on one input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rasp.errors import DataFault, TypeFault, ValueFault
from rasp.graph import (
    Constant,
    Selector,
    SOp,
    aggregate,
    apply,
    full,
    indicator,
    indices,
    length,
    select,
    select_best,
    selector_width,
    sop,
    tokens,
    tokens_asis,
    tokens_bool,
    tokens_float,
    tokens_int,
    where,
)
from rasp.interpret import Run, run
from rasp.meaning import EvaluationFault, mean
from rasp.operations import Atom, Operation

BEFORE = select(indices, indices, "<")
UP_TO = select(indices, indices, "<=")
SELF = select(indices, indices, "==")
NOBODY = select(indices, -1, "==")


def typed(values: list[Atom]) -> list[tuple[str, Atom]]:
    return [(type(value).__name__, value) for value in values]


@pytest.mark.parametrize(
    ("node", "given", "values"),
    [
        (tokens, [1, 2.5, "a", True], ["1", "2.5", "a", "True"]),
        (tokens_asis, [1, 2, True], [1, 2, True]),
        (tokens_int, "012", [0, 1, 2]),
        (tokens_float, [1, "2.5"], [1.0, 2.5]),
        (tokens_bool, [0, "", "x"], [False, False, True]),
        (indices, "abc", [0, 1, 2]),
        (length, "abc", [3, 3, 3]),
        (Constant("x"), "ab", ["x", "x"]),
        (where(indices > 0, 1, 2.0), "ab", [2.0, 1]),
    ],
)
def test_values_keep_their_types(node: SOp, given: list[Atom], values: list[Atom]) -> None:
    assert typed(run(node, given)) == typed(values)


@pytest.mark.parametrize(
    ("selector", "value", "default", "values"),
    [
        (NOBODY, indices, 7, [7, 7, 7]),
        (NOBODY, tokens, 0, [0, 0, 0]),
        (NOBODY, tokens, "-", ["-", "-", "-"]),
        (SELF, indices, 0, [0, 1, 2]),
        (SELF, tokens, 0, ["a", "b", "c"]),
        (SELF, indices == 1, 0, [False, True, False]),
        (SELF, indices / 1, 0, [0.0, 1.0, 2.0]),
        (BEFORE, indices + 1, 0, [0, 1, 1.5]),
        (BEFORE, indices + 1, -0.5, [-0.5, 1, 1.5]),
        (UP_TO, indices, "none", [0, 0.5, 1.0]),
        (full, indices, 0, [1.0, 1.0, 1.0]),
        (full, indices * 10**300, 0, [1e300, 1e300, 1e300]),
        (full, sop(0.1), 0, [0.1, 0.1, 0.1]),
    ],
)
def test_aggregates(selector: Selector, value: SOp, default: Atom, values: list[Atom]) -> None:
    assert typed(run(aggregate(selector, value, default), "abc")) == typed(values)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (tokens, "only numbers have a mean, found strings"),
        (indices == 1, "only numbers have a mean, found bools"),
    ],
)
def test_no_mean_but_of_numbers(value: SOp, words: str) -> None:
    with pytest.raises(EvaluationFault, match=words) as caught:
        run(aggregate(UP_TO, value), "ab")
    assert caught.value.node is aggregate(UP_TO, value)
    assert typed(run(aggregate(UP_TO, value), "a")) == typed(run(value, "a"))


def test_a_mean_is_rounded_once() -> None:
    tenths = [0.1] * 10
    assert mean(np.array(tenths)) == 0.1
    assert mean(np.array([1e16, 1.0, -1e16, 1.0])) == 0.5
    assert mean(np.array([2**62, 2**62 + 2**12, 2**62 + 2**12])) == round((3 * 2**62 + 2**13) / 3)
    values = [0.1, 0.7, 1e-9, 123.456]
    assert len({mean(np.array(values[turn:] + values[:turn])) for turn in range(4)}) == 1


@pytest.mark.parametrize(
    ("op", "rows"),
    [
        ("==", [[1, 0], [0, 1]]),
        ("!=", [[0, 1], [1, 0]]),
        ("<", [[0, 0], [1, 0]]),
        ("<=", [[1, 0], [1, 1]]),
        (">", [[0, 1], [0, 0]]),
        (">=", [[1, 1], [0, 1]]),
    ],
)
def test_comparisons_read_key_then_query(op: str, rows: list[list[int]]) -> None:
    assert run(select(indices, indices, op), "ab") == rows


@pytest.mark.parametrize(
    ("selector", "rows"),
    [
        (select(tokens, "a", "=="), [[1, 0, 1]] * 3),
        (~select(tokens, "a", "=="), [[0, 1, 0]] * 3),
        (SELF | BEFORE, [[1, 0, 0], [1, 1, 0], [1, 1, 1]]),
        (full & ~SELF, [[0, 1, 1], [1, 0, 1], [1, 1, 0]]),
        (select(1, 2, "=="), [[0, 0, 0]] * 3),
        (select_best(full, indices), [[0, 0, 1]] * 3),
        (select_best(full, -indices), [[1, 0, 0]] * 3),
        (select_best(full, indicator(tokens == "a")), [[1, 0, 1]] * 3),
        (select_best(BEFORE, sop(0)), [[0, 0, 0], [1, 0, 0], [1, 1, 0]]),
        (select_best(select(tokens, tokens), indices), [[0, 0, 1], [0, 1, 0], [0, 0, 1]]),
        (select_best(full, sop(10**30) + indices), [[0, 0, 1]] * 3),
        (select_best(full, indices / 3), [[0, 0, 1]] * 3),
    ],
)
def test_selectors(selector: Selector, rows: list[list[int]]) -> None:
    assert run(selector, "aba") == rows
    assert run(selector_width(selector), "aba") == [sum(row) for row in rows]


def test_large_ints_compare_exactly() -> None:
    assert run(select(tokens_int, 2**53, "=="), [2**53, 2**53 + 1]) == [[1, 0], [1, 0]]
    assert run(select(tokens_int, float(2**53), "=="), [2**53, 2**53 + 1]) == [[1, 0], [1, 0]]


@pytest.mark.parametrize(
    ("node", "given", "words"),
    [
        (1 / (indices - 1), "ab", r"division by zero at position 1 \(given the int 1, the int 0\)"),
        (tokens + indices, "ab", 'at position 0 .given the string "a", the int 0.'),
        (tokens_int, ["1", "x"], 'the string "x" cannot be read as an int at position 1'),
        (tokens < indices, "ab", "cannot order"),
        (select(tokens, indices, "<"), "ab", "cannot order"),
        (apply(Operation.element([5]), indices), "ab", "index 1 is outside a list of 1 at position 1"),
        (apply(Operation.entry([("a", 1)]), tokens), "ab", 'the string "b" is not a key'),
        (where(indices > 0, tokens, indices), "ab", "strings and numbers stand together"),
        (aggregate(BEFORE, tokens, 0), "ab", "strings and numbers stand together"),
        (selector_width(select_best(full, tokens)), "ab", "select_best needs a score of numbers, found strings"),
        (round(indices * math.inf), "ab", "round needs a finite number"),
    ],
)
def test_errors_name_node_position_and_values(node: SOp, given: list[Atom], words: str) -> None:
    with pytest.raises(EvaluationFault, match=words) as caught:
        run(node, given)
    assert isinstance(caught.value, ValueFault)
    assert repr(caught.value.node) in caught.value.message


@pytest.mark.parametrize(
    ("given", "words"), [([], "at least one token"), (["a", None], "token 1 of the input is a NoneType")]
)
def test_bad_inputs(given: list[Atom], words: str) -> None:
    with pytest.raises(DataFault, match=words):
        run(tokens, given)


def test_what_is_no_node_cannot_run() -> None:
    with pytest.raises(TypeFault, match="expected an s-op or a selector, found int"):
        run(3, "ab")  # type: ignore[arg-type]


def test_a_node_is_evaluated_once() -> None:
    calls: list[Atom] = []

    def count(value: Atom) -> Atom:
        calls.append(value)
        return value

    counted = apply(Operation.python(count), indices)
    fresh = Run("abc")
    assert fresh.sop(counted + counted).tolist() == [0, 2, 4]
    assert fresh.sop(counted * 2).tolist() == [0, 2, 4]
    assert calls == [0, 1, 2]


def test_the_causal_mask_hides_later_keys() -> None:
    masked = Run("aba", causal=True)
    assert masked.selector(full).tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    assert masked.selector(~SELF).tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]
    assert masked.sop(length).tolist() == [1, 2, 3]
    assert masked.selector(select_best(full, indices)).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]


def test_a_selector_that_does_not_fit_into_memory_is_refused_before_it_is_made() -> None:
    with pytest.raises(EvaluationFault, match=r"40,000,000,000 cells \(200,000 tokens\).* in select\(indices, ind"):
        Run("a" * 200_000).selector(UP_TO)


def test_selectors_that_fit_one_by_one_are_refused_where_they_do_not_fit_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rasp.interpret.MAX_BYTES", 10 * 100)
    fresh = Run("a" * 10)
    fresh.selector(UP_TO), fresh.selector(BEFORE)
    with pytest.raises(EvaluationFault, match="100 cells"):
        fresh.selector(SELF)

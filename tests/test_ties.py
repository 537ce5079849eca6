"""Which of several floats the interpreter rounds a mean of means to, where a program asks for that."""

from __future__ import annotations

import pytest

from compiler.run.verify import verify
from compiler.values import aggregates
from rasp.graph import (
    SOp,
    Tokens,
    aggregate,
    apply,
    full,
    indicator,
    indices,
    select,
    select_best,
    selector_width,
    tokens,
    tokens_int,
    where,
)
from rasp.interpret import run
from tests.exact import exact

BEFORE = select(indices, indices, "<")
TENTHS = tokens_int / 10
MEAN = aggregate(BEFORE, TENTHS, 0.15)
ASKED: dict[str, SOp] = {
    "above": MEAN > 0.15,
    "equal": MEAN == 0.15,
    "rounded": apply("round", MEAN * 10),
    "in one case": where(indices > 2, MEAN, 1 - MEAN) <= 0.15,
    "computed with": (MEAN * 2 > 0.3) | (MEAN + indices == 2.15),
    "in a selector": selector_width(select(MEAN, 0.15, ">") & select(tokens, tokens, "==")),
    "in another selector": selector_width(select(MEAN, 0.15, ">") | select(tokens, tokens, "==")),
    "another default": aggregate(BEFORE, TENTHS, 0.3) > 1 / 6,
    "of sums": aggregate(full, TENTHS + tokens_int / 5) <= 0.6,
}

SUM = aggregate(full, indicator(tokens == "a")) + aggregate(full, indicator(tokens == "b"))
PLACE = aggregate(select(tokens, tokens, ">="), tokens_int)


@pytest.fixture(params=["listed", "unlisted"])
def listed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "unlisted":
        monkeypatch.setattr(aggregates, "MAX_MEANS", 8)


def test_the_interpreter_tells_floats_apart_that_stand_for_one_number() -> None:
    assert run(MEAN, [1, 2, 3])[2] == 0.15000000000000002
    assert run(MEAN, [1, 1, 1, 3, 1])[4] == 0.15


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("name", ASKED)
def test_the_float_of_a_mean_is_told(name: str) -> None:
    assert verify(ASKED[name], exact(ASKED[name], (1, 2, 3), 5)).exhaustive


def test_keys_are_ranked_by_the_float_of_a_mean() -> None:
    root = aggregate(select_best(full, MEAN), indices)
    assert verify(root, exact(root, (1, 2, 3), 4)).exhaustive


def test_the_float_of_a_mean_of_many_numbers_is_told() -> None:
    root = aggregate(select(tokens, tokens, "=="), Tokens("float") * indices) > 0.35
    exact(root, (0.1, 0.25, 2.5), 12, dtype="float64")


def test_what_is_averaged_is_told_apart_as_well() -> None:
    root = aggregate(full, aggregate(BEFORE, TENTHS) + 0.1) < 0.25
    assert verify(root, exact(root, (1, 2, 3), 4)).exhaustive


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize("op", ["<", "==", ">"])
def test_a_default_beside_means_that_may_be_another_float(op: str) -> None:
    """Nothing selected is exactly 0.5, and so is the mean for 1, 1, 3, but for 1, 2, 2 it is the next float."""
    mean = aggregate(BEFORE, TENTHS + tokens_int / 5, 0.5)
    assert run(mean, [1, 2, 2, 1])[::3] == [0.5, 0.5000000000000001]
    assert verify(apply(op, mean, 0.5), exact(apply(op, mean, 0.5), (1, 2, 3), 4)).exhaustive


@pytest.mark.parametrize("root", [SUM > 0.6, selector_width(select(SUM, 0.6, ">"))])
def test_where_one_mean_for_a_sum_does_not_decide_both_are_looked_at(root: SOp) -> None:
    """0.2 + 0.4 is above 0.6, and 0.6 + 0.0 is not."""
    assert [sum(run(SUM, text)) / 5 > 0.6 for text in ("abbcc", "aaacc")] == [True, False]
    assert verify(root, exact(root, "abc", 5)).exhaustive


def test_a_sum_that_ties_in_many_places() -> None:
    root = aggregate(BEFORE, indices, 0) + aggregate(BEFORE, PLACE, 0) > tokens_int
    assert verify(root, exact(root, (0, 1, 3), 5)).exhaustive


def test_a_tie_at_zero_where_floats_are_dense() -> None:
    root = aggregate(BEFORE, PLACE - 1, 0) < 0
    assert verify(root, exact(root, (0, 1, 2), 5)).exhaustive
    root = aggregate(select(tokens, tokens, "=="), Tokens("float") * indices - indices / 3) > 0
    assert verify(root, exact(root, (0.1, 2.5), 8, dtype="float64")).exhaustive

"""Counterfactuals: what comes out if an s-op were another value at some position, interpreted and in models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import rasp
from rasp.errors import DataFault, NameFault, ValueFault
from rasp.graph import aggregate, elementwise, full, indices, select, selector_width, tokens

PROGRAMS = Path(__file__).parent.parent / "programs"
DYCK = rasp.load(PROGRAMS / "dyck2.rasp")["dyck2"]
COUNT = selector_width(select(tokens, tokens)).named("count")


def test_an_s_op_has_other_values_at_some_positions() -> None:
    assert rasp.evaluate(COUNT + 1, "aab", given={"count": {0: 7, 2: 9}}) == [8, 3, 10]
    assert rasp.evaluate(COUNT + 1, "aab", given={COUNT: {1: 0}}) == [3, 1, 2]
    assert rasp.evaluate(COUNT, "aab", given={"count": {1: 0}}) == [2, 0, 1]
    assert rasp.evaluate(COUNT, "aab", given={}) == [2, 2, 1]


def test_what_reads_it_reads_the_other_value() -> None:
    assert rasp.evaluate(aggregate(full, COUNT), "aab", given={"count": {2: 2}}) == [2, 2, 2]
    assert rasp.evaluate(DYCK, "([])") == ["P", "P", "P", "T"]
    assert rasp.evaluate(DYCK, "([])", given={"level": {2: 1}}) == ["P", "P", "F", "F"]
    assert rasp.evaluate(select(COUNT, 2), "aab", given={"count": {0: 1}}) == [[False, True, False]] * 3


def test_long_inputs_are_as_short_ones() -> None:
    found = rasp.evaluate(COUNT + 1, "a" * 200, given={"count": {150: 5}})
    assert (found[149], found[150]) == (201, 6)


def test_interventions_are_json() -> None:
    shared: Any = json.loads(json.dumps({"count": {2: 5}}))
    assert rasp.evaluate(COUNT, "aab", given=shared) == [2, 2, 5]
    pairs = elementwise(lambda token, at: (token, at), tokens, indices).named("pairs")
    found = rasp.evaluate(pairs == ("z", 3), "ab", given={"pairs": {"1": ["z", 3]}})
    assert found == [False, True]


@pytest.mark.parametrize(
    ("given", "error", "reason"),
    [
        ({"cuont": {0: 1}}, NameFault, "there is count"),
        ({tokens == "a": {0: 1}}, NameFault, "does not read"),
        ({"count": {3: 1}}, DataFault, "positions are 0 to 2"),
        ({"count": {-1: 1}}, DataFault, "has no position -1"),
        ({"count": {"x": 1}}, DataFault, "has no position x"),
        ({"count": {0: {}}}, DataFault, "never a dict"),
        ({"count": {0: "a"}}, ValueFault, "strings and numbers stand together"),
    ],
)
def test_what_is_no_intervention_is_said(given: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error) as found:
        rasp.evaluate(COUNT + 1, "aab", given=given)
    assert reason in str(found.value)


def test_a_name_of_two_s_ops_is_not_enough() -> None:
    one, two = (indices + 1).named("x"), (indices + 2).named("x")
    with pytest.raises(NameFault, match="2 s-ops are called x"):
        rasp.evaluate(one + two, "a", given={"x": {0: 1}})


def test_graphs_are_inputs_of_calls_too() -> None:
    near = aggregate(rasp.relation("edge"), indices, -1)
    assert near({"tokens": ["a", "b"], "edge": [[0, 1]]}) == [-1, 0]

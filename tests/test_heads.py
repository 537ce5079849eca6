"""Selectors as attention heads: every comparison and combination, empty rows, widths, defaults, shared heads."""

from __future__ import annotations

import math
import string

import numpy as np
import pytest

import compiler.plan
from compiler.gadgets.attention import HeadPlan, plan_head
from compiler.pipeline import compile_sop
from compiler.run.verify import verify
from compiler.selectors import Conjunction, conjunction
from compiler.storage import Storage
from compiler.values.analysis import ValueAnalysis
from rasp.errors import RaspError, Refusal
from rasp.graph import (
    Selector,
    SOp,
    aggregate,
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
from rasp.interpret import run
from rasp.layers import Head
from rasp.operations import Atom
from tests.exact import exact

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
SAME = select(tokens, tokens)
SELF = select(indices, indices)
BEFORE = select(indices, indices, "<")
PREVIOUS = select(indices, indices - 1)
COUNT = selector_width(SAME)


@pytest.mark.parametrize("op", COMPARISONS)
@pytest.mark.parametrize(
    ("keys", "queries", "vocabulary"),
    [
        (tokens, tokens, "abc"),
        (indices, indices, "a"),
        (indices, length - 1 - indices, "a"),
        (tokens_int, indices, (0, 1, 3)),
        (indices, tokens_int, (-1, 0, 2)),
        (tokens_float, tokens_float, (0.5, -1.5, 0.25)),
        (tokens_float, indices, (0.5, 1.0, 2)),
        (tokens_bool, tokens_asis == 1, (0, 1, 2)),
        (tokens_asis, True, (False, True, 1, 2.5)),
        (COUNT, COUNT, "ab"),
        (COUNT, indices, "ab"),
        (COUNT % 2, sop(1), "ab"),
        (tokens, "b", "abc"),
        (2, indices, "a"),
        (2, 1, "a"),
    ],
)
def test_comparisons(op: str, keys: SOp | Atom, queries: SOp | Atom, vocabulary: tuple[Atom, ...]) -> None:
    exact(selector_width(select(keys, queries, op)), vocabulary, 4)


SELECTORS = [
    full,
    ~full,
    ~SAME,
    ~~SAME,
    SAME & BEFORE,
    SAME & ~BEFORE,
    SAME | BEFORE,
    ~(SAME | BEFORE),
    ~(SAME & ~BEFORE),
    SAME & BEFORE & select(tokens, "a"),
    (SAME & BEFORE) | (~SAME & ~BEFORE),
    (SAME | BEFORE) & (select(tokens, "a") | SELF),
    select(tokens, "a") | select("b", tokens),
    select(tokens, "a") & select("b", tokens),
    SAME & ~SAME,
    SAME | ~SAME,
    select(COUNT, COUNT, "<") | (select(COUNT, COUNT) & BEFORE),
    select(COUNT, 2) | select(indices, COUNT, ">"),
    select(indices, 0) & select(COUNT, length),
]


@pytest.mark.parametrize("selector", SELECTORS)
def test_combinations(selector: Selector) -> None:
    exact(selector_width(selector), "ab", 4)
    exact(aggregate(selector, indices, -1), "ab", 4)
    exact(aggregate(selector, indicator(tokens == "a"), 0.5), "ab", 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("value", "default", "vocabulary"),
    [
        (tokens, "", "abc"),
        (tokens, "a", "abc"),
        (tokens, "not a token", "abc"),
        (indices, 0, "a"),
        (indices, -1, "a"),
        (indices * 7 - 3, 100, "a"),
        (tokens_asis, 0, (-1, -2, 5)),
        (tokens_asis, 0.5, (0.25, -0.75)),
        (tokens_asis, False, (True, False)),
        (tokens == "a", True, "ab"),
        (tokens + "!", "", "ab"),
        (sop("x"), "y", "ab"),
        (sop(3), 4, "ab"),
        (COUNT, 0, "ab"),
        (where(tokens == "a", COUNT, -COUNT), 0, "ab"),
    ],
)
def test_copies_of_every_type(value: SOp, default: Atom, vocabulary: tuple[Atom, ...], dtype: str) -> None:
    exact(aggregate(PREVIOUS, value, default), vocabulary, 5, dtype=dtype)


@pytest.mark.parametrize(
    "root",
    [
        aggregate(SELF, indices, "none") + 1,
        aggregate(full, indices, "none") * 2,
        aggregate(full, indices, "none") == 0,
        aggregate(full, indices, "none") - aggregate(full, indices * indices, "nobody"),
        aggregate(full, aggregate(full, indices, "none"), "none"),
        selector_width(select(aggregate(SELF, indices, "none"), 1)),
        aggregate(BEFORE, tokens == "a", "none"),
    ],
)
def test_a_string_default_beside_numbers(root: SOp) -> None:
    exact(root, "ab", 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "root",
    [
        aggregate(select(tokens, "a"), indices, "none"),
        aggregate(select(tokens, "a"), -indices, ""),
        aggregate(select(tokens, "a"), indices, "none") == "none",
        aggregate(select(tokens, "a") & SAME, length / 2, "none"),
        aggregate(select(tokens, "a"), indicator(tokens == "b"), "no a") == 1,
        aggregate(SELF, aggregate(select(tokens, "a"), indices, "none"), "none"),
    ],
)
def test_a_mean_or_a_string(root: SOp, dtype: str) -> None:
    exact(root, "abc", 4, dtype=dtype)


WAS_A = aggregate(PREVIOUS, tokens == "a")


@pytest.mark.parametrize(
    "root",
    [
        aggregate(full, WAS_A),
        aggregate(SAME, WAS_A) > 0.4,
        aggregate(select_best(full, WAS_A), indices),
        aggregate(BEFORE, WAS_A, 0.5),
        aggregate(BEFORE, WAS_A, "none"),
    ],
)
def test_means_of_bools_beside_numbers(root: SOp) -> None:
    exact(root, "abc", 5)


@pytest.mark.parametrize("vocabulary", [(True, False, 0), (1, 3, True), (True, 2), (False, -1, True)])
@pytest.mark.parametrize(
    "root",
    [
        aggregate(full, tokens_asis),
        aggregate(full, tokens_asis) > 0.4,
        aggregate(SAME, tokens_asis, True),
        aggregate(BEFORE, tokens_asis, 7) == aggregate(full, tokens_asis),
        aggregate(SAME & BEFORE, tokens_asis) + aggregate(SAME & BEFORE, -tokens_asis),
    ],
)
def test_a_mean_needs_a_number_among_bools(root: SOp, vocabulary: tuple[Atom, ...]) -> None:
    model = compile_sop(root, vocabulary, 4)
    found = verify(root, model)
    assert found.counterexample is None
    assert 0 < found.undefined < found.count


@pytest.mark.parametrize(
    "root",
    [
        aggregate(~full, aggregate(BEFORE, "a")) + aggregate(BEFORE, "a", 3),
        aggregate(~full, where(tokens_asis == 1, tokens, 3)),
        aggregate(~full, where(tokens_asis == 1, tokens, 3)) + length,
    ],
)
def test_what_is_never_marked_needs_no_mean(root: SOp) -> None:
    for vocabulary in (("a", 1), (1, True)):
        assert verify(root, compile_sop(root, vocabulary, 3)).counterexample is None


def test_a_key_without_a_value_is_an_error() -> None:
    root = aggregate(select(2 / indices, tokens_int, ">="), length + 1)
    model = compile_sop(root, (1, 2), 4)
    found = verify(root, model)
    assert (found.counterexample, found.undefined) == (None, found.count)


def test_a_mean_of_floats_needs_a_number_among_bools() -> None:
    root = aggregate(full, tokens_asis)
    found = verify(root, compile_sop(root, (1, 0.25, True), 4))
    assert (found.counterexample, found.undefined) == (None, 3)


def test_copies_of_strings_and_bools() -> None:
    root = aggregate(select(tokens_asis, tokens_asis) & BEFORE, tokens_asis, True)
    assert verify(root, compile_sop(root, ("a", True, False), 4)).counterexample is None


@pytest.mark.parametrize(
    "root",
    [
        selector_width(select(tokens_asis, tokens_asis, "<")),
        selector_width(select(tokens_asis, tokens_asis, ">=") | SELF),
        selector_width(select(tokens_asis, indices, "<=")),
        aggregate(select(tokens_asis, "b", ">"), indices),
        aggregate(select(1, aggregate(select(indices, 1), tokens_asis), "<"), indices),
        selector_width(~select(tokens_asis, aggregate(PREVIOUS, tokens_asis), ">")),
    ],
)
def test_strings_and_numbers_in_one_order_are_an_error(root: SOp) -> None:
    found = verify(root, compile_sop(root, ("a", 1, 0), 4))
    assert found.counterexample is None
    assert 0 < found.undefined < found.count


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("selector", [full, SAME, select(indices, indices, "<="), BEFORE])
@pytest.mark.parametrize(
    "value",
    [
        indices,
        -indices,
        indicator(tokens == "a"),
        where(tokens == "a", -1, 1),
        where(tokens == "a", 0.1, -2.5),
        indices * indices,
        where(tokens == "a", 1000, 0),
        COUNT,
        aggregate(SAME, indices),
        aggregate(BEFORE, indices, 1),
    ],
)
def test_means(selector: Selector, value: SOp, dtype: str) -> None:
    exact(aggregate(selector, value), "ab", 5, dtype=dtype)


def test_several_aggregates_of_one_selector_are_one_head() -> None:
    root = aggregate(SAME, indices) + aggregate(SAME, indices * 2, 1)
    assert exact(root).weights.heads == [1]


def test_copies_of_several_types_share_a_head() -> None:
    root = where(aggregate(PREVIOUS, tokens, "") == "a", aggregate(PREVIOUS, indices, -1), 9)
    assert exact(root).weights.heads == [1]


def test_a_selector_written_twice_is_one_head() -> None:
    root = selector_width(select(tokens, tokens)) + selector_width(select(tokens, tokens, "=="))
    assert exact(root).weights.heads == [1]


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_equal_tokens(count: int) -> None:
    model = compile_sop(COUNT, ("a", "b"), 40)
    assert model.run("a" * count).output == [count] * count


@pytest.mark.parametrize("max_length", [100, 200, 400])
def test_length_of_long_inputs(max_length: int) -> None:
    model = compile_sop(length, ("a",), max_length)
    for n in (1, max_length // 2, max_length - 1, max_length):
        assert model.run(["a"] * n, engine="reference").output == [n] * n
        assert model.run(["a"] * n).output == [n] * n


def test_softmax_is_exactly_uniform() -> None:
    model = exact(aggregate(SAME, indices), "ab", 5)
    (head,) = model.run("ababa").attention[0]
    expected = np.array(run(SAME, "ababa"), dtype=float)
    assert (head[1:, 1:] == (expected / expected.sum(axis=1, keepdims=True)).astype(np.float32)).all()
    assert (head[1:, 0] == 0).all()


def test_an_empty_row_attends_to_bos_alone() -> None:
    model = exact(aggregate(BEFORE & SAME, indices), "ab", 5)
    (head,) = model.run("ab").attention[0]
    assert (head[:, 0] == 1).all()


def test_a_width_gives_bos_a_share() -> None:
    model = exact(selector_width(SAME), "ab", 5)
    (head,) = model.run("aaab").attention[0]
    assert head[1:, 0].tolist() == [0.25, 0.25, 0.25, 0.5]


def test_a_conjunction_adds_scores() -> None:
    assert len(conjunction(SAME & BEFORE & ~SELF).predicates) == 3
    assert len(conjunction(~(SAME | BEFORE)).predicates) == 2
    assert len(conjunction(SAME | BEFORE).predicates) == 1
    assert conjunction(select_best(SAME & BEFORE, indices)).scores == (indices,)


def test_an_equality_of_integers_needs_few_dimensions() -> None:
    model = exact(aggregate(select(indices, length - 1 - indices), tokens, "-"), "ab", 30)
    (_, (head,)) = [layer.heads for layer in model.layers]
    assert head.W_Q.shape[1] <= 4


@pytest.mark.parametrize("size", [4, 5, 8, 9, 27])
def test_an_equality_of_tokens_compares_codes_of_bits(size: int) -> None:
    model = exact(selector_width(SAME), string.ascii_lowercase[:size], 4, count=100)
    (head,) = model.layers[0].heads
    bits = (size - 1).bit_length()
    assert head.W_Q.shape[1] == bits + 1
    assert model.weights.d_model <= bits + 4


@pytest.mark.parametrize("query", ["b", "z", where(tokens < "c", tokens + "x", "zx")])
def test_what_matches_nothing_has_no_code(query: SOp | str) -> None:
    pair = aggregate(select(indices, indices - 1), tokens, "-") + tokens
    exact(selector_width(select(pair, query)), "abcxz", 4, count=100)
    exact(selector_width(select(tokens + "x", query)), "abcxz", 4, count=100)


FAR = where(tokens == "a", 10**6, 0)
BEFORE_BY_ONE = select_best(PREVIOUS, FAR)


def test_squares_that_are_too_large_beside_a_score_give_way_to_codes() -> None:
    model = exact(aggregate(BEFORE_BY_ONE, tokens, "-"), "abc", 6)
    assert model.layers[0].heads[0].W_Q.shape[1] == 1 + 3 + 1


def test_the_certificate_adds_up_all_that_a_score_is_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    def unlimited(
        layer: int, head: Head, selector: Conjunction, analysis: ValueAnalysis, storage: Storage, limit: float
    ) -> HeadPlan:
        return plan_head(layer, head, selector, analysis, storage, math.inf)

    monkeypatch.setattr(compiler.plan, "plan_head", unlimited)
    with pytest.raises(Refusal, match=r"no certificate: .* scores are not exact integers"):
        compile_sop(aggregate(BEFORE_BY_ONE, tokens, "-"), "abc", 6)


def test_equal_columns_are_one_dimension() -> None:
    model = exact(selector_width(select(tokens, "e", "<")), "abcdefgh", 3, count=100)
    assert model.layers[0].heads[0].W_Q.shape[1] <= 2


@pytest.mark.parametrize(
    ("selector", "score"),
    [
        (full, indices),
        (full, -indices),
        (SAME, indices),
        (BEFORE, indicator(tokens == "a")),
        (select(tokens, "a"), COUNT),
        (SAME & BEFORE, -indices),
        (full, COUNT),
        (full, where(tokens == "a", -2.5, 0.25)),
        (~full, indices),
        (full, sop(1)),
        (SAME | BEFORE, indices % 2),
    ],
)
def test_select_best(selector: Selector, score: SOp) -> None:
    best = select_best(selector, score)
    exact(aggregate(best, indices, -1), "ab", 4)
    exact(aggregate(best, indicator(tokens == "a"), 0.5), "ab", 4)


def test_select_best_copies_strings() -> None:
    exact(aggregate(select_best(full, indices), tokens), "abc", 4)
    exact(aggregate(select_best(SAME & BEFORE, indices), tokens + "!", "-"), "abc", 4)


def test_a_string_and_a_number_cannot_be_ordered() -> None:
    with pytest.raises(Refusal, match="cannot order"):
        compile_sop(selector_width(select(tokens, tokens_int, "<")), ("1", "2"), 3)


def test_two_numbers_are_told_apart_no_more_coarsely_than_the_other_needs() -> None:
    """Only the two together tell where the quotient has no value, so they may not both be read as one class."""
    second = selector_width(select(1, indices, "=="))
    root = length / (second + indicator(length != 2))
    model = compile_sop(root, ("x",), 6, causal=True)
    for n in range(1, 7):
        assert model.run("x" * n).output == run(root, "x" * n, causal=True)
    with pytest.raises(RaspError, match="has a value"):
        compile_sop(length / second, ("x",), 6, causal=True).run("xx")

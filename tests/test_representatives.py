"""Comparisons of means whose values are too many to list."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from compiler.options import Options
from compiler.pipeline import Compilation, compile_sop
from compiler.rewrites import linear
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from compiler.tensors import named_tensors, with_tensors
from compiler.values import aggregates
from compiler.values.progressions import Means, Progression
from compiler.values.representatives import threshold_tests
from rasp.errors import Refusal
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
from rasp.operations import Atom
from tests.exact import exact

SAME = select(tokens, tokens, "==")
PLACE = aggregate(SAME, indices)
NUMBER = aggregate(select(indices, indices, "<"), tokens_int, -1)
FLOATS = aggregate(SAME, Tokens("float") * indices)

TESTED: dict[str, tuple[SOp, tuple[Atom, ...]]] = {
    "above": (PLACE > 1, ("a", "b")),
    "at least a number": (PLACE - indices >= 0, ("a", "b")),
    "equal": (PLACE - indices == 0, ("a", "b")),
    "not equal": (PLACE != 1.5, ("a", "b")),
    "rounded": (apply("round", PLACE), ("a", "b", "c")),
    "rounded and computed with": (apply("round", PLACE * 2 + 1) % 3, ("a", "b")),
    "linear": (PLACE * 2 - indices > 1.5, ("a", "b")),
    "scaled by a number": (NUMBER * tokens_int > indices, (-2, 1, 3)),
    "divided by a number": (NUMBER / (indices + 1) < 0.5, (0, 1, 2)),
    "of both sides": (NUMBER > 1 - NUMBER, (0, 1)),
    "logic": (((PLACE > 1) & (tokens == "a")) | ~(PLACE - indices < 0), ("a", "b")),
    "truth": (where(NUMBER, 1, 2) + indicator(NUMBER), (0, 1, 2)),
    "conditional": (where(PLACE > 1, tokens, "small"), ("a", "b")),
    "compared in a selector": (aggregate(select(PLACE > 1, True, "=="), tokens, "none"), ("a", "b")),
    "counted": (selector_width(select(apply("round", PLACE), indices, "==")), ("a", "b")),
    "a string or a number": (
        aggregate(select(indices, indices - 1, "=="), indices, "none") == PLACE,
        ("a", "b"),
    ),
    "queries of a selector": (aggregate(select(indices, PLACE, "=="), tokens, "none"), ("a", "b")),
    "keys of a selector": (selector_width(select(PLACE * 2 - indices, indices, "<=")), ("a", "b")),
    "both sides of one selector": (
        selector_width(select(PLACE, 1, ">") | (select(indices, PLACE, "<") & ~select(tokens, "a", "=="))),
        ("a", "b"),
    ),
    "inside select_best": (aggregate(select_best(select(PLACE, 1.5, "<"), indices), tokens), ("a", "b")),
    "default is the threshold": (NUMBER == -1, (-3, 1, 2)),
    "of a mean": (aggregate(full, NUMBER) > 0.487, (0, 1)),
    "floats between": (FLOATS > 0.777, (0.1, 0.25, 2.5)),
    "two comparisons in two layers": (aggregate(select(PLACE > 1, True, "=="), PLACE) > 1.257, ("a", "b")),
}


PRODUCTS: dict[str, tuple[SOp, tuple[Atom, ...]]] = {
    "times a number": (NUMBER * tokens_int, (-2, 0, 3)),
    "times a bool": (PLACE * (tokens == "a"), ("a", "b")),
    "divided by a number": ((NUMBER + 1) / (indices + 2), (-1, 0, 2)),
    "one case or another": (where(tokens == "a", PLACE, indices - 2 * PLACE), ("a", "b")),
    "the distance": (where(PLACE - indices > 0, PLACE - indices, indices - PLACE), ("a", "b")),
    "the distance, compared": (where(PLACE - indices > 0, PLACE - indices, indices - PLACE) > 0.8, ("a", "b")),
    "one of two means": (where(tokens == 1, PLACE, NUMBER) + 1, (0, 1)),
    "a factor that is always 0": (where(tokens == "a", PLACE, NUMBER) + 1, (0, 1)),
    "negative part": (where(NUMBER < 0, NUMBER, 0), (-2, 1, 2)),
    "the mean of products": (aggregate(full, (NUMBER + 1) * tokens_int), (1, 2)),
    "the mean of products, compared": (aggregate(SAME, PLACE * tokens_int) > 0.377, (-1, 2)),
    "half": (PLACE / 2 - 1, ("a", "b")),
    "factor of the same layer": (PLACE * selector_width(SAME), ("a", "b")),
}


FRACTION = aggregate(full, indicator(tokens == "a")), aggregate(full, indicator(tokens == "b"))
UP_TO = aggregate(select(indices, indices, "<="), indicator(tokens == "a"), 1)
OPS = ("<", "<=", ">", ">=", "==", "!=")


@pytest.fixture
def unlisted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MAX_MEANS", 3)


@pytest.mark.usefixtures("unlisted")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*TESTED, *PRODUCTS])
def test_comparisons_and_products_are_exact(name: str, dtype: str) -> None:
    root, vocabulary = {**TESTED, **PRODUCTS}[name]
    model = exact(root, vocabulary, 5, dtype=dtype)
    assert verify(root, model).exhaustive


@pytest.mark.usefixtures("unlisted")
def test_the_certificate_notices_a_changed_product() -> None:
    made = Compilation({"": NUMBER * tokens_int}, Options((-2, 0, 3), 5))
    tensors, noticed = named_tensors(made.weights), 0
    prefix = next(name for name in tensors if name.endswith("W_in")).removesuffix("W_in")
    for name in ("W_in", "b_in", "W_out"):
        tensor = tensors[prefix + name]
        for place in zip(*tensor.nonzero(), strict=True) if name != "b_in" else [(0,), (1,)]:
            changed = tensor.copy()
            changed[place] += 0.5
            weights = with_tensors(made.weights, {prefix + name: changed})
            try:
                made.certify(weights)
            except Refusal as error:
                noticed += "no certificate" in str(error)
                continue
            assert verify(NUMBER * tokens_int, CompiledModel(weights)).counterexample is None
    assert noticed >= 8


@pytest.mark.parametrize("name", ["above", "at least a number", "equal", "rounded", "logic", "conditional"])
def test_long_inputs(name: str) -> None:
    root, vocabulary = TESTED[name]
    assert not Compilation({"": PLACE}, Options(vocabulary, 90)).checked.values[PLACE].listed
    exact(root, vocabulary, 90, count=60)


def test_the_number_itself_is_still_an_output() -> None:
    model = compile_sop(PLACE, "ab", 90)
    assert verify(PLACE, model, count=60).counterexample is None


@pytest.mark.usefixtures("unlisted")
def test_the_certificate_notices_a_moved_threshold() -> None:
    made = Compilation({"": PLACE > 1}, Options(("a", "b"), 6))
    (feed_forward,) = made.weights.layers[0].feed_forwards
    for unit in range(len(feed_forward.b_in)):
        bias = feed_forward.b_in.copy()
        bias[unit] += 8
        with pytest.raises(Refusal, match="no certificate"):
            made.certify(with_tensors(made.weights, {"layers.0.mlps.0.b_in": bias}))
    assert CompiledModel(made.weights).run("abaa").output == [True, False, True, True]


@pytest.mark.parametrize(
    ("root", "vocabulary", "max_length", "dtype", "message"),
    [
        (aggregate(full, PLACE) > 3.5, ("a", "b"), 90, "float64", "a matter of rounding"),
        (PLACE + 1e17 - 1e17 > 20, ("a", "b"), 90, "float64", "matter of rounding|how floats are rounded"),
        (PLACE > 20.123456, ("a", "b"), 90, "float32", "too close to tell apart in float32"),
        (selector_width(select(PLACE, PLACE, "<")), ("a", "b"), 90, "float64", "no score says which keys fit"),
        (apply("^", PLACE, 2) == 4, ("a", "b"), 90, "float64", "too many to list"),
    ],
)
def test_what_rounding_decides_is_refused(
    root: SOp, vocabulary: tuple[Atom, ...], max_length: int, dtype: str, message: str
) -> None:
    with pytest.raises(Refusal, match=message):
        compile_sop(root, vocabulary, max_length, dtype=dtype)


def test_a_mean_with_too_many_values_to_combine_becomes_a_number_with_bounds() -> None:
    distance = where(PLACE - indices > 0, PLACE - indices, indices - PLACE)
    alone = Compilation({"": PLACE > 3}, Options(("a", "b"), 40))
    assert alone.checked.values[PLACE].listed
    with_others = Compilation({"": distance > 2}, Options(("a", "b"), 40))
    assert not with_others.checked.values[PLACE].listed
    exact(distance > 2, "ab", 40, count=60)


@pytest.mark.parametrize("step", [Fraction(1), Fraction(1, 2), Fraction(0)])
@pytest.mark.parametrize("sizes", [range(1, 2), range(1, 6), range(3, 5)])
def test_the_values_next_to_a_threshold(step: Fraction, sizes: range) -> None:
    low, high, others = Fraction(-1), Fraction(2) if step else Fraction(-1), (Fraction(7),)
    means = Means(Progression(low, step, low, high, Fraction(0)), sizes, others)
    count = int((high - low) / step) if step else 0
    every = {low + k * step / m for m in sizes for k in range(m * count + 1)} | set(others)
    for threshold in (Fraction(n, 7) for n in range(-20, 60)):
        expected = {
            max((v for v in every if v < threshold), default=None),
            min((v for v in every if v > threshold), default=None),
        }
        expected |= {v for v in every if v == threshold}
        found = means.around(threshold)
        assert found is not None
        assert found == sorted(found)
        assert set(found) == expected - {None}


def test_the_progression_of_a_mean_of_means_holds_them_all() -> None:
    analysis = Compilation({"": NUMBER}, Options((0, 1, 3), 4)).checked.values
    assert analysis[NUMBER].listed
    progression = analysis.progressions[NUMBER + 1]
    found = {sum(some) / Fraction(len(some)) for m in (1, 2, 3) for some in product((0, 1, 3), repeat=m)} | {
        Fraction(-1)
    }
    for value in found:
        place = (value + 1 - progression.base) / (progression.step or 1)
        assert place.denominator == 1
        assert progression.low <= value + 1 <= progression.high


def test_what_is_asked_of_a_number() -> None:
    analysis = Compilation({"": PLACE}, Options("ab", 4)).checked.values
    tests = threshold_tests(analysis, (PLACE > 3) & (apply("round", PLACE * 2) == indices), PLACE)
    assert tests is not None
    assert [test.right is None for test in tests] == [False, True]
    assert threshold_tests(analysis, PLACE % 2, PLACE) is None
    assert threshold_tests(analysis, PLACE * PLACE > 2, PLACE) is None
    assert threshold_tests(analysis, PLACE + 1, PLACE) is None
    assert threshold_tests(analysis, PLACE + apply("round", PLACE) > 2, PLACE) is not None


@pytest.mark.usefixtures("unlisted")
def test_what_reads_itself_twice_is_looked_at_once() -> None:
    doubled = chosen = PLACE
    for step in range(40):
        doubled = doubled + doubled
        chosen = where(indices > step % 4, chosen + 1, chosen)
    for root in (doubled > 3 * 2**40, chosen > 21.5, aggregate(full, chosen) > 21.377):
        assert verify(root, exact(root, "ab", 4)).exhaustive


@pytest.mark.usefixtures("unlisted")
def test_a_number_of_too_many_branches_is_refused() -> None:
    branched = PLACE
    for step in range(20):
        branched = where(branched > step, branched + branched, branched)
    with pytest.raises(Refusal, match="over 256 functions"):
        compile_sop(branched > 3, "ab", 4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("op", OPS)
def test_two_means_are_compared(op: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MANY", 3)
    for left, right in (FRACTION, (UP_TO, FRACTION[1]), (UP_TO, aggregate(SAME, indicator(tokens == "b"), 0))):
        root = apply(op, left, right)
        model = exact(root, "abc", 5, dtype=dtype)
        assert verify(root, model).exhaustive
        exact(where(root, tokens, "other"), "abc", 4, dtype=dtype)


def test_two_means_in_a_causal_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MANY", 3)
    root = FRACTION[0] > UP_TO / 1
    model = compile_sop(root, "ab", 6, causal=True)
    assert verify(root, model).exhaustive
    root = indicator(aggregate(SAME, indices) > FRACTION[0]) + indicator(FRACTION[1] == UP_TO)
    model = compile_sop(root, "ab", 6, causal=True)
    assert verify(root, model).exhaustive


def test_two_means_of_long_inputs() -> None:
    for left, right in (FRACTION, (UP_TO, FRACTION[1])):
        model = exact(left > right, "abc", 80, count=60)
        assert max(len(weights.b_in) for weights in model.weights.feed_forwards) <= 4


def test_the_certificate_notices_a_changed_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "MANY", 3)
    made = Compilation({"": apply("==", UP_TO, FRACTION[1])}, Options(("a", "b", "c"), 6))
    feed_forward, *_ = made.weights.feed_forwards
    tensors = {name: tensor for name, tensor in named_tensors(made.weights).items() if ".mlps.0." in name}
    assert feed_forward.W_in.shape[1] == 2
    for name, tensor in tensors.items():
        for place in np.ndindex(tensor.shape):
            changed = tensor.copy()
            changed[place] += 0.5
            with pytest.raises(Refusal, match="no certificate"):
                made.certify(with_tensors(made.weights, {name: changed}))


def test_means_that_rounding_makes_equal_are_not_compared() -> None:
    thirds = aggregate(SAME, Tokens("float"))
    with pytest.raises(Refusal):
        compile_sop(thirds > aggregate(full, Tokens("float")), (0.1, 0.2, 0.35), 40)


def test_what_would_need_too_many_neurons_is_refused() -> None:
    squares = aggregate(select(indices, indices, "<="), indices * (tokens == "a")) * FRACTION[0]
    with pytest.raises(Refusal, match=r"values that neurons would have to tell apart, over 10,000: .* parameters"):
        compile_sop(squares % 3, "ab", 18)


@pytest.mark.usefixtures("unlisted")
@pytest.mark.parametrize(("op", "expected"), [("==", True), ("<=", True), (">", False)])
def test_a_number_compared_with_itself(op: str, expected: bool) -> None:
    number = PLACE - NUMBER
    assert exact(apply(op, number, number), (0, 1), 5).run([0, 1]).output == [expected, expected]


@pytest.mark.usefixtures("unlisted")
def test_the_mean_of_a_selector_that_selects_nothing_is_the_default() -> None:
    exact(apply("round", aggregate(select(tokens, tokens, "!="), PLACE + NUMBER, 1)), (0,), 5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_choice_of_a_mean_whose_values_lie_too_close_together_is_one_of_a_number(dtype: str) -> None:
    """0.1 + 0.2 - 0.3 is not 0: a third of it and a quarter are two values of the mean."""
    change = where(tokens == "a", 0.1, where(tokens == "b", 0.2, -0.3))
    exact(where(indices > 0, aggregate(full, change), 1.5), "abc", 4, dtype=dtype)


@pytest.mark.parametrize("name", ["even", "what is left"])
def test_the_remainder_of_a_number_that_cannot_be_listed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MAX_MEANS", 3)
    root = {"even": NUMBER * 3 % 2 == 0, "what is left": apply("round", NUMBER * 2 % 3 + NUMBER)}[name]
    assert verify(root, exact(root, (-2, 0, 1), 5)).exhaustive

"""What is linear is free: counts, differences and their signs are one mean."""

import pytest

from compiler.tensors import parameter_counts
from rasp.errors import Refusal
from tests.exact import exact, program

_COUNTS = """
prefix = select(indices, indices, <=);
def how_many(b) { return round((indices + 1) * aggregate(prefix, indicator(tokens == b))); }
"""


@pytest.mark.parametrize(
    "text",
    [
        'how_many("a") - how_many("b");',
        'how_many("a") - how_many("b") < 0;',
        '0 < how_many("a") - how_many("b");',
        'how_many("a") >= how_many("b");',
        'how_many("a") + how_many("b") - how_many("c") > 0;',
        'how_many("a") == 0;',
        'how_many("a") - 1 > how_many("b");',
        'round(aggregate(prefix, indicator(tokens == "a")) * length) > 0;',
        'round(length * aggregate(full_s, indicator(tokens == "a"))) - how_many("a") > 0;',
        'aggregate(prefix, indices) - aggregate(prefix, indicator(tokens == "a")) <= 0;',
        "0 == aggregate(prefix, indices, 7) - indices;",
    ],
)
@pytest.mark.parametrize("length", [1, 4])
def test_signs_of_counts_are_those_of_the_program(text: str, length: int) -> None:
    exact(program(_COUNTS + "found = " + text), "abc", length)


def test_the_sign_of_a_difference_of_counts_is_that_of_one_mean() -> None:
    by_counts = exact(program(_COUNTS + 'found = how_many("a") - how_many("b") < 0;'), "ab", 20)
    by_means = exact(
        program('found = aggregate(select(indices, indices, <=), (1 if tokens == "a" else -1)) < 0;'), "ab", 20
    )
    assert parameter_counts(by_counts.weights)["total"] <= 1.2 * parameter_counts(by_means.weights)["total"]


@pytest.mark.parametrize("written", ["a - b", "a + b * -1", "-1 * b + a", "-b + a"])
def test_a_difference_is_one_however_it_is_written(written: str) -> None:
    means = "p = select(indices, indices, <=); a = aggregate(p, indices); b = aggregate(p, indicator(tokens == c));"
    model = exact(program(f'c = "a"; {means} found = {written} < 0;'), "ab", 12)
    assert parameter_counts(model.weights)["total"] < 1_000


def test_a_product_with_another_number_than_the_width_is_no_count() -> None:
    text = 'round((indices + 2) * aggregate(select(indices, indices, <=), indicator(tokens == "a"))) - indices > 0;'
    exact(program("found = " + text), "ab", 6)


@pytest.mark.parametrize(
    "text",
    [
        'aggregate(select(indices + (length - plus), indices, ==), tokens, "?");',
        'aggregate(select(indices, plus - indices, ==), tokens, "?");',
        "selector_width(select(plus + 1, indices, !=));",
        "has_focus(select(indices, 2 - plus, ==));",
        'aggregate(select(indices, plus + round(plus), ==), tokens, "?");',
        'selector_width(select(aggregate(select(tokens, "b", ==), indices, -1), plus, ==));',
        "selector_width(select(indices, 2 * plus, ==));",
    ],
)
@pytest.mark.parametrize("length", [1, 2, 6])
def test_a_mean_looks_up_an_integer_where_it_is_one(text: str, length: int) -> None:
    plus = 'plus = aggregate(select(tokens, "+", ==), indices);'
    exact(program(f"{plus} found = {text}"), "+ab", length)


def test_a_large_int_is_compared_with_a_float_as_the_program_does() -> None:
    exact(program("found = (tokens_float / 10 * 10 - tokens_int) == 0;"), (0, 9007199254740993), 2, dtype="float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mean_that_rounding_leads_to_another_integer_is_not_looked_up_by_its_own(dtype: str) -> None:
    """10¹⁷ + 1 is no float, so for plus = 1.0 the difference is 0 or 16."""
    plus = 'plus = aggregate(select(tokens, "+", ==), indices);'
    text = "select(indices, plus * 100000000000000001 - plus * 100000000000000000, ==)"
    with pytest.raises(Refusal, match="is a matter of rounding"):
        exact(program(f"{plus} found = aggregate({text}, 1, 9);"), "+a", 4, dtype=dtype)

"""Which values share a direction of the residual stream: floats side by side and equal numbers, never two ints."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.facts import Facts
from compiler.options import Options
from compiler.pipeline import compile_sop
from compiler.run.verify import verify
from compiler.values.sets import ValueSet
from rasp.errors import Refusal
from rasp.graph import (
    aggregate,
    indicator,
    indices,
    select,
    selector_width,
    tokens_asis,
    tokens_float,
    tokens_int,
    where,
)
from rasp.operations import Atom, atom_key
from tests.exact import exact

NUMBERS: tuple[Atom, ...] = (
    *(0.0, -0.0, 5e-17, 1e-12, 0.3, 0.1 + 0.2, -0.3, -0.1 - 0.2, 1, True, 1e18, -1e-300),
    *(1.0 + count * 9e-14 for count in range(12)),
    *(2**53, 2**53 + 1, 2.0**53, 2.0**53 + 2, 2**63, 2**63 + 1, 10**16, 1e16, -(2**53) - 1),
)
VOCABULARIES = st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=12, unique_by=atom_key)


def values_of(numbers: list[Atom]) -> ValueSet:
    return Facts(Options(tuple(numbers), 1)).values[tokens_asis]


@given(VOCABULARIES)
def test_a_twin_is_near_and_an_int_has_none(numbers: list[Atom]) -> None:
    """Within 1e-12 of its size, and not by way of a third; an int shares with what equals it."""
    values = values_of(numbers)
    for value, code in zip(values.universe, values.numerically_equal, strict=True):
        equal = values.universe[code]
        assert values.numerically_equal[code] == code
        assert value == equal or (type(value) is type(equal) is float and abs(value - equal) <= 1e-12 * abs(value))


@given(VOCABULARIES)
def test_equal_numbers_are_twins(numbers: list[Atom]) -> None:
    values = values_of(numbers)
    for (one, its), (other, equal) in itertools.combinations(
        zip(values.universe, values.numerically_equal, strict=True), 2
    ):
        assert one != other or its == equal


@given(VOCABULARIES)
def test_which_values_are_twins_does_not_depend_on_their_order(numbers: list[Atom]) -> None:
    found = [values_of(numbers), values_of(numbers[::-1])]
    one, other = (
        {(v, values.universe[t]) for v, t in zip(values.universe, values.numerically_equal, strict=True)}
        for values in found
    )
    assert one == other


def test_a_copy_reads_what_shares_a_direction_with_what_it_never_copies() -> None:
    """At the first position the mean is an int, 0 or 1; later ones hold 0.0 and 1.0 as well."""
    first = aggregate(select(indices, 0, "=="), aggregate(select(indices, indices, "<="), tokens_int))
    for root in (where(first == 1, "x", "y"), selector_width(select(first, indices, "=="))):
        assert verify(root, exact(root, (0, 1), 4)).exhaustive


def test_a_selector_compares_sums_whose_values_share_a_direction_by_their_ranks() -> None:
    """1/3 - 1 and 0 - 2/3 are two floats; nobody but the program knows that only one of them occurs."""
    after = select(indices, indices, ">=")
    number = aggregate(after, indicator(tokens_asis)) - aggregate(after, tokens_float)
    root = selector_width(select(number, number, "<="))
    assert verify(root, exact(root, (True, False), 3)).exhaustive


@pytest.mark.parametrize("large", [2**53 + 1, 10**30])
def test_an_int_that_no_float_holds_is_not_compared_beside_means(large: int) -> None:
    """One selected key gives the int itself, several the float of their mean, and the stream has a float for both."""
    for asked in (
        aggregate(select(tokens_asis, tokens_asis), tokens_asis, -999) == tokens_asis,
        aggregate(select(indices, indices, "<"), tokens_asis, ""),
    ):
        with pytest.raises(Refusal):
            compile_sop(asked, (large - 1, large), 3)

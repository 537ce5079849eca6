"""Functions of what a head copies are copied in its place, where they have fewer values."""

from __future__ import annotations

import pytest

from compiler.facts import Facts
from compiler.options import Options
from compiler.pipeline import compile
from compiler.rewrites.copies import Copies
from rasp.graph import SOp, aggregate, full, indices, select, selector_width, tokens, tokens_int, where
from tests.exact import exact, program

DIGITS = tuple(range(10))
NEXT = select(indices, indices + 1, "==")
TWO_ON = select(indices, indices + 2, "==")
FIRST = select(indices, 0) & select(tokens_int, 9, "!=")
COPY = aggregate(NEXT, tokens_int, 7)
POSITIVE = aggregate(NEXT & select(tokens_int, 0, ">"), tokens_int, 7)
PUSHED: dict[str, SOp] = {
    "a remainder": COPY % 2,
    "a comparison": COPY > 4,
    "two functions": where(COPY > 4, indices, COPY % 2),
    "a formula": where((COPY % 3 == 0) | (COPY == 7), 1, -1),
    "of a copy": aggregate(TWO_ON, COPY, 1) % 2,
    "compared by a head": selector_width(select(COPY % 2, tokens_int % 2, "==")),
    "averaged": aggregate(full, (COPY - COPY % 4) / 4),
    "of a function": aggregate(NEXT, tokens_int * 3, 2) % 5,
    "of strings": where(aggregate(NEXT, tokens, "-") == "4", "four", "another"),
    "where there always is a key": aggregate(select(indices, indices), 60 / (tokens_int + 1), 0) > 20,
}
STAYS: dict[str, SOp] = {
    "it is the output": COPY,
    "it is read besides": where(COPY > 4, COPY, 0),
    "another s-op is added": (COPY + indices) % 2,
    "a head compares it": selector_width(select(COPY, tokens_int, "==")) + COPY % 2,
    "it is a mean": aggregate(select(indices, indices, ">"), tokens_int, 7) > 4,
    "its functions have many values": where(COPY > 4, COPY * COPY, 0),
    "its function fails on other keys": 60 / POSITIVE > 20,
    "its function fails on the default": 60 / aggregate(FIRST, tokens_int + 1, 0) > 20,
    "its function mixes types": where(COPY > 4, "large", 0),
}


def moves(root: SOp) -> bool:
    return bool(Copies([root], Facts(Options(DIGITS, 4))))


@pytest.mark.parametrize("name", PUSHED)
def test_a_function_of_a_copy_is_copied(name: str) -> None:
    assert moves(PUSHED[name])
    exact(PUSHED[name], DIGITS, 4)


@pytest.mark.parametrize("name", STAYS)
def test_a_copy_stays_where(name: str) -> None:
    assert not moves(STAYS[name])
    exact(STAYS[name], DIGITS, 4)


def test_what_is_copied_has_the_name_of_the_function() -> None:
    text = "next = aggregate(select(indices, indices + 1, ==), tokens_int, 7); odd = next % 2;"
    model = compile(program(text), DIGITS, 4)
    assert "odd" in model.weights.directions

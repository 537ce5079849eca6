"""Where a program depends on whether a number is a bool, an int or a float, and the same number may be each of them."""

from __future__ import annotations

import pytest

from compiler.pipeline import compile
from compiler.run.verify import verify
from rasp.errors import RaspError
from rasp.graph import SOp, aggregate, apply, full, indices, select, select_best, tokens, tokens_asis, where
from rasp.interpret import run
from rasp.operations import Atom, Operation
from tests.exact import exact

BEFORE = select(indices, indices, "<")
SAME = select(tokens, tokens, "==")
LETTERS = Operation.element("wxyz")
PLACE = aggregate(SAME, indices)
LAST = aggregate(select(indices, 1, "=="), indices / 1, 1)
FIRST_A = aggregate(select_best(full, indices * (tokens == "a")), indices)
HELD = aggregate(select(tokens, tokens, ">"), tokens == "b", 0)
AFTER_ONE = aggregate(BEFORE, PLACE, 0)
ASKED: dict[str, tuple[SOp, tuple[Atom, ...]]] = {
    "an index in one case": (apply(LETTERS, where(indices < 1, PLACE, 2)), ("a", "b")),
    "a float or an int default": (apply(LETTERS, LAST), ("a", "b")),
    "an int default or a mean": (apply(LETTERS, where(tokens == "a", aggregate(BEFORE, indices, 1), 0)), ("a", "b")),
    "a sum of two": (apply(LETTERS, PLACE + where(tokens == "a", aggregate(BEFORE, 1, 0), 0)), ("a", "b", "c")),
    "a mean of what may be means": (apply(LETTERS, where(tokens == "a", AFTER_ONE, 0)), ("a", "b", "c")),
    "of what is best": (apply(LETTERS, where(tokens == "b", 0, FIRST_A)), ("a", "b")),
    "all bools, or not": (aggregate(full, HELD), ("a", "b")),
    "a bool among numbers": (aggregate(full, aggregate(SAME, tokens_asis, 1)), (1, 0.25, True)),
    "how often a string is repeated": (tokens * where(indices < 2, PLACE, 1), ("a", "b")),
    "what a Python function is given": (apply(Operation.python(lambda n: isinstance(n, int)), PLACE), ("a", "b")),
    "tokens that are one number": (apply(LETTERS, aggregate(select(indices, 1, "=="), tokens_asis, 0)), (1, 1.0, True)),
}


@pytest.mark.parametrize("name", ASKED)
def test_the_type_of_a_number_is_told(name: str) -> None:
    root, vocabulary = ASKED[name]
    assert verify(root, exact(root, vocabulary, 4)).exhaustive


def test_an_int_indexes_and_an_equal_float_does_not() -> None:
    root, _ = ASKED["an index in one case"]
    model = compile(root, "ab", 4)
    assert model.run("ab").output == run(root, "ab") == ["w", "y"]
    with pytest.raises(RaspError, match=r"no value|not so"):
        model.run("aa")
    with pytest.raises(RaspError, match="an index is an int"):
        run(root, "aaa")


def test_no_more_heads_are_needed() -> None:
    root, vocabulary = ASKED["a mean of what may be means"]
    assert exact(root, vocabulary, 4).weights.heads == [1, 1]

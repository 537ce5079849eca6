"""Python functions, predicates and the values None and tuples: the same in the interpreter, batches and models."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rasp
from compiler.artifact import load, save
from compiler.run.verify import verify
from rasp.batch.run import BatchRun
from rasp.errors import Refusal, TypeFault, ValueFault
from rasp.graph import (
    Node,
    SOp,
    aggregate,
    elementwise,
    full,
    indices,
    select,
    select_best,
    selector_width,
    sop,
    tokens,
    tokens_int,
    where,
)
from rasp.operations import Symbol, python_value

VOWELS = ("a", "e")


def kind(token: str) -> str | None:
    return "vowel" if token in VOWELS else None


def pair(token: str, index: int) -> tuple[str, bool]:
    return token, index > 0


def next_letter(key: str, query: str) -> bool:
    return ord(key) == ord(query) + 1


KIND = elementwise(kind, tokens)
PAIR = elementwise(pair, tokens, indices)
ONLY_A = aggregate(select(tokens, "a"), indices, None)

CASES: dict[str, tuple[SOp, str, list[Any]]] = {
    "a function of two": (PAIR, "ab", [("a", False), ("b", True)]),
    "none": (KIND, "abe", ["vowel", None, "vowel"]),
    "compared with none": (KIND == None, "ab", [False, True]),  # noqa: E711
    "compared with a tuple": (PAIR == ("b", True), "bb", [False, True]),
    "a constant": (where(tokens == "a", sop(("x", 1)), None), "ab", [("x", 1), None]),
    "a copy": (aggregate(select(indices, 0), PAIR), "ba", [("b", False)] * 2),
    "a default beside numbers": (aggregate(select(indices, indices - 1), indices, None), "aaa", [None, 0, 1]),
    "a default beside strings": (aggregate(select(indices, indices + 1), tokens, None), "ab", ["b", None]),
    "equal keys": (selector_width(select(KIND, KIND)), "abb", [1, 2, 2]),
    "a function of none": (elementwise(lambda k: k is None, KIND), "ab", [False, True]),
    "a function of a tuple": (elementwise(lambda p: p[0] + str(int(p[1])), PAIR), "ab", ["a0", "b1"]),
    "nested": (elementwise(lambda p: (p, None), PAIR), "a", [(("a", False), None)]),
    "false as python has it": (where(KIND, 1, 0), "ab", [1, 0]),
    "a predicate": (aggregate(select(tokens, tokens, next_letter), tokens, "-"), "bda", ["-", "-", "b"]),
    "a predicate and more": (
        selector_width(select(tokens, tokens, next_letter) & select(indices, indices, "<")),
        "bab",
        [0, 1, 0],
    ),
    "no predicate": (selector_width(~select(tokens, tokens, next_letter)), "ab", [1, 2]),
    "the best of a predicate": (
        aggregate(select_best(select(tokens, tokens, next_letter), indices), indices, -1),
        "bba",
        [-1, -1, 1],
    ),
    "a mean or none, beside a width": (
        elementwise(
            lambda mean, width: None if mean is None else min(mean, width),
            elementwise(lambda x: None if x == 1 else x, aggregate(select(1, indices, "!="), indices, None)),
            selector_width(select(tokens, tokens, ">")),
        ),
        "ab",
        [0.5, None],
    ),
    "a predicate of none": (selector_width(select(KIND, KIND, lambda k, q: k is None and q is not None)), "ab", [1, 0]),
    "numbers of numpy": (elementwise(lambda i: np.int64(i) + np.float32(0.5), indices), "ab", [0.5, 1.5]),
    "a function of the language's name": (elementwise(str.upper, tokens), "ab", ["A", "B"]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_interpreter_knows_them(name: str) -> None:
    root, given, expected = CASES[name]
    assert root(given) == expected
    assert root([list(given), list(given)]) == [expected, expected]


@pytest.mark.parametrize("name", CASES)
def test_models_compute_them_and_keep_them_in_files(name: str, tmp_path: Path) -> None:
    root, given, expected = CASES[name]
    model = rasp.compile(root, "abde", 3)
    assert model(given) == expected
    found = verify(root, model)
    assert (found.counterexample, found.exhaustive) == (None, True)
    save(model, tmp_path / "x.safetensors")
    again = load(tmp_path / "x.safetensors")
    assert again(given) == expected
    assert again.weights.output.node is not None
    assert again.weights.output.node(given) == expected


@pytest.mark.parametrize("name", CASES)
def test_long_inputs_have_the_same_values(name: str) -> None:
    root, _, _ = CASES[name]
    given = [list(found) for n in (1, 2, 3) for found in product("ab", repeat=n)]
    values = BatchRun.of(given).sop(root).lists()
    assert [found and list(map(python_value, found)) for found in values] == [_values(root, one) for one in given]


def _values(root: SOp, given: list[str]) -> list[Any] | None:
    try:
        return root(given)
    except ValueFault:
        return None


@pytest.mark.parametrize(
    ("root", "reason"),
    [
        (aggregate(full, KIND), "only numbers have a mean"),
        (aggregate(full, ONLY_A), "only numbers have a mean"),
        (KIND < None, "cannot order"),
        (selector_width(select(KIND, KIND, "<")), "cannot order"),
        (aggregate(select_best(full, KIND), indices), "needs a score of numbers"),
        (KIND + "x", r"\+ joins two strings"),
        (KIND * 2, r"\* needs numbers"),
        (elementwise(lambda token: [token], tokens), "gave list, not an atom"),
        (elementwise(lambda token: token.nothing, tokens), "raises AttributeError"),
        (selector_width(select(tokens, tokens, lambda k, q: k < 3)), "raises TypeError"),
    ],
)
def test_they_have_no_order_and_no_mean(root: Node, reason: str) -> None:
    with pytest.raises(ValueFault, match=reason):
        root("bb")
    with pytest.raises(ValueFault, match=reason):
        root(["b"] * 200)


@pytest.mark.parametrize(
    "root",
    [
        aggregate(select_best(full, KIND), indices),
        selector_width(select(KIND, KIND, "<")),
        selector_width(select(tokens, tokens, lambda k, q: k < 3)),
    ],
)
def test_what_never_has_a_value_is_refused(root: SOp) -> None:
    with pytest.raises(Refusal):
        rasp.compile(root, "ab", 3)


def test_a_default_that_cannot_stand_among_unlisted_numbers_is_named() -> None:
    so_far = aggregate(select(indices, indices, "<="), tokens_int)
    with pytest.raises(Refusal, match="cannot be listed with None, its default"):
        rasp.compile(aggregate(select(tokens, tokens, ">"), so_far, None), "0..9", 8)


def test_where_there_is_no_mean_the_model_says_so_as_the_interpreter_does() -> None:
    root = aggregate(select(indices, indices, "<="), KIND)
    model = rasp.compile(root, "ab", 3)
    assert verify(root, model).counterexample is None
    with pytest.raises(ValueFault):
        model("ab")


def test_one_function_is_one_operation_and_another_is_not() -> None:
    assert elementwise(kind, tokens) is KIND
    assert elementwise(lambda token: kind(token), tokens) is not KIND
    assert select(tokens, tokens, next_letter) is select(tokens, tokens, next_letter)
    assert pickle.loads(pickle.dumps(PAIR)) is PAIR
    assert pickle.loads(pickle.dumps(sop(("a", None)))) is sop(("a", None))


def test_arguments_are_counted_when_the_function_is_given() -> None:
    with pytest.raises(TypeFault, match="the function is given 1 arguments"):
        elementwise(pair, tokens)
    with pytest.raises(TypeFault, match="the function is given 2 arguments"):
        select(tokens, tokens, kind)  # type: ignore[arg-type]
    with pytest.raises(TypeFault, match="or a function of two values"):
        select(tokens, tokens, "=<")


def test_methods_and_built_in_functions_are_functions() -> None:
    table: Callable[[Any], Any] = {"a": 1, "b": (2, 3)}.get
    assert elementwise(table, tokens)("abc") == [1, (2, 3), None]
    assert elementwise(max, indices, 1)("abc") == [1, 1, 2]


def test_none_is_looked_up_and_calculated_around() -> None:
    previous = aggregate(select(indices, indices - 1), tokens_int, None)
    root = elementwise(lambda mine, before: mine if before is None else mine + before, tokens_int, previous)
    model = rasp.compile(root, [1, 2, 5], 4)
    assert model([5, 1, 2]) == [5, 6, 3]
    assert verify(root, model).counterexample is None


def test_a_mean_of_numbers_that_may_be_none_is_refused() -> None:
    with pytest.raises(Refusal):
        rasp.compile(aggregate(full, elementwise(lambda i: i if i else None, indices)), "ab", 3)


def test_symbols_are_shown_as_python_shows_them() -> None:
    assert repr(sop(None)) == "None"
    assert repr(aggregate(full, tokens, ("a", 1))) == "aggregate(full_s, tokens, ('a', 1))"
    assert repr(select(tokens, tokens, next_letter)) == "select(tokens, tokens, next_letter)"
    assert Symbol(None) != "None"
    assert "None" != Symbol(None)  # noqa: SIM300

"""Elementwise functions in the feed-forwards: arithmetic, logic, strings, lookups, chains, and values that fail."""

from __future__ import annotations

import itertools
import math
import random
from itertools import chain

import pytest

from compiler.gadgets.boxes import cover
from compiler.gadgets.piercing import pierced
from compiler.pipeline import compile, compile_sop
from rasp.errors import RaspError, ValueFault
from rasp.graph import (
    SOp,
    aggregate,
    apply,
    elementwise,
    full,
    indicator,
    indices,
    length,
    select,
    selector_width,
    tokens,
    tokens_asis,
    tokens_bool,
    tokens_float,
    tokens_int,
    where,
)
from rasp.interpret import run
from rasp.operations import Atom, Operation
from tests.exact import exact, program

SAME = select(tokens, tokens)
COUNT = selector_width(SAME)
A = tokens == "a"
EARLIER = aggregate(select(indices, indices, "<="), indicator(A))
PREVIOUS = aggregate(select(indices, indices - 1), tokens, "-")
NEXT = aggregate(select(indices, indices + 1), indices, -1)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "root",
    [
        indices * 3 - 1,
        indices + length,
        indices * length,
        length % 3,
        (indices - 2) ** 2,
        2**indices,
        indices / (length + 1),
        -COUNT,
        COUNT + indices,
        COUNT * indices,
        COUNT * length,
        length == COUNT,
        (COUNT > 2) & (indices < 2),
        (COUNT > 2) | A,
        ~(COUNT > 2),
        indicator(COUNT == 2) + indicator(A),
        where(A, COUNT, length),
        where(COUNT > 1, tokens, "-"),
        where(A, PREVIOUS, tokens),
        tokens + PREVIOUS,
        tokens * 2 + "x",
        tokens == PREVIOUS,
        tokens > PREVIOUS,
        round(EARLIER * 3),
        EARLIER > 0.5,
        EARLIER == 1,
        EARLIER + 1,
        EARLIER * 2 - indices,
        EARLIER * EARLIER,
        1 - EARLIER,
        round(1 / (EARLIER + 1) * 10),
        where(A, EARLIER > 0.5, EARLIER > 0.25),
        (EARLIER > 0.5) & (aggregate(full, indices) > 1),
        aggregate(full, indices) - aggregate(SAME, indices),
        aggregate(full, indices) < aggregate(SAME, indices),
        NEXT + COUNT,
        (NEXT + 1) % 2 == 0,
        apply(Operation.element([3, 1, 4, 1, 5, 9]), indices),
        apply(Operation.element("xyz"), COUNT % 3),
        apply(Operation.entry([("a", 10), ("b", "ten")]), tokens) == 10,
        apply(Operation.member(["a", 2, 0.5]), COUNT),
        apply(Operation.member([0.5, 1]), EARLIER),
        elementwise(lambda a, b: math.gcd(a, b), indices, COUNT),
        ((indices + 1) * 2 - 3) ** 2 % 5 == 1,
        indices == 2,
        (COUNT + indices - aggregate(full, indices) / 3) + aggregate(full, indices) / 3,
        (indices + length - EARLIER * 0.1) + EARLIER * 0.1 > 3,
        where(indices % 2 == 0, -1.5, 0.1),
    ],
)
def test_functions(root: SOp, dtype: str) -> None:
    exact(root, "ab", 5, dtype=dtype)


@pytest.mark.parametrize(
    ("root", "vocabulary"),
    [
        (tokens_int * tokens_int - 1, (-2, 0, 3)),
        (tokens_int + indices, ("0", "1", "7")),
        (tokens_float / 2, (0.1, -0.3, 7.0)),
        (tokens_asis + 1, (0.1, True, 3)),
        (tokens_bool & (indices > 0), (True, False)),
        (~tokens_bool, ("", "x")),
        (tokens, (1, 1.0, True)),
        (tokens_asis == 1, (1, 1.0, True, 2)),
        (tokens + "!", (0.5, "half")),
        (aggregate(full, tokens_asis), (0.5, -1.25)),
        (aggregate(full, tokens_int) > 0, (-1, 2)),
        (where(tokens_int > 0, tokens_int, 0) + length, (-5, 5)),
    ],
)
def test_vocabularies(root: SOp, vocabulary: tuple[Atom, ...]) -> None:
    exact(root, vocabulary, 4)


def test_a_function_of_one_one_hot_costs_no_neuron() -> None:
    model = exact(aggregate(select(tokens == "a", True), indices, -1), "abc", 4)
    assert model.weights.feed_forwards == []
    assert exact(where(tokens < "b", tokens + "!", "-"), "abc", 4).weights.blocks == []


@pytest.mark.parametrize(
    ("root", "vocabulary", "good", "bad"),
    [
        (1 / tokens_int, (0, 1, 2), [1, 2], [1, 0]),
        (1 / (COUNT - 2), "ab", "ab", "aba"),
        (indices % (length - 2), "ab", "aba", "ab"),
        (apply(Operation.element([5, 6]), COUNT), "ab", "ab", "aab"),
        (apply(Operation.entry([("a", 1)]), tokens), "ab", "aa", "ab"),
        (aggregate(SAME, tokens), "ab", "ab", "aa"),
        (aggregate(SAME, tokens == "a"), "ab", "ab", "aa"),
        (where(indices == 0, 1, aggregate(SAME, tokens) == "a"), "ab", "ab", "abb"),
        (aggregate(SAME & select(indices, indices, "!="), tokens, "-"), "ab", "aab", "aaa"),
        (where(A, 1, tokens), "ab", "aa", "ab"),
        (where(A, 1, tokens) == 1, "ab", "aa", "ab"),
        (tokens_int, ("1", "x"), ["1", "1"], ["1", "x"]),
        (1 / (EARLIER - 0.5), "ab", "aa", "ab"),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_value_is_an_error_not_an_answer(
    root: SOp, vocabulary: list[Atom], good: list[Atom], bad: list[Atom], dtype: str
) -> None:
    model = exact(root, vocabulary, 4, dtype=dtype)
    assert model.run(good).output == run(root, good)
    for engine in ("reference", "torch"):
        with pytest.raises(ValueFault):
            model.run(bad, engine=engine)


@pytest.mark.parametrize(
    "root",
    [
        (1 / tokens_int) * 0,
        where(tokens_int == 0, 5, 1 / tokens_int),
        selector_width(select(1 / tokens_int, 7)),
        aggregate(select(indices, 0), 1 / tokens_int),
        aggregate(full, aggregate(full, tokens)) == "x",
        (aggregate(full, tokens) == "x") | True,
    ],
)
def test_a_part_without_a_value_leaves_the_whole_without_one(root: SOp) -> None:
    model = exact(root, (0, 1), 2)
    with pytest.raises(RaspError):
        run(root, [0, 0])
    with pytest.raises(ValueFault):
        model.run([0, 0])


def test_equal_numbers_of_several_types() -> None:
    root = where(aggregate(select(indices, indices, "<"), A, 0), "x", "y")
    model = compile_sop(root, ("a", "b"), 2)
    assert model.run("ab").output == run(root, "ab") == ["y", "x"]


def test_a_gate_with_equal_numbers_of_several_types() -> None:
    flag = aggregate(select(indices, indices - 1), A)
    root = indicator(flag) - aggregate(SAME, indices) ** 2
    exact(root, "ab", 4)


def test_a_function_of_a_function_of_several_numbers() -> None:
    fewer = aggregate(select(tokens, "a"), 0.5) < aggregate(select(tokens, "a"), 3 - indices)
    before = selector_width(select(tokens, tokens, "<"))
    exact(fewer >= fewer * before, "ab", 5)
    exact(fewer * before - before * before + fewer, "ab", 5)


def test_steps_of_several_contexts_are_shared() -> None:
    """At position i a mean of ints has 5(i + 1) steps, 4,100 at all 40 positions; the sum of the ints has 200."""
    summed = "p = select(indices, indices, <=); x = round((indices + 1) * aggregate(p, tokens_int));"
    model = compile(program(summed), range(6), 40)
    (units,) = model.weights.layers[0].feed_forwards
    assert 2 * 200 <= units.W_in.shape[1] < 2 * 400


@pytest.mark.parametrize("ends", [[(0, 1), (0.5, 2), (1, 3)], [(0, 4), (3, 5), (3.9, 6), (4, 7)], [(1, 1), (1, 1)]])
def test_pierced_intervals_share_a_part(ends: list[tuple[float, float]]) -> None:
    groups = [[ends[at] for at in some.tolist()] for some in pierced(*map(list, zip(*ends, strict=True)))]
    assert sorted(chain(*groups)) == sorted(ends)
    for some in groups:
        first = min(some, key=lambda interval: interval[1])
        assert all(start <= sum(first) / 2 and first[1] <= end for start, end in some)


@pytest.mark.parametrize("first", range(4))
def test_covers_are_exact_and_disjoint(first: int) -> None:
    rng = random.Random(first)
    sizes = [rng.randint(1, 4) for _ in range(rng.randint(1, 4))]
    space = list(itertools.product(*map(range, sizes)))
    points = rng.sample(space, rng.randint(1, len(space)))
    boxes = cover(points)
    inside = [point for box in boxes for point in itertools.product(*box)]
    assert sorted(inside) == sorted(points)
    assert len(boxes) <= len(points)


@pytest.mark.parametrize(
    ("points", "count"),
    [
        ([], 0),
        ([(0, 0)], 1),
        (list(itertools.product(range(3), range(4))), 1),
        ([(0, 0), (0, 1), (1, 0)], 2),
        ([(0, 0), (1, 1), (2, 2)], 3),
    ],
)
def test_covers_are_small(points: list[tuple[int, ...]], count: int) -> None:
    assert len(cover(points)) == count

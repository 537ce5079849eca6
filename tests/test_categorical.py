"""Columns of codes give row for row what each operation gives on single atoms."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from compiler.selectors import JOINT
from compiler.values.categorical import UNDEFINED, Categorical, evaluate, joined, value_key
from rasp.batch.columns import distinct
from rasp.errors import RaspError, Refusal
from rasp.graph import Constant, Map, SOp, indices, length, tokens_asis, tokens_int
from rasp.operations import OPERATIONS, Atom, Operation, evaluate_atoms

ATOMS: tuple[Atom, ...] = (0, 1, -1, 2, 7, 10**6, 2**70, 0.0, -0.0, 0.5, -2.5, 1.0, True, False, "", "a", "12")
KINDS = (ATOMS, (0, 1, 2, 5, -3), (0.5, -0.0, 0.0, 1.25), (True, False), ("a", "", "b"), (0, 1, 2, 0.5))


def key(value: Any) -> Any:
    return value if value is UNDEFINED else value_key(value)


def slowly(node: SOp, row: dict[SOp, Atom]) -> Any:
    """The value of an s-op where the sources have the values of a row."""
    if node in row:
        return row[node]
    if isinstance(node, Constant):
        return node.value
    assert isinstance(node, Map)
    args = [slowly(arg, row) for arg in node.args]
    if any(arg is UNDEFINED for arg in args):
        return UNDEFINED
    if node.op is JOINT:
        return tuple(args)
    try:
        return evaluate_atoms(node.op, args)
    except RaspError:
        return UNDEFINED


def random_node(rng: random.Random, sources: Sequence[SOp], depth: int) -> SOp:
    if depth == 0 or rng.random() < 0.1:
        return rng.choice([*sources, Constant(rng.choice(ATOMS))])
    op = rng.choice([op for name, op in OPERATIONS.items() if name != "^"] + [Operation.member((1, "a", 0.5))])
    return Map(op, tuple(random_node(rng, sources, depth - 1) for _ in range(op.arity)))


@pytest.mark.parametrize("seed", range(300))
def test_each_row_has_the_value_of_its_atoms(seed: int) -> None:
    rng = random.Random(seed)
    sources: tuple[SOp, ...] = (tokens_asis, indices, length)
    universes = {source: rng.choice(KINDS) for source in sources}
    count = rng.choice((0, 1, 3, 200))
    codes = {source: np.array([rng.randrange(len(universes[source])) for _ in range(count)], int) for source in sources}
    known = {source: Categorical.of(universes[source], codes[source]) for source in sources}
    inner = tuple(random_node(rng, sources, 3) for _ in range(3))
    root = Map(JOINT, inner)
    rows = [{source: universes[source][codes[source][row]] for source in sources} for row in range(count)]
    found = evaluate(root, known, count)
    for node in (root, *inner):
        assert list(map(key, found[node].decoded)) == [key(slowly(node, row)) for row in rows], node
        assert len(set(map(key, found[node].categories))) == len(found[node].categories)
        assert sorted(set(found[node].codes.tolist())) == list(range(len(found[node].categories)))


def test_tokens_are_converted_and_what_has_no_value_is_undefined() -> None:
    known: dict[SOp, Categorical] = {tokens_asis: Categorical.of(("1", "x", "01"), np.array([2, 0, 1, 0]))}
    found = evaluate(1 / (tokens_int - 1), known, 4)
    assert found[tokens_int].decoded == [1, 1, UNDEFINED, 1]
    assert found[1 / (tokens_int - 1)].decoded == [UNDEFINED] * 4


def test_an_infinite_number_is_refused() -> None:
    known: dict[SOp, Categorical] = {indices: Categorical.of((1e200, 2.0), np.array([0, 1]))}
    with pytest.raises(Refusal, match="may give inf"):
        evaluate(indices * indices, known, 2)


@pytest.mark.parametrize("size", [1, 5, 300, 10**9])
def test_distinct_ints_and_their_places(size: int) -> None:
    keys = np.random.default_rng(size).integers(0, size, 50)
    found, places = distinct(keys, size)
    assert found.tolist() == sorted(set(keys.tolist()))
    assert found[places].tolist() == keys.tolist()


def test_combinations_are_those_that_occur() -> None:
    rng = np.random.default_rng(0)
    columns = [Categorical.of(tuple(range(size)), rng.integers(0, size, 40)) for size in (3, 1, 50, 2)]
    columns.append(Categorical(list("abc"), columns[0].codes))
    picks, codes = joined(columns)
    rows = list(zip(*(pick.tolist() for pick in picks), strict=True))
    assert len(set(rows)) == len(rows)
    assert [rows[code] for code in codes.tolist()] == list(zip(*(c.codes.tolist() for c in columns), strict=True))


def test_the_first_row_of_each_value_and_some_of_the_rows() -> None:
    column = Categorical.of("abcd", np.array([3, 1, 1, 3, 2]))
    first = dict(zip(column.categories, column.first_rows.tolist(), strict=True))
    assert first == {"d": 0, "b": 1, "c": 4}
    assert column.at(np.array([4, 1])).decoded == ["c", "b"]

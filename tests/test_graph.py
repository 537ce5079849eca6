"""The graph: shared nodes, operators for Python users, walks, pickles."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest

from rasp.errors import TypeFault
from rasp.graph import (
    And,
    Constant,
    Node,
    Not,
    Or,
    Select,
    SOp,
    aggregate,
    apply,
    elementwise,
    full,
    indices,
    length,
    select,
    select_best,
    selector_width,
    tokens,
    topological,
    where,
)
from rasp.interpret import run
from rasp.operations import Atom, Operation
from rasp.printing import expression

SAME = select(tokens, tokens)


def test_equal_nodes_are_one_node() -> None:
    assert select(tokens, tokens, "==") is SAME
    assert aggregate(SAME, indices + 1) is aggregate(SAME, indices + 1)
    assert selector_width(SAME & ~full) is selector_width(SAME & ~full)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Constant(1), Constant(1.0)),
        (Constant(1), Constant(True)),
        (Constant(0.0), Constant(-0.0)),
        (aggregate(SAME, indices, 0), aggregate(SAME, indices, False)),
        (select(tokens, indices), select(indices, tokens)),
        (SAME & full, full & SAME),
    ],
)
def test_what_differs_is_not_shared(first: Node, second: Node) -> None:
    assert first is not second


def test_nodes_that_nobody_holds_are_forgotten() -> None:
    node = indices + 123_456
    again = indices + 123_456
    assert node is again
    assert len({node, again}) == 1


@pytest.mark.parametrize(
    ("build", "values"),
    [
        (lambda x: x + 1, [1, 2, 3]),
        (lambda x: 1 + x, [1, 2, 3]),
        (lambda x: x - 1, [-1, 0, 1]),
        (lambda x: 1 - x, [1, 0, -1]),
        (lambda x: x * 2, [0, 2, 4]),
        (lambda x: 2 * x, [0, 2, 4]),
        (lambda x: x / 2, [0.0, 0.5, 1.0]),
        (lambda x: 2 / (x + 1), [2.0, 1.0, 2 / 3]),
        (lambda x: x % 2, [0, 1, 0]),
        (lambda x: 5 % (x + 1), [0, 1, 2]),
        (lambda x: x**2, [0, 1, 4]),
        (lambda x: 2**x, [1, 2, 4]),
        (lambda x: -x, [0, -1, -2]),
        (lambda x: +x, [0, 1, 2]),
        (lambda x: round(x / 2), [0, 0, 1]),
        (lambda x: x == 1, [False, True, False]),
        (lambda x: x != 1, [True, False, True]),
        (lambda x: x < 1, [True, False, False]),
        (lambda x: x <= 1, [True, True, False]),
        (lambda x: x > 1, [False, False, True]),
        (lambda x: x >= 1, [False, True, True]),
        (lambda x: (x > 0) & (x < 2), [False, True, False]),
        (lambda x: (x == 0) | (x == 2), [True, False, True]),
        (lambda x: True & (x > 0), [False, True, True]),
        (lambda x: False | (x > 0), [False, True, True]),
        (lambda x: ~(x > 0), [True, False, False]),
        (lambda x: where(x > 0, x, "z" if False else 9), [9, 1, 2]),
        (lambda x: elementwise(lambda a, b: a * 10 + b, x, length), [3, 13, 23]),
    ],
)
def test_operators(build: Callable[[SOp], SOp], values: list[Atom]) -> None:
    assert run(build(indices), "abc") == values


def test_operators_on_selectors() -> None:
    first = select(indices, 0)
    assert isinstance(first & SAME, And)
    assert isinstance(first | SAME, Or)
    assert isinstance(~first, Not)
    assert run((first | SAME) & ~select(indices, indices), "aba") == [[0, 0, 1], [1, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: bool(indices == 1), "no truth value"),
        (lambda: bool(full), "no truth value"),
        (lambda: apply("+", indices, [1]), "expected an s-op or an atom, found list"),  # type: ignore[arg-type]
        (lambda: select(tokens, tokens, "="), "a comparison is one of"),
        (lambda: full & indices, "expected a selector"),  # type: ignore[operator]
        (lambda: aggregate(indices, indices), "expected a selector"),  # type: ignore[arg-type]
        (lambda: selector_width(tokens), "expected a selector"),  # type: ignore[arg-type]
        (lambda: select_best(tokens, tokens), "expected a selector"),  # type: ignore[arg-type]
    ],
)
def test_mistakes(build: Callable[[], object], words: str) -> None:
    with pytest.raises(TypeFault, match=words):
        build()


def test_the_same_function_is_the_same_operation() -> None:
    def double(x: Atom) -> Atom:
        return x * 2

    assert elementwise(double, indices) is elementwise(double, indices)
    assert run(elementwise(double, tokens), "ab") == ["aa", "bb"]


def test_children_come_first_and_once() -> None:
    root = aggregate(SAME, indices + indices) * selector_width(SAME)
    nodes = list(topological([root]))
    assert len(nodes) == len(set(map(id, nodes)))
    assert nodes[-1] is root
    for at, node in enumerate(nodes):
        assert all(any(child is before for before in nodes[:at]) for child in node.children)


def test_a_known_node_ends_the_walk() -> None:
    middle = selector_width(SAME)
    assert list(topological([middle + 1], {middle})) == [*topological([Constant(1)]), middle + 1]


def test_doubling_is_walked_once() -> None:
    node: SOp = indices + 1
    for _ in range(60):
        node = node + node
    assert sum(1 for _ in topological([node])) == 63
    assert run(node, "ab") == [2**60, 2**61]


def test_very_deep_graphs() -> None:
    node: SOp = indices
    for _ in range(20_000):
        node = node + 1
    assert run(node, "ab") == [20_000, 20_001]
    assert "…" in expression(node)


@pytest.mark.parametrize(
    "node",
    [
        SAME,
        select_best(SAME, indices),
        aggregate(full, tokens, "x"),
        indices / 2 == 0.5,
        apply(Operation.element(["a", 1, 0.1, True]), indices),
        apply(Operation.entry([("a", 1), ("b", -0.0)]), tokens),
        apply(Operation.member("ab"), tokens),
        elementwise(abs, indices),
    ],
)
def test_copies_and_pickles_are_the_node_itself(node: Node) -> None:
    assert pickle.loads(pickle.dumps(node)) is node
    assert copy.deepcopy(node) is node


def test_row_is_query_and_column_is_key() -> None:
    node = select(indices, length - 1, "==")
    assert isinstance(node, Select)
    assert node.keys is indices
    assert run(node, "abc") == [[0, 0, 1]] * 3

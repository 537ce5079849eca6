"""S-ops that are proved different at every position of an input."""

from __future__ import annotations

import itertools

import pytest

from compiler.options import Options
from compiler.pipeline import Compilation, compile_sop
from compiler.run.verify import verify
from compiler.tensors import parameter_counts
from compiler.values.distinct import is_distinct
from rasp.graph import SOp, aggregate, indices, length, select, selector_width, tokens, tokens_int
from rasp.interpret import run
from tests.exact import exact

SAME, BEFORE, AFTER = select(tokens, tokens), select(indices, indices, "<"), select(indices, indices, ">")
SMALLER, LARGER = select(tokens, tokens, "<"), select(tokens, tokens, ">")
PARITY = indices % 2
PLACE = selector_width(SMALLER | (SAME & BEFORE))
DISTINCT = [
    indices,
    -indices,
    length - 1 - indices,
    PLACE,
    selector_width((AFTER & SAME) | LARGER),
    selector_width(SMALLER) + selector_width(SAME & BEFORE),
    length - PLACE,
    selector_width(
        select(PARITY, PARITY, "<")
        | (select(PARITY, PARITY) & (LARGER | (SAME & select(length - indices, length - indices, "<"))))
    ),
    selector_width(select(tokens, tokens, "<") | (SAME & select(PLACE, PLACE, ">"))),
]
OTHERS = [
    tokens_int,
    PARITY,
    indices * 0,
    PLACE - indices,
    PLACE + PLACE,
    selector_width(SMALLER),
    selector_width(SMALLER | SAME),
    selector_width(SMALLER | BEFORE),
    selector_width(SMALLER) + selector_width(BEFORE),
    selector_width(SMALLER) + selector_width(SMALLER | (SAME & BEFORE)),
    selector_width(SMALLER | (SAME & select(PARITY, PARITY, "<"))),
    selector_width(select(tokens_int, indices, "<") | (SAME & BEFORE)),
    selector_width(SMALLER | (select(PARITY, PARITY) & BEFORE)),
    PLACE + aggregate(SAME, indices),
    indices + 2.0**53,
]
INPUTS = [given for n in range(1, 5) for given in itertools.product("012", repeat=n)]


def holds(node: SOp, *, causal: bool = False) -> bool:
    return all(len(set(run(node, given, causal=causal))) == len(given) for given in INPUTS)


def proved(node: SOp, *, causal: bool = False) -> bool:
    return is_distinct(Compilation({"x": node}, Options("012", 4, causal=causal)).checked.values, node)


@pytest.mark.parametrize("node", DISTINCT)
def test_what_is_distinct_is_proved(node: SOp) -> None:
    assert holds(node)
    assert proved(node)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("node", DISTINCT + OTHERS)
def test_what_is_proved_is_distinct(node: SOp, causal: bool) -> None:
    assert holds(node, causal=causal) or not proved(node, causal=causal)


@pytest.mark.parametrize("node", OTHERS)
def test_others_are_not_proved(node: SOp) -> None:
    assert not proved(node)


def test_what_a_sort_fetches_is_a_copy() -> None:
    fetched = aggregate(select(PLACE, indices), tokens)
    model = exact(fetched, "abc", 5)
    assert model.weights.guards == ()
    assert verify(fetched, compile_sop(fetched, "abc", 4, causal=True)).counterexample is None


def test_a_function_of_what_is_sorted_is_no_larger_model() -> None:
    place = selector_width(select(tokens_int, tokens_int, "<") | (select(tokens_int, tokens_int) & BEFORE))
    fetched = aggregate(select(place, indices), tokens_int)
    sizes = [
        parameter_counts(exact(root, tuple(range(6)), 6).weights)["total"]
        for root in (fetched, fetched + 1, -fetched, fetched % 2, 2 * fetched)
    ]
    assert max(sizes[1:]) <= 1.2 * sizes[0]

"""verify: what it counts, what it compares, and that it finds a wrong weight."""

from __future__ import annotations

import random

import numpy as np
import pytest

from compiler.ir import Accuracy, ModelWeights
from compiler.pipeline import compile_sop
from compiler.run.agreement import agree
from compiler.run.graph_inputs import NOTHING, GraphInputs
from compiler.run.model import CompiledModel
from compiler.run.reference import Trace
from compiler.run.verify import EXHAUSTIVE, Ids, input_count, verify, verify_on
from compiler.tensors import named_tensors, with_tensors
from rasp.errors import DataFault
from rasp.graph import SOp, aggregate, indices, length, relation, select, selector_width, tokens, tokens_int
from rasp.operations import Atom
from rasp.relations import given_graph

REVERSE = aggregate(select(indices, length - 1 - indices), tokens)
HISTOGRAM = selector_width(select(tokens, tokens))


@pytest.mark.parametrize(("size", "longest", "count"), [(1, 5, 5), (2, 3, 14), (3, 1, 3), (26, 20, None)])
def test_how_many_inputs_there_are(size: int, longest: int, count: int | None) -> None:
    found = input_count(size, longest)
    assert found == count or (count is None and found > EXHAUSTIVE)


def test_few_inputs_are_all_compared() -> None:
    found = verify(REVERSE, compile_sop(REVERSE, tuple("abc"), 4))
    assert (found.count, found.exhaustive, found.undefined, found.counterexample) == (120, True, 0, None)


def test_of_many_inputs_some_are_compared() -> None:
    model = compile_sop(HISTOGRAM, tuple("abcdefgh"), 20)
    found = verify(HISTOGRAM, model, count=50)
    assert found.counterexample is None
    assert not found.exhaustive
    assert found.count > 58


def test_boundary_cases_are_among_them() -> None:
    model = compile_sop(HISTOGRAM, tuple("abcdefgh"), 20)
    seen: set[tuple[Atom, ...]] = set()
    trace = model.trace

    def spy(token_ids: Ids, engine: str, *, whole: bool, graphs: GraphInputs = NOTHING) -> Trace:
        seen.update(tuple(model.weights.vocabulary[number - 1] for number in row[1:]) for row in token_ids.tolist())
        return trace(token_ids, engine, whole=whole, graphs=graphs)

    model.trace = spy  # type: ignore[method-assign,assignment]
    verify(HISTOGRAM, model, count=10)
    full = [given for given in seen if len(given) == 20]
    assert {("a",), ("h",), ("a",) * 20, ("h",) * 20} <= seen
    assert any(list(given) == sorted(given) and len(set(given)) > 1 for given in full)
    assert any(list(given) == sorted(given, reverse=True) and len(set(given)) > 1 for given in full)


def test_progress_ends_at_the_total() -> None:
    calls: list[tuple[int, int]] = []
    verify(REVERSE, compile_sop(REVERSE, ("a", "b"), 5), progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (62, 62)
    assert calls == sorted(calls)


def test_inputs_without_a_value_are_counted() -> None:
    root = 1 / tokens_int
    found = verify(root, compile_sop(root, (0, 1), 2))
    assert (found.count, found.undefined, found.counterexample) == (6, 4, None)


def test_another_program_is_told_apart() -> None:
    found = verify(HISTOGRAM + 1, compile_sop(HISTOGRAM, ("a", "b"), 3))
    assert found.counterexample is not None
    assert found.counterexample.tokens == ("a",)
    assert (found.counterexample.expected, found.counterexample.found) == ([2], [1])


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ([1, 2], [1, 2], True),
        ([1.0], [1], True),
        ([1.0], [1.0 + 1e-7], True),
        ([1.0], [1.001], False),
        ([1e9], [1e9 + 1], True),
        (["a"], ["a"], True),
        (["a"], ["b"], False),
        (["1"], [1], False),
        ([1], [1, 1], False),
        ("an error", "another error", True),
        ("an error", [1], False),
        ([1], "an error", False),
        ([0.0], [float("nan")], False),
    ],
)
def test_agreement(expected: list[Atom] | str, found: list[Atom] | str, same: bool) -> None:
    assert agree(expected, found, Accuracy(1e-5, 1.0)) is same


def changed(weights: ModelWeights, name: str, place: tuple[int, ...], by: float) -> CompiledModel:
    """The model with one weight changed."""
    tensor = np.array(named_tensors(weights)[name])
    tensor[place] += by
    return CompiledModel(with_tensors(weights, {name: tensor}))


def perturbations(weights: ModelWeights, count: int) -> list[tuple[str, tuple[int, ...]]]:
    """Some weights of every tensor that are not zero; not where BOS scores itself, since nothing reads BOS later."""
    rng = random.Random(0)
    found = []
    for name, tensor in named_tensors(weights).items():
        places = [tuple(map(int, place)) for place in zip(*np.nonzero(tensor), strict=True)]
        if name.endswith(("W_Q", "W_K")):
            places = [place for place in places if weights.directions[place[0]] != "bos"]
        found += [(name, place) for place in rng.sample(places, min(count, len(places)))]
    return found


@pytest.mark.parametrize("root", [HISTOGRAM, REVERSE])
def test_a_wrong_weight_is_found(root: SOp) -> None:
    model = compile_sop(root, ("a", "b", "c"), 4)
    assert verify(root, changed(model.weights, "W_U", (0, 0), 0.0)).counterexample is None
    missed = [
        (name, place)
        for name, place in perturbations(model.weights, 5)
        if verify(root, changed(model.weights, name, place, -named_tensors(model.weights)[name][place])).counterexample
        is None
    ]
    assert not missed


def test_inputs_of_ones_own_are_compared() -> None:
    """Graphs too: they need not be among those that are drawn at random."""
    edges = relation("edges")
    model = compile_sop(selector_width(edges), "a", 3)
    given = [given_graph({"tokens": "aa", "edges": [[0, 1]]}), given_graph({"tokens": "a", "edges": [[0, 0]]})]
    assert verify_on(selector_width(edges), model, given).given == 2
    found = verify_on(selector_width(edges & ~select(indices, indices)), model, given)
    assert found.count == 2
    assert found.counterexample is not None
    assert (found.counterexample.expected, found.counterexample.found) == ([0], [1])
    with pytest.raises(DataFault, match="the model takes at most 3"):
        verify_on(selector_width(edges), model, [given_graph({"tokens": "aaaa", "edges": []})])

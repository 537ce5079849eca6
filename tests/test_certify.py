"""The certificate: given to what the compiler builds, refused to weights that were changed, true at its edges."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from compiler.ir import ModelWeights
from compiler.options import Options
from compiler.pipeline import Compilation, compile_sop
from compiler.precision import PRECISIONS
from compiler.proof import units
from compiler.proof.units import Group, Reading
from compiler.reader import Reader
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from compiler.symbolic import Direction
from compiler.tensors import named_tensors, with_tensors
from rasp.errors import Refusal
from rasp.graph import (
    Aggregate,
    SOp,
    aggregate,
    full,
    indicator,
    indices,
    length,
    select,
    select_best,
    selector_width,
    tokens,
    tokens_int,
    where,
)
from rasp.operations import Atom

SAME = select(tokens, tokens, "==")
BEFORE = select(indices, indices, "<")
HISTOGRAM = selector_width(SAME)
REVERSE = aggregate(select(indices, length - 1 - indices, "=="), tokens)
PLACE = selector_width(select(tokens, tokens, "<") | (SAME & BEFORE))
BALANCE = aggregate(select(indices, indices, "<="), indicator(tokens == "a") - indicator(tokens == "b"))

PROGRAMS: dict[str, tuple[SOp, tuple[Atom, ...]]] = {
    "reverse": (REVERSE, ("a", "b", "c")),
    "histogram": (HISTOGRAM, ("a", "b", "c")),
    "sort": (aggregate(select(PLACE, indices, "=="), tokens), ("a", "b", "c")),
    "balance": ((BALANCE == 0) & (aggregate(full, indicator(BALANCE < 0)) == 0), ("a", "b")),
    "last same": (aggregate(select_best(SAME & BEFORE, indices), indices, -1), ("a", "b")),
    "gated": (where(tokens == "a", HISTOGRAM, 0) * 2 + indices, ("a", "b")),
    "mean": (aggregate(SAME, tokens_int, -1), (0, 1, 5)),
    "constant": (tokens + "!", ("a", "b")),
    "tied": (selector_width(select_best(full, HISTOGRAM)), ("a", "b")),
    "best that meet it": (aggregate(select_best(full, HISTOGRAM) & SAME, indices, -1), ("a", "b")),
    "how many meet it": (selector_width(select_best(BEFORE, HISTOGRAM) & SAME), ("a", "b")),
    "last if the same": (selector_width(select_best(full, indices) & SAME), ("a", "b")),
    "length beside a mean": (where(aggregate(full, indicator(tokens == "a")) > 0, length, 0), ("a", "b")),
    "line": ((length - 2 - indices) * (length - 2 - indices), ("a", "b")),
}


def compilation(name: str, dtype: str = "float32", **options: Any) -> Compilation:
    root, vocabulary = PROGRAMS[name]
    return Compilation({name: root}, Options(vocabulary, 6, dtype=dtype, **options))


def changed(weights: ModelWeights, rng: random.Random) -> tuple[str, ModelWeights]:
    """The weights with one number changed, and which."""
    names = [name for name in named_tensors(weights) if not name.startswith("guards")]
    name = rng.choice(names)
    tensor = named_tensors(weights)[name].copy()
    place = tuple(rng.randrange(size) for size in tensor.shape)
    tensor[place] += rng.choice([1.0, -1.0, 0.5, 64.0])
    return f"{name}{place}", with_tensors(weights, {name: tensor})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_is_certified_is_exact_on_every_input(name: str, dtype: str) -> None:
    root, _ = PROGRAMS[name]
    model = compilation(name, dtype).model()
    assert model.weights.certificate is not None
    assert model.weights.certificate.headroom >= 1
    assert f"1 to 6 tokens over {len(model.weights.vocabulary)} in {dtype}" in model.weights.certificate.statement
    found = verify(root, model)
    assert found.exhaustive
    assert found.counterexample is None


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_changed_weight_is_noticed_or_does_no_harm(name: str) -> None:
    rng = random.Random(name)
    made = compilation(name)
    noticed = 0
    for _ in range(25):
        place, weights = changed(made.weights, rng)
        try:
            made.certify(weights)
        except Refusal as error:
            noticed += "no certificate" in str(error)
            continue
        assert verify(PROGRAMS[name][0], CompiledModel(weights)).counterexample is None, place
    assert noticed >= 20


@pytest.mark.parametrize("seed", range(40))
def test_a_group_gives_what_its_units_add_up_to(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "_CHUNK", 100)
    rng = np.random.default_rng(seed)
    count, width, sides = 50, 12, (3, 1, 5)
    codes = [rng.integers(0, size, count) for size in sides]
    levels = [np.eye(3), np.ones((1, 1)), rng.integers(-4, 5, (5, 1)).astype(float)]
    places = [[0, 2, 3], [1], [4]]
    readings = [
        Reading(at, (found, found), level, np.zeros_like(level))
        for at, found, level in zip(places, codes, levels, strict=True)
    ]
    W_in = rng.integers(-2, 3, (5, width)).astype(float)  # noqa: N806
    if seed % 2:
        W_in[[0, 2, 3, 4]] = W_in[[0, 2, 3, 4], :1]
    bias, W_out = rng.integers(-3, 3, width).astype(float), rng.integers(-2, 3, (width, 2)).astype(float)  # noqa: N806
    inputs = np.zeros((count, 5))
    for at, found, level in zip(places, codes, levels, strict=True):
        inputs[:, at] = level[found]
    want = np.maximum(inputs @ W_in + bias, 0) @ W_out
    group = Group(W_in, bias, W_out, [], PRECISIONS["float32"])
    assert group.gives(want, readings, 1.0)
    rows = group.unlike(readings, np.unique(want, axis=0, return_inverse=True)[1].reshape(-1))
    assert (len(rows) < count) is bool(seed % 2)
    assert group.gives(want[rows], [reading.at(rows) for reading in readings], 1.0)
    assert {tuple(row) for row in np.column_stack([inputs @ W_in, want])[rows].tolist()} == {
        tuple(row) for row in np.column_stack([inputs @ W_in, want]).tolist()
    }
    want[rng.integers(count), rng.integers(2)] += 1
    assert not group.gives(want, readings, 1.0)


def test_readings_whose_sums_are_not_exact_stay_apart() -> None:
    codes = np.array([0, 1, 0])
    reading = Reading([0], (codes, codes), np.array([[0.1], [0.3]]), np.zeros((2, 1)))
    group = Group(np.ones((1, 1)), np.zeros(1), np.ones((1, 1)), [], PRECISIONS["float32"])
    assert group.unlike([reading], np.zeros(3, dtype=int)).tolist() == [0, 1, 2]


def test_the_last_bit_of_what_a_step_writes_is_noticed() -> None:
    """1 + 2⁻⁵² and several ones are the float of as many ones in some orders, but need not be in all."""
    made = compilation("histogram", "float64")
    tensor = named_tensors(made.weights)["layers.0.mlps.0.W_out"].copy()
    tensor[7] = np.nextafter(tensor[7], 2 * tensor[7])
    with pytest.raises(Refusal, match="no certificate"):
        made.certify(with_tensors(made.weights, {"layers.0.mlps.0.W_out": tensor}))


def test_a_small_shift_of_the_steps_is_noticed() -> None:
    made = compilation("histogram")
    (feed_forward,) = made.weights.layers[0].feed_forwards
    bias = feed_forward.b_in + np.float32(4)
    with pytest.raises(Refusal, match="neurons for"):
        made.certify(with_tensors(made.weights, {"layers.0.mlps.0.b_in": bias}))


def test_a_bos_score_that_depends_on_the_query_is_noticed() -> None:
    made = Compilation({"length": where(tokens == "a", length, 0)}, Options(("a", "b"), 6))
    queries = made.weights.layers[0].heads[0].W_Q.copy()
    queries[made.weights.directions.index("tokens_asis=a"), 0] = 64
    with pytest.raises(Refusal, match="depends on the query"):
        made.certify(with_tensors(made.weights, {"layers.0.heads.0.W_Q": queries}))


def test_the_weights_of_another_program_are_not_certified() -> None:
    with pytest.raises(Refusal, match="not built as"):
        compilation("reverse").certify(compilation("histogram").weights)


def test_where_floats_are_too_coarse_compilation_stops() -> None:
    largest = aggregate(select_best(full, tokens_int), tokens_int)
    with pytest.raises(Refusal, match="beyond exact integers") as caught:
        compile_sop(largest, (0, 1, 10**7), 6)
    assert "float64" in str(caught.value)
    assert compile_sop(largest, (0, 1, 10**7), 6, dtype="float64").run([0, 10**7, 1]).output == [10**7] * 3


@pytest.mark.parametrize("length_", [1, 2, 31, 64])
def test_the_longest_inputs_hold(length_: int) -> None:
    model = compile_sop(HISTOGRAM, ("a", "b"), length_)
    for word in ("a" * length_, "ab" * (length_ // 2) or "b", "a" * (length_ - 1) + "b"):
        assert model.run(word).output == [word.count(letter) for letter in word]


def test_causal_models_say_so() -> None:
    certificate = compilation("histogram", causal=True).certificate
    assert "causal" in certificate.statement


def test_a_number_that_is_always_zero_may_be_written_by_its_head() -> None:
    after_the_query = select(indices, indices, ">")
    model = compile_sop(aggregate(full, aggregate(after_the_query, indices)), "ab", 4, causal=True)
    assert model.weights.certificate is not None
    assert model.run("abab").output == [0, 0, 0, 0]


def test_a_number_is_read_off_a_one_hot_that_has_all_of_its_values() -> None:
    one = select(indices, indices - length, "!=")
    nothing = aggregate(one, selector_width(select(indices, length, ">")))
    root = aggregate(SAME, nothing + aggregate(one, length)) + aggregate(SAME, 3)
    model = compile_sop(root, "ab", 1)
    assert model.run("a").output == [4]


@pytest.mark.parametrize("place", ["W_V", "W_U"])
def test_what_is_read_is_checked_against_its_meaning(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The construction itself reads twice the number, so that its weights are as built, but wrong."""
    number = Reader.number

    def doubled(reader: Reader, node: SOp) -> dict[Direction, float]:
        wrong = node is tokens_int if place == "W_V" else isinstance(node, Aggregate)
        return {direction: weight * (1 + wrong) for direction, weight in number(reader, node).items()}

    monkeypatch.setattr(Reader, "number", doubled)
    with pytest.raises(Refusal, match="what is read of it is not its value"):
        compile_sop(aggregate(full, tokens_int), (0, 1, 5), 4)

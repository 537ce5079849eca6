"""Linear thresholds: which sets of value combinations are found, that the weights are right, and what they save."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from compiler.gadgets.thresholds import Bools, Form, Separator
from compiler.options import Options
from compiler.pipeline import Compilation
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from compiler.tensors import named_tensors, with_tensors
from rasp.errors import Refusal
from rasp.graph import (
    SOp,
    aggregate,
    elementwise,
    indices,
    select,
    tokens,
    tokens_int,
    where,
)
from rasp.operations import Atom
from tests.exact import exact

PREVIOUS = aggregate(select(indices, indices - 1), tokens_int, 0)
FIRST = aggregate(select(indices, 0), tokens_int, 0)
THIRD = aggregate(select(indices, 2), tokens_int, 0)


def separator(sizes: Sequence[int], where: Callable[..., bool] = lambda *_: True) -> Separator:
    rows = [row for row in itertools.product(*map(range, sizes)) if where(*row)]
    return Separator(np.array(rows), sizes)


def chosen(found: Separator, test: Callable[..., bool]) -> Bools:
    return np.array([bool(test(*row)) for row in found.rows.tolist()])


def sums(found: Separator, form: Form) -> Any:
    return form.weights[found.columns].sum(axis=1)


def holds(found: Separator, inside: Bools, form: Form | None) -> bool:
    """Whether the form is there, its weights are integers, and its sum reaches the number exactly on the set."""
    return (
        form is not None
        and form.weights.dtype.kind == "i"
        and bool(np.array_equal(sums(found, form) >= form.at, inside))
    )


@pytest.mark.parametrize(
    ("sizes", "test", "largest"),
    [
        ((2,) * 5, lambda *flags: sum(flags) >= 3, 1),
        ((2,) * 7, lambda *flags: sum(flags) >= 4, 1),
        ((2,) * 6, lambda *flags: any(flags), 1),
        ((2,) * 3, lambda p, q, r: p and (q or r), 2),
        ((3, 3, 3), lambda *votes: sum(vote == 2 for vote in votes) >= 2, 1),
        ((12, 12), lambda a, b: a < b, 11),
        ((12, 12), lambda a, b: a <= b, 11),
        ((9, 9, 9), lambda a, b, c: a + b + c > 11, 8),
        ((9, 9), lambda a, b: a * b >= 20, 8),
        ((3, 4, 3, 4), lambda a, b, c, d: (a, b) < (c, d), 11),
        ((8, 8), lambda a, b: (a * 3) % 8 < (b * 5) % 8, 7),
        ((2, 2, 2, 2), lambda a, b, c, d: 3 * a + 2 * b + 2 * c + d >= 4, 3),
    ],
)
def test_thresholds_are_found(sizes: tuple[int, ...], test: Callable[..., bool], largest: int) -> None:
    found = separator(sizes)
    inside = chosen(found, test)
    form = found.threshold(inside)
    assert holds(found, inside, form)
    assert form is not None
    assert form.weights.max() <= largest
    assert form.weights.min() == 0
    assert holds(found, ~inside, found.threshold(~inside))


@pytest.mark.parametrize(
    ("sizes", "test"),
    [
        ((2, 2), lambda a, b: a != b),
        ((2,) * 6, lambda *flags: sum(flags) % 2 == 1),
        ((5, 5), lambda a, b: a == b),
        ((2,) * 4, lambda a, b, c, d: (a and b) or (c and d)),
        ((9, 9), lambda a, b: 5 <= a + b <= 9),
    ],
)
def test_what_is_no_threshold_is_not_found(sizes: tuple[int, ...], test: Callable[..., bool]) -> None:
    found = separator(sizes)
    inside = chosen(found, test)
    assert found.threshold(inside) is None
    assert found.face(inside) is None


def test_there_are_104_threshold_functions_of_three_variables() -> None:
    found = separator((2, 2, 2))
    kinds = [np.array(row) for row in itertools.product([False, True], repeat=8)]
    mixed = [inside for inside in kinds if inside.any() and not inside.all()]
    forms = [(inside, found.threshold(inside)) for inside in mixed]
    thresholds = [inside for inside, form in forms if form is not None]
    assert len(thresholds) + 2 == 104
    assert all(holds(found, inside, form) for inside, form in forms if form is not None)


def test_all_threshold_functions_of_four_variables_with_small_weights() -> None:
    found = separator((2, 2, 2, 2))
    rng = random.Random(5)
    for _ in range(150):
        weights, at = [rng.randint(-3, 3) for _ in range(4)], rng.randint(-3, 4)
        inside = chosen(found, lambda *flags, w=weights, t=at: np.dot(w, flags) >= t)
        if inside.any() and not inside.all():
            assert holds(found, inside, found.threshold(inside)), (weights, at)


def test_a_random_function_of_four_flags_is_a_threshold_only_if_the_weights_say_so() -> None:
    found = separator((2, 2, 2, 2))
    grid = np.array(list(itertools.product(range(-3, 4), repeat=4))) @ found.rows.T
    known = {(row >= at).tobytes() for row in grid for at in range(-6, 8)}
    rng = np.random.default_rng(3)
    for _ in range(150):
        inside = rng.random(16) < rng.choice([0.1, 0.3, 0.5])
        if inside.any():
            assert (found.threshold(inside) is not None) == (inside.tobytes() in known)


def test_combinations_that_do_not_occur_do_not_matter() -> None:
    found = separator((6, 6), lambda a, b: a <= b)
    inside = chosen(found, lambda a, b: a == b)
    form = found.face(inside)
    assert holds(found, inside, form)
    assert form is not None
    assert len(set(sums(found, form)[inside].tolist())) == 1
    assert separator((6, 6)).face(chosen(separator((6, 6)), lambda a, b: a == b)) is None


@pytest.mark.parametrize(
    ("sizes", "test"),
    [
        ((9, 9), lambda a, b: a == b),
        ((5, 5, 5), lambda a, b, c: a + b + c == 6),
        ((2,) * 5, lambda *flags: sum(flags) == 2),
        ((3, 3, 3, 3), lambda a, b, c, d: (a, b) == (c, d)),
    ],
)
def test_levels_are_found(sizes: tuple[int, ...], test: Callable[..., bool]) -> None:
    found = separator(sizes)
    inside = chosen(found, test)
    form = found.level(inside)
    assert form is not None
    assert np.array_equal(sums(found, form) == form.at, inside)
    assert form.weights.max() < 30


def test_what_no_indicator_tells_has_no_weight() -> None:
    rows = np.array(list(itertools.product(range(3), range(2))))
    inside = rows[:, 0] + rows[:, 1] >= 2
    free, bound = Separator(rows, (3, 2)), Separator(rows, (3, 2), ([1], []))
    assert holds(free, inside, free.threshold(inside))
    form = bound.threshold(inside)
    assert form is None or (form.weights[1] == 0 and holds(bound, inside, form))


@pytest.mark.parametrize("count", [2_000, 20_000])
def test_many_combinations_are_looked_at_a_few_at_a_time(count: int) -> None:
    rng = np.random.default_rng(count)
    rows = np.unique(rng.integers(0, 20, size=(count, 4)), axis=0)
    found = Separator(rows, (20,) * 4)
    inside = rows @ np.array([3, 1, 4, 2]) >= 95
    assert holds(found, inside, found.threshold(inside))


# -- compiled


def neurons(model: CompiledModel) -> list[int]:
    return [len(block.feed_forward.b_in) if block.feed_forward else 0 for block in model.weights.blocks]


def flags(*names: str) -> list[SOp]:
    return [aggregate(select(tokens, name), True, False) for name in names]


P, Q, R, S, T = flags(*"abcde")
MAJORITY = elementwise(lambda *votes: sum(votes) >= 3, P, Q, R, S, T)
TWO_OF_THREE = (P & Q) | (P & R) | (Q & R)
SUM_IN_A_TABLE = elementwise(lambda a, b, c: [0, 0, 0, 1, 1, 2, 2, 2, 5, 5][a + b + c], PREVIOUS, FIRST, THIRD)
LESS = elementwise(lambda a, b: "yes" if a < b else "no", PREVIOUS, FIRST)
EQUAL = elementwise(lambda a, b: a == b, PREVIOUS, FIRST)
LEXICOGRAPHIC = elementwise(lambda a, b, c, d: (a, b) < (c, d), PREVIOUS, FIRST, THIRD, tokens_int)
NOT_A_BOX = where((PREVIOUS == 1) & (FIRST == 2), "no", "yes")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("root", "vocabulary", "most"),
    [
        (MAJORITY, "abcde", 3),
        (TWO_OF_THREE, "abc", 3),
        (SUM_IN_A_TABLE, (0, 1, 2, 3), 8),
        (LESS, (0, 1, 2, 3, 4), 3),
        (EQUAL, (0, 1, 2, 3, 4), 4),
        (LEXICOGRAPHIC, (0, 1, 2), 3),
        (NOT_A_BOX, (0, 1, 2, 3), 2),
    ],
)
def test_few_neurons(root: SOp, vocabulary: Sequence[Atom], most: int, dtype: str) -> None:
    model = exact(root, vocabulary, 4, dtype=dtype)
    assert max(neurons(model)) <= most
    assert model.weights.certificate is not None


def test_the_table_without_thresholds_is_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    found = max(neurons(exact(EQUAL, range(8), 4)))
    for kind in ("face", "threshold", "level"):
        monkeypatch.setattr(Separator, kind, lambda *_: None)
    assert (found, max(neurons(exact(EQUAL, range(8), 4)))) == (4, 9)


@pytest.mark.parametrize("seed", range(12))
def test_random_tables_are_exact(seed: int) -> None:
    rng = random.Random(seed)
    values: list[Atom] = rng.choice([[0, 1], [0, 1, 2, 7], [True, False], ["x", "y", "z"]])
    weights = [[rng.randint(-2, 3) for _ in range(4)] for _ in range(3)]
    noise = rng.choice([0, 0, 0.05])

    def table(*args: Any) -> Atom:
        total = sum(weights[at][arg] for at, arg in enumerate(args))
        wrong = random.Random(repr((seed, args))).random() < noise
        return values[(max(0, total) // 2 + wrong) % len(values)]

    exact(elementwise(table, PREVIOUS, FIRST, THIRD), (0, 1, 2, 3), 4, dtype=rng.choice(["float32", "float64"]))


@pytest.mark.parametrize(("root", "vocabulary"), [(MAJORITY, "abcde"), (LESS, (0, 1, 2, 3)), (EQUAL, (0, 1, 2, 3))])
def test_the_certificate_notices_a_changed_threshold(root: SOp, vocabulary: Sequence[Atom]) -> None:
    made = Compilation({"root": root}, Options(tuple(vocabulary), 4))
    made.certify(made.weights)
    rng = random.Random(1)
    tensors, noticed = named_tensors(made.weights), 0
    prefix = next(name for name in tensors if name.endswith("W_in")).removesuffix("W_in")
    for _ in range(30):
        name = rng.choice(["W_in", "b_in", "W_out"])
        tensor = tensors[prefix + name].copy()
        places = np.argwhere(tensor != 0) if name != "b_in" else np.argwhere(tensor == 0)
        tensor[tuple(rng.choice(places.tolist()))] += rng.choice([1, -1, 0.5, -0.25])
        weights = with_tensors(made.weights, {prefix + name: tensor})
        try:
            made.certify(weights)
        except Refusal as error:
            noticed += "no certificate" in str(error)
            continue
        assert verify(root, CompiledModel(weights)).counterexample is None
    assert noticed >= 25


def test_a_level_of_two_factors_needs_no_linear_program() -> None:
    found = separator((9, 12), lambda a, b: (a + b) % 5)
    inside = chosen(found, lambda a, b: b == 2 * a % 13)
    form = found.level(inside)
    assert form is not None
    assert np.array_equal(sums(found, form) == form.at, inside)
    assert found.solved == 0


def test_what_always_holds_needs_no_linear_program() -> None:
    found = separator((5, 5), lambda a, b: a < b)
    form = found.face(np.ones(len(found.rows), dtype=bool))
    assert form is not None
    assert not form.weights.any()
    assert (form.at, found.solved) == (0, 0)

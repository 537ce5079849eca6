"""One weight changed, anywhere in a model: the proof refuses it, or no answer changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from operator import or_
from typing import Any

import numpy as np
import pytest

from compiler.options import Options
from compiler.pipeline import Compilation
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from compiler.tensors import named_tensors
from rasp.errors import Refusal
from rasp.graph import (
    SOp,
    aggregate,
    full,
    indicator,
    indices,
    relation,
    select,
    select_best,
    selector_width,
    tokens,
    tokens_asis,
    tokens_float,
    tokens_int,
    transpose,
    where,
)
from rasp.operations import Atom

SAME = select(tokens, tokens)
HISTOGRAM = selector_width(SAME)
BEFORE = select(indices, indices, "<")
EDGES = relation("edges")
SEEN = reduce(or_, ((select(tokens, a) & select(True, aggregate(BEFORE, indicator(tokens == a)) > 0)) for a in "abcde"))
BALANCE = aggregate(select(indices, indices, "<="), indicator(tokens == "a") - indicator(tokens == "b"))

MODELS: dict[str, tuple[dict[str, SOp], tuple[Atom, ...]]] = {
    "histogram and a guard": ({"x": where(HISTOGRAM > 1, "boom", tokens), "y": 6 / tokens_asis}, (1, 2, 0)),
    "last same": ({"x": aggregate(select_best(SAME & BEFORE, indices), indices, -1)}, ("a", "b")),
    "mean of what may be bools": ({"x": aggregate(SAME, tokens_asis, -1)}, (True, False, 3)),
    "copy of strings": ({"x": aggregate(select(indices, indices, "<"), tokens, "none")}, ("a", "b")),
    "balance": ({"x": (BALANCE == 0) & (aggregate(full, indicator(BALANCE < 0)) == 0)}, ("a", "b")),
    "strings or numbers": ({"x": aggregate(full, tokens_asis, "-")}, ("x", 1, 2)),
    "numbers too many to list": ({"x": aggregate(full, tokens_float) * 2 + 1}, tuple(1 + i**3 / 73 for i in range(30))),
    "over edges": ({"x": aggregate(EDGES & SAME, indices, -1), "y": selector_width(~transpose(EDGES))}, ("a", "b")),
    "letters that have been": ({"x": aggregate(SEEN, indices, -1)}, tuple("abcde")),
    "means and sums": ({"x": aggregate(BEFORE, tokens_int) * 2 + 1}, (1, 7)),
}  # fmt: skip
LENGTH = 4


def perturbed(weight: float, rng: random.Random) -> float:
    """Another number in the place of a weight: far, near, or the next one there is."""
    steps = [
        weight + 1,
        weight - 1,
        weight + 64,
        weight + 0.5,
        weight + 1e-3,
        float(np.nextafter(np.float32(weight), 9)),
    ]
    if weight:
        steps += [-weight, 0.0, weight * 2, weight * (1 + 2**-10), weight * 0.5]
    return rng.choice(steps)


@contextmanager
def with_weight(tensor: Any, place: tuple[int, ...], value: float) -> Iterator[None]:
    """A tensor with another number in one place, for a while."""
    before = tensor[place]
    tensor[place] = value
    try:
        yield
    finally:
        tensor[place] = before


def places(compilation: Compilation, rng: random.Random, count: int) -> Iterator[tuple[str, Any, tuple[int, ...]]]:
    """As many places in each tensor, half of them where it is not zero."""
    for name, tensor in named_tensors(compilation.weights).items():
        marked = [tuple(map(int, place)) for place in zip(*np.nonzero(tensor), strict=True)]
        for place in rng.sample(marked, min(count, len(marked))):
            yield name, tensor, place
        for _ in range(count if tensor.size else 0):
            yield name, tensor, tuple(rng.randrange(size) for size in tensor.shape)


def check_changes(name: str, dtype: str, count: int, seed: int = 0) -> tuple[int, int]:
    """How many changes of a model's weights were refused, and how many changed no answer; fails at any other."""
    rng = random.Random(f"{name} {dtype} {seed}")
    sops, vocabulary = MODELS[name]
    compilation = Compilation(sops, Options(vocabulary, LENGTH, dtype=dtype))
    refused = harmless = 0
    for tensor_name, tensor, place in places(compilation, rng, count):
        value = perturbed(float(tensor[place]), rng)
        if tensor.dtype.type(value) == tensor[place]:
            continue
        with with_weight(tensor, place, value):
            try:
                compilation.certify(compilation.weights)
            except Refusal:
                refused += 1
                continue
            found = verify(sops, CompiledModel(compilation.weights), count=60).counterexample
            assert found is None, f"{tensor_name}{place} = {value!r}: {found}"
            harmless += 1
    compilation.certify(compilation.weights)
    return refused, harmless


@pytest.mark.parametrize("name", MODELS)
def test_what_nothing_writes_is_noticed(name: str) -> None:
    """Even where no head and no hidden unit reads it, but only an output or a guard."""
    sops, vocabulary = MODELS[name]
    compilation = Compilation(sops, Options(vocabulary, LENGTH))
    read = np.hstack([readout.W_U for readout in (*compilation.weights.outputs, *compilation.weights.guards)])
    writing = [
        (tensor, place)
        for tensor_name, tensor in named_tensors(compilation.weights).items()
        if tensor_name.endswith(("W_O", "W_out"))
        for place in zip(*map(np.ndarray.tolist, tensor.nonzero()), strict=True)
        if read[place[1]].any()
    ]
    for tensor, place in random.Random(name).sample(writing, min(10, len(writing))):
        with with_weight(tensor, place, 0.0), pytest.raises(Refusal):
            compilation.certify(compilation.weights)


@pytest.mark.parametrize("name", MODELS)
def test_a_changed_weight_is_refused_or_changes_no_answer(name: str) -> None:
    refused, harmless = check_changes(name, "float32", 6)
    assert refused > 20
    assert refused > 4 * harmless

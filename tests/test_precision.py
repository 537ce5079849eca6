"""A model runs in the dtype it was certified in, and what is no number never decodes to a value."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
import torch

from compiler.ir import Check, Readout, ReadoutKind
from compiler.pipeline import compile_sop
from compiler.run.decode import check, decode, selected_states
from compiler.run.model import CompiledModel
from rasp.errors import DataFault, Refusal, ValueFault
from rasp.graph import (
    aggregate,
    full,
    indices,
    length,
    select,
    tokens,
    tokens_float,
    where,
)
from rasp.operations import Atom

REVERSE = aggregate(select(indices, length - 1 - indices), tokens)


@pytest.fixture
def model() -> CompiledModel:
    return compile_sop(REVERSE, ("a", "b", "c"), 5)


@pytest.fixture
def matmul_precision() -> Iterator[None]:
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_another_dtype_is_an_error(model: CompiledModel, dtype: str) -> None:
    model.network.to(getattr(torch, dtype))
    with pytest.raises(DataFault, match=f"certified in float32, and would run in {dtype}"):
        model.run("abc")
    with pytest.raises(DataFault, match="certified in float32"):
        model.network(torch.tensor([[0, 1, 2]]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_another_dtype_runs_where_it_is_allowed_by_name(model: CompiledModel, dtype: str) -> None:
    model.network.to(getattr(torch, dtype)).allow(dtype)
    assert model.trace(model.encode("abc")).logits.shape == (4, 3)


def test_autocast_is_an_error(model: CompiledModel) -> None:
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(DataFault, match="would run in autocast"):
        model.run("abc")
    assert model.run("abc").output == ["c", "b", "a"]


@pytest.mark.parametrize("precision", ["high", "medium"])
def test_reduced_matrix_products_are_an_error(model: CompiledModel, precision: str, matmul_precision: None) -> None:
    torch.set_float32_matmul_precision(precision)
    with pytest.raises(DataFault, match="would run in tf32"):
        model.run("abc")
    model.network.allow("tf32")
    assert model.run("abc").output == ["c", "b", "a"]


def test_a_float64_model_has_no_reduced_products(matmul_precision: None) -> None:
    model = compile_sop(REVERSE, ("a", "b"), 3, dtype="float64")
    torch.set_float32_matmul_precision("medium")
    assert model.run("ab").output == ["b", "a"]


def test_only_known_ways_can_be_allowed(model: CompiledModel) -> None:
    with pytest.raises(DataFault, match="'int8' is no way to run a model"):
        model.network.allow("int8")


def test_half_gives_no_values(model: CompiledModel) -> None:
    """All scores overflow there, so that attention is nan."""
    model.network.half().allow("float16")
    with pytest.raises(ValueFault, match="computes nan at position 0"):
        model.run("abcab")


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize(
    ("kind", "values", "good"),
    [("categorical", ("a", "b"), [1.0, 0.0]), ("number", (0, 1, 2), [1.0]), ("number", (), [0.5])],
)
def test_no_value_is_decoded_from_no_number(
    kind: ReadoutKind, values: tuple[Atom, ...], good: list[float], bad: float
) -> None:
    readout = Readout("x", kind, values, np.zeros((1, len(good))))
    assert len(decode(readout, np.array([good, good]))) == 2
    for place in range(len(good)):
        logits = np.array([good, good])
        logits[1, place] = bad
        with pytest.raises(ValueFault, match=f"x: the model computes {bad:g} at position 1"):
            decode(readout, logits)


@pytest.mark.parametrize("kind", ["single", "mean", "marks"])
@pytest.mark.parametrize("bad", [NAN, INF])
def test_no_guard_passes_on_no_number(kind: Check, bad: float) -> None:
    guard = Readout("x", "single", (3,), np.zeros((1, 3)), kind)
    logits = np.array([[1.0, 1.0, 1.0], [1.0, bad, 1.0]])
    with pytest.raises(ValueFault, match="at position 1"):
        check(guard, logits)
    with pytest.raises(ValueFault, match="at position 1"):
        selected_states(guard, logits)


@pytest.mark.parametrize("token", [5e-324, 1.7e308])
def test_steps_between_tokens_that_no_weight_tells_apart_are_refused(token: float) -> None:
    with pytest.raises(Refusal, match="too close to tell apart"):
        compile_sop(aggregate(full, tokens_float) > 0, (token, -token), 2, dtype="float64")


@pytest.mark.parametrize("default", [1e308, 3e307, 1e37])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gates_for_a_mean_beyond_what_they_can_close_are_refused(default: float, dtype: str) -> None:
    mean = aggregate(select(indices, indices, "<"), tokens_float * indices, default)
    tenths = tuple(number / 10 for number in range(1, 40))
    with suppress(Refusal):
        compile_sop(where(tokens_float > 0.15, mean, tokens_float), tenths, 9, dtype=dtype)


def test_defaults_whose_sums_no_float_holds_are_refused() -> None:
    mixed = aggregate(select(indices, length - 1 - indices, "<"), where(tokens_float == 0.1, True, "s"), 1e308)
    with pytest.raises(Refusal, match="beyond float32"):
        compile_sop(where(mixed == False, aggregate(full, mixed, False), -1), (0.1, 0.2, 0.3), 3, prefer="depth")  # noqa: E712

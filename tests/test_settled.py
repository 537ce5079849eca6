"""Whole batches are judged as their inputs are one by one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.ir import Accuracy
from compiler.pipeline import compile_sop
from compiler.run.agreement import EXACT, accuracies
from compiler.run.model import CompiledModel
from compiler.run.reference import Trace
from compiler.run.settled import settled
from compiler.run.verify import difference
from rasp.batch.run import BatchRun
from rasp.errors import Failures, Refusal
from rasp.graph import SOp, aggregate, indices, select, tokens, tokens_asis, tokens_int, where
from rasp.operations import Atom
from tests.random_graphs import random_case

UP_TO = select(indices, indices, "<=")
BEFORE = select(indices, indices, "<")


def judged(model: CompiledModel, sop: SOp, ids: Any, trace: Trace, accuracy: Mapping[str, Accuracy]) -> tuple[Any, Any]:
    """Which inputs a trace gets right: by the batch, and one by one."""
    batch = BatchRun(model.weights.vocabulary, ids, causal=model.weights.causal)
    outputs = {model.weights.output.name: sop}
    found = settled(model.weights, trace, {name: batch.sop(node) for name, node in outputs.items()}, accuracy)
    each = range(len(batch))
    alone = [difference(model, outputs, batch.tokens(at), [("reference", trace, at)], accuracy) for at in each]
    return found.tolist(), [example is None for example in alone]


def shaken(trace: Trace, rng: np.random.Generator) -> Trace:
    """The trace with wrong logits here and there, of outputs and of guards."""
    return replace(trace, outputs=_shaken(trace.outputs, rng), guards=_shaken(trace.guards, rng))


def _shaken(logits: tuple[Any, ...], rng: np.random.Generator) -> tuple[Any, ...]:
    noise = (0.0, 0.0, 0.0, 0.2, 0.3, 0.5, 1.0, -1.0, 1e-7, np.nan, np.inf)
    return tuple(
        part + rng.choice(noise, part.shape[:1])[:, None, None] * (rng.random(part.shape) < 0.3) for part in logits
    )


def compare(sop: SOp, vocabulary: tuple[Atom, ...], longest: int, **options: Any) -> None:
    model = compile_sop(sop, vocabulary, longest, **options)
    accuracy, rng = accuracies(model.weights), np.random.default_rng(0)
    for length in range(1, longest + 1):
        ids = rng.integers(0, len(vocabulary), (40, length))
        trace = model.trace(np.pad(ids + 1, ((0, 0), (1, 0))), "reference")
        found, alone = judged(model, sop, ids, trace, accuracy)
        assert found == alone == [True] * 40
        with np.errstate(invalid="ignore"):
            found, alone = judged(model, sop, ids, shaken(trace, rng), accuracy)
        assert found == alone


@pytest.mark.parametrize(
    ("sop", "vocabulary"),
    [
        (aggregate(BEFORE, tokens, "-"), ("a",)),
        (where(tokens == "a", 1, 2), ("a", "b")),
        (aggregate(UP_TO, tokens_int), (0, 1, 2)),
        (aggregate(BEFORE, tokens_int, True), (0, 1)),
        (aggregate(UP_TO, tokens_asis, 0), (0, True)),
        (1 / tokens_int, (0, 1, 2)),
        (aggregate(UP_TO, tokens_asis, "-"), ("a", "b")),
        (aggregate(UP_TO, tokens_asis / 3), (1.0, -2.0, 7.0, 11.0)),
        (tokens_asis, ("a", 1, 1.0, True)),
    ],
)
def test_a_batch_is_judged_as_its_inputs(sop: SOp, vocabulary: tuple[Atom, ...]) -> None:
    compare(sop, vocabulary, 4)


def test_random_programs_are_judged_as_their_inputs() -> None:
    for seed in range(300, 312):
        case = random_case(seed, longest=4, depth=3)
        try:
            compare(case.root, case.vocabulary, min(case.max_length, 3), dtype=case.dtype, causal=case.causal)
        except (Refusal, Failures):
            continue


def test_another_program_is_not_settled() -> None:
    model = compile_sop(tokens_int, (0, 1), 2)
    ids = np.array([[0, 0], [0, 1]])
    trace = model.trace(np.pad(ids + 1, ((0, 0), (1, 0))), "reference")
    accuracy = {model.weights.output.name: EXACT}
    assert judged(model, tokens_int * tokens_int, ids, trace, accuracy)[0] == [True, True]
    assert judged(model, tokens_int * 2, ids, trace, accuracy)[0] == [True, False]
    assert judged(model, tokens_int * 1.0, ids, trace, accuracy)[0] == [False, False]

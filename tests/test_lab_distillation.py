"""Out of compiled weights: distillation into a standard shape, and what noise the weights bear."""

from __future__ import annotations

import numpy as np
import pytest

import rasp
from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from lab.comparison import compare
from lab.distillation import distil, task_of
from lab.model import Encoder
from lab.noise import noise_curve, without_rounding
from lab.task import Task
from lab.training import TrainingConfig, size_of
from rasp import aggregate, indices, select, tokens
from rasp.errors import DataFault

SHIFT = aggregate(select(indices, indices - 1, "=="), tokens, "a")


def compiled(sop: rasp.SOp = SHIFT) -> CompiledModel:
    return compile(sop, "a-d", 5)


def small(model: CompiledModel) -> Task:
    return task_of(model, count=300, held_out=40)


def test_a_compiled_model_is_a_task_with_its_own_heads() -> None:
    model = compile(rasp.load("programs/sort.rasp").sop(), "a-d", 5, prefer="small")
    task = small(model)
    assert (task.vocabulary, task.max_length) == (("a", "b", "c", "d"), 5)
    assert [[head.selector for head in layer] for layer in task.heads] == [
        [head.selector for head in layer.heads] for layer in model.layers
    ]


def test_a_distilled_model_attends_as_the_compiled_one() -> None:
    model = compiled()
    training = TrainingConfig(steps=120, batch=32, every=60, supervise="kl", weight=2.0, learning_rate=1e-2)
    task = small(model)
    trained = distil(model, training, task=task, d_model=16)
    (head,) = compare(trained.model, task, task.held_out).heads
    assert trained.last.token_accuracy > 0.9
    assert head.agreement > 0.9
    row = task.batch(task.held_out).tokens(0)
    given = model.trace(model.encode(row), "reference").attention[0][0]
    assert np.allclose(head.target.attention[0, 1 : len(row) + 1, : len(row) + 1], given[1:], atol=1e-6)


def test_what_cannot_be_distilled_is_an_error() -> None:
    with pytest.raises(DataFault, match="is taught the heads"):
        distil(compiled(), TrainingConfig())
    with pytest.raises(DataFault, match="no attention to teach"):
        distil(compiled(tokens))


def test_noise_breaks_the_rounding_of_compiled_weights_and_without_it_they_bear_more() -> None:
    model = compile(rasp.load("programs/histogram.rasp").sop(), "a-d", 5)
    task = small(model)
    soft = without_rounding(model)
    own, less = (noise_curve(found, task, (0.0, 1e-5), draws=2, inputs=20) for found in (model, soft))
    assert own[0.0] == less[0.0] == less[1e-5] == 1
    assert own[1e-5] < 0.9


def test_noise_on_a_model_that_learns() -> None:
    task = small(compiled())
    model = Encoder(size_of(task, 1, 1, d_model=8))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = noise_curve(model, task, (0.0, 1.0), draws=2, inputs=20)
    assert found[0.0] != found[1.0]
    assert all(tensor.equal(before[name]) for name, tensor in model.state_dict().items())

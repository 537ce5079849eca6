"""From compiled weights into a standard shape: a transformer learns what each compiled head attends to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from compiler.run.model import CompiledModel
from lab.task import Task
from lab.training import Progress, Trained, TrainingConfig, size_of, train
from rasp.errors import DataFault
from rasp.layers import Head


def task_of(model: CompiledModel, inputs: str | Path = "random", **options: Any) -> Task:
    """The task of a compiled model: its s-op, vocabulary, maximum length and mask, and its heads as what is taught.

    A compiled head attends exactly as its selector says, so the selectors are the teacher's attention. `inputs` and
    `options` as for Task.from_program, with its errors.
    """
    weights = model.weights
    sop = weights.sops[weights.output.name]
    task = Task.from_program(sop, weights.vocabulary, weights.max_length, inputs, causal=weights.causal, **options)
    taught = tuple(tuple(Head(head.selector, head.kind) for head in layer.heads) for layer in weights.layers)
    return replace(task, taught=taught)


def distil(
    model: CompiledModel,
    training: TrainingConfig | None = None,
    *,
    task: Task | None = None,
    path: Path | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
    **encoder: Any,
) -> Trained:
    """A standard transformer of a compiled model's layers and heads, taught its answers and its attention.

    The `task` is `task_of(model)` unless it is given; `training` must supervise (None: by KL); `encoder` are options of
    EncoderConfig. Layers have as many heads as the widest of the model; spare ones are free. DataFault for a training
    without supervision, for a model without attention, and as for `train`.
    """
    training = training or TrainingConfig(supervise="kl")
    if training.supervise is None:
        raise DataFault("a distillation is taught the heads", hint='give TrainingConfig(supervise="kl")')
    if not model.weights.depth:
        raise DataFault(f"{model.weights.name} has no attention to teach", hint="lab.train learns its answers alone")
    task = task or task_of(model)
    size = size_of(task, model.weights.depth, max(model.weights.heads), **encoder)
    return train(task, size, training, path=path, progress=progress, device=device)

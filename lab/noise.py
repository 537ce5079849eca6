"""How much noise weights bear: each is multiplied by 1 + level·z with z normal, and the tokens still right are counted.

Compiled weights round by adding and subtracting 1.5·2²³ inside of a neuron, so that noise of 1e-7 on either number is
more than 1 in the sum. `without_rounding` leaves the two out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from compiler.run.decode import closest
from compiler.run.model import CompiledModel
from compiler.tensors import named_tensors, with_tensors
from lab.model import Encoder
from lab.task import Examples, Task
from lab.training import accuracy
from rasp.errors import RaspError
from rasp.operations import atom_key

LEVELS = (0.0, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_ROUNDING = 1e6

Tensors: TypeAlias = Mapping[str, np.ndarray[Any, Any]]


def noise_curve(
    model: CompiledModel | Encoder, task: Task, levels: Sequence[float] = LEVELS, *, draws: int = 3, inputs: int = 200
) -> dict[float, float]:
    """The share of tokens right at each level of noise, over some of the inputs held out, and several draws."""
    examples = task.held_out.take(np.arange(min(inputs, len(task.held_out))))
    return {level: float(np.mean([_share(model, task, examples, level, n) for n in range(draws)])) for level in levels}


def _share(model: CompiledModel | Encoder, task: Task, examples: Examples, level: float, seed: int) -> float:
    if isinstance(model, Encoder):
        return accuracy(model.with_noise(level, seed), task, examples)[0]
    rng = np.random.default_rng(seed)
    noisy = {
        name: (tensor * (1 + level * rng.standard_normal(tensor.shape))).astype(tensor.dtype)
        for name, tensor in named_tensors(model.weights).items()
    }
    return _right(CompiledModel(with_tensors(model.weights, noisy)), task, examples)


def _right(model: CompiledModel, task: Task, examples: Examples) -> float:
    """The share of tokens of which the value nearest to the logits is the program's."""
    run = task.batch(examples)
    wanted = run.sop(task.sop).lists()
    right = []
    for row in range(len(run)):
        trace = model.trace(model.encode(run.tokens(row)), "reference")
        try:
            found, _ = closest(model.weights.output, trace.logits[1:])
        except RaspError:  # not even numbers
            found = []
        own = wanted[row] or []
        right += [at < len(found) and atom_key(found[at]) == atom_key(value) for at, value in enumerate(own)]
    return float(np.mean(right))


def without_rounding(model: CompiledModel) -> CompiledModel:
    """A compiled model whose neurons add no large number: the weight on the direction that is 1 at tokens, and the bias
    that takes it away again, become their sum.

    Neurons are then no longer off at BOS: where a later head reads a default there, answers may change. No proof covers
    these weights; `noise_curve` at level 0 says what share of tokens is right.
    """
    tensors = named_tensors(model.weights)
    return CompiledModel(with_tensors(model.weights, _folded(tensors)))


def _folded(tensors: Tensors) -> dict[str, np.ndarray[Any, Any]]:
    found = {name: tensor.copy() for name, tensor in tensors.items()}
    for name in (name for name in tensors if name.endswith("W_in")):
        large = np.abs(found[name]) > _ROUNDING
        found[name.replace("W_in", "b_in")] += np.where(large, found[name], 0).sum(axis=0)
        found[name][large] = 0
    return found

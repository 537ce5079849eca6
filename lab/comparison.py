"""Learned heads beside the program's: how far they agree, and whether a selector can stand in for a head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from lab.masks import Place, Relational, cells
from lab.model import Encoder
from lab.patterns import HeadTarget, targets
from lab.task import Examples, Numbers, Task
from lab.training import Observed, observe, same_answers
from rasp.batch.ragged import Flags

UNINFORMATIVE = 0.9
"""Where a uniform head agrees so far, agreement says nothing."""


@dataclass(frozen=True, eq=False)
class HeadComparison:
    """A head of the program and the learned head of its layer that is like it; layers and heads from 0 on.

    `agreement` is 1 − the mean total variation distance between the two rows of attention, over the rows in which the
    program asks for something; `uniform` is the agreement of a head that looks at all it can see alike. `same_argmax`
    is the share of those rows in which the learned head looks most at a key that the selector selects. `kept` is the
    share of answers that stay when the program's attention is put in place of the learned head's: the swap test.
    """

    target: HeadTarget
    layer: int
    head: int
    agreement: float
    uniform: float
    same_argmax: float
    kept: float

    @property
    def above_uniform(self) -> float:
        """How much of the way from a uniform head to the program's the learned one has gone; 1 is all of it."""
        return (self.agreement - self.uniform) / max(1 - self.uniform, 1e-9)

    @property
    def informative(self) -> bool:
        """Whether agreement says anything: not where a uniform head agrees as well."""
        return self.uniform < UNINFORMATIVE


@dataclass(frozen=True, eq=False)
class Comparison:
    """All pairs of heads, and what share of answers stays when all of the program's stand in at once."""

    heads: tuple[HeadComparison, ...]
    kept: float


def compare(model: Encoder, task: Task, examples: Examples) -> Comparison:
    """The heads of a program beside those of a trained model, on some inputs.

    Within a layer the pairs are those that agree most in all (an assignment problem); layer l of the program is
    compared with layer l of the model, as far as the model has both.
    """
    own = observe(model, task, examples)
    wanted = targets(task, examples, bos=model.config.bos)
    swap = _Swap(model, task, examples, own)
    found = []
    for layer, (heads, patterns) in enumerate(zip(wanted, own.patterns, strict=False)):
        for target, head in _pairs(heads, patterns):
            pattern, uniform = patterns[:, head], _uniform(model, task, examples, (layer, head))
            scores = agreement(target, pattern), agreement(target, uniform), _same_argmax(target, pattern)
            found.append(HeadComparison(target, layer, head, *scores, swap.kept({(layer, head): target})))
    return Comparison(tuple(found), swap.kept({(pair.layer, pair.head): pair.target for pair in found}))


def accuracy_by_length(model: Encoder, task: Task, examples: Examples) -> dict[int, float]:
    """The share of tokens that a model gets right in inputs of each length."""
    right = same_answers(observe(model, task, examples).answers, examples.labels)
    return {
        int(length): float(right[examples.lengths == length][:, :length].mean())
        for length in np.unique(examples.lengths)
    }


def agreement(target: HeadTarget, pattern: Numbers) -> float:
    """1 − the mean total variation distance of two attentions [B, S, S], over the rows that ask for something."""
    if not target.rows.any():
        return float("nan")
    return 1 - 0.5 * float(np.abs(target.attention - pattern)[target.rows].sum(axis=1).mean())


def _uniform(model: Encoder, task: Task, examples: Examples, place: Place) -> Numbers:
    """The attention [B, S, S] of a head that looks at all alike that the one at a place can see."""
    mask, config = model.masks.get(place), model.config
    seen = None if mask is None else cells(mask, task.batch(examples))
    if isinstance(mask, Relational) and seen is not None:
        seen = np.asarray(seen.any(axis=1))
    return uniform_attention(examples, bos=config.bos, causal=config.causal, mask=seen)


def uniform_attention(examples: Examples, *, bos: bool, causal: bool, mask: Flags | None = None) -> Numbers:
    """The attention [B, S, S] of a head that looks at all it can see alike: of a mask [B, T, T] what it shows, and BOS.

    A row that sees nothing is zero.
    """
    keys = np.pad(examples.given, ((0, 0), (int(bos), 0)), constant_values=True)
    seen = np.repeat(keys[:, None, :], keys.shape[1], axis=1)
    if causal:
        seen = np.tril(seen)
    if mask is not None:
        seen[:, int(bos) :, int(bos) :] &= mask
    return np.asarray(seen / np.maximum(seen.sum(axis=2, keepdims=True), 1), dtype=np.float32)


def _pairs(heads: Sequence[HeadTarget], patterns: Numbers) -> list[tuple[HeadTarget, int]]:
    """The learned head that each head of the program is compared with; none where there are too few."""
    scores = np.array([[agreement(target, patterns[:, h]) for h in range(patterns.shape[1])] for target in heads])
    chosen = zip(*linear_sum_assignment(-np.nan_to_num(scores)), strict=True)
    return [(heads[own], int(learned)) for own, learned in chosen]


def _same_argmax(target: HeadTarget, pattern: Numbers) -> float:
    most = np.take_along_axis(target.attention, pattern.argmax(axis=2)[:, :, None], axis=2)[:, :, 0]
    return float((most[target.rows] > 0).mean()) if target.rows.any() else float("nan")


@dataclass(frozen=True, eq=False)
class _Swap:
    """A model whose heads can be replaced by the program's."""

    model: Encoder
    task: Task
    examples: Examples
    own: Observed

    def kept(self, wanted: dict[Place, HeadTarget]) -> float:
        """The share of answers that stay when the program's attention stands in for that of some heads."""
        patterns = {place: self._replaced(place, target) for place, target in wanted.items()}
        swapped = observe(self.model, self.task, self.examples, patterns)
        stays: Flags = same_answers(swapped.answers, self.own.answers)
        return float(stays[self.examples.given].mean())

    def _replaced(self, place: Place, target: HeadTarget) -> Numbers:
        """The program's attention in the rows where it asks for any, the learned head's in others."""
        layer, head = place
        return np.where(target.rows[:, :, None], target.attention, self.own.patterns[layer][:, head])

"""Learned heads beside the program's: agreement, the pairs that agree most, and the swap test."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from lab.comparison import accuracy_by_length, agreement, compare, uniform_attention
from lab.model import Attention, Encoder
from lab.patterns import HeadTarget, targets
from lab.task import Task
from lab.training import Trained, TrainingConfig, observe, size_of, train
from rasp import aggregate, evaluate, indices, load, select, tokens
from rasp.errors import DataFault

REVERSE = load("programs/reverse.rasp").sop()
SHIFT = aggregate(select(indices, indices - 1, "=="), tokens, "a")


@cache
def shift() -> tuple[Task, Trained]:
    """A task of one head, and a model with two that has learned it by supervision."""
    task = Task.from_program(SHIFT, "a-d", 5, count=300, held_out=40)
    training = TrainingConfig(steps=120, batch=32, every=60, supervise="kl", weight=2.0, learning_rate=1e-2)
    return task, train(task, size_of(task, 1, 2, d_model=16), training)


def target(task: Task) -> HeadTarget:
    return targets(task, task.held_out)[0][0]


def test_a_head_agrees_with_itself_wholly_and_with_another_by_what_they_share() -> None:
    task, _ = shift()
    own = target(task)
    assert agreement(own, own.attention) == 1
    assert agreement(own, np.roll(own.attention, 1, axis=2)) < 0.3
    half = 0.5 * own.attention + 0.5 * np.eye(6, dtype=np.float32)
    assert agreement(own, half) == pytest.approx(0.5)


def test_rows_that_ask_for_nothing_do_not_count() -> None:
    task, _ = shift()
    own = target(task)
    changed = own.attention.copy()
    changed[~own.rows] = 0.3
    assert agreement(own, changed) == 1
    assert np.isnan(agreement(replace(own, rows=np.zeros_like(own.rows)), changed))


@pytest.mark.parametrize("causal", [False, True])
def test_a_uniform_head_looks_at_all_it_can_see(causal: bool) -> None:
    task, _ = shift()
    found = uniform_attention(task.held_out, bos=True, causal=causal)
    assert found.sum(axis=2) == pytest.approx(1)
    length = int(task.held_out.lengths[0])
    assert found[0, length, : length + 1] == pytest.approx(1 / (length + 1))
    assert found[0, 1, 2:].any() != causal or length == 1


def test_a_supervised_head_agrees_and_can_be_swapped() -> None:
    task, trained = shift()
    found = compare(trained.model, task, task.held_out)
    (head,) = found.heads
    assert (head.layer, head.head) == (0, 0)
    assert head.agreement > 0.9 > head.uniform + 0.3
    assert head.same_argmax > 0.95
    assert head.informative
    assert head.above_uniform > 0.8
    assert head.kept == found.kept > 0.9


def test_pairs_are_found_wherever_the_head_is() -> None:
    """The same model with its two heads exchanged agrees as much, in the other place."""
    task, trained = shift()
    model = Encoder(trained.model.config)
    model.load_state_dict(trained.model.state_dict())
    attention = next(part for part in model.modules() if isinstance(part, Attention))
    width = attention.heads * attention.d_head
    order = torch.arange(width).roll(attention.d_head)
    with torch.no_grad():
        rows = torch.cat([order, order + width, order + 2 * width])
        attention.in_proj.weight.copy_(attention.in_proj.weight[rows])
        attention.in_proj.bias.copy_(attention.in_proj.bias[rows])
        attention.out_proj.weight.copy_(attention.out_proj.weight[:, order])
    (before,), (after,) = (compare(m, task, task.held_out).heads for m in (trained.model, model))
    assert (before.head, after.head) == (0, 1)
    assert after.agreement == pytest.approx(before.agreement, abs=1e-5)


def test_swapping_a_head_that_does_something_else_changes_answers() -> None:
    """An untrained model of reverse: the answers with the program's attention are others."""
    task = Task.from_program(REVERSE, "a-d", 5, count=200, held_out=40)
    torch.manual_seed(0)
    model = Encoder(size_of(task, 2, 1, d_model=16))
    found = compare(model, task, task.held_out)
    own = observe(model, task, task.held_out)
    wanted = targets(task, task.held_out)[1][0]
    stand_in = np.where(wanted.rows[:, :, None], wanted.attention, own.patterns[1][:, 0])
    swapped = observe(model, task, task.held_out, {(1, 0): stand_in})
    given = task.held_out.given
    assert found.heads[1].kept == pytest.approx((swapped.answers == own.answers)[given].mean())
    assert found.heads[1].kept < 1


def test_a_model_with_fewer_layers_is_compared_as_far_as_it_goes() -> None:
    task = Task.from_program(REVERSE, "a-d", 5, count=200, held_out=40)
    found = compare(Encoder(size_of(task, 1, 1, d_model=16, bos=False)), task, task.held_out)
    assert [pair.layer for pair in found.heads] == [0]
    assert compare(Encoder(size_of(task, 0, 0, d_model=16)), task, task.held_out).heads == ()


def test_inputs_of_ones_own_have_the_programs_labels() -> None:
    task, _ = shift()
    examples = task.examples(["abcd", "da"])
    assert examples.lengths.tolist() == [4, 2]
    for row, text in enumerate(["abcd", "da"]):
        assert task.atoms(examples.labels[row, : len(text)]) == evaluate(SHIFT, text)
    with pytest.raises(DataFault, match="'x', which is not"):
        task.examples(["abx"])


def test_accuracy_by_length_is_that_of_the_inputs_of_that_length() -> None:
    task, trained = shift()
    found = accuracy_by_length(trained.model, task, task.held_out)
    counts = {length: int((task.held_out.lengths == length).sum()) * length for length in found}
    mean = sum(share * counts[length] for length, share in found.items()) / sum(counts.values())
    assert sorted(found) == sorted(set(task.held_out.lengths.tolist()))
    assert mean == pytest.approx(trained.last.token_accuracy)

"""A program as a task: its inputs, its labels, and where its heads look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import lab
from lab.patterns import targets
from lab.sampling import log_weights, quotas
from lab.task import Task
from rasp import SOp, aggregate, evaluate, full, indices, load, select, selector_width, tokens, tokens_int
from rasp.errors import DataFault

REVERSE = load("programs/reverse.rasp").sop()
DYCK = load("programs/dyck2.rasp").sop()
HISTOGRAM = load("programs/histogram.rasp").sop()


def small(sop: SOp, vocab: str = "a-d", length: int = 5, inputs: str | Path = "random", seed: int = 0) -> Task:
    return Task.from_program(sop, vocab, length, inputs, count=300, held_out=50, seed=seed)


def rows(task: Task) -> tuple[set[bytes], set[bytes]]:
    found = [{row.tobytes() for row in side.ids} for side in (task.training, task.held_out)]
    return found[0], found[1]


@pytest.mark.parametrize("sop", [REVERSE, HISTOGRAM])
def test_labels_are_what_the_interpreter_says(sop: SOp) -> None:
    task = small(sop)
    assert task.classes is not None
    for ids, length, labels in zip(task.held_out.ids, task.held_out.lengths, task.held_out.labels, strict=True):
        given = [task.vocabulary[i] for i in ids[:length]]
        assert [task.classes[label] for label in labels[:length]] == evaluate(sop, given)


@pytest.mark.parametrize("inputs", ["random", "balanced"])
def test_inputs_are_distinct_and_the_held_out_ones_others(inputs: str) -> None:
    task = small(DYCK, "()[]", 8, inputs)
    training, held_out = rows(task)
    assert (len(training), len(held_out)) == (len(task.training), len(task.held_out)) == (300, 50)
    assert not training & held_out


def test_a_seed_gives_the_same_task_and_another_gives_another() -> None:
    assert rows(small(REVERSE)) == rows(small(REVERSE)) != rows(small(REVERSE, seed=1))


def test_lengths_are_as_even_as_the_number_of_inputs_allows() -> None:
    assert quotas(np.array([4, 16, 64, 256, 1024]), 300).tolist() == [4, 16, 64, 108, 108]
    assert quotas(np.array([4, 16]), 300).tolist() == [4, 16]


def test_training_inputs_have_all_lengths_alike() -> None:
    lengths = np.bincount(Task.from_program(REVERSE, "a-j", 8, count=700, held_out=50).training.lengths)
    assert lengths[3:].min() > 90


def test_balanced_inputs_close_their_brackets() -> None:
    """Of random inputs next to none is well-formed; of balanced ones about as many positions as have other labels."""
    rates = {}
    for inputs in ("random", "balanced"):
        task = small(DYCK, "()[]", 8, inputs)
        assert task.classes is not None
        labels = task.training.labels[task.training.given]
        rates[inputs] = np.bincount(labels, minlength=3) / len(labels)
    assert rates["random"].min() < 0.1
    assert rates["balanced"].min() > 0.2


def test_weights_make_labels_even() -> None:
    shares = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    weights = np.exp(log_weights(shares))
    assert weights @ shares[:, 0] < 1.7 * (weights @ shares[:, 1])
    assert log_weights(np.zeros((3, 2))).tolist() == [0, 0, 0]


def test_inputs_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "inputs.txt"
    file.write_text("\n".join([*(f"{a}{b}{c}" for a in "abcde" for b in "abcde" for c in "abcde"), "abc"]))
    task = small(REVERSE, "a-e", 4, file)
    assert len(task.training) + len(task.held_out) == 125
    assert set(task.training.lengths) == {3}


def test_many_numbers_are_regressed() -> None:
    mean = aggregate(full, tokens_int)
    task = Task.from_program(mean, "0..99", 6, count=2000, held_out=100)
    assert task.classes is None
    assert task.majority_rate is None
    first = task.held_out.ids[0][: task.held_out.lengths[0]]
    assert task.held_out.labels[0, 0] * task.deviation + task.mean == pytest.approx(first.mean(), abs=1e-4)


def test_inputs_without_a_value_are_left_out() -> None:
    failing = 1 / (selector_width(select(tokens, "a", "==")))
    task = small(failing)
    assert task.undefined > 0
    assert all(0 in row for row in task.training.ids)


def test_an_aggregate_asks_for_equal_shares_and_for_bos_where_it_selects_nothing() -> None:
    task = small(aggregate(select(tokens, "a", "=="), indices))
    ((target,),) = targets(task, task.held_out)
    for ids, attention, asked in zip(task.held_out.ids, target.attention, target.rows, strict=True):
        keys = np.concatenate([[not (ids == 0).any()], ids == 0])
        np.testing.assert_allclose(attention[asked], np.tile(keys / keys.sum(), (asked.sum(), 1)), rtol=1e-6)
        assert asked.tolist() == [False, *(ids >= 0)]


def test_a_width_asks_for_bos_as_well() -> None:
    task = small(HISTOGRAM)
    ((target,),) = targets(task, task.held_out)
    np.testing.assert_allclose(
        target.attention[:, 1, 0], 1 / (1 + (task.held_out.ids == task.held_out.ids[:, :1]).sum(axis=1))
    )


def test_without_bos_nothing_is_asked_for_where_nothing_is_selected() -> None:
    task = small(aggregate(select(tokens, "a", "=="), indices))
    ((target,),) = targets(task, task.held_out, bos=False)
    assert (target.rows == task.held_out.given & (task.held_out.ids == 0).any(axis=1)[:, None]).all()


@pytest.mark.parametrize(
    ("sop", "vocab", "length", "words"),
    [
        (REVERSE, "a", 10, "a vocabulary of one token"),
        (REVERSE, "a-b", 3, "2 tokens make 14 different inputs of up to 3"),
        (selector_width(select(1, 2, "==")), "a-e", 5, "the program gives 0 everywhere"),
        (1 / (indices * 0), "a-e", 5, "no value on any of"),
        (REVERSE, "a-e", 0, "a maximum length is a number from 1 on"),
    ],
)
def test_what_is_no_task_is_an_error(sop: SOp, vocab: str, length: int, words: str) -> None:
    with pytest.raises(DataFault, match=words):
        small(sop, vocab, length)


def test_a_file_with_few_inputs_or_strange_tokens_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "inputs.txt"
    for text, words in (("abc\nabd\n", "2 different inputs"), ("abx", "'x', which is not"), ("abcdabcd", "8 tokens")):
        file.write_text(text)
        with pytest.raises(DataFault, match=words):
            small(REVERSE, "a-d", 5, file)


def test_every_public_name_is_found() -> None:
    for name in lab.__all__:
        assert getattr(lab, name).__module__.startswith("lab.")
    with pytest.raises(AttributeError):
        _ = lab.nothing

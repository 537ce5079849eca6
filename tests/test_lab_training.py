"""Training: targets, supervision, runs that stop and go on, and files that are whole."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lab.checkpoint import Checkpoint
from lab.masks import Mask, Relational, causal, window
from lab.model import EncoderConfig
from lab.optimizers import OPTIMIZERS
from lab.patterns import targets
from lab.task import Task
from lab.training import Measurement, Trained, TrainingConfig, accuracy, device_of, load_model, observe, size_of, train
from rasp import aggregate, full, indices, load, select, tokens, tokens_int
from rasp.errors import DataFault

REVERSE = load("programs/reverse.rasp").sop()
TINY = TrainingConfig(steps=12, batch=8, every=4, seed=3)


@cache
def task() -> Task:
    return Task.from_program(REVERSE, "a-d", 5, count=200, held_out=40)


@cache
def config() -> EncoderConfig:
    return size_of(task(), 2, 1, d_model=8)


def weights(trained: Trained) -> list[NDArray[np.float32]]:
    return [tensor.numpy() for tensor in trained.model.state_dict().values()]


def same(one: Trained, other: Trained) -> bool:
    return all(map(np.array_equal, weights(one), weights(other)))


@pytest.mark.parametrize(
    "options", [{}, {"supervise": "kl"}, {"batch": 150}, {"optimizer": "muon"}, {"precision": "bfloat16"}], ids=str
)
@pytest.mark.parametrize("positions", ["learned", "random"])
def test_a_run_that_resumes_is_the_uninterrupted_one_bit_for_bit(
    tmp_path: Path, options: dict[str, object], positions: str
) -> None:
    training, size = replace(TINY, **options), replace(config(), positions=positions)  # type: ignore[arg-type]
    whole = train(task(), size, training)

    def interrupt(found: Measurement) -> None:
        if found.step == 8:
            raise KeyboardInterrupt

    path = tmp_path / "model.safetensors"
    with pytest.raises(KeyboardInterrupt):
        train(task(), size, training, path=path, progress=interrupt)
    assert load_model(path).last.step == 8
    resumed = train(task(), size, training, path=path)
    assert same(whole, resumed)
    assert [replace(m, seconds=0) for m in whole.history] == [replace(m, seconds=0) for m in resumed.history]


def test_a_finished_run_is_read_and_not_trained_again(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    first = train(task(), config(), TINY, path=path)
    content = path.read_bytes()
    again = train(task(), config(), TINY, path=path)
    assert same(first, again)
    assert path.read_bytes() == content
    assert same(first, load_model(path))


def test_a_seed_decides_everything() -> None:
    one = train(task(), config(), TINY)
    torch.rand(7)
    assert same(one, train(task(), config(), TINY))
    assert not same(one, train(task(), config(), replace(TINY, seed=4)))


def test_a_run_leaves_other_random_numbers_alone() -> None:
    torch.manual_seed(5)
    first = torch.rand(3)
    torch.manual_seed(5)
    train(task(), config(), replace(TINY, steps=1))
    assert torch.equal(first, torch.rand(3))


@pytest.mark.parametrize(
    "other",
    [{"training": replace(TINY, seed=9)}, {"config": EncoderConfig(4, 4, 5, 1, 1, 8)}, {"masks": {(0, 0): causal()}}],
    ids=["training", "encoder", "masks"],
)
def test_a_file_of_another_run_is_not_gone_on_with(tmp_path: Path, other: dict[str, object]) -> None:
    path = tmp_path / "model.safetensors"
    train(task(), config(), TINY, path=path)
    content = path.read_bytes()
    with pytest.raises(DataFault, match="a run with another"):
        train(**{"task": task(), "config": config(), "training": TINY, "path": path, **other})  # type: ignore[arg-type]
    assert path.read_bytes() == content


@pytest.mark.parametrize("supervise", ["kl", "mse"])
def test_supervision_brings_heads_to_their_selectors(supervise: str) -> None:
    """The distance that is reported falls, and is what the patterns of the last step make it."""
    training = replace(TINY, steps=60, batch=32, every=20, supervise=supervise, weight=3.0, learning_rate=1e-2)
    history = train(task(), replace(config(), d_model=16), training).history
    assert history[0].supervision > 1.5 * history[-1].supervision > 0


def test_without_supervision_no_distance_is_measured() -> None:
    assert {found.supervision for found in train(task(), config(), TINY).history} == {0.0}


def test_training_stops_when_enough_is_right_twice() -> None:
    history = train(task(), config(), replace(TINY, enough=0.0)).history
    assert [found.step for found in history] == [4, 8]


def test_a_simple_task_is_learned() -> None:
    """Which token stands here, told by the token: a few steps suffice, on inputs never seen."""
    here = aggregate(select(indices, indices, "=="), tokens)
    copying = Task.from_program(here, "a-d", 4, count=200, held_out=30)
    trained = train(copying, size_of(copying, 1, 1, d_model=16), replace(TINY, steps=60, batch=32, every=20))
    assert trained.last.token_accuracy > 0.95
    assert accuracy(trained.model, copying, copying.held_out) == (
        trained.last.token_accuracy,
        trained.last.sequence_accuracy,
    )


def test_numbers_are_regressed() -> None:
    mean = Task.from_program(aggregate(full, tokens_int), "0..29", 6, count=2000, held_out=50)
    training = replace(TINY, steps=60, batch=64, every=20, learning_rate=1e-2)
    trained = train(mean, size_of(mean, 1, 1, d_model=16), training)
    assert trained.model.config.outputs == 1
    assert trained.history[-1].loss < 0.6 * trained.history[0].loss


def test_masked_heads_are_trained_under_their_mask(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    trained = train(task(), config(), replace(TINY, steps=4), masks={(0, 0): causal()}, path=path)
    pattern = observe(trained.model, task(), task().held_out).patterns[0][:, 0, 1:, 1:]
    assert not np.triu(pattern, 1).any()


def test_a_model_is_read_back_with_its_masks(tmp_path: Path) -> None:
    """The file alone gives the same answers: of masked heads, and of relational ones."""
    path = tmp_path / "model.safetensors"
    masks: dict[tuple[int, int], Mask] = {
        (0, 0): causal(),
        (1, 0): Relational((window(2), select(tokens, tokens, "=="))),
    }
    trained = train(task(), config(), replace(TINY, steps=4), masks=masks, path=path)
    again = load_model(path)
    assert same(trained, again)
    assert again.model.masks == masks
    first, second = (observe(found.model, task(), task().held_out).answers for found in (trained, again))
    assert np.array_equal(first, second)


def test_masks_that_cannot_be_read_are_damage(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    train(task(), config(), replace(TINY, steps=4), masks={(0, 0): causal()}, path=path)
    kept = Checkpoint.load(path)
    for masks in ({}, {"nodes": [], "heads": {"0.0": 3}}, {"nodes": [], "heads": {"x": 0}}, None):
        Checkpoint(kept.tensors, {**kept.description, "masks": masks}).save(path)
        with pytest.raises(DataFault, match="is damaged"):
            load_model(path)


def test_muon_takes_the_matrices_of_the_blocks_and_adamw_the_rest() -> None:
    """AdamW's first step moves every weight by the learning rate; Muon's is a nearly orthogonal matrix."""
    for optimizer in OPTIMIZERS:
        training = replace(TINY, steps=1, optimizer=optimizer, weight_decay=0.0)
        states = [
            train(task(), config(), replace(training, learning_rate=rate)).model.state_dict() for rate in (0, 1e-2)
        ]
        moved = {name: states[1][name] - states[0][name] for name in ("blocks.0.mlp.0.weight", "W_U.weight")}
        alike = {name: bool((step.abs() - 1e-2).abs().max() < 1e-4) for name, step in moved.items()}
        assert alike == {"blocks.0.mlp.0.weight": optimizer == "adamw", "W_U.weight": True}
    values = torch.linalg.svdvals(moved["blocks.0.mlp.0.weight"])
    assert values.max() < 3 * values.min()


def test_bfloat16_is_for_products_alone() -> None:
    low, whole = (train(task(), config(), replace(TINY, precision=name)) for name in ("bfloat16", "float32"))
    assert {tensor.dtype for tensor in low.model.state_dict().values()} == {torch.float32}
    assert not same(low, whole)
    assert low.last.loss == pytest.approx(whole.last.loss, rel=0.05)


def test_a_rate_can_fall_with_each_epoch() -> None:
    training = TrainingConfig(learning_rate=1e-2, decay=0.5)
    assert [training.rate(step, 2) for step in range(5)] == [1e-2, 1e-2, 5e-3, 5e-3, 2.5e-3]


def test_a_gpu_is_only_taken_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert [device_of("auto"), device_of("cpu")] == ["cpu", "cpu"]
    with pytest.raises(DataFault, match="no GPU"):
        device_of("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_of("auto") == "cuda"


def test_the_rate_warms_up_and_falls_to_nothing() -> None:
    rates = [TrainingConfig(steps=100).rate(step) for step in range(100)]
    assert max(rates) == rates[4] == rates[5] == 3e-3
    assert rates[0] == pytest.approx(6e-4)
    assert rates[-1] < 1e-5


def test_what_makes_no_sense_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="supervised by one of kl, mse"):
        TrainingConfig(supervise="l1")
    with pytest.raises(DataFault, match="from 1 on"):
        TrainingConfig(steps=0)
    with pytest.raises(DataFault, match="optimizer is one of adamw, muon"):
        TrainingConfig(optimizer="sgd")
    with pytest.raises(DataFault, match="precision is one of"):
        TrainingConfig(precision="float64")
    with pytest.raises(DataFault, match="needs a BOS token"):
        train(task(), replace(config(), bos=False), replace(TINY, supervise="kl"))
    for content in (b"", b"no model"):
        (tmp_path / "model.safetensors").write_bytes(content)
        with pytest.raises(DataFault, match="cannot read"):
            load_model(tmp_path / "model.safetensors")


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"

    def fill(found: Measurement) -> None:
        def full_disk(self: Path, content: bytes) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", full_disk)

    with pytest.raises(DataFault, match="No space left on device"):
        train(task(), config(), TINY, path=path, progress=fill)
    monkeypatch.undo()
    assert load_model(path).last.step == 4
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]
    assert same(train(task(), config(), TINY), train(task(), config(), TINY, path=path))


def test_the_losses_are_those_of_the_first_step() -> None:
    """Cross-entropy and KL of an untrained model, computed anew from its outputs and patterns."""
    training = replace(TINY, steps=1, batch=len(task().training), supervise="kl", learning_rate=0.0)
    trained = train(task(), config(), training)
    with torch.no_grad():
        found = trained.model(torch.from_numpy(task().training.ids))
    given = torch.from_numpy(task().training.given)
    labels = torch.from_numpy(task().training.labels)
    answers = -found.outputs.log_softmax(-1).gather(-1, labels[..., None])[..., 0][given].mean()
    distances = []
    for layer, (target,) in enumerate(targets(task(), task().training)):
        wanted, pattern = target.attention[target.rows], found.patterns[layer][:, 0].numpy()[target.rows]
        asked = wanted > 0
        distances.append((wanted[asked] * np.log(wanted[asked] / pattern[asked])).sum() / len(wanted))
    assert trained.last.loss == pytest.approx(answers.item(), rel=1e-4)
    assert trained.last.supervision == pytest.approx(np.mean(distances), rel=1e-4)

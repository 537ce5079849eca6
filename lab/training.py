"""Training: a plain loop that depends on nothing but its configuration, so that it can stop and go on at any step.

Batches, learning rate and drawn positions are functions of the seed and the step. A checkpoint therefore holds weights,
the optimizer's moments and the step; a run that resumes is the uninterrupted one bit for bit, with as many threads.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from lab import mask_json
from lab.checkpoint import Checkpoint
from lab.masks import Masks, Place
from lab.model import Encoder, EncoderConfig, Forward
from lab.optimizers import OPTIMIZERS, Optimizers
from lab.patterns import targets
from lab.task import Examples, Numbers, Task
from rasp.batch.ragged import Codes, Flags
from rasp.errors import DataFault

SUPERVISIONS = ("kl", "mse")
PRECISIONS = ("float32", "bfloat16")
DEVICES = ("auto", "cpu", "cuda")

RIGHT_WITHIN = 0.05
"""A number is right if it is so near, in standard deviations of the labels."""

_CHUNK = 2_048


@dataclass(frozen=True)
class TrainingConfig:
    """How a model is trained. DataFault for what makes no sense.

    AdamW or Muon with `warmup` (a share of the steps) and a cosine down to 0, or with a rate that each epoch multiplies
    by `decay`; gradients are clipped. `supervise` adds the distance between heads and selectors, times `weight`. Every
    so many steps the held-out inputs are measured; training stops early when `enough` of their tokens are right twice
    in a row. In `bfloat16` the products are, weights and what is measured stay in float32.
    """

    steps: int = 1_500
    batch: int = 64
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.98)
    weight_decay: float = 0.01
    warmup: float = 0.05
    clip: float = 1.0
    seed: int = 0
    supervise: str | None = None
    weight: float = 1.0
    every: int = 50
    enough: float = 0.9995
    optimizer: str = "adamw"
    decay: float | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        if self.supervise is not None and self.supervise not in SUPERVISIONS:
            raise DataFault(f"heads are supervised by one of {', '.join(SUPERVISIONS)}, not {self.supervise!r}")
        for name, value, known in (
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("precision", self.precision, PRECISIONS),
        ):
            if value not in known:
                raise DataFault(f"the {name} is one of {', '.join(known)}, not {value!r}")
        if min(self.steps, self.batch, self.every) < 1:
            raise DataFault("steps, batch size and steps between measurements are numbers from 1 on")

    def rate(self, step: int, per_epoch: int = 1) -> float:
        """The learning rate of a step, counted from 0, where an epoch has so many."""
        if self.decay is not None:
            return float(self.learning_rate * self.decay ** (step // per_epoch))
        warm = max(1, round(self.warmup * self.steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


@dataclass(frozen=True)
class Measurement:
    """What was found after some steps: mean losses since the last measurement, shares of held-out tokens and whole
    inputs that are right, and the seconds spent training."""

    step: int
    loss: float
    supervision: float
    token_accuracy: float
    sequence_accuracy: float
    seconds: float


Progress: TypeAlias = "Callable[[Measurement], None]"


@dataclass(frozen=True, eq=False)
class Trained:
    """A model that has been trained, and what was measured on the way."""

    model: Encoder
    history: tuple[Measurement, ...]

    @property
    def last(self) -> Measurement:
        return self.history[-1]


def size_of(task: Task, layers: int, heads: int, **options: object) -> EncoderConfig:
    """The configuration of an encoder for a task; options as in EncoderConfig."""
    outputs = 1 if task.classes is None else len(task.classes)
    fixed = {"vocabulary": len(task.vocabulary), "outputs": outputs, "max_length": task.max_length}
    return EncoderConfig(**{**fixed, "layers": layers, "heads": heads, "causal": task.causal, **options})  # type: ignore[arg-type]


def train(
    task: Task,
    config: EncoderConfig,
    training: TrainingConfig,
    *,
    masks: Masks | None = None,
    path: Path | None = None,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Trained:
    """A model trained on a task. With a path it is kept there at every measurement, and a run kept there goes on.

    It is trained on a `device` that torch knows, and given back on the CPU. DataFault where the file is of another task
    or configuration, where it cannot be written, and where heads should be supervised without BOS, which is where they
    look when they select nothing.
    """
    run = _Run(task, config, training, dict(masks or {}), path, torch.device(device))
    return run.finish(progress or (lambda found: None))


def device_of(name: str) -> str:
    """The device that is meant by `auto`, `cpu` or `cuda`. DataFault where there is no GPU and one is wanted."""
    if name == "cuda" and not torch.cuda.is_available():
        raise DataFault("torch finds no GPU here", hint="leave --device out, or give cpu")
    return ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name


@dataclass(frozen=True, eq=False)
class Observed:
    """A model on examples: its answers [B, N] (places of classes, or numbers as labels are), and the pattern
    [B, H, S, S] of each layer."""

    answers: Codes | Numbers
    patterns: tuple[Numbers, ...]


def observe(
    model: Encoder, task: Task, examples: Examples, patterns: Mapping[Place, Numbers] | None = None
) -> Observed:
    """What a model does on examples; `patterns` [B, S, S] stand in for those of some heads."""
    found: list[Forward] = []
    device = model.W_E.weight.device
    with torch.no_grad():
        for rows in _chunks(examples):
            part = examples.take(rows)
            masks = _on(device, model.visible(task.batch(part))) if model.masks else None
            given = _on(device, {place: torch.from_numpy(pattern[rows]) for place, pattern in (patterns or {}).items()})
            found.append(model(torch.from_numpy(part.ids).to(device), masks, given))
    outputs = torch.cat([part.outputs for part in found])
    answers = outputs[..., 0] if task.classes is None else outputs.argmax(dim=-1)
    layers = range(len(found[0].patterns))
    return Observed(
        answers.cpu().numpy(),
        tuple(torch.cat([part.patterns[layer] for part in found]).cpu().numpy() for layer in layers),
    )


def _on(device: torch.device, tensors: Mapping[Place, Tensor]) -> dict[Place, Tensor]:
    return {place: tensor.to(device) for place, tensor in tensors.items()}


def _chunks(examples: Examples) -> Iterator[Codes]:
    """The places of all examples, some at a time."""
    for start in range(0, len(examples), _CHUNK):
        yield np.arange(start, min(start + _CHUNK, len(examples)))


def accuracy(model: Encoder, task: Task, examples: Examples) -> tuple[float, float]:
    """The shares of tokens and of whole inputs that a model gets right."""
    right = same_answers(observe(model, task, examples).answers, examples.labels)
    return float(right[examples.given].mean()), float((right | ~examples.given).all(axis=1).mean())


def same_answers(answers: Codes | Numbers, others: Codes | Numbers) -> Flags:
    """Where two arrays of answers agree: the same class, or numbers that are near."""
    if answers.dtype.kind == "f":
        return np.asarray(np.abs(answers - others) <= RIGHT_WITHIN)
    return np.asarray(answers == others)


class _Run:
    """A run of training, at some step."""

    def __init__(
        self,
        task: Task,
        config: EncoderConfig,
        training: TrainingConfig,
        masks: Masks,
        path: Path | None,
        device: torch.device,
    ) -> None:
        if training.supervise is not None and not config.bos:
            raise DataFault("supervision needs a BOS token: heads look there where their selector selects nothing")
        self.task, self.training, self.path, self.device = task, training, path, device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(training.seed)
            self.model = Encoder(config, masks).to(device)
        self.optimizers = Optimizers(
            training.optimizer, self.model, betas=training.betas, weight_decay=training.weight_decay
        )
        self.step = 0
        self.history: list[Measurement] = []
        self.finished = False
        if path is not None and path.exists():
            self._resume(Checkpoint.load(path), path)

    def finish(self, progress: Progress) -> Trained:
        """Trains to the end."""
        spent = self.history[-1].seconds if self.history else 0.0
        while not self.finished:
            started = time.perf_counter()
            losses = self._steps(min(self.training.every, self.training.steps - self.step))
            spent += time.perf_counter() - started
            self._measure(losses, spent)
            self._keep()
            progress(self.history[-1])
        return Trained(self.model.cpu().eval(), tuple(self.history))

    def _steps(self, count: int) -> tuple[float, float]:
        """Takes some steps; the mean losses."""
        self.model.train()
        totals = torch.zeros(2, device=self.device)
        for _ in range(count):
            totals += self._one_step()
        return totals[0].item() / count, totals[1].item() / count

    def _one_step(self) -> Tensor:
        """Takes a step; its losses [2], of answers and of heads."""
        rows = self._rows(self.step)
        answers, heads = self._losses(rows)
        self.optimizers.clear()
        torch.autograd.backward(answers + self.training.weight * heads)
        nn.utils.clip_grad_norm_(self.model.parameters(), self.training.clip)
        self.optimizers.step(self.training.rate(self.step, self._per_epoch))
        self.step += 1
        return torch.stack([answers.detach(), heads.detach()])

    def _losses(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The losses of answers and of heads on some examples."""
        ids = self._ids[rows].to(self.device)
        drawn = torch.Generator().manual_seed(self.training.seed * 1_000_003 + self.step)
        positions = self.model.draw_positions(ids.shape[1] + self.model.config.bos, drawn)
        masks = _on(self.device, {place: seen[rows] for place, seen in self._masks.items()})
        low = self.training.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=low):
            found = self.model(ids, masks, None, positions)
        answers = _answer_loss(found.outputs.float(), self._labels[rows].to(self.device), ids >= 0)
        return answers, self._supervision(found.patterns, rows)

    @cached_property
    def _per_epoch(self) -> int:
        return max(1, len(self.task.training) // self.training.batch)

    def _rows(self, step: int) -> Tensor:
        """The examples of a step: each epoch goes through all of them in an order of its own."""
        epoch, place = divmod(step, self._per_epoch)
        if epoch != self._order[0]:
            order = np.random.default_rng([self.training.seed, epoch]).permutation(len(self.task.training))
            self._order = epoch, order
        start = place * self.training.batch
        return torch.from_numpy(self._order[1][start : start + self.training.batch])

    _order: tuple[int, Codes] = (-1, np.empty(0, dtype=np.intp))

    @cached_property
    def _ids(self) -> Tensor:
        return torch.from_numpy(self.task.training.ids)

    @cached_property
    def _labels(self) -> Tensor:
        return torch.from_numpy(self.task.training.labels)

    @cached_property
    def _masks(self) -> dict[Place, Tensor]:
        return self.model.visible(self.task.batch(self.task.training)) if self.model.masks else {}

    # -- supervision

    def _supervision(self, patterns: tuple[Tensor, ...], rows: Tensor) -> Tensor:
        """The mean distance of the heads that stand for heads of the program, over the rows that ask for something."""
        parts = []
        for (layer, head), (keys, asking) in self._targets.items():
            keys_here, asking_here = keys[rows].to(self.device).float(), asking[rows].to(self.device)
            wanted = keys_here / keys_here.sum(dim=-1, keepdim=True).clamp(min=1)
            found = patterns[layer][:, head].float()
            parts.append(_distance(self.training.supervise, wanted, found)[asking_here].mean())
        return torch.stack(parts).mean() if parts else torch.zeros((), device=self.device)

    @cached_property
    def _targets(self) -> dict[Place, tuple[Tensor, Tensor]]:
        """The keys [B, S, S] that supervised heads should look at alike, and the rows [B, S] that ask for any."""
        if self.training.supervise is None:
            return {}
        pieces = list(self._target_pieces())
        return {
            place: (torch.cat([piece[place][0] for piece in pieces]), torch.cat([piece[place][1] for piece in pieces]))
            for place in pieces[0]
        }

    def _target_pieces(self) -> Iterator[dict[Place, tuple[Tensor, Tensor]]]:
        examples, config = self.task.training, self.model.config
        for rows in _chunks(examples):
            piece = targets(self.task, examples.take(rows))
            yield {
                (layer, h): (torch.from_numpy(target.attention > 0), torch.from_numpy(target.rows))
                for layer, heads in enumerate(piece[: config.layers])
                for h, target in enumerate(heads[: config.heads])
            }

    # -- measuring and keeping

    def _measure(self, losses: tuple[float, float], seconds: float) -> None:
        self.model.eval()
        tokens, sequences = accuracy(self.model, self.task, self.task.held_out)
        self.history.append(Measurement(self.step, *losses, tokens, sequences, seconds))
        last = [found.token_accuracy for found in self.history[-2:]]
        done = len(last) == 2 and min(last) >= self.training.enough
        self.finished = done or self.step >= self.training.steps

    def _keep(self) -> None:
        if self.path is not None:
            tensors = {f"model.{name}": tensor.cpu().numpy() for name, tensor in self.model.state_dict().items()}
            if not self.finished:
                tensors |= {f"optimizer.{name}": moments for name, moments in self.optimizers.state().items()}
            Checkpoint(tensors, {**self._identity, **self._progress}).save(self.path)

    @property
    def _progress(self) -> dict[str, object]:
        history = [asdict(found) for found in self.history]
        return {"step": self.step, "finished": self.finished, "history": history}

    @cached_property
    def _identity(self) -> dict[str, object]:
        """What must be the same for a run to go on."""
        training = {**asdict(self.training), "betas": list(self.training.betas)}
        return {
            "encoder": asdict(self.model.config),
            "training": training,
            "masks": mask_json.as_json(self.model.masks),
            "task": fingerprint(self.task),
        }

    def _resume(self, kept: Checkpoint, path: Path) -> None:
        """Goes on where a checkpoint was written."""
        for name, own in self._identity.items():
            if kept.description.get(name) != own:
                raise DataFault(f"{path} is of a run with another {name}", hint="write to another folder")
        try:
            self.model.load_state_dict({name: torch.from_numpy(t) for name, t in kept.part("model").items()})
            self.step, self.finished = int(kept.description["step"]), bool(kept.description["finished"])
            self.history = [Measurement(**found) for found in kept.description["history"]]
            if not self.finished:
                self.optimizers.restore(kept.part("optimizer"))
        except (RuntimeError, LookupError, TypeError, ValueError) as error:
            raise DataFault(f"{path} is damaged: {error}") from error


def _answer_loss(outputs: Tensor, labels: Tensor, given: Tensor) -> Tensor:
    """Cross-entropy of classes, squared error of numbers; the mean over the given positions."""
    if labels.is_floating_point():
        return (outputs[..., 0] - labels)[given].pow(2).mean()
    return nn.functional.cross_entropy(outputs[given], labels[given])


def _distance(kind: str | None, wanted: Tensor, found: Tensor) -> Tensor:
    """Of each row [B, S]: the divergence KL(wanted ‖ found), or the sum of squared differences."""
    if kind == "mse":
        return (wanted - found).pow(2).sum(dim=-1)
    return (torch.special.entr(wanted).neg() - wanted * found.clamp(min=1e-12).log()).sum(dim=-1)


def fingerprint(task: Task) -> str:
    """What two tasks have in common only if their examples are the same."""
    digest = hashlib.sha256(repr((task.vocabulary, task.classes, task.causal)).encode())
    for side in (task.training, task.held_out):
        digest.update(side.ids.tobytes() + side.labels.tobytes())
        if side.relations:
            digest.update(repr([sorted((name, tuple(own[name])) for name in own) for own in side.relations]).encode())
    return digest.hexdigest()


def use_threads(count: int) -> None:
    """From now on torch computes with so many threads: results are the same bit for bit only with as many."""
    torch.set_num_threads(count)


def load_model(path: Path) -> Trained:
    """The model in a file with its masks, and its measurements. DataFault for a damaged or foreign file."""
    kept = Checkpoint.load(path)
    try:
        masks = mask_json.of_json(kept.description["masks"])
        model = Encoder(EncoderConfig(**kept.description["encoder"]), masks)
        model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in kept.part("model").items()})
        history = tuple(Measurement(**found) for found in kept.description["history"])
    except DataFault as error:
        raise DataFault(f"{path} is damaged: {error.message}") from error
    except (RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataFault(f"{path} is damaged: {error}") from error
    return Trained(model.eval(), history)

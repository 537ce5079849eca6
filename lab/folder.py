"""A run of `rasp train` in a folder: what it was asked for, its models, and what was measured.

`run.json` says what was asked for, so that an interrupted run goes on, and that `rasp compare` needs nothing else.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, astuple, dataclass, fields, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from compiler.fields import atom, plain
from lab.ablation import Result, Variant, ablations, conclusion, predicted, table
from lab.masks import Mask, Place, edge_aware, named_mask
from lab.task import FEWEST, Examples, Task
from lab.training import Measurement, Trained, TrainingConfig, load_model, train
from rasp.errors import DataFault
from rasp.files import read_text, write_whole
from rasp.language.loading import Text
from rasp.language.program import Program, kept_program
from rasp.operations import Atom

FORMAT = "rasp-lab run"
VERSION = 2

Progress: TypeAlias = "Callable[[Variant, int, Measurement], None]"
"""Told after each measurement: of which size, of which seed, and what was found."""


@dataclass(frozen=True)
class Plan:
    """What a run was asked for: a program with all files it loads, the s-op, its inputs, and what is trained."""

    file: str
    budget: int
    texts: tuple[Text, ...]
    name: str
    vocabulary: tuple[Atom, ...]
    max_length: int
    inputs: str
    count: int
    held_out: int
    causal: bool
    encoder: Mapping[str, Any]
    training: TrainingConfig
    seeds: int
    ablate: bool
    masks: tuple[str, ...] = ()
    grid: tuple[tuple[float, float], ...] = ()

    def program(self) -> Program:
        """The program, from the texts kept with the run."""
        return kept_program(self.texts, self.file, budget=self.budget)

    def task(self) -> Task:
        """The task; its inputs are the same each time. DataFault as for Task.from_program."""
        return Task.from_program(
            self.program().sop(self.name),
            self.vocabulary,
            self.max_length,
            self.inputs,
            count=self.count,
            held_out=self.held_out,
            causal=self.causal,
        )

    def longer(self, task: Task) -> Examples | None:
        """Inputs like those of the task that are longer, up to twice as long.

        None where the positions are learned, as there are none to be had, and where the inputs are those of a file.
        """
        if self.encoder["positions"] == "learned" or self.inputs not in ("random", "balanced"):
            return None
        other = Task.from_program(
            task.sop, task.vocabulary, 2 * task.max_length, self.inputs, count=FEWEST, causal=task.causal
        )
        long = np.flatnonzero(other.held_out.lengths > task.max_length)
        run = other.batch(other.held_out)
        return task.examples([run.given(row) for row in long.tolist()])

    def variants(self, task: Task) -> tuple[list[Variant], list[str]]:
        """The sizes to train, the predicted one first, and what is left out and why."""
        whole = predicted(task, self.encoder)
        for text in self.masks:
            (layer, head), _ = named_mask(text, self.program())
            if layer >= whole.config.layers or head >= whole.config.heads:
                size = f"{whole.config.layers} layers of {whole.config.heads} heads"
                raise DataFault(f"{text!r} names no head of the predicted size, {size}")
        more, left_out = ablations(whole) if self.ablate else ([], [])
        return [whole, *more], left_out

    def training_of(self, seed: int) -> TrainingConfig:
        """How the model of a seed is trained."""
        if not self.grid:
            return replace(self.training, seed=seed)
        rate, decay = self.grid[seed % len(self.grid)]
        return replace(self.training, seed=seed, learning_rate=rate, decay=decay)

    def masks_of(self, variant: Variant) -> dict[Place, Mask]:
        """The masks of the heads that a model has: those given, else where there are relations what tells the edges."""
        config, program = variant.config, self.program()
        places = product(range(config.layers), range(config.heads))
        aware = edge_aware(program.sop(self.name))
        given: dict[Place, Mask] = {} if aware is None else dict.fromkeys(places, aware)
        given |= dict(named_mask(text, program) for text in self.masks)
        return {place: mask for place, mask in given.items() if place[0] < config.layers and place[1] < config.heads}

    def as_json(self) -> dict[str, Any]:
        """The plan as plain data."""
        texts = [
            {"text": text.text, "loads": dict(text.loads), "parameters": plain(text.parameters)} for text in self.texts
        ]
        own = {field.name: getattr(self, field.name) for field in fields(self)}
        training = {**asdict(self.training), "betas": list(self.training.betas)}
        return {**own, "texts": texts, "vocabulary": plain(self.vocabulary), "training": training}

    @classmethod
    def of_json(cls, found: Mapping[str, Any]) -> Plan:
        """The plan that was written as plain data."""
        training = TrainingConfig(**{**found["training"], "betas": tuple(found["training"]["betas"])})
        read = {
            "texts": tuple(map(_text, found["texts"])),
            "vocabulary": tuple(map(atom, found["vocabulary"])),
            "training": training,
            "masks": tuple(found["masks"]),
            "grid": tuple(map(tuple, found["grid"])),
        }
        return cls(**{**found, **read})


def _text(found: Mapping[str, Any]) -> Text:
    parameters = {name: atom(value) for name, value in found.get("parameters", {}).items()}
    return Text(found["text"], found["loads"], parameters)


@dataclass(frozen=True)
class Folder:
    """A folder with a run in it."""

    path: Path
    plan: Plan

    @classmethod
    def start(cls, path: Path, plan: Plan) -> Folder:
        """The folder of a run, which is made or gone on with. DataFault where it has another run, or cannot be made."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataFault(f"cannot make the folder {path}: {error.strerror or error}") from error
        if (path / "run.json").exists():
            if cls.open(path).plan != plan:
                raise DataFault(f"{path} has a run with other options", hint="name another folder with -o")
        else:
            cls(path, plan)._describe([])
        return cls(path, plan)

    @classmethod
    def open(cls, path: Path) -> Folder:
        """The folder of a run that was started. DataFault where there is none, or one that is damaged."""
        file = path / "run.json"
        if not file.is_file():
            raise DataFault(f"{path} has no run.json", hint="`rasp train PROGRAM.rasp -o FOLDER` makes one")
        try:
            found = json.loads(read_text(file))
            if found["format"] != FORMAT or found["version"] != VERSION:
                raise DataFault(f"{file} is not a run of this version", hint="train it again, in another folder")
            return cls(path, Plan.of_json(found["plan"]))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise DataFault(f"{file} is damaged: {error}") from error

    def model(self, variant: Variant, seed: int) -> Path:
        """Where a model is kept."""
        return self.path / f"{variant.stem}-{seed}.safetensors"

    def carry_out(self, task: Task, progress: Progress, *, device: str = "cpu") -> list[Result]:
        """Trains what is not trained yet; after each model, run.json, history.csv and table.md are up to date."""
        results: list[Result] = []
        for variant in self.plan.variants(task)[0]:
            histories: list[tuple[Measurement, ...]] = []
            for seed in range(self.plan.seeds):
                histories.append(self._trained(task, variant, seed, progress, device).history)
                self._write([*results, Result(variant, tuple(histories))], task)
            results.append(Result(variant, tuple(histories)))
        return results

    def best(self, task: Task) -> tuple[Trained, int]:
        """Of the predicted size the model with the most tokens right, and its seed. DataFault where there is none."""
        whole = predicted(task, self.plan.encoder)
        there = [seed for seed in range(self.plan.seeds) if self.model(whole, seed).exists()]
        if not there:
            raise DataFault(f"{self.path} has no trained model yet", hint="the same `rasp train` goes on with it")
        found = [(load_model(self.model(whole, seed)), seed) for seed in there]
        return max(found, key=lambda pair: pair[0].last.token_accuracy)

    def _trained(self, task: Task, variant: Variant, seed: int, progress: Progress, device: str) -> Trained:
        return train(
            task,
            variant.config,
            self.plan.training_of(seed),
            masks=self.plan.masks_of(variant),
            path=self.model(variant, seed),
            progress=lambda found: progress(variant, seed, found),
            device=device,
        )

    def _write(self, results: list[Result], task: Task) -> None:
        self._describe(results)
        write_whole(self.path / "history.csv", history(results))
        left_out = self.plan.variants(task)[1]
        text = [table(results, task.majority_rate), conclusion(results, task), *left_out]
        write_whole(self.path / "table.md", "\n\n".join(text) + "\n")

    def _describe(self, results: list[Result]) -> None:
        found = [
            {
                "model": result.variant.name,
                "encoder": asdict(result.variant.config),
                "last": list(map(asdict, result.last)),
            }
            for result in results
        ]
        whole = {"format": FORMAT, "version": VERSION, "plan": self.plan.as_json(), "results": found}
        write_whole(self.path / "run.json", json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def history(results: list[Result]) -> str:
    """All measurements as CSV, a line each."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["model", "layers", "heads", "d_model", "seed", *(field.name for field in fields(Measurement))])
    writer.writerows(_rows(results))
    return text.getvalue()


def _rows(results: list[Result]) -> Iterator[list[object]]:
    for result in results:
        config = result.variant.config
        for seed, measured in enumerate(result.histories):
            for found in measured:
                yield [result.variant.name, config.layers, config.heads, config.d_model, seed, *astuple(found)]

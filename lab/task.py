"""A program as a task: inputs, the label at each position, and where each head of the program looks.

All of it comes from batched evaluation of the program. Labels are classes where the program gives values from a finite
set, else numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from lab.graphs import RelationRead, random_graphs, relations_read
from lab.sampling import (
    Generator,
    Inputs,
    Relations,
    Sampler,
    Shares,
    balanced_inputs,
    capacities,
    encoded,
    random_inputs,
)
from rasp.batch.ragged import Codes, Flags
from rasp.batch.run import BatchColumn, BatchRun
from rasp.errors import DataFault
from rasp.graph import AggregateLabels, LabelledRelation, Relation, SOp, topological
from rasp.inputs import read_inputs, sequence_of
from rasp.layers import Analysis, Head, analyse
from rasp.operations import Atom, atom_key
from rasp.vocabulary import parse_vocabulary

Numbers: TypeAlias = np.ndarray[Any, np.dtype[np.float32]]

FEWEST = 100
"""A task needs so many different inputs: with fewer, there is nothing to hold out."""

MOST_CLASSES = 256
"""Numbers with more values than this are regressed."""

_BINS = 64
_RELATIONS = (Relation, LabelledRelation, AggregateLabels)


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs with their labels.

    ids [B, N] are −1 beyond the end of an input, lengths [B]. labels [B, N] are the places of classes, or standardised
    numbers; beyond the end they mean nothing. `relations` are those of each input, where programs read any.
    """

    ids: Codes
    lengths: Codes
    labels: Codes | Numbers
    relations: Relations = ()

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def given(self) -> Flags:
        """The positions [B, N] that have a token: those with a label."""
        return np.arange(self.ids.shape[1]) < self.lengths[:, None]

    def take(self, rows: Codes) -> Examples:
        """Some of the examples."""
        relations = tuple(self.relations[row] for row in rows) if self.relations else ()
        return Examples(self.ids[rows], self.lengths[rows], self.labels[rows], relations)


@dataclass(frozen=True, eq=False)
class Task:
    """What a program asks of whoever should learn it.

    `classes` are the labels, or None where numbers are regressed: then a label is (number − mean)/deviation. So many
    inputs as `undefined` says were left out, as the program has no value on them. `taught` are the heads of each layer
    that a model is taught and compared with, where they are not those of the analysis.
    """

    sop: SOp
    vocabulary: tuple[Atom, ...]
    max_length: int
    causal: bool
    classes: tuple[Atom, ...] | None
    mean: float
    deviation: float
    training: Examples
    held_out: Examples
    undefined: int
    taught: tuple[tuple[Head, ...], ...] | None = None

    @classmethod
    def from_program(
        cls,
        sop: SOp,
        vocab: str | Sequence[Atom],
        max_length: int,
        inputs: str | Path = "random",
        *,
        count: int = 20_000,
        held_out: int = 1_000,
        seed: int = 0,
        causal: bool = False,
    ) -> Task:
        """The task of an s-op on inputs of up to `max_length` tokens: `random` ones, `balanced` ones, or a file's.

        `balanced` makes rare labels as frequent as others. Where the program reads relations, inputs are graphs with
        random edges; labels on edges are those that the program asks for, and none. `count` inputs are for training,
        `held_out` others for measuring; where there are too few different inputs, fewer. A file has one input a line,
        a tenth of which are held out. DataFault for a vocabulary of one token (but for graphs), too few inputs, a
        single label, and a program that has no value on any of them.
        """
        vocabulary = parse_vocabulary(vocab) if isinstance(vocab, str) else tuple(vocab)
        program = _Evaluated(sop, vocabulary, causal)
        _check(vocabulary, max_length, graphs=program.reads_relations)
        rng = np.random.default_rng(seed)
        if inputs in ("random", "balanced"):
            sampler = program.sampler(balanced=inputs == "balanced")
            available = capacities(len(vocabulary), max_length, relations=len(program.relations))
            split = _sampled(sampler, available, (count, held_out), rng)
        else:
            split = _of_file(str(inputs), vocabulary, max_length, rng)
        return program.task(*split)

    @cached_property
    def analysis(self) -> Analysis:
        """The layers and heads of the program."""
        return analyse([self.sop])

    @property
    def heads(self) -> tuple[tuple[Head, ...], ...]:
        """The heads of each layer that a model is taught and compared with."""
        return self.analysis.layers if self.taught is None else self.taught

    def batch(self, examples: Examples) -> BatchRun:
        """The program on some inputs."""
        return BatchRun(self.vocabulary, examples.ids, examples.lengths, examples.relations, causal=self.causal)

    def examples(self, inputs: Sequence[Sequence[Atom]]) -> Examples:
        """These inputs, which may be longer than those of the task; a label is −1 where it is no class of the task.

        DataFault for unknown tokens; the program's own error where it has no value on one.
        """
        parts = [encoded([tokens], self.vocabulary, len(tokens)) for tokens in inputs]
        given = Inputs.joined(parts, max(part.ids.shape[1] for part in parts))
        run = BatchRun(self.vocabulary, given.ids, given.lengths, given.relations, causal=self.causal)
        found = run.sop(self.sop)
        if not found.defined.all():
            raise run.error(self.sop, int(np.argmin(found.defined))) or DataFault("the program has no value here")
        return Examples(given.ids, found.lengths, self._labels(found), given.relations)

    def _labels(self, found: BatchColumn) -> Codes | Numbers:
        atoms = found.levels.astype(object)
        if self.classes is None:
            values = (atoms[found.codes].astype(np.float64) - self.mean) / self.deviation
            return np.asarray(values, dtype=np.float32)
        places = {atom_key(atom): place for place, atom in enumerate(self.classes)}
        return np.array([places.get(atom_key(atom), -1) for atom in atoms.tolist()], dtype=np.intp)[found.codes]

    def atoms(self, answers: Codes | Numbers) -> list[Atom]:
        """What answers stand for: classes, or numbers as the program has them."""
        if self.classes is None:
            return [float(answer) * self.deviation + self.mean for answer in answers]
        return [self.classes[int(answer)] for answer in answers]

    @property
    def majority_rate(self) -> float | None:
        """The share of held-out labels that the most frequent one has; None where numbers are regressed."""
        if self.classes is None:
            return None
        counts = np.bincount(self.held_out.labels[self.held_out.given])
        return float(counts.max() / counts.sum())


def _check(vocabulary: Sequence[Atom], longest: int, *, graphs: bool) -> None:
    if len(vocabulary) < 2 and not graphs:
        raise DataFault("a vocabulary of one token has nothing to learn", hint="give at least two tokens")
    if longest < 1:
        raise DataFault(f"a maximum length is a number from 1 on, not {longest}")
    inputs = int(capacities(len(vocabulary), longest, relations=int(graphs)).sum())
    if inputs < FEWEST:
        raise DataFault(
            f"{len(vocabulary)} tokens make {inputs} different inputs of up to {longest}, and a task needs {FEWEST}",
            hint="give more tokens or a larger maximum length",
        )


def _sampled(sampler: Sampler, available: Codes, wanted: tuple[int, int], rng: Generator) -> tuple[Inputs, Inputs]:
    """Inputs for training, and others that are held out: of each length a tenth of all at most."""
    count, held_out = wanted
    spared = np.maximum(available // 10, available > 1)
    measured = sampler(spared, held_out, rng)
    others = sampler(available, count + len(measured), rng).outside(measured)
    return others.take(rng.permutation(len(others))[:count]), measured


def _of_file(name: str, vocabulary: tuple[Atom, ...], longest: int, rng: Generator) -> tuple[Inputs, Inputs]:
    found = encoded(map(sequence_of, read_inputs(name)), vocabulary, longest)
    if len(found) < FEWEST:
        raise DataFault(f"{name} has {len(found)} different inputs, and a task needs {FEWEST}")
    order = rng.permutation(len(found))
    return found.take(order[len(found) // 10 :]), found.take(order[: len(found) // 10])


class _Evaluated:
    """A program on batches of inputs."""

    def __init__(self, sop: SOp, vocabulary: tuple[Atom, ...], causal: bool) -> None:
        self.sop, self.vocabulary, self.causal = sop, vocabulary, causal

    @property
    def reads_relations(self) -> bool:
        return any(isinstance(node, _RELATIONS) for node in topological([self.sop]))

    @cached_property
    def relations(self) -> tuple[RelationRead, ...]:
        """The relations that the program reads. DataFault where their labels cannot be told."""
        return relations_read(self.sop)

    def sampler(self, *, balanced: bool) -> Sampler:
        """What draws inputs for the program."""
        if self.relations:
            return random_graphs(len(self.vocabulary), self.relations, self.shares if balanced else None)
        return balanced_inputs(len(self.vocabulary), self.shares) if balanced else random_inputs(len(self.vocabulary))

    def run(self, inputs: Inputs) -> BatchRun:
        return BatchRun(self.vocabulary, inputs.ids, inputs.lengths, inputs.relations, causal=self.causal)

    def shares(self, inputs: Inputs) -> Shares:
        """What share of each input's positions has each label; of many numbers, each range of them."""
        found = self.run(inputs).sop(self.sop)
        labels = found.codes if len(found.levels) <= _BINS else _binned(found)
        given = (inputs.ids >= 0) & found.defined[:, None]
        counts = np.zeros((len(inputs), int(labels.max()) + 1))
        np.add.at(counts, (np.nonzero(given)[0], labels[given]), 1)
        return np.asarray(counts / inputs.lengths[:, None])

    def task(self, training: Inputs, held_out: Inputs) -> Task:
        """The task on these inputs."""
        inputs = Inputs.joined([training, held_out], training.ids.shape[1])
        run = self.run(inputs)
        found = run.sop(self.sop)
        if not found.defined.any():
            reason = run.error(self.sop, 0)
            why = reason.message if reason is not None else "it fails"
            raise DataFault(f"the program has no value on any of {len(inputs):,} inputs: {why}")
        labels = _Labels.of(found, (inputs.ids >= 0) & found.defined[:, None])
        whole = Examples(inputs.ids, found.lengths, labels.values, inputs.relations)
        parts = np.split(np.arange(len(inputs)), [len(training)])
        sides = [whole.take(part[found.defined[part]]) for part in parts]
        if not all(map(len, sides)):
            raise DataFault(f"the program has a value on only {int(found.defined.sum())} of {len(inputs):,} inputs")
        undefined = int((~found.defined).sum())
        scale = (labels.classes, labels.mean, labels.deviation)
        longest = inputs.ids.shape[1]
        return Task(self.sop, self.vocabulary, longest, self.causal, *scale, sides[0], sides[1], undefined)


def _binned(found: BatchColumn) -> Codes:
    """Many levels in few ranges of equal width; those that are no numbers by their places."""
    try:
        numbers = found.levels.astype(np.float64)
    except ValueError:
        return np.asarray(found.codes % _BINS)
    edges = np.linspace(numbers.min(), numbers.max(), _BINS + 1)[1:-1]
    return np.searchsorted(edges, numbers)[found.codes]


@dataclass(frozen=True, eq=False)
class _Labels:
    """Labels [B, N] with the classes that they are the places of, or the scale of numbers."""

    values: Codes | Numbers
    classes: tuple[Atom, ...] | None
    mean: float = 0.0
    deviation: float = 1.0

    @classmethod
    def of(cls, found: BatchColumn, given: Flags) -> _Labels:
        """The labels where they are given. DataFault where all are the same."""
        used = np.unique(found.codes[given])
        atoms = found.levels.astype(object)[used].tolist()
        distinct = {atom_key(atom): atom for atom in atoms}
        if len(distinct) < 2:
            raise DataFault(f"the program gives {atoms[0]!r} everywhere: a task with one label has nothing to learn")
        if len(distinct) > MOST_CLASSES and all(isinstance(atom, (int, float)) for atom in distinct.values()):
            return cls._numbers(found, given)
        places = {key: place for place, key in enumerate(distinct)}
        table = np.zeros(len(found.levels) + 1, dtype=np.intp)
        table[used] = [places[atom_key(atom)] for atom in atoms]
        return cls(np.where(given, table[found.codes], 0), tuple(distinct.values()))

    @classmethod
    def _numbers(cls, found: BatchColumn, given: Flags) -> _Labels:
        numbers = found.levels.astype(np.float64)[found.codes]
        mean, deviation = float(numbers[given].mean()), float(numbers[given].std())
        values = np.where(given, (numbers - mean) / deviation, 0).astype(np.float32)
        return cls(values, None, mean, deviation)

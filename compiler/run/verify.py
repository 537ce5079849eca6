"""Proof by comparison: interpreter, numpy reference and torch network on the same inputs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import Accuracy
from compiler.run.agreement import accuracies, agree, same_types
from compiler.run.batches import batch_size
from compiler.run.graph_inputs import graph_inputs, relation_labels
from compiler.run.model import ENGINES, CompiledModel
from compiler.run.reference import Trace
from compiler.run.resumed import Record, ResumeFault, name_of
from compiler.run.settled import settled
from compiler.run.workers import ALL_CORES, Work, Workers
from rasp.batch.run import BatchRun
from rasp.errors import RaspError
from rasp.graph import Node, SOp
from rasp.interpret import Run
from rasp.operations import Atom
from rasp.relations import Edges, Graph, Label

EXHAUSTIVE = 200_000
Outputs: TypeAlias = dict[str, list[Atom]]
Ids: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True)
class Counterexample:
    """An input on which an engine and the interpreter disagree; an output is a list, or the text of an error."""

    output: str
    tokens: Sequence[Atom]
    engine: str
    expected: list[Atom] | str
    found: list[Atom] | str


@dataclass(frozen=True)
class Verification:
    """How many inputs were compared, whether those are all there are, and the first difference, if any.

    Of relations there are too many: those of a program that reads any are random.

    On `undefined` of them the program has no value, and the model said so too. `given` are those beside that were not
    chosen here.
    """

    count: int
    exhaustive: bool
    undefined: int
    counterexample: Counterexample | None
    given: int = 0


def input_count(vocabulary_size: int, max_length: int) -> int:
    """How many inputs of 1 to `max_length` tokens there are."""
    return sum(vocabulary_size**n for n in range(1, max_length + 1))


@dataclass(frozen=True, eq=False)
class Part:
    """Some inputs of one length, as places in the vocabulary [B, T]; it is the part of that number."""

    number: int
    ids: Ids

    @property
    def positions(self) -> int:
        """How many tokens it has: what it costs to compare, beside others."""
        return self.ids.size


@dataclass(frozen=True, eq=False)
class Check:
    """What inputs are compared with, and how: a part of them, when it is called with one."""

    model: CompiledModel
    outputs: Mapping[str, SOp]
    engines: Sequence[str]
    asked: Mapping[str, Sequence[Label]]
    promised: Mapping[str, Accuracy]
    seed: int

    def __call__(self, part: Part) -> Verification:
        """What comes of a part. Its relations are drawn by its number, wherever and whenever it is compared."""
        graphs = drawn(part.ids, self.asked, random.Random(f"{self.seed} {part.number}"))
        return compare(self.model, self.outputs, part.ids, self.promised, self.engines, graphs)


def verify(
    sop: SOp | Mapping[str, SOp],
    model: CompiledModel,
    *,
    count: int = 2_000,
    seed: int = 0,
    engines: Sequence[str] = ENGINES,
    exhaustive: int = EXHAUSTIVE,
    progress: Callable[[int, int], None] = lambda done, total: None,
    workers: Workers = ALL_CORES,
    resume: Path | None = None,
) -> Verification:
    """Compares the interpreter with reference and torch, or with the engines named (as `CompiledModel.trace` has them):
    on every input where there are at most 200,000 (`exhaustive`), else on `count` random ones and the boundary cases
    (length 1, length N, all tokens equal, sorted, reversed). Where programs read relations, on random ones with random
    graphs.

    `sop` is the one s-op compiled, or all of them by name. Stops at the first difference. `progress(done, total)` is
    called as inputs are done. Which inputs are compared, in which order, and what comes of it is the same with any
    `workers`. `resume` is a file that keeps what is done until all is: interrupted, the same check goes on from there.
    ResumeFault where that file is of something else.
    """
    workers.check()
    outputs = {model.weights.output.name: sop} if isinstance(sop, SOp) else dict(sop)
    asked = asked_of(outputs, model)
    check = Check(model, outputs, tuple(engines), asked, accuracies(model.weights), seed)
    inputs = _inputs(model, count, seed, exhaustive, relational=bool(asked))
    named = "" if resume is None else name_of(model, outputs, (check.engines, count, seed, exhaustive))
    record = Record.of(resume, named)
    with record.kept():
        return _compared(check, inputs, record, workers, progress)


def verify_on(
    sop: SOp | Mapping[str, SOp],
    model: CompiledModel,
    inputs: Iterable[Sequence[Atom]],
    *,
    engines: Sequence[str] = ENGINES,
) -> Verification:
    """Compares interpreter and engines on inputs, as `verify` does. DataFault for one that the model cannot take."""
    outputs = {model.weights.output.name: sop} if isinstance(sop, SOp) else dict(sop)
    count, undefined, promised = 0, 0, accuracies(model.weights)
    for tokens in inputs:
        model.graphs([tokens])
        relations = [tokens.relations] if isinstance(tokens, Graph) else []
        found = compare(model, outputs, model.encode(tokens)[None, 1:] - 1, promised, engines, relations)
        if found.counterexample is not None:
            return replace(found, count=count + 1)
        count, undefined = count + 1, undefined + found.undefined
    return Verification(0, False, undefined, None, given=count)


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The inputs of a check in their order: how many, whether all there are, how many tokens in all, and the parts."""

    count: int
    every: bool
    positions: int
    parts: Iterator[Part]


def _inputs(model: CompiledModel, count: int, seed: int, exhaustive: int, *, relational: bool) -> _Inputs:
    size, longest = len(model.weights.vocabulary), model.weights.max_length
    total = input_count(size, longest)
    if total <= exhaustive and not relational:
        positions = sum(length * size**length for length in range(1, longest + 1))
        return _Inputs(total, True, positions, _parts(_all_inputs(model)))
    found = sorted(_some_inputs(size, longest, count, seed), key=len)
    return _Inputs(len(found), False, sum(map(len, found)), _parts(_batches(found, model)))


def _parts(batches: Iterable[Ids]) -> Iterator[Part]:
    return (Part(number, ids) for number, ids in enumerate(batches))


def _compared(
    check: Check, inputs: _Inputs, record: Record, workers: Workers, progress: Callable[[int, int], None]
) -> Verification:
    """What comes of all parts, from the first on that the record does not have."""
    parts, skipped = _after(record.done, inputs.parts)
    if record.done:
        progress(record.done, inputs.count)
    elsewhere = workers if set(check.engines) <= {*ENGINES, "sparse"} else Workers(1)
    work = Work(check, _nodes(check), lambda part: part.positions, inputs.positions - skipped)
    with closing(work.results(parts, elsewhere)) as results:
        for found in results:
            if found.counterexample is not None:
                return Verification(record.done + found.count, False, record.undefined, found.counterexample)
            record.note(found.count, found.undefined)
            progress(record.done, inputs.count)
    return Verification(record.done, inputs.every, record.undefined, None)


def _after(done: int, parts: Iterator[Part]) -> tuple[Iterator[Part], int]:
    """The parts after so many inputs, and how many tokens the inputs before have."""
    positions = 0
    while done > 0 and (part := next(parts, None)) is not None:
        done -= len(part.ids)
        positions += part.positions
    if done:
        raise ResumeFault("the file of the interrupted check is damaged", hint="delete it to begin anew")
    return parts, positions


def _nodes(check: Check) -> list[Node]:
    """The nodes that a check names."""
    weights = check.model.weights
    return [*check.outputs.values(), *weights.sops.values(), *weights.selectors, *weights.masks]


def _all_inputs(model: CompiledModel) -> Iterator[Ids]:
    """Every input, as places in the vocabulary [B, T], some of one length at a time."""
    size = len(model.weights.vocabulary)
    for length in range(1, model.weights.max_length + 1):
        step = batch_size(model, length)
        for start in range(0, size**length, step):
            numbers = np.arange(start, min(start + step, size**length))
            yield numbers[:, None] // size ** np.arange(length - 1, -1, -1) % size


def _some_inputs(size: int, longest: int, count: int, seed: int) -> Iterator[list[int]]:
    """Boundary cases, then random inputs: lengths uniform, every other one over a small part of the vocabulary."""
    rng = random.Random(seed)
    yield from ([token] for token in range(min(size, 1000)))
    for token in (0, size - 1):
        yield from ([token] * n for n in {2, longest // 2, longest} if 1 <= n <= longest)
    for _ in range(max(4, count // 100)):
        full = [rng.randrange(size) for _ in range(longest)]
        yield from (full, sorted(full), sorted(full)[::-1])
    for number in range(count):
        part = range(size) if number % 2 else rng.sample(range(size), min(size, rng.randint(1, 4)))
        yield [rng.choice(part) for _ in range(rng.randint(1, longest))]


def _batches(inputs: Iterable[list[int]], model: CompiledModel) -> Iterator[Ids]:
    """The inputs, which come by length, in groups of one length that are small enough for memory."""
    for length, group in itertools.groupby(inputs, key=len):
        size = batch_size(model, length)
        while batch := list(itertools.islice(group, size)):
            yield np.array(batch, dtype=np.intp)


def asked_of(outputs: Mapping[str, SOp], model: CompiledModel) -> dict[str, list[Label]]:
    """The relations that the s-ops of a model read, and which labels to try."""
    return relation_labels(outputs.values(), model.weights.labels, model.weights.vocabulary)


def drawn(ids: Ids, asked: Mapping[str, Sequence[Label]], chance: random.Random) -> list[dict[str, Edges]]:
    """Random relations for each input [B, T], if any are asked for."""
    if not asked:
        return []
    from compiler.run.random_graphs import random_relations

    return [random_relations(ids.shape[1], chance, asked) for _ in ids]


def compare(
    model: CompiledModel,
    outputs: Mapping[str, SOp],
    ids: Ids,
    promised: Mapping[str, Accuracy],
    engines: Sequence[str] = ENGINES,
    relations: Sequence[Mapping[str, Edges]] = (),
) -> Verification:
    """Compares interpreter and engines on inputs of one length, given as places in the vocabulary [B, T], with their
    relations."""
    batch = BatchRun(model.weights.vocabulary, ids, None, relations, causal=model.weights.causal)
    columns = {name: batch.sop(sop) for name, sop in outputs.items()}
    token_ids = np.pad(ids + 1, ((0, 0), (1, 0)))
    graphs = graph_inputs(model.weights, [ids.shape[1]] * len(ids), relations)
    traces = [(engine, model.trace(token_ids, engine, whole=False, graphs=graphs)) for engine in engines]
    certain = np.logical_and.reduce([settled(model.weights, trace, columns, promised) for _, trace in traces])
    for at in np.flatnonzero(~certain).tolist():
        example = difference(model, outputs, batch.given(at), [(name, trace, at) for name, trace in traces], promised)
        if example is not None:
            return Verification(at + 1, False, 0, example)
    defined = np.logical_and.reduce([column.defined for column in columns.values()])
    return Verification(len(batch), False, int((~defined).sum()), None)


def difference(
    model: CompiledModel,
    outputs: Mapping[str, SOp],
    tokens: Sequence[Atom],
    traces: Iterable[tuple[str, Trace, int]],
    promised: Mapping[str, Accuracy],
) -> Counterexample | None:
    """The first engine that gives anything else than is expected on one input, by its place in the trace."""
    want = _interpreted(outputs, tokens, model.weights.causal)
    sure = {output.name for output in model.weights.outputs if output.types is None or output.types.sure}
    for engine, trace, at in traces:
        found = _decoded(model, trace, at)
        for name in model.weights.output_names:
            sides = _named(want, name), _named(found, name)
            if not agree(*sides, promised[name]) or (name in sure and not same_types(*sides)):
                return Counterexample(name, _kept(tokens), engine, *sides)
    return None


def _kept(tokens: Sequence[Atom]) -> Sequence[Atom]:
    return tokens if isinstance(tokens, Graph) else tuple(tokens)


def _interpreted(outputs: Mapping[str, SOp], tokens: Sequence[Atom], causal: bool) -> Outputs | str:
    """The values of each output as the interpreter has them, or the text of its error."""
    run = Run(tokens, causal=causal)
    try:
        return {name: run.sop(sop).tolist() for name, sop in outputs.items()}
    except RaspError as error:
        return error.message


def _named(outputs: Outputs | str, name: str) -> list[Atom] | str:
    return outputs if isinstance(outputs, str) else outputs[name]


def _decoded(model: CompiledModel, trace: Trace, index: int) -> Outputs | str:
    try:
        return model.decode(trace, index)
    except RaspError as error:
        return error.message

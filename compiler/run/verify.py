"""Proof by comparison: interpreter, numpy reference and torch network on the same inputs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import Accuracy
from compiler.run.agreement import accuracies, agree, same_types
from compiler.run.batches import batch_size
from compiler.run.graph_inputs import graph_inputs, relation_labels
from compiler.run.model import ENGINES, CompiledModel
from compiler.run.reference import Trace
from compiler.run.settled import settled
from rasp.batch.run import BatchRun
from rasp.errors import RaspError
from rasp.graph import SOp
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

    On `undefined` of them the program has no value, and the model said so too.
    """

    count: int
    exhaustive: bool
    undefined: int
    counterexample: Counterexample | None


def input_count(vocabulary_size: int, max_length: int) -> int:
    """How many inputs of 1 to `max_length` tokens there are."""
    return sum(vocabulary_size**n for n in range(1, max_length + 1))


def verify(
    sop: SOp | Mapping[str, SOp],
    model: CompiledModel,
    *,
    count: int = 2_000,
    seed: int = 0,
    engines: Sequence[str] = ENGINES,
    exhaustive: int = EXHAUSTIVE,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Compares the interpreter with reference and torch, or with the engines named (as `CompiledModel.trace` has them):
    on every input where there are at most 200,000 (`exhaustive`), else on `count` random ones and the boundary cases
    (length 1, length N, all tokens equal, sorted, reversed). Where programs read relations, on random ones with random
    graphs.

    `sop` is the one s-op compiled, or all of them by name. Stops at the first difference. `progress(done, total)` is
    called as inputs are done.
    """
    outputs = {model.weights.output.name: sop} if isinstance(sop, SOp) else dict(sop)
    vocabulary, longest = model.weights.vocabulary, model.weights.max_length
    total, asked = input_count(len(vocabulary), longest), asked_of(outputs, model)
    every = total <= exhaustive and not asked
    batches = _all_inputs(model)
    if not every:
        inputs = sorted(_some_inputs(len(vocabulary), longest, count, seed), key=len)
        batches, total = _batches(inputs, model), len(inputs)
    promised = accuracies(model.weights)
    done = undefined = 0
    chance = random.Random(seed)
    for ids in batches:
        found = compare(model, outputs, ids, promised, engines, drawn(ids, asked, chance))
        if found.counterexample is not None:
            return Verification(done + found.count, False, undefined, found.counterexample)
        done += found.count
        undefined += found.undefined
        progress(done, total)
    return Verification(done, every, undefined, None)


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

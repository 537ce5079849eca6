"""Proof by comparison: interpreter, numpy reference and torch network on the same inputs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from compiler.agreement import accuracies, agree, same_kinds
from compiler.ir import Accuracy
from compiler.model import CompiledModel
from compiler.reference import Trace
from rasp.batch.run import BatchRun
from rasp.elementwise import Atom
from rasp.errors import RaspError
from rasp.graph import SOp
from rasp.interpret import Run

EXHAUSTIVE = 200_000
ENGINES = ("reference", "torch")
Outputs: TypeAlias = dict[str, list[Atom]]
_BATCH_ENTRIES = 4_000_000


@dataclass(frozen=True)
class Counterexample:
    """An input on which an engine and the interpreter disagree; an output is a list, or the text of an error."""

    output: str
    tokens: tuple[Atom, ...]
    engine: str
    expected: list[Atom] | str
    found: list[Atom] | str


@dataclass(frozen=True)
class Verification:
    """How many inputs were compared, whether those are all there are, and the first difference, if any.

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
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Compares interpreter, reference and torch: on every input where there are at most 200,000, else on `count`
    random ones and the boundary cases (length 1, length N, all tokens equal, sorted, reversed).

    `sop` is the one s-op compiled, or all of them by name. Stops at the first difference. `progress(done, total)` is
    called as inputs are done.
    """
    outputs = {model.weights.output.name: sop} if isinstance(sop, SOp) else dict(sop)
    vocabulary, longest = model.weights.vocabulary, model.weights.max_length
    total = input_count(len(vocabulary), longest)
    exhaustive = total <= EXHAUSTIVE
    inputs: Iterable[tuple[Atom, ...]] = _all_inputs(vocabulary, longest)
    if not exhaustive:
        inputs = sorted(_some_inputs(vocabulary, longest, count, seed), key=len)
        total = len(inputs)
    promised = accuracies(model.weights)
    done = undefined = 0
    for batch in _batches(inputs, model):
        expected = interpreted(outputs, batch, model.weights.causal)
        difference = first_difference(model, batch, expected, promised)
        if difference is not None:
            at, counterexample = difference
            return Verification(done + at + 1, False, undefined, counterexample)
        done += len(batch)
        undefined += sum(isinstance(output, str) for output in expected)
        progress(done, total)
    return Verification(done, exhaustive, undefined, None)


def _all_inputs(vocabulary: Sequence[Atom], longest: int) -> Iterator[tuple[Atom, ...]]:
    for n in range(1, longest + 1):
        yield from itertools.product(vocabulary, repeat=n)


def _some_inputs(vocabulary: Sequence[Atom], longest: int, count: int, seed: int) -> Iterator[tuple[Atom, ...]]:
    """Boundary cases, then random inputs: lengths uniform, every other one over a small part of the vocabulary."""
    rng = random.Random(seed)
    yield from ((token,) for token in vocabulary[:1000])
    for token in (vocabulary[0], vocabulary[-1]):
        yield from ((token,) * n for n in {2, longest // 2, longest} if 1 <= n <= longest)
    for _ in range(max(4, count // 100)):
        full = [rng.randrange(len(vocabulary)) for _ in range(longest)]
        yield from (tuple(vocabulary[i] for i in order) for order in (full, sorted(full), sorted(full)[::-1]))
    for number in range(count):
        part = vocabulary if number % 2 else rng.sample(vocabulary, min(len(vocabulary), rng.randint(1, 4)))
        yield tuple(rng.choice(part) for _ in range(rng.randint(1, longest)))


def _batches(inputs: Iterable[tuple[Atom, ...]], model: CompiledModel) -> Iterator[list[tuple[Atom, ...]]]:
    """The inputs, which come by length, in groups of one length that are small enough for memory."""
    for length, group in itertools.groupby(inputs, key=len):
        size = batch_size(model, length)
        while batch := list(itertools.islice(group, size)):
            yield batch


def batch_size(model: CompiledModel, length: int) -> int:
    """How many inputs of one length go together in memory."""
    widest = max([model.weights.d_model, *(len(ff.b_in) for ff in model.weights.feed_forwards)])
    return max(1, _BATCH_ENTRIES // ((length + 1) * (widest + length)))


def interpreted(outputs: Mapping[str, SOp], inputs: Sequence[Sequence[Atom]], causal: bool) -> list[Outputs | str]:
    """For each input the values of each output as the interpreter has them, or the text of its error."""
    try:
        run = BatchRun.of(inputs, causal=causal)
        columns = {name: run.sop(sop).lists() for name, sop in outputs.items()}
    except RaspError:
        return [_interpreted_alone(outputs, tokens, causal) for tokens in inputs]
    found: list[Outputs | str] = []
    for at, tokens in enumerate(inputs):
        known = {name: values for name, column in columns.items() if (values := column[at]) is not None}
        found.append(known if len(known) == len(columns) else _interpreted_alone(outputs, tokens, causal))
    return found


def _interpreted_alone(outputs: Mapping[str, SOp], tokens: Sequence[Atom], causal: bool) -> Outputs | str:
    run = Run(tokens, causal=causal)
    try:
        return {name: run.sop(sop).tolist() for name, sop in outputs.items()}
    except RaspError as error:
        return error.message


def first_difference(
    model: CompiledModel,
    batch: list[tuple[Atom, ...]],
    expected: list[Outputs | str],
    promised: Mapping[str, Accuracy],
    engines: Sequence[str] = ENGINES,
) -> tuple[int, Counterexample] | None:
    """The first of some inputs of one length on which an engine gives anything else than is expected; its place."""
    token_ids = np.stack([model.encode(tokens) for tokens in batch])
    traces = [(engine, model.trace(token_ids, engine)) for engine in engines]
    sure = {output.name for output in model.weights.outputs if output.kinds is None or output.kinds.sure}
    for at, (tokens, want) in enumerate(zip(batch, expected, strict=True)):
        for engine, trace in traces:
            found = _decoded(model, trace, at)
            for name in model.weights.output_names:
                sides = _named(want, name), _named(found, name)
                if not agree(*sides, promised[name]) or (name in sure and not same_kinds(*sides)):
                    return at, Counterexample(name, tokens, engine, *sides)
    return None


def _named(outputs: Outputs | str, name: str) -> list[Atom] | str:
    return outputs if isinstance(outputs, str) else outputs[name]


def _decoded(model: CompiledModel, trace: Trace, index: int) -> Outputs | str:
    try:
        return model.decode(trace, index)
    except RaspError as error:
        return error.message

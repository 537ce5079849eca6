"""Many inputs through a model: those of one length together, the answers in the order of the inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeAlias

import numpy as np

from compiler.run.graph_inputs import check_relations
from compiler.run.model import CompiledModel
from rasp.errors import RaspError
from rasp.operations import Atom
from rasp.relations import relations_of

Answer: TypeAlias = "dict[str, list[Atom]] | RaspError"
Ids: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

CHUNK = 64
_ENTRIES = 4_000_000
_FIRST_WINDOW, _LAST_WINDOW = 64, 2_048


def batch_size(model: CompiledModel, length: int) -> int:
    """How many inputs of one length go together in memory."""
    widest = max([model.weights.d_model, *(len(ff.b_in) for ff in model.weights.feed_forwards)])
    return max(1, _ENTRIES // ((length + 1) * (widest + length)))


def answers(
    model: CompiledModel,
    inputs: Sequence[Sequence[Atom]],
    engine: str = "reference",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Answer]:
    """For each input in turn the values of each output by name, or the error that `run` would raise.

    Inputs are taken in windows, small ones first, so that answers come soon; within a window those of one length go
    through the model together, up to 64 at a time. `progress(done, total)` is called as inputs are done.
    """
    coming, done, size = iter(inputs), 0, _FIRST_WINDOW
    while window := list(islice(coming, size)):
        found: list[Answer | None] = [None] * len(window)
        for place, answer in _answered(model, window, engine):
            found[place] = answer
            done += 1
            progress(done, len(inputs))
        yield from (answer for answer in found if answer is not None)
        size = min(2 * size, _LAST_WINDOW)


def _answered(model: CompiledModel, window: Sequence[Sequence[Atom]], engine: str) -> Iterator[tuple[int, Answer]]:
    """The place of each input of a window and its answer, as they are found."""
    by_length: dict[int, list[tuple[int, Ids]]] = {}
    for place, tokens in enumerate(window):
        try:
            check_relations(model.weights, relations_of(tokens))
            by_length.setdefault(len(tokens), []).append((place, model.encode(tokens)))
        except RaspError as error:
            yield place, error
    for length, group in by_length.items():
        size = min(CHUNK, batch_size(model, length))
        for start in range(0, len(group), size):
            yield from _chunk(model, group[start : start + size], window, engine)


def _chunk(
    model: CompiledModel, chunk: Sequence[tuple[int, Ids]], window: Sequence[Sequence[Atom]], engine: str
) -> Iterator[tuple[int, Answer]]:
    """The places and answers of inputs of one length, which go through the model together."""
    graphs = model.graphs([window[place] for place, _ in chunk])
    trace = model.trace(np.stack([ids for _, ids in chunk]), engine, whole=False, graphs=graphs)
    for at, (place, _) in enumerate(chunk):
        try:
            yield place, model.decode(trace, at)
        except RaspError as error:
            yield place, error

"""Inputs of several lengths one after another: which position belongs to which input, and blocks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

Codes: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]
Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

MAX_CELLS = 1 << 20


@dataclass(frozen=True)
class Block:
    """Some queries with all the keys of their inputs: whole inputs of one length, or some queries of one input."""

    first_input: int
    inputs: int
    length: int
    keys: slice
    queries: slice

    @property
    def offset(self) -> int:
        """The index of the first query in its input; 0 where the block holds whole inputs."""
        return self.queries.start - self.keys.start


class Ragged:
    """Inputs of the given lengths [B], which must not fall: every position of all of them has one number, 0 … N−1.

    `row` [N] is the input of each position, `index` [N] where it stands there, `starts` [B] where each input begins.
    """

    def __init__(self, lengths: Codes) -> None:
        self.lengths = lengths
        self.starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.intp)
        self.size = int(lengths.sum())
        self.longest = int(lengths[-1])
        self.cells = int((lengths**2).sum())

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def row(self) -> Codes:
        if len(self) == 1:
            return np.broadcast_to(np.intp(0), (self.size,))
        return np.repeat(np.arange(len(self)), self.lengths)

    @cached_property
    def index(self) -> Codes:
        return np.arange(self.size) - (self.starts[self.row] if len(self) > 1 else 0)

    @cached_property
    def first(self) -> Codes:
        """The first position of the input that each position belongs to."""
        return self.starts[self.row]

    def any(self, where: Flags) -> Flags:
        """For each input [B], whether a flag is set somewhere in it."""
        if not where.any():
            return np.zeros(len(self), dtype=bool)
        return np.logical_or.reduceat(where, self.starts)

    def same(self, values: Codes) -> bool:
        """Whether the values are the same all over each input."""
        if len(self) == 1:
            return bool((values == values[0]).all())
        return bool((values == values[self.first]).all())

    def blocks(self) -> Iterator[Block]:
        """All queries in order, at most about MAX_CELLS cells at a time."""
        distinct, first, counts = np.unique(self.lengths, return_index=True, return_counts=True)
        for length, start, count in zip(distinct.tolist(), first.tolist(), counts.tolist(), strict=True):
            yield from self._of_one_length(length, start, start + count)

    def _of_one_length(self, length: int, start: int, stop: int) -> Iterator[Block]:
        step = MAX_CELLS // length**2
        if step > 0:
            for at in range(start, stop, step):
                inputs = min(step, stop - at)
                whole = slice(int(self.starts[at]), int(self.starts[at]) + inputs * length)
                yield Block(at, inputs, length, whole, whole)
            return
        step = max(1, MAX_CELLS // length)
        for at in range(start, stop):
            keys = slice(int(self.starts[at]), int(self.starts[at]) + length)
            for query in range(keys.start, keys.stop, step):
                yield Block(at, 1, length, keys, slice(query, min(query + step, keys.stop)))

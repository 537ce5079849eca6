"""What a selector selects, in whichever way is cheaper: runs in sorted keys, or all its cells, a block at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from rasp.batch.ragged import Block, Codes, Flags, Ragged
from rasp.batch.runs import Runs
from rasp.operations import Column


class Marks(Protocol):
    """The keys that each of the N queries selects."""

    def counts(self) -> Codes:
        """How many they are."""

    def keys(self) -> Codes:
        """Which key it is, where it is one; any position elsewhere."""

    def totals(self, weights: Column) -> Column:
        """The sum of their weights [N]: exact for object ints, and for int64 where it fits."""


@dataclass(frozen=True, eq=False)
class RunMarks:
    """A sum of runs, each so many times."""

    ragged: Ragged
    parts: Sequence[tuple[int, Runs]]

    def counts(self) -> Codes:
        return self._sum([times * runs.counts() for times, runs in self.parts])

    def keys(self) -> Codes:
        if len(self.parts) == 1 and len(order := self.parts[0][1].order):
            return order[np.minimum(self.parts[0][1].low, len(order) - 1)]
        return np.clip(self.totals(np.arange(self.ragged.size)), 0, self.ragged.size - 1)

    def totals(self, weights: Column) -> Column:
        return self._sum([times * runs.totals(weights) for times, runs in self.parts])

    def _sum(self, parts: Sequence[Column]) -> Column:
        return sum(parts[1:], parts[0]) if parts else np.zeros(self.ragged.size, dtype=np.intp)


@dataclass(frozen=True, eq=False)
class CellMarks:
    """Cells made a block at a time by `cells`, keys first: [T, queries of the block]."""

    ragged: Ragged
    cells: Callable[[Block], Flags]

    @cached_property
    def _kept(self) -> list[tuple[Block, Flags]] | None:
        """All cells, where they are not many."""
        if self.ragged.cells > _KEPT_CELLS:
            return None
        return [(block, self.cells(block)) for block in self.ragged.blocks()]

    def _each(self, compute: Callable[[Block, Flags], Column], dtype: object = np.intp) -> Column:
        result = np.empty(self.ragged.size, dtype=dtype)  # type: ignore[call-overload]
        if self._kept is not None:
            for block, cells in self._kept:
                result[block.queries] = compute(block, cells)
            return result
        for block in self.ragged.blocks():
            result[block.queries] = compute(block, self.cells(block))
        return result

    def counts(self) -> Codes:
        return self._each(lambda block, cells: np.add.reduce(cells, axis=0, dtype=smallest(block.length)))

    def keys(self) -> Codes:
        return self._each(self._key)

    def _key(self, block: Block, cells: Flags) -> Codes:
        places = np.arange(block.length, dtype=smallest(block.length**2))[:, None]
        found = np.minimum((cells * places).sum(axis=0, dtype=places.dtype), block.length - 1)
        return found.astype(np.intp) + self.ragged.first[block.queries]

    def totals(self, weights: Column) -> Column:
        return self._each(lambda block, cells: _summed(spread(block, weights), cells), weights.dtype)

    def maxima(self, ranks: Codes) -> Codes:
        """The largest rank [N] among the keys that each query selects, −1 where it selects none."""
        return self._each(lambda block, cells: np.where(cells, spread(block, ranks), -1).max(axis=0))


_KEPT_CELLS = 1 << 24


def _summed(weights: Column, cells: Flags) -> Column:
    """The sum of the weights of the keys that are set; a large matrix in one product, where floats are exact."""
    if weights.shape[1] == 1 and weights.dtype != object and _sums_exactly(weights):
        return (weights[:, 0].astype(np.float64) @ cells).astype(weights.dtype)
    return np.where(cells, weights, 0).sum(axis=0)


def _sums_exactly(weights: Column) -> bool:
    return len(weights) * max(abs(int(weights.min())), abs(int(weights.max()))) < 2**53


def smallest(largest: int) -> type[np.signedinteger[Any]]:
    """The smallest type of ints that holds −1 to `largest`."""
    kinds: tuple[type[np.signedinteger[Any]], ...] = (np.int8, np.int16, np.int32, np.int64)
    return next(kind for kind in kinds if largest <= np.iinfo(kind).max)


def spread(block: Block, values: Column) -> Column:
    """The values of a block's keys, beside each of its queries: [T, queries], or [T, 1] where all are of one input."""
    own = values[block.keys]
    if block.inputs == 1:
        return own[:, None]
    return np.repeat(own.reshape(block.inputs, block.length).T, block.length, axis=1)

"""The position grid: the cells (sequence length n, position i) that value sets are kept for, and numbers over them.

A number for every cell is kept by what decides it, where that is less than the whole cell: nothing, the position i, the
length n, or the distance n − 1 − i from the end. So most of what is known of N(N + 1)/2 cells are N numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np

from rasp.batch.columns import distinct
from rasp.errors import Refusal

Ints: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]
Along: TypeAlias = Literal["nothing", "position", "length", "end", "cell"]
MOST_CELLS = 8192 * 8193 // 2


@dataclass(frozen=True)
class PositionGrid:
    """All (n, i) with 1 ≤ n ≤ N and 0 ≤ i < n, row after row; the cells of length n are one contiguous slice."""

    max_length: int

    def __len__(self) -> int:
        return self.max_length * (self.max_length + 1) // 2

    @property
    def is_small(self) -> bool:
        """Whether a number may be kept for every cell."""
        return len(self) <= MOST_CELLS

    @cached_property
    def length(self) -> Ints:
        self._check()
        return np.repeat(np.arange(1, self.max_length + 1), np.arange(1, self.max_length + 1))

    @cached_property
    def position(self) -> Ints:
        self._check()
        return np.concatenate([np.arange(n) for n in range(1, self.max_length + 1)])

    def _check(self) -> None:
        if not self.is_small:
            raise Refusal(
                f"this depends on the length and the position together, and {len(self):,} pairs of them are too many",
                hint="use a maximum length of up to 8,192",
            )

    def row(self, n: int) -> slice:
        """The cells of the inputs of length n."""
        start = n * (n - 1) // 2
        return slice(start, start + n)

    def same(self, number: int) -> Cells:
        """One number for all cells."""
        return Cells(self, "nothing", np.array([number], dtype=np.intp))

    @property
    def lengths(self) -> Cells:
        """The length of every cell."""
        return Cells(self, "length", np.arange(1, self.max_length + 1))

    @property
    def positions(self) -> Cells:
        """The position of every cell."""
        return Cells(self, "position", np.arange(self.max_length))


@dataclass(frozen=True, eq=False)
class Cells:
    """A number for every cell: `numbers` by position, by length − 1, by distance from the end, or for each cell."""

    grid: PositionGrid
    along: Along
    numbers: Ints

    @staticmethod
    def by(grid: PositionGrid, along: Along, numbers: Ints) -> Cells:
        """The same numbers, by nothing where all are the same."""
        return (
            Cells(grid, "nothing", numbers[:1].copy()) if (numbers == numbers[0]).all() else Cells(grid, along, numbers)
        )

    @staticmethod
    def of(grid: PositionGrid, numbers: Ints) -> Cells:
        """The numbers of all cells, kept by what decides them."""
        last = numbers[grid.row(grid.max_length)]
        if (numbers == numbers[0]).all():
            return grid.same(int(numbers[0]))
        ways: tuple[tuple[Along, Ints], ...] = (
            ("position", last),
            ("length", numbers[np.cumsum(np.arange(1, grid.max_length + 1)) - 1]),
            ("end", last[::-1]),
        )
        for along, found in ways:
            kept = Cells(grid, along, found.copy())
            if np.array_equal(kept.full, numbers):
                return kept
        return Cells(grid, "cell", numbers)

    @property
    def full(self) -> Ints:
        """The number of every cell, row after row. Refusal where there are too many."""
        match self.along:
            case "nothing":
                self.grid._check()
                return np.broadcast_to(self.numbers, len(self.grid))
            case "position":
                return self.numbers[self.grid.position]
            case "length":
                return self.numbers[self.grid.length - 1]
            case "end":
                return self.numbers[self.grid.length - 1 - self.grid.position]
        return self.numbers

    @property
    def by_position(self) -> Ints | None:
        """The number of every position, where that is the same at all lengths; else None."""
        if self.along == "nothing":
            return np.repeat(self.numbers, self.grid.max_length)
        return self.numbers if self.along == "position" else None

    def row(self, n: int) -> Ints:
        """The numbers of the cells of length n."""
        match self.along:
            case "nothing":
                return np.repeat(self.numbers, n)
            case "position":
                return self.numbers[:n]
            case "length":
                return np.repeat(self.numbers[n - 1], n)
            case "end":
                return self.numbers[:n][::-1]
        return self.numbers[self.grid.row(n)]

    def map(self, function: Callable[[Ints], Ints]) -> Cells:
        """What a function of each number alone makes of them."""
        return Cells(self.grid, self.along, function(self.numbers))

    def with_other(self, other: Cells, function: Callable[[Ints, Ints], Ints]) -> Cells:
        """What a function of two numbers of each cell makes of them."""
        if "nothing" in (self.along, other.along) or self.along == other.along:
            along = other.along if self.along == "nothing" else self.along
            return Cells(self.grid, along, function(self.numbers, other.numbers))
        return Cells.of(self.grid, function(self.full, other.full))

    def plus(self, other: Cells) -> Cells:
        """The sums; of multiples of a length and of a position they may be multiples of the distance from the end."""
        some, others = self._slopes, other._slopes
        if some is None or others is None:
            return self.with_other(other, np.add)
        slopes = some[0] + others[0], some[1] + others[1]
        start, steps = int(self.numbers[0] + other.numbers[0]), np.arange(self.grid.max_length)
        if slopes[0] == 0:
            return Cells.by(self.grid, "length", start + slopes[1] * steps)
        if slopes[1] == 0:
            return Cells.by(self.grid, "position", start + slopes[0] * steps)
        if slopes[0] == -slopes[1]:
            return Cells.by(self.grid, "end", start + slopes[1] * steps)
        return self.with_other(other, np.add)

    @property
    def _slopes(self) -> tuple[int, int] | None:
        """By how much the number rises with the position, and with the length; None where that is not constant."""
        rises = np.diff(self.numbers)
        if self.along == "cell" or (len(rises) and np.any(rises != rises[0])):
            return None
        rise = int(rises[0]) if len(rises) else 0
        return {"length": (0, rise), "end": (-rise, rise)}.get(self.along, (rise, 0))

    def distinct(self, size: int) -> tuple[Ints, Cells]:
        """The distinct numbers, from 0 to size − 1, rising, and the place of each cell's among them."""
        found, places = distinct(self.numbers, size)
        return found, Cells(self.grid, self.along, places)

    def min(self) -> int:
        return int(self.numbers.min())

    def max(self) -> int:
        return int(self.numbers.max())

    def tolist(self) -> list[int]:
        return list(self.full.tolist())

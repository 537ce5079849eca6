"""Hidden units as the certificate sees them: what they write for all that they can read, in the dtype's arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from compiler.precision import Precision
from compiler.proof.stairs import stairs_of
from compiler.symbolic import Matrix
from compiler.values.grid import Ints
from rasp.batch.columns import distinct

Vector: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
_FEW_SUMS = 4
_CHUNK = 1 << 18
_MANY_CODES = 4096
_MANY_WEIGHTS = 1 << 18
_SPARSE = 0.05
_EXACT = 2.0**53


@dataclass(frozen=True, eq=False)
class Reading:
    """What a group reads of one s-op: for each code the `levels` of some directions, within `errors`.

    `places` says which of the group's directions; `codes` are those at the first and at the last end of each stretch.
    """

    places: list[int]
    codes: tuple[Ints, Ints]
    levels: Matrix
    errors: Matrix

    @property
    def constant(self) -> bool:
        return len(self.levels) == 1

    def at(self, rows: Ints | slice) -> Reading:
        """Some of the stretches."""
        return replace(self, codes=(self.codes[0][rows], self.codes[1][rows]))


@dataclass(frozen=True, eq=False)
class Group:
    """Some hidden units: input weights [read, units], biases, output weights [units, written]; which inputs are raw."""

    W_in: Matrix
    bias: Vector
    W_out: Matrix
    raw: list[int]
    precision: Precision

    @cached_property
    def _written(self) -> Any:
        return _sparse(self.W_out)

    @cached_property
    def _slopes(self) -> list[Any]:
        """For each raw input what every unit adds to what is written for each unit of it, while it is active."""
        return [_sparse(self.W_in[at][:, None] * self.W_out) for at in self.raw]

    def unlike(self, readings: Sequence[Reading], targets: Ints) -> Ints:
        """Of exact readings that no unit can tell apart and that have one target, one each.

        Every unit reads one of few sums, apart from constants: readings with equal sums are equal to all units.
        """
        moving = [reading for reading in readings if not reading.constant]
        read = [at for reading in moving for at in reading.places]
        kinds = np.zeros((len(self.W_in), 0))
        if read:
            kinds = np.unique(np.where(np.isin(np.arange(len(self.W_in)), read)[:, None], self.W_in, 0), axis=1)
        if (
            kinds.shape[1] > _FEW_SUMS
            or sum(_largest_sum(some.levels, kinds[some.places]) for some in moving) >= _EXACT
        ):
            return np.arange(len(targets))
        keys = targets
        for kind in kinds.T:
            sums = np.zeros(len(targets))
            for reading in moving:
                sums += (reading.levels @ kind[reading.places])[reading.codes[0]]
            found, number = np.unique(sums, return_inverse=True)
            keys = distinct(keys * len(found) + number, (int(keys.max(initial=0)) + 1) * len(found))[1]
        return np.unique(keys, return_index=True)[1]

    def adds_exactly(self, readings: Sequence[Reading]) -> bool:
        """Whether all sums into units are of integers below the exact range, in any order."""
        parts = [self.W_in, self.bias, self.W_out, *(reading.levels for reading in readings)]
        return all(not np.any(np.mod(part, 1)) for part in parts) and bool(
            np.all(self._reach(readings) < self.precision.exact)
        )

    def _reach(self, readings: Sequence[Reading]) -> Vector:
        """For each unit a bound on every part of its sum."""
        parts = [np.abs(reading.levels) @ np.abs(self.W_in[reading.places]) for reading in readings]
        return sum((part.max(axis=0) for part in parts), np.abs(self.bias))

    def gives(self, want: Matrix, readings: Sequence[Reading], shift: float) -> bool:
        """Whether the units write exactly `want` wherever the readings lie, in the arithmetic of the dtype.

        They lie between the two ends, each moved outwards by `shift` times its error. No unit changes sides between
        the ends. An active one is the same at both and, as rounding keeps order, in between; or else, with all such, it
        has no slope along a raw input. Units that share their input weights share its rounding, so what they leave when
        they cancel is the same everywhere.
        """
        climbs = self._climbs(want, readings, shift)
        if climbs is not None:
            return climbs
        readings = sorted(readings, key=lambda reading: not set(self.raw).isdisjoint(reading.places))
        tables = [
            None if len(reading.levels) > _MANY_CODES else (self._table(reading, -shift), self._table(reading, shift))
            for reading in readings
        ]
        size = max(1, _CHUNK // max(1, self.W_in.shape[1]))
        return all(
            self._part_gives(want[rows], [reading.at(rows) for reading in readings], tables, shift)
            for rows in (slice(start, start + size) for start in range(0, len(want), size))
        )

    def _climbs(self, want: Matrix, readings: Sequence[Reading], shift: float) -> bool | None:
        """The same for steps along one raw number, by what each step does; None where the units are no such steps."""
        moving = [reading for reading in readings if not reading.constant]
        still = [reading for reading in readings if reading.constant]
        if len(moving) != 1 or moving[0].places != self.raw or any(reading.errors.any() for reading in still):
            return None
        at_rest = sum((reading.levels[0] @ self.W_in[reading.places] for reading in still), np.zeros(len(self.bias)))
        stairs = stairs_of(self.W_in[self.raw[0]], at_rest, self.bias, self.W_out, self.precision)
        if stairs is None:
            return None
        ends = [(moving[0].levels + side * shift * moving[0].errors)[:, 0] for side in (-1, 1)]
        return stairs.give(want, *(end[codes] for end, codes in zip(ends, moving[0].codes, strict=True)))

    def _part_gives(
        self,
        want: Matrix,
        readings: Sequence[Reading],
        tables: Sequence[tuple[Matrix, Matrix] | None],
        shift: float,
    ) -> bool:
        first, last = (
            [self._part(reading, table, side, shift) for reading, table in zip(readings, tables, strict=True)]
            for side in (0, 1)
        )
        low = self._hidden(len(want), first)
        if not np.array_equal(low @ self._written, want):
            return False
        if not self.raw:
            return self._sums_are_exact(low)
        high = self._hidden(len(want), last)
        active = low > 0
        if not self._sums_are_exact(np.maximum(low, high)):
            return False
        if not np.array_equal(high @ self._written, want) or not np.array_equal(active, high > 0):
            return False
        moving = (active & (low != high)).astype(np.float64)
        return not any(np.any(moving @ slopes) for slopes in self._slopes)

    def _sums_are_exact(self, hidden: Matrix) -> bool:
        """Whether integers are added up, in any order, and what is added and what is taken off stays exact."""
        if np.any(hidden != np.rint(hidden)):
            return False
        return all(bool(np.all(hidden @ side < self.precision.exact * self._unit)) for side in self._sides)

    @cached_property
    def _unit(self) -> float:
        """A power of two that all output weights are multiples of; 1 where they are integers."""
        mantissas, exponents = np.frexp(self.W_out[np.mod(self.W_out, 1) != 0])
        digits = (mantissas * _EXACT).astype(np.int64)
        return float(np.ldexp((digits & -digits).astype(np.float64), exponents - 53).min(initial=1.0))

    @cached_property
    def _sides(self) -> list[Any]:
        """The output weights above 0, and those below it without their signs, if there are any."""
        sides = (np.maximum(self.W_out, 0), np.maximum(-self.W_out, 0))
        return [_sparse(side) for side in sides if side.any()]

    def _part(
        self, reading: Reading, tables: tuple[Matrix, Matrix] | None, side: int, shift: float
    ) -> tuple[Matrix, Ints]:
        """What the codes of a reading at one end add to the units; without tables only of those that occur."""
        if tables is not None:
            return tables[side], reading.codes[side]
        codes, places = np.unique(reading.codes[side], return_inverse=True)
        some = replace(reading, levels=reading.levels[codes], errors=reading.errors[codes])
        return self._table(some, shift if side else -shift), places

    def largest(self, readings: Sequence[Reading]) -> Vector:
        """For each output a bound on the sums that lead to it, in any order, at the last ends."""
        parts = [(self._table(reading, 1.0), reading.codes[1]) for reading in readings]
        found = self._hidden(len(readings[0].codes[1]), parts) @ np.abs(self.W_out)
        return np.asarray(found.max(axis=0))

    def _table(self, reading: Reading, shift: float) -> Matrix:
        """What each code adds to the inputs of each unit, [codes, units]; without errors the same for every shift."""
        if reading.errors.any():
            return self._product(reading, shift)
        known = self._exact_tables.get(id(reading.levels))
        if known is None:
            known = self._exact_tables[id(reading.levels)] = (reading.levels, self._product(reading, 0.0))
        return known[1]

    @cached_property
    def _exact_tables(self) -> dict[int, tuple[Matrix, Matrix]]:
        return {}

    def _product(self, reading: Reading, shift: float) -> Matrix:
        levels, weights = reading.levels + shift * reading.errors, self.W_in[reading.places]
        if _largest_sum(levels, weights) < _EXACT:
            return np.asarray(levels @ weights)
        return np.asarray(levels.astype(self._wide) @ weights.astype(self._wide))

    @property
    def _wide(self) -> Any:
        """A dtype that sums of the model's dtype fit in."""
        return np.longdouble if self.raw and self.precision.name == "float64" else np.float64

    def _hidden(self, count: int, parts: Sequence[tuple[Matrix, Ints]]) -> Matrix:
        """The hidden units, each sum rounded once to the dtype: products are exact, and the raw one is added last."""
        dtype = np.dtype(self.precision.name)
        product = np.zeros((count, self.W_in.shape[1]), dtype=self._wide)
        for table, codes in parts:
            product = product + (table if len(table) == 1 else table[codes])
        return np.maximum(product.astype(dtype) + self.bias.astype(dtype), 0).astype(np.float64)


def _sparse(matrix: Matrix) -> Any:
    """The matrix, in a sparse form where that is much faster: most units write to one or two of many directions."""
    if matrix.size < _MANY_WEIGHTS or np.count_nonzero(matrix) > _SPARSE * matrix.size:
        return matrix
    from scipy.sparse import csr_array

    return csr_array(matrix)


def _largest_sum(levels: Matrix, weights: Matrix) -> float:
    """The largest sum of levels times weights, without signs, if all are integers; else infinity."""
    if any(np.any(np.mod(part, 1) != 0) for part in (levels, weights)):
        return float("inf")
    return float((np.abs(levels) @ np.abs(weights)).max(initial=0))

"""Thresholds: sets of value combinations that one weighted sum of value indicators tells from all others.

Each value of each factor gets an integer weight; s is the sum of the weights of the values that a combination has.
Over the reachable combinations (the others do not matter) a set may be

*a face*: s = t on the set and s ≤ t − 1 elsewhere. Then ReLU(s − t + 1) is 1 on the set, and 0 elsewhere because s is
an integer: one neuron. A box is a face with weights 0 and 1.

*a threshold*: s ≥ t on the set and s ≤ t − 1 elsewhere. ReLU(s − t + 1) − ReLU(s − t) is 0 up to t − 1, and
(s − t + 1) − (s − t) = 1 from t on: two neurons.

*a level*: s = t on the set and nowhere else. ReLU(s − t + 1) − 2·ReLU(s − t) + ReLU(s − t − 1) is 1 at t, 0 below, and
(s − t + 1) − 2(s − t) + (s − t − 1) = 0 above: three neurons.

The weights are the smallest (in sum) that a linear program finds. It works in floats, so its answer only proposes: its
weights become fractions with small denominators, these become integers over their common denominator, and the integers
are checked on every combination. Where that fails the set is built from boxes.

Adding a number to all weights of one factor adds it to every sum, so weights may be taken ≥ 0. Where two combinations
differ in one factor only, the set alone says which of the two values has the larger weight; most sets that are no
threshold contradict themselves in this way, and no linear program is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from compiler.values.grid import Ints
from rasp.batch.columns import distinct

Bools: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
MOST_ROWS = 50_000
_MOST_WEIGHTS = 1_000
_MOST_PAIRS = 20_000_000
_DENOMINATORS = (1, 2, 3, 4, 6, 12, 60, 840)
_AT_ONCE = 300
_ROUNDS = 12
_CLOSE = 1e-6
_BELOW, _EQUAL, _FROM, _ABOVE = range(4)


@dataclass(frozen=True, eq=False)
class Form:
    """Weights of value indicators, at `columns` of a Separator, and the number `at` their sum is compared with."""

    weights: Ints
    at: int


class Separator:
    """Looks for faces, thresholds and levels among distinct combinations: `rows[r, f]` is factor f's code in row r.

    `silent[f]` are the codes of factor f that no indicator tells; their weight is 0. `solved` counts linear programs.
    """

    def __init__(self, rows: Ints, sizes: Sequence[int], silent: Sequence[Sequence[int]] = ()) -> None:
        self.rows, self.sizes = rows, tuple(sizes)
        self.offsets = np.cumsum([0, *sizes])[:-1]
        self.columns = rows + self.offsets
        self.free = np.ones(sum(sizes), dtype=bool)
        self.solved = 0
        for offset, codes in zip(self.offsets.tolist(), silent, strict=False):
            self.free[[offset + code for code in codes]] = False

    @property
    def affordable(self) -> bool:
        """Whether there are few enough combinations and weights to ask."""
        return len(self.rows) <= MOST_ROWS and len(self.free) <= _MOST_WEIGHTS

    def face(self, inside: Bools) -> Form | None:
        """Weights whose sum is the same all over the set, and smaller elsewhere; None where none were found."""
        if any(np.any(larger & (larger.T | same)) for larger, same in self._orders(inside)):
            return None
        return self._solved(np.where(inside, _EQUAL, _BELOW))

    def threshold(self, inside: Bools) -> Form | None:
        """Weights whose sum is larger on the set than elsewhere; None where none were found."""
        if any(np.any(larger & larger.T) for larger, _ in self._orders(inside)):
            return None
        return self._solved(np.where(inside, _FROM, _BELOW))

    def level(self, inside: Bools) -> Form | None:
        """Weights whose sum is the same all over the set, and another elsewhere; None where none were found.

        Weights with one sum all over the set are a linear space. A combination that has this sum for a random one of
        them has it for all, and otherwise the random one says on which side of the set to look for integers.
        """
        if any(np.any(larger & same) for larger, same in self._orders(inside)):
            return None
        if len(self.sizes) == 2 and (paired := self._paired(inside)) is not None:
            return paired
        table = np.zeros((int(inside.sum()), len(self.free)))
        table[np.arange(len(table))[:, None], self.columns[inside]] = 1
        table -= table[0].copy()
        strength, vectors = np.linalg.eigh(table.T @ table)
        flat = vectors[:, strength < _CLOSE]
        weights = flat @ np.random.default_rng(0).standard_normal(flat.shape[1])
        over = self._sums(weights) - self._sums(weights)[np.argmax(inside)]
        if np.any(np.abs(over[~inside]) < _CLOSE):
            return None
        return self._solved(np.where(inside, _EQUAL, np.where(over < 0, _BELOW, _ABOVE)))

    def _paired(self, inside: Bools) -> Form | None:
        """A level of two factors, without a search: f(a) + g(b) = t on the set binds values that occur in it together.

        What is bound so, over any number of steps, is a group, with one f and one g. Groups get f from 1 to t − 1, each
        its own, and g = t − f, so other groups have other sums; a value in no group gets t + 1, too much for any sum.
        Values without an indicator weigh 0: one such group may have f = 0 and one g = 0, and a value in no group has
        sums below t or above. None where more groups have such values, or a combination in one group is not in the set.
        """
        groups = _groups(self.rows[inside], self.sizes)
        free = np.split(self.free, self.offsets[1:])
        fixed = [np.unique(found[~able & (found >= 0)]) for found, able in zip(groups, free, strict=True)]
        if any(len(found) > 1 for found in fixed):
            return None
        others = np.setdiff1d(groups[0][groups[0] >= 0], np.concatenate(fixed))
        at = len(others) + 1
        f = np.zeros(self.sizes[0], dtype=np.intp)
        f[others], f[fixed[1]] = np.arange(1, at), at
        sides = [np.where(found >= 0, part[found], at + 1) for found, part in zip(groups, (f, at - f), strict=True)]
        weights = np.concatenate(sides) * self.free
        return Form(weights, at) if np.array_equal(self._sums(weights) == at, inside) else None

    def _sums(self, weights: Any) -> Any:
        return weights[self.columns].sum(axis=1)

    @cached_property
    def _rests(self) -> list[tuple[Ints, int]]:
        """For each factor: which combination of the other factors every row has, and how many there are."""
        found = []
        for factor in range(len(self.sizes)):
            rest = numbered(np.delete(self.rows, factor, axis=1))
            found.append((rest, int(rest.max(initial=0)) + 1))
        return found

    def _orders(self, inside: Bools) -> list[tuple[Bools, Bools]]:
        """For each factor: must value u (row) weigh more than v (column), as only u leads into the set? Do both?

        Factors with very many pairs of values and others are left out.
        """
        found = []
        for factor, (rest, count) in enumerate(self._rests):
            size = self.sizes[factor]
            if size * count <= _MOST_PAIRS:
                sides = np.zeros((2, size, count), dtype=np.float32)
                sides[inside.astype(np.intp), self.rows[:, factor], rest] = 1
                found.append((sides[1] @ sides[0].T > 0, sides[1] @ sides[1].T > 0))
        return found

    def _ranked(self, kinds: Ints) -> Form | None:
        """Values weighed by the rank of how many combinations of the set they have: enough for logic and comparisons.

        It saves the import of a solver, a quarter of a second.
        """
        counts = np.bincount(self.columns[kinds != _BELOW].ravel(), minlength=len(self.free))
        parts = np.split(counts, self.offsets[1:])
        weights = np.concatenate([np.unique(part, return_inverse=True)[1].reshape(-1) for part in parts]) * self.free
        at = _separating(self._sums(weights), kinds)
        return None if at is None else Form(weights, at)

    def _solved(self, kinds: Ints) -> Form | None:
        """Integer weights for which every row's sum is below, equal to, from or above one number, as `kinds` says.

        The linear program sees a few rows; those its answer violates join them, until none are left or it has none.
        """
        if np.all(kinds == _EQUAL):
            return Form(np.zeros(len(self.free), dtype=np.intp), 0)
        ranked = self._ranked(kinds)
        if ranked is not None:
            return ranked
        chosen = np.unique(np.concatenate([_spread(np.flatnonzero(kinds == kind)) for kind in np.unique(kinds)]))
        for _ in range(_ROUNDS):
            self.solved += 1
            proposed = _proposal(self.columns[chosen], kinds[chosen], self.free)
            if proposed is None:
                return None
            for weights in _integers(proposed[:-1]):
                at = _separating(self._sums(weights), kinds)
                if at is not None:
                    return Form(weights, at)
            short = _shortfall(self._sums(proposed[:-1]) - proposed[-1], kinds)
            violated = np.setdiff1d(np.flatnonzero(short > _CLOSE), chosen)
            if not len(violated):
                return None
            worst = violated[np.argsort(-short[violated], kind="stable")[:_AT_ONCE]]
            chosen = np.union1d(chosen, worst)
        return None


def _groups(pairs: Ints, sizes: Sequence[int]) -> tuple[Ints, Ints]:
    """The group of every value of two factors, where pairs of values bind them; −1 for values in no pair."""
    left, right = pairs.T
    of_left, of_right = np.arange(sizes[0]), np.full(sizes[1], sizes[0])
    before = np.zeros(0, dtype=np.intp)
    while not np.array_equal(before, of_left):
        before = of_left.copy()
        np.minimum.at(of_right, right, of_left[left])
        np.minimum.at(of_left, left, of_right[right])
    is_paired = np.isin(np.arange(sizes[0]), left)
    return np.where(is_paired, of_left, -1), np.where(of_right < sizes[0], of_right, -1)


def numbered(rows: Ints) -> Ints:
    """A number from 0 on for every row of a table of codes; equal rows have equal numbers."""
    number = np.zeros(len(rows), dtype=np.intp)
    for column in rows.T:
        size = int(column.max(initial=0)) + 1
        number = distinct(number * size + column, (int(number.max(initial=0)) + 1) * size)[1]
    return number


def _spread(rows: Ints) -> Ints:
    """All of a few rows, or as many as are used at once, evenly spread."""
    return rows if len(rows) <= _AT_ONCE else rows[np.linspace(0, len(rows) - 1, _AT_ONCE).astype(np.intp)]


def _proposal(columns: Ints, kinds: Ints, free: Bools) -> Floats | None:
    """The smallest weights, and behind them the number to compare with, that a linear program finds for some rows."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array

    count, width = columns.shape
    entries = np.column_stack([np.ones((count, width)), -np.ones(count)])
    places = np.column_stack([columns, np.full(count, len(free))])
    sign = np.where(kinds == _BELOW, 1.0, -1.0)
    needed = np.where(kinds == _FROM, 0.0, -1.0)
    flat = kinds == _EQUAL

    def matrix(rows: Bools, factors: Floats) -> Any:
        indices, data = places[rows].ravel(), (entries * factors[:, None])[rows].ravel()
        starts = np.arange(0, len(data) + 1, width + 1)
        return csr_array((data, indices, starts), shape=(int(rows.sum()), len(free) + 1))

    found = linprog(
        np.append(np.ones(len(free)), 0.0),
        A_ub=matrix(~flat, sign),
        b_ub=needed[~flat],
        A_eq=matrix(flat, np.ones(count)) if flat.any() else None,
        b_eq=np.zeros(int(flat.sum())) if flat.any() else None,
        bounds=[*((0, None if is_free else 0) for is_free in free), (None, None)],
        method="highs",
    )
    return found.x if found.status == 0 else None


def _integers(weights: Floats) -> list[Ints]:
    """The weights as integers: as fractions with denominators up to several limits, times what they have in common."""
    found: list[Ints] = []
    for limit in _DENOMINATORS:
        near = [Fraction(weight).limit_denominator(limit) for weight in weights.tolist()]
        scale = math.lcm(*(fraction.denominator for fraction in near))
        whole = [int(fraction * scale) for fraction in near]
        if max(whole) < 2**40:
            found.append(np.array(whole, dtype=np.int64) // max(1, math.gcd(*whole)))
        if max(abs(float(fraction) - weight) for fraction, weight in zip(near, weights.tolist(), strict=True)) < 1e-9:
            break
    return found


def _separating(sums: Ints, kinds: Ints) -> int | None:
    """The integer that all sums are below, equal to, from or above as they should; None if there is none."""
    at = int(sums[(kinds == _EQUAL) | (kinds == _FROM)].min())
    right = (sums < at, sums == at, sums >= at, sums > at)
    return at if all(right[kind][kinds == kind].all() for kind in range(4)) else None


def _shortfall(over: Floats, kinds: Ints) -> Floats:
    """By how much each row's sum, less the number it is compared with, misses what it should be."""
    misses = np.stack([over + 1, np.abs(over), -over, 1 - over])
    return misses[kinds, np.arange(len(kinds))]

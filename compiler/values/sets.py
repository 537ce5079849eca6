"""The values an s-op can take: sets for every cell, or bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol, TypeAlias, overload

import numpy as np

from compiler.selectors import BoolTable
from compiler.values.categorical import value_key
from compiler.values.grid import Cells, Ints, PositionGrid
from rasp.batch.columns import distinct
from rasp.errors import Refusal
from rasp.graph import SOp

NEAR = 5e-13
_BLOCK = 1 << 22
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Ranges(Sequence[Ints]):
    """Sets of codes, each all that lie from `starts` to before `stops`: two numbers instead of a list each."""

    starts: Ints
    stops: Ints

    def __len__(self) -> int:
        return len(self.starts)

    @overload
    def __getitem__(self, at: int) -> Ints: ...

    @overload
    def __getitem__(self, at: slice) -> Ranges: ...

    def __getitem__(self, at: int | slice) -> Ints | Ranges:
        if isinstance(at, slice):
            return Ranges(self.starts[at], self.stops[at])
        return np.arange(self.starts[at], self.stops[at])

    def at(self, places: Ints) -> Ranges:
        """The sets at some places."""
        return Ranges(self.starts[places], self.stops[places])

    @property
    def flat(self) -> Ints:
        """The codes of all sets, one set after the other."""
        count = self.stops - self.starts
        return np.repeat(self.starts - np.cumsum(count) + count, count) + np.arange(count.sum())


@dataclass(frozen=True, eq=False)
class Packed(Sequence[Ints]):
    """Sets of codes, one behind the other in one array of small ints; `ends` says where each ends."""

    codes: Ints
    ends: Ints

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, at: int) -> Ints: ...

    @overload
    def __getitem__(self, at: slice) -> Packed: ...

    def __getitem__(self, at: int | slice) -> Ints | Packed:
        if isinstance(at, slice):
            start, stop, _ = at.indices(len(self))
            return Packed(self.codes[self._start(start) : self._start(stop)], self.ends[at] - self._start(start))
        return self.codes[self._start(at) : self.ends[at]]

    def _start(self, at: int) -> int:
        return int(self.ends[at - 1]) if at else 0


def codes_of(sets: Sequence[Ints], number: Ints, place: Ints) -> Ints:
    """For each of some numbers of sets, the code at a place in it."""
    if isinstance(sets, Ranges):
        return sets.starts[number] + place
    if not isinstance(sets, Packed):
        sets = Packed(np.concatenate(sets), np.cumsum(sizes(sets)))
    return sets.codes[np.append(0, sets.ends)[number] + place]


def flat(sets: Sequence[Ints]) -> Ints:
    """The codes of all sets, one set after the other."""
    if isinstance(sets, Ranges):
        return sets.flat
    return sets.codes if isinstance(sets, Packed) else np.concatenate(sets)


def singles(codes: Ints) -> Ranges:
    """Sets of one code each."""
    return Ranges(codes, codes + 1)


def sizes(sets: Sequence[Ints]) -> Ints:
    """How many codes each of some sets has."""
    if isinstance(sets, Ranges):
        return sets.stops - sets.starts
    return np.diff(sets.ends, prepend=0) if isinstance(sets, Packed) else np.array(list(map(len, sets)), dtype=np.intp)


@dataclass(frozen=True, eq=False)
class ValueSet:
    """The values of one s-op: `universe` lists them, `patterns[cell_pattern[c]]` are the codes possible in cell c.

    An s-op whose values are too many to list has an empty universe and `bounds` (smallest, largest); `unlisted_bools`
    says that some of them may be bools.
    """

    universe: tuple[Any, ...]
    patterns: Sequence[Ints]
    cell_pattern: Cells
    bounds: tuple[float, float] | None = None
    unlisted_bools: bool = False

    @property
    def listed(self) -> bool:
        return self.bounds is None

    @cached_property
    def numeric(self) -> bool:
        return not self.listed or all(isinstance(v, (int, float)) for v in self.universe)

    @cached_property
    def numbers(self) -> bool:
        """Whether a mean of these values always exists: ints and floats, no booleans."""
        return self.numeric and not self.unlisted_bools and not any(isinstance(v, bool) for v in self.universe)

    @cached_property
    def averaged(self) -> bool:
        """Whether a mean of these values is the mean of their numbers, a bool counting as 0 or 1.

        There is one unless all the values of an input are bools.
        """
        return self.numeric and (not self.listed or any(not isinstance(value, bool) for value in self.universe))

    @cached_property
    def may_be_bools(self) -> bool:
        """Whether the values of some input may all be bools, as far as the cells tell."""
        if self.unlisted_bools:
            return True
        is_bool = [isinstance(value, bool) for value in self.universe]
        if not any(is_bool):
            return False
        possible = np.array([any(is_bool[code] for code in codes) for codes in self.patterns])
        lengths = range(1, self.cell_pattern.grid.max_length + 1)
        return any(bool(possible[self.cell_pattern.row(n)].all()) for n in lengths)

    @cached_property
    def is_decided(self) -> bool:
        """Whether there is one value in each cell."""
        return bool((sizes(self.patterns) == 1).all())

    @property
    def decided_codes(self) -> Ints:
        """The one code of every pattern."""
        return self.patterns.starts if isinstance(self.patterns, Ranges) else np.concatenate(self.patterns)

    @cached_property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value of a numeric s-op."""
        if self.bounds is not None:
            return self.bounds
        return float(min(self.universe)), float(max(self.universe))

    @cached_property
    def numerically_equal(self) -> tuple[int, ...]:
        """For each code the code of the value that it shares a direction with.

        1, 1.0 and True share one, as the residual stream holds numbers without types. So do floats that lie within NEAR
        of the smallest of them. An int shares with nothing but what equals it: ints never differ by rounding.
        """
        numbers = sorted(
            ((value, code) for code, value in enumerate(self.universe) if isinstance(value, (int, float))),
            key=itemgetter(0),
        )
        stands_for = list(range(len(self.universe)))
        anchor, anchor_code = math.nan, -1
        for value, found in groupby(numbers, key=itemgetter(0)):
            codes = [code for _, code in found]
            if any(isinstance(self.universe[code], int) for code in codes):
                anchor, anchor_code, own = math.nan, -1, codes[0]
            elif value - anchor <= NEAR * max(abs(anchor), abs(value)):
                own = anchor_code
            else:
                anchor, anchor_code = value, codes[0]
                own = anchor_code
            for code in codes:
                stands_for[code] = own
        return tuple(stands_for)

    @cached_property
    def sharing(self) -> Mapping[Hashable, frozenset[Hashable]]:
        """For the key of each value the keys of all values that share a direction with it."""
        groups: dict[int, set[Hashable]] = {}
        for value, own in zip(self.universe, self.numerically_equal, strict=True):
            groups.setdefault(own, set()).add(value_key(value))
        return {key: shared for shared in map(frozenset, groups.values()) for key in shared}

    @property
    def is_merged(self) -> bool:
        """Whether some values share a direction that are not equal."""
        return any(self.universe[code] != self.universe[own] for code, own in enumerate(self.numerically_equal))

    def any(self, table: BoolTable) -> BoolTable:
        """For every pattern whether one of its codes has each column of a table, [codes, columns]."""
        return np.concatenate(list(self.any_in_blocks(table)))

    def any_in_blocks(self, table: BoolTable) -> Iterator[BoolTable]:
        """The same for some patterns after the other: there may be very many."""
        return (count > 0 for _, count in self.counts_in_blocks(table))

    def counts_in_blocks(self, table: BoolTable) -> Iterator[tuple[Ints, Any]]:
        """For some patterns after the other how many codes each has, and how many of these have each column."""
        count = _counts_of_ranges(table) if isinstance(self.patterns, Ranges) else _counts_of_sets(table)
        size = max(1, _BLOCK // max(table.shape))
        for start in range(0, len(self.patterns), size):
            some = self.patterns[start : start + size]
            yield sizes(some), count(some)


def _counts_of_ranges(table: BoolTable) -> Callable[[Any], Any]:
    """For ranges of codes how many in each have each column of a table: the difference of two sums."""
    upto = np.vstack([np.zeros_like(table[:1], dtype=np.int32), np.cumsum(table, axis=0, dtype=np.int32)])
    return lambda some: upto[some.stops] - upto[some.starts]


def _counts_of_sets(table: BoolTable) -> Callable[[Any], Any]:
    """The same for any sets of codes."""
    numbers = table.astype(np.float32)
    return lambda some: (
        table[some[0]].sum(axis=0, keepdims=True)
        if len(some) == 1
        else _masks(some, len(table)).astype(np.float32) @ numbers
    )


def _masks(sets: Sequence[Ints], count: int) -> BoolTable:
    """Sets of codes below `count` as a table, bool [sets, codes]."""
    table = np.zeros((len(sets), count), dtype=bool)
    for row, codes in enumerate(sets):
        table[row, codes] = True
    return table


class ValueSets(Protocol):
    """Where the values of s-ops are known."""

    def __getitem__(self, node: SOp, /) -> ValueSet: ...


def unlisted(grid: PositionGrid, low: float | Fraction, high: float | Fraction, *, bools: bool = False) -> ValueSet:
    """A number between two bounds whose values are not listed, and whether some may be bools."""
    try:
        bounds = float(low), float(high)
    except OverflowError:
        raise Refusal("a number may be beyond the largest float") from None
    return ValueSet((), (np.zeros(0, dtype=np.intp),), grid.same(0), bounds, bools)


def grouped(sets: Sequence[Ints], cell_set: Cells, universe: Sequence[Any]) -> ValueSet:
    """Values whose cell c may take the codes `sets[cell_set[c]]`; equal sets become one pattern, unused codes go.

    The codes of a set are distinct and rise.
    """
    used = union(sets, len(universe))
    new = np.empty(len(universe), dtype=np.intp)
    new[used] = np.arange(len(used))
    patterns, index = _ranged(sets, new) if isinstance(sets, Ranges) else _numbered(sets, new)
    values = universe if len(used) == len(universe) else [universe[code] for code in used.tolist()]
    return ValueSet(tuple(values), patterns, cell_set.map(index.__getitem__))


def _numbered(sets: Sequence[Ints], new: Ints) -> tuple[Sequence[Ints], Ints]:
    """The distinct ones of some sets, in new codes, and which of them each is."""
    patterns: dict[bytes, int] = {}
    arrays: list[Ints] = []
    index = np.empty(len(sets), dtype=np.intp)
    for row, codes in enumerate(sets):
        array = new[codes]
        known = patterns.setdefault(array.tobytes(), len(arrays))
        if known == len(arrays):
            arrays.append(array)
        index[row] = known
    return tuple(arrays), index


def _ranged(sets: Ranges, new: Ints) -> tuple[Ranges, Ints]:
    """The same for ranges: all that is in one is used, so its new codes are a range as well. Empty ones are alike."""
    count = sizes(sets)
    starts = np.where(count > 0, np.append(new, 0)[sets.starts], 0)
    found, index = distinct(starts * (len(new) + 1) + count, (len(new) + 1) ** 2)
    first, size = found // (len(new) + 1), found % (len(new) + 1)
    return Ranges(first, first + size), index


def everywhere(grid: PositionGrid, universe: Sequence[Any]) -> ValueSet:
    """Values that are all possible in every cell."""
    return ValueSet(tuple(universe), (np.arange(len(universe), dtype=np.intp),), grid.same(0))


def union(sets: Sequence[Ints], count: int) -> Ints:
    """The codes below `count` that are in one of the sets, rising."""
    if isinstance(sets, Ranges):
        change = np.bincount(sets.starts, minlength=count + 1) - np.bincount(sets.stops, minlength=count + 1)
        return np.flatnonzero(np.cumsum(change)[:count])
    seen = np.zeros(count, dtype=bool)
    for codes in sets:
        seen[codes] = True
    return np.flatnonzero(seen)

"""A conjunction of comparisons as runs: keys in sorted order, and for each query the part of them that it selects.

Equalities become one code that keys and queries share, an inequality a second digit below it. In keys sorted by this
code, those that a query selects stand side by side, and two searches find where they begin and end. A further
inequality that orders the keys differently splits each run into one for every bit of the rank that it compares.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rasp.batch.ragged import Codes, Flags, Ragged
from rasp.batch.ranking import EQUAL, Comparison
from rasp.operations import Column

_LARGEST_CODE = 1 << 31
_MOST_RUNS = 64


@dataclass(frozen=True, eq=False)
class Runs:
    """Query q selects the keys `order[low[q]:high[q]]`."""

    order: Codes
    low: Codes
    high: Codes

    def counts(self) -> Codes:
        """How many keys each query selects."""
        return self.high - self.low

    def totals(self, weights: Column) -> Column:
        """The sum of the weights [N] of the keys that each query selects; int64 wraps around, other ints are exact."""
        sums = np.zeros(len(self.order) + 1, dtype=weights.dtype)
        np.cumsum(weights[self.order], out=sums[1:])
        return sums[self.high] - sums[self.low]

    def maxima(self, ranks: Codes) -> Codes:
        """The largest rank [N] among the keys that each query selects, −1 where it selects none.

        A run of length 2^j or more is the union of two of length 2^j; the maxima of all of those are made for one j
        after the other.
        """
        result = np.full(len(self.low), -1, dtype=ranks.dtype)
        table, length = ranks[self.order], 1
        for asked in _by_doubling(self.high - self.low):
            while len(asked) and 2 * length <= self.high[asked[0]] - self.low[asked[0]]:
                table, length = np.maximum(table[:-length], table[length:]), 2 * length
            result[asked] = np.maximum(table[self.low[asked]], table[self.high[asked] - length])
        return result


def _by_doubling(lengths: Codes) -> Iterator[Codes]:
    """Where the length is 1, where it is 2 or 3, where it is 4 to 7, and so on."""
    exponents = np.frexp(lengths.astype(np.float64))[1].astype(np.uint8)
    order = np.argsort(exponents, kind="stable")
    bounds = np.searchsorted(exponents[order], np.arange(1, int(exponents.max()) + 2))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        if stop > start:
            yield order[start:stop]


def runs(ragged: Ragged, literals: Iterable[tuple[Comparison, int]]) -> list[Runs] | None:
    """The runs of a conjunction of comparisons, each with its relation; keys and queries of other inputs are apart.

    Several runs have no key in common. None where they would be many: for a relation with a gap (`!=`) that tells
    neither keys nor queries alone, and for too many inequalities that order the keys differently.
    """
    own: list[tuple[Comparison, int]] = []
    kept: Flags | None = None
    asked: Flags | None = None
    for comparison, relation in literals:
        if comparison.about_keys:
            kept = _both(kept, comparison.at_own(relation))
        elif comparison.about_queries:
            asked = _both(asked, comparison.at_own(relation))
        else:
            own.append((comparison, relation))
    single = _single(ragged, own, kept)
    found = _sorted_runs(ragged, own, kept) if single is None else [single]
    return found if asked is None or found is None else [_where(part, asked) for part in found]


def _both(known: Flags | None, more: Flags) -> Flags:
    return more if known is None else known & more


def _where(found: Runs, asked: Flags) -> Runs:
    return Runs(found.order, np.where(asked, found.low, 0), np.where(asked, found.high, 0))


def _single(ragged: Ragged, literals: Sequence[tuple[Comparison, int]], kept: Flags | None) -> Runs | None:
    """The runs where one of the equalities leaves each query at most one key: the others are looked at on that key."""
    chosen = next((c for c, relation in literals if relation == EQUAL and c.slots is not None), None)
    if chosen is None or chosen.slots is None:
        return None
    rank = np.minimum(chosen.left, chosen.size - 1)
    keys = chosen.slots[ragged.row * chosen.size + rank]
    exists = (chosen.left < chosen.right) & (keys >= 0)
    keys = np.where(exists, keys, 0)
    every = np.arange(ragged.size)
    for comparison, relation in literals:
        if comparison is not chosen:
            exists &= comparison.holds(relation, keys, every)
    if kept is not None:
        exists &= kept[keys]
    return Runs(every, keys, keys + exists)


def _sorted_runs(ragged: Ragged, literals: Sequence[tuple[Comparison, int]], kept: Flags | None) -> list[Runs] | None:
    groups = _Groups(ragged)
    for comparison, relation in literals:
        if relation == EQUAL:
            groups.join(comparison)
    unequal = sorted((pair for pair in literals if pair[1] != EQUAL), key=lambda pair: -pair[0].size)
    inner = [digit for comparison, relation in unequal if (digit := _digit(comparison, relation)) is not None]
    if len(inner) < len(unequal):
        return None
    first, *more = inner or [_Digit(np.zeros(1, dtype=np.intp), 1, 0, 1)]
    order, codes = sorted_by(*groups.codes(first), kept)
    low, high = groups.found(codes, first)
    apart = []
    for digit in more:
        aligned = next((way for way in (digit, digit.reversed()) if _rises(groups.codes(way)[0][order])), None)
        if aligned is None:
            apart.append(digit)
            continue
        also_low, also_high = groups.found(groups.codes(aligned)[0][order], aligned)
        low, high = np.maximum(low, also_low), np.minimum(high, also_high)
    exists = low < high if groups.matched is None else (low < high) & groups.matched
    found = [_where(Runs(order, low, high), exists)]
    if math.prod(digit.size.bit_length() for digit in apart) > _MOST_RUNS:
        return None
    for digit in apart:
        found = [part for whole in found for part in _split(whole, digit.from_below())]
    return found


def _split(whole: Runs, digit: _Digit) -> Iterator[Runs]:
    """What lies below a digit's upper bound in each run: for each bit of the bound that is set, a run of its own.

    The keys are parted by the first bit of their rank, zeros in front, then each part by the next bit, and so on. A
    rank is less than the bound if it has 0 where the bound has 1, and the same bits before: those keys stand side by
    side once they are parted by that bit.
    """
    order, low, high = whole.order, whole.low, whole.high
    ranks, bounds = digit.keys[order], np.broadcast_to(digit.high, low.shape)
    for bit in reversed(range(digit.size.bit_length())):
        ones = (ranks >> bit & 1).astype(bool)
        zeros = np.zeros(len(order) + 1, dtype=np.intp)
        np.cumsum(~ones, out=zeros[1:])
        order, ranks = (np.concatenate([part[~ones], part[ones]]) for part in (order, ranks))
        zeros_low, zeros_high = zeros[low], zeros[high]
        is_set = (bounds >> bit & 1).astype(bool)
        yield _compact(order, np.where(is_set, zeros_low, 0), np.where(is_set, zeros_high, 0))
        low = np.where(is_set, zeros[-1] + low - zeros_low, zeros_low)
        high = np.where(is_set, zeros[-1] + high - zeros_high, zeros_high)


def _compact(order: Codes, low: Codes, high: Codes) -> Runs:
    """Runs in half the memory, as there are many of them."""
    kind = np.int32 if len(low) < 2**31 else np.int64
    return Runs(order.astype(kind), low.astype(kind), high.astype(kind))


@dataclass(frozen=True, eq=False)
class _Digit:
    """A rank per key below `size`, and for each query the first rank it selects and the one after the last."""

    keys: Codes
    size: int
    low: Codes | int
    high: Codes | int

    def reversed(self) -> _Digit:
        """The same with the largest rank first."""
        return _Digit(self.size - 1 - self.keys, self.size, self.size - self.high, self.size - self.low)

    def from_below(self) -> _Digit:
        """The same, reversed if need be so that all selected ranks begin at 0: an inequality has one bound."""
        return self if isinstance(self.low, int) and self.low == 0 else self.reversed()


def _digit(comparison: Comparison, relation: int) -> _Digit | None:
    bounds = comparison.bounds(relation)
    return None if bounds is None else _Digit(comparison.keys, comparison.size, *bounds)


def _rises(codes: Codes) -> bool:
    return bool((codes[1:] >= codes[:-1]).all())


class _Groups:
    """One code below `size` for all that must be equal; `matched` says which queries any key can match (None: all)."""

    def __init__(self, ragged: Ragged) -> None:
        self.keys: Codes = ragged.row
        self.queries: Codes = ragged.row
        self.size = len(ragged)
        self.matched: Flags | None = None

    def join(self, comparison: Comparison) -> None:
        """One more equality."""
        own = comparison.left is comparison.keys
        shared = own and self.queries is self.keys
        self.keys = self.keys * comparison.size + comparison.keys
        self.queries = self.keys if shared else self.queries * comparison.size + comparison.left
        self.size *= comparison.size
        if not own:
            self.matched = _both(self.matched, comparison.left < comparison.right)
        if self.size > _LARGEST_CODE:
            self._compress()

    def _compress(self) -> None:
        levels, self.keys = np.unique(self.keys, return_inverse=True)
        places = np.minimum(np.searchsorted(levels, self.queries), len(levels) - 1)
        self.matched = _both(self.matched, levels[places] == self.queries)
        self.queries, self.size = places, len(levels)

    def codes(self, digit: _Digit) -> tuple[Codes, int]:
        """The code of each key with one more digit, and how many such codes there are."""
        return self.keys * digit.size + digit.keys, self.size * digit.size

    def found(self, codes: Codes, digit: _Digit) -> tuple[Codes, Codes]:
        """Where each query's run begins and ends in keys with these codes, which rise."""
        first, size = self.queries * digit.size, self.size * digit.size
        return located(codes, first + digit.low, size), located(codes, first + digit.high, size)


def sorted_by(codes: Codes, size: int, kept: Flags | None = None) -> tuple[Codes, Codes]:
    """The positions kept (None: all) by rising code, equal ones as they stand, and their codes."""
    positions = np.arange(len(codes)) if kept is None else np.flatnonzero(kept)
    codes = codes if kept is None else codes[positions]
    if _rises(codes):
        return positions, codes
    bits = len(codes).bit_length()
    if size.bit_length() + bits > 62:
        order = np.argsort(codes, kind="stable")
        return positions[order], codes[order]
    packed = (codes << bits) | np.arange(len(codes))
    packed.sort()
    order = packed & ((1 << bits) - 1)
    return (order if kept is None else positions[order]), packed >> bits


def located(codes: Codes, wanted: Codes, size: int) -> Codes:
    """How many of the codes, which rise and lie below `size`, are less than each wanted one."""
    if size <= 4 * len(codes) + 1024:
        counts = np.zeros(size + 1, dtype=np.intp)
        np.cumsum(np.bincount(codes, minlength=size), out=counts[1:])
        return counts[np.minimum(wanted, size)]
    order, rising = sorted_by(wanted, size + 1)
    result = np.empty(len(wanted), dtype=np.intp)
    result[order] = np.searchsorted(codes, rising)
    return result

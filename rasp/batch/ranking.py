"""Values as ranks: a comparison of every key with every query, kept as a rank per key and two thresholds per query."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from rasp.batch.columns import Categorical, Values, factorized
from rasp.batch.ragged import Codes, Flags, Ragged
from rasp.operations import Atom, Column, Symbol

LESS, EQUAL, GREATER, UNORDERED = 1, 2, 4, 8
"""How a key may stand to a query. A relation is a sum of these, so `and`, `or` and `not` are & and | and 15 −."""
ALL = LESS | EQUAL | GREATER | UNORDERED
ORDERED = LESS | EQUAL | GREATER
RELATIONS = {
    "==": EQUAL,
    "!=": ALL - EQUAL,
    "<": LESS,
    "<=": LESS | EQUAL,
    ">": GREATER,
    ">=": GREATER | EQUAL,
}

_EXACT_FLOAT = 2**53
_Key: TypeAlias = "tuple[int, Any]"
_NUMBER, _NAN, _TEXT, _SYMBOL = 0, 1, 2, 3


@dataclass(frozen=True, eq=False)
class Ranking:
    """Every value of a column as its rank among the `levels`, which rise; values that Python calls equal share one.

    Numbers come before nan, and nan before strings. Levels are a typed column, or a list of ordering keys.
    """

    levels: Column | list[_Key]
    codes: Codes
    nan: Flags | None = None

    @property
    def size(self) -> int:
        return len(self.levels)

    def keys(self) -> list[_Key]:
        """The levels as ordering keys."""
        return self.levels if isinstance(self.levels, list) else [_ordering(value) for value in self.levels.tolist()]


def ranked(values: Values) -> Ranking:
    """The ranking of a column."""
    if isinstance(values, Categorical):
        return _ranked_atoms(values)
    if values.dtype.kind == "f":
        levels, codes = np.unique(values, return_inverse=True)
        nan = np.isnan(values)
        return Ranking(levels, codes, nan if nan.any() else None)
    levels, codes = factorized(values)
    return Ranking(levels.astype(np.int64), codes)


def _ranked_atoms(values: Categorical) -> Ranking:
    floats = _as_floats(values.levels)
    if floats is not None:
        levels, places = np.unique(floats, return_inverse=True)
        return Ranking(levels, places[values.codes])
    keys = [_ordering(atom) for atom in values.levels.tolist()]
    levels_, places = _places(keys)
    nan = np.array([key[0] == _NAN for key in keys], dtype=bool)
    return Ranking(levels_, places[values.codes], nan[values.codes] if nan.any() else None)


def _places(keys: Sequence[_Key]) -> tuple[list[_Key], Codes]:
    """The different keys, rising, and the place of each among them."""
    places = np.empty(len(keys), dtype=np.intp)
    levels: list[_Key] = []
    for at in sorted(range(len(keys)), key=keys.__getitem__):
        if not levels or levels[-1] != keys[at]:
            levels.append(keys[at])
        places[at] = len(levels) - 1
    return levels, places


def _ordering(atom: Atom) -> _Key:
    if isinstance(atom, Symbol):
        return _SYMBOL, str(atom)
    if isinstance(atom, str):
        return _TEXT, atom
    return (_NUMBER, atom) if atom == atom else (_NAN, 0)


def _as_floats(levels: Column) -> Column | None:
    """The levels as floats, if they are numbers, none is nan and none loses anything."""
    if not set(map(type, levels.tolist())) <= {int, float, bool}:
        return None
    try:
        floats = levels.astype(np.float64)
    except OverflowError:
        return None
    return floats if bool((np.abs(floats) < _EXACT_FLOAT).all()) else None


class Comparison:
    """Keys compared with queries. `keys` [N] is a rank below `size`; `left` [N] says for each query how many ranks are
    less than it, `right` [N] how many are less or equal.
    """

    def __init__(
        self,
        ragged: Ragged,
        keys: Codes,
        size: int,
        left: Codes,
        right: Codes,
        unordered: tuple[Flags | None, Flags | None] = (None, None),
    ) -> None:
        self.ragged = ragged
        self.keys, self.size = keys, size
        self.left, self.right = left, right
        self.unordered = unordered

    @property
    def has_nan(self) -> bool:
        return any(flags is not None for flags in self.unordered)

    @cached_property
    def about_keys(self) -> bool:
        """Whether all queries of an input are alike, so that this tells its keys apart and nothing else."""
        return not self.has_nan and self.ragged.same(self.left) and self.ragged.same(self.right)

    @cached_property
    def about_queries(self) -> bool:
        """Whether all keys of an input are alike."""
        return not self.has_nan and (self.size == 1 or self.ragged.same(self.keys))

    @property
    def is_filter(self) -> bool:
        return self.about_keys or self.about_queries

    @cached_property
    def slots(self) -> Codes | None:
        """Where each input has the key of each rank (−1: nowhere), if no input has two keys of one rank."""
        size = len(self.ragged) * self.size
        if size > 4 * len(self.keys) + 1024:
            return None
        places = self.ragged.row * self.size + self.keys
        slots = np.full(size, -1, dtype=np.intp)
        slots[places] = np.arange(len(places))
        return slots if bool((slots[places] == np.arange(len(places))).all()) else None

    def holds(self, relation: int, keys: Codes, queries: Codes) -> Flags:
        """Whether each of these key positions stands in the relation to the query position beside it."""
        return related(relation, self.keys[keys], self.left[queries], self.right[queries])

    def at_own(self, relation: int) -> Flags:
        """Whether each position's key stands in the relation to its own query."""
        return related(relation, self.keys, self.left, self.right)

    def bounds(self, relation: int) -> tuple[Codes | int, Codes | int] | None:
        """The first rank in the relation to each query, and the one after the last; None where there is a gap."""
        match relation & ORDERED:
            case 1:
                return 0, self.left
            case 2:
                return self.left, self.right
            case 3:
                return 0, self.right
            case 4:
                return self.right, self.size
            case 6:
                return self.left, self.size
        return None


def related(relation: int, keys: Any, left: Any, right: Any) -> Flags:
    """The relation between ranks of keys and thresholds of queries, where there is no nan."""
    match relation & ORDERED:
        case 0:
            return np.zeros(np.broadcast_shapes(keys.shape, left.shape), dtype=bool)
        case 1:
            return keys < left
        case 2:
            return (keys >= left) & (keys < right)
        case 3:
            return keys < right
        case 4:
            return keys >= right
        case 5:
            return (keys < left) | (keys >= right)
        case 6:
            return keys >= left
    return np.ones(np.broadcast_shapes(keys.shape, left.shape), dtype=bool)


def compared(ragged: Ragged, keys: Ranking, queries: Ranking) -> Comparison:
    """Every key compared with every query of its input."""
    unordered = keys.nan, queries.nan
    if keys is queries:
        return Comparison(ragged, keys.codes, keys.size, keys.codes, keys.codes + 1, unordered)
    left, right = _thresholds(keys, queries)
    return Comparison(ragged, keys.codes, keys.size, left[queries.codes], right[queries.codes], unordered)


def _thresholds(keys: Ranking, queries: Ranking) -> tuple[Codes, Codes]:
    """For each level of the queries, how many levels of the keys are less, and how many less or equal."""
    ours, theirs = keys.levels, queries.levels
    if not isinstance(ours, list) and not isinstance(theirs, list):
        if ours.dtype != theirs.dtype and all(map(_fits_float, (ours, theirs))):
            ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        if ours.dtype == theirs.dtype:
            return np.searchsorted(ours, theirs, "left"), np.searchsorted(ours, theirs, "right")
    known, asked = keys.keys(), queries.keys()
    left = [bisect.bisect_left(known, key) for key in asked]
    right = [bisect.bisect_right(known, key) for key in asked]
    return np.array(left, dtype=np.intp), np.array(right, dtype=np.intp)


def _fits_float(levels: Column) -> bool:
    return levels.dtype.kind == "f" or max(abs(int(levels[0])), abs(int(levels[-1]))) < _EXACT_FLOAT

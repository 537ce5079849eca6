"""Columns of many positions: a typed array where every value has one numeric type, else codes into distinct atoms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from rasp.batch.ragged import Codes, Flags
from rasp.operations import Atom, Column, atom_key, column

_TABLE = 1 << 16
_MANY = 1 << 12
_LARGEST_KEY = 1 << 62


@dataclass(frozen=True, eq=False)
class Categorical:
    """The value at each position is `levels[codes]`; each level is one atom, and is seldom there twice."""

    levels: Column
    codes: Codes

    def __len__(self) -> int:
        return len(self.codes)


Values: TypeAlias = "Column | Categorical"
"""A typed column (int64, float64 or bool, never object), or a categorical one."""


def constant(value: Atom, size: int) -> Values:
    """The same atom at every position."""
    return gathered(column([value]), np.broadcast_to(np.intp(0), (size,)))


def gathered(levels: Column, codes: Codes) -> Values:
    """The column `levels[codes]`: typed where all levels have one numeric type."""
    if levels.dtype == object:
        return Categorical(levels, codes)
    return np.broadcast_to(levels[0], codes.shape) if len(levels) == 1 else levels[codes]


def interned(atoms: Sequence[Atom], codes: Codes) -> Values:
    """The column `atoms[codes]`, atoms that are the same (1, 1.0 and True are not) joined into one level."""
    tight = column(atoms)
    if tight.dtype != object or len(atoms) > _MANY:
        return gathered(tight, codes)
    known: dict[Any, int] = {}
    places = np.array([known.setdefault(atom_key(atom), len(known)) for atom in atoms], dtype=np.intp)
    first = np.unique(places, return_index=True)[1]
    return gathered(column([atoms[at] for at in first.tolist()]), places[codes])


def expanded(values: Values) -> Column:
    """The column as the interpreter has it: one value a position, in the tightest dtype that keeps every type."""
    if not isinstance(values, Categorical):
        return np.array(values)
    used, codes = distinct(values.codes, len(values.levels))
    return column(values.levels[used].tolist())[codes]


def taken(values: Values, positions: Codes) -> Values:
    """The column of the values at these positions."""
    if isinstance(values, Categorical):
        return Categorical(values.levels, values.codes[positions])
    return values[positions]


def factorized(values: Values) -> tuple[Column, Codes]:
    """Levels and codes of a column; a level may be unused."""
    if isinstance(values, Categorical):
        return values.levels, values.codes
    if values.strides == (0,):
        return values[:1], np.zeros(len(values), dtype=np.intp)
    if values.dtype.kind == "b":
        return np.array([False, True]), values.astype(np.intp)
    if values.dtype.kind == "i" and (span := _span(values)) is not None:
        low, high = span
        return low + np.arange(high - low + 1), values - low
    _, first, codes = np.unique(values.view(np.int64), return_index=True, return_inverse=True)
    return values[first], codes


def _span(values: Column) -> tuple[int, int] | None:
    """The least and the largest int, if there are not many more ints between them than positions."""
    low, high = int(values.min()), int(values.max())
    return (low, high) if high - low < 4 * len(values) + _TABLE else None


def distinct(keys: Codes, size: int) -> tuple[Codes, Codes]:
    """The different keys, rising, and for each key its place among them; keys are 0 … size − 1."""
    if size > 4 * len(keys) + _TABLE:
        found, places = np.unique(keys, return_inverse=True)
        return found, places
    present = np.zeros(size, dtype=bool)
    present[keys] = True
    found = np.flatnonzero(present)
    if len(found) == size:
        return found, keys
    table = np.empty(size, dtype=np.intp)
    table[found] = np.arange(len(found))
    return found, table[keys]


def tuples(columns: Sequence[Values]) -> tuple[list[Column], Codes]:
    """The different tuples of values that stand together, a column for each argument, and which is at each position."""
    parts = [factorized(values) for values in columns]
    keys, size = np.zeros(len(columns[0]), dtype=np.intp), 1
    for levels, codes in parts:
        if size * len(levels) > _LARGEST_KEY:
            keys = distinct(keys, size)[1]
            size = int(keys.max()) + 1
        keys, size = keys * len(levels) + codes, size * len(levels)
    found, places = distinct(keys, size)
    at = np.empty(len(found), dtype=np.intp)
    at[places] = np.arange(len(places))
    return [levels[codes[at]] for levels, codes in parts], places


def composed(size: int, pieces: Sequence[tuple[Flags | None, Values]]) -> Values:
    """The column that has each piece's values, in order, where its flags are set (None: everywhere)."""
    whole = [values for where, values in pieces if where is None]
    if whole:
        return whole[0]
    kinds = {object if isinstance(values, Categorical) else values.dtype for _, values in pieces}
    if len(kinds) == 1 and object not in kinds:
        return _typed(size, pieces, kinds.pop())
    parts = [factorized(values) for _, values in pieces]
    codes, base = np.empty(size, dtype=np.intp), 0
    for (where, _), (levels, own) in zip(pieces, parts, strict=True):
        codes[where] = own + base
        base += len(levels)
    return _joined([levels for levels, _ in parts], codes)


def _typed(size: int, pieces: Sequence[tuple[Flags | None, Values]], dtype: Any) -> Column:
    result = np.empty(size, dtype=dtype)
    for where, values in pieces:
        result[where] = values
    return result


def _joined(levels: Sequence[Column], codes: Codes) -> Values:
    """The column of codes into several lists of levels, one after another."""
    used, places = distinct(codes, sum(map(len, levels)))
    atoms = np.concatenate([part.astype(object) for part in levels])[used]
    if len(atoms) <= _MANY:
        return interned(atoms.tolist(), places)
    return Categorical(atoms, places)


def combined(flags: Sequence[Flags | None]) -> Flags | None:
    """Where some of the flags are set; None stands for nowhere."""
    given = [part for part in flags if part is not None]
    return reduce(np.logical_or, given) if given else None

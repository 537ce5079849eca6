"""Means of many groups at once, each rounded once from its exact sum, as `rasp.interpret.mean` has it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rasp.batch.columns import Categorical, Values
from rasp.batch.ragged import Flags
from rasp.operations import Atom, Column

_INT64 = 2**63
_EXACT_FLOAT = 2**53
_LARGEST_SHIFT = 900
_SAFE_SUM = 2.0**1000


@dataclass(frozen=True, eq=False)
class Numerators:
    """Each value is `whole / 2^shift`, an int64 or object column; nan and ±inf are 0 there and flagged in `special`.

    `plain` says that no sum of the finite values, in whatever order, leaves the floats.
    """

    whole: Column
    shift: int
    special: tuple[Flags, Flags, Flags] | None
    plain: bool


def numerators(values: Values, longest: int) -> Numerators:
    """The values as ints over one power of two, in int64 where any `longest` of them have a sum that fits."""
    if isinstance(values, Categorical):
        return _of_atoms(values, longest)
    if values.dtype.kind == "f":
        return _of_floats(values, longest)
    largest = max(abs(int(values.min())), abs(int(values.max())))
    whole = values.astype(np.int64) if largest * longest < _INT64 else values.astype(object)
    return Numerators(whole, 0, None, True)


def _of_floats(values: Column, longest: int) -> Numerators:
    finite = np.isfinite(values)
    if not finite.all():
        levels, codes = np.unique(values, return_inverse=True)
        return _of_atoms(Categorical(levels.astype(object), codes), longest)
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, 53).astype(np.int64)
    used = mantissas != 0
    if not used.any():
        return Numerators(np.zeros(len(values), dtype=np.int64), 0, None, True)
    trailing = np.frexp((mantissas & -mantissas)[used].astype(np.float64))[1] - 1
    shift = max(0, int((53 - exponents[used] - trailing).max()))
    if shift <= _LARGEST_SHIFT and int(exponents[used].max()) + shift + longest.bit_length() < 63:
        return Numerators(np.ldexp(values, shift).astype(np.int64), shift, None, True)
    levels, codes = np.unique(values, return_inverse=True)
    return _of_atoms(Categorical(levels.astype(object), codes), longest)


def _of_atoms(values: Categorical, longest: int) -> Numerators:
    atoms = values.levels.tolist()
    ratios = [_ratio(atom) for atom in atoms]
    shift = max(below.bit_length() - 1 for _, below in ratios)
    found = [above << (shift + 1 - below.bit_length()) for above, below in ratios]
    largest = max(map(abs, found))
    whole = np.array(found, dtype=np.int64 if largest * longest < _INT64 else object)
    plain = largest * longest < int(_SAFE_SUM) << shift
    return Numerators(whole[values.codes], shift, _specials(values, atoms), plain)


def _ratio(atom: Atom) -> tuple[int, int]:
    if isinstance(atom, str) or not (isinstance(atom, int) or math.isfinite(atom)):
        return 0, 1
    return atom.as_integer_ratio()


def _specials(values: Categorical, atoms: list[Atom]) -> tuple[Flags, Flags, Flags] | None:
    floats = [atom if isinstance(atom, float) else 0.0 for atom in atoms]
    if all(map(math.isfinite, floats)):
        return None
    levels = np.array(floats)
    found = (np.isnan(levels), levels == np.inf, levels == -np.inf)
    return found[0][values.codes], found[1][values.codes], found[2][values.codes]


def quotients(totals: Column, counts: Column, shift: int) -> tuple[Column, Flags | None]:
    """totals / (counts · 2^shift) as floats, each rounded once, and where that is too large for a float."""
    if totals.dtype != object and shift <= _LARGEST_SHIFT:
        result = np.ldexp(totals / counts, -shift)
        hard = np.flatnonzero(np.abs(totals) >= _EXACT_FLOAT)
    else:
        result, hard = np.zeros(len(totals)), np.arange(len(totals))
    if not len(hard):
        return result, None
    divided = [_divided(*pair, shift) for pair in zip(totals[hard].tolist(), counts[hard].tolist(), strict=True)]
    result[hard] = [0.0 if value is None else value for value in divided]
    if None not in divided:
        return result, None
    failed = np.zeros(len(totals), dtype=bool)
    failed[hard] = [value is None for value in divided]
    return result, failed


def _divided(total: int, count: int, shift: int) -> float | None:
    try:
        return total / (count << shift)
    except OverflowError:
        return None


def special_means(means: Column, special: Any) -> Column:
    """The means with nan and ±inf where such values are among those averaged; `special` counts nan, inf, −inf."""
    nan, up, down = (count > 0 for count in special)
    result = np.where(up, np.inf, np.where(down, -np.inf, means))
    return np.where(nan | (up & down), np.nan, result)

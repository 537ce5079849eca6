"""Columns: the value of an s-op in each of many combinations, as codes of its distinct values.

An operation is applied once to each distinct combination of its arguments' values, however many rows share it; where
numpy can, to all of them at once, as the interpreter does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from compiler.selectors import JOINT
from compiler.values.grid import Cells, Ints
from rasp.batch.columns import distinct
from rasp.errors import RaspError, Refusal
from rasp.graph import Constant, Map, SOp, Tokens
from rasp.meaning import convert
from rasp.operations import COMPARISONS, Column, Operation, atom_key, column, evaluate_atoms

_FEW = 4096
_EXACT = 2**53


class _Undefined:
    """The value of an operation that fails: never equal to a value."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED = _Undefined()
DEFINED = Operation("defined", 1, (), lambda value: value is not UNDEFINED)


def value_key(value: Any) -> Hashable:
    """What tells values apart that Python calls equal, for atoms and tuples of atoms."""
    return tuple(map(atom_key, value)) if isinstance(value, tuple) else atom_key(value)


@dataclass(frozen=True, eq=False)
class Categorical:
    """A value in each of many rows: `categories` lists each that occurs once, `codes[row]` says which the row has.

    UNDEFINED is one of the values where some row has none.
    """

    categories: Sequence[Any]
    codes: Ints

    @staticmethod
    def of(values: Sequence[Any], codes: Ints) -> Categorical:
        """The column of distinct values that may not all occur."""
        used, renumbered = distinct(codes, len(values))
        if len(used) == len(values):
            return Categorical(values, codes)
        return Categorical([values[code] for code in used.tolist()], renumbered)

    @staticmethod
    def listed(values: Sequence[Any]) -> Categorical:
        """The column of some values, one in each row."""
        return _merged(values, np.arange(len(values), dtype=np.intp))

    @cached_property
    def undefined(self) -> int | None:
        """The code of UNDEFINED, if some row has no value."""
        return next((code for code, value in enumerate(self.categories) if value is UNDEFINED), None)

    @cached_property
    def array(self) -> Column:
        """The values, in the tightest dtype that keeps every value's type."""
        return column(self.categories)

    @cached_property
    def compared(self) -> Column:
        """The values for a comparison, which does not see whether a number is an int: mixed ones are floats."""
        if self.array.dtype != object or not all(map(_is_float_exactly, self.categories)):
            return self.array
        return np.array(self.categories, dtype=np.float64)

    @cached_property
    def decoded(self) -> list[Any]:
        """The value of every row."""
        return list(map(self.categories.__getitem__, self.codes.tolist()))

    def at(self, rows: Ints) -> Categorical:
        """Some of the rows."""
        return Categorical.of(self.categories, self.codes[rows])

    def mapped(self, found: Sequence[Any]) -> Categorical:
        """The column that has `found[code]` where this one has the value `values[code]`."""
        return _merged(found, self.codes)

    @cached_property
    def first_rows(self) -> Ints:
        """For each value the first row that has it."""
        first = np.empty(len(self.categories), dtype=np.intp)
        first[self.codes[::-1]] = np.arange(len(self.codes) - 1, -1, -1)
        return first


@dataclass(frozen=True, eq=False)
class Tuples:
    """The reachable combinations of some s-ops: `codes[t, f]` is the code of s-op f's value in combination t."""

    factors: tuple[SOp, ...]
    codes: Ints
    patterns: Sequence[Ints]
    cell_pattern: Cells


def joined(columns: Sequence[Categorical]) -> tuple[list[Ints], Ints]:
    """The distinct combinations of some columns' codes: the codes of each column, and which one every row has."""
    bases = {id(part.codes): part for part in columns if len(part.categories) > 1}
    if not bases:
        return [np.zeros(1, dtype=np.intp) for _ in columns], np.zeros(len(columns[0].codes), dtype=np.intp)
    first, *others = bases
    codes = bases[first].codes
    picks = {first: np.arange(len(bases[first].categories))}
    for base in others:
        size = len(bases[base].categories)
        count = len(picks[first])
        found, codes = distinct(codes * size + bases[base].codes, count * size)
        picks = {known: pick[found // size] for known, pick in picks.items()} | {base: found % size}
    count = len(picks[first])
    return [picks.get(id(part.codes), np.zeros(count, dtype=np.intp)) for part in columns], codes


def evaluate(root: SOp, columns: Mapping[SOp, Categorical], count: int) -> dict[SOp, Categorical]:
    """The values of an s-op and its parts for given values of some of them; UNDEFINED where an operation fails."""
    known: dict[SOp, Categorical] = dict(columns)
    pending = [root]
    while pending:
        node = pending[-1]
        missing = [child for child in _arguments(node) if child not in known] if node not in known else []
        if missing:
            pending += missing
            continue
        pending.pop()
        if node not in known:
            known[node] = _elementwise(node, known, count)
    return known


def _arguments(node: SOp) -> tuple[SOp, ...]:
    return node.args if isinstance(node, Map) else ()


def _elementwise(node: SOp, known: Mapping[SOp, Categorical], count: int) -> Categorical:
    if count == 0:
        return Categorical([], np.zeros(0, dtype=np.intp))
    if isinstance(node, Constant):
        return Categorical([node.value], np.zeros(count, dtype=np.intp))
    if isinstance(node, Tokens):
        tokens = known[Tokens("asis")]
        return tokens.mapped([_converted(node.kind, token) for token in tokens.categories])
    assert isinstance(node, Map)
    args = [known[arg] for arg in node.args]
    picks, codes = joined(args)
    found = _at_once(node.op, args, picks)
    if found is not None:
        return _merged_array(found, codes)
    rows = zip(
        *(map(arg.categories.__getitem__, pick.tolist()) for arg, pick in zip(args, picks, strict=True)), strict=True
    )
    if node.op is JOINT and all(arg.undefined is None for arg in args):
        return Categorical(list(rows), codes)
    return _merged([_apply(node.op, row) for row in rows], codes)


def _at_once(op: Operation, args: Sequence[Categorical], picks: Sequence[Ints]) -> Column | None:
    """The operation on arrays; None where it works on one atom after the other, or a value is missing."""
    if op.vector is None or any(arg.undefined is not None for arg in args):
        return None
    columns = [arg.compared if op.name in COMPARISONS else arg.array for arg in args]
    found = op.vector(*(column[pick] for column, pick in zip(columns, picks, strict=True)))
    return None if found is None or found.dtype == object else found


def _is_float_exactly(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) <= _EXACT)


def _merged_array(found: Column, codes: Ints) -> Categorical:
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise _not_finite(found[~np.isfinite(found)][0])
        bits, places = np.unique(found.view(np.int64), return_inverse=True)
        return _renumbered(bits.view(np.float64).tolist(), places, codes)
    low, high = int(found.min()), int(found.max())
    if high - low > 4 * len(found) + _FEW:
        numbers, places = np.unique(found, return_inverse=True)
        return _renumbered(numbers.tolist(), places, codes)
    keys, places = distinct(found.astype(np.intp) - low, high - low + 1)
    return _renumbered((keys + low).astype(found.dtype).tolist(), places, codes)


def _merged(found: Sequence[Any], codes: Ints) -> Categorical:
    numbers: dict[Hashable, int] = {}
    values: list[Any] = []
    places = np.empty(len(found), dtype=np.intp)
    for at, value in enumerate(found):
        places[at] = number = numbers.setdefault(_key(value), len(values))
        if number == len(values):
            values.append(value)
    return _renumbered(values, places, codes)


def _key(value: Any) -> Hashable:
    return value if value is UNDEFINED else value_key(value)


def _renumbered(values: list[Any], places: Ints, codes: Ints) -> Categorical:
    """The column whose row has the value at `places[code]`; a column of as many values keeps its codes."""
    if len(values) < len(places):
        return Categorical(values, places[codes])
    return Categorical([values[place] for place in places.tolist()], codes)


def _converted(kind: str, token: Any) -> Any:
    return _or_undefined(lambda: convert(kind, token))


def _apply(op: Operation, row: tuple[Any, ...]) -> Any:
    if op is DEFINED:
        return row[0] is not UNDEFINED
    if any(value is UNDEFINED for value in row):
        return UNDEFINED
    return row if op is JOINT else _or_undefined(lambda: evaluate_atoms(op, row))


def _or_undefined(compute: Callable[[], Any]) -> Any:
    try:
        value = compute()
    except RaspError:
        return UNDEFINED
    if isinstance(value, float) and not math.isfinite(value):
        raise _not_finite(value)
    return value


def _not_finite(value: float) -> Refusal:
    return Refusal(f"an operation may give {value}, which no residual stream can hold")

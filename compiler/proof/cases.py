"""What is proved of a formula that is taken apart into cases: that it is what they say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.selectors import KLEENE, BoolTable, Cases, compared, folded
from compiler.values.categorical import value_key
from rasp.graph import Constant, Select, Selector, SOp
from rasp.operations import Atom


def are_the_formula(cases: Cases, values_of: Callable[[SOp], Sequence[Any]]) -> bool:
    """Whether a formula is what its cases say, for every value of the chooser, and whatever the other side is.

    `values_of` lists the values of an s-op. The formula is evaluated as it stands, for all values of the chooser
    together with all values of what their case reads. Comparisons with anything else may hold or not: it must not
    matter.
    """
    rows = list(_rows(cases, values_of))
    low, high = folded(cases.formula, lambda leaf: _bounds(leaf, rows), KLEENE)
    wanted = np.array([row.holds for row in rows])
    return bool((low == wanted).all() and (high == wanted).all())


@dataclass(frozen=True)
class _Row:
    """Values of s-ops at the keys and at the queries, and whether the case holds that they lead to."""

    keys: Mapping[SOp, Atom]
    queries: Mapping[SOp, Atom]
    holds: bool


def _rows(cases: Cases, values_of: Callable[[SOp], Sequence[Any]]) -> Iterator[_Row]:
    choices = values_of(cases.chooser)
    for choice, at in zip(choices, cases.places(map(value_key, choices)), strict=True):
        chosen = _by_part(cases.chooser_parts, choice)
        if at == len(cases.cases):
            yield _row(cases, chosen, {}, False)
            continue
        case = cases.cases[at]
        parts = case.asked.query_parts if cases.by_keys else case.asked.key_parts
        read = values_of(cases.asked(case))
        for value, holds in zip(read, cases.holds(case, read).tolist(), strict=True):
            yield _row(cases, chosen, _by_part(parts, value), holds)


def _row(cases: Cases, chosen: Mapping[SOp, Atom], read: Mapping[SOp, Atom], holds: bool) -> _Row:
    return _Row(chosen, read, holds) if cases.by_keys else _Row(read, chosen, holds)


def _by_part(parts: tuple[SOp, ...], value: Any) -> dict[SOp, Atom]:
    """The value of each of several s-ops, given that of their joint."""
    return {} if not parts else {parts[0]: value} if len(parts) == 1 else dict(zip(parts, value, strict=True))


def _bounds(leaf: Selector, rows: Sequence[_Row]) -> tuple[BoolTable, BoolTable]:
    """For each row whether a comparison surely holds, and whether it may."""
    assert isinstance(leaf, Select)
    low, high = np.zeros(len(rows), dtype=bool), np.ones(len(rows), dtype=bool)
    sides = [(_value(leaf.queries, row.queries), _value(leaf.keys, row.keys)) for row in rows]
    found = [(at, query, key) for at, (query, key) in enumerate(sides) if query is not None and key is not None]
    if found:
        known, queries, keys = zip(*found, strict=True)
        at = list(known)
        low[at] = high[at] = _one_by_one(leaf, queries, keys)
    return low, high


def _one_by_one(leaf: Select, queries: Sequence[Atom], keys: Sequence[Atom]) -> BoolTable:
    """Whether a comparison holds for each query and the key beside it."""
    if isinstance(leaf.queries, Constant):
        return compared(leaf.op, queries[:1], keys)[0]
    if isinstance(leaf.keys, Constant):
        return compared(leaf.op, queries, keys[:1])[:, 0]
    return np.array([compared(leaf.op, [query], [key]).item() for query, key in zip(queries, keys, strict=True)])


def _value(node: SOp, known: Mapping[SOp, Atom]) -> Atom | None:
    return node.value if isinstance(node, Constant) else known.get(node)

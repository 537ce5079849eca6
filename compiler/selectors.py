"""Selectors as conjunctions of relations: what an attention head adds up.

`not` is pushed inward first. A relation compares one key s-op with one query s-op through a table; where a part of a
selector mixes several s-ops of one side under an `or`, their tuple becomes one *joint* s-op, so that every relation
has exactly one s-op on each side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rasp.elementwise import COMPARISONS, Atom, Operation, atom_key
from rasp.errors import Refusal
from rasp.graph import And, Best, Constant, Map, Not, Or, Prefer, Select, Selector, SOp

BoolTable: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Relation:
    """One factor of a conjunction: `formula` reads the key s-ops in `key_parts` and the query s-ops in `query_parts`.

    `keys` and `queries` are the s-ops a head compares: the single part, the joint of several, or a constant.
    """

    keys: SOp
    queries: SOp
    key_parts: tuple[SOp, ...]
    query_parts: tuple[SOp, ...]
    formula: Selector

    def table(self, query_values: Iterable[Any], key_values: Iterable[Any]) -> BoolTable:
        """Whether the formula holds, for every query value (row) and key value (column)."""
        queries = _parts(query_values, self.query_parts)
        keys = _parts(key_values, self.key_parts)
        return _truth(self.formula, queries, keys)


def joint(parts: tuple[SOp, ...]) -> SOp:
    """The s-op whose value is the tuple of the parts' values; a constant where there are none."""
    if not parts:
        return Constant(True)
    return parts[0] if len(parts) == 1 else Map(JOINT, parts)


@dataclass(frozen=True)
class Conjunction:
    """What one head computes: of the keys that satisfy all relations, those that come first in the preferences.

    `preferences` come in order of importance: ties of the first are broken by the second. An s-op prefers keys where
    it is large, a relation those that satisfy it. None: all such keys.
    """

    relations: tuple[Relation, ...]
    preferences: tuple[SOp | Relation, ...] = ()

    @property
    def scores(self) -> tuple[SOp, ...]:
        """The preferences that are s-ops."""
        return tuple(found for found in self.preferences if isinstance(found, SOp))


def conjunction(selector: Selector) -> Conjunction:
    """The selector as one head computes it. Refusal where select_best stands inside `or`, `not` or beside keys."""
    preferences: list[SOp | Relation] = []
    plain = selector
    while (choice := _outer_choice(plain)) is not None:
        preferences.append(choice.score if isinstance(choice, Best) else relation_of(choice.condition))
        plain = choice.selector
    return Conjunction(tuple(map(relation_of, factors(inward(plain)))), tuple(reversed(preferences)))


def _outer_choice(selector: Selector) -> Best | Prefer | None:
    """The selector as a choice, if it is one: a condition on the query alone may as well come before it."""
    if isinstance(selector, (Best, Prefer)):
        return selector
    if not isinstance(selector, And):
        return None
    for side, other in ((selector.left, selector.right), (selector.right, selector.left)):
        best = _outer_choice(side)
        if isinstance(best, Best) and reads_no_key(other):
            return Best(And(best.selector, other), best.score)
    return None


def reads_no_key(selector: Selector) -> bool:
    """Whether a selector marks all keys of a row or none."""
    if isinstance(selector, Select):
        return isinstance(selector.keys, Constant)
    return not isinstance(selector, (Best, Prefer)) and all(
        reads_no_key(child) for child in selector.children if isinstance(child, Selector)
    )


JOINT = Operation("joint", -1, (), lambda *values: values)  # type: ignore[arg-type]


def inward(selector: Selector, negated: bool = False) -> Selector:
    """The same selector, or its complement, with `not` only directly on comparisons. Refusal for select_best."""
    match selector:
        case Not(selector=inner):
            return inward(inner, not negated)
        case And(left=left, right=right) | Or(left=left, right=right):
            sides = inward(left, negated), inward(right, negated)
            return And(*sides) if isinstance(selector, And) is not negated else Or(*sides)
        case Best() | Prefer():
            raise Refusal(f"{selector!r} is combined with another selector in a way that no single head can compute")
        case _:
            return Not(selector) if negated else selector


def factors(selector: Selector) -> list[Selector]:
    """What a selector is the conjunction of."""
    if isinstance(selector, And):
        return factors(selector.left) + factors(selector.right)
    return [selector]


def comparisons(selector: Selector) -> list[Select]:
    """The comparisons a selector is made of."""
    if isinstance(selector, Select):
        return [selector]
    return [leaf for child in selector.children if isinstance(child, Selector) for leaf in comparisons(child)]


def relation_of(formula: Selector) -> Relation:
    """A selector without select_best as one relation."""
    leaves = comparisons(formula)
    key_parts = _distinct(leaf.keys for leaf in leaves)
    query_parts = _distinct(leaf.queries for leaf in leaves)
    return Relation(joint(key_parts), joint(query_parts), key_parts, query_parts, formula)


def _distinct(nodes: Iterable[SOp]) -> tuple[SOp, ...]:
    return tuple({node: None for node in nodes if not isinstance(node, Constant)})


def _parts(values: Iterable[Any], parts: tuple[SOp, ...]) -> dict[SOp | None, list[Atom]]:
    """For each part, its value in every joint value; under None, how many there are."""
    rows = list(values)
    columns: dict[SOp | None, list[Atom]] = {None: [True] * len(rows)}
    for index, part in enumerate(parts):
        columns[part] = rows if len(parts) == 1 else [row[index] for row in rows]
    return columns


def _truth(formula: Selector, queries: dict[SOp | None, list[Atom]], keys: dict[SOp | None, list[Atom]]) -> BoolTable:
    match formula:
        case Select(keys=key, queries=query, op=op):
            return _compare(op, _column(query, queries), _column(key, keys))
        case Not(selector=inner):
            return ~_truth(inner, queries, keys)
        case And(left=left, right=right):
            return _truth(left, queries, keys) & _truth(right, queries, keys)
        case Or(left=left, right=right):
            return _truth(left, queries, keys) | _truth(right, queries, keys)
    raise Refusal(f"no table for {type(formula).__name__}")


def _column(node: SOp, columns: dict[SOp | None, list[Atom]]) -> list[Atom]:
    return [node.value] * len(columns[None]) if isinstance(node, Constant) else columns[node]


def _compare(op: str, queries: list[Atom], keys: list[Atom]) -> BoolTable:
    """Distinct atoms are compared once; the grid of all rows and columns is looked up.

    A string and a number that are to be ordered do not match: an input with both has no value, which a guard notices.
    """
    query_atoms, query_codes = _codes(queries)
    key_atoms, key_codes = _codes(keys)
    compare = COMPARISONS[op]
    small = np.array([[comparable(op, k, q) and compare(k, q) for k in key_atoms] for q in query_atoms], dtype=bool)
    return small.reshape(len(query_atoms), len(key_atoms))[query_codes[:, None], key_codes[None, :]]


def comparable(op: str, key: Atom, query: Atom) -> bool:
    """Whether a comparison has an answer: strings and numbers have no order."""
    return op in ("==", "!=") or isinstance(key, str) is isinstance(query, str)


def _codes(atoms: list[Atom]) -> tuple[list[Atom], np.ndarray[Any, np.dtype[np.intp]]]:
    found: dict[Any, int] = {}
    codes = np.array([found.setdefault(atom_key(atom), len(found)) for atom in atoms], dtype=np.intp)
    first: dict[int, Atom] = {}
    for atom, code in zip(atoms, codes.tolist(), strict=True):
        first.setdefault(code, atom)
    return [first[code] for code in range(len(found))], codes

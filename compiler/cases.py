"""Selectors that ask something else of the query for each value of the key, or of the key for each one of the query.

`(id == a and in_a) or (id == b and in_b) or …` compares the id of a key with a set that the query has as booleans. Over
all booleans that is a table of 2ⁿ sets. But a key has one id, and what is left of the formula for that id reads one
boolean: so every alternative is looked at alone, and no two of them hold for one key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeAlias

from compiler.operations.indicator_means import MARK
from compiler.selectors import (
    Case,
    Cases,
    Conjunction,
    Predicate,
    compared,
    comparisons,
    folded,
    joint,
    predicate_of,
)
from compiler.values.categorical import value_key
from compiler.values.sets import ValueSets
from rasp.errors import Refusal
from rasp.graph import And, Constant, Fits, Map, Not, Or, Select, Selector, SOp, full
from rasp.operations import OPERATIONS, Atom, Symbol

LESS = 2.0
_MOST_CHOICES = 4096
_EQUALITY = ("==", "!=")
_Rest: TypeAlias = "bool | Selector"


class Factored(ValueSets, Protocol):
    """Where it is known besides what s-ops need of their sources."""

    def factors(self, node: SOp, /) -> tuple[SOp, ...]: ...


def in_cases(found: Conjunction, analysis: Factored) -> Conjunction:
    """The conjunction with cases for predicates whose s-ops have far more values together than all cases read."""
    return replace(found, predicates=tuple(_smaller(part, analysis) for part in found.predicates))


def _smaller(part: Predicate | Cases, analysis: Factored) -> Predicate | Cases:
    if isinstance(part, Cases) or not all(_is_plain(leaf, analysis) for leaf in comparisons(part.formula)):
        return part
    return next(filter(None, (_cases(part, analysis, by_keys) for by_keys in (True, False))), part)


def _is_plain(leaf: Select, analysis: Factored) -> bool:
    """Whether a comparison has an answer for all values, and is one that the language has for s-ops as well."""
    if isinstance(leaf, Fits) or not (analysis[leaf.keys].listed and analysis[leaf.queries].listed):
        return False
    values = [*analysis[leaf.keys].universe, *analysis[leaf.queries].universe]
    if any(isinstance(value, Symbol) for value in values):
        return False
    return leaf.op in _EQUALITY or not any(isinstance(value, str) for value in values)


def _cases(predicate: Predicate, analysis: Factored, by_keys: bool) -> Cases | None:
    """A predicate as cases of one side; None where that lists no less."""
    sides = (predicate.key_parts, predicate.query_parts)
    chooser_parts, asked_parts = sides if by_keys else sides[::-1]
    bound = _combinations(asked_parts, analysis)
    if len(asked_parts) < 2 or _combinations(chooser_parts, analysis) > _MOST_CHOICES or not chooser_parts:
        return None
    chooser = joint(chooser_parts)
    choices = analysis[chooser].universe
    rests: dict[Selector, list[Hashable]] = {}
    for value, rest in zip(choices, _rests(predicate.formula, chooser_parts, choices, by_keys), strict=True):
        if rest is not False:
            rests.setdefault(full if rest is True else rest, []).append(value_key(value))
    cases = tuple(Case(frozenset(keys), predicate_of(rest)) for rest, keys in rests.items())
    found = Cases(predicate.formula, chooser, chooser_parts, by_keys, cases)
    read = (case.asked.query_parts if by_keys else case.asked.key_parts for case in cases)
    return found if cases and LESS * sum(1 + _combinations(parts, analysis) for parts in read) < bound else None


def _combinations(parts: tuple[SOp, ...], analysis: Factored) -> float:
    """A bound on how many values some s-ops have together."""
    if not parts:
        return 1
    try:
        return math.prod(float(len(analysis[factor].universe)) for factor in analysis.factors(joint(parts)))
    except Refusal:
        return math.inf


def _rests(formula: Selector, parts: tuple[SOp, ...], choices: Sequence[Hashable], by_keys: bool) -> list[_Rest]:
    """What is left of a formula for every value of the s-ops of one side: a formula of the other, or a truth value."""
    columns = {part: _column(parts, at, choices) for at, part in enumerate(parts)}
    return folded(formula, lambda leaf: _restricted(leaf, columns, len(choices), by_keys), _REST)


def _column(parts: tuple[SOp, ...], at: int, choices: Sequence[Hashable]) -> list[Atom]:
    return [value if len(parts) == 1 else value[at] for value in choices]  # type: ignore[index, misc]


def _restricted(leaf: Selector, columns: Mapping[SOp, list[Atom]], count: int, by_keys: bool) -> list[_Rest]:
    """A comparison for every value of the s-ops of one side: whether it holds, or what it asks of the other side."""
    assert isinstance(leaf, Select)
    chosen, other = (leaf.keys, leaf.queries) if by_keys else (leaf.queries, leaf.keys)
    values = [chosen.value] * count if isinstance(chosen, Constant) else columns[chosen]
    if isinstance(other, Constant):
        queries, keys = ([other.value], values) if by_keys else (values, [other.value])
        return [bool(holds) for holds in compared(leaf.op, queries, keys).ravel().tolist()]
    if by_keys:
        return [Select(Constant(value), other, leaf.op) for value in values]
    return [Select(other, Constant(value), leaf.op) for value in values]


def _not(inner: _Rest) -> _Rest:
    return not inner if isinstance(inner, bool) else Not(inner)


def _and(left: _Rest, right: _Rest) -> _Rest:
    if isinstance(left, bool):
        return right if left else False
    if isinstance(right, bool):
        return left if right else False
    return left if left is right else And(left, right)


def _or(left: _Rest, right: _Rest) -> _Rest:
    if isinstance(left, bool):
        return True if left else right
    if isinstance(right, bool):
        return True if right else left
    return left if left is right else Or(left, right)


_REST: Mapping[type[Selector], Callable[..., list[_Rest]]] = {
    Not: lambda inner: list(map(_not, inner)),
    And: lambda left, right: list(map(_and, left, right)),
    Or: lambda left, right: list(map(_or, left, right)),
}


def truth(formula: Selector, analysis: ValueSets) -> SOp:
    """A formula of one side alone as an s-op: 1 where it holds, else 0."""
    found = folded(formula, lambda leaf: _compared(leaf, analysis), _LOGIC)
    return Map(MARK, (found,))


def _compared(leaf: Selector, analysis: ValueSets) -> SOp:
    """A comparison as an s-op, of a boolean with True as the boolean itself."""
    assert isinstance(leaf, Select)
    for constant, other in ((leaf.keys, leaf.queries), (leaf.queries, leaf.keys)):
        is_true = isinstance(constant, Constant) and constant.value is True and leaf.op == "=="
        if is_true and all(isinstance(value, bool) for value in analysis[other].universe):
            return other
    return Map(OPERATIONS[leaf.op], (leaf.keys, leaf.queries))


_LOGIC: Mapping[type[Selector], Callable[..., SOp]] = {
    Not: lambda inner: Map(OPERATIONS["not"], (inner,)),
    And: lambda left, right: Map(OPERATIONS["and"], (left, right)),
    Or: lambda left, right: Map(OPERATIONS["or"], (left, right)),
}

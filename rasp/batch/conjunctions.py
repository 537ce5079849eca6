"""Selectors in terms of conjunctions: as a sum of them with signs, for counts and totals, and as a union, for maxima.

The sum follows inclusion and exclusion, on indicator functions of cells: not a = 1 − a, a and b = a·b,
a or b = a + b − a·b. Comparisons of the same two s-ops meet in one relation, so contradictions vanish.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import combinations
from typing import TypeAlias

from rasp.batch.ranking import EQUAL, GREATER, LESS, ORDERED
from rasp.graph import Selector

Conjunction: TypeAlias = "frozenset[tuple[Selector, int]]"
"""Which relation each compared pair stands in; pairs that are not mentioned may be in any. A node stands for a pair."""
SignedSum: TypeAlias = "dict[Conjunction, int]"
Union: TypeAlias = "tuple[Conjunction, ...]"

MAX_TERMS = 24
EVERYTHING: Conjunction = frozenset()
_GAP = LESS | GREATER


def literal(pair: Selector, relation: int) -> Union:
    """The cells of a pair in a relation, as a union of at most one conjunction."""
    relation &= ORDERED
    if relation == ORDERED:
        return (EVERYTHING,)
    return (frozenset({(pair, relation)}),) if relation else ()


def both(left: Conjunction, right: Conjunction) -> Conjunction | None:
    """Both conjunctions as one, or None where they contradict each other."""
    relations: dict[Selector, int] = dict(left)
    for pair, relation in right:
        relations[pair] = relations.get(pair, ORDERED) & relation
        if not relations[pair]:
            return None
    return frozenset(relations.items())


def signed(union: Union) -> SignedSum:
    """A union of at most one conjunction as a sum."""
    return dict.fromkeys(union, 1)


def product(left: SignedSum, right: SignedSum) -> SignedSum | None:
    """The cells of both; None where that takes too many terms."""
    if len(left) * len(right) > MAX_TERMS**2:
        return None
    result: SignedSum = {}
    for a, times in left.items():
        for b, factor in right.items():
            term = both(a, b)
            if term is not None:
                result[term] = result.get(term, 0) + times * factor
    return _bounded(result)


def complement(given: SignedSum) -> SignedSum | None:
    """The cells that are not in it."""
    result = {term: -times for term, times in given.items()}
    result[EVERYTHING] = result.get(EVERYTHING, 0) + 1
    return _bounded(result)


def either(left: SignedSum, right: SignedSum) -> SignedSum | None:
    """The cells of one or both."""
    common = product(left, right)
    if common is None:
        return None
    result = dict(left)
    for part, sign in ((right, 1), (common, -1)):
        for term, times in part.items():
            result[term] = result.get(term, 0) + sign * times
    return _bounded(result)


def _bounded(given: SignedSum) -> SignedSum | None:
    result = {term: times for term, times in given.items() if times}
    while (simpler := _joined(result)) is not None:
        result = simpler
    return result if len(result) <= MAX_TERMS else None


def _joined(given: SignedSum) -> SignedSum | None:
    """Two terms that differ in the relation of one pair made one, where that is possible; None where it is not."""
    for (a, times), (b, others) in combinations(given.items(), 2):
        found = _join(a, b, times, others)
        if found is not None:
            term, factor = found
            rest = {key: value for key, value in given.items() if key not in (a, b)}
            rest[term] = rest.get(term, 0) + factor
            return {key: value for key, value in rest.items() if value}
    return None


def _join(a: Conjunction, b: Conjunction, times: int, others: int) -> tuple[Conjunction, int] | None:
    """x in r plus x in s is x in r or s, if r and s are disjoint; x in r less x in s is x in r, not s, if s is in r."""
    pairs = {pair for pair, _ in a ^ b}
    if len(pairs) != 1 or abs(times) != abs(others):
        return None
    (pair,) = pairs
    r, s = dict(a).get(pair, ORDERED), dict(b).get(pair, ORDERED)
    if times == others and not r & s:
        relation = r | s
    elif times == -others and r & s == s:
        relation = r & ~s
    elif times == -others and r & s == r:
        relation, times = s & ~r, others
    else:
        return None
    rest = frozenset(item for item in a if item[0] is not pair)
    if relation == _GAP:
        return None
    return (rest if relation == ORDERED else rest | {(pair, relation)}), times


def without_gaps(union: Iterable[Conjunction], is_filter: Callable[[Selector], bool]) -> list[Conjunction]:
    """The same union with `!=` between keys and queries as `<` or `>`."""
    result: list[Conjunction] = []
    for term in union:
        parts: list[Conjunction] = [EVERYTHING]
        for pair, relation in term:
            options = (LESS, GREATER) if relation == _GAP and not is_filter(pair) else (relation,)
            parts = [part | {(pair, option)} for part in parts for option in options]
        result += parts
    return result


def intersection(left: Union, right: Union) -> Union | None:
    """The cells of both; None where that takes too many conjunctions."""
    if len(left) * len(right) > MAX_TERMS**2:
        return None
    found = dict.fromkeys(term for a in left for b in right if (term := both(a, b)) is not None)
    return tuple(found) if len(found) <= MAX_TERMS else None


def together(left: Union, right: Union) -> Union | None:
    """The cells of one or both."""
    found = dict.fromkeys((*left, *right))
    return tuple(found) if len(found) <= MAX_TERMS else None


def signed_without_gaps(term: Conjunction, is_filter: Callable[[Selector], bool]) -> SignedSum | None:
    """A conjunction as a sum in which `!=` between keys and queries is everything but `==`."""
    result: SignedSum | None = {frozenset(item for item in term if item[1] != _GAP or is_filter(item[0])): 1}
    for pair, relation in term:
        if relation == _GAP and not is_filter(pair) and result is not None:
            result = product(result, {EVERYTHING: 1, frozenset({(pair, EQUAL)}): -1})
    return result

"""S-ops that tell the positions of an input apart: indices, and what counts the positions before in a total order.

A selector that compares such an s-op at the keys for equality selects one key at most, so what it fetches is a copy and
no mean. `sort` is an example: how many keys are smaller, or equal and earlier, is different at every position.
"""

from __future__ import annotations

from itertools import product
from typing import Protocol

from compiler.operations.materialised import is_intervened
from compiler.values.sets import ValueSets
from rasp.graph import Aggregate, And, Constant, Indices, Map, Or, Select, Selector, SelectorWidth, SOp

_MOST_PARTS = 16


class Masked(ValueSets, Protocol):
    """Where it is known besides whether keys after the query are masked."""

    @property
    def causal(self) -> bool: ...


def is_distinct(analysis: Masked, node: SOp) -> bool:
    """Whether no two positions of an input have the same value of an s-op, as far as its form tells."""
    if isinstance(node, Indices):
        return True
    if _counts_before(analysis, node):
        return True
    if not isinstance(node, Map) or not _is_int(analysis, node):
        return False
    if node.op.name in ("neg", "pos"):
        return is_distinct(analysis, node.args[0])
    if node.op.name not in ("+", "-"):
        return False
    left, right = node.args
    return (is_distinct(analysis, left) and _is_uniform(analysis, right)) or (
        _is_uniform(analysis, left) and is_distinct(analysis, right)
    )


def _is_int(analysis: Masked, node: SOp) -> bool:
    values = analysis[node]
    return values.listed and all(isinstance(value, int) for value in values.universe)


def _is_uniform(analysis: Masked, node: SOp) -> bool:
    """Whether all positions of an input have the same value of an s-op."""
    if isinstance(node, Constant):
        return True
    if isinstance(node, (SelectorWidth, Aggregate)):
        return not analysis.causal and _reads_no_query(node.selector)
    is_free = is_intervened(node)
    return isinstance(node, Map) and not is_free and all(_is_uniform(analysis, arg) for arg in node.args)


def _reads_no_query(selector: Selector) -> bool:
    """Whether a selector selects the same keys for every query."""
    if isinstance(selector, Select):
        return isinstance(selector.queries, Constant)
    return isinstance(selector, (And, Or)) and _reads_no_query(selector.left) and _reads_no_query(selector.right)


def _counts_before(analysis: Masked, node: SOp) -> bool:
    """Whether an s-op counts, at every position, the positions before it in a strict total order of all.

    Position i then has the count i-th in that order. A mask would hide some of the positions that are counted.

    The order is lexicographic: by f, among equals by g, and so on, the last of which tells positions apart. As a
    selector it is `f < f or (f == f and g < g) or …`; the alternatives exclude each other, so the width of their `or`
    may also be written as the sum of their widths.
    """
    if analysis.causal:
        return False
    alternatives = _alternatives(node)
    if alternatives is None:
        return False
    equal: set[SOp] = set()
    for leaves in sorted(alternatives, key=len):
        strict = [leaf for leaf in leaves if leaf.op in ("<", ">")]
        ties = {leaf.keys for leaf in leaves if leaf.op == "=="}
        is_symmetric = all(leaf.keys is leaf.queries for leaf in leaves)
        if not is_symmetric or len(strict) != 1 or len(leaves) != 1 + len(ties) or ties != equal:
            return False
        last = strict[0].keys
        equal.add(last)
    return is_distinct(analysis, last)


def _alternatives(node: SOp) -> list[frozenset[Select]] | None:
    """The comparisons that together make each alternative of the selectors whose widths an s-op adds up."""
    if isinstance(node, SelectorWidth):
        return _disjunction(node.selector)
    if not isinstance(node, Map) or node.op.name != "+":
        return None
    sides = [_alternatives(arg) for arg in node.args]
    return None if None in sides else [part for side in sides if side is not None for part in side]


def _disjunction(selector: Selector) -> list[frozenset[Select]] | None:
    """A selector as alternatives of comparisons that all hold; None where it is made of others, or of too many."""
    if isinstance(selector, Select):
        return [frozenset({selector})]
    if not isinstance(selector, (And, Or)):
        return None
    left, right = _disjunction(selector.left), _disjunction(selector.right)
    if left is None or right is None or len(left) * len(right) > _MOST_PARTS:
        return None
    return left + right if isinstance(selector, Or) else [some | other for some, other in product(left, right)]

"""Widths of selectors that join a relation of the input with data under an `or`, as sums of widths of single heads.

A mask takes keys away and cannot bring them back, and equal weights need equal scores: so no single head selects
`edges or select(x, y, ==)`. But every cell is an edge or it is not. Where it is one the selector is what it comes to
with True in the place of the relation, elsewhere with False, and neither has the relation in it: so two heads, one
behind the mask and one behind its complement, share no cell, and their widths add up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import product

from compiler.facts import Facts, head_for
from compiler.guards import may_fail
from compiler.rewrites.change import Change
from compiler.rewrites.select_best import nothing, put
from compiler.selectors import conjuncts, inward, is_edge, is_mask, leaves
from rasp.graph import And, Best, Map, Node, Not, Or, Prefer, Select, Selector, SelectorWidth, SOp, full, topological
from rasp.operations import OPERATIONS

_MOST_EDGES = 4


def split_edges(node: Node, facts: Facts) -> Change | None:
    """The width of relations joined with data as a sum of widths that single heads measure; None where one does."""
    if not isinstance(node, SelectorWidth) or not _needs_it(node.selector):
        return None
    terms = list(_terms(node.selector))
    kept = set(topological(terms))
    left_out = [leaf for leaf in leaves(node.selector) if isinstance(leaf, Select) and leaf not in kept]
    if any(_may_fail(leaf, facts) for leaf in left_out):
        return None
    widths: list[SOp] = [SelectorWidth(term) for term in terms]
    total = reduce(lambda left, right: Map(OPERATIONS["+"], (left, right)), widths)
    cost = f"{len(terms)} heads, because no single head can tell, and a feed-forward that adds their counts"
    return Change(total, lambda text: f"{text}: {cost}")


def _needs_it(selector: Selector) -> bool:
    """Whether a relation stands beside data in a conjunct, and there is no select_best."""
    found = leaves(selector)
    edges = [leaf for leaf in found if is_edge(leaf)]
    if not edges or len(edges) > _MOST_EDGES or any(isinstance(leaf, (Best, Prefer)) for leaf in found):
        return False
    parts = conjuncts(inward(selector))
    return any(any(map(is_edge, leaves(part))) and not is_mask(part) for part in parts)


def _may_fail(leaf: Selector, facts: Facts) -> bool:
    return not facts.computes(leaf) or may_fail(head_for(leaf), facts.values)


def _terms(selector: Selector) -> Iterator[Selector]:
    """Selectors that share no cell and together select what the selector selects, each a mask and a rest."""
    edges = [leaf for leaf in leaves(selector) if is_edge(leaf)]
    cases: dict[Selector, list[tuple[bool, ...]]] = {}
    for holds in product((True, False), repeat=len(edges)):
        rest = selector
        for edge, held in zip(edges, holds, strict=True):
            rest = put(rest, edge, full if held else nothing)
        cases.setdefault(rest, []).append(holds)
    for rest, found in cases.items():
        if rest is not nothing:
            mask = _mask(edges, found)
            yield mask if rest is full else And(mask, rest)


def _mask(edges: Sequence[Selector], cases: Sequence[tuple[bool, ...]]) -> Selector:
    """Where the edges are there or not as in one of the cases."""
    each = [
        reduce(And, [edge if held else Not(edge) for edge, held in zip(edges, holds, strict=True)]) for holds in cases
    ]
    return reduce(Or, each)

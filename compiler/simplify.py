"""Rewrites of the graph that keep its meaning: the passes before anything is placed in a layer.

A pass looks at one node at a time, its children rewritten, and may ask `Facts` which values an s-op takes or how many
keys a selector marks, over the vocabulary and up to the maximum length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from math import prod
from typing import Any, TypeAlias, cast

from compiler.selectors import comparisons, factors
from compiler.support import Facts
from rasp.elementwise import OPERATIONS
from rasp.expression import expression
from rasp.graph import And, Map, Node, Or, Select, Selector, SelectorWidth, SOp, topological

MAX_SCORE_DIMENSIONS = 1024
_DISJOINT = ({"<", "=="}, {">", "=="}, {"<", ">"}, {"<", ">="}, {">", "<="}, {"==", "!="})


@dataclass(frozen=True)
class Change:
    """What a pass puts in the place of a node, and the note on it, given the text of the node."""

    node: Node
    note: Callable[[str], str]


Pass: TypeAlias = Callable[[Node, Facts], Change | None]


@dataclass(frozen=True)
class Rewritten:
    """The new roots, the name of every renamed node, and what was traded for what."""

    roots: tuple[SOp, ...]
    names: dict[Node, str]
    notes: tuple[str, ...]


def rewrite(roots: tuple[SOp, ...], names: Mapping[Node, str], prefer: str, facts: Facts) -> Rewritten:
    """The s-ops to compile: as they are, or with wide heads split as `prefer` asks for."""
    found = Rewritten(roots, dict(names), ())
    for change in PASSES[prefer]:
        found = _passed(found, change, facts)
    return found


def _passed(before: Rewritten, change: Pass, facts: Facts) -> Rewritten:
    new: dict[Node, Node] = {}
    notes: list[str] = []
    renamed: dict[Node, str] = {}
    for node in topological(before.roots):
        rebuilt = _rebuilt(node, new)
        changed = change(rebuilt, facts)
        if changed is not None:
            notes.append(changed.note(expression(node, before.names)))
            rebuilt = changed.node
        new[node] = rebuilt
        if node in before.names:
            renamed[rebuilt] = before.names[node]
    new_roots = tuple(cast(SOp, new[root]) for root in before.roots)
    return Rewritten(new_roots, {**before.names, **renamed}, (*before.notes, *notes))


def _rebuilt(node: Node, new: Mapping[Node, Node]) -> Node:
    values = [getattr(node, field.name) for field in fields(node)]
    return type(node)(*(tuple(new[v] for v in value) if _is_nodes(value) else _new(value, new) for value in values))


def _is_nodes(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Node) for item in value)


def _new(value: Any, new: Mapping[Node, Node]) -> Any:
    return new[value] if isinstance(value, Node) else value


def split_every_width(node: Node, facts: Facts) -> Change | None:
    """The width of a disjoint `or` as the sum of the widths of its sides, each of them a narrower head."""
    if not isinstance(node, SelectorWidth):
        return None
    return _split(node.selector, lambda _: True, lambda: "a wide one")


def split_wide_widths(node: Node, facts: Facts) -> Change | None:
    """The same, only where a head for the `or` could need more than MAX_SCORE_DIMENSIONS.

    A lexicographic order needs that many: take `a < b or (a == b and i < j)` over V values and N positions. Softmax is
    uniform over the marked keys only if they all have the row's full score, so full score − score is 0 at the pairs
    before the query's own and positive from there on: a triangular matrix with a positive diagonal, of rank V·N. The
    scores are that taken from one column of full scores, so their rank is at least V·N − 1.
    """
    if not isinstance(node, SelectorWidth):
        return None
    wide: dict[Or, int] = {}

    def is_wide(factor: Or) -> bool:
        wide[factor] = _dimensions(factor, facts)
        return wide[factor] > MAX_SCORE_DIMENSIONS

    return _split(node.selector, is_wide, lambda: f"one of up to {max(wide.values()):,} score dimensions")


PASSES: Mapping[str, tuple[Pass, ...]] = {"auto": (split_wide_widths,), "depth": (), "small": (split_every_width,)}


def _split(selector: Selector, chosen: Callable[[Or], bool], instead: Callable[[], str]) -> Change | None:
    """The sum of the widths of a selector's parts, where a disjoint `or` in it is chosen to be split.

    The sides of such an `or` never mark the same cell, so no cell is in two parts, and the widths add up.
    """
    parts = _parts(selector, chosen)
    if len(parts) == 1:
        return None
    widths: list[SOp] = [SelectorWidth(part) for part in parts]
    total = reduce(lambda left, right: Map(OPERATIONS["+"], (left, right)), widths)
    cost = f"{len(parts)} heads instead of {instead()}, and a feed-forward that adds their counts"
    return Change(total, lambda text: f"{text}: {cost} (--prefer depth builds the one head)")


def _parts(selector: Selector, chosen: Callable[[Or], bool]) -> list[Selector]:
    """Selectors that share no cell and mark together what the selector marks: `(x or y) and z` as its two sides."""
    found = factors(selector)
    for at, factor in enumerate(found):
        if isinstance(factor, Or) and _are_disjoint(factor.left, factor.right) and chosen(factor):
            sides = ([*found[:at], side, *found[at + 1 :]] for side in (factor.left, factor.right))
            return [part for side in sides for part in _parts(reduce(And, side), chosen)]
    return [selector]


def _are_disjoint(left: Selector, right: Selector) -> bool:
    """Whether two selectors compare the same s-ops in ways that exclude each other."""
    return any(
        one.keys is other.keys and one.queries is other.queries and {one.op, other.op} in _DISJOINT
        for one in factors(left)
        for other in factors(right)
        if isinstance(one, Select) and isinstance(other, Select)
    )


def _dimensions(formula: Selector, facts: Facts) -> int:
    """A bound on the score dimensions of a formula over joint s-ops; 0 where its parts cannot be compiled at all.

    One dimension a class of joint keys, or of joint queries. Over the values of a part, a comparison with m others
    has at most m + 1 different columns, and several comparisons at most the product.
    """
    leaves = comparisons(formula)
    sides = [[(leaf.keys, leaf.queries) for leaf in leaves], [(leaf.queries, leaf.keys) for leaf in leaves]]
    size = {part: facts.count(part) for part, _ in (pair for side in sides for pair in side)}
    return min(_classes(side, size) for side in sides)


def _classes(pairs: Sequence[tuple[SOp, SOp]], size: Mapping[SOp, int]) -> int:
    told: dict[SOp, int] = {}
    for part, other in pairs:
        told[part] = min(size[part], told.get(part, 1) * (size[other] + 1))
    return prod(told.values())

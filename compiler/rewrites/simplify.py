"""Rewrites of the graph that keep its meaning: the passes before anything is placed in a layer.

A pass looks at one node at a time, its children rewritten, and may ask `Facts` which values an s-op takes or how many
keys a selector selects, over the vocabulary and up to the maximum length.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from typing import Any, TypeAlias, cast

from compiler.facts import Facts
from compiler.guards import holds_both, may_fail
from compiler.operations.indicator_means import is_indicator, is_indicator_mean
from compiler.operations.materialised import intervened, stored
from compiler.rewrites.change import Change
from compiler.rewrites.copies import Copies
from compiler.rewrites.edges import split_edges
from compiler.rewrites.labels import ask_apart, mean_of_labels
from compiler.rewrites.linear import add_counts, compare, compare_counts
from compiler.rewrites.materialise import Steps
from compiler.rewrites.mixed_types import split_mixed
from compiler.rewrites.number_types import settle_types
from compiler.rewrites.ranks import compare_ranks
from compiler.rewrites.remainders import unfold_remainder
from compiler.rewrites.select_best import choose, count_apart, put_before
from compiler.rewrites.sets import Sets
from compiler.rewrites.ties import settle_ties
from compiler.rewrites.whole import look_up
from compiler.selectors import comparisons, conjuncts
from compiler.source_map import SourceMap
from compiler.timing import go_on
from rasp.graph import Aggregate, And, Constant, Map, Node, Or, Select, Selector, SelectorWidth, SOp, topological
from rasp.operations import OPERATIONS
from rasp.printing import expression, literal

MAX_SCORE_DIMENSIONS = 1024
_DISJOINT = ({"<", "=="}, {">", "=="}, {"<", ">"}, {"<", ">="}, {">", "<="}, {"==", "!="})


Pass: TypeAlias = Callable[[Node, Facts], Change | None]


@dataclass(frozen=True)
class Rewritten:
    """The new roots, where nodes old and new come from, and what was traded for what."""

    roots: tuple[SOp, ...]
    source_map: SourceMap
    notes: tuple[str, ...]


def split(
    found: Rewritten, prefer: str, facts: Facts, *, in_steps: bool = False, settles_ties: bool = False
) -> Rewritten:
    """The s-ops with select_best as single heads compute it, wide heads split, and means compared as one number.

    What is linear goes first, so that no values are listed of what then is not there, and once more at the end.
    Strings are split from numbers before, for what reads them to be known, and in what then became of select_best.
    """
    found = _with_sets(found, facts)
    for changes in (
        (mean_of_labels, ask_apart, split_edges, *LINEAR),
        (split_mixed, *PASSES[prefer], split_mixed, *LINEAR),
    ):
        for change in changes:
            found = _passed(found, change, facts)
        found = _copying_less(found, facts)
        found = _in_steps(found, facts) if in_steps else found
    if settles_ties:
        for change in (settle_types, unfold_remainder, settle_ties, compare_ranks):
            found = _passed(found, change, facts)
    return found


def settle(found: Rewritten, facts: Facts) -> Rewritten:
    """The s-ops without what has one value only, and with numbers for strings beside means. Asks for all values."""
    for change in (fold, number_default):
        found = _passed(found, change, facts)
    return found


def _with_sets(before: Rewritten, facts: Facts) -> Rewritten:
    """The s-ops with the members of sets stored alone."""
    sets = Sets(before.roots, facts)

    def store(node: Node, rebuilt: Node) -> Change | None:
        new = sets(node, rebuilt)
        return None if new is None else Change(new)

    return _rewritten(before, store) if sets else before


def _copying_less(found: Rewritten, facts: Facts) -> Rewritten:
    """The s-ops with functions copied in the place of what they are functions of, from the last copy to the first."""
    while copies := Copies(found.roots, facts):
        found = _rewritten(found, copies)
    return found


def _in_steps(found: Rewritten, facts: Facts) -> Rewritten:
    """The s-ops with parts of them stored, until each is a small table or cannot be made one."""
    steps = Steps(facts)
    while parts := steps.parts(found.roots):
        found = _with_stored(found, parts)
    return found


def _with_stored(before: Rewritten, parts: Sequence[SOp]) -> Rewritten:
    """The s-ops with some parts stored, wherever they are read."""
    kept = {stored(part): None for part in parts}

    def store(node: Node, rebuilt: Node) -> Change | None:
        if node in kept:
            return Change(cast(Map, rebuilt).args[0])
        if any(node is part for part in parts):
            return Change(stored(cast(SOp, rebuilt)), named={stored(cast(SOp, rebuilt)): "{}"})
        return None

    return _rewritten(before, store)


def opened(before: Rewritten, parts: Sequence[SOp]) -> Rewritten:
    """The s-ops with some parts stored for other values to be put in, wherever they are read."""

    def store(node: Node, rebuilt: Node) -> Change | None:
        return Change(intervened(cast(SOp, rebuilt))) if any(node is part for part in parts) else None

    return _rewritten(before, store)


def exchanged(before: Rewritten, part: SOp, new: SOp) -> Rewritten:
    """The s-ops with another one in the place of a part, wherever it is read."""
    return _rewritten(before, lambda node, rebuilt: Change(new) if node is part else None)


def _passed(before: Rewritten, change: Pass, facts: Facts) -> Rewritten:
    return _rewritten(before, lambda node, rebuilt: change(rebuilt, facts))


def _rewritten(before: Rewritten, change: Callable[[Node, Node], Change | None]) -> Rewritten:
    """The graph with every node changed, given the old node and the same one with its children changed."""
    new: dict[Node, Node] = {}
    notes: list[str] = []
    named: dict[Node, str] = {}
    renamed: dict[Node, str] = {}
    known = before.source_map
    origins = dict(known.origins)
    for node in topological(before.roots):
        go_on()
        rebuilt = _rebuilt(node, new)
        changed = change(node, rebuilt)
        if changed is not None:
            notes += [changed.note(known.text(node))] if changed.note else []
            rebuilt = changed.node
            for part, owner in _owners(node, changed):
                named.setdefault(part, changed.named[part].format(known.text(owner)))
                if owner in known.origins:
                    origins.setdefault(part, known.origins[owner])
        new[node] = rebuilt
        if isinstance(rebuilt, Constant):
            continue
        if node in known.names:
            renamed[rebuilt] = known.names[node]
        if node in known.origins:
            origins.setdefault(rebuilt, known.origins[node])
    new_roots = tuple(cast(SOp, new[root]) for root in before.roots)
    source_map = SourceMap({**named, **known.names, **renamed}, origins)
    return Rewritten(new_roots, source_map, (*before.notes, *notes))


def _owners(node: Node, changed: Change) -> list[tuple[Node, Node]]:
    """The named new parts, each with the old node whose name it takes: a selector that of the selector."""
    selector = getattr(node, "selector", node)
    return [(part, selector if isinstance(part, Selector) else node) for part in changed.named]


def _rebuilt(node: Node, new: Mapping[Node, Node]) -> Node:
    values = [getattr(node, field.name) for field in fields(node)]
    return type(node)(*(tuple(new[v] for v in value) if _is_nodes(value) else _new(value, new) for value in values))


def _is_nodes(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Node) for item in value)


def _new(value: Any, new: Mapping[Node, Node]) -> Any:
    return new[value] if isinstance(value, Node) else value


def fold(node: Node, facts: Facts) -> Change | None:
    """The constant in the place of an s-op that has one value on every input, and the case that always applies."""
    if not isinstance(node, SOp) or isinstance(node, Constant) or is_indicator(node) or is_indicator_mean(node):
        return None
    if isinstance(node, Map) and node.op.name == "if" and isinstance(node.args[0], Constant):
        return _only_case(node, facts)
    if facts.count(node) != 1:
        return None
    (value,) = facts.values[node].universe
    if not isinstance(value, (int, float, str)) or may_fail(node, facts.values):
        return None
    if not _needs_heads(node):
        return Change(Constant(value))
    return Change(Constant(value), lambda text: f"{text} is {literal(value)} on every input: nothing computes it")


def _only_case(node: Map, facts: Facts) -> Change | None:
    condition, then, otherwise = node.args
    assert isinstance(condition, Constant)
    chosen, other = (then, otherwise) if condition.value else (otherwise, then)
    if not facts.compiles(other) or may_fail(other, facts.values) or holds_both(facts.values[other]):
        return None
    if not _needs_heads(other):
        return Change(chosen)
    return Change(chosen, lambda text: f"{text} takes one case only: nothing computes the other, {expression(other)}")


def _needs_heads(node: SOp) -> bool:
    return any(isinstance(part, (Aggregate, SelectorWidth)) for part in topological([node]))


def number_default(node: Node, facts: Facts) -> Change | None:
    """A mean of numbers with a string as default, as a mean with a number: one above all means stands for the string.

    That number comes out exactly where nothing is selected, because the means lie between the smallest and the largest
    value. So one head writes one number, and the feed-forward after it puts the string in its place.
    """
    if not isinstance(node, Aggregate) or not isinstance(node.default, str) or not facts.compiles(node):
        return None
    values, widths = facts.values[node.value], facts.values.width_bounds(node.selector)
    if widths.never_empty or widths.at_most_one or not values.averaged or not values.listed:
        return None
    beyond = math.floor(values.range[1]) + 1
    mean = Aggregate(node.selector, node.value, beyond)
    empty = Map(OPERATIONS["=="], (mean, Constant(beyond)))
    return Change(Map(OPERATIONS["if"], (empty, Constant(node.default), mean)))


def split_every_width(node: Node, facts: Facts) -> Change | None:
    """The width of a disjoint `or` as the sum of the widths of its sides, each of them a narrower head."""
    if not isinstance(node, SelectorWidth):
        return None
    return _split(node.selector, lambda _: True, lambda: "a wide one")


def splits_widths(roots: Sequence[SOp]) -> bool:
    """Whether there is a width that `split_every_width` splits."""
    widths = (node for node in topological(roots) if isinstance(node, SelectorWidth))
    return any(len(_parts(width.selector, lambda _: True)) > 1 for width in widths)


def split_wide_widths(node: Node, facts: Facts) -> Change | None:
    """The same, only where a head for the `or` could need more than MAX_SCORE_DIMENSIONS.

    A lexicographic order needs that many: take `a < b or (a == b and i < j)` over V values and N positions. Softmax is
    uniform over the selected keys only if they all have the row's full score, so full score − score is 0 at the pairs
    before the query's own and positive from there on: a triangular matrix with a positive diagonal, of rank V·N. The
    scores are that taken from one column of full scores, so their rank is at least V·N − 1.
    """
    if not isinstance(node, SelectorWidth):
        return None
    wide: dict[Or, int] = {}

    def is_wide(conjunct: Or) -> bool:
        wide[conjunct] = _dimensions(conjunct, facts)
        return wide[conjunct] > MAX_SCORE_DIMENSIONS

    return _split(node.selector, is_wide, lambda: f"one of up to {max(wide.values()):,} score dimensions")


LINEAR: tuple[Pass, ...] = (add_counts, compare_counts, compare, look_up)
PASSES: Mapping[str, tuple[Pass, ...]] = {
    "auto": (count_apart, put_before, choose, split_wide_widths),
    "depth": (choose,),
    "small": (count_apart, put_before, choose, split_every_width),
}


def _split(selector: Selector, chosen: Callable[[Or], bool], instead: Callable[[], str]) -> Change | None:
    """The sum of the widths of a selector's parts, where a disjoint `or` in it is chosen to be split.

    The sides of such an `or` never select the same cell, so no cell is in two parts, and the widths add up.
    """
    parts = _parts(selector, chosen)
    if len(parts) == 1:
        return None
    widths: list[SOp] = [SelectorWidth(part) for part in parts]
    total = reduce(lambda left, right: Map(OPERATIONS["+"], (left, right)), widths)
    cost = f"{len(parts)} heads instead of {instead()}, and a feed-forward that adds their counts"
    return Change(total, lambda text: f"{text}: {cost} (--prefer depth builds the one head)")


def _parts(selector: Selector, chosen: Callable[[Or], bool]) -> list[Selector]:
    """Selectors that share no cell and select together what the selector selects: `(x or y) and z` as its two sides."""
    found = conjuncts(selector)
    for at, conjunct in enumerate(found):
        if isinstance(conjunct, Or) and _are_disjoint(conjunct.left, conjunct.right) and chosen(conjunct):
            sides = ([*found[:at], side, *found[at + 1 :]] for side in (conjunct.left, conjunct.right))
            return [part for side in sides for part in _parts(reduce(And, side), chosen)]
    return [selector]


def _are_disjoint(left: Selector, right: Selector) -> bool:
    """Whether two selectors compare the same s-ops in ways that exclude each other."""
    return any(
        one.keys is other.keys and one.queries is other.queries and {one.op, other.op} in _DISJOINT
        for one in conjuncts(left)
        for other in conjuncts(right)
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
    return math.prod(told.values())

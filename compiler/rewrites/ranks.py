"""Sums that a selector compares, where some of their values differ by rounding only: their ranks instead.

What is stored by value has one direction for floats that lie within rounding of each other, as an output wants it. A
comparison tells them apart. So it compares ranks: the place of a value among all values of keys and queries, an int,
and ints never share a direction. Two ranks compare as their values do.
"""

from __future__ import annotations

from compiler.facts import Facts
from compiler.rewrites.change import Change
from rasp.graph import Fits, Map, Node, Select, SOp
from rasp.operations import Atom, Operation, atom_key


def compare_ranks(node: Node, facts: Facts) -> Change | None:
    """The selector of the ranks of what it compares, where a sum of several s-ops has values that are merged."""
    if not isinstance(node, Select) or isinstance(node, Fits) or not all(map(facts.compiles, node.children)):
        return None
    sides = [facts.values[side] for side in (node.keys, node.queries)]
    if not all(side.listed and side.numeric for side in sides):
        return None
    if not any(_is_merged_sum(side, facts) for side in (node.keys, node.queries)):
        return None
    rank = _rank([value for side in sides for value in side.universe])
    return Change(Select(Map(rank, (node.keys,)), Map(rank, (node.queries,)), node.op))


def _is_merged_sum(side: SOp, facts: Facts) -> bool:
    return facts.values[side].is_merged and len(facts.values.sources(side)) > 1


def _rank(values: list[Atom]) -> Operation:
    """The place of a value among some, rising; equal values have one place."""
    order = sorted(dict.fromkeys(values), key=lambda value: value)
    place = {value: at for at, value in enumerate(order)}
    return Operation("rank", 1, tuple(map(atom_key, order)), place.__getitem__)

"""Keys that are integers, looked up by a sum with a mean in it: only where the mean is an integer does it find any.

A mean of m integers is one itself or at least 1/m from all of them. So is its sum with integers. Where the interpreter
rounds that by far less, no key equals it, and all that it adds up on the way are ints that floats hold as well. In
place of the mean the query has its integer, and elsewhere one that leads beyond all keys: a number that is stored once
and is then added like any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from compiler.facts import Facts
from compiler.operations.materialised import stored
from compiler.operations.whole import whole
from compiler.rewrites.change import Change, with_parts
from compiler.values.roundoff import largest, roundoff
from compiler.values.sets import ValueSet
from rasp.graph import Aggregate, Node, Select, SOp, topological

_LARGEST = 2**20
_LARGEST_EXACT = 2**53
_LONGEST = 2**16
_MOST_NODES = 2**8


@dataclass(frozen=True)
class _Sum:
    """±mean + rest, where the rest is an integer from `low` to `high`; `parts` are all that is added up."""

    parts: Mapping[SOp, Fraction]
    mean: Aggregate
    sign: int
    low: int
    high: int


def look_up(node: Node, facts: Facts) -> Change | None:
    """The comparison of integers with a sum that has a mean in it, as one of integers."""
    if not isinstance(node, Select) or node.op not in ("==", "!="):
        return None
    queries = _as_integers(node.queries, node.keys, facts)
    keys = None if queries is not None else _as_integers(node.keys, node.queries, facts)
    if queries is None and keys is None:
        return None
    keys, queries = (old if new is None else new for old, new in ((node.keys, keys), (node.queries, queries)))
    return Change(Select(keys, queries, node.op))


def _as_integers(number: SOp, other: SOp, facts: Facts) -> SOp | None:
    """The number with an integer for the mean in it, where what it is compared with are integers."""
    found = _sum(number, facts)
    if found is None or not _are_integers(other, facts):
        return None
    least, most = (round(end) for end in facts.values[other].range)
    low, high = sorted((found.sign * (least - found.high), found.sign * (most - found.low)))
    reach = facts.values[found.mean].range
    ends = max(low, math.floor(reach[0])), min(high, math.ceil(reach[1]))
    integer = stored(whole(found.mean, *ends, found.sign * (most - found.low + 1)))
    return with_parts(number, {part: integer if part is found.mean else part for part in found.parts})


def _sum(number: SOp, facts: Facts) -> _Sum | None:
    form = facts.values.linear[number]
    if form is None or form.constant.denominator != 1 or not any(isinstance(part, Aggregate) for part in form.weights):
        return None
    if _is_long(number) or not _is_nearly_exact(number, form.weights, facts):
        return None
    means = [part for part in form.weights if _is_mean(part, facts)]
    rest = {part: weight for part, weight in form.weights.items() if all(part is not mean for mean in means)}
    if len(means) != 1 or abs(form.weights[means[0]]) != 1 or not all(_are_integers(part, facts) for part in rest):
        return None
    if any(weight.denominator != 1 for weight in rest.values()) or facts.max_length > _LONGEST:
        return None
    ends = [sorted(int(weight) * round(end) for end in facts.values[part].range) for part, weight in rest.items()]
    low, high = (int(form.constant) + sum(pair[side] for pair in ends) for side in (0, 1))
    assert isinstance(means[0], Aggregate)
    return _Sum(form.weights, means[0], int(form.weights[means[0]]), low, high) if max(-low, high) < _LARGEST else None


def _is_long(number: SOp) -> bool:
    """Whether a number is made of too many nodes to look at."""
    return len(list(islice(topological([number]), _MOST_NODES + 1))) > _MOST_NODES


def _is_nearly_exact(number: SOp, parts: Mapping[SOp, Fraction], facts: Facts) -> bool:
    """Whether rounding takes a sum nowhere near another integer, or from one beside a mean that is none."""
    between = {number, *(node for node in topological([number], parts) if isinstance(node, SOp))}
    if not all(facts.compiles(node) and facts.values[node].numeric for node in between.union(parts)):
        return False
    reach = max(largest(facts.values[node].range) for node in between)
    error = roundoff(facts.values, number, tuple(parts)).at(largest(facts.values[number].range))
    return reach < _LARGEST_EXACT and 4 * error * facts.max_length < 1


def _is_mean(node: SOp, facts: Facts) -> bool:
    """Whether a number is a mean of integers, or its integer default, and not always an integer."""
    if not isinstance(node, Aggregate) or type(node.default) is not int or abs(node.default) >= _LARGEST:
        return False
    if not facts.compiles(node) or not _are_integers(node.value, facts):
        return False
    return not (facts.values[node].listed and all(isinstance(value, int) for value in facts.values[node].universe))


def _are_integers(node: SOp, facts: Facts) -> bool:
    return facts.compiles(node) and _is_small(facts.values[node])


def _is_small(values: ValueSet) -> bool:
    is_ints = values.listed and values.numbers and all(isinstance(value, int) for value in values.universe)
    return is_ints and max(map(abs, values.range)) < _LARGEST

"""Which of several floats the interpreter rounds a mean to: told by the mean of what rounding left of its values.

A value v is r + δ, where r is the fraction with a small denominator that v was rounded from (1/3, say). The interpreter
rounds the exact mean of the values once, so its mean is the float nearest to q + d, where q is the mean of all r and d
that of all δ. What the residual stream holds is close to q, and tells neighbours of q apart, but not the floats around
q. Multiplied by a common denominator all δ are integers. Their mean is one more number that the same head returns, and
it says on which side of the middle of two floats q + d lies.

So where a comparison or a rounding asks for the mean, and q may be what it asks for, the mean is put as "near q the
float that d tells, else the mean": the same number on every input.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import cast

from compiler.facts import Facts
from compiler.operations.opaque import is_opaque
from compiler.rewrites.change import Change
from compiler.selectors import JOINT
from compiler.values.progressions import Means, Tie, simple
from compiler.values.representatives import ties_of
from rasp.graph import Aggregate, Best, Constant, Fits, Map, Node, Select, SOp, apply, where
from rasp.operations import COMPARISONS, Atom, Operation

_MOST_FLOATS, _MOST_LISTED = 64, 256
"""So many of a number with bounds: each of its representatives goes with each of the mean of what is left. So many too
of a mean of which another one is made: what is left of that is looked at once for each float of the first."""
_RESIDUE = "residue"
_ASKING = {*COMPARISONS, "round", _RESIDUE}


def settle_ties(node: Node, facts: Facts) -> Change | None:
    """What compares, rounds or ranks means, where they may be several floats close to what it asks for, of the one."""
    asked = _asked(node, facts)
    if asked is None or not facts.compiles(node):
        return None
    parts = [child for child in node.children if isinstance(child, SOp)]
    settled = {mean: found for mean in _means(parts) if (found := _settled(mean, asked, facts)) is not None}
    if not settled:
        return None
    known: dict[SOp, SOp] = {mean: sop for mean, (sop, _) in settled.items()}
    named: dict[Node, str] = {left: "{}: what rounding left" for _, left in settled.values()}
    return Change(_settled_node(node, known), named=named)


def _settled_node(node: Node, known: dict[SOp, SOp]) -> Node:
    """The comparison, selector or score of what some means are replaced with."""
    if isinstance(node, Best):
        return Best(node.selector, _put(node.score, known))
    if isinstance(node, Select):
        return Select(_put(node.keys, known), _put(node.queries, known), node.op)
    assert isinstance(node, Map)
    return Map(node.op, tuple(_put(arg, known) for arg in node.args))


def _asked(node: Node, facts: Facts) -> Map | None:
    """What a comparison or a rounding, a selector or a score asks of the s-ops it reads, as one s-op."""
    if isinstance(node, Map):
        return node if node.op.name in _ASKING else None
    if isinstance(node, Best):
        return Map(JOINT, (node.score,))
    if not isinstance(node, Select) or isinstance(node, Fits) or not all(map(facts.compiles, node.children)):
        return None
    sides = [(node.keys, node.queries), (node.queries, node.keys)]
    return Map(JOINT, tuple(compared for side, other in sides for compared in _compared(side, other, facts)))


def _compared(side: SOp, other: SOp, facts: Facts) -> Iterator[SOp]:
    """One side of a selector compared with all numbers that the other side may be."""
    for value in facts.values[other].universe:
        if not isinstance(value, str) and facts.values[side].numeric:
            yield apply("<", side, value)


def _means(roots: Sequence[SOp]) -> Iterator[Aggregate]:
    """The means that some s-ops compute with, but for those that they only ask other questions about."""
    seen: dict[SOp, None] = dict.fromkeys(roots)
    pending = [*seen]
    for node in pending:
        if isinstance(node, Aggregate):
            yield node
        if _is_computed(node):
            assert isinstance(node, Map)
            pending += [arg for arg in dict.fromkeys(node.args) if arg not in seen]
            seen |= dict.fromkeys(node.args)


def _is_computed(node: SOp) -> bool:
    return isinstance(node, Map) and not is_opaque(node) and node.op.name not in _ASKING


def _put(node: SOp, known: dict[SOp, SOp]) -> SOp:
    """The s-op with some means replaced, but not in what it asks of them. `known` gets what is found for its parts."""
    if node not in known:
        if not isinstance(node, Map) or not _is_computed(node):
            return node
        known[node] = Map(node.op, tuple(_put(arg, known) for arg in node.args))
    return known[node]


@dataclass(frozen=True)
class _Left:
    """What rounding left of the values of a mean, times a scale that makes it integers; of the default as well."""

    scale: Fraction
    size: Fraction

    def of(self, value: Atom) -> int:
        exact = Fraction(value)
        return int((exact - simple(exact, self.size)) * self.scale)

    def mean(self, mean: Aggregate, facts: Facts) -> Aggregate:
        """The mean of what is left, of the head that returns the mean itself."""
        residue = Map(Operation(_RESIDUE, 1, (self.scale, self.size), self.of), (mean.value,))
        settled = settle_ties(residue, facts)
        return Aggregate(mean.selector, residue if settled is None else cast(Map, settled.node), self.of(mean.default))


def _settled(mean: Aggregate, root: Map, facts: Facts) -> tuple[SOp, Aggregate] | None:
    """The mean with the float that it is wherever there are several to choose from, and the mean of what is left."""
    left = _left(mean, facts)
    ties = [] if left is None else ties_of(facts.values, root, mean)
    is_listed = left is not None and facts.values[mean].listed and root.op.name != _RESIDUE
    most = _MOST_LISTED if is_listed else _MOST_FLOATS
    if (
        left is None
        or not 0 < sum(len(tie.floats or [0]) for tie in ties) <= most
        or not facts.compiles(other := left.mean(mean, facts))
    ):
        return None
    settled: SOp = mean
    for tie in ties:
        near = _is_near(mean, tie)
        for number, conditions in _told(tie, other, left, facts.values.progressions.means(other)):
            settled = where(reduce(operator.and_, conditions, near), number, settled)
    return None if settled is mean else (settled, other)


def _left(mean: Aggregate, facts: Facts) -> _Left | None:
    """What rounding left of the values; None where it left nothing, or is not known."""
    if not facts.compiles(mean) or not facts.values[mean.value].numbers or isinstance(mean.default, (str, bool)):
        return None
    values = facts.values[mean.value]
    if not values.listed or facts.width_bounds(mean.selector).at_most_one:
        return None
    size = max(map(abs, map(Fraction, values.universe)))
    left = [value - simple(value, size) for value in map(Fraction, (*values.universe, mean.default))]
    unit = math.lcm(*(rest.denominator for rest in left))
    shared = math.gcd(*(int(rest * unit) for rest in left))
    return _Left(Fraction(unit, shared), size) if shared else None


def _is_near(mean: Aggregate, tie: Tie) -> SOp:
    """Whether the mean is one of the floats of a tie: beyond the middle of the gaps on both sides."""
    low, high = map(Fraction, tie.ends)
    sides = [apply(">", mean, float((low + below) / 2)) for below in tie.beside.below]
    sides += [apply("<", mean, float((high + above) / 2)) for above in tie.beside.above]
    return reduce(operator.and_, sides) if sides else Constant(True)


def _told(tie: Tie, other: Aggregate, left: _Left, known: Means) -> Iterator[tuple[float, tuple[SOp, ...]]]:
    """The floats of a tie, rising, and what the mean of what is left is from each on; none where they are many.

    The conditions are not put as one s-op of those floats: they would share a direction.
    """
    floats = tie.floats
    exact = {*tie.beside.means, *(simple(number, left.size) for number in tie.beside.others)}
    if floats is None or len(exact) > 1:
        return
    (number,) = exact
    yield float(floats[0]), ()
    for lower, upper in pairwise(floats):
        middle = (lower + upper) / 2
        threshold = _between(known, (middle - number) * left.scale, float(middle) == float(upper))
        yield float(upper), (apply(">", other, threshold),)


def _between(known: Means, threshold: Fraction, is_upper: bool) -> float:
    """A number between the means below a threshold and those above; one at the threshold is above if `is_upper`."""
    found = known.beside(threshold)
    under = [*found.below, *(mean for mean in found.here if mean < threshold or (mean == threshold and not is_upper))]
    over = [*found.above, *(mean for mean in found.here if mean > threshold or (mean == threshold and is_upper))]
    if not under or not over:
        return float(max(under) + 1 if under else min(over) - 1)
    return float((max(under) + min(over)) / 2)

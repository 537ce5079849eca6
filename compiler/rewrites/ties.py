"""Which of several floats the interpreter rounds a mean to: told by the mean of what rounding left of its values.

A value v is r + δ, where r is the fraction with a small denominator that v was rounded from (1/3, say). The interpreter
rounds the exact mean of the values once, so its mean is the float nearest to q + d, where q is the mean of all r and d
that of all δ. What the residual stream holds is close to q, and tells neighbours of q apart, but not the floats around
q. Multiplied by a common denominator all δ are integers. Their mean is one more number that the same head returns, and
it says on which side of the middle of two floats q + d lies.

So where a comparison or a rounding asks for the mean, and q may be what it asks for, the mean is put as "near q the
float that d tells, else the mean": the same number on every input. What d can be is known, so the floats that q + d can
be rounded to are few, even near 0. Of those side by side that are answered alike, whatever else is read, one stands for
all: any two of them are answered alike by all that other means can be, and so also by what stands for those.
"""

from __future__ import annotations

import math
import operator
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from itertools import pairwise
from typing import Any, cast

import numpy as np

from compiler.facts import Facts
from compiler.operations.opaque import is_opaque
from compiler.rewrites.change import Change
from compiler.selectors import JOINT
from compiler.values.analysis import TooMany
from compiler.values.categorical import Categorical, evaluate
from compiler.values.progressions import Means, Tie, simple
from compiler.values.representatives import ties_of
from rasp.graph import Aggregate, Best, Constant, Fits, Map, Node, Select, SOp, apply, where
from rasp.operations import COMPARISONS, Atom, Operation, atom_key

_MOST_FLOATS, _MOST_LISTED = 64, 128
"""So many of a number with bounds: each of its representatives goes with each of the mean of what is left. So many too
of a mean of which another one is made: what is left of that is looked at once for each float of the first."""
_MOST_ASKED, _EXACT = 50_000, 2**40
_RESIDUE = "residue"
_ASKING = {*COMPARISONS, "round", _RESIDUE}


def settle_ties(node: Node, facts: Facts) -> Change | None:
    """What compares, rounds or ranks means, where they may be several floats close to what it asks for, of the one."""
    asked = _asked(node, facts)
    if asked is None or not facts.compiles(node):
        return None
    parts = [child for child in node.children if isinstance(child, SOp)]
    answered = _answered(node, asked, facts)
    settled = {mean: found for mean in _means(parts) if (found := _settled(mean, asked, answered, facts)) is not None}
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


def _answered(node: Node, asked: Map, facts: Facts) -> Map:
    """What is asked, as one s-op that has few parts: of a selector the places of one side among the other's values."""
    if not isinstance(node, Select):
        return asked
    sides = [(node.keys, node.queries), (node.queries, node.keys)]
    return Map(JOINT, tuple(Map(_place(facts.values[other].universe), (side,)) for side, other in sides))


def _place(values: Sequence[Any]) -> Operation:
    """How many of some numbers are below a value, and how many are not above it: how it compares with each."""
    order = sorted(value for value in values if not isinstance(value, str))

    def among(value: Any) -> int:
        return -1 if isinstance(value, str) else bisect_left(order, value) + bisect_right(order, value)

    return Operation("place", 1, tuple(map(atom_key, order)), among)


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


def _settled(mean: Aggregate, root: Map, answered: Map, facts: Facts) -> tuple[SOp, Aggregate] | None:
    """The mean with the float that it is wherever there are several to choose from, and the mean of what is left."""
    left = _left(mean, facts)
    ties = [] if left is None else ties_of(facts.values, root, mean)
    if left is None or not ties or _are_too_many(ties, root, mean, facts):
        return None
    if not facts.compiles(other := left.mean(mean, facts)):
        return None
    listed = facts.values[mean].listed
    told = {tie: _told(tie, _Question(answered, mean, other, left, facts)) for tie in ties}
    told = {tie: floats for tie, floats in told.items() if len(floats) > listed}
    if not 0 < sum(map(len, told.values())) <= (_MOST_LISTED if listed else _MOST_FLOATS):
        return None
    settled: SOp = mean
    for tie, floats in told.items():
        near = _is_near(mean, tie)
        for number, conditions in floats:
            settled = where(reduce(operator.and_, conditions, near), number, settled)
    return None if settled is mean else (settled, other)


def _are_too_many(ties: Sequence[Tie], root: Map, mean: Aggregate, facts: Facts) -> bool:
    """Whether a mean has more ties than are told, at one float each, or what is left of it more floats."""
    if root.op.name == _RESIDUE:
        return sum(len(tie.floats or [0]) for tie in ties) > _MOST_FLOATS
    return len(ties) > (_MOST_LISTED if facts.values[mean].listed else _MOST_FLOATS)


@dataclass(frozen=True)
class _Question:
    """What a root asks of a mean, of which `other` is the mean of what rounding left."""

    root: Map
    mean: Aggregate
    other: Aggregate
    left: _Left
    facts: Facts

    def answers(self, floats: Sequence[float]) -> list[bytes] | None:
        """For each float the root's values where the mean is that float; None where they are too many to look at."""
        values = self.facts.values
        others = tuple(source for source in values.sources(self.root) if source is not self.mean)
        if not all(values[source].listed for source in others):
            return None
        try:
            tuples = values.tuples(others)
        except TooMany:
            return None
        size, count = len(tuples.codes), len(floats)
        if size * count > _MOST_ASKED:
            return None
        codes = np.repeat(tuples.codes, count, axis=0)
        columns = {
            source: Categorical.of(values[source].universe, np.ascontiguousarray(codes[:, at]))
            for at, source in enumerate(others)
        }
        columns[self.mean] = Categorical.of(floats, np.tile(np.arange(count), size))
        found = evaluate(self.root, columns, size * count)[self.root].codes.reshape(size, count)
        return [found[:, at].tobytes() for at in range(count)]


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


def _told(tie: Tie, asked: _Question) -> list[tuple[float, tuple[SOp, ...]]]:
    """The floats of a tie, rising, and what the mean of what is left is from each on; none where they are many.

    Of floats side by side for which the root has the same answers the first stands for all. The conditions are not put
    as one s-op of those floats: they would share a direction.
    """
    exact = {*tie.beside.means, *(simple(number, asked.left.size) for number in tie.beside.others)}
    found = _floats(tie, min(exact), asked) if len(exact) == 1 else []
    answers = asked.answers([number for number, _ in found])
    kept = [at for at in range(len(found)) if not at or answers is None or answers[at] != answers[at - 1]]
    return [(found[at][0], (apply(">", asked.other, found[at][1]),) if at else ()) for at in kept]


def _floats(tie: Tie, number: Fraction, asked: _Question) -> list[tuple[float, float]]:
    """The floats that q + d may be rounded to, rising, each with a number below which what is left is for the last."""
    known, scale = asked.facts.values[asked.other], asked.left.scale
    if known.listed and max(map(abs, known.range)) < _EXACT:
        found = _floats_of_listed(number, scale, _true(known.universe, asked.facts.max_length))
        values = asked.facts.values[asked.mean]
        return [(one, start) for one, start in found if not values.listed or one in values.universe]
    floats, means = tie.floats or [], asked.facts.values.progressions.means(asked.other)
    found = [(float(floats[0]), -math.inf)] if floats else []
    for lower, upper in pairwise(floats):
        middle = (lower + upper) / 2
        threshold = _between(means, (middle - number) * scale, float(middle) == float(upper))
        found.append((float(upper), threshold))
    return found


def _true(values: Sequence[Any], limit: int) -> list[Fraction]:
    """The means of so many integers at most that some floats were rounded from, rising."""
    return sorted({Fraction(value).limit_denominator(limit) for value in values})


def _floats_of_listed(number: Fraction, scale: Fraction, rests: Sequence[Fraction]) -> list[tuple[float, float]]:
    """The same from all that what is left may be: the interpreter rounds the sum once."""
    found = [(float(number + rests[0] / scale), -math.inf)]
    for before, rest in pairwise(rests):
        rounded = float(number + rest / scale)
        if rounded != found[-1][0]:
            found.append((rounded, float((before + rest) / 2)))
    return found


def _between(known: Means, threshold: Fraction, is_upper: bool) -> float:
    """A number between the means below a threshold and those above; one at the threshold is above if `is_upper`."""
    found = known.beside(threshold)
    under = [*found.below, *(mean for mean in found.here if mean < threshold or (mean == threshold and not is_upper))]
    over = [*found.above, *(mean for mean in found.here if mean > threshold or (mean == threshold and is_upper))]
    if not under or not over:
        return float(max(under) + 1 if under else min(over) - 1)
    return float((max(under) + min(over)) / 2)

"""Elementwise s-ops with too many combinations, in steps: parts of them are stored, and read on from there.

An s-op of k numbers with n values each is a table of up to nᵏ rows. Where that is too many, some part of it that hides
several of the numbers is stored, or all of its arguments are: each a smaller table, and the s-op one over what is
stored. So what is too large is a single operation, never a formula.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, islice

from compiler.facts import Facts
from compiler.operations.materialised import is_stored, stored
from compiler.operations.opaque import is_opaque
from compiler.values.analysis import ValueAnalysis, is_sum
from rasp.errors import Refusal
from rasp.graph import Map, Node, SOp, topological

FEW = 1_000
MANY = 50_000
_HALF = 2
_MOST_PARTS = 64


class Steps:
    """Finds parts to store, those of the first s-ops first; what needs none is looked at once."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self._done: dict[Node, None] = {}

    def parts(self, roots: Sequence[SOp]) -> tuple[SOp, ...]:
        """Some parts that are to be stored; none where all tables are small, or no part makes them so."""
        for node in _read(roots):
            found = () if node in self._done else self._parts_of(node)
            if found:
                return found
            if self._is_revised(node):
                self._done.clear()
                return self.parts(roots)
            self._done[node] = None
        return ()

    def _is_revised(self, node: Map) -> bool:
        """Whether an s-op is known only since some mean counts as a number with bounds."""
        before = self.facts.values
        self.facts.compiles(node)
        return self.facts.values is not before

    def _parts_of(self, node: Map) -> tuple[SOp, ...]:
        if not all(map(self.facts.compiles, self.facts.values.sources(node))):
            return ()
        now = rows(node, self.facts.values)
        if now <= FEW or now == math.inf:
            return ()
        inner = (part for part in reversed(list(_within(node))) if rows(part, self.facts.values) > FEW)
        return self._hiding(node, now) or next((found for part in inner if (found := self._arguments(part))), ())

    def _hiding(self, node: Map, now: float) -> tuple[SOp, ...]:
        """The part with the smallest table that makes the other one small: it hides many sources behind few values."""
        sizes, values = self._sizes(node), self.facts.values
        parts = (part for part in _within(node) if part is not node and self._can_be_stored(part))
        found = {part: rows(part, values) + self._rows_beside(node, part, sizes) for part in islice(parts, _MOST_PARTS)}
        best = min(found, key=found.__getitem__, default=None)
        return () if best is None or _HALF * found[best] > now else (best,)

    def _rows_beside(self, node: Map, part: Map, sizes: Mapping[SOp, float]) -> float:
        """The rows, about, of an s-op's table over a part that is stored, and over all that it reads besides."""
        args = (arg for other in _within(node, part) for arg in other.args if not _is_inner(arg) and arg is not part)
        seen = {source: None for arg in args for source in self.facts.values.sources(arg)}
        return math.prod(sizes[source] for source in seen) * len(self.facts.values[part].universe)

    def _sizes(self, node: Map) -> dict[SOp, float]:
        """How many values of each of its sources an s-op tells apart."""
        values = self.facts.values
        pairs = zip(values.sources(node), values.factors(node), strict=True)
        return {source: float(len(values[factor].universe)) for source, factor in pairs}

    def _arguments(self, node: Map) -> tuple[SOp, ...]:
        """Those arguments that make the s-op a smaller table."""
        args = dict.fromkeys(arg for arg in node.args if self._can_be_stored(arg))
        choices = [chosen for size in range(1, len(args) + 1) for chosen in combinations(args, size)]
        found = {chosen: rows(_reading_stored(node, chosen), self.facts.values) for chosen in choices}
        best = min(found, key=found.__getitem__, default=())
        return best if best and _HALF * found[best] <= rows(node, self.facts.values) else ()

    def _can_be_stored(self, node: SOp) -> bool:
        """Whether an s-op is a table over several sources that can be made, and is known exactly from what is stored.

        Floats that differ by rounding only share a direction, and what reads them on may tell them apart.
        """
        values = self.facts.values
        if not isinstance(node, Map) or is_stored(node) or len(values.sources(node)) < 2:
            return False
        if rows(node, values) > MANY or not self.facts.compiles(node):
            return False
        return self.facts.values[node].listed and not self.facts.values[node].is_merged


def _read(roots: Sequence[SOp]) -> list[Map]:
    """The elementwise s-ops that selectors, aggregates and outputs read, or that are stored."""
    read: dict[Node, None] = dict.fromkeys(roots)
    order = list(topological(roots))
    for node in order:
        if not isinstance(node, Map) or is_opaque(node):
            read |= dict.fromkeys(node.children)
    return [node for node in order if isinstance(node, Map) and not is_opaque(node) and node in read]


def _within(root: Map, stop: SOp | None = None) -> Iterator[Map]:
    """The elementwise s-ops that an s-op is made of, itself first; not through `stop`, nor what is stored."""
    seen: dict[SOp, None] = {root: None}
    pending = [root]
    for node in pending:
        yield node
        for arg in node.args:
            if arg not in seen and arg is not stop and _is_inner(arg):
                seen[arg] = None
                pending.append(arg)  # type: ignore[arg-type]


def _is_inner(node: SOp) -> bool:
    return isinstance(node, Map) and not is_opaque(node)


def _reading_stored(node: Map, chosen: tuple[SOp, ...]) -> Map:
    return Map(node.op, tuple(stored(arg) if any(arg is part for part in chosen) else arg for arg in node.args))


def rows(node: SOp, values: ValueAnalysis) -> float:
    """A bound on the combinations that an s-op is a table of; 0 where it needs none, ∞ where parts have no value."""
    try:
        parts = [values[factor] for factor in values.factors(node)]
    except Refusal:
        return math.inf
    if not all(part.listed for part in parts):
        return 0
    found = math.prod(float(len(part.universe)) for part in parts)
    return min(found, _sums(node, values)) if found > MANY else found


def _sums(node: SOp, values: ValueAnalysis) -> float:
    """How many values the sum of ints has that alone decides an s-op; ∞ where there is none, or parts have no value."""
    core = values.linear.core(node)
    try:
        return len(values[core].universe) if is_sum(values, core) else math.inf
    except Refusal:
        return math.inf

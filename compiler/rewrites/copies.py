"""What is read of a copied value, copied in its place.

A head that never selects two keys copies: aggregate(s, x, d) is x at the key, and d where there is none. So f of it is
f(x) at the key, or f(d): aggregate(s, f(x), f(d)), by the same head. That is smaller where the copy has a direction for
each of many values, and what is read of it, such as `sorted % 2`, has few.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compiler.facts import Facts
from compiler.guards import holds_both, may_fail
from compiler.operations.indicator_means import MARK
from compiler.operations.opaque import is_opaque
from compiler.rewrites.change import Change, with_parts
from rasp.graph import Aggregate, Constant, Map, Node, SOp, topological
from rasp.operations import OPERATIONS

MANY = 8
SHARE = 2


class Copies:
    """The copies in a graph of which nothing is read but functions with few values.

    Such a copy is not in the model any more, where one could look at it: so it must have MANY values, and all that is
    read of it at most half as many.
    """

    def __init__(self, roots: Sequence[SOp], facts: Facts) -> None:
        self._facts = facts
        self._functions: dict[Node, None] = {}
        for copy, functions in _read_of_aggregates(roots).items():
            if self._is_large(copy) and self._are_small(copy, functions):
                self._functions |= dict.fromkeys(functions)

    def __bool__(self) -> bool:
        return bool(self._functions)

    def __call__(self, node: Node, rebuilt: Node) -> Change | None:
        """The copy of a function for the function of a copy, given the node with its children changed."""
        if node not in self._functions:
            return None
        assert isinstance(rebuilt, Map)
        return Change(_copied(rebuilt, self._facts))

    def _is_large(self, copy: Aggregate) -> bool:
        """Whether an aggregate is certain to copy, and has MANY values, all strings or all numbers.

        Where only an error keeps it from selecting two keys, or from mixing kinds, the error must stay.
        """
        if not self._facts.compiles(copy):
            return False
        values = self._facts.values[copy]
        if not values.listed or len(values.universe) < MANY or holds_both(values):
            return False
        return copy.selector not in self._facts.values.single and self._facts.width_bounds(copy.selector).at_most_one

    def _are_small(self, copy: Aggregate, functions: Sequence[Map]) -> bool:
        """Whether functions of a copy have few values together, and one for each key, selected or not."""
        counts = list(map(self._facts.count, functions))
        if not all(counts) or SHARE * sum(counts) > len(self._facts.values[copy].universe):
            return False
        at_keys = (with_parts(function, {copy: copy.value}) for function in functions)
        return all(map(self._is_safe, (*functions, *at_keys))) and self._have_default(copy, functions)

    def _have_default(self, copy: Aggregate, functions: Sequence[Map]) -> bool:
        """Whether functions of a copy have a value where no key is selected, or there always is one."""
        at_default = (with_parts(function, {copy: Constant(copy.default)}) for function in functions)
        return self._facts.width_bounds(copy.selector).never_empty or all(map(self._facts.compiles, at_default))

    def _is_safe(self, node: SOp) -> bool:
        """Whether there is a value on every input, all strings or all numbers."""
        if not self._facts.compiles(node):
            return False
        values = self._facts.values
        return values[node].listed and not holds_both(values[node]) and not may_fail(node, values)


def _read_of_aggregates(roots: Sequence[SOp]) -> dict[Aggregate, list[Map]]:
    """For each aggregate the largest s-ops made of it alone, if these are all that is read of it."""
    nodes = list(topological(roots))
    made_of: dict[Node, Aggregate | None] = {}
    for node in nodes:
        made_of[node] = node if isinstance(node, Aggregate) else _only_aggregate(node, made_of)
    read: dict[Node, None] = dict.fromkeys(roots)
    for node in nodes:
        inner = made_of[node] if isinstance(node, Map) else None
        read |= dict.fromkeys(child for child in node.children if inner is None or made_of[child] is not inner)
    found: dict[Aggregate, list[Map]] = {}
    for node in read:
        aggregate = made_of[node]
        if aggregate is not None and aggregate not in read:
            assert isinstance(node, Map)
            found.setdefault(aggregate, []).append(node)
    return found


def _only_aggregate(node: Node, made_of: Mapping[Node, Aggregate | None]) -> Aggregate | None:
    """The aggregate that an elementwise s-op is made of, beside constants; None for others."""
    if not isinstance(node, Map) or is_opaque(node):
        return None
    found = {made_of[arg] for arg in node.args if not isinstance(arg, Constant)}
    return found.pop() if len(found) == 1 else None


def _copied(function: Map, facts: Facts) -> Aggregate:
    """The copy of a function for a function of a copy. Where a key is always selected, no default is asked for."""
    copy = _aggregate_read(function)
    at_default = with_parts(function, {copy: Constant(copy.default)})
    default = facts.values[at_default].universe[0] if facts.compiles(at_default) else facts.values[function].universe[0]
    return Aggregate(copy.selector, _listed(with_parts(function, {copy: copy.value})), default)


def _listed(function: SOp) -> SOp:
    """The function, which is copied: if it is a mark, the same that is none, as means of marks have no values."""
    if isinstance(function, Map) and function.op == MARK:
        return Map(OPERATIONS["indicator"], function.args)
    return function


def _aggregate_read(node: SOp) -> Aggregate:
    while isinstance(node, Map):
        node = next(arg for arg in node.args if not isinstance(arg, Constant))
    assert isinstance(node, Aggregate)
    return node

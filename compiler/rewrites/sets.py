"""Sets of many members, which a program keeps as a list of boolean s-ops: each member is stored alone, as 0 or 1.

A head that writes a set reads an indicator for each member, and the member is there where its mean is positive. Nothing
needs the means themselves, so they are numbers with bounds, and only their thresholds are looked at.

Whether all, or any, of many booleans hold is a comparison of how many do: they are stored as 0 or 1, and their sum is
one number, with no more values than there are booleans, where all of them together have 2ⁿ. Which of many is the first
to hold is a sum over those before it: `k₁ if b₁ else k₂ if b₂ else … kₘ` is k₁ and, for each i of which none of b₁ … bᵢ
hold, kᵢ₊₁ − kᵢ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from typing import TypeAlias, cast

from compiler.facts import Facts
from compiler.operations.indicator_means import MARK
from compiler.operations.materialised import kept
from rasp.graph import Aggregate, Constant, Map, Node, Selector, SOp, topological
from rasp.operations import COMPARISONS, OPERATIONS

MEMBERS = 5
MANY = 9
_FEW = 2
Literal: TypeAlias = tuple[Node, bool]
_DUAL = {"and": "or", "or": "and"}


class Sets:
    """What is made of the nodes of a graph, one after the other, children first."""

    def __init__(self, roots: Sequence[SOp], facts: Facts) -> None:
        self.facts = facts
        nodes = list(topological(roots))
        self._means = _members(nodes)
        self._chains = self._long_chains(nodes)
        self._choices = {
            node for node in nodes if _is_choice(node) and self._are_many(_listed_choice(cast(Map, node))[0])
        }
        self._new: dict[Node, Node] = {}
        self._several: dict[Selector, bool] = {}

    def __bool__(self) -> bool:
        return bool(self._means or self._chains or self._choices)

    def __call__(self, node: Node, rebuilt: Node) -> Node | None:
        """What a node becomes, given the same one with its children changed; None where it stays that."""
        found: Node | None = None
        if node in self._chains:
            assert isinstance(node, Map)
            found = self._counted(node)
        elif node in self._choices:
            assert isinstance(node, Map)
            found = self._first(node)
        elif isinstance(node, Map) and any(arg in self._means for arg in node.args):
            assert isinstance(rebuilt, Map)
            found = self._with_bounds(node, rebuilt)
        self._new[node] = rebuilt if found is None else found
        return found

    # -- members that a head writes

    def _with_bounds(self, node: Map, rebuilt: Map) -> Map | None:
        """A comparison of means of indicators, as those of marks, which are numbers with bounds."""
        args = [
            self._marked(new) if old in self._means else new for old, new in zip(node.args, rebuilt.args, strict=True)
        ]
        return Map(node.op, tuple(args))

    def _marked(self, mean: SOp) -> SOp:
        assert isinstance(mean, Aggregate)
        assert isinstance(mean.value, Map)
        if not self._selects_several(mean.selector):
            return mean
        return Aggregate(mean.selector, Map(MARK, mean.value.args), mean.default)

    def _selects_several(self, selector: Selector) -> bool:
        if selector not in self._several:
            computes = self.facts.computes(selector)
            self._several[selector] = computes and not self.facts.width_bounds(selector).at_most_one
        return self._several[selector]

    # -- whether all or any of many hold

    def _long_chains(self, nodes: Sequence[Node]) -> set[Node]:
        """The `and` and `or` of s-ops that read many sources, and those that they are made of."""
        found: set[Node] = set()
        for node in reversed(nodes):
            if not _is_logic(node) or node in found:
                continue
            assert isinstance(node, Map)
            if self._are_many(dict.fromkeys(_literals(node))):
                found |= {part for part, _ in _walked(node) if _is_logic(part)} - {part for part, _ in _literals(node)}
        return found

    def _counted(self, node: Map) -> Map | None:
        """Whether all literals hold, or any; None where there are none but what makes no difference."""
        literals = {found: None for found in _literals(node) if not _is_neutral(*found, node.op.name)}
        if not literals:
            return None
        least = 1 if node.op.name == "or" else len(literals)
        return self._at_least(least, sorted(literals, key=lambda literal: not literal[1]))[-1]

    def _at_least(self, least: int, literals: Sequence[Literal], each: bool = False) -> list[Map]:
        """Whether so many of some literals hold; with `each` whether all of the first one do, of the first two, … .

        As many hold as the sum of the plain s-ops, less that of the negated ones, and how many are negated. That sum is
        not compared with 0: a difference with 0 would be taken for a comparison of its sides.
        """
        total: SOp | None = None
        found = []
        negative = 0
        for at, (part, is_positive) in enumerate(literals, 1):
            negative += not is_positive
            total = self._added(total, part, is_positive)
            wanted = (at if each else least) - negative
            if each or at == len(literals):
                op, bound = (">=", wanted) if wanted else (">", -1)
                found.append(Map(OPERATIONS[op], (total, Constant(bound))))
        return found

    def _added(self, total: SOp | None, part: Node, is_positive: bool) -> Map:
        """A sum and one literal more, or less where it is negated."""
        term = self._stored(part)
        if total is None:
            return term if is_positive else Map(OPERATIONS["neg"], (term,))
        return Map(OPERATIONS["+" if is_positive else "-"], (total, term))

    # -- which of many is the first to hold

    def _first(self, node: Map) -> Map:
        conditions, values = _listed_choice(node)
        none = self._at_least(0, [(part, not is_positive) for part, is_positive in conditions], each=True)
        steps = [(after - before, one) for one, (before, after) in zip(none, pairwise(values), strict=True)]
        terms = [Map(OPERATIONS["*"], (Map(MARK, (one,)), Constant(step))) for step, one in steps if step]
        return reduce(lambda left, right: Map(OPERATIONS["+"], (left, right)), terms, cast(Map, Constant(values[0])))

    def _are_many(self, literals: Iterable[Literal]) -> bool:
        """Whether there are many literals, each of few sources, and so many sources.

        What reads many sources itself is better stored in steps.
        """
        read = [self.facts.values.sources(cast(SOp, part)) for part, _ in literals]
        sources = {source for found in read for source in found}
        return len(read) >= MANY and len(sources) >= MANY and max(map(len, read)) <= _FEW

    def _stored(self, literal: Node) -> Map:
        new = self._new[literal]
        assert isinstance(new, SOp)
        return kept(Map(MARK, (new,)))


def _is_choice(node: Node) -> bool:
    """Whether a node is an int for the first of several conditions that hold."""
    return isinstance(node, Map) and node.op.name == "if" and len(_listed_choice(node)[0]) > 1


def _listed_choice(root: Map) -> tuple[list[Literal], list[int]]:
    """The conditions of `k₁ if b₁ else k₂ if b₂ else … kₘ`, and its ints; no conditions where it is something else."""
    conditions: list[Literal] = []
    values: list[int] = []
    part: Node = root
    while isinstance(part, Map) and part.op.name == "if":
        condition, then, otherwise = part.args
        is_then = _is_int(then)
        chosen, part = (then, otherwise) if is_then else (otherwise, then)
        conditions.append((condition, is_then))
        if not isinstance(chosen, Constant) or not _is_int(chosen):
            return [], []
        values.append(cast(int, chosen.value))
    return (conditions, [*values, cast(int, part.value)]) if isinstance(part, Constant) and _is_int(part) else ([], [])


def _is_int(node: Node) -> bool:
    return isinstance(node, Constant) and type(node.value) is int


def _members(nodes: Sequence[Node]) -> set[Node]:
    """The means of indicators that are compared with constants, where one selector has many."""
    found = {mean: None for node in nodes for mean in _compared_means(node)}
    sizes: Counter[Selector] = Counter(mean.selector for mean in found)
    return {mean for mean in found if sizes[mean.selector] >= MEMBERS}


def _compared_means(node: Node) -> Iterator[Aggregate]:
    if not isinstance(node, Map) or node.op.name not in COMPARISONS:
        return
    for mean, other in (node.args, node.args[::-1]):
        if isinstance(mean, Aggregate) and isinstance(other, Constant) and _is_indicator(mean.value):
            yield mean


def _is_indicator(node: SOp) -> bool:
    return isinstance(node, Map) and node.op == OPERATIONS["indicator"]


def _is_logic(node: Node) -> bool:
    return isinstance(node, Map) and node.op.name in _DUAL


def _literals(root: Map) -> list[Literal]:
    """The s-ops that a chain of `and` (or `or`) asks for, each with whether it must hold or must not, from the left."""
    return [(part, is_positive) for part, is_positive in _walked(root) if not _goes_on(part, is_positive, root)]


def _is_neutral(literal: Node, is_positive: bool, op: str) -> bool:
    """Whether `and` or `or` is the same without a literal: a constant that always holds, or never does."""
    return isinstance(literal, Constant) and (bool(literal.value) is is_positive) is (op == "and")


def _walked(root: Map) -> Iterator[Literal]:
    """All parts of a chain, and its literals, from the left: of what is negated `or` goes on where `and` does."""
    pending: list[Literal] = [(root, True)]
    while pending:
        part, is_positive = pending.pop()
        yield part, is_positive
        if _goes_on(part, is_positive, root):
            assert isinstance(part, Map)
            inverted = part.op.name == "not"
            pending += [(arg, is_positive is not inverted) for arg in reversed(part.args)]


def _goes_on(part: Node, is_positive: bool, root: Map) -> bool:
    if not isinstance(part, Map):
        return False
    return part.op.name in ("not", root.op.name if is_positive else _DUAL[root.op.name])

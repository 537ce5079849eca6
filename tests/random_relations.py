"""Random programs over relations, and random graphs to run them on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rasp.graph import (
    Selector,
    SOp,
    aggregate,
    indices,
    label,
    relation,
    select,
    select_best,
    selector_width,
    tokens_int,
    transpose,
    where,
)
from rasp.operations import Atom
from rasp.relations import Edges, Graph
from tests.random_graphs import Case

VOCABULARY = ("1", "2", "3")
NUMBERS: tuple[Atom, ...] = (1, 2, 0.5, 3)
NAMES = ("edges", "other")


@dataclass(frozen=True)
class RelationCase:
    """A program, whether it is causal, and inputs."""

    root: SOp
    causal: bool
    inputs: tuple[Graph, ...]


def random_graph(chance: random.Random, length: int, labels: Sequence[Atom | None]) -> Graph:
    """Tokens and two relations, sparse or dense, whose edges have these labels."""
    given = [chance.choice(VOCABULARY) for _ in range(length)]
    relations = {}
    for name in NAMES:
        density = chance.choice((0.0, 0.2, 0.5, 1.0))
        pairs = [(u, v) for u in range(length) for v in range(length) if chance.random() < density]
        relations[name] = Edges.of(name, length, [_labelled(pair, chance.choice(labels)) for pair in pairs])
    return Graph(given, relations)


def _labelled(pair: tuple[int, int], mark: Atom | None) -> list[object]:
    return [*pair] if mark is None else [*pair, mark]


def random_relation_case(seed: int) -> RelationCase:
    """A case; labels are numbers, sometimes missing."""
    chance = random.Random(seed)
    labels: tuple[Any, ...] = chance.choice((NUMBERS, (*NUMBERS, None), (1, 2), (True, 2)))
    root = Programs(chance).sop(3)
    lengths = [chance.randint(1, 7) for _ in range(6)]
    return RelationCase(root, chance.random() < 0.4, tuple(random_graph(chance, n, labels) for n in lengths))


class Programs:
    """Draws s-ops and selectors; `comparisons` of data, and `labels` as values, may be left out."""

    def __init__(self, chance: random.Random, *, best: bool = True, labels: bool = True) -> None:
        self.chance = chance
        self.best, self.labels = best, labels

    def sop(self, depth: int) -> SOp:
        """An s-op of ints, floats or booleans."""
        kinds = ["leaf", "width", "aggregate", "map"] + ["label"] * self.labels
        kind = self.chance.choice(kinds if depth > 0 else ["leaf"])
        if kind == "leaf":
            return self.chance.choice((indices, tokens_int, tokens_int * 2))
        if kind == "width":
            return selector_width(self.selector(depth - 1))
        if kind == "aggregate":
            return aggregate(self.selector(depth - 1), self.sop(depth - 1), self.chance.choice((0, -1, 7)))
        if kind == "label":
            return self.edge_mean(depth)
        left, right = self.sop(depth - 1), self.sop(depth - 1)
        return self.chance.choice((left + right, left - right, where(left > right, left, 1)))

    def edge_mean(self, depth: int) -> SOp:
        """An aggregate of labels."""
        edges = self.relation()
        selector = edges if self.chance.random() < 0.5 else edges & self.selector(depth - 1)
        carried = label(edges)
        if self.chance.random() < 0.5:
            carried = carried + self.sop(depth - 2)
        return aggregate(selector, carried, self.chance.choice((0, -1)))

    def relation(self) -> Selector:
        """A relation, perhaps transposed."""
        found = relation(self.chance.choice(NAMES))
        return transpose(found) if self.chance.random() < 0.3 else found

    def leaf(self, depth: int) -> Selector:
        """A relation or a comparison."""
        kind = self.chance.random()
        if kind < 0.5:
            return self.relation()
        if kind < 0.65:
            wanted = self.chance.choice((1, 2, tokens_int, indices))
            found = relation(self.chance.choice(NAMES), wanted)
            return transpose(found) if self.chance.random() < 0.3 else found
        op = self.chance.choice(("==", "!=", "<", "<=", ">", ">="))
        return select(self.sop(min(depth, 1) - 1), self.sop(min(depth, 1) - 1), op)

    def selector(self, depth: int) -> Selector:
        """Relations and comparisons joined by and, or, not, select_best and transpose."""
        kind = self.chance.choice(("leaf", "leaf", "and", "or", "not", "best") if depth > 0 else ("leaf",))
        if kind == "leaf":
            return self.leaf(depth)
        if kind == "not":
            return ~self.selector(depth - 1)
        if kind == "best":
            inner = self.selector(depth - 1)
            return select_best(inner, self.sop(0)) if self.best else inner
        left, right = self.selector(depth - 1), self.selector(depth - 1)
        return left & right if kind == "and" else left | right


LABELS: tuple[Atom, ...] = (1, 2, 0.5)
"""The labels that edges of compiled programs may have."""


def random_relations_compiled(seed: int) -> Case:
    """A program for the compiler: less deep, and with few values."""
    chance = random.Random(f"relations {seed}")
    root = Programs(chance, labels=chance.random() < 0.5).sop(2)
    longest = chance.randint(2, 6)
    inputs = [random_graph(chance, chance.randint(1, longest), (*LABELS, None)) for _ in range(12)]
    dtype = "float64" if chance.random() < 0.2 else "float32"
    return Case(seed, root, VOCABULARY, longest, dtype, chance.random() < 0.3, tuple(inputs))

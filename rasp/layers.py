"""How deep and how wide a transformer must be: the layer of every s-op, and the heads of every layer.

A head is a distinct (selector, kind) pair in a layer, kind being `aggregate` or `width`. Aggregates and widths sit one
layer above what they read; elementwise operations cost no layer (Weiss, Goldberg, Yahav 2021, section 4). A node that
is not urgent may sit later than its earliest layer: the placement chosen has the smallest largest number of heads in a
layer, and among those the smallest total.

`length` is a width, and also round(1/aggregate(full_s, indicator(indices == 0))), as the original has it: where a layer
has other aggregates over full_s it shares their head.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rasp.display import Displayed
from rasp.graph import Aggregate, AggregateLabels, Node, Selector, SelectorWidth, full, length, topological

HeadKind: TypeAlias = Literal["aggregate", "width"]
Gather: TypeAlias = Aggregate | AggregateLabels | SelectorWidth
_SEARCH_STEPS = 20_000
_SEARCH_GATHERS = 200


@dataclass(frozen=True)
class Head:
    """One attention head: the selector it computes, and whether it aggregates values or measures the width."""

    selector: Selector
    kind: HeadKind


_ALONE = Head(full, "width")


@dataclass(frozen=True)
class Analysis(Displayed):
    """Layers and heads for some s-ops. `layers[l]` are the heads of layer l+1; `layer_of` holds every node's layer."""

    layers: tuple[tuple[Head, ...], ...]
    layer_of: Mapping[Node, int]

    @property
    def depth(self) -> int:
        return len(self.layers)

    @property
    def heads(self) -> list[int]:
        return [len(layer) for layer in self.layers]

    @property
    def length_is_mean(self) -> bool:
        """Whether `length` is written by a head of aggregates over full_s, and not as a width."""
        return length in self.layer_of and self.head(length, self.layer_of[length]).kind == "aggregate"

    def head(self, node: Gather, layer: int) -> Head:
        """The head of a layer that computes this aggregate or width."""
        found = head_of(node)
        return found if node is not length or found in self.layers[layer - 1] else _ALONE

    def paper_heads(self) -> list[int]:
        """Heads a layer as the paper counts them without a BOS token: two for a width but `length`, which is a mean."""
        return [len({(h.selector, k) for h in layer for k in _paper_kinds(h)}) for layer in self.layers]


def _paper_kinds(head: Head) -> tuple[str, ...]:
    return ("aggregate",) if head.kind == "aggregate" or head == _ALONE else ("or first", "and first")


def head_of(node: Gather) -> Head:
    """The head that can compute this aggregate or width along with others; alone, `length` is a width."""
    return Head(node.selector, "width" if isinstance(node, SelectorWidth) and node is not length else "aggregate")


def analyse(roots: Iterable[Node]) -> Analysis:
    """The analysis of the transformer that computes all the roots (s-ops, or selectors with what they need)."""
    nodes = list(topological(roots))
    earliest = _earliest(nodes)
    gathers = [node for node in nodes if isinstance(node, Gather)]
    depth = max((earliest[node] for node in gathers), default=0)
    placed = _Placement(gathers, depth, _needed_gathers(nodes)).best()
    layer_of = _layers(nodes, placed)
    layers: list[dict[Head, list[Gather]]] = [{} for _ in range(depth)]
    for node in gathers:
        layers[placed[node] - 1].setdefault(head_of(node), []).append(node)
    return Analysis(tuple(tuple(map(_chosen, layer, layer.values())) for layer in layers), layer_of)


def _chosen(head: Head, members: Sequence[Gather]) -> Head:
    """The head of some aggregates or widths: that of a width where `length` is the only one."""
    return _ALONE if len(members) == 1 and members[0] is length else head


def _earliest(nodes: Sequence[Node]) -> dict[Node, int]:
    layer: dict[Node, int] = {}
    for node in nodes:
        below = max((layer[child] for child in node.children), default=0)
        layer[node] = below + 1 if isinstance(node, Gather) else below
    return layer


def _layers(nodes: Sequence[Node], placed: Mapping[Node, int]) -> dict[Node, int]:
    layer: dict[Node, int] = {}
    for node in nodes:
        below = max((layer[child] for child in node.children), default=0)
        layer[node] = placed.get(node, below)
    return layer


def _needed_gathers(nodes: Sequence[Node]) -> dict[Node, frozenset[Node]]:
    """For each gather, the gathers it reads, directly or through elementwise operations and selectors."""
    below: dict[Node, frozenset[Node]] = {}
    needed: dict[Node, frozenset[Node]] = {}
    for node in nodes:
        found = frozenset[Node]().union(*(below[child] for child in node.children))
        if isinstance(node, Gather):
            needed[node] = found
            below[node] = frozenset([node])
        else:
            below[node] = found
    return needed


class _Placement:
    """Search for the layer of each gather: branch and bound, exact unless the graph is very large."""

    def __init__(self, gathers: Sequence[Gather], depth: int, needed: Mapping[Node, frozenset[Node]]) -> None:
        self.gathers = gathers
        self.needed = needed
        self.latest = self._latest(depth)
        self.earliest = self._floors()
        self.first = self._firsts()
        self.steps = 0

    def _firsts(self) -> dict[Node, Node]:
        """For each gather the first of its head that reads, and is read by, the same gathers: both go to one layer."""
        users: dict[Node, set[Node]] = defaultdict(set)
        for node in self.gathers:
            for below in self.needed[node]:
                users[below].add(node)
        firsts: dict[tuple[Head, frozenset[Node], frozenset[Node]], Node] = {}
        return {
            node: firsts.setdefault((head_of(node), self.needed[node], frozenset(users[node])), node)
            for node in self.gathers
        }

    def _floors(self) -> dict[Node, int]:
        floor: dict[Node, int] = {}
        for node in self.gathers:
            floor[node] = 1 + max((floor[below] for below in self.needed[node]), default=0)
        return floor

    def _latest(self, depth: int) -> dict[Node, int]:
        latest: dict[Node, int] = dict.fromkeys(self.gathers, depth)
        for node in reversed(self.gathers):
            for below in self.needed[node]:
                latest[below] = min(latest[below], latest[node] - 1)
        return latest

    def best(self) -> dict[Node, int]:
        """The placement with the smallest (largest layer, total) among those found."""
        self.found = dict(self.earliest)
        self.cost = self._cost(self.found)
        if self.cost > self._floor() and len(self.gathers) <= _SEARCH_GATHERS:
            self._search(0, {}, defaultdict(set))
        return self.found

    def _floor(self) -> tuple[int, int]:
        heads = {head_of(node) for node in self.gathers}
        depth = max(self.latest.values(), default=1)
        return -(-len(heads) // depth), len(heads)

    def _cost(self, placed: Mapping[Node, int]) -> tuple[int, int]:
        heads: dict[int, set[Head]] = defaultdict(set)
        for node in self.gathers:
            heads[placed[node]].add(head_of(node))
        sizes = [len(layer) for layer in heads.values()]
        return max(sizes, default=0), sum(sizes)

    def _search(self, index: int, placed: dict[Node, int], heads: dict[int, set[Head]]) -> None:
        self.steps += 1
        sizes = [len(layer) for layer in heads.values()]
        if self.steps > _SEARCH_STEPS or (max(sizes, default=0), sum(sizes)) >= self.cost:
            return
        if index == len(self.gathers):
            self.found, self.cost = dict(placed), (max(sizes, default=0), sum(sizes))
            return
        node = self.gathers[index]
        head = head_of(node)
        floor = 1 + max((placed[below] for below in self.needed[node]), default=0)
        first = self.first[node]
        layers = range(floor, self.latest[node] + 1) if first is node else [placed[first]]
        for layer in sorted(layers, key=lambda at: (head not in heads[at], len(heads[at]), at)):
            fresh = head not in heads[layer]
            placed[node] = layer
            if fresh:
                heads[layer].add(head)
            self._search(index + 1, placed, heads)
            if fresh:
                heads[layer].discard(head)
        placed.pop(node, None)

"""Random relations for comparisons: the usual families of graphs, by networkx's generators."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import networkx

from rasp.relations import Edges, Label

Maker = Callable[[int, random.Random], Any]


def _seed(chance: random.Random) -> int:
    return chance.randrange(2**31)


def _blocks(length: int, chance: random.Random) -> Any:
    half = length // 2
    sizes = [half, length - half] if half else [length]
    within, between = chance.random(), chance.random() / 4
    rows = [[within if a == b else between for b in range(len(sizes))] for a in range(len(sizes))]
    return networkx.stochastic_block_model(sizes, rows, seed=_seed(chance))


# Each gives a graph on the vertices 0 … n−1, for n from 1 on.
FAMILIES: Mapping[str, Maker] = {
    "Erdős–Rényi": lambda n, chance: networkx.gnp_random_graph(n, chance.random(), _seed(chance), directed=True),
    "Barabási–Albert": lambda n, chance: (
        networkx.barabasi_albert_graph(n, chance.randint(1, max(1, min(3, n - 1))), _seed(chance))
        if n > 1
        else networkx.empty_graph(n)
    ),
    "stochastic block": _blocks,
    "complete": lambda n, chance: networkx.complete_graph(n),
    "empty": lambda n, chance: networkx.empty_graph(n),
    "star": lambda n, chance: networkx.star_graph(n - 1),
    "path": lambda n, chance: networkx.path_graph(n),
    "scale-free": lambda n, chance: networkx.DiGraph(
        networkx.scale_free_graph(n, seed=_seed(chance), initial_graph=_one_loop() if n < 3 else None)
    ),
    "small-world": lambda n, chance: networkx.watts_strogatz_graph(n, min(2, n), chance.random(), _seed(chance)),
}


def _one_loop() -> Any:
    return networkx.MultiDiGraph([(0, 0)])


def random_edges(length: int, chance: random.Random, labels: Sequence[Label] = (None,), family: str = "") -> Edges:
    """Edges over so many positions: of one family or any, vertices shuffled, with loops, and labels out of these."""
    made = FAMILIES[family or chance.choice(list(FAMILIES))](length, chance)
    order = list(range(length))
    chance.shuffle(order)
    pairs = {(order[u], order[v]) for u, v in made.edges() if u < length and v < length}
    if not made.is_directed() and chance.random() < 0.7:
        pairs |= {(v, u) for u, v in pairs}
    if chance.random() < 0.3:
        pairs |= {(u, u) for u in range(length) if chance.random() < 0.5}
    return Edges.sorted(length, [(u, v, chance.choice(labels)) for u, v in sorted(pairs)])


def random_relations(length: int, chance: random.Random, asked: Mapping[str, Sequence[Label]]) -> dict[str, Edges]:
    """One graph for each relation that is asked for, with its labels."""
    return {name: random_edges(length, chance, labels) for name, labels in asked.items()}

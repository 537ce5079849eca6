"""Random graphs: the relations that a program reads, drawn between the tokens of its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lab.sampling import Generator, Inputs, LabelShares, Sampler, log_weights, quotas, weighted
from rasp.batch.ragged import Codes
from rasp.errors import DataFault
from rasp.graph import AggregateLabels, Constant, LabelledRelation, Node, Relation, topological
from rasp.operations import Atom, atom_key
from rasp.relations import Edges, Label

_DEGREES = 0.5, 3.0
_CANDIDATES = 8


@dataclass(frozen=True)
class RelationRead:
    """A relation that a program reads, and the labels that its edges may have; None alone where it asks for none."""

    name: str
    labels: tuple[Label, ...]


def relations_read(root: Node) -> tuple[RelationRead, ...]:
    """The relations that a program reads, in order of name.

    Labels are those that it asks for, and none. DataFault where what it does with labels does not tell which there are.
    """
    found: dict[str, dict[object, Label]] = {}
    for node in topological([root]):
        if isinstance(node, Relation):
            found.setdefault(node.input_name, {})
        elif isinstance(node, (LabelledRelation, AggregateLabels)):
            label = _label(node)
            found.setdefault(node.relation.input_name, {})[atom_key(label)] = label
    return tuple(RelationRead(name, (*found[name].values(), None)) for name in sorted(found))


def _label(node: LabelledRelation | AggregateLabels) -> Atom:
    if isinstance(node, LabelledRelation) and isinstance(node.wanted, Constant):
        return node.wanted.value
    raise DataFault(
        f"which labels the edges of {node.relation.input_name} have is not told by the program: no graphs can be drawn",
        hint="give graphs in a file: --inputs FILE",
    )


def random_graphs(vocabulary: int, relations: Sequence[RelationRead], shares: LabelShares | None = None) -> Sampler:
    """Tokens drawn evenly, and edges: each pair of two vertices has one with the same chance, which is such that a
    vertex of a graph has between half an edge and three.

    With `shares`, of several times as many graphs those are kept whose labels are rare.
    """

    def sample(available: Codes, count: int, rng: Generator) -> Inputs:
        wanted = quotas(available, count)
        found = [_drawn(vocabulary, relations, n, size, rng, shares) for n, size in enumerate(wanted.tolist(), 1)]
        return Inputs.joined(found, len(available)).distinct()

    return sample


def _drawn(
    vocabulary: int,
    relations: Sequence[RelationRead],
    length: int,
    count: int,
    rng: Generator,
    shares: LabelShares | None,
) -> Inputs:
    """So many graphs of a length, or fewer where few are different."""
    size = count * (1 if shares is None else _CANDIDATES)
    ids = rng.integers(0, vocabulary, (size, length))
    found = Inputs(ids, tuple(_edges(relations, length, rng) for _ in range(size))).distinct()
    if shares is None or not len(found):
        return found
    return found.take(weighted(log_weights(shares(found)), min(count, len(found)), rng))


def _edges(relations: Sequence[RelationRead], length: int, rng: Generator) -> Mapping[str, Edges]:
    return {read.name: _relation(read, length, rng) for read in relations}


def _relation(read: RelationRead, length: int, rng: Generator) -> Edges:
    chance = min(1.0, rng.uniform(*_DEGREES) / max(1, length - 1))
    sources, targets = np.nonzero((rng.random((length, length)) < chance) & ~np.eye(length, dtype=bool))
    labels = rng.integers(0, len(read.labels), len(sources)).tolist()
    pairs = zip(sources.tolist(), targets.tolist(), labels, strict=True)
    return Edges.sorted(length, [(source, target, read.labels[label]) for source, target, label in pairs])

"""Relations in a batch: the edges of all inputs as pairs of positions, in the order of their queries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rasp.batch.ragged import Block, Codes, Flags, Ragged
from rasp.batch.runs import Runs
from rasp.operations import atom_key
from rasp.relations import Edges, Label


@dataclass(frozen=True, eq=False)
class Pairs:
    """Cells of a batch as pairs of positions, by query and then by key; each occurs once."""

    ragged: Ragged
    queries: Codes
    keys: Codes

    def __len__(self) -> int:
        return len(self.queries)

    @cached_property
    def places(self) -> Codes:
        """One rising number for each pair."""
        return self.queries * self.ragged.size + self.keys

    def where(self, flags: Flags) -> Pairs:
        """Some of the pairs."""
        return Pairs(self.ragged, self.queries[flags], self.keys[flags])

    def have(self, queries: Codes, keys: Codes) -> Flags:
        """Whether each of some cells is one of these pairs."""
        return np.isin(queries * self.ragged.size + keys, self.places)

    def runs(self) -> Runs:
        """The keys of each query, side by side."""
        low, high = self.bounds()
        return Runs(self.keys, low, high)

    def bounds(self) -> tuple[Codes, Codes]:
        """Where the pairs of each query [N] begin and end."""
        ends = np.cumsum(np.bincount(self.queries, minlength=self.ragged.size))
        return np.concatenate([[0], ends[:-1]]).astype(np.intp), ends.astype(np.intp)

    def cells(self, block: Block) -> Flags:
        """The cells of a block, keys first: [T, queries]."""
        found = np.zeros((block.length, block.queries.stop - block.queries.start), dtype=bool)
        first, last = np.searchsorted(self.queries, [block.queries.start, block.queries.stop])
        queries, keys = self.queries[first:last], self.keys[first:last]
        found[keys - self.ragged.first[keys], queries - block.queries.start] = True
        return found


@dataclass(frozen=True, eq=False)
class PooledEdges:
    """One relation on all inputs: the cells of its edges, the code of each one's label (−1 for none) and the labels.

    `lacking` flags the inputs that do not have the relation.
    """

    pairs: Pairs
    codes: Codes
    levels: tuple[Label, ...]
    lacking: Flags

    def transposed(self) -> PooledEdges:
        """Every edge the other way round."""
        order = np.lexsort((self.pairs.queries, self.pairs.keys))
        pairs = Pairs(self.pairs.ragged, self.pairs.keys[order], self.pairs.queries[order])
        return PooledEdges(pairs, self.codes[order], self.levels, self.lacking)


def pooled(name: str, ragged: Ragged, given: Sequence[Mapping[str, Edges]]) -> PooledEdges:
    """A relation of inputs in their order; an input that lacks it has no edges there."""
    known: dict[Any, int] = {}
    levels: list[Label] = []
    queries, keys, codes = [], [], []
    for start, relations in zip(ragged.starts.tolist(), given, strict=True):
        edges = relations.get(name)
        if edges is None or not len(edges):
            continue
        for level in edges.levels:
            if known.setdefault(atom_key(level), len(levels)) == len(levels):
                levels.append(level)
        place = np.array([known[atom_key(level)] for level in edges.levels])
        queries.append(edges.targets + start)
        keys.append(edges.sources + start)
        codes.append(place[edges.codes])
    lacking = np.array([name not in relations for relations in given])
    return PooledEdges(Pairs(ragged, _joined(queries), _joined(keys)), _joined(codes), tuple(levels), lacking)


def _joined(parts: Sequence[Codes]) -> Codes:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.intp)


def common(pairs: Sequence[Pairs], holds: Callable[[Codes, Codes], Flags]) -> Pairs:
    """The cells that all pairs have and where the rest of a conjunction holds, at (queries, keys)."""
    found = min(pairs, key=len)
    for other in pairs:
        if other is not found:
            found = found.where(other.have(found.queries, found.keys))
    return found.where(holds(found.queries, found.keys))

"""Distinct inputs of a task: drawn evenly, grown so that rare labels are as frequent as others, or those of a file.

Lengths are as even as the number of distinct inputs allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from rasp.batch.ragged import Codes
from rasp.errors import DataFault
from rasp.operations import Atom, atom_key
from rasp.relations import Edges, relations_of

Generator: TypeAlias = np.random.Generator
Shares: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
Relations: TypeAlias = "tuple[Mapping[str, Edges], ...]"

_ENUMERATED = 1 << 16
_CONTINUATIONS = 8
_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class Inputs:
    """Rows of ids [B, N], −1 beyond an input's end, and where programs read any the `relations` of each."""

    ids: Codes
    relations: Relations = ()

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> Codes:
        """How many tokens each input has, [B]."""
        return np.asarray((self.ids >= 0).sum(axis=1))

    def take(self, rows: Codes | Sequence[int]) -> Inputs:
        """Some of the inputs."""
        return Inputs(self.ids[rows], tuple(self.relations[row] for row in rows) if self.relations else ())

    def keys(self) -> list[object]:
        """Of each input what no other has."""
        rows = [row.tobytes() for row in np.ascontiguousarray(self.ids)]
        edges = [tuple((name, tuple(own[name])) for name in sorted(own)) for own in self.relations]
        return list(zip(rows, edges, strict=True)) if self.relations else list(rows)

    def distinct(self) -> Inputs:
        """The inputs, each once."""
        return self.take(list({key: row for row, key in reversed(list(enumerate(self.keys())))}.values())[::-1])

    def outside(self, others: Inputs) -> Inputs:
        """The inputs that are not among others."""
        known = set(others.keys())
        return self.take([row for row, key in enumerate(self.keys()) if key not in known])

    @classmethod
    def joined(cls, parts: Sequence[Inputs], longest: int) -> Inputs:
        """The inputs of several parts one after the other, [B, longest]."""
        relations = tuple(own for part in parts for own in part.relations)
        return cls(np.concatenate([_padded(part.ids, longest) for part in parts]), relations)


# What share of each input's positions has each label [B, L]; all zero where the program has no value.
LabelShares: TypeAlias = Callable[[Inputs], Shares]
# So many inputs, drawn with a generator; a capacity for each length says how many there may be of it.
Sampler: TypeAlias = Callable[[Codes, int, Generator], Inputs]


def capacities(vocabulary: int, longest: int, *, relations: int = 0) -> Codes:
    """How many inputs there are of each length from 1 on, with so many relations between two different positions each;
    large numbers are cut off."""
    counts = (vocabulary**n << min(relations * n * (n - 1), 40) for n in range(1, longest + 1))
    return np.array([min(count, 1 << 40) for count in counts], dtype=np.intp)


def quotas(available: Codes, count: int) -> Codes:
    """How many of `count` inputs have each length: the same number of all, or as many as are available."""
    shares = np.zeros(len(available), dtype=np.intp)
    for left, length in zip(range(len(available), 0, -1), np.argsort(available, kind="stable"), strict=True):
        shares[length] = min(int(available[length]), (count - int(shares.sum())) // left)
    return shares


def random_inputs(vocabulary: int) -> Sampler:
    """Every token of an input is drawn evenly from the vocabulary, whatever the others are."""

    def sample(available: Codes, count: int, rng: Generator) -> Inputs:
        wanted = enumerate(quotas(available, count).tolist(), 1)
        return Inputs.joined([Inputs(_distinct(vocabulary, n, size, rng)) for n, size in wanted], len(available))

    return sample


def balanced_inputs(vocabulary: int, shares: LabelShares) -> Sampler:
    """Inputs grow token by token, and those are kept whose labels are rare: random ones never close a bracket.

    At each length the candidates are the inputs kept so far, each continued by several tokens. They are weighted so
    that all labels together are equally frequent (as far as candidates allow), and a sample is drawn by these weights.
    """

    def sample(available: Codes, count: int, rng: Generator) -> Inputs:
        wanted = quotas(available, count)
        size, longest = int(wanted.max()), len(available)
        population = np.empty((1, 0), dtype=np.intp)
        found = []
        for share in wanted.tolist():
            candidates = _continued(population, vocabulary, rng)
            population = candidates[weighted(log_weights(shares(Inputs(candidates))), size, rng)]
            found.append(Inputs(population[rng.permutation(len(population))[:share]]))
        return Inputs.joined(found, longest)

    return sample


def log_weights(shares: Shares) -> Shares:
    """Logarithms of weights [B] under which the labels are as even as possible.

    Iterative scaling: of all weights with even labels, those closest to equal ones are exponentials of a sum with one
    number for each label (Darroch and Ratcliff 1972); a label that is too rare gets a larger number in each round.
    """
    present = shares[:, shares.sum(axis=0) > 0]
    scores = np.zeros(present.shape[1])
    for _ in range(_ROUNDS if present.size else 0):
        weights = np.exp(present @ scores - (present @ scores).max())
        frequencies = weights @ present
        scores -= np.log(frequencies / frequencies.mean())
    return np.asarray(present @ scores)


def weighted(logs: Shares, size: int, rng: Generator) -> Codes:
    """Places of `size` draws without replacement: those with the largest logarithm plus Gumbel noise."""
    return np.argsort(-(logs + rng.gumbel(size=len(logs))), kind="stable")[:size]


def _continued(population: Codes, vocabulary: int, rng: Generator) -> Codes:
    """Each input with one more token, for several different tokens."""
    count = min(vocabulary, _CONTINUATIONS)
    order = rng.permuted(np.broadcast_to(np.arange(vocabulary), (len(population), vocabulary)), axis=1)[:, :count]
    return np.column_stack([np.repeat(population, count, axis=0), order.reshape(-1)])


def _distinct(vocabulary: int, length: int, count: int, rng: Generator) -> Codes:
    """Different inputs [count, length]; there must be as many."""
    if vocabulary**length <= max(_ENUMERATED, 4 * count):
        numbers = rng.choice(vocabulary**length, count, replace=False)
        return numbers[:, None] // vocabulary ** np.arange(length) % vocabulary
    found = np.empty((0, length), dtype=np.intp)
    while len(found) < count:
        more = rng.integers(0, vocabulary, (count - len(found) + count // 8 + 1, length))
        found = np.unique(np.concatenate([found, more]), axis=0)
    return found[rng.permutation(len(found))[:count]]


def _padded(rows: Codes, longest: int) -> Codes:
    return np.pad(rows, ((0, 0), (0, longest - rows.shape[1])), constant_values=-1)


def encoded(inputs: Iterable[Sequence[Atom]], vocabulary: Sequence[Atom], longest: int) -> Inputs:
    """The different ones of some inputs. DataFault for one that is too long, and for unknown tokens."""
    known = {atom_key(token): number for number, token in enumerate(vocabulary)}
    rows, relations = [], []
    for number, tokens in enumerate(inputs, 1):
        if len(tokens) > longest:
            raise DataFault(f"input {number} has {len(tokens)} tokens, and the maximum length is {longest}")
        if (unknown := next((token for token in tokens if atom_key(token) not in known), None)) is not None:
            raise DataFault(f"input {number} has the token {unknown!r}, which is not in the vocabulary")
        ids = [known[atom_key(token)] for token in tokens]
        rows.append([*ids, *[-1] * (longest - len(ids))])
        relations.append(relations_of(tokens))
    given = tuple(relations) if any(relations) else ()
    return Inputs(np.array(rows, dtype=np.intp).reshape(-1, longest), given).distinct()

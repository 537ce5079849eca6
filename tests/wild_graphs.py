"""Small programs of all node kinds on inputs of awkward values, each drawn from one seed."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from rasp.graph import (
    Aggregate,
    And,
    Best,
    Constant,
    Not,
    Or,
    Prefer,
    Select,
    Selector,
    SelectorWidth,
    SOp,
    apply,
    full,
    indices,
    length,
    tokens,
    tokens_asis,
    tokens_bool,
    tokens_float,
    tokens_int,
    where,
)
from rasp.operations import Atom

POOLS: tuple[tuple[Atom, ...], ...] = (
    ("a", "b", "c"),
    ("a",),
    ("0", "1", "2", "10"),
    (0, 1, 2),
    (True, False),
    (0, 0.0, -0.0, False),
    (1, 1.0, True, 2),
    (0.1, math.nextafter(0.1, 1), 1 / 3, 0.3),
    (2**63, 2**63 + 1, 2**63 - 1, float(2**63)),
    (-(2**70), 2**70, 2**53, 2**53 + 1, float(2**53)),
    (5e-324, -5e-324, 1e-310, 1.0),
    (1e308, 1.7e308, -1.7e308, 1.0),
    (10**400, 1, 2.5),
    (math.inf, 1.0, 2),
    (math.inf, -math.inf, math.nan, 0.5),
    (math.inf, 1.7e308, -1.7e308),
    (math.nan, 1, 2),
    ("a", 1),
    ("a", 1, 2.5, True),
)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Wild:
    """A program, and inputs over one pool of values."""

    root: SOp
    inputs: tuple[tuple[Atom, ...], ...]
    causal: bool


def wild(seed: int, *, count: int = 1, longest: int = 12) -> Wild:
    """The program and inputs of a seed."""
    rng = random.Random(seed)
    pool = rng.choice(POOLS)
    root = _Grower(rng, pool).sop(rng.randint(1, 4))
    inputs = tuple(tuple(rng.choice(pool) for _ in range(rng.randint(1, longest))) for _ in range(count))
    return Wild(root, inputs, rng.random() < 0.25)


class _Grower:
    def __init__(self, rng: random.Random, pool: Sequence[Atom]) -> None:
        self.rng, self.pool = rng, pool
        self.sops: list[SOp] = [tokens_asis, tokens_asis, indices, length]
        self.selectors: list[Selector] = [full]

    def sop(self, depth: int) -> SOp:
        if depth <= 0 or self.rng.random() < 0.25:
            return self.rng.choice([*self.sops, tokens, tokens_asis, indices, self._constant(), self._constant()])
        found = self.rng.choice([self._aggregate, self._aggregate, self._width, self._map, self._map, self._token])(
            depth
        )
        self.sops.append(found)
        return found

    def _constant(self) -> SOp:
        return Constant(self.rng.choice([*self.pool, 0, 1, -1, 0.5, True]))

    def _token(self, depth: int) -> SOp:
        return self.rng.choice([tokens, tokens_int, tokens_float, tokens_bool, tokens_asis])

    def _aggregate(self, depth: int) -> SOp:
        default = self.rng.choice([0, 0, 0, -0.0, 1.5, True, "", *self.pool])
        return Aggregate(self.selector(depth - 1), self.sop(depth - 1), default)

    def _width(self, depth: int) -> SOp:
        return SelectorWidth(self.selector(depth - 1))

    def _map(self, depth: int) -> SOp:
        a, b = self.sop(depth - 1), self.sop(depth - 1)
        if self.rng.random() < 0.25:
            return where(apply(self.rng.choice(COMPARISONS), a, b), b, self.sop(depth - 1))
        if self.rng.random() < 0.3:
            return apply(self.rng.choice(["not", "neg", "pos", "round", "indicator"]), a)
        return apply(self.rng.choice(["+", "-", "*", "/", "%", "^", "and", "or", *COMPARISONS]), a, b)

    def selector(self, depth: int) -> Selector:
        if self.rng.random() < 0.15:
            return self.rng.choice(self.selectors)
        found = self._selector(depth)
        self.selectors.append(found)
        return found

    def _selector(self, depth: int) -> Selector:
        kind = self.rng.randrange(10) if depth > 0 else 0
        if kind < 4:
            keys, queries = self.sop(depth - 1), self.sop(depth - 1)
            return Select(keys, self.rng.choice([keys, queries, queries]), self.rng.choice(COMPARISONS))
        inner = self.selector(depth - 1)
        if kind in (4, 5):
            return And(inner, self.selector(depth - 1))
        if kind == 6:
            return Or(inner, self.selector(depth - 1))
        if kind == 7:
            return Not(inner)
        if kind == 8:
            return Best(inner, self.sop(depth - 1))
        return Prefer(inner, self.selector(depth - 1))

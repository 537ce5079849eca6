"""Random programs of Tracr, of all its operations, over the tokens 0, 1 and 2."""

from __future__ import annotations

import random
from typing import Any

MAPS = (
    lambda x: x + 1,
    lambda x: x / 2,
    lambda x: -x,
    lambda x: x == 1,
    lambda x: not x,
    lambda x: str(int(x)),
    lambda x: None if x == 1 else x,
)
OPERATORS = (
    lambda s: s + 1,
    lambda s: 2 - s,
    lambda s: s * 0.5,
    lambda s: 3 * s,
    lambda s: s < 1,
    lambda s: s >= 0.5,
    lambda s: s == 1,
    lambda s: s != 0,
    lambda s: ~s,
)
PAIRS = (
    lambda x, y: x - y,
    lambda x, y: x and y,
    lambda x, y: x == y,
    lambda x, y: x / (y + 1),
    lambda x, y: (x, y),
    min,
)
TWO_SIDED = (
    lambda s, t: s - t,
    lambda s, t: s + t,
    lambda s, t: s * t,
    lambda s, t: s | t,
    lambda s, t: s & t,
)
PREDICATES = (
    lambda key, query: key == query - 1,
    lambda key, query: key + query > 2,
    lambda key, query: key is None or key == query,
)
FILLS = (2, 0.5, True, None, "x")
DEFAULTS = (None, None, 0, 0.5, True, "z")


def random_tracr(t: Any, rng: random.Random, depth: int = 4) -> Any:
    """An s-op of the module `tracr.rasp.rasp`, or of what stands in for it."""
    kinds = {"operator": 4, "two-sided": 3, "map": 4, "pairs": 3, "linear": 1, "width": 3, "aggregate": 8, "leaf": 3}
    kind = rng.choices(list(kinds), list(kinds.values()))[0] if depth else "leaf"
    match kind:
        case "operator":
            return rng.choice(OPERATORS)(random_tracr(t, rng, depth - 1))
        case "two-sided":
            return rng.choice(TWO_SIDED)(random_tracr(t, rng, depth - 1), random_tracr(t, rng, depth - 1))
        case "map":
            return t.Map(rng.choice(MAPS), random_tracr(t, rng, depth - 1), simplify=rng.random() < 0.5)
        case "pairs":
            return t.SequenceMap(rng.choice(PAIRS), random_tracr(t, rng, depth - 1), random_tracr(t, rng, depth - 1))
        case "linear":
            sides = random_tracr(t, rng, depth - 1), random_tracr(t, rng, depth - 1)
            return t.LinearSequenceMap(*sides, *rng.choice([(1, -1), (2, 0.5), (0, 1)]))
        case "width":
            return t.SelectorWidth(_selector(t, rng, depth - 1))
        case "aggregate":
            selector = _selector(t, rng, depth - 1)
            return t.Aggregate(selector, random_tracr(t, rng, depth - 1), rng.choice(DEFAULTS))
    return rng.choice([t.tokens, t.tokens, t.tokens, t.indices, t.indices, t.length, t.Full(rng.choice(FILLS))])


def _selector(t: Any, rng: random.Random, depth: int) -> Any:
    if depth <= 0 or rng.random() < 0.6:
        keys, queries = (random_tracr(t, rng, max(depth - 1, 0)) for _ in range(2))
        predicates = list(t.Comparison) if rng.random() < 0.7 else PREDICATES
        return t.Select(keys, queries, rng.choice(predicates))
    first, second = (_selector(t, rng, depth - 1) for _ in range(2))
    return rng.choice([first & second, first | second, t.SelectorAnd(first, second), ~first, t.SelectorNot(first)])

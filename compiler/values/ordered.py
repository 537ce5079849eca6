"""How many keys a comparison selects where the keys rise or fall along the positions: no table of all pairs is made.

The keys below a number, at it and above it then stand side by side, so a query selects those from one position to
before another, or all but those; and of the first m keys as many as lie below m.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np

from compiler.selectors import Conjunction
from compiler.values.grid import Along, Cells, Ints
from compiler.values.sets import ValueSet, ValueSets
from rasp.graph import Fits, Select


class Causal(ValueSets, Protocol):
    """Where it is known besides whether keys after the query are masked."""

    @property
    def causal(self) -> bool: ...


Counted = Callable[[Ints, Ints], Ints]
_REVERSED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


def ordered_counts(analysis: Causal, selector: Conjunction) -> tuple[Cells, Cells] | None:
    """The fewest and the most keys that a selector selects; None where it is no comparison of ordered ints."""
    formula = selector.predicates[0].formula if len(selector.predicates) == 1 else None
    if not isinstance(formula, Select) or isinstance(formula, Fits) or selector.mask is not None:
        return None
    queries, keys = (_ints(analysis[side]) for side in (formula.queries, formula.keys))
    ordered = None if keys is None else keys.by_position
    if not isinstance(formula.op, str) or queries is None or ordered is None:
        return None
    rises = np.diff(ordered) >= 0
    if not rises.all() and np.any(np.diff(ordered) > 0):
        return None
    if rises.all():
        return first_keys(queries, analysis.causal, _count(ordered, formula.op))
    return first_keys(queries.map(np.negative), analysis.causal, _count(-ordered, _REVERSED[formula.op]))


def _ints(values: ValueSet) -> Cells | None:
    """The int that an s-op has in each cell; None where it may have several, or others."""
    if not values.listed or not values.is_decided or any(type(v) is not int or abs(v) > 2**53 for v in values.universe):
        return None
    return values.cell_pattern.map(np.array(values.universe, dtype=np.intp)[values.decided_codes].__getitem__)


def _count(keys: Ints, op: str) -> Counted:
    """How many of the first m rising keys compare with a query as they should."""
    stretches: Mapping[str, Callable[[Ints, Ints], tuple[Ints, Ints]]] = {
        "<": lambda left, right: (np.zeros_like(left), left),
        "<=": lambda left, right: (np.zeros_like(left), right),
        ">": lambda left, right: (right, np.full_like(left, len(keys))),
        ">=": lambda left, right: (left, np.full_like(left, len(keys))),
    }

    def count(queries: Ints, m: Ints) -> Ints:
        left, right = (np.searchsorted(keys, queries, side) for side in ("left", "right"))
        start, stop = stretches[op](left, right) if op in stretches else (left, right)
        found: Ints = np.maximum(np.minimum(stop, m) - start, 0)
        return m - found if op == "!=" else found

    return count


def first_keys(queries: Cells, causal: bool, count: Counted) -> tuple[Cells, Cells]:
    """The fewest and the most of the first keys that a query selects, as `count(number of the query, how many)` says.

    There are as many keys as tokens, or under a causal mask those up to the query. More keys never select fewer. So
    where the query's number depends on the position, or on the distance from the end, the count does so alone if it
    is the same at the shortest and at the longest input that there is. Else it is found for every cell, where these are
    not too many, and those two counts are the bounds.
    """
    if queries.along == "cell":
        return _for_all(queries, causal, count)
    grid, numbers = queries.grid, np.broadcast_to(queries.numbers, queries.grid.max_length)
    upto = np.arange(1, grid.max_length + 1)
    own: dict[Along, Along] = {"nothing": "position" if causal else "length"}
    along = own.get(queries.along, queries.along)
    if along == ("position" if causal else "length"):
        exact = Cells.by(grid, along, count(numbers, upto))
        return exact, exact
    if along == "length" or (grid.is_small and causal):
        return _for_all(queries, causal, count)
    fewest = count(numbers, np.ones_like(upto) if causal else upto)
    most = count(numbers, upto[::-1] if causal else np.full_like(upto, grid.max_length))
    if grid.is_small and not np.array_equal(fewest, most):
        return _for_all(queries, causal, count)
    return Cells.by(grid, along, fewest), Cells.by(grid, along, most)


def _for_all(queries: Cells, causal: bool, count: Counted) -> tuple[Cells, Cells]:
    grid = queries.grid
    found = Cells.of(grid, count(queries.full, grid.position + 1 if causal else grid.length))
    return found, found

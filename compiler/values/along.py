"""S-ops as functions of one number: what they are along its values."""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.selectors import JOINT
from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import UNDEFINED, Categorical, evaluate
from rasp.graph import Constant, Map, SOp, topological


def along(analysis: ValueAnalysis, core: SOp, node: SOp) -> list[tuple[Any, Any]]:
    """The values that two s-ops have together, without those that have none.

    Where the second one reads nothing but the first, it is evaluated at each value of that. What the first one is made
    of, and in how many ways, then does not matter.
    """
    if not reads_only(node, core) or not analysis[core].listed:
        return [pair for pair in analysis.table(Map(JOINT, (core, node)))[1] if pair is not UNDEFINED]
    universe = analysis[core].universe
    column = Categorical(universe, np.arange(len(universe), dtype=np.intp))
    found = evaluate(node, {core: column}, len(universe))[node].decoded
    return [pair for pair in zip(universe, found, strict=True) if pair[1] is not UNDEFINED]


def reads_only(node: SOp, core: SOp) -> bool:
    """Whether an s-op is made of another one and of constants by elementwise operations."""
    return all(isinstance(part, (Map, Constant)) for part in topological([node], {core}))

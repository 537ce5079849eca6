"""Which of two means is larger, where the values of both are too many to list.

Two different means of numbers on an arithmetic progression of step h lie at least h/(m·n) apart, if they are means of m
and of n of them. So the *excess* max(x − y, 0), or the *distance* |x − y|, is 0 or at least that: a raw number of two
hidden units, ReLU(x − y) and ReLU(y − x). The next feed-forward tells by one step whether it is 0. Either is a source
of its own: nothing is evaluated over the values of its means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from compiler.operations.opaque import Opaque
from rasp.graph import Map, Node, SOp


@dataclass(frozen=True)
class MeanDifference(Opaque):
    """By how much the first number is larger than the second, or 0; `both`: by how much one is larger."""

    both: bool = False


EXCESS = MeanDifference("gap", 2, (), lambda a, b: max(a - b, 0))
DISTANCE = MeanDifference("distance", 2, (), lambda a, b: abs(a - b), None, True)


def excess(left: SOp, right: SOp) -> Map:
    """max(left − right, 0)."""
    return Map(EXCESS, (left, right))


def distance(left: SOp, right: SOp) -> Map:
    """|left − right|."""
    return Map(DISTANCE, (left, right))


def is_difference(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and isinstance(node.op, MeanDifference)

"""Covers: a set of value combinations as few disjoint boxes, each a product of one value set a source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import islice, permutations
from typing import TypeAlias

Box: TypeAlias = tuple[frozenset[int], ...]
_ORDERS = 6


def cover(points: Sequence[tuple[int, ...]]) -> list[Box]:
    """Disjoint boxes that contain exactly these points. Of several orders of merging, the one with fewest boxes."""
    if not points:
        return []
    orders = islice(permutations(range(len(points[0]))), _ORDERS)
    return min((_merged(points, order) for order in orders), key=len)


def _merged(points: Sequence[tuple[int, ...]], order: Sequence[int]) -> list[Box]:
    """Start from single points; along each source join the boxes that agree in all others."""
    boxes: list[Box] = [tuple(frozenset([code]) for code in point) for point in points]
    for axis in order:
        groups: dict[Box, frozenset[int]] = defaultdict(frozenset)
        for box in boxes:
            groups[box[:axis] + box[axis + 1 :]] |= box[axis]
        boxes = [(*rest[:axis], codes, *rest[axis:]) for rest, codes in groups.items()]
    return boxes

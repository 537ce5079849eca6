"""Covers: a set of value combinations as few disjoint boxes, each a product of one value set a source."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, islice, permutations
from typing import TypeAlias

Box: TypeAlias = tuple[frozenset[int], ...]
ORDERS = 6


def cover(points: Sequence[tuple[int, ...]]) -> list[Box]:
    """Disjoint boxes that contain exactly these points. Of several orders of merging, the one with fewest boxes."""
    if not points:
        return []
    single = {code: frozenset([code]) for code in set(chain.from_iterable(points))}
    boxes: list[Box] = [tuple(map(single.__getitem__, point)) for point in points]
    orders = islice(permutations(range(len(points[0]))), ORDERS)
    return min((_merged(boxes, order) for order in orders), key=len)


def _merged(boxes: list[Box], order: Sequence[int]) -> list[Box]:
    """Along each source in turn, the boxes that agree in all others are joined."""
    for axis in order:
        groups: dict[Box, frozenset[int]] = defaultdict(frozenset)
        for box in boxes:
            groups[box[:axis] + box[axis + 1 :]] |= box[axis]
        boxes = [(*rest[:axis], codes, *rest[axis:]) for rest, codes in groups.items()]
    return boxes

"""S-ops that are stored on the way: what reads them goes on from there, in a feed-forward after theirs.

An elementwise s-op is a table over all that it reads, or it is made in steps: a part of it is stored one-hot or as an
integer, and read like what a head has written. That is as exact, as a stored value is exactly 0 or 1, or an integer.
What is no longer known is how the part goes together with what it is made of, so that combinations are listed that
never occur. A *stored* s-op has the values of the s-op it stores and is a source of its own.
"""

from __future__ import annotations

from typing import TypeGuard

from rasp.graph import Map, Node, SOp
from rasp.operations import Operation

STORED = Operation("stored", 1, (), lambda value: value)


def stored(node: SOp) -> Map:
    """The s-op as it is stored, to be read on from there."""
    return Map(STORED, (node,))


def is_stored(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and node.op is STORED


def made(node: SOp) -> SOp:
    """What the feed-forward that stores an s-op computes."""
    return node.args[0] if is_stored(node) else node

"""S-ops that are stored on the way: what reads them goes on from there, in a feed-forward after theirs.

An elementwise s-op is a table over all that it reads, or it is made in steps: a part of it is stored one-hot or as an
integer, and read like what a head has written. That is as exact, as a stored value is exactly 0 or 1, or an integer.
What is no longer known is how the part goes together with what it is made of, so that combinations are listed that
never occur. A *stored* s-op has the values of the s-op it stores and is a source of its own.

An *intervened* s-op is one that is stored for another value to be put in its place. It may have any of the values of
the s-op it stores at any position, whatever that one can be there: so all that is proved of what reads it holds for
whatever is put in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeGuard

from compiler.operations.opaque import Opaque
from rasp.graph import Map, Node, SOp


@dataclass(frozen=True)
class Stored(Opaque):
    """What it reads, as it is stored."""


@dataclass(frozen=True)
class Intervened(Stored):
    """What it reads, or whatever is put in its place."""


STORED = Stored("stored", 1, (), lambda value: value)
KEPT = Stored("kept", 1, (), lambda value: value)
INTERVENED = Intervened("intervened", 1, (), lambda value: value)


def stored(node: SOp) -> Map:
    """The s-op as it is stored, to be read on from there."""
    return Map(STORED, (node,))


def kept(node: SOp) -> Map:
    """The s-op as it is stored whatever else is: nothing is lost, nor gained, by looking for another way."""
    return Map(KEPT, (node,))


def intervened(node: SOp) -> Map:
    """The s-op as it is stored for other values to be put in."""
    return Map(INTERVENED, (node,))


def is_stored(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and isinstance(node.op, Stored)


def is_kept(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and node.op == KEPT


def is_intervened(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and isinstance(node.op, Intervened)


def made(node: SOp) -> SOp:
    """What the feed-forward that stores an s-op computes."""
    return node.args[0] if is_stored(node) else node

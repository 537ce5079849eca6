"""What a rewrite of the graph does to one node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from rasp.graph import Map, Node, SOp


@dataclass(frozen=True)
class Change:
    """What a pass puts in the place of a node, and the note on it, if any, given the text of the node.

    `named` are new parts without a name of their own: "{}" in it stands for the text of the old node, or, where the
    part is a selector, of the old node's.
    """

    node: Node
    note: Callable[[str], str] | None = None
    named: Mapping[Node, str] = field(default_factory=dict)


def with_parts(root: SOp, new: dict[SOp, SOp]) -> SOp:
    """An elementwise s-op with others in the place of its parts."""
    if root not in new:
        new[root] = Map(root.op, tuple(with_parts(arg, new) for arg in root.args)) if isinstance(root, Map) else root
    return new[root]

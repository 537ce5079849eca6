"""What a check needs, as bytes for other processes: nodes of the s-op graph, models, and Python functions by value.

Nodes stand in the stream one after another, children first, so that a graph may be deeper than pickle can nest; what
comes later names them by their place. Read back, equal nodes are one node again.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from dataclasses import fields
from io import BytesIO
from typing import Any

import cloudpickle

from rasp.graph import Node, topological


class _Writer(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles, with places in the stream for nodes."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file)
        self.places: dict[Node, int] = {}

    def persistent_id(self, found: Any) -> int | None:
        """The place of a node that is in the stream already."""
        return self.places.get(found) if isinstance(found, Node) else None


class _Reader(pickle.Unpickler):
    """Reads what a writer wrote."""

    def __init__(self, file: BytesIO) -> None:
        super().__init__(file)
        self.nodes: list[Node] = []

    def persistent_load(self, place: int) -> Node:
        """The node at a place."""
        return self.nodes[place]


def packed(found: object, roots: Iterable[Node]) -> bytes:
    """An object as bytes, with all nodes that it names among what the roots are made of.

    TypeError, pickle.PicklingError and others where something in it is no data: an open file, a library's handle.
    """
    file = BytesIO()
    writer, nodes = _Writer(file), list(topological(roots))
    writer.dump(len(nodes))
    for place, node in enumerate(nodes):
        writer.dump((type(node), tuple(getattr(node, field.name) for field in fields(node))))
        writer.places[node] = place
    writer.dump(found)
    return file.getvalue()


def unpacked(content: bytes) -> Any:
    """The object again."""
    reader = _Reader(BytesIO(content))
    for _ in range(reader.load()):
        kind, parts = reader.load()
        reader.nodes.append(kind(*parts))
    return reader.load()

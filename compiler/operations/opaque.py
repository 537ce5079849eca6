"""Elementwise s-ops that are sources of their own: of what they read nothing is known but the values they can have.

Nothing is evaluated over the values of what such an s-op reads, which are too many, or are to be forgotten. It has a
rule in the value analysis, and an encoding in `compiler/encodings`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rasp.graph import Map, Node
from rasp.operations import Operation


@dataclass(frozen=True)
class Opaque(Operation):
    """An operation whose s-op is a source of its own."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it is: the language has no operation of that name."""
        return type(self), (self.name, self.arity, self.key, self.function, self.vector)


def is_opaque(node: Node) -> bool:
    """Whether an elementwise s-op is a source of its own, not a function of what it reads."""
    return isinstance(node, Map) and isinstance(node.op, Opaque)

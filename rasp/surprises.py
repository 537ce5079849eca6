"""Places where a reader would expect another grouping than the language has: warnings that never change a meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from rasp.parser import COMPARISONS
from rasp.source import Span
from rasp.syntax import Binary, Expression, In, Node, Ternary, Unary, walk
from rasp.visible import visible


@dataclass(frozen=True)
class Surprise:
    """What may surprise, where, and the text with the brackets that show how it is read."""

    message: str
    span: Span
    grouping: str

    def __str__(self) -> str:
        head = f"{self.span}: warning: {self.message}"
        return f"{head}\n{self.span.excerpt()}\n  read as: {visible(self.grouping)}"


def surprises(tree: Node) -> list[Surprise]:
    """Every surprising grouping of a tree, in the order of the text."""
    found = [surprise for node in walk(tree) for surprise in _RULES.get(type(node), _nothing)(node)]
    return sorted(found, key=lambda surprise: surprise.span.start)


def _nothing(node: Node) -> Iterator[Surprise]:
    return iter(())


def _surprise(message: str, node: Node, *parts: Expression) -> Surprise:
    """The surprise of a node whose `parts` (disjoint, in order) are read as if in brackets."""
    text, at = "", node.span.start
    for part in parts:
        text += node.span.source.text[at : part.span.start] + f"({part.span.text})"
        at = part.span.end
    return Surprise(message, node.span, " ".join((text + node.span.source.text[at : node.span.end]).split()))


def _negated(node: Expression) -> bool:
    return isinstance(node, Unary) and node.op == "not"


def _logical(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in ("and", "or")


def _compares(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in COMPARISONS


def _binary(node: Binary) -> Iterator[Surprise]:
    left = node.left
    if node.op in COMPARISONS and _negated(left):
        yield _surprise("not binds tighter than a comparison", node, left)
    if node.op in COMPARISONS and _compares(left):
        yield _surprise("comparisons do not chain", node, left)
    if node.op in ("and", "or") and isinstance(left, Binary) and left.op in ("and", "or") and left.op != node.op:
        yield _surprise("and and or share one level, from left to right", node, left)


def _in(node: In) -> Iterator[Surprise]:
    if _negated(node.item):
        yield _surprise("not binds tighter than in", node, node.item)
    loose = [
        part
        for part in (node.item, node.collection)
        if _logical(part) or _compares(part) or isinstance(part, (Ternary, In))
    ]
    if loose:
        yield _surprise("in is the loosest operator", node, *loose)


def _ternary(node: Ternary) -> Iterator[Surprise]:
    if isinstance(node.then, Ternary):
        yield _surprise("if else groups to the left", node, node.then)


_RULES: dict[type[Node], Callable[[Any], Iterator[Surprise]]] = {Binary: _binary, In: _in, Ternary: _ternary}

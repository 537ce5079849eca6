"""Places where a reader would expect another grouping than the language has: warnings that never change a meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import itemgetter
from typing import Any

from rasp.language.parser import COMPARISONS
from rasp.language.syntax import Binary, Expression, In, Node, Statement, Ternary, Unary, walk
from rasp.source import Span
from rasp.visible import visible

_LONGEST = 120


@dataclass(frozen=True)
class LintWarning:
    """What may surprise, where, and the text (of a long one both ends) with the brackets that show how it is read."""

    message: str
    span: Span
    grouping: str

    def __str__(self) -> str:
        head = f"{self.span}: warning: {self.message}"
        return f"{head}\n{self.span.excerpt()}\n  read as: {visible(self.grouping)}"


@dataclass(frozen=True)
class _Reading:
    """A node whose `parts` (disjoint) are read as if they stood in brackets."""

    message: str
    node: Node
    parts: tuple[Expression, ...]


def lint(tree: Node) -> list[LintWarning]:
    """A warning for each statement with surprising groupings, in the order of the text."""
    statements = (node for node in walk(tree) if isinstance(node, Statement))
    found = [_warning(readings) for statement in statements if (readings := _readings(statement))]
    return sorted(found, key=lambda warning: warning.span.start)


def _readings(statement: Statement) -> list[_Reading]:
    """What may surprise in a statement, in the order of the text; statements inside it have warnings of their own."""
    found: list[_Reading] = []
    waiting: list[Node] = [statement]
    while waiting:
        node = waiting.pop()
        found += _RULES.get(type(node), _nothing)(node)
        waiting += [child for child in node.children if not isinstance(child, Statement)]
    return sorted(found, key=lambda reading: reading.node.span.start)


def _nothing(node: Node) -> Iterator[_Reading]:
    return iter(())


def _warning(readings: Sequence[_Reading]) -> LintWarning:
    """One warning for all, with all their brackets."""
    span = reduce(Span.__or__, (reading.node.span for reading in readings))
    parts = {part.span for reading in readings for part in reading.parts}
    brackets = [(part.start, "(") for part in parts] + [(part.end, ")") for part in parts]
    text, at = "", span.start
    for place, bracket in sorted(brackets, key=itemgetter(0)):
        text += span.source.text[at:place] + bracket
        at = place
    messages = dict.fromkeys(reading.message for reading in readings)
    return LintWarning("; ".join(messages), span, _bounded(text + span.source.text[at : span.end]))


def _bounded(text: str) -> str:
    """The text on one line, without its middle where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"


def _negated(node: Expression) -> bool:
    return isinstance(node, Unary) and node.op == "not"


def _logical(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in ("and", "or")


def _compares(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in COMPARISONS


def _binary(node: Binary) -> Iterator[_Reading]:
    left = node.left
    if node.op in COMPARISONS and _negated(left):
        yield _Reading("not binds tighter than a comparison", node, (left,))
    if node.op in COMPARISONS and _compares(left):
        yield _Reading("comparisons do not chain", node, (left,))
    if node.op in ("and", "or") and isinstance(left, Binary) and left.op in ("and", "or") and left.op != node.op:
        yield _Reading("and and or share one level, from left to right", node, (left,))


def _in(node: In) -> Iterator[_Reading]:
    if _negated(node.item):
        yield _Reading("not binds tighter than in", node, (node.item,))
    loose = [
        part
        for part in (node.item, node.collection)
        if _logical(part) or _compares(part) or isinstance(part, (Ternary, In))
    ]
    if loose:
        yield _Reading("in is the loosest operator", node, tuple(loose))


def _ternary(node: Ternary) -> Iterator[_Reading]:
    if isinstance(node.then, Ternary):
        yield _Reading("if else groups to the left", node, (node.then,))


_RULES: dict[type[Node], Callable[[Any], Iterator[_Reading]]] = {Binary: _binary, In: _in, Ternary: _ternary}

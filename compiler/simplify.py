"""Rewrites of the graph that keep its meaning and trade heads for width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, cast

from rasp.elementwise import OPERATIONS
from rasp.expression import expression
from rasp.graph import And, Map, Node, Or, Select, Selector, SelectorWidth, SOp, topological

_DISJOINT = ({"<", "=="}, {">", "=="}, {"<", ">"}, {"<", ">="}, {">", "<="}, {"==", "!="})


@dataclass(frozen=True)
class Rewritten:
    """The new roots, the name of every renamed node, and what was traded for what."""

    roots: tuple[SOp, ...]
    names: dict[Node, str]
    notes: tuple[str, ...]


def rewrite(roots: tuple[SOp, ...], names: Mapping[Node, str], prefer: str) -> Rewritten:
    """The s-ops to compile: as they are, or with wide heads split where `prefer` is `small`."""
    return split_widths(roots, names) if prefer == "small" else Rewritten(roots, dict(names), ())


def split_widths(roots: Sequence[SOp], names: Mapping[Node, str]) -> Rewritten:
    """The s-ops with the width of a disjoint `or` as the sum of two widths.

    A head that is uniform over a lexicographic order needs one dimension a value (`a < b or (a == b and i < j)` over V
    values and N positions: V·N − 1). The two sides of the `or` never mark the same cell, so their widths add up, and
    each side is a narrow head of its own.
    """
    new: dict[Node, Node] = {}
    notes: list[str] = []
    renamed: dict[Node, str] = {}
    for node in topological(roots):
        rebuilt = _rebuilt(node, new)
        if isinstance(rebuilt, SelectorWidth) and (parts := _disjoint_parts(rebuilt.selector)) is not None:
            widths = [SelectorWidth(part) for part in parts]
            notes.append(f"two heads instead of one wide one for {expression(node, names)}")
            rebuilt = Map(OPERATIONS["+"], (widths[0], widths[1]))
        new[node] = rebuilt
        if node in names:
            renamed[rebuilt] = names[node]
    return Rewritten(tuple(cast(SOp, new[root]) for root in roots), {**names, **renamed}, tuple(notes))


def _rebuilt(node: Node, new: Mapping[Node, Node]) -> Node:
    values = [getattr(node, field.name) for field in fields(node)]
    return type(node)(*(tuple(new[v] for v in value) if _is_nodes(value) else _new(value, new) for value in values))


def _is_nodes(value: object) -> bool:
    return isinstance(value, tuple) and all(isinstance(item, Node) for item in value)


def _new(value: Any, new: Mapping[Node, Node]) -> Any:
    return new[value] if isinstance(value, Node) else value


def _disjoint_parts(selector: Selector) -> tuple[Selector, Selector] | None:
    """The two sides of an `or` that compare the same s-ops in ways that exclude each other."""
    if not isinstance(selector, Or):
        return None
    for left in _conjuncts(selector.left):
        for right in _conjuncts(selector.right):
            if left.keys is right.keys and left.queries is right.queries and {left.op, right.op} in _DISJOINT:
                return selector.left, selector.right
    return None


def _conjuncts(selector: Selector) -> list[Select]:
    if isinstance(selector, And):
        return _conjuncts(selector.left) + _conjuncts(selector.right)
    return [selector] if isinstance(selector, Select) else []

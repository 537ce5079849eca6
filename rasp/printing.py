"""A node written back as RASP: the text that errors, titles and reports call it by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rasp.graph import (
    Aggregate,
    AggregateLabels,
    And,
    Best,
    Constant,
    Fits,
    Indices,
    LabelledRelation,
    Map,
    Node,
    Not,
    Or,
    Prefer,
    Relation,
    Select,
    SelectorWidth,
    Tokens,
    full,
)
from rasp.operations import Atom, Symbol
from rasp.rules import Rules
from rasp.visible import printable

_LIMIT = 60
_PREFIX = {"neg": "-", "pos": "+", "not": "not "}
_CALL = {"round", "indicator"}
_INFIX = {"+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or"}


def expression(node: Node, names: Mapping[Node, str] | None = None, limit: int = _LIMIT) -> str:
    """RASP text of at most about `limit` characters for a node; parts with a name are shown by it, deep parts as …"""
    known = names or {}
    for depth in (6, 5, 4, 3, 2, 1):
        text = known.get(node) or _write(node, known, depth)
        if len(text) <= limit:
            return text
    return text


def literal(value: Atom) -> str:
    """An atom as it is written in a program."""
    return f'"{printable(value)}"' if isinstance(value, str) and not isinstance(value, Symbol) else repr(value)


def _write(node: Node, names: Mapping[Node, str], depth: int) -> str:
    if node is full:
        return "full_s"
    if depth == 0 and node.children:
        return "…"
    return _WRITERS[type(node)](node, lambda child: names.get(child) or _write(child, names, depth - 1))


def _map(node: Map, write: Callable[[Node], str]) -> str:
    args = [_grouped(arg, write) for arg in node.args]
    name = node.op.name
    if name in _INFIX:
        return f"{args[0]} {name} {args[1]}"
    if name in _PREFIX:
        return f"{_PREFIX[name]}{args[0]}"
    if name == "if":
        return f"{args[1]} if {args[0]} else {args[2]}"
    if name == "in":
        return f"{args[0]} in [{', '.join(_keys(node.op.key))}]"
    if name == "element":
        return f"[{', '.join(_keys(node.op.key))}][{write(node.args[0])}]"
    if name == "entry":
        return f"{{{', '.join(': '.join(_keys(pair)) for pair in _sequence(node.op.key))}}}[{write(node.args[0])}]"
    return f"{name}({', '.join(map(write, node.args))})"


def _sequence(key: Any) -> tuple[Any, ...]:
    return tuple(key)


def _keys(key: Any) -> list[str]:
    return [value if kind == "float" and isinstance(value, str) else literal(value) for kind, value in _sequence(key)]


def _grouped(node: Node, write: Callable[[Node], str]) -> str:
    text = write(node)
    wants = isinstance(node, Map) and node.op.name not in _CALL and (" " in text or text.startswith("-"))
    return f"({text})" if wants else text


def _aggregate(node: Aggregate, write: Callable[[Node], str]) -> str:
    default = "" if type(node.default) is int and node.default == 0 else f", {literal(node.default)}"
    return f"aggregate({write(node.selector)}, {write(node.value)}{default})"


def _aggregate_labels(node: AggregateLabels, write: Callable[[Node], str]) -> str:
    value = " + ".join([f"label({write(node.relation)})", *(_grouped(term, write) for term in node.terms)])
    default = "" if type(node.default) is int and node.default == 0 else f", {literal(node.default)}"
    return f"aggregate({write(node.selector)}, {value}{default})"


def _relation(node: Relation, label: str = "") -> str:
    text = f"relation({literal(node.input_name)}{label})"
    return f"transpose({text})" if node.transposed else text


def _selector_pair(word: str) -> Callable[[Any, Callable[[Node], str]], str]:
    def pair(node: Any, write: Callable[[Node], str]) -> str:
        sides = [f"({write(s)})" if isinstance(s, (And, Or)) else write(s) for s in (node.left, node.right)]
        return f"{sides[0]} {word} {sides[1]}"

    return pair


def _negation(node: Not, write: Callable[[Node], str]) -> str:
    inner = write(node.selector)
    return f"not ({inner})" if isinstance(node.selector, (And, Or)) else f"not {inner}"


_WRITERS: Rules[Callable[[Any, Callable[[Node], str]], str]] = Rules(
    "the writer of expressions",
    {
        Tokens: lambda node, _: "tokens" if node.kind == "str" else f"tokens_{node.kind}",
        Indices: lambda node, _: "indices",
        Constant: lambda node, _: literal(node.value),
        Map: _map,
        Aggregate: _aggregate,
        SelectorWidth: lambda node, write: (
            "length" if node.selector is full else f"selector_width({write(node.selector)})"
        ),
        AggregateLabels: _aggregate_labels,
        Relation: lambda node, _: _relation(node),
        LabelledRelation: lambda node, write: _relation(node.relation, f", {write(node.wanted)}"),
        Fits: lambda node, write: f"select({write(node.keys)}, {write(node.queries)}, {node.op.name})",
        Select: lambda node, write: f"select({write(node.keys)}, {write(node.queries)}, {node.op})",
        And: _selector_pair("and"),
        Or: _selector_pair("or"),
        Not: _negation,
        Best: lambda node, write: f"select_best({write(node.selector)}, {write(node.score)})",
        Prefer: lambda node, write: f"prefer({write(node.selector)}, {write(node.condition)})",
    },
)

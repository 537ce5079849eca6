"""The type an s-op's values have on every input, where the graph alone tells it.

A type is strings, ints, floats or bools; `numbers` stands for ints or floats, `unknown` for anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rasp.graph import (
    Aggregate,
    AggregateLabels,
    Constant,
    Indices,
    Map,
    Node,
    Selector,
    SelectorWidth,
    Tokens,
    topological,
)
from rasp.operations import Atom, Symbol
from rasp.rules import Rules

_NUMERIC = frozenset({"ints", "floats", "bools", "numbers"})
_ATOM = {bool: "bools", int: "ints", float: "floats", str: "strings", Symbol: "unknown"}
_BOOLEAN = frozenset({"==", "!=", "<", "<=", ">", ">=", "and", "or", "not", "in"})


def types_of(roots: Iterable[Node]) -> dict[Node, str]:
    """The type of every s-op the roots need."""
    found: dict[Node, str] = {}
    for node in topological(roots):
        if not isinstance(node, Selector):
            found[node] = _RULES[type(node)](node, found)
    return found


def _together(parts: Iterable[str]) -> str:
    """The type of a column that mixes values of these types."""
    kinds = set(parts)
    if len(kinds) == 1:
        return kinds.pop()
    if kinds == {"ints", "bools"}:
        return "ints"
    return "numbers" if kinds <= _NUMERIC else "unknown"


def _of_atoms(atoms: Iterable[Atom]) -> str:
    return _together(_ATOM[type(atom)] for atom in atoms)


def _map(node: Map, known: Mapping[Node, str]) -> str:
    args = [known[arg] for arg in node.args]
    name = node.op.name
    if name in _BOOLEAN:
        return "bools"
    if name in ("round", "indicator"):
        return "ints"
    if name == "if":
        return _together(args[1:])
    if name in ("+", "-", "*", "/", "%", "^", "neg", "pos"):
        return _arithmetic(name, args)
    return "unknown"


def _arithmetic(name: str, args: list[str]) -> str:
    if not set(args) <= _NUMERIC:
        return "strings" if name == "+" and set(args) == {"strings"} else "unknown"
    if name == "/" or "floats" in args:
        return "floats"
    return "numbers" if name == "^" or "numbers" in args else "ints"


def _aggregate(node: Aggregate, known: Mapping[Node, str]) -> str:
    value = known[node.value]
    if value == "ints":
        return "numbers"
    return _together([value, _ATOM[type(node.default)]]) if value != "strings" else "strings"


_RULES: Rules[Callable[[Any, Mapping[Node, str]], str]] = Rules(
    "the inference of types",
    {
        Tokens: lambda node, known: {"str": "strings", "asis": "unknown"}.get(node.kind, f"{node.kind}s"),
        Indices: lambda node, known: "ints",
        Constant: lambda node, known: _ATOM[type(node.value)],
        Map: _map,
        Aggregate: _aggregate,
        AggregateLabels: lambda node, known: "unknown",
        SelectorWidth: lambda node, known: "ints",
    },
)

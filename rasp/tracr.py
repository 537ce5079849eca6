"""Programs of Tracr as s-ops of this language: `rasp.from_tracr(sop)`, for those who have Tracr installed.

Tracr is not imported: its expressions are known by the names of their classes (those of `tracr.rasp.rasp`) and read by
their attributes. What they mean is what Tracr's own evaluator gives:

- a Map or SequenceMap gives None where an argument is None, and asks its function about nothing else;
- an aggregate that selects nothing gives its default, which is None unless it says so;
- a mean of bools is a mean of 0 and 1. So is the value of a single one, where Tracr has the bool itself; it stays one
  where the selector names a position.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rasp import graph
from rasp.errors import TypeFault
from rasp.graph import Node, Selector, SOp, elementwise, full, indices, length, select, tokens_asis, where
from rasp.recursion import deep_stack

_COMPARISONS = {"EQ": "==", "NEQ": "!=", "LT": "<", "LEQ": "<=", "GT": ">", "GEQ": ">="}


def from_tracr(expression: Any) -> Any:
    """The s-op or selector that a Tracr expression is. TypeFault for what is none.

    What it calls its parts is kept. Its Python functions are asked, when the result is compiled, about the values that
    can occur; arithmetic on means too many to list is better written with this language's own operators.
    """
    with deep_stack():
        return _Conversion().node(expression)


class _Conversion:
    """One conversion: each expression is converted once, however often it is used."""

    def __init__(self) -> None:
        self._known: dict[int, Node] = {}
        self._kept: list[Any] = []

    def node(self, expression: Any) -> Any:
        if id(expression) not in self._known:
            rule = next((_RULES[kind.__name__] for kind in type(expression).__mro__ if kind.__name__ in _RULES), None)
            if rule is None:
                raise TypeFault(
                    f"{type(expression).__name__} is no expression of Tracr that is known here",
                    hint=f"it has {', '.join(_RULES)}",
                )
            self._kept.append(expression)
            self._known[id(expression)] = _named(rule(self, expression), expression)
        return self._known[id(expression)]


def _named(node: Node, expression: Any) -> Node:
    """The node under the name that somebody gave to the expression; Tracr's own names say only what kind it is.

    Tracr gives a name of its own when it is first asked for one, as when the program is compiled there.
    """
    annotations = getattr(expression, "annotations", {})
    given = getattr(annotations, "_inner_dict", annotations)
    name = given.get("name") if hasattr(given, "get") else None
    own = {kind.__name__ for kind in type(expression).__mro__}
    return node.named(name) if isinstance(name, str) and name and name not in _own_names(own) else node


def _own_names(kinds: Iterable[str]) -> set[str]:
    """selector_and for SelectorAnd: what Tracr calls expressions of these classes by itself."""
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.removesuffix("Type")).lower() for kind in kinds}


@dataclass(frozen=True)
class _PastNone:
    """A function that is not asked about None. Two of one function are one."""

    function: Callable[..., Any]

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", "function")

    def __call__(self, *values: Any) -> Any:
        return None if None in values else self.function(*values)


@dataclass(frozen=True)
class _Cell:
    """Whether a matrix, given row by row, has a cell."""

    rows: tuple[tuple[bool, ...], ...]
    __name__ = "cell"

    def __call__(self, key: int, query: int) -> bool:
        return self.rows[query][key]


@dataclass(frozen=True)
class _Item:
    """The item of a list at a position."""

    items: tuple[Any, ...]
    __name__ = "item"

    def __call__(self, position: int) -> Any:
        return self.items[position]


def _as_number(value: Any) -> Any:
    """A bool as the number that a mean takes it for."""
    return int(value) if isinstance(value, bool) else value


def _linear(convert: _Conversion, found: Any) -> SOp:
    """The sum, and None where a side is None; where that cannot be, the compiler leaves the question out."""
    first, second = convert.node(found.fst), convert.node(found.snd)
    none = graph.sop(None)
    total = _times(where(first == none, 0, first), found.fst_fac) + _times(
        where(second == none, 0, second), found.snd_fac
    )
    return where((first == none) | (second == none), none, total)


def _times(node: SOp, factor: float) -> SOp:
    return node if factor == 1 else node * factor


def _aggregate(convert: _Conversion, found: Any) -> SOp:
    value: SOp = convert.node(found.sop)
    if not _one_at_most(found.selector):
        value = _numbers(value)
    return graph.aggregate(convert.node(found.selector), value, found.default)


def _one_at_most(selector: Any) -> bool:
    """Whether one key is selected or none, by the selector alone: it names a position. A bool then stays a bool."""
    return (
        _is(selector, "Select")
        and _is(selector.keys, "IndicesType")
        and getattr(selector.predicate, "name", None) == "EQ"
    )


def _numbers(value: SOp) -> SOp:
    """The values with bools as numbers, for a mean."""
    if isinstance(value, graph.Constant):
        return graph.sop(_as_number(value.value))
    return elementwise(_as_number, value) if _may_be_bool(value) else value


def _may_be_bool(value: SOp) -> bool:
    """Whether a bool can be among the values: functions may give some, and a default may be one."""
    if isinstance(value, graph.Aggregate):
        return isinstance(value.default, bool) or _may_be_bool(value.value)
    return isinstance(value, graph.Map) and value.op.name not in ("+", "-", "*", "if")


def _is(expression: Any, name: str) -> bool:
    return name in (kind.__name__ for kind in type(expression).__mro__)


def _select(convert: _Conversion, found: Any) -> Selector:
    keys, queries = convert.node(found.keys), convert.node(found.queries)
    name = getattr(found.predicate, "name", None)
    if name in ("TRUE", "FALSE"):
        return full if name == "TRUE" else ~full
    return select(keys, queries, _COMPARISONS.get(name or "", found.predicate))


def _matrix(rows: Sequence[Sequence[Any]]) -> Selector:
    return select(indices, indices, _Cell(tuple(tuple(map(bool, row)) for row in rows)))


_RULES: dict[str, Callable[[_Conversion, Any], Node]] = {
    "TokensType": lambda convert, found: tokens_asis,
    "IndicesType": lambda convert, found: indices,
    "LengthType": lambda convert, found: length,
    "Full": lambda convert, found: graph.sop(found.fill),
    "ConstantSOp": lambda convert, found: elementwise(_Item(tuple(found.value)), indices),
    "LinearSequenceMap": _linear,
    "SequenceMap": lambda convert, found: elementwise(
        _PastNone(found.f), convert.node(found.fst), convert.node(found.snd)
    ),
    "Map": lambda convert, found: elementwise(_PastNone(found.f), convert.node(found.inner)),
    "Aggregate": _aggregate,
    "SelectorWidth": lambda convert, found: graph.selector_width(convert.node(found.selector)),
    "Select": _select,
    "ConstantSelector": lambda convert, found: _matrix(found.value),
    "SelectorAnd": lambda convert, found: convert.node(found.fst) & convert.node(found.snd),
    "SelectorOr": lambda convert, found: convert.node(found.fst) | convert.node(found.snd),
    "SelectorNot": lambda convert, found: ~convert.node(found.inner),
}

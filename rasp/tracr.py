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
from functools import reduce
from itertools import product
from operator import and_, invert, or_
from typing import Any

from rasp import graph
from rasp.errors import TypeFault
from rasp.graph import Node, Selector, SOp, elementwise, full, indices, length, select, tokens_asis, where
from rasp.operations import Symbol
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


# -- arithmetic


@dataclass(frozen=True)
class _Steps:
    """Functions, one after another."""

    functions: tuple[Callable[[Any], Any], ...]

    @property
    def __name__(self) -> str:
        return getattr(self.functions[-1], "__name__", "function")

    def __call__(self, value: Any) -> Any:
        for function in self.functions:
            value = function(value)
        return value


def _map(convert: _Conversion, found: Any) -> SOp:
    """Operators of Tracr's as far as they go, and what comes after them as one function.

    Tracr makes one Map of a Map of a Map. Its operators give no None, so that they can be told apart; a function may
    give some, and what comes after it is then asked about None.
    """
    value: SOp = convert.node(found.inner)
    functions = _functions(found.f)
    while functions and (told := _told(functions[0], value)) is not None:
        value, functions = told, functions[1:]
    if not functions:
        return value
    return elementwise(_PastNone(functions[0] if len(functions) == 1 else _Steps(functions)), value)


def _sequence_map(convert: _Conversion, found: Any) -> SOp:
    sides = convert.node(found.fst), convert.node(found.snd)
    name = (_method(found.f) or "").removeprefix("r")
    # What is added or multiplied may be text, which 0 cannot stand in for.
    if name == "sub" or (name in ("add", "mul") and all(map(_is_never_none, sides))):
        return _past_none(lambda first, second: graph.apply(_OPERATORS[name], first, second), *sides)
    decided = _decided(found.f, *sides)
    return elementwise(_PastNone(found.f), *sides) if decided is None else decided


def _functions(f: Callable[[Any], Any]) -> tuple[Callable[[Any], Any], ...]:
    """The functions of Maps that Tracr made one of, in the order in which they are asked."""
    found = []
    while getattr(f, "__qualname__", "") == "Map.__init__.<locals>.<lambda>" and set(_free(f)) == {"f", "inner_f"}:
        found.append(_free(f)["f"])
        f = _free(f)["inner_f"]
    return (f, *reversed(found))


def _free(f: Any) -> dict[str, Any]:
    """The variables that a function has from where it was made."""
    names = getattr(getattr(f, "__code__", None), "co_freevars", ())
    return dict(zip(names, (cell.cell_contents for cell in getattr(f, "__closure__", None) or ()), strict=True))


def _told(f: Callable[[Any], Any], value: SOp) -> SOp | None:
    """What a function makes of the values, in this language's own operators; None where that is not known."""
    operated = _operated(f, value)
    return _decided(f, value) if operated is None else operated


_EQUALITY = {"eq": "==", "ne": "!="}
_OPERATORS = {
    **{"lt": "<", "le": "<=", "gt": ">", "ge": ">="},
    **{"add": "+", "sub": "-", "mul": "*", "radd": "+", "rsub": "-", "rmul": "*"},
}


def _method(f: Any) -> str | None:
    """The operator of Tracr's s-ops that made a function."""
    found = re.fullmatch(r"SOp\.__(\w+)__\.<locals>\.<lambda>", getattr(f, "__qualname__", ""))
    return found and found[1]


def _operated(f: Any, value: SOp) -> SOp | None:
    """`value < 1`, as this language has it, for the function that Tracr makes of it; None for other functions."""
    name, free = _method(f), _free(f)
    if name is None or set(free) != {"other"}:
        return None
    other = free["other"]
    if name in _EQUALITY and type(other) in (int, float, str):
        return _unless_none(graph.apply(_EQUALITY[name], value, other), value)
    if name not in _OPERATORS or type(other) not in (int, float):
        return None

    def operated(number: SOp) -> SOp:
        return graph.apply(_OPERATORS[name], *((other, number) if name.startswith("r") else (number, other)))

    return _past_none(operated, value)


_LOGIC: dict[tuple[Any, ...], Callable[..., SOp]] = {
    (False, True): lambda truth: truth,
    (True, False): invert,
    (False, False, False, True): and_,
    (False, True, True, True): or_,
}


def _decided(f: Callable[..., Any], *truths: SOp) -> SOp | None:
    """A function of truths as a word of this language, by what it says of each; None where there is no such word."""
    if not all(map(_is_truth, truths)):
        return None
    try:
        table = tuple(f(*row) for row in product((False, True), repeat=len(truths)))
    except Exception:  # whoever asks it about such a value is told what it raises
        return None
    if not all(isinstance(said, bool) for said in table) or table not in _LOGIC:
        return None
    return _past_none(_LOGIC[table], *truths)


def _is_truth(value: SOp) -> bool:
    """Whether the values are True, False and None alone, as far as that is seen at once."""
    if not isinstance(value, graph.Map):
        return isinstance(value, graph.Constant) and (isinstance(value.value, bool) or value.value == Symbol(None))
    if value.op.name == "if":
        return all(map(_is_truth, value.args[1:]))
    return value.op.name in _COMPARISONS.values() or (
        value.op.name in ("and", "or", "not") and all(map(_is_truth, value.args))
    )


def _past_none(operate: Callable[..., SOp], *values: SOp) -> SOp:
    """An operation on numbers or truths, and None where one is None."""
    none = graph.sop(None)
    stands_in = (False if _is_truth(value) else 0 for value in values)
    known = (v if _is_never_none(v) else where(v == none, other, v) for v, other in zip(values, stands_in, strict=True))
    return _unless_none(operate(*known), *values)


def _unless_none(result: SOp, *values: SOp) -> SOp:
    """The result, and None where one of the values is None; the compiler leaves it out where that cannot be."""
    none = graph.sop(None)
    missing = [value == none for value in values if not _is_never_none(value)]
    return where(reduce(or_, missing), none, result) if missing else result


def _is_never_none(value: SOp) -> bool:
    """Whether None cannot be among the values, as far as that is seen at once."""
    if isinstance(value, graph.Map):
        never = value.op.name in ("+", "-", "*", "and", "or", "not", "indicator", *_COMPARISONS.values())
        return never and all(map(_is_never_none, value.args))
    if isinstance(value, graph.Aggregate):
        return value.default != Symbol(None) and _is_never_none(value.value)
    if isinstance(value, graph.Constant):
        return value.value != Symbol(None)
    return isinstance(value, (graph.Tokens, graph.Indices, graph.SelectorWidth))


def _linear(convert: _Conversion, found: Any) -> SOp:
    def total(first: SOp, second: SOp) -> SOp:
        if found.snd_fac < 0:
            return _times(first, found.fst_fac) - _times(second, -found.snd_fac)
        return _times(first, found.fst_fac) + _times(second, found.snd_fac)

    return _past_none(total, convert.node(found.fst), convert.node(found.snd))


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
    if isinstance(value, graph.Map) and value.op.name == "if":
        return where(value.args[0], *map(_numbers, value.args[1:]))
    if _is_truth(value):
        return graph.indicator(value)
    return elementwise(_as_number, value) if _may_be_bool(value) else value


def _may_be_bool(value: SOp) -> bool:
    """Whether a bool can be among the values: functions may give some, and a default may be one."""
    if isinstance(value, graph.Aggregate):
        return isinstance(value.default, bool) or _may_be_bool(value.value)
    return isinstance(value, graph.Map) and value.op.name not in ("+", "-", "*", "if", "indicator")


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
    "SequenceMap": _sequence_map,
    "Map": _map,
    "Aggregate": _aggregate,
    "SelectorWidth": lambda convert, found: graph.selector_width(convert.node(found.selector)),
    "Select": _select,
    "ConstantSelector": lambda convert, found: _matrix(found.value),
    "SelectorAnd": lambda convert, found: convert.node(found.fst) & convert.node(found.snd),
    "SelectorOr": lambda convert, found: convert.node(found.fst) | convert.node(found.snd),
    "SelectorNot": lambda convert, found: ~convert.node(found.inner),
}

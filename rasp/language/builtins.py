"""What operators and built-in forms do to values: atoms are computed, s-ops and selectors become larger graphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, cast

from rasp import graph
from rasp.errors import LookupFault, TypeFault, ValueFault
from rasp.graph import (
    Aggregate,
    And,
    Best,
    Constant,
    EdgeLabel,
    Node,
    Not,
    Or,
    Select,
    Selector,
    SelectorWidth,
    SOp,
    apply,
    full,
    indices,
    length,
    sop,
)
from rasp.inputs import Input
from rasp.language.scope import Function, Value
from rasp.operations import (
    OPERATIONS,
    PLAIN_COMPARISONS,
    Atom,
    ElementFault,
    Operation,
    evaluate_atoms,
    is_atom,
)
from rasp.relations import given_graph

# An element that becomes part of an operation takes as much memory as this many in a list.
_TABLE = 4

Spend: TypeAlias = Callable[[int], None]


def _free(count: int) -> None:
    """Spends nothing: for values that are known to be small."""


def type_name(value: Value) -> str:
    """What a value is, in a word."""
    if isinstance(value, SOp):
        return "s-op"
    if isinstance(value, Selector):
        return "selector"
    if isinstance(value, Function):
        return "function"
    if isinstance(value, EdgeLabel):
        return "label of edges"
    names: dict[type, str] = {str: "string", dict: "dictionary"}
    return names.get(type(value), type(value).__name__)


def described(value: Value) -> str:
    """What a value is, with its article."""
    name = type_name(value)
    return f"an {name}" if name in ("s-op", "int") else f"a {name}"


def is_atoms(items: Sequence[Value]) -> bool:
    """Whether a list holds nothing but atoms."""
    return all(map(is_atom, items))


def compute(name: str, *atoms: Atom) -> Atom:
    """An operation on atoms; its errors without a position."""
    try:
        return evaluate_atoms(OPERATIONS[name], atoms)
    except ElementFault as fault:
        raise fault.reason from None


# -- operators


def unary(op: str, value: Value) -> Value:
    """`not X`, `-X`, `+X`."""
    if op == "not":
        return _negation(value)
    name = {"-": "neg", "+": "pos"}[op]
    if isinstance(value, SOp):
        return apply(name, value)
    if is_atom(value):
        return compute(name, value)
    raise TypeFault(f"prefix {op} needs a number or an s-op, found {described(value)}")


def _negation(value: Value) -> Value:
    if isinstance(value, SOp):
        return apply("not", value)
    if isinstance(value, Selector):
        return Not(value)
    return not truth(value)


def truth(value: Value) -> bool:
    """Whether an atom, a list or a dictionary counts as true. TypeFault for what has no truth value."""
    if isinstance(value, (Node, Function, EdgeLabel)):
        raise TypeFault(f"{described(value)} has no truth value of its own")
    return bool(value)


def binary(op: str, left: Value, right: Value, spend: Spend = _free) -> Value:
    """`X OP Y` for every infix operator but `in`. `spend` is told of elements before they are made or compared."""
    if isinstance(left, Function) or isinstance(right, Function):
        raise TypeFault(f"{op} cannot take a function", hint="call it: a function's name is followed by ( )")
    if isinstance(left, EdgeLabel) or isinstance(right, EdgeLabel):
        return _labels(op, left, right)
    if isinstance(left, Selector) or isinstance(right, Selector):
        return _selectors(op, left, right)
    if isinstance(left, SOp) or isinstance(right, SOp):
        return _sops(op, left, right)
    if op in ("and", "or"):
        return (left and right) if op == "and" else (left or right)
    if is_atom(left) and is_atom(right):
        return compute(op, left, right)
    return _containers(op, left, right, spend)


def _labels(op: str, left: Value, right: Value) -> Value:
    """A sum of one label and s-ops at the key: what attention with labels as values can add up."""
    other = right if isinstance(left, EdgeLabel) else left
    if isinstance(left, EdgeLabel) and isinstance(right, EdgeLabel):
        raise TypeFault(f"{op} of two labels: the value of an aggregate has one", hint="add two aggregates")
    if op in ("==", "!=", "<", "<=", ">", ">="):
        raise TypeFault(
            "the label of an edge cannot be compared: it has a value for each pair of positions, not for each position",
            hint='relation("edges", X) selects the edges whose label equals X',
        )
    if op == "-" and isinstance(left, EdgeLabel) and (isinstance(other, SOp) or is_atom(other)):
        return left - other
    if op != "+" or not (isinstance(other, SOp) or is_atom(other)):
        raise TypeFault(
            "a label stands alone or in a sum with s-ops at the key: it has a value for each pair of positions",
            hint="aggregate it first: aggregate(edges, label(edges))",
        )
    label = left if isinstance(left, EdgeLabel) else cast(EdgeLabel, right)
    return label + other


def _selectors(op: str, left: Value, right: Value) -> Value:
    if op not in ("and", "or"):
        raise TypeFault(f"{op} cannot take a selector", hint="selectors combine with and, or, not")
    if not isinstance(left, Selector) or not isinstance(right, Selector):
        raise TypeFault(f"{op} of a selector needs another selector, found {described(left)} and {described(right)}")
    return And(left, right) if op == "and" else Or(left, right)


def _sops(op: str, left: Value, right: Value) -> Value:
    if (not isinstance(left, SOp) and not is_atom(left)) or (not isinstance(right, SOp) and not is_atom(right)):
        sides = f"{described(left)} and {described(right)}"
        raise TypeFault(f"{op} of an s-op needs an atom or another s-op, found {sides}")
    return apply(op, left, right)


def _containers(op: str, left: Value, right: Value, spend: Spend) -> Value:
    """Operators where a list or dictionary stands on at least one side."""
    if op in ("==", "!="):
        return _same(left, right, spend) is (op == "==")
    if isinstance(left, list) and isinstance(right, list):
        if op == "+":
            spend(len(left) + len(right))
            return left + right
        if op in PLAIN_COMPARISONS:
            return _ordered(op, left, right, spend)
    if op == "*":
        items, times = (left, right) if isinstance(left, list) else (right, left)
        if isinstance(items, list) and isinstance(times, int):
            spend(len(items) * max(0, times))
            return items * times if items and times > 0 else []
    raise TypeFault(f"{op} cannot take {described(left)} and {described(right)}")


def _same(left: Value, right: Value, spend: Spend) -> bool:
    """Equality of atoms, lists and dictionaries; s-ops, selectors and functions in them are equal if identical.

    As in Python, identical values are equal, whatever they contain.
    """
    if left is right:
        return True
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and _same_items(left, right, spend)
    if isinstance(left, dict) and isinstance(right, dict):
        spend(len(left))
        return left.keys() == right.keys() and _same_items(list(left.values()), [right[key] for key in left], spend)
    return is_atom(left) and is_atom(right) and bool(compute("==", left, right))


def _same_items(left: list[Value], right: list[Value], spend: Spend) -> bool:
    # A loop: lists may be nested deeper than `all` has C stack for.
    for a, b in zip(left, right, strict=True):
        spend(1)
        if not _same(a, b, spend):
            return False
    return True


def _ordered(op: str, left: list[Value], right: list[Value], spend: Spend) -> bool:
    """Order of lists as Python has it: by the first elements that differ, then by length."""
    for a, b in zip(left, right, strict=False):
        spend(1)
        if not _same(a, b, spend):
            return bool(binary(op, a, b, spend)) if is_atom(a) or isinstance(a, list) else _unordered(op, a, b)
    return PLAIN_COMPARISONS[op](len(left), len(right))


def _unordered(op: str, left: Value, right: Value) -> bool:
    raise TypeFault(f"{op} cannot order {described(left)} and {described(right)}")


def choose(condition: SOp, then: Value, otherwise: Value) -> SOp:
    """`A if C else B` with an s-op C."""
    for side in (then, otherwise):
        if not isinstance(side, SOp) and not is_atom(side):
            raise TypeFault(f"a choice at each position needs atoms or s-ops on both sides, found {described(side)}")
    return apply("if", condition, cast(SOp, then), cast(SOp, otherwise))


def contains(item: Value, collection: Value, spend: Spend = _free) -> Value:
    """`X in L`."""
    if isinstance(collection, list):
        spend((_TABLE if isinstance(item, SOp) else 1) * len(collection))
    if isinstance(item, SOp):
        if not isinstance(collection, list) or not is_atoms(collection):
            raise TypeFault(f"an s-op can be in a list of atoms, not in {_collection(collection)}")
        return apply(Operation.member(cast(list[Atom], collection)), item)
    if not is_atom(item):
        raise TypeFault(f"in needs an atom or an s-op on its left, found {described(item)}")
    if isinstance(collection, SOp):
        return Aggregate(full, apply("indicator", apply("==", collection, item)), 0) > 0
    if isinstance(collection, list):
        return any(_same(item, other, spend) for other in collection)
    raise TypeFault(f"in needs a list or an s-op on its right, found {described(collection)}")


def _collection(value: Value) -> str:
    return "a list of other things" if isinstance(value, list) else described(value)


# -- indexing


def index(base: Value, at: Value, spend: Spend = _free) -> Value:
    """`BASE[AT]`."""
    if isinstance(at, SOp) and isinstance(base, (list, dict, str)):
        spend(_TABLE * len(base))
    if isinstance(base, SOp):
        return _at_position(base, at)
    if isinstance(base, (list, str)):
        return _element(base, at)
    if isinstance(base, dict):
        return _entry(base, at)
    raise TypeFault(f"{described(base)} cannot be indexed")


def _at_position(base: SOp, at: Value) -> SOp:
    if not isinstance(at, int):
        raise TypeFault(
            f"an s-op is indexed by an int, not by {described(at)}",
            hint="aggregate(select(indices,POSITION,==),SOP) reads at a computed position",
        )
    position = Constant(at) if at >= 0 else length + at
    return Aggregate(Select(indices, position, "=="), base, 0)


def _element(base: list[Value] | str, at: Value) -> Value:
    if isinstance(at, SOp):
        if not is_atoms(base):
            raise TypeFault("a list indexed by an s-op must hold atoms only")
        return apply(Operation.element(cast(Sequence[Atom], list(base))), at)
    if not isinstance(at, int):
        raise TypeFault(f"{described(base)} is indexed by an int or an s-op, not by {described(at)}")
    if not -len(base) <= at < len(base):
        raise LookupFault(f"index {at} is outside {described(base)} of {len(base)}")
    return base[at]


def _entry(base: dict[Atom, Value], at: Value) -> Value:
    if isinstance(at, SOp):
        if not is_atoms(list(base.values())):
            raise TypeFault("a dictionary indexed by an s-op must hold atoms only")
        return apply(Operation.entry(cast(list[tuple[Atom, Atom]], list(base.items()))), at)
    if not is_atom(at):
        raise TypeFault(f"a dictionary is indexed by an atom or an s-op, not by {described(at)}")
    if at not in base:
        raise LookupFault(f"{at!r} is not a key of the dictionary", hint=_keys_hint(base))
    return base[at]


def _keys_hint(base: dict[Atom, Value]) -> str:
    shown = ", ".join(map(repr, list(base)[:8]))
    return f"its keys are {shown}{', …' if len(base) > 8 else ''}" if base else "it is empty"


# -- sequences


def elements(value: Value, what: str) -> list[Value]:
    """What a loop or comprehension runs over: the elements of a list, the keys of a dictionary."""
    if isinstance(value, list):
        return list(value)
    if isinstance(value, dict):
        return list(value)
    hint = "a string is no list here; write its characters as a list" if isinstance(value, str) else None
    raise TypeFault(f"{what} runs over a list or a dictionary, not {described(value)}", hint=hint)


def unpack(value: Value, count: int) -> list[Value]:
    """`count` values from one: the elements of a list, the characters of a string, the keys of a dictionary."""
    if not isinstance(value, (list, str, dict)):
        raise TypeFault(f"{count} names need a list of {count} values, found {described(value)}")
    if len(value) != count:
        raise TypeFault(f"{count} names need {count} values, found {len(value)}")
    return list(value)


def atoms_of_input(value: Value) -> Input:
    """The input an s-op is applied to: a string that is not empty, a list of atoms, or a dictionary that is a graph."""
    if isinstance(value, dict):
        return given_graph(value)
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and is_atoms(value):
        return cast(list[Atom], value)
    if isinstance(value, (str, list)) and not value:
        raise ValueFault("an input needs at least one token")
    raise TypeFault(f"an input is a string, a list of atoms or a graph, not {_collection(value)}")


# -- built-in forms


def _counted(word: str, args: Sequence[Value], least: int, most: int | None) -> None:
    if len(args) < least or (most is not None and len(args) > most):
        wanted = str(least) if least == most else f"{least} to {most}" if most is not None else f"{least} or more"
        raise TypeFault(f"{word} takes {wanted} argument{'' if wanted == '1' else 's'}, found {len(args)}")


def _range(args: Sequence[Value], spend: Spend) -> Value:
    numbers = [arg for arg in args if isinstance(arg, int)]
    if len(numbers) < len(args):
        raise TypeFault(f"range takes ints only, found {', '.join(map(described, args))}")
    if len(numbers) == 3 and numbers[2] == 0:
        raise ValueFault("range needs a step other than 0")
    found = range(*numbers)
    spend(_size(found))
    return list(found)


def _size(found: range) -> int:
    """How many ints there are; `len` has no ints beyond 64 bits."""
    return (found[-1] - found[0]) // found.step + 1 if found else 0


def _zip(args: Sequence[Value], spend: Spend) -> Value:
    lists = [arg for arg in args if isinstance(arg, list)]
    if len(lists) < len(args):
        raise TypeFault(f"zip takes lists only, found {', '.join(map(described, args))}")
    if len({len(items) for items in lists}) > 1:
        raise TypeFault(
            f"zip takes lists of one length, found {', '.join(str(len(items)) for items in lists)} elements"
        )
    spend(sum(map(len, lists)))
    return [list(row) for row in zip(*lists, strict=True)]


def _len(args: Sequence[Value], spend: Spend) -> Value:
    (value,) = args
    if not isinstance(value, list):
        hint = "the length of the input is the s-op length" if isinstance(value, SOp) else None
        raise TypeFault(f"len takes a list, not {described(value)}", hint=hint)
    return len(value)


def _round(args: Sequence[Value], spend: Spend) -> Value:
    (value,) = args
    if isinstance(value, SOp):
        return apply("round", value)
    if not is_atom(value):
        raise TypeFault(f"round takes a number or an s-op, not {described(value)}")
    return compute("round", value)


def _indicator(args: Sequence[Value], spend: Spend) -> Value:
    (value,) = args
    if not isinstance(value, SOp):
        raise TypeFault(f"indicator takes an s-op, not {described(value)}")
    return apply("indicator", value)


_FORMS: dict[str, tuple[Callable[[Sequence[Value], Spend], Value], int, int | None]] = {
    "range": (_range, 1, 3),
    "zip": (_zip, 1, None),
    "len": (_len, 1, 1),
    "round": (_round, 1, 1),
    "indicator": (_indicator, 1, 1),
}


def form(word: str, args: Sequence[Value], spend: Spend = _free) -> Value:
    """`range(..)`, `zip(..)`, `len(..)`, `round(..)`, `indicator(..)`."""
    build, least, most = _FORMS[word]
    _counted(word, args, least, most)
    return build(args, spend)


def select(keys: Value, queries: Value, op: str) -> Selector:
    """`select(KEYS, QUERIES, OP)`."""
    return Select(_sop_or_atom(keys, "the keys of select"), _sop_or_atom(queries, "the queries of select"), op)


def aggregate(selector: Value, value: Value, default: Value) -> SOp:
    """`aggregate(SELECTOR, VALUE, DEFAULT)`."""
    if not isinstance(selector, Selector):
        raise TypeFault(f"aggregate takes a selector first, found {described(selector)}")
    if not is_atom(default):
        raise TypeFault(f"the default of aggregate is an atom, not {described(default)}")
    if isinstance(value, EdgeLabel):
        return graph.aggregate(selector, value, default)
    return Aggregate(selector, _sop_or_atom(value, "the value of aggregate"), default)


def width(selector: Value) -> SOp:
    """`selector_width(SELECTOR)`."""
    if not isinstance(selector, Selector):
        raise TypeFault(f"selector_width takes a selector, found {described(selector)}")
    return SelectorWidth(selector)


def relation(name: Value, *label: Value) -> Selector:
    """`relation(NAME)`, `relation(NAME, LABEL)`."""
    if not isinstance(name, str):
        raise TypeFault(f"the name of a relation is a string, not {described(name)}")
    if name in ("tokens", "directed"):
        raise ValueFault(f"a relation cannot be called {name}: inputs have something else under this name")
    return graph.relation(name, *(_sop_or_atom(each, "the label of a relation") for each in label))


def transpose(selector: Value) -> Selector:
    """`transpose(SELECTOR)`."""
    if not isinstance(selector, Selector):
        raise TypeFault(f"transpose takes a selector, found {described(selector)}")
    return graph.transpose(selector)


def label(relation: Value) -> EdgeLabel:
    """`label(RELATION)`."""
    if not isinstance(relation, Selector):
        raise TypeFault(f"label takes a relation, found {described(relation)}")
    return graph.label(relation)


def best(selector: Value, score: Value) -> Selector:
    """`select_best(SELECTOR, SCORE)`."""
    if not isinstance(selector, Selector):
        raise TypeFault(f"select_best takes a selector first, found {described(selector)}")
    return Best(selector, _sop_or_atom(score, "the score of select_best"))


def select_from_last(seq: Value, val: Value) -> Selector:
    """`select_from_last(SEQ, VAL)`: from all rows, the positions whose own VAL stands in SEQ there and never later."""
    return _select_from(seq, val, indices)


def select_from_first(seq: Value, val: Value) -> Selector:
    """`select_from_first(SEQ, VAL)`: from all rows, the positions whose own VAL stands in SEQ there and not before."""
    return _select_from(seq, val, -indices)


def _select_from(seq: Value, val: Value, order: SOp) -> Selector:
    """An atom is the same for all rows, so the one position each row finds is the marked one: no layer is needed."""
    found = Best(select(seq, val, "=="), order)
    if is_atom(val):
        return found
    return Select(indices == Aggregate(found, indices, -1), Constant(True), "==")


def _sop_or_atom(value: Value, what: str) -> SOp:
    if not isinstance(value, SOp) and not is_atom(value):
        raise TypeFault(f"{what} must be an s-op or an atom, found {described(value)}")
    return sop(value)

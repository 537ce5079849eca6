"""Which type an output's number has, int, float or bool, where it could have several.

A number in the residual stream is a number: 2 and 2.0 look alike. But the interpreter's types follow rules. A mean of
several positions is a float, a single selected value is copied as it is, and where nothing is selected there is the
default. So the type often follows from the cell (an input's length and the position in it), and where it does not, from
how many keys the aggregates behind the output select. The heads can tell that: two more means (`Guard` explains them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import OutputTypes, TypeTable
from compiler.selectors import JOINT
from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import UNDEFINED, value_key
from compiler.values.grid import Cells, Ints
from rasp.errors import Refusal
from rasp.graph import Aggregate, Map, SOp

TYPES = ("bool", "int", "float")
EMPTY, ONE_KEY, SEVERAL = STATES = range(3)
_MOST_AGGREGATES = 3
Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True)
class Rule:
    """The type most values have, and the type of each other one, by its class; `doubts` may have several types."""

    usual: str
    others: Mapping[int, str]
    doubts: int = 0


@dataclass(frozen=True, eq=False)
class Typing:
    """The types of an output: by pattern of cells, and by the states of some aggregates, how many keys each selects."""

    cells: Cells
    tables: Sequence[Mapping[tuple[int, ...], Rule]]
    aggregates: tuple[Aggregate, ...] = ()

    @property
    def doubts(self) -> int:
        """How often a number may have several types for all that is known."""
        return sum(rule.doubts for table in self.tables for rule in table.values())


_FLOAT = Rule("float", {})


def type_name(value: Any) -> str:
    """The type of an atom."""
    return type(value).__name__


def typing(root: SOp, classes: Sequence[int], values: ValueAnalysis) -> Typing | None:
    """The types of an output whose values are read as these classes; None where no number has several types.

    An output whose values are not listed has one class, 0.
    """
    listed = values[root].listed
    if listed and not _mixed(classes, values[root].universe):
        return None
    found = _by_cell(root, classes, values) if listed else _unlisted(root, (), values)
    if not listed and all(rule == _FLOAT for table in found.tables for rule in table.values()):
        return None
    mixed = tuple(
        source for source in values.sources(root) if isinstance(source, Aggregate) and _may_be_several(source, values)
    )
    if found.doubts and 0 < len(mixed) <= _MOST_AGGREGATES:
        better = _by_marks(root, classes, mixed, values) if listed else _unlisted(root, mixed, values)
        if better is not None and better.doubts < found.doubts:
            return better
    return found


def _mixed(classes: Sequence[int], universe: Sequence[Any]) -> bool:
    types = {(number, type_name(value)) for number, value in zip(classes, universe, strict=True)}
    return len(types) > len(set(classes))


def _rule(classes: Ints, types: Ints) -> Rule | None:
    """The types of some classes, each given as a place in TYPES (below 0: a string). Of several the widest is taken."""
    size = len(TYPES)
    pairs = np.unique((classes * size + types)[types >= 0])
    if not len(pairs):
        return None
    numbers, found = pairs // size, pairs % size
    last = np.append(numbers[1:] != numbers[:-1], True)
    numbers, found = numbers[last], found[last]
    usual = int(np.bincount(found).argmax())
    rare = found != usual
    others = {number: TYPES[place] for number, place in zip(numbers[rare].tolist(), found[rare].tolist(), strict=True)}
    return Rule(TYPES[usual], others, int((~last).sum()))


def _place(value: Any) -> int:
    return TYPES.index(type_name(value)) if type_name(value) in TYPES else -1


def _may_be_several(node: Aggregate, values: ValueAnalysis) -> bool:
    return not values[node].listed or len({type_name(v) for v in values[node].universe} & set(TYPES)) > 1


def _by_cell(root: SOp, classes: Sequence[int], values: ValueAnalysis) -> Typing:
    found = values[root]
    numbers, types = np.array(classes), np.array(list(map(_place, found.universe)))
    rules = [_rule(numbers[codes], types[codes]) for codes in found.patterns]
    return Typing(found.cell_pattern, [{} if rule is None else {(): rule} for rule in rules])


def _by_marks(
    root: SOp, classes: Sequence[int], aggregates: tuple[Aggregate, ...], values: ValueAnalysis
) -> Typing | None:
    """The types by how many keys some aggregates select: of their values, each fits some of the three states."""
    if not all(values[aggregate].listed for aggregate in aggregates):
        return None
    try:
        tuples, found = values.column(Map(JOINT, (root, *aggregates)))
    except Refusal:
        return None
    class_of = {value_key(value): classes[code] for code, value in enumerate(values[root].universe)}
    fitting = [_fitting(aggregate, values) for aggregate in aggregates]
    rows = [None if row is UNDEFINED else row for row in found.categories]
    numbers = np.array([0 if row is None else class_of[value_key(row[0])] for row in rows])
    types = np.array([-1 if row is None else _place(row[0]) for row in rows])
    possible = [_possible(rows, at, fit) for at, fit in enumerate(fitting, 1)]
    fits = {
        states: np.all([table[:, STATES.index(state)] for table, state in zip(possible, states, strict=True)], axis=0)
        for states in product(STATES, repeat=len(aggregates))
    }
    tables = []
    for pattern in tuples.patterns:
        here = np.unique(found.codes[pattern])
        rules = {states: _rule(numbers[here[fit[here]]], types[here[fit[here]]]) for states, fit in fits.items()}
        tables.append({states: rule for states, rule in rules.items() if rule is not None})
    return Typing(tuples.cell_pattern, tables, aggregates)


def _possible(rows: Sequence[Any], at: int, fit: Mapping[Any, set[int]]) -> Flags:
    """For each row whether the value at a place in it can come from so many selected keys, [rows, STATES]."""
    found: Flags = np.zeros((len(rows), len(STATES)), dtype=bool)
    known: dict[Any, Flags] = {key: np.isin(STATES, list(states)) for key, states in fit.items()}
    for number, row in enumerate(rows):
        if row is not None:
            found[number] = known[value_key(row[at])]
    return found


def _fitting(node: Aggregate, values: ValueAnalysis) -> dict[Any, set[int]]:
    """For each value of an aggregate the numbers of selected keys it can come from: none, one, several."""
    copied = {value_key(value) for value in values[node.value].universe} if values[node.value].listed else None
    several = not values.width_bounds(node.selector).at_most_one
    found: dict[Any, set[int]] = {}
    for value in values[node].universe:
        key = value_key(value)
        fit = {EMPTY} if key == value_key(node.default) else set()
        fit |= {ONE_KEY} if copied is None or key in copied else set()
        found[key] = fit | ({SEVERAL} if several and isinstance(value, float) else set())
    return found


def _unlisted(root: SOp, aggregates: tuple[Aggregate, ...], values: ValueAnalysis) -> Typing:
    """The types of a number whose values are not listed, by the rules of its operations."""
    flags = {
        states: _flags(root, dict(zip(aggregates, states, strict=True)), values)
        for states in product(STATES, repeat=len(aggregates))
    }
    every = np.concatenate(list(flags.values()), axis=1)
    rows, cells = np.unique(every, axis=0, return_inverse=True)
    places = np.arange(len(TYPES))
    tables = []
    for row in rows.reshape(len(rows), len(flags), len(TYPES)):
        rules = {
            states: _rule(np.zeros(part.sum(), dtype=np.intp), places[part])
            for states, part in zip(flags, row, strict=True)
        }
        tables.append({states: rule for states, rule in rules.items() if rule is not None})
    return Typing(Cells.of(values.grid, cells.reshape(-1)), tables, aggregates)


def _flags(root: SOp, states: Mapping[SOp, int], values: ValueAnalysis) -> Flags:
    """For each cell whether the s-op may be a bool, an int, a float there, [cells, 3]; the states are known."""
    known: dict[SOp, Flags] = {}
    pending = [root]
    while pending:
        node = pending[-1]
        args = node.args if isinstance(node, Map) and not values[node].listed else ()
        missing = [arg for arg in args if arg not in known] if node not in known else []
        if missing:
            pending += missing
            continue
        pending.pop()
        if node not in known:
            known[node] = _node_flags(node, [known[arg] for arg in args], states, values)
    return known[root]


def _node_flags(node: SOp, args: Sequence[Flags], states: Mapping[SOp, int], values: ValueAnalysis) -> Flags:
    if isinstance(node, Aggregate) and (node in states or not values[node].listed):
        return _aggregate_flags(node, states.get(node), values)
    found = values[node]
    if found.listed:
        table = np.array(
            [[any(type_name(found.universe[c]) == name for c in codes) for name in TYPES] for codes in found.patterns]
        )
        return np.asarray(table[found.cell_pattern.full])
    assert isinstance(node, Map)
    if node.op.name == "if":
        return args[1] | args[2]
    some_float = np.any([arg[:, 2] for arg in args], axis=0)
    no_float = np.all([arg[:, :2].any(axis=1) for arg in args], axis=0)
    if node.op.name in ("+", "-", "*", "neg", "pos", "%"):
        return np.stack([np.zeros_like(some_float), no_float, some_float], axis=1)
    if node.op.name == "/":
        return np.stack([np.zeros_like(some_float)] * 2 + [np.ones_like(some_float)], axis=1)
    return np.ones_like(args[0])


def _aggregate_flags(node: Aggregate, state: int | None, values: ValueAnalysis) -> Flags:
    widths = values.width_bounds(node.selector)
    low, high = widths.low.full, widths.high.full
    copied = _flags(node.value, {}, values).any(axis=0)
    parts = {
        EMPTY: (low == 0, np.array([type_name(node.default) == name for name in TYPES])),
        ONE_KEY: ((low <= 1) & (high >= 1), copied),
        SEVERAL: (high >= 2, np.array([False, False, True])),
    }
    flags = np.zeros((len(low), len(TYPES)), dtype=bool)
    for possible, (cells, types) in parts.items():
        if state is None or state == possible:
            flags |= cells[:, None] & types
    return flags


def packed(found: Typing, guards: tuple[int, ...]) -> OutputTypes:
    """The types as an artifact holds them; `guards` are the places of the guards that tell the states."""
    tables: dict[str, tuple[int, TypeTable]] = {}
    pattern = []
    for table in found.tables:
        rows = {"".join(map(str, states)): (rule.usual, dict(rule.others)) for states, rule in table.items()}
        pattern.append(tables.setdefault(repr(rows), (len(tables), rows))[0])
    runs = _runs(found.cells.map(np.array(pattern).__getitem__))
    return OutputTypes(runs, tuple(rows for _, rows in tables.values()), guards, found.doubts == 0)


def _runs(cells: Cells) -> tuple[tuple[int, int], ...]:
    """How many cells in a row have the same number, and which."""
    if cells.along == "nothing":
        return ((len(cells.grid), int(cells.numbers[0])),)
    return tuple((len(list(run)), code) for code, run in groupby(cells.tolist()))

"""Selectors as conjunctions of predicates: what an attention head adds up.

`not` is pushed inward first. A predicate compares one key s-op with one query s-op through a table; where a part of a
selector mixes several s-ops of one side under an `or`, their tuple becomes one *joint* s-op, so that every predicate
has exactly one s-op on each side.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, TypeAlias, TypeVar

import numpy as np

from rasp.errors import RaspError, Refusal
from rasp.graph import (
    And,
    Best,
    Constant,
    Fits,
    Indices,
    LabelledRelation,
    Map,
    Not,
    Or,
    Prefer,
    Relation,
    Select,
    Selector,
    SOp,
)
from rasp.interpret import Run
from rasp.operations import (
    COMPARISONS,
    OPERATIONS,
    PLAIN_COMPARISONS,
    Atom,
    ElementFault,
    Operation,
    atom_key,
    describe,
    evaluate_atoms,
)

BoolTable: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
T = TypeVar("T")
_NAN = -1


# -- formulas: selectors as `and`, `or` and `not` of comparisons and of choices among keys


def _formula_parts(formula: Selector) -> list[Selector]:
    """What a formula is made of and the formula itself, each once, parts first. A choice is not looked into."""
    found: dict[Selector, None] = {}
    pending = [formula]
    while pending:
        part = pending[-1]
        missing = [side for side in _sides(part) if side not in found]
        if missing:
            pending += reversed(missing)
        else:
            found[pending.pop()] = None
    return list(found)


def _sides(part: Selector) -> tuple[Selector, ...]:
    match part:
        case Not(selector=inner):
            return (inner,)
        case And(left=left, right=right) | Or(left=left, right=right):
            return left, right
    return ()


def leaves(formula: Selector) -> list[Selector]:
    """The comparisons and choices that a formula is made of, each once."""
    return [part for part in _formula_parts(formula) if not _sides(part)]


def folded(formula: Selector, leaf: Callable[[Selector], T], combine: Mapping[type[Selector], Callable[..., T]]) -> T:
    """What `leaf` finds for comparisons and choices, combined for Not, And and Or; each part is looked at once."""
    parts = _formula_parts(formula)
    uses = Counter(side for part in parts for side in _sides(part))
    known: dict[Selector, T] = {}

    def taken(part: Selector) -> T:
        uses[part] -= 1
        return known[part] if uses[part] else known.pop(part)

    for part in parts:
        sides = _sides(part)
        known[part] = combine[type(part)](*map(taken, sides)) if sides else leaf(part)
    return known[formula]


def replaced(formula: Selector, leaf: Callable[[Selector], Selector]) -> Selector:
    """The formula with others in the place of comparisons and choices."""
    return folded(formula, leaf, {Not: Not, And: And, Or: Or})


Bounds: TypeAlias = tuple[BoolTable, BoolTable]
KLEENE: Mapping[type[Selector], Callable[..., Bounds]] = {  # whether a formula surely holds, and whether it may
    Not: lambda inner: (~inner[1], ~inner[0]),
    And: lambda left, right: (left[0] & right[0], left[1] & right[1]),
    Or: lambda left, right: (left[0] | right[0], left[1] | right[1]),
}


# -- conjunctions


@dataclass(frozen=True)
class Predicate:
    """One conjunct of a conjunction: `formula` reads the key s-ops in `key_parts` and the query s-ops in `query_parts`.

    `keys` and `queries` are the s-ops a head compares: the single part, the joint of several, or a constant.
    """

    keys: SOp
    queries: SOp
    key_parts: tuple[SOp, ...]
    query_parts: tuple[SOp, ...]
    formula: Selector

    @property
    def is_equality(self) -> bool:
        """Whether a key and a query are selected where the two s-ops that are read have equal values."""
        found = self.formula
        is_plain = isinstance(found, Select) and not isinstance(found, Fits) and found.op == "=="
        return is_plain and found.keys is self.keys and found.queries is self.queries  # type: ignore[attr-defined]

    def table(self, query_values: Iterable[Any], key_values: Iterable[Any]) -> BoolTable:
        """Whether the formula holds, for every query value (row) and key value (column)."""
        queries = _parts(query_values, self.query_parts)
        keys = _parts(key_values, self.key_parts)
        return _truth(self.formula, queries, keys)


@dataclass(frozen=True)
class Case:
    """What a formula asks of one side where the s-op of the other side has one of some values, told by their keys."""

    choices: frozenset[Hashable]
    asked: Predicate


@dataclass(frozen=True)
class Cases:
    """One conjunct of a conjunction, as cases of which no key and query are in two.

    The `chooser` is the s-op of the keys (or the joint of several) if `by_keys`, else that of the queries. Where its
    value is among the choices of a case, the formula is what that case asks of the other side; elsewhere it is false.
    """

    formula: Selector
    chooser: SOp
    chooser_parts: tuple[SOp, ...]
    by_keys: bool
    cases: tuple[Case, ...]

    @property
    def keys(self) -> SOp:
        """What is read at the keys; of what several cases read the joint, whose values nobody lists."""
        return self.chooser if self.by_keys else joint(_distinct(case.asked.keys for case in self.cases))

    @property
    def queries(self) -> SOp:
        """The same at the queries."""
        return joint(_distinct(case.asked.queries for case in self.cases)) if self.by_keys else self.chooser

    def asked(self, case: Case) -> SOp:
        """What a case reads of the other side: an s-op, the joint of several, or a constant."""
        return case.asked.queries if self.by_keys else case.asked.keys

    def places(self, keys: Iterable[Hashable]) -> list[int]:
        """The place of the case that each value of the chooser leads to; past the last one where it leads to none."""
        known = {key: at for at, case in enumerate(self.cases) for key in case.choices}
        return [known.get(key, len(self.cases)) for key in keys]

    def holds(self, case: Case, values: Sequence[Any]) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Whether what a case asks holds, for values of what it reads."""
        return (case.asked.table(values, [True]) if self.by_keys else case.asked.table([True], values)).ravel()


def joint(parts: tuple[SOp, ...]) -> SOp:
    """The s-op whose value is the tuple of the parts' values; a constant where there are none."""
    if not parts:
        return Constant(True)
    return parts[0] if len(parts) == 1 else Map(JOINT, parts)


@dataclass(frozen=True)
class Conjunction:
    """What one head computes: of the keys that satisfy all predicates, those that come first in the preferences.

    `preferences` come in order of importance: ties of the first are broken by the second. An s-op prefers keys where
    it is large, a predicate those that satisfy it. None: all such keys. Only keys in the `mask` take part at all: it
    reads relations of the input and positions, and costs no score.
    """

    predicates: tuple[Predicate | Cases, ...]
    preferences: tuple[SOp | Predicate, ...] = ()
    mask: Selector | None = None

    @property
    def scores(self) -> tuple[SOp, ...]:
        """The preferences that are s-ops."""
        return tuple(found for found in self.preferences if isinstance(found, SOp))


def conjunction(selector: Selector, longest: int = 1, *, static: bool = False) -> Conjunction:
    """The selector as one head computes it, on inputs of at most so many tokens.

    With `static` what depends on positions alone is a mask too, and not only where it is joined with a relation.

    Refusal where select_best stands inside `or`, `not` or beside keys, and where a relation stands beside data in an
    `or`: softmax has equal weights only for equal scores, and a mask can take keys away but not bring them back.
    """
    preferences: list[SOp | Predicate] = []
    plain = selector
    while (choice := _outer_choice(plain)) is not None:
        preferences.append(choice.score if isinstance(choice, Best) else predicate_of(choice.condition))
        plain = choice.selector
    found = conjuncts(inward(plain))
    masks = [part for part in found if is_mask(part) or (static and _is_static(part, longest))]
    for leaf in (leaf for part in masks for leaf in leaves(part)):
        _check_positions(leaf, longest)
    mask = reduce(And, masks) if masks else None
    predicates = tuple(predicate_of(part) for part in found if part not in masks)
    return Conjunction(predicates, tuple(reversed(preferences)), mask)


def mask_of(selector: Selector) -> Selector | None:
    """What a selector lets a query see: its parts that read relations and positions alone; None where none reads a
    relation."""
    while (choice := _outer_choice(selector)) is not None:
        selector = choice.selector
    masks = [part for part in conjuncts(inward(selector)) if is_mask(part)]
    return reduce(And, masks) if masks else None


def is_edge(leaf: Selector) -> bool:
    """Whether a leaf of a formula comes with the input."""
    return isinstance(leaf, (Relation, LabelledRelation))


def relations_in(formulas: Iterable[Selector]) -> list[str]:
    """The names of the relations that some formulas read, each once."""
    found: dict[str, None] = {}
    for leaf in (leaf for formula in formulas for leaf in leaves(formula)):
        relation = leaf.relation if isinstance(leaf, LabelledRelation) else leaf
        if isinstance(relation, Relation):
            found[relation.input_name] = None
    return list(found)


def is_mask(conjunct: Selector) -> bool:
    """Whether a part of a selector reads relations and positions, and no data."""
    found = leaves(conjunct)
    return any(map(is_edge, found)) and all(map(_reads_no_data, found))


def _reads_no_data(leaf: Selector) -> bool:
    match leaf:
        case Relation():
            return True
        case LabelledRelation(wanted=wanted):
            return isinstance(wanted, Constant)
        case Fits():
            return False
        case Select(keys=keys, queries=queries):
            return is_positional(keys) and is_positional(queries)
    return False


def is_positional(node: SOp) -> bool:
    """Whether an s-op depends on the position alone, by operations of the language."""
    if isinstance(node, (Indices, Constant)):
        return True
    known = isinstance(node, Map) and (OPERATIONS.get(node.op.name) == node.op or node.op.name in _LOOKED_UP)
    return known and all(map(is_positional, node.args))  # type: ignore[attr-defined]


_LOOKED_UP = frozenset({"in", "element", "entry"})


def _is_static(conjunct: Selector, longest: int) -> bool:
    """Whether a part of a selector reads positions alone, has a value at all of them, and hides something."""
    found = leaves(conjunct)
    if any(map(is_edge, found)) or not all(map(_reads_no_data, found)):
        return False
    try:
        return not Run([0] * longest).selector(conjunct).all()
    except RaspError:
        return False


def _check_positions(leaf: Selector, longest: int) -> None:
    """Refusal where positions that are compared in a mask have no value on some input."""
    if is_edge(leaf):
        return
    try:
        Run([0] * longest).selector(leaf)
    except RaspError as error:
        raise Refusal(f"{leaf!r} is part of a mask, and has no value everywhere: {error.message}") from error


def _outer_choice(selector: Selector) -> Best | Prefer | None:
    """The selector as a choice, if it is one: a condition on the query alone may as well come before it."""
    if isinstance(selector, (Best, Prefer)):
        return selector
    found = conjuncts(selector)
    best = next((conjunct for conjunct in found if isinstance(conjunct, Best)), None)
    if best is None:
        return None
    others = [conjunct for conjunct in found if conjunct is not best]
    return Best(reduce(And, others, best.selector), best.score) if all(map(reads_no_key, others)) else None


def reads_no_key(selector: Selector) -> bool:
    """Whether a selector selects all keys of a row or none."""
    return all(isinstance(leaf, Select) and isinstance(leaf.keys, Constant) for leaf in leaves(selector))


JOINT = Operation("joint", -1, (), lambda *values: values)  # type: ignore[arg-type]


def inward(selector: Selector) -> Selector:
    """The same selector with `not` only directly on comparisons. Refusal for select_best."""
    return folded(selector, _with_complement, _COMPLEMENTED)[0]


Complemented: TypeAlias = tuple[Selector, Selector]


def _with_complement(leaf: Selector) -> Complemented:
    if isinstance(leaf, (Best, Prefer)):
        raise Refusal(f"{leaf!r} is combined with another selector in a way that no single head can compute")
    return leaf, Not(leaf)


_COMPLEMENTED: dict[type[Selector], Callable[..., Complemented]] = {
    Not: lambda inner: (inner[1], inner[0]),
    And: lambda left, right: (And(left[0], right[0]), Or(left[1], right[1])),
    Or: lambda left, right: (Or(left[0], right[0]), And(left[1], right[1])),
}


def conjuncts(selector: Selector) -> list[Selector]:
    """What a selector is the conjunction of, each once."""
    found: dict[Selector, None] = {}
    pending = [selector]
    while pending:
        part = pending.pop()
        if part in found:
            continue
        found[part] = None
        pending += reversed(_sides(part)) if isinstance(part, And) else ()
    return [part for part in found if not isinstance(part, And)]


def comparisons(formula: Selector) -> list[Select]:
    """The comparisons a formula is made of, each once."""
    return [leaf for leaf in leaves(formula) if isinstance(leaf, Select)]


def predicate_of(formula: Selector) -> Predicate:
    """A selector without select_best as one predicate. Refusal where relations are part of it."""
    edge = next(filter(is_edge, leaves(formula)), None)
    if edge is not None:
        raise Refusal(
            f"{formula!r} joins {edge!r} with data in a way that no single head can compute",
            hint="join them with `and`; or aggregate over each of the two, and combine what they give",
        )
    found = comparisons(formula)
    key_parts = _distinct(leaf.keys for leaf in found)
    query_parts = _distinct(leaf.queries for leaf in found)
    return Predicate(joint(key_parts), joint(query_parts), key_parts, query_parts, formula)


def _distinct(nodes: Iterable[SOp]) -> tuple[SOp, ...]:
    return tuple({node: None for node in nodes if not isinstance(node, Constant)})


Columns: TypeAlias = dict[SOp | None, list[Atom]]


def _parts(values: Iterable[Any], parts: tuple[SOp, ...]) -> Columns:
    """For each part, its value in every joint value; under None, how many there are."""
    rows = list(values)
    columns: Columns = {None: [True] * len(rows)}
    for index, part in enumerate(parts):
        columns[part] = rows if len(parts) == 1 else [row[index] for row in rows]
    return columns


def _truth(formula: Selector, queries: Columns, keys: Columns) -> BoolTable:
    def holds(leaf: Selector) -> BoolTable:
        assert isinstance(leaf, Select)
        return compared(leaf.op, _column(leaf.queries, queries), _column(leaf.keys, keys))

    return folded(formula, holds, {Not: operator.invert, And: operator.and_, Or: operator.or_})


def _column(node: SOp, columns: Columns) -> list[Atom]:
    return [node.value] * len(columns[None]) if isinstance(node, Constant) else columns[node]


def compared(op: str | Operation, queries: Sequence[Atom], keys: Sequence[Atom]) -> BoolTable:
    """Whether a comparison holds, or a Python function is true, for every query (row) and key (column)."""
    if not isinstance(op, str) or (op not in ("==", "!=") and not all(map(_has_order, (*queries, *keys)))):
        return _applied(op, queries, keys)
    rank, texts_from = _ranks({*queries, *keys}, in_order=op not in ("==", "!="))
    query_ranks, key_ranks = (np.array([rank[atom] for atom in side], dtype=np.int32) for side in (queries, keys))
    found: BoolTable = PLAIN_COMPARISONS[op](key_ranks[None, :], query_ranks[:, None])
    if op not in ("==", "!="):
        found &= (query_ranks >= texts_from)[:, None] == (key_ranks >= texts_from)[None, :]
    found[query_ranks == _NAN] = found[:, key_ranks == _NAN] = op == "!="
    return found


def _has_order(atom: Atom) -> bool:
    return isinstance(atom, (str, int, float))


def _ranks(atoms: set[Atom], *, in_order: bool) -> tuple[dict[Atom, int], int]:
    """A number for each atom, the same for equal ones, and that from which on they are strings; nan has none.

    In order, larger numbers have larger ones, and strings after them. A string and a number that are to be ordered do
    not match: an input with both has no value, which a guard notices.
    """
    texts = [atom for atom in atoms if isinstance(atom, str)]
    others = [atom for atom in atoms if not isinstance(atom, str) and atom == atom]
    every = (*sorted(others), *sorted(texts)) if in_order else (*others, *texts)
    return dict.fromkeys(atoms, _NAN) | {atom: rank for rank, atom in enumerate(every)}, len(others)


def _applied(op: str | Operation, queries: Sequence[Atom], keys: Sequence[Atom]) -> BoolTable:
    """The same, one pair of distinct atoms after the other."""
    query_atoms, query_codes = _codes(queries)
    key_atoms, key_codes = _codes(keys)
    small = np.array([[_holds(op, k, q) for k in key_atoms] for q in query_atoms], dtype=bool)
    return small.reshape(len(query_atoms), len(key_atoms))[query_codes[:, None], key_codes[None, :]]


def _holds(op: str | Operation, key: Atom, query: Atom) -> bool:
    """Whether a comparison holds, or a Python function is true. Refusal where that has no value."""
    if isinstance(op, str):
        return comparable(op, key, query) and COMPARISONS[op](key, query)
    try:
        return bool(evaluate_atoms(op, (key, query)))
    except ElementFault as error:
        raise Refusal(
            f"{op.name} has no value for the key {describe(key)} and the query {describe(query)}: {error.message}",
            hint="a function given to select needs one for all that keys and queries can be",
        ) from error


def comparable(op: str, key: Atom, query: Atom) -> bool:
    """Whether a comparison has an answer: strings and numbers have no order."""
    return op in ("==", "!=") or isinstance(key, str) is isinstance(query, str)


def _codes(atoms: Sequence[Atom]) -> tuple[list[Atom], np.ndarray[Any, np.dtype[np.intp]]]:
    found: dict[Any, int] = {}
    codes = np.array([found.setdefault(atom_key(atom), len(found)) for atom in atoms], dtype=np.intp)
    first: dict[int, Atom] = {}
    for atom, code in zip(atoms, codes.tolist(), strict=True):
        first.setdefault(code, atom)
    return [first[code] for code in range(len(found))], codes

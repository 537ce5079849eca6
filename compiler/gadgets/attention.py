"""Attention heads: from a conjunction of relations to scores that softmax turns into exact weights.

A score is a sum of one part a relation. Each part gives the same full score c to every pair that satisfies its
relation and at most c − 1 to every other, so the sum is full for the marked keys and at least 1 lower elsewhere. Scaled
so that a gap underflows exp to 0, softmax is exactly uniform over the marked keys: equal scores give equal weights, and
all others weigh exactly 0. Scores are integers or halves times a power of two, so equal ones are equal in floats.

BOS is one more key. For an aggregate its score is ½ below full: it wins exactly where nothing is marked, and its value
is the default. For a width it is full: with w marked keys BOS weighs 1/(w+1), which is what the head returns.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.precision import Precision
from compiler.residual import BOS, ONE, Direction, Functional, SymbolicHead, combine, masked
from compiler.selectors import BoolTable, Relation
from compiler.storage import Reader, Storage, class_operation
from compiler.values import ValueAnalysis, value_key
from rasp.analyse import Gather, Head
from rasp.elementwise import OPERATIONS
from rasp.errors import Refusal
from rasp.graph import Aggregate, Constant, Indices, Map, SOp

_SMALL_TABLE = 3


@dataclass(frozen=True, eq=False)
class Feature:
    """What one side of a score dimension reads: a number (`weights` None), or a weight for each value of a node."""

    node: SOp
    weights: Mapping[Hashable, float] | None
    factor: float = 1.0

    def functional(self, reader: Reader) -> Functional:
        if self.weights is None:
            return combine((self.factor, reader.number(self.node)))
        return combine((self.factor, reader.feature(self.node, self.weights)))

    def demand(self, storage: Storage) -> None:
        if self.weights is None:
            storage.number(self.node, exact=True)
        else:
            storage.categorical(self.node, {key for key, weight in self.weights.items() if weight})


@dataclass(frozen=True, eq=False)
class ScorePart:
    """A relation as score dimensions, (query, key) each; `full` is the score of a match, `largest` bounds the sums."""

    dimensions: tuple[tuple[Feature, Feature], ...]
    full: int
    largest: float


@dataclass(frozen=True, eq=False)
class HeadPlan:
    """A head before its directions are known. `bos` is the BOS score; `halves` whether scores may be half-integers."""

    layer: int
    head: Head
    parts: tuple[ScorePart, ...]
    bos: float

    @property
    def needs_bos(self) -> bool:
        return self.bos != int(self.bos)


def plan_head(
    layer: int, head: Head, relations: Sequence[Relation], analysis: ValueAnalysis, storage: Storage, limit: float
) -> HeadPlan:
    """The plan of a head; what it reads is asked of the storage. Refusal where scores would not be exact."""
    competes = head.kind == "width" or not analysis.spread(head.selector).never_empty
    parts = tuple(_plan_part(relation, analysis, storage, competes, limit) for relation in relations)
    for query, key in (dimension for part in parts for dimension in part.dimensions):
        query.demand(storage)
        key.demand(storage)
    full = sum(part.full for part in parts)
    largest = 2 * (sum(part.largest for part in parts) + full + 1)
    if largest >= limit:
        raise Refusal(f"the scores of {head.selector!r} reach {largest:,.0f}, beyond exact integers", hint=_WIDER)
    below = 0.0 if head.kind == "width" else 0.5 if competes else 1.0
    return HeadPlan(layer, head, parts, full - below)


_WIDER = "use float64, or a smaller maximum length"


def _plan_part(
    relation: Relation, analysis: ValueAnalysis, storage: Storage, competes: bool, limit: float
) -> ScorePart:
    table = analysis.relation_table(relation)
    if table.all():
        return ScorePart((), 0, 0)
    by_table = _table_part(relation, storage, table)
    if len(by_table.dimensions) <= _SMALL_TABLE or not _is_equality(relation, analysis, table):
        return by_table
    by_square = _square_part(relation, analysis, storage, competes)
    return by_square if by_square is not None and by_square.largest * 4 < limit else by_table


def _table_part(relation: Relation, storage: Storage, table: BoolTable) -> ScorePart:
    """Score M[q, k], the relation's own truth table, full score 1.

    Equal rows and equal columns are merged to classes. With one-hot key classes, dimension d holds [k in class d] on
    the key side and M[q, d] on the query side, so the sum over d is M[q, k]; or the sides change places. Classes
    that match nothing need no dimension.
    """
    rows, row_of = _classes(table)
    columns, column_of = _classes(rows.T)
    small = columns.T
    query_node, query_values = _class_node(relation.queries, storage, row_of)
    key_node, key_values = _class_node(relation.keys, storage, column_of)
    by_key = [d for d in range(small.shape[1]) if small[:, d].any()]
    by_query = [d for d in range(small.shape[0]) if small[d].any()]
    if len(by_key) <= len(by_query):
        dimensions = [(_row(query_node, query_values, small[:, d]), _one(key_node, key_values, d)) for d in by_key]
    else:
        dimensions = [(_one(query_node, query_values, d), _row(key_node, key_values, small[d])) for d in by_query]
    return ScorePart(tuple(dimensions), 1, 1)


def _classes(table: BoolTable) -> tuple[BoolTable, list[int]]:
    """The distinct rows of a table, in order of first appearance, and the class of every row."""
    found: dict[bytes, int] = {}
    class_of = [found.setdefault(row.tobytes(), len(found)) for row in np.ascontiguousarray(table)]
    first = {c: row for row, c in reversed(list(enumerate(class_of)))}
    return table[[first[c] for c in range(len(found))]], class_of


def _class_node(node: SOp, storage: Storage, class_of: Sequence[int]) -> tuple[SOp, list[set[Hashable]]]:
    """A node whose value tells the class, and for each class the keys of its values there.

    The node itself where the feed-forward need not merge anything, else a Map to the class number.
    """
    universe = storage.analysis[node].universe
    count = max(class_of) + 1
    if storage.is_view(node) or count == len(universe):
        members: list[set[Hashable]] = [set() for _ in range(count)]
        for value, number in zip(universe, class_of, strict=True):
            members[number].add(value_key(value))
        return node, members
    table = {value_key(value): number for value, number in zip(universe, class_of, strict=True)}
    return Map(class_operation(table), (node,)), [{value_key(number)} for number in range(count)]


def _one(node: SOp, members: Sequence[set[Hashable]], number: int) -> Feature:
    return Feature(node, dict.fromkeys(members[number], 1.0))


def _row(node: SOp, members: Sequence[set[Hashable]], marks: Any) -> Feature:
    return Feature(node, {key: 1.0 for number, keys in enumerate(members) if marks[number] for key in keys})


def _is_equality(relation: Relation, analysis: ValueAnalysis, table: BoolTable) -> bool:
    queries, keys = analysis[relation.queries].universe, analysis[relation.keys].universe
    if not all(isinstance(value, int) for value in (*queries, *keys)):
        return False
    same = np.array(queries, dtype=object)[:, None] == np.array(keys, dtype=object)[None, :]
    return bool((same == table).all())


def _square_part(relation: Relation, analysis: ValueAnalysis, storage: Storage, competes: bool) -> ScorePart | None:
    """Score 2qk − k² − q² = −(q − k)² on integers: 0 where equal, at most −1 elsewhere; three dimensions.

    Where BOS does not compete, −q² is the same for all keys of a row and softmax does not see it: two dimensions.
    """
    queries, keys = relation.queries, relation.keys
    key_square, query_square = _square(keys), _square(queries)
    exact = [queries, keys, key_square, query_square] if competes else [queries, keys, key_square]
    if not all(map(storage.can_be_exact, exact)):
        return None
    if any(len(analysis.sources(node)) > 1 for node in (key_square, *([query_square] if competes else []))):
        return None
    one = Constant(1)
    dimensions = [
        (Feature(queries, None, 2.0), Feature(keys, None)),
        (Feature(one, None), Feature(key_square, None, -1.0)),
    ]
    if competes:
        dimensions.append((Feature(query_square, None, -1.0), Feature(one, None)))
    q, k = (max(map(abs, analysis[node].range)) for node in (queries, keys))
    return ScorePart(tuple(dimensions), 0, 2 * q * k + k * k + q * q)


def _square(node: SOp) -> SOp:
    return Map(OPERATIONS["*"], (node, node))


def lower_head(
    plan: HeadPlan, gathers: Sequence[Gather], name: str, storage: Storage, reader: Reader, precision: Precision
) -> SymbolicHead:
    """The head in names: score dimensions, one more for BOS, and a value channel for everything it writes.

    At the BOS query every dimension but the last is 0, and the last scores BOS alone: BOS attends to itself.
    """
    scale = precision.vanish * (2.0 if plan.needs_bos else 1.0)
    queries = [combine((scale, {BOS: 1.0}), (scale * plan.bos, {ONE: 1.0}))]
    keys: list[Functional] = [{BOS: 1.0}]
    for query, key in (dimension for part in plan.parts for dimension in part.dimensions):
        queries.append(combine((scale, masked(query.functional(reader)))))
        keys.append(masked(key.functional(reader)))
    values = [channel for node in gathers for channel in _channels(node, storage, reader)]
    return SymbolicHead(name, plan.head.kind, queries, keys, values)


def _channels(node: Gather, storage: Storage, reader: Reader) -> list[tuple[Functional, Direction]]:
    """What a head reads at the keys and where it writes it: BOS carries what an empty selection yields."""
    if not isinstance(node, Aggregate):
        return [({BOS: 1.0}, reader.raw[node])]
    found: list[tuple[Functional, Direction]] = []
    if node in reader.raw or (node in reader.numbers and storage.is_copy(node)):
        direction = reader.raw.get(node) or reader.numbers[node]
        found.append((masked(reader.number(node.value), direction.at_bos), direction))
    if node in reader.one_hot and storage.is_copy(node):
        found += _copy_channels(node, storage, reader)
    return found


def _copy_channels(node: Aggregate, storage: Storage, reader: Reader) -> list[tuple[Functional, Direction]]:
    values = storage.analysis[node].universe
    shared: dict[Direction, dict[Hashable, float]] = {}
    for value, direction in zip(values, reader.one_hot[node], strict=True):
        if direction is not None:
            shared.setdefault(direction, {})[value_key(value)] = 1.0
    return [
        (masked(reader.feature(node.value, weights), direction.at_bos), direction)
        for direction, weights in shared.items()
    ]


def single_guard(gathers: Sequence[Gather], storage: Storage, max_length: int) -> tuple[SOp, SOp] | None:
    """Two s-ops, z and z², whose means betray a row that marks several keys where only one may be; None if none can.

    The variance of z over the marked positions is 0 for one position and at least ¼ for several, z being an integer
    of its own at each.
    """
    for node in gathers:
        if isinstance(node, Aggregate) and storage.is_copy(node):
            spread = storage.analysis.spread(node.selector)
            if not spread.at_most_one:
                z = Map(OPERATIONS["-"], (Indices(), Constant(max_length // 2)))
                return z, _square(z)
    return None

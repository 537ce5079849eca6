"""Attention heads: from a conjunction of predicates to scores that softmax turns into exact weights.

A score is a sum of one part a predicate. Each part gives the same full score c to every pair that satisfies its
predicate and at most c − 1 to every other, so the sum is full for the selected keys and at least 1 lower elsewhere.
Scaled so that a gap underflows exp to 0, softmax is exactly uniform over the selected keys: equal scores give equal
weights, and all others weigh exactly 0. Scores are integers or halves times a power of two, so equal ones are equal in
floats.

BOS is one more key. For an aggregate its score is ½ below full: it wins exactly where nothing is selected, and its
value is the default. For a width it is full: with w selected keys BOS weighs 1/(w+1), which is what the head returns.

Among aggregates over full_s the length n is read as a mean: of the n keys the first has 1 and all others 0, so the
head returns 1/n. There BOS must not weigh anything, for the sake of the other means. The first key is selected in every
row, also where later keys are hidden from it.

Relations of the input are masks: what a query must not look at has the score −∞ and the weight 0 in any arithmetic, and
BOS is never hidden, so that no row is empty. The scores then choose among the keys that are left, as above.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.cases import truth
from compiler.encodings.classes import class_operation
from compiler.encodings.ways import deciding_form
from compiler.encodings.writers import ByHead
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.selectors import BoolTable, Cases, Conjunction, Predicate, compared
from compiler.storage import Storage
from compiler.symbolic import BOS, ONE, Block, Matrix, SymbolicHead
from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import value_key
from rasp.errors import Refusal
from rasp.graph import Constant, Indices, Map, Selector, SOp
from rasp.layers import Head
from rasp.operations import OPERATIONS, Operation

_SMALL_TABLE = 3


@dataclass(frozen=True, eq=False)
class Side:
    """What one side of a score part reads: a node as a number times `factor`, or a row of `table` for each value."""

    node: SOp
    factor: float = 1.0
    row_of: Mapping[Hashable, int] | None = None
    table: Matrix | None = None

    def demand(self, storage: Storage) -> None:
        if self.row_of is None or self.table is None:
            storage.number(self.node, exact=True)
        else:
            selected = set(np.flatnonzero(self.table.any(axis=1)).tolist())
            storage.categorical(self.node, {key for key, row in self.row_of.items() if row in selected})

    def block(self, reader: Reader) -> Block:
        if self.row_of is None or self.table is None:
            return Block.of(reader.number(self.node)).scaled(self.factor)
        return reader.block(self.node, self.row_of, self.table).scaled(self.factor)


@dataclass(frozen=True, eq=False)
class ScorePart:
    """A predicate as score dimensions, (query, key) sides; `full` is a match's score, `largest` bounds the sums."""

    sides: tuple[tuple[Side, Side], ...]
    full: int
    largest: float
    weight: float = 1.0


@dataclass(frozen=True, eq=False)
class HeadPlan:
    """A head before its directions are known; `bos` is the BOS score, a half-integer where BOS competes.

    No partial sum of a key's score, and no BOS score in halves, is larger than `largest`.
    """

    layer: int
    head: Head
    parts: tuple[ScorePart, ...]
    bos: float
    largest: float
    mask: Selector | None = None

    @property
    def has_halves(self) -> bool:
        return self.bos != int(self.bos)


_WIDER = "use float64, or a smaller maximum length"


def plan_head(
    layer: int, head: Head, selector: Conjunction, analysis: ValueAnalysis, storage: Storage, limit: float
) -> HeadPlan:
    """The plan of a head; what it reads is asked of the storage. Refusal where scores would not be exact.

    Squares are used where their scores are exact integers together with all others: of the numbers, or of how far they
    are from the middle, which have a quarter of the size. Else codes are, whose scores are small.
    """
    for squares in ("plain", "centred", "none"):
        scored = _planned(layer, head, selector, analysis, storage, squares)
        if scored.largest < limit:
            break
    if scored.largest >= limit:
        raise Refusal(
            f"the scores of {head.selector!r} reach {scored.largest:,.0f}, beyond exact integers", hint=_WIDER
        )
    for query, key in (side for part in scored.parts for side in part.sides):
        query.demand(storage)
        key.demand(storage)
    return scored


def _planned(
    layer: int, head: Head, selector: Conjunction, analysis: ValueAnalysis, storage: Storage, squares: str
) -> HeadPlan:
    """The parts of a score, a preference weighing less than a predicate: see `_best_parts`."""
    best = _best_parts(selector.preferences, analysis, storage)
    reach = sum(part.largest for part in best)
    weight = reach + 2 if best else 1
    competes = head.kind == "width" or not analysis.width_bounds(head.selector).never_empty
    parts = [_plan_part(found, analysis, storage, competes, squares) for found in selector.predicates]
    full = sum(part.full for part in parts)
    largest = weight * (sum(part.largest for part in parts) + full + 1) + reach + sum(abs(part.full) for part in best)
    every = (*(replace(part, weight=weight) for part in parts), *best)
    if best:
        lowest = sum(part.full for part in best) - 1
        return HeadPlan(layer, head, every, weight * full + lowest, largest, selector.mask)
    below = 0.0 if head.kind == "width" else 0.5 if competes else 1.0
    return HeadPlan(layer, head, every, full - below, max(largest, 2 * full), selector.mask)


def _best_parts(preferences: Sequence[SOp | Predicate], analysis: ValueAnalysis, storage: Storage) -> list[ScorePart]:
    """The preferences of select_best, the least important first; `full` is the smallest value a part can have.

    Let S be the score of the selector inside, full at c, and s the score of a key, within a range R of integers. In
    (R + 2)·S + s a selected key has at least (R + 2)c + min s, any other at most (R + 2)(c − 1) + min s + R, which is 2
    less, and among the selected keys the largest s wins by at least 1, equal ones exactly alike. BOS sits 1 below the
    lowest selected key. Of several preferences, each weighs more than the whole range of those after it. A predicate is
    a score of 0 and 1.
    """
    parts: list[ScorePart] = []
    weight = 1.0
    for preference in reversed(preferences):
        part = _preference_part(preference, analysis, storage)
        parts.append(replace(part, full=int(weight * part.full), largest=weight * part.largest, weight=weight))
        weight *= part.largest + 1
    return parts


def _preference_part(preference: SOp | Predicate, analysis: ValueAnalysis, storage: Storage) -> ScorePart:
    """A preference by itself: `full` is its smallest value, `largest` its range."""
    if isinstance(preference, Predicate):
        table = analysis.predicate_table(preference)
        return replace(_table_part(preference, storage, table), full=0)
    node = _integer_score(preference, analysis, storage)
    low, high = analysis[node].range
    return ScorePart(((Side(Constant(1)), Side(node)),), int(low), high - low)


def _integer_score(score: SOp, analysis: ValueAnalysis, storage: Storage) -> SOp:
    """The score itself where it is an exact integer, else its rank among its possible values."""
    if storage.can_be_exact(score):
        return score
    universe = analysis[score].universe
    rank = {value: number for number, value in enumerate(sorted(set(universe)))}
    return Map(class_operation({value_key(value): rank[value] for value in universe}), (score,))


def _plan_part(
    predicate: Predicate | Cases, analysis: ValueAnalysis, storage: Storage, competes: bool, squares: str
) -> ScorePart:
    if isinstance(predicate, Cases):
        return _case_part(predicate, analysis, storage)
    if squares != "none" and _equal_ints(predicate, analysis) > _SMALL_TABLE:
        middle = _middle(predicate, analysis) if squares == "centred" else 0
        by_square = _square_part(predicate, analysis, storage, competes, middle)
        if by_square is not None:
            return by_square
    table = analysis.predicate_table(predicate)
    if table.all():
        return ScorePart((), 0, 0)
    if squares != "none" and table.any(axis=1).sum() > _SMALL_TABLE and _is_equality(predicate, analysis, table):
        middle = _middle(predicate, analysis) if squares == "centred" else 0
        by_square = _square_part(predicate, analysis, storage, competes, middle)
        if by_square is not None:
            return by_square
    is_free = storage.is_view(predicate.queries) and storage.is_view(predicate.keys)
    is_coded = (is_free or squares == "none") and _matching_classes(table) > _SMALL_TABLE
    by_code = _code_part(predicate, analysis, table) if is_coded else None
    return by_code or _table_part(predicate, storage, table)


def _case_part(cases: Cases, analysis: ValueAnalysis, storage: Storage) -> ScorePart:
    """Score Σ_c [the chooser is in case c]·[what c asks holds], full score 1.

    The chooser is in one case at most, so of these products one at most is 1, and it is where the formula holds.
    """
    universe = analysis[cases.chooser].universe
    node, row_of = _class_node(cases.chooser, storage, cases.places(map(value_key, universe)))
    chosen = np.eye(max(row_of.values()) + 1, len(cases.cases))
    sides = []
    for at, case in enumerate(cases.cases):
        chooser = Side(node, row_of=row_of, table=chosen[:, at : at + 1])
        asked = Side(truth(case.asked.formula, analysis))
        sides.append((asked, chooser) if cases.by_keys else (chooser, asked))
    return ScorePart(tuple(sides), 1, 1)


def _equal_ints(predicate: Predicate, analysis: ValueAnalysis) -> int:
    """Of a plain comparison of ints for equality, how many values keys and queries have in common; 0 for any other."""
    values = analysis[predicate.queries], analysis[predicate.keys]
    if not predicate.is_equality or not all(isinstance(value, int) for side in values for value in side.universe):
        return 0
    return len(set(values[0].universe) & set(values[1].universe)) if all(side.listed for side in values) else 0


def _middle(predicate: Predicate, analysis: ValueAnalysis) -> int:
    """The int in the middle of all that are compared."""
    ends = [end for side in (predicate.queries, predicate.keys) for end in analysis[side].range]
    return int(min(ends) + max(ends) + 1) // 2


def _matching_classes(table: BoolTable) -> int:
    """How many dimensions `_table_part` needs: the classes of queries, or of keys, that match something."""
    small = _classes(_classes(table)[0].T)[0]
    return int(min(small.any(axis=0).sum(), small.any(axis=1).sum()))


def _table_part(predicate: Predicate, storage: Storage, table: BoolTable) -> ScorePart:
    """Score M[q, k], the predicate's own truth table, full score 1.

    Equal rows and equal columns are merged to classes. With one-hot key classes, dimension d holds [k in class d] on
    the key side and M[q, d] on the query side, so the sum over d is M[q, k]; or the sides change places. Classes
    that match nothing need no dimension.
    """
    rows, row_of = _classes(table)
    columns, column_of = _classes(rows.T)
    small = columns.T.astype(np.float64)
    query_node, query_rows = _class_node(predicate.queries, storage, row_of)
    key_node, key_rows = _class_node(predicate.keys, storage, column_of)
    by_key, by_query = np.flatnonzero(small.any(axis=0)), np.flatnonzero(small.any(axis=1))
    one_hot_keys = len(by_key) <= len(by_query)
    query_table = small[:, by_key] if one_hot_keys else np.eye(len(small))[:, by_query]
    key_table = np.eye(small.shape[1])[:, by_key] if one_hot_keys else small[by_query].T
    sides = (
        Side(query_node, row_of=query_rows, table=query_table),
        Side(key_node, row_of=key_rows, table=key_table),
    )
    return ScorePart((sides,), 1, 1)


def _classes(table: BoolTable) -> tuple[BoolTable, list[int]]:
    """The distinct rows of a table, in order of first appearance, and the class of every row."""
    found: dict[bytes, int] = {}
    class_of = [found.setdefault(row.tobytes(), len(found)) for row in np.ascontiguousarray(table)]
    first = {c: row for row, c in reversed(list(enumerate(class_of)))}
    return table[[first[c] for c in range(len(found))]], class_of


def _class_node(node: SOp, storage: Storage, class_of: Sequence[int]) -> tuple[SOp, dict[Hashable, int]]:
    """A node whose value tells the class, and the class of each of its values.

    The node itself where a feed-forward need not merge anything, else a Map to the class number.
    """
    universe = storage.analysis[node].universe
    number = {value_key(value): found for value, found in zip(universe, class_of, strict=True)}
    count = max(class_of) + 1
    if storage.is_view(node) or count == len(universe):
        return node, number
    return Map(class_operation(number), (node,)), {value_key(found): found for found in range(count)}


def _code_part(predicate: Predicate, analysis: ValueAnalysis, table: BoolTable) -> ScorePart | None:
    """Score Σ u_b·v_b over the B bits, each 1 or −1, of the codes u of a query and v of a key; None if there are none.

    Where every query matches one class of keys at most, and every key one of queries, the two have one code and all
    others another: then the sum is B on a match and at most B − 2 elsewhere. What matches nothing is 0 in all bits.
    """
    rows, row_of = _classes(table)
    columns, column_of = _classes(rows.T)
    matches = np.argwhere(columns.T)
    if len(set(matches[:, 0])) < len(matches) or len(set(matches[:, 1])) < len(matches):
        return None
    queries, keys = (
        _coded(node, analysis, classes, matches[:, side].tolist())
        for side, (node, classes) in enumerate([(predicate.queries, row_of), (predicate.keys, column_of)])
    )
    return ScorePart(tuple(zip(queries, keys, strict=True)), len(queries), len(queries))


def _coded(node: SOp, analysis: ValueAnalysis, class_of: Sequence[int], classes: Sequence[int]) -> list[Side]:
    """The bits of a node's code, which is the place of its class among those that match; 0 for other classes."""
    code = {found: place for place, found in enumerate(classes)}
    keys = list(map(value_key, analysis[node].universe))

    def bit(at: int, found: int) -> int:
        return 2 * (code[found] >> at & 1) - 1 if found in code else 0

    return [
        Side(Map(class_operation({key: bit(at, found) for key, found in zip(keys, class_of, strict=True)}), (node,)))
        for at in range((len(classes) - 1).bit_length())
    ]


def _is_equality(predicate: Predicate, analysis: ValueAnalysis, table: BoolTable) -> bool:
    queries, keys = analysis[predicate.queries].universe, analysis[predicate.keys].universe
    if not all(isinstance(value, int) for value in (*queries, *keys)):
        return False
    return np.array_equal(compared("==", queries, keys), table)


def _square_part(
    predicate: Predicate, analysis: ValueAnalysis, storage: Storage, competes: bool, middle: int
) -> ScorePart | None:
    """Score 2qk − k² − q² = −(q − k)² on integers: 0 where equal, at most −1 elsewhere; three dimensions.

    Where BOS does not compete, −q² is the same for all keys of a row and softmax does not see it: two dimensions.
    """
    queries, keys = (_moved(node, middle) for node in (predicate.queries, predicate.keys))
    key_square, query_square = _square(keys), _square(queries)
    exact = [queries, keys, key_square, query_square] if competes else [queries, keys, key_square]
    if not all(map(storage.can_be_exact, exact)):
        return None
    squares = (key_square, query_square) if competes else (key_square,)
    if any(len(analysis.sources(square)) > 1 and deciding_form(square, storage) is None for square in squares):
        return None
    one = Constant(1)
    sides = [(Side(queries, 2.0), Side(keys)), (Side(one), Side(key_square, -1.0))]
    if competes:
        sides.append((Side(query_square, -1.0), Side(one)))
    q, k = (max(map(abs, analysis[node].range)) for node in (queries, keys))
    return ScorePart(tuple(sides), 0, 2 * q * k + k * k + (q * q if competes else 0))


def _moved(node: SOp, by: int) -> SOp:
    return Map(OPERATIONS["-"], (node, Constant(by))) if by else node


def _square(node: SOp) -> SOp:
    return Map(OPERATIONS["*"], (node, node))


def lower_head(plan: HeadPlan, written: Sequence[ByHead], reader: Reader, precision: Precision) -> SymbolicHead:
    """The head in names: score dimensions, one more for BOS, and a value channel for everything it writes.

    At the BOS query every dimension but the last is 0, and the last scores BOS alone: BOS attends to itself.
    """
    scale = precision.vanish * (2.0 if plan.has_halves else 1.0)
    queries = [Block.of({BOS: scale, ONE: scale * plan.bos} if plan.bos else {BOS: scale})]
    keys = [Block.of({BOS: 1.0})]
    for part in plan.parts:
        for query, key in part.sides:
            queries.append(query.block(reader).scaled(scale * part.weight).masked())
            keys.append(key.block(reader).masked())
    values = [channel for encoding in written for channel in encoding.channels(reader)]
    selector = plan.head.selector
    name, line = reader.source_map.text(selector), reader.source_map.line(selector)
    return SymbolicHead(selector, name, line, plan.head.kind, queries, keys, values, plan.mask)


def distances(max_length: int) -> tuple[SOp, SOp]:
    """Two s-ops, z and z², whose means reveal a row that selects several keys: z is the distance from the middle.

    The variance of z over the selected positions is 0 for one position and at least ¼ for several, z being an integer
    of its own at each.
    """
    middle = max_length // 2
    z = Map(Operation("distance", 1, middle, lambda index: index - middle), (Indices(),))
    square = Map(Operation("square distance", 1, middle, lambda index: (index - middle) ** 2), (Indices(),))
    return z, square

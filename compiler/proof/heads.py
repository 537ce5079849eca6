"""What is proved of a head: which keys it selects, and what it reads there.

A head passes if, for every query and key, the scores of selected keys are exactly equal, and every other weight
underflows to 0. What a mask hides has the weight 0 whatever its score is, and any of the others may be left: so this is
for every relation that an input may have.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from compiler.gadgets.attention import HeadPlan, ScorePart
from compiler.ir import HeadWeights
from compiler.proof.cases import are_the_formula
from compiler.proof.squares import squares_of
from compiler.proof.stream import Stream, code_table, multiples
from compiler.proof.units import Vector
from compiler.rounding import added_exactly, drift_at_bos, held_exactly
from compiler.selectors import BoolTable, Cases, Conjunction, Predicate
from compiler.storage import FIRST
from compiler.symbolic import BOS, ONE, Direction, Functional, Matrix, SymbolicHead, at_bos
from compiler.values.along import along, reads_only
from compiler.values.categorical import value_key
from compiler.values.roundoff import SLACK
from rasp.graph import Aggregate, Constant, Selector, SOp, full
from rasp.layers import Head

_BLOCK = 1 << 18


@dataclass(frozen=True, eq=False)
class _RowScores:
    """Of some queries the largest and smallest score of the keys each selects, and the largest score of other keys.

    `reach` bounds all partial sums that lead to them.
    """

    ends: tuple[Vector, Vector, Vector]
    reach: float


def _blocks(table: BoolTable) -> list[slice]:
    """The rows of a table in blocks that are not too large to compute with."""
    size = max(1, _BLOCK // table.shape[1])
    return [slice(start, start + size) for start in range(0, len(table), size)]


def _reach(left: Matrix, right: Matrix, product: Matrix) -> Matrix:
    """What bounds all partial sums of each number of a product: itself, where nothing is negative."""
    if left.min(initial=0.0) >= 0 and right.min(initial=0.0) >= 0:
        return product
    found: Matrix = np.abs(left) @ np.abs(right)
    return found


class Heads:
    """The checks of heads."""

    def __init__(self, stream: Stream, conjunctions: Mapping[Selector, Conjunction]) -> None:
        self.stream, self.conjunctions = stream, conjunctions
        self.reader, self.analysis, self.precision = stream.reader, stream.analysis, stream.precision
        self._drifts: dict[SOp, float] = {}

    def check(self, head: HeadWeights, symbol: SymbolicHead, plan: HeadPlan) -> None:
        selector = self.conjunctions[plan.head.selector]
        if head.mask is not selector.mask:
            self.stream.fail(head.name, "its mask is not the one that its selector asks for")
        bos_query, bos_key = self._at_bos(head.W_Q), self._at_bos(head.W_K)
        only_bos = head.W_K[:, 0].nonzero()[0].tolist() == self.stream.rows([BOS])
        if np.any(bos_key[1:] != 0) or np.any(bos_query[1:] != 0) or not only_bos:
            self.stream.fail(head.name, "BOS takes part in the scores of others")
        if set(self.stream.read(head.W_Q[:, :1])) - {ONE, BOS}:
            self.stream.fail(head.name, "the BOS score depends on the query")
        bos = float(head.W_Q[self.stream.rows([ONE])[0], 0]) * float(bos_key[0])
        self._gap(bos_query[0] * bos_key[0], head.name)
        self.reach = 0.0
        parts = zip(selector.predicates, self._parts(plan), strict=False)
        predicates = [
            self._case_scores(head, found, part, at)
            if isinstance(found, Cases)
            else self._predicate_scores(head, found, part, at)
            for found, (part, at) in parts
        ]
        full = (sum(low for low, _, _ in predicates), sum(high for _, high, _ in predicates))
        gap = min((gap for _, _, gap in predicates), default=float("inf"))
        low, high = self._best_range(head, selector, plan)
        self._exact_sums(head, bos)
        self._gap(gap - (high - low), head.name)
        self._bos_place(head, plan, bos, full, gap, low, high)
        self._channels(head, symbol, plan)

    def _at_bos(self, matrix: Any) -> Vector:
        """What a matrix reads at BOS."""
        state = self.stream.bos_state
        rows = np.flatnonzero(state)
        found: Vector = state[rows] @ matrix[rows].astype(np.float64)
        return found

    def _gap(self, gap: float, where: str) -> None:
        """Notes a score gap; a weight underflows to 0 from `underflow` on."""
        needed = {"float32": 104.0, "float64": 746.0}[self.precision.name]
        if gap < needed:
            self.stream.fail(where, f"a score gap is {gap:.6g}, and only from {needed:g} on a weight is exactly 0")
        self.stream.note(gap / needed, f"{where}: score gap")

    def _parts(self, plan: HeadPlan) -> list[tuple[ScorePart, slice]]:
        """The parts of a head's score, each with its dimensions."""
        column = 1
        found = []
        for part in plan.parts:
            width = sum(self._width(part))
            found.append((part, slice(column, column + width)))
            column += width
        return found

    def _width(self, part: ScorePart) -> list[int]:
        return [1 if query.table is None else query.table.shape[1] for query, _ in part.sides]

    def _predicate_scores(
        self, head: HeadWeights, predicate: Predicate, part: ScorePart, columns: slice
    ) -> tuple[float, float, float]:
        """Smallest and largest full score of a predicate, and by how much every other score falls short of it."""
        query_states, query_vectors = self._queries(head, columns, predicate.queries)
        key_states, key_vectors = self._keys(head, columns, predicate.keys)
        if predicate.is_equality:
            squares = squares_of(query_states, query_vectors, key_states, key_vectors)
            if squares is not None:
                self.reach += squares.reach
                self.stream.checks += len(query_states) * len(key_states)
                return squares.low, squares.high, squares.gap
        truth = predicate.table(query_states, key_states)
        rows = [self._row_scores(query_vectors[at], key_vectors, truth[at]) for at in _blocks(truth)]
        self.reach += max((found.reach for found in rows), default=0.0)
        largest, smallest, others = (np.concatenate(side) for side in zip(*(found.ends for found in rows), strict=True))
        if not truth.any():
            full = part.full * part.weight * self._unit(head)
            return full, full, full - max(0.0, float(others.max()))
        some = truth.any(axis=1)
        if np.any(largest[some] != smallest[some]):
            self.stream.fail(head.name, f"selected keys have different scores for {predicate.formula!r}")
        self.stream.checks += truth.size
        low, high = float(largest[some].min()), float(largest[some].max())
        return low, high, float((np.where(some, largest, low) - others).min())

    def _case_scores(
        self, head: HeadWeights, cases: Cases, part: ScorePart, columns: slice
    ) -> tuple[float, float, float]:
        """The same for cases: each has a dimension, where the chooser has one number if it is in that case, else 0.

        The other side has a number there if what the case asks holds, else 0. As the chooser has one value, the score
        is the product of both where the formula holds, and 0 elsewhere.
        """
        if not are_the_formula(cases, lambda node: self.analysis[node].universe):
            self.stream.fail(head.name, f"{cases.formula!r} is not what its cases say")
        chooser_side, other_side = (self._keys, self._queries) if cases.by_keys else (self._queries, self._keys)
        values, chosen = chooser_side(head, columns, cases.chooser)
        first, full = float(chosen.max(initial=0.0)), part.full * part.weight * self._unit(head)
        places = cases.places(map(value_key, values))
        if not np.array_equal(chosen, first * np.eye(len(cases.cases) + 1)[places, :-1]):
            self.stream.fail(head.name, f"the cases of {cases.formula!r} are read apart in another way")
        for at, case in enumerate(cases.cases, columns.start):
            asked, found = other_side(head, slice(at, at + 1), cases.asked(case))
            if not np.array_equal(first * found[:, 0], full * cases.holds(case, asked)):
                self.stream.fail(head.name, f"scores are not the same wherever {case.asked.formula!r} holds")
            self.stream.checks += len(values) + len(asked)
        self.reach += full
        return full, full, full

    def _row_scores(self, queries: Matrix, keys: Matrix, truth: BoolTable) -> _RowScores:
        scores = queries @ keys.T
        ends = (
            np.where(truth, scores, -np.inf).max(axis=1),
            np.where(truth, scores, np.inf).min(axis=1),
            np.where(truth, -np.inf, scores).max(axis=1),
        )
        return _RowScores(ends, float(_reach(queries, keys.T, scores).max(initial=0.0)))

    def _unit(self, head: HeadWeights) -> float:
        """What the scores of keys are multiples of; that of BOS may be a multiple of half of it."""
        return abs(float(head.W_Q[self.stream.rows([BOS])[0], 0]))

    def _scores(self, queries: Matrix, keys: Matrix) -> Matrix:
        """What some dimensions add to the scores, for every query and key. `reach` bounds all partial sums so far."""
        scores: Matrix = queries @ keys.T
        self.reach += float(_reach(queries, keys.T, scores).max(initial=0.0))
        return scores

    def _exact_sums(self, head: HeadWeights, bos: float) -> None:
        """Whether scores are exact in whatever order they are summed: integers, in units, that the dtype holds.

        Their differences from the largest may be rounded: then 0 stays 0, and what is a gap or more stays so.
        """
        unit = self._unit(head)
        if max(self.reach, 2 * abs(bos)) >= self.precision.exact * unit or bos % (unit / 2):
            self.stream.fail(head.name, "scores are not exact integers")

    def _queries(self, head: HeadWeights, columns: slice, node: SOp) -> tuple[list[Any], Matrix]:
        return self._side(head, head.W_Q[:, columns].astype(np.float64), node, self._unit(head))

    def _keys(self, head: HeadWeights, columns: slice, node: SOp) -> tuple[list[Any], Matrix]:
        return self._side(head, head.W_K[:, columns].astype(np.float64), node, 1.0)

    def _side(self, head: HeadWeights, matrix: Matrix, node: SOp, unit: float) -> tuple[list[Any], Matrix]:
        """The values of a node, and what a side of the scores reads in each state of what it reads: exact integers."""
        directions = [d for d in self.stream.read(matrix) if d is not BOS]
        if self.stream.raw(directions):
            self.stream.fail(repr(node), "a score reads a number that is not exact")
        multiple = self._multiple(head, matrix, directions, node, unit)
        if multiple is not None:
            return multiple
        states = self.stream.states(directions, node)
        held, weights = self.stream.ideal(directions, states), matrix[self.stream.rows(directions)]
        found = held @ weights
        reach = _reach(held, weights, found).max(initial=0.0)
        if reach >= self.precision.exact * unit or np.any(held % 1) or np.any(weights % unit):
            self.stream.fail(head.name, "scores are not exact integers")
        codes = np.zeros(states.count) if isinstance(node, Constant) else states.codes[node]
        rows: Matrix = np.unique(np.column_stack([codes, found]), axis=0)
        universe = [node.value] if isinstance(node, Constant) else self.analysis[node].universe
        return [universe[int(code)] for code in rows[:, 0].tolist()], rows[:, 1:]

    def _multiple(
        self, head: HeadWeights, matrix: Matrix, directions: Sequence[Direction], node: SOp, unit: float
    ) -> tuple[list[Any], Matrix] | None:
        """The same where all that is read follows from the node's value, whatever ints that is the sum of.

        It is a linear form of stored ints that is the node, times a factor, a constant, and stored functions of the
        node. None elsewhere.
        """
        storage = self.stream.storage
        form = storage.form_read(node) if len(self.analysis.sources(node)) > 1 else None
        if form is None or not storage.can_be_exact(node) or not all(map(self._has_number, form.weights)):
            return None
        read = self.reader.number(node)
        moving = [direction for direction in read if direction not in (ONE, BOS)]
        factors = multiples(matrix[self.stream.rows(moving)], [read[direction] for direction in moving])
        others = [direction for direction in directions if direction not in {ONE, *moving}]
        if factors is None or not all(reads_only(self.stream.node_of[direction], node) for direction in others):
            return None
        self.stream.holds(node, [read], [None])
        self._exact_reading(head, matrix, directions, unit)
        universe = self.analysis[node].universe
        constant = matrix[self.stream.rows([ONE])[0]] - read.get(ONE, 0.0) * factors
        found = np.array(universe, dtype=np.float64)[:, None] * factors + constant
        for direction in others:
            found = found + self._held_along(node, direction)[:, None] * matrix[self.stream.rows([direction])]
        return list(universe), found

    def _has_number(self, part: SOp) -> bool:
        """Whether a part of a sum is stored so that its number can be read."""
        reader = self.reader
        stored = (reader.numbers, reader.one_hot)
        if any(part in kind for kind in stored) or (part in reader.raw and isinstance(part, Aggregate)):
            return True
        is_constant = not self.analysis.sources(part) or len(self.analysis[part].universe) == 1
        return is_constant or reader.is_read_off_one(part)

    def _held_along(self, node: SOp, direction: Direction) -> Vector:
        """What a direction, a function of a node, holds for each value of the node."""
        meaning = self.stream.meaning(direction)
        value_of = dict(along(self.analysis, node, meaning.node))
        number = code_table(self.analysis[meaning.node].universe)
        return meaning.levels[[number[value_key(value_of[value])] for value in self.analysis[node].universe]]

    def _exact_reading(self, head: HeadWeights, matrix: Matrix, directions: Sequence[Direction], unit: float) -> None:
        """Nothing, or a Refusal where sums of what is read may not be exact integers."""
        levels = [self.stream.meaning(direction).levels for direction in directions]
        weights = matrix[self.stream.rows(directions)]
        reach = np.array([np.abs(held).max() for held in levels]) @ np.abs(weights)
        if np.any(reach >= self.precision.exact * unit) or np.any(weights % unit) or any(np.any(v % 1) for v in levels):
            self.stream.fail(head.name, "scores are not exact integers")

    def _best_range(self, head: HeadWeights, selector: Conjunction, plan: HeadPlan) -> tuple[float, float]:
        """The smallest and the largest score that select_best adds; its order and its ties are checked.

        What one preference decides, all those after it together must not reverse.
        """
        parts = self._parts(plan)[len(selector.predicates) :]
        low = high = 0.0
        for preference, (_, columns) in zip(reversed(selector.preferences), parts, strict=True):
            gap, lowest, highest = (
                self._preferred_predicate(head, preference, columns)
                if isinstance(preference, Predicate)
                else self._score_range(head, preference, columns)
            )
            if gap is not None:
                self._gap(gap - (high - low), head.name)
            low, high = low + lowest, high + highest
        return low, high

    def _score_range(self, head: HeadWeights, score: SOp, columns: slice) -> tuple[float | None, float, float]:
        """The smallest step between different scores (None: all are equal), the smallest and the largest of them."""
        if set(self.stream.read(head.W_Q[:, columns])) - {ONE, BOS}:
            self.stream.fail(head.name, "the score of select_best depends on the query")
        _, query_vectors = self._queries(head, columns, Constant(True))
        values, key_vectors = self._keys(head, columns, score)
        found = self._scores(query_vectors, key_vectors)[0]
        gap: float | None = None
        ranked = sorted(zip(values, found.tolist(), strict=True))
        for (before, low), (after, high) in pairwise(ranked):
            if before == after and low != high:
                self.stream.fail(head.name, "equal scores of select_best are not equal")
            if before != after:
                gap = high - low if gap is None else min(gap, high - low)
        return gap, float(found.min()), float(found.max())

    def _preferred_predicate(
        self, head: HeadWeights, predicate: Predicate, columns: slice
    ) -> tuple[float | None, float, float]:
        """The same for a preferred predicate: one score wherever it holds, and a lower one wherever it does not."""
        query_states, query_vectors = self._queries(head, columns, predicate.queries)
        key_states, key_vectors = self._keys(head, columns, predicate.keys)
        scores = self._scores(query_vectors, key_vectors)
        truth = predicate.table(query_states, key_states)
        levels = [np.unique(scores[truth == holds]) for holds in (False, True)]
        if any(len(level) > 1 for level in levels):
            self.stream.fail(head.name, f"scores differ where {predicate.formula!r} is the same")
        self.stream.checks += truth.size
        gap = float(levels[1][0] - levels[0][0]) if all(map(len, levels)) else None
        return gap, float(scores.min()), float(scores.max())

    def _bos_place(
        self,
        head: HeadWeights,
        plan: HeadPlan,
        bos: float,
        full: tuple[float, float],
        gap: float,
        low: float,
        high: float,
    ) -> None:
        """BOS ties with a width's selected keys; for an aggregate it lies between selected and other keys."""
        if plan.head.kind == "width":
            if full != (bos, bos):
                self.stream.fail(head.name, "BOS does not tie with the selected keys")
            return
        self._gap(full[0] + low - bos, head.name)
        if not self.analysis.width_bounds(plan.head.selector).never_empty:
            if full[0] != full[1]:
                self.stream.fail(head.name, "the full score depends on the query")
            self._gap(bos - (full[1] - gap + high), head.name)

    def _channels(self, head: HeadWeights, symbol: SymbolicHead, plan: HeadPlan) -> None:
        self.stream.coefficients(head.name, head.W_V, [functional for functional, _ in symbol.values])
        wanted = np.zeros(head.W_O.shape)
        wanted[range(len(symbol.values)), self.stream.rows([direction for _, direction in symbol.values])] = 1
        if not np.array_equal(head.W_O, wanted):
            self.stream.fail(head.name, "what it reads is not written where it belongs")
        by_node: dict[SOp, list[tuple[Functional, Direction]]] = defaultdict(list)
        for column, (functional, direction) in enumerate(symbol.values):
            node = self.stream.node_of[direction]
            by_node[node].append((functional, direction))
            if isinstance(node, Aggregate):
                self._rests(node, direction, head.W_V[:, column].astype(np.float64))
        for node, channels in by_node.items():
            if isinstance(node, Aggregate):
                self._read_at_keys(node, channels)
            elif self.stream.storage.is_mean_length(node):
                self._first_key(node, channels, plan)
            elif plan.head.kind != "width" or channels != [({BOS: 1.0}, self.reader.raw[node])]:
                self.stream.fail(head.name, f"the width {node!r} is not read off BOS alone")

    def _first_key(self, node: SOp, channels: Sequence[tuple[Functional, Direction]], plan: HeadPlan) -> None:
        """A length beside means is the mean of what is 1 at the first key alone; a head over full_s selects it."""
        functionals = [functional for functional, _ in channels]
        if (plan.head, [at_bos(found) for found in functionals]) != (Head(full, "aggregate"), [0.0]):
            self.stream.fail(repr(node), "it is not the mean over all keys")
        self.stream.holds(FIRST, functionals, [None])

    def _rests(self, node: Aggregate, direction: Direction, weights: Vector) -> None:
        """What a channel reads at BOS is the default, within the bound on its drift, in the dtype's arithmetic.

        What is held there has drifted by no more than its own bound. Products and sums round nothing where all are
        multiples of one power of two, else n products and their sums round n + 2 units of all their sizes.
        """
        rows = np.flatnonzero(weights).tolist()
        held = [Fraction(self.stream.bos_state[row]) for row in rows]
        terms = [Fraction(weights[row]) * at_bos for row, at_bos in zip(rows, held, strict=True)]
        if sum(map(abs, terms)) >= self.precision.largest:
            self.stream.fail(repr(node), "what is read at BOS is beyond the largest float")
        is_exact = held_exactly(held, self.precision) and added_exactly([Fraction(0), *terms], self.precision)
        rounded = 0.0 if is_exact else (len(rows) + 2) * self.precision.unit * float(sum(map(abs, terms)))
        drift = sum(abs(weights[row]) * self._drift(self.stream.directions[row]) for row in rows)
        off = float(abs(sum(terms) - Fraction(direction.at_bos)))
        if off + drift + rounded > SLACK * self._drift(direction):
            self.stream.fail(repr(node), "what is read at BOS is not the default")
        self.stream.checks += 1

    def _drift(self, direction: Direction) -> float:
        """By how much what a direction holds at BOS may be off; one-hots and counts are exact."""
        node = self.stream.node_of[direction]
        if direction not in (self.reader.raw.get(node), self.reader.numbers.get(node)):
            return 0.0
        if node not in self._drifts:
            self._drifts[node] = drift_at_bos(node, self.stream.storage, self.precision)
        return self._drifts[node]

    def _read_at_keys(self, node: Aggregate, channels: Sequence[tuple[Functional, Direction]]) -> None:
        """What a head reads for an aggregate is the aggregated value as each direction shows it, at BOS the default.

        Of what it never copies, it may read what shares a direction with a value that it copies.
        """
        read: list[frozenset[Hashable] | None] = []
        for _, direction in channels:
            if direction in (self.reader.raw.get(node), self.reader.numbers.get(node)):
                read.append(None)
                default = self.stream.storage.number_at_bos(node)
            else:
                space = zip(self.analysis[node].universe, self.reader.one_hot[node], strict=True)
                shown = [value for value, found in space if found is direction]
                keys, sharing = frozenset(map(value_key, shown)), self.analysis[node.value].sharing
                read.append(keys.union(*(sharing.get(key, ()) for key in keys)))
                default = float(any(value == node.default for value in shown))
            if direction.at_bos != default:
                self.stream.fail(repr(node), "what it holds at BOS is not the default")
        self.stream.holds(node.value, [functional for functional, _ in channels], read)

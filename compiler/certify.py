"""The certificate: a proof, over the finished arrays, that every value in the residual stream is what its name says.

The proof goes from layer to layer. Suppose every direction written so far holds what its name says: a one-hot or a
stored number exactly, a head's mean or reciprocal up to a bounded error. Each head and each group of neurons reads a
few s-ops, whose reachable combinations are listed; so all that it can ever compute is computed here, from the
actual weights, and compared with what the program says. Then what it writes is right as well. For every input of 1 to
N tokens over the vocabulary this leaves nothing out, because the listed combinations are a superset of what occurs.

A head passes if, for every query and key, the scores of marked keys are exactly equal, and every other weight
underflows to 0. A group of neurons passes if, for readings anywhere within the error bound, every unit keeps its side
of zero and the active ones add up to exactly the value wanted, with no slope left along the reading; the *headroom*
says up to which multiple of the bound that holds. Sums are of integers (times a power of two) below the exact range,
so their order does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from itertools import groupby, pairwise
from typing import Any, NoReturn, TypeAlias

import numpy as np

from compiler.affine import is_product
from compiler.assemble import Assembler
from compiler.cells import Ints
from compiler.columns import UNDEFINED, Coded, value_key
from compiler.gadgets.attention import HeadPlan, ScorePart
from compiler.gadgets.feedforward import combined_readings
from compiler.gaps import Gap, is_gap
from compiler.ir import Certificate, FeedForwardWeights, HeadWeights, LayerWeights, ModelWeights, Readout
from compiler.lower import Plan, SymbolicModel, SymbolicReadout, output_codes
from compiler.precision import Precision
from compiler.residual import BOS, ONE, Direction, Functional, Matrix, SymbolicHead, at_bos
from compiler.rounding import mean_error_at, number_error, raw_error_at
from compiler.selectors import BoolTable, Conjunction, Relation
from compiler.storage import Reader
from compiler.tally import is_count, is_flag, is_tally, means_of
from compiler.units import Group, Reading
from compiler.values import linear_form, number_at_rest
from rasp.errors import Refusal
from rasp.graph import Aggregate, Constant, Map, Selector, SelectorWidth, SOp

Vector: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
_HEADROOMS = (1.0, 2.0, 4.0, 8.0, 16.0)
_BLOCK = 1 << 23


@dataclass(frozen=True, eq=False)
class Meaning:
    """What a direction holds: a number for each code of a node's universe, within an error for each (none: exact)."""

    node: SOp
    levels: Vector
    errors: Vector | None = None


@dataclass(frozen=True, eq=False)
class States:
    """Reachable combinations of some nodes' values: for each node the code it has in every combination."""

    count: int
    codes: Mapping[SOp, Ints]

    def at(self, rows: Ints) -> States:
        """Some of the combinations."""
        return States(len(rows), {node: codes[rows] for node, codes in self.codes.items()})

    def having(self, node: SOp, codes: Ints) -> States:
        """The combinations together with the codes of one more node."""
        return States(self.count, {**self.codes, node: codes})


class Certifier:
    """One model's proof. `certificate()` gives it, or raises a Refusal that names what does not hold."""

    def __init__(
        self,
        weights: ModelWeights,
        planned: Plan,
        symbolic: SymbolicModel,
        conjunctions: Mapping[Selector, Conjunction],
        precision: Precision,
    ) -> None:
        self.weights, self.planned, self.symbolic = weights, planned, symbolic
        self.conjunctions, self.precision = conjunctions, precision
        self.reader: Reader = symbolic.reader
        self.analysis = planned.storage.analysis
        self.node_of = self._nodes()
        self.meanings: dict[Direction, Meaning] = {}
        self.bos_state = np.array([d.at_bos for d in symbolic.directions])
        self.bos_state[symbolic.directions.index(BOS)] = 1.0
        self.checks = 0
        self.headroom, self.tightest = float("inf"), "nowhere"

    def certificate(self) -> Certificate:
        """The certificate. Refusal where a check fails."""
        self._structure()
        self._embedding()
        self._writers()
        plans = list(self.planned.heads)
        for layer, symbols in zip(self.weights.layers, self.symbolic.layers, strict=True):
            for head, symbol in zip(layer.heads, symbols.heads, strict=True):
                self._head(head, symbol, plans.pop(0)[0])
            if layer.feed_forward is not None:
                for node, columns in symbols.groups:
                    self._neurons(layer.feed_forward, node, columns)
        for readout, symbolic in zip(self.weights.outputs, self.symbolic.outputs, strict=True):
            self._readout(readout, symbolic)
        for readout, symbolic in zip(self.weights.guards, self.symbolic.guards, strict=True):
            self._coefficients(f"guard {readout.name}", readout.W_U, symbolic.logits)
        w = self.weights
        mask = ", causal" if w.causal else ""
        statement = f"exact for all inputs of 1 to {w.max_length} tokens over {len(w.vocabulary)} in {w.dtype}{mask}"
        return Certificate(statement, self.checks, self.headroom, self.tightest)

    def _fail(self, where: str, what: str) -> NoReturn:
        raise Refusal(f"no certificate: {where}: {what}", hint="use float64, or a smaller maximum length")

    def _note(self, headroom: float, where: str) -> None:
        self.checks += 1
        if headroom < self.headroom:
            self.headroom, self.tightest = float(headroom), where

    # -- what directions mean

    def _nodes(self) -> dict[Direction, SOp]:
        spaces = [(d, node) for node, space in self.reader.one_hot.items() for d in space if d is not None]
        single = [
            (d, node) for kind in (self.reader.numbers, self.reader.raw, self.reader.counts) for node, d in kind.items()
        ]
        return {ONE: Constant(1), BOS: Constant(0), **dict(spaces), **dict(single)}

    def _meaning(self, direction: Direction) -> Meaning:
        if direction not in self.meanings:
            self.meanings[direction] = self._find_meaning(direction, self.node_of[direction])
        return self.meanings[direction]

    def _find_meaning(self, direction: Direction, node: SOp) -> Meaning:
        if isinstance(node, Constant):
            return Meaning(node, np.array([float(node.value)]))
        if direction is self.reader.raw.get(node):
            return self._raw_meaning(node)
        if direction in (self.reader.numbers.get(node), self.reader.counts.get(node)):
            return Meaning(node, np.array(self.analysis[node].universe, dtype=np.float64))
        return Meaning(node, np.array([float(d is direction) for d in self.reader.one_hot[node]]))

    def _raw_meaning(self, node: SOp, factor: SOp | None = None) -> Meaning:
        """What a raw number holds for each value of a factor, which lists the number's values or representatives."""
        factor = node if factor is None else factor
        universe = self.analysis[factor].universe
        if isinstance(node, SelectorWidth):
            levels = 1.0 / (np.array(universe, dtype=np.float64) + 1)
            return Meaning(factor, levels, 4 * self.precision.unit * levels)
        error = raw_error_at(node, self.planned.storage, self.precision)
        return Meaning(factor, np.array(universe, dtype=np.float64), np.array([error(value) for value in universe]))

    def _read(self, matrix: Any) -> list[Direction]:
        """The directions a matrix reads: its nonzero rows."""
        return [self.symbolic.directions[row] for row in np.flatnonzero(np.any(matrix != 0, axis=1))]

    def _states(self, directions: Sequence[Direction], *more: SOp) -> States:
        """The reachable combinations of the s-ops behind some directions, and of others."""
        nodes = [*{self.node_of[d]: None for d in directions} | dict.fromkeys(more)]
        nodes = [node for node in nodes if not isinstance(node, Constant)]
        if not nodes:
            return States(1, {})
        columns = self.analysis.columns(tuple(nodes))
        codes = [self._universe_codes(node, column) for node, column in zip(nodes, columns, strict=True)]
        return States(len(codes[0]), dict(zip(nodes, codes, strict=True)))

    def _universe_codes(self, node: SOp, column: Coded) -> Ints:
        """The code of each row's value in the node's universe."""
        table = _code_table(self.analysis[node].universe)
        return np.array([table[value_key(value)] for value in column.values], dtype=np.intp)[column.codes]

    def _ideal(self, directions: Sequence[Direction], states: States) -> Matrix:
        """What the directions hold in each state, [states, directions]."""
        table = np.zeros((states.count, len(directions)))
        for column, direction in enumerate(directions):
            meaning = self._meaning(direction)
            table[:, column] = meaning.levels[states.codes.get(meaning.node, 0)]
        return table

    def _values(self, node: SOp, states: States) -> list[Any]:
        if isinstance(node, Constant):
            return [node.value] * states.count
        universe = self.analysis[node].universe
        return [universe[code] for code in states.codes[node].tolist()]

    def _rows(self, directions: Sequence[Direction]) -> list[int]:
        index = {direction: row for row, direction in enumerate(self.symbolic.directions)}
        return [index[direction] for direction in directions]

    # -- structure, embedding, writers

    def _structure(self) -> None:
        """The arrays have the directions, layers and shapes of the construction."""
        assembler = Assembler(self.symbolic, self.weights.dtype)
        wanted = [assembler.layer(layer) for layer in self.symbolic.layers]
        names = tuple(direction.name for direction in self.symbolic.directions)
        if self.weights.directions != names or _shapes(self.weights.layers) != _shapes(wanted):
            self._fail(self.weights.name, "the weights are not built as this program's are")

    def _embedding(self) -> None:
        wanted = Assembler(self.symbolic, self.weights.dtype).embeddings(
            len(self.weights.vocabulary), self.weights.max_length
        )
        for name, found, want in zip(("W_E", "W_pos"), (self.weights.W_E, self.weights.W_pos), wanted, strict=True):
            if not np.array_equal(found, want):
                self._fail(name, "an embedding does not hold what its directions mean")
            self.checks += 1

    def _writers(self) -> None:
        """Every direction is written once, by the embedding, one head, or one group of neurons, before it is read."""
        written: set[int] = set()
        for table in (self.weights.W_E, self.weights.W_pos):
            self._write(written, [table])
        for layer, symbols in zip(self.weights.layers, self.symbolic.layers, strict=True):
            for head in layer.heads:
                self._read_before(written, head.name, np.hstack([head.W_Q, head.W_K, head.W_V]))
            self._write(written, [head.W_O for head in layer.heads])
            if layer.feed_forward is not None:
                self._read_before(written, "a feed-forward", layer.feed_forward.W_in)
                self._write(written, [layer.feed_forward.W_out[columns] for _, columns in symbols.groups])

    @cached_property
    def _always_zero(self) -> set[int]:
        """The rows of directions that are 0 in every state: nothing has to write them."""
        raw = set(self.reader.raw.values())
        computed = [direction for direction in self.node_of if direction not in raw and direction is not BOS]
        levels = {direction: self._meaning(direction).levels for direction in computed}
        return set(
            self._rows([direction for direction in computed if levels[direction].size and not levels[direction].any()])
        )

    def _write(self, written: set[int], matrices: Sequence[Any]) -> None:
        for matrix in matrices:
            rows = set(np.flatnonzero(np.any(matrix != 0, axis=0)).tolist())
            if rows & written:
                self._fail(self.weights.directions[min(rows & written)], "is written twice")
            written |= rows

    def _read_before(self, written: set[int], where: str, matrix: Any) -> None:
        early = set(np.flatnonzero(np.any(matrix != 0, axis=1)).tolist()) - written - self._always_zero
        if early:
            self._fail(where, f"{self.weights.directions[min(early)]} is read before it is written")

    # -- heads

    def _head(self, head: HeadWeights, symbol: SymbolicHead, plan: HeadPlan) -> None:
        queries, keys = head.W_Q.astype(np.float64), head.W_K.astype(np.float64)
        selector = self.conjunctions[plan.head.selector]
        bos_query, bos_key = self.bos_state @ queries, self.bos_state @ keys
        only_bos = keys[:, 0].nonzero()[0].tolist() == self._rows([BOS])
        if np.any(bos_key[1:] != 0) or np.any(bos_query[1:] != 0) or not only_bos:
            self._fail(head.name, "BOS takes part in the scores of others")
        if set(self._read(queries[:, :1])) - {ONE, BOS}:
            self._fail(head.name, "the BOS score depends on the query")
        bos = float(queries[self._rows([ONE])[0], 0] * bos_key[0])
        self._gap(bos_query[0] * bos_key[0], head.name)
        parts = zip(selector.relations, self._parts(plan), strict=False)
        relations = [self._relation_scores(head, relation, part, at) for relation, (part, at) in parts]
        full = (sum(low for low, _, _ in relations), sum(high for _, high, _ in relations))
        gap = min((gap for _, _, gap in relations), default=float("inf"))
        low, high = self._best_range(head, selector, plan)
        self._gap(gap - (high - low), head.name)
        self._bos_place(head, plan, bos, full, gap, low, high)
        self._channels(head, symbol)

    def _gap(self, gap: float, where: str) -> None:
        """Notes a score gap; a weight underflows to 0 from `underflow` on."""
        needed = {"float32": 104.0, "float64": 746.0}[self.precision.name]
        if gap < needed:
            self._fail(where, f"a score gap is {gap:.6g}, and only from {needed:g} on a weight is exactly 0")
        self._note(gap / needed, f"{where}: score gap")

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

    def _relation_scores(
        self, head: HeadWeights, relation: Relation, part: ScorePart, columns: slice
    ) -> tuple[float, float, float]:
        """Smallest and largest full score of a relation, and by how much every other score falls short of it."""
        query_side, key_side = head.W_Q[:, columns].astype(np.float64), head.W_K[:, columns].astype(np.float64)
        query_states, query_vectors = self._side(query_side, relation.queries)
        key_states, key_vectors = self._side(key_side, relation.keys)
        scores = query_vectors @ key_vectors.T
        reach = np.abs(query_vectors) @ np.abs(key_vectors).T
        unit = abs(float(head.W_Q[self._rows([BOS])[0], 0])) / 2
        if reach.size and (reach.max() >= self.precision.exact * unit or np.any(np.mod(scores, unit) != 0)):
            self._fail(head.name, "scores are not exact integers")
        truth = relation.table(query_states, key_states)
        if not truth.any():
            full = part.full * part.weight * unit * 2
            return full, full, full - float(scores.max(initial=0.0))
        largest = np.where(truth, scores, -np.inf).max(axis=1)
        smallest = np.where(truth, scores, np.inf).min(axis=1)
        some = truth.any(axis=1)
        if np.any(largest[some] != smallest[some]):
            self._fail(head.name, f"marked keys have different scores for {relation.formula!r}")
        ceiling = np.where(some, largest, largest[some].min())
        gaps = ceiling[:, None] - np.where(truth, -np.inf, scores)
        self.checks += truth.size
        return float(largest[some].min()), float(largest[some].max()), float(gaps.min())

    def _side(self, matrix: Any, node: SOp) -> tuple[list[Any], Matrix]:
        """The values of a node, and what a side of the scores reads in each state of what it reads."""
        directions = [d for d in self._read(matrix) if d is not BOS]
        if self._raw(directions):
            self._fail(repr(node), "a score reads a number that is not exact")
        states = self._states(directions, node)
        vectors = self._ideal(directions, states) @ matrix[self._rows(directions)]
        codes = np.zeros(states.count) if isinstance(node, Constant) else states.codes[node]
        rows = np.unique(np.column_stack([codes, vectors]), axis=0)
        universe = [node.value] if isinstance(node, Constant) else self.analysis[node].universe
        return [universe[int(code)] for code in rows[:, 0].tolist()], rows[:, 1:]

    def _best_range(self, head: HeadWeights, selector: Conjunction, plan: HeadPlan) -> tuple[float, float]:
        """The smallest and the largest score that select_best adds; its order and its ties are checked.

        What one preference decides, all those after it together must not turn round.
        """
        parts = self._parts(plan)[len(selector.relations) :]
        low = high = 0.0
        for preference, (_, columns) in zip(reversed(selector.preferences), parts, strict=True):
            gap, lowest, highest = (
                self._preferred_relation(head, preference, columns)
                if isinstance(preference, Relation)
                else self._score_range(head, preference, columns)
            )
            if gap is not None:
                self._gap(gap - (high - low), head.name)
            low, high = low + lowest, high + highest
        return low, high

    def _score_range(self, head: HeadWeights, score: SOp, columns: slice) -> tuple[float | None, float, float]:
        """The smallest step between different scores (None: all are equal), the smallest and the largest of them."""
        factors = head.W_Q[:, columns].astype(np.float64)[self._rows([ONE])[0]]
        matrix = head.W_K[:, columns].astype(np.float64) @ factors[:, None]
        if set(self._read(head.W_Q[:, columns])) - {ONE, BOS}:
            self._fail(head.name, "the score of select_best depends on the query")
        directions = [d for d in self._read(matrix) if d is not BOS]
        states = self._states(directions, score)
        found = (self._ideal(directions, states) @ matrix[self._rows(directions)])[:, 0]
        gap: float | None = None
        ranked = sorted(zip(self._values(score, states), found.tolist(), strict=True))
        for (before, low), (after, high) in pairwise(ranked):
            if before == after and low != high:
                self._fail(head.name, "equal scores of select_best are not equal")
            if before != after:
                gap = high - low if gap is None else min(gap, high - low)
        return gap, float(found.min()), float(found.max())

    def _preferred_relation(
        self, head: HeadWeights, relation: Relation, columns: slice
    ) -> tuple[float | None, float, float]:
        """The same for a preferred relation: one score wherever it holds, and a lower one wherever it does not."""
        query_states, query_vectors = self._side(head.W_Q[:, columns].astype(np.float64), relation.queries)
        key_states, key_vectors = self._side(head.W_K[:, columns].astype(np.float64), relation.keys)
        scores = query_vectors @ key_vectors.T
        truth = relation.table(query_states, key_states)
        levels = [np.unique(scores[truth == holds]) for holds in (False, True)]
        if any(len(level) > 1 for level in levels):
            self._fail(head.name, f"scores differ where {relation.formula!r} is the same")
        self.checks += truth.size
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
        """BOS ties with a width's marked keys; for an aggregate it lies between marked and unmarked keys."""
        if plan.head.kind == "width":
            if full != (bos, bos):
                self._fail(head.name, "BOS does not tie with the marked keys")
            return
        self._gap(full[0] + low - bos, head.name)
        if not self.analysis.spread(plan.head.selector).never_empty:
            if full[0] != full[1]:
                self._fail(head.name, "the full score depends on the query")
            self._gap(bos - (full[1] - gap + high), head.name)

    def _channels(self, head: HeadWeights, symbol: SymbolicHead) -> None:
        self._coefficients(head.name, head.W_V, [functional for functional, _ in symbol.values])
        wanted = np.zeros(head.W_O.shape)
        wanted[range(len(symbol.values)), self._rows([direction for _, direction in symbol.values])] = 1
        if not np.array_equal(head.W_O, wanted):
            self._fail(head.name, "what it reads is not written where it belongs")
        by_node: dict[SOp, list[tuple[Functional, Direction]]] = defaultdict(list)
        for functional, direction in symbol.values:
            by_node[self.node_of[direction]].append((functional, direction))
        for node, channels in by_node.items():
            if isinstance(node, Aggregate):
                self._read_at_keys(node, channels)
            elif channels != [({BOS: 1.0}, self.reader.raw[node])]:
                self._fail(head.name, f"the width {node!r} is not read off BOS alone")

    def _read_at_keys(self, node: Aggregate, channels: Sequence[tuple[Functional, Direction]]) -> None:
        """What a head reads for an aggregate is the aggregated value as each direction shows it, at BOS the default."""
        features: list[Callable[[Any], float]] = []
        for functional, direction in channels:
            if direction in (self.reader.raw.get(node), self.reader.numbers.get(node)):
                features.append(float)
                default = number_at_rest(node)
            else:
                space = zip(self.analysis[node].universe, self.reader.one_hot[node], strict=True)
                shown = [value for value, found in space if found is direction]
                keys = set(map(value_key, shown))
                features.append(partial(_is_one_of, keys))
                default = float(any(value == node.default for value in shown))
            if at_bos(functional) != default:
                self._fail(repr(node), "what is read at BOS is not the default")
        self._holds(node.value, [functional for functional, _ in channels], features)

    def _holds(self, node: SOp, functionals: Sequence[Functional], features: Sequence[Callable[[Any], float]]) -> None:
        """Every functional has, whatever the s-op's value, what the feature makes of that value."""
        form = linear_form(node)
        stored = node in self.reader.numbers or node in self.reader.raw or node in self.reader.one_hot
        stored = stored or len(self.analysis[node].universe) == 1
        if not stored and form is not None and len(form.weights) > 1 and list(features) == [float]:
            for part in form.weights:
                self._holds(part, [self.reader.number(part)], [float])
            return
        if not self.analysis[node].listed:
            return
        directions = [d for d in dict.fromkeys(d for functional in functionals for d in functional) if d is not BOS]
        states = self._states(directions, node)
        matrix = np.array([[functional.get(d, 0.0) for functional in functionals] for d in directions])
        found = self._ideal(directions, states) @ matrix.reshape(len(directions), len(functionals))
        universe = [node.value] if isinstance(node, Constant) else self.analysis[node].universe
        table = np.array([[feature(value) for feature in features] for value in universe])
        wanted = table[states.codes.get(node, np.zeros(states.count, dtype=np.intp))]
        if not np.allclose(found, wanted, rtol=1e-9, atol=1e-12):
            self._fail(repr(node), "what is read of it is not its value")
        self.checks += wanted.size

    def _coefficients(self, where: str, matrix: Any, functionals: Sequence[Functional]) -> None:
        """A linear reading has exactly the coefficients its construction gives (rounded to the dtype)."""
        wanted = np.zeros(matrix.shape, dtype=matrix.dtype)
        for column, functional in enumerate(functionals):
            wanted[self._rows(list(functional)), column] = list(functional.values())
        if not np.array_equal(matrix, wanted):
            self._fail(where, "a linear reading has other coefficients than its meaning")
        self.checks += 1

    # -- neurons

    def _neurons(self, weights: FeedForwardWeights, node: SOp, columns: slice) -> None:
        """A group's hidden units, in every state and at both ends of the error bounds, add up to exactly the target."""
        W_in = weights.W_in[:, columns].astype(np.float64)  # noqa: N806
        W_out = weights.W_out[columns].astype(np.float64)  # noqa: N806
        bias = weights.b_in[columns].astype(np.float64)
        if np.any(self.bos_state @ W_in + bias > 0):
            self._fail(f"neurons for {node!r}", "they are active at BOS")
        directions = [d for d in self._read(W_in) if d is not BOS]
        targets = self._read(W_out.T)
        if is_gap(node):
            self._gap_units(node, W_in, bias, W_out)
            return
        if is_product(self.analysis, node):
            assert isinstance(node, Map)
            self._product(node, W_in, bias, W_out)
            return
        if is_tally(node) and self._raw(directions):
            self._tally(node, W_in, bias, W_out)
            return
        readings, states = self._inputs(node, directions)
        if any(self.node_of[target] is not node for target in targets):
            self._fail(f"neurons for {node!r}", "they write to another direction")
        raw = self._raw(directions)
        group = Group(W_in[self._rows(directions)], bias, W_out[:, self._rows(targets)], raw, self.precision)
        self.checks += states.count * len(targets)
        if not raw:
            if not group.adds_exactly(readings):
                self._fail(f"neurons for {node!r}", "their sums are not exact integers")
            rows = group.unlike(readings, states.codes[node])
            readings, states = [reading.at(rows) for reading in readings], states.at(rows)
        size = max(1024, _BLOCK // max(1, len(targets)))
        blocks = [np.arange(start, min(start + size, states.count)) for start in range(0, states.count, size)]
        passed = 0.0
        for factor in _HEADROOMS if raw else (1.0,):
            if not all(
                group.gives(self._ideal(targets, states.at(rows)), [reading.at(rows) for reading in readings], factor)
                for rows in blocks
            ):
                break
            passed = factor
        if passed < 1:
            self._fail(f"neurons for {node!r}", f"they do not give {targets[0].name} for every input")
        if raw:
            self._note(passed, f"neurons for {node!r}: rounding of {directions[raw[0]].name}")

    def _gap_units(self, node: Map, W_in: Matrix, bias: Vector, W_out: Matrix) -> None:  # noqa: N803
        """One unit is the difference of the two means, for a distance another one is minus that, and nothing else."""
        rows = self._rows([self.reader.raw[mean] for mean in node.args])
        others = [row for row in range(len(W_in)) if row not in (*rows, *self._rows([BOS]))]
        signs = [[1.0, -1.0], [-1.0, 1.0]] if isinstance(node.op, Gap) and node.op.both else [[1.0], [-1.0]]
        wanted = np.zeros_like(W_out)
        wanted[:, self._rows([self.reader.raw[node]])] = 1
        if W_in[others].any() or bias.any() or not np.array_equal(W_in[rows], signs):
            self._fail(f"neurons for {node!r}", "they are not the difference of the means")
        if not np.array_equal(W_out, wanted):
            self._fail(f"neurons for {node!r}", "they do not write the gap")
        self.checks += W_in.size + W_out.size

    def _product(self, node: Map, W_in: Matrix, bias: Vector, W_out: Matrix) -> None:  # noqa: N803
        """Units that multiply a mean with a factor: for every value of the factor they are linear in the mean.

        Between two turns of units all is linear, so it is enough to look at the turns and the ends. An active unit
        reads nothing but the mean, so that it is not rounded on the way. What is read beyond the range of the mean, by
        rounding, may as well count as its end.
        """
        where = f"neurons for {node!r}"
        factor, mean = node.args
        raw = self.reader.raw[mean]
        plain = [d for d in self._read(W_in) if d is not BOS and d is not raw]
        if self._raw(plain) or self._read(W_out.T) != [self.reader.numbers[node]]:
            self._fail(where, "they read or write another number")
        states = self._states(plain, factor)
        base = self._ideal(plain, states) @ W_in[self._rows(plain)] + bias
        slope, weight = W_in[self._rows([raw])[0]], W_out[:, self._rows([self.reader.numbers[node]])[0]]
        ends = np.array(self.analysis[mean].range)
        error = number_error(mean, self.planned.storage, self.precision) * np.array([-1, 1])
        turns = np.divide(-base, slope, out=np.zeros_like(base), where=slope != 0)
        points = np.hstack([np.tile([*ends, *(ends + error)], (states.count, 1)), np.clip(turns, *(ends + error))])
        hidden = np.maximum(base[:, None, :] + points[:, :, None] * slope, 0)
        values = np.array(list(map(float, self._values(factor, states))))[:, None]
        tiny = 2 * self.precision.unit * float(np.abs(values * points).max(initial=0))
        missed = np.minimum(*(np.abs(hidden @ weight - values * x) for x in (points, np.clip(points, *ends))))
        if np.any(missed > tiny):
            self._fail(where, "they do not multiply")
        if np.any(base * hidden.any(axis=1)) or set(np.abs(slope).tolist()) - {1.0}:
            self._fail(where, "they read more than the mean where they are active")
        self.checks += points.size

    def _tally(self, node: Map, W_in: Matrix, bias: Vector, W_out: Matrix) -> None:  # noqa: N803
        """The units of a tally: each mean adds one where it is positive and its turn, and nothing anywhere else.

        A mean of a mark is 0, or from 1/N to 1. No unit reads two of them, so what the others are does not matter.
        """
        where = f"neurons for {node!r}"
        means = means_of(node)
        raw = self._rows([self.reader.raw[mean] for mean in means])
        plain = [d for d in self._read(W_in) if d is not BOS and d not in map(self.reader.raw.get, means)]
        reads = W_in[raw] != 0
        if self._raw(plain) or reads.sum(axis=0).max() > 1:
            self._fail(where, "a unit reads a mean that is not its own")
        targets = [self.reader.counts[node]] if is_count(node) else self.reader.one_hot[node]
        written = self._rows([target for target in targets if target is not None])
        if set(np.flatnonzero(W_out.any(axis=0)).tolist()) - set(written):
            self._fail(where, "they write to another direction")
        none, change = np.array([[0.0], [1.0]] if is_count(node) else [[1.0, 0.0], [-1.0, 1.0]])
        turn = node.args[0] if is_flag(node) else Constant(0)
        states = self._states(plain, turn)
        turns = np.array(self._values(turn, states))
        given = self._readings([self._meaning(direction) for direction in plain], (states, states))

        def group(units: BoolTable, read: Sequence[int]) -> Group:
            rows = [*self._rows(plain), *read]
            inputs, outputs = W_in[rows][:, units], W_out[units][:, written]
            return Group(inputs, bias[units], outputs, list(range(len(plain), len(rows))), self.precision)

        always = group(~reads.any(axis=0), [])
        if not always.gives(np.tile(none, (states.count, 1)), given, 0.0):
            self._fail(where, "they do not give 0 where no mean is positive")
        largest = always.largest(given)
        for number, mean in enumerate(means):
            acts = (turns == number) | is_count(node)
            largest = largest + self._step(
                mean, group(reads[number], [raw[number]]), given, np.where(acts[:, None], change, 0)
            )
        if largest.max() >= self.precision.exact:
            self._fail(where, "sums are not exact integers")

    def _step(self, mean: Aggregate, group: Group, given: Sequence[Reading], change: Matrix) -> Vector:
        """Checks that the units on one mean add nothing where it is 0, and the change from 1/N on.

        What comes back is the largest sum that they make of each output on the way.
        """
        if set(self.analysis[mean.value].universe) - {0, 1}:
            self._fail(f"neurons for {mean!r}", "it is not the mean of a mark")
        error = mean_error_at(mean, self.planned.storage, self.precision)
        levels = [Fraction(0), Fraction(1, self.analysis.cells.max_length), Fraction(1)]
        first, last = np.repeat([[0, 1], [0, 2]], len(change), axis=1)
        states = np.tile(np.arange(len(change)), 2)
        errors = np.array([[error(level)] for level in levels])
        reading = Reading([*group.raw], (first, last), np.array(levels, dtype=np.float64)[:, None], errors)
        readings = [*(found.at(states) for found in given), reading]
        want = np.vstack([np.zeros_like(change), change])
        passed = 0.0
        for factor in _HEADROOMS:
            if not group.gives(want, readings, factor):
                break
            passed = factor
        if passed < 1:
            self._fail(f"neurons for {mean!r}", "they do not tell whether the mean is positive")
        self.checks += want.size
        self._note(passed, f"neurons for {mean!r}: rounding")
        return group.largest(readings)

    def _raw(self, directions: Sequence[Direction]) -> list[int]:
        return [
            at for at, direction in enumerate(directions) if direction is self.reader.raw.get(self.node_of[direction])
        ]

    def _inputs(self, node: SOp, directions: Sequence[Direction]) -> tuple[list[Reading], States]:
        """What a group reads at the two ends of every stretch, and the states in which it is read.

        Neighbouring readings of a raw number with the same target, all else being equal, are one stretch.
        """
        if node in self.planned.storage.combinations:
            return self._combined_inputs(node, directions)
        raw = self._raw(directions)
        meanings = [self._meaning(direction) for direction in directions]
        for at in raw:
            meanings[at] = self._as_read(node, directions[at])
        read = [direction for at, direction in enumerate(directions) if at not in raw]
        ends = self._ends(node, read, meanings[raw[0]]) if raw else (self._states(directions, node),) * 2
        return self._readings(meanings, ends), ends[0]

    def _readings(self, meanings: Sequence[Meaning], ends: tuple[States, States]) -> list[Reading]:
        places: dict[SOp, list[int]] = defaultdict(list)
        for at, meaning in enumerate(meanings):
            places[meaning.node].append(at)
        return [self._reading(owner, meanings, at, ends) for owner, at in places.items()]

    def _as_read(self, node: SOp, raw: Direction) -> Meaning:
        """What a raw number means to a reader: one whose values are too many to list is known by representatives."""
        owner = self.node_of[raw]
        if self.analysis[owner].listed:
            return self._meaning(raw)
        return self._raw_meaning(owner, self._factor(node, owner))

    def _factor(self, node: SOp, source: SOp) -> SOp:
        """What an s-op needs to know of one of its sources."""
        places = zip(self.analysis.factors(node), self.analysis.sources(node), strict=True)
        for factor, found in places:
            if found is source:
                return factor
        self._fail(f"neurons for {node!r}", f"they read {source!r}")

    def _reading(
        self, node: SOp, meanings: Sequence[Meaning], places: list[int], ends: tuple[States, States]
    ) -> Reading:
        found = [meanings[at] for at in places]
        levels = np.column_stack([meaning.levels for meaning in found])
        errors = [np.zeros(len(levels)) if meaning.errors is None else meaning.errors for meaning in found]
        constant = np.zeros(ends[0].count, dtype=np.intp)
        first, last = (end.codes.get(node, constant) for end in ends)
        return Reading(places, (first, last), levels, np.column_stack(errors))

    def _ends(self, node: SOp, read: Sequence[Direction], raw: Meaning) -> tuple[States, States]:
        """For every stretch of readings of a raw number, the states at its first and at its last reading."""
        owner, levels = raw.node, raw.levels
        factor = self._factor(node, self.analysis.sources(owner)[0])
        states = self._states(read, factor, node)
        runs = self._runs(owner, factor, levels)
        rows = [(row, ends) for row, code in enumerate(states.codes[factor].tolist()) for ends in runs[code]]
        found = states.at(np.array([row for row, _ in rows], dtype=np.intp))
        first, last = (np.array([ends[side] for _, ends in rows], dtype=np.intp) for side in (0, 1))
        if factor is owner:
            others = [codes for other, codes in found.codes.items() if other is not owner and other is not node]
            starts, stops = _stretches(levels[first], others, found.codes[node])
            return found.at(starts), found.at(stops)
        return found.having(owner, first), found.having(owner, last)

    def _runs(self, owner: SOp, factor: SOp, levels: Vector) -> dict[int, list[tuple[int, int]]]:
        """For each code of a factor the runs of its source's codes, by rising reading: first and last code of each."""
        if factor is owner:
            return {code: [(code, code)] for code in range(len(levels))}
        number = _code_table(self.analysis[factor].universe)
        tuples, values = self.analysis.table(factor)
        pairs = [
            (code, number[value_key(value)])
            for (code,), value in zip(tuples.codes.tolist(), values, strict=True)
            if value is not UNDEFINED
        ]
        found: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for code, run in groupby(sorted(pairs, key=lambda pair: float(levels[pair[0]])), key=lambda pair: pair[1]):
            members = [source for source, _ in run]
            found[code].append((members[0], members[-1]))
        return found

    def _combined_inputs(self, node: SOp, directions: Sequence[Direction]) -> tuple[list[Reading], States]:
        """The same for a group that reads a linear form of means, which one head computed together."""
        combination = self.planned.storage.combinations[node]
        means = tuple(combination.form.weights)
        states = self._states((), *means, node)
        error = mean_error_at(combination.mean, self.planned.storage, self.precision)
        codes = np.stack([states.codes[mean] for mean in means], axis=1).tolist()
        found = [level for (level,) in combined_readings(combination.form, means, codes, self.planned.storage)]
        levels, errors = np.array(found, dtype=np.float64), np.array(list(map(error, found)))
        starts, ends = _stretches(levels, [], states.codes[node])
        readings = []
        for at, direction in enumerate(directions):
            if direction is self.reader.raw[combination.mean]:
                readings.append(Reading([at], (starts, ends), levels[:, None], errors[:, None]))
            elif direction is ONE:
                constant = np.zeros(len(starts), dtype=np.intp)
                readings.append(Reading([at], (constant, constant), np.ones((1, 1)), np.zeros((1, 1))))
            else:
                self._fail(f"neurons for {node!r}", f"they read {direction.name}")
        return readings, states.at(starts)

    # -- readouts

    def _readout(self, readout: Readout, symbolic: SymbolicReadout) -> None:
        self._coefficients(f"output {readout.name}", readout.W_U, symbolic.logits)
        if readout.kinds != symbolic.kinds:
            self._fail(f"output {readout.name}", "the kinds of its numbers are not the program's")
        node = symbolic.node
        if readout.kind == "number":
            self._holds(node, symbolic.logits, [float])
        else:
            values = self.analysis[node]
            alike: dict[Hashable, set[Hashable]] = defaultdict(set)
            for value, code in zip(values.universe, output_codes(node, self.planned.storage), strict=True):
                alike[value_key(values.universe[code])].add(value_key(value))
            self._holds(
                node,
                symbolic.logits,
                [partial(_is_one_of, alike[value_key(value)]) for value in symbolic.values],
            )
        if readout.kind == "number" and len(readout.values) > 1:
            levels = np.array([float(value) for value in readout.values])
            error = number_error(symbolic.node, self.planned.storage, self.precision)
            self._note(float(np.diff(levels).min()) / 4 / max(error, 1e-300), f"output {readout.name}: rounding")


def _stretches(levels: Vector, others: Sequence[Ints], targets: Ints) -> tuple[Ints, Ints]:
    """First and last row of every run of rising levels with the same others and the same target."""
    order = np.lexsort((levels, *others))
    columns = [targets, *others]
    breaks = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    edges = np.flatnonzero(np.concatenate([[True], breaks, [True]]))
    return order[edges[:-1]], order[edges[1:] - 1]


def _shapes(layers: Sequence[LayerWeights]) -> list[tuple[list[tuple[int, ...]], int]]:
    return [
        (
            [(head.W_Q.shape[1], head.W_V.shape[1]) for head in layer.heads],
            0 if layer.feed_forward is None else len(layer.feed_forward.b_in),
        )
        for layer in layers
    ]


def _is_one_of(keys: set[Hashable], value: Any) -> float:
    return float(value_key(value) in keys)


def _code_table(universe: Sequence[Any]) -> dict[Any, int]:
    return {value_key(value): code for code, value in enumerate(universe)}

"""What the residual stream holds: the meaning of every direction, and the states in which directions are read."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from compiler.lower import SymbolicModel
from compiler.means import width_reading
from compiler.precision import Precision
from compiler.proof.units import Vector
from compiler.reader import Reader
from compiler.rounding import raw_error_at
from compiler.storage import Storage
from compiler.symbolic import BOS, ONE, Direction, Functional, Matrix
from compiler.values.categorical import Categorical, value_key
from compiler.values.grid import Ints
from rasp.errors import Refusal
from rasp.graph import Constant, SelectorWidth, SOp

_SAME = 1e-12


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


class Stream:
    """The residual stream of one model, and the account of what has been proved of it.

    `checks` counts the checks, `headroom` is the smallest factor by which a margin exceeds what is needed, at
    `tightest`.
    """

    def __init__(self, symbolic: SymbolicModel, storage: Storage, precision: Precision) -> None:
        self.reader: Reader = symbolic.reader
        self.directions = symbolic.directions
        self._row = {direction: row for row, direction in enumerate(self.directions)}
        self.storage, self.precision = storage, precision
        self.analysis = storage.analysis
        self.node_of = self._nodes()
        self.bos_state = np.array([d.at_bos for d in self.directions])
        self.bos_state[self.directions.index(BOS)] = 1.0
        self._meanings: dict[Direction, Meaning] = {}
        self._places_of: dict[SOp, Ints] = {}
        self.checks = 0
        self.headroom, self.tightest = float("inf"), "nowhere"

    def fail(self, where: str, what: str, hint: str = "use float64, or a smaller maximum length") -> NoReturn:
        """A Refusal that says what does not hold."""
        raise Refusal(f"no certificate: {where}: {what}", hint=hint)

    def note(self, headroom: float, where: str) -> None:
        """Counts a check, and keeps its headroom if it is the smallest."""
        self.checks += 1
        if headroom < self.headroom:
            self.headroom, self.tightest = float(headroom), where

    def _nodes(self) -> dict[Direction, SOp]:
        spaces = [(d, node) for node, space in self.reader.one_hot.items() for d in space if d is not None]
        single = [(d, node) for kind in (self.reader.numbers, self.reader.raw) for node, d in kind.items()]
        return {ONE: Constant(1), BOS: Constant(0), **dict(spaces), **dict(single)}

    def meaning(self, direction: Direction) -> Meaning:
        """What a direction holds."""
        if direction not in self._meanings:
            self._meanings[direction] = self._find_meaning(direction, self.node_of[direction])
        return self._meanings[direction]

    def _find_meaning(self, direction: Direction, node: SOp) -> Meaning:
        if isinstance(node, Constant):
            return Meaning(node, np.array([float(node.value)]))
        if direction is self.reader.raw.get(node):
            return self.raw_meaning(node)
        if direction is self.reader.numbers.get(node):
            return Meaning(node, np.array(self.analysis[node].universe, dtype=np.float64))
        return Meaning(node, (self._places(node) == self._row[direction]).astype(np.float64))

    def _places(self, node: SOp) -> Ints:
        """For each code of a one-hot the place of its direction in the residual stream; −1 where it has none."""
        if node not in self._places_of:
            found = [-1 if d is None else self._row[d] for d in self.reader.one_hot[node]]
            self._places_of[node] = np.array(found, dtype=np.intp)
        return self._places_of[node]

    def raw_meaning(self, node: SOp, factor: SOp | None = None) -> Meaning:
        """What a raw number holds for each value of a factor, which lists the number's values or representatives."""
        factor = node if factor is None else factor
        universe = self.analysis[factor].universe
        if isinstance(node, SelectorWidth):
            levels = np.array([float(width_reading(node, width, self.storage)) for width in universe])
            return Meaning(factor, levels, 4 * self.precision.unit * levels)
        error = raw_error_at(node, self.storage, self.precision)
        return Meaning(factor, np.array(universe, dtype=np.float64), np.array([error(value) for value in universe]))

    def read(self, matrix: Any) -> list[Direction]:
        """The directions a matrix reads: its nonzero rows."""
        return [self.directions[row] for row in np.flatnonzero(np.any(matrix != 0, axis=1))]

    def states(self, directions: Sequence[Direction], *more: SOp) -> States:
        """The reachable combinations of the s-ops behind some directions, and of others."""
        nodes = [*{self.node_of[d]: None for d in directions} | dict.fromkeys(more)]
        nodes = [node for node in nodes if not isinstance(node, Constant)]
        if not nodes:
            return States(1, {})
        if len(nodes) == 1 and self.analysis[nodes[0]].listed:
            count = len(self.analysis[nodes[0]].universe)
            return States(count, {nodes[0]: np.arange(count, dtype=np.intp)})
        columns = self.analysis.columns(tuple(nodes))
        codes = [self._universe_codes(node, column) for node, column in zip(nodes, columns, strict=True)]
        return States(len(codes[0]), dict(zip(nodes, codes, strict=True)))

    def _universe_codes(self, node: SOp, column: Categorical) -> Ints:
        """The code of each row's value in the node's universe."""
        table = code_table(self.analysis[node].universe)
        return np.array([table[value_key(value)] for value in column.categories], dtype=np.intp)[column.codes]

    def ideal(self, directions: Sequence[Direction], states: States) -> Matrix:
        """What the directions hold in each state, [states, directions]."""
        table = np.zeros((states.count, len(directions)))
        for column, direction in enumerate(directions):
            meaning = self.meaning(direction)
            table[:, column] = meaning.levels[states.codes.get(meaning.node, 0)]
        return table

    def values(self, node: SOp, states: States) -> list[Any]:
        """The value of an s-op in each state."""
        if isinstance(node, Constant):
            return [node.value] * states.count
        universe = self.analysis[node].universe
        return [universe[code] for code in states.codes[node].tolist()]

    def rows(self, directions: Sequence[Direction]) -> list[int]:
        """The places of directions in the residual stream."""
        return [self._row[direction] for direction in directions]

    def raw(self, directions: Sequence[Direction]) -> list[int]:
        """Which of some directions hold raw numbers, by their places among them."""
        return [
            at for at, direction in enumerate(directions) if direction is self.reader.raw.get(self.node_of[direction])
        ]

    def holds(self, node: SOp, functionals: Sequence[Functional], shown: Sequence[frozenset[Hashable] | None]) -> None:
        """Every functional is 1 for values with one of the shown keys and 0 for others; for None the value itself."""
        form = self.storage.form_read(node)
        if form is not None and list(shown) == [None]:
            for part in form.weights:
                self.holds(part, [self.reader.number(part)], [None])
            return
        if not self.analysis[node].listed:
            return
        directions = [d for d in dict.fromkeys(d for functional in functionals for d in functional) if d is not BOS]
        states = self.states(directions, node)
        matrix = np.array([[functional.get(d, 0.0) for functional in functionals] for d in directions])
        matrix, levels = matrix.reshape(len(directions), len(functionals)), self.ideal(directions, states)
        found, sizes = levels @ matrix, np.abs(levels) @ np.abs(matrix)
        universe = [node.value] if isinstance(node, Constant) else self.analysis[node].universe
        number = code_table(universe)
        table = np.column_stack([_feature(universe, number, keys) for keys in shown])
        wanted = table[states.codes.get(node, np.zeros(states.count, dtype=np.intp))]
        if np.any(np.abs(found - wanted) > _SAME * sizes):
            self.fail(repr(node), "what is read of it is not its value")
        self.checks += wanted.size

    def coefficients(self, where: str, matrix: Any, functionals: Sequence[Functional]) -> None:
        """A linear reading has exactly the coefficients its construction gives (rounded to the dtype)."""
        wanted = np.zeros(matrix.shape, dtype=matrix.dtype)
        for column, functional in enumerate(functionals):
            wanted[self.rows(list(functional)), column] = list(functional.values())
        if not np.array_equal(matrix, wanted):
            self.fail(where, "a linear reading has other coefficients than its meaning")
        self.checks += 1


def _feature(universe: Sequence[Any], number: Mapping[Any, int], keys: frozenset[Hashable] | None) -> Vector:
    """For each value 1 where its key is one of these, else 0; without keys the value as a number.

    `number` is the code of each key.
    """
    if keys is None:
        return np.array(universe, dtype=np.float64)
    found = np.zeros(len(universe))
    found[[number[key] for key in keys if key in number]] = 1
    return found


def multiples(rows: Matrix, weights: Sequence[float]) -> Vector | None:
    """The factor by which every column is the weights; None where one is not, or there is no weight."""
    if not len(weights):
        return None
    factors: Vector = rows[0] / weights[0]
    return factors if np.array_equal(rows, np.array(weights)[:, None] * factors) else None


def code_table(universe: Sequence[Any]) -> dict[Any, int]:
    """The code of each value, by its key."""
    return {value_key(value): code for code, value in enumerate(universe)}

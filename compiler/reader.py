"""How what is stored is read: the directions of everything stored, and the functionals that read s-ops off them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from compiler.source_map import SourceMap
from compiler.storage import Encoding, Storage
from compiler.symbolic import ONE, Block, Direction, Functional, Matrix, combine
from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import UNDEFINED, value_key
from compiler.values.linear import LinearForm
from rasp.errors import Refusal
from rasp.graph import Aggregate, SOp


class Reader:
    """The directions of everything stored, and the functionals that read s-ops off them.

    For each s-op that is stored so `one_hot` has the directions of its values, `numbers` that of an exact number, `raw`
    that of a number as a head wrote it. `placed` are the encodings that have directions, in a fixed order.
    """

    def __init__(self, storage: Storage, source_map: SourceMap) -> None:
        self.storage = storage
        self.analysis: ValueAnalysis = storage.analysis
        self.source_map = source_map
        self.one_hot: dict[SOp, list[Direction | None]] = {
            node: self._one_hot_directions(encoding) for node, encoding in storage.one_hot.items()
        }
        stored = {node: found for node, found in storage.numbers.items() if found.stays or not self._is_view(node)}
        self.numbers: dict[SOp, Direction] = self._number_directions(stored)
        self.raw: dict[SOp, Direction] = self._number_directions(storage.raw)
        self.placed: list[Encoding] = [*storage.one_hot.values(), *stored.values(), *storage.raw.values()]

    def _number_directions(self, stored: Mapping[SOp, Encoding]) -> dict[SOp, Direction]:
        name = self.source_map.text
        return {node: encoding.direction(name(node), self.storage) for node, encoding in stored.items()}

    def _is_view(self, node: SOp) -> bool:
        return node in self.one_hot or self.is_read_off_one(node)

    def is_read_off_one(self, node: SOp) -> bool:
        """Whether every function of the node is read off one stored one-hot."""
        sources = self.analysis.sources(node)
        return len(sources) == 1 and sources[0] in self.one_hot and self.storage.encoding(sources[0]).is_exact

    def _one_hot_directions(self, encoding: Encoding) -> list[Direction | None]:
        """For each code of the node's universe its direction (equal numbers share one), None where nothing reads it."""
        node = encoding.node
        name, default = self.source_map.text(node), encoding.default(self.storage)
        wanted = None if node in self.storage.numbers else encoding.wanted
        universe, codes = self.analysis[node].universe, self.storage.codes(node)
        read = {codes[c] for c, value in enumerate(universe) if wanted is None or value_key(value) in wanted}
        shared = {
            code: Direction(f"{name}={_shown(universe[code])}", 1.0 if _is(universe[code], default) else 0.0)
            for code in sorted(read)
        }
        return [shared.get(code) for code in codes]

    def directions(self) -> list[Direction]:
        """Every stored direction once, in a fixed order."""
        found: dict[Direction, None] = {}
        for space in self.one_hot.values():
            found.update(dict.fromkeys(d for d in space if d is not None))
        found.update(dict.fromkeys(self.numbers.values()))
        found.update(dict.fromkeys(self.raw.values()))
        return list(found)

    def number(self, node: SOp) -> Functional:
        """The functional whose value is the node's number."""
        if node in self.numbers:
            return {self.numbers[node]: 1.0}
        if node in self.raw and isinstance(node, Aggregate):
            return {self.raw[node]: 1.0}
        if node in self.storage.sums:
            return self.form(self.storage.sums[node])
        if not self.analysis.sources(node) or len(self.analysis[node].universe) == 1:
            return combine((float(self.analysis[node].universe[0]), {ONE: 1.0}))
        if self.is_read_off_one(node):
            return self.view(node, float)
        if node in self.one_hot:
            space = zip(self.one_hot[node], self.analysis[node].universe, strict=True)
            return combine(*((float(value), {direction: 1.0}) for direction, value in _once(space)))
        form = self.analysis.form(node)
        assert form is not None, node
        assert set(form.weights) != {node}, node
        return self.form(form)

    def form(self, form: LinearForm) -> Functional:
        """The functional whose value is a linear form of stored numbers."""
        parts = [(float(weight), self.number(part)) for part, weight in form.weights.items()]
        return combine(*parts, (float(form.constant), {ONE: 1.0}))

    def view(self, node: SOp, feature: Callable[[Any], float]) -> Functional:
        """A function of one one-hot source: the functional whose value is `feature` of the node's value."""
        tuples, values = self.analysis.table(node)
        space = self.one_hot[tuples.factors[0]]
        defined = [(code, value) for (code,), value in zip(tuples.codes.tolist(), values, strict=True) if _has(value)]
        return self._agreed(node, [(space[code], feature(value)) for code, value in defined])

    def feature(self, node: SOp, weights: Mapping[Hashable, float]) -> Functional:
        """The functional whose value is `weights[value_key(v)]` (0 if missing) where the node's value is v."""
        if not self.analysis.sources(node):
            return combine((weights.get(value_key(self.analysis[node].universe[0]), 0.0), {ONE: 1.0}))
        if self.is_read_off_one(node):
            return self.view(node, lambda value: weights.get(value_key(value), 0.0))
        universe = self.analysis[node].universe
        pairs = [(d, weights.get(value_key(v), 0.0)) for d, v in zip(self.one_hot[node], universe, strict=True)]
        return self._agreed(node, pairs)

    def block(self, node: SOp, row_of: Mapping[Hashable, int], table: Matrix) -> Block:
        """The functionals whose values are `table[row_of[value_key(v)]]` where the node's value is v (0 if missing)."""
        kept = {direction: row for direction, row in self._rows(node, row_of).items() if row >= 0 and table[row].any()}
        return Block(tuple(kept), table[list(kept.values())].reshape(len(kept), table.shape[1]))

    def indicators(self, node: SOp, row_of: Mapping[Hashable, int], count: int) -> list[Functional]:
        """For each row the functional that is 1 where the node's value has that row, else 0."""
        found: list[Functional] = [{} for _ in range(count)]
        for direction, row in self._rows(node, row_of).items():
            if row >= 0:
                found[row][direction] = 1.0
        return found

    def _rows(self, node: SOp, row_of: Mapping[Hashable, int]) -> dict[Direction, int]:
        """The row of each direction, −1 for none. Refusal where values that share a direction have different rows."""
        found: dict[Direction, int] = {}
        for direction, value in self._read_values(node):
            row = row_of.get(value_key(value), -1)
            if found.setdefault(direction, row) != row:
                raise Refusal(f"{node!r} is read apart where {direction.name} differs by type or rounding only")
        return found

    def _read_values(self, node: SOp) -> list[tuple[Direction, Any]]:
        """Each direction that tells something of a node's value, with a value it stands for."""
        sources = self.analysis.sources(node)
        if not sources:
            return [(ONE, self.analysis[node].universe[0])]
        if not self.storage.is_view(node):
            pairs = zip(self.one_hot[node], self.analysis[node].universe, strict=True)
            return [(direction, value) for direction, value in pairs if direction is not None]
        tuples, values = self.analysis.table(node)
        space = self.one_hot[tuples.factors[0]]
        rows = zip(tuples.codes.tolist(), values, strict=True)
        return [(d, value) for (code,), value in rows if _has(value) and (d := space[code]) is not None]

    def _agreed(self, node: SOp, pairs: list[tuple[Direction | None, float]]) -> Functional:
        """The weights by direction. Refusal where values that share a direction are to be told apart."""
        found: Functional = {}
        for direction, weight in pairs:
            if direction is None:
                continue
            if abs(found.setdefault(direction, weight) - weight) > 1e-9 * max(1.0, abs(weight)):
                raise Refusal(f"{node!r} is read apart where {direction.name} differs by type or rounding only")
        return {direction: weight for direction, weight in found.items() if weight}


def _has(value: Any) -> bool:
    return value is not UNDEFINED


def _is(value: Any, default: Any) -> bool:
    return default is not None and bool(value == default)


def _once(space: Any) -> list[tuple[Direction, Any]]:
    """Each stored direction with one of its values."""
    found: dict[Direction, Any] = {}
    for direction, value in space:
        if direction is not None:
            found.setdefault(direction, value)
    return list(found.items())


def _shown(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)

"""Feed-forwards: an s-op as one hidden ReLU layer over one-hots and at most one raw number.

One-hot inputs are exactly 0 or 1. A raw number (a head's mean or reciprocal) carries rounding noise; steps remove it.

*Box.* The conjunction of m one-hot indicators b is ReLU(Σb − (m − 1)): exactly 1 where all hold, 0 elsewhere.

*Step.* Between two neighbouring values of the raw number x lies a threshold t. With L a power of two and gap·L ≥ 8, let
    a = round(L·x) − round(L·t).
Then a ≥ 1 at the upper value and a ≤ 0 at the lower one, each with 2/L to spare for noise, and because a is an integer,
ReLU(a) − ReLU(a − 1) is exactly 1 or 0. The rounding is done by the float addition itself: the hidden unit reads
L·x + R·one with R = 1.5·2^23 (float32) or 1.5·2^52 (float64), where floats are the integers, and its bias takes R off
again. L·x is exact (a power of two) and there are no further nonzero terms, so there is one rounding, in any order.

*Gate.* A step that should act only in some contexts gets −B for every indicator outside of them: nothing is added where
it acts, so it stays exact, and a − B < 0 switches it off elsewhere.

A function with values f₁ … f_m along the raw number is f₁ + Σ (f_j − f_{j−1})·step_j, each output direction a sum of
integers below the exact range, so any order of summation gives the same result. Neurons are off at BOS: there `one` is
0, so R is missing, and boxes are masked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeAlias

from compiler.gadgets.boxes import Box, cover
from compiler.precision import Precision
from compiler.residual import ONE, Direction, Functional, Neuron, combine, masked
from compiler.rounding import number_error
from compiler.storage import Reader, Storage
from compiler.values import UNDEFINED
from rasp.errors import Refusal
from rasp.graph import Map, SelectorWidth, SOp

Context: TypeAlias = tuple[int, ...]
Target: TypeAlias = Mapping[Direction, float]
_WIDER = "use float64, or a smaller maximum length"


@dataclass(frozen=True, eq=False)
class RawInput:
    """A raw number: its direction, its true reading in each combination, and a bound on its rounding error.

    `sign` −1 turns it round: the reciprocal of a width falls where the width rises, and thresholds are smallest there.
    """

    direction: Direction
    readings: Sequence[Fraction]
    error: float
    sign: int = 1


def neurons_for(node: SOp, storage: Storage, reader: Reader, precision: Precision) -> list[Neuron]:
    """The hidden units that write a stored one-hot or number. Refusal where steps would not be exact."""
    tuples, found = storage.analysis.table(node)
    defined = [row for row, value in enumerate(found) if value is not UNDEFINED]
    rows = tuples.codes[defined].tolist()
    values = [found[row] for row in defined]
    parts = [_Part(source, node, storage, reader) for source in tuples.sources]
    clean = [index for index, part in enumerate(parts) if part.space]
    contexts = [tuple(parts[index].code[row[index]] for index in clean) for row in rows]
    spaces = [parts[index].space for index in clean]
    targets = list(map(_target(node, reader), values, _codes(node, storage, values)))
    if len(clean) == len(parts):
        return _box_neurons(str(node), contexts, targets, spaces)
    raw = _raw_input(node, tuples.sources, rows, clean, storage, reader, precision)
    return _StepBuilder(str(node), contexts, targets, spaces, raw, precision).neurons()


class _Part:
    """A source as a feed-forward reads it: its one-hot directions (none if raw), and the one-hot code of each value.

    A feed-forward of its own, after the layer's, reads what it needs of a raw source as a one-hot of classes.
    """

    def __init__(self, source: SOp, node: SOp, storage: Storage, reader: Reader) -> None:
        self.space: Sequence[Direction | None] = []
        self.code: Sequence[int] = ()
        if storage.is_clean(source):
            self.space = reader.one_hot[source]
            self.code = storage.codes(source)
        elif node in storage.late:
            self._read_classes(source, storage.late[node][source], storage, reader)

    def _read_classes(self, source: SOp, classes: SOp, storage: Storage, reader: Reader) -> None:
        self.space = reader.one_hot[classes]
        number = {value: code for code, value in enumerate(storage.analysis[classes].universe)}
        (operation,) = [part.op for part in (classes,) if isinstance(part, Map)]
        self.code = [number[operation.function(value)] for value in storage.analysis[source].universe]


def _codes(node: SOp, storage: Storage, values: Sequence[Any]) -> list[int]:
    """The code of each value in the node's universe."""
    codes: dict[Any, int] = {}
    for code, value in enumerate(storage.analysis[node].universe):
        codes.setdefault(value, code)
    return [codes[value] for value in values]


def _target(node: SOp, reader: Reader) -> Callable[[Any, int], Target]:
    """What to write for a value: its one-hot direction, or the number itself."""
    if node in reader.one_hot:
        space = reader.one_hot[node]
        return lambda value, code: {} if space[code] is None else {space[code]: 1.0}  # type: ignore[dict-item]
    direction = reader.numbers[node]
    return lambda value, code: {direction: float(value)} if value else {}


def _freeze(target: Target) -> frozenset[tuple[Direction, float]]:
    return frozenset(target.items())


def _box_neurons(
    name: str, contexts: Sequence[Context], targets: Sequence[Target], spaces: Sequence[Sequence[Direction | None]]
) -> list[Neuron]:
    groups: dict[frozenset[tuple[Direction, float]], dict[Context, None]] = defaultdict(dict)
    known: dict[Context, Target] = {}
    for context, target in zip(contexts, targets, strict=True):
        if _freeze(known.setdefault(context, target)) != _freeze(target):
            raise Refusal(f"{name} tells values apart that differ by type or rounding only")
        groups[_freeze(target)][context] = None
    return [
        Neuron(name, _conjunction(box, spaces), 0.0, dict(target))
        for target, points in groups.items()
        if target
        for box in cover(list(points))
    ]


def _conjunction(box: Box, spaces: Sequence[Sequence[Direction | None]]) -> Functional:
    """Σ indicators − (m − 1), over the sources that the box restricts."""
    restricted = [(codes, space) for codes, space in zip(box, spaces, strict=True) if len(codes) < len(space)]
    terms = [(1.0, _indicator(codes, space)) for codes, space in restricted]
    return masked(combine(*terms, (1.0 - len(terms), {ONE: 1.0})))


def _indicator(codes: frozenset[int], space: Sequence[Direction | None]) -> Functional:
    return {direction: 1.0 for code in codes if (direction := space[code]) is not None}


def _raw_input(
    node: SOp,
    sources: tuple[SOp, ...],
    rows: Sequence[Sequence[int]],
    clean: Sequence[int],
    storage: Storage,
    reader: Reader,
    precision: Precision,
) -> RawInput:
    analysis = storage.analysis
    combination = storage.combinations.get(node)
    if combination is not None:
        weights = [combination.form.weights[source] for source in sources]
        universes = [[Fraction(value) for value in analysis[source].universe] for source in sources]
        limit = analysis.cells.max_length
        readings = [
            sum((w * _true_mean(u[c], limit) for w, u, c in zip(weights, universes, row, strict=True)), Fraction())
            for row in rows
        ]
        return RawInput(reader.raw[combination.mean], readings, number_error(combination.mean, storage, precision))
    (index,) = set(range(len(sources))) - set(clean)
    source = sources[index]
    universe = analysis[source].universe
    if isinstance(source, SelectorWidth):
        readings = [Fraction(1, universe[row[index]] + 1) for row in rows]
        return RawInput(reader.raw[source], readings, 4 * precision.unit, -1)
    readings = [Fraction(universe[row[index]]) for row in rows]
    return RawInput(reader.raw[source], readings, number_error(source, storage, precision))


def _true_mean(value: Fraction, max_length: int) -> Fraction:
    """The fraction that a listed mean of integers was rounded from; any other value as it is."""
    near = value.limit_denominator(max_length)
    return near if abs(near - value) <= abs(value) * Fraction(1, 2**50) else value


class _StepBuilder:
    """Neurons for a function of one raw number in several contexts."""

    def __init__(
        self,
        name: str,
        contexts: Sequence[Context],
        targets: Sequence[Target],
        spaces: Sequence[Sequence[Direction | None]],
        raw: RawInput,
        precision: Precision,
    ) -> None:
        self.name, self.spaces, self.raw, self.precision = name, spaces, raw, precision
        self.levels = sorted({raw.sign * reading for reading in raw.readings})
        rank = {level: index for index, level in enumerate(self.levels)}
        self.tables: dict[Context, dict[int, Target]] = defaultdict(dict)
        self.sums: dict[Direction, float] = defaultdict(float)
        for context, target, reading in zip(contexts, targets, raw.readings, strict=True):
            self._enter(context, rank[raw.sign * reading], target)

    def _enter(self, context: Context, level: int, target: Target) -> None:
        known = self.tables[context].setdefault(level, target)
        if _freeze(known) != _freeze(target):
            raise Refusal(f"{self.name} depends on more than the number {self.raw.direction.name}")

    def neurons(self) -> list[Neuron]:
        """First values as boxes, then two hidden units for every change and group of contexts that share it."""
        changes: dict[tuple[int, Any], list[Context]] = defaultdict(list)
        first: list[Target] = []
        for context, table in self.tables.items():
            ranks = sorted(table)
            first.append(table[ranks[0]])
            for before, after in pairwise(ranks):
                change = combine((1.0, table[after]), (-1.0, table[before]))
                if change:
                    changes[after, _freeze(change)].append(context)
        found = _box_neurons(self.name, list(self.tables), first, self.spaces)
        for (level, change), contexts in sorted(changes.items(), key=lambda item: item[0][0]):
            for box in self._boxes(contexts):
                found += self._step(level, dict(change), box)
        self._check_sums()
        return found

    def _boxes(self, contexts: list[Context]) -> list[Box]:
        if len(contexts) == len(self.tables):
            return [tuple(frozenset(range(len(space))) for space in self.spaces)]
        return cover(contexts)

    def _step(self, level: int, change: Functional, box: Box) -> list[Neuron]:
        lower, upper = self.levels[level - 1], self.levels[level]
        slope = 2.0 ** math.ceil(math.log2(8 / (upper - lower)))
        if self.raw.error * slope > 2:
            raise Refusal(
                f"{self.name}: {self.raw.direction.name} may be {float(lower):.9g} or {float(upper):.9g}, too close to "
                f"tell apart in {self.precision.name}",
                hint=_WIDER,
            )
        threshold = round(slope * float((lower + upper) / 2))
        largest = slope * float(self.levels[-1]) - threshold + 2
        gate = self._gate(box, 2.0 ** math.ceil(math.log2(max(largest, 1) + 2)))
        rounder = self.precision.rounder
        inputs = combine((self.raw.sign * slope, {self.raw.direction: 1.0}), (rounder, {ONE: 1.0}), (1.0, gate))
        furthest = max(abs(self.levels[0]), abs(self.levels[-1]), Fraction(self.raw.direction.at_bos))
        reach = slope * float(furthest)
        if reach + abs(threshold) >= self.precision.exact / 8:
            raise Refusal(f"{self.name}: steps on {self.raw.direction.name} are too steep", hint=_WIDER)
        negative = {direction: -weight for direction, weight in change.items()}
        for direction, weight in change.items():
            self.sums[direction] += abs(weight) * 2 * largest
        return [
            Neuron(self.name, inputs, -rounder - threshold, change),
            Neuron(self.name, inputs, -rounder - threshold - 1, negative),
        ]

    def _gate(self, box: Box, strength: float) -> Functional:
        """−strength on every indicator outside the box. Twins share a direction: it is inside where one of them is."""
        terms = []
        for codes, space in zip(box, self.spaces, strict=True):
            inside = {space[code] for code in codes}
            outside = frozenset(code for code, direction in enumerate(space) if direction not in inside)
            terms.append((-strength, _indicator(outside, space)))
        return combine(*terms)

    def _check_sums(self) -> None:
        """Every output is a sum of integers below the exact range, whatever the order."""
        for direction, size in self.sums.items():
            if size + 1 >= self.precision.exact:
                raise Refusal(f"{direction.name} is a sum of steps beyond exact integers ({size:,.0f})", hint=_WIDER)

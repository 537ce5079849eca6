"""Feed-forwards: an s-op as one hidden ReLU layer over one-hots and at most one raw number.

One-hot inputs are exactly 0 or 1. A raw number (a head's mean or reciprocal) carries rounding noise; steps remove it.

*Box.* The conjunction of m one-hot indicators b is ReLU(Σb − (m − 1)): exactly 1 where all hold, 0 elsewhere.

*Step.* Between two neighbouring values of the raw number x lies a threshold t. With L a power of two and gap·L ≥ 2, let
    a = round(L·x) − T,    T + ½ being the half nearest to L·t, in the middle of the gap.
L·x is at least T + ½ + (gap·L − 1)/2 at the upper value, so a ≥ 1 there, and a ≤ 0 at the lower one likewise; most of
the rest, (gap·L − 1)/2 on either side, is for noise. Because a is an integer, ReLU(a) − ReLU(a − 1) is exactly 1 or 0.
The rounding is done by the float addition itself: the hidden unit reads L·x + R·one with R = 1.5·2^23 (float32) or
1.5·2^52 (float64), where floats are the integers, and its bias takes R off again. L·x is exact (a power of two) and
there are no further nonzero terms, so there is one rounding, in any order.

*From the small side.* Every step has a slope of its own. The values 1/(w+1) of a width lie ever closer together, so
that steps between small ones are steep, L ≈ 2w². Going down from the largest, with −x for x, such a step is active only
below its threshold, where L·x ≤ L·t ≈ 2w is small. Above it L·x may be as large as L and is not rounded to an integer
then; but rounding keeps order, so a is no larger than right above the threshold, where it is at most 0, and both units
are off. So R and the sums are never at stake, and 1/(w+1) is read exactly up to w = 4,096 and beyond in float32.

*Gate.* A step that should act only in some contexts gets −B for every indicator outside of them: nothing is added where
it acts, so it stays exact, and a − B < 0 switches it off elsewhere.

A function with values f₁ … f_m along the raw number is f₁ + Σ (f_j − f_{j−1})·step_j, each output direction a sum of
integers below the exact range, so any order of summation gives the same result. Neurons are off at BOS: there `one` is
0, so R is missing, and boxes are masked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, TypeAlias

from compiler.differences import MeanDifference
from compiler.gadgets.boxes import Box, cover
from compiler.gadgets.tables import Context, IndistinctError, Space, Target, table_neurons
from compiler.indicator_means import is_count, means_of
from compiler.materialised import made
from compiler.means import combined_readings, width_reading
from compiler.precision import Precision
from compiler.rounding import raw_error_at
from compiler.storage import Reader, Storage
from compiler.symbolic import ONE, Direction, Functional, Neuron, combine, masked
from compiler.values.affine import is_product
from compiler.values.along import along
from compiler.values.categorical import UNDEFINED, value_key
from compiler.values.representatives import points_of
from rasp.errors import Refusal
from rasp.graph import Map, SelectorWidth, SOp

Entry: TypeAlias = tuple[Context, int, int]
_WIDER = "use float64, or a smaller maximum length"
_STEEPNESS = (8, 4, 2)
_NOISE = 2 / 7


@dataclass(frozen=True, eq=False)
class RawInput:
    """A raw number: its direction, and a bound on its rounding error where its true value is the argument.

    `sign` −1 reverses it, so that steps go down from the top.
    """

    direction: Direction
    error: Callable[[Fraction], float]
    sign: int = 1


@dataclass(frozen=True, eq=False)
class Stepped:
    """What is to be written in several contexts along a raw number.

    An entry is a context, the number of a target and the rank of a reading; `levels` are the distinct readings, rising.
    Ranks and numbers are compared instead of fractions and targets: there are as many entries as rows of a table.
    """

    entries: Sequence[Entry]
    targets: Sequence[Target]
    levels: Sequence[Fraction]


def neurons_for(node: SOp, storage: Storage, reader: Reader, precision: Precision) -> list[Neuron]:
    """The hidden units that write a stored one-hot or number. Refusal where steps would not be exact."""
    owner, node = node, made(node)
    if is_product(storage.analysis, node):
        assert isinstance(node, Map)
        return _product_neurons(node, reader)
    if node in storage.deciding_forms:
        return _line_neurons(owner, storage, reader, precision)
    tuples, found = storage.analysis.table(node)
    defined = [row for row, value in enumerate(found) if value is not UNDEFINED]
    rows = tuples.codes[defined].tolist()
    values = [found[row] for row in defined]
    parts = [_part(factor, node, storage, reader) for factor in tuples.factors]
    clean = [index for index, part in enumerate(parts) if part is not None]
    spaces = [part for part in parts if part is not None]
    contexts = [tuple(space.code[row[index]] for index, space in zip(clean, spaces, strict=True)) for row in rows]
    targets = _targets(owner, reader, values, _codes(node, storage, values))
    if len(clean) == len(parts):
        return table_neurons(str(node), contexts, targets, spaces, precision.exact, _ranks(values)).neurons
    raw, readings = _raw_readings(node, tuples.factors, rows, clean, storage, reader, precision)
    return _cheapest_steps(str(node), _stepped(contexts, targets, readings), spaces, raw, precision)


def _stepped(contexts: Sequence[Context], targets: Sequence[Target], readings: Sequence[Sequence[Fraction]]) -> Stepped:
    """For each context its target at each of some readings; what is one object is looked at once."""
    found = {id(reading): reading for levels in readings for reading in levels}
    levels = sorted(set(found.values()), key=_size)
    place = {level: rank for rank, level in enumerate(levels)}
    rank = {known: place[reading] for known, reading in found.items()}
    groups: dict[frozenset[tuple[Direction, float]], int] = {}
    number = {
        known: groups.setdefault(_freeze(target), len(groups))
        for known, target in {id(target): target for target in targets}.items()
    }
    entries = [
        (context, number[id(target)], rank[id(reading)])
        for context, target, at in zip(contexts, targets, readings, strict=True)
        for reading in at
    ]
    return Stepped(entries, list(map(dict, groups)), levels)


def indicator_count_neurons(node: Map, storage: Storage, reader: Reader, precision: Precision) -> list[Neuron]:
    """The hidden units that write a count as a number or a flag one-hot: for every mean of an indicator one step.

    Such a mean is 0 or at least 1/N, as one of at most N selected keys has the indicator, and the step lies between. A
    flag's step acts only where it is the mean's turn.
    """
    none, one = _indicator_count_targets(node, reader)
    change = combine((1.0, one), (-1.0, none))
    turns = Space((), {0: frozenset()}) if is_count(node) else _turns(node.args[0], reader)
    spaces = [] if is_count(node) else [turns]
    found = [Neuron({ONE: 1.0}, 0.0, dict(none))] if none else []
    sums: dict[Direction, float] = defaultdict(float)
    readings = sorted({Fraction(0), Fraction(1, storage.max_length), Fraction(1)})
    for number, mean in enumerate(means_of(node)):
        contexts = [(code,) * len(spaces) for code in turns.directions for _ in readings]
        levels = [[reading] for _ in turns.directions for reading in readings]
        targets: list[Target] = [
            change if reading and (is_count(node) or code == number) else {}
            for code in turns.directions
            for reading in readings
        ]
        raw = RawInput(reader.raw[mean], raw_error_at(mean, storage, precision))
        builder = _StepBuilder(str(node), _stepped(contexts, targets, levels), spaces, raw, precision)
        found += builder.neurons()
        for direction, size in builder.sums.items():
            sums[direction] += size
    _check_sums(sums, precision)
    return found


def _indicator_count_targets(node: Map, reader: Reader) -> tuple[Target, Target]:
    """What to write of an indicator count for 0, and for 1."""
    if is_count(node):
        return {}, {reader.counts[node]: 1.0}
    zero, one = reader.indicators(node, {value_key(value): value for value in (0, 1)}, 2)
    return zero, one


def _turns(turn: SOp, reader: Reader) -> Space:
    """The space of the s-op that says which mean of a flag is asked for."""
    universe = reader.analysis[turn].universe
    row_of = {value_key(value): row for row, value in enumerate(universe)}
    found = reader.indicators(turn, row_of, len(universe))
    return Space(universe, {value: frozenset(read) for value, read in zip(universe, found, strict=True)})


def _cheapest_steps(
    name: str,
    stepped: Stepped,
    spaces: Sequence[Space],
    raw: RawInput,
    precision: Precision,
) -> list[Neuron]:
    """Steps upwards or downwards along the raw number, whichever keeps the sums smaller; steep ones where they fit."""
    stepped = replace(stepped, entries=_run_ends(stepped.entries))
    refusal: Refusal | None = None
    for steepness in _STEEPNESS:
        built: list[tuple[float, list[Neuron]]] = []
        for sign in (1, -1):
            builder = _StepBuilder(name, stepped, spaces, replace(raw, sign=sign), precision, steepness)
            try:
                neurons = builder.neurons()
                _check_sums(builder.sums, precision)
            except IndistinctError:
                raise
            except Refusal as error:
                refusal = refusal or error
            else:
                built.append((max(builder.sums.values(), default=0.0), neurons))
        if built:
            return min(built, key=itemgetter(0))[1]
    assert refusal is not None
    raise refusal


def _run_ends(entries: Sequence[Entry]) -> list[Entry]:
    """The entries where the target changes along the readings of a context; between them nothing happens."""
    by_context: dict[Context, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_context[entry[0]].append(entry)
    kept: list[Entry] = []
    for found in by_context.values():
        found.sort(key=itemgetter(2))
        names = [target for _, target, _ in found]
        kept += [
            entry
            for at, entry in enumerate(found)
            if at in (0, len(found) - 1) or names[at - 1] != names[at] or names[at] != names[at + 1]
        ]
    return kept


def _part(factor: SOp, node: SOp, storage: Storage, reader: Reader) -> Space | None:
    """The space of a factor; None where it is to be read raw.

    Where a neuron would have to read several raw factors, all but one of them, or all, are read as one-hot classes.
    """
    analysis = storage.analysis
    (source,) = analysis.sources(factor)
    if storage.is_clean(source):
        value_of = {code: value for (code,), value in _single_table(factor, storage)}
        return _space(
            factor, [(value_of[c], d) for c, d in enumerate(reader.one_hot[source]) if c in value_of], storage
        )
    classes = storage.classes.get(node, {}).get(factor)
    if classes is None:
        return None
    assert isinstance(classes, Map)
    known = dict(zip(analysis[classes].universe, reader.one_hot[classes], strict=True))
    number: dict[Hashable, int] = dict(classes.op.key)  # type: ignore[call-overload]
    coded = [(value, number.get(value_key(value))) for value in analysis[factor].universe]
    pairs = [(value, known[code]) for value, code in coded if code is not None]
    return _space(factor, pairs, storage)


def _single_table(factor: SOp, storage: Storage) -> list[tuple[list[int], Any]]:
    tuples, values = storage.analysis.table(factor)
    return [(row, value) for row, value in zip(tuples.codes.tolist(), values, strict=True) if value is not UNDEFINED]


def _space(factor: SOp, pairs: Sequence[tuple[Any, Direction | None]], storage: Storage) -> Space:
    """The space in which each (value, direction) says that the direction is 1 only where the factor has that value.

    Values that share directions share a code; Refusal where they share some, but not all.
    """
    number = {value_key(value): code for code, value in enumerate(storage.analysis[factor].universe)}
    directions: dict[int, set[Direction]] = defaultdict(set)
    for value, direction in pairs:
        if direction is not None:
            directions[number[value_key(value)]].add(direction)
    first: dict[frozenset[Direction], int] = {}
    code = [first.setdefault(frozenset(directions[c]), c) for c in range(len(number))]
    kept = {c: found for found, c in first.items()}
    if sum(map(len, kept.values())) != len(frozenset().union(*kept.values())):
        raise IndistinctError(f"{factor!r} tells values apart that differ by type or rounding only")
    return Space(code, kept)


def _codes(node: SOp, storage: Storage, values: Sequence[Any]) -> list[int]:
    """The code of each value in the node's universe."""
    codes: dict[Any, int] = {}
    for code, value in enumerate(storage.analysis[node].universe):
        codes.setdefault(value, code)
    return [codes[value] for value in values]


def _targets(node: SOp, reader: Reader, values: Sequence[Any], codes: Sequence[int]) -> list[Target]:
    """What to write for each value, one object a code."""
    target = _target(node, reader)
    found = {code: target(value, code) for code, value in dict(zip(codes, values, strict=True)).items()}
    return [found[code] for code in codes]


def _target(node: SOp, reader: Reader) -> Callable[[Any, int], Target]:
    """What to write for a value: its one-hot direction, or the number itself."""
    if node in reader.one_hot:
        space = reader.one_hot[node]
        return lambda value, code: {} if space[code] is None else {space[code]: 1.0}  # type: ignore[dict-item]
    direction = reader.numbers[node]
    return lambda value, code: {direction: float(value)} if value else {}


def _ranks(values: Sequence[Any]) -> Sequence[Any]:
    """The values, where all are numbers; others have no order that means anything."""
    return values if all(isinstance(value, (int, float)) for value in values) else []


def _freeze(target: Target) -> frozenset[tuple[Direction, float]]:
    return frozenset(target.items())


def _raw_readings(
    node: SOp,
    factors: tuple[SOp, ...],
    rows: Sequence[Sequence[int]],
    clean: Sequence[int],
    storage: Storage,
    reader: Reader,
    precision: Precision,
) -> tuple[RawInput, list[list[Fraction]]]:
    """The one raw number the node reads, and every true reading it can have in each combination."""
    analysis = storage.analysis
    combination = storage.combinations.get(node)
    if combination is not None:
        raw = RawInput(reader.raw[combination.mean], raw_error_at(combination.mean, storage, precision))
        return raw, combined_readings(combination.form, factors, rows, storage)
    (index,) = set(range(len(factors))) - set(clean)
    (source,) = analysis.sources(factors[index])
    if not analysis[source].listed:
        points = points_of(factors[index])
        return RawInput(reader.raw[source], raw_error_at(source, storage, precision)), [
            [points[r[index]]] for r in rows
        ]
    universe = analysis[source].universe
    is_width = isinstance(source, SelectorWidth)
    read = [width_reading(source, int(w), storage) if is_width else Fraction(w) for w in universe]  # type: ignore[arg-type]
    levels = _levels((read[code], value_key(value)) for (code,), value in _single_table(factors[index], storage))
    readings = [levels[value_key(analysis[factors[index]].universe[row[index]])] for row in rows]
    if is_width:
        return RawInput(reader.raw[source], lambda level: 4 * precision.unit * abs(float(level))), readings
    return RawInput(reader.raw[source], raw_error_at(source, storage, precision)), readings


def _size(reading: Fraction) -> tuple[float, Fraction]:
    """What readings are sorted by: floats are compared faster, but two readings may be one float."""
    return float(reading), reading


def _levels(pairs: Iterable[tuple[Fraction, Hashable]]) -> dict[Hashable, list[Fraction]]:
    """For each value of a factor the readings it can have: of neighbouring ones the first and the last are enough."""
    found: dict[Hashable, list[Fraction]] = defaultdict(list)
    for value, run in groupby(sorted(pairs, key=lambda pair: _size(pair[0])), key=lambda pair: pair[1]):
        readings = [reading for reading, _ in run]
        found[value] += [readings[0], readings[-1]] if len(readings) > 1 else readings
    return found


def _line_neurons(owner: SOp, storage: Storage, reader: Reader, precision: Precision) -> list[Neuron]:
    """Steps along a linear form ℓ of exact integers: ReLU(ℓ − v + 1) − ReLU(ℓ − v) is exactly 1 from v on, else 0.

    The second unit of a step from v and the first of one from v + 1 are one unit: a spline with a knot a value. Units
    from the highest value on are always 0, and left out.
    """
    node = made(owner)
    form = storage.deciding_forms[node]
    core = storage.analysis.linear.core(node)
    value_of = dict(along(storage.analysis, core, node))
    levels = sorted(map(int, value_of))
    values = [value_of[level] for level in levels]
    targets = _targets(owner, reader, values, _codes(node, storage, values))
    knots: dict[int, list[tuple[float, Target]]] = defaultdict(list)
    for level, (before, after) in zip(levels[1:], pairwise(targets), strict=True):
        change = combine((1.0, after), (-1.0, before))
        knots[level - 1].append((1.0, change))
        knots[level].append((-1.0, change))
    slopes = {knot: combine(*terms) for knot, terms in knots.items() if knot < levels[-1]}
    _check_spline(node, targets[0], slopes, levels[-1], precision)
    read = reader.form(form)
    found = [Neuron({ONE: 1.0}, 0.0, dict(targets[0]))] if targets[0] else []
    return found + [
        Neuron(masked(combine((1.0, read), (-float(knot), {ONE: 1.0}))), 0.0, slope)
        for knot, slope in slopes.items()
        if slope
    ]


def _check_spline(node: SOp, first: Target, slopes: Mapping[int, Target], highest: int, precision: Precision) -> None:
    """Refusal where a sum of the units, in some order, reaches the end of the exact integers."""
    sums: dict[Direction, float] = defaultdict(float, {direction: abs(weight) for direction, weight in first.items()})
    for knot, slope in slopes.items():
        for direction, weight in slope.items():
            sums[direction] += abs(weight) * (highest - knot)
    if max(sums.values(), default=0.0) >= precision.exact:
        raise Refusal(f"{node!r} is a sum of steps beyond exact integers", hint=_WIDER)


def difference_neurons(node: Map, reader: Reader) -> list[Neuron]:
    """ReLU(x − y), and for a distance ReLU(y − x) as well, off at BOS."""
    left, right = (reader.raw[mean] for mean in node.args)
    signs = (1.0, -1.0) if isinstance(node.op, MeanDifference) and node.op.both else (1.0,)
    return [Neuron(masked({left: sign, right: -sign}), 0.0, {reader.raw[node]: 1.0}) for sign in signs]


def _product_neurons(node: Map, reader: Reader) -> list[Neuron]:
    """A mean x times a listed factor: v·ReLU(x − B·outside) − v·ReLU(−x − B·outside) for each value v of the factor.

    `outside` is the sum of the indicators of all other values, and B is above |x|. Where the factor is v, nothing is
    added to x, so x arrives as it was read, once; elsewhere both units are off.
    """
    factor, mean = node.args
    values, (low, high) = reader.analysis[factor], reader.analysis[mean].range
    number = {code: row for row, code in enumerate(sorted(set(values.numerically_equal)))}
    row_of = {
        value_key(value): number[code] for value, code in zip(values.universe, values.numerically_equal, strict=True)
    }
    indicators = reader.indicators(factor, row_of, len(number))
    strength = 2.0 ** math.ceil(math.log2(max(abs(low), abs(high), 1)) + 1)
    found = []
    for code, row in number.items():
        weight = float(values.universe[code])
        outside = combine(*((-strength, other) for at, other in enumerate(indicators) if at != row))
        for sign in (1.0, -1.0):
            if weight and (high > 0 if sign > 0 else low < 0):
                inputs = combine((sign, {reader.raw[mean]: 1.0}), (1.0, outside))
                found.append(Neuron(masked(inputs), 0.0, {reader.numbers[node]: sign * weight}))
    return found


class _StepBuilder:
    """Neurons for a function of one raw number in several contexts."""

    def __init__(
        self,
        name: str,
        stepped: Stepped,
        spaces: Sequence[Space],
        raw: RawInput,
        precision: Precision,
        steepness: int = _STEEPNESS[0],
    ) -> None:
        self.name, self.spaces, self.raw, self.precision = name, spaces, raw, precision
        self.steepness, self.targets = steepness, stepped.targets
        used = sorted({rank for _, _, rank in stepped.entries}, reverse=raw.sign < 0)
        self.levels = [raw.sign * stepped.levels[rank] for rank in used]
        place = {rank: at for at, rank in enumerate(used)}
        self.tables: dict[Context, dict[int, int]] = defaultdict(dict)
        self.sums: dict[Direction, float] = defaultdict(float)
        for context, target, rank in stepped.entries:
            self._enter(context, place[rank], target)

    def _enter(self, context: Context, level: int, target: int) -> None:
        if self.tables[context].setdefault(level, target) != target:
            raise IndistinctError(f"{self.name} depends on more than the number {self.raw.direction.name}")

    def _change(self, before: int, after: int) -> Functional:
        return combine((1.0, self.targets[after]), (-1.0, self.targets[before]))

    def neurons(self) -> list[Neuron]:
        """First values as boxes, then two hidden units for every change and group of contexts that share it."""
        changes: dict[tuple[int, frozenset[tuple[Direction, float]]], list[Context]] = defaultdict(list)
        frozen: dict[tuple[int, int], frozenset[tuple[Direction, float]]] = {}
        first: list[Target] = []
        for context, table in self.tables.items():
            ranks = sorted(table)
            first.append(self.targets[table[ranks[0]]])
            for before, after in pairwise(ranks):
                pair = table[before], table[after]
                if pair[0] == pair[1]:
                    continue
                if pair not in frozen:
                    frozen[pair] = _freeze(self._change(*pair))
                changes[after, frozen[pair]].append(context)
        built = table_neurons(self.name, list(self.tables), first, self.spaces, self.precision.exact / 8)
        self.sums.update(built.sums)
        found = built.neurons
        for (level, change), contexts in sorted(changes.items(), key=lambda item: item[0][0]):
            for box in self._boxes(contexts):
                found += self._step(level, dict(change), box)
        return found

    def _boxes(self, contexts: list[Context]) -> list[Box]:
        if len(contexts) == len(self.tables):
            return [tuple(frozenset(space.directions) for space in self.spaces)]
        return cover(contexts)

    def _step(self, level: int, change: Functional, box: Box) -> list[Neuron]:
        lower, upper = self.levels[level - 1], self.levels[level]
        slope = 2.0 ** math.ceil(math.log2(self.steepness / (upper - lower)))
        if max(self.raw.error(lower), self.raw.error(upper)) * slope > (slope * float(upper - lower) - 1) * _NOISE:
            raise Refusal(
                f"{self.name}: {self.raw.direction.name} may be {float(lower):.9g} or {float(upper):.9g}, too close to "
                f"tell apart in {self.precision.name}",
                hint=_WIDER,
            )
        threshold = math.floor(slope * float((lower + upper) / 2))
        top = slope * float(self.levels[-1])
        largest = top - threshold + 2
        gate = self._gate(box, 2.0 ** math.ceil(math.log2(max(largest, 1) + 2)))
        rounder = self.precision.rounder
        inputs = combine((self.raw.sign * slope, {self.raw.direction: 1.0}), (rounder, {ONE: 1.0}), (1.0, gate))
        at_bos = slope * self.raw.sign * self.raw.direction.at_bos
        if max(abs(top), abs(threshold), at_bos / 2) >= self.precision.exact / 4:
            raise Refusal(f"{self.name}: steps on {self.raw.direction.name} are too steep", hint=_WIDER)
        negative = {direction: -weight for direction, weight in change.items()}
        for direction, weight in change.items():
            self.sums[direction] += abs(weight) * largest
        return [
            Neuron(inputs, -rounder - threshold, change),
            Neuron(inputs, -rounder - threshold - 1, negative),
        ]

    def _gate(self, box: Box, strength: float) -> Functional:
        """−strength on every indicator outside the box. What is numerically equal shares a direction."""
        return combine(*((-strength, space.outside(codes)) for codes, space in zip(box, self.spaces, strict=True)))


def _check_sums(sums: Mapping[Direction, float], precision: Precision) -> None:
    """Every output is a sum of integers below the exact range, whatever the order."""
    for direction, size in sums.items():
        if size + 1 >= precision.exact:
            raise Refusal(f"{direction.name} is a sum of steps beyond exact integers ({size:,.0f})", hint=_WIDER)

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
it acts, so it stays exact, and a − B < 0 switches it off elsewhere. So its neighbouring values are those that occur in
its contexts: of a mean of n ints 1/n apart, where those of other lengths lie between them.

*Shared.* What changes alike in several contexts, between readings of each that have room for one threshold, is one step
(`piercing.py`): round((i + 1)·mean) at position i takes about as many steps as it has values, not one a fraction.

A function with values f₁ … f_m along the raw number is f₁ + Σ (f_j − f_{j−1})·step_j, each output direction a sum of
integers below the exact range, so any order of summation gives the same result. Neurons are off at BOS: there `one` is
0, so R is missing, and boxes are masked.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise, product
from operator import itemgetter
from typing import NamedTuple, TypeAlias

import numpy as np

from compiler.gadgets.boxes import Box, cover
from compiler.gadgets.piercing import pierced
from compiler.gadgets.tables import Context, IndistinctError, Space, Target, table_neurons
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.symbolic import ONE, Direction, Functional, Neuron, combine
from compiler.values.progressions import EXACT_MEANS
from rasp.errors import Refusal
from rasp.graph import SOp

Entry: TypeAlias = tuple[Context, int, int]
Ends: TypeAlias = tuple[int, int]
Frozen: TypeAlias = frozenset[tuple[Direction, float]]
WIDER = "use float64, or a smaller maximum length"
_STEEPNESS = (8, 4, 2)
_NOISE = 2 / 7
_FEWER = 2
_STEEPEST = Fraction(2**1000)


class Change(NamedTuple):
    """Where something changes: in a context, between the readings of two ranks."""

    context: Context
    before: int
    after: int


@dataclass(frozen=True, eq=False)
class RawInput:
    """A raw number: its direction, and a bound on its rounding error where its true value is the argument.

    `sign` −1 reverses it, so that steps go down from the top. `node` is the s-op, where that is known.
    """

    direction: Direction
    error: Callable[[Fraction], float]
    sign: int = 1
    node: SOp | None = None

    @staticmethod
    def of(node: SOp, reader: Reader, precision: Precision) -> RawInput:
        """The raw number of an s-op."""
        return RawInput(reader.raw[node], reader.storage.raw[node].raw_error(reader.storage, precision), node=node)


@dataclass(frozen=True, eq=False)
class Stepped:
    """What is to be written in several contexts along a raw number.

    An entry is a context, the number of a target and the rank of a reading; `levels` are the distinct readings, rising.
    Ranks and numbers are compared instead of fractions and targets: there are as many entries as rows of a table.
    """

    entries: Sequence[Entry]
    targets: Sequence[Target]
    levels: Sequence[Fraction]


def stepped(contexts: Sequence[Context], targets: Sequence[Target], readings: Sequence[Sequence[Fraction]]) -> Stepped:
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


def cheapest_steps(
    name: str,
    stepped: Stepped,
    spaces: Sequence[Space],
    raw: RawInput,
    precision: Precision,
) -> list[Neuron]:
    """Steps up or down along the raw number, whichever are fewer, or have smaller sums; steep ones where they fit."""
    stepped = replace(stepped, entries=_run_ends(stepped.entries))
    refusal: Refusal | None = None
    for shares, steepness in product((True, False), _STEEPNESS):
        built: list[tuple[int, float, list[Neuron]]] = []
        for sign in (1, -1):
            builder = StepBuilder(name, stepped, spaces, replace(raw, sign=sign), precision, steepness, shares)
            try:
                neurons = builder.neurons()
                check_sums(builder.sums, precision)
            except IndistinctError:
                raise
            except Refusal as error:
                refusal = refusal or error
            else:
                built.append((len(neurons), max(builder.sums.values(), default=0.0), neurons))
        if built:
            return min(built, key=itemgetter(0, 1))[2]
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


def _freeze(target: Target) -> frozenset[tuple[Direction, float]]:
    return frozenset(target.items())


def _size(reading: Fraction) -> tuple[float, Fraction]:
    """What readings are sorted by: floats are compared faster, but two readings may be one float."""
    return float(reading), reading


class StepBuilder:
    """Neurons for a function of one raw number in several contexts."""

    def __init__(
        self,
        name: str,
        stepped: Stepped,
        spaces: Sequence[Space],
        raw: RawInput,
        precision: Precision,
        steepness: int = _STEEPNESS[0],
        shares: bool = True,
    ) -> None:
        self.name, self.spaces, self.raw, self.precision = name, spaces, raw, precision
        self.steepness, self.shares, self.targets = steepness, shares, stepped.targets
        used = sorted({rank for _, _, rank in stepped.entries}, reverse=raw.sign < 0)
        self.levels = [raw.sign * stepped.levels[rank] for rank in used]
        place = {rank: at for at, rank in enumerate(used)}
        self.tables: dict[Context, dict[int, int]] = defaultdict(dict)
        self.sums: dict[Direction, float] = defaultdict(float)
        for context, target, rank in stepped.entries:
            self._enter(context, place[rank], target)

    def _enter(self, context: Context, level: int, target: int) -> None:
        if self.tables[context].setdefault(level, target) != target:
            number, reading = self.raw.direction.name, float(self.raw.sign * self.levels[level])
            raise IndistinctError(
                f"whether {number} is {reading:.9g} or only close to it is a matter of rounding", hint=EXACT_MEANS
            )

    def _change(self, before: int, after: int) -> Functional:
        return combine((1.0, self.targets[after]), (-1.0, self.targets[before]))

    def neurons(self) -> list[Neuron]:
        """First values as boxes, then two hidden units for every change and group of contexts that share it."""
        changes: dict[Frozen, list[Change]] = defaultdict(list)
        frozen: dict[tuple[int, int], Frozen] = {}
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
                changes[frozen[pair]].append(Change(context, before, after))
        rows = np.array(list(self.tables), dtype=np.intp).reshape(len(self.tables), -1)
        built = table_neurons(self.name, rows, first, self.spaces, self.precision.exact / 8)
        self.sums.update(built.sums)
        found = built.neurons
        steps = [(ends, dict(change), box) for change, places in changes.items() for ends, box in self._steps(places)]
        for ends, change, box in sorted(steps, key=lambda step: step[0][1]):
            found += self._step(ends, change, box)
        return found

    def _steps(self, places: Sequence[Change]) -> list[tuple[Ends, Box]]:
        """The steps that make a change at some places: one for each reading and box, or shared by what lies close."""
        of_reading: dict[int, list[Change]] = defaultdict(list)
        for place in places:
            of_reading[place.after].append(place)
        alone = [step for _, some in sorted(of_reading.items()) for step in self._boxes(some)]
        groups = self._shared(places) if self.shares and len(self.tables) > 1 else []
        if not 0 < _FEWER * len(groups) <= len(alone):
            return alone
        return min(alone, [step for some in groups for step in self._boxes(some)], key=len)

    def _shared(self, places: Sequence[Change]) -> list[list[Change]]:
        """Places that one step may serve, in groups; none where floats do not tell their readings apart."""
        size = list(map(float, self.levels))
        found = pierced([size[place.before] for place in places], [size[place.after] for place in places])
        groups = [[places[at] for at in some.tolist()] for some in found]
        return groups if all(map(_have_room, groups)) else []

    def _boxes(self, places: Sequence[Change]) -> Iterator[tuple[Ends, Box]]:
        """Boxes of the contexts of some places, each with what all its places lie between."""
        if len(places) == len(self.tables):
            yield _between(places), tuple(frozenset(space.directions) for space in self.spaces)
            return
        place_of = {place.context: place for place in places}
        for box in cover([*place_of]):
            yield _between([place_of[context] for context in product(*box)]), box

    def _step(self, ends: Ends, change: Functional, box: Box) -> list[Neuron]:
        """Two units for a change between the readings of two ranks, in the contexts of a box."""
        lower, upper = (self.levels[rank] for rank in ends)
        slope = self._slope(upper - lower)
        noise = max(self.raw.error(lower), self.raw.error(upper)) * slope
        if not noise <= (float(Fraction(slope) * (upper - lower)) - 1) * _NOISE:
            raise TooClose(self, lower, upper)
        middle, top = slope * float((lower + upper) / 2), slope * float(self.levels[-1])
        at_bos = slope * self.raw.sign * self.raw.direction.at_bos
        if max(abs(top), abs(middle) + 1, at_bos / 2) >= self.precision.exact / 4:
            raise Refusal(f"{self.name}: steps on {self.raw.direction.name} are too steep", hint=WIDER)
        threshold = math.floor(middle)
        largest = top - threshold + 2
        gate = self._gate(box, 2.0 ** math.ceil(math.log2(max(largest, 1) + 2)))
        rounder = self.precision.rounder
        inputs = combine((self.raw.sign * slope, {self.raw.direction: 1.0}), (rounder, {ONE: 1.0}), (1.0, gate))
        negative = {direction: -weight for direction, weight in change.items()}
        for direction, weight in change.items():
            self.sums[direction] += abs(weight) * largest
        return [
            Neuron(inputs, -rounder - threshold, change),
            Neuron(inputs, -rounder - threshold - 1, negative),
        ]

    def _slope(self, gap: Fraction) -> float:
        """The power of two that makes a gap a few integers wide; the steepest there is where that would be no float."""
        return 2.0 ** math.ceil(math.log2(min(self.steepness / gap, _STEEPEST)))

    def _gate(self, box: Box, strength: float) -> Functional:
        """−strength on every indicator outside the box. What is numerically equal shares a direction."""
        return combine(*((-strength, space.outside(codes)) for codes, space in zip(box, self.spaces, strict=True)))


class TooClose(Refusal):
    """Two values of a raw number, of the s-op `number`, lie too close together for a step between them."""

    def __init__(self, steps: StepBuilder, lower: Fraction, upper: Fraction) -> None:
        ends = [f"{float(value):.9g}" for value in (lower, upper)]
        if len({*ends}) == 1:
            ends = [repr(float(value)) for value in (lower, upper)]
        apart = f"too close to tell apart in {steps.precision.name}"
        super().__init__(f"{steps.name}: {steps.raw.direction.name} may be {' or '.join(ends)}, {apart}", hint=WIDER)
        self.number: SOp | None = steps.raw.node


def _between(places: Sequence[Change]) -> Ends:
    """The ranks that all of some places lie between."""
    return max(place.before for place in places), min(place.after for place in places)


def _have_room(places: Sequence[Change]) -> bool:
    """Whether there is one place for each context, and something that lies between the readings of all."""
    below, above = _between(places)
    return below < above and len({place.context for place in places}) == len(places)


def check_sums(sums: Mapping[Direction, float], precision: Precision) -> None:
    """Every output is a sum of integers below the exact range, whatever the order."""
    for direction, size in sums.items():
        if size + 1 >= precision.exact:
            raise Refusal(f"{direction.name} is a sum of steps beyond exact integers ({size:,.0f})", hint=WIDER)

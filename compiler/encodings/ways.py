"""How a feed-forward makes an s-op of what is stored: a table, steps along one raw number, or along a form of integers.

`way_of` chooses, and asks for what the feed-forward reads.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from compiler.encodings.classes import classes_of, shown
from compiler.fused import fused_mean, with_float_weights
from compiler.gadgets.spline import spline
from compiler.gadgets.steps import RawInput, cheapest_steps, stepped
from compiler.gadgets.tables import IndistinctError, Space, Target, check_distinct, table_neurons
from compiler.means import combined_readings, width_reading
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.storage import Storage
from compiler.symbolic import Direction, Neuron
from compiler.values.along import along
from compiler.values.analysis import TooMany, ValueAnalysis
from compiler.values.categorical import UNDEFINED, Categorical, value_key
from compiler.values.grid import Ints
from compiler.values.linear import LinearForm
from compiler.values.progressions import CLOSE
from compiler.values.representatives import readings_of
from compiler.values.roundoff import largest, roundoff
from rasp.errors import Refusal
from rasp.graph import Aggregate, Map, SelectorWidth, SOp

_DEAR = 4096
MANY = 16


@dataclass(frozen=True, eq=False)
class Way(ABC):
    """How the feed-forward that makes an s-op, `node`, reads what it is made of."""

    node: SOp

    def check(self, owner: SOp, reader: Reader) -> None:  # noqa: B027
        """Nothing, or an IndistinctError where that is seen without making any hidden units."""

    @abstractmethod
    def neurons(self, owner: SOp, reader: Reader, precision: Precision) -> list[Neuron]:
        """The hidden units that write it where `owner` is stored: the node, or what stores it on the way."""


def way_of(node: SOp, storage: Storage) -> Way:
    """The way of making an s-op, with needs for what is read. Refusal where no feed-forward can."""
    factors, sources = storage.analysis.factors(node), storage.analysis.sources(node)
    is_exact = {source: storage.encoding(source).is_exact for source in sources}
    exact = [source for source in sources if is_exact[source]]
    raw = [factor for factor, source in zip(factors, sources, strict=True) if not is_exact[source]]
    for source in sources:
        if not is_exact[source] and not storage.analysis[source].numeric:
            raise Refusal(f"{source!r} may be a mean of numbers or a string: no head can write both")
    if len(sources) > 1 and (form := _followed(node, len(raw), storage)) is not None:
        return AlongForm(node, form)
    for source in exact:
        storage.encoding(source).by_value(storage, None)
    storage.wait(node, exact)
    if len(raw) > 1 and not exact and (combined := _combined(node, raw, storage)) is not None:
        return combined
    return Tabulated(node, _read_raw(node, raw, storage) if raw else {})


# -- a table over one-hots, and steps along one raw number


@dataclass(frozen=True, eq=False)
class Tabulated(Way):
    """A table over exact sources, and steps along at most one raw number.

    One neuron reads at most one raw number: of other raw factors it reads classes, made one-hot before it.
    """

    classes: Mapping[SOp, SOp] = field(default_factory=dict)

    def check(self, owner: SOp, reader: Reader) -> None:
        factors, codes, found = _table(self.node, reader.analysis)
        spaces = self._spaces(factors, reader)
        if all(spaces.values()):
            check_distinct(shown(self.node), _contexts(codes, spaces), _targets(owner, self.node, found, reader))

    def neurons(self, owner: SOp, reader: Reader, precision: Precision) -> list[Neuron]:
        factors, codes, found = _table(self.node, reader.analysis)
        of_factor = self._spaces(factors, reader)
        spaces = [space for space in of_factor.values() if space is not None]
        contexts, targets = _contexts(codes, of_factor), _targets(owner, self.node, found, reader)
        if len(spaces) == len(factors):
            ranks = _ranks(found.decoded)
            return table_neurons(shown(self.node), contexts, targets, spaces, precision.exact, ranks).neurons
        (index,) = (at for at, space in of_factor.items() if space is None)
        (source,) = reader.analysis.sources(factors[index])
        readings = _readings(factors[index], source, codes[:, index].tolist(), reader.storage)
        entries = stepped(list(map(tuple, contexts.tolist())), targets, readings)
        return cheapest_steps(shown(self.node), entries, spaces, RawInput.of(source, reader, precision), precision)

    def _spaces(self, factors: Sequence[SOp], reader: Reader) -> dict[int, Space | None]:
        """For the place of each factor its space; None where it is to be read raw."""
        return {at: self._part(factor, reader) for at, factor in enumerate(factors)}

    def _part(self, factor: SOp, reader: Reader) -> Space | None:
        """The space of a factor; None where it is to be read raw."""
        analysis = reader.analysis
        (source,) = analysis.sources(factor)
        if reader.storage.encoding(source).is_exact:
            value_of = {code: value for (code,), value in _single_table(factor, reader.storage)}
            space = reader.one_hot[source]
            return _space(factor, [(value_of[c], d) for c, d in enumerate(space) if c in value_of], reader.storage)
        classes = self.classes.get(factor)
        if classes is None:
            return None
        assert isinstance(classes, Map)
        known = dict(zip(analysis[classes].universe, reader.one_hot[classes], strict=True))
        number: dict[Hashable, int] = dict(classes.op.key)  # type: ignore[call-overload]
        coded = [(value, number.get(value_key(value))) for value in analysis[factor].universe]
        return _space(factor, [(value, known[code]) for value, code in coded if code is not None], reader.storage)


def _read_raw(node: SOp, raw: Sequence[SOp], storage: Storage) -> Mapping[SOp, SOp]:
    """Needs for raw factors: one is read as it is, others are made classes where they can be; these come back.

    Those of earlier layers were made classes by the feed-forward of theirs. If several are of the node's own layer,
    the node goes into a feed-forward of its own after it: all become classes there, or all but one with MANY of them.
    """
    newest = [factor for factor in raw if storage.layer(factor) == storage.layer(node)]
    read = (newest or raw)[0] if len(newest or raw) == 1 else None
    rising = sorted(raw, key=lambda factor: len(storage.analysis[factor].universe))
    classes = classes_of(node, [factor for factor in rising if factor is not read], storage.analysis, storage.codes)
    if len(newest) > 1 and len(storage.analysis[classes[rising[-1]]].universe) > MANY:
        read = rising[-1]
        del classes[read]
    if read is not None:
        _read_number(node, read, storage)
    for part in classes.values():
        storage.categorical(part)
    storage.wait(node, classes.values())
    return classes


def _read_number(node: SOp, factor: SOp, storage: Storage) -> None:
    """Need: the raw number that a factor is a function of; one that neurons make comes before the node."""
    (source,) = storage.analysis.sources(factor)
    storage.encoding(source).as_raw(storage)
    if isinstance(source, Map):
        storage.wait(node, [source])


def _table(node: SOp, analysis: ValueAnalysis) -> tuple[tuple[SOp, ...], Ints, Categorical]:
    """The factors of an s-op, the codes that they have in each row where it has a value, and its value there."""
    tuples, found = analysis.column(node)
    if found.undefined is None:
        return tuples.factors, tuples.codes, found
    defined = np.flatnonzero(found.codes != found.undefined)
    return tuples.factors, tuples.codes[defined], found.at(defined)


def _contexts(codes: Ints, spaces: Mapping[int, Space | None]) -> Ints:
    """For each row the codes that stand for those of the factors that have a space."""
    columns = [np.array(space.code, dtype=np.intp)[codes[:, at]] for at, space in spaces.items() if space is not None]
    return np.stack(columns, axis=1) if columns else np.zeros((len(codes), 0), dtype=np.intp)


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


def _targets(owner: SOp, node: SOp, found: Categorical, reader: Reader) -> list[Target]:
    """What to write in each row, one object a code: its one-hot direction, or the number itself."""
    code: dict[Any, int] = {}
    for at, value in enumerate(reader.analysis[node].universe):
        code.setdefault(value, at)
    target = {code[value]: _target(owner, value, code[value], reader) for value in found.categories}
    of_category = [target[code[value]] for value in found.categories]
    return list(map(of_category.__getitem__, found.codes.tolist()))


def _target(owner: SOp, value: Any, code: int, reader: Reader) -> Target:
    if owner in reader.one_hot:
        direction = reader.one_hot[owner][code]
        return {} if direction is None else {direction: 1.0}
    return {reader.numbers[owner]: float(value)} if value else {}


def _ranks(values: Sequence[Any]) -> Sequence[Any]:
    """The values, where all are numbers; others have no order that means anything."""
    return values if all(isinstance(value, (int, float)) for value in values) else []


def _readings(factor: SOp, source: SOp, codes: Sequence[int], storage: Storage) -> list[list[Fraction]]:
    """Every true reading that a factor's raw source can have where the factor has each of some codes."""
    if not storage.analysis[source].listed:
        found = readings_of(factor)
        return [[found[code]] for code in codes]
    levels = _levels(factor, source, storage)
    return [levels[code] for code in codes]


def _levels(factor: SOp, source: SOp, storage: Storage) -> list[list[Fraction]]:
    """For each code of a factor the readings it can have: of neighbouring ones the first and the last are enough.

    What is read of a width falls as the width rises; of any other number it is the number itself.
    """
    universe, is_width = storage.analysis[source].universe, isinstance(source, SelectorWidth)
    rising = sorted(range(len(universe)), key=universe.__getitem__, reverse=is_width)
    has = _codes_along(factor, storage, len(universe))[rising]
    order, has = np.array(rising)[has >= 0], has[has >= 0]
    starts = np.flatnonzero(np.diff(has, prepend=-1))
    ends = np.append(starts[1:], len(has)) - 1
    found: list[list[Fraction]] = [[] for _ in storage.analysis[factor].universe]
    for code, *run in zip(has[starts].tolist(), order[starts].tolist(), order[ends].tolist(), strict=True):
        for value in (universe[at] for at in dict.fromkeys(run)):
            found[code].append(width_reading(source, value, storage) if is_width else Fraction(value))  # type: ignore[arg-type]
    return found


def _codes_along(factor: SOp, storage: Storage, size: int) -> Ints:
    """The code of a factor's value for each of so many codes of its source; −1 where it has none."""
    tuples, found = storage.analysis.column(factor)
    number = {value_key(value): code for code, value in enumerate(storage.analysis[factor].universe)}
    codes = np.array([-1 if value is UNDEFINED else number[value_key(value)] for value in found.categories])
    has = np.full(size, -1, dtype=np.intp)
    has[tuples.codes[:, 0]] = codes[found.codes]
    return has


# -- steps along one mean that stands for several


@dataclass(frozen=True, eq=False)
class AlongMean(Way):
    """A function of one linear form of means that one head computes together: `mean` is that form, as a mean.

    `readings` are what it is in each combination of the means' values.
    """

    mean: Aggregate
    form: LinearForm
    readings: Sequence[Sequence[Fraction]]

    def neurons(self, owner: SOp, reader: Reader, precision: Precision) -> list[Neuron]:
        _, codes, found = _table(self.node, reader.analysis)
        entries = stepped([()] * len(codes), _targets(owner, self.node, found, reader), self.readings)
        return cheapest_steps(shown(self.node), entries, [], RawInput.of(self.mean, reader, precision), precision)


def _combined(node: SOp, raw: Sequence[SOp], storage: Storage) -> AlongMean | None:
    """The way over one mean, where the node depends on its means only through a form that a single head can compute.

    None where the interpreter's rounding decides: where its answers differ between combinations with one sum.
    """
    form = storage.analysis.linear[storage.analysis.linear.core(node)]
    means = [source for source in raw if isinstance(source, Aggregate)]
    if form is None or len(means) < len(raw) or set(form.weights) != set(raw):
        return None
    if len({(mean.selector, storage.layer_of[mean]) for mean in means}) != 1:
        return None
    if any(isinstance(mean.default, str) for mean in means):
        return None
    form = with_float_weights(form)
    combined = fused_mean(form, means)
    factors, codes, found = _table(node, storage.analysis)
    readings = combined_readings(form, factors, codes.tolist(), storage)
    is_known = combined in storage.layer_of and combined not in storage.combined
    if is_known or not _decide(readings, found.decoded, node, storage):
        return None
    storage.combined[combined] = None
    storage.layer_of[combined] = storage.layer_of[means[0]]
    storage.encoding(combined).as_raw(storage)
    return AlongMean(node, combined, form, readings)


def _decide(readings: Sequence[Sequence[Fraction]], values: Sequence[Any], node: SOp, storage: Storage) -> bool:
    """Whether each reading, as far as a raw number tells, goes with one value, or with several that are one number."""
    analysis = storage.analysis
    class_of = dict(zip(map(value_key, analysis[node].universe), storage.codes(node), strict=True))
    pairs = {(reading, class_of[value_key(value)]) for (reading,), value in zip(readings, values, strict=True)}
    order = sorted(pairs)
    close = CLOSE * max(abs(reading) for reading, _ in order) if order else 0
    return all(some[1] == other[1] or other[0] - some[0] > close for some, other in pairwise(order))


# -- steps along a linear form of exact integers


@dataclass(frozen=True, eq=False)
class AlongForm(Way):
    """A function of one linear form of integers that are stored without rounding error (`gadgets/spline.py`)."""

    form: LinearForm

    def neurons(self, owner: SOp, reader: Reader, precision: Precision) -> list[Neuron]:
        core = reader.analysis.linear.core(self.node)
        value_of = dict(along(reader.analysis, core, self.node))
        levels = sorted(map(int, value_of))
        values = [value_of[level] for level in levels]
        targets = _targets(owner, self.node, Categorical.listed(values), reader)
        return spline(shown(self.node), levels, targets, reader.form(self.form), precision)


def deciding_form(node: SOp, storage: Storage) -> LinearForm | None:
    """The linear form of several exact integers that alone decides the node's value, if there is one."""
    analysis = storage.analysis
    core = analysis.linear.core(node)
    form = analysis.linear[core]
    if form is None or len(form.weights) < 2 or not all(map(storage.can_be_exact, form.weights)):
        return None
    if roundoff(analysis, core, tuple(form.weights)).at(largest(analysis[core].range)) >= 0.5:
        return None
    if any(weight.denominator != 1 for weight in (*form.weights.values(), form.constant)):
        return None
    found: dict[Any, Any] = {}
    for level, value in along(analysis, core, node):
        if level != int(level) or found.setdefault(level, value) != value:
            return None
    return form


def _followed(node: SOp, raw: int, storage: Storage) -> LinearForm | None:
    """The form of exact integers that alone decides the node, if steps along it are cheaper than a table."""
    form = deciding_form(node, storage)
    if form is None:
        return None
    steps = 2 * len({level for level, _ in along(storage.analysis, storage.analysis.linear.core(node), node)})
    if steps >= (_DEAR if raw == 1 else _combinations(node, storage) * (2 if raw else 1)):
        return None
    for part in form.weights:
        storage.number(part, exact=True)
    if any(storage.stage(part) for part in form.weights if not storage.is_view(part)):
        return None
    storage.wait(node, form.weights)
    return form


def _combinations(node: SOp, storage: Storage) -> float:
    """How many combinations the s-op's factors have; infinitely many where they are too many to list."""
    try:
        return storage.analysis.combinations(storage.analysis.factors(node))
    except TooMany:
        return math.inf

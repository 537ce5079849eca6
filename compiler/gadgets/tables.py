"""A function of several one-hot s-ops as hidden units, in the way that needs the fewest.

An *indicator*, 1 on a set of value combinations and 0 elsewhere, is a sum of units. Disjoint boxes need one unit each:
the conjunction of m indicators b is ReLU(Σb − (m − 1)), exactly 1 where all hold and 0 elsewhere. A face, a threshold
or a level of one weighted sum (see thresholds.py) needs one, two or three.

A function that takes the values t_1 … t_k on disjoint sets S_1 … S_k is, whatever t_0 is,
    Σ t_j·[S_j]  =  t_0 + Σ (t_j − t_0)·[S_j],
so the dearest set need not be built; and where the values have an order, with U_j the union of S_j, S_{j+1} … S_k,
    t_1 + Σ (t_j − t_{j−1})·[U_j]      (j from 2 on),
as a combination in S_i is in U_2 … U_i, and the differences add up to t_i. The fewest units win. Units of equal inputs
are one unit.

All weights are integers, and all sums are bounded below the dtype's exact range, so their order does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from compiler.gadgets.boxes import ORDERS, Box, cover
from compiler.gadgets.thresholds import Bools, Form, Separator, numbered
from compiler.symbolic import ONE, Direction, Functional, Neuron, combine, masked
from compiler.values.grid import Ints
from rasp.errors import Refusal

Context: TypeAlias = tuple[int, ...]
Target: TypeAlias = Mapping[Direction, float]


class IndistinctError(Refusal):
    """Values that the residual stream holds as one number are to be told apart: 1 and 1.0, or what rounding leaves."""


@dataclass(frozen=True, eq=False)
class Space:
    """A factor as a feed-forward reads it: the code that stands for each value, and the directions of each such code.

    The sum of a code's directions is 1 where the factor has that value, and 0 elsewhere.
    """

    code: Sequence[int]
    directions: Mapping[int, frozenset[Direction]]

    @property
    def everything(self) -> frozenset[Direction]:
        return frozenset().union(*self.directions.values())

    def indicator(self, codes: frozenset[int]) -> Functional:
        return {direction: 1.0 for code in codes for direction in self.directions[code]}

    def outside(self, codes: frozenset[int]) -> Functional:
        inside = self.indicator(codes)
        return {direction: 1.0 for direction in self.everything if direction not in inside}


@dataclass(frozen=True, eq=False)
class Unit:
    """One term of an indicator: factor · ReLU(inputs), where the inputs are at most `largest`."""

    factor: float
    inputs: Functional
    largest: float


Indicator: TypeAlias = list[Unit]
_FACTORS = {1: (1.0,), 2: (1.0, -1.0), 3: (1.0, -2.0, 1.0)}
_LARGEST = 2**20
_MOST_EFFORT = 1_000_000
_A_PROGRAM = 3_000
_ALWAYS = [Unit(1.0, {ONE: 1.0}, 1.0)]


@dataclass(frozen=True, eq=False)
class Parts:
    """A sum of targets times indicators; `disjoint`: of all but _ALWAYS at most one is 1."""

    terms: list[tuple[Functional, Indicator]]
    disjoint: bool = True


@dataclass(frozen=True, eq=False)
class Built:
    """The neurons of a table; for each direction a bound on the size of everything that is added up in it."""

    neurons: list[Neuron]
    sums: Mapping[Direction, float]


def table_neurons(
    name: str,
    contexts: Ints,
    targets: Sequence[Target],
    spaces: Sequence[Space],
    room: float,
    ranks: Sequence[Any] = (),
) -> Built:
    """The hidden units that write each context's target. All sums stay below `room`, but for those of plain boxes.

    A context is a row of codes; `ranks`, if there are any, order them. Refusal where one context has two targets.
    """
    rows, groups, labels, kept = _grouped(name, contexts, targets)
    order = [ranks[at] for at in kept] if ranks else []
    found = [_merged(parts) for parts in _candidates(_Sets(rows, labels, spaces), groups, labels, order)]
    fitting = [built for built in found[1:] if max(built.sums.values(), default=0.0) < room]
    return min([found[0], *fitting], key=lambda built: len(built.neurons))


def check_distinct(name: str, contexts: Ints, targets: Sequence[Target]) -> None:
    """Nothing, or an IndistinctError where one context has two targets."""
    _grouped(name, contexts, targets)


def _grouped(name: str, contexts: Ints, targets: Sequence[Target]) -> tuple[Ints, list[Functional], Ints, list[int]]:
    """The distinct contexts, the distinct targets, which target each context has, and where each is met first."""
    groups: dict[frozenset[tuple[Direction, float]], int] = {}
    different = {id(target): target for target in targets}
    label_of = {known: groups.setdefault(frozenset(t.items()), len(groups)) for known, t in different.items()}
    labels = np.array([label_of[id(target)] for target in targets], dtype=np.intp)
    _, first, which = np.unique(numbered(contexts), return_index=True, return_inverse=True)
    if np.any(labels != labels[first[which]]):
        raise IndistinctError(f"{name} tells values apart that differ by type or rounding only")
    kept = np.sort(first)
    return contexts[kept], [dict(items) for items in groups], labels[kept], kept.tolist()


def _candidates(sets: _Sets, groups: Sequence[Functional], labels: Ints, ranks: Sequence[Any]) -> Iterator[Parts]:
    """The function as targets times indicators, in several ways; the first is by plain boxes."""
    numbers = range(len(groups))
    yield Parts([(groups[at], sets.boxes([at])) for at in numbers if groups[at]])
    found = {at: sets.indicator([at]) for at in numbers if groups[at]}
    yield Parts([(groups[at], indicator) for at, indicator in found.items()])
    size = sum(map(len, found.values()))
    if len(groups) > 1:
        dearest = max(found, key=lambda at: len(found[at]))
        if len(found) == len(groups) or len(found[dearest]) > 2:
            yield _based(
                groups, dearest, {at: found.get(at) or sets.indicator([at]) for at in numbers if at != dearest}
            )
    runs = _runs(labels, ranks)
    if 2 < runs.max(initial=0) + 1 <= size:
        targets = [groups[labels[np.argmax(runs == run)]] for run in range(runs.max() + 1)]
        yield from _along(sets.split(runs), targets, size)


def _based(groups: Sequence[Functional], base: int, others: Mapping[int, Indicator]) -> Parts:
    """One target everywhere, and on each set of another one the difference."""
    differences = [(combine((1.0, groups[at]), (-1.0, groups[base])), found) for at, found in others.items()]
    return Parts([(groups[base], _ALWAYS), *differences])


def _runs(labels: Ints, ranks: Sequence[Any]) -> Ints:
    """For each row how often the label changes from the lowest rank up to its own; all 0 where ranks do not order."""
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    runs = np.zeros(len(labels), dtype=np.intp)
    if order:
        runs[order] = np.concatenate([[0], np.cumsum(np.diff(labels[order]) != 0)])
    return runs


def _along(sets: _Sets, targets: Sequence[Functional], most: int) -> Iterator[Parts]:
    """The first target everywhere, from each later run on the difference to the one before.

    Nothing where that takes `most` units or more, or too much effort to find.
    """
    found: list[tuple[Functional, Indicator]] = [(targets[0], _ALWAYS)] if targets[0] else []
    size = len(found)
    for run, (before, after) in enumerate(pairwise(targets), 1):
        found.append((combine((1.0, after), (-1.0, before)), sets.indicator(range(run, len(targets)))))
        size += len(found[-1][1])
        if size + len(targets) - 1 - run >= most or sets.effort <= 0:
            return
    yield Parts(found, disjoint=False)


def _merged(parts: Parts) -> Built:
    """One neuron for all units with the same inputs."""
    units: dict[frozenset[tuple[Direction, float]], Functional] = {}
    outputs: dict[frozenset[tuple[Direction, float]], list[tuple[float, Functional]]] = defaultdict(list)
    for target, indicator in parts.terms:
        for unit in indicator:
            key = frozenset(unit.inputs.items())
            units[key] = unit.inputs
            outputs[key].append((unit.factor, target))
    written = {key: combine(*terms) for key, terms in outputs.items()}
    neurons = [Neuron(masked(units[key]), 0.0, output) for key, output in written.items() if output]
    return Built(neurons, _sums(parts))


def _sums(parts: Parts) -> dict[Direction, float]:
    """What each direction adds up at most: of disjoint boxes one, of everything else all."""
    every: dict[Direction, float] = defaultdict(float)
    largest: dict[Direction, float] = defaultdict(float)
    for target, indicator in parts.terms:
        boxes = all(unit.largest <= 1 for unit in indicator)
        reach = 1.0 if boxes else sum(abs(unit.factor) * unit.largest for unit in indicator)
        for direction, weight in target.items():
            if boxes and parts.disjoint and indicator is not _ALWAYS:
                largest[direction] = max(largest[direction], abs(weight))
            else:
                every[direction] += abs(weight) * reach
    return {direction: every[direction] + largest[direction] for direction in {**every, **largest}}


class _Sets:
    """Combinations with labels, and indicators of all that have some of the labels.

    Values of a factor that no label tells apart have one code in `rows`; `members[f][code]` says which they are.
    `effort` is what may still be spent on looking for better ones than boxes, in combinations looked at.
    """

    def __init__(self, rows: Ints, labels: Ints, spaces: Sequence[Space]) -> None:
        self.whole, self.spaces = (rows, labels), spaces
        self.members: list[list[list[int]]] = []
        for factor in range(rows.shape[1]):
            codes, members = _classes(rows, factor, labels)
            rows = np.column_stack([rows[:, :factor], codes, rows[:, factor + 1 :]])
            kept = np.unique(numbered(rows), return_index=True)[1]
            rows, labels = rows[kept], labels[kept]
            self.members.append(members)
        self.rows, self.labels = rows, labels
        self.effort = _MOST_EFFORT
        self.covers: dict[tuple[int, ...], Indicator] = {}
        self.known: dict[tuple[int, ...], Indicator] = {}

    def split(self, labels: Ints) -> _Sets:
        """The same combinations with other labels."""
        return _Sets(self.whole[0], labels, self.spaces)

    @cached_property
    def separator(self) -> Separator:
        silent = [
            [code for code, values in enumerate(members) if not loud.issuperset(values)]
            for loud, members in zip(self._loud, self.members, strict=True)
        ]
        return Separator(self.rows, list(map(len, self.members)), silent)

    @cached_property
    def _rows_with(self) -> list[Ints]:
        """The combinations that have each label."""
        order = np.argsort(self.labels, kind="stable")
        starts = np.searchsorted(self.labels[order], np.arange(1, int(self.labels.max(initial=0)) + 1))
        return np.split(self.rows[order], starts)

    def boxes(self, labels: Sequence[int]) -> Indicator:
        """Disjoint boxes around the combinations that have one of the labels."""
        key = tuple(labels)
        if key not in self.covers:
            points = np.concatenate([self._rows_with[label] for label in labels]).tolist()
            self.effort -= ORDERS * len(points)
            self.covers[key] = [self._box(box) for box in cover([tuple(point) for point in points])]
        return self.covers[key]

    def indicator(self, labels: Sequence[int]) -> Indicator:
        """The fewest units that are 1 for the combinations that have one of the labels, and 0 for all others."""
        key = tuple(labels)
        if key not in self.known:
            self.known[key] = self._cheapest(labels)
        return self.known[key]

    def _cheapest(self, labels: Sequence[int]) -> Indicator:
        boxes = self.boxes(labels)
        if len(boxes) < 2 or self.effort <= 0 or not self.separator.affordable:
            return boxes
        solved = self.separator.solved
        inside = np.isin(self.labels, labels)
        form, units = self._form(inside, len(boxes))
        self.effort -= len(self.rows) + _A_PROGRAM * (self.separator.solved - solved)
        return boxes if form is None else self._units(form, _FACTORS[units])

    def _form(self, inside: Bools, most: int) -> tuple[Form | None, int]:
        """A form that takes less than so many units, and how many it takes."""
        for units, find in ((1, self.separator.face), (2, self.separator.threshold), (3, self.separator.level)):
            form = find(inside) if units < most else None
            if form is not None and self._largest(form) < _LARGEST:
                return form, units
        return None, 0

    def _units(self, form: Form, scales: Sequence[float]) -> Indicator:
        """ReLU(s − t + 1), ReLU(s − t), … times the scales."""
        weights = np.split(form.weights, self.separator.offsets[1:])
        inputs = combine(
            *(
                (float(weight), self.spaces[factor].indicator(frozenset(self.members[factor][code])))
                for factor, part in enumerate(weights)
                for code, weight in enumerate(part.tolist())
            )
        )
        most = self._largest(form) - form.at + 1
        return [
            Unit(scale, combine((1.0, inputs), (1.0 - form.at - at, {ONE: 1.0})), float(most - at))
            for at, scale in enumerate(scales)
        ]

    def _largest(self, form: Form) -> int:
        """No combination has a larger sum, nor has a part of one."""
        return sum(int(part.max(initial=0)) for part in np.split(form.weights, self.separator.offsets[1:]))

    def _box(self, box: Box) -> Unit:
        """Σ indicators − (m − 1), over the factors that the box restricts."""
        terms = [
            (1.0, indicator) for factor, codes in enumerate(box) if (indicator := self._restriction(factor, codes))
        ]
        return Unit(1.0, combine(*terms, (1.0 - len(terms), {ONE: 1.0})), 1.0)

    def _restriction(self, factor: int, codes: frozenset[int]) -> Functional:
        """The indicator of some of a factor's values; empty for all of them."""
        values = frozenset(value for code in codes for value in self.members[factor][code])
        return {} if self._loud[factor] <= values else self.spaces[factor].indicator(values)

    @cached_property
    def _loud(self) -> list[frozenset[int]]:
        """The values of each factor that have a direction."""
        return [frozenset(code for code, found in space.directions.items() if found) for space in self.spaces]


def _classes(rows: Ints, factor: int, labels: Ints) -> tuple[Ints, list[list[int]]]:
    """The factor's code in every row, where values that no label tells apart share one; and the values of each."""
    values, places = np.unique(rows[:, factor], return_inverse=True)
    rest = numbered(np.delete(rows, factor, axis=1))
    order = np.lexsort((rest, places))
    starts = np.searchsorted(places[order], np.arange(len(values)))
    slices = np.split(np.column_stack([rest, labels])[order], starts[1:])
    numbers: dict[bytes, int] = {}
    code_of = np.array([numbers.setdefault(part.tobytes(), len(numbers)) for part in slices], dtype=np.intp)
    members: list[list[int]] = [[] for _ in numbers]
    for value, code in zip(values.tolist(), code_of.tolist(), strict=True):
        members[code].append(value)
    return code_of[places], members

"""What is proved of a group of neurons: that it writes what its s-op is.

A group passes if, for readings anywhere within the error bound, every unit keeps its side of zero and the active ones
add up to exactly the value wanted, with no slope left along the reading; the *headroom* says up to which multiple of
the bound that holds. Sums are of integers (times a power of two) below the exact range, so their order does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import groupby
from typing import Any

import numpy as np

from compiler.encodings.computed import Computed
from compiler.encodings.counts import Count, Flag, IndicatorCount
from compiler.encodings.gap import Gap
from compiler.encodings.product import Product
from compiler.encodings.ways import AlongForm, AlongMean
from compiler.encodings.writers import ByNeurons
from compiler.ir import FeedForwardWeights
from compiler.means import combined_readings
from compiler.operations.differences import MeanDifference
from compiler.operations.indicator_means import is_count, is_flag, means_of
from compiler.operations.materialised import is_stored, made
from compiler.proof.stream import Meaning, States, Stream, code_table, multiples
from compiler.proof.units import Group, Reading, Vector
from compiler.rounding import number_error, raw_error_at
from compiler.selectors import BoolTable
from compiler.symbolic import BOS, ONE, Direction, Matrix
from compiler.values.along import along, reads_only
from compiler.values.categorical import UNDEFINED, value_key
from compiler.values.grid import Ints
from compiler.values.linear import LinearForm
from rasp.graph import Aggregate, Constant, SOp

_HEADROOMS = (16.0, 8.0, 4.0, 2.0, 1.0)
_MANY_CELLS = 1 << 19
_BLOCK = 1 << 23


class Neurons:
    """The checks of groups of neurons."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.storage, self.precision = stream, stream.storage, stream.precision
        self.reader, self.analysis = stream.reader, stream.analysis

    def check(self, weights: FeedForwardWeights, encoding: ByNeurons, columns: slice) -> None:
        """A group's hidden units write what their encoding holds, and nothing at BOS."""
        W_in = weights.W_in[:, columns].astype(np.float64)  # noqa: N806
        W_out = weights.W_out[columns].astype(np.float64)  # noqa: N806
        bias = weights.b_in[columns].astype(np.float64)
        if not np.all(self.stream.bos_state @ W_in + bias <= 0):
            self.stream.fail(f"neurons for {encoding.node!r}", "they are active at BOS")
        RULES[type(encoding)](self, encoding, W_in, bias, W_out)

    def _computed(self, encoding: Computed, W_in: Matrix, bias: Vector, W_out: Matrix) -> None:  # noqa: N803
        """In every state, and at both ends of the error bounds, the units add up to exactly the target."""
        node = encoding.node
        directions = [d for d in self.stream.read(W_in) if d is not BOS]
        targets = self.stream.read(W_out.T)
        if any(self.stream.node_of[target] is not node for target in targets):
            self.stream.fail(f"neurons for {node!r}", "they write to another direction")
        raw = self.stream.raw(directions)
        group, readings, states = self._seen(encoding, W_in, bias, W_out[:, self.stream.rows(targets)], directions)
        self.stream.checks += states.count * len(targets)
        if not raw:
            if not group.adds_exactly(readings):
                self.stream.fail(f"neurons for {node!r}", "their sums are not exact integers")
            rows = group.unlike(readings, states.codes[node])
            readings, states = [reading.at(rows) for reading in readings], states.at(rows)
        size = max(1024, _BLOCK // max(1, len(targets)))
        blocks = [np.arange(start, min(start + size, states.count)) for start in range(0, states.count, size)]

        def passes(factor: float) -> bool:
            return all(
                group.gives(
                    self.stream.ideal(targets, states.at(rows)), [reading.at(rows) for reading in readings], factor
                )
                for rows in blocks
            )

        factors = _headrooms(states.count * len(bias)) if raw else (1.0,)
        passed = next(filter(passes, factors), 0.0)
        if passed < 1:
            self.stream.fail(f"neurons for {node!r}", f"they do not give {targets[0].name} for every input")
        if raw:
            self.stream.note(passed, f"neurons for {node!r}: rounding of {directions[raw[0]].name}")

    def _seen(
        self,
        encoding: Computed,
        W_in: Matrix,  # noqa: N803
        bias: Vector,
        W_out: Matrix,  # noqa: N803
        directions: Sequence[Direction],
    ) -> tuple[Group, list[Reading], States]:
        """What the units of a function see of its sources, and in which states of them."""
        node, way = encoding.node, encoding.way
        line = self._line(node, way.form, W_in, bias, W_out, directions) if isinstance(way, AlongForm) else None
        if line is not None:
            return line
        if isinstance(way, AlongMean):
            readings, states = self._combined_inputs(way, directions)
        else:
            readings, states = self._inputs(made(node), directions)
        if is_stored(node):
            states = states.having(node, states.codes[made(node)])
        raw = self.stream.raw(directions)
        return Group(W_in[self.stream.rows(directions)], bias, W_out, raw, self.precision), readings, states

    def _line(
        self,
        node: SOp,
        form: LinearForm,
        W_in: Matrix,  # noqa: N803
        bias: Vector,
        W_out: Matrix,  # noqa: N803
        directions: Sequence[Direction],
    ) -> tuple[Group, list[Reading], States] | None:
        """Units that read one linear form of stored ints, which alone decides the s-op: what they see of it.

        That is the form's value and `one`, whatever ints the form comes from. None for other units. Refusal where their
        sums of those ints are not exact.
        """
        if not reads_only(made(node), self.analysis.linear.core(made(node))):
            return None
        read = self.reader.form(form)
        moving = [direction for direction in read if direction not in (ONE, BOS)]
        slopes = multiples(W_in[self.stream.rows(moving)], [read[direction] for direction in moving])
        if slopes is None or set(directions) - {ONE, *moving} or self.stream.raw(moving):
            return None
        for part in form.weights:
            self.stream.holds(part, [self.reader.number(part)], [None])
        most = [np.abs(self.stream.meaning(direction).levels).max() for direction in directions]
        reach = np.abs(bias) + np.array(most) @ np.abs(W_in[self.stream.rows(directions)])
        if np.any(reach >= self.precision.exact):
            self.stream.fail(f"neurons for {node!r}", "their sums are not exact integers")
        return self._along(node, slopes, W_in[self.stream.rows([ONE])[0]] - read.get(ONE, 0.0) * slopes, bias, W_out)

    def _along(
        self,
        node: SOp,
        slopes: Vector,
        constant: Vector,
        bias: Vector,
        W_out: Matrix,  # noqa: N803
    ) -> tuple[Group, list[Reading], States]:
        pairs = along(self.analysis, self.analysis.linear.core(made(node)), made(node))
        levels, number = np.array([float(level) for level, _ in pairs]), code_table(self.analysis[node].universe)
        codes, zeros = np.arange(len(pairs)), np.zeros(len(pairs), dtype=np.intp)
        readings = [
            Reading([0], (codes, codes), levels[:, None], np.zeros((len(levels), 1))),
            Reading([1], (zeros, zeros), np.ones((1, 1)), np.zeros((1, 1))),
        ]
        states = States(len(pairs), {node: np.array([number[value_key(value)] for _, value in pairs], dtype=np.intp)})
        return Group(np.stack([slopes, constant]), bias, W_out, [], self.precision), readings, states

    def _gap(self, encoding: Gap, W_in: Matrix, bias: Vector, W_out: Matrix) -> None:  # noqa: N803
        """One unit is the difference of the two means, for a distance another one is minus that, and nothing else."""
        node = encoding.node
        rows = self.stream.rows([self.reader.raw[mean] for mean in node.args])
        others = [row for row in range(len(W_in)) if row not in (*rows, *self.stream.rows([BOS]))]
        signs = [[1.0, -1.0], [-1.0, 1.0]] if isinstance(node.op, MeanDifference) and node.op.both else [[1.0], [-1.0]]
        wanted = np.zeros_like(W_out)
        wanted[:, self.stream.rows([self.reader.raw[node]])] = 1
        if W_in[others].any() or bias.any() or not np.array_equal(W_in[rows], signs):
            self.stream.fail(f"neurons for {node!r}", "they are not the difference of the means")
        if not np.array_equal(W_out, wanted):
            self.stream.fail(f"neurons for {node!r}", "they do not write the gap")
        self.stream.checks += W_in.size + W_out.size

    def _product(self, encoding: Product, W_in: Matrix, bias: Vector, W_out: Matrix) -> None:  # noqa: N803
        """Units that multiply a mean with a factor: for every value of the factor they are linear in the mean.

        Between two turns of units all is linear, so it is enough to look at the turns and the ends. An active unit
        reads nothing but the mean, so that it is not rounded on the way. What is read beyond the range of the mean, by
        rounding, may as well count as its end.
        """
        node = encoding.node
        where = f"neurons for {node!r}"
        factor, mean = node.args
        raw = self.reader.raw[mean]
        plain = [d for d in self.stream.read(W_in) if d is not BOS and d is not raw]
        if self.stream.raw(plain) or self.stream.read(W_out.T) != [self.reader.numbers[node]]:
            self.stream.fail(where, "they read or write another number")
        at, written = self.stream.rows([raw, self.reader.numbers[node]])
        slope, weight = W_in[at], W_out[:, written]
        if set(np.abs(slope).tolist()) - {1.0}:
            self.stream.fail(where, "they do not read the mean as it is")
        states = self.stream.states(plain, factor)
        values = np.array(list(map(float, self.stream.values(factor, states))))
        size = max(1, _BLOCK // len(bias))
        for start in range(0, states.count, size):
            rows = np.arange(start, min(start + size, states.count))
            base = self.stream.ideal(plain, states.at(rows)) @ W_in[self.stream.rows(plain)] + bias
            self._multiplies(where, base, slope, weight, values[rows, None], mean)

    def _multiplies(self, where: str, base: Matrix, slope: Vector, weight: Vector, values: Matrix, mean: SOp) -> None:
        """Checks units that read `base + slope·mean`, in states in which the factor has certain values."""
        ends = np.array(self.analysis[mean].range)
        reach = ends + number_error(mean, self.storage, self.precision) * np.array([-1, 1])
        idle = np.maximum(*(base + slope * end for end in reach)) <= 0
        most = int((~idle).sum(axis=1).max())
        some = np.argsort(idle, axis=1, kind="stable")[:, :most]
        base, slope, weight = np.take_along_axis(base, some, axis=1), slope[some], weight[some]
        points = np.hstack([np.tile([*ends, *reach], (len(base), 1)), np.clip(-base / slope, *reach)])
        hidden = np.maximum(base[:, None, :] + points[:, :, None] * slope[:, None, :], 0)
        found = (hidden * weight[:, None, :]).sum(axis=2)
        missed = np.minimum(*(np.abs(found - values * x) for x in (points, np.clip(points, *ends))))
        if np.any(missed > 2 * self.precision.unit * float(np.abs(values * points).max())):
            self.stream.fail(where, "they do not multiply")
        if np.any(base * hidden.any(axis=1)):
            self.stream.fail(where, "they read more than the mean where they are active")
        self.stream.checks += points.size

    def _indicator_count(
        self,
        encoding: IndicatorCount,
        W_in: Matrix,  # noqa: N803
        bias: Vector,
        W_out: Matrix,  # noqa: N803
    ) -> None:
        """The units of an indicator count: each mean adds one where it is positive and its turn, and nothing anywhere
        else.

        A mean of an indicator is 0, or from 1/N to 1. No unit reads two of them, so what the others are does not
        matter.
        """
        node = encoding.node
        where = f"neurons for {node!r}"
        means = means_of(node)
        raw = self.stream.rows([self.reader.raw[mean] for mean in means])
        plain = [d for d in self.stream.read(W_in) if d is not BOS and d not in map(self.reader.raw.get, means)]
        reads = W_in[raw] != 0
        if self.stream.raw(plain) or reads.sum(axis=0).max() > 1:
            self.stream.fail(where, "a unit reads a mean that is not its own")
        targets = [self.reader.numbers[node]] if is_count(node) else self.reader.one_hot[node]
        written = self.stream.rows([target for target in targets if target is not None])
        if set(np.flatnonzero(W_out.any(axis=0)).tolist()) - set(written):
            self.stream.fail(where, "they write to another direction")
        none, change = np.array([[0.0], [1.0]] if is_count(node) else [[1.0, 0.0], [-1.0, 1.0]])
        turn = node.args[0] if is_flag(node) else Constant(0)
        states = self.stream.states(plain, turn)
        turns = np.array(self.stream.values(turn, states))
        given = self._readings([self.stream.meaning(direction) for direction in plain], (states, states))

        def group(units: BoolTable, read: Sequence[int]) -> Group:
            rows = [*self.stream.rows(plain), *read]
            inputs, outputs = W_in[rows][:, units], W_out[units][:, written]
            return Group(inputs, bias[units], outputs, list(range(len(plain), len(rows))), self.precision)

        always = group(~reads.any(axis=0), [])
        if not always.gives(np.tile(none, (states.count, 1)), given, 0.0):
            self.stream.fail(where, "they do not give 0 where no mean is positive")
        largest = always.largest(given)
        for number, mean in enumerate(means):
            acts = (turns == number) | is_count(node)
            largest = largest + self._step(
                mean, group(reads[number], [raw[number]]), given, np.where(acts[:, None], change, 0)
            )
        if largest.max() >= self.precision.exact:
            self.stream.fail(where, "sums are not exact integers")

    def _step(self, mean: Aggregate, group: Group, given: Sequence[Reading], change: Matrix) -> Vector:
        """Checks that the units on one mean add nothing where it is 0, and the change from 1/N on.

        What comes back is the largest sum that they make of each output on the way.
        """
        if set(self.analysis[mean.value].universe) - {0, 1}:
            self.stream.fail(f"neurons for {mean!r}", "it is not the mean of an indicator")
        error = raw_error_at(mean, self.storage, self.precision)
        levels = [Fraction(0), Fraction(1, self.analysis.max_length), Fraction(1)]
        first, last = np.repeat([[0, 1], [0, 2]], len(change), axis=1)
        states = np.tile(np.arange(len(change)), 2)
        errors = np.array([[error(level)] for level in levels])
        reading = Reading([*group.raw], (first, last), np.array(levels, dtype=np.float64)[:, None], errors)
        readings = [*(found.at(states) for found in given), reading]
        want = np.vstack([np.zeros_like(change), change])
        passed = next((factor for factor in _HEADROOMS if group.gives(want, readings, factor)), 0.0)
        if passed < 1:
            self.stream.fail(f"neurons for {mean!r}", "they do not tell whether the mean is positive")
        self.stream.checks += want.size
        self.stream.note(passed, f"neurons for {mean!r}: rounding")
        return group.largest(readings)

    def _inputs(self, node: SOp, directions: Sequence[Direction]) -> tuple[list[Reading], States]:
        """What a group reads at the two ends of every stretch, and the states in which it is read.

        Neighbouring readings of a raw number with the same target, all else being equal, are one stretch.
        """
        raw = self.stream.raw(directions)
        meanings = [self.stream.meaning(direction) for direction in directions]
        for at in raw:
            meanings[at] = self._as_read(node, directions[at])
        read = [direction for at, direction in enumerate(directions) if at not in raw]
        ends = self._ends(node, read, meanings[raw[0]]) if raw else (self.stream.states(directions, node),) * 2
        return self._readings(meanings, ends), ends[0]

    def _readings(self, meanings: Sequence[Meaning], ends: tuple[States, States]) -> list[Reading]:
        places: dict[SOp, list[int]] = defaultdict(list)
        for at, meaning in enumerate(meanings):
            places[meaning.node].append(at)
        return [self._reading(owner, meanings, at, ends) for owner, at in places.items()]

    def _as_read(self, node: SOp, raw: Direction) -> Meaning:
        """What a raw number means to a reader: one whose values are too many to list is known by representatives."""
        owner = self.stream.node_of[raw]
        if self.analysis[owner].listed:
            return self.stream.meaning(raw)
        return self.stream.raw_meaning(owner, self._factor(node, owner))

    def _factor(self, node: SOp, source: SOp) -> SOp:
        """What an s-op needs to know of one of its sources."""
        places = zip(self.analysis.factors(node), self.analysis.sources(node), strict=True)
        for factor, found in places:
            if found is source:
                return factor
        self.stream.fail(f"neurons for {node!r}", f"they read {source!r}")

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
        (source,) = self.analysis.sources(owner)
        factor = self._factor(node, source)
        states = self.stream.states(read, factor, node)
        runs = self._runs(owner, factor, levels)
        rows = [(row, ends) for row, code in enumerate(states.codes[factor].tolist()) for ends in runs[code]]
        found = states.at(np.array([row for row, _ in rows], dtype=np.intp))
        first, last = (np.array([ends[side] for _, ends in rows], dtype=np.intp) for side in (0, 1))
        if factor is owner:
            others = [codes for other, codes in found.codes.items() if other is not owner and other is not node]
            is_listed = self.analysis[source].listed
            places = np.argsort(np.argsort(levels, kind="stable"))[first] if is_listed else None
            starts, stops = _stretches(levels[first], others, found.codes[node], places)
            return found.at(starts), found.at(stops)
        return found.having(owner, first), found.having(owner, last)

    def _runs(self, owner: SOp, factor: SOp, levels: Vector) -> dict[int, list[tuple[int, int]]]:
        """For each code of a factor the runs of its source's codes, by rising reading: first and last code of each."""
        if factor is owner:
            return {code: [(code, code)] for code in range(len(levels))}
        number = code_table(self.analysis[factor].universe)
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

    def _combined_inputs(self, way: AlongMean, directions: Sequence[Direction]) -> tuple[list[Reading], States]:
        """The same for a group that reads a linear form of means, which one head computed together."""
        node, means = way.node, tuple(way.form.weights)
        states = self.stream.states((), *means, node)
        error = raw_error_at(way.mean, self.storage, self.precision)
        codes = np.stack([states.codes[mean] for mean in means], axis=1).tolist()
        found = [level for (level,) in combined_readings(way.form, means, codes, self.storage)]
        levels, errors = np.array(found, dtype=np.float64), np.array(list(map(error, found)))
        starts, ends = _stretches(levels, [], states.codes[node])
        readings = []
        for at, direction in enumerate(directions):
            if direction is self.reader.raw[way.mean]:
                readings.append(Reading([at], (starts, ends), levels[:, None], errors[:, None]))
            elif direction is ONE:
                constant = np.zeros(len(starts), dtype=np.intp)
                readings.append(Reading([at], (constant, constant), np.ones((1, 1)), np.zeros((1, 1))))
            else:
                self.stream.fail(f"neurons for {node!r}", f"they read {direction.name}")
        return readings, states.at(starts)


RULES: dict[type[ByNeurons], Callable[[Neurons, Any, Matrix, Vector, Matrix], None]] = {
    Computed: Neurons._computed,
    Count: Neurons._indicator_count,
    Flag: Neurons._indicator_count,
    Gap: Neurons._gap,
    Product: Neurons._product,
}


def _headrooms(cells: int) -> tuple[float, ...]:
    """The multiples of the error bound to look at, the largest first: what holds for one holds for all below it.

    Of large groups there are fewer, as each takes long.
    """
    return _HEADROOMS if cells <= _MANY_CELLS else _HEADROOMS[-2:]


def _stretches(levels: Vector, others: Sequence[Ints], targets: Ints, places: Ints | None = None) -> tuple[Ints, Ints]:
    """First and last row of every run of rising levels with the same others and the same target.

    A run ends where a place is left out: what is never read between two levels may be anything there.
    """
    order = np.lexsort((levels, *others))
    columns = [targets, *others]
    breaks = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    if places is not None:
        breaks |= np.diff(places[order]) > 1
    edges = np.flatnonzero(np.concatenate([[True], breaks, [True]]))
    return order[edges[:-1]], order[edges[1:] - 1]

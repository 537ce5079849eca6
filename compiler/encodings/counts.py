"""Indicator counts: how many means of indicators are positive, and whether the one is whose turn it is.

Such a mean is 0 or at least 1/N, as one of at most N selected keys has the indicator, and one step lies between, for
each mean its own. A flag's step acts only where it is the mean's turn (a gate, `compiler/gadgets/steps.py`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Hashable
from fractions import Fraction

from compiler.encodings.computed import computed
from compiler.encodings.ways import AlongForm
from compiler.encodings.writers import ByNeurons
from compiler.gadgets.steps import RawInput, StepBuilder, check_sums, stepped
from compiler.gadgets.tables import Space, Target
from compiler.operations.indicator_means import is_count, is_flag, means_of
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.storage import Storage
from compiler.symbolic import ONE, Direction, Neuron, combine
from compiler.values.categorical import value_key
from compiler.values.linear import LinearForm
from rasp.graph import Aggregate, Map, SOp


class IndicatorCount(ByNeurons):
    """What is written for means of indicators, one step each."""

    node: Map
    is_exact = True

    def neurons(self, reader: Reader, precision: Precision) -> list[Neuron]:
        none, one = self._targets(reader)
        change = combine((1.0, one), (-1.0, none))
        found = [Neuron({ONE: 1.0}, 0.0, dict(none))] if none else []
        sums: dict[Direction, float] = defaultdict(float)
        for number, mean in enumerate(means_of(self.node)):
            builder = self._steps(number, mean, change, reader, precision)
            found += builder.neurons()
            for direction, size in builder.sums.items():
                sums[direction] += size
        check_sums(sums, precision)
        return found

    def _steps(self, number: int, mean: Aggregate, change: Target, reader: Reader, precision: Precision) -> StepBuilder:
        spaces = self._turns(reader)
        readings = sorted({Fraction(0), Fraction(1, reader.storage.max_length), Fraction(1)})
        contexts = [(code,) for code in spaces[0].directions] if spaces else [()]
        pairs = [(context, reading) for context in contexts for reading in readings]
        targets = [change if reading and context in ((), (number,)) else {} for context, reading in pairs]
        found = stepped([context for context, _ in pairs], targets, [[reading] for _, reading in pairs])
        return StepBuilder(str(self.node), found, spaces, RawInput.of(mean, reader, precision), precision)

    @abstractmethod
    def _targets(self, reader: Reader) -> tuple[Target, Target]:
        """What to write for 0, and for 1."""

    @abstractmethod
    def _turns(self, reader: Reader) -> list[Space]:
        """What says which mean is asked for; empty where all are."""

    def _read_means(self, storage: Storage) -> None:
        for mean in means_of(self.node):
            storage.encoding(mean).as_raw(storage)
            if storage.is_view(mean.value):
                storage.categorical(mean.value)


class Count(IndicatorCount):
    """How many means are positive, as a number; a second feed-forward makes a one-hot of it where that is needed."""

    stays = True

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return is_count(node)

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        self.as_number(storage, exact=True)
        shown = computed(self.node, storage)
        shown.way = AlongForm(self.node, LinearForm({self.node: Fraction(1)}, Fraction(0)))
        shown.show(storage, None)

    def as_number(self, storage: Storage, exact: bool) -> None:
        if self.node not in storage.numbers:
            storage.numbers[self.node] = self
            self._read_means(storage)

    def ready(self, storage: Storage) -> int:
        return 1

    def _targets(self, reader: Reader) -> tuple[Target, Target]:
        return {}, {reader.numbers[self.node]: 1.0}

    def _turns(self, reader: Reader) -> list[Space]:
        return []


class Flag(IndicatorCount):
    """Whether the mean is positive whose turn it is, one-hot."""

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return is_flag(node)

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        if self.node in storage.one_hot:
            return
        self.show(storage, None)
        storage.categorical(self.node.args[0])
        storage.wait(self.node, [self.node.args[0]])
        self._read_means(storage)

    def as_number(self, storage: Storage, exact: bool) -> None:
        self.by_value(storage, None)

    def ready(self, storage: Storage) -> int:
        return storage.stage(self.node)

    def _targets(self, reader: Reader) -> tuple[Target, Target]:
        zero, one = reader.indicators(self.node, {value_key(value): value for value in (0, 1)}, 2)
        return zero, one

    def _turns(self, reader: Reader) -> list[Space]:
        turn = self.node.args[0]
        universe = reader.analysis[turn].universe
        found = reader.indicators(turn, {value_key(value): row for row, value in enumerate(universe)}, len(universe))
        return [Space(universe, {value: frozenset(read) for value, read in zip(universe, found, strict=True)})]

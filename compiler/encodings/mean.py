"""Means as a head writes them: a number with rounding noise, which feed-forwards take steps along."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction

from compiler.encodings.computed import computed
from compiler.encodings.writers import ByHead, Channel
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.rounding import error_of, mean_drift, mean_error
from compiler.storage import Storage
from compiler.symbolic import Direction, masked
from compiler.values.roundoff import Error
from rasp.graph import Aggregate, SOp


class Mean(ByHead):
    """A mean, as a number that is read with its noise; by value or as an exact integer it is made by neurons."""

    node: Aggregate

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return isinstance(node, Aggregate)

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        computed(self.node, storage).by_value(storage, wanted)

    def as_number(self, storage: Storage, exact: bool) -> None:
        if exact:
            computed(self.node, storage).as_number(storage, exact)
        else:
            self.as_raw(storage)

    def at_keys(self, storage: Storage) -> None:
        storage.number(self.node.value)

    def channels(self, reader: Reader) -> list[Channel]:
        direction = reader.raw[self.node]
        return [(masked(reader.number(self.node.value), direction.at_bos), direction)]

    def direction(self, name: str, storage: Storage) -> Direction:
        return Direction(name, storage.number_at_bos(self.node))

    def error(self, storage: Storage, precision: Precision) -> Error:
        return mean_error(self.node, storage, precision)

    def raw_error(self, storage: Storage, precision: Precision) -> Callable[[Fraction], float]:
        error = error_of(self.node, storage, precision)
        return lambda level: error.at(float(level))

    def drift(self, storage: Storage, precision: Precision) -> float:
        return mean_drift(self.node, storage, precision)

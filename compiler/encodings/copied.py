"""Aggregates that copy the one key that they select, or their default.

Its weight is exactly 1 and all others are exactly 0, so what arrives is the one-hot or the number itself, and readers
need no neurons. What has no mean, such as strings, is only ever copied: where several keys are selected the program has
no value, and a guard notices.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from compiler.encodings.mean import Mean
from compiler.encodings.writers import ByHead, Channel
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.rounding import copy_drift
from compiler.storage import Storage
from compiler.symbolic import Direction, masked
from compiler.values.categorical import value_key
from rasp.graph import Aggregate, SOp


class Copied(ByHead):
    """A copy, one-hot or as a number; both where both are asked, and then the number is read off the one-hot."""

    node: Aggregate
    is_exact = True

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return storage.is_copy(node)

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        self.show(storage, None)

    def as_number(self, storage: Storage, exact: bool) -> None:
        storage.numbers[self.node] = self

    def as_raw(self, storage: Storage) -> None:
        storage.raw.setdefault(self.node, Mean(self.node))

    def at_keys(self, storage: Storage) -> None:
        if self.node in storage.one_hot:
            storage.categorical(self.node.value)
        else:
            storage.number(self.node.value)

    def channels(self, reader: Reader) -> list[Channel]:
        direction = reader.numbers.get(self.node)
        number = [] if direction is None else [(masked(reader.number(self.node.value), direction.at_bos), direction)]
        return [*number, *(self._one_hot_channels(reader) if self.node in reader.one_hot else [])]

    def _one_hot_channels(self, reader: Reader) -> list[Channel]:
        space = zip(reader.analysis[self.node].universe, reader.one_hot[self.node], strict=True)
        pairs = [(value, found) for value, found in space if found is not None]
        row = {direction: at for at, direction in enumerate(dict.fromkeys(direction for _, direction in pairs))}
        copied = {value_key(value): row[direction] for value, direction in pairs}
        sharing = reader.analysis[self.node.value].sharing
        row_of = {equal: at for key, at in copied.items() for equal in sharing.get(key, ())} | copied
        read = reader.indicators(self.node.value, row_of, len(row))
        return [(masked(read[at], direction.at_bos), direction) for direction, at in row.items()]

    def direction(self, name: str, storage: Storage) -> Direction:
        return Direction(name, storage.number_at_bos(self.node))

    def default(self, storage: Storage) -> Any:
        return self.node.default

    def drift(self, storage: Storage, precision: Precision) -> float:
        return copy_drift(self.node, storage, precision)

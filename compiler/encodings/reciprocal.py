"""Widths as a head writes them: 1/(w + 1), the share of BOS among w selected keys and itself; a length also as 1/n.

A width's head has BOS tied with the selected keys, so each of the w + 1 has the weight 1/(w + 1), and the value channel
is 1 at BOS and 0 elsewhere. Where a length shares the head of other aggregates over all keys, BOS does not compete:
there the channel is 1 at the first key alone, whose weight is 1/n.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from fractions import Fraction

from compiler.encodings.computed import computed
from compiler.encodings.writers import ByHead, Channel
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.storage import FIRST, Storage
from compiler.symbolic import BOS, Direction, masked
from rasp.graph import SelectorWidth, SOp


class Reciprocal(ByHead):
    """1/(w + 1) for a width w; the width itself is made by neurons."""

    node: SelectorWidth

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return isinstance(node, SelectorWidth)

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        computed(self.node, storage).by_value(storage, wanted)

    def as_number(self, storage: Storage, exact: bool) -> None:
        computed(self.node, storage).as_number(storage, exact)

    def at_keys(self, storage: Storage) -> None:
        """Nothing: BOS alone is read."""

    def channels(self, reader: Reader) -> list[Channel]:
        return [({BOS: 1.0}, reader.raw[self.node])]

    def direction(self, name: str, storage: Storage) -> Direction:
        return Direction(f"1/({name} + 1)", 1.0)

    def level(self, number: float) -> float:
        return 1 / (number + 1)

    def raw_error(self, storage: Storage, precision: Precision) -> Callable[[Fraction], float]:
        """Softmax rounds the exponentials, their sum and one quotient, in units of the result."""
        return lambda level: 4 * precision.unit * abs(float(level))


class Share(Reciprocal):
    """1/n for a length n: the mean, over all keys, of what is 1 at the first."""

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return storage.is_mean_length(node)

    def at_keys(self, storage: Storage) -> None:
        storage.number(FIRST)

    def channels(self, reader: Reader) -> list[Channel]:
        return [(masked(reader.number(FIRST)), reader.raw[self.node])]

    def direction(self, name: str, storage: Storage) -> Direction:
        return Direction(f"1/{name}")

    def level(self, number: float) -> float:
        return 1 / number

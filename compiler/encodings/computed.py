"""What neurons make of what is stored: one-hot, or as an exact integer.

Sums of steps are exact only on integers, so other numbers are made one-hot and read off that. A part that is stored on
the way (`compiler/operations/materialised.py`) is made like the s-op it stores, and read on like what a head has
written.
"""

from __future__ import annotations

from collections.abc import Hashable

from compiler.encodings.ways import Way, way_of
from compiler.encodings.writers import ByNeurons
from compiler.operations.indicator_means import is_count
from compiler.operations.materialised import is_stored, made
from compiler.operations.whole import is_whole
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.storage import MAX_STORED, Storage
from compiler.symbolic import Neuron
from rasp.errors import Refusal
from rasp.graph import SOp


class Computed(ByNeurons):
    """A function of s-ops of which at most one is raw, one-hot or as a number; `way` is how they are read."""

    is_exact = True
    way: Way | None = None

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return True

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        if is_stored(self.node):
            wanted = None
        else:
            self._check_size(len(storage.analysis[self.node].universe if wanted is None else wanted))
        self.show(storage, wanted)
        self._feed(storage)

    def as_number(self, storage: Storage, exact: bool) -> None:
        """A stored number that jumps along a raw one is read off its one-hot as well: steps of size 1 do less harm."""
        if not storage.is_integer(self.node) or (is_stored(self.node) and is_whole(made(self.node))):
            storage.categorical(self.node)
        elif not is_stored(self.node) or self.node not in storage.one_hot:
            storage.numbers[self.node] = self
            self._feed(storage)

    def ready(self, storage: Storage) -> int:
        return storage.stage(self.node)

    def stage(self, storage: Storage) -> int:
        """The one-hot of a count comes after the count, which is made by the first feed-forward of its layer."""
        return 1 if is_count(self.node) else storage.stage(self.node)

    def check(self, reader: Reader) -> None:
        assert self.way is not None
        self.way.check(self.node, reader)

    def neurons(self, reader: Reader, precision: Precision) -> list[Neuron]:
        assert self.way is not None
        return self.way.neurons(self.node, reader, precision)

    def _check_size(self, count: int) -> None:
        if count > MAX_STORED:
            raise Refusal(
                f"{self.node!r} has {count:,} values that neurons would have to tell apart, over {MAX_STORED:,}: "
                f"a direction and a neuron each make {2 * count**2:,} parameters",
                hint="use a smaller maximum length or vocabulary",
            )

    def _feed(self, storage: Storage) -> None:
        """The feed-forward that makes it reads its sources."""
        if self.way is None:
            self.way = way_of(made(self.node), storage)


def computed(node: SOp, storage: Storage) -> Computed:
    """What neurons make of an s-op that has another encoding too: the same one each time."""
    found = storage.one_hot.get(node) or storage.numbers.get(node)
    return found if isinstance(found, Computed) else Computed(node)

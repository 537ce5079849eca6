"""Who writes an encoding: the embedding, a head, or neurons; and what planning and lowering ask of each."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeAlias

from compiler.precision import Precision
from compiler.reader import Reader
from compiler.storage import Encoding, Storage
from compiler.symbolic import Direction, Functional, Neuron
from rasp.graph import Aggregate, SelectorWidth
from rasp.layers import Gather

Channel: TypeAlias = tuple[Functional, Direction]


class ByHead(Encoding):
    """What a head writes as it arrives."""

    @property
    def gather(self) -> Gather:
        """The s-op that the head computes."""
        assert isinstance(self.node, (Aggregate, SelectorWidth))
        return self.node

    @abstractmethod
    def at_keys(self, storage: Storage) -> None:
        """Need: what the head reads at the keys."""

    @abstractmethod
    def channels(self, reader: Reader) -> list[Channel]:
        """What the head reads at the keys and where it writes it: BOS carries what an empty selection yields."""


class ByNeurons(Encoding):
    """What a feed-forward of the s-op's layer writes."""

    def stage(self, storage: Storage) -> int:
        """How many feed-forwards of its layer come before the one that writes it."""
        return storage.stage(self.node)

    def check(self, reader: Reader) -> None:
        """Nothing, or a Refusal that is cheap to find: all of them are asked before neurons are made of any."""

    @abstractmethod
    def neurons(self, reader: Reader, precision: Precision) -> list[Neuron]:
        """The hidden units that write it. Refusal where they would not be exact."""

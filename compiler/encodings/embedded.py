"""Tokens and indices one-hot, and numbers that are functions of one of them: columns of the embedding."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from compiler.reader import Reader
from compiler.storage import Encoding, Storage
from compiler.symbolic import Direction
from compiler.values.categorical import UNDEFINED
from rasp.graph import Indices, SOp, Tokens


class Embedded(Encoding):
    """What the embedding of a token or of a position has. A table lookup, so it is what the table says."""

    is_exact = True

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        sources = storage.analysis.sources(node)
        return len(sources) == 1 and isinstance(sources[0], (Tokens, Indices))

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        self.show(storage, None)

    def as_number(self, storage: Storage, exact: bool) -> None:
        storage.numbers[self.node] = self

    def source(self, storage: Storage) -> SOp:
        """Tokens or indices, of which it is a function."""
        return storage.analysis.sources(self.node)[0]

    def columns(self, reader: Reader) -> dict[Direction, Sequence[float]]:
        """For each of its directions what it holds for each token, or each position."""
        values = reader.analysis.table(self.node)[1]
        if self.node not in reader.one_hot:
            return {reader.numbers[self.node]: [0.0 if value is UNDEFINED else float(value) for value in values]}
        space = reader.one_hot[self.node]
        every = range(len(space))
        return {found: [float(at == code) for at in every] for code, found in enumerate(space) if found is not None}

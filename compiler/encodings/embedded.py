"""Tokens and indices one-hot, and numbers that are functions of one of them: columns of the embedding."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeAlias

import numpy as np

from compiler.reader import Reader
from compiler.storage import Encoding, Storage
from compiler.symbolic import Direction
from compiler.values.categorical import UNDEFINED
from rasp.graph import Indices, SOp, Tokens

Column: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


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

    def columns(self, reader: Reader) -> dict[Direction, Column]:
        """For each of its directions what it holds for each token, or each position."""
        values = reader.analysis.table(self.node)[1]
        if self.node not in reader.one_hot:
            numbers = [0.0 if value is UNDEFINED else float(value) for value in values]
            return {reader.numbers[self.node]: np.array(numbers)}
        space = reader.one_hot[self.node]
        return {found: column for column, found in zip(np.eye(len(space)), space, strict=True) if found is not None}

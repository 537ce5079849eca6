"""The position grid: the cells (sequence length n, position i) that value sets are kept for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

Ints: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]


@dataclass(frozen=True)
class PositionGrid:
    """All (n, i) with 1 ≤ n ≤ N and 0 ≤ i < n, row after row; the cells of length n are one contiguous slice."""

    max_length: int

    def __len__(self) -> int:
        return self.max_length * (self.max_length + 1) // 2

    @cached_property
    def length(self) -> Ints:
        return np.repeat(np.arange(1, self.max_length + 1), np.arange(1, self.max_length + 1))

    @cached_property
    def position(self) -> Ints:
        return np.concatenate([np.arange(n) for n in range(1, self.max_length + 1)])

    def row(self, n: int) -> slice:
        """The cells of the inputs of length n."""
        start = n * (n - 1) // 2
        return slice(start, start + n)

"""The residual stream in names: directions, and linear functionals over them.

Two directions are always there: `one` is 1 at every token and 0 at BOS, `bos` the other way round. A constant is
therefore a multiple of `one`, and everything a head or a neuron reads can be made 0 at BOS with a multiple of `bos`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from rasp.graph import Selector
from rasp.layers import HeadKind

_QUOTES = "\"'"
_NO_SPLIT_AFTER = " =<>!"


@dataclass(frozen=True, eq=False)
class Direction:
    """One named direction; `at_bos` is the known value it has at the BOS position once it is written."""

    name: str
    at_bos: float = 0.0

    def __repr__(self) -> str:
        return self.name


def split_direction(direction: str) -> tuple[str, str | None]:
    """The s-op and the value of `tokens=a`; no value where a direction holds a number."""
    quote = ""
    for at, char in enumerate(direction):
        if quote:
            quote = "" if char == quote else quote
        elif char in _QUOTES:
            quote = char
        elif char == "=" and at and direction[at - 1] not in _NO_SPLIT_AFTER:
            return direction[:at], direction[at + 1 :]
    return direction, None


Functional: TypeAlias = dict[Direction, float]
Matrix: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

ONE = Direction("one")
BOS = Direction("bos", 1.0)


def combine(*terms: tuple[float, Mapping[Direction, float]]) -> Functional:
    """The weighted sum of functionals, without the directions that cancel."""
    total: Functional = {}
    for weight, functional in terms:
        if not total and weight == 1.0:
            total.update(functional)
            continue
        for direction, coefficient in functional.items():
            total[direction] = total.get(direction, 0.0) + weight * coefficient
    return {direction: value for direction, value in total.items() if value != 0.0}


def at_bos(functional: Mapping[Direction, float]) -> float:
    """The value of a functional at the BOS position."""
    return sum(coefficient * direction.at_bos for direction, coefficient in functional.items())


def masked(functional: Mapping[Direction, float], value_at_bos: float = 0.0) -> Functional:
    """The functional, changed to have a given value at BOS."""
    return combine((1.0, functional), (value_at_bos - at_bos(functional), {BOS: 1.0}))


@dataclass(frozen=True, eq=False)
class Block:
    """Several functionals at once: `matrix` [directions, functionals] holds their coefficients."""

    directions: tuple[Direction, ...]
    matrix: Matrix

    @staticmethod
    def of(functional: Mapping[Direction, float]) -> Block:
        """A block of one functional."""
        return Block(tuple(functional), np.array([[weight] for weight in functional.values()]).reshape(-1, 1))

    @property
    def width(self) -> int:
        return self.matrix.shape[1]

    def scaled(self, factor: float) -> Block:
        return Block(self.directions, self.matrix * factor)

    def masked(self) -> Block:
        """The block with every functional made 0 at BOS."""
        values = np.array([direction.at_bos for direction in self.directions]) @ self.matrix
        if not values.any():
            return self
        return Block((*self.directions, BOS), np.concatenate([self.matrix, -values[None, :]]))


@dataclass(frozen=True, eq=False)
class SymbolicHead:
    """A head in names: score dimensions in blocks, query and key side alike; channel c writes `values[c]`."""

    selector: Selector
    name: str
    line: int | None
    kind: HeadKind
    queries: list[Block]
    keys: list[Block]
    values: list[tuple[Functional, Direction]]
    mask: Selector | None = None


@dataclass(frozen=True, eq=False)
class Neuron:
    """A hidden unit in names: relu(inputs + bias), written to `outputs`."""

    inputs: Functional
    bias: float
    outputs: Functional

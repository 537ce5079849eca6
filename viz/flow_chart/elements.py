"""What a flow picture is made of, each with its place: words, cells with values, grids, edges, bands. Inches, from the
top left corner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from viz.style import INK

Point: TypeAlias = tuple[float, float]

SIZE = 7.0


@dataclass(frozen=True)
class Words:
    """A text at a point: its left, middle or right end there, its middle line there; `upright` is read from below."""

    x: float
    y: float
    text: str
    align: str = "left"
    colour: str = INK
    bold: bool = False
    size: float = SIZE
    upright: bool = False


@dataclass(frozen=True)
class Cells:
    """Values in a row of cells, or a column of them, framed in the colour of their row; tokens alone have no frame.

    `size` is that of the texts in points; `upright` ones are read from below.
    """

    x: float
    y: float
    width: float
    height: float
    texts: tuple[str, ...]
    colour: str | None = None
    across: bool = True
    size: float = SIZE
    upright: bool = False


@dataclass(frozen=True, eq=False)
class Grid:
    """A selector's pattern: columns are keys, `cell` wide; rows are queries, `line` high."""

    x: float
    y: float
    cell: float
    line: float
    marked: NDArray[np.bool_]
    sight: NDArray[np.bool_] | None = None

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """What a mask hides."""
        return np.zeros_like(self.marked) if self.sight is None else ~self.sight

    @property
    def right(self) -> float:
        return self.x + self.cell * len(self.marked)

    @property
    def bottom(self) -> float:
        return self.y + self.line * len(self.marked)

    @property
    def empty(self) -> tuple[int, ...]:
        """The queries that select nothing."""
        return tuple(int(row) for row in np.flatnonzero(~self.marked.any(axis=1)))


@dataclass(frozen=True)
class Edge:
    """A line from what is read to what reads it, or from a head's result to its row."""

    source: str
    target: str
    points: tuple[Point, ...]
    colour: str


@dataclass(frozen=True)
class Band:
    """The ground of a layer."""

    top: float
    height: float


@dataclass(frozen=True, eq=False)
class Layout:
    """The whole picture: its size and all that is drawn."""

    width: float
    height: float
    bands: tuple[Band, ...]
    words: tuple[Words, ...]
    cells: tuple[Cells, ...]
    grids: tuple[Grid, ...]
    edges: tuple[Edge, ...]

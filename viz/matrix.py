"""One matrix [T, T] of a head or a selector on axes: decided first (MatrixPlan), drawn after.

Row = query, column = key. A matrix with one position more than there are tokens begins with BOS; its row and column
are set apart. A row that gives nothing to any token is hatched: there the selector marks nothing. What a mask hides is
grey, and so apart from what is in sight and not looked at, which is white.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import ListedColormap
from matplotlib.patches import Rectangle

from rasp.operations import Atom
from viz.attention import Visible, Weights, empty_rows, faintest, hidden_by, weights_of
from viz.fonts import drawable, families
from viz.labels import BOS, position_labels
from viz.style import (
    CELL_TEXT,
    DIVIDER,
    GRID,
    HATCHED,
    HIDDEN,
    INK,
    LABEL_SIZE,
    MARKED,
    PAPER,
    QUIET,
    SCALE,
    SMALLEST_SIZE,
    UNIT,
    text_height,
    text_width,
)

_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_RULED_CELL = 0.07
_VECTOR_CELLS = 300
WRITTEN_CELL = 0.3
"""Inches of the smallest cell that has room for a number."""
_PAD = 0.05


@dataclass(frozen=True)
class Ticks:
    """Which positions carry which label, at `size` points; `upright` labels are read from below."""

    positions: tuple[int, ...]
    labels: tuple[str, ...]
    size: float
    upright: bool = False

    @property
    def width(self) -> float:
        """Inches from left to right that the longest label takes."""
        return text_height(self.size) if self.upright else self._longest

    @property
    def height(self) -> float:
        """Inches from top to bottom that the longest label takes."""
        return self._longest if self.upright else text_height(self.size)

    @property
    def _longest(self) -> float:
        return max((text_width(text, self.size) for text in self.labels), default=0.0)


@dataclass(frozen=True, eq=False)
class MatrixPlan:
    """Everything decided about one matrix: its numbers and labels, what is set apart, what is written in the cells.

    `cell` and `divider` are inches and points; `raster` has the many cells of a dense matrix be one image in an SVG.
    """

    weights: Weights
    boolean: bool
    bos: bool
    empty: tuple[int, ...]
    cell: float
    divider: float
    ruled: bool
    raster: bool
    written: tuple[tuple[int, int, str], ...]
    query: Ticks
    key: Ticks
    hidden: Visible | None = None


def cell_size(size: int, side: float, smallest: float, largest: float) -> float:
    """Inches of one cell so that `size` of them make about `side` inches, between two limits."""
    return min(largest, max(smallest, side / max(size, 1)))


def plan_matrix(
    matrix: Any, tokens: Sequence[Atom], cell: float, *, written: bool = False, mask: Visible | None = None
) -> MatrixPlan:
    """The decisions for a matrix drawn with cells of `cell` inches; DataFault where it does not fit the tokens.

    `mask` [T, T] is true where a query may look, everywhere if there is none.
    """
    weights = weights_of(matrix, tokens)
    bos = len(weights) > len(tokens)
    labels = tuple(map(drawable, position_labels(tokens, len(weights))))
    boolean = np.asarray(matrix).dtype == bool
    return MatrixPlan(
        weights=weights,
        boolean=boolean,
        bos=bos,
        empty=empty_rows(weights, bos),
        cell=cell,
        divider=min(1.0, max(0.4, cell * 12)),
        ruled=cell >= _RULED_CELL,
        raster=int((weights >= faintest(weights)).sum()) > _VECTOR_CELLS,
        written=_cell_texts(weights) if written and not boolean and cell >= WRITTEN_CELL else (),
        query=_ticks(labels, bos, cell, along_keys=False),
        key=_ticks(labels, bos, cell, along_keys=True),
        hidden=None if mask is None else hidden_by(mask, weights),
    )


def _cell_texts(weights: Weights) -> tuple[tuple[int, int, str], ...]:
    """(query, key, text) of each cell with a weight: 1, .5, .33."""
    cells = np.argwhere(weights >= 0.005).tolist()
    return tuple((q, k, f"{weights[q, k]:.2f}".rstrip("0").rstrip(".").removeprefix("0")) for q, k in cells)


def _ticks(labels: tuple[str, ...], bos: bool, cell: float, *, along_keys: bool) -> Ticks:
    """All labels where cells are large enough, else those of every 2nd, 5th, 10th … position with its number."""
    size = min(LABEL_SIZE, max(SMALLEST_SIZE, cell * 72 / 1.2))
    step = next((step for step in _STEPS if step * cell >= text_height(size) * 0.99), _STEPS[-1])
    chosen = range(len(labels)) if step == 1 else _every(step, len(labels), bos)
    texts = tuple(_numbered(labels[i], i - bos, step) for i in chosen)
    widest = max((text_width(text, size) for text in texts[bos:]), default=0.0)
    return Ticks(tuple(chosen), texts, size, upright=along_keys and widest + _PAD > step * cell)


def _every(step: int, size: int, bos: bool) -> list[int]:
    """Rows whose token stands at a multiple of `step`; BOS in the place of token 0, its neighbour."""
    return [0, *range(1 + step, size, step)] if bos else list(range(0, size, step))


def _numbered(text: str, position: int, step: int) -> str:
    return text if step == 1 or position < 0 else f"{position}: {text}"


def draw_matrix(ax: Axes, plan: MatrixPlan) -> None:
    """Draws a planned matrix on axes, which then have one unit a cell, query 0 at the top."""
    size = len(plan.weights)
    edges = np.arange(size + 1) - 0.5
    for row in plan.empty:
        ax.add_patch(_nothing_in(row, plan))
    ax.pcolormesh(
        edges,
        edges,
        np.ma.masked_less(plan.weights, faintest(plan.weights)),
        cmap=ListedColormap([PAPER, MARKED]) if plan.boolean else SCALE,
        norm=UNIT,
        rasterized=plan.raster,
    )
    if plan.hidden is not None:
        cells = np.ma.masked_equal(plan.hidden, False)
        ax.pcolormesh(edges, edges, cells, cmap=ListedColormap([HIDDEN, HIDDEN]), rasterized=plan.raster, zorder=0.7)
    if plan.ruled:
        _rule(ax, size)
    if plan.bos:
        ax.axhline(0.5, color=DIVIDER, linewidth=plan.divider)
        ax.axvline(0.5, color=DIVIDER, linewidth=plan.divider)
    for query, key, text in plan.written:
        colour = PAPER if UNIT(plan.weights[query, key]) > 0.6 else INK
        ax.text(key, query, text, ha="center", va="center", size=LABEL_SIZE, color=colour, gid=CELL_TEXT)
    ax.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
    _label(ax, plan)


def _nothing_in(row: int, plan: MatrixPlan) -> Rectangle:
    start = 0.5 if plan.bos else -0.5
    return Rectangle(
        (start, row - 0.5),
        len(plan.weights) - 0.5 - start,
        1,
        **HATCHED,
        zorder=0.5,
    )


def _rule(ax: Axes, size: int) -> None:
    """Thin lines between the cells."""
    between = np.arange(1, size) - 0.5
    ax.hlines(between, -0.5, size - 0.5, colors=GRID, linewidth=0.5)
    ax.vlines(between, -0.5, size - 0.5, colors=GRID, linewidth=0.5)


def _label(ax: Axes, plan: MatrixPlan) -> None:
    for axis, ticks in ((ax.yaxis, plan.query), (ax.xaxis, plan.key)):
        axis.set_ticks(ticks.positions, ticks.labels)
        thinned = len(ticks.positions) < len(plan.weights)
        axis.set_tick_params(length=2 if thinned else 0, pad=2, width=0.6, color=DIVIDER)
        texts = axis.get_ticklabels()
        for text in texts:
            text.set(fontsize=ticks.size, fontfamily=families(), rotation=90 if ticks.upright else 0)
        if plan.bos:
            texts[0].set(color=QUIET, fontstyle="italic")
    if plan.bos and not plan.key.upright and text_width(BOS, plan.key.size) > plan.cell:
        ax.get_xticklabels()[0].set_horizontalalignment("right")


def name_axes(ax: Axes, note: str = "") -> None:
    """Writes query and key beside the axes, a note under them."""
    ax.set_xlabel(f"key\n{note}" if note else "key", fontsize=LABEL_SIZE, labelpad=2, color=QUIET)
    ax.set_ylabel("query", fontsize=LABEL_SIZE, labelpad=2, color=QUIET)


def draw_bar(ax: Axes) -> None:
    """Fills axes with the shared colour scale and its numbers."""
    bar = Colorbar(ax, ScalarMappable(UNIT, SCALE), ticks=[0, 1 / 64, 1 / 16, 1 / 4, 1 / 2, 1])
    ax.set_yticklabels(["> 0", "1/64", "1/16", "¼", "½", "1"])
    ax.minorticks_off()
    ax.tick_params(length=2, labelsize=LABEL_SIZE, width=0.6, color=DIVIDER)
    bar.set_label("attention (white: none)", size=LABEL_SIZE, labelpad=3)

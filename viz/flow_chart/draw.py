"""The flow picture drawn: a planned layout as artists on one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Polygon, Rectangle
from numpy.typing import NDArray

from rasp.graph import Node, SOp
from rasp.operations import Atom
from viz.flow_chart.content import contents
from viz.flow_chart.elements import Band, Cells, Edge, Grid, Layout, Words
from viz.flow_chart.layout import lay_out
from viz.style import DIVIDER, GRID, HATCHED, HIDDEN, INK, MARKED, PAPER, QUIET, Box, axes_at, new_figure, styled

_GROUND = "#f6f7f9"
_TIP = 0.07
_RULED_CELL = 0.05
_MANY_CELLS = 2500


def flow(node: SOp, tokens: Sequence[Atom], *, names: Mapping[Node, str] | None = None, causal: bool = False) -> Figure:
    """A figure of the computation of an s-op on an input, layer by layer.

    Each layer shows its heads, with what they read and write, and a table of the rows it adds; `names` are the names
    of s-ops and selectors; `causal` masks every selector to keys at or before the query. Long computations go on in
    further columns. TypeFault for a selector; where the s-op has no value on the input, the interpreter's fault.
    """
    return draw_layouts(lay_out(contents(node, tokens, names, causal=causal)))


def draw_layouts(layouts: Sequence[Layout]) -> Figure:
    """The planned columns, drawn side by side."""
    with styled():
        figure = new_figure(sum(layout.width for layout in layouts), max(layout.height for layout in layouts))
        left = 0.0
        for layout in layouts:
            _draw_layout(axes_at(figure, Box(left, 0.0, layout.width, layout.height)), layout)
            left += layout.width
    return figure


def _draw_layout(ax: Axes, layout: Layout) -> None:
    ax.set(xlim=(0, layout.width), ylim=(layout.height, 0))
    ax.axis("off")
    for band in layout.bands:
        _draw_band(ax, band, layout.width)
    for edge in layout.edges:
        _draw_edge(ax, edge)
    for grid in layout.grids:
        _draw_grid(ax, grid)
    for cells in layout.cells:
        _draw_cells(ax, cells)
    for words in layout.words:
        _draw_words(ax, words)


def _draw_band(ax: Axes, band: Band, width: float) -> None:
    ground = FancyBboxPatch(
        (0.08, band.top + 0.03),
        width - 0.16,
        band.height - 0.06,
        boxstyle="round,pad=0.03",
        facecolor=_GROUND,
        edgecolor=GRID,
        linewidth=0.8,
    )
    ax.add_patch(ground)


def _draw_edge(ax: Axes, edge: Edge) -> None:
    xs, ys = zip(*edge.points, strict=True)
    ax.plot(xs, ys, color=edge.colour, linewidth=0.9, solid_joinstyle="round", solid_capstyle="butt")
    (before_x, _), (x, y) = edge.points[-2:]
    back = x - np.copysign(_TIP, x - before_x)
    tip = Polygon([(x, y), (back, y - _TIP / 2.4), (back, y + _TIP / 2.4)], facecolor=edge.colour, linewidth=0)
    ax.add_patch(tip)


def _draw_grid(ax: Axes, grid: Grid) -> None:
    width, height = grid.right - grid.x, grid.bottom - grid.y
    ax.add_patch(Rectangle((grid.x, grid.y), width, height, facecolor=PAPER, edgecolor=DIVIDER, linewidth=0.6))
    for row in grid.empty:
        ax.add_patch(Rectangle((grid.x, grid.y + row * grid.line), width, grid.line, **HATCHED))
    if grid.hidden.any():
        _draw_places(ax, grid, grid.hidden, HIDDEN)
    _draw_places(ax, grid, grid.marked, MARKED)
    steps = range(1, len(grid.marked))
    down = [((grid.x + i * grid.cell, grid.y), (grid.x + i * grid.cell, grid.bottom)) for i in steps]
    across = [((grid.x, grid.y + i * grid.line), (grid.right, grid.y + i * grid.line)) for i in steps]
    if grid.cell >= _RULED_CELL:
        ax.add_collection(LineCollection([*down, *across], colors=GRID, linewidths=0.5 if grid.cell > 0.15 else 0.2))


def _draw_places(ax: Axes, grid: Grid, chosen: NDArray[np.bool_], colour: str) -> None:
    """Some cells of a pattern, as one image where they are many."""
    places = np.argwhere(chosen).tolist()
    if len(places) <= _MANY_CELLS:
        cells = [Rectangle((grid.x + k * grid.cell, grid.y + q * grid.line), grid.cell, grid.line) for q, k in places]
        ax.add_collection(PatchCollection(cells, facecolor=colour, edgecolor="none"))
        return
    edges = np.arange(len(grid.marked) + 1)
    shown = np.ma.masked_equal(chosen.astype(np.float64), 0.0)
    xs, ys = grid.x + edges * grid.cell, grid.y + edges * grid.line
    ax.pcolormesh(xs, ys, shown, cmap=ListedColormap([colour]), rasterized=True)


def _draw_cells(ax: Axes, cells: Cells) -> None:
    count = len(cells.texts)
    width, height = (count * cells.width, cells.height) if cells.across else (cells.width, count * cells.height)
    if cells.colour:
        frame = Rectangle((cells.x, cells.y), width, height, facecolor=PAPER, edgecolor=cells.colour, linewidth=0.8)
        ax.add_patch(frame)
    for index, text in enumerate(cells.texts):
        x = cells.x + cells.width * (0.5 + (index if cells.across else 0))
        y = cells.y + cells.height * (0.5 + (0 if cells.across else index))
        if text:
            colour = INK if cells.colour else QUIET
            _draw_words(ax, Words(x, y, text, "center", colour, size=cells.size, upright=cells.upright))


def _draw_words(ax: Axes, words: Words) -> None:
    ax.text(
        words.x,
        words.y,
        words.text,
        ha=words.align,
        va="center" if words.upright else "center_baseline",
        rotation=90 if words.upright else 0,
        size=words.size,
        color=words.colour,
        weight="bold" if words.bold else "normal",
    )

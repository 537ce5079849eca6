"""The weights of a model with names on their rows and columns: only what is not 0, so that one can read what they do.

A head is two matrices: W_QK = W_Q W_Kᵀ, what a query's direction (row) and a key's direction (column) add to the
score; and W_OV = W_V W_O, what a direction at the key (row) writes to a direction at the query (column). A feed-forward
has one column a neuron: what it reads above (W_in, b_in), what it writes below (W_out). Decided first, drawn after.

A small matrix has its numbers written. A large one is drawn whole, every number as a shade, with names for runs of rows
and columns of one s-op; its title says which numbers there are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from compiler.ir import FeedForwardWeights, HeadWeights, ModelWeights
from compiler.precision import PRECISIONS, Precision
from compiler.run.model import CompiledModel
from compiler.symbolic import split_direction
from viz.directions import written
from viz.fonts import drawable, unwritten
from viz.labels import label
from viz.style import (
    DIVIDER,
    GRID,
    INK,
    LABEL_SIZE,
    MARKED,
    PAPER,
    QUIET,
    SMALLEST_SIZE,
    TITLE_SIZE,
    Box,
    axes_at,
    fit,
    new_figure,
    styled,
    text_height,
    text_width,
    wrap,
)

_NEGATIVE = "#a3265f"
_MOST = 36
_PARTS = 4
_FEW = 6
_SHADED_CELL, _SHADED_HEIGHT = 0.1, 7.0
_ROW = 0.16
_SMALLEST_CELL, _LARGEST_CELL = 0.16, 0.5
_SIDE = 13.0
_WIDEST_NAME = 2.4
_HIGHEST_NAME = 1.5
_TITLE_WIDTH = 1.6
_NARROWEST, _WIDEST_PAGE = 5.0, 17.0
_GAP = 0.35
_SIZES = (LABEL_SIZE, SMALLEST_SIZE)
_MARGIN = 0.15
_PAD = 0.06


@dataclass(frozen=True, eq=False)
class Table:
    """A matrix to show: names of its rows and columns, its numbers and what is written for them.

    Nothing is written in a large one (`texts` is empty); `note` then says which numbers it has. `rule` is the row
    before which a line is drawn.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    numbers: NDArray[np.float64]
    texts: tuple[tuple[str, ...], ...]
    rule: int | None = None
    note: str = ""

    @property
    def shaded(self) -> bool:
        """Whether the numbers are shades only."""
        return bool(self.numbers.size) and not self.texts


@dataclass(frozen=True, eq=False)
class Placed:
    """A table with its place: the box of its cells, the room of its names, its title's lines.

    `row_names` and `column_names` have the middle of each name, in rows and columns.
    """

    table: Table
    box: Box
    cell: float
    title: tuple[str, ...]
    names: float
    row_names: tuple[tuple[float, str], ...]
    column_names: tuple[tuple[float, str], ...]


@dataclass(frozen=True, eq=False)
class WeightsPlan:
    """The picture in inches: the tables, the headings of the layers with their tops, and the notes below."""

    width: float
    height: float
    tables: tuple[Placed, ...]
    headings: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]


def weights(model: CompiledModel) -> Figure:
    """A figure of a model's weights by name, layer by layer; the numbers of large matrices are shades."""
    return draw_weights(plan_weights(model))


def layer_tables(model: ModelWeights) -> list[tuple[str, list[Table]]]:
    """The tables of every layer under its heading; the input feed-forwards under one before the first layer's."""
    precision = PRECISIONS[model.dtype]
    inputs = _all_feed_forwards(model.input_feed_forwards, model.directions, precision)
    found = [("input feed-forward", inputs)] if inputs else []
    for number, layer in enumerate(model.layers, 1):
        tables = [table for head in layer.heads for table in _head_tables(head, model.directions, precision)]
        tables += _all_feed_forwards(layer.feed_forwards, model.directions, precision)
        found.append((f"layer {number}", tables))
    return found


def _head_tables(head: HeadWeights, directions: Sequence[str], precision: Precision) -> Iterator[Table]:
    name = f"{head.name} (width)" if head.kind == "width" else head.name
    for title, left, right in (("W_QK", head.W_Q, head.W_K.T), ("W_OV", head.W_V, head.W_O)):
        product = left.astype(np.float64) @ right.astype(np.float64)
        yield _table(f"{title} of {name}", directions, directions, product, precision)


def _all_feed_forwards(
    found: Sequence[FeedForwardWeights], directions: Sequence[str], precision: Precision
) -> list[Table]:
    """The tables of feed-forwards that follow one another, numbered from the second one on."""
    names = (f"feed-forward {number}" if number > 1 else "the feed-forward" for number in range(1, len(found) + 1))
    return [
        table
        for name, mlp in zip(names, found, strict=True)
        for table in _feed_forward_tables(mlp, f"W_in, b_in and W_out of {name}", directions, precision)
    ]


def _feed_forward_tables(
    mlp: FeedForwardWeights, title: str, directions: Sequence[str], precision: Precision
) -> Iterator[Table]:
    """One column a neuron: the directions it reads and its bias, then those it writes; some neurons more in parts."""
    reads, writes = (np.flatnonzero(matrix.any(axis=1)).tolist() for matrix in (mlp.W_in, mlp.W_out.T))
    numbers = np.vstack([mlp.W_in[reads], mlp.b_in[None], mlp.W_out[:, writes].T]).astype(np.float64)
    rows = (*(_visible(directions[at]) for at in reads), "bias", *(_visible(directions[at]) for at in writes))
    rule, count = len(reads) + 1, len(mlp.neurons)
    if len(rows) > _MOST or count > _PARTS * _MOST:
        yield _filled(title, rows, mlp.neurons, numbers, precision, rule)
        return
    for start in range(0, count, _MOST):
        stop = min(start + _MOST, count)
        part = f"{title}: neurons {start} to {stop - 1} of {count}" if count > _MOST else title
        yield _filled(part, rows, tuple(map(str, range(start, stop))), numbers[:, start:stop], precision, rule)


def _table(
    title: str, rows: Sequence[str], columns: Sequence[str], matrix: NDArray[Any], precision: Precision
) -> Table:
    """The rows and columns of a matrix that are not 0 throughout."""
    down, across = np.flatnonzero(matrix.any(axis=1)).tolist(), np.flatnonzero(matrix.any(axis=0)).tolist()
    names = tuple(_visible(rows[at]) for at in down), tuple(_visible(columns[at]) for at in across)
    return _filled(title, *names, matrix[np.ix_(down, across)], precision)


def _visible(direction: str) -> str:
    """A direction's name with a value that can be seen."""
    name, value = split_direction(direction)
    return name if value is None else f"{name}={label(value)}"


def _filled(
    title: str,
    rows: tuple[str, ...],
    columns: tuple[str, ...],
    numbers: NDArray[np.float64],
    precision: Precision,
    rule: int | None = None,
) -> Table:
    """A table with its numbers written, or where they are many, a note on them."""
    if max(numbers.shape) <= _MOST:
        return Table(title, rows, columns, numbers, _texts(numbers, precision), rule)
    return Table(title, rows, columns, numbers, (), rule, _which(numbers, precision))


def _which(numbers: NDArray[np.float64], precision: Precision) -> str:
    """The size of a matrix and which numbers it has: all of them while they are few."""
    size = f"{numbers.shape[0]} × {numbers.shape[1]}"
    values, counts = np.unique(numbers[numbers != 0], return_counts=True)
    if len(values) <= _FEW:
        pairs = zip(values.tolist(), counts.tolist(), strict=True)
        return f"{size}: {', '.join(f'{_written(x, precision)} in {count}' for x, count in pairs)}, 0 in the others"
    ends = " to ".join(_written(x, precision) for x in (values[0], values[-1]))
    return f"{size}: {len(values)} numbers from {ends}, 0 where white; darker is larger, red is negative"


def _texts(numbers: NDArray[Any], precision: Precision) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(_written(x, precision) for x in row) for row in numbers.tolist())


def _written(number: float, precision: Precision) -> str:
    """A number, '' for 0; one near the rounding constant R as R and the rest."""
    rest = abs(number) - precision.rounder
    if abs(rest) > precision.rounder / 4:
        return written(number) if number else ""
    rest = rest if number > 0 else -rest
    return f"{'R' if number > 0 else '−R'}{f'{rest:+.0f}' if rest else ''}"


def plan_weights(model: CompiledModel) -> WeightsPlan:
    """Where everything stands in the picture of the weights."""
    placed: list[Placed] = []
    headings: list[tuple[str, float]] = []
    top = _MARGIN
    for heading, tables in layer_tables(model.weights):
        headings.append((heading, top))
        top += text_height(TITLE_SIZE + 1) + 0.1
        for line in _lines(tables):
            row = _placed_line(line, top)
            placed += row
            top = max(item.box.top + item.box.height for item in row) + _GAP
    width = max([_NARROWEST, *(item.box.left + _width(item) + _MARGIN for item in placed)])
    room = width - 2 * _MARGIN
    notes = tuple(line for note in _notes(model.weights, placed) for line in wrap(note, room, LABEL_SIZE, 3))
    height = top + text_height(LABEL_SIZE, len(notes)) + _MARGIN
    return WeightsPlan(width, height, tuple(placed), tuple(headings), notes)


def _notes(model: ModelWeights, placed: Sequence[Placed]) -> list[str]:
    precision = PRECISIONS[model.dtype]
    notes = ["Rows and columns that are 0 throughout are left out."] if placed else ["There are no layers."]
    if model.layers:
        notes.append(
            "W_QK: row = direction at the query, column = direction at the key; a key whose score is "
            f"{precision.vanish:g} or more below the best gets exactly no attention. W_OV: row = direction at the key, "
            "column = direction written at the query."
        )
    tables = [item.table for item in placed]
    if any("R" in text for table in tables for row in (*table.texts, (table.note,)) for text in row):
        notes.append(
            f"R = {precision.rounder:.0f}: adding it rounds to a whole number in {model.dtype}; the bias takes it off."
        )
    missing = unwritten(name for table in tables for name in (*table.rows, *table.columns))
    return [*notes, missing] if missing else notes


def _width(item: Placed) -> float:
    return max(item.box.width, _TITLE_WIDTH)


def _cell(table: Table) -> float:
    """Inches of a cell: as wide as its widest text, within limits; less where there are many columns."""
    if table.shaded:
        return min(_SHADED_CELL, _SIDE / len(table.columns))
    widest = max((text_width(text, LABEL_SIZE) for row in table.texts for text in row), default=0.0) + 0.06
    fair = min(_LARGEST_CELL, max(_SMALLEST_CELL, widest))
    return max(_SMALLEST_CELL, min(fair, _SIDE / max(1, len(table.columns))))


def _row(table: Table) -> float:
    """Inches of a row."""
    return min(_SHADED_CELL, _SHADED_HEIGHT / len(table.rows)) if table.shaded else _ROW


def _names(names: Sequence[str], cell: float, *, shaded: bool) -> tuple[tuple[float, str], ...]:
    """The names with their middles: every one, or those of the runs of one s-op, neighbours together where narrow."""
    if not shaded:
        return tuple((at + 0.5, name) for at, name in enumerate(names))
    found: list[tuple[float, str]] = []
    for middle, text in _runs(names):
        if found and (middle - found[-1][0]) * cell < text_height(LABEL_SIZE):
            found[-1] = (found[-1][0], f"{found[-1][1]}, {text}")
        else:
            found.append((middle, text))
    return tuple(found)


def _runs(names: Sequence[str]) -> Iterator[tuple[float, str]]:
    """The runs of rows or columns that belong to one s-op: the middle of each, and its name with how many they are."""
    start = 0
    for name, several in groupby(names, key=lambda name: split_direction(name)[0]):
        own = list(several)
        yield start + len(own) / 2, own[0] if len(own) == 1 else f"{name} ({len(own)})"
        start += len(own)


def _names_width(table: Table) -> float:
    names = _names(table.rows, _row(table), shaded=table.shaded)
    return min(_WIDEST_NAME, max((text_width(drawable(name), LABEL_SIZE) for _, name in names), default=0.0)) + _PAD


def _names_height(table: Table) -> float:
    names = _names(table.columns, _cell(table), shaded=table.shaded)
    if not _are_upright(names, _cell(table), len(table.columns)):
        return text_height(LABEL_SIZE) + _PAD
    widest = max((text_width(drawable(name), LABEL_SIZE) for _, name in names), default=0.0)
    return min(_HIGHEST_NAME, widest) + _PAD


def _are_upright(names: Sequence[tuple[float, str]], cell: float, columns: int) -> bool:
    """Whether some name of a column is wider than what it has for itself."""
    edges = [-columns, *(at for at, _ in names), 2 * columns]
    return any(
        text_width(drawable(name), LABEL_SIZE) > min(at - edges[i], edges[i + 2] - at) * cell - 0.04
        for i, (at, name) in enumerate(names)
    )


def _outer(table: Table) -> float:
    return _names_width(table) + max(_cell(table) * len(table.columns), _TITLE_WIDTH)


def _lines(tables: Sequence[Table]) -> list[list[Table]]:
    """The tables of a layer in lines that are not too wide."""
    lines: list[list[Table]] = []
    room = 0.0
    for table in tables:
        if not lines or _outer(table) > room:
            lines.append([])
            room = _WIDEST_PAGE
        lines[-1].append(table)
        room -= _outer(table) + _GAP
    return lines


def _placed_line(tables: Sequence[Table], top: float) -> list[Placed]:
    """The tables side by side, the upper edges of their cells in line."""
    titles = [_title(table) for table in tables]
    above = max(text_height(TITLE_SIZE, len(title)) for title in titles) + 0.05 + max(map(_names_height, tables))
    placed, left = [], _MARGIN
    for table, title in zip(tables, titles, strict=True):
        names, cell = _names_width(table), _cell(table)
        box = Box(left + names, top + above, cell * len(table.columns), _row(table) * len(table.rows))
        row_names = _names(table.rows, _row(table), shaded=table.shaded)
        column_names = _names(table.columns, cell, shaded=table.shaded)
        placed.append(Placed(table, box, cell, title, names, row_names, column_names))
        left += _outer(table) + _GAP
    return placed


def _title(table: Table) -> tuple[str, ...]:
    text = f"{table.title} ({table.note})" if table.note else table.title
    return wrap(drawable(text), _outer(table), TITLE_SIZE, 5)


def draw_weights(plan: WeightsPlan) -> Figure:
    """The planned picture, drawn."""
    with styled():
        figure = new_figure(plan.width, plan.height)
        for heading, top in plan.headings:
            y = 1 - top / plan.height
            figure.text(_MARGIN / plan.width, y, heading, va="top", size=TITLE_SIZE + 1, weight="bold")
        for item in plan.tables:
            _draw_table(figure, plan, item)
        text = "\n".join(plan.notes)
        figure.text(_MARGIN / plan.width, _MARGIN / plan.height, text, size=LABEL_SIZE, color=QUIET, linespacing=1.2)
    return figure


def _draw_table(figure: Figure, plan: WeightsPlan, item: Placed) -> None:
    table, box = item.table, item.box
    x, top = (box.left - item.names) / plan.width, box.top - _names_height(table) - 0.04
    figure.text(x, 1 - top / plan.height, "\n".join(item.title), va="bottom", size=TITLE_SIZE, linespacing=1.2)
    if not table.numbers.size:
        figure.text(x, 1 - (top + 0.1) / plan.height, "(all 0)", va="center", size=LABEL_SIZE, color=QUIET)
        return
    ax = axes_at(figure, box)
    ax.set(xlim=(0, len(table.columns)), ylim=(len(table.rows), 0))
    if table.shaded:
        _draw_shades(ax, table)
    else:
        _draw_cells(ax, item)
    _draw_names(ax, item)
    if table.rule:
        ax.axhline(table.rule, color=DIVIDER, linewidth=1.2)


def _draw_cells(ax: Axes, item: Placed) -> None:
    """Every number on its tint."""
    table = item.table
    filled = np.argwhere(table.numbers).tolist()
    sizes = np.abs(table.numbers[table.numbers != 0])
    ground = [Rectangle((x, y), 1, 1) for y, x in filled]
    colours = [_tint(table.numbers[y, x], sizes.min(), sizes.max()) for y, x in filled]
    ax.add_collection(PatchCollection(ground, facecolors=colours, edgecolors="none"))
    ax.hlines(range(1, len(table.rows)), 0, len(table.columns), colors=GRID, linewidth=0.4)
    ax.vlines(range(1, len(table.columns)), 0, len(table.rows), colors=GRID, linewidth=0.4)
    for y, x in filled:
        text = table.texts[y][x]
        size = next((size for size in _SIZES if text_width(text, size) <= item.cell - 0.03), _SIZES[-1])
        ax.text(x + 0.5, y + 0.5, text, ha="center", va="center_baseline", size=size, color=INK)


def _draw_shades(ax: Axes, table: Table) -> None:
    """The whole matrix as one image, and lines between the runs of one s-op."""
    sizes = np.abs(table.numbers[table.numbers != 0])
    colours = {x: _tint(x, sizes.min(), sizes.max(), shaded=True) for x in np.unique(table.numbers) if x}
    values, codes = np.unique(table.numbers, return_inverse=True)
    shades = np.array([colours.get(x, to_rgb(PAPER)) for x in values.tolist()])[codes].reshape(*table.numbers.shape, 3)
    extent = (0, len(table.columns), len(table.rows), 0)
    ax.imshow(shades, extent=extent, aspect="auto", interpolation="nearest")
    for names, draw in ((table.rows, ax.axhline), (table.columns, ax.axvline)):
        lengths = [len(list(run)) for _, run in groupby(names, key=lambda name: split_direction(name)[0])]
        for edge in np.cumsum(lengths)[:-1].tolist() if max(lengths) > 1 else []:
            draw(edge, color=GRID, linewidth=0.5)


def _tint(number: float, smallest: float, largest: float, *, shaded: bool = False) -> tuple[float, ...]:
    """Blue above 0, red below; darker in even steps of the logarithm, and never so dark that ink is lost on it.

    Shades, on which nothing is written, may be the full colour.
    """
    span = np.log1p(np.log(largest / smallest))
    least, most = (0.3, 1.0) if shaded else (0.2, 0.5)
    part = np.log1p(np.log(abs(number) / smallest)) / span if span else 2 / 3
    full = np.array(to_rgb(MARKED if number > 0 else _NEGATIVE))
    share = least + (most - least) * part
    return tuple((np.array(to_rgb(PAPER)) * (1 - share) + full * share).tolist())


def _draw_names(ax: Axes, item: Placed) -> None:
    ax.xaxis.tick_top()
    pairs = ((ax.yaxis, item.row_names, _WIDEST_NAME), (ax.xaxis, item.column_names, _HIGHEST_NAME))
    for axis, names, room in pairs:
        axis.set_ticks([at for at, _ in names], [fit(drawable(name), room, LABEL_SIZE) for _, name in names])
        axis.set_tick_params(length=0, pad=2, labelsize=LABEL_SIZE)
    upright = _are_upright(item.column_names, item.cell, len(item.table.columns))
    for text in ax.get_xticklabels():
        text.set_rotation(90 if upright else 0)

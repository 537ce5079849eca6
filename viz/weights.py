"""The weights of a model with names on their rows and columns: only what is not 0, so that one can read what they do.

A head is two matrices: W_QK = W_Q W_Kᵀ, what a query's direction (row) and a key's direction (column) add to the
score; and W_OV = W_V W_O, what a direction at the key (row) writes to a direction at the query (column). A feed-forward
has one column a neuron: what it reads above (W_in, b_in), what it writes below (W_out). Decided first, drawn after.
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
from compiler.model import CompiledModel
from compiler.precision import PRECISIONS, Precision
from viz.directions import written
from viz.fonts import drawable
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

    `rule` is the row before which a line is drawn; `note` says what was left out.
    """

    title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    numbers: NDArray[np.float64]
    texts: tuple[tuple[str, ...], ...]
    rule: int | None = None
    note: str = ""


@dataclass(frozen=True, eq=False)
class Placed:
    """A table with its place: the box of its cells, the room of its names, its title's lines."""

    table: Table
    box: Box
    cell: float
    title: tuple[str, ...]
    names: float


@dataclass(frozen=True, eq=False)
class WeightsPlan:
    """The picture in inches: the tables, the headings of the layers with their tops, and the notes below."""

    width: float
    height: float
    tables: tuple[Placed, ...]
    headings: tuple[tuple[str, float], ...]
    notes: tuple[str, ...]


def weights(model: CompiledModel) -> Figure:
    """A figure of a model's weights by name, layer by layer; large matrices are cut, which is said."""
    return draw_weights(plan_weights(model))


def layer_tables(model: ModelWeights) -> list[tuple[str, list[Table]]]:
    """The tables of every layer under its heading; the input feed-forwards under one before the first layer's."""
    precision = PRECISIONS[model.dtype]
    inputs = [_feed_forward_table(weights, model.directions, precision) for weights in model.input_feed_forwards]
    found = [("input feed-forward", inputs)] if inputs else []
    for number, layer in enumerate(model.layers, 1):
        tables = [table for head in layer.heads for table in _head_tables(head, model.directions, precision)]
        tables += [_feed_forward_table(weights, model.directions, precision) for weights in layer.feed_forwards]
        found.append((f"layer {number}", tables))
    return found


def _head_tables(head: HeadWeights, directions: Sequence[str], precision: Precision) -> Iterator[Table]:
    name = f"{head.name} (width)" if head.kind == "width" else head.name
    for title, left, right in (("W_QK", head.W_Q, head.W_K.T), ("W_OV", head.W_V, head.W_O)):
        product = left.astype(np.float64) @ right.astype(np.float64)
        yield _table(f"{title} of {name}", directions, directions, product, precision)


def _feed_forward_table(mlp: FeedForwardWeights, directions: Sequence[str], precision: Precision) -> Table:
    """One column a neuron: the directions it reads and its bias, then those it writes."""
    kept = _some_of_each(mlp.neurons)
    every_read, every_written = (
        np.flatnonzero(matrix.any(axis=1)).tolist() for matrix in (mlp.W_in[:, kept], mlp.W_out[kept].T)
    )
    reads, writes = every_read[: _MOST // 2], every_written[: _MOST // 2]
    numbers = np.vstack([mlp.W_in[np.ix_(reads, kept)], mlp.b_in[None, kept], mlp.W_out[np.ix_(kept, writes)].T])
    rows = (*(directions[at] for at in reads), "bias", *(directions[at] for at in writes))
    cuts = [
        (len(kept), len(mlp.neurons), "neurons"),
        (len(reads), len(every_read), "directions read"),
        (len(writes), len(every_written), "directions written"),
    ]
    return Table(
        "W_in, b_in and W_out of the feed-forward",
        rows,
        tuple(map(str, kept)),
        numbers.astype(np.float64),
        _texts(numbers, precision),
        len(reads) + 1,
        ", ".join(f"{few} of {all_} {what}" for few, all_, what in cuts if few < all_),
    )


def _some_of_each(neurons: Sequence[str]) -> list[int]:
    """The numbers of at most so many neurons, the first ones of every purpose."""
    purposes = [list(numbers) for _, numbers in groupby(range(len(neurons)), key=neurons.__getitem__)]
    if len(neurons) <= _MOST:
        return list(range(len(neurons)))
    each = max(1, _MOST // len(purposes))
    return [number for numbers in purposes for number in numbers[:each]][:_MOST]


def _table(
    title: str, rows: Sequence[str], columns: Sequence[str], matrix: NDArray[Any], precision: Precision
) -> Table:
    """The rows and columns of a matrix that are not 0 throughout."""
    down, across = np.flatnonzero(matrix.any(axis=1)).tolist(), np.flatnonzero(matrix.any(axis=0)).tolist()
    names = tuple(rows[at] for at in down), tuple(columns[at] for at in across)
    return _cut(title, *names, matrix[np.ix_(down, across)], precision)


def _cut(title: str, rows: Sequence[str], columns: Sequence[str], numbers: NDArray[Any], precision: Precision) -> Table:
    """A table of at most so many rows and columns."""
    kept = numbers[:_MOST, :_MOST]
    cut = [
        f"{_MOST} of {size} {what}"
        for size, what in zip(numbers.shape, ("rows", "columns"), strict=True)
        if size > _MOST
    ]
    note = f"the first {' and '.join(cut)}" if cut else ""
    return Table(title, tuple(rows[:_MOST]), tuple(columns[:_MOST]), kept, _texts(kept, precision), note=note)


def _texts(numbers: NDArray[Any], precision: Precision) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(_written(x, precision) for x in row) for row in numbers.tolist())


def _written(number: float, precision: Precision) -> str:
    """A number, '' for 0; one near the rounding constant R as R and the rest."""
    if abs(number) < precision.exact / 4:
        return written(number) if number else ""
    rest = abs(number) - precision.rounder
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
    if any("R" in text for item in placed for row in item.table.texts for text in row):
        notes.append(
            f"R = {precision.rounder:.0f}: adding it rounds to a whole number in {model.dtype}; the bias takes it off."
        )
    return notes


def _width(item: Placed) -> float:
    return max(item.box.width, _TITLE_WIDTH)


def _cell(table: Table) -> float:
    """Inches of a cell: as wide as its widest text, within limits; less where there are many columns."""
    widest = max((text_width(text, LABEL_SIZE) for row in table.texts for text in row), default=0.0) + 0.06
    fair = min(_LARGEST_CELL, max(_SMALLEST_CELL, widest))
    return max(_SMALLEST_CELL, min(fair, _SIDE / max(1, len(table.columns))))


def _names_width(table: Table) -> float:
    return min(_WIDEST_NAME, max((text_width(drawable(row), LABEL_SIZE) for row in table.rows), default=0.0)) + _PAD


def _names_height(table: Table) -> float:
    widest = max((text_width(drawable(name), LABEL_SIZE) for name in table.columns), default=0.0)
    return min(_HIGHEST_NAME, widest) + _PAD


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
        box = Box(left + names, top + above, cell * len(table.columns), _ROW * len(table.rows))
        placed.append(Placed(table, box, cell, title, names))
        left += _outer(table) + _GAP
    return placed


def _title(table: Table) -> tuple[str, ...]:
    text = f"{table.title} ({table.note})" if table.note else table.title
    return wrap(drawable(text), _outer(table), TITLE_SIZE, 3)


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
    _draw_cells(ax, table)
    for (row, column), number in np.ndenumerate(table.numbers):
        text = table.texts[row][column]
        size = next((size for size in _SIZES if text_width(text, size) <= item.cell - 0.03), None)
        if number and size:
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center_baseline", size=size, color=INK)
    _draw_names(ax, table)
    if table.rule:
        ax.axhline(table.rule, color=DIVIDER, linewidth=1.2)


def _draw_cells(ax: Axes, table: Table) -> None:
    filled = np.argwhere(table.numbers).tolist()
    sizes = np.abs(table.numbers[table.numbers != 0])
    ground = [Rectangle((x, y), 1, 1) for y, x in filled]
    colours = [_tint(table.numbers[y, x], sizes.min(), sizes.max()) for y, x in filled]
    ax.add_collection(PatchCollection(ground, facecolors=colours, edgecolors="none"))
    ax.hlines(range(1, len(table.rows)), 0, len(table.columns), colors=GRID, linewidth=0.4)
    ax.vlines(range(1, len(table.columns)), 0, len(table.rows), colors=GRID, linewidth=0.4)


def _tint(number: float, smallest: float, largest: float) -> tuple[float, ...]:
    """Blue above 0, red below; darker in even steps of the logarithm, never so dark that ink is lost on it."""
    span = np.log1p(np.log(largest / smallest))
    share = 0.2 + (0.3 * np.log1p(np.log(abs(number) / smallest)) / span if span else 0.2)
    full = np.array(to_rgb(MARKED if number > 0 else _NEGATIVE))
    return tuple((np.array(to_rgb(PAPER)) * (1 - share) + full * share).tolist())


def _draw_names(ax: Axes, table: Table) -> None:
    ax.xaxis.tick_top()
    for axis, names, room in ((ax.yaxis, table.rows, _WIDEST_NAME), (ax.xaxis, table.columns, _HIGHEST_NAME)):
        texts = [fit(drawable(name), room, LABEL_SIZE) for name in names]
        axis.set_ticks([at + 0.5 for at in range(len(names))], texts)
        axis.set_tick_params(length=0, pad=2, labelsize=LABEL_SIZE)
    upright = any(text_width(drawable(name), LABEL_SIZE) > _SMALLEST_CELL for name in table.columns)
    for text in ax.get_xticklabels():
        text.set_rotation(90 if upright else 0)

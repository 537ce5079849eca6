"""All heads of a model in one figure, layers × heads. Row = query, column = key.

Decided in inches first (`plan_heads`), drawn after (`draw_heads`): every head has the same square, every title the
room it needs, and all share one colour scale from 0 to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from rasp.errors import DataFault
from rasp.operations import Atom
from viz.attention import Visible, Weights, layer_weights
from viz.fonts import drawable, unwritten
from viz.labels import NOTHING_SELECTED, OUT_OF_SIGHT, label
from viz.matrix import (
    WRITTEN_CELL,
    MatrixPlan,
    cell_size,
    draw_bar,
    draw_matrix,
    name_axes,
    plan_matrix,
)
from viz.style import (
    HATCHED,
    LABEL_SIZE,
    QUIET,
    TITLE_SIZE,
    Box,
    axes_at,
    new_figure,
    styled,
    text_height,
    wrap,
)

_SIDE = 2.2
_SMALLEST_CELL, _LARGEST_CELL = 0.03, 0.3
_WIDEST_GRID = 24.0
_TITLE_WIDTH = 1.5
_TITLE_LINES = 3
_MARGIN = 0.12
_GAP = 0.22
_AXIS_NAME = 0.17
_ROW_NAME = 0.22
_NO_HEADS = 0.3
_BAR = 0.6
_PAD = 0.06


@dataclass(frozen=True, eq=False)
class Panel:
    """One head's place: its matrix, the square it fills, and its title's lines."""

    layer: int
    head: int
    matrix: MatrixPlan
    square: Box
    title: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class HeadsPlan:
    """The figure of all heads: its size in inches, the panels, each row's name with its middle, and what stands below.

    `note` says what hatching means, `remarks` whatever else there is to say.
    """

    width: float
    height: float
    panels: tuple[Panel, ...]
    rows: tuple[tuple[str, float, bool], ...]
    bar: Box | None
    note: tuple[str, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Slot:
    """What every head takes: the square, and the room left of it and below it."""

    side: float
    left: float
    below: float

    @property
    def title_width(self) -> float:
        return max(self.side, _TITLE_WIDTH)

    @property
    def width(self) -> float:
        return self.left + self.title_width + _GAP


def heads(
    attention: Any,
    tokens: Sequence[Atom],
    *,
    titles: Sequence[Sequence[str]] | None = None,
    rows: Sequence[str] | None = None,
    numbers: bool = False,
    masks: Sequence[Sequence[Visible | None]] | None = None,
) -> Figure:
    """A figure of all heads: one row a layer, one column a head.

    `attention` holds layers, each with heads [T, T]; layers may differ in their number of heads, and have none.
    `tokens` are the T tokens, or T − 1 where position 0 is BOS. `titles` name the heads, layer by layer, `rows` the
    layers (else by number); with `numbers`, cells have their weights written in, and are large enough for that.
    `masks` [T, T], layer by layer, are true where a query may look (None: everywhere); what they hide is grey.
    DataFault where these do not fit together.
    """
    return draw_heads(plan_heads(attention, tokens, titles=titles, rows=rows, numbers=numbers, masks=masks))


def plan_heads(
    attention: Any,
    tokens: Sequence[Atom],
    *,
    titles: Sequence[Sequence[str]] | None = None,
    rows: Sequence[str] | None = None,
    numbers: bool = False,
    masks: Sequence[Sequence[Visible | None]] | None = None,
) -> HeadsPlan:
    """Where everything stands in the figure of all heads, in inches. DataFault where sizes do not fit."""
    layers = [layer_weights(layer, tokens, number) for number, layer in enumerate(attention, 1)]
    names = _names(layers, titles)
    row_names = _row_names(layers, rows)
    size = _one_size(layers)
    columns = max(map(len, layers), default=0)
    cell = cell_size(size, min(_SIDE, _WIDEST_GRID / max(columns, 1)), _SMALLEST_CELL, _LARGEST_CELL)
    cell = max(cell, WRITTEN_CELL) if numbers else cell
    hiding = _masks(layers, masks)
    plans = [
        [plan_matrix(head, tokens, cell, written=numbers, mask=mask) for head, mask in zip(layer, own, strict=True)]
        for layer, own in zip(layers, hiding, strict=True)
    ]
    first = next((plan for row in plans for plan in row), None)
    slot = _slot(first, cell * size) if first else _Slot(0.0, 0.0, 0.0)
    texts = [*map(label, tokens), *(title for row in names for title in row), *row_names]
    hides = any(plan.hidden is not None and plan.hidden.any() for row in plans for plan in row)
    arranged = _arranged(plans, names, row_names, slot)
    return with_remark(with_remark(arranged, unwritten(texts)), OUT_OF_SIGHT if hides else "")


def with_remark(plan: HeadsPlan, remark: str) -> HeadsPlan:
    """The plan with a further remark below, if there is one."""
    lines = wrap(remark, plan.width - 2 * _MARGIN, LABEL_SIZE, _TITLE_LINES)
    height = plan.height + text_height(LABEL_SIZE, len(lines))
    return replace(plan, height=height, remarks=(*plan.remarks, *lines))


def _row_names(layers: list[list[Weights]], rows: Sequence[str] | None) -> list[str]:
    """A name for each row; DataFault where the names given are not as many as the rows."""
    if rows is None:
        return [f"layer {number}" for number in range(1, len(layers) + 1)]
    if len(rows) != len(layers):
        raise DataFault(f"{len(rows)} names for {len(layers)} rows of heads")
    return list(rows)


def _names(layers: list[list[Weights]], titles: Sequence[Sequence[str]] | None) -> list[list[str]]:
    """A title for each head; DataFault where the titles given are not as many as the heads."""
    if titles is None:
        return [[f"head {h + 1}" for h in range(len(layer))] for layer in layers]
    if [len(row) for row in titles] != [len(layer) for layer in layers]:
        raise DataFault(
            f"titles for {[len(row) for row in titles]} heads, attention of {[len(layer) for layer in layers]}",
            hint="give one title a head, layer by layer",
        )
    return [list(row) for row in titles]


def _masks(
    layers: list[list[Weights]], masks: Sequence[Sequence[Visible | None]] | None
) -> Sequence[Sequence[Visible | None]]:
    """A mask, or None, for each head; DataFault where those given are not as many as the heads."""
    if masks is None:
        return [[None for _ in layer] for layer in layers]
    if list(map(len, masks)) != list(map(len, layers)):
        raise DataFault(f"masks for {list(map(len, masks))} heads, attention of {list(map(len, layers))}")
    return masks


def _one_size(layers: list[list[Weights]]) -> int:
    sizes = {len(head) for layer in layers for head in layer}
    if len(sizes) > 1:
        raise DataFault(f"heads of different sizes stand together: {sorted(sizes)}")
    return sizes.pop() if sizes else 0


def _slot(plan: MatrixPlan, side: float) -> _Slot:
    return _Slot(side, _AXIS_NAME + plan.query.width + _PAD, plan.key.height + _PAD + _AXIS_NAME)


def _arranged(plans: list[list[MatrixPlan]], names: list[list[str]], row_names: list[str], slot: _Slot) -> HeadsPlan:
    """The grid, row by row from the top."""
    panels: list[Panel] = []
    rows: list[tuple[str, float, bool]] = []
    top = _MARGIN
    for index, (layer, titles, name) in enumerate(zip(plans, names, row_names, strict=True)):
        if not layer:
            rows.append((f"{name}: no heads", top + _NO_HEADS / 2, False))
            top += _NO_HEADS + _GAP / 2
            continue
        row = _row(index, layer, titles, slot, top)
        panels += row
        square = row[0].square
        rows.append((name, square.top + square.height / 2, True))
        top = square.top + square.height + slot.below + _GAP / 2
    return _framed(panels, rows or [("no attention layers", top + _NO_HEADS / 2, False)], slot, top)


def _row(index: int, layer: list[MatrixPlan], names: list[str], slot: _Slot, top: float) -> list[Panel]:
    titles = [wrap(drawable(name), slot.title_width, TITLE_SIZE, _TITLE_LINES) for name in names]
    square_top = top + text_height(TITLE_SIZE, max(map(len, titles))) + _PAD
    start = _MARGIN + _ROW_NAME + slot.left
    return [
        Panel(index, h, plan, Box(start + h * slot.width, square_top, slot.side, slot.side), title)
        for h, (plan, title) in enumerate(zip(layer, titles, strict=True))
    ]


def _framed(panels: list[Panel], rows: list[tuple[str, float, bool]], slot: _Slot, bottom: float) -> HeadsPlan:
    """The plan with its outer size, the colour bar right of the first row, and the note under all."""
    columns = 1 + max((panel.head for panel in panels), default=-1)
    right = _MARGIN + _ROW_NAME + max(columns * slot.width, _TITLE_WIDTH)
    bar = Box(right, panels[0].square.top, 0.1, max(slot.side, 0.8)) if panels else None
    width = right + (_BAR if panels else 0.0) + _MARGIN
    empty = any(panel.matrix.empty for panel in panels)
    note = wrap(NOTHING_SELECTED, width - 2 * _MARGIN - 0.3, LABEL_SIZE, 2) if empty else ()
    height = max(bottom, _MARGIN + _NO_HEADS) + text_height(LABEL_SIZE, len(note)) + _MARGIN
    return HeadsPlan(width, height, tuple(panels), tuple(rows), bar, note)


def draw_heads(plan: HeadsPlan) -> Figure:
    """The planned figure, drawn."""
    with styled():
        figure = new_figure(plan.width, plan.height)
        for panel in plan.panels:
            _draw_panel(figure, panel)
        for text, middle, upright in plan.rows:
            _draw_row_name(figure, text, middle, upright)
        if plan.bar:
            draw_bar(axes_at(figure, plan.bar))
        if plan.note:
            _draw_note(figure, plan)
        remarks = "\n".join(plan.remarks)
        figure.text(_MARGIN / plan.width, _MARGIN / plan.height, remarks, size=LABEL_SIZE, color=QUIET, linespacing=1.2)
    return figure


def _draw_panel(figure: Figure, panel: Panel) -> None:
    ax = axes_at(figure, panel.square)
    draw_matrix(ax, panel.matrix)
    name_axes(ax)
    ax.set_title("\n".join(panel.title), loc="left", fontsize=TITLE_SIZE, pad=_PAD * 72, linespacing=1.2)


def _draw_row_name(figure: Figure, text: str, middle: float, upright: bool) -> None:
    width, height = figure.get_size_inches()
    y = 1 - middle / height
    if upright:
        figure.text(
            (_MARGIN + 0.05) / width, y, text, rotation=90, ha="center", va="center", size=TITLE_SIZE, weight="bold"
        )
    else:
        figure.text(_MARGIN / width, y, text, va="center", size=TITLE_SIZE, color=QUIET)


def _draw_note(figure: Figure, plan: HeadsPlan) -> None:
    width, height = plan.width, plan.height
    row = text_height(LABEL_SIZE)
    top = _MARGIN + text_height(LABEL_SIZE, len(plan.note) + len(plan.remarks))
    swatch = Rectangle(
        (_MARGIN / width, (top - row * 0.9) / height),
        0.22 / width,
        row * 0.8 / height,
        **HATCHED,
        transform=figure.transFigure,
    )
    figure.add_artist(swatch)
    figure.text((_MARGIN + 0.3) / width, top / height, "\n".join(plan.note), va="top", size=LABEL_SIZE, color=QUIET)

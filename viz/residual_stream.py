"""The residual stream of a model on one input: named directions × positions, at the start and after each layer.

Decided first (`plan_residual`), drawn after. The directions stand in groups, one an s-op, in the order in which they
are first written; a group's own line says the value that its directions stand for. What a layer changed is framed.
Every number is written: where positions are many, a panel goes on in further blocks of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from compiler.ir import Stage
from compiler.run.model import CompiledModel
from rasp.operations import Atom
from viz.directions import Group, decoded, groups, written
from viz.fonts import drawable, unwritten
from viz.labels import BOS, label, position_labels
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

CHANGED = "#b3541e"
_NEGATIVE = "#a3265f"
_ROW = 0.17
_SMALLEST_CELL, _LARGEST_CELL = 0.2, 0.55
_SIZES = (LABEL_SIZE, 6.25, SMALLEST_SIZE)
_SIDE = 9.4
_WIDEST_NAME = 2.6
_INDENT = 0.12
_BOLD = 1.12
_GAP = 0.25
_MARGIN = 0.15
_NARROWEST, _WIDEST = 3.5, 22.0
_MANY_LINES = 70
_MANY_VALUES = 8
_ZERO = 1e-6
_ALWAYS = ("one", "bos")


@dataclass(frozen=True)
class Line:
    """A line of the picture: a direction, or the value a group of them stands for (`direction` is None there)."""

    label: str
    direction: int | None
    group: Group


@dataclass(frozen=True, eq=False)
class Panel:
    """The stream at one moment, or at some positions of it.

    For each cell [line, position] the text, the number, and whether it is new; for each position its label.
    """

    title: str
    box: Box
    labels: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    numbers: NDArray[np.float64]
    changed: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ResidualPlan:
    """The whole picture, in inches."""

    width: float
    height: float
    names: float
    cell: float
    size: float
    lines: tuple[Line, ...]
    panels: tuple[Panel, ...]
    note: tuple[str, ...]


def residual(model: CompiledModel, tokens: Sequence[Atom]) -> Figure:
    """A figure of a model's residual stream on an input, at the start and after each layer.

    Directions that are 0 throughout are left out. DataFault for an input that the model cannot take.
    """
    return draw_residual(plan_residual(model, tokens))


def plan_residual(model: CompiledModel, tokens: Sequence[Atom]) -> ResidualPlan:
    """Where everything stands in the picture, and what it says."""
    weights = model.weights
    trace = model.run(tokens, engine="reference").trace
    moments = dict(zip(map(_moment, weights.stages), trace.residuals, strict=True))
    streams = [stream.astype(np.float64) for stream in moments.values()]
    lines = _lines(groups(weights.directions), streams)
    positions = tuple(drawable(text) for text in position_labels(tokens, len(tokens) + 1))
    texts = _all_texts(lines, streams)
    cell, size, blocks = _cell(lines, texts, positions)
    names = min(_WIDEST_NAME, max((_name_width(line) for line in lines), default=0.0)) + 0.08
    boxes = _boxes(len(streams), blocks, _MARGIN + names, cell, _ROW * len(lines))
    width = max(_NARROWEST, max(box.left + box.width for box in boxes) + _MARGIN)
    note = _notes(streams, tokens, lines, width - 2 * _MARGIN)
    return ResidualPlan(
        width,
        boxes[-1].top + boxes[-1].height + text_height(LABEL_SIZE, len(note) + 1) + _MARGIN,
        names,
        cell,
        size,
        lines,
        tuple(_panels(list(moments), boxes, blocks, positions, texts, _numbers(streams, lines))),
        note,
    )


def _moment(stage: Stage) -> str:
    """What is shown of a stage: a layer as a whole, what is before the first one step by step."""
    if stage.layer is not None:
        return f"after layer {stage.layer + 1}"
    return stage.title if stage.title == "embedding" else f"after the {stage.title}"


def _boxes(count: int, blocks: Sequence[slice], left: float, cell: float, height: float) -> list[Box]:
    """The places of the panels' cells: side by side, in further rows where they are too wide together.

    Several blocks of positions begin in a row of their own at every moment.
    """
    widest = cell * max(block.stop - block.start for block in blocks)
    across = max(1, int((_WIDEST - left + _GAP) // (widest + _GAP)))
    above = _MARGIN + text_height(TITLE_SIZE) + 2 * text_height(LABEL_SIZE) + 0.08
    rows = -(-len(blocks) // across)
    places = [
        (moment * rows + at // across, at % across, block) if len(blocks) > 1 else (*divmod(moment, across), block)
        for moment in range(count)
        for at, block in enumerate(blocks)
    ]
    return [
        Box(left + column * (widest + _GAP), above + row * (above + height), cell * (block.stop - block.start), height)
        for row, column, block in places
    ]


def _lines(found: Sequence[Group], streams: Sequence[NDArray[Any]]) -> tuple[Line, ...]:
    """The groups that are not 0 throughout, the earliest written first; large ones folded where there are many."""
    live = {group: _live(group, streams) for group in found}
    first = {group: _first(group, streams) for group in found if live[group]}
    ordered = sorted(first, key=lambda group: first[group])
    open_ = [line for group in ordered for line in _group_lines(group, live[group], folded=False)]
    if len(open_) <= _MANY_LINES:
        return tuple(open_)
    many = {group for group in ordered if len(live[group]) > _MANY_VALUES}
    return tuple(line for group in ordered for line in _group_lines(group, live[group], folded=group in many))


def _live(group: Group, streams: Sequence[NDArray[Any]]) -> list[int]:
    return [row for row in group.members if any(np.abs(stream[:, row]).max() > _ZERO for stream in streams)]


def _first(group: Group, streams: Sequence[NDArray[Any]]) -> int:
    return next(at for at, stream in enumerate(streams) if np.abs(stream[:, list(group.members)]).max() > _ZERO)


def _group_lines(group: Group, live: Sequence[int], *, folded: bool) -> list[Line]:
    if not group.values:
        return [Line(group.name, live[0], group)]
    values = dict(zip(group.members, group.values, strict=True))
    if len(group.members) == 1:
        return [Line(f"{group.name} = {values[live[0]]}", live[0], group)]
    if folded:
        return [Line(f"{group.name}  ({len(live)} directions)", None, group)]
    return [Line(group.name, None, group), *(Line(f"= {values[row]}", row, group) for row in live)]


def _all_texts(lines: Sequence[Line], streams: Sequence[NDArray[Any]]) -> list[tuple[tuple[str, ...], ...]]:
    """What stands in each cell of each line, stream by stream; a number's zeros from where it is first written."""
    first = {line: _first(line.group, streams) for line in lines}
    return [tuple(_texts(line, stream, at >= first[line]) for line in lines) for at, stream in enumerate(streams)]


def _texts(line: Line, stream: NDArray[Any], there: bool) -> tuple[str, ...]:
    if line.direction is None:
        return tuple(drawable(said(line.group, vector)) for vector in stream)
    zero = "0" if there and not line.group.values and line.label not in _ALWAYS else ""
    numbers = stream[:, line.direction].tolist()
    return tuple(("" if at == 0 else zero) if abs(x) <= _ZERO else written(x) for at, x in enumerate(numbers))


def said(group: Group, vector: NDArray[Any]) -> str:
    """The value that a vector says an s-op has; nothing where it is 0, ? where it stands for no value."""
    return decoded(group, vector) or ("?" if np.abs(vector[list(group.members)]).max() > _ZERO else "")


def _cell(
    lines: Sequence[Line], texts: Sequence[Sequence[Sequence[str]]], labels: Sequence[str]
) -> tuple[float, float, list[slice]]:
    """Inches of a cell, the size of its text, and the blocks of positions: as few as letters of any size allow."""
    count = len(labels)
    for fewest in (1, 2):
        for size in _SIZES:
            cell = _widest(lines, texts, labels, size)
            if cell * count <= fewest * _SIDE:
                return cell, size, _blocks(count, fewest)
    cell = _widest(lines, texts, labels, LABEL_SIZE)
    return cell, LABEL_SIZE, _blocks(count, ceil(cell * count / _SIDE))


def _widest(
    lines: Sequence[Line], texts: Sequence[Sequence[Sequence[str]]], labels: Sequence[str], size: float
) -> float:
    """Inches of a cell that holds the widest text, within limits."""
    bold = {text for panel in texts for line, row in zip(lines, panel, strict=True) for text in row if _is_bold(line)}
    plain = {*labels, *(text for panel in texts for row in panel for text in row)}
    widths = [_BOLD * text_width(text, size) for text in bold] + [text_width(text, size) for text in plain]
    return min(_LARGEST_CELL, max(_SMALLEST_CELL, max(widths) + 0.06))


def _is_bold(line: Line) -> bool:
    return line.direction is None


def _blocks(count: int, number: int) -> list[slice]:
    """So many runs of positions, about equally long."""
    each = ceil(count / number)
    return [slice(start, min(start + each, count)) for start in range(0, count, each)]


def _name_width(line: Line) -> float:
    indent, bold = (0.0, _BOLD) if _leads(line) else (_INDENT, 1.0)
    return indent + text_width(drawable(line.label), LABEL_SIZE) * bold


def _leads(line: Line) -> bool:
    """Whether a line is the first of its group."""
    return line.direction is None or len(line.group.members) == 1


def _numbers(streams: Sequence[NDArray[Any]], lines: Sequence[Line]) -> list[NDArray[np.float64]]:
    """The numbers [line, position] of every moment; 0 in the lines that say a value."""
    return [
        np.array([np.zeros(len(stream)) if line.direction is None else stream[:, line.direction] for line in lines])
        for stream in streams
    ]


def _panels(
    titles: Sequence[str],
    boxes: Sequence[Box],
    blocks: Sequence[slice],
    labels: Sequence[str],
    texts: Sequence[tuple[tuple[str, ...], ...]],
    numbers: Sequence[NDArray[np.float64]],
) -> Iterator[Panel]:
    """A panel for every moment and every block of positions in it."""
    waiting = iter(boxes)
    for at, title in enumerate(titles):
        new = np.abs(numbers[at] - numbers[max(0, at - 1)]) > _ZERO
        for block in blocks:
            named = title if len(blocks) == 1 else f"{title}, {_span(block)}"
            written_ = tuple(line[block] for line in texts[at])
            yield Panel(named, next(waiting), tuple(labels[block]), written_, numbers[at][:, block], new[:, block])


def _span(block: slice) -> str:
    """The positions of a block in words; column 0 is BOS."""
    return f"{'BOS' if block.start == 0 else f'positions {block.start - 1}'} to {block.stop - 2}"


def _notes(
    streams: Sequence[NDArray[Any]], tokens: Sequence[Atom], lines: Sequence[Line], width: float
) -> tuple[str, ...]:
    texts = [*map(label, tokens), *(line.label for line in lines), *(v for line in lines for v in line.group.values)]
    notes = (_note(streams), unwritten(texts))
    return tuple(line for note in notes for line in wrap(note, width, LABEL_SIZE, 3))


def _note(streams: Sequence[NDArray[Any]]) -> str:
    zero = sum(int(np.abs(column).max() <= _ZERO) for column in np.concatenate(streams).T)
    note = f"d_model {streams[0].shape[1]}; framed: changed by the layer"
    return f"{note}; not shown: {zero} directions that are 0 throughout" if zero else note


def draw_residual(plan: ResidualPlan) -> Figure:
    """The planned picture, drawn."""
    with styled():
        figure = new_figure(plan.width, plan.height)
        largest = np.max([np.abs(panel.numbers).max(axis=1) for panel in plan.panels], axis=0)
        for panel in plan.panels:
            _draw_panel(figure, plan, panel, np.maximum(largest, _ZERO))
        for top in dict.fromkeys(panel.box.top for panel in plan.panels):
            _draw_names(figure, plan, top)
        note = "\n".join(plan.note)
        figure.text(_MARGIN / plan.width, _MARGIN / plan.height, note, size=LABEL_SIZE, color=QUIET, linespacing=1.2)
    return figure


def _draw_panel(figure: Figure, plan: ResidualPlan, panel: Panel, largest: NDArray[np.float64]) -> None:
    ax = axes_at(figure, panel.box)
    count = len(panel.labels)
    ax.set(xlim=(0, count), ylim=(len(plan.lines), 0))
    ax.tick_params(length=0, labelleft=False, labelbottom=False)
    ax.set_title(panel.title, loc="left", fontsize=TITLE_SIZE, weight="bold", pad=22)
    _draw_cells(ax, panel, largest)
    for line, row in enumerate(panel.texts):
        _draw_texts(ax, plan, line, row)
    ax.vlines(range(1, count), 0, len(plan.lines), colors=GRID, linewidth=0.4)
    starts = [at for at, line in enumerate(plan.lines) if at and _leads(line)]
    ax.hlines(starts, 0, count, colors=DIVIDER, linewidth=0.6)
    for x, text in enumerate(panel.labels):
        style: dict[str, Any] = {"color": QUIET, "style": "italic"} if text == BOS and x == 0 else {}
        shown = fit(text, plan.cell - 0.02, plan.size)
        ax.text(x + 0.5, -0.55, shown, ha="center", va="center_baseline", size=plan.size, **style)


def _draw_cells(ax: Axes, panel: Panel, largest: NDArray[np.float64]) -> None:
    filled = np.argwhere(np.abs(panel.numbers) > _ZERO).tolist()
    ground = [Rectangle((x, line), 1, 1) for line, x in filled]
    colours = [_tint(panel.numbers[line, x], float(largest[line])) for line, x in filled]
    ax.add_collection(PatchCollection(ground, facecolors=colours, edgecolors="none"))
    framed = [Rectangle((x + 0.06, line + 0.06), 0.88, 0.88) for line, x in np.argwhere(panel.changed).tolist()]
    ax.add_collection(PatchCollection(framed, facecolors="none", edgecolors=CHANGED, linewidths=0.8, zorder=2.5))


def _tint(number: float, largest: float) -> tuple[float, ...]:
    """Paper for 0, the full colour's light half for the largest: ink stays legible on it."""
    share = 0.15 + 0.3 * abs(number) / largest
    full = np.array(to_rgb(MARKED if number > 0 else _NEGATIVE))
    return tuple((np.array(to_rgb(PAPER)) * (1 - share) + full * share).tolist())


def _draw_texts(ax: Axes, plan: ResidualPlan, line: int, row: Sequence[str]) -> None:
    """The texts of a line, each in its cell."""
    bold = _is_bold(plan.lines[line])
    room = (plan.cell - 0.02) / (_BOLD if bold else 1)
    for x, text in enumerate(row):
        if text:
            weight, shown = "bold" if bold else "normal", fit(text, room, plan.size)
            ax.text(x + 0.5, line + 0.5, shown, ha="center", va="center_baseline", size=plan.size, weight=weight)


def _draw_names(figure: Figure, plan: ResidualPlan, top: float) -> None:
    for at, line in enumerate(plan.lines):
        y = 1 - (top + _ROW * (at + 0.5)) / plan.height
        leads = _leads(line)
        x = _MARGIN + (0.0 if leads else _INDENT)
        text = fit(drawable(line.label), (plan.names - 0.06) / (_BOLD if leads else 1), LABEL_SIZE)
        weight, colour = ("bold", INK) if leads else ("normal", QUIET)
        figure.text(x / plan.width, y, text, size=LABEL_SIZE, va="center_baseline", weight=weight, color=colour)

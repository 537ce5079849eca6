"""Attention, selectors and s-op values as plain text: shades in a grid, tokens on both axes, columns that line up.

Pure functions from values to text; nothing here prints or asks the terminal anything. A grid takes two characters a
cell where the width allows it, else one; a longer input is pooled, each cell then showing the strongest of several
positions, and a note says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Any
from unicodedata import combining, east_asian_width

import numpy as np

from rasp.errors import DataFault
from rasp.operations import Atom
from viz.attention import Visible, Weights, empty_rows, faintest, hidden_by, layer_weights, weights_of
from viz.labels import label, position_labels

_SHADES = "·░▒▓█"
_EDGES = (0.25, 0.5, 0.75)
# From a little attention to all of it: on a light background each darker, on a dark one each lighter than the last.
_ON_LIGHT = (0, 73, 37, 33, 27)
_ON_DARK = (0, 25, 32, 39, 87)
_LONGEST_LABEL = 8
_NAME_WIDTH = 24
_BESIDE = "   "
_NOTHING = " ∅"
_HIDDEN = -1
_CROSS = "×"
_CROSSED = f"{_CROSS}: hidden by the mask"


@dataclass(frozen=True, eq=False)
class _Grid:
    """A matrix as it will be written: pooled shades [rows, columns], its labels, and what makes a cell."""

    shades: Sequence[Sequence[int]]
    labels: tuple[str, ...]
    bos: bool
    empty: frozenset[int]
    cell: int
    note: str
    colours: tuple[int, ...] = ()


def heatmap(
    weights: Any,
    tokens: Sequence[Atom],
    *,
    title: str = "",
    mask: Visible | None = None,
    width: int = 80,
    colour: bool = False,
    dark: bool = False,
) -> str:
    """Lines of text for attention or a selector [T, T], none wider than `width`; row = query, column = key.

    A row that reads no token ends in ∅; what a `mask` [T, T] hides is ×: it is true where a query may look. Colours
    suit a `dark` terminal or a light one. DataFault where a matrix does not fit the tokens.
    """
    lines = _block(weights_of(weights, tokens), tokens, title, mask, width, _colours(colour, dark))
    return "\n".join([*lines, *_remark([mask])])


def heatmaps(
    attention: Any,
    tokens: Sequence[Atom],
    *,
    titles: Sequence[Sequence[str]] | None = None,
    masks: Sequence[Sequence[Visible | None]] | None = None,
    width: int = 80,
    colour: bool = False,
    dark: bool = False,
) -> str:
    """Lines of text for all heads, layer by layer, heads side by side where the width allows it.

    What `masks` hide, one or None for each head, is ×.
    """
    parts: list[str] = []
    for number, layer in enumerate(attention, 1):
        heads = layer_weights(layer, tokens, number)
        names = titles[number - 1] if titles else [f"head {h}" for h in range(1, len(heads) + 1)]
        if len(names) != len(heads):
            raise DataFault(f"layer {number} has {len(heads)} heads and {len(names)} titles")
        own = [None] * len(heads) if masks is None else masks[number - 1]
        colours = _colours(colour, dark)
        blocks = [
            _block(head, tokens, name, mask, width, colours) for head, name, mask in zip(heads, names, own, strict=True)
        ]
        parts += [f"layer {number}" if blocks else f"layer {number}: no heads", *_side_by_side(blocks, width)]
    every = [mask for layer in masks or [] for mask in layer]
    return "\n".join([*(parts or ["no attention layers"]), *_remark(every)])


def _remark(masks: Sequence[Visible | None]) -> list[str]:
    return [_CROSSED] if any(mask is not None and not mask.all() for mask in masks) else []


def table(rows: Sequence[tuple[str, Sequence[Atom]]], *, width: int = 80) -> str:
    """Lines of text for named sequences of one length: a name a line, a column a position, split where too wide."""
    names = [_cut(name, _NAME_WIDTH) for name, _ in rows]
    margin = max(map(cells, names), default=0)
    texts = [[_cut(label(value), max(1, width - margin - 2)) for value in values] for _, values in rows]
    columns = [[_cut(text, _LONGEST_LABEL * 2) for text in column] for column in zip(*texts, strict=True)]
    pieces = _split([max(map(cells, column)) for column in columns], width - margin - 1)
    lines: list[str] = []
    for start, stop in pieces:
        if len(pieces) > 1:
            lines.append(f"positions {start} to {stop - 1}" if stop - start > 1 else f"position {start}")
        for row, name in enumerate(names):
            shown = (_right(column[row], max(map(cells, column))) for column in columns[start:stop])
            lines.append(f"{_left(name, margin)} {' '.join(shown)}".rstrip())
    return "\n".join(lines or names)


def cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def _split(widths: Sequence[int], room: int) -> list[tuple[int, int]]:
    """Runs of columns, each of which fits the room with a blank before every further column."""
    runs: list[tuple[int, int]] = []
    start, used = 0, 0
    for index, width in enumerate(widths):
        if index > start and used + 1 + width > room:
            runs.append((start, index))
            start, used = index, 0
        used += width + (index > start)
    return [*runs, (start, len(widths))] if widths else []


def _colours(colour: bool, dark: bool) -> tuple[int, ...]:
    """The colours of the shades, or none."""
    return (_ON_DARK if dark else _ON_LIGHT) if colour else ()


def _block(
    weights: Weights,
    tokens: Sequence[Atom],
    title: str,
    mask: Visible | None,
    width: int,
    colours: tuple[int, ...],
) -> list[str]:
    hidden = np.zeros(weights.shape, dtype=bool) if mask is None else hidden_by(mask, weights)
    grid = replace(_plan(weights, hidden, tokens, width), colours=colours)
    margin = max(map(cells, grid.labels), default=0)
    lines = [_cut(title, width)] if title else []
    lines += [" " * margin + " " + line for line in _heading(grid)]
    for index, row in enumerate(grid.shades):
        end = _NOTHING if index in grid.empty else ""
        lines.append(f"{_right(grid.labels[index], margin)} {_row(row, grid)}{end}".rstrip())
        if grid.bos and index == 0:
            lines.append(" " * margin + " " + _divider(grid))
    return [*lines, *([grid.note] if grid.note else [])]


def _plan(weights: Weights, hidden: Visible, tokens: Sequence[Atom], width: int) -> _Grid:
    """The grid in the largest form that fits the width."""
    bos = len(weights) > len(tokens)
    labels = tuple(_cut(text, _LONGEST_LABEL) for text in position_labels(tokens, len(weights)))
    room = width - max(map(cells, labels), default=0) - 1 - len(_NOTHING) - bos
    if len(weights) <= room:
        cell = 2 if 2 * len(weights) <= room else 1
        shades = _shades(weights, faintest(weights), hidden)
        return _Grid(shades, labels, bos, frozenset(empty_rows(weights, bos)), cell, "")
    return _pooled(weights, hidden, len(tokens), width)


def _pooled(weights: Weights, hidden: Visible, size: int, width: int) -> _Grid:
    """The grid of the strongest weights among k × k positions, labelled by the first position of each; what is hidden
    are cells of nothing but hidden ones."""
    bos = len(weights) > size
    margin = max(3, len(str(size)))
    room = max(1, width - margin - 1 - len(_NOTHING) - 2 * bos)
    factor = -(-size // room)
    starts = [*range(int(bos), len(weights), factor)]
    edges = [0, *starts] if bos else starts
    strongest = np.maximum.reduceat(np.maximum.reduceat(weights, edges, axis=0), edges, axis=1)
    unseen = np.logical_and.reduceat(np.logical_and.reduceat(hidden, edges, axis=0), edges, axis=1)
    labels = (*(["BOS"] if bos else []), *(str(start - bos) for start in starts))
    least = faintest(weights)
    empty = frozenset(empty_rows(strongest, bos, least))
    note = f"each cell: the largest of {factor} × {factor}"
    return _Grid(_shades(strongest, least, unseen), labels, bos, empty, 1, note)


def _shades(weights: Weights, least: float, hidden: Visible) -> list[list[int]]:
    edges = np.array([least, *_EDGES])
    found: list[list[int]] = np.where(hidden, _HIDDEN, np.searchsorted(edges, weights, side="right")).tolist()
    return found


def _heading(grid: _Grid) -> list[str]:
    """The key labels, read downwards, standing on their columns."""
    tall = max(map(len, grid.labels), default=0)
    lines: list[str] = []
    for row in range(tall):
        chars = [text[row - tall] if len(text) >= tall - row else " " for text in grid.labels]
        lines.append(_joined([_left(_narrow(char, grid.cell), grid.cell) for char in chars], grid, " ").rstrip())
    return lines


def _narrow(char: str, room: int) -> str:
    """The character, or ▪ for one that is wider than its column."""
    return char if cells(char) <= room else "▪"


def _row(row: Sequence[int], grid: _Grid) -> str:
    return _joined([_shaded(shade, grid.cell, grid.colours) for shade in row], grid, "│")


def _joined(parts: list[str], grid: _Grid, bar: str) -> str:
    return parts[0] + bar + "".join(parts[1:]) if grid.bos else "".join(parts)


def _divider(grid: _Grid) -> str:
    return "─" * grid.cell + "┼" + "─" * (grid.cell * (len(grid.labels) - 1))


def _shaded(shade: int, cell: int, colours: tuple[int, ...]) -> str:
    if shade <= 0:
        return _left(_CROSS if shade == _HIDDEN else _SHADES[0], cell)
    text = _SHADES[shade] * cell
    return f"\x1b[38;5;{colours[shade]}m{text}\x1b[0m" if colours else text


def _side_by_side(blocks: list[list[str]], width: int) -> list[str]:
    """The blocks in rows, as many beside one another as fit, a blank line between rows."""
    lines: list[str] = []
    waiting = list(blocks)
    while waiting:
        taken = [waiting.pop(0)]
        while waiting and _breadth([*taken, waiting[0]]) <= width:
            taken.append(waiting.pop(0))
        lines += [*_beside(taken), ""]
    return lines


def _breadth(blocks: list[list[str]]) -> int:
    return sum(_block_width(block) + len(_BESIDE) for block in blocks) - len(_BESIDE)


def _block_width(block: list[str]) -> int:
    return max(_seen(line) for line in block)


def _beside(blocks: list[list[str]]) -> list[str]:
    widths = [_block_width(block) for block in blocks]
    rows = zip_longest(*blocks, fillvalue="")
    return [
        _BESIDE.join(line + " " * (w - _seen(line)) for line, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _seen(line: str) -> int:
    """Columns a line takes, colour codes left out."""
    plain = "".join(part.partition("m")[2] if i else part for i, part in enumerate(line.split("\x1b[")))
    return cells(plain)


def _cut(text: str, room: int) -> str:
    if cells(text) <= room:
        return text
    while text and cells(text) >= room:
        text = text[:-1]
    return text + "…"


def _left(text: str, room: int) -> str:
    return text + " " * (room - cells(text))


def _right(text: str, room: int) -> str:
    return " " * (room - cells(text)) + text

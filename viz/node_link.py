"""A graph with attention along its edges: the input, then every head layer by layer, vertices always in one place.

Decided first (`plan_node_link`), drawn after (`draw_node_link`). An arrow goes from the key to the query that looks at
it, as wide as the attention is; a ring is attention of a vertex to itself, a sector that to BOS. On the vertices of a
head stands the s-op that its layer makes of it. What a head's mask hides has no line, what it may look at and does not
a dashed one. Whatever is not drawn is said below.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PatchCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Wedge

from compiler.run.model import CompiledModel
from rasp.operations import Atom
from viz.attention import Weights
from viz.fonts import drawable, unwritten
from viz.labels import label, shorten
from viz.style import (
    DIVIDER,
    INK,
    LABEL_SIZE,
    MARKED,
    PAPER,
    QUIET,
    SMALLEST_SIZE,
    TITLE_SIZE,
    Box,
    axes_at,
    new_figure,
    styled,
    text_height,
    text_width,
    wrap,
)
from viz.vertex_layout import Places, input_places
from viz.vertex_pictures import Picture, pictures_of

_LABEL_LIMIT = 7
_SMALLEST_RADIUS = 0.13
_SPREAD = 2.2
"""Inches between nearest vertices, over the root of how many there are: few stand wide apart."""
_NARROWEST_PANEL = 2.3
_WIDEST_FIGURE = 22.0
_MARGIN = 0.15
_GAP = 0.3
_NOTE_LINES = 8
_THINNEST, _THICKEST = 0.5, 5.5
_SAMPLES = (("1", 1.0), ("½", 0.5), ("¼", 0.25), ("1/16", 1 / 16))
_BEND = 0.12
_DISC = "#eef2f7"
_ON_BOS = "#c9c3b4"
_IDLE = "#a9b0bb"
_DASHED = 0.7


@dataclass(frozen=True, eq=False)
class Panel:
    """A picture, and the box in inches that its vertices fill."""

    picture: Picture
    box: Box


@dataclass(frozen=True, eq=False)
class NodeLinkPlan:
    """The figure in inches: where vertices stand in every panel, how large they are, and what is said below."""

    width: float
    height: float
    places: Places
    radius: float
    panels: tuple[Panel, ...]
    notes: tuple[str, ...]


def graph(given: Sequence[Atom] | Mapping[str, Any], model: CompiledModel | None = None) -> Figure:
    """A figure of a graph input, a panel a relation; of a `model` then one panel a head, layer by layer, at work on it.

    An input without relations has its vertices on a circle. DataFault for an input that the model cannot take, and for
    one of more than 200 vertices; ValueFault where the program has no value on it.
    """
    return draw_node_link(plan_node_link(given, model))


def plan_node_link(given: Sequence[Atom] | Mapping[str, Any], model: CompiledModel | None = None) -> NodeLinkPlan:
    """The pictures of an input, and of the heads of a model on it, and where each stands."""
    found = pictures_of(given, model)
    return _arranged([list(map(_short, layer)) for layer in found.layers], found.tokens, found.remarks)


def _short(picture: Picture) -> Picture:
    """The picture with texts that vertices and edges have room for."""
    labels = {cell: _text(text) for cell, text in picture.labels.items()}
    return replace(picture, texts=tuple(map(_text, picture.texts)), labels=labels)


def _text(text: str) -> str:
    return drawable(shorten(text, _LABEL_LIMIT))


# -- where everything stands


def _arranged(layers: Sequence[Sequence[Picture]], tokens: Sequence[Atom], remarks: Sequence[str]) -> NodeLinkPlan:
    """Pictures in rows: a row a layer, or all one after another where no layer has more than one."""
    pictures = [picture for layer in layers for picture in layer]
    longest = max(text_width(text, LABEL_SIZE) for picture in pictures for text in picture.texts)
    radius = max(_SMALLEST_RADIUS, longest / 2 + 0.05)
    gap = max(3.2 * radius, _SPREAD / len(tokens) ** 0.5)
    places = input_places(tokens, gap) + radius * 1.8
    width, height = places.max(axis=0) + radius * 1.8
    side = max(float(width), _NARROWEST_PANEL)
    columns = max(1, int((_WIDEST_FIGURE - _MARGIN) // (side + _GAP)))
    lines = [pictures] if max(map(len, layers)) == 1 else layers
    rows = [line[start : start + columns] for line in lines for start in range(0, len(line), columns)]
    panels, bottom = _in_rows(rows, side, float(height))
    total = max(_MARGIN + max(map(len, rows)) * (side + _GAP), 4.0)
    notes = _notes(pictures, tokens, remarks, total - 2 * _MARGIN)
    below = text_height(LABEL_SIZE, len(notes) + 1) + 2 * _MARGIN
    return NodeLinkPlan(total, bottom + below, places, radius, tuple(panels), notes)


def _in_rows(rows: Sequence[Sequence[Picture]], side: float, height: float) -> tuple[list[Panel], float]:
    """The panels of rows from the top, titles above each, and how far down they reach."""
    panels: list[Panel] = []
    top = _MARGIN
    for row in rows:
        titled = [_titled(picture, side) for picture in row]
        top += text_height(TITLE_SIZE, max(len(picture.title) for picture in titled))
        boxes = (Box(_MARGIN + i * (side + _GAP), top, side, height) for i in range(len(row)))
        panels += map(Panel, titled, boxes)
        top += height + _GAP / 2
    return panels, top


def _titled(picture: Picture, width: float) -> Picture:
    """The picture with its title broken into lines."""
    lines = [line for text in picture.title for line in wrap(drawable(text), width, TITLE_SIZE, 2)]
    return replace(picture, title=tuple(lines))


def _notes(
    pictures: Sequence[Picture], tokens: Sequence[Atom], remarks: Sequence[str], width: float
) -> tuple[str, ...]:
    """What the signs mean that occur, and what is not drawn."""
    signs = {
        "dashed: the mask lets the query look, and it does not": any(picture.idle.any() for picture in pictures),
        "no line where there is a mask: it hides the key": any(picture.masked for picture in pictures),
        "an arrow goes from the key to the query": any(picture.arrows for picture in pictures),
        "ring: a vertex looks at itself": any(picture.attention.diagonal().any() for picture in pictures),
        "sector: the share of attention on BOS, which is not drawn itself": any(
            picture.on_bos.any() for picture in pictures
        ),
        "attention below 0.001, or half an even share, is not drawn": any(picture.faint for picture in pictures),
        "…: a longer value is cut off": any(
            "…" in text for picture in pictures for text in (*picture.texts, *picture.labels.values())
        ),
    }
    said = [sign for sign, occurs in signs.items() if occurs]
    texts = [*remarks, *([unwritten(map(label, tokens))] if unwritten(map(label, tokens)) else [])]
    return tuple(line for text in ["; ".join(said), *texts] for line in wrap(text, width, LABEL_SIZE, _NOTE_LINES))


# -- drawing


def draw_node_link(plan: NodeLinkPlan) -> Figure:
    """The planned figure, drawn."""
    with styled():
        figure = new_figure(plan.width, plan.height)
        for panel in plan.panels:
            ax = axes_at(figure, panel.box)
            ax.set(xlim=(0, panel.box.width), ylim=(0, panel.box.height))
            ax.set_axis_off()
            ax.set_title("\n".join(panel.picture.title), loc="left", fontsize=TITLE_SIZE, pad=1, linespacing=1.2)
            _draw_edges(ax, panel.picture, plan)
            _draw_vertices(ax, panel.picture, plan)
        _draw_legend(figure, plan)
    return figure


def _draw_edges(ax: Axes, picture: Picture, plan: NodeLinkPlan) -> None:
    others = ~np.eye(len(plan.places), dtype=bool)
    queries, keys = np.nonzero(picture.idle & others)
    idle, _ = _arcs(plan, keys, queries, np.zeros(len(keys)))
    ax.add_collection(LineCollection(list(idle), colors=_IDLE, linewidths=_DASHED, linestyles="dashed", gid="idle"))
    queries, keys = np.nonzero(picture.attention * others)
    widths = _width_of(picture.attention[queries, keys])
    lines, points = _arcs(plan, keys, queries, widths if picture.arrows else np.zeros(len(keys)))
    ax.add_collection(
        LineCollection(list(lines), colors=_colour(picture), linewidths=widths, capstyle="butt", gid="attention")
    )
    if picture.arrows:
        ax.add_collection(PolyCollection(list(points), facecolors=_colour(picture), edgecolors="none", gid="arrows"))
    for line, query, key in zip(lines, queries.tolist(), keys.tolist(), strict=True):
        if (query, key) in picture.labels:
            x, y = line[len(line) // 2]
            box = {"facecolor": PAPER, "edgecolor": "none", "pad": 0.6}
            ax.text(x, y, picture.labels[query, key], size=SMALLEST_SIZE, ha="center", va="center", bbox=box, zorder=2)


def _colour(picture: Picture) -> str:
    return QUIET if picture.given else MARKED


def _width_of(weights: Weights) -> Weights:
    """Points of a line that stands for attention."""
    return np.asarray(_THINNEST + (_THICKEST - _THINNEST) * weights)


def _arcs(plan: NodeLinkPlan, keys: Any, queries: Any, widths: Weights) -> tuple[Places, Places]:
    """Lines [E, 13, 2] bent to the left, from the rim of one vertex to that of another, and the arrow heads [E, 3, 2].

    The bend keeps the two directions apart, and a line from those vertices that stand straight between its ends.
    """
    start, end = plan.places[keys], plan.places[queries]
    way = end - start
    length = np.linalg.norm(way, axis=1, keepdims=True)
    side = np.stack([-way[:, 1], way[:, 0]], axis=1)
    middle = (start + end) / 2 + _BEND * side
    heads = (0.05 + 1.6 * widths / 72)[:, None] * (widths > 0)[:, None]
    first, last = plan.radius / length, 1 - (plan.radius + heads) / length
    steps = first[..., None] + (last - first)[..., None] * np.linspace(0, 1, 13)[None, :, None]
    lines = (1 - steps) ** 2 * start[:, None] + 2 * steps * (1 - steps) * middle[:, None] + steps**2 * end[:, None]
    base = lines[:, -1]
    into = (end - base) / np.linalg.norm(end - base, axis=1, keepdims=True)
    across = np.stack([-into[:, 1], into[:, 0]], axis=1) * heads * 0.5
    return lines, np.stack([base + across, end - plan.radius * into, base - across], axis=1)


def _draw_vertices(ax: Axes, picture: Picture, plan: NodeLinkPlan) -> None:
    discs = [Circle((x, y), plan.radius) for x, y in plan.places]
    ax.add_collection(PatchCollection(discs, facecolors=_DISC, edgecolors=DIVIDER, linewidths=0.6, zorder=3))
    for (x, y), share in zip(plan.places, picture.on_bos.tolist(), strict=True):
        if share:
            ax.add_patch(Wedge((x, y), plan.radius, 90 - 360 * share, 90, facecolor=_ON_BOS, lw=0, zorder=3.5))
    for number, (x, y) in enumerate(plan.places):
        _draw_ring(ax, picture, plan, number)
        ax.text(x, y, picture.texts[number], size=LABEL_SIZE, color=INK, ha="center", va="center", zorder=5)
        out = plan.radius * 0.8 + 0.03
        ax.text(x + out, y + out, str(number), size=SMALLEST_SIZE, color=QUIET, ha="left", va="bottom", zorder=5)


def _draw_ring(ax: Axes, picture: Picture, plan: NodeLinkPlan, number: int) -> None:
    """The attention of a vertex to itself, outside its rim; dashed where it may look at itself and does not."""
    weight = picture.attention[number, number]
    if weight or picture.idle[number, number]:
        width = float(_width_of(weight)) if weight else _DASHED
        colour, dashes = (_colour(picture), "solid") if weight else (_IDLE, "dashed")
        around = plan.radius + (width / 144 if weight else 0.03)
        at = tuple(plan.places[number])
        ax.add_patch(Circle(at, around, fill=False, lw=width, edgecolor=colour, linestyle=dashes, zorder=4))


def _draw_legend(figure: Figure, plan: NodeLinkPlan) -> None:
    """Lines as wide as some weights, and the notes under them."""
    row = text_height(LABEL_SIZE)
    height = row * (len(plan.notes) + 1)
    ax = axes_at(figure, Box(_MARGIN, plan.height - _MARGIN - height, plan.width - 2 * _MARGIN, height))
    ax.set(xlim=(0, plan.width - 2 * _MARGIN), ylim=(height, 0))
    ax.set_axis_off()
    ax.text(0, 0, "\n" + "\n".join(plan.notes), size=LABEL_SIZE, color=QUIET, va="top", linespacing=1.2)
    ax.text(0, row / 2, "attention:", size=LABEL_SIZE, color=QUIET, va="center")
    x = text_width("attention: ", LABEL_SIZE) + 0.05
    for text, weight in _SAMPLES:
        ax.hlines(row / 2, x, x + 0.3, colors=MARKED, linewidth=float(_width_of(np.array(weight))))
        ax.text(x + 0.35, row / 2, text, size=LABEL_SIZE, color=QUIET, va="center")
        x += 0.45 + text_width(text, LABEL_SIZE)

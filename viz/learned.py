"""Learned heads beside the program's, and the curves of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from rasp.operations import Atom
from viz.head_grid import Panel, draw_heads, plan_heads
from viz.style import INK, LABEL_SIZE, QUIET, TITLE_SIZE, Box, axes_at, new_figure, styled, text_height

_COLOURS = ("#1f5f99", "#c2571a", "#3c8d5a", "#8a5fa8", "#b08a1e", "#5c6b7a")
_STYLES = ("-", "--", ":", "-.")
_WIDTH, _HEIGHT = 5.2, 2.6
_DIFFERENCE = 2
_LEFT, _TOP, _BELOW, _RIGHT = 0.6, 0.2, 0.5, 0.2


def learned_heads(tokens: Sequence[Atom], pairs: Sequence[tuple[int, str, Any, Any]]) -> Figure:
    """A figure with the program's heads in one row, the learned ones below, and their differences below these.

    Each pair is a layer from 1 on, the name of the program's head, and two attentions [S, S]; the `tokens` are S, or
    S − 1 where position 0 is BOS. DataFault where sizes do not fit.
    """
    differences = [_difference(asked, learned, len(tokens)) for _, _, asked, learned in pairs]
    names = [f"layer {layer}: {name}" for layer, name, _, _ in pairs]
    plan = plan_heads(
        [[pair[2] for pair in pairs], [pair[3] for pair in pairs], differences],
        tokens,
        titles=[names, [f"learned, {name}" for name in names], list(map(_off, differences))],
        rows=["program", "learned", "difference"],
    )
    return draw_heads(replace(plan, panels=tuple(map(_without_hatching, plan.panels))))


def _without_hatching(panel: Panel) -> Panel:
    """A difference of nothing is no row that selects nothing."""
    return replace(panel, matrix=replace(panel.matrix, empty=())) if panel.layer == _DIFFERENCE else panel


def _difference(asked: Any, learned: Any, tokens: int) -> Any:
    """How far two attentions are apart; the row of BOS, which no program asks for anything, is left out."""
    difference = np.abs(np.asarray(asked) - np.asarray(learned))
    difference[: len(difference) - tokens] = 0
    return difference


def _off(difference: Any) -> str:
    return f"off by up to {difference.max():.2g}"


def curves(found: Mapping[str, Sequence[tuple[int, float]]], *, baseline: float | None = None) -> Figure:
    """A figure of accuracies (0 to 1) after so many steps, a line for each name.

    The `baseline` is what the most frequent answer would get.
    """
    with styled():
        figure, ax = _lines(found, int(baseline is not None), "steps")
        if baseline is not None:
            ax.axhline(baseline, label="the most frequent label everywhere", color=QUIET, linewidth=0.8, linestyle=":")
        ax.set_xlim(left=0)
        _legend(figure)
    return figure


def lengths(found: Mapping[str, Mapping[int, float]], *, trained: int | None = None) -> Figure:
    """A figure of accuracies (0 to 1) at inputs of each length, a line for each name.

    What is longer than the longest input `trained` on lies right of a line.
    """
    points = {name: sorted(shares.items()) for name, shares in found.items()}
    longest = max((length for line in points.values() for length, _ in line), default=1)
    with styled():
        figure, ax = _lines(points, 1, "length of the input")
        if trained is not None and longest > trained:
            ax.axvline(trained + 0.5, label="longer than any trained on: right of here", color=QUIET, linewidth=0.8)
        ax.set_xlim(0.5, longest + 0.5)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        _legend(figure)
    return figure


def _lines(found: Mapping[str, Sequence[tuple[int, float]]], more: int, below: str) -> tuple[Figure, Axes]:
    """Axes of accuracies with a line for each name, and room for a legend of so many entries `more`."""
    legend = text_height(LABEL_SIZE, len(found) + more) + 0.1
    figure = new_figure(_LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BELOW + legend)
    ax = axes_at(figure, Box(_LEFT, _TOP, _WIDTH, _HEIGHT))
    for number, (name, points) in enumerate(found.items()):
        places, shares = zip(*points, strict=True)
        style = _STYLES[number // len(_COLOURS) % len(_STYLES)]
        ax.plot(places, shares, label=name, color=_COLOURS[number % len(_COLOURS)], linestyle=style, linewidth=1.2)
    ax.set_ylim(0, 1.02)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    ax.tick_params(length=2, labelsize=LABEL_SIZE, width=0.6)
    ax.set_xlabel(below, fontsize=LABEL_SIZE, color=QUIET)
    ax.set_ylabel("held-out tokens right", fontsize=TITLE_SIZE, color=INK)
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def _legend(figure: Figure) -> None:
    """The names of the lines, below the axes."""
    width, height = figure.get_size_inches()
    place = (_LEFT / width, 0.02, 0.9, (height - _TOP - _HEIGHT - _BELOW) / height)
    figure.legend(loc="lower left", bbox_to_anchor=place, fontsize=LABEL_SIZE, frameon=False, borderpad=0)

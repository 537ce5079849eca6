"""Learned heads beside the program's, and the curves of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rasp.operations import Atom
from viz.head_grid import heads
from viz.style import INK, LABEL_SIZE, QUIET, TITLE_SIZE, Box, axes_at, new_figure, styled, text_height

_COLOURS = ("#1f5f99", "#c2571a", "#3c8d5a", "#8a5fa8", "#b08a1e", "#5c6b7a")
_STYLES = ("-", "--", ":", "-.")
_WIDTH, _HEIGHT = 5.2, 2.6
_LEFT, _TOP, _BELOW, _RIGHT = 0.6, 0.2, 0.5, 0.2


def learned_heads(tokens: Sequence[Atom], pairs: Sequence[tuple[int, str, Any, Any]]) -> Figure:
    """A figure with three rows a layer: the program's heads, the learned ones below, and their differences.

    Each pair is a layer from 1 on, the name of the program's head, and two attentions [S, S]; the `tokens` are S, or
    S − 1 where position 0 is BOS. DataFault where sizes do not fit.
    """
    attention: list[list[Any]] = []
    titles: list[list[str]] = []
    rows: list[str] = []
    for layer in sorted({pair[0] for pair in pairs}):
        own = [pair for pair in pairs if pair[0] == layer]
        differences = [_difference(asked, learned, len(tokens)) for _, _, asked, learned in own]
        attention += [[pair[2] for pair in own], [pair[3] for pair in own], differences]
        titles += [[pair[1] for pair in own], [f"learned: {pair[1]}" for pair in own], list(map(_off, differences))]
        rows += [f"layer {layer}: program", f"layer {layer}: learned", f"layer {layer}: difference"]
    return heads(attention, tokens, titles=titles, rows=rows)


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
    legend = text_height(LABEL_SIZE, len(found) + (baseline is not None)) + 0.1
    width, height = _LEFT + _WIDTH + _RIGHT, _TOP + _HEIGHT + _BELOW + legend
    with styled():
        figure = new_figure(width, height)
        ax = axes_at(figure, Box(_LEFT, _TOP, _WIDTH, _HEIGHT))
        for number, (name, points) in enumerate(found.items()):
            steps, shares = zip(*points, strict=True)
            style = _STYLES[number // len(_COLOURS) % len(_STYLES)]
            ax.plot(steps, shares, label=name, color=_COLOURS[number % len(_COLOURS)], linestyle=style, linewidth=1.2)
        if baseline is not None:
            ax.axhline(baseline, label="the most frequent label everywhere", color=QUIET, linewidth=0.8, linestyle=":")
        ax.set_ylim(0, 1.02)
        ax.set_xlim(left=0)
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
        ax.tick_params(length=2, labelsize=LABEL_SIZE, width=0.6)
        ax.set_xlabel("steps", fontsize=LABEL_SIZE, color=QUIET)
        ax.set_ylabel("held-out tokens right", fontsize=TITLE_SIZE, color=INK)
        ax.spines[["top", "right"]].set_visible(False)
        place = (_LEFT / width, 0.02, 0.9, legend / height)
        figure.legend(loc="lower left", bbox_to_anchor=place, fontsize=LABEL_SIZE, frameon=False, borderpad=0)
    return figure

"""Learned heads beside the program's, and the curves of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure

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

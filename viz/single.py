"""One matrix large: a head's weights, or the pattern a selector has on an input. Row = query, column = key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from rasp.graph import Selector
from rasp.interpret import Run
from rasp.operations import Atom
from rasp.printing import expression
from viz.attention import Visible, sight_of, weights_of
from viz.fonts import drawable, unwritten
from viz.labels import NOTHING_SELECTED, OUT_OF_SIGHT, label
from viz.matrix import (
    MatrixPlan,
    cell_size,
    draw_bar,
    draw_matrix,
    name_axes,
    plan_matrix,
)
from viz.style import LABEL_SIZE, Box, axes_at, new_figure, styled, text_height, wrap

_SIDE = 4.5
_SMALLEST_CELL, _LARGEST_CELL = 0.045, 0.5
_TITLE_SIZE = 9.0
_TITLE_WIDTH = 2.0
_MARGIN = 0.15
_AXIS_NAME = 0.2
_BAR = 0.85


def head(
    weights: Any,
    tokens: Sequence[Atom],
    *,
    title: str | None = None,
    ax: Axes | None = None,
    mask: Visible | None = None,
) -> Axes:
    """The axes with one head's attention [T, T], its weights written in the cells while these are large enough.

    `tokens` are the T tokens, or T − 1 where position 0 is BOS; DataFault where they do not fit, or where weights lie
    outside 0 to 1. What a `mask` [T, T] hides is grey: it is true where a query may look. Without `ax`, a new figure of
    fitting size is made: `head(…).figure`.
    """
    return _draw(weights_of(weights, tokens), tokens, title, ax, mask)


def selector(
    marked: Selector | Any,
    tokens: Sequence[Atom],
    *,
    title: str | None = None,
    ax: Axes | None = None,
    causal: bool = False,
) -> Axes:
    """The axes with the cells that a selector marks on an input (or those true in a matrix of booleans [T, T]).

    The title of a selector is its expression, unless one is given; `causal` masks it to keys at or before the query.
    What that or a relation in it hides is grey. Errors as for `head`, and those of evaluation.
    """
    if isinstance(marked, Selector):
        run = Run(tokens, causal=causal)
        return _draw(run.selector(marked), tokens, title or expression(marked), ax, sight_of(marked, run))
    weights_of(marked, tokens, "the selector")
    return _draw(np.asarray(marked, dtype=bool), tokens, title, ax)


def _draw(matrix: Any, tokens: Sequence[Atom], title: str | None, ax: Axes | None, mask: Visible | None = None) -> Axes:
    side, smallest = (_SIDE, _SMALLEST_CELL) if ax is None else (_room(ax), 0.0)
    plan = plan_matrix(matrix, tokens, cell_size(len(matrix), side, smallest, _LARGEST_CELL), written=True, mask=mask)
    lines = wrap(drawable(title or ""), max(plan.cell * len(matrix), _TITLE_WIDTH), _TITLE_SIZE, 2)
    side = max(plan.cell * len(matrix), _TITLE_WIDTH)
    notes = _notes(plan, unwritten([*map(label, tokens), title or ""]), side)
    with styled():
        axes = ax or _new_axes(plan, len(lines), len(notes))
        draw_matrix(axes, plan)
        name_axes(axes, "\n".join(notes))
        axes.set_title("\n".join(lines), loc="left", fontsize=_TITLE_SIZE, pad=5)
        if not plan.boolean and not plan.written:
            draw_bar(axes.inset_axes((1.04, 0.0, 0.03, 1.0)))
    return axes


def _notes(plan: MatrixPlan, remark: str, width: float) -> tuple[str, ...]:
    """What is said below the matrix, line by line."""
    hides = plan.hidden is not None and bool(plan.hidden.any())
    signs = [*([NOTHING_SELECTED] if plan.empty else []), *([OUT_OF_SIGHT] if hides else [])]
    return (*signs, *wrap(remark, width, LABEL_SIZE, 4))


def _room(ax: Axes) -> float:
    """The shorter side of given axes, in inches."""
    return float(min(ax.bbox.width, ax.bbox.height) / ax.figure.dpi)


def _new_axes(plan: MatrixPlan, title_lines: int, note_lines: int) -> Axes:
    """Axes of the planned size on a figure that has just room for them and their texts."""
    side = plan.cell * len(plan.weights)
    left = _MARGIN + _AXIS_NAME + plan.query.width
    top = _MARGIN + text_height(_TITLE_SIZE, title_lines) + 0.08
    below = plan.key.height + _AXIS_NAME + text_height(LABEL_SIZE, note_lines) + _MARGIN
    right = _MARGIN if plan.boolean or plan.written else _BAR
    figure = new_figure(left + max(side, _TITLE_WIDTH) + right, top + side + below)
    return axes_at(figure, Box(left, top, side, side))

"""Attention as numbers: matrices [T, T] checked against their tokens. Row = query, column = key. No drawing here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.selectors import mask_of
from rasp.errors import DataFault
from rasp.graph import Selector, full
from rasp.interpret import Run
from rasp.operations import Atom

Weights: TypeAlias = NDArray[np.float64]
Visible: TypeAlias = NDArray[np.bool_]
"""Where a mask lets a query look, [T, T]."""

_FAINTEST = 1e-3
_TOLERANCE = 1e-3


def layer_weights(layer: Any, tokens: Sequence[Atom], number: int) -> list[Weights]:
    """The checked matrices of a layer, whose number is for errors. DataFault as for `weights_of`."""
    return [weights_of(head, tokens, f"layer {number}, head {h}: attention") for h, head in enumerate(layer, 1)]


def weights_of(matrix: Any, tokens: Sequence[Atom], what: str = "attention") -> Weights:
    """The numbers [T, T] of a matrix, checked: square, as many rows as tokens (or one more, BOS), all from 0 to 1."""
    weights = np.asarray(matrix, dtype=np.float64)
    size = len(tokens)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1]:
        raise DataFault(f"{what} has shape {list(weights.shape)}", hint="give a square matrix, one row a query")
    if weights.shape[0] not in (size, size + 1):
        raise DataFault(
            f"{what} has {weights.shape[0]} rows for {size} tokens",
            hint="give as many tokens as rows, or one token less where the first row and column are BOS",
        )
    if weights.size and not (weights.min() >= -_TOLERANCE and weights.max() <= 1 + _TOLERANCE):
        raise DataFault(f"{what} has numbers outside 0 to 1, or that are no numbers", hint="give weights after softmax")
    return weights


def sight_of(selector: Selector, run: Run) -> Visible | None:
    """Where a head of a selector may look on an input, [T, T]: what relations in it and a causal mask let it see; None
    where that is everywhere."""
    mask = mask_of(selector)
    if mask is None and not run.causal:
        return None
    return run.selector(full if mask is None else mask)


def hidden_by(mask: Visible, weights: Weights) -> Visible:
    """The cells that a mask [T, T] hides. DataFault where it does not fit the weights, or hides attention there is."""
    hidden = ~np.asarray(mask, dtype=bool)
    if hidden.shape != weights.shape:
        raise DataFault(f"a mask has shape {list(hidden.shape)}, its attention {list(weights.shape)}")
    if (weights[hidden] >= faintest(weights)).any():
        raise DataFault("there is attention where the mask hides the key", hint="masks are True where a query may look")
    return hidden


def faintest(weights: Weights) -> float:
    """The least weight that counts as attention: less than an even share of all positions."""
    return min(_FAINTEST, 0.5 / max(len(weights), 1))


def empty_rows(weights: Weights, bos: bool, least: float | None = None) -> tuple[int, ...]:
    """The queries (BOS itself left out) that attend to no token; `least` counts as attention, else as `faintest`."""
    first, least = int(bos), faintest(weights) if least is None else least
    return tuple(int(row) for row in range(first, len(weights)) if (weights[row, first:] < least).all())

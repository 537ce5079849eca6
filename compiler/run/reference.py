"""The forward pass in plain numpy: the shortest reading of the contract in `ir`, to check others against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.ir import Array, FeedForwardWeights, HeadWeights, ModelWeights
from compiler.run.graph_inputs import NOTHING, GraphInputs

BLOCK = 1 << 24
_MANY = 512


@dataclass(frozen=True, eq=False)
class Trace:
    """One forward pass: logits of each output and each guard [T, O], attention of each layer's heads [T, T].

    `residuals` [T, D]: the stream at each of the model's `stages`: the embedding, then after every step. Both are empty
    where only the logits were asked for.
    """

    outputs: tuple[Array, ...]
    guards: tuple[Array, ...]
    attention: tuple[tuple[Array, ...], ...]
    residuals: tuple[Array, ...]

    @property
    def logits(self) -> Array:
        """The logits of the first output."""
        return self.outputs[0]


def forward(
    model: ModelWeights,
    token_ids: np.ndarray[Any, np.dtype[np.integer[Any]]],
    *,
    whole: bool = True,
    graphs: GraphInputs = NOTHING,
) -> Trace:
    """The trace of a model on token ids [T] (or [B, T]: every array then has B in front), BOS (0) first.

    `graphs` are the masks of heads that have one, with or without B in front as the ids.
    Unless it is `whole`, it has logits alone: no attention is kept, and nothing of the residual stream.
    """
    attention: list[tuple[Array, ...]] = []
    residuals: list[Array] = []
    for x, patterns in _stages(model, token_ids, graphs, whole):
        residuals += [x] * whole
        attention += [patterns] * (whole and bool(patterns))
    guards = tuple(_times(x, guard.W_U) for guard in model.guards)
    outputs = tuple(_times(x, output.W_U) for output in model.outputs)
    return Trace(outputs, guards, tuple(attention), tuple(residuals))


def _stages(
    model: ModelWeights, token_ids: Any, graphs: GraphInputs, whole: bool
) -> Iterator[tuple[Array, tuple[Array, ...]]]:
    """The residual stream at each stage, and the attention of the heads where the step to it was attention.

    Unless it is `whole`, no attention is kept: it is there for some queries at a time.
    """
    x = model.W_E[token_ids] + model.W_pos[: token_ids.shape[-1]]
    yield x, ()
    for weights in model.input_feed_forwards:
        x = x + _feed_forward(x, weights)
        yield x, ()
    for layer in model.layers:
        attended = [_attended(x, head, model.causal, graphs, whole) for head in layer.heads]
        for head, (read, _) in zip(layer.heads, attended, strict=True):
            x = x + _times(read, head.W_O)
        yield x, tuple(pattern for _, pattern in attended if pattern is not None)
        for weights in layer.feed_forwards:
            x = x + _feed_forward(x, weights)
            yield x, ()


def _attended(
    x: Array, head: HeadWeights, causal: bool, graphs: GraphInputs, whole: bool
) -> tuple[Array, Array | None]:
    """What a head reads at the keys [T, W], and its attention [T, T], row = query, if it is to be kept.

    Otherwise a block of queries attends at a time.
    """
    queries, keys = _times(x, head.W_Q), _times(x, head.W_K).swapaxes(-1, -2)
    values = _times(x, head.W_V)
    hidden = None if head.mask is None else ~graphs.masks[head.mask]
    parts = []
    for rows in [slice(0, x.shape[-2])] if whole else _blocks(x, x.shape[-2]):
        scores = queries[..., rows, :] @ keys
        if causal:
            scores = np.where(np.arange(x.shape[-2]) > np.arange(x.shape[-2])[rows, None], -np.inf, scores)
        if hidden is not None:
            scores = np.where(hidden[..., rows, :], -np.inf, scores)
        pattern = _softmax(scores)
        parts.append(pattern @ values)
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2), pattern if whole else None


def _blocks(x: Array, width: int) -> list[slice]:
    """The positions of x [..., T, D] in blocks of at most BLOCK numbers, where each position takes so many."""
    length = x.shape[-2]
    size = max(1, BLOCK * length // max(1, x.size // x.shape[-1] * width))
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]


def _softmax(scores: Array) -> Array:
    """softmax over keys."""
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Array = weights / weights.sum(axis=-1, keepdims=True)
    return result


def _feed_forward(x: Array, weights: FeedForwardWeights) -> Array:
    """What a feed-forward adds to the stream, with the hidden units of a block of positions at a time."""
    parts = [
        _times(np.maximum(_times(x[..., rows, :], weights.W_in) + weights.b_in, 0), weights.W_out)
        for rows in _blocks(x, len(weights.b_in))
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-2)


def _times(x: Array, W: Array) -> Array:  # noqa: N803
    """x @ W for x [..., D], as one product of two matrices: numpy would make one for each input of a batch.

    Where there are many rows to multiply, it is worth finding which rows and columns of W are not all zeros.
    """
    flat = x.reshape(-1, x.shape[-1])
    result: Array = flat @ W if len(flat) < _MANY else _without_zeros(flat, W)
    return result.reshape(*x.shape[:-1], W.shape[-1])


def _without_zeros(x: Array, W: Array) -> Array:  # noqa: N803
    """x @ W by the rows and columns of W that hold anything: the rest of the product is 0."""
    used = W != 0
    rows, columns = np.flatnonzero(used.any(axis=1)), np.flatnonzero(used.any(axis=0))
    if 2 * len(rows) * len(columns) > W.size:
        return x @ W
    result = np.zeros((len(x), W.shape[1]), dtype=np.result_type(x, W))
    result[:, columns] = x[:, rows] @ W[np.ix_(rows, columns)]
    return result

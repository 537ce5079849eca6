"""The forward pass in plain numpy: the shortest reading of the contract in `ir`, to check others against."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.ir import Array, FeedForwardWeights, HeadWeights, ModelWeights
from compiler.run.graph_inputs import NOTHING, GraphInputs


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
    for x, patterns in _stages(model, token_ids, graphs):
        residuals += [x] * whole
        attention += [patterns] * (whole and bool(patterns))
    guards = tuple(_times(x, guard.W_U) for guard in model.guards)
    outputs = tuple(_times(x, output.W_U) for output in model.outputs)
    return Trace(outputs, guards, tuple(attention), tuple(residuals))


def _stages(model: ModelWeights, token_ids: Any, graphs: GraphInputs) -> Iterator[tuple[Array, tuple[Array, ...]]]:
    """The residual stream at each stage, and the attention of the heads where the step to it was attention."""
    x = model.W_E[token_ids] + model.W_pos[: token_ids.shape[-1]]
    yield x, ()
    for weights in model.input_feed_forwards:
        x = x + _feed_forward(x, weights)
        yield x, ()
    for layer in model.layers:
        patterns = tuple(_pattern(x, head, model.causal, graphs) for head in layer.heads)
        values = [_times(x, head.W_V) for head in layer.heads]
        for head, pattern, value in zip(layer.heads, patterns, values, strict=True):
            x = x + _times(pattern @ value, head.W_O)
        yield x, patterns
        for weights in layer.feed_forwards:
            x = x + _feed_forward(x, weights)
            yield x, ()


def _pattern(x: Array, head: HeadWeights, causal: bool, graphs: GraphInputs) -> Array:
    """softmax over keys; [T, T], row = query."""
    scores = _times(x, head.W_Q) @ _times(x, head.W_K).swapaxes(-1, -2)
    if causal:
        scores = np.where(np.tri(x.shape[-2], dtype=bool), scores, -np.inf)
    if head.mask is not None:
        scores = np.where(graphs.masks[head.mask], scores, -np.inf)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Array = weights / weights.sum(axis=-1, keepdims=True)
    return result


def _feed_forward(x: Array, weights: FeedForwardWeights) -> Array:
    return _times(np.maximum(_times(x, weights.W_in) + weights.b_in, 0), weights.W_out)


def _times(x: Array, W: Array) -> Array:  # noqa: N803
    """x @ W for x [..., D], as one product of two matrices: numpy would make one for each input of a batch."""
    result: Array = (x.reshape(-1, x.shape[-1]) @ W).reshape(*x.shape[:-1], W.shape[-1])
    return result

"""The same model without biases, for libraries that may add the bias of a hidden layer while they sum up the product.

The constructions of the compiler need a product p = x·W_in rounded before its bias b is added: where a hidden unit
has a bias, x has a large constant in it, which rounds p to an integer, and the bias takes that constant off again. A
library that starts its sum with the bias, as a fused product may, rounds something else.

So a unit with a bias becomes two, one after the other, and a direction s that was 0 before:

    r = relu(p)         written to s, in a feed-forward of its own
    h = relu(r + b·c)   read from s and from c, a direction that is 1 everywhere; what h writes is as before
    r − r               another unit reads s and takes r off it again

Claim: h = relu(p + b), bit for bit, whatever x is, if b ≤ 0. Where p ≥ 0, r is p, and r + b·c is a sum of two numbers
and of zeros: rounded once, to the same float in every order. Where p < 0, p + b is negative, and b is not positive:
relu of both is 0. Units without a bias read x in the second feed-forward, as x has not changed there but for s, which
they do not read. The last line leaves s as it was: r·1 and r·(−1) are exact.

A bias above 0 has no such reason, and the compiler builds none; a model with one is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import Array, FeedForwardWeights, HeadWeights, LayerWeights, ModelWeights, Readout
from rasp.errors import Refusal

ONE = "1 everywhere"
Units: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]


def biasless(weights: ModelWeights) -> ModelWeights:
    """The model with more directions, twice the feed-forwards where they have biases, and every bias 0.

    Its logits and attention are the model's. It is no model of the compiler's, so it has no certificate. Refusal for a
    bias above 0.
    """
    widest = max((int(np.count_nonzero(part.b_in)) for part in weights.feed_forwards), default=0)
    if any((part.b_in > 0).any() for part in weights.feed_forwards):
        raise Refusal("a hidden unit of this model has a bias above 0, and only one that is not can be done without")
    wide = _Widened(weights.d_model, widest, weights.dtype)
    embedding = wide.rows(weights.W_E)
    embedding[:, weights.d_model] = 1
    return replace(
        weights,
        directions=(*weights.directions, ONE, *(f"rounded product {number}" for number in range(widest))),
        W_E=embedding,
        W_pos=wide.rows(weights.W_pos),
        input_feed_forwards=wide.feed_forwards(weights.input_feed_forwards),
        layers=tuple(
            LayerWeights(tuple(map(wide.head, layer.heads)), wide.feed_forwards(layer.feed_forwards))
            for layer in weights.layers
        ),
        outputs=tuple(map(wide.readout, weights.outputs)),
        guards=tuple(map(wide.readout, weights.guards)),
        certificate=None,
    )


class _Widened:
    """Weights over D directions as weights over those, the one that is 1 everywhere, and `extra` more."""

    def __init__(self, width: int, extra: int, dtype: str) -> None:
        self.one, self.first = width, width + 1
        self.extra, self.dtype = extra + 1, dtype

    def rows(self, array: Array) -> Array:
        """What writes [M, D], with zeros for the further directions."""
        return np.pad(array, ((0, 0), (0, self.extra)))

    def columns(self, array: Array) -> Array:
        """What reads [D, M], with zeros for the further directions."""
        return np.pad(array, ((0, self.extra), (0, 0)))

    def head(self, head: HeadWeights) -> HeadWeights:
        W_Q, W_K, W_V = (self.columns(array) for array in (head.W_Q, head.W_K, head.W_V))  # noqa: N806
        return replace(head, W_Q=W_Q, W_K=W_K, W_V=W_V, W_O=self.rows(head.W_O))

    def readout(self, readout: Readout) -> Readout:
        return replace(readout, W_U=self.columns(readout.W_U))

    def feed_forwards(self, parts: tuple[FeedForwardWeights, ...]) -> tuple[FeedForwardWeights, ...]:
        """Each feed-forward, those with biases as two."""
        return tuple(found for part in parts for found in self._without_bias(part))

    def _without_bias(self, part: FeedForwardWeights) -> tuple[FeedForwardWeights, ...]:
        W_in, W_out = self.columns(part.W_in), self.rows(part.W_out)  # noqa: N806
        units = np.flatnonzero(part.b_in)
        if not len(units):
            return (replace(part, W_in=W_in, W_out=W_out),)
        scratch = self.first + np.arange(len(units))
        marks = np.zeros((len(W_in), len(units)), dtype=self.dtype)
        marks[scratch, np.arange(len(units))] = 1
        rounding = self._part(part, units, W_in[:, units], marks.T)
        W_in[:, units] = marks
        W_in[self.one, units] = part.b_in[units]
        every = np.concatenate([np.arange(len(part.b_in)), units])
        rest = self._part(part, every, np.hstack([W_in, marks]), np.vstack([W_out, -marks.T]))
        return rounding, rest

    def _part(self, of: FeedForwardWeights, units: Units, W_in: Array, W_out: Array) -> FeedForwardWeights:  # noqa: N803
        """A feed-forward without biases, whose hidden units stand for these of another one."""
        neurons, lines = tuple(of.neurons[unit] for unit in units), tuple(of.lines[unit] for unit in units)
        return FeedForwardWeights(W_in, np.zeros(len(units), dtype=self.dtype), W_out, neurons, lines)

"""A model without biases gives, bit for bit, what the model with them gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.run.reference import forward
from export.biasless import biasless
from rasp.errors import Refusal
from tests.bundled import EVERY, bundled


@EVERY
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_program_gives_the_same_stream(name: str, dtype: str) -> None:
    weights = bundled(name, 6, dtype).weights
    without = biasless(weights)
    ids = np.pad(np.random.default_rng(0).integers(1, len(weights.vocabulary) + 1, (40, 6)), ((0, 0), (1, 0)))
    own, found = forward(weights, ids), forward(without, ids)
    assert not any(part.b_in.any() for part in without.feed_forwards)
    assert np.array_equal(found.residuals[-1][..., : weights.d_model], own.residuals[-1])
    assert not found.residuals[-1][..., weights.d_model + 1 :].any()
    assert all(map(np.array_equal, found.outputs, own.outputs))


def test_a_bias_above_0_is_refused() -> None:
    weights = bundled("reverse").weights
    layer = weights.layers[0]
    part = layer.feed_forwards[0]
    raised = replace(layer, feed_forwards=(replace(part, b_in=-part.b_in),))
    with pytest.raises(Refusal, match="bias above 0"):
        biasless(replace(weights, layers=(raised, *weights.layers[1:])))

"""A model in the shapes of TransformerLens: what `export.lens` makes a model of there.

All its blocks are of one size and its linear maps may fuse the bias, so what is exported is the model without biases
(`export.biasless`): each attention with the feed-forward after it is a block, padded with zeros, heads that write
nothing and units that are always 0. TransformerLens divides scores by √d_head. Equal scores stay equal floats where
that is a power of two, so d_head is padded to a power of four, and W_Q is multiplied by the root: both are exact.

The unembedding has the logits of all outputs side by side, then those of the guards; `lens_trace` takes them apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from compiler.ir import Array, Block, FeedForwardWeights, HeadWeights, ModelWeights
from compiler.run.model import CompiledModel
from compiler.run.reference import Trace
from export.biasless import biasless
from rasp.operations import Atom


def lens_blocks(model: CompiledModel) -> list[int]:
    """The block that has the heads of each layer in TransformerLens: layers are further apart there."""
    return [at for at, block in enumerate(biasless(model.weights).blocks) if block.heads]


def lens_config(weights: ModelWeights) -> dict[str, Any]:
    """The fields of a configuration: what `HookedTransformerConfig` and `TransformerBridgeConfig` take."""
    plain = biasless(weights)
    blocks = plain.blocks or [Block((), None)]
    heads = [head for block in blocks for head in block.heads]
    return {
        "n_layers": len(blocks),
        "d_model": plain.d_model,
        "n_ctx": weights.max_length + 1,
        "d_head": _power_of_four(max((max(h.W_K.shape[1], h.W_V.shape[1]) for h in heads), default=1)),
        "n_heads": max((len(block.heads) for block in blocks), default=1) or 1,
        "d_mlp": max((len(part.b_in) for part in plain.feed_forwards), default=1) or 1,
        "d_vocab": len(weights.vocabulary) + 1,
        "d_vocab_out": sum(readout.W_U.shape[1] for readout in (*weights.outputs, *weights.guards)),
        "act_fn": "relu",
        "normalization_type": None,
        "attention_dir": "causal" if weights.causal else "bidirectional",
        "positional_embedding_type": "standard",
        "model_name": "rasp",
        "init_weights": False,
        "dtype": weights.dtype,
    }


def _power_of_four(size: int) -> int:
    return int(4 ** math.ceil(math.log(size, 4) - 1e-9))


def lens_tensors(weights: ModelWeights) -> dict[str, Array]:
    """The weights under the names and in the shapes of a `HookedTransformer`'s state dict."""
    plain, sizes = biasless(weights), lens_config(weights)
    found = {
        "embed.W_E": plain.W_E,
        "pos_embed.W_pos": plain.W_pos,
        "unembed.W_U": np.hstack([readout.W_U for readout in (*plain.outputs, *plain.guards)]),
        "unembed.b_U": np.zeros(sizes["d_vocab_out"], dtype=weights.dtype),
    }
    for at, block in enumerate(plain.blocks or [Block((), None)]):
        attention, mlp = _attention(block.heads, sizes, weights.dtype), _mlp(block.feed_forward, sizes, weights.dtype)
        found |= {f"blocks.{at}.attn.{name}": array for name, array in attention.items()}
        found |= {f"blocks.{at}.mlp.{name}": array for name, array in mlp.items()}
    return {name: np.ascontiguousarray(array) for name, array in found.items()}


def _attention(heads: tuple[HeadWeights, ...], sizes: Mapping[str, int], dtype: str) -> dict[str, Array]:
    """W_Q, W_K, W_V [H, D, K], W_O [H, K, D] and biases of 0; heads that are missing are 0 and write nothing."""
    count, width, size = (sizes[name] for name in ("n_heads", "d_model", "d_head"))
    found = {name: np.zeros((count, width, size), dtype=dtype) for name in ("W_Q", "W_K", "W_V")}
    found["W_O"] = np.zeros((count, size, width), dtype=dtype)
    for at, head in enumerate(heads):
        found["W_Q"][at, :, : head.W_Q.shape[1]] = head.W_Q * math.isqrt(size)
        found["W_K"][at, :, : head.W_K.shape[1]] = head.W_K
        found["W_V"][at, :, : head.W_V.shape[1]] = head.W_V
        found["W_O"][at, : head.W_O.shape[0]] = head.W_O
    biases = {name: np.zeros((count, size), dtype=dtype) for name in ("b_Q", "b_K", "b_V")}
    return found | biases | {"b_O": np.zeros(width, dtype=dtype)}


def _mlp(part: FeedForwardWeights | None, sizes: Mapping[str, int], dtype: str) -> dict[str, Array]:
    """W_in [D, M], W_out [M, D] and biases of 0; units that are missing are 0."""
    width, size = sizes["d_model"], sizes["d_mlp"]
    W_in, W_out = np.zeros((width, size), dtype=dtype), np.zeros((size, width), dtype=dtype)  # noqa: N806
    if part is not None:
        W_in[:, : len(part.b_in)] = part.W_in
        W_out[: len(part.b_in)] = part.W_out
    return {"W_in": W_in, "b_in": np.zeros(size, dtype=dtype), "W_out": W_out, "b_out": np.zeros(width, dtype=dtype)}


def lens_values(model: CompiledModel, logits: Any) -> list[Atom]:
    """The values of the first output on one input, from logits [T, O] of TransformerLens, BOS first.

    ValueFault where they stand for no value of the program.
    """
    plain = logits.detach().cpu() if hasattr(logits, "detach") else logits
    found = model.decode(lens_trace(model.weights, np.asarray(plain)))
    return next(iter(found.values()))


def lens_trace(weights: ModelWeights, logits: Array, attention: tuple[tuple[Array, ...], ...] = ()) -> Trace:
    """The logits of each output and guard, from those of an exported model [..., O] side by side."""
    sizes = [readout.W_U.shape[1] for readout in (*weights.outputs, *weights.guards)]
    parts = np.split(logits, np.cumsum(sizes)[:-1], axis=-1)
    return Trace(tuple(parts[: len(weights.outputs)]), tuple(parts[len(weights.outputs) :]), attention, ())

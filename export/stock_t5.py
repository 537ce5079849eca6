"""Compiled models in a stock class of Hugging Face: `T5ForTokenClassification`, which needs none of our code to run.

Its encoder computes what a compiled model does once the following is settled, each of it exact.

- Feed-forwards have no biases: what is exported is the model without them (`export.biasless`). Scores are not divided.
- RMSNorm is x · rsqrt(mean(x²) + eps) · weight. With eps = 2^100 the mean, which is below 2^50, vanishes beside eps,
  the root is 2^−50, and with weights 2^50 every number that is neither huge nor tiny comes through bit for bit.
- Positions are relative there, so an id says both: `position · (V + 1) + token`, BOS being token 0 at position 0. The
  embedding of an id is W_E[token] + W_pos[position]; the bias by relative position is 0.
- Softmax is taken in float32, so models in float64 are refused; there is no causal encoder.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import T5Config, T5ForTokenClassification

from compiler.artifact import description
from compiler.ir import Array, ModelWeights
from compiler.run.graph_inputs import NOTHING, GraphInputs
from compiler.run.model import CompiledModel, Runtime
from compiler.run.reference import Trace
from compiler.run.verify import verify
from export.biasless import biasless
from export.extras import unmasked
from export.folders import write_folder
from export.huggingface import RaspTokenizer
from export.lens_weights import lens_config, lens_tensors, lens_trace
from rasp.errors import Refusal

_EPS, _WEIGHT = 2.0**100, 2.0**50
_REPLAYED = 50


def to_t5(model: CompiledModel) -> tuple[Any, RaspTokenizer]:
    """A T5 with a label for each logit, and the tokenizer that gives its ids.

    Refusal for a causal model, one in float64, and where an input replayed in it gives anything else than the program.
    """
    weights = unmasked(model, "a stock T5").weights
    if weights.dtype != "float32" or weights.causal:
        raise Refusal(
            f"a stock T5 holds no {'causal' if weights.causal else weights.dtype} model exactly",
            hint="--to huggingface has a class that does",
        )
    found = T5ForTokenClassification(_config(weights)).eval()
    missing = found.load_state_dict(_state(weights), strict=False).missing_keys
    assert set(missing) <= {"transformer.encoder.embed_tokens.weight"}, missing
    own = CompiledModel(weights)
    own.runtimes["t5"] = t5_runtime(found, weights)
    example = verify(weights.sops, own, count=_REPLAYED, engines=["t5"], exhaustive=_REPLAYED).counterexample
    if example is not None:
        raise Refusal(f"a stock T5 computes something else than the program on {example.tokens}")
    size = len(weights.vocabulary) + 1
    return found, RaspTokenizer(tokens=weights.vocabulary, stride=size, model_max_length=weights.max_length + 1)


def _config(weights: ModelWeights) -> Any:
    """The fields of the class: sizes as in TransformerLens, all blocks being alike, and dropouts of 0."""
    sizes = lens_config(weights)
    return T5Config(
        vocab_size=(weights.max_length + 1) * (len(weights.vocabulary) + 1),
        d_model=sizes["d_model"],
        d_kv=sizes["d_head"],
        d_ff=sizes["d_mlp"],
        num_layers=sizes["n_layers"],
        num_heads=sizes["n_heads"],
        num_labels=sizes["d_vocab_out"],
        feed_forward_proj="relu",
        layer_norm_epsilon=_EPS,
        dropout_rate=0.0,
        classifier_dropout=0.0,
        rasp=json.loads(json.dumps(description(weights))),
    )


def _state(weights: ModelWeights) -> dict[str, Tensor]:
    """The weights under the names and in the shapes of the class, whose matrices are transposed."""
    sizes, tensors = lens_config(weights), lens_tensors(weights)
    plain = biasless(weights)
    embedding = (plain.W_pos[:, None, :] + plain.W_E[None, :, :]).reshape(-1, sizes["d_model"])
    found: dict[str, Array] = {
        "transformer.shared.weight": embedding,
        "transformer.encoder.embed_tokens.weight": embedding,
    }
    found |= {"classifier.weight": tensors["unembed.W_U"].T, "classifier.bias": np.zeros(sizes["d_vocab_out"])}
    norm = np.full(sizes["d_model"], _WEIGHT)
    for at in range(sizes["n_layers"]):
        attention, mlp = f"transformer.encoder.block.{at}.layer.0", f"transformer.encoder.block.{at}.layer.1"
        found |= {f"{attention}.SelfAttention.{name}": part for name, part in _attention(tensors, at, sizes).items()}
        found[f"{mlp}.DenseReluDense.wi.weight"] = tensors[f"blocks.{at}.mlp.W_in"].T
        found[f"{mlp}.DenseReluDense.wo.weight"] = tensors[f"blocks.{at}.mlp.W_out"].T
        found |= {f"{attention}.layer_norm.weight": norm, f"{mlp}.layer_norm.weight": norm}
    found["transformer.encoder.final_layer_norm.weight"] = norm
    bias = "transformer.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
    found[bias] = np.zeros((T5Config().relative_attention_num_buckets, sizes["n_heads"]))
    return {name: torch.from_numpy(np.array(part, dtype=np.float32)) for name, part in found.items()}


def _attention(tensors: Mapping[str, Array], at: int, sizes: Mapping[str, int]) -> dict[str, Array]:
    """q, k, v [H·K, D] and o [D, H·K] of a block; the root of K that TransformerLens divides by is taken out of q."""
    width = sizes["d_model"]
    heads = {part: tensors[f"blocks.{at}.attn.W_{part}"] for part in "QKV"}
    heads["Q"] = heads["Q"] / np.float32(sizes["d_head"] ** 0.5)
    found = {f"{part.lower()}.weight": array.transpose(0, 2, 1).reshape(-1, width) for part, array in heads.items()}
    return found | {"o.weight": tensors[f"blocks.{at}.attn.W_O"].reshape(-1, width).T}


def t5_runtime(found: Any, weights: ModelWeights) -> Runtime:
    """What runs a model as T5; its traces have logits only."""
    stride = len(weights.vocabulary) + 1

    def run(token_ids: np.ndarray[Any, np.dtype[np.int64]], whole: bool, graphs: GraphInputs = NOTHING) -> Trace:
        ids = token_ids + stride * np.arange(token_ids.shape[-1])
        with torch.no_grad():
            logits = found(torch.from_numpy(np.atleast_2d(ids))).logits.numpy()
        return lens_trace(weights, logits if token_ids.ndim == 2 else logits[0])

    return run


def save_t5(model: CompiledModel, folder: Path) -> None:
    """Writes configuration, weights and tokenizer into one folder. Errors as for `to_t5`, and DataFault."""
    with tempfile.TemporaryDirectory() as place:
        for part in to_t5(model):
            part.save_pretrained(place)
        write_folder(folder, {path.name: path.read_bytes() for path in Path(place).iterdir()})

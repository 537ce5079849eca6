"""Compiled models in TransformerLens: a `TransformerBridge` (4.x) or a `HookedTransformer` (3.x), whichever is there.

There is no layer norm, nor any processing of weights that would move a mean (`enable_compatibility_mode` would); the
shapes are those of `export.lens_weights`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformer_lens
from safetensors.numpy import load_file
from safetensors.numpy import save as safetensors_bytes
from torch import Tensor

from compiler.artifact import description
from compiler.ir import Array
from compiler.run.graph_inputs import NOTHING, GraphInputs
from compiler.run.model import CompiledModel, Runtime
from compiler.run.reference import Trace
from compiler.run.verify import verify
from export.extras import unmasked
from export.folders import write_folder
from export.lens_weights import lens_blocks, lens_config, lens_tensors, lens_trace
from rasp.errors import DataFault, Refusal

_REPLAYED = 50
_CONFIG, _STATE, _MODEL = "config.json", "state.safetensors", "rasp.json"


def save_transformer_lens(model: CompiledModel, folder: Path) -> None:
    """Writes a folder: a configuration, a state dict, and the description of the model."""
    to_transformer_lens(model)
    about = {"blocks": lens_blocks(model), "model": description(model.weights)}
    files = {
        _CONFIG: json.dumps(lens_config(model.weights), indent=1).encode(),
        _STATE: safetensors_bytes(lens_tensors(model.weights)),
        _MODEL: json.dumps(about).encode(),
    }
    write_folder(folder, files)


def load_transformer_lens(folder: str | Path) -> Any:
    """The TransformerLens model in a folder that was exported. DataFault where there is none."""
    path = Path(folder)
    try:
        return lens_of(json.loads((path / _CONFIG).read_text()), load_file(path / _STATE))
    except (OSError, ValueError, KeyError) as error:
        raise DataFault(f"{folder} is no folder of a model for TransformerLens: {error}") from error


def to_transformer_lens(model: CompiledModel) -> Any:
    """The model in TransformerLens, as a `TransformerBridge` or a `HookedTransformer`.

    Refusal where one of the inputs replayed in it gives anything else than the program, or where TransformerLens cannot
    hold the model exactly.
    """
    unmasked(model, "TransformerLens")
    lens = lens_of(lens_config(model.weights), lens_tensors(model.weights))
    own = CompiledModel(model.weights)
    own.runtimes["transformer-lens"] = lens_runtime(lens, model)
    found = verify(
        model.weights.sops, own, count=_REPLAYED, engines=["transformer-lens"], exhaustive=_REPLAYED
    ).counterexample
    if found is not None:
        raise Refusal(
            f"TransformerLens {version('transformer-lens')} computes something else than the program on {found.tokens}"
        )
    return lens


def lens_of(config: Mapping[str, Any], tensors: Mapping[str, Array]) -> Any:
    """A TransformerLens model of a configuration and a state dict as `lens_config` and `lens_tensors` give them."""
    weights = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    dtype = getattr(torch, config["dtype"])
    if "HookedTransformer" in vars(transformer_lens):
        return _hooked({**config, "dtype": dtype}, weights)
    return _bridge(config, weights, dtype)


def _hooked(config: Mapping[str, Any], weights: dict[str, Tensor]) -> Any:
    lens = transformer_lens.HookedTransformer(transformer_lens.HookedTransformerConfig(**config))
    missing, unexpected = lens.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.endswith(("attn.mask", "attn.IGNORE")) for name in missing), missing
    return lens.eval()


def _bridge(config: Mapping[str, Any], weights: dict[str, Tensor], dtype: torch.dtype) -> Any:
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge import TransformerBridge
    from transformer_lens.utilities.tl_checkpoint_conversion import convert_tl_checkpoint

    made = TransformerBridgeConfig.from_dict({**config, "dtype": dtype})
    lens = TransformerBridge.boot_native(made, dtype=dtype)
    lens.load_state_dict(convert_tl_checkpoint(weights, made), strict=True)
    return lens.eval()


def lens_runtime(lens: Any, model: CompiledModel) -> Runtime:
    """What runs the model in TransformerLens; its traces have logits and attention."""
    weights = model.weights
    hooks = [f"blocks.{block}.attn.hook_pattern" for block in lens_blocks(model)]

    def run(token_ids: np.ndarray[Any, np.dtype[np.int64]], whole: bool, graphs: GraphInputs = NOTHING) -> Trace:
        with torch.no_grad():
            batch = torch.from_numpy(np.atleast_2d(token_ids))
            logits, cache = lens.run_with_cache(batch, return_type="logits", names_filter=hooks if whole else [])
        patterns = [cache[hook].numpy() for hook in hooks] if whole else []
        attention = tuple(
            tuple(pattern[:, head] for head, _ in enumerate(layer.heads))
            for pattern, layer in zip(patterns, weights.layers, strict=whole)
        )
        found = lens_trace(weights, logits.numpy(), attention)
        return found if token_ids.ndim == 2 else _first(found)

    return run


def _first(trace: Trace) -> Trace:
    attention = tuple(tuple(pattern[0] for pattern in layer) for layer in trace.attention)
    return Trace(tuple(a[0] for a in trace.outputs), tuple(a[0] for a in trace.guards), attention, ())

"""The weights of a model under stable names, as files and exports have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from compiler.ir import Array, FeedForwardWeights, HeadWeights, LayerWeights, ModelWeights


def output_tensor(index: int) -> str:
    """The name of an output's unembedding: the first one's is plain W_U."""
    return f"outputs.{index}.W_U" if index else "W_U"


def guard_tensor(index: int) -> str:
    """The name of a guard's unembedding."""
    return f"guards.{index}.W_U"


def input_mlp(number: int) -> str:
    """What the names of an input feed-forward's tensors begin with."""
    return f"input_mlps.{number}"


def layer_mlp(layer: int, number: int) -> str:
    """What the names of a layer's feed-forward's tensors begin with."""
    return f"layers.{layer}.mlps.{number}"


def layer_head(layer: int, number: int) -> str:
    """What the names of a head's tensors begin with."""
    return f"layers.{layer}.heads.{number}"


def named_tensors(model: ModelWeights) -> dict[str, Array]:
    """Every weight under its stable name."""
    found = {"W_E": model.W_E, "W_pos": model.W_pos}
    for index, output in enumerate(model.outputs):
        found[output_tensor(index)] = output.W_U
    for index, guard in enumerate(model.guards):
        found[guard_tensor(index)] = guard.W_U
    for number, weights in enumerate(model.input_feed_forwards):
        found |= _tensors(weights, input_mlp(number))
    for at, layer in enumerate(model.layers):
        for number, head in enumerate(layer.heads):
            found |= _tensors(head, layer_head(at, number))
        for number, weights in enumerate(layer.feed_forwards):
            found |= _tensors(weights, layer_mlp(at, number))
    return found


def with_tensors(model: ModelWeights, tensors: Mapping[str, Array]) -> ModelWeights:
    """The same model with other arrays under some of its names. KeyError for a name that it does not have."""
    own = named_tensors(model)
    if unknown := sorted(set(tensors) - set(own)):
        raise KeyError(unknown[0])
    every = {**own, **tensors}
    return replace(
        model,
        W_E=every["W_E"],
        W_pos=every["W_pos"],
        input_feed_forwards=tuple(
            _taken(weights, input_mlp(at), every) for at, weights in enumerate(model.input_feed_forwards)
        ),
        layers=tuple(_taken_layer(layer, at, every) for at, layer in enumerate(model.layers)),
        outputs=tuple(replace(found, W_U=every[output_tensor(at)]) for at, found in enumerate(model.outputs)),
        guards=tuple(replace(found, W_U=every[guard_tensor(at)]) for at, found in enumerate(model.guards)),
    )


def parameter_counts(model: ModelWeights) -> dict[str, int]:
    """How many parameters there are, and how many are not zero."""
    tensors = named_tensors(model).values()
    return {"total": sum(t.size for t in tensors), "nonzero": sum(int(np.count_nonzero(t)) for t in tensors)}


Part = TypeVar("Part", HeadWeights, FeedForwardWeights)


def _tensors(part: HeadWeights | FeedForwardWeights, prefix: str) -> dict[str, Array]:
    return {f"{prefix}.{name}": getattr(part, name) for name in part.TENSORS}


def _taken(part: Part, prefix: str, tensors: Mapping[str, Array]) -> Part:
    own: dict[str, Any] = {name: tensors[f"{prefix}.{name}"] for name in part.TENSORS}
    return replace(part, **own)


def _taken_layer(layer: LayerWeights, at: int, tensors: Mapping[str, Array]) -> LayerWeights:
    heads = (_taken(head, layer_head(at, number), tensors) for number, head in enumerate(layer.heads))
    mlps = (_taken(mlp, layer_mlp(at, number), tensors) for number, mlp in enumerate(layer.feed_forwards))
    return LayerWeights(tuple(heads), tuple(mlps))

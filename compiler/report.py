"""What a compiled model is made of, as text and as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from compiler.ir import LayerWeights
from compiler.model import CompiledModel


def counts(model: CompiledModel) -> dict[str, Any]:
    """Sizes of the model: compiled and predicted layers and heads, d_model, parameters."""
    weights = model.weights
    return {
        "name": weights.name,
        "layers": weights.depth,
        "heads": weights.heads,
        "predicted_layers": len(weights.predicted_heads),
        "predicted_heads": list(weights.predicted_heads),
        "d_model": weights.d_model,
        "parameters": weights.parameters,
    }


def report(model: CompiledModel) -> str:
    """The report `rasp compile` prints."""
    return "\n".join(_lines(model))


def _lines(model: CompiledModel) -> Iterator[str]:
    weights = model.weights
    yield f"{weights.name}: {len(weights.vocabulary)} tokens, up to {weights.max_length} positions, {weights.dtype}"
    yield f"  predicted   {_size(list(weights.predicted_heads))}"
    yield f"  compiled    {_size(weights.heads)}"
    total, nonzero = weights.parameters["total"], weights.parameters["nonzero"]
    yield f"  d_model     {weights.d_model}"
    yield f"  parameters  {total:,} ({nonzero:,} not zero)"
    if weights.certificate is not None:
        yield f"  certified   {weights.certificate.statement}"
        margin = f"{weights.certificate.headroom:.3g} times what is needed"
        yield f"              tightest: {weights.certificate.tightest}, {margin}"
    attention = 0
    for layer in weights.layers:
        attention += bool(layer.heads)
        yield from _layer(layer, attention)
    for note in weights.notes:
        yield f"  note: {note}"


def _size(heads: list[int]) -> str:
    layers = f"{len(heads)} layer{'' if len(heads) == 1 else 's'}"
    return f"{layers}, heads {', '.join(map(str, heads))}" if heads else layers


def _layer(layer: LayerWeights, number: int) -> Iterator[str]:
    yield (
        f"  layer {number}"
        if layer.heads
        else f"  feed-forward alone {'before layer 1' if number == 0 else ''}".rstrip()
    )
    for head in layer.heads:
        yield f"    head {head.kind:9}  d_head {head.W_Q.shape[1]:<5} {head.name}"
    if layer.feed_forward is not None:
        yield f"    neurons         d_mlp  {len(layer.feed_forward.neurons)}"
        for purpose, count in Counter(layer.feed_forward.neurons).items():
            yield f"      {count:>5} for {purpose}"

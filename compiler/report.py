"""What a compiled model is made of, as text and as plain data."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from compiler.ir import FeedForwardWeights, HeadWeights, LayerWeights
from compiler.run.model import CompiledModel
from compiler.symbolic import split_direction
from compiler.tensors import parameter_counts
from rasp.visible import visible

_NARROWEST = 40


def counts(model: CompiledModel) -> dict[str, Any]:
    """Sizes of the model and of each layer, what heads and neurons compute, the certificate, and the time it took."""
    weights = model.weights
    certificate = weights.certificate
    return {
        "name": weights.name,
        "layers": weights.depth,
        "heads": weights.heads,
        "predicted_layers": len(weights.predicted_heads),
        "predicted_heads": list(weights.predicted_heads),
        "d_model": weights.d_model,
        "directions": list(weights.directions),
        "parameters": parameter_counts(weights),
        "input": list(map(_feed_forward, weights.input_feed_forwards)),
        "blocks": [{"layer": number, **_layer(layer)} for number, layer in enumerate(weights.layers, 1)],
        "certificate": None if certificate is None else certificate.statement,
        "headroom": None if certificate is None else certificate.headroom,
        "notes": list(weights.notes),
        "seconds": {name: round(seconds, 4) for name, seconds in model.timings.items()},
    }


def _layer(layer: LayerWeights) -> dict[str, Any]:
    heads = [
        {"name": head.name, "line": head.line, "kind": head.kind, "d_head": head.W_Q.shape[1]} for head in layer.heads
    ]
    return {"heads": heads, "feed_forwards": list(map(_feed_forward, layer.feed_forwards))}


def _feed_forward(weights: FeedForwardWeights) -> dict[str, Any]:
    neurons = [{"name": name, "line": line, "count": count} for name, line, count in _groups(weights)]
    return {"d_mlp": len(weights.neurons), "neurons": neurons}


def _groups(weights: FeedForwardWeights) -> list[tuple[str, int | None, int]]:
    """What the neurons are for: name, source line, how many."""
    found = Counter(zip(weights.neurons, weights.lines, strict=True))
    return [(name, line, count) for (name, line), count in found.items()]


def report(model: CompiledModel, width: int | None = None) -> str:
    """The report `rasp compile` prints; lines longer than `width` are broken."""
    return "\n".join(part for line in _lines(model) for part in _broken(visible(line), width))


def _broken(line: str, width: int | None) -> list[str]:
    """A line as lines of a width, the further ones under the first one's text."""
    if width is None or len(line) <= width:
        return [line]
    start = re.match(r" *\S+ {2,}", line)
    indent = " " * (len(start.group()) if start else len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(line, max(width, _NARROWEST), subsequent_indent=indent, break_long_words=False)


def _lines(model: CompiledModel) -> Iterator[str]:
    weights = model.weights
    kind = f"causal {weights.dtype}" if weights.causal else weights.dtype
    yield f"{weights.name}: {len(weights.vocabulary)} tokens, up to {weights.max_length} positions, {kind}"
    yield f"  predicted   {_size(list(weights.predicted_heads))}"
    yield f"  compiled    {_size(weights.heads)}"
    yield f"  d_model     {weights.d_model}: {_spaces(weights.directions)}"
    total, nonzero = parameter_counts(weights)["total"], parameter_counts(weights)["nonzero"]
    yield f"  parameters  {total:,} ({nonzero:,} not zero)"
    if weights.certificate is not None:
        margin = f"{weights.certificate.headroom:.3g} times what is needed"
        yield f"  certified   {weights.certificate.statement}"
        yield f"              tightest: {weights.certificate.tightest}, {margin}"
    yield from _blocks(model)
    for note in weights.notes:
        yield f"  note: {note}"
    if model.timings:
        passes = ", ".join(f"{name} {seconds:.2f}" for name, seconds in model.timings.items() if seconds >= 0.005)
        yield f"  took {sum(model.timings.values()):.2f} s" + (f" ({passes})" if passes else "")


def _blocks(model: CompiledModel) -> Iterator[str]:
    """Layer by layer what heads and neurons are for; the input feed-forwards stand with the first layer."""
    weights = model.weights
    inputs = list(_all_neurons("input neurons", weights.input_feed_forwards))
    if inputs and not weights.layers:
        yield from ("  before any layer", *inputs)
    for number, layer in enumerate(weights.layers, 1):
        yield f"  layer {number}"
        yield from inputs if number == 1 else ()
        yield from map(_head, layer.heads)
        yield from _all_neurons("neurons", layer.feed_forwards)


def _all_neurons(what: str, feed_forwards: Sequence[FeedForwardWeights]) -> Iterator[str]:
    for weights in feed_forwards:
        yield f"    {what:14}  d_mlp  {len(weights.neurons)}"
        for name, line, count in _groups(weights):
            yield f"      {count:>5} for {name}{_at(line)}"


def _head(head: HeadWeights) -> str:
    return f"    head {head.kind:9}  d_head {head.W_Q.shape[1]:<5} {head.name}{_at(head.line)}"


def _at(line: int | None) -> str:
    return "" if line is None else f"   (line {line})"


def _size(heads: list[int]) -> str:
    layers = f"{len(heads)} layer{'' if len(heads) == 1 else 's'}"
    return f"{layers}, heads {', '.join(map(str, heads))}" if heads else layers


def _spaces(directions: tuple[str, ...]) -> str:
    """How many directions belong to each s-op."""
    found = Counter(split_direction(name)[0] for name in directions)
    shown = [f"{name} {count}" if count > 1 else name for name, count in found.items()]
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")

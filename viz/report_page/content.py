"""What a report page holds, as plain data: the program, the model, and what the interpreter says on the inputs given.

A float64 model of at most `LIVE_LIMIT` weights that are not 0 is put into the page whole and runs there. Of any other
one, what it does on the given inputs is put in, and what it answers there without each of its heads.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir import FeedForwardWeights, HeadWeights, LayerWeights, ModelWeights, Readout
from compiler.run.decode import clearest, nearest
from compiler.run.model import CompiledModel
from compiler.run.reference import Trace
from compiler.tensors import parameter_counts
from rasp.errors import RaspError
from rasp.graph import SOp, topological
from rasp.interpret import Run
from rasp.operations import Atom
from rasp.printing import expression
from viz.comparison import attention_asked
from viz.directions import Group, decoded, groups
from viz.labels import label
from viz.layer_values import LayerValues
from viz.report_page.graphs import graph_content, vertex_sops
from viz.vertex_pictures import MOST_VERTICES

LIVE_LIMIT = 60_000
MOST_WITHOUT = 64
_DIGITS = 12
_PLACES = 6
_SHORTEST_PART = 4
_CLOSE = 1e-6


@dataclass(frozen=True)
class _Named:
    """An s-op with a name in the program: its line, and which group of directions holds it (None where none does)."""

    node: SOp
    name: str
    line: int | None
    group: int | None


def contents(model: CompiledModel, inputs: Sequence[Sequence[Atom]]) -> dict[str, Any]:
    """Everything the page's script needs, ready for JSON. DataFault for an input that the model cannot take."""
    weights = model.weights
    lines, found = _lines(weights), groups(weights.directions)
    why_not = _why_not_live(weights)
    live = why_not is None
    readable = live or _head_weights(weights) <= LIVE_LIMIT
    graphs = [model.graphs([tokens]).at(0) for tokens in inputs]
    traces = [
        model.trace(model.encode(tokens), "reference", graphs=own) for tokens, own in zip(inputs, graphs, strict=True)
    ]
    runs = [Run(tokens, causal=weights.causal) for tokens in inputs]
    named, on_vertices = _named(weights, found, runs, traces), vertex_sops(model, inputs, runs)
    return {
        "name": weights.name,
        "live": live,
        "whyNot": why_not,
        "whyNotTyped": "its heads have masks, which come with the examples" if weights.masks else None,
        "liveLimit": f"{LIVE_LIMIT:,}",
        "causal": weights.causal,
        "maxLength": weights.max_length,
        "vocabulary": list(weights.vocabulary),
        "tokens": [shown(token) for token in weights.vocabulary],
        "directions": list(weights.directions),
        "groups": [
            {"name": group.name, "members": group.members, "values": group.values, "line": line_of(group.name, lines)}
            for group in found
        ],
        "named": [{"name": one.name, "line": one.line, "group": one.group} for one in named],
        "stages": [stage.title for stage in weights.stages],
        "inputMlps": [_mlp(mlp, weights, live=live) for mlp in weights.input_feed_forwards],
        "layers": [_layer(layer, weights, live=live, readable=readable) for layer in weights.layers],
        "embedding": [sparse(weights.W_E), sparse(weights.W_pos)] if live else None,
        "outputs": [_readout(output, live=live) for output in weights.outputs],
        "guards": [_readout(guard, live=live) for guard in weights.guards],
        "onVertices": _on_vertices(on_vertices),
        "mostVertices": MOST_VERTICES,
        "inputs": [
            {
                **_input(model, named, run, trace, live=live),
                "masks": [sparse(own.masks[mask]) for mask in weights.masks],
                "graph": graph_content(on_vertices, run, tokens),
                "without": None if live else _without_each(model, tokens),
            }
            for tokens, own, run, trace in zip(inputs, graphs, runs, traces, strict=True)
        ],
    }


def _on_vertices(found: LayerValues | None) -> dict[str, Any] | None:
    """What the s-op on the vertices of each head is called, and what is not on them."""
    if found is None:
        return None
    names = [[found.name(at, head) for head in range(len(layer))] for at, layer in enumerate(found.sops)]
    return {"names": names, "remarks": found.remarks}


def _why_not_live(weights: ModelWeights) -> str | None:
    """Why a model does not run in the page, or None where it does."""
    if parameter_counts(weights)["nonzero"] > LIVE_LIMIT:
        return f"it has more than {LIVE_LIMIT:,} weights that are not 0"
    return None if weights.dtype == "float64" else f"it is made for {weights.dtype}, and a page computes in float64"


def shown(value: Atom) -> str:
    """An atom as the page writes it: T and F, floats with a point and to 12 digits, a string as it is."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float):
        text = f"{value:.{_DIGITS}g}"
        return f"{text}.0" if text.lstrip("-").isdigit() else text
    return str(value)


def sparse(matrix: NDArray[Any]) -> dict[str, Any]:
    """A matrix as its shape, its distinct numbers, and (gap, number) for each cell that is not 0, row by row."""
    flat = np.asarray(matrix, dtype=np.float64).ravel()
    places = np.flatnonzero(flat)
    values, codes = np.unique(flat[places], return_inverse=True)
    gaps = np.diff(places, prepend=-1)
    cells = np.stack([gaps, codes], axis=1).ravel()
    return {"shape": list(matrix.shape), "values": values.tolist(), "cells": cells.tolist()}


def _head_weights(weights: ModelWeights) -> int:
    """How many weights of heads are not 0."""
    heads = (head for layer in weights.layers for head in layer.heads)
    return sum(int(np.count_nonzero(getattr(head, part))) for head in heads for part in head.TENSORS)


def _layer(layer: LayerWeights, weights: ModelWeights, *, live: bool, readable: bool) -> dict[str, Any]:
    return {
        "heads": [_head(head, weights, readable=readable) for head in layer.heads],
        "mlps": [_mlp(mlp, weights, live=live) for mlp in layer.feed_forwards],
    }


def _head(head: HeadWeights, weights: ModelWeights, *, readable: bool) -> dict[str, Any]:
    matrices = {part: sparse(getattr(head, part)) for part in head.TENSORS} if readable else {}
    mask = None if head.mask is None else weights.masks.index(head.mask)
    said = {"name": head.name, "kind": head.kind, "line": head.line, "dHead": head.W_Q.shape[1], "mask": mask}
    return said | matrices


def _mlp(mlp: FeedForwardWeights, weights: ModelWeights, *, live: bool) -> dict[str, Any]:
    """The neurons by purpose, each with the directions they read and write, and the weights."""
    purposes, found = [], groups(weights.directions)
    for _, places in groupby(range(len(mlp.neurons)), key=mlp.neurons.__getitem__):
        own = list(places)
        read = [group.name for group in found if mlp.W_in[np.ix_(group.members, own)].any()]
        written = [group.name for group in found if mlp.W_out[np.ix_(own, group.members)].any()]
        purposes.append({"count": len(own), "reads": read, "writes": written, "line": mlp.lines[own[0]]})
    matrices = {part: sparse(getattr(mlp, part)) for part in mlp.TENSORS} if live else {}
    return {"neurons": purposes, "dMlp": len(mlp.neurons), **matrices}


def _readout(readout: Readout, *, live: bool) -> dict[str, Any]:
    return {
        "name": readout.name,
        "kind": readout.kind,
        "check": readout.check,
        "values": list(readout.values),
        "texts": [shown(value) for value in readout.values],
        "kinds": None if readout.types is None else asdict(readout.types),
        "W_U": sparse(readout.W_U) if live else None,
    }


def _lines(weights: ModelWeights) -> dict[str, int]:
    """The line of the program that builds each node (inputs and constants apart), by the texts that name it."""
    found: dict[str, int] = {}
    for node in topological(weights.sops.values()):
        if node in weights.lines and node.children:
            for text in (str(node), expression(node, weights.names)):
                found.setdefault(text, weights.lines[node])
    return found


def line_of(name: str, lines: Mapping[str, int]) -> int | None:
    """The line for a direction or a neuron: of the node it is named after, or of the longest node its name holds."""
    if name in lines:
        return lines[name]
    parts = [text for text in lines if len(text) >= _SHORTEST_PART and text in name]
    return lines[max(parts, key=len)] if parts else None


def _named(
    weights: ModelWeights, found: Sequence[Group], runs: Sequence[Run], traces: Sequence[Trace]
) -> tuple[_Named, ...]:
    """The s-ops with a name, in the order of the program's lines.

    A group of directions holds one where it is named like this one alone, and says its values on every input.
    """
    nodes = [node for node in topological(weights.sops.values()) if isinstance(node, SOp) and node in weights.names]
    names = [weights.names[node] for node in nodes]
    pairs = list(zip(runs, traces, strict=True))
    rows = []
    for node, name in zip(nodes, names, strict=True):
        own = [at for at, group in enumerate(found) if group.name == name and names.count(name) == 1]
        holds = len(own) == 1 and all(_holds(found[own[0]], node, run, trace) for run, trace in pairs)
        rows.append(_Named(node, name, weights.lines.get(node), own[0] if holds else None))
    return tuple(sorted(rows, key=lambda row: row.line or 0))


def _holds(group: Group, node: SOp, run: Run, trace: Trace) -> bool:
    """Whether the stream says at every token what the interpreter says; yes where that says nothing."""
    try:
        values = run.sop(node).tolist()
    except RaspError:
        return True
    stream = trace.residuals[-1][1:].astype(np.float64)
    if group.values:
        return [decoded(group, vector) for vector in stream] == [label(str(value)) for value in values]
    if any(isinstance(value, str) for value in values):
        return False
    return np.allclose(stream[:, group.members[0]], np.array(values, dtype=np.float64), _CLOSE, _CLOSE)


def _input(model: CompiledModel, named: Sequence[_Named], run: Run, trace: Trace, *, live: bool) -> dict[str, Any]:
    """An input, what the interpreter says on it, and where the model is not in the page what that does."""
    return {
        "ids": model.encode(run.tokens)[1:].tolist(),
        **_said(model.weights, named, run, trace),
        "trace": None if live else _done(model, trace),
    }


def _said(weights: ModelWeights, named: Sequence[_Named], run: Run, trace: Trace) -> dict[str, Any]:
    """The interpreter's values, those of every named s-op, and how far each head is from its selector; or the fault."""
    try:
        values = [list(map(shown, run.sop(node).tolist())) for node in weights.sops.values()]
        off = [
            [_off(run, head, given) for head, given in zip(layer.heads, patterns, strict=True)]
            for layer, patterns in zip(weights.layers, trace.attention, strict=True)
        ]
        rows = [list(map(shown, run.sop(one.node).tolist())) for one in named]
    except RaspError as error:
        return {"fault": error.message, "values": None, "rows": None, "off": None}
    return {"fault": None, "values": values, "rows": rows, "off": off}


def _off(run: Run, head: HeadWeights, given: NDArray[Any]) -> float:
    return float(np.abs(attention_asked(run.selector(head.selector), head.kind) - given).max())


def _done(model: CompiledModel, trace: Trace) -> dict[str, Any]:
    """What the model does on an input: attention, residual stream, what every output answers or why none does."""
    return {
        "attention": [[sparse(head.round(_PLACES)) for head in layer] for layer in trace.attention],
        "stages": [sparse(stream.round(_PLACES)) for stream in trace.residuals],
        "answers": _answers(model, trace),
    }


def _answers(model: CompiledModel, trace: Trace) -> dict[str, Any]:
    try:
        found = model.decode(trace)
    except RaspError as error:
        return {"outputs": None, "fault": error.message}
    outputs = [{"texts": list(map(shown, row)), "unsure": [False] * len(row)} for row in found.values()]
    return {"outputs": outputs, "fault": None}


def _without_each(model: CompiledModel, tokens: Sequence[Atom]) -> dict[str, Any] | None:
    """What the model answers without each of its heads, by layer and head from 1; None where there are too many."""
    places = [(layer, head) for layer, count in enumerate(model.weights.heads) for head in range(count)]
    if len(places) > MOST_WITHOUT:
        return None
    return {f"{layer + 1}.{head + 1}": _nearest(_silenced(model, layer, head), tokens) for layer, head in places}


def _silenced(model: CompiledModel, layer: int, head: int) -> CompiledModel:
    """The model without a head: what that writes is 0. It needs no torch, as an edited model does."""
    layers, heads = list(model.weights.layers), list(model.weights.layers[layer].heads)
    heads[head] = replace(heads[head], W_O=np.zeros_like(heads[head].W_O))
    layers[layer] = replace(layers[layer], heads=tuple(heads))
    return CompiledModel(replace(model.weights, layers=tuple(layers)))


def _nearest(model: CompiledModel, tokens: Sequence[Atom]) -> dict[str, Any]:
    """The values nearest to a model's logits, where these are not clearly those of one, and what would be errors."""
    result = model.run(tokens, engine="reference", strict=False)
    readouts = zip(model.weights.outputs, result.trace.outputs, strict=True)
    outputs = [
        {"texts": list(map(shown, result.outputs[readout.name])), "unsure": _unsure(readout, logits[1:])}
        for readout, logits in readouts
    ]
    return {"outputs": outputs, "fault": None, "remarks": list(result.complaints)}


def _unsure(readout: Readout, logits: NDArray[Any]) -> list[bool]:
    """Where logits are not clearly those of a value."""
    if readout.kind == "number" and not readout.values:
        return [False] * len(logits)
    _, unclear = nearest(readout, logits[:, 0]) if readout.kind == "number" else clearest(readout, logits)
    return [bool(flag) for flag in unclear]

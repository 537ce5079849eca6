"""What a report page holds, as plain data: the program, the model, and what the interpreter says on the inputs given.

A model of at most `LIVE_LIMIT` weights that are not 0 is put into the page whole and runs there. Of a larger one, what
it does on the given inputs is put in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.ir import FeedForwardWeights, HeadWeights, ModelWeights, Readout
from compiler.model import CompiledModel
from compiler.reference import Trace
from rasp.elementwise import Atom
from rasp.errors import RaspError
from rasp.expression import expression
from rasp.graph import Node, SOp, topological
from rasp.interpret import Run
from rasp.source import Span
from viz.compare import Matched, attention_asked, matched
from viz.directions import groups, stage_names

LIVE_LIMIT = 60_000
_DIGITS = 12
_PLACES = 6
_SHORTEST_PART = 4


@dataclass(frozen=True, eq=False)
class Subject:
    """What a report is about: an s-op and its model, with the names and places its program gives to nodes."""

    sop: SOp
    model: CompiledModel
    names: Mapping[Node, str] = field(default_factory=dict)
    origins: Mapping[Node, Span] = field(default_factory=dict)


def contents(subject: Subject, inputs: Sequence[Sequence[Atom]]) -> dict[str, Any]:
    """Everything the page's script needs, ready for JSON. DataFault for an input that the model cannot take."""
    weights = subject.model.weights
    lines = _lines(subject)
    live = weights.parameters["nonzero"] <= LIVE_LIMIT
    heads = matched(subject.sop, subject.model, names=subject.names)
    return {
        "name": weights.name,
        "live": live,
        "causal": weights.causal,
        "maxLength": weights.max_length,
        "vocabulary": list(weights.vocabulary),
        "tokens": [shown(token) for token in weights.vocabulary],
        "directions": list(weights.directions),
        "groups": [
            {"name": group.name, "members": group.members, "values": group.values, "line": line_of(group.name, lines)}
            for group in groups(weights.directions)
        ],
        "layers": _layers(weights, heads, live=live),
        "embedding": [sparse(weights.W_E), sparse(weights.W_pos)] if live else None,
        "output": _readout(weights.output, live=live),
        "guards": [_readout(guard, live=live) for guard in weights.guards],
        "inputs": [_input(subject, heads, tokens, live=live) for tokens in inputs],
    }


def shown(value: Atom) -> str:
    """An atom as the page writes it: T and F, numbers to 12 digits, a string as it is."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    return str(value)


def sparse(matrix: NDArray[Any]) -> dict[str, Any]:
    """A matrix as its shape, its distinct numbers, and (gap, number) for each cell that is not 0, row by row."""
    flat = np.asarray(matrix, dtype=np.float64).ravel()
    places = np.flatnonzero(flat)
    values, codes = np.unique(flat[places], return_inverse=True)
    gaps = np.diff(places, prepend=-1)
    cells = np.stack([gaps, codes], axis=1).ravel()
    return {"shape": list(matrix.shape), "values": values.tolist(), "cells": cells.tolist()}


def _layers(weights: ModelWeights, heads: Sequence[Sequence[Matched]], *, live: bool) -> list[dict[str, Any]]:
    of_layer = {row[0].place[0]: row for row in heads}
    return [
        {
            "number": of_layer[at][0].layer if at in of_layer else None,
            "heads": [_head(head, layer.heads[head.place[1]], live=live) for head in of_layer.get(at, ())],
            "mlp": None if layer.feed_forward is None else _mlp(layer.feed_forward, weights, live=live),
        }
        for at, layer in enumerate(weights.layers)
    ]


def _head(head: Matched, weights: HeadWeights, *, live: bool) -> dict[str, Any]:
    matrices = {part: sparse(getattr(weights, part)) for part in ("W_Q", "W_K", "W_V", "W_O")} if live else {}
    return {"name": head.name, "kind": head.kind, "line": head.line, "dHead": weights.W_Q.shape[1], **matrices}


def _mlp(mlp: FeedForwardWeights, weights: ModelWeights, *, live: bool) -> dict[str, Any]:
    """The neurons by purpose, each with the directions they read and write, and the weights."""
    purposes, found = [], groups(weights.directions)
    for _, places in groupby(range(len(mlp.neurons)), key=mlp.neurons.__getitem__):
        own = list(places)
        read = [group.name for group in found if mlp.W_in[np.ix_(group.members, own)].any()]
        written = [group.name for group in found if mlp.W_out[np.ix_(own, group.members)].any()]
        purposes.append({"count": len(own), "reads": read, "writes": written, "line": mlp.lines[own[0]]})
    matrices = {"W_in": sparse(mlp.W_in), "b_in": sparse(mlp.b_in), "W_out": sparse(mlp.W_out)} if live else {}
    return {"neurons": purposes, "dMlp": len(mlp.neurons), **matrices}


def _readout(readout: Readout, *, live: bool) -> dict[str, Any]:
    return {
        "name": readout.name,
        "kind": readout.kind,
        "check": readout.check,
        "values": list(readout.values),
        "texts": [shown(value) for value in readout.values],
        "kinds": None if readout.kinds is None else asdict(readout.kinds),
        "W_U": sparse(readout.W_U) if live else None,
    }


def _lines(subject: Subject) -> dict[str, int]:
    """The line of the program that builds each node (inputs and constants apart), by the texts that name it."""
    found: dict[str, int] = {}
    for node in topological([subject.sop]):
        if node in subject.origins and node.children:
            for text in (str(node), expression(node, subject.names)):
                found.setdefault(text, subject.origins[node].line)
    return found


def line_of(name: str, lines: Mapping[str, int]) -> int | None:
    """The line for a direction or a neuron: of the node it is named after, or of the longest node its name holds."""
    if name in lines:
        return lines[name]
    parts = [text for text in lines if len(text) >= _SHORTEST_PART and text in name]
    return lines[max(parts, key=len)] if parts else None


def _input(
    subject: Subject, heads: Sequence[Sequence[Matched]], tokens: Sequence[Atom], *, live: bool
) -> dict[str, Any]:
    """An input, what the interpreter says on it, and where the model is not in the page what that does."""
    model = subject.model
    ids = model.encode(tokens)
    trace = model.trace(ids, "reference")
    return {
        "ids": ids[1:].tolist(),
        **_said(subject, heads, tokens, trace),
        "trace": None if live else _done(model, heads, trace),
    }


def _said(subject: Subject, heads: Sequence[Sequence[Matched]], tokens: Sequence[Atom], trace: Trace) -> dict[str, Any]:
    """The interpreter's values, those of every named s-op, and how far each head is from its selector; or the fault."""
    run = Run(tokens, causal=subject.model.weights.causal)
    try:
        values = run.sop(subject.sop).tolist()
        off = [[_off(run, head, trace) for head in row] for row in heads]
    except RaspError as error:
        return {"fault": error.message, "values": None, "rows": [], "off": None}
    return {"fault": None, "values": list(map(shown, values)), "rows": _rows(subject, run), "off": off}


def _off(run: Run, head: Matched, trace: Trace) -> float:
    given = trace.attention[head.place[0]][head.place[1]]
    return float(np.abs(attention_asked(run.selector(head.selector), head.kind) - given).max())


def _rows(subject: Subject, run: Run) -> list[dict[str, Any]]:
    """The values of every s-op with a name, in the order of the program's lines."""
    named = [node for node in topological([subject.sop]) if isinstance(node, SOp) and node in subject.names]
    rows = [
        {
            "name": subject.names[node],
            "line": subject.origins[node].line if node in subject.origins else None,
            "values": list(map(shown, run.sop(node).tolist())),
        }
        for node in named
    ]
    return sorted(rows, key=lambda row: row["line"] or 0)


def _done(model: CompiledModel, heads: Sequence[Sequence[Matched]], trace: Trace) -> dict[str, Any]:
    """What the model does on an input: attention, residual stream, output."""
    fault, output = None, None
    try:
        (values,) = model.decode(trace).values()
        output = list(map(shown, values))
    except RaspError as error:
        fault = error.message
    return {
        "attention": [
            [sparse(trace.attention[head.place[0]][head.place[1]].round(_PLACES)) for head in row] for row in heads
        ],
        "stages": [
            {"title": title, "x": sparse(stream.round(_PLACES))}
            for title, stream in zip(stage_names(model.weights), trace.residuals, strict=True)
        ],
        "output": output,
        "fault": fault,
    }

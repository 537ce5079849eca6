"""What a report page draws as vertices and edges: where they stand, and the s-ops that heads put on the vertices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from compiler.run.model import CompiledModel
from rasp.errors import RaspError
from rasp.interpret import Run
from rasp.operations import Atom
from rasp.relations import Edges, relations_of
from viz.labels import label
from viz.layer_values import LayerValues, layer_values
from viz.vertex_layout import input_places
from viz.vertex_pictures import MOST_VERTICES

_PLACES = 3


def vertex_sops(model: CompiledModel, inputs: Sequence[Sequence[Atom]], runs: Sequence[Run]) -> LayerValues | None:
    """The s-op that each head has on the vertices; None where no input has relations."""
    run = next((run for given, run in zip(inputs, runs, strict=True) if relations_of(given)), None)
    return None if run is None else layer_values(model, run)


def graph_content(found: LayerValues | None, run: Run, tokens: Sequence[Atom]) -> dict[str, Any] | None:
    """An input's relations, where its vertices stand (in gaps between neighbours; None where there are too many of
    them), and the values of every head's s-op there; None where it has no relations."""
    relations = relations_of(tokens)
    if found is None or not relations:
        return None
    few = len(tokens) <= MOST_VERTICES
    return {
        "places": input_places(tokens, 1.0).round(_PLACES).tolist() if few else None,
        "relations": [_relation(name, edges) for name, edges in relations.items()],
        "values": _values(replace(found, run=run)),
    }


def _relation(name: str, edges: Edges) -> dict[str, Any]:
    listed = [[u, v, None if known is None else label(known)] for u, v, known in edges]
    return {"name": name, "edges": listed, "both": edges.goes_both_ways}


def _values(found: LayerValues) -> list[list[list[str]]] | None:
    """What stands on the vertices of each head, layer by layer; None where the interpreter has no values."""
    try:
        return [
            [list(map(label, found.values(at, head))) for head in range(len(layer))]
            for at, layer in enumerate(found.sops)
        ]
    except RaspError:
        return None

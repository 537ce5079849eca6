"""What a picture of vertices and edges holds: the relations of an input, then the heads of a model at work on it.

No drawing here; `viz.node_link` draws it and `viz.terminal_graph` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.run.model import CompiledModel
from rasp.errors import DataFault
from rasp.interpret import Run
from rasp.operations import Atom
from rasp.relations import Edges, graph_of, relations_of
from viz.attention import Visible, Weights, faintest
from viz.comparison import head_masks, head_titles
from viz.labels import label
from viz.layer_values import LayerValues, layer_values

MOST_VERTICES = 200
_GIVEN = 0.08
"""Edges of the input are as wide as this attention."""


@dataclass(frozen=True, eq=False)
class Picture:
    """One panel: [n, n] attention (row = query), what is allowed and not used, what goes to BOS, texts on vertices.

    `labels` are written on edges; without `arrows` they go both ways. `masked`: a mask hides what has no line;
    `faint`: there is attention that is too little to be drawn. `given`: it is a relation of the input, and no head.
    """

    title: tuple[str, ...]
    attention: Weights
    idle: Visible
    on_bos: Weights
    texts: tuple[str, ...]
    labels: Mapping[tuple[int, int], str]
    arrows: bool = True
    given: bool = False
    masked: bool = False
    faint: bool = False


@dataclass(frozen=True, eq=False)
class Pictures:
    """The pictures of an input: those of its relations, then a list for each layer; `remarks` say what is in none."""

    tokens: Sequence[Atom]
    layers: Sequence[Sequence[Picture]]
    remarks: tuple[str, ...]


def pictures_of(given: Sequence[Atom] | Mapping[str, Any], model: CompiledModel | None) -> Pictures:
    """The pictures of an input, and of the heads of a model on it. Errors as for `viz.graph`."""
    tokens = graph_of(given) or list(given)
    _check_size(tokens)
    if model is None:
        return Pictures(tokens, [_inputs(tokens)], ())
    found = layer_values(model, Run(tokens, causal=model.weights.causal))
    return Pictures(tokens, [_inputs(tokens), *_heads(model, tokens, found)], found.remarks)


def _check_size(tokens: Sequence[Atom]) -> None:
    if len(tokens) > MOST_VERTICES:
        raise DataFault(
            f"the graph has {len(tokens)} vertices, and a drawing of vertices and edges shows up to {MOST_VERTICES}",
            hint="--kind heads draws its attention as matrices",
        )


def _inputs(tokens: Sequence[Atom]) -> list[Picture]:
    """The tokens with the edges of each relation; alone where there is none."""
    texts = _texts(tokens)
    relations = relations_of(tokens)
    if not relations:
        nothing = np.zeros((len(tokens), len(tokens)))
        return [Picture(("input: tokens",), nothing, nothing > 0, nothing[0], texts, {}, given=True)]
    return [_input(name, edges, texts) for name, edges in relations.items()]


def _input(name: str, edges: Edges, texts: tuple[str, ...]) -> Picture:
    """A relation as it was given; where each edge goes both ways with one label, it is one line without an arrow."""
    cells, both = edges.cells, edges.goes_both_ways
    drawn = np.tril(cells) if both else cells
    labels = {
        (target, source): label(known) for source, target, known in edges if known is not None and drawn[target, source]
    }
    title = f"input: {name}, {'both ways' if both and len(edges) else 'from key to query'}"
    weights: Weights = np.where(drawn, _GIVEN, 0.0)
    nothing = np.zeros(len(cells))
    return Picture((title,), weights, np.zeros_like(cells), nothing, texts, labels, arrows=not both, given=True)


def _heads(model: CompiledModel, tokens: Sequence[Atom], found: LayerValues) -> Iterator[list[Picture]]:
    """The pictures of each layer's heads."""
    graphs = model.graphs([tokens]).at(0)
    attention = model.trace(model.encode(tokens), "reference", graphs=graphs).attention
    titles, masks = head_titles(model), head_masks(model, tokens)
    for at, layer in enumerate(attention):
        yield [
            _head(
                (f"layer {at + 1}, head {h + 1}: {titles[at][h]}", found.title(at, h)),
                np.asarray(weights, dtype=np.float64),
                masks[at][h],
                _texts(found.values(at, h)),
            )
            for h, weights in enumerate(layer)
        ]


def _head(title: Sequence[str], weights: Weights, mask: Visible | None, texts: tuple[str, ...]) -> Picture:
    seen = weights >= faintest(weights)
    words = title if mask is not None else (*title, "no mask: every vertex is in sight")
    idle = np.zeros_like(seen) if mask is None else mask & ~seen
    drawn = np.where(seen, weights, 0.0)
    faint = bool(((weights > 0) & ~seen)[1:].any())
    return Picture(
        tuple(words), drawn[1:, 1:], idle[1:, 1:], drawn[1:, 0], texts, {}, masked=mask is not None, faint=faint
    )


def _texts(values: Sequence[Atom]) -> tuple[str, ...]:
    return tuple(label(value) for value in values)

"""What heads take besides the stream: masks, where a query may look, as relations of the input and positions say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import HeadWeights, ModelWeights
from compiler.selectors import relations_in
from rasp.batch.run import BatchRun
from rasp.errors import DataFault
from rasp.graph import Constant, LabelledRelation, Node, Relation, Selector, topological
from rasp.operations import atom_key
from rasp.relations import Edges, Label

Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Ids: TypeAlias = np.ndarray[Any, np.dtype[np.integer[Any]]]
HeadMasks: TypeAlias = "tuple[tuple[Flags | None, ...], ...]"
Given: TypeAlias = "Mapping[str, Edges]"


@dataclass(frozen=True, eq=False)
class GraphInputs:
    """The masks of a batch, [B or 1, T+1, T+1] with BOS in front: True where the query (row) may look at the key.

    Everybody may look at BOS, and BOS at itself only; nobody looks at padding.
    """

    masks: Mapping[Selector, Flags]

    @property
    def has_any(self) -> bool:
        return bool(self.masks)

    def at(self, index: int) -> GraphInputs:
        """Those of one input of the batch."""
        return GraphInputs({mask: cells[index if len(cells) > 1 else 0] for mask, cells in self.masks.items()})


NOTHING = GraphInputs({})


def graph_inputs(weights: ModelWeights, lengths: Sequence[int], relations: Sequence[Given]) -> GraphInputs:
    """What the heads of a model take for some inputs. DataFault where one lacks a relation that a head reads."""
    masks = weights.masks
    if not masks:
        return NOTHING
    for given in relations or [{}] * len(lengths):
        check_relations(weights, given)
    size = np.array(lengths)
    every = BatchRun((0,), np.zeros((len(size), size.max()), dtype=np.intp), size, relations)
    alike = not np.ptp(size)
    one = BatchRun((0,), np.zeros((1, size[0]), dtype=np.intp)) if alike else every
    return GraphInputs({m: _with_bos((every if relations_in([m]) else one).selector(m)) for m in masks})


def head_masks(weights: ModelWeights, graphs: GraphInputs, size: int) -> HeadMasks:
    """For each head of each layer where its mask lets a query look, on one input of `size` tokens: [size + 1, size + 1]
    with BOS in front, None for one that sees all."""
    before = np.tri(size + 1, dtype=bool) if weights.causal else None
    return tuple(tuple(_visible(head, graphs, before) for head in layer.heads) for layer in weights.layers)


def _visible(head: HeadWeights, graphs: GraphInputs, before: Flags | None) -> Flags | None:
    if head.mask is None:
        return before
    return graphs.masks[head.mask] if before is None else graphs.masks[head.mask] & before


def _with_bos(cells: Flags) -> Flags:
    rows, size, _ = cells.shape
    found = np.zeros((rows, size + 1, size + 1), dtype=bool)
    found[:, 1:, 1:] = cells
    found[:, :, 0] = True
    return found


def check_relations(weights: ModelWeights, given: Given) -> None:
    """DataFault where an input lacks a relation that the heads of a model look along, or has other labels there."""
    for name in relations_in(weights.masks):
        if name not in given:
            raise DataFault(
                f'the input has no relation "{name}", which the model looks along',
                hint=f'give it with the input: {{"tokens": …, "{name}": [[0, 1], …]}}',
            )
        if weights.labels:
            _check_labels(weights, name, given[name])


def _check_labels(weights: ModelWeights, name: str, edges: Edges) -> None:
    """DataFault for an edge whose label is none of those that the model is made for."""
    known = {atom_key(label) for label in weights.labels}
    for source, target, label in edges:
        if label is not None and atom_key(label) not in known:
            raise DataFault(
                f"edge {[source, target]} of {name} has the label {label!r}, which the model is not made for",
                hint=f"its labels are {', '.join(map(repr, weights.labels[:12]))}",
            )


def relation_labels(
    roots: Iterable[Node], declared: Sequence[Label] = (), tokens: Sequence[Label] = ()
) -> dict[str, list[Label]]:
    """The relations that some nodes read, each with labels to try: those declared, and none; where none are declared,
    those that it is asked for, and tokens and small numbers where an s-op says which."""
    asked: dict[str, dict[Any, Label]] = {}
    for node in topological(roots):
        if isinstance(node, Relation):
            asked.setdefault(node.input_name, {atom_key(None): None})
        if isinstance(node, LabelledRelation) and isinstance(node.wanted, Constant):
            asked.setdefault(node.relation.input_name, {})[atom_key(node.wanted.value)] = node.wanted.value
        elif isinstance(node, LabelledRelation):
            asked.setdefault(node.relation.input_name, {}).update(
                {atom_key(one): one for one in (*tokens[:4], 0, 1, 2)}
            )
    own = {atom_key(one): one for one in (None, *declared)}
    return {name: [*(own if declared else found).values()] for name, found in asked.items()}

"""Masks as plain data, which a model's file keeps: the graph of their selectors, and which of them each head has."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from compiler.graph_json import described_nodes, graph_of
from lab.masks import Mask, Masks, Place, Relational
from rasp.errors import DataFault
from rasp.graph import Selector, topological


def as_json(masks: Masks) -> dict[str, Any]:
    """Masks as plain data: the graph of their selectors, and which nodes each head has.

    DataFault for a selector with a Python function in it, which no file can hold.
    """
    roots = [kind for mask in masks.values() for kind in _kinds(mask)]
    number = {node: at for at, node in enumerate(topological(roots))}
    heads = {
        f"{layer}.{head}": [number[kind] for kind in mask.kinds] if isinstance(mask, Relational) else number[mask]
        for (layer, head), mask in masks.items()
    }
    found = {"nodes": described_nodes(number), "heads": heads}
    try:
        json.dumps(found)
    except TypeError as error:
        raise DataFault(
            "a mask with a Python function in it cannot be kept in a file", hint="say the same with RASP's operations"
        ) from error
    return found


def of_json(found: Mapping[str, Any]) -> dict[Place, Mask]:
    """The masks that were written as plain data. DataFault or a Python error where they were not."""
    graph = graph_of(found["nodes"])
    masks: dict[Place, Mask] = {}
    for place, own in found["heads"].items():
        layer, head = map(int, place.split("."))
        several = isinstance(own, list)
        kinds = tuple(graph.node(at, Selector) for at in (own if several else [own]))
        masks[layer, head] = Relational(kinds) if several else kinds[0]
    return masks


def _kinds(mask: Mask) -> tuple[Selector, ...]:
    return mask.kinds if isinstance(mask, Relational) else (mask,)

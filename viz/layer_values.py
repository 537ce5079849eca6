"""What each layer of a model makes of what its heads gather: s-ops of the program and their values. No drawing here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from compiler.run.model import CompiledModel
from rasp.graph import Node, Selector, SOp, topological
from rasp.interpret import Run
from rasp.layers import Analysis, Gather, analyse
from rasp.operations import Atom
from rasp.printing import expression

_MOST_NAMED = 4


@dataclass(frozen=True, eq=False)
class LayerValues:
    """For each head of each layer the s-op shown for it, and what else the layers compute, in words."""

    sops: Sequence[Sequence[SOp]]
    names: dict[Node, str]
    run: Run
    remarks: tuple[str, ...]

    def title(self, layer: int, head: int) -> str:
        """What the values of a head are, in words."""
        return f"on the vertices: {self.name(layer, head)}"

    def name(self, layer: int, head: int) -> str:
        """What the s-op of a head is called."""
        return _name(self.sops[layer][head], self.names)

    def values(self, layer: int, head: int) -> list[Atom]:
        """The value at each position."""
        return list(self.run.sop(self.sops[layer][head]).tolist())


def layer_values(model: CompiledModel, run: Run) -> LayerValues:
    """The s-op that each head is for: one that its layer ends in and that reads it; the output where there is none."""
    weights = model.weights
    roots = list(weights.sops.values())
    found = analyse(roots)
    reads, ends = _reads(roots, found), _ends(roots, found)
    names: dict[Node, str] = {node: name for name, node in weights.sops.items()}
    names |= weights.names
    chosen, remarks = [], []
    for at, layer in enumerate(model.layers, 1):
        here = sorted(ends.get(at, []), key=lambda node: node not in names)
        own = [
            next((node for node in here if any(gather.selector is head.selector for gather in reads[node])), None)
            for head in layer.heads
        ]
        spare = here[0] if here else roots[0]
        chosen.append([spare if node is None else node for node in own])
        remarks += _remark(at, [node for node in here if not any(node is one for one in chosen[-1])], names)
    return LayerValues(chosen, names, run, tuple(remarks))


def _reads(roots: Sequence[SOp], found: Analysis) -> dict[Node, frozenset[Gather]]:
    """The aggregates and widths of its own layer that each node is made of."""
    reads: dict[Node, frozenset[Gather]] = {}
    for node in topological(roots):
        below = [reads[child] for child in node.children if found.layer_of[child] == found.layer_of[node]]
        reads[node] = frozenset([node]) if isinstance(node, Gather) else frozenset().union(*below)
    return reads


def _ends(roots: Sequence[SOp], found: Analysis) -> dict[int, list[SOp]]:
    """The s-ops each layer ends in: outputs, and what selectors and later layers read."""
    used: dict[Node, None] = dict.fromkeys(roots)
    for node in topological(roots):
        for child in node.children:
            if isinstance(node, Selector) or found.layer_of[child] < found.layer_of[node]:
                used[child] = None
    ends: dict[int, list[SOp]] = {}
    for node in used:
        if isinstance(node, SOp):
            ends.setdefault(found.layer_of[node], []).append(node)
    return ends


def _remark(layer: int, left_out: Sequence[SOp], names: dict[Node, str]) -> list[str]:
    if not left_out:
        return []
    counts = Counter(_name(node, names) for node in left_out)
    named = list(counts.items())[:_MOST_NAMED]
    more = len(left_out) - sum(count for _, count in named)
    shown = ", ".join(f"{name} ({count} of them)" if count > 1 else name for name, count in named)
    return [f"not on the vertices, though layer {layer} computes it: {shown}{f' and {more} more' if more else ''}"]


def _name(node: SOp, names: dict[Node, str]) -> str:
    return names.get(node) or expression(node)

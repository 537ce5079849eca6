"""The heads of a compiled model beside their selectors: what the interpreter asks for, what the softmax gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from matplotlib.figure import Figure

from compiler.ir import HeadWeights
from compiler.run import graph_inputs
from compiler.run.model import CompiledModel
from compiler.source_map import SourceMap
from rasp.errors import DataFault
from rasp.interpret import Run
from rasp.language.program import Program
from rasp.operations import Atom
from viz.attention import Visible, Weights
from viz.head_grid import HeadsPlan, draw_heads, plan_heads

T = TypeVar("T")

_ROUNDING = 1e-6
_DIFFERENCE = 2


@dataclass(frozen=True, eq=False)
class Computed:
    """A head on one input: its attention [T + 1, T + 1] as asked for by the selector and as given, BOS first.

    `mask` is true where a query may look, everywhere if there is none.
    """

    weights: HeadWeights
    asked: Weights
    given: Weights
    mask: Visible | None = None

    @property
    def difference(self) -> Weights:
        """How far what is given is from what is asked for."""
        return np.abs(self.asked - self.given)

    @property
    def off(self) -> float:
        """The largest difference between what is asked for and what is given."""
        return float(self.difference.max())


def own_source(program: Program) -> SourceMap:
    """Where a program's nodes come from in its own file: a line of a loaded one would be mistaken for its own."""
    own = {node: span for node, span in program.origins.items() if span.source == program.source}
    return SourceMap(program.names, own)


def head_title(head: HeadWeights) -> str:
    """What a head is called in pictures: its selector's name, whether it measures a width, the line in the program."""
    named = f"{head.name} (width)" if head.kind == "width" else head.name
    return named if head.line is None else f"{named}, line\u00a0{head.line}"


def head_titles(model: CompiledModel) -> list[list[str]]:
    """What the heads of a model are called, layer by layer."""
    return [list(map(head_title, layer.heads)) for layer in model.layers]


def head_masks(model: CompiledModel, tokens: Sequence[Atom]) -> list[list[Visible | None]]:
    """For each head where its mask lets a query look, [T + 1, T + 1] with BOS in front; None for one that sees all."""
    graphs = model.graphs([tokens]).at(0)
    return [list(layer) for layer in graph_inputs.head_masks(model.weights, graphs, len(tokens))]


def computed(model: CompiledModel, tokens: Sequence[Atom]) -> list[list[Computed]]:
    """The heads of a compiled model on an input, layer by layer.

    DataFault for an input the model cannot take; ValueFault where its selectors have no value on it.
    """
    graphs = model.graphs([tokens]).at(0)
    attention = model.trace(model.encode(tokens), "reference", graphs=graphs).attention
    run = Run(tokens, causal=model.weights.causal)
    return [
        [
            Computed(head, attention_asked(run.selector(head.selector), head.kind), given.astype(np.float64), mask)
            for head, given, mask in zip(layer.heads, patterns, own, strict=True)
        ]
        for layer, patterns, own in zip(model.layers, attention, head_masks(model, tokens), strict=True)
    ]


def attention_asked(marked: np.ndarray[tuple[int, int], np.dtype[np.bool_]], kind: str) -> Weights:
    """The attention [T + 1, T + 1] that a selector [T, T] asks for.

    The mean over the marked keys; over BOS where nothing is marked, and with BOS as one key more in a width.
    """
    size = len(marked)
    keys = np.zeros((size + 1, size + 1))
    keys[1:, 1:] = marked
    keys[:, 0] = (kind == "width") | ~keys.any(axis=1)
    return np.asarray(keys / keys.sum(axis=1, keepdims=True))


def compare(
    model: CompiledModel,
    tokens: Sequence[Atom],
    *,
    layer: int | None = None,
    head: int | None = None,
    numbers: bool = False,
) -> Figure:
    """A figure with one row a head: what its selector asks for, what the model's softmax gives, and how far it is off.

    The third panel is left out for a head that is as asked for but for rounding. Of one `layer` or `head`, counted from
    1, only those are shown; with `numbers`, weights are written in the cells. DataFault where there is no such head.
    """
    shown = chosen_heads(computed(model, tokens), layer, head)
    layers = [[found for at, _, found in shown if at == number] for number in range(1, len(model.layers) + 1)]
    return draw_heads(plan_compare(layers, tokens, numbers=numbers))


def chosen_heads(layers: Sequence[Sequence[T]], layer: int | None, head: int | None) -> list[tuple[int, int, T]]:
    """The heads of one layer, of one number in every layer, or all: with their layer and number, from 1 on.

    DataFault where there are none.
    """
    found = [
        (at, number, one)
        for at, heads in enumerate(layers, 1)
        for number, one in enumerate(heads, 1)
        if layer in (None, at) and head in (None, number)
    ]
    if not found and (layer, head) != (None, None):
        asked = [f"head {head}"] * (head is not None) + [f"layer {layer}"] * (layer is not None)
        counts = ", ".join(f"layer {at} has {len(heads)}" for at, heads in enumerate(layers, 1))
        raise DataFault(f"there is no {' in '.join(asked)}", hint=f"of heads, {counts}" if counts else None)
    return found


def plan_compare(layers: Sequence[Sequence[Computed]], tokens: Sequence[Atom], *, numbers: bool = False) -> HeadsPlan:
    """Two panels a head, and a third one with the differences for a head that is off by more than rounding.

    The largest difference of a head is drawn as 1, and its title says what it is. Empty rows are not hatched there.
    """
    rows = [head for layer in layers for head in layer]
    plan = plan_heads(
        [[head.asked, head.given, *([head.difference / head.off] if head.off > _ROUNDING else [])] for head in rows],
        tokens,
        titles=list(map(_titles, rows)),
        rows=[name for at, layer in enumerate(layers, 1) for name in _row_names(at, len(layer))],
        numbers=numbers,
        masks=[[head.mask, head.mask, *([None] if head.off > _ROUNDING else [])] for head in rows],
    )
    panels = tuple(
        replace(panel, matrix=replace(panel.matrix, empty=())) if panel.head == _DIFFERENCE else panel
        for panel in plan.panels
    )
    return replace(plan, panels=panels)


def _row_names(layer: int, heads: int) -> list[str]:
    return [f"layer {layer}"] if heads == 1 else [f"layer {layer}, head {head}" for head in range(1, heads + 1)]


def _titles(head: Computed) -> list[str]:
    asked = f"selector: {head_title(head.weights)}"
    if head.off > _ROUNDING:
        return [asked, f"softmax: off by up to {head.off:.2g}", f"difference: darkest is {head.off:.2g}"]
    return [asked, f"softmax: as asked, to {head.off:.0e}" if head.off else "softmax: exactly as asked"]

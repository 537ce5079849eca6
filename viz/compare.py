"""The heads of a compiled model beside their selectors: what the interpreter asks for, what the softmax gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure

from compiler.ir import Array, HeadWeights
from compiler.model import CompiledModel
from compiler.rewrites.simplify import rewrite
from compiler.support import Facts
from rasp.analyse import Head, analyse
from rasp.elementwise import Atom
from rasp.errors import DataFault
from rasp.expression import expression
from rasp.graph import Node, Selector, SOp
from rasp.interpret import Run
from rasp.program import Program
from rasp.source import Span
from viz.attention import Weights
from viz.heads import HeadsPlan, draw_heads, plan_heads

_ROUNDING = 1e-6
_DIFFERENCE = 2


@dataclass(frozen=True, eq=False)
class Matched:
    """A head of a compiled model with the selector it computes.

    `layer` counts from 1 the layers with heads, `place` is its layer's and its own number in the weights, `line` is
    where the program builds the selector.
    """

    layer: int
    place: tuple[int, int]
    name: str
    kind: str
    line: int | None
    selector: Selector

    @property
    def title(self) -> str:
        return head_title(self.name, self.kind, self.line)


@dataclass(frozen=True, eq=False)
class Computed:
    """A head on one input: its attention [T + 1, T + 1] as asked for by the selector and as given, BOS first."""

    head: Matched
    asked: Weights
    given: Weights

    @property
    def difference(self) -> Weights:
        """How far what is given is from what is asked for."""
        return np.abs(self.asked - self.given)

    @property
    def off(self) -> float:
        """The largest difference between what is asked for and what is given."""
        return float(self.difference.max())


def own_origins(program: Program) -> dict[Node, Span]:
    """The places of a program's nodes in its own file: a line of a loaded one would be mistaken for a line of this."""
    return {node: span for node, span in program.origins.items() if span.source == program.source}


def head_title(name: str, kind: str, line: int | None) -> str:
    """What a head is called in pictures: its selector's name, whether it measures a width, the line in the program."""
    named = f"{name} (width)" if kind == "width" else name
    return named if line is None else f"{named}, line\u00a0{line}"


def matched(
    sop: SOp,
    model: CompiledModel,
    *,
    names: Mapping[Node, str] | None = None,
) -> list[list[Matched]]:
    """The heads of an s-op's compiled model, layer by layer, each layer in the order of the analysis.

    DataFault for a model whose heads are not those of the s-op.
    """
    weights = model.weights
    layers = [at for at, layer in enumerate(weights.layers) if layer.heads]
    facts = Facts(weights.vocabulary, weights.max_length, weights.causal)
    compiled = rewrite((sop,), names or {}, weights.prefer, facts)
    analysis = analyse(compiled.roots)
    if analysis.heads != weights.heads:
        raise DataFault(f"the model's heads {weights.heads} are not the s-op's, {analysis.heads}")
    found = []
    for number, (at, wanted) in enumerate(zip(layers, analysis.layers, strict=True), 1):
        own = weights.layers[at].heads
        places = _places(wanted, own, compiled.names)
        found.append(
            [
                Matched(
                    number,
                    (at, place),
                    own[place].name,
                    head.kind,
                    own[place].line,
                    head.selector,
                )
                for head, place in zip(wanted, places, strict=True)
            ]
        )
    return found


def computed(
    sop: SOp,
    model: CompiledModel,
    tokens: Sequence[Atom],
    *,
    names: Mapping[Node, str] | None = None,
) -> list[list[Computed]]:
    """The heads of an s-op's compiled model on an input, layer by layer, each layer in the order of the analysis.

    DataFault for an input the model cannot take; ValueFault where the s-op has no value on it.
    """
    attention = model.trace(model.encode(tokens), "reference").attention
    run = Run(tokens, causal=model.weights.causal)
    return [
        [_computed(head, run, attention[head.place[0]][head.place[1]]) for head in layer]
        for layer in matched(sop, model, names=names)
    ]


def _computed(head: Matched, run: Run, given: Array) -> Computed:
    return Computed(head, attention_asked(run.selector(head.selector), head.kind), given.astype(np.float64))


def _places(wanted: Sequence[Head], own: Sequence[HeadWeights], names: Mapping[Node, str]) -> list[int]:
    """For each head of the analysis its number among a layer's weights: by name and kind, else whichever is left."""
    left = list(range(len(own)))
    found: list[int | None] = []
    for head in wanted:
        called = (expression(head.selector, names), head.kind)
        place = next((at for at in left if (own[at].name, own[at].kind) == called), None)
        found.append(place)
        if place is not None:
            left.remove(place)
    return [left.pop(0) if place is None else place for place in found]


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
    sop: SOp,
    model: CompiledModel,
    tokens: Sequence[Atom],
    *,
    names: Mapping[Node, str] | None = None,
) -> Figure:
    """A figure with one row a head: what its selector asks for, what the model's softmax gives, and how far it is off.

    The third panel is left out for a head that is as asked for but for rounding.
    """
    rows = [head for layer in computed(sop, model, tokens, names=names) for head in layer]
    return draw_heads(plan_compare(rows, tokens))


def plan_compare(rows: Sequence[Computed], tokens: Sequence[Atom]) -> HeadsPlan:
    """Two panels a head, and a third one with the differences for a head that is off by more than rounding.

    The largest difference of a head is drawn as 1, and its title says what it is. Empty rows are not hatched there.
    """
    plan = plan_heads(
        [[head.asked, head.given, *([head.difference / head.off] if head.off > _ROUNDING else [])] for head in rows],
        tokens,
        titles=list(map(_titles, rows)),
        rows=[f"layer {head.head.layer}" for head in rows],
    )
    panels = tuple(
        replace(panel, matrix=replace(panel.matrix, empty=())) if panel.head == _DIFFERENCE else panel
        for panel in plan.panels
    )
    return replace(plan, panels=panels)


def _titles(head: Computed) -> list[str]:
    asked = f"selector: {head.head.title}"
    if head.off > _ROUNDING:
        return [asked, f"softmax: off by up to {head.off:.2g}", f"difference: darkest is {head.off:.2g}"]
    return [asked, f"softmax: as asked, to {head.off:.0e}" if head.off else "softmax: exactly as asked"]

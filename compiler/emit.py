"""Every pass of a compilation as text."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from compiler.pipeline import Compilation
from compiler.symbolic import Functional
from compiler.values.sets import ValueSet
from rasp.graph import SOp, topological

_SHOWN = 12


def emit(compilation: Compilation, stage: str) -> str:
    """The text of one pass: graph, values, schedule, layout or layers. Nothing after it is computed."""
    return "\n".join(STAGES[stage](compilation))


def _graph(compilation: Compilation) -> Iterator[str]:
    """One line a node, children before parents."""
    number = {node: index for index, node in enumerate(topological(compilation.graph.roots))}
    for node, index in number.items():
        children = " ".join(f"%{number[child]}" for child in node.children)
        name = compilation.graph.source_map.names.get(node)
        yield f"%{index:<4} {type(node).__name__:14} {children:12} {f'{name} = ' if name else ''}{node!r}"


def _values(compilation: Compilation) -> Iterator[str]:
    values = compilation.checked.values
    for node in topological(compilation.graph.roots):
        if isinstance(node, SOp):
            yield f"{node!r}: {_universe(values[node])}"


def _universe(values: ValueSet) -> str:
    if values.bounds is not None:
        return f"a number from {values.bounds[0]:g} to {values.bounds[1]:g}"
    shown = ", ".join(map(repr, values.universe[:_SHOWN]))
    more = f", … ({len(values.universe)} values)" if len(values.universe) > _SHOWN else ""
    return f"{shown}{more}, in {len(values.patterns)} different sets"


def _schedule(compilation: Compilation) -> Iterator[str]:
    for number, layer in enumerate(compilation.schedule.layers, 1):
        for head in layer:
            yield f"layer {number}  {head.kind:9}  {head.selector!r}"


def _layout(compilation: Compilation) -> Iterator[str]:
    layers = compilation.symbolic
    for row, direction in enumerate(layers.directions):
        yield f"{row:>5}  {direction.name}"


def _layers(compilation: Compilation) -> Iterator[str]:
    for number, layer in enumerate(compilation.symbolic.layers, 1):
        yield f"block {number}"
        for head in layer.heads:
            widths = sum(block.width for block in head.queries)
            yield f"  head {head.name} ({head.kind}), {widths} score dimensions"
            for functional, direction in head.values:
                yield f"    {direction.name} <- {_sum(functional)}"
        for neuron in layer.neurons:
            bias = f" {neuron.bias:+g}" if neuron.bias else ""
            yield f"  relu({_sum(neuron.inputs)}{bias}) -> {_sum(neuron.outputs)}"


def _sum(functional: Functional) -> str:
    terms = [f"{weight:+g} {direction.name}" for direction, weight in functional.items()]
    return " ".join(terms[:_SHOWN]) + (f" … ({len(terms)} terms)" if len(terms) > _SHOWN else "") or "0"


STAGES: dict[str, Callable[[Compilation], Iterator[str]]] = {
    "graph": _graph,
    "values": _values,
    "schedule": _schedule,
    "layout": _layout,
    "layers": _layers,
}

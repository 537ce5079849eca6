"""What a notebook shows for s-ops, selectors, analyses, compiled models and their results.

The classes ask `rasp.display`, which finds this module when something is shown first and is told here how. An s-op is
shown by its flow and a selector by its pattern, both on the example input (`show_on` sets another); where they have no
value on it, by their text. A graph is drawn as vertices and edges, and every figure shows itself as SVG. Drawing is
imported when something is shown first.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from compiler.run.model import CompiledModel
from compiler.run.result import Result
from compiler.tensors import named_tensors, parameter_counts
from rasp.display import as_html, as_svg, as_tree
from rasp.errors import RaspError
from rasp.graph import Selector, SOp
from rasp.interpret import Run
from rasp.layers import Analysis
from rasp.operations import Atom
from rasp.printing import expression
from rasp.relations import Graph, graph_of

_example: Sequence[Atom] = list("hello")


def show_on(given: Sequence[Atom] | Mapping[str, Any]) -> None:
    """Sets the input on which s-ops and selectors are shown, a graph too. DataFault for one that is no input."""
    global _example
    found = graph_of(given)
    _example = found if found is not None else Run(cast("Sequence[Atom]", given)).tokens


def install() -> None:
    """Says how the values are shown."""
    as_svg(SOp, _sop)
    as_svg(Selector, _selector)
    as_svg(Result, _result)
    as_svg(Graph, _graph)
    as_html(Analysis, _analysis)
    as_html(CompiledModel, _model)
    as_tree(CompiledModel, _model_tree)
    as_tree(Result, _result_tree)


def _sop(node: SOp) -> str | None:
    """The flow of an s-op on the example input as SVG, or None where it has no value there."""
    from viz.flow_chart import flow

    try:
        return _svg(flow(node, _example))
    except RaspError:
        return None


def _selector(node: Selector) -> str | None:
    """The pattern of a selector on the example input as SVG, or None where it has none there."""
    from viz.single import selector

    try:
        return _svg(selector(node, _example).figure)
    except RaspError:
        return None


def _result(found: Result) -> str:
    """The attention of every head on the input as SVG."""
    from viz.head_grid import heads

    return _svg(heads(found.attention, found.tokens, masks=found.masks or None))


def _graph(given: Graph) -> str | None:
    """The relations of an input as SVG, or None where it has too many vertices."""
    from viz.node_link import graph

    try:
        return _svg(graph(given))
    except RaspError:
        return None


def _svg(figure: Any) -> str:
    from viz.saving import rendered

    return rendered(figure, ".svg").decode()


def _analysis(found: Analysis) -> str:
    """The heads of every layer as an HTML table."""
    rows = [
        (str(number), head.kind, expression(head.selector))
        for number, layer in enumerate(found.layers, 1)
        for head in layer
    ]
    return _table(f"{found.depth} layers, heads {found.heads}", ("layer", "kind", "selector"), rows)


def _model(model: CompiledModel) -> str:
    """The heads of a compiled model and its sizes as an HTML table."""
    weights, live = model.weights, parameter_counts(model.weights)["nonzero"]
    rows = [
        (str(number), head.kind, head.name, "" if head.mask is None else expression(head.mask), str(head.W_Q.shape[1]))
        for number, layer in enumerate(model.layers, 1)
        for head in layer.heads
    ]
    caption = (
        f"{weights.name}: {len(weights.vocabulary)} tokens, up to {weights.max_length} positions, {weights.dtype}, "
        f"d_model {weights.d_model}, heads {weights.heads}, {live:,} weights that are not 0"
    )
    return _table(caption, ("layer", "kind", "selector", "mask", "d_head"), rows)


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table with its caption above."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _model_tree(model: CompiledModel, path: str | None, subtree_renderer: Any) -> Any:
    """A model in Treescope: what it is, and its weights by name."""
    weights = model.weights
    shown = {
        "name": weights.name,
        "heads": weights.heads,
        "d_model": weights.d_model,
        "vocabulary": weights.vocabulary,
        "max_length": weights.max_length,
        "certificate": None if weights.certificate is None else weights.certificate.statement,
        "weights": named_tensors(weights),
    }
    return _tree(model, shown, path, subtree_renderer)


def _result_tree(found: Result, path: str | None, subtree_renderer: Any) -> Any:
    """A result in Treescope: values, and the attention of every head."""
    shown = {"tokens": found.tokens, "outputs": found.outputs, "attention": found.attention}
    return _tree(found, shown, path, subtree_renderer)


def _tree(value: object, shown: dict[str, Any], path: str | None, subtree_renderer: Any) -> Any:
    from treescope.repr_lib import render_object_constructor

    return render_object_constructor(
        object_type=type(value), attributes=shown, path=path, subtree_renderer=subtree_renderer
    )

"""What a notebook shows for s-ops, selectors, analyses, compiled models and their results.

`import viz` installs these on the classes, which know nothing of it. An s-op is shown by its flow and a selector by its
pattern, both on the example input (`show_on` sets another); where they have no value on it, by their text. Drawing is
imported when something is shown first.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from compiler.run.model import CompiledModel, Result
from rasp.errors import RaspError
from rasp.graph import Selector, SOp
from rasp.interpret import Run
from rasp.layers import Analysis
from rasp.operations import Atom
from rasp.printing import expression

_example: list[Atom] = list("hello")


def show_on(tokens: Sequence[Atom]) -> None:
    """Sets the input on which s-ops and selectors are shown. DataFault for one that is no input."""
    _example[:] = Run(tokens).tokens


def install() -> None:
    """Gives the classes the methods by which a notebook shows them."""
    for shown, method, function in _METHODS:
        setattr(shown, method, function)


def _sop(self: SOp) -> str | None:
    """The flow of an s-op on the example input as SVG, or None where it has no value there."""
    from viz.flow import flow

    try:
        return _svg(flow(self, _example))
    except RaspError:
        return None


def _selector(self: Selector) -> str | None:
    """The pattern of a selector on the example input as SVG, or None where it has none there."""
    from viz.single import selector

    try:
        return _svg(selector(self, _example).figure)
    except RaspError:
        return None


def _result(self: Result) -> str:
    """The attention of every head on the input as SVG."""
    from viz.heads import heads

    return _svg(heads(self.attention, self.tokens))


def _svg(figure: Any) -> str:
    from viz.save import rendered

    return rendered(figure, ".svg").decode()


def _analysis(self: Analysis) -> str:
    """The heads of every layer as an HTML table."""
    rows = [
        (str(number), head.kind, expression(head.selector))
        for number, layer in enumerate(self.layers, 1)
        for head in layer
    ]
    return _table(f"{self.depth} layers, heads {self.heads}", ("layer", "kind", "selector"), rows)


def _model(self: CompiledModel) -> str:
    """The heads of a compiled model and its sizes as an HTML table."""
    weights = self.weights
    rows = [
        (str(number), head.kind, head.name, str(head.W_Q.shape[1]))
        for number, layer in enumerate(self.layers, 1)
        for head in layer.heads
    ]
    caption = (
        f"{weights.name}: {len(weights.vocabulary)} tokens, up to {weights.max_length} positions, {weights.dtype}, "
        f"d_model {weights.d_model}, heads {weights.heads}, {weights.parameters['nonzero']:,} weights that are not 0"
    )
    return _table(caption, ("layer", "kind", "selector", "d_head"), rows)


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """An HTML table with its caption above."""
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"<table><caption>{html.escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


_METHODS: tuple[tuple[type, str, Callable[..., str | None]], ...] = (
    (SOp, "_repr_svg_", _sop),
    (Selector, "_repr_svg_", _selector),
    (Result, "_repr_svg_", _result),
    (Analysis, "_repr_html_", _analysis),
    (CompiledModel, "_repr_html_", _model),
)

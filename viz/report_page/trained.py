"""The part of a report page that shows a trained model beside the compiled one: tables and pictures, no script."""

from __future__ import annotations

import base64
import html
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeAlias

from rasp.graph import SOp
from rasp.operations import Atom
from viz.learned import learned_heads
from viz.report_page.content import shown
from viz.saving import rendered


class OnInput(Protocol):
    """A trained model on an input: what the program says, what the model answers, and pairs of heads as `learned_heads`
    takes them; or why it cannot take the input."""

    @property
    def tokens(self) -> Sequence[Atom]: ...
    @property
    def wanted(self) -> Sequence[Atom]: ...
    @property
    def answers(self) -> Sequence[Atom]: ...
    @property
    def pairs(self) -> Sequence[tuple[int, str, Any, Any]]: ...
    @property
    def fault(self) -> str | None: ...


class Trained(Protocol):
    """What is said of a trained model, the table of its heads, and what it does on each input."""

    @property
    def said(self) -> Sequence[str]: ...
    @property
    def columns(self) -> Sequence[str]: ...
    @property
    def rows(self) -> Sequence[Sequence[str]]: ...
    @property
    def inputs(self) -> Sequence[OnInput]: ...


# The trained model in a folder, on some inputs, beside an s-op.
Training: TypeAlias = Callable[[str, Sequence[Sequence[Atom]], SOp], Trained]


def section(found: Trained) -> str:
    """The section of the page."""
    parts = ['<section aria-labelledby="trained-title">', '<h2 id="trained-title">A trained model</h2>']
    parts += [f'<p class="quiet">{html.escape(line)}</p>' for line in found.said]
    if found.rows:
        parts.append(_table("The program's heads and the learned ones", found.columns, found.rows))
    parts += map(_input, found.inputs)
    return "\n".join([*parts, "</section>"])


def _input(found: OnInput) -> str:
    """An input: a table of answers, and the heads as a picture."""
    if found.fault is not None:
        return f"<p>{html.escape(' '.join(map(shown, found.tokens)))}: {html.escape(found.fault)}</p>"
    rows = [[name, *map(shown, values)] for name, values in (("program", found.wanted), ("model", found.answers))]
    parts = [_table("What the program says and the trained model answers", ["", *map(shown, found.tokens)], rows)]
    if found.pairs:
        drawn = base64.b64encode(rendered(learned_heads(found.tokens, found.pairs), ".png")).decode()
        said = "The heads of the program, the learned heads below them, and their differences"
        parts.append(f'<div class="wide"><img alt="{said}" src="data:image/png;base64,{drawn}"></div>')
    return "\n".join(parts)


def _table(caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{table}</div>'

"""The report page as one text: template, style, script and data, with a policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from importlib.resources import files
from string import Template
from typing import Any

from pygments.token import Comment, Keyword, Name, Number, Operator, String

from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from compiler.source_map import SourceMap
from rasp.graph import SOp
from rasp.language.highlight import RaspLexer
from rasp.language.program import Program
from rasp.operations import Atom
from rasp.vocabulary import vocabulary_of
from viz.report_page.content import contents
from viz.report_page.trained import Trained, section

LEAST_LENGTH = 10
# The script is these files one after another, in one scope.
_SCRIPTS = (
    "elements",
    "matrices",
    "forward",
    "readout",
    "inputs",
    "state",
    "output",
    "heads",
    "graph",
    "weights",
    "steps",
    "residual",
    "tables",
    "program",
    "start",
)
_CLASSES: tuple[tuple[Any, str], ...] = (
    (Comment, "c"),
    (String, "s"),
    (Number, "m"),
    (Keyword, "k"),
    (Operator.Word, "k"),
    (Name.Builtin, "f"),
    (Name.Function, "f"),
)
_LINE_END = re.compile(r"\r\n?|\n")
_UNSAFE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


class Page(str):
    """The text of a page, which a notebook shows in a frame of its own."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        frame = 'sandbox="allow-scripts" title="report" width="100%" height="800" style="border: 1px solid #8a92a0"'
        return f'<iframe {frame} srcdoc="{html.escape(self)}"></iframe>'


def report(
    sop: SOp | Mapping[str, SOp],
    inputs: Sequence[Sequence[Atom]],
    *,
    name: str | None = None,
    vocab: str | Iterable[Atom] | None = None,
    max_length: int | None = None,
    source_map: SourceMap | None = None,
    program: Program | None = None,
    causal: bool = False,
    trained: Trained | None = None,
) -> Page:
    """A page that shows an s-op (or several, by name) compiled and at work on some inputs: the text of one HTML file.

    The vocabulary is that of the inputs, the maximum length that of the longest (at least 10), unless given; names and
    places in the source are those of its `program`, or of the `source_map`; `causal` masks every head to keys at or
    before the query. Beside it, a `trained` model is shown. Errors as for compiling; DataFault for an input that does
    not fit.
    """
    model = compile(
        sop,
        vocabulary_of(inputs) if vocab is None else vocab,
        max([LEAST_LENGTH, *map(len, inputs)]) if max_length is None else max_length,
        dtype="float64",
        name=name,
        source_map=source_map,
        causal=causal,
        program=program,
    )
    return report_of(model, inputs, trained=trained)


def report_of(model: CompiledModel, inputs: Sequence[Sequence[Atom]], *, trained: Trained | None = None) -> Page:
    """A page that shows a compiled model at work on some inputs. DataFault for an input that it cannot take.

    A float64 model of moderate size runs in the page.
    """
    beside = "" if trained is None else section(trained)
    return Page(page(contents(model, inputs), model.weights.program, beside))


def page(data: Mapping[str, Any], source: str, trained: str = "") -> str:
    """The page for a report's contents and its program's text, with a section on a trained model."""
    style, script = _text("page.css"), _script()
    return Template(_text("page.html")).substitute(
        policy=f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        f"{'img-src data:; ' if trained else ''}"
        "base-uri 'none'; form-action 'none'",
        name=html.escape(data["name"]),
        style=style,
        script=script,
        program=_program(source, _linked(data)),
        trained=trained,
        data=json.dumps(data, ensure_ascii=False, separators=(",", ":")).translate(_UNSAFE),
    )


def _text(name: str) -> str:
    """A file that pages are made of."""
    return files("viz.report_page").joinpath(name).read_text(encoding="utf-8")


def _script() -> str:
    body = "\n".join(_text(f"script/{name}.js") for name in _SCRIPTS)
    return f'"use strict";\n(() => {{\n{body}}})();\n'


def _hash(text: str) -> str:
    """What a content security policy calls an inline text by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _linked(data: Mapping[str, Any]) -> set[int]:
    """The lines of the program that something on the page belongs to."""
    parts = [*data["groups"], *data["named"]]
    mlps = [*data["inputMlps"], *(mlp for layer in data["layers"] for mlp in layer["mlps"])]
    parts += [part for mlp in mlps for part in mlp["neurons"]]
    parts += [head for layer in data["layers"] for head in layer["heads"]]
    return {part["line"] for part in parts if part["line"] is not None}


def _program(source: str, linked: Collection[int]) -> str:
    """The program's lines as list items; those that something belongs to are buttons, and comments are marked."""
    items = []
    for number, (text, line) in enumerate(zip(_LINE_END.split(source), _coloured_lines(source), strict=False), 1):
        inner = f'<button type="button" data-line="{number}">{line}</button>' if number in linked else line
        kind = ' class="comment"' if text.lstrip().startswith("#") else ""
        items.append(f'<li data-number="{number}"{kind}><code>{inner}</code></li>')
    return "\n".join(items)


def _coloured_lines(source: str) -> list[str]:
    """The lines of a program as HTML."""
    lines = [""]
    for kind, text in RaspLexer(ensurenl=False, stripnl=False).get_tokens(source.rstrip("\n")):
        css = next((css for family, css in _CLASSES if kind in family), "")
        for at, part in enumerate(text.split("\n")):
            if at:
                lines.append("")
            escaped = html.escape(part)
            lines[-1] += f'<span class="{css}">{escaped}</span>' if css and part else escaped
    return lines

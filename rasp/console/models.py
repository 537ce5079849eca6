"""The colon commands that compile: what they compile for, and what is done with the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rasp.console.context import Context
from rasp.console.rooms import Compiled, CompileRequest
from rasp.console.show import Example, given_text, values
from rasp.console.words import Flag, first_and_rest, input_and_flags, read_flags
from rasp.errors import DataFault
from rasp.graph import Selector, SOp
from rasp.inputs import Input, tokens_of
from rasp.language.header import ModelSize, model_size
from rasp.operations import Atom, column


def _number(text: str) -> int:
    if not text.isdecimal():
        raise DataFault(f"a maximum length is a number, not {text}")
    return int(text)


COMPILE_FLAGS = {
    "--vocab": Flag("vocab", read=lambda text: text or None),
    "--max-length": Flag("max_length", read=_number),
    "--dtype": Flag("dtype", ("float32", "float64")),
    "--prefer": Flag("prefer", ("auto", "depth", "small")),
}
DRAW_FLAGS = {
    "--kind": Flag("kind", ("flow", "heads", "compare", "graph", "residual", "weights", "selector")),
    "--open": Flag("open", alone=True),
}
GRAPH_FLAGS = {"--open": Flag("open", alone=True)}
REPORT_FLAGS = {"--open": Flag("open", alone=True)}
COMPILE_USAGE = ":compile NAME [OPTION..]"
DRAW_USAGE = ":draw NAME [INPUT] [OPTION..]"
GRAPH_USAGE = ":graph [NAME] [INPUT]"
REPORT_USAGE = ":report NAME [INPUT]"
RUN_USAGE = ":run NAME [INPUT]"


def _size(context: Context, tokens: list[Atom], vocab: str | None = None, max_length: int | None = None) -> ModelSize:
    """Vocabulary and length: as given, as the header of the file loaded last says, or as an input needs."""
    return model_size(context.header, vocab, max_length, [tokens], called="example")


def _request(context: Context, name: str, size: ModelSize, **chosen: Any) -> CompileRequest:
    node = context.sop(name)
    return CompileRequest(node, name, size.vocabulary, size.max_length, context.names(), context.origins(), **chosen)


# -- a model, kept by its s-op


def compile_sop(context: Context, rest: str) -> str:
    """The report of a compiled s-op, and what its weights give on the example."""
    name, options = first_and_rest(rest, COMPILE_USAGE)
    chosen = read_flags(options, COMPILE_FLAGS, COMPILE_USAGE)
    example = context.session.settings.sop_example
    size = _size(context, example.run.tokens, chosen.pop("vocab", None), chosen.pop("max_length", None))
    model = _kept(context, _request(context, name, size, **chosen))
    remarks = size.remarks if context.header.fields else ()
    return "\n".join([*remarks, model.report, *_on_example(model, example)])


def _kept(context: Context, asked: CompileRequest) -> Compiled:
    model = context.rooms.compile(asked)
    context.models.pop(asked.node, None)
    context.models[asked.node] = model
    return model


def _model(context: Context, name: str, tokens: list[Atom]) -> Compiled:
    """The model compiled of an s-op; it is compiled now where it was not."""
    found = context.models.get(context.sop(name))
    return found or _kept(context, _request(context, name, _size(context, tokens)))


def _on_example(model: Compiled, example: Example) -> list[str]:
    """What the weights compute on the running example, where its tokens are in the vocabulary."""
    try:
        return [_answer(model, example.given)]
    except DataFault:
        return []


def _answer(model: Compiled, given: Input) -> str:
    return f"  the weights on {given_text(given)}: {values(column(model.output(tokens_of(given))))}"


def run_model(context: Context, rest: str) -> str:
    """What the compiled weights of an s-op give on an input."""
    name, text = first_and_rest(rest, RUN_USAGE)
    given = context.given(text)
    return _answer(_model(context, name, tokens_of(given)), given)


def verify_model(context: Context, rest: str) -> str:
    """Whether interpreter and weights agree, and the certificate."""
    name, _ = first_and_rest(rest, ":verify NAME")
    return _model(context, name, context.session.settings.sop_example.run.tokens).verify()


def save_model(context: Context, path: Path) -> str:
    """Writes the model compiled last."""
    if not context.models:
        raise DataFault("nothing has been compiled yet", hint=f"write {COMPILE_USAGE}")
    model = list(context.models.values())[-1]
    model.save(path)
    return f"{model.name} saved as {path}"


# -- pictures and pages


def report_page(context: Context, rest: str) -> str:
    """Writes the page of an s-op at work on an input; says where."""
    name, text = first_and_rest(rest, REPORT_USAGE)
    text, options = input_and_flags(text)
    chosen = read_flags(options, REPORT_FLAGS, REPORT_USAGE)
    given = context.given(text)
    path = context.rooms.report(_request(context, name, _size(context, tokens_of(given))), given)
    return _shown(context, f"report: {path}", path, chosen)


def picture(context: Context, name: str, given: Input, chosen: dict[str, Any]) -> str:
    """Writes a picture of a kind; says where."""
    node, kind = context.node(name), chosen.get("kind")
    size = _size(context, tokens_of(given))
    assert isinstance(node, (SOp, Selector))
    kind = kind or ("selector" if isinstance(node, Selector) else "flow")
    path = context.rooms.picture(name, node, kind, given, size, context.names())
    return _shown(context, f"drawing: {path}", path, chosen)


def graph(context: Context, rest: str) -> str:
    """Draws the example's relations; of a name the attention of its heads along them."""
    rest, options = input_and_flags(rest)
    chosen = read_flags(options, GRAPH_FLAGS, GRAPH_USAGE)
    if rest:
        name, text = first_and_rest(rest, GRAPH_USAGE)
        return picture(context, name, context.given(text), {**chosen, "kind": "graph"})
    path = context.rooms.graph(context.given(""))
    return _shown(context, f"drawing: {path}", path, chosen)


def _shown(context: Context, said: str, path: str, chosen: dict[str, Any]) -> str:
    if chosen.get("open"):
        context.rooms.open(path)
    return f"     {said}"

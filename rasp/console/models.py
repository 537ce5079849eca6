"""The colon commands that compile: what they compile for, and what is done with the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rasp.console.context import Context
from rasp.console.rooms import Compiled, CompileRequest, Finish, PictureRequest, ReportRequest
from rasp.console.show import Example, given_text, values
from rasp.console.words import Flag, first_and_rest, input_and_flags, read_flags, several_and_rest
from rasp.errors import DataFault
from rasp.graph import Selector, SOp
from rasp.inputs import Input, sequence_of, tokens_of
from rasp.language.header import ModelSize, model_size
from rasp.operations import Atom, column


def _read_count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise ValueError(text)
    return int(text)


def _count(sets: str) -> Flag:
    return Flag(sets, read=_read_count, wanted="a number from 1 on")


def _size_of(sets: str) -> Flag:
    return Flag(sets, read=float, wanted="a number")


def _switch(sets: str) -> Flag:
    return Flag(sets, alone=True)


COMPILE_FLAGS = {
    "--vocab": Flag("vocab", read=lambda text: text or None, wanted="such as a-z or 0..9"),
    "--max-length": _count("max_length"),
    "--dtype": Flag("dtype", ("float32", "float64")),
    "--prefer": Flag("prefer", ("auto", "depth", "small")),
}
_OPEN = {"--open": _switch("open")}
_CAUSAL = {"--causal": _switch("causal")}
_LOOK_FLAGS = {
    "--colors": Flag("colors", wanted="a colour map of matplotlib"),
    "--dark": _switch("dark"),
    "--dpi": _count("dpi"),
    "--scale": _size_of("scale"),
    "--width": _size_of("width"),
    "--output": Flag("output", wanted="a .png, .svg or .pdf file"),
}
DRAW_FLAGS = {
    "--kind": Flag("kind", ("flow", "heads", "compare", "graph", "residual", "weights", "selector")),
    **_CAUSAL,
    "--layer": _count("layer"),
    "--head": _count("head"),
    "--numbers": _switch("numbers"),
    **_LOOK_FLAGS,
    **_OPEN,
}
GRAPH_FLAGS = {**_LOOK_FLAGS, **_OPEN}
REPORT_FLAGS = {**_CAUSAL, **_OPEN}
COMPILE_USAGE = ":compile NAME [OPTION..]"
DRAW_USAGE = ":draw NAME [INPUT] [OPTION..]"
GRAPH_USAGE = ":graph [NAME] [INPUT]"
REPORT_USAGE = ":report NAME[, NAME..] [INPUT]"
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
    return f"  the weights on {given_text(given)}: {values(column(model.output(sequence_of(given))))}"


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
    """Writes the page of some s-ops at work on an input; says where."""
    names, text = several_and_rest(rest, REPORT_USAGE)
    text, options = input_and_flags(text)
    chosen = read_flags(options, REPORT_FLAGS, REPORT_USAGE)
    given, shown = context.given(text), chosen.pop("open", False)
    size, sops = _size(context, tokens_of(given)), {name: context.sop(name) for name in names}
    path = context.rooms.report(ReportRequest(sops, given, size, context.names(), context.origins(), **chosen))
    return _said(context, f"report: {path}", path, shown)


def picture(context: Context, name: str, given: Input, chosen: dict[str, Any]) -> str:
    """Writes a picture of a kind; says where."""
    node, size = context.node(name), _size(context, tokens_of(given))
    assert isinstance(node, (SOp, Selector))
    kind = chosen.pop("kind", None) or _usual_kind(node, chosen)
    finish, shown = _finish(chosen), chosen.pop("open", False)
    path = context.rooms.picture(PictureRequest(node, name, kind, given, size, context.names(), finish, **chosen))
    return _said(context, f"drawing: {path}", path, shown)


def _usual_kind(node: SOp | Selector, chosen: Mapping[str, Any]) -> str:
    """What is drawn where nothing is said: heads where it is said which."""
    about_heads = chosen.keys() & {"layer", "head", "numbers"}
    return "selector" if isinstance(node, Selector) else "heads" if about_heads else "flow"


def _finish(chosen: dict[str, Any]) -> Finish:
    """What is said of how a picture looks, taken out of what is chosen."""
    return Finish(**{flag.sets: chosen.pop(flag.sets) for flag in _LOOK_FLAGS.values() if flag.sets in chosen})


def graph(context: Context, rest: str) -> str:
    """The example's relations as text and as a picture; of a name the attention of its heads along them."""
    rest, options = input_and_flags(rest)
    chosen = read_flags(options, GRAPH_FLAGS, GRAPH_USAGE)
    name, text = first_and_rest(rest, GRAPH_USAGE) if rest else ("", "")
    given, finish = context.given(text), _finish(chosen)
    asked = _graph_request(context, name, given, finish) if name else None
    written, path = context.rooms.graph(given, asked, finish, context.screen.width)
    return f"{written}\n{_said(context, f'drawing: {path}', path, chosen.get('open', False))}"


def _graph_request(context: Context, name: str, given: Input, finish: Finish) -> PictureRequest:
    size = _size(context, tokens_of(given))
    return PictureRequest(context.sop(name), name, "graph", given, size, context.names(), finish)


def _said(context: Context, text: str, path: str, shown: bool) -> str:
    if shown:
        context.rooms.open(path)
    return f"     {text}"

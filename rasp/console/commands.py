"""The colon commands of the console. `COMMANDS` names them all; each takes a context and the text after its name,
and gives a text or a whole reply."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from textwrap import wrap
from typing import Any

from rasp.arguments import did_you_mean
from rasp.console import editing, manual, models
from rasp.console.context import Context
from rasp.console.explain import cost_text, layers_text, titled, trace_text, type_text
from rasp.console.session import Reply
from rasp.console.show import given_text
from rasp.console.words import Flag, file_without_suffix, first_and_rest, input_and_flags, read_flags
from rasp.errors import DataFault, NameFault, RaspError
from rasp.files import write_whole
from rasp.graph import Node, Selector
from rasp.inputs import Input, sequence_of
from rasp.interpret import Run
from rasp.language import syntax
from rasp.language.budget import parse_factor
from rasp.language.formatter import canonical
from rasp.language.header import Header, header_of
from rasp.language.parameters import Parameters
from rasp.language.program import load_program
from rasp.layers import analyse
from rasp.source import CONSOLE, Source

_WIDTH = 80


@dataclass(frozen=True)
class ColonCommand:
    """A command: how it is written, what it does in a line, and what does it."""

    usage: str
    summary: str
    run: Callable[[Context, str], str | Reply]
    more: str = ""
    flags: Mapping[str, Flag] = field(default_factory=dict)

    @property
    def help_text(self) -> str:
        return "\n".join([self.usage, f"  {self.summary}", *(f"  {line}" for line in self.more.splitlines())])


def command(word: str) -> ColonCommand:
    """The command of that name, or the first one that begins so. NameFault where there is none."""
    found = COMMANDS.get(word) or next((COMMANDS[name] for name in COMMANDS if word and name.startswith(word)), None)
    if found is None:
        close = did_you_mean(word, COMMANDS).replace("did you mean ", "did you mean :")
        raise NameFault(f"there is no command :{word}{close}", hint=":help lists the commands")
    return found


# -- commands


def _help(context: Context, rest: str) -> str:
    if not rest:
        return _overview()
    if rest.startswith(":"):
        return command(rest[1:]).help_text
    found = [_own_text(context, rest), _manual_text(rest), _command_help(rest)]
    texts = [text for text in found if text]
    if not texts:
        raise NameFault(f"there is no help on {rest}", hint=":help lists what there is; :type EXPR for an expression")
    return "\n".join(texts)


def _overview() -> str:
    width = max(len(command.usage) for command in COMMANDS.values())
    lines = [
        "Statements end with a semicolon (the last one of a line needs none): x = indices + 1;",
        "A name alone shows its value; S(\"input\") shows an s-op on another input.",
        "",
        *(f"  {command.usage:{width}}  {command.summary}" for command in COMMANDS.values()),
        "",
        *_topics(),
        "",
        "Enter runs a complete statement, Alt-Enter begins a new line, Ctrl-D leaves.",
        ":help NAME, or ?NAME, says more about any of these words; commands may be shortened (:t for :type).",
    ]  # fmt: skip
    return "\n".join(lines)


_TOPICS: dict[str, tuple[manual.EntryKind, ...]] = {
    "inputs": ("s-op", "selector"),
    "forms": ("form",),
    "functions": ("function",),
    "statements": ("keyword",),
    "commands": ("command",),
}


def _topics() -> list[str]:
    """The words of the manual by topic, as paragraphs that keep words of two words together."""
    found: list[str] = []
    for topic, kinds in _TOPICS.items():
        words = [
            word.replace(" ", "\N{NO-BREAK SPACE}") for word, entry in manual.ENTRIES.items() if entry.kind in kinds
        ]
        lines = wrap(", ".join(words), _WIDTH - 2, initial_indent=f"  {topic + ':':12}", subsequent_indent=" " * 14)
        found += [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
    return found


def _own_text(context: Context, name: str) -> str:
    """A variable of the session: its type, and how it is written."""
    value = context.session.scope.names.get(name)
    if value is None or name == "tokens":
        return ""
    text = f"{name}: {type_text(value)}"
    if isinstance(value, Node):
        others = {node: known for node, known in context.names().items() if node is not value}
        return f"{text}\n  {name} = {titled(value, others)}"
    return text


def _manual_text(name: str) -> str:
    words = [word for word in manual.ENTRIES if word == name or (" " in word and name in word.split())]
    return "\n".join(manual.entry_text(manual.ENTRIES[word]) for word in words)


def _command_help(name: str) -> str:
    return COMMANDS[name].help_text if name in COMMANDS else ""


def _type(context: Context, rest: str) -> str:
    return f"{rest or 'out'}: {type_text(context.value(rest or 'out'))}"


def _layers(context: Context, rest: str) -> str:
    """Of places only those in files are shown: every input of the console begins at line 1."""
    places = {node: span for node, span in context.origins().items() if not span.source.name.startswith("<")}
    return layers_text(rest or "out", context.node(rest or "out"), context.names(), places)


def _trace(context: Context, rest: str) -> str:
    name, given = first_and_rest(rest, ":trace NAME [INPUT]")
    run = Run(context.given(given))
    width = context.screen.width
    return trace_text(context.node(name), run, context.names(), width, partial(_mask, context, run))


def _heads(context: Context, rest: str) -> str:
    name, given = first_and_rest(rest, ":heads NAME [INPUT]")
    node, tokens = context.node(name), sequence_of(context.given(given))
    background = context.background()
    shown = {**asdict(context.screen), "dark": background == "dark"}
    run, rooms = Run(tokens), context.rooms
    if isinstance(node, Selector):
        title = titled(node, context.names())
        return rooms.heatmap(run.selector(node), tokens, title=title, mask=_mask(context, run, node), **shown)
    found = analyse([node])
    attention = [[_attention(run, head.selector) for head in layer] for layer in found.layers]
    titles = [[titled(head.selector, context.names()) for head in layer] for layer in found.layers]
    masks = [[_mask(context, run, head.selector) for head in layer] for layer in found.layers]
    picture = rooms.heatmaps(attention, tokens, titles=titles, masks=masks, **shown)
    return f"{name}: {cost_text(found)}\na row is a query, {_MORE[background]} is more attention\n{picture}".rstrip()


def _mask(context: Context, run: Run, selector: Selector) -> Any:
    """Where a query may look, as a matrix; None where that is everywhere."""
    mask = context.rooms.mask(selector)
    return None if mask is None else run.selector(mask)


# What a cell that is filled more looks like.
_MORE = {"dark": "lighter", "light": "darker", "unknown": "fuller"}


def _attention(run: Run, selector: Selector) -> Any:
    """The weights of a head: each row spread evenly over what it selects."""
    selected = run.selector(selector)
    return selected / selected.sum(axis=1, keepdims=True).clip(min=1)


def _draw(context: Context, rest: str) -> Reply | str:
    """The flow as the statement draws it; another kind, or opened, as asked."""
    name, text = first_and_rest(rest, models.DRAW_USAGE)
    text, options = input_and_flags(text)
    chosen = read_flags(options, models.DRAW_FLAGS, models.DRAW_USAGE)
    if chosen or isinstance(context.node(name), Selector):
        return models.picture(context, name, context.given(text), chosen)
    given = context.given(text)
    return context.session.push(f"draw({name}, {_written(given)});" if given else f"draw({name});")


def _written(given: Input) -> str:
    if not isinstance(given, str):
        return repr(given)
    return f"'{given}'" if '"' in given else f'"{given}"'


def _load(context: Context, rest: str) -> Reply:
    return _loaded(context, file_without_suffix(rest, ":load FILE"))


def _loaded(context: Context, path: str) -> Reply:
    """Runs a file; its header's input becomes the running example, and a reply says what else the header has."""
    session = context.session
    context.header = _header(session.elaborator.files.load(path, CONSOLE), session.elaborator.parameters)
    reply = session.push(f'load "{path}";')
    for given in context.header.own_inputs:
        session.use_example(given)
    said = _header_text(context.header)
    return replace(reply, parts=(*reply.parts, *([said] if said else [])))


def _header(source: Source, given: Parameters) -> Header:
    """The header of a file; of one that cannot be run, what depends on that is left out, and the load says why."""
    found = header_of(source)
    if not found.depends:
        return found
    try:
        return load_program(source.name, budget=1, **given.given).header
    except RaspError:
        return Header({name: place for name, place in found.fields.items() if name == "input"})


def _header_text(header: Header) -> str:
    """What a header is used for, in a line."""
    found = {
        "example": None if header.input is None else given_text(header.input),
        "vocabulary": None if header.vocabulary is None else header.vocabulary_text,
        "maximum length": header.length,
    }
    parts = [f"{what} {text}" for what, text in found.items() if text is not None]
    return f"from the header: {', '.join(parts)}" if parts else ""


def _reload(context: Context, rest: str) -> Reply:
    path = context.loaded()
    if path is None:
        raise DataFault("nothing has been loaded yet", hint="write :load FILE")
    return _loaded(context, path)


def _save(context: Context, rest: str) -> str:
    forced = rest.startswith("!")
    name = file_without_suffix(rest.removeprefix("!").strip(), ":save FILE")
    path = Path(name if name.endswith(".safetensors") else f"{name}.rasp")
    if os.path.lexists(path) and not forced:
        raise DataFault(f"there is a file {path} already", hint="write :save! FILE to replace it")
    if path.suffix == ".safetensors":
        return models.save_model(context, path)
    kept = _worth_keeping(context.session.performed)
    write_whole(path, canonical(Source(str(path), "".join(map(_line, kept)))))
    return f"{len(kept)} statement{'' if len(kept) == 1 else 's'} saved as {path}"


def _worth_keeping(performed: list[syntax.Statement]) -> list[syntax.Statement]:
    """What sets something; of expressions alone only those whose value, `out`, is used by what is kept."""
    kept: list[syntax.Statement] = []
    wanted = False
    for statement in reversed(performed):
        if isinstance(statement, _NOT_SAVED) or (isinstance(statement, syntax.Evaluate) and not wanted):
            continue
        kept.append(statement)
        wanted = _uses_out(statement) or (wanted and not isinstance(statement, (syntax.Evaluate, syntax.Assign)))
    return kept[::-1]


def _uses_out(statement: syntax.Statement) -> bool:
    return any(isinstance(node, syntax.Name) and node.name == "out" for node in syntax.walk(statement))


def _line(statement: syntax.Statement) -> str:
    """A statement as it was typed, with the semicolon that may be missing at the context."""
    text = statement.span.text
    ended = text.endswith(";") or isinstance(statement, (syntax.Command, syntax.Define, syntax.For))
    return text + ("\n" if ended else ";\n")


_NOT_SAVED = (syntax.Draw, syntax.Exit, syntax.ShowExample)


def _set(context: Context, rest: str) -> Reply | str:
    name, _, value = rest.partition(" ")
    if not name:
        return "\n".join(f"  {name:10} {option.now(context)}" for name, option in _OPTIONS.items())
    if name not in _OPTIONS:
        close = did_you_mean(name, _OPTIONS)
        raise NameFault(f"there is no option {name}{close}", hint=f"options are {', '.join(_OPTIONS)}")
    option = _OPTIONS[name]
    value = value.strip()
    if not value:
        return f"  {name:10} {option.now(context)}"
    if option.values and value not in option.values:
        raise NameFault(f"{name} is one of {', '.join(option.values)}", hint=f"write :set {name} {option.values[0]}")
    return option.change(context, value)


@dataclass(frozen=True)
class _Option:
    """Something `:set` changes: its values (any where there are none), what it is now, and how it changes."""

    values: tuple[str, ...]
    now: Callable[[Context], str]
    change: Callable[[Context, str], Reply]


def _set_example(context: Context, value: str) -> Reply:
    return context.session.push(f"set example {_written(context.given(value))}")


def _set_budget(context: Context, value: str) -> Reply:
    context.session.budget.factor = parse_factor(value)
    return Reply()


def _statement(text: str) -> Callable[[Context, str], Reply]:
    return lambda context, value: context.session.push(f"{text} {value}")


def _own(field: str) -> Callable[[Context, str], Reply]:
    def change(context: Context, value: str) -> Reply:
        setattr(context.options, field, value)
        return Reply()

    return change


def _switch(on: bool) -> str:
    return "on" if on else "off"


_OPTIONS: dict[str, _Option] = {
    "example": _Option((), lambda context: context.session.settings.sop_example.text, _set_example),
    "examples": _Option(
        ("on", "off"), lambda context: _switch(context.session.settings.sop_examples), _statement("examples")
    ),
    "full": _Option(
        ("on", "off"), lambda context: _switch(context.session.settings.full), _statement("full seq display")
    ),
    "budget": _Option((), lambda context: str(context.session.budget.factor), _set_budget),
    "color": _Option(("auto", "always", "never"), lambda context: context.options.color, _own("color")),
    "background": _Option(("auto", "dark", "light"), lambda context: context.options.background, _own("background")),
    "keys": _Option(("emacs", "vi"), lambda context: context.options.keys, _own("keys")),
}
OPTIONS = {name: option.values for name, option in _OPTIONS.items()}


def flags() -> dict[str, Mapping[str, Flag]]:
    """The options of each command that has any."""
    return {name: found.flags for name, found in COMMANDS.items() if found.flags}


def _quit(context: Context, rest: str) -> Reply:
    return Reply(ended=True)


COMMANDS: dict[str, ColonCommand] = {
    "help": ColonCommand(
        ":help [NAME]",
        "what there is, or more about one word",
        _help,
        "NAME is a word of the language, a variable or a :command; also written ?NAME",
    ),
    "type": ColonCommand(":type EXPR", "what kind of value it is, its layers and heads", _type),
    "layers": ColonCommand(":layers NAME", "the heads of every layer that an s-op needs", _layers),
    "trace": ColonCommand(
        ":trace NAME [INPUT]",
        "each step of an s-op on an input, a column a position",
        _trace,
        "A selector shows which keys each position selects, a block for a selected one;\n"
        "× is a key that a relation hides.\n"
        "INPUT is text, with or without quotes, or a list; without it, the example.",
    ),
    "heads": ColonCommand(
        ":heads NAME [INPUT]",
        "what every head attends to, drawn in the terminal",
        _heads,
        "A row is a query, a column a key; ∅ ends a row that attends to nothing, × is what is hidden.",
    ),
    "compile": ColonCommand(
        models.COMPILE_USAGE,
        "exact transformer weights: heads, d_model, parameters",
        models.compile_sop,
        "for example :compile hist --vocab a-z --max-length 20\n"
        "Without --vocab and --max-length: those in the header of the file loaded last, else those of the example.\n"
        "--dtype is float32 or float64; --prefer is auto, depth (heads as predicted) or small (narrow heads).",
        models.COMPILE_FLAGS,
    ),
    "draw": ColonCommand(
        models.DRAW_USAGE,
        "a picture in comp_flows/: how it is computed, or its heads",
        _draw,
        "--kind is flow (how it is computed), heads, compare (selectors beside heads), residual,\n"
        "weights, graph or selector; --causal masks later positions;\n"
        "--layer N, --head N (both from 1) and --numbers (in the cells) are for heads;\n"
        "--colors MAP, --dark, --dpi N, --scale X and --width INCHES say how it looks, --output FILE where it goes;\n"
        "--open shows the picture at once.",
        models.DRAW_FLAGS,
    ),
    "graph": ColonCommand(
        models.GRAPH_USAGE,
        "the example's vertices and edges, here and in comp_flows/",
        models.graph,
        "A line a vertex: what it is joined with. With a NAME, also the attention of every head along the edges,\n"
        "a bar as long as it is strong, and what each layer makes of it.\n"
        "--open shows the picture at once.",
        models.GRAPH_FLAGS,
    ),
    "load": ColonCommand(
        ":load FILE",
        "runs a file and takes over its public names",
        _load,
        "The lines # input:, # vocab: and # length: of its header set the example and what :compile takes.",
    ),
    "reload": ColonCommand(":reload", "loads the file loaded last once more", _reload),
    "save": ColonCommand(
        ":save FILE",
        "writes what was set in this session to a .rasp file",
        _save,
        "Definitions, assignments, loops, loads and settings that succeeded, in canonical layout.\n"
        "A file that is there already is replaced only by :save! FILE.\n"
        ":save FILE.safetensors writes the model that was compiled last.",
    ),
    "set": ColonCommand(":set [OPTION VALUE]", "example, examples, full, budget, …; alone, shows them", _set),
    "quit": ColonCommand(":quit", "leaves the console", _quit),
    "run": ColonCommand(
        models.RUN_USAGE,
        "what the compiled weights give on an input",
        models.run_model,
        "An s-op that was not compiled yet is compiled, as :compile NAME does.",
    ),
    "verify": ColonCommand(
        ":verify NAME",
        "whether weights and interpreter agree, and the certificate",
        models.verify_model,
        "An s-op that was not compiled yet is compiled, as :compile NAME does.",
    ),
    "report": ColonCommand(
        models.REPORT_USAGE,
        "a page in comp_flows/ that explains s-ops and their weights",
        models.report_page,
        "Several s-ops, with commas between them, are one model. --causal masks later positions;\n"
        "--open shows the page in the browser at once.",
        models.REPORT_FLAGS,
    ),
    "names": ColonCommand(":names", "what is set: names, types, layers and heads", editing.names),
    "undo": ColonCommand(":undo", "takes back the last input that set something", editing.undo),
    "time": ColonCommand(":time INPUT", "runs a statement or a command, and says how long it took", editing.timed),
    "history": ColonCommand(":history [N]", "the last inputs of this session, 20 or N", editing.history),
    "edit": ColonCommand(
        ":edit [NAME]",
        "edits the last input or what set a name, in $EDITOR; then runs it",
        editing.edit,
        ":edit FILE.rasp edits a file, then loads it.",
    ),
}

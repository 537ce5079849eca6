"""A session with colon commands: what a person at a terminal talks to. Text in, a reply out; it prints nothing."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass

from rasp.console import commands
from rasp.console.completion import Names
from rasp.console.explain import type_text
from rasp.console.prompt import is_colon_command
from rasp.console.rooms import Rooms
from rasp.console.session import Reply, Session
from rasp.errors import DataFault, RaspError, SyntaxFault, TypeFault
from rasp.graph import Constant, Indices, Node, SOp, Tokens
from rasp.inputs import Input
from rasp.language import builtins, syntax
from rasp.language.elaborate import Elaborator, Mode, Silent, outside_library
from rasp.language.parser import parse
from rasp.language.scope import Function, Scope, Value
from rasp.meaning import EvaluationFault
from rasp.operations import is_atom
from rasp.printing import expression, literal
from rasp.source import CONSOLE, Source, Span

_SHORT = 30


@dataclass
class Options:
    """What `:set` changes beside the settings of the session."""

    color: str = "auto"
    keys: str = "emacs"


@dataclass(frozen=True)
class Screen:
    """What pictures of characters may use: columns, and whether there are colours."""

    width: int = 80
    colour: bool = False


class Console:
    """A session that also answers colon commands, some of them with the help of other rooms."""

    def __init__(self, session: Session, rooms: Rooms | None = None) -> None:
        self.session: Session = session
        self._rooms: Rooms | None = rooms
        self.options: Options = Options()
        self.screen: Screen = Screen()

    def push(self, text: str, *, closed: bool = True, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Answers a colon command; runs any other text as the session does."""
        if is_colon_command(text):
            return self.answer(text)
        return self.session.push(text, closed=closed, name=name, first_line=first_line)

    def finish(self, text: str, *, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Answers a colon command; runs any other text, after which nothing comes."""
        if is_colon_command(text):
            return self.answer(text)
        return self.session.finish(text, name=name, first_line=first_line)

    def answer(self, line: str) -> Reply:
        """The reply to a colon command; whatever goes wrong stands in it."""
        try:
            word, rest = _command_and_rest(line)
            said = commands.command(word).run(self, rest)
        except EvaluationFault as error:
            return Reply((error.at(self.origins().get(error.node)),))
        except RaspError as error:
            return Reply((error,))
        return said if isinstance(said, Reply) else Reply((said,) if said else ())

    # -- what a terminal shows

    @property
    def status(self) -> str:
        """The running examples, and what is not as at the start, in a line."""
        settings = self.session.settings
        sop, selector = settings.sop_example.text, settings.selector_example.text
        parts = [f"example {_cut(sop)}"] if sop == selector else [f"s-op {_cut(sop)}", f"selector {_cut(selector)}"]
        hidden = {"s-op": settings.sop_examples, "selector": settings.selector_examples}
        parts += [f"{which} examples off" for which, shown in hidden.items() if not shown]
        return "  ·  ".join(parts + ["full display"] * settings.full)

    def completions(self) -> Names:
        """What may be completed."""
        values = {name: value for name, value in self.session.scope.names.items() if name not in ("tokens", "out")}
        named = self.names()
        notes = {name: command.summary for name, command in commands.COMMANDS.items()}
        return Names(values, lambda name: _described(name, values[name], named), notes, commands.OPTIONS)

    # -- what commands need

    @property
    def rooms(self) -> Rooms:
        """The compiler and the pictures. DataFault where they are not there."""
        if self._rooms is None:
            raise DataFault("this console cannot reach the compiler and the pictures", hint="start it with `rasp`")
        return self._rooms

    def value(self, text: str) -> Value:
        """The value of an expression; nothing is tried, stored or printed."""
        parsed = parse(Source(CONSOLE, text), closed=True)
        if parsed.errors:
            raise parsed.errors[0]
        statements = parsed.program.statements
        if len(statements) != 1 or not isinstance(statements[0], syntax.Evaluate):
            raise SyntaxFault("expected one expression", hint="for example :type indices + 1")
        scope = Scope("local", self.session.scope, "console")
        self.session.budget.renew()
        Elaborator(Silent(), budget=self.session.budget).perform(statements[0], scope, Mode.CONSOLE)
        if "out" not in scope.names:
            raise TypeFault("an s-op applied to an input is not a value", hint="name the s-op, then the input")
        return scope.names["out"]

    def node(self, text: str) -> Node:
        """The s-op or selector an expression stands for."""
        value = self.value(text)
        if not isinstance(value, Node):
            raise TypeFault(f"{text} is {builtins.described(value)}, no s-op or selector")
        return value

    def sop(self, text: str) -> SOp:
        """The s-op an expression stands for."""
        node = self.node(text)
        if not isinstance(node, SOp):
            raise TypeFault(f"{text} is a selector, no s-op", hint="aggregate something with it")
        return node

    def given(self, text: str) -> Input:
        """The input a text means: a string or list, a variable, or its characters; the example where it is empty."""
        if not text:
            return self.session.settings.sop_example.given
        written = text[0] in "\"'[" and not parse(Source(CONSOLE, text), closed=True).errors
        if written or text in self.session.scope.names:
            return builtins.atoms_of_input(self.value(text))
        return text

    def names(self) -> dict[Node, str]:
        """The variable of each node that has one; what is built in keeps its own name."""
        named = self.session.names().items()
        return {node: name for node, name in named if not isinstance(node, (Tokens, Indices, Constant))}

    def origins(self) -> dict[Node, Span]:
        """Where each node was written."""
        return {node: outside_library(origin)[0] for node, origin in self.session.elaborator.origins.items()}

    def loaded(self) -> str | None:
        """The path of the file loaded last."""
        loads = [done for done in self.session.performed if isinstance(done, syntax.Load)]
        return loads[-1].path if loads else None


def _described(name: str, value: Value, named: dict[Node, str]) -> tuple[str, str]:
    """The kind of a variable, and how it is called or written."""
    if isinstance(value, Function):
        return "function", f"{name}({', '.join(value.parameters)})"
    if not isinstance(value, Node):
        return "value", _cut(literal(value)) if is_atom(value) else type_text(value)
    return builtins.type_name(value), expression(value, ChainMap({value: ""}, named))


def _cut(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


def _command_and_rest(line: str) -> tuple[str, str]:
    text = line.strip()
    if text.startswith("?"):
        return "help", text[1:].strip().rstrip(";")
    word, _, rest = text[1:].partition(" ")
    if word.endswith("!"):
        word, rest = word[:-1], f"!{rest}"
    return word, rest.strip().rstrip(";").rstrip()

"""A session with colon commands: what a person at a terminal talks to. Text in, a reply out; it prints nothing."""

from __future__ import annotations

from collections import ChainMap

from rasp.console import commands
from rasp.console.completion import Names
from rasp.console.context import Context
from rasp.console.explain import type_text
from rasp.console.prompt import is_colon_command
from rasp.console.session import Reply
from rasp.errors import RaspError
from rasp.graph import Node
from rasp.language import builtins
from rasp.language.scope import Function, Value
from rasp.meaning import EvaluationFault
from rasp.operations import is_atom
from rasp.printing import expression, literal
from rasp.source import CONSOLE

_SHORT = 30


class Console(Context):
    """A session that also answers colon commands, some of them with the help of other rooms."""

    def push(self, text: str, *, closed: bool = True, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Answers a colon command; runs any other text as the session does."""
        if is_colon_command(text):
            return self.answer(text)
        return self.session.push(text, closed=closed, name=name, first_line=first_line)

    def finish(self, text: str, *, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Answers a colon command; runs any other text as complete: nothing follows."""
        if is_colon_command(text):
            return self.answer(text)
        return self.session.finish(text, name=name, first_line=first_line)

    def answer(self, line: str) -> Reply:
        """The reply to a colon command; errors are part of it."""
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
        """The running examples, and settings that differ from those at the start, in one line."""
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

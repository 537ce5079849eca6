"""A session with colon commands: what a person at a terminal talks to. Text in, a reply out; it prints nothing."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable
from functools import partial

from rasp.console import commands
from rasp.console.completion import Names
from rasp.console.context import Context
from rasp.console.explain import type_text
from rasp.console.prompt import is_colon_command
from rasp.console.rooms import Rooms
from rasp.console.session import Reply, Session, State
from rasp.errors import RaspError
from rasp.graph import Node
from rasp.language import builtins
from rasp.language.header import Header
from rasp.language.scope import Function, Value
from rasp.meaning import EvaluationFault
from rasp.operations import is_atom
from rasp.printing import expression, literal
from rasp.source import CONSOLE

_SHORT = 30
_UNDOABLE = 100
_HELP = re.compile(r"\s*help(?:\s*\(\s*[\"']?(?P<called>[^()\"']*)[\"']?\s*\)|\s+(?P<word>:?\w[\w -]*))?\s*;?\s*")


class Console(Context):
    """A session that also answers colon commands, some of them with the help of other rooms."""

    def __init__(self, session: Session, rooms: Rooms | None = None) -> None:
        super().__init__(session, rooms)
        self._past: list[tuple[str, State, Header]] = []

    def push(self, text: str, *, closed: bool = True, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Answers a colon command; runs any other text as the session does."""
        if is_colon_command(text) or (closed and self._asks_for_help(text)):
            return self._recorded(text, lambda: self.answer(text))
        run = partial(self.session.push, text, closed=closed, name=name, first_line=first_line)
        return self._recorded(text, run)

    def finish(self, text: str, *, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Answers a colon command; runs any other text as complete: nothing follows."""
        if is_colon_command(text) or self._asks_for_help(text):
            return self._recorded(text, lambda: self.answer(text))
        return self._recorded(text, partial(self.session.finish, text, name=name, first_line=first_line))

    def perform(self, text: str) -> Reply:
        if is_colon_command(text) or self._asks_for_help(text):
            return self.answer(text)
        return self.session.finish(text)

    def _asks_for_help(self, text: str) -> bool:
        """Whether it is a plain help, where no variable has that name."""
        return bool(_HELP.fullmatch(text)) and "help" not in set(self.session.scope.visible())

    def _recorded(self, text: str, run: Callable[[], Reply]) -> Reply:
        """A reply; what was typed is remembered, and how everything was before, if something was set."""
        before, header, depth = self.session.state(), self.header, len(self._past)
        reply = run()
        if not reply.incomplete and text.strip():
            self.typed.append(text.strip())
        if len(self._past) == depth and not before.sets_like(self.session.state()):
            self._past.append((text.strip(), before, header))
            del self._past[:-_UNDOABLE]
        return reply

    def undo(self) -> str | None:
        if not self._past:
            return None
        text, before, self.header = self._past.pop()
        self.session.restore(before)
        return text

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
        describe = partial(_described_among, values, named)
        return Names(values, describe, notes, commands.OPTIONS, commands.flags())


def _described_among(values: dict[str, Value], named: dict[Node, str], name: str) -> tuple[str, str]:
    return _described(name, values[name], named)


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
    if found := _HELP.fullmatch(text):
        return "help", (found["called"] or found["word"] or "").strip()
    word, _, rest = text[1:].partition(" ")
    if word.endswith("!"):
        word, rest = word[:-1], f"!{rest}"
    return word, rest.strip().rstrip(";").rstrip()

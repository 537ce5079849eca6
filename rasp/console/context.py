"""What colon commands work on: the session, the values that texts mean in it, and what the console has beside it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rasp.console.background import Background
from rasp.console.rooms import Compiled, Rooms
from rasp.console.session import Reply, Session
from rasp.errors import DataFault, SyntaxFault, TypeFault
from rasp.graph import Constant, Indices, Node, SOp, Tokens
from rasp.inputs import Input
from rasp.language import builtins, syntax
from rasp.language.elaborate import Elaborator, Mode, Silent, outside_library
from rasp.language.header import Header
from rasp.language.parser import parse
from rasp.language.scope import Scope, Value
from rasp.source import CONSOLE, Source, Span


@dataclass
class Options:
    """What `:set` changes beside the settings of the session."""

    color: str = "auto"
    keys: str = "emacs"
    background: Literal["auto", "dark", "light"] = "auto"


@dataclass(frozen=True)
class Screen:
    """What pictures of characters may use: columns, and whether there are colours."""

    width: int = 80
    colour: bool = False


class Context(ABC):
    """A session, options, a screen, the header of the file that `:load` ran last, and the models that were compiled.

    `typed` are the inputs so far; `edit_file` opens an editor, and `background` says what the terminal writes on, where
    there is one.
    `rooms` has the compiler and the pictures, where they can be reached.
    """

    def __init__(self, session: Session, rooms: Rooms | None = None) -> None:
        self.session: Session = session
        self._rooms: Rooms | None = rooms
        self.options: Options = Options()
        self.screen: Screen = Screen()
        self.header: Header = Header({})
        self.models: dict[Node, Compiled] = {}
        self.typed: list[str] = []
        self.edit_file: Callable[[Path], None] | None = None
        self.ask_background: Callable[[], Background] = lambda: "unknown"

    @abstractmethod
    def perform(self, text: str) -> Reply:
        """The reply to an input or a command that is part of another one."""

    @abstractmethod
    def undo(self) -> str | None:
        """Takes back the last input that set something, and gives it; None where there is none."""

    def background(self) -> Background:
        """Dark or light, as the option says or else the terminal."""
        chosen = self.options.background
        return self.ask_background() if chosen == "auto" else chosen

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
        written = text[0] in "\"'[{" and not parse(Source(CONSOLE, text), closed=True).errors
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

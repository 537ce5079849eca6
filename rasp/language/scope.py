"""Values of the language that exist while a program is elaborated, and the scopes that hold them by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rasp.errors import NameFault
from rasp.graph import EdgeLabel, Selector, SOp
from rasp.language.lexer import FORMS, KEYWORDS
from rasp.language.syntax import Define
from rasp.operations import Atom

ScopeKind: TypeAlias = Literal["built-in", "library", "console", "file", "function", "local"]
Value: TypeAlias = "int | float | str | bool | SOp | Selector | EdgeLabel | list[Value] | dict[Atom, Value] | Function"

RESERVED = (
    KEYWORDS
    | FORMS
    | {"True", "False", "indices", "tokens_int", "tokens_float", "tokens_bool", "tokens_asis", "tokens_str"}
    | {"out", "get", "set", "show", "example", "examples", "on", "off", "load", "draw", "selector", "exit", "quit"}
)


@dataclass(frozen=True, eq=False, repr=False)
class Function:
    """What can be called. `where` is the place it was defined: console, library, a path, with ' for each nesting."""

    name: str
    parameters: tuple[str, ...]
    where: str


@dataclass(frozen=True, eq=False, repr=False)
class Primitive(Function):
    """A function that builds a graph node directly; the last `optional` parameters may be left out."""

    build: Callable[..., Value]
    optional: int = 0


@dataclass(frozen=True, eq=False, repr=False)
class Closure(Function):
    """A function written in the language, with the scope its definition stands in."""

    definition: Define
    scope: Scope


class UndefinedName(NameFault):
    """A name that no scope in reach holds."""

    def __init__(self, name: str, known: Iterator[str]) -> None:
        close = difflib.get_close_matches(name, sorted(set(known)), 3, 0.6)
        hint = f"did you mean {' or '.join(close)}?" if close else None
        super().__init__(f"the name {name} is not defined", hint=hint)
        self.name = name


class Scope:
    """Names and their values, inside an outer scope.

    A file passes its public names on to the scope of its load statement, at once; `touched` lists what it should print
    at its end, last touched last. `kept` are the names that were refused there, so that the file has them alone.
    """

    def __init__(self, kind: ScopeKind, outer: Scope | None, where: str = "", passes_to: Scope | None = None) -> None:
        self.kind = kind
        self.outer = outer
        self.where = where
        self.passes_to = passes_to
        self.names: dict[str, Value] = {}
        self.touched: dict[str, Value] = {}
        self.kept: set[str] = set()

    def lookup(self, name: str) -> Value:
        """The value of a name, here or further out. UndefinedName, with names that look like it."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        raise UndefinedName(name, self.visible())

    def visible(self) -> Iterator[str]:
        """Every name in reach, inner scopes first; the library's private names stay out."""
        scope: Scope | None = self
        while scope is not None:
            yield from (name for name in scope.names if scope.kind != "library" or not name.startswith("_"))
            scope = scope.outer

    def check(self, name: str) -> None:
        """NameFault where the name must not be set here."""
        if name in RESERVED:
            raise NameFault(f"{name} is reserved and cannot be set", hint="choose another name")
        if self.kind == "console" and self.outer is not None and name in self.outer.names:
            raise NameFault(
                f"{name} belongs to the library and cannot be set at the console",
                hint="choose another name; functions and loaded files may use it for themselves",
            )

    def assign(self, name: str, value: Value) -> None:
        """Sets a name here, and where a file passes its public names on."""
        self.check(name)
        self.names[name] = value
        if self.passes_to is None or name.startswith("_"):
            return
        try:
            self.passes_to.assign(name, value)
        except NameFault:
            self.kept.add(name)
            raise

    def touch(self, name: str, value: Value) -> None:
        """Moves a public name to the end of what a file prints, in this file and the files that load it."""
        if self.kind != "file" or name.startswith("_") or name == "out" or name in self.kept:
            return
        self.touched.pop(name, None)
        self.touched[name] = value
        if self.passes_to is not None:
            self.passes_to.touch(name, value)

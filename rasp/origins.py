"""Where nodes come from, kept with them: the program that named them, or the line of Python that built them.

None of it is part of what a node means: equal nodes stay one node, and what is known of it is what was said last.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Iterable, Mapping
from typing import Protocol, TypeVar

from rasp.graph import BUILT, Constant, Indices, Node, Tokens, given_name, topological
from rasp.source import Source, Span

P = TypeVar("P")
_PROGRAM = "_program"


class Known(Protocol):
    """What a program knows of its nodes."""

    @property
    def names(self) -> Mapping[Node, str]: ...

    @property
    def origins(self) -> Mapping[Node, Span]: ...


def remember(node: Node, program: Known) -> None:
    """Keeps the program that an s-op or selector was taken from. Inputs and constants belong to none."""
    if not isinstance(node, (Tokens, Indices, Constant)):
        vars(node)[_PROGRAM] = program


def program_of(node: Node, kind: type[P]) -> P | None:
    """The program that a node was taken from last."""
    found = vars(node).get(_PROGRAM)
    return found if isinstance(found, kind) else None


def known(roots: Iterable[Node]) -> tuple[dict[Node, str], dict[Node, Span]]:
    """The names and the places of all that some nodes need, as far as anything is known of them.

    A name that was given in Python goes before one of a program, and a place in a program before a line of Python.
    """
    names: dict[Node, str] = {}
    origins: dict[Node, Span] = {}
    nodes = list(topological(roots))
    programs = _programs(nodes)
    for node in nodes:
        called = next(iter(_names(node, programs)), None)
        names |= {} if called is None else {node: called}
        place = next((p.origins[node] for p in programs if node in p.origins), None) or _python_line(node)
        origins |= {} if place is None else {node: place}
    return names, origins


def all_names(roots: Iterable[Node]) -> dict[Node, list[str]]:
    """Every name of each node that some nodes need: given in Python, and in programs. What has none is left out.

    Where the roots are of programs, it is these that name: another one may share nodes with them, and call them as it
    likes.
    """
    roots = list(roots)
    nodes = list(topological(roots))
    programs = _programs(roots) or _programs(nodes)
    return {node: found for node in nodes if (found := _names(node, programs))}


def _programs(nodes: Iterable[Node]) -> list[Known]:
    return list({id(p): p for node in nodes if (p := vars(node).get(_PROGRAM)) is not None}.values())


def _names(node: Node, programs: Iterable[Known]) -> list[str]:
    own = given_name(node)
    return [*([] if own is None else [own]), *(p.names[node] for p in programs if node in p.names)]


def _python_line(node: Node) -> Span | None:
    """The line of Python that built a node, where its file can be read."""
    if BUILT not in vars(node):
        return None
    path, number = vars(node)[BUILT]
    lines = linecache.getlines(path)
    if not 1 <= number <= len(lines):
        return None
    start = sum(map(len, lines[: number - 1]))
    text = lines[number - 1]
    indent = len(text) - len(text.lstrip())
    return Span(Source(_shown(path), "".join(lines)), start + indent, start + len(text.rstrip()))


def _shown(path: str) -> str:
    """A path as short as it can be: relative where it lies below the working directory."""
    inside = os.path.relpath(path) if os.path.isabs(path) else path
    return path if inside.startswith("..") else inside

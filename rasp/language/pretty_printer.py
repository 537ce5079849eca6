"""Text that may be broken over lines, and the printer that decides where.

A document is text, a tuple of documents, or one of the classes here. A group stands on one line if it fits, else its
own lines break. A single blank as text never stands at the end of a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

INDENT = 4


@dataclass(frozen=True)
class Line:
    """A place where the line may be broken; `flat` is written where it is not."""

    flat: str


@dataclass(frozen=True)
class Break:
    """The end of a line, with an empty line after it where `blank`."""

    blank: bool = False


@dataclass(frozen=True)
class Comment:
    """A comment, which ends its line; alone on it if `alone`, and then after an empty line where `blank`."""

    text: str
    alone: bool
    blank: bool


@dataclass(frozen=True)
class Nest:
    """Parts whose further lines are indented."""

    parts: Document


@dataclass(frozen=True)
class Group:
    """Parts that stand on one line if they fit."""

    parts: Document


Document: TypeAlias = "str | Line | Break | Comment | Nest | Group | tuple[Document, ...]"
_Waiting: TypeAlias = "list[tuple[int, bool, Document]]"


class _Page:
    """What is written so far. The blanks or line ends before the next text wait until it comes."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.column = 0
        self.lines = 0
        self.blanks = 0
        self.commented = False

    def write(self, text: str) -> None:
        if self.lines and self.texts:
            self.texts.append("\n" * self.lines)
            self.column = 0
        self.texts.append(" " * self.blanks + text)
        self.column += self.blanks + len(text)
        self.lines = self.blanks = 0
        self.commented = False

    def space(self, text: str) -> None:
        if not self.lines:
            self.blanks = len(text)

    def end_line(self, indent: int, blank: bool) -> None:
        opened = bool(self.texts) and self.texts[-1].endswith("{")
        self.lines = max(self.lines, 2 if blank and not opened else 1)
        self.blanks = indent if self.texts else 0

    def comment(self, comment: Comment, indent: int) -> None:
        if comment.alone or self.commented or not self.texts:
            self.end_line(indent, comment.blank)
        else:
            self.lines, self.blanks = 0, 2
        self.write(comment.text)
        self.commented = True
        self.end_line(indent, False)


def render(document: Document, width: int) -> str:
    """The document as text, lines no longer than `width` where there is a place to break them."""
    page = _Page()
    waiting: _Waiting = [(0, False, document)]
    while waiting:
        indent, flat, top = waiting.pop()
        match top:
            case str():
                page.space(top) if top == " " else page.write(top)
            case tuple():
                waiting += [(indent, flat, part) for part in reversed(top)]
            case Nest():
                waiting.append((indent + INDENT, flat, top.parts))
            case Group():
                fits = flat or _fits(top, waiting, width - page.column - page.blanks)
                waiting.append((indent, fits, top.parts))
            case Line():
                page.space(top.flat) if flat else page.end_line(indent, False)
            case Break():
                page.end_line(indent, top.blank)
            case Comment():
                page.comment(top, indent)
    return "".join(page.texts) + "\n" * bool(page.texts)


def _fits(group: Group, waiting: _Waiting, room: int) -> bool:
    """Whether a group, and what follows it up to the next place to break, fits on the rest of the line."""
    for inside, part in _pieces(group, waiting):
        if isinstance(part, Comment):
            return not inside
        if isinstance(part, Break) or (isinstance(part, Line) and not inside):
            return True
        room -= len(part.flat if isinstance(part, Line) else part)
        if room < 0:
            return False
    return True


def _pieces(group: Group, waiting: _Waiting) -> Iterator[tuple[bool, str | Line | Break | Comment]]:
    """The simple parts of a group, then of what waits behind it; with each, whether it must stand on this line."""
    yield from ((True, piece) for piece in _simple(group.parts))
    for _, flat, document in reversed(waiting):
        yield from ((flat, piece) for piece in _simple(document))


def _simple(document: Document) -> Iterator[str | Line | Break | Comment]:
    stack: list[Document] = [document]
    while stack:
        top = stack.pop()
        if isinstance(top, tuple):
            stack += reversed(top)
        elif isinstance(top, (Nest, Group)):
            stack.append(top.parts)
        else:
            yield top

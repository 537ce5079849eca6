"""What is typed at a prompt: whether it is complete, and how a further line begins. Needs no session."""

from __future__ import annotations

from rasp.language.lexer import lex, open_brackets
from rasp.language.parser import parse
from rasp.source import Source

INDENT = "    "


def is_colon_command(text: str) -> bool:
    """Whether a text is for the console itself rather than for the session."""
    return text.lstrip().startswith((":", "?"))


def goes_on(text: str) -> bool:
    """Whether more must be typed before the text can be run: it is not wrong, and not complete."""
    return not is_colon_command(text) and parse(Source("", text), closed=True).incomplete


def indentation(text: str) -> str:
    """The indentation of the line after a text: four for each open bracket."""
    return INDENT * max(0, open_brackets(lex(Source("", text))))


def definitions_begun(text: str) -> int:
    """How many definitions of functions are not closed at the end of a text."""
    opened: list[bool] = []
    begun = False
    for token in lex(Source("", text)).tokens:
        begun = begun or token.is_("def")
        if token.is_("{"):
            opened.append(begun)
            begun = False
        elif token.is_("}") and opened:
            opened.pop()
    return sum(opened) + begun

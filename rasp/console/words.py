"""What stands behind the name of a colon command: an expression, an input, options, a file."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rasp.arguments import did_you_mean
from rasp.errors import DataFault, SyntaxFault
from rasp.language.lexer import lex
from rasp.source import Source

_OPERATOR = re.compile(r"([-+*/%^<>]|[=!<>]=|and|or|if|in) ")
_FIRST_FLAG = re.compile(r"(?:^|\s)(?=--[a-z])")


@dataclass(frozen=True)
class Flag:
    """An option of a command: the name of what it sets, the values it may have (any where there are none), how a value
    is read (ValueError where it cannot be) and what it should be, and whether the option stands alone."""

    sets: str
    values: tuple[str, ...] = ()
    read: Callable[[str], Any] = str
    wanted: str = ""
    alone: bool = False

    @property
    def note(self) -> str:
        """What may follow it, in a few words."""
        return ", ".join(self.values) or self.wanted


def first_and_rest(text: str, usage: str, *, until: str = "") -> tuple[str, str]:
    """The first expression of a text (it ends at a blank or an `until` outside brackets), and what follows it."""
    depth, end = 0, 0
    for token in lex(Source("", text)).tokens:
        if token.kind == "end" or (depth == 0 and end and (token.start > end or token.is_(until))):
            break
        depth += token.is_("(", "[", "{") - token.is_(")", "]", "}")
        end = token.end
    if not end:
        raise SyntaxFault("a name is missing", hint=f"write {usage}")
    rest = text[end:].strip()
    if _OPERATOR.match(rest):
        raise SyntaxFault("an expression with blanks needs brackets here", hint=f"write ({text[:end]} …)")
    return text[:end], rest


def several_and_rest(text: str, usage: str) -> tuple[list[str], str]:
    """The expressions that a text begins with, commas between them, and what follows them."""
    first, rest = first_and_rest(text, usage, until=",")
    found = [first]
    while rest.startswith(","):
        first, rest = first_and_rest(rest[1:].lstrip(), usage, until=",")
        found.append(first)
    return found, rest


def input_and_flags(text: str) -> tuple[str, str]:
    """An input, and from the first `--option` on what follows it; what stands in quotes or brackets is one input."""
    start = len(first_and_rest(text, "")[0]) if text.startswith(('"', "'", "[", "{")) else 0
    found = _FIRST_FLAG.search(text, start)
    return (text, "") if found is None else (text[: found.start()].strip(), text[found.end() :])


def read_flags(text: str, flags: Mapping[str, Flag], usage: str) -> dict[str, Any]:
    """What `--vocab a-z --open` sets, by the name of what it sets. SyntaxFault with what may have been meant."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SyntaxFault(f"{error}".lower(), hint=f"write {usage}") from error
    found: dict[str, Any] = {}
    while words:
        word, equals, value = words.pop(0).partition("=")
        flag = flags.get(word)
        if flag is None:
            raise SyntaxFault(
                f"cannot read {word} here{did_you_mean(word, flags)}", hint=f"options are {', '.join(flags)}"
            )
        if not flag.alone and not equals:
            if not words:
                raise SyntaxFault(f"{word} needs a value", hint=f"write {usage}")
            value = words.pop(0)
        found[flag.sets] = True if flag.alone else _value(word, flag, value)
    return found


def _value(word: str, flag: Flag, value: str) -> Any:
    if flag.values and value not in flag.values:
        raise DataFault(f"{word} is one of {', '.join(flag.values)}, not {value}{did_you_mean(value, flag.values)}")
    try:
        return flag.read(value)
    except ValueError:
        raise DataFault(f"{word} is {flag.wanted}, not {value}") from None


def file_without_suffix(text: str, usage: str) -> str:
    """A path without quotes, ~ and the suffix .rasp."""
    if not text:
        raise SyntaxFault("a file is missing", hint=f"write {usage}")
    return os.path.expanduser(text.strip("\"'")).removesuffix(".rasp")

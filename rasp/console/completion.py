"""What may be typed next: names, words of the language, commands and files, each with its kind and what it is for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from rasp.console.manual import ENTRIES
from rasp.console.words import Flag

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z|\Z", re.ASCII)
_QUOTED_PATH = re.compile(r"""\bload\s+(["'])([^"'\n]*)\Z""")
_COLON = re.compile(r"\A\s*:([a-z]*)\Z")
_COLON_ARGUMENT = re.compile(r"\A\s*(?::([a-z]+)\s+|(\?)\s*)(.*)\Z", re.DOTALL)
_COMMAND = re.compile(r"\A\s*((?:[a-z-]+\s+)+)([a-z-]*)\Z")
_AFTER = {
    "set": ("example", "s-op example", "selector example"),
    "show": ("example", "s-op example", "selector example"),
    "s-op": ("example", "examples on", "examples off"),
    "selector": ("example", "examples on", "examples off"),
    "examples": ("on", "off"),
    "full": ("seq display on", "seq display off"),
    "seq": ("display on", "display off"),
    "display": ("on", "off"),
}
_FLAG = re.compile(r"(?<!\S)--[a-z-]*\Z")
_FLAG_VALUE = re.compile(r"(?<!\S)(--[a-z-]+)[ =](\S*)\Z")
_PATHS = ("load", "save")


class Candidate(NamedTuple):
    """A text that may replace the last `length` characters; `kind` and `note` say what it is."""

    text: str
    length: int
    kind: str
    note: str


class Names(NamedTuple):
    """What the console knows: variables, colon commands with a note, options with their values.

    `describe` gives the kind of a variable and a note on it; `flags` has the options of colon commands.
    """

    variables: Collection[str]
    describe: Callable[[str], tuple[str, str]]
    colon: Mapping[str, str]
    options: Mapping[str, tuple[str, ...]]
    flags: Mapping[str, Mapping[str, Flag]]


NO_NAMES = Names((), lambda name: ("", ""), {}, {}, {})


def candidates(before: str, names: Names) -> list[Candidate]:
    """What may stand at the cursor, given the text before it."""
    return list(_candidates(before, names))


def _candidates(before: str, names: Names) -> Iterator[Candidate]:
    if found := _COLON.match(before):
        yield from _matching(found[1], ((name, "command", note) for name, note in names.colon.items()))
    elif found := _COLON_ARGUMENT.match(before):
        yield from _arguments(found[1] or "help", found[3], names)
    elif found := _QUOTED_PATH.search(before):
        yield from _files(found[2], bare=True)
    elif _in_string_or_comment(before):
        return
    elif (found := _COMMAND.match(before)) and set(found[1].split()) <= _AFTER.keys():
        yield from _matching(found[2], ((word, "command", "") for word in _AFTER[found[1].split()[-1]]))
    else:
        yield from _words(before, names)


def _matching(start: str, words: Iterable[tuple[str, str, str]]) -> Iterator[Candidate]:
    return (Candidate(text, len(start), kind, note) for text, kind, note in words if text.startswith(start))


def _words(before: str, names: Names) -> Iterator[Candidate]:
    """Variables and words of the language; commands only where a statement begins."""
    start = _start(before)
    if not start and before.strip():
        return
    found = [*_variables(start, names), *_language(start, names, commands=before.strip() == start)]
    yield from sorted(found)


def _variables(start: str, names: Names) -> Iterator[Candidate]:
    fitting = [name for name in names.variables if name.startswith(start)]
    return _matching(start, ((name, *names.describe(name)) for name in fitting))


def _language(start: str, names: Names, *, commands: bool) -> Iterator[Candidate]:
    entries = ((word, entry) for word, entry in ENTRIES.items() if word not in names.variables)
    fitting = ((word, entry) for word, entry in entries if commands or entry.kind != "command")
    return _matching(start, ((word, entry.kind, entry.note) for word, entry in fitting))


def _start(before: str) -> str:
    found = _WORD.search(before)
    return found[0] if found else ""


def _arguments(command: str, text: str, names: Names) -> Iterator[Candidate]:
    """What may follow a colon command."""
    name = next((known for known in names.colon if known.startswith(command)), "")
    flags = names.flags.get(name, {})
    if found := _FLAG.search(text):
        yield from _matching(found[0], ((word, "option", flag.note) for word, flag in flags.items()))
    elif (found := _FLAG_VALUE.search(text)) and found[1] in flags and flags[found[1]].values:
        yield from _matching(found[2], ((value, "value", "") for value in flags[found[1]].values))
    elif name in _PATHS:
        yield from _files(text, bare=False)
    elif name == "set":
        yield from _option_words(text, names)
    elif name == "help":
        yield from _variables(text, names)
        yield from _language(text, names, commands=True)
        yield from _matching(text, ((f":{known}", "command", note) for known, note in names.colon.items()))
    elif not _in_string_or_comment(text):
        yield from _words("x " + text, names)


def _option_words(text: str, names: Names) -> Iterator[Candidate]:
    option, blank, start = text.partition(" ")
    if blank:
        yield from _matching(start, ((value, "value", "") for value in names.options.get(option, ())))
    else:
        values = names.options.items()
        yield from _matching(option, ((name, "option", ", ".join(given)) for name, given in values))


def _in_string_or_comment(before: str) -> bool:
    """Whether the cursor is in a string or comment."""
    line = re.sub(r"\"[^\"]*\"|'[^']*'", "", before.rsplit("\n", 1)[-1])
    return any(mark in line for mark in "\"'#")


def _files(start: str, *, bare: bool) -> Iterator[Candidate]:
    """Folders and .rasp files that begin so; with `bare` without the suffix, as load statements have it."""
    folder, name = os.path.split(start)
    try:
        found = sorted(os.scandir(os.path.expanduser(folder) or "."), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in found:
        if not entry.name.startswith(name) or (entry.name.startswith(".") and not name):
            continue
        if entry.is_dir():
            yield Candidate(entry.name + "/", len(name), "folder", "")
        elif entry.name.endswith(".rasp"):
            yield Candidate(entry.name.removesuffix(".rasp") if bare else entry.name, len(name), "file", "")

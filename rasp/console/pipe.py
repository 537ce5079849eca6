"""The console fed by a pipe: results on one stream, errors on another, no banner and no prompts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TextIO

from rasp.console.session import Reply
from rasp.language.lexer import lex, open_brackets
from rasp.source import Source
from rasp.streams import put


class Answering(Protocol):
    """A session, or a console around one."""

    def push(self, text: str, *, closed: bool = True, name: str = "<console>", first_line: int = 1) -> Reply: ...

    def finish(self, text: str, *, name: str = "<console>", first_line: int = 1) -> Reply: ...


def piped(session: Answering, lines: Iterable[str], out: TextIO, err: TextIO, name: str = "<stdin>") -> int:
    """Runs a stream of statements; the exit status, 1 if there was any error."""
    failed = ended = False
    text, first, opened, bodies = "", 1, 0, 0
    for number, line in enumerate(lines, 1):
        text += line
        lexed = lex(Source("", line))
        opened, bodies = opened + open_brackets(lexed), bodies + open_brackets(lexed, "{")
        ends = bodies <= 0 and any(token.is_(";") for token in lexed.tokens)  # no other bracket holds a semicolon
        if (opened > 0 and not ends) or not text.strip():
            continue
        reply = session.push(text, closed=False, name=name, first_line=first)
        if reply.incomplete:
            continue
        failed |= write(reply, out, err)
        text, first, opened, bodies, ended = "", number + 1, 0, 0, reply.ended
        if ended:
            break
    if text.strip() and not ended:
        failed |= write(session.finish(text, name=name, first_line=first), out, err)
    return int(failed)


def write(reply: Reply, out: TextIO, err: TextIO) -> bool:
    """Writes a reply, each part to its stream, in order; whether there was an error."""
    for warning in reply.warnings:
        put(err, str(warning))
    for part in reply.parts:
        put(out if isinstance(part, str) else err, str(part))
    return bool(reply.errors)

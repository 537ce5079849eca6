"""The console at a terminal, and the same session fed by a pipe."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from rasp.lexer import lex, open_brackets
from rasp.session import Reply, Session
from rasp.source import Source

PROMPT = ">> "
MORE = ".. "


def piped(session: Session, lines: Iterable[str], out: TextIO, err: TextIO) -> int:
    """Runs a stream of statements without banner or prompts; the exit status, 1 if there was any error."""
    failed = ended = False
    text, first, number, depth = "", 1, 0, 0
    for number, line in enumerate(lines, 1):
        text += line
        depth += open_brackets(lex(Source("", line)))
        if depth > 0 or not text.strip():
            continue
        reply = session.push(text, closed=False, name="<stdin>", first_line=first)
        if reply.incomplete:
            continue
        failed |= write(reply, out, err)
        text, first, depth, ended = "", number + 1, 0, reply.ended
        if ended:
            break
    if text.strip() and not ended:
        failed |= write(session.finish(text, name="<stdin>", first_line=first), out, err)
    return int(failed)


def write(reply: Reply, out: TextIO, err: TextIO) -> bool:
    """Writes a reply, each part to its stream, in order; whether there was an error."""
    for warning in reply.warnings:
        print(warning, file=err, flush=True)
    for part in reply.parts:
        print(part, file=out if isinstance(part, str) else err, flush=True)
    return bool(reply.errors)


def interactive(session: Session) -> int:
    """Reads statements at a terminal until the end of input or an exit command."""
    print(session.banner)
    ended = False
    while not ended:
        try:
            ended = _round(session)
        except KeyboardInterrupt:
            print("\ninterrupted", file=sys.stderr)
        except EOFError:
            print()
            return 0
    return 0


def _round(session: Session) -> bool:
    """One input, over as many lines as it takes; whether the session ended."""
    text = input(PROMPT)
    if not text.strip():
        return False
    reply = session.push(text)
    while reply.incomplete:
        begun = sum(token.is_("def") for token in lex(Source("", text)).tokens)
        text += "\n" + input(MORE + "  " * begun)
        reply = session.push(text)
    write(reply, sys.stdout, sys.stderr)
    return reply.ended

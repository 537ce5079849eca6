"""The standard streams: what is printed by every subcommand, and what becomes of streams that are closed or full."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from rasp.errors import DataFault
from rasp.visible import coloured_lines, visible_lines


def prepare() -> None:
    """Makes the standard streams usable.

    One that was closed fails when it is used, as a full one does, instead of lending its number to the next file that
    is opened. Characters that a stream cannot encode are written as escapes; bytes that are no text stay.
    """
    _reopen()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    if hasattr(sys.stdin, "reconfigure"):
        sys.stdin.reconfigure(errors="replace" if sys.stdin.isatty() else "surrogateescape")


def _reopen() -> None:
    """Replaces a closed stream by the null device: input that cannot be read, output that cannot be written."""
    for number, (name, mode, other) in enumerate(
        [("stdin", "r", os.O_WRONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)]
    ):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, other)
            os.dup2(opened, number)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def typed_lines() -> Iterator[str]:
    """The lines of standard input, one by one, with U+FFFD for what is no text. DataFault where it cannot be read."""
    return (line.encode(errors="surrogateescape").decode(errors="replace") for line in _lines())


def text_lines() -> Iterator[str]:
    """The lines of standard input, one by one. DataFault where it cannot be read, or is no text."""
    for number, line in enumerate(_lines(), 1):
        if not _is_text(line):
            raise DataFault(f"line {number} of standard input is not UTF-8 text")
        yield line


def _lines() -> Iterator[str]:
    try:
        yield from sys.stdin
    except OSError as error:
        raise DataFault(f"cannot read standard input: {error.strerror or error}") from error


def _is_text(line: str) -> bool:
    """Whether a line has none of the surrogates that stand for bytes which are no text."""
    return not any("\ud800" <= character <= "\udfff" for character in line)


class Unwritable(Exception):
    """A stream does not take what is printed: its name and the reason."""

    def __init__(self, stream: TextIO, reason: OSError) -> None:
        self.quiet = isinstance(reason, BrokenPipeError)
        name = "standard error" if stream is sys.stderr else "standard output"
        super().__init__(f"error: cannot write to {name}: {reason.strerror or reason}")


def put(stream: TextIO, text: str, end: str = "\n", *, coloured: bool = False) -> None:
    """Writes a text to a stream at once; at a terminal, nothing in it but `coloured` parts can be a command to it."""
    if stream.isatty():
        text = coloured_lines(text) if coloured else visible_lines(text)
    with _refusing(stream):
        stream.write(text + end)
        stream.flush()


@contextmanager
def _refusing(stream: TextIO) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unwritable(stream, error) from error


def say(text: str, end: str = "\n", *, coloured: bool = False) -> None:
    """Prints a result."""
    put(sys.stdout, text, end, coloured=coloured)


def warn(text: object, *, coloured: bool = False) -> None:
    """Prints an error or a remark."""
    put(sys.stderr, str(text), coloured=coloured)


def flush() -> None:
    """Writes what others may have printed to standard output."""
    with _refusing(sys.stdout):
        sys.stdout.flush()


def complain(text: str) -> None:
    """Prints the error that a command ends with, if standard error still takes it."""
    with suppress(Unwritable):
        warn(text)


def give_up() -> None:
    """Throws away what is still to be printed: Python writes it when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())

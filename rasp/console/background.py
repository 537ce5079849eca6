"""Whether a terminal writes on a dark or on a light background, as far as it says."""

from __future__ import annotations

import os
import re
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

Background: TypeAlias = Literal["dark", "light", "unknown"]

# The background colour, then what every terminal answers: so that nothing is waited for where the first is not known.
_QUESTION = "\x1b]11;?\x1b\\\x1b[c"
_COLOUR = re.compile(r"rgb:([0-9a-fA-F]{2})[0-9a-fA-F]*/([0-9a-fA-F]{2})[0-9a-fA-F]*/([0-9a-fA-F]{2})")
_END = re.compile(r"\x1b\[\?[\d;]*c")
_PATIENCE = 0.3
# Of the sixteen colours of old, those that are dark: 0 to 6 and 8.
_DARK = {*range(7), 8}


def background() -> Background:
    """What the environment says, else what the terminal answers."""
    _, _, number = os.environ.get("COLORFGBG", "").rpartition(";")
    if number.isdecimal():
        return "dark" if int(number) in _DARK else "light"
    return of_answer(_asked())


def of_answer(text: str) -> Background:
    """What a terminal has answered: a colour is dark if its luminance is below the middle."""
    found = _COLOUR.search(text)
    if found is None:
        return "unknown"
    red, green, blue = (int(part, 16) for part in found.groups())
    return "dark" if 0.299 * red + 0.587 * green + 0.114 * blue < 128 else "light"


def _asked() -> str:
    """What the terminal answers, or nothing where it cannot be asked."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return ""
    try:
        with _unbuffered(sys.stdin.fileno()):
            sys.stdout.write(_QUESTION)
            sys.stdout.flush()
            return _answer(sys.stdin.fileno())
    except (ImportError, OSError):
        return ""


@contextmanager
def _unbuffered(descriptor: int) -> Iterator[None]:
    """Keys come as they are typed, and are not shown."""
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    try:
        tty.setcbreak(descriptor, termios.TCSANOW)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)


def _answer(descriptor: int) -> str:
    """All that comes until the last answer, or for as long as is waited."""
    text, end = "", time.monotonic() + _PATIENCE
    while not _END.search(text) and (left := end - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            text += os.read(descriptor, 1024).decode("latin-1")
    return text

"""Text from programs, inputs and model files made safe to show: what could move the cursor, start a command of the
terminal or reverse the direction of the text is written as an escape."""

from __future__ import annotations

import re

# A tab only moves on; the line separators of Unicode end a line as \n does.
_CONTROL = "\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029"
_BIDIRECTIONAL = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROLS = re.compile(f"[{_CONTROL}]")
_UNSAFE = re.compile(f"[{_CONTROL}{_BIDIRECTIONAL}]")
_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")
_SHORT = {"\n": "\\n", "\r": "\\r"}


def printable(value: str) -> str:
    """A value as one line: control characters and line ends as escapes, tabs as they are."""
    return _CONTROLS.sub(_escape, value)


def visible(text: str) -> str:
    """A text as one line that shows what it is: characters that change the direction of writing are escaped too."""
    return _UNSAFE.sub(_escape, text)


def visible_lines(text: str) -> str:
    """A text of several lines, each of them visible."""
    return "\n".join(map(visible, text.split("\n")))


def coloured_lines(text: str) -> str:
    """A text of several lines with colours, which stay; everything else in it is visible."""
    parts = _COLOUR.split(text)
    return "".join(part if place % 2 else visible_lines(part) for place, part in enumerate(parts))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if match.group() in _SHORT:
        return _SHORT[match.group()]
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"

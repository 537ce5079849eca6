"""Tokens and values as short one-line texts that cannot be mistaken for one another. No drawing here."""

from __future__ import annotations

from collections.abc import Sequence

from rasp.operations import Atom

BOS = "BOS"
NOTHING_SELECTED = "hatched row: nothing is selected"
OUT_OF_SIGHT = "grey: hidden by the mask"
_VISIBLE = {" ": "␣", "\n": "↵", "\t": "⇥", "\r": "␍", "": "∅"}


def label(value: Atom, limit: int = 12) -> str:
    """One line of at most `limit` characters for an atom: blanks are made visible, floats rounded to 3 digits."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, float):
        return repr(round(value, 3))
    if isinstance(value, int):
        return shorten(str(value), limit)
    return shorten(_VISIBLE.get(value) or "".join(map(_visible, value)), limit)


def _visible(char: str) -> str:
    return char if char.isprintable() else _VISIBLE.get(char, f"U+{ord(char):04X}")


def shorten(text: str, limit: int) -> str:
    """The text itself, or its beginning with … where it has more than `limit` characters."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"


def position_labels(tokens: Sequence[Atom], size: int) -> tuple[str, ...]:
    """A label for each of `size` positions: those of the tokens, with BOS first where there is one more position."""
    own = tuple(label(token) for token in tokens)
    return own if size == len(own) else (BOS, *own)

"""Which font writes which character: DejaVu Sans, and what that lacks any other font that is installed.

A font counts for a character only where both its regular and its bold face have a glyph of its own for it. Colour
fonts made of bitmaps are left out, as they have no size; so is the Last Resort font, whose glyphs are boxes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache

from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

FONT = "DejaVu Sans"
_PREFERRED = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Emoji",
    "Segoe UI Symbol",
    "Symbola",
    "STIXGeneral",
)
_LAST_RESORT = "Last Resort"
_MOST_NAMED = 5


def families() -> list[str]:
    """The font families that texts are set in: DejaVu Sans, then those whose glyphs were needed so far."""
    return [FONT, *sorted(_needed, key=_families().index)]


def drawable(text: str) -> str:
    """The text with each character that no installed font has written as U+XXXX."""
    return "".join(char if _font_of(char) else _code(char) for char in text)


def unwritten(texts: Iterable[str]) -> str:
    """A sentence on the characters of some texts that no installed font has; '' where all can be written."""
    found = sorted({char for text in texts for char in text if not _font_of(char)})
    if not found:
        return ""
    codes = ", ".join(map(_code, found[:_MOST_NAMED])) + (", …" if len(found) > _MOST_NAMED else "")
    return f"{codes}: written by number, as no font installed here has a glyph for it"


def face() -> FT2Font:
    """The font to measure texts with."""
    return _face(frozenset(_needed))


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps Matplotlib from remarking that a family has no bold face: its regular one does."""
    logger = logging.getLogger("matplotlib.font_manager")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


_needed: set[str] = set()


@lru_cache(maxsize=64)
def _face(needed: frozenset[str]) -> FT2Font:
    """The font that goes with the families needed so far."""
    return font_manager.get_font([_path(family, "normal") for family in families()])


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"


@lru_cache(maxsize=65536)
def _font_of(char: str) -> str | None:
    """The first family that has the character, which is thereby one of those needed."""
    if ord(char) in _glyphs(FONT):
        return FONT
    family = next((family for family in _families() if ord(char) in _glyphs(family)), None)
    if family is not None:
        _needed.add(family)
    return family


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    """The other families installed, the best ones for East Asian writing and for symbols first."""
    _add_new_files()
    names = {entry.name for entry in font_manager.fontManager.ttflist} - {FONT}
    plain = sorted(name for name in names if not name.startswith(_LAST_RESORT))
    return (*(name for name in _PREFERRED if name in names), *(name for name in plain if name not in _PREFERRED))


def _add_new_files() -> None:
    """Tells Matplotlib of fonts that were installed after it last looked."""
    known = {entry.fname for entry in font_manager.fontManager.ttflist}
    for path in sorted(set(font_manager.findSystemFonts()) - known):
        try:
            font_manager.fontManager.addfont(path)
        except (RuntimeError, OSError, ValueError):
            continue


@cache
def _glyphs(family: str) -> frozenset[int]:
    """The code points that both faces of a family have, none for a family of bitmaps."""
    try:
        with quiet():
            faces = [font_manager.get_font(_path(family, weight)) for weight in ("normal", "bold")]
    except (RuntimeError, OSError, ValueError):
        return frozenset()
    if not all(face.scalable for face in faces):
        return frozenset()
    regular, bold = (frozenset(face.get_charmap()) for face in faces)
    return regular & bold


def _path(family: str, weight: str) -> str:
    return font_manager.findfont(font_manager.FontProperties(family=[family], weight=weight))

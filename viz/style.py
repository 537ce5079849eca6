"""How every picture looks: colours, fonts, sizes in inches, the one colour scale, and how wide a text is.

The scale runs from 0 to 1 by the square root, as attention is often an even share of many positions: a mean over 100
of them is a tenth of the way up. Lightness falls in equal steps (linear in CIELAB), so it reads the same in grey. It
starts at a visible tint: only no attention at all is white.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap, PowerNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from viz.fonts import face, families, quiet

INK = "#1c1f26"
QUIET = "#6b7280"
GRID = "#d9dde3"
DIVIDER = "#8a92a0"
PAPER = "#ffffff"
HATCHED: dict[str, Any] = {"facecolor": "#f4f1ea", "edgecolor": "#d5cdbd", "linewidth": 0, "hatch": "////"}
HIDDEN = "#d8d4ca"
"""What the mask of a head hides: darker than paper, and of no hue that attention has."""
MARKED = "#1f5f99"

CELL_TEXT = "cell"
"""What numbers written in cells are known by."""

TITLE_SIZE = 8.0
LABEL_SIZE = 7.0
SMALLEST_SIZE = 5.5
LINE_SPACING = 1.2
_MEASURED_AT = 720
"""Dots per inch at which texts are measured: at few of them the widths of small letters are rounded."""

RC: dict[Any, Any] = {
    "text.parse_math": False,
    "text.usetex": False,
    "text.color": INK,
    "axes.facecolor": PAPER,
    "axes.edgecolor": DIVIDER,
    "axes.linewidth": 0.6,
    "axes.labelcolor": QUIET,
    "axes.unicode_minus": True,
    "figure.facecolor": PAPER,
    "hatch.linewidth": 0.5,
    "hatch.color": "#d5cdbd",
    "path.simplify": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "rasp",
    "pdf.fonttype": 42,
    "savefig.facecolor": "auto",
}

UNIT = PowerNorm(0.5, 0.0, 1.0)
"""The shared scale's numbers: every heatmap of attention runs from 0 to 1, by the square root."""

_LAB_ENDS = np.array([[88.0, -3.0, -8.0], [57.0, -12.0, -46.0], [17.0, 14.0, -32.0]])
_LAB_TO_XYZ_WHITE = np.array([0.95047, 1.0, 1.08883])
_XYZ_TO_RGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def rgb_of(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """sRGB in 0..1 of CIELAB colours, [N, 3] to [N, 3]; what lies outside sRGB is clipped."""
    y = (lab[:, 0] + 16) / 116
    cubes = np.stack([y + lab[:, 1] / 500, y, y - lab[:, 2] / 200], axis=1)
    xyz = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)) * _LAB_TO_XYZ_WHITE
    linear = np.clip(xyz @ _XYZ_TO_RGB.T, 0.0, 1.0)
    rgb: NDArray[np.float64] = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb


def lab_of(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB of sRGB colours in 0..1, [N, 3] to [N, 3]: the opposite of `rgb_of`."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cubes = linear @ np.linalg.inv(_XYZ_TO_RGB).T / _LAB_TO_XYZ_WHITE
    roots = np.where(cubes > (6 / 29) ** 3, np.cbrt(cubes), cubes / (3 * (6 / 29) ** 2) + 4 / 29)
    x, y, z = roots.T
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def _scale(steps: int = 256) -> ListedColormap:
    """The colour map: lightness linear from the first end to the last, hue bent through the middle one."""
    t = np.linspace(0.0, 1.0, steps)[:, None]
    first, middle, last = _LAB_ENDS
    lab = (1 - t) ** 2 * first + 2 * t * (1 - t) * middle + t**2 * last
    lab[:, 0] = ((1 - t) * first[0] + t * last[0])[:, 0]
    return ListedColormap(rgb_of(lab).tolist(), name="rasp")


SCALE = _scale()


@contextmanager
def styled() -> Iterator[None]:
    """A context in which artists are made with this style, whatever the caller's settings are."""
    with rc_context({**RC, "font.family": families()}), quiet():
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of this size in inches, tied to no window and no global state."""
    return Shown(figsize=(width, height), dpi=100)


class Shown(Figure):
    """A figure that a notebook shows as SVG, whatever backend Matplotlib has there."""

    def _repr_svg_(self) -> str:
        stream = BytesIO()
        with styled():
            self.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
        return stream.getvalue().decode()


@dataclass(frozen=True)
class Box:
    """A rectangle in inches from a figure's top left corner."""

    left: float
    top: float
    width: float
    height: float


def axes_at(figure: Figure, box: Box) -> Axes:
    """New axes that fill the box."""
    width, height = figure.get_size_inches()
    bottom = height - box.top - box.height
    return figure.add_axes((box.left / width, bottom / height, box.width / width, box.height / height))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float) -> float:
    """Inches that a drawable text takes, set in one line at `size` points."""
    font = face()
    font.set_size(size, _MEASURED_AT)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64 / _MEASURED_AT


def text_height(size: float, lines: int = 1) -> float:
    """Inches that so many lines take at `size` points."""
    return lines * size * LINE_SPACING / 72


def wrap(text: str, width: float, size: float, lines: int) -> tuple[str, ...]:
    """The text in at most `lines` lines no wider than `width` inches; what does not fit is cut off with …"""
    rows = [""]
    for piece in _pieces(text, width, size):
        if text_width((rows[-1] + piece).rstrip(), size) <= width:
            rows[-1] += piece
        else:
            rows.append(piece.lstrip())
    kept = [row.rstrip() for row in rows[:lines]]
    if len(rows) > lines:
        kept[-1] = fit(kept[-1] + "…", width, size)
    return tuple(row for row in kept if row)


def fit(text: str, width: float, size: float) -> str:
    """The text, or as much of its beginning with … as `width` inches hold."""
    if text_width(text, size) <= width:
        return text
    stem = text.removesuffix("…")
    while stem and text_width(stem + "…", size) > width:
        stem = stem[:-1]
    return stem + "…"


def _pieces(text: str, width: float, size: float) -> list[str]:
    """The text cut after its blanks, and inside words that are wider than a whole line."""
    pieces: list[str] = []
    for word in text.replace(" ", " \0").split("\0"):
        while word and text_width(word.rstrip(), size) > width:
            cut = max(1, len(fit(word.rstrip(), width, size)) - 1)
            pieces.append(word[:cut])
            word = word[cut:]
        pieces.append(word)
    return pieces

"""How a finished picture looks: another colour map for its cells, light or dark paper.

A picture is drawn as it always is, and recoloured after. On dark paper every colour keeps its hue and takes the
opposite lightness (of CIELAB), so that what stood out still does; a scale that was darker for more is lighter for more.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import Colormap, ListedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text
from numpy.typing import NDArray

from rasp.arguments import did_you_mean
from rasp.errors import DataFault
from viz.style import CELL_TEXT, INK, PAPER, SCALE, lab_of, rgb_of

# Lightness on dark paper: white becomes nearly black, black nearly white.
_LIGHTEST, _SLOPE = 97.0, 0.9
_WORDS = {"white: none": "black: none", "darkest": "lightest"}


@dataclass(frozen=True)
class Look:
    """A colour map for cells by matplotlib's name for it, or ours, and whether the paper is dark."""

    colours: str | None = None
    dark: bool = False


def look_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `--colors` and `--dark`."""
    parser.add_argument("--colors", metavar="MAP", help="a colour map of matplotlib for the cells, such as viridis")
    parser.add_argument("--dark", action="store_true", help="on dark paper")


def restyled(figure: Figure, look: Look) -> Figure:
    """The figure itself, recoloured. DataFault for a colour map that there is not."""
    if look.colours is not None:
        chosen = _colour_map(look.colours)
        for mappable in _scales(figure):
            mappable.set_cmap(chosen)
    if look.dark:
        _darken(figure, keep_scales=look.colours is not None)
    if look != Look():
        for axes in figure.findobj(Axes):
            assert isinstance(axes, Axes)
            _write_readably(axes)
    return figure


def _colour_map(name: str) -> Colormap:
    if name not in colormaps:
        raise DataFault(
            f"there is no colour map {name}{did_you_mean(name, colormaps)}", hint="such as viridis or Greens"
        )
    return colormaps[name]


def _scales(figure: Figure) -> Iterator[ScalarMappable]:
    """What is coloured by the one scale of attention: matrices and the bar beside them."""
    for artist in figure.findobj():
        if isinstance(artist, ScalarMappable) and artist.get_cmap() == SCALE:
            yield artist


# -- dark paper


def _darken(figure: Figure, *, keep_scales: bool) -> None:
    for artist in figure.findobj():
        if isinstance(artist, ScalarMappable) and artist.get_array() is not None:
            if not keep_scales or artist.get_cmap().N <= 2:
                artist.set_cmap(_opposite_map(artist.get_cmap()))
        else:
            _recolour(artist)
        if isinstance(artist, Text) and not keep_scales:
            _reword(artist)


def _recolour(artist: Artist) -> None:
    """Gives every colour of an artist the opposite lightness. Figures and axes have theirs from a patch in them."""
    if isinstance(artist, (Text, Line2D)):
        artist.set_color(_opposite_of(artist.get_color()))
    elif isinstance(artist, (Patch, Collection)):
        for name in ("facecolor", "edgecolor"):
            getattr(artist, f"set_{name}")(_opposite_of(getattr(artist, f"get_{name}")()))


def _opposite_of(colour: Any) -> Any:
    """A colour, or an array of colours, with the opposite lightness; what is none stays none."""
    if isinstance(colour, str) and colour in ("none", "auto"):
        return colour
    if isinstance(colour, np.ndarray) and colour.ndim == 2:
        return opposite(colour) if len(colour) else colour
    return tuple(opposite(np.array([to_rgba(colour)]))[0])


def opposite(rgba: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours [N, 4] of the same hue and transparency, light where they were dark."""
    lab = lab_of(rgba[:, :3])
    lab[:, 0] = _LIGHTEST - _SLOPE * lab[:, 0]
    return np.concatenate([rgb_of(lab), rgba[:, 3:]], axis=1)


def _opposite_map(colours: Colormap) -> Colormap:
    return ListedColormap(opposite(colours(np.arange(colours.N))).tolist(), name=f"{colours.name}, dark")


def _reword(text: Text) -> None:
    """Says of a scale what is now true of it."""
    written = text.get_text()
    for before, after in _WORDS.items():
        written = written.replace(before, after)
    text.set_text(written)


def _write_readably(axes: Axes) -> None:
    """Numbers in cells are dark on light cells, and light on dark ones."""
    mesh = next((artist for artist in axes.collections if isinstance(artist, QuadMesh)), None)
    if mesh is None or mesh.get_array() is None:
        return
    values = np.asarray(mesh.get_array())
    for text in axes.texts:
        if text.get_gid() == CELL_TEXT:
            key, query = (round(place) for place in text.get_position())
            behind = np.array([mesh.to_rgba(values.reshape(len(values), -1)[query, key])])[:, :3]
            text.set_color(INK if lab_of(behind)[0, 0] > 50 else PAPER)

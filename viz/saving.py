"""A figure written to a file: PNG, SVG or PDF by its suffix, whole or not at all, the same bytes each time."""

from __future__ import annotations

import re
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from rasp.errors import DataFault
from rasp.files import write_whole
from viz.style import styled

DPI = 160
_MOST_PIXELS = 2**16 - 1
_METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


def save(figure: Figure, path: str | Path, *, dpi: int = DPI, scale: float = 1.0) -> Path:
    """The path, once the figure stands there. DataFault for another suffix, a missing folder, a refused write.

    A .png has `dpi` pixels an inch; `scale` makes a .png or .svg larger.
    """
    target = check_target(path)
    write_whole(target, rendered(figure, target.suffix.lower(), dpi=dpi, scale=scale))
    return target


def check_target(path: str | Path) -> Path:
    """The path, if a picture can be written there: known suffix, existing folder. DataFault if not."""
    target = Path(path)
    if target.suffix.lower() not in _METADATA:
        kinds = ", ".join(_METADATA)
        raise DataFault(f"cannot write a picture as {target.name!r}", hint=f"end the name in one of {kinds}")
    if not target.parent.is_dir():
        raise DataFault(f"there is no folder {str(target.parent)!r} to write {target.name!r} in")
    return target


def rendered(figure: Figure, suffix: str, *, dpi: int = DPI, scale: float = 1.0) -> bytes:
    """The figure as the bytes of a .png, .svg or .pdf file, without dates or random names in them.

    DataFault for a .pdf at another scale than 1, and for a picture of too many pixels.
    """
    if suffix == ".pdf" and scale != 1.0:
        raise DataFault("a .pdf has the size of its texts", hint="scale it where it is placed, or write .svg or .png")
    if suffix == ".png":
        _check_size(figure, dpi * scale)
    stream = BytesIO()
    with styled():
        figure.savefig(stream, format=suffix[1:], dpi=dpi * scale, metadata=_METADATA[suffix])
    found = stream.getvalue()
    return found if suffix != ".svg" or scale == 1.0 else _LENGTH.sub(partial(_scaled, scale), found, count=2)


# The size of an SVG on paper; what is drawn in it is measured by its viewBox.
_LENGTH = re.compile(rb'(?<=")([\d.]+)pt(?=")')


def _scaled(scale: float, length: re.Match[bytes]) -> bytes:
    return b"%gpt" % (float(length[1]) * scale)


def _check_size(figure: Figure, dpi: float) -> None:
    """Nothing, or a DataFault where a figure has more pixels than memory or the format should hold."""
    width, height = (round(side * dpi) for side in figure.get_size_inches())
    if max(width, height) > _MOST_PIXELS or width * height > _MOST_PIXELS**2 // 16:
        raise DataFault(
            f"the picture would be {width:,} × {height:,} pixels",
            hint="write it as .svg or .pdf, or draw a shorter input",
        )

"""Files opened as the desktop would open them."""

from __future__ import annotations

import webbrowser
from pathlib import Path

from rasp.errors import DataFault


def open_file(path: str | Path) -> None:
    """Shows a picture or a page in whatever shows such files here. DataFault where nothing does."""
    if not webbrowser.open(Path(path).resolve().as_uri()):
        raise DataFault(
            f"there is nothing here that shows {path}", hint="set BROWSER to the name of a program that does"
        )

"""The editor of whoever sits at the terminal: on a file, or on a text."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from rasp.errors import DataFault
from rasp.files import read_text


def edit_file(path: Path) -> None:
    """Opens $VISUAL, $EDITOR or vi on a file, and comes back when it ends. DataFault where it cannot, or fails."""
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        status = subprocess.run([*shlex.split(command), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        raise DataFault(f"cannot start the editor {command}: {error}", hint="set EDITOR") from error
    if status:
        raise DataFault(f"the editor {command} ended with status {status}, so nothing is run")


def edited(text: str, edit: Callable[[Path], None]) -> str:
    """A text after an editor was opened on it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "input.rasp")
        path.write_text(text + "\n", encoding="utf-8")
        edit(path)
        return read_text(path)

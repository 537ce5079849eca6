"""The folder in which the console and the language's draw(…) leave pictures and pages, and what they call them."""

from __future__ import annotations

import json
from pathlib import Path

from rasp.errors import DataFault
from rasp.inputs import Input, json_of

_FOLDER = Path("comp_flows")
_LONGEST_NAME = 120
_NO_FILE_NAME = set('/\\:*?"<>|')


def folder() -> Path:
    """The folder comp_flows/ under this one, made where it is not there. DataFault where it cannot be."""
    try:
        _FOLDER.mkdir(exist_ok=True)
    except OSError as error:
        raise DataFault(f"cannot make the folder {_FOLDER}: {error.strerror}") from error
    return _FOLDER


def file_name(name: str, given: Input) -> str:
    """NAME(INPUT) without what a file name cannot hold."""
    text = f"{name}({given if isinstance(given, str) else json.dumps(json_of(given), ensure_ascii=False)})"
    safe = "".join("_" if char in _NO_FILE_NAME or not char.isprintable() else char for char in text)
    return safe if len(safe) <= _LONGEST_NAME else safe[: _LONGEST_NAME - 1] + "…"

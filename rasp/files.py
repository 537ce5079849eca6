"""Files written whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from rasp.errors import DataFault


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes beside the file, then moves into place: a reader sees the old content or the new. Links stay links.

    Text is written as UTF-8. DataFault where the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content.encode() if isinstance(content, str) else content)
        with suppress(FileNotFoundError):
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise DataFault(f"cannot write {path}: {error.strerror or error}") from error

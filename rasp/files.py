"""Files written whole or not at all."""

from __future__ import annotations

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from rasp.errors import DataFault

LARGEST = 1 << 28


def write_whole(path: Path, content: str | bytes) -> None:
    """Writes beside the file, then moves into place: a reader sees the old content or the new. Links stay links.

    What is there and is no regular file, a device or a pipe, is written to as it is. Text is written as UTF-8.
    DataFault where the file cannot be written.
    """
    try:
        # Half characters, which JSON can name, are written as JSON names them.
        written = content.encode(errors="backslashreplace") if isinstance(content, str) else content
        if _is_special(path):
            path.write_bytes(written)
        else:
            _replace(Path(os.path.realpath(path)), written)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise DataFault(f"cannot write {path}: {reason or error}") from error


def _is_special(path: Path) -> bool:
    """Whether there is something that must not be replaced by a file; a folder is refused when it is written."""
    with suppress(FileNotFoundError):
        return not stat.S_ISREG(path.stat().st_mode)
    return False


def _replace(target: Path, content: bytes) -> None:
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        beside.write_bytes(content)
        with suppress(FileNotFoundError):
            shutil.copymode(target, beside)
        os.replace(beside, target)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def read_text(path: Path) -> str:
    """The text of a file, UTF-8 with or without a byte order mark. DataFault where it cannot be read.

    A device has no end: what is longer than any honest text is refused.
    """
    try:
        with path.open("rb") as file:
            found = file.read(LARGEST + 1)
        if len(found) > LARGEST:
            raise DataFault(f"cannot read {path}: it has more than {LARGEST >> 20} MiB")
        return found.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFault(f"{path} is not UTF-8 text") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataFault(f"cannot read {path}: {reason}") from error

"""Folders written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from rasp.errors import DataFault


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes files beside the place where the folder is to be, then moves it there.

    A folder of the same files is replaced; DataFault where anything else is there, or it cannot be written.
    """
    target, beside = Path(os.path.realpath(folder)), folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        if target.exists() and (not target.is_dir() or {path.name for path in target.iterdir()} - set(files)):
            raise DataFault(f"{folder} is there already, and is something else", hint="name a folder that is not there")
        beside.mkdir(parents=True)
        for name, content in files.items():
            (beside / name).parent.mkdir(parents=True, exist_ok=True)
            (beside / name).write_bytes(content)
        if target.exists():
            shutil.rmtree(target)
        os.replace(beside, target)
    except OSError as error:
        raise DataFault(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)

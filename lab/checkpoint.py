"""A model that learns as one .safetensors file: weights, the optimizer's state while it trains, and what was measured.

A file is written whole or not at all, and read without pickle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from rasp.errors import DataFault
from rasp.files import write_whole

FORMAT = "rasp-lab model"
VERSION = 2
_KEY = "lab"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Tensors by name, and a JSON description."""

    tensors: Mapping[str, Array]
    description: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Writes the file. DataFault where it cannot be written, as on a full disk; then what was there stays."""
        head = {"format": FORMAT, "version": VERSION, **self.description}
        write_whole(
            path, to_bytes({n: np.ascontiguousarray(t) for n, t in self.tensors.items()}, {_KEY: json.dumps(head)})
        )

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """The checkpoint in a file. DataFault for a missing, damaged or foreign one."""
        try:
            with safe_open(path, "numpy") as file:
                written = (file.metadata() or {}).get(_KEY)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        except (SafetensorError, OSError) as error:
            raise DataFault(f"cannot read {path}: {error}") from error
        return cls(tensors, _described(written, path))

    def part(self, name: str) -> dict[str, Array]:
        """The tensors whose names begin with `name.`, without it."""
        return {key.removeprefix(f"{name}."): t for key, t in self.tensors.items() if key.startswith(f"{name}.")}


def _described(written: str | None, path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(written or "null")
    except (ValueError, RecursionError) as error:
        raise DataFault(f"{path} is damaged: its description cannot be read ({error})") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise DataFault(f"{path} is no model of the lab", hint="`rasp train` writes them")
    if found.get("version") != VERSION:
        raise DataFault(f"{path} has format {found.get('version')}, and this program reads {VERSION}")
    return found

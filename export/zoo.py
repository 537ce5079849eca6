"""A zoo: programs compiled at several sizes into one folder, with their circuits and an index.

It is the same byte for byte whenever it is built with the same versions of this program and of its libraries.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compiler.artifact import model_bytes
from compiler.fields import plain
from compiler.run.model import CompiledModel
from compiler.tensors import parameter_counts
from export.circuit import circuit_bytes
from export.folders import write_folder
from rasp.errors import DataFault, Refusal
from rasp.language.program import load_program

FORMAT, VERSION = "rasp-compiler zoo", 1
INDEX = "index.json"
LENGTHS = (5, 10, 20)


@dataclass(frozen=True)
class Specimen:
    """A program that is to be compiled for inputs of up to some length, in some dtype."""

    path: Path
    max_length: int
    dtype: str

    @property
    def name(self) -> str:
        suffix = "" if self.dtype == "float32" else f"-{self.dtype}"
        return f"{self.path.stem}-{self.max_length}{suffix}"


def build_zoo(
    folder: str | Path,
    programs: Sequence[str | Path],
    lengths: Sequence[int] = LENGTHS,
    dtypes: Sequence[str] = ("float32",),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Writes the zoo of these programs, each over the vocabulary in its header, to a folder; the index comes back.

    What the compiler refuses is in the index with the reason. DataFault for a program without a `# vocab:` or a place
    that cannot be written; RaspError for a program that is none. `progress(done, total)` is called as models are done.
    """
    paths = sorted({Path(path) for path in programs})
    if len({path.stem for path in paths}) < len(paths):
        raise DataFault("two programs have one name")
    specimens = [Specimen(path, longest, dtype) for path in paths for longest in lengths for dtype in dtypes]
    files: dict[str, bytes] = {}
    entries = []
    for done, specimen in enumerate(specimens, 1):
        entry, content = _entry(specimen)
        files |= content
        entries.append(entry)
        progress(done, len(specimens))
    index = {"format": FORMAT, "version": VERSION, "models": entries}
    write_folder(Path(folder), {**files, INDEX: (json.dumps(index, indent=1) + "\n").encode()})
    return index


def _entry(specimen: Specimen) -> tuple[dict[str, Any], dict[str, bytes]]:
    """What the index says of a model, and its files."""
    program = load_program(specimen.path)
    vocabulary = program.header.vocabulary
    if vocabulary is None:
        raise DataFault(f"{specimen.path} does not say which tokens it is for", hint="write # vocab: a-z in its header")
    about = {
        "name": specimen.name,
        "program": specimen.path.stem,
        "vocabulary": plain(vocabulary),
        "max_length": specimen.max_length,
        "dtype": specimen.dtype,
    }
    try:
        model = program.compile(vocabulary, specimen.max_length, dtype=specimen.dtype)
    except Refusal as error:
        return about | {"refused": error.message}, {}
    assert isinstance(model, CompiledModel)
    files = {f"{specimen.name}.safetensors": model_bytes(model), f"{specimen.name}.circuit.json": circuit_bytes(model)}
    return about | _described(model) | {"files": dict(_sums(files))}, files


def _described(model: CompiledModel) -> dict[str, Any]:
    weights = model.weights
    return {
        "output": weights.name,
        "layers": weights.depth,
        "heads": weights.heads,
        "d_model": weights.d_model,
        "parameters": parameter_counts(weights)["total"],
        "certificate": None if weights.certificate is None else weights.certificate.statement,
    }


def _sums(files: dict[str, bytes]) -> Iterator[tuple[str, str]]:
    for name, content in files.items():
        yield name, hashlib.sha256(content).hexdigest()


def zoo_programs(given: Sequence[str]) -> list[Path]:
    """The programs named, those of folders among them. DataFault where there are none."""
    found = [path for text in given for path in _programs(Path(text))]
    if not found:
        raise DataFault(f"there are no programs in {', '.join(given)}", hint="name programs, or folders with some")
    return found


def _programs(path: Path) -> list[Path]:
    return sorted(path.glob("*.rasp")) if path.is_dir() else [path]

"""How far a check got, kept in a file: interrupted, it goes on from there. The file is gone when the check is done."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from compiler.artifact import model_bytes
from compiler.run.model import CompiledModel
from rasp.errors import DataFault
from rasp.files import read_text, write_whole
from rasp.graph import Node, SOp, topological
from rasp.operations import Operation

FORMAT = "rasp verify, as far as it got"
_EVERY = 1.0


class ResumeFault(DataFault):
    """The file of an interrupted check cannot be written, or is of something else."""


@dataclass
class Record:
    """So many inputs of a check are compared, and so many of them are without a value; kept in a file if there is one.

    `check` tells checks apart.
    """

    path: Path | None
    check: str
    done: int = 0
    undefined: int = 0
    _kept: float = 0.0

    @classmethod
    def of(cls, path: Path | None, check: str) -> Record:
        """What the file says, or nothing yet. ResumeFault for a file of anything else, which is never written over."""
        if path is None or not path.exists():
            return cls(path, check)
        try:
            found = json.loads(read_text(path))
            own, record = found["check"], cls(path, check, int(found["done"]), int(found["undefined"]))
            is_record = found["format"] == FORMAT and 0 <= record.undefined <= record.done
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError):
            is_record = False
        if not is_record:
            raise ResumeFault(f"{path} is no file of an interrupted check", hint="name one that is not there yet")
        if own != check:
            raise ResumeFault(
                f"{path} is of another check: of another model, or with other options",
                hint="name another file, or delete it to begin anew",
            )
        return record

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keeps the file until the check is done: what is done stays where it is interrupted."""
        self._write()
        try:
            yield
        except BaseException:
            self._write()
            raise
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def note(self, count: int, undefined: int) -> None:
        """Takes note of more inputs that are done; the file is at most a second behind."""
        self.done += count
        self.undefined += undefined
        if time.monotonic() - self._kept > _EVERY:
            self._write()

    def _write(self) -> None:
        if self.path is not None:
            found = {"format": FORMAT, "check": self.check, "done": self.done, "undefined": self.undefined}
            try:
                write_whole(self.path, json.dumps(found) + "\n")
            except DataFault as error:
                raise ResumeFault(error.message) from error
            self._kept = time.monotonic()


def name_of(model: CompiledModel, sops: Mapping[str, SOp], options: Iterable[object]) -> str:
    """What tells a check from others: the model's file, the program it is compared with, and options that matter."""
    digest = hashlib.sha256(model_bytes(model))
    digest.update("\n".join([repr(tuple(options)), *_written(sops)]).encode(errors="backslashreplace"))
    return digest.hexdigest()


def _written(sops: Mapping[str, SOp]) -> Iterator[str]:
    """The graph, a node a line; a Python function by its name."""
    places: dict[Node, int] = {}
    for node in topological(sops.values()):
        yield " ".join([type(node).__name__, *(_part(getattr(node, field.name), places) for field in fields(node))])
        places[node] = len(places)
    yield repr({name: places[sop] for name, sop in sops.items()})


def _part(found: object, places: Mapping[Node, int]) -> str:
    if isinstance(found, Node):
        return f"#{places[found]}"
    if isinstance(found, tuple):
        return str([_part(part, places) for part in found])
    return f"{found.name}/{found.arity}" if isinstance(found, Operation) else repr(found)

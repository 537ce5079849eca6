"""The files that load statements read: found on the disk, or kept with a compiled model."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rasp.errors import DataFault
from rasp.files import read_text
from rasp.operations import Atom
from rasp.source import Source


@dataclass(frozen=True)
class Text:
    """A file's text and, for each path that it loads, the place of that file in a list of texts.

    `parameters` are the values that were given for the parameters of the program that the file is.
    """

    text: str
    loads: Mapping[str, int] = field(default_factory=dict)
    parameters: Mapping[str, Atom] = field(default_factory=dict)


class Files(Protocol):
    """Where a program's load statements find their files."""

    def load(self, path: str, loader: str) -> Source:
        """The file that `load "PATH";` in the file `loader` means. DataFault where there is none."""

    def identity(self, source: Source) -> str:
        """What is the same for two sources that are one file."""

    def texts(self, main: Source) -> tuple[Text, ...]:
        """The text of a program and of all files that it has loaded, itself first: what `Kept` needs."""


class Memory:
    """What has been loaded so far, and by which file."""

    def __init__(self) -> None:
        self.known: dict[str, Source] = {}
        self._loaded: dict[str, dict[str, str]] = {}

    def add(self, source: Source) -> Source:
        """A file that is known now."""
        self.known[source.name] = source
        return source

    def remember(self, path: str, loader: str, source: Source) -> Source:
        """Keeps the file that a load statement has found."""
        self._loaded.setdefault(loader, {})[path] = source.name
        return self.add(source)

    def texts(self, main: Source) -> tuple[Text, ...]:
        number = {main.name: 0}
        waiting, found = [main], list[Text]()
        for source in waiting:
            loaded = self._loaded.get(source.name, {})
            for name in loaded.values():
                if name not in number:
                    number[name] = len(number)
                    waiting.append(self.known[name])
            found.append(Text(source.text, {path: number[name] for path, name in loaded.items()}))
        return tuple(found)


class Disk(Memory):
    """Files on the disk. What a known file loads is looked for beside it first."""

    def load(self, path: str, loader: str) -> Source:
        return self.remember(path, loader, read_source(self._find(path, loader)))

    def identity(self, source: Source) -> str:
        return str(Path(source.name).resolve())

    def _find(self, path: str, loader: str) -> Path:
        """The file of that path. DataFault that lists where it was looked for."""
        folders = list(self._folders(loader))
        for folder in folders:
            for name in (path + ".rasp", path):
                if name.endswith(".rasp") and (folder / name).is_file():
                    return folder / name
        looked = ", ".join(dict.fromkeys(str(folder) for folder in folders))
        raise DataFault(f"there is no file {path}.rasp", hint=f"looked in {looked}")

    def _folders(self, loader: str) -> Iterator[Path]:
        if loader in self.known:
            yield Path(loader).parent
        yield Path()
        yield from (Path(folder) for folder in os.environ.get("RASP_PATH", "").split(os.pathsep) if folder)


class Kept(Memory):
    """The files kept with a model, and nothing else: its program reads no other file of whoever runs it."""

    def __init__(self, texts: Sequence[Text], main: str) -> None:
        super().__init__()
        self._kept = tuple(texts)
        self._number = {main: 0}

    def load(self, path: str, loader: str) -> Source:
        place = self._kept[self._number[loader]].loads.get(path)
        if place is None:
            raise DataFault(f'the program loads "{path}", which is not kept with it')
        return self.remember(path, loader, Source(self._name(place, path), self._kept[place].text))

    def _name(self, place: int, path: str) -> str:
        """What a file is called: by the path that loaded it first."""
        known = [name for name, number in self._number.items() if number == place]
        name = known[0] if known else f"{path}.rasp"
        if not known and name in self._number:
            name = f"{name} ({place})"
        self._number[name] = place
        return name

    def identity(self, source: Source) -> str:
        return source.name


def read_source(path: Path) -> Source:
    """The text of a file. DataFault where it cannot be read, and for a compiled model."""
    if path.suffix == ".safetensors" and path.is_file():
        hint = f"rasp infer {path} runs it; verify, draw and report take it too"
        raise DataFault(f"{path} is a compiled model, no program", hint=hint)
    if not path.exists():
        raise DataFault(f"cannot read {path}: there is no such file", hint=_like(path))
    return Source(str(path), "\n".join(read_text(path).replace("\r\n", "\n").split("\r")))


def _like(path: Path) -> str | None:
    """The program that may have been meant, where there is one."""
    there = [other.name for other in path.parent.glob("*.rasp")] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, there, 1) or [name for name in there if name == f"{path.name}.rasp"]
    return f"did you mean {path.with_name(close[0])}?" if close else None

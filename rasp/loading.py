"""The files that load statements read: found on the disk, or kept with a compiled model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rasp.errors import DataFault
from rasp.source import Source

_INSTALLED = Path(__file__).with_name("lib")


@dataclass(frozen=True)
class Text:
    """A file's text and, for each path that it loads, the place of that file in a list of texts."""

    text: str
    loads: Mapping[str, int] = field(default_factory=dict)


class Files(Protocol):
    """Where a program's load statements find their files."""

    def load(self, path: str, loader: str) -> Source:
        """The file that `load "PATH";` in the file `loader` means. DataFault where there is none."""

    def identity(self, source: Source) -> str:
        """What is the same for two sources that are one file."""

    def texts(self, main: Source) -> tuple[Text, ...]:
        """The text of a program and of all files that it has loaded, itself first: what `Kept` needs."""


class Disk:
    """Files on the disk; beside those in `known` what they load is looked for first. Remembers what was loaded."""

    def __init__(self) -> None:
        self.known: dict[str, Source] = {}
        self._loaded: dict[str, dict[str, str]] = {}

    def add(self, source: Source) -> Source:
        """A file that is known now."""
        self.known[source.name] = source
        return source

    def load(self, path: str, loader: str) -> Source:
        source = self.add(read_source(self._find(path, loader)))
        self._loaded.setdefault(loader, {})[path] = source.name
        return source

    def identity(self, source: Source) -> str:
        return str(Path(source.name).resolve())

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
        yield _INSTALLED


class Kept:
    """The files kept with a model, and nothing else: its program reads no other file of whoever runs it."""

    def __init__(self, texts: Sequence[Text], main: str) -> None:
        self._texts = tuple(texts)
        self._number = {main: 0}

    def load(self, path: str, loader: str) -> Source:
        place = self._texts[self._number[loader]].loads.get(path)
        if place is None:
            raise DataFault(f'the program loads "{path}", which is not kept with it')
        name = next((name for name, number in self._number.items() if number == place), None)
        if name is None:
            name = path + ".rasp" if path + ".rasp" not in self._number else f"{path}.rasp ({place})"
            self._number[name] = place
        return Source(name, self._texts[place].text)

    def identity(self, source: Source) -> str:
        return source.name

    def texts(self, main: Source) -> tuple[Text, ...]:
        return self._texts


def read_source(path: Path) -> Source:
    """The text of a file. DataFault where it cannot be read."""
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise DataFault(f"{path} is not UTF-8 text") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DataFault(f"cannot read {path}: {reason}") from error

"""What the console asks of the compiler and of the pictures: types only, which `rasp.doors` fills."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rasp.graph import Node, Selector, SOp
from rasp.inputs import Input
from rasp.language.header import ModelSize
from rasp.operations import Atom
from rasp.source import Span


class Drawing(Protocol):
    """Draws how an s-op is computed on an input; gives the path of the picture."""

    def __call__(self, name: str, node: SOp, given: Input, names: Mapping[Node, str]) -> str: ...


@dataclass(frozen=True)
class CompileRequest:
    """An s-op to compile, and for which inputs."""

    node: SOp
    name: str
    vocabulary: Sequence[Atom]
    max_length: int
    names: Mapping[Node, str]
    origins: Mapping[Node, Span]
    dtype: str = "float32"
    prefer: str = "auto"


@dataclass(frozen=True)
class Finish:
    """How a picture looks when it is done, and where it is written: as `rasp draw` has it, and as usual where None."""

    colors: str | None = None
    dark: bool = False
    dpi: int | None = None
    scale: float | None = None
    width: float | None = None
    output: str | None = None


@dataclass(frozen=True)
class PictureRequest:
    """A picture of an s-op or selector at work on an input: of which kind, of which heads, compiled for what."""

    node: SOp | Selector
    name: str
    kind: str
    given: Input
    size: ModelSize
    names: Mapping[Node, str]
    finish: Finish
    causal: bool = False
    layer: int | None = None
    head: int | None = None
    numbers: bool = False


@dataclass(frozen=True)
class ReportRequest:
    """A page on some s-ops, in one model, at work on an input."""

    sops: Mapping[str, SOp]
    given: Input
    size: ModelSize
    names: Mapping[Node, str]
    origins: Mapping[Node, Span]
    causal: bool = False


@dataclass(frozen=True)
class Compiled:
    """A compiled model: its name, its size as a text, what its weights give for the tokens of an input, what comes of
    comparing it with the interpreter, and what writes it to a file."""

    name: str
    report: str
    output: Callable[[Sequence[Atom]], list[Atom]]
    verify: Callable[[], str]
    save: Callable[[Path], None]


class Rooms(Protocol):
    """The compiler and the pictures, as the console knows them. Matrices have a row a query and a column a key."""

    def draw(self, name: str, node: SOp, given: Input, names: Mapping[Node, str]) -> str:
        """Draws how an s-op is computed; gives the path of the picture."""

    def picture(self, asked: PictureRequest) -> str:
        """Draws an s-op or selector as one of the kinds of pictures; gives the path."""

    def graph(self, given: Input, asked: PictureRequest | None, finish: Finish, width: int) -> tuple[str, str]:
        """The relations of an input, and the heads of an s-op on it: as text, and the path of a picture."""

    def report(self, asked: ReportRequest) -> str:
        """Writes a page on some s-ops at work on an input; gives the path."""

    def open(self, path: str) -> None:
        """Shows a file as the desktop would. DataFault where nothing can."""

    def mask(self, selector: Selector) -> Selector | None:
        """What a selector lets a query see, None where that is every key."""

    def heatmap(
        self, weights: Any, tokens: Sequence[Atom], *, title: str, mask: Any, width: int, colour: bool, dark: bool
    ) -> str:
        """One head or selector [T, T] as text, with what a mask hides, if there is one."""

    def heatmaps(
        self,
        attention: Any,
        tokens: Sequence[Atom],
        *,
        titles: Sequence[Sequence[str]],
        masks: Sequence[Sequence[Any]],
        width: int,
        colour: bool,
        dark: bool,
    ) -> str:
        """All heads, layer by layer, as text."""

    def compile(self, asked: CompileRequest) -> Compiled:
        """Exact weights. Refusal, or Failures, for what has none; DataFault for a bad vocabulary or length."""

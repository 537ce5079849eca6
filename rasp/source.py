"""Places in source text: a Source is a named text, a Span a stretch of it."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property

from rasp.visible import visible

CONSOLE = "<console>"
_WIDTH = 160
_MARGIN = 60


@dataclass(frozen=True)
class Source:
    """A text and the name errors call it by (a path, or `<console>`)."""

    name: str
    text: str

    @cached_property
    def _line_starts(self) -> tuple[int, ...]:
        return (0, *(i + 1 for i, char in enumerate(self.text) if char == "\n"))

    def locate(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line counted from 1, without its end."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


@dataclass(frozen=True)
class Span:
    """The characters start ≤ offset < end of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.locate(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.locate(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def __or__(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(self.source, min(self.start, other.start), max(self.end, other.end))

    def __contains__(self, other: Span) -> bool:
        """Whether the other span lies within this one."""
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"{visible(self.source.name)}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """The source line with carets under the span, two lines of text; of a long line the part around the span."""
        whole = self.source.line(self.line)
        first = max(0, self.column - 1 - _MARGIN) if len(whole) > _WIDTH else 0
        line = whole[first : first + _WIDTH]
        before = visible(whole[first : self.column - 1])
        under = visible(line[self.column - 1 - first :][: self.end - self.start])
        lead = "".join("\t" if char == "\t" else " " for char in before)
        return f"    {visible(line)}\n    {lead}{'^' * max(1, len(under))}"

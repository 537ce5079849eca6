"""The one family of errors: everything this project raises on purpose is a RaspError.

An error knows what is wrong, where (a span of source text, if there is one), what would help, and the chain of
calls that led there. `str(error)` is the whole message as a user should see it.
"""

from __future__ import annotations

from collections.abc import Iterable

from rasp.source import Span
from rasp.visible import visible_lines


class RaspError(Exception):
    """What is wrong, where, and a way out.

    `notes` are extra lines shown after the excerpt (the calls that led here, for one); `hint` is the way out.
    """

    kind = "error"

    def __init__(
        self, message: str, span: Span | None = None, *, hint: str | None = None, notes: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.span = span
        self.hint = hint
        self.notes: list[str] = list(notes)

    def at(self, span: Span | None) -> RaspError:
        """This error, placed at `span` unless it already has a place."""
        if self.span is None:
            self.span = span
        return self

    def __str__(self) -> str:
        head = f"{self.kind}: {self.message}"
        lines = [head] if self.span is None else [f"{self.span}: {head}", self.span.excerpt()]
        lines += [f"  {note}" for note in self.notes]
        if self.hint is not None:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(map(visible_lines, lines))


class SyntaxFault(RaspError):
    """The text is not RASP."""

    kind = "syntax error"


class NameFault(RaspError):
    """A name is not defined, or must not be set."""

    kind = "name error"


class TypeFault(RaspError):
    """A value of one kind stands where another is needed; also a wrong number of arguments."""

    kind = "type error"


class LookupFault(RaspError):
    """A missing key, an index out of range."""

    kind = "lookup error"


class ValueFault(RaspError):
    """Anything that goes wrong with particular values: division by zero, values that do not fit together."""

    kind = "value error"


class DataFault(RaspError):
    """An input, a vocabulary or a file from outside is not what it should be."""

    kind = "data error"


class Refusal(RaspError):
    """The compiler cannot build exact weights for this, and says why.

    `subject` is the node of the graph that cannot be built, where that is known.
    """

    kind = "cannot compile"
    subject: object = None

    def about(self, node: object) -> Refusal:
        """This refusal, of `node` unless it already has a subject."""
        if self.subject is None:
            self.subject = node
        return self


class InternalFault(RaspError):
    """A mistake of the compiler itself, found before it could do harm; the notes say how to bring it about again."""

    kind = "internal error"


class Failures(RaspError):
    """Several errors at once, in the order of their places."""

    def __init__(self, errors: Iterable[RaspError]) -> None:
        self.errors: list[RaspError] = list(errors)
        super().__init__(f"{len(self.errors)} errors")

    def __str__(self) -> str:
        return "\n".join(str(error) for error in self.errors)

"""The syntax tree: what a program says, as written, every node with its place in the text.

Brackets are kept (`Group`), so a tree can be written back as it was read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from rasp.source import Span


@dataclass(frozen=True)
class Node:
    """Any part of a program."""

    span: Span

    @property
    def children(self) -> Iterator[Node]:
        """The nodes directly below, in the order of the fields."""
        for field in fields(self):
            yield from _nodes(getattr(self, field.name))


def _nodes(value: object) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _nodes(item)


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, parents before children, left to right."""
    stack = [node]
    while stack:
        top = stack.pop()
        yield top
        stack += reversed(list(top.children))


class Expression(Node):
    """What has a value."""


@dataclass(frozen=True)
class Literal(Expression):
    """`42`, `0.5`, `"a b"`."""

    value: int | float | str


@dataclass(frozen=True)
class Name(Expression):
    """`x`; also the name that a statement sets."""

    name: str


@dataclass(frozen=True)
class Group(Expression):
    """`( EXPR )`."""

    inner: Expression


@dataclass(frozen=True)
class Unary(Expression):
    """`not X`, `-X`, `+X`."""

    op: str
    operand: Expression


@dataclass(frozen=True)
class Binary(Expression):
    """`X OP Y` for arithmetic, comparisons, `and` and `or`."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Ternary(Expression):
    """`THEN if CONDITION else OTHERWISE`."""

    then: Expression
    condition: Expression
    otherwise: Expression


@dataclass(frozen=True)
class In(Expression):
    """`ITEM in COLLECTION`."""

    item: Expression
    collection: Expression


@dataclass(frozen=True)
class Index(Expression):
    """`BASE[INDEX]`."""

    base: Expression
    index: Expression


@dataclass(frozen=True)
class Call(Expression):
    """`FUNCTION(ARGS)`: a call, or an s-op or selector applied to an input."""

    function: Expression
    args: tuple[Expression, ...]


@dataclass(frozen=True)
class Select(Expression):
    """`select(KEYS, QUERIES, OP)`."""

    keys: Expression
    queries: Expression
    op: str


@dataclass(frozen=True)
class Aggregate(Expression):
    """`aggregate(SELECTOR, VALUE, DEFAULT)`, the default optional."""

    selector: Expression
    value: Expression
    default: Expression | None


@dataclass(frozen=True)
class Form(Expression):
    """`range(..)`, `zip(..)`, `len(..)`, `round(..)`, `indicator(..)`."""

    word: str
    args: tuple[Expression, ...]


@dataclass(frozen=True)
class ListDisplay(Expression):
    """`[A, B]`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class DictDisplay(Expression):
    """`{K: V, L: W}`."""

    pairs: tuple[tuple[Expression, Expression], ...]


@dataclass(frozen=True)
class ListComprehension(Expression):
    """`[ELEMENT for NAMES in ITERABLE]`."""

    element: Expression
    names: tuple[Name, ...]
    iterable: Expression


@dataclass(frozen=True)
class DictComprehension(Expression):
    """`{KEY: VALUE for NAMES in ITERABLE}`."""

    key: Expression
    value: Expression
    names: tuple[Name, ...]
    iterable: Expression


class Statement(Node):
    """What is run in order."""


@dataclass(frozen=True)
class Evaluate(Statement):
    """`EXPR;`."""

    value: Expression


@dataclass(frozen=True)
class Assign(Statement):
    """`N1, N2 = E1, E2;`."""

    targets: tuple[Name, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True)
class Param(Statement):
    """`param NAME = VALUE;`."""

    target: Name
    value: Expression


@dataclass(frozen=True)
class Define(Statement):
    """`def NAME(PARAMETERS) { BODY return RESULTS; }`. `returns` is the place of the return statement."""

    name: Name
    parameters: tuple[Name, ...]
    body: tuple[Statement, ...]
    results: tuple[Expression, ...]
    returns: Span


@dataclass(frozen=True)
class For(Statement):
    """`for NAMES in ITERABLE { BODY }`."""

    names: tuple[Name, ...]
    iterable: Expression
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Load(Statement):
    """`load "PATH";`."""

    path: str


@dataclass(frozen=True)
class Draw(Statement):
    """`draw(VALUE);`, `draw(VALUE, INPUT);`."""

    value: Expression
    input: Expression | None


class Command(Statement):
    """What speaks to the console rather than to the program; written without a semicolon."""


@dataclass(frozen=True)
class SetExample(Command):
    """`set example E`; `which` is "s-op", "selector" or "both"."""

    which: str
    value: Expression


@dataclass(frozen=True)
class ShowExample(Command):
    """`show example`."""

    which: str


@dataclass(frozen=True)
class ShowExamples(Command):
    """`examples on`, `examples off`."""

    which: str
    on: bool


@dataclass(frozen=True)
class FullDisplay(Command):
    """`full seq display on`, `full seq display off`."""

    on: bool


@dataclass(frozen=True)
class Exit(Command):
    """`exit`, `exit()`, `quit`, `quit()`."""


@dataclass(frozen=True)
class Program(Node):
    """A whole text: its statements in order, and its comments."""

    statements: tuple[Statement, ...]
    comments: tuple[Span, ...]

"""A program in its one canonical layout: what `rasp fmt` writes.

The tree says where lines may break; the words are taken from the text one by one, and with each the comments that
stand before it, so none gets lost. Empty lines between statements stay, never more than one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from rasp.errors import Failures
from rasp.language import syntax
from rasp.language.lexer import lex
from rasp.language.parser import parse
from rasp.language.pretty_printer import Break, Comment, Document, Group, Line, Nest, render
from rasp.recursion import deep_stack
from rasp.rules import Rules
from rasp.source import Source

WIDTH = 120

_Part: TypeAlias = "Callable[[], Document]"


def canonical(source: Source) -> str:
    """The text of a program in canonical layout. SyntaxFault, or Failures for several, where it is none."""
    parsed = parse(source, closed=True)
    if parsed.errors:
        raise parsed.errors[0] if len(parsed.errors) == 1 else Failures(parsed.errors)
    with deep_stack():
        return render(_Writer(source).program(parsed.program), WIDTH)


class _Writer:
    """Takes the words of a text in order and gives the documents of its statements and expressions."""

    def __init__(self, source: Source) -> None:
        lexed = lex(source)
        self.text = source.text
        self.tokens = lexed.tokens
        self.waiting = list(reversed(lexed.comments))
        self.at = 0
        self.commented = 0  # where the last comment ended
        self.brackets = 0
        self.one_line = False

    # -- words

    def take(self) -> Document:
        """The next word behind the comments that stand before it; these go behind a comma or semicolon instead."""
        token = self.tokens[self.at]
        comments = () if token.is_(",", ";") else self.comments()
        self.at += 1
        return comments, _quoted(token.text) if token.kind == "string" else token.text

    def semicolon(self) -> Document:
        """The semicolon that ends a statement; it may be missing at the end of the text."""
        return self.take() if self.tokens[self.at].kind != "end" else ";"

    def comments(self) -> Document:
        """The comments before the next word."""
        start = self.tokens[self.at].start
        found: list[Document] = []
        while self.waiting and self.waiting[-1].start < start:
            span = self.waiting.pop()
            lines = self.lines_before(span.start)
            found.append(Comment(self.rest_of_line(span.start), lines > 0, lines > 1))
            self.commented = span.end
        return tuple(found)

    def rest_of_line(self, start: int) -> str:
        """The text from here to the end of its line, blanks included: they may mean something to a reader."""
        end = self.text.find("\n", start)
        return self.text[start:] if end < 0 else self.text[start:end]

    def lines_before(self, offset: int) -> int:
        """How many line ends stand between an offset and the word or comment before it."""
        start = offset
        while start > self.commented and self.text[start - 1].isspace():
            start -= 1
        return self.text.count("\n", start, offset)

    def new_line(self) -> Document:
        """The comments before the next word, and the end of the line, with an empty line where there was one."""
        comments = self.comments()
        return comments, Break(self.lines_before(self.tokens[self.at].start) > 1)

    # -- statements

    def program(self, program: syntax.Program) -> Document:
        return self.statements(program.statements), self.comments()

    def statements(self, statements: Sequence[syntax.Statement]) -> Document:
        lines: list[Document] = [self.skip_semicolons()]
        for statement in statements:
            lines += [self.new_line(), self.node(statement), self.skip_semicolons()]
        return tuple(lines)

    def skip_semicolons(self) -> Document:
        """Goes over stray semicolons, which are left out."""
        while self.tokens[self.at].is_(";"):
            self.at += 1
        return ()

    def node(self, node: syntax.Node) -> Document:
        return _RULES[type(node)](self, node)

    def block(self, body: Sequence[syntax.Statement], last: _Part | None = None) -> Document:
        """`{`, the statements on lines of their own, `}`."""
        opening = self.take()
        inner = (self.statements(body), last() if last else (), self.comments())
        return opening, Nest(inner), Break(), self.take()

    def returning(self, results: Sequence[syntax.Expression]) -> Document:
        return (
            self.new_line(),
            self.take(),
            " ",
            self.commas(self.parts(results), self.continued),
            self.semicolon(),
            self.skip_semicolons(),
        )

    def command(self, read: _Part) -> Document:
        """A command: outside brackets its line does not end. Its semicolon is left out."""
        self.one_line = True
        written = read()
        self.one_line = False
        if self.tokens[self.at].is_(";"):
            self.at += 1
        return written

    def no_call(self) -> Document:
        """Empty brackets, where only a semicolon keeps a bracket that follows from being read as a call."""
        stray = self.tokens[self.at].is_(";")
        self.skip_semicolons()
        return "()" if stray and self.tokens[self.at].is_("(") else ()

    def words(self, count: int) -> Document:
        """The next words, blanks between them."""
        return tuple(part for _ in range(count) for part in (self.take(), " "))[:-1]

    # -- expressions

    def parts(self, nodes: Sequence[syntax.Node]) -> list[_Part]:
        return [lambda node=node: self.node(node) for node in nodes]  # type: ignore[misc]

    def commas(self, parts: Sequence[_Part], behind: Callable[[_Part], Document]) -> Document:
        """The parts with commas between them; `behind` says how one follows a comma."""
        written = [parts[0]()]
        for part in parts[1:]:
            written += [self.take(), behind(part)]
        return tuple(written)

    def continued(self, read: _Part) -> Document:
        """What may go on the next line where this one is full; indented there, unless a bracket does that already."""
        if self.brackets == 0 and self.one_line:
            return " ", read()
        group = Group((Line(" "), read()))
        return group if self.brackets else Nest(group)

    def operation(self, node: syntax.Expression) -> Document:
        """The next word and the operand behind it."""
        return self.continued(lambda: (self.take(), " ", self.node(node)))

    def bracket(self, parts: Sequence[_Part], fill: bool = False) -> Document:
        """An opening bracket, parts with commas between them, the closing bracket.

        Where they do not fit on one line each part has its own, or as many as fit stand on one with `fill`.
        """
        opening = self.take()
        self.brackets += 1
        behind = self.continued if fill else lambda part: (Line(" "), part())
        inner = self.commas(parts, behind) if parts else ()
        rest = self.comments()
        self.brackets -= 1
        if not parts and not rest:
            return opening, self.take()
        return Group((opening, Nest((Line(""), inner, rest)), Line(""), self.take()))

    def names(self, count: int) -> Document:
        """Names with commas between them."""
        first = self.take()
        return first, tuple((self.take(), " ", self.take()) for _ in range(count - 1))

    def comprehension(self, first: _Part, names: int, iterable: syntax.Expression) -> Document:
        def source() -> Document:
            return self.take(), " ", self.names(names), " ", self.take(), " ", self.node(iterable)

        return self.bracket([lambda: (first(), self.continued(source))])

    def pair(self, key: syntax.Expression, value: syntax.Expression) -> Document:
        return self.node(key), self.take(), " ", self.node(value)


def _quoted(text: str) -> str:
    """A string in double quotes, if it can be."""
    return text if '"' in text[1:-1] else f'"{text[1:-1]}"'


# -- rules: statements


def _evaluate(self: _Writer, node: syntax.Evaluate) -> Document:
    return self.node(node.value), self.semicolon()


def _assign(self: _Writer, node: syntax.Assign) -> Document:
    targets = self.names(len(node.targets))
    return targets, " ", self.take(), " ", self.commas(self.parts(node.values), self.continued), self.semicolon()


def _param(self: _Writer, node: syntax.Param) -> Document:
    return self.take(), " ", self.take(), " ", self.take(), " ", self.node(node.value), self.semicolon()


def _define(self: _Writer, node: syntax.Define) -> Document:
    head = (self.take(), " ", self.take(), self.bracket([self.take] * len(node.parameters)), " ")
    return head, self.block(node.body, lambda: self.returning(node.results))


def _for(self: _Writer, node: syntax.For) -> Document:
    head = (self.take(), " ", self.names(len(node.names)), " ", self.take(), " ", self.node(node.iterable), " ")
    return head, self.block(node.body)


def _load(self: _Writer, node: syntax.Load) -> Document:
    return self.words(2), self.semicolon()


def _draw(self: _Writer, node: syntax.Draw) -> Document:
    given = [node.value] if node.input is None else [node.value, node.input]
    return self.take(), self.bracket(self.parts(given)), self.semicolon()


def _set_example(self: _Writer, node: syntax.SetExample) -> Document:
    count = 2 if node.which == "both" else 3
    return self.command(lambda: (self.words(count), " ", self.node(node.value)))


def _show(self: _Writer, node: syntax.ShowExample | syntax.ShowExamples) -> Document:
    return self.command(lambda: self.words(2 if node.which == "both" else 3))


def _full_display(self: _Writer, node: syntax.FullDisplay) -> Document:
    return self.command(lambda: self.words(2))


def _exit(self: _Writer, node: syntax.Exit) -> Document:
    return self.command(lambda: (self.take(), self.bracket([]) if self.tokens[self.at].is_("(") else self.no_call()))


# -- rules: expressions


def _word(self: _Writer, node: syntax.Literal | syntax.Name) -> Document:
    return self.take()


def _group(self: _Writer, node: syntax.Group) -> Document:
    return self.bracket(self.parts([node.inner]))


def _unary(self: _Writer, node: syntax.Unary) -> Document:
    return self.take(), " " if node.op == "not" else (), self.node(node.operand)


def _binary(self: _Writer, node: syntax.Binary) -> Document:
    spine = [node]
    while isinstance(left := spine[-1].left, syntax.Binary):
        spine.append(left)
    return self.node(left), tuple(self.operation(operation.right) for operation in reversed(spine))


def _ternary(self: _Writer, node: syntax.Ternary) -> Document:
    return self.node(node.then), self.operation(node.condition), self.operation(node.otherwise)


def _in(self: _Writer, node: syntax.In) -> Document:
    return self.node(node.item), self.operation(node.collection)


def _index(self: _Writer, node: syntax.Index) -> Document:
    return self.node(node.base), self.bracket(self.parts([node.index]))


def _call(self: _Writer, node: syntax.Call) -> Document:
    return self.node(node.function), self.bracket(self.parts(node.args))


def _select(self: _Writer, node: syntax.Select) -> Document:
    return self.take(), self.bracket([*self.parts([node.keys, node.queries]), self.take])


def _aggregate(self: _Writer, node: syntax.Aggregate) -> Document:
    default = [] if node.default is None else [node.default]
    return self.take(), self.bracket(self.parts([node.selector, node.value, *default]))


def _form(self: _Writer, node: syntax.Form) -> Document:
    return self.take(), self.bracket(self.parts(node.args))


def _list(self: _Writer, node: syntax.ListDisplay) -> Document:
    short = all(isinstance(item, syntax.Literal | syntax.Name | syntax.Unary) for item in node.items)
    return self.bracket(self.parts(node.items), fill=short)


def _dict(self: _Writer, node: syntax.DictDisplay) -> Document:
    return self.bracket([lambda pair=pair: self.pair(*pair) for pair in node.pairs])  # type: ignore[misc]


def _list_comprehension(self: _Writer, node: syntax.ListComprehension) -> Document:
    return self.comprehension(lambda: self.node(node.element), len(node.names), node.iterable)


def _dict_comprehension(self: _Writer, node: syntax.DictComprehension) -> Document:
    return self.comprehension(lambda: self.pair(node.key, node.value), len(node.names), node.iterable)


_RULES: Rules[Callable[[_Writer, Any], Document]] = Rules(
    "the formatter",
    {
        syntax.Evaluate: _evaluate,
        syntax.Assign: _assign,
        syntax.Param: _param,
        syntax.Define: _define,
        syntax.For: _for,
        syntax.Load: _load,
        syntax.Draw: _draw,
        syntax.SetExample: _set_example,
        syntax.ShowExample: _show,
        syntax.ShowExamples: _show,
        syntax.FullDisplay: _full_display,
        syntax.Exit: _exit,
        syntax.Literal: _word,
        syntax.Name: _word,
        syntax.Group: _group,
        syntax.Unary: _unary,
        syntax.Binary: _binary,
        syntax.Ternary: _ternary,
        syntax.In: _in,
        syntax.Index: _index,
        syntax.Call: _call,
        syntax.Select: _select,
        syntax.Aggregate: _aggregate,
        syntax.Form: _form,
        syntax.ListDisplay: _list,
        syntax.DictDisplay: _dict,
        syntax.ListComprehension: _list_comprehension,
        syntax.DictComprehension: _dict_comprehension,
    },
)

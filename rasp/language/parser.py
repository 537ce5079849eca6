"""Tokens to a syntax tree: a Pratt parser that reports several mistakes in one run.

Each method quotes the piece of grammar it reads; `grammar.lark` has all of it.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, TypeVar

from rasp.errors import SyntaxFault
from rasp.language.lexer import FORMS, KEYWORDS, Token, lex
from rasp.language.syntax import (
    Aggregate,
    Assign,
    Binary,
    Call,
    Define,
    DictComprehension,
    DictDisplay,
    Draw,
    Evaluate,
    Exit,
    Expression,
    For,
    Form,
    FullDisplay,
    Group,
    In,
    Index,
    ListComprehension,
    ListDisplay,
    Literal,
    Load,
    Name,
    Param,
    Program,
    Select,
    SetExample,
    ShowExample,
    ShowExamples,
    Statement,
    Ternary,
    Unary,
)
from rasp.recursion import deep_stack
from rasp.source import Source, Span

NESTING = 200
OPERATORS = 10_000
DIGITS = 19_000

if 0 < sys.get_int_max_str_digits() < DIGITS + 1000:
    sys.set_int_max_str_digits(DIGITS + 1000)  # ints of any size that the interpreter allows can be read and written

COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")

_POWER: dict[str, int] = {
    "^": 80,
    **dict.fromkeys(("*", "/"), 70),
    "%": 60,
    **dict.fromkeys(("+", "-"), 50),
    **dict.fromkeys(COMPARISONS, 40),
    **dict.fromkeys(("and", "or"), 30),
    "if": 20,
    "in": 10,
}

_CLOSING = {"(": ")", "[": "]", "{": "}"}

_HINTS = {
    "=": "equality is written ==",
    "!": "negation is written not",
    "&": "write and",
    "|": "write or",
    "s-op": "s-op is one word; a difference of s and op needs blanks: s - op",
}

Item = TypeVar("Item")


class Unfinished(SyntaxFault):
    """The text ends where more is needed: not wrong so far."""


@dataclass(frozen=True)
class Parsed:
    """What could be read, and every mistake in the order of its place."""

    program: Program
    errors: tuple[SyntaxFault, ...]

    @property
    def incomplete(self) -> bool:
        """Whether more text could still make this a program."""
        return self.goes_on and len(self.errors) == 1

    @property
    def goes_on(self) -> bool:
        """Whether the text ends inside a statement, whatever stands before."""
        return bool(self.errors) and isinstance(self.errors[-1], Unfinished)


def parse(source: Source, *, closed: bool = False) -> Parsed:
    """The syntax tree of a source and its mistakes. With `closed` the last semicolon may be missing."""
    with deep_stack():
        return _Parser(source, closed).program()


def parse_expression(part: Span) -> Expression:
    """The expression that a part of a source is, with its places there. SyntaxFault where it is none."""
    with deep_stack():
        reader = _Parser(part.source, True, part)
        found = reader.expression()
        return found if reader.at_end() else reader.fail("the end of the expression")


class _Parser:
    def __init__(self, source: Source, closed: bool, part: Span | None = None) -> None:
        lexed = lex(source, part)
        self.source = source
        self.closed = closed
        self.tokens = lexed.tokens
        self.comments = lexed.comments
        self.at = 0
        self.depth = 0
        self.line_bound = False
        self.errors: list[SyntaxFault] = []

    # -- tokens

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def at_end(self) -> bool:
        return self.token.kind == "end"

    def peek(self, ahead: int = 1) -> Token:
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def advance(self) -> Token:
        token = self.token
        if token.kind != "end":
            self.at += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        return self.advance() if self.token.is_(*texts) else None

    def expect(self, text: str, after: str = "") -> Token:
        return self.accept(text) or self.fail(f"`{text}`{after}")

    def span_from(self, start: int) -> Span:
        return Span(self.source, start, max(start, self.tokens[self.at - 1].end))

    def fail(self, expected: str, hint: str | None = None, span: Span | None = None) -> NoReturn:
        """The one place where mistakes are raised: what was expected and what was found."""
        token = self.token
        place = span or self._place(token, expected)
        hint = hint or _HINTS.get(token.text)
        if token.kind == "end":
            raise Unfinished(f"expected {expected}, found the end of the text", place, hint=hint)
        if token.kind == "unclosed":
            raise SyntaxFault("this string is not closed on its line", place, hint=f"add {token.text[0]} at its end")
        if token.kind == "strange":
            raise SyntaxFault(f"expected {expected}; {token.text!r} is no word of the language", place, hint=hint)
        raise SyntaxFault(f"expected {expected}, found `{_shorten(token.text)}`", place, hint=hint)

    def refuse(self, message: str, span: Span, hint: str | None = None) -> NoReturn:
        raise SyntaxFault(message, span, hint=hint)

    def _place(self, token: Token, expected: str) -> Span:
        """The token found; where a line lacks its end, the place just behind its last token."""
        if self.at and token.first and expected.startswith("`;`"):
            end = self.tokens[self.at - 1].end
            return Span(self.source, end, end)
        return Span(self.source, token.start, token.end)

    # -- statements

    def program(self) -> Parsed:
        """program: (statement | ";")*"""
        statements: list[Statement] = []
        while self.skip_semicolons().kind != "end":
            if self.accept("}"):
                token = self.tokens[self.at - 1]
                span = Span(self.source, token.start, token.end)
                self.errors.append(SyntaxFault("this `}` closes nothing", span))
                continue
            self.recovering(statements, top=True)
        span = Span(self.source, 0, len(self.source.text))
        return Parsed(Program(span, tuple(statements), self.comments), tuple(self.errors))

    def skip_semicolons(self) -> Token:
        """The next token that is no stray semicolon."""
        while self.accept(";"):
            pass
        return self.token

    def recovering(self, statements: list[Statement], top: bool = False) -> None:
        """One statement; after a mistake the text is skipped up to where the next one seems to begin."""
        start, depth, mistakes = self.at, self.depth, len(self.errors)
        try:
            statement = self.statement(top)
        except SyntaxFault as error:
            self.report(error)
            self.depth = depth
            self.line_bound = False
            self.synchronise(start, top)
        else:
            if len(self.errors) == mistakes:
                statements.append(statement)

    def report(self, error: SyntaxFault) -> None:
        """Keeps a mistake; the end of the text is one mistake, however many brackets it leaves open."""
        if not (isinstance(error, Unfinished) and self.errors and isinstance(self.errors[-1], Unfinished)):
            self.errors.append(error)

    def synchronise(self, start: int, top: bool) -> None:
        """Skips the rest of the statement that began at `start`: to its semicolon (the last bracket of a body), to the
        end of the body around it, or to a line that can only begin a statement. Nothing of it is read as another."""
        if self.at_end():
            return
        has_body = self.tokens[start].is_("def", "for")
        seen = Counter(token.text for token in self.tokens[start : self.at] if token.kind == "symbol")
        while not self.at_end():
            in_body = has_body and seen["{"] > seen["}"]
            if self.at > start and not in_body and self.begins_statement(seen, top):
                return
            if self.token.is_("}") and seen["{"] <= seen["}"] and not top:
                return
            token = self.advance()
            seen[token.text] += token.kind == "symbol"
            if (token.is_(";") and not in_body) or (in_body and seen["{"] == seen["}"]):
                return

    def begins_statement(self, seen: Counter[str], top: bool) -> bool:
        """Whether the next word begins a statement, after one in which these symbols were seen."""
        token = self.token
        if token.is_("return"):
            return not top
        if not token.first or token.kind != "word":
            return False
        if token.is_("for"):
            return all(seen[opening] <= seen[closing] for opening, closing in _CLOSING.items())
        begins = self.targets_follow() or self.parameter_follows() or token.is_("def", "load", "draw")
        return begins or (top and self.begins_command())

    def begins_command(self) -> bool:
        return self.token.text in _STATEMENTS and self.token.text not in KEYWORDS and self.command_follows()

    def statement(self, top: bool) -> Statement:
        rule = _STATEMENTS.get(self.token.text) if self.token.kind == "word" else None
        if rule is not None and (self.token.text in KEYWORDS or self.command_follows()):
            return rule(self, top)
        if self.parameter_follows():
            return self.parameter(top)
        return self.assignment() if self.targets_follow() else self.evaluation()

    def command_follows(self) -> bool:
        """Whether the next word begins a statement of its own (it might be a misused name)."""
        following = self.peek()
        return not following.is_("=", ",", "==", "[", ".") or self.token.is_("draw", "load", "exit", "quit")

    def targets_follow(self) -> bool:
        """Whether NAME, NAME .. = comes next."""
        ahead = 0
        while self.peek(ahead).kind == "word" and self.peek(ahead + 1).is_(","):
            ahead += 2
        return self.peek(ahead).kind == "word" and self.peek(ahead + 1).is_("=")

    def parameter_follows(self) -> bool:
        """Whether `param NAME =` comes next; `param` alone is a name like any other."""
        return self.token.is_("param") and self.peek().kind == "word" and self.peek(2).is_("=")

    def end_statement(self) -> None:
        if self.closed and self.at_end() and self.depth == 0:
            return
        self.expect(";", " at the end of the statement")

    def evaluation(self) -> Statement:
        """evaluate: expression ";" """
        start = self.token.start
        value = self.expression()
        self.end_statement()
        return Evaluate(self.span_from(start), value)

    def assignment(self) -> Statement:
        """assign: names "=" expression ("," expression)* ";" """
        start = self.token.start
        targets = self.names()
        self.expect("=")
        values = self.commas(self.expression)
        self.end_statement()
        return Assign(self.span_from(start), targets, values)

    def parameter(self, top: bool) -> Statement:
        """param: "param" NAME "=" expression ";" """
        token = self.advance()
        if not top:
            self.refuse("a parameter cannot be declared inside a body", Span(self.source, token.start, token.end))
        target = self.name("the name of the parameter")
        self.expect("=")
        value = self.expression()
        self.end_statement()
        return Param(self.span_from(token.start), target, value)

    def definition(self, top: bool) -> Statement:
        """define: "def" NAME "(" [names] ")" "{" (statement | ";")* "return" expressions ";"+ "}" """
        start = self.advance().start
        name = self.name("the name of the function")
        self.expect("(", " after the name of the function")
        parameters = () if self.token.is_(")") else self.names()
        self.expect(")", " after the parameters")
        self.distinct(parameters)
        opening = self.expect("{", " before the body")
        self.enter()
        depth = self.depth
        body = self.statements_until("return", opening)
        end = self.at
        try:
            results, returns = self.returning()
        except Unfinished:
            raise
        except SyntaxFault as error:
            self.report(error)
            self.skip_body(end)
            results, returns = (), error.span or name.span
        self.depth = depth - 1
        return Define(self.span_from(start), name, parameters, body, results, returns)

    def returning(self) -> tuple[tuple[Expression, ...], Span]:
        """return: "return" expression ("," expression)* ";"+ "}" """
        start = self.expect("return", " at the end of the body of a function").start
        results = self.commas(self.expression)
        self.expect(";", " at the end of the statement")
        returns = self.span_from(start)
        if not self.skip_semicolons().is_("}"):
            self.fail("`}` after the return", hint="the return is the last statement of a function")
        self.advance()
        return results, returns

    def skip_body(self, start: int) -> None:
        """Skips to after the bracket that closes the body of this function, whose return began at `start`."""
        depth = 1 + sum(token.is_("{") - token.is_("}") for token in self.tokens[start : self.at])
        while depth > 0 and not self.at_end():
            token = self.advance()
            depth += token.is_("{") - token.is_("}")

    def distinct(self, names: tuple[Name, ...]) -> None:
        seen: set[str] = set()
        for name in names:
            if name.name in seen:
                self.refuse(f"the parameter {name.name} stands twice", name.span)
            seen.add(name.name)

    def statements_until(self, stop: str, opening: Token) -> tuple[Statement, ...]:
        """The statements of a body, up to the word or symbol `stop`."""
        body: list[Statement] = []
        while not self.skip_semicolons().is_(stop, "}"):
            if self.at_end():
                where = Span(self.source, opening.start, opening.end)
                self.fail(f"`{stop}` for the `{{` of line {where.line}")
            self.recovering(body)
        return tuple(body)

    def loop(self, top: bool) -> Statement:
        """loop: "for" names "in" expression "{" ";"* statement (statement | ";")* "}" """
        start = self.advance().start
        names = self.names()
        self.expect("in", " after the names of the loop")
        iterable = self.expression()
        opening = self.expect("{", " before the body")
        self.enter()
        before = len(self.errors)
        body = self.statements_until("}", opening)
        closing = self.advance()
        if not body and len(self.errors) == before:
            span = Span(self.source, closing.start, closing.end)
            self.report(SyntaxFault("expected a statement in the body of the loop, found `}`", span))
        self.depth -= 1
        return For(self.span_from(start), names, iterable, body)

    def stray_return(self, top: bool) -> Statement:
        token = self.token
        self.refuse(
            "a return stands only at the end of the body of a function", Span(self.source, token.start, token.end)
        )

    def load(self, top: bool) -> Statement:
        """load: "load" STRING ";" """
        start = self.advance().start
        if self.token.kind != "string":
            self.fail("the path in quotes")
        path = self.advance().text[1:-1]
        self.end_statement()
        return Load(self.span_from(start), path)

    def draw(self, top: bool) -> Statement:
        """draw: "draw" "(" expression ["," expression] ")" ";" """
        start = self.advance().start
        self.expect("(", " after draw")
        value = self.expression()
        given = self.expression() if self.accept(",") else None
        self.expect(")")
        self.end_statement()
        return Draw(self.span_from(start), value, given)

    # -- commands

    def command(self, top: bool, read: Callable[[_Parser], Statement]) -> Statement:
        token = self.token
        if not top:
            self.refuse("a command cannot stand inside a body", Span(self.source, token.start, token.end))
        statement = read(self)
        if not self.accept(";") and not self.token.first:
            self.fail("the end of the line after a command")
        return statement

    def which(self) -> str:
        token = self.accept("s-op", "selector")
        return "both" if token is None else token.text

    def set_example(self) -> Statement:
        """set: "set" ["s-op" | "selector"] "example" expression"""
        start = self.advance().start
        which = self.which()
        self.expect("example")
        self.line_bound = True
        value = self.expression()
        self.line_bound = False
        return SetExample(self.span_from(start), which, value)

    def show_example(self) -> Statement:
        """show: "show" ["s-op" | "selector"] "example" """
        start = self.advance().start
        which = self.which()
        self.expect("example")
        return ShowExample(self.span_from(start), which)

    def examples(self) -> Statement:
        """examples: ["s-op" | "selector"] "examples" ("on" | "off")"""
        start = self.token.start
        which = self.which()
        self.expect("examples")
        on = self.switch()
        return ShowExamples(self.span_from(start), which, on)

    def full_display(self) -> Statement:
        """display: "full seq display" ("on" | "off")"""
        start = self.advance().start
        on = self.switch()
        return FullDisplay(self.span_from(start), on)

    def switch(self) -> bool:
        token = self.accept("on", "off") or self.fail("`on` or `off`")
        return token.text == "on"

    def exit(self) -> Statement:
        """exit: ("exit" | "quit") ["(" ")"]"""
        start = self.advance().start
        if self.accept("("):
            self.expect(")")
        return Exit(self.span_from(start))

    # -- expressions

    def enter(self) -> None:
        self.depth += 1
        if self.depth > NESTING:
            token = self.token
            self.refuse(
                f"nested more than {NESTING} deep",
                Span(self.source, token.start, token.end),
                hint="store parts in variables",
            )

    def expression(self, power: int = 0) -> Expression:
        self.enter()
        left = self.operand()
        count = 0
        while (binding := self.binding()) > power:
            left = self.infix(left, binding)
            count += 1
            if count > OPERATORS:
                self.refuse(f"more than {OPERATORS} operators in one expression", left.span, "store parts in variables")
        self.depth -= 1
        return left

    def binding(self) -> int:
        """How tightly the next operator binds; 0 where there is none."""
        token = self.token
        if (self.line_bound and token.first) or token.kind not in ("word", "symbol"):
            return 0
        return _POWER.get(token.text, 0)

    def infix(self, left: Expression, binding: int) -> Expression:
        op = self.advance().text
        if op == "if":
            return self.ternary(left, binding)
        right = self.expression(binding)
        span = left.span | right.span
        return In(span, left, right) if op == "in" else Binary(span, op, left, right)

    def ternary(self, then: Expression, binding: int) -> Expression:
        """ternary: expression "if" expression "else" expression, grouped to the left"""
        condition = self.unbound(self.expression)
        self.expect("else", " after the condition")
        otherwise = self.expression(binding)
        return Ternary(then.span | otherwise.span, then, condition, otherwise)

    def operand(self) -> Expression:
        """operand: ("not" | "-" | "+")* primary"""
        signs: list[Token] = []
        while token := self.accept("not", "-", "+"):
            signs.append(token)
            if len(signs) > NESTING:
                self.refuse(f"more than {NESTING} prefix operators", Span(self.source, token.start, token.end))
        value = self.postfix(self.primary())
        for token in reversed(signs):
            value = Unary(Span(self.source, token.start, value.span.end), token.text, value)
        return value

    def postfix(self, value: Expression) -> Expression:
        """postfix: primary ("[" expression "]" | "(" [expressions] ")")*"""
        count = 0
        while self.token.is_("[", "(") and not (self.line_bound and self.token.first):
            value = self.index(value) if self.token.text == "[" else self.call(value)
            count += 1
            if count > OPERATORS:
                self.refuse(f"more than {OPERATORS} brackets in one expression", value.span, "store parts in variables")
        return value

    def index(self, base: Expression) -> Expression:
        self.advance()
        index = self.unbound(self.expression)
        self.expect("]")
        return Index(self.span_from(base.span.start), base, index)

    def call(self, function: Expression) -> Expression:
        args = self.arguments()
        return Call(self.span_from(function.span.start), function, args)

    def arguments(self) -> tuple[Expression, ...]:
        """arguments: "(" [expression ("," expression)*] ")" """
        self.expect("(")
        args = () if self.token.is_(")") else self.unbound(lambda: self.commas(self.expression))
        self.accept(")") or self.fail("`,` or `)`")
        return args

    def commas(self, item: Callable[[], Item]) -> tuple[Item, ...]:
        items = [item()]
        while self.accept(","):
            items.append(item())
        return tuple(items)

    def unbound(self, read: Callable[[], Item]) -> Item:
        """What `read` reads, free to go over line ends (inside brackets)."""
        before, self.line_bound = self.line_bound, False
        result = read()
        self.line_bound = before
        return result

    def names(self) -> tuple[Name, ...]:
        return self.commas(self.name)

    def name(self, expected: str = "a name") -> Name:
        token = self.token
        span = Span(self.source, token.start, token.end)
        if token.text in KEYWORDS or token.text in FORMS:
            self.refuse(f"expected {expected}; `{token.text}` is a word of the language", span)
        if token.kind != "word" or not token.text.isidentifier():
            self.fail(expected)
        self.advance()
        return Name(span, token.text)

    def primary(self) -> Expression:
        token = self.token
        rule = _PRIMARIES.get(token.text if token.kind in ("word", "symbol") else token.kind)
        if rule is not None:
            return rule(self)
        if token.kind != "word" or token.text in KEYWORDS or not token.text.isidentifier():
            self.fail("an expression")
        return self.name()

    def number(self) -> Expression:
        token = self.advance()
        span = Span(self.source, token.start, token.end)
        if token.kind == "float":
            return Literal(span, float(token.text))
        if len(token.text) > DIGITS:
            self.refuse(f"a number of more than {DIGITS} digits", span)
        return Literal(span, int(token.text))

    def string(self) -> Expression:
        token = self.advance()
        return Literal(Span(self.source, token.start, token.end), token.text[1:-1])

    def group(self) -> Expression:
        """group: "(" expression ")" """
        start = self.advance().start
        inner = self.unbound(self.expression)
        self.expect(")")
        return Group(self.span_from(start), inner)

    def list(self) -> Expression:
        """list: "[" [expression ("," expression)*] "]" | "[" expression "for" names "in" expression "]" """
        start = self.advance().start
        return self.unbound(lambda: self._list(start))

    def _list(self, start: int) -> Expression:
        if self.accept("]"):
            return ListDisplay(self.span_from(start), ())
        first = self.expression()
        if self.accept("for"):
            names, iterable = self.source_of_comprehension()
            self.expect("]")
            return ListComprehension(self.span_from(start), first, names, iterable)
        items = (first, *(self.commas(self.expression) if self.accept(",") else ()))
        self.accept("]") or self.fail("`,` or `]`")
        return ListDisplay(self.span_from(start), items)

    def source_of_comprehension(self) -> tuple[tuple[Name, ...], Expression]:
        names = self.names()
        self.expect("in", " after the names")
        return names, self.expression()

    def dictionary(self) -> Expression:
        """dict: "{" [pair ("," pair)*] "}" | "{" pair "for" names "in" expression "}" """
        start = self.advance().start
        return self.unbound(lambda: self._dictionary(start))

    def _dictionary(self, start: int) -> Expression:
        if self.accept("}"):
            return DictDisplay(self.span_from(start), ())
        first = self.pair()
        if self.accept("for"):
            names, iterable = self.source_of_comprehension()
            self.expect("}")
            return DictComprehension(self.span_from(start), *first, names, iterable)
        pairs = (first, *(self.commas(self.pair) if self.accept(",") else ()))
        self.accept("}") or self.fail("`,` or `}`")
        return DictDisplay(self.span_from(start), pairs)

    def pair(self) -> tuple[Expression, Expression]:
        """pair: expression ":" expression"""
        key = self.expression()
        self.expect(":", " after the key")
        return key, self.expression()

    def select(self) -> Expression:
        """select: "select" "(" expression "," expression "," comparison ")" """
        return self.form(self._select)

    def _select(self, start: int) -> Expression:
        keys = self.expression()
        self.expect(",", " after the keys")
        queries = self.expression()
        self.expect(",", " and a comparison after the queries")
        op = self.accept(*COMPARISONS) or self.fail(f"a comparison ({' '.join(COMPARISONS)})")
        self.expect(")")
        return Select(self.span_from(start), keys, queries, op.text)

    def aggregate(self) -> Expression:
        """aggregate: "aggregate" "(" expression "," expression ["," expression] ")" """
        return self.form(self._aggregate)

    def _aggregate(self, start: int) -> Expression:
        selector = self.expression()
        self.expect(",", " and a value after the selector")
        value = self.expression()
        default = self.expression() if self.accept(",") else None
        self.expect(")")
        return Aggregate(self.span_from(start), selector, value, default)

    def form(self, read: Callable[[int], Expression]) -> Expression:
        word = self.advance()
        self.expect("(", f" after {word.text}")
        return self.unbound(lambda: read(word.start))

    def builtin(self) -> Expression:
        """form: ("range" | "zip" | "len" | "round" | "indicator") arguments"""
        word = self.advance()
        if not self.token.is_("("):
            self.fail(f"`(` after {word.text}")
        args = self.arguments()
        return Form(self.span_from(word.start), word.text, args)


def _shorten(text: str) -> str:
    return text if len(text) <= 30 else text[:29] + "…"


def _command(read: Callable[[_Parser], Statement]) -> Callable[[_Parser, bool], Statement]:
    return lambda parser, top: parser.command(top, read)


_STATEMENTS: dict[str, Callable[[_Parser, bool], Statement]] = {
    "def": _Parser.definition,
    "for": _Parser.loop,
    "return": _Parser.stray_return,
    "load": _Parser.load,
    "draw": _Parser.draw,
    "set": _command(_Parser.set_example),
    "show": _command(_Parser.show_example),
    "examples": _command(_Parser.examples),
    "s-op": _command(_Parser.examples),
    "selector": _command(_Parser.examples),
    "full seq display": _command(_Parser.full_display),
    "exit": _command(_Parser.exit),
    "quit": _command(_Parser.exit),
}

_PRIMARIES: dict[str, Callable[[_Parser], Expression]] = {
    "int": _Parser.number,
    "float": _Parser.number,
    "string": _Parser.string,
    "(": _Parser.group,
    "[": _Parser.list,
    "{": _Parser.dictionary,
    "select": _Parser.select,
    "aggregate": _Parser.aggregate,
    **dict.fromkeys(FORMS - {"select", "aggregate"}, _Parser.builtin),
}

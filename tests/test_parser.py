"""Syntax trees: text in, bracketed text out; mistakes with their places; what is incomplete."""

import pytest

from rasp.language import syntax
from rasp.language.parser import parse
from rasp.source import Source
from tests.counting import grows_linearly


def tree(text: str) -> syntax.Program:
    parsed = parse(Source("test", text))
    assert not parsed.errors
    return parsed.program


def bracketed(node: syntax.Node) -> str:
    """An expression with brackets around every operation."""
    match node:
        case syntax.Group(inner=inner):
            return bracketed(inner)
        case syntax.Unary(op=op, operand=operand):
            return f"({op} {bracketed(operand)})"
        case syntax.Binary(op=op, left=left, right=right):
            return f"({bracketed(left)} {op} {bracketed(right)})"
        case syntax.In(item=item, collection=collection):
            return f"({bracketed(item)} in {bracketed(collection)})"
        case syntax.Ternary(then=then, condition=condition, otherwise=otherwise):
            return f"({bracketed(then)} if {bracketed(condition)} else {bracketed(otherwise)})"
        case syntax.Index(base=base, index=index):
            return f"{bracketed(base)}[{bracketed(index)}]"
        case syntax.Call(function=function, args=args):
            return f"{bracketed(function)}({', '.join(map(bracketed, args))})"
    return node.span.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(1)(2)", "f(1)(2)"),
        ('d["a"][0]', 'd["a"][0]'),
        ("-x[0]", "(- x[0])"),
        ("-2^2", "((- 2) ^ 2)"),
        ("2^-1", "(2 ^ (- 1))"),
        ("2^3^2", "((2 ^ 3) ^ 2)"),
        ("2*3%4", "((2 * 3) % 4)"),
        ("1+7%4", "(1 + (7 % 4))"),
        ("a*b/c", "((a * b) / c)"),
        ("a%b*c", "(a % (b * c))"),
        ("a-b+c", "((a - b) + c)"),
        ("a+b<c-d", "((a + b) < (c - d))"),
        ("3>2>1", "((3 > 2) > 1)"),
        ("a!=b==c", "((a != b) == c)"),
        ("not a==b", "((not a) == b)"),
        ("not a in b", "((not a) in b)"),
        ("not -+a", "(not (- (+ a)))"),
        ("a and b or c and d", "(((a and b) or c) and d)"),
        ("a or b==c", "(a or (b == c))"),
        ("x in l and y", "(x in (l and y))"),
        ("x in l in m", "((x in l) in m)"),
        ("a if b else c in d", "((a if b else c) in d)"),
        ("a in b if c else d", "(a in (b if c else d))"),
        ("1 if a else 2 if b else 3", "((1 if a else 2) if b else 3)"),
        ("1 if x in l else 2", "(1 if (x in l) else 2)"),
        ("a if b if c else d else e", "(a if (b if c else d) else e)"),
        ("a and b if c or d else e and f", "((a and b) if (c or d) else (e and f))"),
        ("(a+b)*c", "((a + b) * c)"),
    ],
)
def test_grouping(text: str, expected: str) -> None:
    (statement,) = tree(f"{text};").statements
    assert isinstance(statement, syntax.Evaluate)
    assert bracketed(statement.value) == expected


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("1+\n2;", ["Evaluate"]),
        ("x=1; # one\n# alone\ny,z=1,2;", ["Assign", "Assign"]),
        ("def f(a, b) { # c\n x=1; # c\n return x; # c\n } for i in l { i; } load 'x';", ["Define", "For", "Load"]),
        ("draw(x);draw(x,'a');", ["Draw", "Draw"]),
        ("set example 'a'\n[1];", ["SetExample", "Evaluate"]),
        ("set example ['a',\n'b']\nshow example\nshow s-op example", ["SetExample", "ShowExample", "ShowExample"]),
        ("set selector example x +\ny\n-1;", ["SetExample", "Evaluate"]),
        ("examples on\nselector examples off\nfull seq display on", ["ShowExamples", "ShowExamples", "FullDisplay"]),
        ("exit\nquit()", ["Exit", "Exit"]),
        ("select (a,b,==); len ([1]);", ["Evaluate", "Evaluate"]),
    ],
)
def test_statements(text: str, kinds: list[str]) -> None:
    assert [type(statement).__name__ for statement in tree(text).statements] == kinds


def test_every_node_has_its_place() -> None:
    program = tree("def f(x) { return [x, {1: x}][0] if x in l else select(x, 1, <); }\ny = f(2) + -3;")
    for node in syntax.walk(program):
        for child in node.children:
            assert node.span.start <= child.span.start <= child.span.end <= node.span.end


def test_comments_stay_in_the_tree() -> None:
    assert [span.text for span in tree("# a\nx=1; # b").comments] == ["# a", "# b"]


def places(text: str, closed: bool = False) -> list[tuple[int, int, str]]:
    errors = parse(Source("test", text), closed=closed).errors
    return [(error.span.line, error.span.column, error.message) for error in errors if error.span]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\ny = 2;", [(1, 6, "expected `;` at the end of the statement, found `y`")]),
        ("x = 1 y = 2;", [(1, 7, "expected `;` at the end of the statement, found `y`")]),
        (
            "x = ;\ny = );z = 1;",
            [(1, 5, "expected an expression, found `;`"), (2, 5, "expected an expression, found `)`")],
        ),
        ("def f(x) { return x+; }\nw = 1;", [(1, 21, "expected an expression, found `;`")]),
        ("def f(x) { x = 1; }", [(1, 19, "expected `return` at the end of the body of a function, found `}`")]),
        ("def f(x, 1) { return x; } y = 1;", [(1, 10, "expected a name, found `1`")]),
        ("def f(x, x) { return x; }", [(1, 10, "the parameter x stands twice")]),
        ("def f() { a = ; b = ; return 1; }", [(1, 15, ""), (1, 21, "")]),
        ("def f() { return 1; x = 2; } y = 1;", [(1, 21, "expected `}` after the return, found `x`")]),
        ("def f() { exit return 1; }", [(1, 11, "a command cannot stand inside a body")]),
        ("for i in l { return i; }", [(1, 14, "a return stands only at the end of the body of a function")]),
        ("for i in l { }", [(1, 14, "expected a statement in the body of the loop, found `}`")]),
        ("}", [(1, 1, "this `}` closes nothing")]),
        ("x = 'abc;", [(1, 5, "this string is not closed on its line")]),
        ("x = a & b;", [(1, 7, "")]),
        ("range = 1;", [(1, 1, "expected a name; `range` is a word of the language")]),
        ("select(a, b);", [(1, 12, "expected `,` and a comparison after the queries, found `)`")]),
        ("examples maybe", [(1, 10, "expected `on` or `off`, found `maybe`")]),
        ('{"a":};', [(1, 6, "expected an expression, found `}`")]),
        ('def f() { return {"a":}; } y = 1;', [(1, 23, "expected an expression, found `}`")]),
        ('def f() { x = {"a":}; return 1; }', [(1, 20, "expected an expression, found `}`")]),
        ("f({1 2}, [3)}]; x = ;", [(1, 6, "expected `:` after the key, found `2`"), (1, 21, "")]),
        ("x = 1 };", [(1, 7, "expected `;` at the end of the statement, found `}`")]),
        ("def f(x { y = 1; return x; } z = 1;", [(1, 9, "")]),
        ("x = [i +\nfor i in l];", [(2, 1, "")]),
        ("x = 1 load 'a';", [(1, 7, "")]),
        ("exit 5", [(1, 6, "expected the end of the line after a command, found `5`")]),
    ],
)
def test_mistakes(text: str, expected: list[tuple[int, int, str]]) -> None:
    found = places(text)
    assert [(line, column) for line, column, _ in found] == [(line, column) for line, column, _ in expected]
    for (*_, message), (*_, words) in zip(found, expected, strict=True):
        assert words in message


@pytest.mark.parametrize(
    ("text", "hint"),
    [("x = (a = b);", "=="), ("x = a | b;", "or"), ("x = !a;", "not"), ("x = s-op;", "s - op"), ("x = 'a;", "add '")],
)
def test_hints(text: str, hint: str) -> None:
    assert hint in str(parse(Source("test", text)).errors[0].hint)


def test_statements_around_a_mistake_are_kept() -> None:
    parsed = parse(Source("test", "a=1;\nb=(2;\nc=3;\ndef f() { return ; }\nd=4;"))
    assert [statement.span.text for statement in parsed.program.statements] == ["a=1;", "c=3;", "d=4;"]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("1x=3; y=2;", ["y=2;"]),
        ("x=1 y=2; z=3;", ["z=3;"]),
        ("x=1 load 'a';", []),
        ("x = (1\ny, z = 2, 3;", ["y, z = 2, 3;"]),
        ("x = 1\nset example 'a'", ["set example 'a'"]),
        ("x = )\nexit\n", ["exit"]),
        ("def f(x { y = 1;\nz = 1;\nreturn x; } w = 1;", ["w = 1;"]),
        ("for i in { x = i; } w = 1;", ["w = 1;"]),
        ("for i in [1] { 1x = i; y = 2; } w = 1;", ["w = 1;"]),
        ("x = [i +\nfor i in l]; w = 1;", ["w = 1;"]),
        ("f(1 2, (x = 3)); w = 1;", ["w = 1;"]),
        ("x = 1 def f() { return 1; } w = 1;", ["w = 1;"]),
    ],
)
def test_nothing_of_a_mistaken_statement_is_kept(text: str, kept: list[str]) -> None:
    assert [statement.span.text for statement in parse(Source("test", text)).program.statements] == kept


@pytest.mark.parametrize(
    "text", ["x", "x =", "f(1,", "def f(x) {", "def f() { return 1;", "for i in [1", "{1:", "load"]
)
def test_incomplete(text: str) -> None:
    assert parse(Source("test", text)).incomplete


@pytest.mark.parametrize("text", ["x;", "x)", "x = ;", "'abc", "x = @", "def f(x) { return x; } }", "x = ); y = ("])
def test_not_incomplete(text: str) -> None:
    assert not parse(Source("test", text)).incomplete


@pytest.mark.parametrize(("text", "fine"), [("x = 1", True), ("1 + 2", True), ("x = (1", False), ("x = 1 y", False)])
def test_the_last_semicolon_may_be_forgiven(text: str, fine: bool) -> None:
    assert (not parse(Source("test", text), closed=True).errors) is fine


@pytest.mark.parametrize("opening", ["(", "[", "{1:", "f(", "not ", "- ", "def f() {", "for i in l {", "x[", "1 if "])
def test_deep_nesting_is_a_clean_mistake(opening: str) -> None:
    errors = parse(Source("test", opening * 10_000)).errors
    assert errors
    assert "200" in errors[0].message


def test_long_chains() -> None:
    assert not parse(Source("test", "+".join(["1"] * 9000) + ";")).errors
    assert "10000 operators" in parse(Source("test", "+".join(["1"] * 11_000) + ";")).errors[0].message
    assert "19000 digits" in parse(Source("test", "1" * 20_000 + ";")).errors[0].message


def test_parsing_is_linear() -> None:
    def parsed(count: int) -> None:
        line = "x = aggregate(select(indices, indices, <), x + 1) if True else 0;\n"
        assert not parse(Source("test", line * count)).errors

    assert grows_linearly(parsed, 100)

"""The canonical layout: comments kept, meaning unchanged, and laying out twice is laying out once."""

from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasp.__main__ import main
from rasp.errors import Failures, SyntaxFault
from rasp.language.formatter import WIDTH, canonical
from rasp.language.parser import parse
from rasp.language.syntax import Node, Program
from rasp.recursion import deep_stack
from rasp.source import Source, Span

ROOT = Path(__file__).parent.parent
PROGRAMS = sorted([*ROOT.glob("programs/**/*.rasp"), *ROOT.glob("rasp/**/*.rasp")])


def laid_out(text: str) -> str:
    return canonical(Source("<test>", text))


def meaning(value: object) -> object:
    """A tree without its places."""
    if isinstance(value, Program):
        return meaning(value.statements)
    if isinstance(value, Node):
        parts = [meaning(getattr(value, field.name)) for field in fields(value)]
        return type(value), [part for part in parts if not isinstance(part, Span)]
    return [meaning(item) for item in value] if isinstance(value, tuple) else value


def comments(text: str) -> list[str]:
    """The comments with the blanks behind them, which may mean something to whoever reads the file."""
    spans = parse(Source("<test>", text)).program.comments
    return [text[span.start :].partition("\n")[0] for span in spans]


def assert_round_trips(text: str) -> None:
    parsed = parse(Source("<test>", text), closed=True)
    assert not parsed.errors
    once = laid_out(text)
    again = parse(Source("<test>", once))
    assert not again.errors, once
    with deep_stack():
        assert meaning(again.program) == meaning(parsed.program), once
    assert comments(once) == comments(text)
    assert laid_out(once) == once


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_round_trip(path: Path) -> None:
    assert_round_trips(path.read_text(encoding="utf-8"))


LAYOUTS = {
    "": "",
    "\n\n": "",
    "x=1": "x = 1;\n",
    "x = 1;  y=2;": "x = 1;\ny = 2;\n",
    "x=1;\n\n\n\ny=2;": "x = 1;\n\ny = 2;\n",
    "x=1;#c": "x = 1;  #c\n",
    "x=1#c\n;": "x = 1;  #c\n",
    "# vocab: a-z \nx;": "# vocab: a-z \nx;\n",
    "#a\n\n#b\nx;": "#a\n\n#b\nx;\n",
    "def f(){return 1;}": "def f() {\n    return 1;\n}\n",
    "def f(a,b){ # c\n\n\n x=a;\n # d\n return x,b;\n # e\n}": (
        "def f(a, b) {  # c\n\n    x = a;\n    # d\n    return x, b;\n    # e\n}\n"
    ),
    "for a,b in zip(x,y){c=a;}": "for a, b in zip(x, y) {\n    c = a;\n}\n",
    "a,b=b,a;": "a, b = b, a;\n",
    "not  a==-  b^2%3;": "not a == -b ^ 2 % 3;\n",
    "- -x; not not y; +1;": "--x;\nnot not y;\n+1;\n",
    "x=[ ];y={ };z={'a':1,'b' : 2};": 'x = [];\ny = {};\nz = {"a": 1, "b": 2};\n',
    "x=[i for i,j in l];y={k:v for k in l};": "x = [i for i, j in l];\ny = {k: v for k in l};\n",
    "'it';\"it's\";'say \"hi\"';": '"it";\n"it\'s";\n\'say "hi"\';\n',
    "select ( a,b , == );aggregate(s,v,'d');": 'select(a, b, ==);\naggregate(s, v, "d");\n',
    "f (1) [2] (3);(f)(1);": "f(1)[2](3);\n(f)(1);\n",
    "1 if a else 2;x in l;": "1 if a else 2;\nx in l;\n",
    "load 'lib';draw(x,'ab');": 'load "lib";\ndraw(x, "ab");\n',
    "set example 'ab';show  s-op example\nexamples off;full seq display on": (
        'set example "ab"\nshow s-op example\nexamples off\nfull seq display on\n'
    ),
    "set s-op example (x)+1;(1);": "set s-op example (x) + 1\n(1);\n",
    "exit;(1);": "exit()\n(1);\n",
    "exit ( ) ;quit": "exit()\nquit\n",
    "x=[1, # one\n2];": "x = [\n    1,  # one\n    2\n];\n",
}


@pytest.mark.parametrize(("text", "expected"), LAYOUTS.items())
def test_layouts(text: str, expected: str) -> None:
    assert laid_out(text) == expected


LONG = "abcdefghijklmnopqrstuvwxyz_abcde"
BROKEN = {
    f"x = f({LONG}, {LONG}, {LONG}, {LONG});": [
        "x = f(", f"    {LONG},", f"    {LONG},", f"    {LONG},", f"    {LONG}", ");",
    ],
    f"x = {LONG} + {LONG} - {LONG} * {LONG};": [f"x = {LONG} + {LONG}", f"    - {LONG} * {LONG};"],
    f"x = ({LONG} and {LONG} or {LONG} == {LONG});": [
        "x = (", f"    {LONG} and {LONG}", f"    or {LONG} == {LONG}", ");",
    ],
    f"x = {LONG} if {LONG} else {LONG} + {LONG};": [f"x = {LONG} if {LONG}", f"    else {LONG} + {LONG};"],
}  # fmt: skip


@pytest.mark.parametrize(("text", "lines"), BROKEN.items())
def test_long_lines_are_broken(text: str, lines: list[str]) -> None:
    assert laid_out(text).splitlines() == lines


def test_long_lists_of_atoms_are_filled() -> None:
    lines = laid_out(f"x = {list(range(100))};").splitlines()
    assert lines[0] == "x = ["
    assert all(len(line) <= WIDTH for line in lines)
    assert len(lines) < 10


def test_commands_stay_on_their_line() -> None:
    text = f"set example {' + '.join([LONG] * 6)}\n"
    assert laid_out(text) == text


def test_deep_and_long_expressions() -> None:
    assert_round_trips("x = " + "(" * 150 + "1" + ")" * 150 + ";")
    assert_round_trips("x = " + " + ".join(["y"] * 5000) + ";")
    assert_round_trips("x = " + " if c else ".join(["y"] * 2000) + ";")


def test_mistakes_come_all_at_once() -> None:
    with pytest.raises(SyntaxFault):
        laid_out("x = ;")
    with pytest.raises(Failures):
        laid_out("x = ; y = 1; z = );")


# -- random programs

NAMES = st.sampled_from(["x", "y", "tokens", "a_long_name_of_something", "f"])
LEAVES = NAMES | st.sampled_from(["1", "2.5", "1e3", '"a"', "'b'", "'say \"\"'", "True", "[]", "{}"])
GAPS = st.sampled_from([" ", " ", " ", "  ", "\n", "\n\n\n", " # c\n", " # c  \n", "\n# own\n", "\n\n# apart\n\n"])


def _words(*parts: "st.SearchStrategy[list[str]] | str") -> st.SearchStrategy[list[str]]:
    strategies = [st.just([part]) if isinstance(part, str) else part for part in parts]
    return st.tuples(*strategies).map(lambda found: [word for words in found for word in words])


def _larger(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    operator = st.sampled_from(["+", "-", "*", "/", "%", "^", "==", "!=", "<", ">=", "and", "or", "in"])
    name = NAMES.map(lambda word: [word])
    return st.one_of(
        _words(inner, operator.map(lambda word: [word]), inner),
        _words(inner, "if", inner, "else", inner),
        _words(st.sampled_from([["not"], ["-"], ["+"]]), name),
        _words("(", inner, ")"),
        _words(name, "[", inner, "]"),
        _words(name, "(", inner, ",", inner, ")"),
        _words("select", "(", inner, ",", inner, ",", "<=", ")"),
        _words("aggregate", "(", inner, ",", inner, ",", inner, ")"),
        _words("[", inner, ",", inner, "]"),
        _words("{", inner, ":", inner, ",", inner, ":", inner, "}"),
        _words("[", inner, "for", "k", "in", inner, "]"),
        _words("{", inner, ":", inner, "for", "k", ",", "v", "in", inner, "}"),
    )


EXPRESSIONS = st.recursive(LEAVES.map(lambda word: [word]), _larger, max_leaves=12)
SIMPLE = st.one_of(
    _words(EXPRESSIONS, ";"),
    _words("x", "=", EXPRESSIONS, ";"),
    _words("x", ",", "y", "=", EXPRESSIONS, ",", EXPRESSIONS, ";"),
    _words("draw", "(", EXPRESSIONS, ",", '"ab"', ")", ";"),
    _words("load", "'lib'", ";"),
)


def _blocks(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    return st.one_of(
        _words("def", "f", "(", "a", ",", "b", ")", "{", inner, "return", EXPRESSIONS, ";", "}"),
        _words("def", "f", "(", ")", "{", "return", EXPRESSIONS, ",", EXPRESSIONS, ";", "}"),
        _words("for", "a", ",", "b", "in", EXPRESSIONS, "{", inner, inner, "}"),
    )


STATEMENTS = st.recursive(SIMPLE, _blocks, max_leaves=4)


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A program with blanks, line ends and comments anywhere between its words."""
    words = [word for words in draw(st.lists(STATEMENTS, min_size=1, max_size=4)) for word in words]
    gaps = draw(st.lists(GAPS, min_size=len(words), max_size=len(words)))
    return "".join(gap + word for gap, word in zip(gaps, words, strict=True)) + draw(GAPS)


@settings(max_examples=150, deadline=None)
@given(texts())
def test_random_programs_round_trip(text: str) -> None:
    assert_round_trips(text)


COMMANDS = ['set example "ab"', "set selector example [1, 2] + x", "show example", "s-op examples off",
            "full seq display on", "exit", "quit()"]  # fmt: skip
COMMAND_LINES = st.sampled_from([*COMMANDS, "(1);", "x;", "[1][0];", "# c"])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([*COMMANDS, "(1);", "x;", "[1][0];", "# c"]), max_size=8), st.sampled_from(["\n", ";\n"])
)
def test_commands_round_trip(lines: list[str], end: str) -> None:
    text = "".join(line + (end if line in COMMANDS else "\n") for line in lines)
    if not parse(Source("<test>", text), closed=True).errors:
        assert_round_trips(text)


# -- the subcommand


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.rasp"
    path.write_text("x=1;", encoding="utf-8")
    return path


def test_fmt_prints(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", str(file)]) == 0
    assert capsys.readouterr().out == "x = 1;\n"
    assert file.read_text(encoding="utf-8") == "x=1;"


def test_fmt_checks(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--check", str(file)]) == 1
    assert capsys.readouterr().out == f"{file}\n"
    file.write_text("x = 1;\n", encoding="utf-8")
    assert main(["fmt", "--check", str(file)]) == 0


def test_fmt_rewrites_whole_files(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.chmod(0o640)
    link = tmp_path / "link.rasp"
    link.symlink_to(file)
    assert main(["fmt", "--write", str(link)]) == 0
    assert file.read_text(encoding="utf-8") == "x = 1;\n"
    assert link.is_symlink()
    assert file.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.rasp", "link.rasp"]
    assert capsys.readouterr().out == f"{link}\n"


def test_fmt_leaves_broken_files_alone(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "b.rasp"
    broken.write_text("x = ;", encoding="utf-8")
    assert main(["fmt", "--write", str(broken), str(file)]) == 1
    assert broken.read_text(encoding="utf-8") == "x = ;"
    assert file.read_text(encoding="utf-8") == "x = 1;\n"
    assert "b.rasp:1:5: syntax error" in capsys.readouterr().err


def test_fmt_of_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from io import StringIO

    monkeypatch.setattr("sys.stdin", StringIO("x=1;"))
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr().out == "x = 1;\n"


def test_a_refused_write_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from rasp.errors import DataFault
    from rasp.files import write_whole

    with pytest.raises(DataFault, match="cannot write"):
        write_whole(tmp_path, "text")
    assert list(tmp_path.parent.glob(".*.part")) == []


def test_stray_semicolons_are_left_out() -> None:
    text = "; # a\nx = 1;; # b\n;def f() { ; return 1;; # c\n };\nexit;;(2);"
    assert_round_trips(text)
    assert laid_out(text).count(";") == 3

"""Errors: text in; kind, line, column and words out."""

from pathlib import Path

import pytest

from rasp.console.session import Session
from rasp.errors import RaspError


def error(text: str) -> RaspError:
    (found,) = Session().push(text).errors
    return found


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("x=1;\ny = lenght;", 2, 5, "the name lenght is not defined"),
        ("x = 1 +\n \"a\";", 1, 5, "+ joins two strings or adds two numbers, found the int 1 and the string \"a\""),
        ("x = [1,2][2];", 1, 5, "index 2 is outside a list of 2"),
        ("d={\"a\":1}; d[\"b\"];", 1, 12, "'b' is not a key of the dictionary"),
        ("x = tokens + full_s;", 1, 5, "+ cannot take a selector"),
        ("x = 3 and full_s;", 1, 5, "and of a selector needs another selector"),
        ("aggregate(1, 2);", 1, 1, "aggregate takes a selector first, found an int"),
        ("f = 1; f(2);", 1, 8, "an int cannot be called"),
        ("max(1);", 1, 1, "max(a, b) takes 2 arguments, found 1"),
        ("True = 1;", 1, 1, "True is reserved"),
        ("def f(out) { return 1; }", 1, 7, "out is reserved"),
        ("a, max = 1, 2;", 1, 4, "max belongs to the library"),
        ("x = 1 / indices;", 1, 5, "division by zero at position 0"),
        ("x = tokens_int;", 1, 5, "the string \"h\" cannot be read as an int at position 0"),
        ("y = 1;\nx = y + (2 * tokens_float);", 2, 14, "cannot be read as a float"),
        ("draw(full_s);", 1, 6, "draw takes an s-op, not a selector"),
        ("load \"nothing/here\";", 1, 1, "there is no file nothing/here.rasp"),
        ("x = 1 if full_s else 2;", 1, 10, "not a selector"),
        ("x = {[1]: 2};", 1, 6, "the keys of a dictionary are atoms, not a list"),
        ("set example \"\"", 1, 1, "at least one token"),
    ],
)  # fmt: skip
def test_place_and_words(text: str, line: int, column: int, words: str) -> None:
    found = error(text)
    assert found.span is not None
    assert (found.span.line, found.span.column) == (line, column)
    assert words in found.message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("lenght;", "did you mean length?"),
        ("mx(1,2);", "did you mean max?"),
        ("tokens_it;", "tokens_int"),
        ('{"a":1}["b"];', "its keys are 'a'"),
        ("len(tokens);", "length"),
        ('for c in "ab" { x=c; }', "characters as a list"),
        ("x=tokens_int;", "set example"),
        ("length=1;", "functions and loaded files"),
        ('load "no";', "looked in"),
        ("tokens[indices];", "aggregate(select(indices,POSITION,==),SOP)"),
    ],
)
def test_hints(text: str, hint: str) -> None:
    assert hint in str(error(text).hint)


def test_the_whole_message() -> None:
    assert str(error("x = 1;\ny = x + lenght;")) == (
        "<console>:2:9: name error: the name lenght is not defined\n"
        "    y = x + lenght;\n"
        "            ^^^^^^\n"
        "  hint: did you mean length?"
    )


def test_the_chain_of_calls() -> None:
    found = error('def f(x) { return x + "a"; }\ndef g(x) { return f(x); }\ng(1);')
    assert (found.span and found.span.line, found.notes) == (
        1,
        ["in f, called from <console>:2:19", "in g, called from <console>:3:1"],
    )


def test_a_long_chain_is_cut() -> None:
    found = error("def f(x) { return f(x); } f(1);")
    assert "1024 deep" in found.message
    assert len(found.notes) < 12


def test_an_error_inside_the_library_stands_at_the_call() -> None:
    found = error('x = 1;\ny = max(1, "a");')
    assert (str(found.span), found.notes) == ("<console>:2:5", [])


def test_an_error_of_evaluation_stands_where_the_s_op_was_built() -> None:
    found = error("def f(x) { return 1 / x; }\ny = 2 + f(indices);")
    assert str(found.span) == "<console>:1:19"
    assert found.notes == ["in f, called from <console>:2:9", 'while it was tried on the example "hello"']


def test_errors_in_a_loaded_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lib.rasp").write_text("x = 1;\ny = (;\nz = x + nothing;\nw = 2;\n")
    reply = Session().push('load "lib";')
    assert [str(found.span) for found in reply.errors] == ["lib.rasp:2:6", "lib.rasp:3:9"]
    assert reply.text == "    value: x =  1\n    value: w =  2"


def test_several_mistakes_in_one_text() -> None:
    errors = Session().push("a = (1;\nb = nothing;\nc = ];\n").errors
    assert [found.span and found.span.line for found in errors] == [1, 2, 3]


def test_a_failing_statement_changes_nothing() -> None:
    session = Session()
    session.push("x=1; l=[1];")
    session.push("x=tokens_int; x=nothing; x,y=1,2,3; def f() { return ; } l=l+1; set example 5\n")
    assert session.push("x; l; show s-op example").text == (
        '    value: x =  1\n     list: l = [1]\n\ts-op example: "hello"'
    )
    assert session.push("f;").errors

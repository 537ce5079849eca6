"""The hand-written parser accepts exactly what the grammar file accepts."""

from functools import cache
from pathlib import Path

import lark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasp.language import parser
from rasp.language.parser import parse
from rasp.source import Source

GRAMMAR = Path(parser.__file__).with_name("grammar.lark")


@cache
def oracle() -> lark.Lark:
    return lark.Lark(GRAMMAR.read_text(encoding="utf-8"), parser="lalr", maybe_placeholders=False)


def by_grammar(text: str) -> bool:
    try:
        oracle().parse(text)
    except lark.exceptions.LarkError:
        return False
    return True


def by_parser(text: str) -> bool:
    return not parse(Source("test", text)).errors


ACCEPTED = [
    "",
    "# only a comment",
    "1;",
    "x = 1, 2;",
    ";; x = 1;; exit;; def f() { ; x = 1;; return 1;; }; for i in l {; x;; };",
    "a, b = b, a;",
    "f(1)(2)[3];",
    "d['a'][0];",
    "-2 ^ 2 ^ -3;",
    "not not a == b;",
    "a if b in c else d in e;",
    "1 if True else 2 if False else 3;",
    "a if b if c else d else e;",
    "[x for x in y in z];",
    "{};{1: 2};{1: 2, 3: 4};{k: v for k, v in l};",
    "[];[1];[1, 2];[x for x, y in l];",
    "select(a, b, !=);select (a,b,==);",
    "aggregate(s, v); aggregate(s, v, 0);",
    "range(1);zip();len([1]);round(x);indicator(x);",
    "def f() { return 1; }",
    "def f(a, b) { c = a; for i in l { c; } def g() { return c; } return g, 1; } # end",
    "for a, b in l { load 'x'; }",
    "load \"a b\"; draw(x); draw(x, 'ab');",
    "set example 'abc'",
    "set s-op example [1]\nshow selector example\n1;",
    "examples on\ns-op examples off;selector examples on\nfull seq display off",
    "exit\nquit()\nexit()",
    "a != b; 1e3; 1.5e-3;",
    "x\n=\n1 # here\n;",
]

REJECTED = [
    "1",
    "x = ;",
    "x = 1 y = 2;",
    "1,2;",
    "a = b = c;",
    "x == ;",
    "(1;",
    "[1,];",
    "f(1,);",
    "{1};",
    "{1: 2, 3};",
    "select(a, b);",
    "select(a, b, +);",
    "select;",
    "range = 1;",
    "def f(x) { x; }",
    "def f(x) { return x; x; }",
    "def f(x) { return x; return x; }",
    "def (x) { return x; }",
    "for x in y { }",
    "for x { y; }",
    "return 1;",
    "load x;",
    "draw x;",
    "if = 1;",
    "a if b;",
    "1.;",
    ".5;",
    "'abc;",
    '"a\nb";',
    "a ! b;",
    "1 not in x;",
    "set example",
    "examples maybe",
    "full  seq display on",
    "s-op;",
    "é = 1;",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_accepted(text: str) -> None:
    assert (by_grammar(text), by_parser(text)) == (True, True)


@pytest.mark.parametrize("text", REJECTED)
def test_rejected(text: str) -> None:
    assert (by_grammar(text), by_parser(text)) == (False, False)


TEXT = """x y f 1 2.5 'a' ( ) [ ] { } , ; : = == != < + - * / % ^ not and or if else in for def return
select aggregate range len round load draw"""
WORDS = TEXT.split()
STATEMENTS = [text for text in ACCEPTED if "set" not in text and "examples" not in text and "exit" not in text]


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12))
def test_any_words(words: list[str]) -> None:
    text = " ".join(words)
    assert by_parser(text) == by_grammar(text)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(STATEMENTS), st.integers(0, 200), st.integers(0, 3), st.sampled_from(WORDS))
def test_programs_with_one_change(text: str, place: int, cut: int, word: str) -> None:
    words = text.split()
    place = min(place, len(words))
    changed = " ".join([*words[:place], word, *words[place + cut :]])
    assert by_parser(changed) == by_grammar(changed)

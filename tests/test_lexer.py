"""Words of the language: text in, kinds and texts out."""

import pytest

from rasp.language.lexer import lex, open_brackets
from rasp.source import Source


def words(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in lex(Source("test", text)).tokens[:-1]]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("42 0", ["int", "int"]),
        ("0.5 1e3 1.5e-3 2E+4", ["float"] * 4),
        ("1.", ["int", "strange"]),
        (".5", ["strange", "int"]),
        ('"a b" \'c\' "" "it\'s"', ["string"] * 4),
        ("'open", ["unclosed"]),
        ('"a\nb', ["unclosed", "word"]),
        ("num_prev _x A1", ["word"] * 3),
        ("s-op full seq display", ["word"] * 2),
        ("s-ops", ["word", "symbol", "word"]),
        ("full  seq display", ["word"] * 3),
        ("s - op", ["word", "symbol", "word"]),
        ("<= >= == != < > = ^", ["symbol"] * 8),
        ("é §", ["strange", "strange"]),
        ("a#b\nc # d", ["word", "word"]),
        ("", []),
    ],
)
def test_kinds(text: str, kinds: list[str]) -> None:
    assert [kind for kind, _ in words(text)] == kinds


def test_places() -> None:
    first, second = lex(Source("test", "ab\n  cd")).tokens[:2]
    assert (first.start, first.end, first.first) == (0, 2, True)
    assert (second.start, second.end, second.first) == (5, 7, True)


def test_comments_are_kept_with_their_places() -> None:
    comments = lex(Source("test", "x=1; # one \n# two\r\ny")).comments
    assert [(span.text, span.line, span.column) for span in comments] == [("# one", 1, 6), ("# two", 2, 1)]


def test_open_brackets() -> None:
    assert open_brackets(lex(Source("test", "f({ ')' # )\n]"))) == 1


def test_a_byte_order_mark_is_skipped() -> None:
    words = lex(Source("", "\ufeffx = 1;")).tokens
    assert [(word.text, word.first) for word in words[:2]] == [("x", True), ("=", False)]
    assert lex(Source("", "x\ufeff")).tokens[1].kind == "strange"

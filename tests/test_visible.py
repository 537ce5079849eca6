"""Text from outside, made safe to show."""

import pytest

from rasp.console.session import Session
from rasp.console.show import values
from rasp.errors import RaspError
from rasp.interpret import Run
from rasp.language.program import parse_program
from rasp.source import Source, Span
from rasp.visible import coloured_lines, printable, visible, visible_lines


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        ("a b\tc", "a b\tc", "a b\tc"),
        ("日本 👩‍👧 é", "日本 👩‍👧 é", "日本 👩‍👧 é"),
        ("a\nb\r\n", "a\\nb\\r\\n", "a\\nb\\r\\n"),
        ("\x00\x1b\x7f\x9b", "\\x00\\x1b\\x7f\\x9b", "\\x00\\x1b\\x7f\\x9b"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85", "\\u2028\\u2029\\x85"),
        ("\u202e\u2066\u200f\u061c", "\u202e\u2066\u200f\u061c", "\\u202e\\u2066\\u200f\\u061c"),
    ],
)
def test_escapes(text: str, value: str, shown: str) -> None:
    assert (printable(text), visible(text)) == (value, shown)


def test_lines_and_colours_stay_where_they_are_ours() -> None:
    assert visible_lines("a\n\x1b[1mb") == "a\n\\x1b[1mb"
    assert coloured_lines("a\n\x1b[1mb\x1b]0;t\x07") == "a\n\x1b[1mb\\x1b]0;t\\x07"


def test_a_line_end_in_a_token_does_not_end_the_line() -> None:
    assert Session().push('tokens(["a\tb"]);').text == "\t =  [a\tb] (strings)"
    found = Run(["a\nb", "\x1b[2J"]).sop(parse_program("x = tokens;").sop())
    assert values(found) == "[a\\nb, \\x1b[2J] (strings)"


def test_errors_show_what_stands_in_the_source() -> None:
    error = RaspError(
        "bad \x1b[2J", Span(Source("a\x1b.rasp", "\tx\x1b = \u202ey;"), 6, 8), hint="\x1b", notes=["\x9b"]
    )
    assert str(error).splitlines() == [
        "a\\x1b.rasp:1:7: error: bad \\x1b[2J",
        "    \tx\\x1b = \\u202ey;",
        "    \t        ^^^^^^^",
        "  \\x9b",
        "  hint: \\x1b",
    ]


@pytest.mark.parametrize(
    "text", ['"\x1b[2J" + 1;', "{'\x1b': 1}['\x1b[2J'];", "x = '\x1b' in 3;", "def \x1b() {}", "\x1b"]
)
def test_messages_hold_no_control_characters(text: str) -> None:
    reply = Session().push(text)
    assert "\x1b" not in str(reply.errors[0])

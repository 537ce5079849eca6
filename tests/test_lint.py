"""Warnings about groupings: text in, the text with brackets out."""

import pytest

from rasp.language.lint import LintWarning, lint
from rasp.language.parser import parse
from rasp.source import Source


def found(text: str) -> list[LintWarning]:
    return lint(parse(Source("test", text)).program)


@pytest.mark.parametrize(
    ("text", "groupings"),
    [
        ("not a == b;", ["(not a) == b"]),
        ("not a in b;", ["(not a) in b"]),
        ("a and b or c;", ["(a and b) or c"]),
        ("a or b and c;", ["(a or b) and c"]),
        ("x in l and y;", ["x in (l and y)"]),
        ("y and x in l;", ["(y and x) in l"]),
        ("3 > 2 > 1;", ["(3 > 2) > 1"]),
        ("1 if a else 2 if b else 3;", ["(1 if a else 2) if b else 3"]),
        ("x in l if c else d;", ["x in (l if c else d)"]),
        ("x = [not a == b, a < b < c];", ["(not a) == b, (a < b) < c"]),
        ("a and b or c and d or e;", ["(((a and b) or c) and d) or e"]),
        ("x in not a == b;", ["x in ((not a) == b)"]),
        ("for i in x in l and y { z = not i == 1; }", ["x in (l and y)", "(not i) == 1"]),
        ("def f(x) { y = not x == 1; return x in l or y; }", ["(not x) == 1", "x in (l or y)"]),
        ("a and\n  b or c;", ["(a and b) or c"]),
        ("not (a == b); (not a) == b; a and b and c; (a and b) or c; x in (l and y); (3 > 2) > 1;", []),
        ("(1 if a else 2) if b else 3; 1 if a else (2 if b else 3); not a and b; x in l;", []),
        ("-2^2; 2^3^2; 2*3%4;", []),
    ],
)
def test_groupings(text: str, groupings: list[str]) -> None:
    assert [warning.grouping for warning in found(text)] == groupings


def test_the_whole_warning() -> None:
    (warning,) = found("x = 1;\ny = not x == 1;")
    assert str(warning) == (
        "test:2:5: warning: not binds tighter than a comparison\n"
        "    y = not x == 1;\n"
        "        ^^^^^^^^^^\n"
        "  read as: (not x) == 1"
    )


def test_one_warning_names_all_that_surprises_in_a_statement() -> None:
    (warning,) = found("x = [1 < 2 < 3, not a == b, 2 < 3 < 4];")
    assert warning.message == "comparisons do not chain; not binds tighter than a comparison"


def test_of_a_long_text_both_ends_are_quoted() -> None:
    (warning,) = found("x = y" + " + 1" * 1000 + " < 2 < 3;")
    assert warning.grouping.startswith("(y + 1 + 1")
    assert warning.grouping.endswith("+ 1 < 2) < 3")
    assert len(warning.grouping) < 130

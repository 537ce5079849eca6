"""docs/language.md: it names what there is, and what it says of operators is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rasp.console.session import Session
from rasp.language.elaborate import library
from rasp.language.lexer import FORMS, KEYWORDS

PAGE = Path(__file__).parent.parent.joinpath("docs", "language.md").read_text(encoding="utf-8")
CODE = " ".join(re.findall(r"`([^`\n]+)`", PAGE))


def test_everything_that_is_defined_is_named() -> None:
    public = {name for name in library().names if not name.startswith("_")}
    words = set(re.findall(r"\w+", CODE))
    assert public | FORMS | KEYWORDS | {"True", "False"} <= words


def shown(text: str) -> str:
    reply = Session().push(text)
    assert not reply.errors, reply.errors
    return reply.text.rpartition("=  ")[2]


@pytest.mark.parametrize(("text", "same"), re.findall(r"`([^`]+)` is `([^`]+)`", PAGE))
def test_groupings_are_as_they_are_said_to_be(text: str, same: str) -> None:
    names = "a = 1; b = 0; x = 1; l = [1, 2]; y = [2]; "
    assert shown(f"{names}{text};") == shown(f"{names}{same};")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-2^2", "4"), ("2^3^2", "64"), ("3 > 2 > 1", "False"), ("7 % -3", "-2"), ("4 / 2", "2.0"),
        ('"a" + "b"', '"ab"'),
        ("1 if True else 2 if False else 3", "3"), ('1 == "1"', "False"), ("round(2.5)", "2"), ("[1, 2][-1]", "2"),
    ],
)  # fmt: skip
def test_operators_on_atoms(text: str, value: str) -> None:
    assert shown(f"{text};") == value

"""Vocabularies as they are written on a command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rasp.errors import DataFault
from rasp.operations import Atom
from rasp.vocabulary import parse_vocabulary, remark_on, vocabulary_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("a-c", ["a", "b", "c"]),
        ("abc", ["a", "b", "c"]),
        ("a-c ", ["a", "b", "c", " "]),
        ("xa-b", ["x", "a", "b"]),
        ("()", ["(", ")"]),
        ("0-3", ["0", "1", "2", "3"]),
        ("-", ["-"]),
        ("a-", ["a", "-"]),
        ("-a", ["-", "a"]),
        ("a", ["a"]),
        (",", [","]),
        ("@", ["@"]),
        ("é-ë", ["é", "ê", "ë"]),
        ("0..3", [0, 1, 2, 3]),
        ("-2..1", [-2, -1, 0, 1]),
        ("5..5", [5]),
        ("red,green", ["red", "green"]),
        ("a-c,d", ["a-c", "d"]),
        ("1,2", [1, 2]),
        ("1,2.5,-3", [1, 2.5, -3]),
        ("true,false", [True, False]),
        ("1,true", [1, True]),
        ("1,x", ["1", "x"]),
        ("1,1.0", [1, 1.0]),
    ],
)
def test_forms(text: str, tokens: list[Atom]) -> None:
    assert list(map(repr, parse_vocabulary(text))) == list(map(repr, tokens))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the vocabulary is empty"),
        ("aa", "holds 'a' twice"),
        ("a-ca", "holds 'a' twice"),
        ("red,red", "holds 'red' twice"),
        ("1,1", "holds 1 twice"),
        ("c-a", "the range c-a in the vocabulary is empty"),
        ("9..0", "the range 9..0 is empty"),
        ("0..999999999999", "more than 100,000 tokens"),
        ("0-100", "'0-100' is neither a range of characters nor of ints"),
        ("-5-5", "neither a range"),
        ("a..z", "'a..z' is no range of ints"),
        ("red,,green", "has an empty item"),
        ("red,", "has an empty item"),
        ("@none.json", "cannot read none.json"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(DataFault, match=words):
        parse_vocabulary(text)


@pytest.mark.parametrize("tokens", [["a", "b"], [1, 2.5, True, "x"], ["@", ",", ".."]])
def test_files(tmp_path: Path, tokens: list[Atom]) -> None:
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    assert list(parse_vocabulary(f"@{tmp_path}/tokens.json")) == tokens


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[1", "is not JSON"),
        ("{}", "must be a JSON list"),
        ("[]", "must be a JSON list"),
        ("[null]", "must be a JSON list"),
        ("[[1]]", "must be a JSON list"),
        ('["a", "a"]', "twice"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "tokens.json").write_text(content)
    with pytest.raises(DataFault, match=words):
        parse_vocabulary(f"@{tmp_path}/tokens.json")


def test_files_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataFault):
        parse_vocabulary(f"@{tmp_path}/tokens.json")


@pytest.mark.parametrize(
    ("inputs", "tokens"),
    [
        (["hello", "old"], ["d", "e", "h", "l", "o"]),
        ([[3, 1], [2, 1]], [1, 2, 3]),
        ([["b", 2, "a", 1.5]], [1.5, 2, "a", "b"]),
        ([[1, True, 1.0]], [1, True, 1.0]),
    ],
)
def test_vocabularies_of_inputs(inputs: list[list[Atom]], tokens: list[Atom]) -> None:
    assert list(map(repr, vocabulary_of(inputs))) == list(map(repr, tokens))


@pytest.mark.parametrize(
    ("text", "words"),
    [("abc,#", '"abc", "#"'), ("red, green", '"red", " green"'), ("a,b", ""), ("1,10", ""), ("abc#", "")],
)
def test_a_list_with_tokens_of_several_characters_is_remarked_on(text: str, words: str) -> None:
    assert remark_on(text).endswith(words)
    assert bool(remark_on(text)) is bool(words)

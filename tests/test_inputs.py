"""Inputs from a command line and from files."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.errors import DataFault
from rasp.inputs import parse_input, read_inputs
from rasp.language.program import load_program
from rasp.streams import prepare
from rasp.vocabulary import parse_vocabulary


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abc", "abc"),
        ("[1, 2.5, true, \"a\"]", [1, 2.5, True, "a"]),
        ('"a b"', "a b"),
        ("[()]", "[()]"),
        ("[]()", "[]()"),
        ("[[]]", "[[]]"),
        ("[[],[]]", "[[],[]]"),
        ("[a]", "[a]"),
        ("[", "["),
        ('"', '"'),
        ("{}", "{}"),
        ("12", "12"),
        ("[" * 5000, "[" * 5000),
    ],
)  # fmt: skip
def test_parse_input(text: str, expected: object) -> None:
    assert parse_input(text) == expected


@pytest.mark.parametrize("text", ["", "[]", '""'])
def test_empty_inputs_are_refused(text: str) -> None:
    with pytest.raises(DataFault, match="at least one token"):
        parse_input(text)


@pytest.mark.parametrize(
    "text", ["[null]", "[[1]]", "[3, 1,", "[1", "[-1 2]", "[red, green]", "['a', 'b']", "['a']", '["a"', "[true"]
)
def test_what_seems_to_be_a_list_is_never_read_as_characters(text: str) -> None:
    with pytest.raises(DataFault, match="looks like a list") as found:
        parse_input(text)
    assert f"'{json.dumps(text)}'" in str(found.value.hint)
    assert parse_input(json.dumps(text)) == text


def test_an_empty_list_may_have_been_meant_as_brackets() -> None:
    with pytest.raises(DataFault, match="empty list") as found:
        parse_input("[]")
    assert str(found.value.hint) == "for the characters themselves write '\"[]\"'"


def test_read_inputs(tmp_path: Path) -> None:
    path = tmp_path / "inputs.txt"
    path.write_text('abc\n\n[1, 2]\n"x y"\n')
    assert list(read_inputs(str(path))) == ["abc", [1, 2], "x y"]


def test_the_line_of_a_bad_input_is_named(tmp_path: Path) -> None:
    path = tmp_path / "inputs.txt"
    path.write_text("abc\n[]\n")
    with pytest.raises(DataFault, match="line 2 of"):
        list(read_inputs(str(path)))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ab\n[1]\n"))
    assert list(read_inputs("-")) == ["ab", [1]]


@pytest.mark.parametrize("token", ["\u2028", "\x85", "\f", "\x1c"])
def test_tokens_that_other_programs_end_lines_with(token: str, tmp_path: Path) -> None:
    path = tmp_path / "inputs.txt"
    path.write_bytes(f"a{token}b\r\n{token}c\n".encode())
    assert list(read_inputs(str(path))) == [f"a{token}b", f"{token}c"]


def test_standard_input_that_is_no_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ab\ncd\xff\n"), encoding="utf-8"))
    prepare()
    with pytest.raises(DataFault, match="line 2 of standard input is not UTF-8 text"):
        list(read_inputs("-"))


def test_a_file_without_inputs_is_not_the_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "none").write_text("\n\n")
    (tmp_path / "x.rasp").write_text('# input: "ab"\nx = indices;\n')
    assert main(["run", str(tmp_path / "x.rasp"), "--inputs", str(tmp_path / "none")]) == 1
    assert "none has no inputs" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nothing/here", "."])
def test_files_that_cannot_be_read(name: str) -> None:
    with pytest.raises(DataFault, match="cannot read"):
        list(read_inputs(name))


@pytest.mark.parametrize("name", ["inputs", "vocabulary", "program"])
def test_a_file_without_end_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rasp.files.LARGEST", 1 << 20)
    path = tmp_path / "long"
    path.write_bytes(b"1" * (1 << 20) + b"1")
    readers: dict[str, Callable[[str], object]] = {
        "inputs": lambda text: list(read_inputs(text)),
        "vocabulary": lambda text: parse_vocabulary(f"@{text}"),
        "program": load_program,
    }
    with pytest.raises(DataFault, match="it has more than 1 MiB"):
        readers[name](str(path))

"""The colon commands: transcripts of both sides, and what they do to files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rasp.console import commands, manual
from rasp.console.completion import candidates
from rasp.console.console import Console
from rasp.console.session import Session
from rasp.doors import Rooms
from rasp.language import elaborate
from rasp.language.scope import RESERVED

TRANSCRIPTS = sorted(Path(__file__).parent.joinpath("transcripts", "console").glob("*.txt"))


def console() -> Console:
    return Console(Session(lambda name, *_: f"comp_flows/{name}.pdf"), Rooms())


def typed(transcript: str) -> Iterator[str]:
    """The inputs of a transcript, each with its further lines."""
    lines = [line for line in transcript.splitlines() if line.startswith((">> ", ".. "))]
    waiting: list[str] = []
    for line in lines:
        if line.startswith(">> ") and waiting:
            yield "\n".join(waiting)
            waiting = []
        waiting.append(line[3:])
    yield "\n".join(waiting)


def conversation(transcript: str) -> str:
    """The transcript with the answers of a fresh console."""
    fresh = console()
    lines: list[str] = []
    for text in typed(transcript):
        lines.append(">> " + text.replace("\n", "\n.. "))
        lines += map(str, fresh.push(text).parts)
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcripts(path: Path, update: bool) -> None:
    expected = path.read_text(encoding="utf-8")
    found = conversation(expected)
    if update:
        path.write_text(found, encoding="utf-8")
    else:
        assert found == expected


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_answers_are_readable_at_a_hundred_columns(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    answers = [line for line in lines if not line.startswith((">> ", ".. ", "  hint:"))]
    assert [line for line in answers if len(line) > 100] == []


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", "hello"), ("abc", "abc"), ('"abc"', "abc"), ("[1, 2]", [1, 2]), ("([)]", "([)]"), ("[)]", "[)]"),
     ("(1)", "(1)"), ("12+39", "12+39"), ("word", "given"), ("a b", "a b"), ("'", "'")],
)  # fmt: skip
def test_inputs_of_commands(text: str, tokens: object) -> None:
    fresh = console()
    fresh.push('word = "given";')
    assert fresh.given(text) == tokens


def test_looking_changes_nothing() -> None:
    fresh = console()
    fresh.push("x = indices; out;")
    before, names = dict(fresh.session.scope.names), fresh.names()
    for line in (":type x + 1", ":layers sort(x, x)", ":trace (x + 1) abc", ":heads x", ":help", ":set"):
        assert not fresh.push(line).errors
    assert fresh.session.scope.names == before
    assert fresh.names() == names


def test_an_evaluation_fault_has_its_place() -> None:
    fresh = console()
    fresh.push("y = 1;\nset example '12'\nx = 1 / tokens_int;")
    (error,) = fresh.push(":trace x 10").errors
    assert error.span is not None
    assert (error.span.line, error.span.text) == (3, "1 / tokens_int")


WORDS = st.sampled_from(
    ["hist", "same", "tokens", "(hist)", "abc", '"abc"', "[1,2]", "(", "])", "hist + 1", "1", "nothing", "sort", "''",
     "f(hist)", "example", "examples", "on", "keys", ";", "out", ":", "full_s", "'", "\\n", "#", "not"]
)  # fmt: skip
NAMES = st.sampled_from(["help", "type", "layers", "trace", "heads", "set", "?", "t", "", "nope", "reload"])


@settings(max_examples=80, deadline=None)
@given(NAMES, st.lists(WORDS, max_size=3), st.sampled_from([" ", "", "\n"]))
def test_any_colon_command_is_answered(name: str, words: list[str], between: str) -> None:
    fresh = console()
    fresh.push("same = select(tokens, tokens, ==); hist = selector_width(same); def f(x) { return x; }")
    reply = fresh.push(f":{name} {between.join(words)}")
    assert not reply.incomplete
    assert not reply.ended
    line = f"{name} {between.join(words)}"
    for found in candidates(line, fresh.completions()):
        assert line.endswith(found.text[: found.length])


def test_unique_beginnings_are_enough() -> None:
    assert commands.command("t") is commands.COMMANDS["type"]
    assert commands.command("tr") is commands.COMMANDS["trace"]
    assert console().push(":q").ended


def test_load_and_reload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "lib.rasp"
    file.write_text("x = 1;\n", encoding="utf-8")
    fresh = console()
    assert fresh.push(":reload").errors
    assert fresh.push(":load lib.rasp").text == "    value: x =  1"
    file.write_text("x = 2;\n", encoding="utf-8")
    assert fresh.push(":r").text == "    value: x =  2"
    assert fresh.push("x;").text == "    value: x =  2"
    assert fresh.push(":load").errors


def test_save_keeps_what_succeeded(tmp_path: Path) -> None:
    fresh = console()
    for text in ("x=1", "y = nothing;", "def f(a) { # twice\n return a*2; }", "draw(indices);", "set example 'ab'"):
        fresh.push(text)
    path = tmp_path / "kept.rasp"
    assert fresh.push(f":save {path.with_suffix('')}").text == f"3 statements saved as {path}"
    assert path.read_text(encoding="utf-8") == (
        'x = 1;\ndef f(a) {  # twice\n    return a * 2;\n}\nset example "ab"\n'
    )  # fmt: skip
    fresh.push(f":save '{tmp_path}/kept.v1.rasp'")
    assert (tmp_path / "kept.v1.rasp").is_file()
    again = console()
    assert not again.push(path.read_text(encoding="utf-8")).errors
    assert fresh.push(f":save {tmp_path / 'no' / 'where'}").errors
    assert fresh.push(":save").errors


def test_save_replaces_a_file_only_if_asked_to(tmp_path: Path) -> None:
    path = tmp_path / "kept.rasp"
    path.write_text("precious = 1;")
    fresh = console()
    fresh.push("x = 1;")
    reply = fresh.push(f":save {path}")
    assert (
        str(reply.errors[0]) == f"data error: there is a file {path} already\n  hint: write :save! FILE to replace it"
    )
    assert path.read_text() == "precious = 1;"
    assert fresh.push(f":save! {path}").text == f"1 statement saved as {path}"
    assert path.read_text() == "x = 1;\n"
    (tmp_path / "link.rasp").symlink_to(tmp_path / "nowhere")
    assert fresh.push(f":save {tmp_path / 'link'}").errors


@pytest.mark.parametrize(
    ("typed", "saved"),
    [
        ('x = 1; x; x + 1; indices("ab");', "x = 1;\n"),
        ("x = 1; x + 1; y = out;", "x = 1;\nx + 1;\ny = out;\n"),
        ("5; out; out + 1; z = out;", "5;\nout;\nout + 1;\nz = out;\n"),
        ("5; x = 1; y = out; out;", "x = 1;\ny = out;\n"),
        ("for i in [1] { x = i; } 7;", "for i in [1] {\n    x = i;\n}\n"),
    ],
)
def test_save_leaves_out_expressions_that_set_nothing(typed: str, saved: str, tmp_path: Path) -> None:
    fresh = console()
    assert not fresh.push(typed).errors
    assert not fresh.push(f":save {tmp_path / 'x'}").errors
    assert (tmp_path / "x.rasp").read_text() == saved
    assert not console().push(saved).errors


def test_draw_is_the_statement() -> None:
    assert console().push(":draw indices abc").text.splitlines() == [
        "\t =  [0, 1, 2] (ints)",
        "     drawing: comp_flows/indices.pdf",
    ]
    assert console().push(":draw indices").text.startswith("\t =  [0, 1, 2, 3, 4]")


def test_compile_says_what_it_takes() -> None:
    fresh = console()
    fresh.push("hist = selector_width(select(tokens, tokens, ==));")
    text = fresh.push(":compile hist").text
    assert text.startswith("hist: 4 tokens, up to 5 positions, float32\n")
    assert "compiled    1 layer, heads 1\n" in text
    assert text.endswith('the weights on "hello": [1, 1, 2, 2, 1] (ints)')
    text = fresh.push(":c hist --vocab a-c --max-length 4 --dtype float64").text
    assert text.startswith("hist: 3 tokens, up to 4 positions, float64\n")
    assert "the weights on" not in text


def test_without_rooms_the_console_says_so() -> None:
    (error,) = Console(Session()).push(":compile indices").errors
    assert "cannot reach" in error.message


def test_the_manual_is_complete_and_true() -> None:
    library = elaborate.library()
    public = {name for name in library.names if not name.startswith("_")}
    parts = {part for word in manual.ENTRIES for part in word.split()} | {"on", "off", "s-op", "selector", "get"}
    assert parts >= public | RESERVED
    for entry in manual.ENTRIES.values():
        assert not Session(lambda *_: "").push(entry.example).errors, entry.usage

"""Standard streams that are closed, full or terminals: one line on standard error, the right status, no traceback."""

import contextlib
import errno
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.streams import put

ROOT = Path(__file__).parent.parent
SPOOF = "a\x1b[31mb\u202ec\nd\x9be"


class Failing(io.StringIO):
    """A stream that takes nothing."""

    def __init__(self, reason: int) -> None:
        super().__init__()
        self.reason = reason

    def flush(self) -> None:
        if self.getvalue():
            raise OSError(self.reason, os.strerror(self.reason))


class Screen(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.rasp").write_text("x = indices;\nx;\n")


PRINTING = [
    ["run", "x.rasp"],
    ["run", "x.rasp", "-i", "ab"],
    ["run", "x.rasp", "-i", "ab", "--json"],
    ["analyse", "x.rasp"],
    ["check", "x.rasp"],
    ["fmt", "x.rasp"],
    ["compile", "x.rasp", "--vocab", "ab", "--max-length", "2"],
    ["compile", "x.rasp", "--vocab", "ab", "--max-length", "2", "--emit", "graph"],
    ["verify", "x.rasp", "--vocab", "ab", "--max-length", "2"],
    ["draw", "x.rasp", "-i", "ab", "--kind", "flow", "-o", "x.svg"],
    ["repl"],
    ["--help"],
    ["run", "--help"],
]


@pytest.mark.parametrize("argv", PRINTING, ids=" ".join)
def test_output_that_is_full(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("1;"))
    monkeypatch.setattr(sys, "stdout", Failing(errno.ENOSPC))
    assert main(argv) == 1
    assert capsys.readouterr().err == "error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("argv", PRINTING, ids=" ".join)
def test_a_reader_who_has_enough_is_not_complained_about(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("1;"))
    monkeypatch.setattr(sys, "stdout", Failing(errno.EPIPE))
    assert main(argv) == 1
    assert capsys.readouterr().err == ""


def shell(text: str) -> tuple[int, str, str]:
    command = text.replace("rasp", f"{sys.executable} -m rasp", 1)
    found = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    return found.returncode, found.stdout, found.stderr


@pytest.mark.parametrize(
    ("text", "status", "out", "err"),
    [
        ("rasp run x.rasp >&-", 1, "", "error: cannot write to standard output: Bad file descriptor\n"),
        ("rasp run x.rasp >/dev/full", 1, "", "error: cannot write to standard output: No space left on device\n"),
        ("rasp --help >/dev/full", 1, "", "error: cannot write to standard output: No space left on device\n"),
        ("rasp repl <&-", 1, "", "data error: cannot read standard input: Bad file descriptor\n"),
        ("rasp fmt - <&-", 1, "", "data error: cannot read standard input: Bad file descriptor\n"),
        ("rasp run nope.rasp 2>&-", 1, "", ""),
        ("rasp run nope.rasp <&- >&- 2>/dev/full", 1, "", ""),
    ],
)  # fmt: skip
def test_streams_of_the_shell(text: str, status: int, out: str, err: str) -> None:
    assert shell(text) == (status, out, err)


def test_a_file_that_is_written_while_output_is_closed_holds_nothing_else() -> None:
    Path("y.rasp").write_text("x   =  1;")
    assert shell("rasp fmt --write y.rasp >&-")[0] == 1
    assert Path("y.rasp").read_text() == "x = 1;\n"


def test_a_terminal_gets_no_commands_from_texts() -> None:
    screen = Screen()
    put(screen, SPOOF)
    put(screen, "\x1b[31mred\x1b[0m \x1b[2J", coloured=True)
    assert screen.getvalue() == "a\\x1b[31mb\\u202ec\nd\\x9be\n\x1b[31mred\x1b[0m \\x1b[2J\n"


def test_other_streams_get_what_was_printed() -> None:
    stream = io.StringIO()
    put(stream, "a\u202eb")
    assert stream.getvalue() == "a\u202eb\n"


@pytest.mark.parametrize("argv", [["run", "x.rasp", "-i", SPOOF], ["run", f"{SPOOF}.rasp"], ["run", "x.rasp", SPOOF],
                                  ["fmt", "y.rasp"], ["check", "y.rasp"], ["run", "y.rasp"], [SPOOF]])  # fmt: skip
def test_what_every_command_prints_is_safe_at_a_terminal(argv: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.rasp").write_text('x = tokens + "?";\n')
    Path("y.rasp").write_text('x = "\x1b[2J\u202e" + \x1b; # \x1b[8m\n"\x1b[1m";\n')
    out, err = Screen(), Screen()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with contextlib.suppress(SystemExit):
        main(argv)
    text = out.getvalue() + err.getvalue()
    assert "\\x1b" in text
    assert not set(text) & set("\x1b\x9b\u202e")


@pytest.mark.parametrize("flag", ["-i", "--input"])
def test_two_dashes_are_the_value_of_an_option(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "x.rasp", f"{flag}=--"]) == 0
    assert 'x("--") = [0, 1]' in capsys.readouterr().out
    assert main(["compile", "x.rasp", "--vocab=--", "--max-length", "2"]) == 1
    assert capsys.readouterr().err == "data error: the vocabulary '--' holds '-' twice\n"

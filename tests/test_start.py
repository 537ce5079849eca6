"""How a console is started: by a pipe, with a file, with an init file."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.console import command
from rasp.console.console import Console


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    Path("lib.rasp").write_text("x = indices * 2;\n", encoding="utf-8")
    (tmp_path / "config" / "rasp").mkdir(parents=True)
    return tmp_path


Piped = Callable[..., tuple[int, str, str]]


@pytest.fixture
def piped(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Piped:
    """Exit status, standard output and standard error of the console fed with a text."""

    def run(typed: str, *argv: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        return main(argv), *capsys.readouterr()

    return run


X = "     s-op: x\n"
SHOWN = '     s-op: x\n \t Example: x("hello") = [0, 2, 4, 6, 8] (ints)\n'


@pytest.mark.parametrize("argv", [["-i", "lib"], ["-i", "lib.rasp"], ["--no-init", "-i", "lib"], ["repl", "-i", "lib"],
                                  ["--color=never", "-i", "lib"], ["--color", "always", "-i", "lib"]])  # fmt: skip
def test_a_file_comes_first(piped: Piped, argv: list[str]) -> None:
    assert piped("x;", *argv) == (0, X + SHOWN, "")


def test_a_missing_file_is_an_error(piped: Piped) -> None:
    status, out, err = piped("1;", "-i", "nowhere")
    assert (status, out) == (1, "    value: out =  1\n")
    assert "there is no file nowhere.rasp" in err


def test_colon_commands_come_through_a_pipe(piped: Piped) -> None:
    status, out, err = piped(":type indices\n:nope\n:quit\n1;\n")
    assert (status, out) == (1, "indices: s-op of ints, no layers\n")
    assert "there is no command :nope" in err


def test_a_pipe_takes_no_init_file(piped: Piped) -> None:
    command.init_file().write_text('set example "ab"\n', encoding="utf-8")
    assert piped("indices;")[1].endswith('indices("hello") = [0, 1, 2, 3, 4] (ints)\n')


class FakeTerminal:
    """In the place of the terminal: keeps the console that it is given."""

    console: Console

    def __init__(self, make: object, history: Path, color: str) -> None:
        assert callable(make)
        self.make, self.color = make, color
        FakeTerminal.console = make()

    def greet(self) -> None: ...

    def wait(self) -> None: ...

    def answer(self, text: str) -> bool:
        return self.console.push(text).ended

    def run(self) -> int:
        return 0


@pytest.fixture
def at_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rasp.console.terminal.Terminal", FakeTerminal)
    stdin = io.StringIO()
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)


@pytest.mark.usefixtures("at_terminal")
def test_an_init_file_comes_before_the_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    command.init_file().write_text('y = 1;\nset example "ab"\n:set keys vi\nnothing;\n', encoding="utf-8")
    assert main(["-i", "lib", "--color", "never"]) == 0
    console = FakeTerminal.console
    assert console.push("y;").text == "    value: y =  1"
    assert console.push("x;").text.endswith('x("ab") = [0, 2] (ints)')
    assert (console.options.keys, console.options.color) == ("vi", "never")
    assert len(console.session.performed) == 3
    assert "init.rasp:4:1: name error" in capsys.readouterr().err


@pytest.mark.usefixtures("at_terminal")
def test_without_the_init_file(capsys: pytest.CaptureFixture[str]) -> None:
    command.init_file().write_text("y = 1;\n", encoding="utf-8")
    assert main(["--no-init"]) == 0
    assert FakeTerminal.console.push("y;").errors


@pytest.mark.usefixtures("at_terminal")
def test_an_init_file_that_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    command.init_file().write_bytes(b"\xff\xfe")
    assert main([]) == 0
    assert "is not UTF-8 text" in capsys.readouterr().err

"""Ctrl-C ends the command with one line and status 130, and a program that imports the package as ever."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.console.console import Console
from rasp.console.session import Session
from rasp.files import write_whole

ROOT = Path(__file__).parent.parent
# Sends itself the signal at the first line of a module, or while the command runs, or when it is over.
AT = """
import os, runpy, signal, sys
sys.orig_argv = [sys.executable, "-m", "rasp"]
sys.argv = ["rasp", "run", "x.rasp", "-i", "ab"]
def trace(frame, event, arg):
    if event == "call" and frame.f_code.co_filename.endswith({file!r}) and frame.f_code.co_name == {name!r}:
        sys.settrace(None)
        os.kill(os.getpid(), signal.SIGINT)
sys.settrace(trace)
import rasp.__main__
status = rasp.__main__.main()
os.kill(os.getpid(), signal.SIGINT)
"""


@pytest.mark.parametrize(
    ("file", "name"), [("errors.py", "<module>"), ("__main__.py", "<module>"), ("interpret.py", "<module>"),
                       ("interpret.py", "_value"), ("nothing", "nothing")],
)  # fmt: skip
def test_the_command_ends_at_once_at_any_time(file: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "x.rasp").write_text("x = indices;")
    code = AT.format(file=file, name=name)
    environment = {"PYTHONPATH": str(ROOT)}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert (found.returncode, found.stderr) == (130, "interrupted\n")


def test_other_programs_keep_their_handler() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert main(["fmt", "nothing.rasp"]) == 1
    assert signal.getsignal(signal.SIGINT) is before is signal.default_int_handler


def test_an_interrupted_console_keeps_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(Session())
    console.push("x = 1; for i in [1] { y = 2; }")

    def interrupt(count: int = 1) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(console.session.budget, "spend_elements", interrupt)
        with pytest.raises(KeyboardInterrupt):
            console.push("def f(n) { return [i for i in range(n)]; } z = f(f(f(5)));")
    assert console.push("f(3)[x];").text == "    value: out =  1"


def test_an_interrupted_file_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def interrupt(*paths: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert [(found.name, found.read_text()) for found in tmp_path.iterdir()] == [("x", "old")]


def test_half_characters_are_written_as_json_names_them(tmp_path: Path) -> None:
    write_whole(tmp_path / "x", "a\ud800b")
    assert (tmp_path / "x").read_text() == "a\\ud800b"

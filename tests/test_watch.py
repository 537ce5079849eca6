"""rasp watch: what is seen of a program, and what has changed since."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.watch import Look, look_at

TEXT = """# input: "ab"

same = select(tokens, tokens, ==);
count = selector_width(same);
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("p.rasp").write_text(TEXT)
    return Path("p.rasp")


def after(path: Path, old: str, new: str) -> list[str]:
    """What is said after a change in a program."""
    before = look_at(path)
    path.write_text(path.read_text().replace(old, new))
    return look_at(path).changes(before)


def test_at_first_everything_is_shown(program: Path) -> None:
    assert look_at(program).lines() == [
        "same: selector, no layers",
        "count: s-op, 1 layer, heads [1]",
        '  count("ab") = [1]*2 (ints)',
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", ["nothing has changed"]),
        ("==", "<=", ['count("ab") = [1, 2] (ints)', '        was = [1]*2 (ints)']),
        ("selector_width(same)", "indices", [
            "count: s-op, no layers, was s-op, 1 layer, heads [1]",
            'count("ab") = [0, 1] (ints)',
            "        was = [1]*2 (ints)",
        ]),
        ("count =", "total =", ["new: total: s-op, 1 layer, heads [1]", '  total("ab") = [1]*2 (ints)', "gone: count"]),
        ('"ab"', '"aab"', ['count("aab") = [2, 2, 1] (ints)']),
    ],
)  # fmt: skip
def test_later_what_has_changed(old: str, new: str, said: list[str], program: Path) -> None:
    assert after(program, old, new) == said


def test_mistakes_and_warnings_are_said(program: Path) -> None:
    assert "p.rasp:4:24: name error: the name sane is not defined" in after(program, "width(same)", "width(sane)")[0]
    program.write_text('x = not tokens == "a";')
    assert any("read as" in line for line in look_at(program).lines())


def test_a_value_that_fails_is_shown_as_such(program: Path) -> None:
    program.write_text("x = tokens_int;")
    assert look_at(program).lines()[1].startswith('  x("hello") = value error: ')


def test_one_look_has_a_status(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "p.rasp", "-i", "aab", "--once"]) == 0
    assert 'count("aab") = [2, 2, 1] (ints)' in capsys.readouterr().out
    program.write_text("x = ;")
    assert main(["watch", "p.rasp", "--once"]) == 1


def test_it_goes_on_until_it_is_interrupted(program: Path) -> None:
    """Also what the program loads is watched."""
    Path("q.rasp").write_text("one = indices;\n")
    program.write_text(TEXT + 'load "q";\n')
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    watching = subprocess.Popen(
        [sys.executable, "-m", "rasp", "watch", "p.rasp"], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert watching.stdout is not None
    lines = iter(watching.stdout.readline, "")
    assert next(line for line in lines if "one(" in line) == '  one("ab") = [0, 1] (ints)\n'
    Path("q.rasp").write_text("one = indices + 1;\n")
    assert next(line for line in lines if "one(" in line) == 'one("ab") = [1, 2] (ints)\n'
    watching.send_signal(signal.SIGINT)
    assert watching.wait(10) == 130
    watching.stdout.close()


def test_a_look_of_nothing_is_empty() -> None:
    assert Look().lines() == []

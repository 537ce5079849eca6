"""The bar: only at a terminal, only on long work, and gone at the end."""

import io
import sys
import time
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace

import pytest

from compiler import compile, save
from rasp import progress
from rasp.__main__ import main
from rasp.graph import length
from rasp.progress import Bar, left


class Screen(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    found = Screen()
    monkeypatch.setattr(progress, "DELAY", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    return found


def wait_for(words: str, screen: Screen) -> None:
    end = time.monotonic() + 20
    while words not in screen.getvalue() and time.monotonic() < end:
        time.sleep(0.01)
    assert words in screen.getvalue()


def test_a_bar_has_the_pass_the_percentage_and_an_estimate(screen: Screen) -> None:
    with redirect_stderr(screen), Bar("inputs") as bar:
        bar.tell(1, 4, "certificate")
        wait_for("25%", screen)
        assert "certificate" in screen.getvalue()
        wait_for("left", screen)


def test_a_hidden_bar_comes_back(screen: Screen) -> None:
    with redirect_stderr(screen), Bar("inputs") as bar:
        wait_for("inputs", screen)
        bar.hide()
        screen.truncate(0)
        bar.tell(1, 2)
        wait_for("50%", screen)


def test_nothing_is_written_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELAY", 0.0)
    with Bar("inputs") as bar:
        bar.tell(1, 4)
        time.sleep(0.05)
    assert capsys.readouterr() == ("", "")


def test_short_work_has_no_bar(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "DELAY", 60.0)
    with redirect_stderr(screen), Bar("inputs") as bar:
        bar.tell(1, 4)
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("spent", "share", "words"),
    [
        (3.0, 0.0, ""),
        (3.0, 0.75, "about 0:00:01 left"),
        (60.0, 0.01, "about 1:39:00 left"),
        (3.0, 1.0, "about 0:00:00 left"),
    ],
)
def test_the_estimate_goes_by_the_pace_so_far(spent: float, share: float, words: str) -> None:
    assert left(spent, share) == words


def test_what_was_done_before_says_nothing_of_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: now[0]))
    bar = Bar("inputs", shown=False)
    bar.tell(50, 100)
    now[0] += 10
    bar.tell(51, 100)
    assert bar.estimate == "about 0:08:10 left"


def test_a_compilation_tells_its_passes_in_their_order() -> None:
    calls: list[tuple[float, float, str]] = []
    compile(length, "ab", 3, progress=lambda *told: calls.append(told))
    names = [name for _, _, name in calls]
    assert names[-2:] == ["certificate", "second opinion"]
    assert {"graph", "values", "schedule", "layout", "layers", "weights"} <= set(names)
    assert 0 < calls[0][0] < calls[-1][0] < 1


@pytest.mark.parametrize(
    ("argv", "names"),
    [
        ("compile p.rasp --vocab ab --max-length 3 --json", {"values", "certificate"}),
        ("compile p.rasp --vocab ab --max-length 3 --emit layers", {"values", "layers"}),
        ("verify p.rasp --vocab ab --max-length 3", {"certificate", "comparing"}),
        ("verify m.safetensors", {"certificate", "comparing"}),
        ("infer m.safetensors -i ab", {"inputs"}),
        ("repl", {"certificate"}),
    ],
)
def test_what_may_take_long_has_a_bar(
    argv: str, names: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.rasp").write_text("x = length;\n")
    save(compile(length, "ab", 3, name="x"), "m.safetensors")
    monkeypatch.setattr(sys, "stdin", io.StringIO(":compile length\n"))
    told: set[str] = set()
    monkeypatch.setattr(Bar, "tell", lambda bar, done, total, what=None: told.add(what or bar.what))
    assert main(argv.split()) == 0
    assert names <= told

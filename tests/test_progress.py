"""The bar: only at a terminal, only on long work, and gone at the end."""

import io
import time
from contextlib import redirect_stderr

import pytest

from rasp import progress
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

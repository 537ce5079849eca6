"""The puzzles: they have answers of the size that is said to be the best known, and wrong answers are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.console.show import values
from rasp.language.program import load_program, parse_program
from rasp.operations import column
from rasp.puzzles import PUZZLES, judge, puzzle

ROOT = Path(__file__).parent.parent
NUMBERS = range(1, len(PUZZLES) + 1)


def answer(number: int) -> Path:
    return ROOT / "tests" / "puzzles" / f"{number:02}.rasp"


@pytest.mark.parametrize("number", NUMBERS)
def test_each_puzzle_has_an_answer_as_small_as_the_best_known(number: int) -> None:
    found = judge(puzzle(number), load_program(answer(number)).sop())
    assert (found.mistake, found.heads) == (None, puzzle(number).heads)
    assert found.tried > 50


@pytest.mark.parametrize("number", NUMBERS)
def test_the_page_has_each_puzzle(number: int) -> None:
    asked = puzzle(number)
    page = ROOT.joinpath("docs", "puzzles.md").read_text()
    assert f"## {number}. {asked.title}\n\n{asked.text}\n" in page
    assert f'    answer("{asked.example}") = {values(column(asked.answer))}\n' in page
    size = f"{len(asked.heads)} layer{'s' * (len(asked.heads) > 1)}, heads {list(asked.heads)}"
    assert f"\n\nBest known: {size}.\n" in page


@pytest.mark.parametrize("number", NUMBERS)
def test_the_answers_of_other_puzzles_are_wrong(number: int) -> None:
    others = [load_program(answer(other)).sop() for other in NUMBERS if other != number]
    assert all(judge(puzzle(number), other).mistake is not None for other in others)


def test_the_shortest_mistake_is_shown() -> None:
    found = judge(puzzle(1), parse_program("x = length - indices;").sop())
    assert found.mistake is not None
    assert (found.mistake.given, found.mistake.expected, found.mistake.found) == ("a", [0], [1])


def test_an_answer_that_fails_is_a_mistake() -> None:
    found = judge(puzzle(1), parse_program("x = 1 / (length - 1) * 0 + length - 1 - indices;").sop())
    assert found.mistake is not None
    assert "zero" in str(found.mistake.found)


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("x = length - 1 - indices;", 0, "  1 layer, heads [1]: as good as the best known\n"),
        ("y = aggregate(full_s, aggregate(full_s, length)); x = y - 1 - indices;", 0,
         "  3 layers, heads [1, 1, 1]: the best known has 1 layer, heads [1]\n"),
        ("x = length - indices;", 1, '  input     "a"\n  expected  [0] (ints)\n  found     [1] (ints)\n'),
    ],
)  # fmt: skip
def test_check_says_how_good_an_answer_is(
    text: str, status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.rasp"
    path.write_text(text)
    assert main(["check", "--puzzle", "1", str(path)]) == status
    assert said in capsys.readouterr().out


def test_a_puzzle_alone_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--puzzle", "1"]) == 0
    assert capsys.readouterr().out == (
        '1. Countdown\n   How many tokens come after each position?\n   answer("rasp") = [3, 2, 1, 0] (ints)\n'
    )
    assert main(["check", "--puzzle", "13"]) == 1
    assert "numbered from 1 to 12" in capsys.readouterr().err


def test_answers_are_not_installed() -> None:
    """Whoever looks for one has to look into the tests."""
    assert not [path for path in ROOT.joinpath("rasp").rglob("*.rasp") if path.name != "prelude.rasp"]

"""docs/lab.md: its tables come from runs, whose commands stand in it."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import pytest

from benchmarks import lab_page, noise
from lab.command import plan_of, train_arguments

ROOT = Path(__file__).parent.parent

TEXT = """Before.
<!-- run
rasp train programs/reverse.rasp --vocab a-d --max-length 5 --steps 2 --ablate
-->
<!-- end -->
Between.
<!-- runs
rasp train programs/reverse.rasp --vocab a-d --max-length 5 --steps 2 --ablate
-->
old
<!-- end -->
<!-- lengths
rasp train programs/reverse.rasp --vocab a-d --max-length 5 --steps 2 --ablate
-->
<!-- end -->
After.
"""


def test_blocks_are_written_from_their_runs_and_the_rest_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_page, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(lab_page, "PAGE", tmp_path / "lab.md")
    (tmp_path / "lab").mkdir()
    found = lab_page.written(TEXT)
    assert [found.count(word) for word in ("Before.", "Between.", "After.", "old", "flip")] == [1, 1, 1, 0, 1]
    run, runs, lengths = re.findall(r"ablate\n-->\n(.*?)\n<!-- end", found, re.DOTALL)
    assert run.startswith("`rasp train programs/reverse.rasp --vocab a-d --max-length 5 --steps 2 --ablate`\n\n| model")
    cells = [cell.strip() for cell in runs.splitlines()[2].split("|")[1:-1]]
    assert cells[:2] == ["`programs/reverse.rasp --vocab a-d --max-length 5 --steps 2 --ablate`", "2, 1"]
    assert cells[2] in run
    assert lengths.endswith("(lab/lengths-reverse.png)")
    assert (tmp_path / "lab" / "lengths-reverse.png").stat().st_size > 1000
    assert lab_page.written(found) == found


def test_the_table_of_noise_is_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noise, "rows", lambda path, vocabulary, longest: [[path.stem, str(longest), vocabulary]])
    monkeypatch.setattr(noise, "LEVELS", ())
    command = "python benchmarks/noise.py programs/sort.rasp programs/reverse.rasp --vocab a-d --max-length 3 5"
    found = lab_page.written(f"<!-- noise\n{command}\n-->\nold\n<!-- end -->")
    assert found.startswith(f"<!-- noise\n{command}\n-->\n`{command}`\n\n| program")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found.splitlines()[7:-1]]
    assert rows == [[name, length, "a-d"] for name in ("sort", "reverse") for length in ("3", "5")]


def commands(kinds: str) -> list[str]:
    """The commands of the page's blocks of some kinds."""
    page = (ROOT / "docs" / "lab.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"<!-- (?:{kinds})\n(.*?)-->", page, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_page_names_noise_that_can_be_measured() -> None:
    (command,) = commands("noise")
    words = shlex.split(command)
    assert words[:2] == ["python", "benchmarks/noise.py"]
    assert all((ROOT / file).is_file() for file in noise.parser().parse_args(words[2:]).files)


def test_the_page_names_runs_that_can_be_asked_for() -> None:
    assert len(commands("run|runs|lengths")) > 20
    for command in dict.fromkeys(commands("run|runs|lengths")):
        parser = argparse.ArgumentParser()
        train_arguments(parser)
        words = shlex.split(command)
        assert words[:2] == ["rasp", "train"]
        plan_of(parser.parse_args(words[2:]))

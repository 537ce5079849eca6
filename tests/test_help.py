"""The help of every subcommand: each of its examples is run."""

from __future__ import annotations

import argparse
import io
import re
import shlex
from pathlib import Path

import pytest

from rasp.__main__ import COMMANDS, main

PROGRAMS = Path(__file__).parent.parent / "programs"
# Options that leave less to compute, and change nothing else.
SMALLER = {"train": ["--steps", "1", "--seeds", "1", "--max-length", "5"]}
EXAMPLE = re.compile(r"^  (?:echo (.*?) \| )?rasp (.*)$", re.MULTILINE)


def examples(command: str) -> list[tuple[str, list[str]]]:
    """What is typed and the words of each command line, of the examples of a subcommand."""
    parser = argparse.ArgumentParser()
    COMMANDS[command][0]()[0](parser)
    assert parser.epilog is not None
    return [(" ".join(shlex.split(typed)), shlex.split(words)) for typed, words in EXAMPLE.findall(parser.epilog)]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_example_of_the_help_works(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for program in PROGRAMS.rglob("*.rasp"):
        copy = tmp_path / "programs" / program.relative_to(PROGRAMS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(program.read_text())
    found = examples(command)
    assert any(command in words for _, words in found)
    for typed, words in found:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        globbed = [str(path) for word in words for path in (sorted(Path().glob(word)) if "*" in word else [word])]
        assert main([*globbed, *SMALLER.get(words[0], [])]) == 0, (words, capsys.readouterr().err)

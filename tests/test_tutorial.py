"""The tutorial: every block of it is run, and says what really happens.

A block is a conversation with the console (`>>`) or with a shell (`$`). `…` in an answer stands for anything.
`pytest --update` rewrites the answers that are no longer true.
"""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rasp.console.console import Console
from rasp.console.session import Session
from rasp.doors import Rooms

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def console_answers() -> Callable[[str], str]:
    """What one console answers to one input after another."""
    console = Console(Session(), Rooms())

    def answer(text: str) -> str:
        reply = console.finish(text)
        return "".join(f"{part}\n" for part in (*reply.warnings, *reply.parts))

    return answer


def shell_answer(command: str) -> str:
    """What a shell prints for a command."""
    script = f'rasp() {{ {sys.executable} -m rasp "$@"; }}\n{command}'
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment, check=True
    )
    return done.stdout


def exchanges(block: str, prompt: str) -> Iterator[tuple[str, str]]:
    """Inputs and answers of a block."""
    for part in re.split(rf"^{re.escape(prompt)}", block, flags=re.MULTILINE)[1:]:
        typed, _, answer = part.partition("\n")
        yield typed, answer


def fits(answer: str, expected: str) -> bool:
    pattern = ".*?".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, answer, re.DOTALL) is not None


def replayed(text: str) -> str:
    """The tutorial with the answers given now, where they differ."""
    ask = console_answers()

    def block(match: re.Match[str]) -> str:
        language, body = match.groups()
        prompt, answers = {"text": (">> ", ask), "console": ("$ ", shell_answer)}[language]
        assert body.startswith(prompt), body
        lines = ""
        for typed, expected in exchanges(body, prompt):
            found = answers(typed)
            lines += f"{prompt}{typed}\n{expected if fits(found, expected) else found}"
        return f"```{language}\n{lines}```"

    return FENCE.sub(block, text)


def test_the_tutorial_is_true(update: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = TUTORIAL.read_text(encoding="utf-8")
    found = replayed(text)
    if update:
        TUTORIAL.write_text(found, encoding="utf-8")
    else:
        assert found == text


def test_the_tutorial_shows_no_mistakes() -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    assert len(FENCE.findall(text)) > 20
    assert "error:" not in text
    assert "cannot compile" not in text


def test_a_dot_line_stands_for_anything() -> None:
    assert fits("a\nb\nc\n", "a\n…\n")
    assert not fits("a\nb\n", "a\n")

"""Completion in shells, asked of the shells themselves where they are installed."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from rasp.__main__ import COMMANDS, main


@pytest.fixture
def script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> Path:
    """The script of a shell, in a folder with a program, a model and another file."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    monkeypatch.chdir(tmp_path)
    for name in ("p.rasp", "m.safetensors", "n.txt"):
        Path(name).touch()
    assert main(["completion", shell]) == 0
    Path("script").write_text(capsys.readouterr().out)
    return Path("script")


def bash(script: Path, line: str) -> list[str]:
    words = [*shlex.split(line), *([""] if line.endswith(" ") else [])]
    ask = f"source ./{script}; COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _rasp; "
    ask += 'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted(done.stdout.split())


def fish(script: Path, line: str) -> list[str]:
    ask = f"source ./{script}; complete -C {shlex.quote(line)}"
    done = subprocess.run(["fish", "-c", ask], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return sorted(found.split("\t")[0] for found in done.stdout.splitlines())


CASES = [
    ("rasp comp", ["compare", "compile", "completion"]),
    ("rasp compile --dt", ["--dtype"]),
    ("rasp compile --dtype ", ["float32", "float64"]),
    ("rasp completion ", ["bash", "fish", "zsh"]),
    ("rasp infer ", ["m.safetensors"]),
]


@pytest.mark.parametrize("script", ["bash"], indirect=True)
@pytest.mark.parametrize(
    ("line", "expected"),
    [*CASES, ("rasp run ", ["p.rasp"]), ("rasp draw p", ["p.rasp"]), ("rasp draw -o n", ["n.txt"])],
)
def test_bash(script: Path, line: str, expected: list[str]) -> None:
    assert bash(script, line) == expected


@pytest.mark.parametrize("script", ["fish"], indirect=True)
@pytest.mark.parametrize(("line", "expected"), [*CASES, ("rasp draw -o n", ["n.txt"])])
def test_fish(script: Path, line: str, expected: list[str]) -> None:
    assert set(expected) <= set(fish(script, line)) <= {*expected, "m.safetensors", "p.rasp", "n.txt", "script"}


@pytest.mark.parametrize("script", ["zsh"], indirect=True)
def test_zsh_can_read_its_script(script: Path) -> None:
    subprocess.run(["zsh", "-n", str(script)], check=True)


@pytest.mark.parametrize("script", ["bash"], indirect=True)
def test_every_subcommand_is_known(script: Path) -> None:
    assert set(COMMANDS) <= set(bash(script, "rasp "))

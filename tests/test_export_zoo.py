"""The zoo: models and circuits of programs at several sizes, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import compiler
import export
from rasp.__main__ import main
from rasp.errors import DataFault
from tests.bundled import PROGRAMS


def build(folder: Path, seed: str) -> dict[str, bytes]:
    """The files of a zoo that a process of its own builds."""
    command = ["-m", "rasp", "zoo", "build", *(str(PROGRAMS / f"{name}.rasp") for name in ("sort", "dyck1"))]
    environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(PROGRAMS.parent)}
    options = ["--length", "4", "--length", "6", "-o", str(folder)]
    subprocess.run([sys.executable, *command, *options], check=True, env=environment, capture_output=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    first, second = (build(tmp_path / seed, seed) for seed in "12")
    assert first == second
    assert len(first) == 9


def test_the_index_says_what_is_there(tmp_path: Path) -> None:
    index = export.build_zoo(tmp_path / "zoo", [PROGRAMS / "reverse.rasp"], [4], ["float64"])
    assert json.loads((tmp_path / "zoo" / "index.json").read_text()) == index
    (entry,) = index["models"]
    assert (entry["name"], entry["layers"], entry["heads"]) == ("reverse-4-float64", 2, [1, 1])
    for name, digest in entry["files"].items():
        assert hashlib.sha256((tmp_path / "zoo" / name).read_bytes()).hexdigest() == digest
    assert compiler.load(tmp_path / "zoo" / "reverse-4-float64.safetensors").run("abc").output == ["c", "b", "a"]


def test_what_is_refused_is_in_the_index_with_its_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "many.rasp"
    program.write_text("# vocab: a-c\nx = round(aggregate(full_s, indices ^ indices) * 1000000007) % 1000003;")
    assert main(["zoo", "build", str(program), "--length", "20", "-o", str(tmp_path / "zoo")]) == 0
    assert "many-20: refused: " in capsys.readouterr().out
    (entry,) = json.loads((tmp_path / "zoo" / "index.json").read_text())["models"]
    assert "files" not in entry


def test_a_program_without_a_vocabulary_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x.rasp").write_text("x = tokens;")
    with pytest.raises(DataFault, match="does not say which tokens it is for"):
        export.build_zoo(tmp_path / "zoo", [tmp_path / "x.rasp"])
    assert main(["zoo", "build", str(tmp_path / "nothing-here"), "-o", str(tmp_path / "zoo")]) == 1
    assert not (tmp_path / "zoo").exists()

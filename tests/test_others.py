"""benchmarks/others.py beside stand-ins for the original and for Tracr, which are no part of this project."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import others

ORIGINAL = """
import sys
answers = {"reverse": lambda text: text[::-1], "sorted": sorted, "histogram": lambda text: map(text.count, text)}
for line in sys.stdin:
    name, _, rest = line.partition('("')
    if name in answers:
        print("     = [" + ", ".join(map(str, answers[name](rest.partition('"')[0]))) + "]")
"""
TRACR = {
    "tracr/rasp/rasp.py": "tokens = None",
    "tracr/compiler/lib.py": """
def make_reverse(sop): return lambda given: given[::-1]
def make_hist(): return lambda given: list(map(given.count, given))
def make_sort(vals, keys, *, max_seq_len, min_key): return sorted
""",
    "tracr/compiler/compiling.py": """
from types import SimpleNamespace
def compile_rasp_to_model(program, vocab, max_seq_len, compiler_bos):
    encoder = SimpleNamespace(encode=lambda given: [0 if token == compiler_bos else token for token in given])
    return SimpleNamespace(params=[[1.0] * 7], forward=lambda params, ids: SimpleNamespace(unembedded_output=ids),
                           input_encoder=encoder)
""",
    "jax.py": """
import numpy
from types import SimpleNamespace
tree_util = SimpleNamespace(tree_leaves=lambda tree: tree)
def jit(run): return run
def block_until_ready(found): return found
""",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand-ins for both; what is measured is small."""
    for name, text in {"RASP_support/__main__.py": ORIGINAL, **TRACR}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    for name, value in {
        "INTERPRETED": 6,
        "LENGTH": 4,
        "BATCH": 2,
        "PROGRAMS": ("reverse", "histogram", "sort"),
    }.items():
        monkeypatch.setattr(others, name, value)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.split(".")[0] in ("tracr", "jax"):
            del sys.modules[name]


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["others.py", "--runs", "1", *words])
    return others.main()


def test_both_are_measured(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--original", str(folder), "--tracr", str(folder)) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split(" | ") for line in lines if line.startswith(("| reverse", "| sort"))]
    assert [len(row) for row in rows] == [6, 6, 10, 10]
    assert not [cell for row in rows for cell in row if cell == "–"]
    assert rows[2][4] == "7"


def test_a_wrong_answer_is_no_measurement(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "RASP_support/__main__.py").write_text("print('no such s-op')")
    assert run(monkeypatch, "--original", str(folder)) == 1
    assert "does not give reverse of" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--original", "."], "no folder RASP_support"),
        (["--tracr", "."], "no folder tracr/compiler"),
        (["--tracr"], "Tracr cannot be imported"),
    ],
)
def test_what_is_not_there_is_said(
    words: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "tracr", None)
    assert run(monkeypatch, *words) == 1
    assert reason in capsys.readouterr().err


def test_one_of_them_must_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch)
    assert "--original DIR, --tracr [DIR], or both" in capsys.readouterr().err

"""benchmarks/others.py beside stand-ins for the original and for Tracr, which are no part of this project."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import others, page

ORIGINAL = """
import sys
answers = {"reverse": lambda text: text[::-1], "sorted": sorted, "histogram": lambda text: map(text.count, text)}
for line in sys.stdin:
    name, _, rest = line.partition('("')
    if name in answers:
        print("     = [" + ", ".join(map(str, answers[name](rest.partition('"')[0]))) + "]")
"""
TRACR = {
    "tracr/__init__.py": "",
    "tracr/rasp/__init__.py": "",
    "tracr/rasp/rasp.py": "from tests.tracr_stand_in import *",
    "tracr/compiler/__init__.py": "",
    "tracr/compiler/lib.py": """
from tracr.rasp import rasp
def make_hist(): return rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ))
def make_reverse(sop):
    return rasp.Aggregate(rasp.Select(rasp.indices, rasp.length - 1 - rasp.indices, rasp.Comparison.EQ), sop)
def make_shuffle_dyck(pairs): return rasp.tokens == pairs
""",
    "tracr/compiler/compiling.py": """
from types import SimpleNamespace
def compile_rasp_to_model(program, vocab, max_seq_len, compiler_bos):
    encoder = SimpleNamespace(encode=lambda given: [0 if token == compiler_bos else token for token in given])
    decoder = SimpleNamespace(decode=lambda given: given if given[0] > 9 else [0] * max_seq_len)
    forward = lambda params, ids: SimpleNamespace(unembedded_output=[row[:1] + program(row[1:]) for row in ids])
    return SimpleNamespace(params=[[1.0] * 7], forward=forward, input_encoder=encoder, output_encoder=decoder)
""",
    "jax.py": """
from types import SimpleNamespace
tree_util, numpy = SimpleNamespace(tree_leaves=lambda tree: tree), SimpleNamespace(array=list)
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
    for name in found():
        monkeypatch.delitem(sys.modules, name)
    chosen = tuple(compared for compared in others.PROGRAMS if compared.name in ("reverse", "histogram", "dyck2"))
    for name, value in {"INTERPRETED": 6, "LENGTH": 4, "BATCH": 5, "PROGRAMS": chosen}.items():
        monkeypatch.setattr(others, name, value)
    yield tmp_path
    for name in found():
        del sys.modules[name]


def found() -> list[str]:
    """What of Tracr and jax is imported, the real ones or stand-ins."""
    return [name for name in sys.modules if name.split(".")[0] in ("tracr", "jax")]


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["others.py", "--runs", "1", *words])
    return others.main()


def test_both_are_measured(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--original", str(folder), "--tracr", str(folder)) == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith(("| reverse", "| dyck2"))]
    assert [(row[0], len(row)) for row in rows] == [("reverse", 8), ("dyck2 *", 8), ("reverse", 7), ("reverse", 8)]
    assert rows[1][2:4] == ["–", "–"]
    assert rows[2][5] == "7"
    assert any(line.startswith("\\* Tracr's library has no such program") for line in lines)


def test_how_many_answers_are_right_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stand-in answers wrongly where its first answer is below 10."""
    assert run(monkeypatch, "--tracr", str(folder)) == 0
    last = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| reverse")][-1]
    rows = np.random.default_rng(1).integers(1, 27, (5, 4))
    assert last.strip("| ").split(" | ")[-2:] == ["5", str((rows[:, -1] > 9).sum())]


def test_the_tables_are_put_on_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    around = "before\n\n<!-- by benchmarks/others.py -->\n\n{}\n\n<!-- until here, others -->\n\nafter\n"
    monkeypatch.setattr(page, "PAGE", folder / "page.md")
    page.PAGE.write_text(around.format("old"))
    monkeypatch.setattr(others, "report", lambda *_: ["new"])
    assert run(monkeypatch, "--tracr", str(folder), "--write") == 0
    assert page.PAGE.read_text() == around.format("new")


def test_a_wrong_answer_is_no_measurement(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "RASP_support/__main__.py").write_text("print('no such s-op')")
    assert run(monkeypatch, "--original", str(folder)) == 1
    assert "does not give reverse of" in capsys.readouterr().err


def test_a_wrong_answer_of_tracr_is_none_either(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tracr/compiler/lib.py").write_text("from tracr.rasp import rasp\nmake_reverse = lambda sop: sop")
    assert run(monkeypatch, "--tracr", str(folder)) == 1
    assert "Tracr does not give reverse of" in capsys.readouterr().err


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
    for name in ("tracr", *found()):
        monkeypatch.setitem(sys.modules, name, None)
    assert run(monkeypatch, *words) == 1
    assert reason in capsys.readouterr().err


def test_one_of_them_must_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch)
    assert "--original DIR, --tracr [DIR], or both" in capsys.readouterr().err

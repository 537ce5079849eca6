"""verify in several processes and after an interruption: the same inputs, in the same order, and the same report."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from compiler.pipeline import compile_sop
from compiler.run import batches, workers
from compiler.run.model import CompiledModel
from compiler.run.packed import packed, unpacked
from compiler.run.resumed import FORMAT, ResumeFault
from compiler.run.verify import Check, Part, Verification, verify
from compiler.run.workers import Work, Workers
from rasp.__main__ import main
from rasp.errors import DataFault
from rasp.graph import Relation, SOp, aggregate, apply, indices, length, select, selector_width, tokens
from rasp.operations import Operation

REVERSE = aggregate(select(indices, length - 1 - indices), tokens)
HISTOGRAM = selector_width(select(tokens, tokens))


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Other processes take over as soon as the pace is known, and parts are small. The backends that did."""
    took: list[str] = []
    elsewhere = workers._elsewhere

    def spy(content: bytes, parts: object, chosen: Workers) -> object:
        took.append(chosen.backend)
        return elsewhere(content, parts, chosen)  # type: ignore[arg-type]

    monkeypatch.setattr(workers, "_elsewhere", spy)
    monkeypatch.setattr(workers, "WORTH", 0.0)
    monkeypatch.setattr(workers, "_KNOWN", 0.0)
    monkeypatch.setattr(batches, "_ENTRIES", 4_000)
    return took


def checked(sop: SOp, model: CompiledModel, count: int = 1, **options: Any) -> Verification:
    return verify(sop, model, engines=("reference",), workers=Workers(count), **options)


def test_any_number_of_processes_gives_the_same_report(eager: list[str]) -> None:
    doubled = apply(Operation.python(lambda atom: atom.lower()), tokens) == REVERSE
    model = compile_sop(doubled, tuple("aBc"), 5)
    assert checked(doubled, model, 1) == checked(doubled, model, 2) == Verification(363, True, 0, None)
    assert eager == ["loky"]


def test_a_difference_is_the_first_one_with_any_number_of_processes(eager: list[str]) -> None:
    model = compile_sop(HISTOGRAM, tuple("abc"), 6)
    other = HISTOGRAM + (HISTOGRAM == 5) * (tokens == "b")
    found = checked(other, model, 2)
    assert found == checked(other, model, 1)
    assert found.counterexample is not None
    assert (eager, found.counterexample.tokens) == (["loky"], ("b",) * 5)


def test_relations_of_a_part_are_the_same_wherever_it_is_compared() -> None:
    neighbours = selector_width(Relation("edges"))
    model = compile_sop(neighbours, ("a",), 4)
    other = neighbours + (neighbours == 3)
    one, two = (checked(other, model, seed=3).counterexample for _ in range(2))
    assert one is not None
    assert two is not None
    assert repr(one) == repr(two)


def test_short_checks_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_elsewhere", None)
    assert checked(HISTOGRAM, compile_sop(HISTOGRAM, ("a", "b"), 8), 2).count == 510


def test_what_cannot_leave_the_process_is_checked_in_it(eager: list[str]) -> None:
    model = compile_sop(HISTOGRAM, ("a", "b"), 8)
    model.runtimes["locked"] = threading.Lock()  # type: ignore[assignment]
    assert (checked(HISTOGRAM, model, 2).count, eager) == (510, [])


def test_a_process_that_dies_is_said(eager: list[str]) -> None:
    parent = os.getpid()
    dying = Work[int, int](lambda part: part if os.getpid() == parent else os._exit(9), [], float, 9.0)
    with pytest.raises(DataFault, match="processes died"):
        list(dying.results(range(9), Workers(2)))


def test_a_packed_graph_may_be_deep_and_comes_back_as_the_same_nodes() -> None:
    deep: SOp = tokens
    for _ in range(3_000):
        deep = apply("+", deep, deep)
    assert unpacked(packed({"root": deep}, [deep]))["root"] is deep


# -- interrupted


class Interrupted(Exception):
    pass


def interrupt(done: int, total: int) -> None:
    if done > 100:
        raise Interrupted


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many inputs each part has that is compared; parts are small."""
    found: list[int] = []
    compare = Check.__call__

    def spy(check: Check, part: Part) -> Verification:
        found.append(len(part.ids))
        return compare(check, part)

    monkeypatch.setattr(Check, "__call__", spy)
    monkeypatch.setattr(batches, "_ENTRIES", 4_000)
    return found


def test_an_interrupted_check_goes_on(tmp_path: Path, compared: list[int]) -> None:
    model, file = compile_sop(1 / HISTOGRAM, ("a", "b"), 8), tmp_path / "check.json"
    with pytest.raises(Interrupted):
        checked(1 / HISTOGRAM, model, resume=file, progress=interrupt)
    before = sum(compared)
    compared.clear()
    told: list[tuple[int, int]] = []
    assert json.loads(file.read_text())["done"] == before > 100
    again = checked(1 / HISTOGRAM, model, resume=file, progress=lambda *now: told.append(now))
    assert again == checked(1 / HISTOGRAM, model)
    assert told[0] == (before, 510)
    assert sum(compared) == 510 - before + 510
    assert list(tmp_path.iterdir()) == []


def test_undefined_inputs_are_counted_across_an_interruption(tmp_path: Path, compared: list[int]) -> None:
    root = 1 / (HISTOGRAM - 1)
    model = compile_sop(root, ("a", "b"), 8)
    with pytest.raises(Interrupted):
        checked(root, model, resume=tmp_path / "x", progress=interrupt)
    assert checked(root, model, resume=tmp_path / "x") == checked(root, model)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("my notes", "no file of an interrupted check"),
        (f'{{"format": "{FORMAT}", "done": 0, "undefined": 0}}', "no file of an interrupted check"),
        (f'{{"format": "{FORMAT}", "check": "x", "done": 1, "undefined": 2}}', "no file of an interrupted check"),
        (
            f'{{"format": "{FORMAT}", "check": "x", "done": Infinity, "undefined": 0}}',
            "no file of an interrupted check",
        ),
        ('{"format": "rasp verify, as far as it got", "check": "0", "done": 3, "undefined": 0}', "of another check"),
    ],
)
def test_another_file_is_not_written_over(content: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text(content)
    with pytest.raises(ResumeFault, match=message):
        checked(HISTOGRAM, compile_sop(HISTOGRAM, ("a", "b"), 2), resume=file)
    assert file.read_text() == content


def test_what_is_kept_of_another_model_or_seed_is_not_gone_on_with(tmp_path: Path, compared: list[int]) -> None:
    model, file = compile_sop(HISTOGRAM, ("a", "b"), 8), tmp_path / "check.json"
    with pytest.raises(Interrupted):
        checked(HISTOGRAM, model, resume=file, progress=interrupt)
    for sop, seed in ((HISTOGRAM, 1), (HISTOGRAM + 0, 0)):
        with pytest.raises(ResumeFault, match="of another check"):
            checked(sop, model, resume=file, seed=seed)


# -- the command


def test_the_command_says_that_a_file_is_none_to_go_on_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "x.rasp").write_text("x = indices;")
    (tmp_path / "notes").write_text("mine")
    words = ["verify", str(tmp_path / "x.rasp"), "--vocab", "ab", "--max-length", "3"]
    assert main([*words, "--resume", str(tmp_path / "notes")]) == 1
    assert "no file of an interrupted check" in capsys.readouterr().err
    assert main([*words, "--resume", str(tmp_path / "new"), "--workers", "2"]) == 0
    assert not (tmp_path / "new").exists()


def test_all_inputs_are_compared_where_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("compiler.run.verify.input_count", lambda size, longest: 1_000_000)
    (tmp_path / "x.rasp").write_text("x = indices;")
    words = ["verify", str(tmp_path / "x.rasp"), "--vocab", "ab", "--max-length", "3"]
    assert main(words) == main([*words, "--all"]) == 0
    some, every = capsys.readouterr().out.split("certified")[:2]
    assert "(random and boundary inputs)" in some
    assert "14 inputs (all inputs)" in every


def test_an_interrupted_command_says_how_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.rasp").write_text("x = indices;")
    words = ["verify", str(tmp_path / "x.rasp"), "--vocab", "ab", "--max-length", "3", "--resume", str(tmp_path / "y")]
    with monkeypatch.context() as patch:
        patch.setattr(Check, "__call__", interrupted)
        assert main(words) == 130
    assert "y; the same command goes on from there\ninterrupted\n" in capsys.readouterr().err
    assert main(words) == 0


def interrupted(check: Check, part: Part) -> Verification:
    raise KeyboardInterrupt


def test_without_dask_its_backend_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    (tmp_path / "x.rasp").write_text("x = indices;")
    assert main(["verify", str(tmp_path / "x.rasp"), "--vocab", "ab", "--max-length", "3", "--backend", "dask"]) == 1
    assert 'pip install "rasp-compiler[dask]"' in capsys.readouterr().err


def test_a_dask_cluster_gives_the_same_report(eager: list[str]) -> None:
    distributed = pytest.importorskip("distributed")
    model = compile_sop(HISTOGRAM, tuple("abc"), 5)
    with distributed.Client(n_workers=1, processes=False, dashboard_address=":0"):
        found = verify(HISTOGRAM, model, engines=("reference",), workers=Workers(2, "dask"))
    assert (found, eager) == (Verification(363, True, 0, None), ["dask"])

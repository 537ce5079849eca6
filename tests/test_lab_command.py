"""`rasp train` and `rasp compare`: what they write, say and refuse."""

from __future__ import annotations

import argparse
import csv
import json
import re
from pathlib import Path

import pytest

from lab.ablation import Variant
from lab.command import plan_of, train_arguments
from lab.folder import Folder, Plan
from lab.training import Measurement, load_model
from rasp.__main__ import main
from rasp.errors import DataFault

SMALL = ("programs/reverse.rasp", "--vocab", "a-d", "--max-length", "5", "--steps", "2")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with ablations, of two steps each."""
    folder = tmp_path_factory.mktemp("lab") / "reverse"
    assert main(["train", *SMALL, "--ablate", "--seeds", "2", "-o", str(folder)]) == 0
    return folder


def test_a_run_leaves_its_files(run: Path) -> None:
    models = [f"model-{size}-{seed}.safetensors" for size in ("1x1x32", "1x2x64", "2x1x32") for seed in (0, 1)]
    others = ["curves.svg", "heads.svg", "history.csv", "lengths.svg", "run.json", "table.md"]
    assert sorted(file.name for file in run.iterdir()) == sorted([*models, *others])


def test_the_files_say_what_was_measured(run: Path) -> None:
    rows = list(csv.DictReader((run / "history.csv").read_text().splitlines()))
    results = json.loads((run / "run.json").read_text())["results"]
    assert [(row["model"], row["seed"], row["step"]) for row in rows[:3]] == [
        *(("predicted", "0", "2"), ("predicted", "1", "2"), ("one layer less", "0", "2"))
    ]
    assert [last["token_accuracy"] for result in results for last in result["last"]] == [
        float(row["token_accuracy"]) for row in rows
    ]
    assert "one head less: left out" in (run / "table.md").read_text()


def test_the_pictures_name_the_heads_and_the_sizes(run: Path) -> None:
    assert all((run / name).read_text().startswith("<?xml") for name in ("heads.svg", "curves.svg"))


def test_a_run_again_trains_nothing_and_says_the_same(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {file.name: file.read_bytes() for file in run.iterdir()}
    assert main(["train", *SMALL, "--ablate", "--seeds", "2", "-o", str(run)]) == 0
    assert {file.name: file.read_bytes() for file in run.iterdir()} == before
    said = capsys.readouterr().out
    assert (run / "table.md").read_text().splitlines()[2] in said
    assert re.search(r"\| 2 +\| flip +\| 1 +\|", said)


def test_other_options_need_another_folder(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", *SMALL, "--positions", "sinusoidal", "-o", str(run)]) == 1
    assert "has a run with other options" in capsys.readouterr().err


def test_compare_draws_an_input_and_says_both_answers(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "heads.svg"
    assert main(["compare", str(run), "-i", "abca", "-o", str(picture)]) == 0
    said = capsys.readouterr().out
    assert "program [a, c, b, a] (strings)" in said
    assert re.search(r"\n\n  program .*\n  model   \[", said)
    assert picture.read_text().startswith("<?xml")


def test_a_report_shows_a_trained_model_beside_the_compiled_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    inputs = ("-i", "abcd", "-i", "abcdabc", "--vocab", "a-d")
    assert main(["report", SMALL[0], *inputs, "--trained", str(run), "-o", str(page)]) == 0
    text = page.read_text()
    assert text.count('src="data:image/png;base64,') == 1
    assert "img-src data:;" in text
    assert "2 layers of 1 heads, d_model 32, trained on examples of up to 5 tokens" in text
    assert "<td>program</td><td>d</td><td>c</td><td>b</td><td>a</td>" in text
    assert "positions are learned up to 5, and an input has 7 tokens" in text
    assert main(["report", "programs/sort.rasp", *inputs, "--trained", str(run), "-o", str(page)]) == 1
    assert "was trained on another program" in capsys.readouterr().err
    assert page.read_text() == text


def test_masks_are_kept_with_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second head may look at its opposite alone: it agrees fully at once. The smaller model has no such head."""
    masks = ("--mask", "2.1=flip", "--mask", "1.1=window(2)")
    assert main(["train", *SMALL, *masks, "--ablate", "-o", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path), "-i", "abc"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "flip" in line)
    assert float(row.split("|")[5]) > 0.4
    kept = {file.name: load_model(file).model.masks for file in tmp_path.glob("*.safetensors")}
    assert {name: list(masks) for name, masks in kept.items()} == {
        "model-2x1x32-0.safetensors": [(1, 0), (0, 0)],
        **{f"model-{size}-0.safetensors": [(0, 0)] for size in ("1x1x32", "1x2x64")},
    }


def test_the_paper_trains_four_models_each_its_own_way() -> None:
    parser = argparse.ArgumentParser()
    train_arguments(parser)
    plan = plan_of(parser.parse_args([*SMALL[:3], "--preset", "paper", "--norm", "post"]))
    assert (plan.training.steps, plan.training.batch, plan.max_length, plan.encoder["norm"]) == (
        100_000,
        50,
        100,
        "post",
    )
    assert [(plan.training_of(seed).learning_rate, plan.training_of(seed).decay) for seed in range(plan.seeds)] == [
        *((3e-4, 0.98), (3e-4, 0.99), (1e-4, 0.98), (1e-4, 0.99)),
    ]
    assert Plan.of_json(json.loads(json.dumps(plan.as_json()))) == plan


def test_lengths_that_were_not_trained_are_measured_where_positions_allow(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *SMALL, "--positions", "sinusoidal", "-o", str(tmp_path)]) == 0
    for folder, longest in ((run, "5"), (tmp_path, "10 (not trained)")):
        capsys.readouterr()
        assert main(["compare", str(folder)]) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith(f"| {longest} ")


def test_a_run_needs_neither_its_program_nor_this_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "library.rasp").write_text("def back() { return length - 1 - indices; }")
    program = tmp_path / "mine.rasp"
    program.write_text('load "library";\nmine = aggregate(select(indices, back(), ==), tokens);')
    folder = tmp_path / "run"
    assert main(["train", str(program), *SMALL[1:], "-o", str(folder)]) == 0
    for file in tmp_path.glob("*.rasp"):
        file.unlink()
    monkeypatch.chdir(folder)
    assert main(["compare", "."]) == 0
    assert "mine, seed 0" in capsys.readouterr().out


def test_an_interrupted_run_leaves_what_it_has_and_goes_on(tmp_path: Path, run: Path) -> None:
    plan = Folder.open(run).plan
    task = plan.task()

    def interrupt(variant: Variant, seed: int, found: Measurement) -> None:
        if (variant.name, seed) == ("one layer less", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Folder.start(tmp_path, plan).carry_out(task, interrupt)
    there = json.loads((tmp_path / "run.json").read_text())["results"]
    assert [(result["model"], len(result["last"])) for result in there] == [("predicted", 2)]
    assert (tmp_path / "table.md").read_text().count("\n|") == 2
    Folder.start(tmp_path, plan).carry_out(task, lambda variant, seed, found: None)
    for file in run.glob("*.safetensors"):
        assert without_seconds(file) == without_seconds(tmp_path / file.name)


def without_seconds(file: Path) -> tuple[object, list[object]]:
    from lab.checkpoint import Checkpoint

    kept = Checkpoint.load(file)
    return {n: t.tobytes() for n, t in kept.tensors.items()}, [
        {name: value for name, value in row.items() if name != "seconds"} for row in kept.description["history"]
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("programs/reverse.rasp", "--vocab", "a"), "a vocabulary of one token"),
        (("programs/reverse.rasp", "--vocab", "a-b", "--max-length", "3"), "14 different inputs"),
        (("programs/majority.rasp", "--vocab", "a-j", "--max-length", "5"), "a task with one label"),
        (("programs/reverse.rasp", "nothing", "--vocab", "a-d"), "defines no nothing"),
        (("programs/reverse.rasp", "--vocab", "a-d", "--inputs", "no/file"), "cannot read no/file"),
        (("programs/reverse.rasp", "--vocab", "a-d", "--no-bos", "--supervise", "kl"), "needs a BOS token"),
        (("programs/reverse.rasp", "--vocab", "a-d", "--mask", "1.1=sideways"), "defines no sideways"),
        (("programs/reverse.rasp", "--vocab", "a-d", "--mask", "1=causal"), "is no mask"),
        (("programs/reverse.rasp", "--vocab", "a-d", "--mask", "3.1=causal"), "names no head of the predicted size"),
    ],
)
def test_what_cannot_be_trained_is_an_error(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", *arguments, "-o", str(tmp_path / "run")]) == 1
    assert words in capsys.readouterr().err


def test_a_folder_without_a_run_or_with_a_damaged_one_is_an_error(run: Path, tmp_path: Path) -> None:
    with pytest.raises(DataFault, match=r"has no run\.json"):
        Folder.open(tmp_path)
    for text in ("", "[]", "{}", (run / "run.json").read_text().replace('"seeds"', '"beads"')):
        (tmp_path / "run.json").write_text(text)
        with pytest.raises(DataFault, match="is damaged"):
            Folder.open(tmp_path)
    (tmp_path / "run.json").write_text((run / "run.json").read_text().replace('"version": 2', '"version": 1'))
    with pytest.raises(DataFault, match="not a run of this version"):
        Folder.open(tmp_path)
    with pytest.raises(DataFault, match="cannot make the folder"):
        Folder.start(tmp_path / "run.json" / "below", Folder.open(run).plan)


def test_compare_before_anything_is_trained(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Folder.start(tmp_path, Folder.open(run).plan)
    assert main(["compare", str(tmp_path)]) == 1
    assert "has no trained model yet" in capsys.readouterr().err

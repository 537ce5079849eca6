"""Ablations of the predicted size, their table, and what is concluded."""

from __future__ import annotations

from functools import cache

import pytest

from lab.ablation import Result, ablations, conclusion, predicted, table
from lab.task import Task
from lab.training import Measurement
from rasp import SOp, load, tokens


@cache
def task(name: str = "reverse") -> Task:
    return Task.from_program(sop(name), "a-d", 5, count=200, held_out=40)


def sop(name: str) -> SOp:
    return tokens if name == "copy" else load(f"programs/{name}.rasp").sop()


def sizes(name: str) -> list[tuple[str, int, int, int]]:
    whole = predicted(task(name), {"d_model": 16})
    return [(v.name, v.config.layers, v.config.heads, v.config.d_model) for v in (whole, *ablations(whole)[0])]


def test_what_is_trained_is_the_predicted_size_and_what_is_less() -> None:
    assert sizes("double_histogram") == [
        ("predicted", 2, 2, 16),
        ("one head less", 2, 1, 16),
        ("one layer less", 1, 2, 16),
        ("one layer less, twice as wide", 1, 4, 32),
    ]


def test_without_bos_a_width_takes_two_heads() -> None:
    assert predicted(task("histogram"), {"bos": False}).config.heads == 2
    assert predicted(task("reverse"), {"bos": False}).config.heads == 1


def test_no_heads_are_left_out_and_no_layers_are_trained() -> None:
    assert sizes("histogram")[1:] == [("one layer less", 0, 1, 16), ("one layer less, twice as wide", 0, 2, 32)]
    assert ablations(predicted(task("histogram"), {}))[1] == ["one head less: left out, as no head would remain"]


def test_a_program_without_attention_has_nothing_to_take_away() -> None:
    assert sizes("copy") == [("predicted", 0, 0, 16)]
    assert "needs no attention" in ablations(predicted(task("copy"), {}))[1][0]


def results(*accuracies: tuple[float, ...]) -> list[Result]:
    whole = predicted(task(), {})
    variants = [whole, *ablations(whole)[0]]
    return [Result(one, tuple(map(history, own))) for one, own in zip(variants, accuracies, strict=False)]


def history(last: float) -> tuple[Measurement, ...]:
    return Measurement(50, 1.0, 0.0, last / 2, 0.1, 0.5), Measurement(100, 0.5, 0.0, last, last, 1.0)


def test_the_table_has_a_row_a_size() -> None:
    rows = table(results((0.995, 0.999), (0.5, 0.995)), 0.25).splitlines()
    assert [cell.strip() for cell in rows[2].split("|")[1:-1]] == [
        *(
            "predicted",
            "2",
            "1",
            "32",
            "2",
            "99.70 % (least 99.50 %)",
            "99.70 % (least 99.50 %)",
            "25.00 %",
            "100",
            "1.0",
        ),
    ]
    assert "100 (1 of 2 seeds)" in rows[3]
    assert len({len(row) for row in rows}) == 1


def test_all_is_only_said_of_all() -> None:
    assert "99.99 %" in table(results((0.99999,)), None)
    assert "100 %" in table(results((1.0,)), None)
    assert "never" in table(results((0.98,)), None)


@pytest.mark.parametrize(
    ("accuracies", "words", "absent"),
    [
        (((0.999,), (0.7,)), "70.00 %. All this with up to 100 steps, 1 seed, 4 tokens and lengths", "suffices"),
        (((0.999,), (0.995,)), "counting the tokens for a sort", "enough"),
        (((0.9,), (0.7,)), "not enough to conclude", "One layer"),
    ],
)
def test_what_is_concluded(accuracies: tuple[tuple[float, ...], ...], words: str, absent: str) -> None:
    said = conclusion(results(*accuracies), task())
    assert words in said
    assert absent not in said
    assert said.startswith("The predicted size (2 layers of 1 head) gets")

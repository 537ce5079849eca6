"""Pictures of learned heads and of training."""

from __future__ import annotations

import numpy as np
import pytest

from rasp.errors import DataFault
from viz.learned import curves, learned_heads, lengths


def test_the_programs_heads_stand_above_the_learned_ones_and_their_differences() -> None:
    asked, learned = np.eye(4), np.full((4, 4), 0.25)
    figure = learned_heads("abc", [(1, "first", asked, learned), (2, "second", asked, asked)])
    titles = [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]
    assert titles == [
        *("layer 1: first", "layer 2: second", "learned, layer 1: first", "learned, layer 2: second"),
        *("off by up to 0.75", "off by up to 0"),
    ]


def test_the_row_of_bos_is_no_difference() -> None:
    asked, learned = np.eye(4), np.eye(4)
    learned[0] = 0.25
    figure = learned_heads("abc", [(1, "head", asked, learned)])
    assert "off by up to 0" in [ax.get_title(loc="left") for ax in figure.axes]


def test_sizes_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(DataFault):
        learned_heads("abcdef", [(1, "head", np.eye(4), np.eye(4))])


def test_curves_have_a_line_for_each_model_and_one_for_the_baseline() -> None:
    figure = curves({"predicted": [(50, 0.5), (100, 0.9)], "less": [(50, 0.4), (100, 0.6)]}, baseline=0.2)
    lines = figure.axes[0].get_lines()
    assert [line.get_label() for line in lines] == ["predicted", "less", "the most frequent label everywhere"]
    assert np.asarray(lines[0].get_xydata()).tolist() == [[50, 0.5], [100, 0.9]]


@pytest.mark.parametrize(("trained", "marked"), [(2, True), (3, False), (None, False)])
def test_lengths_that_were_not_trained_lie_right_of_a_line(trained: int | None, marked: bool) -> None:
    figure = lengths({"random": {1: 1.0, 3: 0.5, 2: 0.9}, "learned": {1: 0.8}}, trained=trained)
    own, other, *line = figure.axes[0].get_lines()
    assert np.asarray(own.get_xydata()).tolist() == [[1, 1.0], [2, 0.9], [3, 0.5]]
    assert [own.get_label(), other.get_label()] == ["random", "learned"]
    assert [np.asarray(one.get_xdata()).tolist() for one in line] == ([[2.5, 2.5]] if marked else [])

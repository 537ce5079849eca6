"""One head or one selector, large."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from rasp.errors import DataFault
from rasp.graph import indices, length, select, tokens
from viz.single import head, selector
from viz.style import new_figure


def test_a_selector_shows_what_the_interpreter_marks() -> None:
    ax = selector(select(indices, length - indices - 1), "abcd")
    drawn: NDArray[np.float64] = np.ma.filled(np.ma.asarray(ax.collections[0].get_array()).reshape(4, 4), 0.0)
    assert (drawn == np.eye(4)[::-1]).all()
    assert ax.get_title(loc="left").replace("\n", " ") == "select(indices, (length - indices) - 1, ==)"


def test_a_matrix_of_booleans_is_a_selector_too() -> None:
    ax = selector(np.eye(3, dtype=bool), "abc", title="same place")
    assert ax.get_title(loc="left") == "same place"
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b", "c"]


def test_queries_that_mark_nothing_are_hatched() -> None:
    ax = selector(select(tokens, tokens) & select(indices, indices, "<"), "abab")
    assert [patch.get_y() for patch in ax.patches if patch.get_hatch()] == [-0.5, 0.5]  # type: ignore[attr-defined]
    assert "nothing is selected" in ax.get_xlabel()


def test_a_small_head_has_its_weights_written() -> None:
    ax = head(np.full((3, 3), 1 / 3), "abc")
    assert [text.get_text() for text in ax.texts] == [".33"] * 9
    assert not ax.child_axes


def test_a_large_head_has_a_colour_bar_instead() -> None:
    ax = head(np.full((60, 60), 1 / 60), "a" * 60)
    assert not ax.texts
    assert len(ax.child_axes) == 1


def test_given_axes_are_drawn_on_and_returned() -> None:
    given = new_figure(4, 4).add_subplot()
    assert head(np.eye(3), "abc", ax=given) is given


def test_odd_tokens_stay_apart_and_are_no_formulas() -> None:
    ax = head(np.eye(5), [" ", "", "$x$", "\n", 2.5])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["␣", "∅", "$x$", "↵", "2.5"]


def test_attention_that_is_no_attention_is_refused() -> None:
    with pytest.raises(DataFault, match="2 rows for 3 tokens"):
        head(np.eye(2), "abc")


def test_pictures_need_no_pyplot() -> None:
    code = "import sys, viz.single, viz.head_grid, viz.saving; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

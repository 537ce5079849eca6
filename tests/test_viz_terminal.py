"""Attention, selectors and values as text."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from textwrap import dedent

import numpy as np
import pytest
from numpy.typing import NDArray

from rasp.errors import DataFault
from rasp.operations import Atom
from viz.terminal import cells, heatmap, heatmaps, table


def flipped(size: int) -> NDArray[np.float64]:
    weights = np.zeros((size + 1, size + 1))
    weights[0, 0] = 1
    weights[1:, 1:] = np.eye(size)[::-1]
    return weights


def text(block: str) -> str:
    return dedent(block).strip("\n")


def test_a_selector_with_its_tokens() -> None:
    marked = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    assert heatmap(marked, "abc", title="before") == text(
        """
        before
          a b c
        a · · ·  ∅
        b ██· ·
        c ████·
        """
    )


def test_attention_sets_bos_apart() -> None:
    weights = flipped(2)
    weights[1] = [0.5, 0.25, 0.25]
    assert heatmap(weights, ["x", "yes"]) == text(
        """
            B    y
            O    e
            S  x s
        BOS ██│· ·
            ──┼────
          x ▓▓│▒▒▒▒
        yes · │██·
        """
    )


def test_shades_grow_with_the_weight() -> None:
    weights = np.array([[0, 0.1, 0.3, 0.6, 0.9]] * 5)
    assert heatmap(weights, "abcde").splitlines()[1] == "a · ░░▒▒▓▓██"


@pytest.mark.parametrize("size", [1, 3, 12, 35, 36, 40, 70, 75, 100, 1000])
@pytest.mark.parametrize("width", [40, 80])
def test_every_length_fits_the_width(size: int, width: int) -> None:
    lines = heatmap(flipped(size), ["ab"] * size, width=width).splitlines()
    assert max(map(cells, lines)) <= width


def test_a_pooled_grid_says_so_and_keeps_what_stands_out() -> None:
    lines = heatmap(flipped(200), "a" * 200, width=60).splitlines()
    assert lines[-1] == "each cell: the largest of 4 × 4"
    assert [line.partition("│")[2].index("█") for line in lines[5:-1]] == list(reversed(range(50)))


def test_heads_stand_side_by_side_where_they_fit() -> None:
    wide = heatmaps([[flipped(3)] * 2, []], "abc", titles=[["flip", "again"], []], width=80)
    narrow = heatmaps([[flipped(3)] * 2], "abc", titles=[["flip", "again"]], width=20)
    assert "flip            again" in wide
    assert wide.endswith("layer 2: no heads")
    assert [line for line in narrow.splitlines() if line in {"flip", "again"}] == ["flip", "again"]


def test_colour_adds_codes_and_changes_nothing_else() -> None:
    plain, coloured = (heatmap(np.eye(2), "ab", colour=colour) for colour in (False, True))
    assert coloured.replace("\x1b[38;5;27m", "").replace("\x1b[0m", "") == plain
    assert plain != coloured


def test_values_stand_under_their_tokens() -> None:
    rows: list[tuple[str, Sequence[Atom]]] = [("tokens", "hi"), ("mean", [0.5, 1 / 3]), ("seen", [True, False])]
    assert table(rows) == text(
        """
        tokens   h     i
        mean   0.5 0.333
        seen     T     F
        """
    )


def test_a_wide_table_is_split_by_position() -> None:
    lines = table([("tokens", "abcdefgh"), ("i", list(range(8)))], width=16).splitlines()
    assert lines == [
        "positions 0 to 4",
        "tokens a b c d e",
        "i      0 1 2 3 4",
        "positions 5 to 7",
        "tokens f g h",
        "i      5 6 7",
    ]


def test_wide_characters_and_controls_keep_the_columns() -> None:
    lines = table([("tokens", ["你", "\x1b", "\n"]), ("i", [0, 1, 2])]).splitlines()
    assert lines == ["tokens 你 U+001B ↵", "i       0      1 2"]


def test_a_matrix_of_another_size_is_refused() -> None:
    with pytest.raises(DataFault, match="5 rows for 3 tokens"):
        heatmap(np.eye(5), "abc")


def test_text_needs_no_drawing_library() -> None:
    code = "import sys, viz.terminal; assert 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_what_a_mask_hides_is_crossed_out() -> None:
    marked = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], dtype=bool)
    assert heatmap(marked, "abc", mask=np.tri(3, dtype=bool)) == text(
        """
          a b c
        a · × ×  ∅
        b ██· ×
        c ████·
        ×: hidden by the mask
        """
    )
    two = heatmaps([[marked.astype(float)] * 2], "abc", masks=[[np.tri(3, dtype=bool), None]])
    assert (two.count("×"), two.count("·")) == (3 + 1, 3 + 6)
    assert heatmaps([[np.eye(3)]], "abc", masks=[[np.ones((3, 3), dtype=bool)]]).count("×") == 0
    with pytest.raises(DataFault, match="there is attention where the mask hides"):
        heatmap(marked, "abc", mask=~marked)


def test_a_pooled_cell_is_crossed_out_where_all_of_it_is_hidden() -> None:
    weights, mask = np.zeros((8, 8)), np.zeros((8, 8), dtype=bool)
    mask[0, :3] = True
    assert heatmap(weights, "abcdefgh", mask=mask, width=10).splitlines()[1:3] == ["0 ··×× ∅", "2 ×××× ∅"]

"""The figure of all heads: what is decided, and which artists follow."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from rasp.errors import DataFault
from viz.head_grid import HeadsPlan, draw_heads, heads, plan_heads
from viz.matrix import draw_matrix, plan_matrix
from viz.style import SCALE, UNIT, new_figure


def flipped(size: int) -> NDArray[np.float64]:
    """A reversing head on `size` tokens, BOS first."""
    weights = np.zeros((size + 1, size + 1))
    weights[0, 0] = 1
    weights[1:, 1:] = np.eye(size)[::-1]
    return weights


def even(size: int) -> NDArray[np.float64]:
    return np.full((size + 1, size + 1), 1 / (size + 1))


def letters(size: int) -> str:
    return ("abcdefgh" * size)[:size]


def test_rows_are_layers_and_columns_are_heads() -> None:
    plan = plan_heads([[even(3)] * 3, [flipped(3)] * 2], "abc")
    assert [(panel.layer, panel.head) for panel in plan.panels] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    lefts = [panel.square.left for panel in plan.panels]
    assert lefts[0] < lefts[1] < lefts[2]
    assert lefts[3:] == lefts[:2]
    assert plan.panels[3].square.top > plan.panels[0].square.top + plan.panels[0].square.height


def test_a_layer_without_heads_is_named() -> None:
    plan = plan_heads([[even(3)], [], [even(3)]], "abc")
    assert [row[0] for row in plan.rows] == ["layer 1", "layer 2: no heads", "layer 3"]


def test_no_layers_at_all() -> None:
    plan = plan_heads([], "abc")
    assert plan.bar is None
    assert [row[0] for row in plan.rows] == ["no attention layers"]
    assert isinstance(draw_heads(plan), Figure)


def test_any_array_of_layers_heads_positions_works() -> None:
    figure = heads(np.full((2, 3, 4, 4), 0.25), "abcd")
    assert len([ax for ax in figure.axes if ax.get_xlabel() == "key"]) == 6


@pytest.mark.parametrize("size", [3, 12, 40, 60, 100])
def test_labels_of_every_size_have_room(size: int) -> None:
    for matrix in (panel.matrix for panel in plan_heads([[flipped(size)]], letters(size)).panels):
        for ticks in (matrix.query, matrix.key):
            apart = min(np.diff(ticks.positions)) * matrix.cell
            assert apart >= ticks.size * 1.15 / 72
            assert ticks.labels[0] == "BOS"


def test_short_inputs_are_labelled_in_full_and_long_ones_by_position() -> None:
    short, long = (plan_heads([[flipped(n)]], letters(n)).panels[0].matrix.query for n in (12, 100))
    assert short.labels == ("BOS", *letters(12))
    assert long.labels[:3] == ("BOS", "5: f", "10: c")
    assert long.positions[:3] == (0, 6, 11)


def test_long_tokens_stand_upright_along_the_keys_only() -> None:
    plan = plan_matrix(flipped(3), ["elephant", "a", "mouse"], cell=0.3)
    assert plan.key.upright
    assert not plan.query.upright
    assert not plan_matrix(flipped(3), "abc", cell=0.3).key.upright


def test_without_a_further_position_there_is_no_bos() -> None:
    assert plan_matrix(flipped(3), "abc", cell=0.3).bos
    assert plan_matrix(np.eye(3), "abc", cell=0.3).query.labels == ("a", "b", "c")


def test_rows_that_read_no_token_are_marked_and_explained() -> None:
    weights = flipped(3)
    weights[2] = [1, 0, 0, 0]
    plan = plan_heads([[weights]], "abc")
    assert plan.panels[0].matrix.empty == (2,)
    assert " ".join(plan.note) == "hatched row: nothing is selected"
    assert plan_heads([[flipped(3)]], "abc").note == ()


def test_a_reversal_is_plainly_visible() -> None:
    (ax, *_) = heads([[flipped(12)]], letters(12)).axes
    drawn: NDArray[np.float64] = np.ma.filled(np.ma.asarray(ax.collections[0].get_array()).reshape(13, 13), 0.0)
    assert (drawn[1:, 1:] == np.eye(12)[::-1]).all()
    top, bottom = ax.get_ylim()[::-1]
    assert top < bottom
    assert ax.get_aspect() == 1


@pytest.mark.parametrize("size", [60, 100, 1500])
def test_zero_is_paper_and_an_even_share_of_many_is_plain(size: int) -> None:
    plan = plan_matrix(even(size), letters(size), cell=0.03)
    ax = new_figure(4, 4).add_subplot()
    draw_matrix(ax, plan)
    assert not np.ma.getmaskarray(np.ma.asarray(ax.collections[0].get_array())).any()
    assert not plan.empty
    assert max(SCALE(0.0)[:3]) - min(SCALE(0.0)[:3]) > 0.1
    assert SCALE(UNIT(1 / 60))[0] < SCALE(0.0)[0] - 0.1


def test_the_colour_bar_tells_little_from_nothing() -> None:
    bar = heads([[even(60)]], letters(60)).axes[-1]
    assert [text.get_text() for text in bar.get_yticklabels()] == ["> 0", "1/64", "1/16", "¼", "½", "1"]
    assert bar.get_ylabel() == "attention (white: none)"


def test_only_dense_matrices_become_images() -> None:
    assert plan_matrix(even(40), letters(40), cell=0.1).raster
    assert not plan_matrix(flipped(100), letters(100), cell=0.1).raster


def test_the_scale_darkens_evenly() -> None:
    red, green, blue = np.array([SCALE(x)[:3] for x in np.linspace(0, 1, 50)]).T
    grey = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    steps = np.diff(np.cbrt(grey))
    assert (steps < 0).all()
    assert steps.min() / steps.max() < 1.6


def test_long_titles_are_wrapped_and_cut_to_their_panel() -> None:
    long = "select_best(select(tokens, tokens, ==) and select(indices, indices, <), indices) " * 3
    figure = heads([[even(3), even(3)]], "abc", titles=[[long, "x" * 200]])
    assert no_overlap(figure)


@pytest.mark.parametrize(
    ("tokens", "layers"),
    [
        (["elephant", "a", "hippopotamus", " ", "$x$"] * 8, [1, 1]),
        (list("abc"), [2, 3]),
        (list("hello world!"), [3, 1]),
        (list(letters(60)), [4, 0, 2]),
        (list(letters(100)), [2]),
    ],
)
def test_no_two_texts_overlap(tokens: list[str], layers: list[int]) -> None:
    attention = [[flipped(len(tokens))] * count for count in layers]
    titles = [["select(indices, length - indices - 1, ==)"] * count for count in layers]
    assert no_overlap(heads(attention, tokens, titles=titles))


def no_overlap(figure: Figure) -> bool:
    """Whether every text of a figure stands inside it and clear of all others."""
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    texts = [text for text in figure.findobj(Text) if text.get_text().strip() and text.get_visible()]
    boxes = [text.get_window_extent() for text in texts]
    edges = [(box.x0 + 0.5, box.x1 - 0.5, box.y0 + 0.5, box.y1 - 0.5) for box in boxes]
    clear = all(
        a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2] for i, a in enumerate(edges) for b in edges[:i]
    )
    inside = all(a[0] >= 0 and a[2] >= 0 and a[1] <= figure.bbox.x1 and a[3] <= figure.bbox.y1 for a in edges)
    return clear and inside


@pytest.mark.parametrize(
    ("attention", "tokens", "titles", "words"),
    [
        ([[np.zeros((3, 4))]], "abc", None, "layer 1, head 1: attention has shape [3, 4]"),
        ([[np.eye(3)], [np.eye(5)]], "abc", None, "layer 2, head 1: attention has 5 rows for 3 tokens"),
        ([[np.eye(3), np.eye(4)]], "abc", None, "heads of different sizes stand together: [3, 4]"),
        ([[np.eye(3) * 2]], "abc", None, "numbers outside 0 to 1"),
        ([[np.eye(3) * np.nan]], "abc", None, "numbers outside 0 to 1"),
        ([[np.eye(3)]], "abc", [["a", "b"]], "titles for [2] heads, attention of [1]"),
    ],
)
def test_what_does_not_fit_is_said(
    attention: list[list[NDArray[np.float64]]], tokens: str, titles: list[list[str]] | None, words: str
) -> None:
    with pytest.raises(DataFault) as fault:
        heads(attention, tokens, titles=titles)
    assert words in str(fault.value)


def test_the_plan_is_a_value_that_can_be_compared() -> None:
    one, two = (plan_heads([[even(3)]], "abc", titles=[["full_s"]]) for _ in range(2))
    assert isinstance(one, HeadsPlan)
    assert (one.width, one.height, one.bar, one.rows) == (two.width, two.height, two.bar, two.rows)


def test_what_a_mask_hides_is_apart_from_what_is_not_looked_at() -> None:
    weights, mask = [[1, 0, 0], [0.5, 0.5, 0], [1, 0, 0]], np.array([[1, 0, 0], [1, 1, 0], [1, 1, 1]], dtype=bool)
    plan = plan_heads([[weights, weights]], "ab", masks=[[mask, None]])
    first, second = (panel.matrix.hidden for panel in plan.panels)
    assert first is not None
    assert first.tolist() == (~mask).tolist()
    assert second is None
    assert plan.remarks == ("grey: hidden by the mask",)


def test_a_mask_that_hides_attention_is_an_error() -> None:
    with pytest.raises(DataFault, match="attention where the mask hides the key"):
        heads([[np.eye(2)]], "ab", masks=[[~np.eye(2, dtype=bool)]])
    with pytest.raises(DataFault, match="masks for"):
        heads([[np.eye(2)]], "ab", masks=[[]])

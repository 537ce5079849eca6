"""Characters that DejaVu Sans lacks: another font writes them, or the picture says that none can."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from viz import fonts
from viz.head_grid import heads, plan_heads
from viz.single import head
from viz.style import text_width

ARROW = "⤀"
"""In DejaVu Serif and in STIX, which both come with Matplotlib, but not in DejaVu Sans."""


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if DejaVu Sans were the only font installed."""
    monkeypatch.setattr(fonts, "_families", lambda: ())
    fonts._font_of.cache_clear()
    monkeypatch.setattr(fonts, "_needed", set())
    yield
    fonts._font_of.cache_clear()


def test_a_character_is_written_in_whatever_font_has_it() -> None:
    assert (fonts.drawable(ARROW), fonts.unwritten([ARROW])) == (ARROW, "")
    assert fonts.families()[0] == fonts.FONT
    assert len(fonts.families()) > 1
    assert text_width(ARROW, 7) > 0


def test_a_picture_with_such_a_character_is_drawn_without_complaint() -> None:
    figure = heads([[np.eye(2)]], [ARROW, "é"], titles=[[ARROW]])
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    assert any(ARROW in text.get_text() and len(text.get_fontfamily()) > 1 for text in figure.findobj(Text))


def test_the_order_of_fonts_does_not_depend_on_what_was_written_first() -> None:
    fonts.drawable(ARROW)
    known = fonts.families()
    assert known[1:] == sorted(known[1:], key=fonts._families().index)


@pytest.mark.usefixtures("alone")
def test_a_character_that_no_font_has_is_spelt_out_and_that_is_said() -> None:
    plan = plan_heads([[np.eye(2)]], ["你", "a"])
    assert plan.panels[0].matrix.query.labels == ("U+4F60", "a")
    assert " ".join(plan.remarks).startswith("U+4F60: written by number, as no font installed here")
    assert plan_heads([[np.eye(2)]], "ab").remarks == ()


@pytest.mark.usefixtures("alone")
def test_a_single_matrix_says_it_too() -> None:
    ax = head(np.eye(1), ["你"])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["U+4F60"]
    assert "no font installed" in ax.get_xlabel().replace("\n", " ")

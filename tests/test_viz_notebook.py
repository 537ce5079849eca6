"""What notebooks show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from compiler.pipeline import compile_sop
from rasp.display import Displayed
from rasp.errors import DataFault
from rasp.graph import aggregate, indices, length, select, tokens
from rasp.layers import analyse
from viz import show_on

flip = select(indices, length - indices - 1)
reverse = aggregate(flip, tokens)


@pytest.fixture(autouse=True)
def _back() -> Iterator[None]:
    yield
    show_on("hello")


@pytest.mark.parametrize("shown", [reverse, flip, compile_sop(reverse, "abc", 3).run("abc")], ids=["sop", "sel", "run"])
def test_pictures_are_svg(shown: Displayed) -> None:
    text = shown._repr_svg_()
    assert ElementTree.fromstring(str(text)).tag.endswith("svg")


def test_what_has_no_value_on_the_example_is_shown_as_text() -> None:
    letters = aggregate(select(1, 1), tokens)
    assert letters._repr_svg_() is None
    show_on("a")
    assert letters._repr_svg_() is not None


def test_an_example_must_be_an_input() -> None:
    with pytest.raises(DataFault, match="at least one token"):
        show_on([])


def test_analyses_and_models_are_tables() -> None:
    odd = compile_sop(aggregate(select(tokens, "<"), indices), "<>", 3)
    assert "<caption>2 layers, heads [1, 1]</caption>" in str(analyse([reverse])._repr_html_())
    text = odd._repr_html_()
    assert text is not None
    assert "select(tokens, &quot;&lt;&quot;, ==)" in text
    assert "d_head" in text


def done(code: str) -> None:
    subprocess.run([sys.executable, "-c", "import sys, rasp, compiler.run.model\n" + code], check=True)


def test_pictures_are_found_when_something_is_shown() -> None:
    done("assert not {'viz', 'matplotlib'} & set(sys.modules); assert rasp.indices._repr_svg_().startswith('<')")


def test_without_the_libraries_that_draw_there_is_text() -> None:
    done("sys.modules['matplotlib'] = None; assert rasp.indices._repr_svg_() is None")


@pytest.mark.filterwarnings("ignore")  # the library's own
def test_treescope_shows_models_and_results() -> None:
    treescope: Any = pytest.importorskip("treescope", reason="treescope is not installed: make interop runs this")
    model = compile_sop(reverse, "ab", 2)
    shown = treescope.render_to_text(model)
    assert shown.startswith("CompiledModel(")
    assert "'W_U'" in shown
    assert "tokens=('a', 'b')" in treescope.render_to_text(model.run("ab"))


def test_treescope_shows_nodes_as_anything_else() -> None:
    assert reverse.__treescope_repr__(None, None) is NotImplemented

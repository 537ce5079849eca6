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
from rasp.graph import SOp, aggregate, indices, length, relation, select, selector_width, tokens
from rasp.layers import analyse
from rasp.relations import given_graph
from viz import graph, show_on
from viz.labels import OUT_OF_SIGHT

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


EDGES = relation("edges")
PATH = given_graph({"tokens": "abc", "edges": [[0, 1], [1, 2]]})


def test_graphs_and_what_is_built_on_them_are_pictures() -> None:
    degree = selector_width(EDGES)
    assert (degree._repr_svg_(), EDGES._repr_svg_()) == (None, None)
    show_on(PATH)
    shown: list[Any] = [degree, EDGES, PATH, graph(PATH, compile_sop(degree, "abc", 3))]
    assert all(ElementTree.fromstring(str(one._repr_svg_())).tag.endswith("svg") for one in shown)
    assert given_graph({"tokens": "a" * 201, "edges": []})._repr_svg_() is None


@pytest.mark.parametrize(
    "node", [selector_width(EDGES), aggregate(EDGES & select(tokens, "a"), indices)], ids=["width", "mean"]
)
def test_what_a_mask_hides_is_told_of_results_and_selectors(node: SOp) -> None:
    found = compile_sop(node, "abc", 3).run(PATH)
    ((mask,),) = found.masks
    assert mask is not None
    assert mask[1:, 1:].tolist() == [[False] * 3, [True, False, False], [False, True, False]]
    assert OUT_OF_SIGHT in str(found._repr_svg_())
    show_on(PATH)
    assert OUT_OF_SIGHT in str(EDGES._repr_svg_())
    assert compile_sop(reverse, "abc", 3).run("abc").masks == ((None,), (None,))


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
    masked = compile_sop(selector_width(EDGES & select(tokens, "a")), "abc", 3)._repr_html_()
    assert "<td>relation(&quot;edges&quot;)</td>" in str(masked)


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

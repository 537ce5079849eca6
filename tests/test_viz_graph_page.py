"""docs/graphs.md: every program on graphs has a line, a picture and as many layers as are predicted."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection

from rasp.operations import Atom
from viz.gallery import small_png
from viz.graph_page import TASKS, Task, _vertices, between, drawn, layers_figure, picture_of, rounds, sections, table

ROOT = Path(__file__).parent.parent
PROGRAMS, DOCS = ROOT / "programs", ROOT / "docs"
PAGE = (DOCS / "graphs.md").read_text(encoding="utf-8")
BY_NAME = {f"{task.folder}/{task.name}": task for task in TASKS}


def test_every_program_is_a_task() -> None:
    there = {f"{path.parent.name}/{path.stem}" for folder in ("graphs", "graphqa") for path in _files(folder)}
    assert there == set(BY_NAME)


def _files(folder: str) -> list[Path]:
    return sorted((PROGRAMS / folder).glob("*.rasp"))


def test_the_page_is_as_it_is_made() -> None:
    assert table(PROGRAMS) in PAGE, "run `make gallery`"
    assert sections(PROGRAMS) in PAGE, "run `make gallery`"
    shown = set(re.findall(r"\((graphs/.*?\.png)\)", PAGE))
    assert shown == {f"graphs/{path.name}" for path in (DOCS / "graphs").glob("*.png")}
    assert shown == {"graphs/layers.png", *map(picture_of, TASKS)}
    assert sum(path.stat().st_size for path in (DOCS / "graphs").glob("*.png")) < 2_500_000


@pytest.mark.parametrize("name", BY_NAME)
def test_programs_have_the_layers_predicted(name: str) -> None:
    for n in (3, 6, 10):
        assert BY_NAME[name].built(PROGRAMS, n) == BY_NAME[name].predicted(n)


def test_paths_double() -> None:
    assert [rounds(n) for n in (2, 3, 4, 5, 6, 9, 10, 17, 18)] == [1, 1, 2, 2, 3, 3, 4, 4, 5]


def circles(ax: Axes) -> list[tuple[str, list[list[float]]]]:
    """The points of each collection, with whether they are filled."""
    return [
        ("filled" if len(one.get_facecolor()) else "empty", np.asarray(one.get_offsets()).tolist())
        for one in ax.collections
        if isinstance(one, PathCollection)
    ]


def test_the_plot_has_a_line_for_each_formula_and_circles_for_programs() -> None:
    one, two = Task("graphs", "a", "", "n", lambda n: n), Task("graphs", "b", "", "n", lambda n: n)
    questions = Task("graphqa", "c", "", "1", lambda n: 1)
    figure = layers_figure({one: {3: 3, 5: 5}, two: {3: 3, 5: 6}, questions: {3: 1}}, {one: {5: 5}, two: {3: 3, 5: 6}})
    left, right = figure.axes
    assert [line.get_xydata().tolist() for line in left.lines] == [[[3, 3], [5, 5]]]  # type: ignore[union-attr]
    assert circles(left) == [("empty", [[3, 3], [5, 5], [5, 6]]), ("filled", [[5, 5], [5, 6]])]
    assert [text.get_text() for text in (*left.texts, *right.texts)] == ["n\na, b", "1\nc"]


@pytest.mark.parametrize(("tokens", "n"), [(["0", "1", "0-1", "0?1"], 2), (["0", "3?0"], 4), (["*", ".", "."], 3)])
def test_inputs_say_how_many_vertices_there_are(tokens: list[Atom], n: int) -> None:
    assert _vertices(tokens) == n


def test_what_stands_between_marks_is_replaced() -> None:
    assert between("a <b> c <d> e", ("<b>", "<d>"), "new") == "a <b>\n\nnew\n\n<d> e"


@pytest.mark.parametrize("name", ["graphs/kinship", "graphqa/degree"])
def test_pictures_are_the_same_bytes_each_time(name: str) -> None:
    first, again = (small_png(drawn(BY_NAME[name], PROGRAMS)) for _ in range(2))
    assert first == again

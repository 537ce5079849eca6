"""Graphs as text: vertices, their values, and what they look at."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import Any

import pytest

from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from rasp import aggregate, indices, relation, select, selector_width, tokens_int
from rasp.errors import DataFault
from viz import graph_text

PATH: dict[str, Any] = {"tokens": [1, 0, 1, 1], "edges": [[0, 1], [1, 2, "far"]]}


def mean() -> CompiledModel:
    return compile(aggregate(relation("edges"), tokens_int), [0, 1], 40, name="mean")


def text(block: str) -> str:
    return dedent(block).strip("\n")


def test_a_graph_without_a_model_is_its_edges() -> None:
    assert graph_text(PATH) == text(
        """
        input: edges, from key to query
          0  1
          1  0  from 0
          2  1  from 1 (far)
          3  1
        """
    )
    both = {"tokens": "abcde", "edges": [[0, 1], [2, 0], [3, 0]], "directed": False}
    assert graph_text(both).splitlines()[:3] == ["input: edges, both ways", "  0  a  with 1-3", "  1  b  with 0"]
    assert graph_text("ab") == "input: tokens\n  0  a\n  1  b"


def test_a_head_has_a_line_for_each_vertex() -> None:
    given = {"tokens": [1, 0, 1, 1], "edges": [[0, 1], [2, 1], [3, 1], [1, 0]]}
    title, *lines = graph_text(given, mean(), width=100).splitlines()[5:]
    assert re.fullmatch(r"layer 1, head 1: .*edges.*, line \d+; on the vertices: \w*mean", title)
    assert lines == [
        "  0  1  0    ━━━━━━━━ 1 on 1",
        "  1  0  1.0  ━━━ 0.333 on 0, 2, 3",
        "  2  1  0    ━━━━━━━━ 1 on BOS",
        "  3  1  0    ━━━━━━━━ 1 on BOS",
        "each line: a vertex, its value, and how much attention it has on each of the places named",
    ]


def test_what_is_in_sight_and_not_looked_at_is_apart_from_what_is_hidden() -> None:
    local = relation("edges") | select(indices, indices)
    hit = compile(selector_width(local & select(tokens_int, 0)) > 0, [0, 1], 4, name="hit")
    lines = graph_text(PATH, hit, width=160).splitlines()
    assert lines[7] == "  1  0  T  ━━━━ 0.5 on 1, BOS   in sight: 0"
    assert lines[9] == "  3  1  F  ━━━━━━━━ 1 on BOS   in sight: 3"
    assert lines[-1].endswith("what is not named is hidden")


@pytest.mark.parametrize("width", [40, 80])
def test_wide_lines_go_on_below(width: int) -> None:
    edges = [[u, 0] for u in range(0, 40, 2)]
    lines = graph_text({"tokens": [0] * 40, "edges": edges}, mean(), width=width).splitlines()
    assert max(map(len, lines)) <= width
    assert "".join(lines).count("38") == 3 + 1


def test_too_many_vertices_are_refused() -> None:
    with pytest.raises(DataFault, match="the graph has 201 vertices"):
        graph_text({"tokens": [0] * 201, "edges": []})

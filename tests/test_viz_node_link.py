"""Graphs with attention along their edges: what stands on vertices and edges, where vertices stand, what is said."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from rasp import (
    aggregate,
    full,
    indices,
    relation,
    select,
    selector_width,
    tokens,
)
from rasp.errors import DataFault
from rasp.graph import SOp
from rasp.language.program import load_program
from viz import graph, save
from viz.comparison import own_source
from viz.node_link import NodeLinkPlan, plan_node_link
from viz.vertex_layout import vertex_places
from viz.vertex_pictures import _head

PATH: dict[str, Any] = {"tokens": "aaa", "edges": [[0, 1], [1, 2]]}


@cache
def degree() -> CompiledModel:
    return compile(selector_width(relation("edges")), "a", 4)


def plan(node: SOp, given: Any, vocabulary: Any = "a", **options: Any) -> NodeLinkPlan:
    return plan_node_link(given, compile(node, vocabulary, len(given["tokens"]), **options))


def test_a_head_has_its_attention_as_edges_and_its_layer_on_the_vertices() -> None:
    given, head = (panel.picture for panel in plan_node_link(PATH, degree()).panels)
    assert given.texts == ("a", "a", "a")
    assert head.texts == ("0", "1", "1")
    assert np.allclose(head.attention, [[0.0, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.5, 0.0]])
    assert np.allclose(head.on_bos, [1, 0.5, 0.5])


def test_an_edge_is_as_wide_as_its_attention() -> None:
    star = {"tokens": "aaaa", "edges": [[0, 1], [0, 3], [1, 3], [2, 3]]}
    axes = graph(star, degree()).axes[1]
    (lines,) = [one for one in axes.collections if isinstance(one, LineCollection) and one.get_gid() == "attention"]
    widths = np.asarray(lines.get_linewidth())
    assert np.allclose(widths, 0.5 + 5 * np.array([1 / 2, 1 / 4, 1 / 4, 1 / 4]))
    (arrows,) = [one for one in axes.collections if isinstance(one, PolyCollection) and one.get_gid() == "arrows"]
    assert len(arrows.get_paths()) == 4


def test_an_arrow_points_at_the_query() -> None:
    drawn = plan_node_link({"tokens": "aa", "edges": [[0, 1]]}, degree())
    axes = graph({"tokens": "aa", "edges": [[0, 1]]}, degree()).axes[1]
    (arrows,) = [one for one in axes.collections if one.get_gid() == "arrows"]
    tip = np.asarray(arrows.get_paths()[0].vertices)[1]
    assert np.isclose(np.linalg.norm(tip - drawn.places[1]), drawn.radius)


def test_what_a_mask_allows_and_nobody_looks_at_is_apart() -> None:
    edges = relation("edges")
    drawn = plan(selector_width(edges & select(tokens, "b", "==")), {**PATH, "tokens": "bab"}, "ab")
    head = drawn.panels[1].picture
    assert head.attention.astype(bool).tolist() == [[False] * 3, [True, False, False], [False] * 3]
    assert head.idle.tolist() == [[False] * 3, [False] * 3, [False, True, False]]
    assert any("dashed" in note for note in drawn.notes)


def test_a_head_without_a_mask_says_that_it_sees_all() -> None:
    drawn = plan(aggregate(full, indices), {"tokens": "aaa"})
    assert drawn.panels[0].picture.title == ("input: tokens",)
    assert "no mask: every vertex is in sight" in drawn.panels[1].picture.title
    assert any("ring" in note for note in drawn.notes)


def test_a_causal_head_does_not_see_what_comes_later() -> None:
    drawn = plan(aggregate(select(tokens, "b", "=="), indices), {"tokens": "aba"}, "ab", causal=True)
    assert drawn.panels[1].picture.idle.tolist() == [[True, False, False], [True, False, False], [True, False, True]]


def test_a_relation_that_goes_both_ways_has_lines_without_arrows() -> None:
    both = {**PATH, "directed": False}
    given = plan_node_link(both, degree()).panels[0].picture
    assert not given.arrows
    assert int(given.attention.astype(bool).sum()) == 2


def test_labels_stand_on_the_edges_of_every_relation() -> None:
    figure = graph({"tokens": "ab", "near": [[0, 1, "child"]], "far": [[1, 0, 2]]})
    written = [{text.get_text() for text in axes.texts} for axes in figure.axes[:2]]
    assert "child" in written[0]
    assert "2" in written[1]
    assert [axes.get_title(loc="left").split(",")[0] for axes in figure.axes[:2]] == ["input: near", "input: far"]


def test_every_hop_shows_its_own_values() -> None:
    program = load_program("programs/graphs/k_hops.rasp")
    model = compile(program.sop(), "*.", 4, source_map=own_source(program))
    drawn = plan_node_link({"tokens": "*...", "edges": [[0, 1], [1, 2], [2, 3]]}, model)
    assert [panel.picture.texts for panel in drawn.panels[1:]] == [("T", "T", "F", "F"), ("T", "T", "T", "F")]
    assert drawn.panels[2].picture.title[-1] == "on the vertices: reached"


def test_what_a_layer_computes_beside_is_said() -> None:
    edges = relation("edges")
    first, last = aggregate(edges, indices), aggregate(edges, indices * indices)
    drawn = plan(aggregate(edges, first + last) + aggregate(edges, last), PATH)
    assert not any("not on the vertices" in note for note in plan_node_link(PATH, degree()).notes)
    assert any("not on the vertices, though layer 1 computes it" in note for note in drawn.notes)


def test_attention_too_faint_to_be_drawn_is_said() -> None:
    assert not plan_node_link(PATH, degree()).panels[1].picture.faint
    weights = np.array([[1, 0, 0], [0.9999, 0.0001, 0], [1, 0, 0]])
    assert _head(["a head"], weights, None, ("", "")).faint


def graph_notes(given: Any) -> tuple[str, ...]:
    return plan_node_link(given).notes


def test_one_vertex_is_a_picture() -> None:
    assert plan_node_link("a").places.shape == (1, 2)
    assert len(graph({"tokens": "a", "edges": [[0, 0]]}, degree()).axes) == 3


def test_long_values_are_cut_and_that_is_said() -> None:
    drawn = plan(
        selector_width(relation("edges")), {"tokens": ["a long token", "b"], "edges": []}, ["a long token", "b"]
    )
    assert drawn.panels[0].picture.texts == ("a long…", "b")
    assert "a longer value is cut off" in " ".join(graph_notes({"tokens": "ab", "edges": [[0, 1, "grandmother"]]}))
    assert any("a longer value is cut off" in note for note in drawn.notes)


def test_too_many_vertices_are_refused() -> None:
    with pytest.raises(DataFault, match="201 vertices"):
        graph({"tokens": "a" * 201, "edges": []})


@pytest.mark.parametrize(
    "shape",
    [
        networkx.empty_graph(3),
        networkx.path_graph(60),
        networkx.complete_graph(12),
        networkx.star_graph(40),
        networkx.gnp_random_graph(60, 0.05, seed=1),
        networkx.path_graph(100),
    ],
)
def test_vertices_stand_apart_and_always_in_one_place(shape: networkx.Graph) -> None:
    places = vertex_places(shape, 0.5)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + np.eye(len(places))
    assert apart.min() >= 0.49
    assert np.array_equal(places, vertex_places(shape, 0.5))
    assert np.allclose(places.min(axis=0), 0)


def test_the_picture_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    first, second = (save(graph(PATH, degree()), tmp_path / name).read_bytes() for name in ("a.svg", "b.svg"))
    assert first == second

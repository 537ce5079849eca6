"""The flow of a computation: what is shown, where it stands, how it is drawn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from rasp.errors import TypeFault
from rasp.graph import Node, SOp, aggregate, full, indices, length, relation, select, selector_width, tokens, tokens_int
from rasp.relations import given_graph
from tests.figures import overlaps
from viz.flow_chart import flow
from viz.flow_chart.content import Flow, contents
from viz.flow_chart.elements import Layout
from viz.flow_chart.layout import lay_out
from viz.labels import OUT_OF_SIGHT

flip = select(indices, length - indices - 1)
reverse = aggregate(flip, tokens)
NAMES: dict[Node, str] = {flip: "flip", reverse: "reverse", length: "length", full: "full_s"}


def four_layers() -> tuple[SOp, dict[Node, str]]:
    """An s-op of four layers with a wide one among them."""
    before = select(tokens, reverse) & select(indices, indices, "<=")
    count = selector_width(before)
    mean = aggregate(select(count, indices, "<"), indices)
    return mean + count * aggregate(flip, indices), {**NAMES, before: "before", count: "count", mean: "mean"}


def test_reverse_measures_in_one_layer_and_flips_in_the_next() -> None:
    stages = contents(reverse, "abc", NAMES).stages
    assert [[row.name for row in stage.rows] for stage in stages] == [
        ["indices", "tokens"],
        ["length", "(length - indices) - 1"],
        ["reverse"],
    ]
    assert [[head.title for head in stage.heads] for stage in stages] == [[], ["full_s"], ["flip"]]
    assert stages[2].rows[0].values == ("c", "b", "a")
    assert (stages[2].heads[0].marked == np.eye(3, dtype=bool)[::-1]).all()


def test_a_head_says_what_it_reads_and_as_what() -> None:
    shown = contents(reverse, "abc", NAMES)
    reads = [(read.role, shown.rows[read.node].name) for read in shown.stages[2].heads[0].reads]
    assert reads == [("key", "indices"), ("query", "(length - indices) - 1"), ("value", "tokens")]


def test_a_head_of_means_writes_the_length_as_well() -> None:
    shown = contents(aggregate(full, tokens_int) + length + indices, [1, 2, 3], NAMES)
    (head,) = shown.stages[1].heads
    assert [shown.rows[node].name for node in head.writes] == ["aggregate(full_s, tokens_int)", "length"]
    reads = [(read.role, shown.rows[read.node].name) for read in head.reads]
    assert reads == [("value", "tokens_int"), ("value", "indices")]


def test_small_steps_are_hidden_and_their_readers_read_past_them() -> None:
    shown = contents((indices + 1) * 2 - length, "abc")
    last = shown.stages[-1].rows[-1]
    assert [shown.rows[source].name for source in last.reads] == ["indices", "length"]
    assert "indices + 1" not in [row.name for row in shown.rows.values()]


def test_a_named_step_is_shown_with_its_formula() -> None:
    step = indices + 1
    row = contents(step * 2, "abc", {step: "place"}).stages[0].rows[1]
    assert (row.name, row.formula, row.values) == ("place", "indices + 1", (1, 2, 3))


def test_a_long_chain_of_doublings_is_instant() -> None:
    node: SOp = indices
    for _ in range(60):
        node = node + node
    assert len(contents(node, "ab").rows) == 2


def test_a_selector_has_no_flow() -> None:
    with pytest.raises(TypeFault, match="shows an s-op"):
        contents(flip, "abc")  # type: ignore[arg-type]


def test_edges_join_what_is_read_to_what_reads_it() -> None:
    edges = [(edge.source, edge.target) for edge in lay_out(contents(reverse, "abc", NAMES))[0].edges]
    assert sorted(edges) == [
        ("(length - indices) - 1", "flip"),
        ("flip", "reverse"),
        ("full_s", "length"),
        ("indices", "(length - indices) - 1"),
        ("indices", "flip"),
        ("length", "(length - indices) - 1"),
        ("tokens", "flip"),
    ]


def test_edges_run_across_and_down_only() -> None:
    for edge in layout_of(12).edges:
        for (x, y), (next_x, next_y) in pairwise(edge.points):
            assert x == next_x or y == next_y
            assert next_y >= y


def test_edges_of_different_rows_share_no_stretch_down() -> None:
    down = [
        (edge.colour, round(x, 4), y, next_y)
        for edge in layout_of(5).edges
        for (x, y), (next_x, next_y) in pairwise(edge.points)
        if x == next_x and next_y > y
    ]
    for i, (colour, x, top, bottom) in enumerate(down):
        for other, other_x, other_top, other_bottom in down[:i]:
            assert colour == other or x != other_x or bottom <= other_top or other_bottom <= top


def layout_of(size: int) -> Layout:
    node, names = four_layers()
    (layout,) = lay_out(contents(node, "abcdefghijkl"[:size], names))
    return layout


def flow_of(size: int) -> Flow:
    node, names = four_layers()
    return contents(node, ("abcdefghijkl" * 9)[:size], names)


def test_layers_follow_one_another_down_the_page() -> None:
    bands = layout_of(12).bands
    assert len(bands) == 5
    assert all(a.top + a.height <= b.top for a, b in pairwise(bands))


@pytest.mark.parametrize("size", [1, 3, 12, 60, 107])
def test_every_value_is_written(size: int) -> None:
    shown = [cells for layout in lay_out(flow_of(size)) for cells in layout.cells]
    assert all("" not in cells.texts for cells in shown)
    assert not any("…" in text for cells in shown for text in cells.texts)


@pytest.mark.parametrize(("size", "blocks"), [(30, 1), (60, 2), (300, 10)])
def test_tables_have_every_value_in_blocks_of_positions(size: int, blocks: int) -> None:
    rows = contents(indices, ("abcdefghijkl" * 30)[:size])
    (page,) = lay_out(rows)
    assert [text for cells in page.cells for text in cells.texts] == list(map(str, range(size)))
    assert len(page.cells) == blocks
    assert len([words for words in page.words if words.text.startswith("positions")]) == (blocks if blocks > 1 else 0)


def test_what_is_thinned_out_along_a_pattern_is_in_the_tables_and_that_is_said() -> None:
    (page,) = lay_out(contents(aggregate(select(indices, indices, "<="), indices), "a" * 300))
    beside = next(cells for cells in page.cells if not cells.across and cells.colour)
    assert beside.texts[:3] == ("0", "", "2")
    assert any(words.text.startswith("along patterns one value in 2 is written") for words in page.words)
    tables = [cells for cells in page.cells if cells.across and "" not in cells.texts]
    assert sum(len(cells.texts) for cells in tables) == 2 * 300


def test_numbers_stand_upright_over_a_pattern_where_cells_are_narrow() -> None:
    narrow, wide = (lay_out(contents(aggregate(full, indices), "a" * size))[0].cells for size in (60, 12))
    assert [cells.upright for cells in narrow if len(cells.texts) == 60 and cells.across] == [True, False]
    assert not any(cells.upright for cells in wide)


def test_a_long_computation_goes_on_in_further_columns() -> None:
    layouts = lay_out(flow_of(60))
    titles = [[words.text for words in layout.words if words.bold and "layer" in words.text] for layout in layouts]
    assert len(layouts) > 1
    assert [column[0] for column in titles] == ["layer 1"] + ["from earlier layers"] * (len(titles) - 1)
    assert [title for column in titles for title in column if "earlier" not in title] == [
        f"layer {number}" for number in (1, 2, 3, 4)
    ]
    assert max(layout.height for layout in layouts) < 25


def test_a_row_keeps_its_colour_in_every_column() -> None:
    colours: dict[str, set[str]] = {}
    for layout in lay_out(flow_of(60)):
        for words in layout.words:
            if words.text in ("tokens", "count", "indices"):
                colours.setdefault(words.text, set()).add(words.colour)
    assert all(len(found) == 1 for found in colours.values())


@pytest.mark.parametrize("size", [3, 12, 60])
def test_no_two_texts_overlap(size: int) -> None:
    node, names = four_layers()
    figure = flow(node, ("abcdefghijkl" * 9)[:size], names=names)
    assert overlaps(figure) == []


def test_long_tokens_and_odd_ones_fit_their_cells() -> None:
    assert overlaps(flow(reverse, ["elephant", "$x$", "hippopotamus", " ", "你"], names=NAMES)) == []


def test_many_heads_of_a_layer_stand_in_several_rows() -> None:
    node: SOp = indices
    for distance in range(8):
        node = node + aggregate(select(indices, indices - distance), indices)
    (layout,) = lay_out(contents(node, "abcdefgh"))
    assert len({grid.y for grid in layout.grids}) > 1
    assert layout.width < 15
    assert overlaps(flow(node, "abcdefgh")) == []


def test_a_result_without_a_name_is_called_by_what_its_head_does() -> None:
    heads = contents(aggregate(flip, tokens), "abc").stages[-1].heads
    widths = contents(selector_width(flip), "abc").stages[-1].heads
    assert [head.results for head in (*heads, *widths)] == [("aggregate(…, tokens)",), ("selector_width(…)",)]


def test_what_a_relation_or_a_causal_mask_hides_is_grey() -> None:
    edges = relation("edges")
    given = given_graph({"tokens": "aba", "edges": [[0, 1], [1, 2], [2, 0]]})
    (plan,) = lay_out(contents(selector_width(edges & select(tokens, "a")), given, {}))
    (grid,) = plan.grids
    assert (grid.marked | grid.hidden).tolist() == [[True] * 3, [True] * 3, [True, False, True]]
    assert grid.hidden.tolist() == [[True, True, False], [False, True, True], [True, False, True]]
    assert OUT_OF_SIGHT in {words.text for words in plan.words}
    (plan,) = lay_out(contents(selector_width(select(tokens, "a")), "aba", {}, causal=True))
    (grid,) = plan.grids
    assert grid.hidden.tolist() == np.triu(np.ones((3, 3), dtype=bool), 1).tolist()
    (plan,) = lay_out(contents(selector_width(select(tokens, "a")), "aba", {}))
    (grid,) = plan.grids
    assert not grid.hidden.any()

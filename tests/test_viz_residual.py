"""The residual stream and the weights by name: what is shown, in which order, under which names."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.pipeline import compile_sop
from compiler.run.model import CompiledModel
from compiler.symbolic import split_direction
from compiler.tensors import with_tensors
from rasp.graph import Node, aggregate, indices, length, select, selector_width, tokens
from tests.figures import overlaps
from viz.directions import decoded, groups, written
from viz.residual_stream import plan_residual, residual, said
from viz.weight_tables import layer_tables, plan_weights, weights

flip = select(indices, length - indices - 1)
reverse = aggregate(flip, tokens)
before = select(tokens, tokens, "<") | (select(tokens, tokens) & select(indices, indices, "<"))
ordered = aggregate(select(selector_width(before), indices), tokens)
NAMES: dict[Node, str] = {flip: "flip", reverse: "reverse", before: "before", ordered: "sorted"}


def model(vocabulary: str = "abc", longest: int = 4) -> CompiledModel:
    return compile_sop(reverse, vocabulary, longest, names=NAMES)


@pytest.mark.parametrize(
    ("direction", "parts"),
    [
        ("tokens=a", ("tokens", "a")),
        ("tokens==", ("tokens", "=")),
        ('tokens="', ("tokens", '"')),
        ("next=", ("next", "")),
        ('tokens == "a=b"=True', ('tokens == "a=b"', "True")),
        ('1.0 if (tokens == "x") else 0.0', ('1.0 if (tokens == "x") else 0.0', None)),
        ("selector_width(select(tokens, tokens, ==))", ("selector_width(select(tokens, tokens, ==))", None)),
    ],
)
def test_a_direction_is_an_sop_and_perhaps_a_value(direction: str, parts: tuple[str, str | None]) -> None:
    assert split_direction(direction) == parts


def test_directions_of_one_sop_are_a_group_that_stands_for_a_value() -> None:
    (one, letters, number) = groups(["one", "tokens=a", "tokens= ", "length"])
    assert (letters.name, letters.members, letters.values) == ("tokens", (1, 2), ("a", "␣"))
    assert decoded(letters, np.array([1.0, 0, 1, 5])) == "␣"
    assert decoded(letters, np.array([1.0, 0, 0, 5])) == ""
    assert decoded(letters, np.array([1.0, 1, 1, 5])) == ""
    assert (one.values, number.values) == ((), ())


def test_numbers_are_short() -> None:
    assert [written(x) for x in (1.0, 1 / 3, -0.25, -2304.0, 2.0**24)] == ["1", ".333", "-.25", "-2304", "1.68e7"]


def test_the_stream_is_read_from_top_to_bottom_in_the_order_of_writing() -> None:
    plan = plan_residual(model(), "abca")
    assert [panel.title for panel in plan.panels] == ["embedding", "after layer 1", "after layer 2"]
    heads = [line.label for line in plan.lines if line.direction is None or not line.group.values]
    assert heads[:3] == ["one", "bos", "tokens_asis"]
    assert heads[-1] == "reverse"


def test_every_feed_forward_belongs_to_a_layer_and_those_before_the_first_are_the_inputs() -> None:
    compiled = compile_sop(ordered, "abc", 4, names=NAMES)
    assert [panel.title for panel in plan_residual(compiled, "cab").panels] == [
        "embedding", "after the input feed-forward", "after layer 1", "after layer 2",
    ]  # fmt: skip
    assert [title for title, _ in layer_tables(compiled.weights)] == ["input feed-forward", "layer 1", "layer 2"]


def test_a_group_says_its_value_and_what_changed_is_marked() -> None:
    plan = plan_residual(model(), "abca")
    line = [line.label for line in plan.lines].index("reverse")
    assert [panel.texts[line][1:] for panel in plan.panels] == [("",) * 4, ("",) * 4, ("a", "c", "b", "a")]
    assert not plan.panels[0].changed.any()
    assert plan.panels[2].changed[line + 1 :].sum() == 4
    assert not plan.panels[2].changed[:line].any()


def test_what_is_0_throughout_is_left_out_and_counted() -> None:
    plan = plan_residual(model("abcdefgh"), "ab")
    assert "= h" not in [line.label for line in plan.lines]
    assert " ".join(plan.note).endswith("not shown: 12 directions that are 0 throughout")


def test_wide_pictures_go_on_in_further_rows() -> None:
    panels = plan_residual(model("abcde", 30), "abcde" * 6).panels
    assert [panel.box.left for panel in panels] == [panels[0].box.left, panels[1].box.left, panels[0].box.left]
    assert panels[2].box.top > panels[0].box.top + panels[0].box.height


@pytest.mark.parametrize(("size", "blocks"), [(12, 1), (60, 2), (150, 7)])
def test_every_number_is_written_where_positions_are_many(size: int, blocks: int) -> None:
    plan = plan_residual(model("abcd", size), ("abcd" * 40)[:size])
    assert len(plan.panels) == 3 * blocks
    for panel in plan.panels:
        assert all(panel.texts[line][x] for line, x in np.argwhere(np.abs(panel.numbers) > 1e-6).tolist())
        assert len(panel.labels) * plan.cell == pytest.approx(panel.box.width)
    last = [panel.texts[[line.label for line in plan.lines].index("reverse")] for panel in plan.panels[-blocks:]]
    assert "".join(text for part in last for text in part) == ("abcd" * 40)[:size][::-1]


def test_blocks_of_positions_say_which_they_are() -> None:
    panels = plan_residual(model("abcd", 60), "abcd" * 15).panels
    assert [panel.title for panel in panels[2:4]] == ["after layer 1, BOS to 29", "after layer 1, positions 30 to 59"]


def test_what_stands_for_no_value_is_a_question_mark() -> None:
    weights = model().weights
    row = weights.directions.index("tokens_asis=b")
    W_E = weights.W_E.copy()  # noqa: N806
    W_E[1, row] = 0.5
    broken = CompiledModel(with_tensors(weights, {"W_E": W_E}))
    stream = broken.trace(broken.encode("ab"), "reference").residuals[0].astype(np.float64)
    (group,) = (group for group in groups(weights.directions) if group.name == "tokens_asis")
    assert [said(group, vector) for vector in stream] == ["", "?", "b"]


def test_large_groups_fold_where_there_are_many() -> None:
    plan = plan_residual(compile_sop(ordered, range(30), 30, names=NAMES), list(range(30)))
    assert any(line.label.endswith("(30 directions)") for line in plan.lines)
    assert len(plan.lines) < 20


def test_weights_say_what_a_head_does() -> None:
    (_, first), (_, second) = layer_tables(model().weights)
    titles = [table.title for table in (*first, *second)]
    assert titles[-2:] == ["W_QK of flip", "W_OV of flip"]
    moves = second[1]
    assert moves.rows == ("tokens_asis=a", "tokens_asis=b", "tokens_asis=c")
    assert moves.columns == ("reverse=a", "reverse=b", "reverse=c")
    assert (moves.numbers == np.eye(3)).all()


def test_a_neuron_is_a_column_and_the_rounding_constant_a_letter() -> None:
    (table,) = (table for _, tables in layer_tables(model().weights) for table in tables if "W_in" in table.title)
    assert table.rows == ("one", "1/(length + 1)", "bias", "length")
    assert table.rule == 3
    assert table.texts[0][1] == "R"
    assert table.texts[2][1].startswith("−R+")


def test_many_neurons_are_shown_in_parts() -> None:
    tables = [table for _, tables in layer_tables(model("abcdefgh", 40).weights) for table in tables]
    parts = [table for table in tables if "W_in" in table.title]
    assert [table.title.partition(": ")[2] for table in parts] == [
        "neurons 0 to 35 of 79", "neurons 36 to 71 of 79", "neurons 72 to 78 of 79",
    ]  # fmt: skip
    assert [name for table in parts for name in table.columns] == list(map(str, range(79)))
    assert all(text for table in parts for text in table.texts[0])


def test_a_second_feed_forward_of_a_layer_has_its_number() -> None:
    product = selector_width(select(tokens, tokens)) * selector_width(before)
    compiled = compile_sop(aggregate(select(product, indices), indices), "ab", 4)
    tables = dict(layer_tables(compiled.weights))["layer 1"]
    titles = [table.title for table in tables if "W_in" in table.title]
    assert titles == ["W_in, b_in and W_out of the feed-forward", "W_in, b_in and W_out of feed-forward 2"]


def test_large_matrices_are_whole_and_shaded_and_say_their_numbers() -> None:
    compiled = compile_sop(selector_width(select(indices, indices, "<=") & select(tokens, "a")), "ab", 50)
    ((_, (scores, *_)),) = layer_tables(compiled.weights)
    assert scores.shaded
    assert scores.numbers.shape == (52, 52)
    assert scores.note == "52 × 52: 128 in 1277, 256 in 1, 0 in the others"
    (item, *_) = plan_weights(compiled).tables
    assert [name for _, name in item.row_names] == ["one, bos", "indices (50)"]


@pytest.mark.parametrize("size", [3, 12, 60])
def test_no_two_texts_overlap(size: int) -> None:
    compiled = model("abcd", size)
    assert overlaps(residual(compiled, ("abcd" * 15)[:size])) == []
    assert overlaps(weights(compiled)) == []


def test_a_model_without_layers_has_weights_too() -> None:
    assert plan_weights(compile_sop(tokens, "ab", 3)).notes[0] == "There are no layers."

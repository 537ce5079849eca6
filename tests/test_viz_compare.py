"""Heads beside their selectors: the attention that is asked for is the attention that there is."""

from __future__ import annotations

import numpy as np
import pytest

from compiler.pipeline import compile_sop
from compiler.run.model import CompiledModel
from compiler.tensors import with_tensors
from rasp.graph import indices, length, select, selector_width, tokens
from rasp.language.program import parse_program
from viz.comparison import attention_asked, compare, computed, head_titles, plan_compare
from viz.flow_chart.content import contents

PROGRAM = parse_program(
    """same = select(tokens, tokens, ==);
count = selector_width(same);
first = selector_width(same and select(indices, indices, <)) == 0;
out_ = aggregate(select(count, indices, ==), indices, 0) if first else 9;
"""
)


def test_a_mean_is_even_over_what_is_marked_and_a_width_counts_bos() -> None:
    marked = np.array([[True, True], [False, False]])
    assert attention_asked(marked, "aggregate").tolist() == [[1, 0, 0], [0, 0.5, 0.5], [1, 0, 0]]
    assert attention_asked(marked, "width").tolist() == [[1, 0, 0], [1 / 3, 1 / 3, 1 / 3], [1, 0, 0]]


def model_of(name: str) -> CompiledModel:
    return compile_sop(PROGRAM.sop(name), "abc", 6, names=PROGRAM.names, origins=PROGRAM.origins)


@pytest.mark.parametrize("text", ["a", "abab", "cabba"])
def test_softmax_gives_what_the_selector_asks_for(text: str) -> None:
    layers = computed(model_of("out_"), text)
    assert [len(layer) for layer in layers] == [2, 1]
    assert max(head.off for layer in layers for head in layer) < 1e-6


def test_heads_stand_in_the_order_of_flow_pictures_and_name_their_lines() -> None:
    titles = head_titles(model_of("out_"))
    stages = contents(PROGRAM.sop("out_"), "abab", PROGRAM.names).stages[1:]
    assert titles[0] == ["same and select(indices, indices, <) (width), line\u00a03", "same (width), line\u00a01"]
    for row, stage in zip(titles, stages, strict=True):
        for title, head in zip(row, stage.heads, strict=True):
            assert title.startswith(head.title)


def test_selectors_of_one_name_are_told_apart() -> None:
    shifted = parse_program(
        """def shifted(k) { s = select(indices, indices - k, ==); return aggregate(s, tokens, "-"); }
same = shifted(1) == shifted(2);
"""
    )
    model = compile_sop(shifted.sop("same"), "ab", 5, names=shifted.names, origins=shifted.origins)
    ((one, two),) = computed(model, "abba")
    assert head_titles(model) == [["s, line\u00a01"] * 2]
    assert (one.off, two.off) == (0, 0)
    assert not (one.asked == two.asked).all()


def test_split_heads_have_their_own_selectors() -> None:
    before = select(tokens, tokens, "<") | (select(tokens, tokens) & select(indices, indices, "<"))
    (layer,) = computed(compile_sop(selector_width(before), "abc", 5, prefer="small"), "cabba")
    assert len(layer) == 2
    assert max(head.off for head in layer) < 1e-6


def test_a_causal_model_is_compared_with_masked_selectors() -> None:
    ((head,),) = computed(compile_sop(length, "ab", 4, causal=True), "abba")
    assert head.off < 1e-6
    assert (np.triu(head.asked, 1) == 0).all()


def test_heads_that_are_as_asked_have_no_panel_of_differences() -> None:
    model = model_of("first")
    plan = plan_compare(computed(model, "abc"), "abc")
    assert [bool(panel.matrix.empty) for panel in plan.panels] == [True, True]
    assert plan.panels[1].title == ("softmax: exactly as asked",)
    assert len([ax for ax in compare(model, "abc").axes if ax.get_xlabel() == "key"]) == 2


def test_heads_of_a_layer_are_numbered_from_1() -> None:
    plan = plan_compare(computed(model_of("out_"), "abc"), "abc")
    assert [name for name, _, _ in plan.rows] == ["layer 1, head 1", "layer 1, head 2", "layer 2"]


def test_a_head_that_is_off_has_its_differences_magnified_and_their_size_said() -> None:
    weights = model_of("first").weights
    soft = with_tensors(weights, {"layers.0.heads.0.W_Q": weights.layers[0].heads[0].W_Q / 64})
    ((found,),) = layers = computed(CompiledModel(soft), "abc")
    asked, softmax, difference = plan_compare(layers, "abc").panels
    assert " ".join(softmax.title) == f"softmax: off by up to {found.off:.2g}"
    assert " ".join(difference.title) == f"difference: darkest is {found.off:.2g}"
    assert difference.matrix.weights.max() == 1
    assert asked.matrix.empty
    assert not difference.matrix.empty

"""Heads beside their selectors: the attention that is asked for is the attention that there is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from compiler.model import CompiledModel
from compiler.pipeline import compile_sop
from rasp.errors import DataFault
from rasp.graph import indices, select, selector_width, tokens
from rasp.program import parse_program
from viz.compare import attention_asked, compare, computed, plan_compare
from viz.flow.content import contents

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


@pytest.mark.parametrize("text", ["a", "abab", "cabba"])
def test_softmax_gives_what_the_selector_asks_for(text: str) -> None:
    sop = PROGRAM.sop("out_")
    model = compile_sop(sop, "abc", 6, names=PROGRAM.names, origins=PROGRAM.origins)
    layers = computed(sop, model, text, names=PROGRAM.names)
    assert [len(layer) for layer in layers] == [2, 1]
    assert max(head.off for layer in layers for head in layer) < 1e-6


def test_heads_stand_in_the_order_of_flow_pictures_and_name_their_lines() -> None:
    sop = PROGRAM.sop("out_")
    model = compile_sop(sop, "abc", 6, names=PROGRAM.names, origins=PROGRAM.origins)
    layers = computed(sop, model, "abab", names=PROGRAM.names)
    stages = contents(sop, "abab", PROGRAM.names).stages[1:]
    assert [[head.head.name for head in layer] for layer in layers] == [
        [h.title for h in stage.heads] for stage in stages
    ]
    assert {head.head.title for head in layers[0]} == {
        "same (width), line\u00a01",
        "same and select(indices, indices, <) (width), line\u00a03",
    }


def test_split_heads_are_matched_too() -> None:
    before = select(tokens, tokens, "<") | (select(tokens, tokens) & select(indices, indices, "<"))
    place = selector_width(before)
    model = compile_sop(place, "abc", 5, prefer="small")
    (layer,) = computed(place, model, "cabba")
    assert len(layer) == 2
    assert max(head.off for head in layer) < 1e-6


def test_a_model_of_another_sop_is_refused() -> None:
    model = compile_sop(PROGRAM.sop("first"), "abc", 6)
    with pytest.raises(DataFault, match=r"heads \[1\] are not the s-op's, \[2, 1\]"):
        compare(PROGRAM.sop("out_"), model, "abc")


def test_heads_that_are_as_asked_have_no_panel_of_differences() -> None:
    sop = PROGRAM.sop("first")
    model = compile_sop(sop, "abc", 6, names=PROGRAM.names, origins=PROGRAM.origins)
    plan = plan_compare([head for layer in computed(sop, model, "abc") for head in layer], "abc")
    assert [bool(panel.matrix.empty) for panel in plan.panels] == [True, True]
    assert plan.panels[1].title == ("softmax: exactly as asked",)
    assert len([ax for ax in compare(sop, model, "abc").axes if ax.get_xlabel() == "key"]) == 2


def test_a_head_that_is_off_has_its_differences_magnified_and_their_size_said() -> None:
    sop = PROGRAM.sop("first")
    model = compile_sop(sop, "abc", 6, names=PROGRAM.names)
    (head,) = model.weights.layers[-1].heads
    soft = replace(model.weights.layers[-1], heads=(replace(head, W_Q=head.W_Q / 64),))
    changed = CompiledModel(replace(model.weights, layers=(*model.weights.layers[:-1], soft)))
    ((found,),) = computed(sop, changed, "abc", names=PROGRAM.names)
    asked, softmax, difference = plan_compare([found], "abc").panels
    assert " ".join(softmax.title) == f"softmax: off by up to {found.off:.2g}"
    assert " ".join(difference.title) == f"difference: darkest is {found.off:.2g}"
    assert difference.matrix.weights.max() == 1
    assert asked.matrix.empty
    assert not difference.matrix.empty

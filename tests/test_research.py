"""Looking inside models: caches, hooks, ablations, patches, and s-ops read and written by name."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import rasp
from compiler.artifact import load, save
from compiler.ir import ModelWeights
from compiler.run.model import CompiledModel
from rasp.errors import DataFault, NameFault, ValueFault
from rasp.graph import SOp, aggregate, elementwise, full, indices, select, selector_width, tokens
from rasp.inputs import parse_input, tokens_of
from rasp.interpret import run
from rasp.operations import Atom
from rasp.vocabulary import parse_vocabulary

PROGRAMS = Path(__file__).parent.parent / "programs"
DYCK = rasp.load(PROGRAMS / "dyck2.rasp")
MODEL = DYCK.compile(vocab="()[]", max_length=5)
REVERSE = rasp.load(PROGRAMS / "reverse.rasp").compile(vocab="a-d", max_length=5)


@cache
def small(path: Path) -> tuple[rasp.Program, CompiledModel, list[Atom]]:
    """A bundled program compiled for a few tokens of its own, and an input."""
    header = dict(re.findall(r"^# ([\w-]+): +(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
    given = tokens_of(parse_input(header["input"]))
    few = list(dict.fromkeys([*given, *parse_vocabulary(header["vocab"])]))[:3]
    program = rasp.load(path)
    return program, program.compile(few, 5), (few * 2)[:5]


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.rasp")), ids=lambda path: path.stem)
def test_the_stream_is_the_sum_of_its_parts_and_says_what_the_interpreter_says(path: Path) -> None:
    program, model, given = small(path)
    result, cache = model.run_with_cache(given)
    assert result.output == program.sop()(given)
    assert torch.equal(cache["resid_pre", "input"], cache["embed"] + cache["pos_embed"])
    for at, layer in enumerate(model.layers):
        attention = cache["result", at].sum(dim=1)
        written = [cache["mlp_out", at, number] for number in range(len(layer.feed_forwards))]
        torch.testing.assert_close(cache["attn_out", at], attention)
        torch.testing.assert_close(cache["resid_mid", at], cache["resid_pre", at] + attention)
        torch.testing.assert_close(cache["resid_post", at], sum(written, cache["resid_mid", at]))
    for held in model.weights.held:
        if held.name in program.variables and held.numbers + held.values:
            assert cache[held.name] == run(program.sop(held.name), given)


def test_s_ops_are_read_by_name_or_node_for_one_input_or_several() -> None:
    _, cache = MODEL.run_with_cache("([])")
    assert cache["opened"] == [1, 2, 2, 2]
    assert cache["level"] == [1, 2, 2, 1], "computed from what the stream holds"
    assert cache[MODEL.weights.sops["dyck2"]] == ["P", "P", "P", "T"]
    _, several = MODEL.run_with_cache([["("], ["(", "[", "]"]])
    assert several["level"] == [[1], [1, 2, 2]]


def test_tensors_have_the_batch_axis_in_front_of_several_inputs_alone() -> None:
    _, cache = MODEL.run_with_cache("([])")
    assert cache["pattern", 1].shape == (1, 5, 5)
    assert cache["pattern", 1][0].argmax(dim=1).tolist() == [0, 0, 0, 2, 1]
    _, several = MODEL.run_with_cache([["("], list("([])")])
    assert several["pattern", 1].shape == (2, 1, 5, 5)
    torch.testing.assert_close(several["pattern", 1][1], cache["pattern", 1])


@pytest.mark.parametrize(
    ("short", "full_name"),
    [
        (("pattern", 1), "blocks.1.attn.hook_pattern"),
        (("attn", -2), "blocks.1.attn.hook_pattern"),
        (("attn_scores", 0), "blocks.0.attn.hook_attn_scores"),
        (("post", 0, 0), "blocks.0.mlp.hook_post"),
        (("post", 0, 1), "blocks.0.mlps.1.hook_post"),
        ("embed", "hook_embed"),
        (("resid_mid", 2), "blocks.2.hook_resid_mid"),
    ],
)
def test_short_names_mean_what_transformer_lens_calls_so(short: Any, full_name: str) -> None:
    _, cache = MODEL.run_with_cache("()")
    assert cache[short] is cache[full_name]
    assert short in cache
    assert full_name in MODEL.names()


def test_names_are_listed_with_shapes() -> None:
    text = str(MODEL.names())
    assert "s-ops, decoded: kind, opens, opened, depth, level, fits, ever_wrong, dyck2" in text
    assert re.search(r"'pattern', 1 +blocks\.1\.attn\.hook_pattern +\[H, T, T\]", text)
    _, cache = MODEL.run_with_cache("()")
    assert list(cache) == [point.name for point in MODEL.names().places]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("lvl", "did you mean level?"),
        (("post", 7), "there is ('post', 0), ('post', 0, 1), ('post', 1), ('post', 2)"),
        (("patern", 1), "did you mean pattern?"),
        ("blocks.1.attn.hook_patern", "did you mean blocks.1.attn.hook_pattern"),
    ],
)
def test_unknown_names_are_errors(asked: Any, hint: str) -> None:
    _, cache = MODEL.run_with_cache("()")
    with pytest.raises(NameFault) as error:
        cache[asked]
    assert hint in str(error.value)
    assert asked not in cache


def test_only_what_is_asked_for_is_kept() -> None:
    _, cache = MODEL.run_with_cache("()", [("z", 1), lambda name: name.endswith("hook_q")])
    assert list(cache) == [
        "blocks.0.attn.hook_q",
        "blocks.1.attn.hook_q",
        "blocks.1.attn.hook_z",
        "blocks.2.attn.hook_q",
    ]
    assert cache["level"] == [1, 1]
    with pytest.raises(NameFault, match="was not kept"):
        cache["v", 0]


def test_hooks_read_and_change() -> None:
    seen: list[tuple[str, tuple[int, ...]]] = []

    def look(scores: Tensor, hook: Any) -> None:
        seen.append((hook.name, tuple(scores.shape)))

    def shift(pattern: Tensor, hook: Any) -> Tensor:
        return pattern.roll(1, dims=-2)

    result = REVERSE.run_with_hooks("abcd", [(("scores", 1), look), ("blocks.1.attn.hook_pattern", shift)])
    assert seen == [("blocks.1.attn.hook_attn_scores", (1, 5, 5))]
    assert result.output[1:] == ["d", "c", "b"]
    assert not result.covered
    assert REVERSE("abcd") == ["d", "c", "b", "a"]


@pytest.mark.parametrize("name", [point.name for point in REVERSE.names().places])
def test_a_hook_that_gives_the_same_back_changes_nothing(name: str) -> None:
    found = REVERSE.run_with_hooks([["a", "b"], ["c"]], [(name, lambda value, hook: value.clone())])
    assert [result.output for result in found] == [["b", "a"], ["c"]]


def test_changes_in_place_stay_in_the_pass() -> None:
    def clear(value: Tensor, hook: Any) -> None:
        value.zero_()

    before = REVERSE.network.W_pos.clone()
    result, cache = REVERSE.edited([(REVERSE._places.one(("resid_pre", 1)), clear)]).run_with_cache("ab")
    assert cache["resid_pre", 1].abs().max() == 0
    assert cache["resid_post", 0].abs().max() > 0
    REVERSE.run_with_hooks("ab", [("hook_pos_embed", clear)])
    assert torch.equal(REVERSE.network.W_pos, before)
    assert min(result.margins["reverse"]) < 0.5


def test_a_hook_that_never_fires_is_an_error() -> None:
    with pytest.raises(NameFault, match="has no place"):
        MODEL.run_with_hooks("()", [("blocks.9.hook_resid_pre", print)])
    with pytest.raises(NameFault, match="would never fire"):
        MODEL.run_with_hooks("()", [(lambda name: "layernorm" in name, print)])


def test_a_hook_gives_a_tensor_of_the_same_shape() -> None:
    with pytest.raises(DataFault, match=r"gave a tensor \[3\], where a tensor \[5, 1"):
        REVERSE.run_with_hooks("abcd", [(("z", 0), lambda value, hook: torch.zeros(3))])
    with pytest.raises(DataFault, match="gave a int"):
        REVERSE.run_with_hooks("abcd", [(("z", 0), lambda value, hook: 3)])


def test_gradients_reach_what_a_hook_put_in() -> None:
    held: list[Tensor] = []

    def put(value: Tensor, hook: Any) -> Tensor:
        held.append(value.detach().clone().requires_grad_())
        return held[0]

    model = REVERSE.edited([(REVERSE._places.one(("resid_pre", 1)), put)])
    _, cache = model.run_with_cache("ab")
    cache["resid_post", 1].sum().backward()
    assert held[0].grad is not None


def test_a_model_without_a_head_answers_with_margins() -> None:
    ablated = MODEL.ablate(head=(1, 0))
    assert "edited at blocks.1.attn.hook_z" in repr(ablated)
    assert ablated("([)]") != MODEL("([)]")
    assert torch.count_nonzero(ablated.run_with_cache("()")[1]["result", 1]) == 0
    flipped = REVERSE.ablate(head=[(0, 0), (1, 0)]).run("abc")
    assert not flipped.covered
    assert max(flipped.margins["reverse"]) < 0.5
    with pytest.raises(ValueFault):
        REVERSE.ablate(head=(1, 0)).run("abc", strict=True)


def test_hidden_units_are_ablated() -> None:
    _, cache = MODEL.ablate(mlp=0, neurons=[0, 2]).run_with_cache("([])")
    assert torch.count_nonzero(cache["post", 0][:, [0, 2]]) == 0
    _, without = MODEL.ablate(mlp=(0, 1)).run_with_cache("([])")
    assert torch.count_nonzero(without["post", 0, 1]) == 0


@pytest.mark.parametrize("asked", [{}, {"head": (0, 1)}, {"head": (9, 0)}, {"mlp": 9}, {"head": 1}])
def test_what_is_not_there_is_not_ablated(asked: Any) -> None:
    with pytest.raises((NameFault, DataFault, TypeError)):
        MODEL.ablate(**asked)
    with pytest.raises(NameFault, match="has no index 500"):
        MODEL.ablate(mlp=0, neurons=[500])("()")


def test_places_and_s_ops_of_another_input_are_patched_in() -> None:
    assert REVERSE.patch("dcba", ("z", 1))("abcd") == list("abcd")
    assert REVERSE.patch("dddd", ("z", 1), positions=[0, 3])("abca") == list("dcbd")
    assert REVERSE.patch("dddd", ("v", 1), head=0, positions=[0])("abcc") == list("ccbd")
    assert MODEL.patch("((((", "opened")("([])") == MODEL.patch("((((", ("z", 0))("([])") != MODEL("([])")


def test_a_patch_says_what_does_not_fit() -> None:
    with pytest.raises(DataFault, match="both inputs must have the same length"):
        REVERSE.patch("dd", ("z", 1))("abc")
    with pytest.raises(DataFault, match="has no heads"):
        REVERSE.patch("dd", ("resid_mid", 1), head=0)
    with pytest.raises(DataFault, match="one input, not several"):
        REVERSE.patch([["d"], ["a"]], ("z", 1))
    with pytest.raises(DataFault, match="nothing to patch"):
        REVERSE.patch("dd")


def test_edits_add_up_and_leave_the_model_alone() -> None:
    both = REVERSE.patch("dddd", ("z", 1), positions=[0]).patch("cccc", ("z", 1), positions=[1])
    assert both("abab") == list("dcba")
    assert both.batch(["abab", "aaaa"]) == [list("dcba"), list("dcaa")]
    assert both.network is REVERSE.network
    assert REVERSE("abab") == list("baba")


def test_edited_models_are_neither_saved_nor_run_elsewhere(tmp_path: Path) -> None:
    ablated = MODEL.ablate(head=(0, 0))
    with pytest.raises(DataFault, match="an edited model has no file"):
        save(ablated, tmp_path / "x.safetensors")
    with pytest.raises(DataFault, match="runs on reference or torch, not on sparse"):
        ablated.run("()", engine="sparse")


@pytest.mark.parametrize("path", sorted(PROGRAMS.glob("*.rasp")), ids=lambda path: path.stem)
def test_numpy_runs_edited_models_as_torch_does(path: Path) -> None:
    _, model, given = small(path)
    model = model.patch(given[::-1], "embed", positions=[0, 2])
    for at, _ in enumerate(model.layers[:1]):
        model = model.ablate(head=(at, 0)).patch(given[::-1], ("scores", -1), head=0)
    own, found = model.run(given), model.run(given, engine="reference")
    assert found.outputs == own.outputs
    for mine, theirs in zip(own.trace.residuals, found.trace.residuals, strict=True):
        torch.testing.assert_close(torch.tensor(theirs), torch.tensor(mine))


def test_numpy_runs_edited_models_without_torch() -> None:
    code = (
        "import sys, rasp\n"
        "program = rasp.parse('r = aggregate(select(indices, 0, ==), tokens);')\n"
        "m = program.compile('ab', 3, interventions='r')\n"
        "print(m.ablate(head=(0, 0)).run('ab', engine='reference').covered)\n"
        "print(m.intervene('ab', {'r': {1: 'b'}}, engine='reference').output, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False", "['a', 'b'] False"]


def test_a_model_from_a_file_knows_its_s_ops(tmp_path: Path) -> None:
    save(MODEL, tmp_path / "x.safetensors")
    again = load(tmp_path / "x.safetensors")
    assert again.run_with_cache("([])")[1]["level"] == [1, 2, 2, 1]
    assert again.names().sops == MODEL.names().sops


def test_python_functions_and_names_given_in_python_are_read_as_well() -> None:
    count = selector_width(select(tokens, tokens)).named("count")
    shown = elementwise(lambda number: "many" if number > 1 else "one", count).named("shown")
    model = rasp.compile(aggregate(select(indices, 0), shown), "ab", 3)
    _, cache = model.run_with_cache("aab")
    assert (cache["count"], cache["shown"]) == ([2, 2, 1], ["many", "many", "one"])


def test_what_the_stream_does_not_hold_is_said() -> None:
    first = aggregate(full, indices).named("first_mean")
    second = aggregate(full, rasp.indicator(tokens == "a")).named("second_mean")
    model = rasp.compile(first + second > 1, "ab", 6)
    _, cache = model.run_with_cache("aab")
    with pytest.raises(NameFault, match="is not in the residual stream"):
        cache["second_mean"]


def test_an_unclear_value_is_an_error_unless_nearest_will_do() -> None:
    def halve(value: Tensor, hook: Any) -> Tensor:
        return value / 3

    edited = MODEL.edited([(MODEL._places.one(("resid_post", 2)), halve)])
    _, cache = edited.run_with_cache("([])", strict=False)
    assert min(cache.margins("dyck2")) < 0.5
    with pytest.raises(ValueFault, match="dyck2"):
        edited.run_with_cache("([])", strict=True)


def test_a_name_that_two_s_ops_have_is_asked_for_by_node() -> None:
    one, two = (indices + 1).named("x"), (aggregate(full, indices)).named("x")
    model = rasp.compile({"one": one, "two": two}, "a", 3)
    _, cache = model.run_with_cache("aa")
    with pytest.raises(NameFault, match="2 s-ops are called x"):
        cache["x"]
    assert cache[one] == [1, 2]
    assert isinstance(model.weights, ModelWeights)
    assert isinstance(one, SOp)

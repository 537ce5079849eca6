"""Relations in compiled models: masks on heads, for every graph an input may have."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from compiler import load, save, verify
from compiler.audit import audit
from compiler.pipeline import compile as compiled
from compiler.run.graph_inputs import relation_labels
from compiler.run.model import CompiledModel
from compiler.run.random_graphs import FAMILIES, random_edges
from compiler.tensors import parameter_counts
from export.formats import save as export
from rasp import evaluate, parse
from rasp.__main__ import main
from rasp.errors import DataFault, Failures, Refusal
from rasp.graph import (
    SOp,
    aggregate,
    indices,
    label,
    relation,
    select,
    select_best,
    selector_width,
    tokens,
    tokens_int,
    transpose,
)

EDGES = relation("edges")
LOCAL = EDGES | select(indices, indices, "==")
DEGREE = selector_width(EDGES)
HIT = selector_width(EDGES & select(tokens, "1", "==")) > 0
EITHER = selector_width(EDGES | select(tokens, tokens, "=="))
GIVEN: Any = {"tokens": "1231", "edges": [[0, 1], [1, 2], [3, 3], [0, 3]]}

PROGRAMS: dict[str, SOp] = {
    "degree": DEGREE,
    "mean": aggregate(EDGES, tokens_int),
    "with itself": aggregate(LOCAL, tokens_int),
    "hit": HIT,
    "back and not there": selector_width(transpose(EDGES) & ~EDGES),
    "labelled": aggregate(relation("edges", "child"), indices, -1),
    "best": aggregate(select_best(EDGES, tokens_int), indices, -1),
    "two": selector_width(EDGES & relation("other")),
    "either": EITHER,
    "neither": selector_width(~(EDGES | (select(tokens, tokens, "==") & relation("other")))),
}


@pytest.fixture(scope="module")
def models() -> dict[str, CompiledModel]:
    return {name: compiled(sop, "123", 5) for name, sop in PROGRAMS.items()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_engines_agree_on_random_graphs(name: str, models: dict[str, CompiledModel]) -> None:
    found = verify(PROGRAMS[name], models[name], count=60)
    assert found.counterexample is None
    assert not found.exhaustive


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["degree", "mean", "back and not there", "either"])
def test_other_modes(name: str, causal: bool) -> None:
    model = compiled(PROGRAMS[name], "123", 4, causal=causal, dtype="float64")
    assert verify(PROGRAMS[name], model, count=40, engines=("reference", "torch", "sparse")).counterexample is None


def test_a_mask_costs_no_score_dimension(models: dict[str, CompiledModel]) -> None:
    (head,) = models["degree"].layers[0].heads
    assert head.mask is EDGES
    assert head.W_Q.shape[1] == 1
    assert models["with itself"].layers[0].heads[0].W_Q.shape[1] == 1


def test_attention_is_the_selector(models: dict[str, CompiledModel]) -> None:
    model = models["mean"]
    pattern = model.run(GIVEN).attention[0][0]
    assert (pattern[1:, 1:] > 0).tolist() == evaluate(EDGES, GIVEN)
    assert pattern[1, 0] == 1
    assert pattern[0].tolist() == [1, 0, 0, 0, 0]


def test_the_certificate_is_for_every_relation(models: dict[str, CompiledModel]) -> None:
    proof = models["two"].weights.certificate
    assert proof is not None
    assert (
        proof.statement == "exact for all inputs of 1 to 5 tokens over 3 with every relation edges and other in float32"
    )


@pytest.mark.parametrize("name", ["labelled", "either", "back and not there"])
def test_files_keep_masks(name: str, models: dict[str, CompiledModel], tmp_path: Path) -> None:
    save(models[name], tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    heads = [head for layer in again.layers for head in layer.heads]
    assert [head.mask for head in heads] == [head.mask for layer in models[name].layers for head in layer.heads]
    given: Any = {**GIVEN, "edges": [[0, 1, "child"], [1, 2]]}
    assert again.run(GIVEN).output == evaluate(PROGRAMS[name], GIVEN)
    assert again(given) == evaluate(PROGRAMS[name], given)
    assert audit(again, "m.safetensors").certificate == again.weights.certificate


def test_graphs_of_several_lengths_in_a_batch(models: dict[str, CompiledModel]) -> None:
    inputs: list[Any] = [
        GIVEN,
        {"tokens": "1", "edges": []},
        {"tokens": "22", "edges": [[0, 1], [1, 0]], "directed": True},
    ]
    for name in ("degree", "mean", "back and not there"):
        assert models[name](inputs) == [evaluate(PROGRAMS[name], given) for given in inputs]


def test_networkx_graphs_run(models: dict[str, CompiledModel]) -> None:
    import networkx

    graph = networkx.path_graph(3)
    networkx.set_node_attributes(graph, "1", "token")
    assert models["degree"](graph) == [1, 2, 1]


def test_an_input_without_the_relation_is_an_error(models: dict[str, CompiledModel]) -> None:
    with pytest.raises(DataFault, match="no relation"):
        models["degree"].run("123")
    with pytest.raises(DataFault, match="none are given"):
        models["degree"].trace(models["degree"].encode("123"))
    with pytest.raises(DataFault, match="is given no such mask"):
        models["degree"].network(torch.zeros((1, 2), dtype=torch.int64))


def test_masks_for_heads_of_ones_own(models: dict[str, CompiledModel]) -> None:
    (mask,) = models["mean"].masks(GIVEN).values()
    queries = torch.zeros(1, 5, 2)
    values = torch.tensor([0.0, 1, 2, 3, 1])[None, :, None]
    own = scaled_dot_product_attention(queries, queries, values, attn_mask=torch.from_numpy(mask))
    near = evaluate(aggregate(EDGES | select(indices, indices, "!="), tokens_int), {**GIVEN, "edges": [[0, 1]]})
    assert own.shape == (1, 5, 1)
    assert mask[:, 0].all()
    assert mask[0].tolist() == [True, False, False, False, False]
    assert mask[1:, 1:].tolist() == evaluate(EDGES, GIVEN)
    assert len(near) == 4


def test_torch_takes_masks(models: dict[str, CompiledModel]) -> None:
    model = models["degree"]
    ids = torch.from_numpy(model.encode(list("1231")))[None]
    masks = {mask: torch.from_numpy(cells)[None] for mask, cells in model.masks(GIVEN).items()}
    logits = model.network(ids, masks=masks)
    assert np.array_equal(logits[0].numpy(), model.run(GIVEN).trace.logits)


def test_other_formats_refuse_masks(models: dict[str, CompiledModel], tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="look along relations or masks, and a state dict takes none"):
        export(models["degree"], tmp_path / "m.npz", "state-dict")


def test_a_width_of_edges_or_data_is_two_heads(models: dict[str, CompiledModel]) -> None:
    assert models["either"].weights.heads == [2]
    assert any("because no single head can tell" in note for note in models["either"].weights.notes)
    assert compiled(EITHER > 0, "12", 3).weights.heads == [2]


@pytest.mark.parametrize(
    "sop",
    [
        aggregate(EDGES | select(tokens, tokens, "=="), tokens_int),
        aggregate(EDGES, label(EDGES)),
    ],
)
def test_what_is_refused(sop: SOp) -> None:
    with pytest.raises((Refusal, Failures)) as caught:
        compiled(sop, "12", 3)
    assert "InternalFault" not in str(caught.value)


def test_what_is_best_and_an_edge_takes_one_layer_more() -> None:
    root = aggregate(select_best(select(tokens, tokens, "=="), indices) & EDGES, indices)
    model = compiled(root, "12", 3)
    assert model.weights.depth == 2
    assert verify(root, model).counterexample is None


def test_an_altered_mask_is_noticed(models: dict[str, CompiledModel], tmp_path: Path) -> None:
    from safetensors import safe_open
    from safetensors.numpy import save_file

    path = tmp_path / "m.safetensors"
    save(compiled(transpose_only(), "12", 3), path)
    with safe_open(str(path), framework="numpy") as file:
        found = json.loads(file.metadata()["rasp"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    heads = found["layers"][0]["heads"]
    heads[0]["mask"] = heads[1]["mask"]
    save_file(tensors, str(path), {"rasp": json.dumps(found)})
    assert "mask" in str(audit(load(path), str(path)).reason)


def transpose_only() -> SOp:
    return selector_width(transpose(EDGES)) + DEGREE


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("length", [1, 2, 3, 8])
def test_random_graphs_of_every_family(family: str, length: int) -> None:
    found = random_edges(length, random.Random(1), (None, "x"), family)
    assert found.length == length
    assert len({(u, v) for u, v, _ in found}) == len(found)


def test_labels_asked_for_are_tried() -> None:
    assert relation_labels([DEGREE, PROGRAMS["labelled"]]) == {"edges": [None, "child"]}
    assert relation_labels([PROGRAMS["labelled"], DEGREE], (1,)) == {"edges": [None, 1]}


def test_graphs_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, model = tmp_path / "d.rasp", tmp_path / "d.safetensors"
    program.write_text('param k = 1;\nd = selector_width(relation("edges")) * k;\n')
    options = ["--vocab", "a-c", "--max-length", "4", "--set", "k=2"]
    assert main(["compile", str(program), *options, "-o", str(model)]) == 0
    assert main(["verify", str(model), "--count", "20"]) == 0
    capsys.readouterr()
    given = {"tokens": "abc", "edges": [[0, 1], [2, 1]]}
    assert main(["infer", str(model), "-i", json.dumps(given), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"input": given, "output": [0, 4, 0]}
    assert main(["infer", str(model), "-i", "abc"]) == 1
    assert "no relation" in capsys.readouterr().err


def test_parameters_are_kept_in_the_file(tmp_path: Path) -> None:
    program = parse("param n = 1; x = indices + n;", n=5)
    save(compiled(program.sop(), "ab", 3, program=program), tmp_path / "m.safetensors")
    model = load(tmp_path / "m.safetensors")
    assert audit(model, "m").certificate is not None
    assert model("ab") == [5, 6]


def test_looking_inside_with_masks(models: dict[str, CompiledModel]) -> None:
    model = models["mean"]
    result, cache = model.run_with_cache(GIVEN)
    assert result.output == evaluate(PROGRAMS["mean"], GIVEN)
    assert cache["pattern", 0].shape == (1, 5, 5)
    assert model.ablate(head=(0, 0)).run(GIVEN, strict=False).outputs != result.outputs


# -- masks of positions


WINDOW = select(indices, indices - 3, ">") & select(indices, indices, "<=")
STRIDE = select(indices % 5, indices % 5, "==")


@pytest.mark.parametrize("sop", [aggregate(WINDOW, tokens_int), aggregate(STRIDE, tokens_int)])
@pytest.mark.parametrize("causal", [False, True])
def test_static_masks_take_no_scores(sop: SOp, causal: bool) -> None:
    model = compiled(sop, "12", 7, masks="auto", causal=causal)
    assert model.layers[0].heads[0].W_Q.shape[1] == 1
    assert verify(sop, model, engines=("reference", "torch", "sparse")).exhaustive
    assert any("a mask says" in note for note in model.weights.notes)


def test_static_masks_are_rules_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(compiled(aggregate(WINDOW & select(tokens, tokens, "=="), indices), "12", 40, masks="auto"), path)
    again = load(path)
    assert path.stat().st_size < 60_000
    assert again("1212") == evaluate(aggregate(WINDOW & select(tokens, tokens, "=="), indices), "1212")
    assert again.batch(["12", "1"]) == [[0, 1], [0]]
    assert audit(again, str(path)).certificate == again.weights.certificate


@pytest.mark.parametrize("selector", [WINDOW, STRIDE])
def test_long_windows_and_strides_are_small(selector: Any) -> None:
    model = compiled(aggregate(selector, tokens_int), "12", 128, masks="auto")
    own = model.weights
    assert parameter_counts(own)["total"] - own.W_pos.size < 10_000
    assert model(["1"] * 128) == [1] * 128


def test_scores_stay_the_default() -> None:
    assert not compiled(aggregate(WINDOW, tokens_int), "12", 4).weights.masks
    with pytest.raises(DataFault, match="masks is one of"):
        compiled(DEGREE, "12", 4, masks="none")


def test_positions_without_a_value_are_no_mask() -> None:
    failing = select(indices / indices, 1, "==")
    sop = aggregate(failing, tokens_int)
    with pytest.raises((Refusal, Failures)):
        compiled(aggregate(failing | EDGES, tokens_int), "12", 3, masks="auto")
    assert not compiled(sop, "12", 3, masks="auto").weights.masks


# -- labels


ASKED = relation("edges", tokens_int)


@pytest.mark.parametrize(
    "sop",
    [
        selector_width(ASKED),
        selector_width(~ASKED & select(tokens, tokens, "==")),
        selector_width(transpose(ASKED)),
        aggregate(select_best(ASKED, indices), tokens, "-"),
        aggregate(ASKED, tokens, "-"),
    ],
)
def test_labels_that_are_asked_for_by_an_sop(sop: SOp) -> None:
    model = compiled(sop, "123", 4)
    assert verify(sop, model, count=60, engines=("reference",)).counterexample is None
    assert model.weights.heads == [3]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "sop",
    [
        aggregate(EDGES, label(EDGES) + indices, -1),
        aggregate(EDGES, 10 * tokens_int + label(EDGES) - indices, -1) > 10,
        aggregate(transpose(EDGES), label(transpose(EDGES)) + selector_width(EDGES)),
    ],
)
def test_sums_of_labels_and_what_stands_at_the_keys(sop: SOp, causal: bool) -> None:
    model = compiled(sop, "12", 4, labels=[-1, 2, 4], causal=causal)
    assert verify(sop, model, count=150, engines=("reference",)).counterexample is None


@pytest.mark.parametrize("sop", [aggregate(EDGES, label(EDGES), -1), aggregate(LOCAL & EDGES, label(EDGES))])
def test_labels_as_values(sop: SOp, tmp_path: Path) -> None:
    model = compiled(sop, "12", 4, labels=[1, 2.5, 4])
    found = verify(sop, model, count=80, engines=("reference",))
    assert found.counterexample is None
    assert found.undefined
    save(model, tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    given: Any = {"tokens": "121", "edges": [[0, 2, 1], [1, 2, 2.5], [0, 1, 4]]}
    assert again(given) == evaluate(sop, given)
    assert audit(again, "m").certificate == again.weights.certificate


def test_labels_must_be_declared_and_kept_to() -> None:
    sop = aggregate(EDGES, label(EDGES))
    with pytest.raises(Refusal, match="which there are is not known"):
        compiled(sop, "12", 3)
    with pytest.raises(Refusal, match="not all ints"):
        compiled(aggregate(EDGES, label(EDGES) + indices / 3), "12", 3, labels="1..2")
    with pytest.raises(DataFault, match="which the model is not made for"):
        compiled(sop, "12", 3, labels="1..2").run({"tokens": "12", "edges": [[0, 1, 3]]})  # type: ignore[arg-type]
    with pytest.raises(DataFault, match="twice"):
        compiled(sop, "12", 3, labels=[1, True])


def test_keys_that_ask_for_different_labels_have_no_mean() -> None:
    with pytest.raises((Refusal, Failures), match="different labels"):
        compiled(aggregate(transpose(ASKED), tokens_int), "12", 3)

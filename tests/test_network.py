"""The torch network: without its zeros, compiled and exported it computes the same."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compiler.pipeline import compile
from compiler.run import reference
from compiler.run.model import CompiledModel
from compiler.run.network import SparseProduct, SparseUpdate
from rasp.graph import SOp, aggregate, indices, length, select, tokens
from rasp.language.program import load_program

PROGRAMS = Path(__file__).parent.parent / "programs"
REVERSE = aggregate(select(indices, length - 1 - indices), tokens)


def compiled(sop: SOp, causal: bool = False) -> CompiledModel:
    return compile(sop, "a-e", 8, causal=causal, name="x")


def inputs(model: CompiledModel) -> torch.Tensor:
    weights = model.weights
    found = np.random.default_rng(0).integers(1, len(weights.vocabulary) + 1, (20, weights.max_length + 1))
    found[:, 0] = 0
    return torch.from_numpy(found)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["reverse", "sort", "most_frequent", "double_histogram"])
def test_without_zeros_every_logit_is_the_same(name: str, causal: bool) -> None:
    model = compiled(load_program(PROGRAMS / f"{name}.rasp").sop(), causal)
    ids = inputs(model)
    assert torch.equal(model.sparse_network(ids), model.network(ids))


@pytest.mark.parametrize("name", ["reverse", "sort", "most_frequent", "double_histogram"])
def test_the_reference_leaves_zeros_out_where_that_pays(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = compiled(load_program(PROGRAMS / f"{name}.rasp").sop())
    ids = inputs(model).numpy()
    traces = []
    for many in (1, 1 << 30):
        monkeypatch.setattr(reference, "_MANY", many)
        traces.append(model.trace(ids, "reference"))
    for some, other in zip(*(trace.residuals + trace.outputs for trace in traces), strict=True):
        assert np.array_equal(some, other)


def test_padding_is_hidden_without_zeros_as_well() -> None:
    model = compiled(REVERSE)
    ids = inputs(model)
    padding = torch.zeros(ids.shape, dtype=torch.bool)
    padding[:, 5:] = True
    assert torch.equal(model.sparse_network(ids, padding), model.network(ids, padding))


def test_only_what_is_not_zero_is_multiplied() -> None:
    array = np.zeros((6, 4), dtype=np.float32)
    array[2, 1] = 3
    assert SparseProduct(array).W.shape == (1, 4)
    assert SparseUpdate(array).W.shape == (6, 1)
    assert SparseProduct(np.ones((6, 4), dtype=np.float32)).W.shape == (6, 4)


def test_the_sparse_engine_gives_logits_alone() -> None:
    model = compiled(REVERSE)
    trace = model.trace(model.encode("abcd"), "sparse")
    assert model.decode(trace) == {"x": list("dcba")}
    assert (trace.attention, trace.residuals) == ((), ())


def test_a_layer_is_what_its_heads_write_one_by_one() -> None:
    network: Any = compiled(load_program(PROGRAMS / "most_frequent.rasp").sop()).network
    layer, kept = network.layers[0], []
    x = torch.randn((3, 9, len(network.W_U)))
    layer.resid.register_forward_hook(lambda module, given, result: kept.append(result))
    layer(x)
    updates = [head(x) for head in layer.heads]
    assert len(updates) == 2
    assert torch.allclose(kept[0], sum(updates, x), rtol=1e-5, atol=1e-5)


def test_queries_keys_and_values_of_all_heads_are_one_product() -> None:
    model = compiled(load_program(PROGRAMS / "most_frequent.rasp").sop())
    ids, weights = inputs(model), model.weights
    with torch.profiler.profile() as profile:
        model.network(ids)
    products = sum(event.count for event in profile.key_averages() if event.key == "aten::mm")
    assert products == len(weights.layers) + sum(weights.heads) + 2 * len(weights.feed_forwards) + 1


def test_weights_of_a_head_that_are_changed_are_used() -> None:
    model = compiled(REVERSE)
    network: Any = model.network
    before = network(inputs(model))
    network.layers[1].heads[0].W_V.mul_(2)
    assert not torch.equal(network(inputs(model)), before)


def test_the_network_compiles_as_one_graph() -> None:
    model = compiled(REVERSE)
    ids = inputs(model)
    assert torch.equal(torch.compile(model.network, fullgraph=True, backend="eager")(ids), model.network(ids))


def test_the_network_exports_for_all_lengths() -> None:
    model = compiled(REVERSE)
    ids, shapes = inputs(model), {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", min=2, max=9)}
    exported = torch.export.export(model.network, (ids,), dynamic_shapes={"token_ids": shapes}).module()
    assert torch.equal(exported(ids[:3, :5]), model.network(ids[:3, :5]))

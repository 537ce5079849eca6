"""Heads with masks beside layers of graph neural networks, on random graphs given as an `edge_index`.

The formulas of message passing are written out with torch; where PyTorch Geometric is installed (`make
interop-geometric`), its own layers are compared too.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import networkx
import pytest
import torch
from torch import Tensor

from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from rasp import aggregate, relation, selector_width, tokens_int
from rasp.graph import SOp

EDGES = relation("edges")
MEAN = aggregate(EDGES, tokens_int)
SUM = round(MEAN * selector_width(EDGES))
SIZE = 7


@cache
def model_of(node: SOp) -> CompiledModel:
    return compile(node, [0, 1, 2, 3], SIZE)


def random_graph(seed: int) -> tuple[list[int], Tensor]:
    """Numbers at the vertices, and an `edge_index` [2, E] from sources to targets."""
    graph = networkx.gnp_random_graph(SIZE, 0.35, seed=seed, directed=True)
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 4, (SIZE,), generator=draw).tolist(), torch.tensor(list(graph.edges)).T.contiguous()


def gathered(x: Tensor, edge_index: Tensor) -> Tensor:
    """The sum over what edges bring to each vertex, by scattering."""
    sources, targets = edge_index
    return torch.zeros_like(x).index_add_(0, targets, x[sources])


def arriving(edge_index: Tensor) -> Tensor:
    return torch.bincount(edge_index[1], minlength=SIZE)[:, None]


@pytest.mark.parametrize("seed", range(5))
def test_a_head_is_the_mean_over_neighbours(seed: int) -> None:
    numbers, edge_index = random_graph(seed)
    x = torch.tensor(numbers, dtype=torch.float64)[:, None]
    expected = (gathered(x, edge_index) / arriving(edge_index).clamp(min=1)).flatten()
    found = model_of(MEAN)({"tokens": numbers, "edges": edge_index})
    assert torch.allclose(torch.tensor(found, dtype=torch.float64), expected, atol=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_a_mean_times_a_width_is_the_sum(seed: int) -> None:
    numbers, edge_index = random_graph(seed)
    expected = gathered(torch.tensor(numbers)[:, None], edge_index).flatten().tolist()
    assert model_of(SUM)({"tokens": numbers, "edges": edge_index}) == expected


@pytest.mark.parametrize("seed", range(5))
def test_masks_make_layers_of_ones_own(seed: int) -> None:
    numbers, edge_index = random_graph(seed)
    x = torch.randn(SIZE, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    sums, means = layers({"tokens": numbers, "edges": edge_index}, x)
    assert torch.allclose(sums, gathered(x, edge_index))
    assert torch.allclose(means, gathered(x, edge_index) / arriving(edge_index).clamp(min=1))


def layers(given: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The sum (as in GIN) and the mean (as in GraphSAGE) over neighbours by the mask of a compiled head."""
    model = model_of(MEAN)
    ((head,),) = (layer.heads for layer in model.layers)
    assert head.mask is not None
    adjacency = torch.from_numpy(model.masks(given)[head.mask][1:, 1:]).to(x.dtype)
    return adjacency @ x, adjacency @ x / adjacency.sum(dim=1, keepdim=True).clamp(min=1)


@pytest.mark.parametrize("seed", range(5))
def test_pytorch_geometric_has_the_same(seed: int) -> None:
    nn: Any = pytest.importorskip("torch_geometric.nn", reason="no PyTorch Geometric: make interop runs this")
    data: Any = pytest.importorskip("torch_geometric.data")
    numbers, edge_index = random_graph(seed)
    x = torch.tensor(numbers, dtype=torch.float32)[:, None]
    sums, means = layers({"tokens": numbers, "edges": edge_index}, x)
    assert torch.allclose(nn.SimpleConv(aggr="sum")(x, edge_index), sums)
    assert torch.allclose(nn.SimpleConv(aggr="mean")(x, edge_index), means)
    batch = data.Batch.from_data_list([data.Data(x=x, edge_index=edge_index) for _ in range(2)])
    inputs = [{"tokens": one.x.int().flatten().tolist(), "edges": one.edge_index} for one in batch.to_data_list()]
    found = [model_of(MEAN)(given) for given in inputs]
    assert torch.allclose(
        torch.tensor(found).flatten(), nn.SimpleConv(aggr="mean")(batch.x, batch.edge_index).flatten()
    )

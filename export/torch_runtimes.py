"""The torch module elsewhere than on the CPU as it stands: compiled, and on a GPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from compiler.ir import ModelWeights
from compiler.run.graph_inputs import GraphInputs
from compiler.run.model import Runtime
from compiler.run.network import Transformer, trace
from compiler.run.reference import Trace
from rasp.errors import DataFault
from rasp.graph import Selector


def cuda(weights: ModelWeights) -> Runtime:
    """What runs a model on a GPU. DataFault where torch finds none."""
    if not torch.cuda.is_available():
        raise DataFault("torch finds no GPU here", hint="--runtime torch runs on the CPU")
    network = Transformer(weights).to("cuda")
    return lambda token_ids, whole, graphs: trace(network, token_ids, whole=whole, graphs=graphs)


def compiled(weights: ModelWeights) -> Runtime:
    """What runs a model as `torch.compile` makes one graph of it, for any batch and length."""
    network = Transformer(weights)
    unembeddings = [network.W_U, *network.more, *network.guards]

    def logits(token_ids: Tensor, masks: dict[Selector, Tensor]) -> list[Tensor]:
        x = network.residual(token_ids, None, masks)
        return [x @ unembedding for unembedding in unembeddings]

    graph = torch.compile(logits, dynamic=True)

    def run(token_ids: np.ndarray[Any, np.dtype[np.int64]], whole: bool, graphs: GraphInputs) -> Trace:
        masks = {mask: torch.from_numpy(cells) for mask, cells in graphs.masks.items()}
        with torch.no_grad():
            batch = [found.numpy() for found in graph(torch.from_numpy(np.atleast_2d(token_ids)), masks)]
        found = [array[0] for array in batch] if token_ids.ndim == 1 else batch
        count = len(weights.outputs)
        return Trace(tuple(found[:count]), tuple(found[count:]), (), ())

    return run

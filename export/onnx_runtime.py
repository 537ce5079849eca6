"""An exported graph in ONNX Runtime, with its optimiser or without."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import onnxruntime

from compiler.ir import ModelWeights
from compiler.run.graph_inputs import NOTHING, Flags, GraphInputs
from compiler.run.model import Runtime
from compiler.run.reference import Trace
from export.onnx_graph import logits_names, mask_name, onnx_bytes, pattern_name

RUNTIME = "onnxruntime"
_ERRORS_ONLY = 3


def onnxruntime_of(weights: ModelWeights, *, optimised: bool = True) -> Runtime:
    """What runs a model in ONNX Runtime on the CPU; its traces have logits and attention."""
    return session(onnx_bytes(weights), weights, optimised=optimised)


def session(content: bytes, weights: ModelWeights, *, optimised: bool = True) -> Runtime:
    """What runs the graph of a file; unless it is `optimised`, node by node as it stands."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    opened = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    logits = logits_names(weights)
    patterns = [pattern_name(at, head) for at, layer in enumerate(weights.layers) for head, _ in enumerate(layer.heads)]

    def run(token_ids: np.ndarray[Any, np.dtype[np.int64]], whole: bool, graphs: GraphInputs = NOTHING) -> Trace:
        batch = np.atleast_2d(token_ids).astype(np.int64)
        given = {mask_name(at): _batched(graphs.masks[mask]) for at, mask in enumerate(weights.masks)}
        found = iter(opened.run([*logits, *patterns] if whole else logits, {"token_ids": batch, **given}))
        if token_ids.ndim == 1:
            found = (array[0] for array in found)
        outputs, guards = (tuple(islice(found, len(part))) for part in (weights.outputs, weights.guards))
        layers = weights.layers if whole else ()
        return Trace(outputs, guards, tuple(tuple(islice(found, len(layer.heads))) for layer in layers), ())

    return run


def _batched(cells: Flags) -> Flags:
    """A mask with the batch axis in front, which that of a lone input lacks."""
    return cells if cells.ndim == 3 else cells[None]

"""A compiled model as an ONNX graph: the forward pass of the contract, node by node.

The graph takes `token_ids` [B, T] (BOS = 0 first, inputs of one length together) and gives `logits` [B, T, O] of the
first output; the other outputs, the guards and the attention of every head come from the same pass where they are asked
for, under the names in `logits_names` and `pattern_name`. The weights are initializers under their stable names, and
the description of the model is in its metadata: the file is the whole model, and `export.onnx_file` reads it back.

The bias of a hidden layer is subtracted after it has been negated, which is the same number bit for bit. Runtimes fuse
the addition of a bias into the product before it; they have no such rule for a subtraction. The constructions need
the product to be rounded before the bias is added.
"""

from __future__ import annotations

import json

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from compiler.artifact import KEY, description
from compiler.ir import FeedForwardWeights, LayerWeights, ModelWeights
from compiler.tensors import guard_tensor, input_mlp, layer_head, layer_mlp, named_tensors, output_tensor
from rasp.errors import DataFault
from rasp.printing import expression

OPSET = 17
IR_VERSION = 9
_LARGEST = 1 << 31
_TYPES = {"float32": TensorProto.FLOAT, "float64": TensorProto.DOUBLE}


def logits_names(weights: ModelWeights) -> list[str]:
    """What the graph calls the logits of each output, then those of each guard."""
    more = (f"outputs.{at}.logits" for at in range(1, len(weights.outputs)))
    return ["logits", *more, *(f"guards.{at}.logits" for at in range(len(weights.guards)))]


def pattern_name(layer: int, head: int) -> str:
    """What the graph calls the attention of a head, [B, T, T], row = query."""
    return f"{layer_head(layer, head)}.pattern"


def mask_name(number: int) -> str:
    """What the graph calls the input for a mask, by its place in `weights.masks`: [B or 1, T, T], row = query."""
    return f"masks.{number}"


def onnx_model(weights: ModelWeights) -> onnx.ModelProto:
    """The model as an ONNX model, checked by onnx. DataFault where it is too large for one file.

    The same weights give the same bytes.
    """
    if sum(tensor.nbytes for tensor in named_tensors(weights).values()) >= _LARGEST:
        raise DataFault("an ONNX file holds less than 2 GiB, and the weights of this model are more")
    graph = _Graph(weights)
    graph.build()
    opset = [helper.make_opsetid("", OPSET)]
    found = helper.make_model(graph.proto(), opset_imports=opset, ir_version=IR_VERSION, producer_name="rasp-compiler")
    helper.set_model_props(found, {KEY: json.dumps(description(weights))})
    onnx.checker.check_model(found)
    return found


def onnx_bytes(weights: ModelWeights) -> bytes:
    """The file of `onnx_model`."""
    content: bytes = onnx_model(weights).SerializeToString(deterministic=True)
    return content


class _Graph:
    """The nodes of the forward pass, in the order of the contract; values are named after their weights."""

    def __init__(self, weights: ModelWeights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []

    def build(self) -> None:
        """Adds all nodes: embedding, input feed-forwards, layers, logits."""
        weights = self.weights
        x = self._embedding()
        if weights.causal or weights.masks:
            self._constant("hidden", -np.inf, weights.dtype)
        if weights.causal:
            self._mask()
        for number, part in enumerate(weights.input_feed_forwards):
            x = self._feed_forward(x, part, input_mlp(number))
        for at, layer in enumerate(weights.layers):
            x = self._layer(x, layer, at)
        tensors = [output_tensor(at) for at in range(len(weights.outputs))]
        tensors += [guard_tensor(at) for at in range(len(weights.guards))]
        for tensor, name in zip(tensors, logits_names(weights), strict=True):
            self._node("MatMul", name, x, tensor)

    def proto(self) -> onnx.GraphProto:
        """The finished graph, with its inputs, outputs and weights."""
        tensors = [numpy_helper.from_array(np.ascontiguousarray(a), n) for n, a in named_tensors(self.weights).items()]
        ids = helper.make_tensor_value_info("token_ids", TensorProto.INT64, ["B", "T"])
        readouts = (*self.weights.outputs, *self.weights.guards)
        logits = [self._output(n, r.W_U.shape[1]) for n, r in zip(logits_names(self.weights), readouts, strict=True)]
        patterns = [
            self._output(pattern_name(at, number), "T")
            for at, layer in enumerate(self.weights.layers)
            for number, _ in enumerate(layer.heads)
        ]
        return helper.make_graph(self.nodes, "rasp", [ids, *self._masks()], [*logits, *patterns], tensors)

    def _masks(self) -> list[onnx.ValueInfoProto]:
        """The inputs that say where the queries of heads may look at all, each with the mask as RASP in its text."""
        return [
            helper.make_tensor_value_info(
                mask_name(at), TensorProto.BOOL, [f"B{at}", "T", "T"], expression(mask, self.weights.names)
            )
            for at, mask in enumerate(self.weights.masks)
        ]

    def _output(self, name: str, last: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, _TYPES[self.weights.dtype], ["B", "T", last])

    def _node(self, op: str, name: str, *inputs: str, **attributes: object) -> str:
        """Adds an operation; its result and the node itself have the name, which comes back."""
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def _constant(self, name: str, value: object, dtype: str) -> str:
        return self._node("Constant", name, value=numpy_helper.from_array(np.array(value, dtype=dtype), name))

    def _embedding(self) -> str:
        """W_E[token] + W_pos[position], [B, T, D]."""
        size = self._node("Shape", "length", "token_ids", start=1, end=2)
        first = self._constant("first", [0], "int64")
        positions = self._node("Slice", "positions", "W_pos", first, size, first)
        return self._node("Add", "embedding", self._node("Gather", "tokens", "W_E", "token_ids"), positions)

    def _mask(self) -> None:
        """Minus infinity where a key is after the query, [T, T]: what is added to the scores of a causal model."""
        square = self._node("Concat", "square", "length", "length", axis=0)
        full = self._node("Expand", "all_hidden", "hidden", square)
        self._node("Trilu", "mask", full, self._constant("after", 1, "int64"), upper=1)

    def _layer(self, x: str, layer: LayerWeights, at: int) -> str:
        stream = x
        for number, head in enumerate(layer.heads):
            prefix = layer_head(at, number)
            mask = None if head.mask is None else mask_name(self.weights.masks.index(head.mask))
            stream = self._node("Add", f"{prefix}.resid", stream, self._head(x, prefix, mask))
        for number, part in enumerate(layer.feed_forwards):
            stream = self._feed_forward(stream, part, layer_mlp(at, number))
        return stream

    def _head(self, x: str, prefix: str, mask: str | None) -> str:
        """softmax((x W_Q) (x W_K)^T) (x W_V) W_O, [B, T, D]."""
        q, k, v = (self._node("MatMul", f"{prefix}.{part.lower()}", x, f"{prefix}.W_{part}") for part in "QKV")
        scores = self._node(
            "MatMul", f"{prefix}.scores", q, self._node("Transpose", f"{prefix}.k_T", k, perm=[0, 2, 1])
        )
        if self.weights.causal:
            scores = self._node("Add", f"{prefix}.causal_scores", scores, "mask")
        if mask is not None:
            scores = self._node("Where", f"{prefix}.masked_scores", mask, scores, "hidden")
        pattern = self._node("Softmax", f"{prefix}.pattern", scores, axis=-1)
        return self._node(
            "MatMul", f"{prefix}.result", self._node("MatMul", f"{prefix}.z", pattern, v), f"{prefix}.W_O"
        )

    def _feed_forward(self, x: str, weights: FeedForwardWeights, prefix: str) -> str:
        """x + relu(x W_in + b_in) W_out, [B, T, D]."""
        product = self._node("MatMul", f"{prefix}.product", x, f"{prefix}.W_in")
        bias = self._node("Neg", f"{prefix}.minus_b_in", f"{prefix}.b_in")
        hidden = self._node("Relu", f"{prefix}.hidden", self._node("Sub", f"{prefix}.pre", product, bias))
        return self._node("Add", f"{prefix}.resid", x, self._node("MatMul", f"{prefix}.out", hidden, f"{prefix}.W_out"))

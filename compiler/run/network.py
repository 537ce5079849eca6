"""The compiled model as a torch module: the only file besides exporters that imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from compiler.ir import Array, FeedForwardWeights, HeadWeights, LayerWeights, ModelWeights
from compiler.run.graph_inputs import NOTHING, GraphInputs
from compiler.run.hooked import Engine, MaskOf
from compiler.run.reference import BLOCK, Trace
from rasp.errors import DataFault
from rasp.graph import Selector

UNCERTIFIED = ("float16", "bfloat16", "float32", "float64", "tf32", "autocast")


Hidden: TypeAlias = "Mapping[Selector, Tensor]"
"""Where a query must not attend by the mask that a head names, [B or 1, T, T]."""


def hidden_of(head: Any, common: Tensor | None, hidden: Hidden | None) -> Tensor | None:
    """Where the queries of a head must not attend: what is hidden from all heads, and what its own mask hides."""
    if head.mask is None:
        return common
    if hidden is None or head.mask not in hidden:
        raise DataFault(
            f"a head looks along {head.mask!r}, and the network is given no such mask",
            hint="network(ids, masks=...) takes what model.masks(input) gives, as tensors [B, T, T]",
        )
    own = hidden[head.mask]
    return own if common is None else own | common


Projected: TypeAlias = "tuple[Tensor, Tensor, Tensor]"
"""Queries [B, T, K], keys [B, T, K] and values of a head."""


class Head(nn.Module):
    """One attention head. `pattern` is an identity that forward hooks can tap: attention [B, T, T], row = query."""

    def __init__(self, weights: HeadWeights) -> None:
        super().__init__()
        self.name = weights.name
        self.W_Q = _parameter(weights.W_Q)
        self.W_K = _parameter(weights.W_K)
        self.W_V = _parameter(weights.W_V)
        self.W_O = _parameter(weights.W_O)
        self.pattern = nn.Identity()
        self.mask = weights.mask

    def forward(self, x: Tensor, mask: Tensor | None = None, projected: Projected | None = None) -> Tensor:
        """What the head adds to the residual stream, [B, T, D]. `mask` [B or 1, T, T]: where a query may not attend.

        `projected` are its queries, keys and values, where they are known.
        """
        queries, keys, values = projected or (x @ self.W_Q, x @ self.W_K, x @ self.W_V)
        keys = keys.transpose(-1, -2)

        def read(rows: slice) -> Tensor:
            pattern: Tensor = self.pattern(_softmax(queries[:, rows] @ keys, mask, rows))
            return pattern @ values

        # Whoever taps the pattern gets it in one piece.
        return in_blocks(read, x, x.shape[1], whole=bool(self.pattern._forward_hooks)) @ self.W_O


def _projected(heads: Iterable[Head], x: Tensor) -> dict[Head, Projected]:
    """The queries, keys and values of heads by one product with all their matrices, side by side.

    Each is the sum it would be alone. Heads of one score dimension are left out: three products with a vector each take
    less time than one with three columns.
    """
    wide = [head for head in heads if head.W_Q.shape[1] > 1]
    matrices: list[Tensor] = [matrix for head in wide for matrix in (head.W_Q, head.W_K, head.W_V)]
    if not matrices:
        return {}
    parts = torch.split(x @ torch.cat(matrices, dim=1), [matrix.shape[1] for matrix in matrices], dim=-1)
    return dict(zip(wide, zip(parts[::3], parts[1::3], parts[2::3], strict=True), strict=True))


def _softmax(scores: Tensor, mask: Tensor | None, rows: slice) -> Tensor:
    """Attention of some queries [B, R, T] by their scores; where the mask [B or 1, T or 1, T] is true there is none."""
    if mask is None:
        return scores.softmax(dim=-1)
    hidden = mask if mask.shape[1] == 1 else mask[:, rows]
    return scores.masked_fill(hidden, float("-inf")).softmax(dim=-1)


def in_blocks(compute: Callable[[slice], Tensor], x: Tensor, width: int, *, whole: bool = False) -> Tensor:
    """What is computed for all positions of x [B, T, D]: in blocks where each takes `width` numbers for a while.

    Compiled and exported networks have no blocks, as their graph does not depend on the length.
    """
    if whole or torch.compiler.is_compiling() or x.shape[0] * x.shape[1] * width <= BLOCK:
        return compute(slice(None))
    size = max(1, BLOCK // (x.shape[0] * width))
    return torch.cat([compute(slice(start, start + size)) for start in range(0, x.shape[1], size)], dim=1)


def _hidden(product: Tensor, bias: Tensor) -> Tensor:
    """The hidden units [B, T, M] of a product that nothing else reads: they take its place in memory."""
    return product.add_(bias).relu_()


class FeedForward(nn.Module):
    """One hidden ReLU layer, added to the residual stream; `resid` taps the result.

    The bias is added after the product: its rounding is part of the construction.
    """

    def __init__(self, weights: FeedForwardWeights) -> None:
        super().__init__()
        self.W_in = _parameter(weights.W_in)
        self.b_in = _parameter(weights.b_in)
        self.W_out = _parameter(weights.W_out)
        self.resid = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        def update(rows: slice) -> Tensor:
            return _hidden(x[:, rows] @ self.W_in, self.b_in) @ self.W_out

        result: Tensor = self.resid(x + in_blocks(update, x, len(self.b_in)))
        return result


class Layer(nn.Module):
    """Heads, added to the residual stream, then feed-forwards; `resid` taps the stream between them."""

    def __init__(self, weights: LayerWeights) -> None:
        super().__init__()
        self.heads = nn.ModuleList(map(Head, weights.heads))
        self.resid = nn.Identity()
        self.mlps = nn.ModuleList(map(FeedForward, weights.feed_forwards))

    def forward(self, x: Tensor, mask: Tensor | None = None, hidden: Hidden | None = None) -> Tensor:
        heads = [head for head in self.heads if isinstance(head, Head)]
        projected = _projected(heads, x)
        written = [head(x, hidden_of(head, mask, hidden), projected.get(head)) for head in heads]
        for update in written:
            x = x + update
        x = self.resid(x)
        for mlp in self.mlps:
            x = mlp(x)
        return x


class SparseProduct(nn.Module):
    """x @ W for a W that stays as it is: where most of its rows are zero, the others alone are multiplied."""

    rows: Tensor | None

    def __init__(self, array: Array) -> None:
        super().__init__()
        kept = _few(array.any(axis=1))
        self.register_buffer("rows", kept)
        self.W = _parameter(array if kept is None else array[kept.numpy()])

    def forward(self, x: Tensor) -> Tensor:
        """The product, [..., M]."""
        return (x if self.rows is None else x.index_select(-1, self.rows)) @ self.W


class SparseUpdate(nn.Module):
    """stream + x @ W for a W that stays as it is: where most of its columns are zero, the others alone are written."""

    columns: Tensor | None

    def __init__(self, array: Array) -> None:
        super().__init__()
        kept = _few(array.any(axis=0))
        self.register_buffer("columns", kept)
        self.W = _parameter(array if kept is None else array[:, kept.numpy()])

    def forward(self, stream: Tensor, x: Tensor) -> Tensor:
        """The residual stream [B, T, D] with the product added to it."""
        update = x @ self.W
        return stream + update if self.columns is None else stream.index_add(-1, self.columns, update)


class SparseFeedForward(nn.Module):
    """A feed-forward that reads and writes only the directions it is about."""

    def __init__(self, weights: FeedForwardWeights) -> None:
        super().__init__()
        self.read = SparseProduct(weights.W_in)
        self.b_in = _parameter(weights.b_in)
        self.write = SparseUpdate(weights.W_out)

    def forward(self, x: Tensor) -> Tensor:
        def changed(rows: slice) -> Tensor:
            result: Tensor = self.write(x[:, rows], _hidden(self.read(x[:, rows]), self.b_in))
            return result

        return in_blocks(changed, x, len(self.b_in))


class SparseHead(nn.Module):
    """A head that reads and writes only the directions it is about."""

    def __init__(self, weights: HeadWeights) -> None:
        super().__init__()
        self.query, self.key, self.value = map(SparseProduct, (weights.W_Q, weights.W_K, weights.W_V))
        self.write = SparseUpdate(weights.W_O)
        self.mask = weights.mask

    def forward(self, stream: Tensor, x: Tensor, hidden: Tensor | None) -> Tensor:
        """The stream [B, T, D] with what the head makes of x added to it."""
        queries, keys, values = self.query(x), self.key(x).transpose(-1, -2), self.value(x)

        def read(rows: slice) -> Tensor:
            return _softmax(queries[:, rows] @ keys, hidden, rows) @ values

        result: Tensor = self.write(stream, in_blocks(read, x, x.shape[1]))
        return result


class SparseLayer(nn.Module):
    """Heads, added to the residual stream, then feed-forwards."""

    def __init__(self, weights: LayerWeights) -> None:
        super().__init__()
        self.heads = nn.ModuleList(map(SparseHead, weights.heads))
        self.mlps = nn.ModuleList(map(SparseFeedForward, weights.feed_forwards))

    def forward(self, x: Tensor, mask: Tensor | None = None, hidden: Hidden | None = None) -> Tensor:
        stream = x
        for head in self.heads:
            stream = head(stream, x, hidden_of(head, mask, hidden))
        for mlp in self.mlps:
            stream = mlp(stream)
        return stream


class Transformer(nn.Module):
    """The compiled transformer: token ids [B, T] (BOS = 0 first) to logits [B, T, O].

    It runs in the dtype that its certificate is for. Any other (after `half()`, under autocast, with TF32 matrix
    products) is a DataFault, unless it has been allowed by name.
    """

    PARTS: ClassVar[tuple[type[nn.Module], type[nn.Module]]] = (FeedForward, Layer)

    def __init__(self, weights: ModelWeights) -> None:
        super().__init__()
        feed_forward, layer = self.PARTS
        self.dtype: str = weights.dtype
        self.allowed: frozenset[str] = frozenset()
        self.causal: bool = weights.causal
        self.W_E: nn.Parameter = _parameter(weights.W_E)
        self.W_pos: nn.Parameter = _parameter(weights.W_pos)
        self.input_mlps: nn.ModuleList = nn.ModuleList(map(feed_forward, weights.input_feed_forwards))
        self.layers: nn.ModuleList = nn.ModuleList(map(layer, weights.layers))
        self.W_U: nn.Parameter = _parameter(weights.output.W_U)
        self.more: nn.ParameterList = nn.ParameterList([_parameter(output.W_U) for output in weights.outputs[1:]])
        self.guards: nn.ParameterList = nn.ParameterList([_parameter(guard.W_U) for guard in weights.guards])

    def allow(self, *names: str) -> Transformer:
        """This network, which now also runs in ways that its certificate says nothing about; answers may be wrong.

        By name: float16, bfloat16, float32, float64, tf32 (any matrix product of reduced precision), autocast.
        """
        if unknown := sorted(set(names) - set(UNCERTIFIED)):
            raise DataFault(f"{unknown[0]!r} is no way to run a model", hint=f"it is one of {', '.join(UNCERTIFIED)}")
        self.allowed |= set(names)
        return self

    def forward(
        self, token_ids: Tensor, padding: Tensor | None = None, masks: Mapping[Selector, Tensor] | None = None
    ) -> Tensor:
        """Logits of the first output, [B, T, O]. `padding` [B, T] is true at tokens that are none.

        `masks` [B or 1, T, T] are true where a query may look, by the mask that a head of the weights names.
        """
        return self.residual(token_ids, padding, masks) @ self.W_U

    def residual(
        self, token_ids: Tensor, padding: Tensor | None = None, masks: Mapping[Selector, Tensor] | None = None
    ) -> Tensor:
        """The residual stream after the last layer, [B, T, D]. DataFault in a dtype that is not the certified one."""
        self._check_precision()
        x: Tensor = self.W_E[token_ids] + self.W_pos[: token_ids.shape[1]]
        mask = self._mask(token_ids, padding)
        hidden = None if masks is None else {name: ~cells for name, cells in masks.items()}
        for mlp in self.input_mlps:
            x = mlp(x)
        for layer in self.layers:
            x = layer(x, mask, hidden)
        return x

    def _check_precision(self) -> None:
        found = {str(weight.dtype).removeprefix("torch.") for weight in self.parameters()} - {self.dtype}
        device = self.W_E.device.type
        found |= {"autocast"} if torch.is_autocast_enabled(device) else set()
        found |= {"tf32"} if self.W_E.dtype == torch.float32 and _is_reduced(device) else set()
        if uncertified := sorted(found - self.allowed):
            raise DataFault(
                f"the model is certified in {self.dtype}, and would run in {' and '.join(uncertified)}",
                hint=f'network.allow("{uncertified[0]}") runs it all the same, and nothing is promised then',
            )

    def _mask(self, token_ids: Tensor, padding: Tensor | None) -> Tensor | None:
        """True where a query must not attend: at padding, and after itself if causal. [B or 1, T, T]"""
        size = token_ids.shape[1]
        later = torch.ones(size, size, dtype=torch.bool, device=token_ids.device).triu(1)[None] if self.causal else None
        if padding is None:
            return later
        return padding[:, None, :] if later is None else later | padding[:, None, :]


class SparseTransformer(Transformer):
    """The same function as `Transformer`, computed without most of the zeros: for running, not for looking inside.

    A product leaves out rows and columns of weights that are all zero, which adds and multiplies the same numbers but
    for the zeros; so the proof, which bounds sums in any order, holds for it as it stands. Which rows those are is
    settled when it is made, so it has weights of its own; attention and the stages of the stream cannot be tapped.
    """

    PARTS = (SparseFeedForward, SparseLayer)


class Tapped(Engine):
    """A network whose intermediate tensors can be read and changed; they have gradients where the weights do.

    DataFault in a dtype that is not the certified one.
    """

    def __init__(self, network: Transformer) -> None:
        network._check_precision()
        self.network = network
        self.W_E, self.W_pos = network.W_E, network.W_pos
        self.input_mlps = list(network.input_mlps)
        self.layers = [(list(layer.heads), list(layer.mlps)) for layer in network.layers if isinstance(layer, Layer)]
        self.outputs, self.guards = [network.W_U, *network.more], list(network.guards)

    def ids(self, token_ids: Any) -> Tensor:
        return torch.from_numpy(np.asarray(token_ids)).to(self.W_E.device)

    def masks(self, ids: Tensor, padding: Any, graphs: GraphInputs) -> MaskOf:
        hidden = None if padding is None else torch.from_numpy(padding).to(ids.device)
        common, own = self.network._mask(ids, hidden), hidden_by(graphs, ids)
        return lambda head: hidden_of(head, common, own)

    def copied(self, x: Tensor) -> Tensor:
        return x.clone()

    def relu(self, x: Tensor) -> Tensor:
        return torch.relu(x)

    def hidden(self, scores: Tensor, where: Tensor) -> Tensor:
        return scores.masked_fill(where, float("-inf"))

    def softmax(self, scores: Tensor) -> Tensor:
        return scores.softmax(dim=-1)

    def stacked(self, parts: Sequence[Tensor], axis: int) -> Tensor:
        return torch.stack(list(parts), dim=axis)

    def widened(self, x: Tensor, width: int) -> Tensor:
        return nn.functional.pad(x, (0, width - x.shape[-1]))

    def array(self, x: Tensor) -> Array:
        return _array(x.detach())


def _few(used: Any) -> Tensor | None:
    """The places that are used; None where they are so many that picking them out does not pay."""
    return torch.from_numpy(np.flatnonzero(used)) if 2 * used.sum() <= len(used) else None


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _is_reduced(device: str) -> bool:
    """Whether products of float32 matrices are computed with fewer digits than float32 has.

    `torch.compile` asks when it compiles, and compiles anew when the setting changes.
    """
    backend = {"cuda": torch.backends.cuda, "cpu": torch.backends.mkldnn}.get(device)
    precision = getattr(getattr(backend, "matmul", None), "fp32_precision", None)
    if isinstance(precision, str):
        return precision not in ("ieee", "none")
    return torch.get_float32_matmul_precision() != "highest"


def trace(
    network: Transformer, token_ids: Any, *, whole: bool = True, padding: Any = None, graphs: GraphInputs = NOTHING
) -> Trace:
    """Everything one forward pass did, as numpy arrays; `token_ids` [T] or [B, T], BOS first.

    Unless it is `whole`, only logits are kept: neither attention nor the residual stream. `padding` [B, T] is true at
    tokens that are none; `graphs` has the masks of heads.
    """
    patterns: list[list[Array]] = [[] for _ in network.layers]
    residuals: list[Array] = []
    batch = torch.from_numpy(np.atleast_2d(token_ids)).to(network.W_E.device)
    keep = _keeper(batched=token_ids.ndim == 2)
    with torch.no_grad(), ExitStack() as hooks:
        if whole:
            residuals.append(keep(network.W_E[batch] + network.W_pos[: batch.shape[1]]))
            _tap(network, keep, patterns, residuals, hooks)
        hidden = None if padding is None else torch.from_numpy(padding).to(batch.device)
        x = network.residual(batch, hidden, masks_beside(graphs, batch))
        outputs = tuple(keep(x @ output) for output in (network.W_U, *network.more))
        guards = tuple(keep(x @ guard) for guard in network.guards)
    return Trace(outputs, guards, tuple(map(tuple, patterns)) if whole else (), tuple(residuals))


def masks_beside(graphs: GraphInputs, batch: Tensor) -> dict[Selector, Tensor]:
    """The masks [B or 1, T, T] beside a batch of token ids, True where a query may look."""
    return {mask: _cells(cells, batch) for mask, cells in graphs.masks.items()}


def hidden_by(graphs: GraphInputs, batch: Tensor) -> Hidden:
    """The same, True where a query must not attend."""
    return {mask: ~cells for mask, cells in masks_beside(graphs, batch).items()}


def _cells(cells: Any, batch: Tensor) -> Tensor:
    """A mask [B or 1, T, T] beside a batch, with or without B in front."""
    found = torch.from_numpy(np.ascontiguousarray(cells)).to(batch.device)
    return found if found.ndim == 3 else found[None]


def _tap(
    network: Transformer,
    keep: Callable[[Tensor], Array],
    patterns: Sequence[list[Array]],
    residuals: list[Array],
    hooks: ExitStack,
) -> None:
    """Has the next forward pass put the attention of each layer's heads and the stages of its stream into lists."""

    def put_into(found: list[Array]) -> Callable[[nn.Module, Any, Tensor], None]:
        return lambda module, given, result: found.append(keep(result))

    for part in network.modules():
        if isinstance(part, (Layer, FeedForward)):
            hooks.enter_context(part.resid.register_forward_hook(put_into(residuals)))
    for layer, found in zip(network.layers, patterns, strict=True):
        assert isinstance(layer, Layer)
        for head in layer.heads:
            assert isinstance(head, Head)
            hooks.enter_context(head.pattern.register_forward_hook(put_into(found)))


def _keeper(batched: bool) -> Callable[[Tensor], Array]:
    def keep(tensor: Tensor) -> Array:
        array = _array(tensor)
        return array if batched else array[0]

    return keep


def _array(tensor: Tensor) -> Array:
    """A tensor in numpy, which knows no bfloat16."""
    wide = tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
    array: Array = wide.cpu().numpy()
    return array


def _parameter(array: Array) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(array)), requires_grad=False)

"""The compiled model as a torch module: the only file besides exporters that imports torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compiler.ir import Array, FeedForwardWeights, HeadWeights, LayerWeights, ModelWeights
from compiler.run.reference import Trace
from rasp.errors import DataFault

UNCERTIFIED = ("float16", "bfloat16", "float32", "float64", "tf32", "autocast")


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

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the head adds to the residual stream, [B, T, D]. `mask` [B or 1, T, T]: where a query may not attend."""
        scores = (x @ self.W_Q) @ (x @ self.W_K).transpose(-1, -2)  # [B, T, T]
        if mask is not None:
            scores = scores.masked_fill(mask, float("-inf"))
        pattern: Tensor = self.pattern(scores.softmax(dim=-1))
        return pattern @ (x @ self.W_V) @ self.W_O


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
        hidden = x @ self.W_in  # [B, T, M]
        result: Tensor = self.resid(x + torch.relu(hidden + self.b_in) @ self.W_out)
        return result


class Layer(nn.Module):
    """Heads, added to the residual stream, then feed-forwards; `resid` taps the stream between them."""

    def __init__(self, weights: LayerWeights) -> None:
        super().__init__()
        self.heads = nn.ModuleList(map(Head, weights.heads))
        self.resid = nn.Identity()
        self.mlps = nn.ModuleList(map(FeedForward, weights.feed_forwards))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        written = [head(x, mask) for head in self.heads]
        for update in written:
            x = x + update
        x = self.resid(x)
        for mlp in self.mlps:
            x = mlp(x)
        return x


class Transformer(nn.Module):
    """The compiled transformer: token ids [B, T] (BOS = 0 first) to logits [B, T, O].

    It runs in the dtype that its certificate is for. Any other (after `half()`, under autocast, with TF32 matrix
    products) is a DataFault, unless it has been allowed by name.
    """

    def __init__(self, weights: ModelWeights) -> None:
        super().__init__()
        self.dtype = weights.dtype
        self.allowed: frozenset[str] = frozenset()
        self.causal = weights.causal
        self.W_E = _parameter(weights.W_E)
        self.W_pos = _parameter(weights.W_pos)
        self.input_mlps = nn.ModuleList(map(FeedForward, weights.input_feed_forwards))
        self.layers = nn.ModuleList(map(Layer, weights.layers))
        self.W_U = _parameter(weights.output.W_U)
        self.more = nn.ParameterList([_parameter(output.W_U) for output in weights.outputs[1:]])
        self.guards = nn.ParameterList([_parameter(guard.W_U) for guard in weights.guards])

    def allow(self, *names: str) -> Transformer:
        """This network, which now also runs in ways that its certificate says nothing about; answers may be wrong.

        By name: float16, bfloat16, float32, float64, tf32 (any matrix product of reduced precision), autocast.
        """
        if unknown := sorted(set(names) - set(UNCERTIFIED)):
            raise DataFault(f"{unknown[0]!r} is no way to run a model", hint=f"it is one of {', '.join(UNCERTIFIED)}")
        self.allowed |= set(names)
        return self

    def forward(self, token_ids: Tensor, padding: Tensor | None = None) -> Tensor:
        """Logits of the first output, [B, T, O]. `padding` [B, T] is true at tokens that are none."""
        return self.residual(token_ids, padding) @ self.W_U

    def residual(self, token_ids: Tensor, padding: Tensor | None = None) -> Tensor:
        """The residual stream after the last layer, [B, T, D]. DataFault in a dtype that is not the certified one."""
        self._check_precision()
        x: Tensor = self.W_E[token_ids] + self.W_pos[: token_ids.shape[1]]
        mask = self._mask(token_ids, padding)
        for mlp in self.input_mlps:
            x = mlp(x)
        for layer in self.layers:
            x = layer(x, mask)
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


def _is_reduced(device: str) -> bool:
    """Whether products of float32 matrices are computed with fewer digits than float32 has."""
    backend = {"cuda": torch.backends.cuda, "cpu": torch.backends.mkldnn}.get(device)
    precision = getattr(getattr(backend, "matmul", None), "fp32_precision", None)
    if isinstance(precision, str):
        return precision not in ("ieee", "none")
    return torch.get_float32_matmul_precision() != "highest"


def trace(network: Transformer, token_ids: Any, *, whole: bool = True) -> Trace:
    """Everything one forward pass did, as numpy arrays; `token_ids` [T] or [B, T], BOS first.

    Unless it is `whole`, only logits are kept: neither attention nor the residual stream.
    """
    patterns: list[list[Array]] = [[] for _ in network.layers]
    residuals: list[Array] = []
    batch = torch.from_numpy(np.atleast_2d(token_ids)).to(network.W_E.device)
    keep = _keeper(batched=token_ids.ndim == 2)
    with torch.no_grad(), ExitStack() as hooks:
        if whole:
            residuals.append(keep(network.W_E[batch] + network.W_pos[: batch.shape[1]]))
            _tap(network, keep, patterns, residuals, hooks)
        x = network.residual(batch)
        outputs = tuple(keep(x @ output) for output in (network.W_U, *network.more))
        guards = tuple(keep(x @ guard) for guard in network.guards)
    return Trace(outputs, guards, tuple(map(tuple, patterns)) if whole else (), tuple(residuals))


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
        wide = tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
        array: Array = wide.cpu().numpy()
        return array if batched else array[0]

    return keep


def _parameter(array: Array) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(array)), requires_grad=False)

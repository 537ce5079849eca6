"""A forward pass of the torch network in which every intermediate tensor can be read and changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from compiler.ir import ModelWeights
from compiler.run.graph_inputs import GraphInputs
from compiler.run.network import FeedForward, Head, Layer, Transformer, hidden_by, hidden_of
from compiler.run.points import INPUT, Places, Point, stage_points
from compiler.run.reference import Trace
from rasp.errors import DataFault

# What is called with the tensor at a place and, as `hook`, the place; it returns what is to be there instead, or None.
Hook: TypeAlias = Callable[..., Any]
# Where the queries of a head must not attend [B or 1, T, T]; None: nowhere.
MaskOf: TypeAlias = "Callable[[Head], Tensor | None]"


class Taps:
    """What happens at the places of one forward pass: hooks are called in order, and what is `wanted` is `kept`.

    Tensors come with the batch axis in front, unless the pass is of one input alone: then hooks see none, and none is
    kept.
    """

    def __init__(
        self, places: Places, hooks: Sequence[tuple[Point, Hook]], wanted: Collection[str], *, alone: bool
    ) -> None:
        self.places, self.wanted, self.alone = places, wanted, alone
        self.hooks: dict[str, list[Hook]] = defaultdict(list)
        for point, hook in hooks:
            self.hooks[point.name].append(hook)
        self.kept: dict[str, Tensor] = {}

    def asks(self, *short: str | int) -> bool:
        """Whether anybody reads or changes what is at a place."""
        name = self.places.one(short).name
        return name in self.wanted or name in self.hooks

    def __call__(self, value: Tensor, *short: str | int) -> Tensor:
        """What is at a place [B, ...], after its hooks."""
        point = self.places.one(short)
        for hook in self.hooks.get(point.name, ()):
            value = self._hooked(value.clone(), point, hook)
        if point.name in self.wanted:
            self.kept[point.name] = value[0] if self.alone else value
        return value

    def _hooked(self, value: Tensor, point: Point, hook: Hook) -> Tensor:
        shown = value[0] if self.alone else value
        found = hook(shown, hook=point)
        found = shown if found is None else found
        if not isinstance(found, Tensor) or found.shape != shown.shape:
            given = f"a tensor {list(found.shape)}" if isinstance(found, Tensor) else f"a {type(found).__name__}"
            raise DataFault(f"the hook at {point.name} gave {given}, where a tensor {list(shown.shape)} belongs")
        return found[None] if self.alone else found

    def by_head(self, parts: list[Tensor], axis: int, *short: str | int) -> list[Tensor]:
        """What each head of a layer has at a place; hooks see all heads as one tensor, narrow ones filled up with 0."""
        if not self.asks(*short):
            return parts
        widest = max(part.shape[-1] for part in parts)
        filled = [torch.nn.functional.pad(part, (0, widest - part.shape[-1])) for part in parts]
        every = self(torch.stack(filled, dim=axis), *short)
        return [every.select(axis, at)[..., : part.shape[-1]] for at, part in enumerate(parts)]


def traced(
    network: Transformer, weights: ModelWeights, token_ids: Any, padding: Any, taps: Taps, graphs: GraphInputs
) -> tuple[Trace, dict[str, Tensor]]:
    """The trace of token ids [B, T] (BOS first) with what was kept of it. `padding` [B, T] is true at no tokens."""
    network._check_precision()
    ids = torch.from_numpy(np.asarray(token_ids)).to(network.W_E.device)
    hidden = None if padding is None else torch.from_numpy(padding).to(ids.device)
    stages = {taps.places.one(short).name: taps.places.one(short) for short in stage_points(weights)}
    patterns: list[tuple[Tensor, ...]] = []
    own = taps.wanted
    taps.wanted = {*own, *stages}
    common, own_masks = network._mask(ids, hidden), hidden_by(graphs, ids)
    x = _stream(network, ids, lambda head: hidden_of(head, common, own_masks), taps, patterns)
    residuals = tuple(_array(taps.kept[name]) for name in stages)
    alone: Any = 0 if taps.alone else slice(None)
    outputs = tuple(_array((x @ output)[alone]) for output in (network.W_U, *network.more))
    guards = tuple(_array((x @ guard)[alone]) for guard in network.guards)
    attention = tuple(tuple(_array(pattern[alone]) for pattern in layer) for layer in patterns)
    return Trace(outputs, guards, attention, residuals), {name: taps.kept[name] for name in taps.kept if name in own}


def _stream(network: Transformer, ids: Tensor, mask: MaskOf, taps: Taps, patterns: list[tuple[Tensor, ...]]) -> Tensor:
    """The residual stream after the last layer."""
    embedded = taps(network.W_E[ids], "embed")
    placed = taps(network.W_pos[: ids.shape[1]].expand_as(embedded), "pos_embed")
    x = taps(embedded + placed, "resid_pre", INPUT)
    x = _fed_forward(x, list(network.input_mlps), INPUT, taps)
    for at, layer in enumerate(network.layers):
        assert isinstance(layer, Layer)
        x = taps(x, "resid_pre", at)
        x = taps(_attended(x, layer, at, mask, taps, patterns), "resid_mid", at)
        x = _fed_forward(x, list(layer.mlps), at, taps)
    return x


def _attended(x: Tensor, layer: Layer, at: int, mask: MaskOf, taps: Taps, patterns: list[tuple[Tensor, ...]]) -> Tensor:
    """The stream with what the heads of a layer add to it."""
    heads = [head for head in layer.heads if isinstance(head, Head)]
    queries = taps.by_head([x @ head.W_Q for head in heads], 2, "q", at)
    keys = taps.by_head([x @ head.W_K for head in heads], 2, "k", at)
    values = taps.by_head([x @ head.W_V for head in heads], 2, "v", at)
    scores = [q @ k.transpose(-1, -2) for q, k in zip(queries, keys, strict=True)]
    masks = map(mask, heads)
    scores = [
        found if hidden is None else found.masked_fill(hidden, float("-inf"))
        for found, hidden in zip(scores, masks, strict=True)
    ]
    scores = taps.by_head(scores, 1, "scores", at)
    attention = taps.by_head([found.softmax(dim=-1) for found in scores], 1, "pattern", at)
    patterns.append(tuple(attention))
    mixed = taps.by_head([a @ v for a, v in zip(attention, values, strict=True)], 2, "z", at)
    written = taps.by_head([z @ head.W_O for z, head in zip(mixed, heads, strict=True)], 2, "result", at)
    return _added(x, written, taps, "attn_out", at)


def _added(x: Tensor, parts: list[Tensor], taps: Taps, *short: str | int) -> Tensor:
    """The stream with parts added one after another, as the network does; or with what a hook made of their sum."""
    if taps.asks(*short):
        total = torch.stack(parts).sum(dim=0)
        found = taps(total, *short)
        if found is not total:
            return x + found
    for part in parts:
        x = x + part
    return x


def _fed_forward(x: Tensor, mlps: Sequence[object], at: int | str, taps: Taps) -> Tensor:
    """The stream after a block's feed-forwards, one after another."""
    for number, mlp in enumerate(mlps):
        assert isinstance(mlp, FeedForward)
        more = (number,) if number else ()
        x = taps(x, "resid_mid", at, *more) if number else x
        before = taps(x @ mlp.W_in + mlp.b_in, "pre", at, *more)
        hidden = taps(torch.relu(before), "post", at, *more)
        x = x + taps(hidden @ mlp.W_out, "mlp_out", at, *more)
    return taps(x, "resid_post", at)


def _array(tensor: Tensor) -> Any:
    wide = tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
    return wide.detach().cpu().numpy()

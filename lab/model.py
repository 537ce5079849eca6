"""A standard transformer that learns: multi-head attention and feed-forwards, with every head's pattern to look at.

Letters of shapes: B batch, T positions, S = T + 1 with BOS and T without, D d_model, H heads, K d_head.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from lab.masks import Masks, Place, Relational, cells
from rasp.batch.run import BatchRun
from rasp.errors import DataFault

# Patterns [B, S, S] that stand in for those of some heads.
Patterns: TypeAlias = "Mapping[Place, Tensor]"

NORMS = ("pre", "post")
ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}
POSITIONS = ("learned", "sinusoidal", "random")

_SPREAD = 8
"""Random positions are drawn from so many times the maximum length."""


@dataclass(frozen=True)
class EncoderConfig:
    """The size and kind of an encoder. DataFault where it cannot be built.

    `outputs` are the classes, or 1 for a number. `d_mlp` is 4·d_model unless it is given. Zero layers are the embedding
    and one feed-forward. Positions are learned up to `max_length`; `random` ones are sinusoids of sorted positions
    drawn from a longer range (Ruoss et al. 2023). Without `bos` the sequence is the tokens alone.
    """

    vocabulary: int
    outputs: int
    max_length: int
    layers: int
    heads: int
    d_model: int = 32
    d_mlp: int | None = None
    norm: str = "pre"
    activation: str = "relu"
    positions: str = "learned"
    bos: bool = True
    causal: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("norm", self.norm, NORMS),
            ("activation", self.activation, tuple(ACTIVATIONS)),
            ("positions", self.positions, POSITIONS),
        ):
            if value not in known:
                raise DataFault(f"{name} is one of {', '.join(known)}, not {value!r}")
        if self.layers < 0 or (self.layers and self.heads < 1):
            raise DataFault(f"an encoder needs layers and heads, not {self.layers} layers of {self.heads} heads")
        if self.d_model < max(self.heads, 2) or self.d_model % 2:
            raise DataFault(f"d_model {self.d_model} is not even, or too small for {self.heads} heads")

    @property
    def d_head(self) -> int:
        return self.d_model // max(self.heads, 1)


@dataclass(frozen=True, eq=False)
class Forward:
    """What a forward pass gives: outputs [B, T, C] (BOS left out), and the pattern [B, H, S, S] of each layer."""

    outputs: Tensor
    patterns: tuple[Tensor, ...]


class Attention(nn.Module):
    """Multi-head attention; with the same weights the same function as torch's MultiheadAttention.

    `in_proj` holds W_Q, W_K and W_V of all heads, one below the other, as torch has them. A row that sees no key gets
    zeros where torch gets NaN. A head that `kinds` gives so many kinds of edges has `edges` [3, E, K]: what an edge of
    each kind adds to the query, the key and the value.
    """

    def __init__(self, d_model: int, heads: int, d_head: int, kinds: Mapping[int, int] | None = None) -> None:
        super().__init__()
        self.heads, self.d_head = heads, d_head
        self.in_proj = nn.Linear(d_model, 3 * heads * d_head)
        self.out_proj = nn.Linear(heads * d_head, d_model)
        self.edges = nn.ParameterDict(
            {str(head): torch.randn(3, count, d_head) / math.sqrt(d_head) for head, count in (kinds or {}).items()}
        )

    def forward(
        self,
        x: Tensor,
        hidden: Tensor,
        patterns: Mapping[int, Tensor] | None = None,
        edges: Mapping[int, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """What is added to the residual stream [B, S, D], and the pattern [B, H, S, S].

        `hidden`, broadcast to that shape, is true where a query must not look. `patterns` stand in for those of heads.
        `edges` [B, E, S, S] say where a relational head has an edge of each kind.
        """
        batch, size, _ = x.shape
        query, key, value = self.in_proj(x).view(batch, size, 3, self.heads, self.d_head).permute(2, 0, 3, 1, 4)
        scores = self._scores(query, key, edges or {})
        pattern = masked_softmax(scores / math.sqrt(self.d_head), hidden)
        if patterns:
            pattern = torch.stack([patterns.get(h, pattern[:, h]) for h in range(self.heads)], dim=1)
        mixed = self._mixed(pattern, value, edges or {})  # [B, H, S, K]
        return self.out_proj(mixed.transpose(1, 2).reshape(batch, size, -1)), pattern

    def _scores(self, query: Tensor, key: Tensor, edges: Mapping[int, Tensor]) -> Tensor:
        """The products of queries and keys, [B, H, S, S]; those of a relational head with its edges added to both."""
        scores = query @ key.transpose(-1, -2)
        if not edges:
            return scores
        heads = list(scores.unbind(1))
        for head, found in edges.items():
            to_query, to_key, _ = self.edges[str(head)]
            between = found.to(query.dtype)
            asking = query[:, head, :, None] + torch.einsum("beqk,ed->bqkd", between, to_query)
            asked = key[:, head, None] + torch.einsum("beqk,ed->bqkd", between, to_key)
            heads[head] = (asking * asked).sum(dim=-1)
        return torch.stack(heads, dim=1)

    def _mixed(self, pattern: Tensor, value: Tensor, edges: Mapping[int, Tensor]) -> Tensor:
        """The means of the values, [B, H, S, K]; of a relational head those of the values with their edges."""
        mixed = pattern @ value
        if not edges:
            return mixed
        heads = list(mixed.unbind(1))
        for head, found in edges.items():
            share = (pattern[:, head, None] * found).sum(dim=-1)  # [B, E, S]: of the weight, how much is on each kind
            heads[head] = heads[head] + torch.einsum("beq,ed->bqd", share, self.edges[str(head)][2])
        return torch.stack(heads, dim=1)


def masked_softmax(scores: Tensor, hidden: Tensor) -> Tensor:
    """The softmax over the keys that are not hidden; zeros in a row where all are, with gradients of zero."""
    blind = hidden.all(dim=-1, keepdim=True)
    return scores.masked_fill(hidden & ~blind, -math.inf).softmax(dim=-1).masked_fill(hidden, 0)


class Block(nn.Module):
    """Attention, then a feed-forward, each added to the residual stream; without attention the feed-forward alone."""

    def __init__(self, config: EncoderConfig, kinds: Mapping[int, int], *, attends: bool = True) -> None:
        super().__init__()
        d_model, d_mlp = config.d_model, config.d_mlp or 4 * config.d_model
        self.pre = config.norm == "pre"
        self.attention = Attention(d_model, config.heads, config.d_head, kinds) if attends else None
        self.norms = nn.ModuleList([nn.LayerNorm(d_model) for _ in range(1 + attends)])
        activation = ACTIVATIONS[config.activation]()
        self.mlp = nn.Sequential(nn.Linear(d_model, d_mlp), activation, nn.Linear(d_mlp, d_model))

    def forward(
        self, x: Tensor, hidden: Tensor, patterns: Mapping[int, Tensor], edges: Mapping[int, Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """The residual stream [B, S, D] after the block, and the pattern of its heads."""
        pattern = None
        if self.attention is not None:
            written, pattern = self.attention(self.norms[0](x) if self.pre else x, hidden, patterns, edges)
            x = x + written if self.pre else self.norms[0](x + written)
        if self.pre:
            return x + self.mlp(self.norms[-1](x)), pattern
        return self.norms[-1](x + self.mlp(x)), pattern


class Encoder(nn.Module):
    """A transformer encoder (or, causal, a decoder) from token ids to outputs at each position.

    A head that `masks` names, by layer and head from 0 on, sees only the keys that its selector selects, or to which it
    has an edge, and BOS, to which there are none.
    """

    def __init__(self, config: EncoderConfig, masks: Masks | None = None) -> None:
        super().__init__()
        self.config: EncoderConfig = config
        self.masks: Masks = dict(masks or {})
        for layer, head in self.masks:
            if not (0 <= layer < config.layers and 0 <= head < config.heads):
                raise DataFault(f"there is no head {head} in layer {layer} to mask, both counted from 0")
        self.W_E = nn.Embedding(config.vocabulary + 1, config.d_model)
        learned = config.positions == "learned"
        positions = nn.Embedding(config.max_length + config.bos, config.d_model) if learned else None
        self.W_pos: nn.Embedding | None = positions
        self.blocks: nn.ModuleList = nn.ModuleList(Block(config, self._kinds(layer)) for layer in range(config.layers))
        if not config.layers:
            self.blocks.append(Block(config, {}, attends=False))
        self.norm: nn.Module = nn.LayerNorm(config.d_model) if config.norm == "pre" else nn.Identity()
        self.W_U = nn.Linear(config.d_model, config.outputs)

    def forward(
        self,
        ids: Tensor,
        masks: Patterns | None = None,
        patterns: Patterns | None = None,
        positions: Tensor | None = None,
    ) -> Forward:
        """The outputs on token ids [B, T], −1 beyond the end of an input.

        `masks` are what masked heads see, [B, T, T] each and [B, E, T, T] of edges, as `visible` gives them;
        `patterns` stand in for what some heads computed; `positions` [S] are those that `draw_positions` gives.
        DataFault for missing masks, and where learned positions are too few.
        """
        padded = nn.functional.pad(ids + 1, (int(self.config.bos), 0))  # 0 is BOS, and padding, which no one sees
        x = self.W_E(padded) + self._positions(padded.shape[1], positions)
        hidden = self._hidden(ids)
        found = []
        for layer, block in enumerate(self.blocks):
            own = {h: pattern for (at, h), pattern in (patterns or {}).items() if at == layer}
            x, pattern = block(x, self._masked(layer, hidden, masks or {}), own, self._edges(layer, masks or {}))
            found += [] if pattern is None else [pattern]
        return Forward(self.W_U(self.norm(x))[:, int(self.config.bos) :], tuple(found))

    def with_noise(self, level: float, seed: int) -> Encoder:
        """A copy whose weights are each multiplied by 1 + level·z, z normal."""
        found, drawn = copy.deepcopy(self), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weights in found.parameters():
                weights.mul_(1 + level * torch.randn(weights.shape, generator=drawn))
        return found

    def visible(self, run: BatchRun) -> dict[Place, Tensor]:
        """What masked heads see on a batch."""
        return {place: torch.from_numpy(cells(mask, run)) for place, mask in self.masks.items()}

    def _kinds(self, layer: int) -> dict[int, int]:
        """How many kinds of edges the relational heads of a layer have."""
        own = {head: mask for (at, head), mask in self.masks.items() if at == layer}
        return {head: len(mask.kinds) for head, mask in own.items() if isinstance(mask, Relational)}

    def _edges(self, layer: int, masks: Patterns) -> dict[int, Tensor]:
        """The edges of the relational heads of a layer, [B, E, S, S]."""
        bos = int(self.config.bos)
        return {head: nn.functional.pad(masks[layer, head], (bos, 0, bos, 0)) for head in self._kinds(layer)}

    def _hidden(self, ids: Tensor) -> Tensor:
        """True where no query may look: beyond the end of an input, and after itself if causal. [B, 1, S, S]"""
        size = ids.shape[1] + self.config.bos
        keys = nn.functional.pad(ids < 0, (int(self.config.bos), 0))
        hidden = keys[:, None, None, :].expand(-1, 1, size, -1)
        if not self.config.causal:
            return hidden
        return hidden | torch.ones(size, size, dtype=torch.bool, device=ids.device).triu(1)

    def _masked(self, layer: int, hidden: Tensor, masks: Patterns) -> Tensor:
        """What the heads of a layer must not see, [B, H or 1, S, S]."""
        own = [head for at, head in self.masks if at == layer]
        if not own:
            return hidden
        if missing := [head for head in own if (layer, head) not in masks]:
            raise DataFault(f"head {missing[0]} of layer {layer} has a mask, and no cells are given for it")
        heads = list(hidden.expand(-1, self.config.heads, -1, -1).unbind(1))
        for head in own:
            seen = masks[layer, head]
            seen = seen.any(dim=1) if seen.ndim == 4 else seen  # an edge of any kind
            unseen = nn.functional.pad(~seen, (int(self.config.bos), 0, int(self.config.bos), 0))
            if self.config.bos:
                unseen[:, 0, 1:] = True  # BOS sees itself alone, as in compiled models
            heads[head] = heads[head] | unseen
        return torch.stack(heads, dim=1)

    def _positions(self, size: int, drawn: Tensor | None) -> Tensor:
        """What the positions add to the stream, [S, D]."""
        if self.W_pos is not None:
            if size > self.W_pos.num_embeddings:
                longest = self.config.max_length
                raise DataFault(
                    f"positions are learned up to {longest}, and an input has {size - self.config.bos} tokens",
                    hint="train with sinusoidal or random positions",
                )
            return self.W_pos.weight[:size]
        if self.config.positions == "random":
            places = self._spread(size) if drawn is None else drawn
        else:
            places = torch.arange(size)
        return sinusoids(places, self.config.d_model).to(self.W_E.weight)

    def _spread(self, size: int) -> Tensor:
        """Random positions where none are drawn: evenly spread, as drawn ones are on average."""
        return torch.arange(size) * self._range(size) // size

    def _range(self, size: int) -> int:
        return max(_SPREAD * (self.config.max_length + self.config.bos), size)

    def draw_positions(self, size: int, generator: torch.Generator) -> Tensor | None:
        """Sorted positions [S] for a step of training; None where positions are not random."""
        if self.config.positions != "random":
            return None
        return torch.randperm(self._range(size), generator=generator)[:size].sort().values


def sinusoids(places: Tensor, d_model: int) -> Tensor:
    """Sine and cosine of each place at frequencies that fall geometrically, [S, D] (Vaswani et al. 2017)."""
    frequencies = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10_000) / d_model))
    angles = places[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1)

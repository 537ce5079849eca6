"""Masks of heads as RASP selectors: those that every library has by name, any of a program, edges of several kinds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from rasp.batch.ragged import Flags
from rasp.batch.run import BatchRun
from rasp.errors import DataFault
from rasp.graph import Constant, LabelledRelation, Node, Relation, Selector, full, indices, select, topological
from rasp.language.program import Program

Place: TypeAlias = "tuple[int, int]"
"""A head: its layer, and its number there, both from 0 on."""


@dataclass(frozen=True)
class Relational:
    """What a relational head sees: a key and a query with an edge of some kind between them. DataFault without kinds.

    Each kind is a selector, and has three embeddings, which are added to the query, the key and the value wherever
    there is an edge of that kind (Diao and Loynd 2023, with edges that are one-hot or sums of them).
    """

    kinds: tuple[Selector, ...]

    def __post_init__(self) -> None:
        if not self.kinds:
            raise DataFault("edges are of one kind at least", hint="a selector alone is a mask without embeddings")


Mask: TypeAlias = Selector | Relational
Masks: TypeAlias = Mapping[Place, Mask]


def causal() -> Selector:
    """Each query sees itself and the keys before it."""
    return select(indices, indices, "<=")


def window(size: int) -> Selector:
    """Each query sees the keys that are fewer than `size` positions away, itself among them. DataFault below 1."""
    return select(indices, indices - _from_one(size), ">") & select(indices, indices + size, "<")


def stride(size: int) -> Selector:
    """Each query sees the keys that are a multiple of `size` positions away. DataFault below 1."""
    return select(indices % _from_one(size), indices % size, "==")


def _from_one(size: int) -> int:
    if size < 1:
        raise DataFault(f"a window or stride is a number from 1 on, not {size}")
    return size


def edge_aware(root: Node) -> Relational | None:
    """What lets a head see all keys, and the edges of each relation that a program reads; None where it reads none.

    A token's embedding knows nothing of the edges, so that without it no head could tell them.
    """
    read = {node for node in topological([root]) if isinstance(node, (Relation, LabelledRelation))}
    kinds = sorted((node for node in read if _is_fixed(node)), key=repr)
    return Relational((*kinds, full)) if kinds else None


def _is_fixed(node: Selector) -> bool:
    """Whether a relation is one of the input alone: a label that the program works out is for the model to find."""
    return not isinstance(node, LabelledRelation) or isinstance(node.wanted, Constant)


def cells(mask: Mask, run: BatchRun) -> Flags:
    """Where a head sees on a batch: [B, T, T] of a selector, and of edges [B, E, T, T], one kind after the other."""
    if isinstance(mask, Relational):
        return np.stack([run.selector(kind) for kind in mask.kinds], axis=1)
    return run.selector(mask)


# -- masks as text


_SIZED: Mapping[str, Callable[[int], Selector]] = {"window": window, "stride": stride}


def named_mask(text: str, program: Program) -> tuple[Place, Mask]:
    """A head and its mask, from a text such as `1.2=causal`, `1.1=window(3)` or `2.1=NAME`, counted from 1.

    NAME is a selector of the program; several, with a comma between, are kinds of edges. DataFault for anything else,
    NameFault where the program has no such selector.
    """
    found = re.fullmatch(r"\s*(\d+)\.(\d+)\s*=(.+)", text)
    if found is None or "0" in found.groups():
        raise DataFault(f"{text!r} is no mask", hint="write LAYER.HEAD=SELECTOR, as in 1.1=window(3), counted from 1")
    kinds = tuple(_selector(name.strip(), program) for name in found[3].split(","))
    return (int(found[1]) - 1, int(found[2]) - 1), kinds[0] if len(kinds) == 1 else Relational(kinds)


def _selector(name: str, program: Program) -> Selector:
    if name == "causal":
        return causal()
    if sized := re.fullmatch(r"(window|stride)\((\d+)\)", name):
        return _SIZED[sized[1]](int(sized[2]))
    return program.selector(name)

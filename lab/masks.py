"""Masks of heads as RASP selectors: those that every library has by name. Any selector of a program is one, too."""

from __future__ import annotations

from typing import TypeAlias

from rasp.errors import DataFault
from rasp.graph import Selector, indices, select

Place: TypeAlias = "tuple[int, int]"
"""A head: its layer, and its number there, both from 0 on."""


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

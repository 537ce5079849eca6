"""What every way of evaluating shares: faults that name the node, tokens converted, means rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rasp.errors import ValueFault
from rasp.graph import Node
from rasp.operations import Atom, Column, describe

_EXACT_FLOAT = 2**53


class EvaluationFault(ValueFault):
    """A node has no value on this input: which node, at which position, and the atoms it was given there."""

    def __init__(self, node: Node, reason: str, position: int | None = None, atoms: Sequence[Atom] = ()) -> None:
        place = "" if position is None else f" at position {position}"
        given = f" (given {', '.join(map(describe, atoms))})" if atoms else ""
        super().__init__(f"{reason}{place}{given}, in {node!r}")
        self.node = node
        self.position = position
        self.atoms = tuple(atoms)


def mean(values: Column) -> float:
    """The mean of numbers, rounded once: it does not depend on their order, and equal values keep theirs."""
    if values.dtype.kind in "ib" and len(values) * max(map(abs, (int(values.min()), int(values.max())))) < _EXACT_FLOAT:
        return int(values.sum()) / len(values)
    atoms = values.tolist()
    if all(isinstance(atom, int) for atom in atoms):
        return sum(atoms) / len(atoms)
    if not all(map(math.isfinite, atoms)):
        return float(sum(atoms) / len(atoms))
    return _rounded_once([atom.as_integer_ratio() for atom in atoms])


def _rounded_once(ratios: Sequence[tuple[int, int]]) -> float:
    """The mean of fractions whose denominators are powers of two."""
    shift = max(below.bit_length() for _, below in ratios)
    total = sum(above << (shift - below.bit_length()) for above, below in ratios)
    return total / (len(ratios) << (shift - 1))


_CONVERSIONS: dict[str, Callable[[Any], Atom]] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "asis": lambda token: token,
}


def convert(kind: str, token: Atom) -> Atom:
    """A token as `tokens_kind` sees it. ValueFault where it cannot be converted."""
    try:
        return _CONVERSIONS[kind](token)
    except (ValueError, OverflowError) as error:
        article = "an int" if kind == "int" else f"a {kind}"
        raise ValueFault(f"{describe(token)} cannot be read as {article}") from error

"""Numbers as weighted sums of others, with exact weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from compiler.operations.opaque import is_opaque
from rasp.graph import Constant, Map, SOp, topological
from rasp.operations import COMPARISONS, OPERATIONS


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A constant plus a weighted sum of s-ops, with exact weights."""

    weights: Mapping[SOp, Fraction]
    constant: Fraction


class LinearForms:
    """S-ops as linear forms of the s-ops they add, subtract and scale, each found once."""

    def __init__(self) -> None:
        self._known: dict[SOp, LinearForm | None] = {}

    def __getitem__(self, root: SOp) -> LinearForm | None:
        """The form of an s-op; the s-op itself where it does neither. None for a constant that is no finite number."""
        for node in topological([root], self._known):
            if isinstance(node, SOp):
                self._known[node] = _form(node, self._known)
        return self._known[root]

    def core(self, node: SOp) -> SOp:
        """What a chain of one-argument operations and comparisons with constants starts from, as one linear s-op."""
        while isinstance(node, Map) and not is_opaque(node):
            form = self[node]
            if form is not None and set(form.weights) != {node}:
                return node
            moving = list({arg: None for arg in node.args if not isinstance(arg, Constant)})
            if len(moving) == 2 and len(node.args) == 2 and node.op.name in COMPARISONS:
                return Map(OPERATIONS["-"], (moving[0], moving[1]))
            if len(moving) != 1:
                return node
            node = moving[0]
        return node


def _form(node: SOp, forms: Mapping[SOp, LinearForm | None]) -> LinearForm | None:
    if isinstance(node, Constant):
        value = node.value
        if isinstance(value, str) or not math.isfinite(value):
            return None
        return LinearForm({}, Fraction(value))
    itself = LinearForm({node: Fraction(1)}, Fraction(0))
    if not isinstance(node, Map) or node.op.name not in _LINEAR:
        return itself
    sides = [forms[arg] for arg in node.args]
    found = [side for side in sides if side is not None]
    return (_LINEAR[node.op.name](found) if len(found) == len(sides) else None) or itself


def _plus(a: LinearForm, b: LinearForm, sign: int = 1) -> LinearForm:
    weights = dict(a.weights)
    for part, weight in b.weights.items():
        weights[part] = weights.get(part, Fraction(0)) + sign * weight
    return LinearForm({p: w for p, w in weights.items() if w}, a.constant + sign * b.constant)


def _times(form: LinearForm, factor: Fraction) -> LinearForm:
    if factor == 0:
        return LinearForm({}, Fraction(0))
    return LinearForm({p: w * factor for p, w in form.weights.items()}, form.constant * factor)


def _scaled(sides: list[LinearForm]) -> LinearForm | None:
    left, right = sides
    if not right.weights:
        return _times(left, right.constant)
    return None if left.weights else _times(right, left.constant)


def _divided(sides: list[LinearForm]) -> LinearForm | None:
    left, right = sides
    return None if right.weights or right.constant == 0 else _times(left, 1 / right.constant)


_LINEAR: dict[str, Callable[[list[LinearForm]], LinearForm | None]] = {
    "+": lambda sides: _plus(sides[0], sides[1]),
    "-": lambda sides: _plus(sides[0], sides[1], -1),
    "neg": lambda sides: _times(sides[0], Fraction(-1)),
    "pos": lambda sides: sides[0],
    "*": _scaled,
    "/": _divided,
}

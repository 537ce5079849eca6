"""Numbers whose values are too many to list, as sums of listed s-ops and products of a listed s-op and a mean.

`x * tokens_int`, `x if tokens == "a" else 0` and `(x - 1) / (indices + 1)` are a·x + b with listed a and b.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

from compiler.values.sets import ValueSets
from rasp.errors import Refusal
from rasp.graph import Aggregate, Constant, Map, SOp
from rasp.operations import OPERATIONS

Terms: TypeAlias = Mapping[SOp, SOp]
Affine: TypeAlias = tuple[Terms, SOp]


def is_product(analysis: ValueSets, node: SOp) -> bool:
    """Whether an s-op is a listed s-op times a mean that is too many to list."""
    if not isinstance(node, Map) or node.op.name != "*":
        return False
    factor, mean = node.args
    return isinstance(mean, Aggregate) and not analysis[mean].listed and analysis[factor].listed


def products(analysis: ValueSets, root: SOp) -> Mapping[SOp, Fraction]:
    """The products, means and listed s-ops that a number is the sum of, each once. Refusal where it is no such sum.

    The number itself is known to be one whose values are too many to list.
    """
    terms, rest = _unlisted(analysis, root, {})
    for part in (*terms.values(), rest):
        if not analysis[part].numeric:
            raise Refusal(f"{root!r} is not a number everywhere")
    moving = {mean: factor for mean, factor in terms.items() if any(analysis[factor].universe)}
    parts = [mean if _is(factor, 1) else Map(OPERATIONS["*"], (factor, mean)) for mean, factor in moving.items()]
    return dict.fromkeys(parts if _is(rest, 0) else (*parts, rest), Fraction(1))


def _affine(analysis: ValueSets, node: SOp, known: dict[SOp, Affine]) -> Affine:
    if node not in known:
        known[node] = ({}, node) if analysis[node].listed else _unlisted(analysis, node, known)
    return known[node]


def _unlisted(analysis: ValueSets, node: SOp, known: dict[SOp, Affine]) -> Affine:
    if isinstance(node, Aggregate):
        return itself(node)
    assert isinstance(node, Map)
    listed = [analysis[arg].listed for arg in node.args]
    kept = [listed[place] for place in _LISTED.get(node.op.name, ())]
    if node.op.name not in {*AFFINE, "if"} or (kept and not any(kept)):
        raise Refusal(f"{node!r} depends on a number whose values are too many to list, and not in a linear way")
    if node.op.name == "/" and 0 in analysis[node.args[1]].universe:
        raise Refusal(f"{node!r} may divide by zero, and whether it does cannot be read off its values")
    if node.op.name == "if":
        return chosen(node.args[0], *(_affine(analysis, arg, known) for arg in node.args[1:]))
    found = AFFINE[node.op.name]([_affine(analysis, arg, known) for arg in node.args])
    assert found is not None
    return found


# -- affine functions of means, with s-ops for coefficients


def itself(mean: SOp) -> Affine:
    """A mean as an affine function."""
    return {mean: Constant(1)}, Constant(0)


def plus(left: Affine, right: Affine) -> Affine:
    """The sum of two affine functions."""
    means = {**left[0], **right[0]}
    return {mean: _sum(term(left, mean), term(right, mean)) for mean in means}, _sum(left[1], right[1])


def scaled(side: Affine, factor: SOp) -> Affine:
    """An affine function times an s-op."""
    return {mean: _times(factor, term) for mean, term in side[0].items()}, _times(factor, side[1])


def chosen(condition: SOp, then: Affine, otherwise: Affine) -> Affine:
    """One of two affine functions."""
    means = {**then[0], **otherwise[0]}
    terms = {mean: _choice(condition, term(then, mean), term(otherwise, mean)) for mean in means}
    return terms, _choice(condition, then[1], otherwise[1])


def term(side: Affine, mean: SOp) -> SOp:
    """What an affine function multiplies a mean with."""
    return side[0].get(mean, Constant(0))


def _is(node: SOp, value: int) -> bool:
    return isinstance(node, Constant) and type(node.value) is int and node.value == value


def _sum(left: SOp, right: SOp) -> SOp:
    return right if _is(left, 0) else left if _is(right, 0) else Map(OPERATIONS["+"], (left, right))


def _times(left: SOp, right: SOp) -> SOp:
    if _is(left, 0) or _is(right, 0):
        return Constant(0)
    return right if _is(left, 1) else left if _is(right, 1) else Map(OPERATIONS["*"], (left, right))


def _choice(condition: SOp, then: SOp, otherwise: SOp) -> SOp:
    return then if then is otherwise else Map(OPERATIONS["if"], (condition, then, otherwise))


def _product(sides: Sequence[Affine]) -> Affine | None:
    left, right = sides
    return scaled(right, left[1]) if not left[0] else scaled(left, right[1]) if not right[0] else None


def _quotient(sides: Sequence[Affine]) -> Affine | None:
    left, right = sides
    return None if right[0] else scaled(left, Map(OPERATIONS["/"], (Constant(1), right[1])))


AFFINE: dict[str, Callable[[Sequence[Affine]], Affine | None]] = {
    "+": lambda sides: plus(sides[0], sides[1]),
    "-": lambda sides: plus(sides[0], scaled(sides[1], Constant(-1))),
    "neg": lambda sides: scaled(sides[0], Constant(-1)),
    "pos": lambda sides: sides[0],
    "*": _product,
    "/": _quotient,
}
_LISTED = {"*": (0, 1), "/": (1,), "if": (0,)}

"""Counting with means: how many keys a head selects, where BOS cannot tell.

An *indicator* is an s-op that is 1 or 0. Its mean over the keys that a head selects is 0 where none of them has it, and
at least 1/N elsewhere. An *indicator count* asks which of several such means are positive, one step of a feed-forward
each. Its two operations are elementwise, but it is a source of its own: nothing is evaluated over the values of its
means, which are too many, and all that matters is whether they are positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from compiler.operations.opaque import Opaque
from rasp.graph import Aggregate, Indices, Map, Node, SOp
from rasp.operations import OPERATIONS, Atom, Operation


@dataclass(frozen=True)
class Indicator(Operation):
    """An operation that gives 1 or 0, for a count to ask for its mean."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as what it is."""
        return type(self), (self.name, self.arity, self.key, self.function, self.vector)


MARK = Indicator("indicator", 1, (), OPERATIONS["indicator"].function, OPERATIONS["indicator"].vector)


@dataclass(frozen=True)
class Count(Opaque):
    """How many of the arguments, means of indicators, are positive."""


@dataclass(frozen=True)
class Flag(Opaque):
    """1 where the mean is positive whose number the first argument gives, else 0; past the last there is none."""


def position_indicators(max_length: int, condition: SOp | None) -> list[Map]:
    """For each position the s-op that is 1 there (if the condition holds there as well) and 0 elsewhere."""
    args = (Indices(),) if condition is None else (Indices(), condition)
    return [Map(indicator_at(position, len(args)), args) for position in range(max_length)]


def indicator_at(position: int, arity: int) -> Indicator:
    """1 where the index is `position`, if the condition that may be the second argument holds as well; else 0."""

    def holds(index: Atom, condition: Atom = True) -> Atom:
        return int(index == position and bool(condition))

    return Indicator("mark", arity, position, holds)


def count(means: tuple[Aggregate, ...]) -> Map:
    """How many of the means are positive."""
    return Map(counting(len(means)), means)


def counting(arity: int) -> Count:
    """How many of the arguments are positive."""
    return Count("count", arity, (), lambda *found: sum(mean > 0 for mean in found))


def flag(turn: SOp, means: tuple[Aggregate, ...]) -> Map:
    """1 where the mean with the number `turn` is positive, else 0."""
    return Map(flagging(len(means) + 1), (turn, *means))


def flagging(arity: int) -> Flag:
    """1 where the one of the later arguments that the first one numbers is positive, else 0."""

    def positive(number: Atom, *found: Atom) -> Atom:
        assert isinstance(number, int)
        return int(number < len(found) and found[number] > 0)  # type: ignore[operator]

    return Flag("flag", arity, (), positive)


def is_indicator_count(node: Node) -> TypeGuard[Map]:
    return is_count(node) or is_flag(node)


def is_count(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and isinstance(node.op, Count)


def is_flag(node: Node) -> TypeGuard[Map]:
    return isinstance(node, Map) and isinstance(node.op, Flag)


def means_of(node: Map) -> tuple[Aggregate, ...]:
    """The means that an indicator count asks for."""
    return tuple(arg for arg in node.args[is_flag(node) :] if isinstance(arg, Aggregate))


def is_indicator(node: Node) -> bool:
    return isinstance(node, Map) and isinstance(node.op, Indicator)


def is_indicator_mean(node: Node) -> TypeGuard[Aggregate]:
    return isinstance(node, Aggregate) and is_indicator(node.value)

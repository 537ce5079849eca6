"""Outputs of many values as codes of bits: what a head copies is read by the bits of its code, not by its one-hot.

The classes of an output's values are numbered, and b(x) is the number of x in B bits, each 1 or −1. A head that copies
x copies the bits as well, as numbers, one direction each. The logit of class c is 1 − h for the distance h in bits
between its number and what is read: 1 for the class itself, and 0 or less for all others, as their numbers differ.
With Σ b_k(c)·b_k(x) = B − 2h it is (Σ b_k(c)·b_k(x) − B)/2 + 1, linear in the bits.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass

from compiler.values.categorical import value_key
from compiler.values.sets import ValueSets
from rasp.graph import Aggregate, Map
from rasp.operations import Atom, Operation

MANY = 64


@dataclass(frozen=True)
class Bit(Operation):
    """One bit of the number of a value, as 1 or −1."""


@dataclass(frozen=True, eq=False)
class BitCode:
    """The number of each value's class, and for each bit the aggregate that copies it."""

    number: Mapping[Hashable, int]
    bits: tuple[Aggregate, ...]

    @property
    def size(self) -> int:
        """How many classes there are."""
        return max(self.number.values()) + 1


def bit(number: int, place: int) -> int:
    """A bit of a number, as 1 or −1."""
    return 2 * (number >> place & 1) - 1


def bit_code(node: Aggregate, values: ValueSets, classes: tuple[int, ...]) -> BitCode:
    """The code of an output that is a copy, whose values are of certain classes."""
    numbers = {found: number for number, found in enumerate(sorted(set(classes)))}
    universe = map(value_key, values[node].universe)
    known: dict[Hashable, int] = {key: numbers[found] for key, found in zip(universe, classes, strict=True)}
    every = {**dict.fromkeys(map(value_key, values[node.value].universe), 0), **known}
    places = range((len(numbers) - 1).bit_length())
    bits = tuple(_copied(node, {key: bit(number, at) for key, number in every.items()}) for at in places)
    return BitCode(known, bits)


def _copied(node: Aggregate, of: Mapping[Hashable, int]) -> Aggregate:
    """The aggregate that copies a bit of what another one copies."""
    operation = Bit("bit", 1, tuple(sorted(of.items(), key=repr)), lambda value: of[value_key(value)])
    return Aggregate(node.selector, Map(operation, (node.value,)), of.get(value_key(node.default), 1))


def is_bit_of(copied: Aggregate, node: Aggregate) -> bool:
    """Whether an aggregate copies a bit of what another one copies, and of its default where nothing is selected."""
    value = copied.value
    is_bit = isinstance(value, Map) and isinstance(value.op, Bit) and value.args[0] is node.value
    return is_bit and copied.selector is node.selector and [copied.default] == bits_at(copied, [node.default])


def bits_at(copied: Aggregate, values: Iterable[Atom]) -> list[int]:
    """The bit that an aggregate copies where another one copies each of some values; 1 for what is none of its own."""
    assert isinstance(copied.value, Map)
    found: dict[Hashable, int] = dict(copied.value.op.key)  # type: ignore[call-overload]
    return [found.get(value_key(value), 1) for value in values]

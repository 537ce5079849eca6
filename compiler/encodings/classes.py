"""Factors reduced to what an s-op needs to know of them: class numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import TypeAlias

import numpy as np

from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import value_key
from rasp.graph import Map, SOp
from rasp.operations import Operation

_Slice: TypeAlias = dict[tuple[int, ...], int]

_CLASS = "class"
_MADE = {_CLASS, "rank", "residue", "type", "as type"}


def classes_of(
    node: SOp, factors: Iterable[SOp], analysis: ValueAnalysis, codes: Callable[[SOp], Sequence[int]]
) -> dict[SOp, SOp]:
    """For some factors of an s-op, one after another, a Map to class numbers, so that the classes still decide it.

    `codes` are for each code of an s-op the one that stands for it, as values that are stored alike are known alike.
    Two values are in one class where the node never differs between them, whatever the other factors are; of those that
    were reduced before, only the class is known.
    """
    found: dict[SOp, SOp] = {}
    for factor in factors:
        found[factor] = _distinctions(node, factor, found, analysis, codes)
    return found


def class_operation(number: Mapping[Hashable, int]) -> Operation:
    """The operation that maps a value to its class number; equal tables are equal operations."""
    return Operation(_CLASS, 1, tuple(sorted(number.items(), key=repr)), lambda value: number[value_key(value)])


def shown(node: SOp) -> str:
    """What errors call an s-op: what the compiler made of one of the program, by that one."""
    return f"what reads {node.args[0]!r}" if isinstance(node, Map) and node.op.name in _MADE else repr(node)


def _distinctions(
    node: SOp,
    factor: SOp,
    classes: Mapping[SOp, SOp],
    analysis: ValueAnalysis,
    codes: Callable[[SOp], Sequence[int]],
) -> SOp:
    tuples, found = analysis.column(node)
    at = next(index for index, other in enumerate(tuples.factors) if other is factor)
    order = (at, *(index for index in range(len(tuples.factors)) if index != at))
    stands_for = [np.array(_known(tuples.factors[index], classes, analysis, codes), dtype=np.intp) for index in order]
    own, *others = (s[tuples.codes[:, index]].tolist() for index, s in zip(order, stands_for, strict=True))
    rests: Iterable[tuple[int, ...]] = zip(*others, strict=True) if others else repeat((), len(own))
    slices: dict[int, _Slice] = {}
    for code, rest, value in zip(own, rests, found.codes.tolist(), strict=True):
        slices.setdefault(code, {})[rest] = value
    universe = analysis[factor].universe
    kinds = _Classes()
    # Numbers in their order, then what is none: None may stand among them.
    in_order = sorted(slices, key=lambda code: (isinstance(universe[code], str), universe[code]))
    number = {code: kinds.enter(slices[code]) for code in in_order}
    pairs = zip(universe, codes(factor), strict=True)
    return Map(class_operation({value_key(value): number[code] for value, code in pairs if code in number}), (factor,))


def _known(
    factor: SOp, classes: Mapping[SOp, SOp], analysis: ValueAnalysis, codes: Callable[[SOp], Sequence[int]]
) -> Sequence[int]:
    """For each code of a factor what a feed-forward can know of it."""
    reduced = classes.get(factor)
    if not isinstance(reduced, Map):
        return codes(factor)
    number: dict[Hashable, int] = dict(reduced.op.key)  # type: ignore[call-overload]
    return [number.get(value_key(value), -1) for value in analysis[factor].universe]


class _Classes:
    """What an s-op is in each class: its value for some combinations of the other factors.

    How many classes know a combination, and which of them `having` a value there, tells where to look for a slice.
    """

    def __init__(self) -> None:
        self._known: list[_Slice] = []
        self._knowing: Counter[tuple[int, ...]] = Counter()
        self._having: defaultdict[tuple[tuple[int, ...], int], list[int]] = defaultdict(list)

    def enter(self, part: _Slice) -> int:
        """The last class that agrees with a slice wherever both are known, extended by it; else a new one."""
        found = next((at for at in self._candidates(part) if self._agrees(at, part)), len(self._known))
        if found == len(self._known):
            self._known.append({})
        for key in part.keys() - self._known[found].keys():
            self._knowing[key] += 1
            self._having[key, part[key]].append(found)
        self._known[found].update(part)
        return found

    def _candidates(self, part: _Slice) -> Iterable[int]:
        """Classes among which are all that agree, the last ones first.

        Where a combination is known of all classes, only those agree that have the slice's value there.
        """
        for key, value in part.items():
            if self._knowing[key] == len(self._known):
                return sorted(self._having.get((key, value), ()), reverse=True)
        return reversed(range(len(self._known)))

    def _agrees(self, at: int, part: _Slice) -> bool:
        known = self._known[at]
        return all(known.get(key, value) == value for key, value in part.items())

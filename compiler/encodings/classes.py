"""Factors reduced to what an s-op needs to know of them: class numbers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import value_key
from rasp.graph import Map, SOp
from rasp.operations import Operation


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
    return Operation("class", 1, tuple(sorted(number.items(), key=repr)), lambda value: number[value_key(value)])


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
    stands_for = [_known(tuples.factors[index], classes, analysis, codes) for index in order]
    slices: dict[int, dict[tuple[int, ...], int]] = {}
    for row, value in zip(tuples.codes.tolist(), found.codes.tolist(), strict=True):
        code, *rest = (known[row[index]] for index, known in zip(order, stands_for, strict=True))
        slices.setdefault(code, {})[tuple(rest)] = value
    universe = analysis[factor].universe
    kinds: list[dict[tuple[int, ...], int]] = []
    number = {code: _enter(kinds, slices[code]) for code in sorted(slices, key=lambda c: universe[c])}
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


def _enter(classes: list[dict[tuple[int, ...], int]], part: dict[tuple[int, ...], int]) -> int:
    """The last class that agrees with a slice wherever both are known, extended by it; else a new one."""
    for index in reversed(range(len(classes))):
        known = classes[index]
        if all(known.get(key, value) == value for key, value in part.items()):
            known.update(part)
            return index
    classes.append(dict(part))
    return len(classes) - 1

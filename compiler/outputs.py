"""How an output is read from the residual stream: by value, as a number of a list, or as any number."""

from __future__ import annotations

from compiler.fused import as_sum
from compiler.operations.bit_codes import MANY, bit_code
from compiler.precision import Precision
from compiler.rounding import error_of, misses
from compiler.run.decode import own_gaps
from compiler.storage import OutputKind, Storage
from compiler.values.averaged import smallest_averaged
from compiler.values.sets import ValueSet
from rasp.errors import Refusal
from rasp.graph import Aggregate, Indices, SOp, Tokens
from rasp.operations import Atom


def demand_output(root: SOp, storage: Storage, precision: Precision) -> None:
    """An output of numbers is read as a number where that is exact enough, everything else by value."""
    found = storage.outputs[root] = _output_kind(root, storage, precision)
    if found == "categorical":
        storage.sums.pop(root, None)
        _demand_value(root, storage)
    elif _is_int(storage.analysis[root]):
        storage.number(root)
    else:
        storage.sum_of_means(root)


def _demand_value(root: SOp, storage: Storage) -> None:
    """An output that copies one of many embedded values is read by the bits of their codes, any other by value."""
    if len(storage.analysis[root].universe) < MANY or not isinstance(root, Aggregate) or not storage.is_copy(root):
        storage.categorical(root)
        return
    is_embedded = all(isinstance(source, (Tokens, Indices)) for source in storage.analysis.sources(root.value))
    is_one = storage.analysis.width_bounds(root.selector).at_most_one
    if is_embedded and is_one and len(storage.analysis.sources(root.value)) == 1:
        storage.by_bits(root, bit_code(root, storage.analysis, output_codes(root, storage)))
    else:
        storage.categorical(root)


def _output_kind(root: SOp, storage: Storage, precision: Precision) -> OutputKind:
    """How an output is read: as a number of a list, as any number within its accuracy, or by value."""
    values = storage.analysis[root]
    if values.listed and not values.numbers:
        return "categorical"
    if _is_int(values):
        return "listed" if max(map(abs, values.range)) < precision.exact / 64 else "categorical"
    is_sum = as_sum(root, storage)
    if not values.listed:
        return "number"
    if not is_sum:
        return "categorical"
    if _tellable(root, storage, precision):
        return "listed"
    smallest = smallest_averaged(storage.analysis, root)
    missed = misses(root, storage, precision, smallest)
    if missed <= precision.tolerance and _ints_stay(root, storage, precision):
        return "number"
    if isinstance(root, Aggregate) and not _tellable(root, storage, precision, share=4):
        raise Refusal(
            f"the values of {root!r} lie closer together than {precision.name} tells apart, and as a number it may be "
            f"off by {missed:.2g} of the larger of the result and {smallest:.6g}, the smallest number that is averaged",
            hint="use float64, or --tolerance with a larger number",
        )
    return "categorical"


def _is_int(values: ValueSet) -> bool:
    return values.listed and all(isinstance(value, int) for value in values.universe)


def _ints_stay(root: SOp, storage: Storage, precision: Precision) -> bool:
    """Whether the ints among the values of a number come out as they are, once rounded."""
    error = error_of(root, storage, precision)
    ints = (value for value in storage.analysis[root].universe if isinstance(value, int))
    return all(error.at(float(value)) < 1 / 4 for value in ints)


def _tellable(root: SOp, storage: Storage, precision: Precision, share: int = 8) -> bool:
    """Whether a number is known up to so small a share of the gaps beside each of its values.

    Where several floats stand for one value, it may be off by how far they are apart as well.
    """
    widths = _widths(storage.analysis[root])
    error = error_of(root, storage, precision)
    pairs = zip(widths.items(), own_gaps(list(widths)), strict=True)
    return all(error.at(level) + width < gap / share for (level, width), gap in pairs)


def _widths(values: ValueSet) -> dict[float, float]:
    """For one value of each group that is numerically equal, rising, how far from it the furthest of the others is."""
    found = {float(number): 0.0 for number in distinct_numbers(values)}
    for code, own in enumerate(values.numerically_equal):
        level = float(values.universe[own])
        found[level] = max(found[level], abs(float(values.universe[code]) - level))
    return found


def distinct_numbers(values: ValueSet) -> list[Atom]:
    """One value of each group that is numerically equal, rising."""
    return sorted({code: values.universe[code] for code in values.numerically_equal}.values())


def readout_classes(root: SOp, storage: Storage) -> list[int]:
    """For each code of an output's universe the place of its value, or its numeric equal, in the readout's values."""
    values = storage.analysis[root]
    codes = output_codes(root, storage)
    if storage.outputs[root] == "number":
        return [0] * len(codes)
    if storage.outputs[root] == "listed":
        codes = values.numerically_equal
        order = sorted(set(codes), key=lambda code: float(values.universe[code]))
    else:
        order = sorted(set(codes))
    place = {code: at for at, code in enumerate(order)}
    return [place[code] for code in codes]


def output_codes(node: SOp, storage: Storage) -> tuple[int, ...]:
    """For each code of a node's universe the code it is read as: its own for tokens, else its numeric equal."""
    values = storage.analysis[node]
    is_embedded = all(isinstance(source, (Tokens, Indices)) for source in storage.analysis.sources(node))
    is_single = len(storage.analysis.sources(node)) == 1
    return tuple(range(len(values.universe))) if is_embedded and is_single else values.numerically_equal

"""Which s-ops of a program the residual stream holds, and in which directions: what is read and written by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from compiler.ir import Held
from compiler.lower import SymbolicModel
from compiler.operations.materialised import is_intervened, is_stored
from compiler.outputs import distinct_numbers
from compiler.reader import Reader
from compiler.symbolic import Direction
from rasp.graph import Aggregate, Constant, Indices, Map, Node, SelectorWidth, SOp, Tokens, topological
from rasp.operations import is_atom


def held(
    symbolic: SymbolicModel, roots: Sequence[SOp], names: Mapping[Node, str], original: Callable[[SOp], SOp]
) -> tuple[Held, ...]:
    """The s-ops that have a name, and those without one that they are computed from position by position.

    `roots` are the outputs as they were compiled; `original` gives a node with the program's own functions in it.
    """
    row = {direction: at for at, direction in enumerate(symbolic.directions)}
    names = _once(roots, names)
    named = [node for node in topological(roots) if isinstance(node, SOp) and node in names]
    parts = {part: None for node in named for part in _parts(node)}
    found = [_held(node, names.get(node), symbolic.reader, row, original) for node in parts]
    return tuple(one for one in found if one.name is not None or one.is_stored)


def _once(roots: Sequence[SOp], names: Mapping[Node, str]) -> dict[Node, str]:
    """The names, without those of s-ops that are stored under the same name: what reads them reads what is stored."""
    copies = [(node.args[0], node) for node in topological(roots) if is_stored(node)]
    again = {inner for inner, node in copies if inner in names and names[inner] == names.get(node)}
    return {node: name for node, name in names.items() if node not in again}


def _parts(node: SOp) -> list[SOp]:
    """The s-op, and those that it is computed from at each position, down to what heads bring."""
    found: dict[SOp, None] = {}
    waiting = [node]
    while waiting:
        part = waiting.pop()
        if part not in found and not isinstance(part, (Tokens, Indices, Constant)):
            found[part] = None
            waiting += part.args if isinstance(part, Map) and not is_intervened(part) else ()
    return list(found)


def _held(
    node: SOp, name: str | None, reader: Reader, row: Mapping[Direction, int], original: Callable[[SOp], SOp]
) -> Held:
    values, rows = _one_hot(node, reader, row)
    number = _number(node, reader)
    if number is None:
        return Held(name, original(node), values, rows)
    found = reader.analysis[node]
    numbers = tuple(distinct_numbers(found)) if found.listed else ()
    levels = tuple(_level(node, float(number), reader) for number in numbers)
    return Held(name, original(node), values, rows, numbers, levels, row[number])


def _one_hot(node: SOp, reader: Reader, row: Mapping[Direction, int]) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """The values of an s-op that is held by value, and for each the direction that is 1 there: −1 for none."""
    if node not in reader.one_hot or not all(map(is_atom, reader.analysis[node].universe)):
        return (), ()
    found = reader.analysis[node]
    own = [code for code, stands_for in enumerate(found.numerically_equal) if code == stands_for]
    directions = (reader.one_hot[node][code] for code in own)
    rows = tuple(-1 if direction is None else row[direction] for direction in directions)
    return tuple(found.universe[code] for code in own), rows


def _number(node: SOp, reader: Reader) -> Direction | None:
    """The direction that tells the number that an s-op is; None where there is none."""
    if node in reader.numbers:
        return reader.numbers[node]
    return reader.raw.get(node) if isinstance(node, (Aggregate, SelectorWidth)) else None


def _level(node: SOp, number: float, reader: Reader) -> float:
    """What stands in that direction for a number."""
    return number if node in reader.numbers else reader.storage.raw[node].level(number)

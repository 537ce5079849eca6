"""What every way of evaluating shares: faults that name the node, tokens converted, means rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from rasp.errors import ValueFault
from rasp.graph import AggregateLabels, Node
from rasp.operations import Atom, Column, column, describe, type_of

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


class MissingRelation(EvaluationFault):
    """The input does not have a relation that a node reads."""

    def __init__(self, node: Node, name: str) -> None:
        super().__init__(node, f'the input has no relation "{name}"')
        self.name = name
        self.hint = f'give it with the input: {{"tokens": …, "{name}": [[0, 1], …]}}'


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


def mean_of(node: Node, values: Column) -> float:
    """The mean of numbers that a node selects. EvaluationFault where it is too large."""
    try:
        return mean(values)
    except OverflowError as error:
        raise EvaluationFault(node, "the mean is too large for a float") from error


def not_an_edge(node: AggregateLabels, query: int, key: int) -> EvaluationFault:
    """The error of a cell that is selected where there is no edge."""
    fault = EvaluationFault(
        node, f"query {query} selects key {key}, and between these two {node.relation!r} has no edge"
    )
    fault.hint = "select edges alone, such as with `relation(…) and …`"
    return fault


def label_means(
    node: AggregateLabels,
    length: int,
    queries: Sequence[int],
    keys: Sequence[int],
    labels: Sequence[Atom | None],
    terms: Sequence[Sequence[Atom]],
) -> list[Atom]:
    """The values on one input, from what stands at each selected edge; queries rise.

    Each query has a column of its own: the labels of its edges, plus the terms at their keys. As with every aggregate,
    one value is taken as it is, and where some query has several, all have to be numbers.
    """
    rows: list[list[Atom]] = [[] for _ in range(length)]
    for place, (query, key) in enumerate(zip(queries, keys, strict=True)):
        rows[query].append(_edge_value(node, (query, key), labels[place], [values[place] for values in terms]))
    if any(len(row) > 1 for row in rows):
        _check_numbers(node, column([value for row in rows for value in row]))
    return [mean_of(node, column(row)) if len(row) > 1 else row[0] if row else node.default for row in rows]


def _check_numbers(node: Node, values: Column) -> None:
    try:
        kind = type_of(values)
    except ValueFault as error:
        raise EvaluationFault(node, error.message) from error
    if kind not in ("ints", "floats"):
        raise EvaluationFault(node, f"a row selects several edges, and only numbers have a mean, found {kind}")


def _edge_value(node: Node, cell: tuple[int, int], label: Atom | None, terms: Sequence[Atom]) -> Atom:
    """The label of an edge plus what stands at its key."""
    query, key = cell
    if label is None:
        raise EvaluationFault(node, f"the edge between query {query} and key {key} has no label")
    total = label
    for term in terms:
        if isinstance(total, str) or isinstance(term, str):
            raise EvaluationFault(node, f"labels are added to numbers alone, at query {query} and key {key}")
        try:
            total = total + term
        except OverflowError as error:
            raise EvaluationFault(node, f"the sum is too large at query {query} and key {key}") from error
    return total


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

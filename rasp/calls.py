"""Calling an s-op, a selector or a model as a function: what counts as one input, and what as several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from rasp.batch.run import runs
from rasp.errors import DataFault
from rasp.graph import Node, SOp
from rasp.interpret import as_python, run
from rasp.operations import Atom
from rasp.relations import Graph, graph_of

Given: TypeAlias = (
    "str | Sequence[Atom] | Mapping[str, Any] | Sequence[Sequence[Atom] | Mapping[str, Any]] | NDArray[Any]"
)


def inputs_of(given: Given) -> tuple[list[Sequence[Atom]], bool]:
    """The inputs in what a call was given, and whether they are several.

    A string is one input, its characters; so is a flat sequence of atoms, and a graph. A list of lists (or of arrays,
    or of graphs) is several. DataFault for anything else.
    """
    if (graph := graph_of(given)) is not None:
        return [graph], False
    items = _plain(given)
    if not isinstance(items, (str, list, tuple)):
        raise DataFault(f"an input is a string or a list of tokens, not a {type(given).__name__}")
    inner: list[Any] = [graph_of(item) or _plain(item) for item in items]
    several = [isinstance(item, (list, Graph)) for item in inner]
    if any(several) and not all(several):
        place = several.index(False)
        raise DataFault(
            f"item {place} of a list of inputs is no list", hint="write an input in it as a list: list('ab')"
        )
    return (inner, True) if any(several) else ([inner], False)


def batch_of(given: Sequence[Sequence[Atom] | Mapping[str, Any]]) -> list[Sequence[Atom]]:
    """Several inputs, each a string, a flat sequence of atoms or a graph. DataFault where there are none."""
    if isinstance(given, str) or not len(given):
        raise DataFault("a batch is a list of inputs", hint='for one input, give a list of one: ["hello"]')
    return [_one(item) for item in given]


def _one(given: Sequence[Atom] | Mapping[str, Any]) -> Sequence[Atom]:
    inputs, several = inputs_of(given)
    if several:
        raise DataFault("an input of a batch is a string or a flat list of tokens, not a list of lists")
    return inputs[0]


def _plain(value: Any) -> Any:
    """Arrays and their numbers as lists and atoms; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def call(node: Node, given: Given, *, causal: bool = False) -> list[Any]:
    """The values of an s-op (or the rows of a selector) on one input, or a list of them on each of several."""
    inputs, several = inputs_of(given)
    if not several:
        return run(node, inputs[0], causal=causal)
    if isinstance(node, SOp):
        return [as_python(found.sop(node)) for found in runs(node, inputs, causal=causal)]
    return [run(node, one, causal=causal) for one in inputs]

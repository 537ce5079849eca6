"""What can be compiled: every refusal at once, each with its place and reason."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from compiler.precision import PRECISIONS
from compiler.selectors import Conjunction, conjunction
from compiler.values import ValueAnalysis
from rasp.elementwise import Atom, atom_key, is_atom
from rasp.errors import DataFault, Failures, RaspError, Refusal
from rasp.graph import Aggregate, Node, Selector, SelectorWidth, SOp, topological
from rasp.source import Span

MAX_LENGTH = 512
PREFERENCES = ("depth", "small")


def check_options(vocabulary: Sequence[Atom], max_length: int, dtype: str, prefer: str) -> None:
    """Nothing, or a DataFault that says what is wrong with the vocabulary or one of the options."""
    if not vocabulary:
        raise DataFault("the vocabulary is empty")
    seen = set()
    for token in vocabulary:
        if not is_atom(token):
            raise DataFault(f"a token is a string or a number, not a {type(token).__name__}")
        if isinstance(token, float) and not math.isfinite(token):
            raise DataFault(f"a token is a finite number, not {token}")
        if atom_key(token) in seen:
            raise DataFault(f"the vocabulary holds {token!r} twice")
        seen.add(atom_key(token))
    if not 1 <= max_length <= MAX_LENGTH:
        raise DataFault(f"the maximum length must be from 1 to {MAX_LENGTH}, not {max_length}")
    if dtype not in PRECISIONS:
        raise DataFault(f"the dtype is one of {', '.join(PRECISIONS)}, not {dtype!r}")
    if prefer not in PREFERENCES:
        raise DataFault(f"prefer is one of {', '.join(PREFERENCES)}, not {prefer!r}")


def check_support(
    roots: Sequence[SOp],
    vocabulary: Sequence[Atom],
    max_length: int,
    origins: Mapping[Node, Span],
    causal: bool = False,
) -> tuple[ValueAnalysis, dict[Selector, Conjunction]]:
    """The values of every s-op and the conjunction of every selector a head computes.

    Raises Refusal, or Failures with one Refusal for each node that is to blame (nodes above it are not repeated).
    """
    conjunctions: dict[Selector, Conjunction] = {}
    values = ValueAnalysis(vocabulary, max_length, conjunctions, causal)
    refused: dict[Node, RaspError] = {}
    tainted: set[Node] = set()
    for node in topological(roots):
        if any(child in tainted for child in node.children):
            tainted.add(node)
            continue
        try:
            _check_node(node, values, conjunctions)
        except Refusal as error:
            refused[node] = error.at(origins.get(node))
            tainted.add(node)
    if refused:
        errors = list(refused.values())
        raise errors[0] if len(errors) == 1 else Failures(errors)
    return values, conjunctions


_COUNT_INSTEAD = "whether there is one: selector_width of the selector inside select_best"


def _check_score(score: SOp, values: ValueAnalysis) -> None:
    found = values[score]
    if not found.listed:
        raise Refusal(f"the scores {score!r} of select_best are too many to list")
    if not found.numbers:
        raise Refusal(f"select_best needs a score of numbers, and {score!r} may be something else")


def _check_node(node: Node, values: ValueAnalysis, conjunctions: dict[Selector, Conjunction]) -> None:
    if isinstance(node, (Aggregate, SelectorWidth)) and node.selector not in conjunctions:
        found = conjunction(node.selector)
        for score in found.scores:
            _check_score(score, values)
        conjunctions[node.selector] = found
    if isinstance(node, SelectorWidth) and conjunctions[node.selector].scores:
        raise Refusal(f"how many keys are best is not what a head can count: {node!r}", hint=_COUNT_INSTEAD)
    if isinstance(node, SOp):
        values[node]

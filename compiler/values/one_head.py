"""Selectors as one head computes them, for the values that they compare."""

from __future__ import annotations

from typing import Protocol

from compiler.cases import Factored, in_cases
from compiler.selectors import Conjunction, conjunction
from compiler.values.grid import PositionGrid
from compiler.values.representatives import Tables, with_representatives
from rasp.errors import Refusal
from rasp.graph import Selector, SOp


class Heads(Tables, Factored, Protocol):
    """Where it is known besides how long inputs are."""

    @property
    def grid(self) -> PositionGrid: ...


def as_one_head(analysis: Heads, selector: Selector, *, static: bool) -> Conjunction:
    """A selector as one head computes it, with masks for what depends on positions alone if `static`.

    Refusal where no single head does, or its scores are not numbers that can be listed.
    """
    plain = with_representatives(analysis, selector)
    found = conjunction(plain, analysis.grid.max_length, static=static)
    for score in found.scores:
        _check_score(analysis, score)
    return in_cases(found, analysis)


def _check_score(analysis: Heads, score: SOp) -> None:
    found = analysis[score]
    if not found.listed:
        raise Refusal(f"the scores {score!r} of select_best are too many to list")
    if not found.averaged or found.may_be_bools:
        raise Refusal(f"select_best needs a score of numbers, and {score!r} may be something else")

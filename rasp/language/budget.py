"""How much a program may do while it is elaborated, so that no text, foreign or mistaken, runs for hours."""

from __future__ import annotations

import argparse
from typing import NoReturn

from rasp.errors import DataFault, ValueFault

# Far above what honest programs need; each takes seconds and some hundred megabytes at most.
LIMITS = {
    "steps": 5_000_000,
    "nodes": 300_000,
    "elements": 10_000_000,
}
_MEANING = {
    "steps": "steps (statements run, expressions evaluated, s-ops tried)",
    "nodes": "s-ops and selectors built",
    "elements": "elements of lists made, copied, compared or shown",
}
# Characters and bits count as the elements that take as much memory.
_CHARACTERS = 8
_BITS = 64


class OverBudget(ValueFault):
    """A program did more than its budget allows."""


class Budget:
    """What is left of each limit. `factor` multiplies the limits; `steps`, `nodes` and `elements` are what is left."""

    def __init__(self, factor: int = 1) -> None:
        self.factor = factor
        self.renew()

    def renew(self) -> None:
        """Gives everything back, as for a new program."""
        self.steps: int = LIMITS["steps"] * self.factor
        self.nodes: int = LIMITS["nodes"] * self.factor
        self.elements: int = LIMITS["elements"] * self.factor

    def spend_steps(self, count: int = 1) -> None:
        """Counts statements and expressions. OverBudget where they are too many."""
        self.steps -= count
        if self.steps < 0:
            self._over("steps")

    def spend_nodes(self, count: int = 1) -> None:
        """Counts nodes of the graph. OverBudget where they are too many."""
        self.nodes -= count
        if self.nodes < 0:
            self._over("nodes")

    def spend_elements(self, count: int = 1) -> None:
        """Counts elements of lists, before they are made. OverBudget where they are too many."""
        self.elements -= count
        if self.elements < 0:
            self._over("elements")

    def _over(self, what: str) -> NoReturn:
        limit, larger = LIMITS[what] * self.factor, 2 * self.factor
        raise OverBudget(
            f"more than {limit:,} {_MEANING[what]}; --budget {larger} allows more",
            hint=f"at the console :set budget {larger}, in Python budget={larger}",
        )


def weight(value: object) -> int:
    """How many elements a long text or a large int counts as; 0 for anything small."""
    if isinstance(value, str):
        return len(value) // _CHARACTERS
    return value.bit_length() // _BITS if isinstance(value, int) else 0


def budget_argument(parser: argparse.ArgumentParser) -> None:
    """Adds `--budget`."""
    parser.add_argument(
        "--budget",
        type=_factor,
        default=1,
        metavar="N",
        help=f"let the program do N times as much as usual while it is read: {LIMITS['steps']:,} steps, "
        f"{LIMITS['nodes']:,} s-ops, {LIMITS['elements']:,} elements of lists",
    )


def _factor(text: str) -> int:
    try:
        return parse_factor(text)
    except DataFault as error:
        raise argparse.ArgumentTypeError(error.message) from error


def parse_factor(text: str) -> int:
    """The factor that a text means. DataFault where it is none."""
    if not (text.isdecimal() and text.isascii() and len(text) <= 9 and int(text) > 0):
        raise DataFault(f"a budget is a number from 1 on, not {text!r}")
    return int(text)

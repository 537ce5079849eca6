"""The passes from s-ops to a network in names, one way to go: each is a value that can be looked at."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from compiler.assemble import Assembler
from compiler.facts import Facts
from compiler.gadgets.steps import TooClose
from compiler.lower import SymbolicModel, lower
from compiler.operations.materialised import is_intervened, is_kept, is_stored
from compiler.plan import Plan, plan
from compiler.rewrites.simplify import Rewritten, settle, split
from compiler.timing import Stopwatch
from compiler.values.analysis import MAX_TUPLES, Analyses, Assumptions, TooMany
from rasp.errors import Failures, RaspError, Refusal
from rasp.graph import SOp, topological
from rasp.layers import Analysis, analyse
from rasp.recursion import deep_stack


class _Timed(Protocol):
    stopwatch: Stopwatch


S = TypeVar("S", bound=_Timed)
P = ParamSpec("P")
T = TypeVar("T")


def timed(name: str) -> Callable[[Callable[Concatenate[S, P], T]], Callable[Concatenate[S, P], T]]:
    """A pass whose own seconds count to a name of the timings."""

    def of(make: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
        def made(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
            with deep_stack(), self.stopwatch.running(name):
                return make(self, *args, **kwargs)

        made.__doc__ = make.__doc__
        return made

    return of


_LARGE_INT = 2**20


class Passes:
    """One way from s-ops to a network in names, pass by pass: each is a value, made when first asked for.

    `prefer` says what is rewritten; `in_steps`, whether parts of large s-ops are stored; `most_rows` how many
    combinations are listed at most; `settles_ties`, whether it is computed which of several floats a mean is. The means
    in `bounded` are numbers with bounds, even if their values could be listed. Ways with the same `analyses` share what
    they find.
    """

    def __init__(
        self,
        names: tuple[str, ...],
        given: Rewritten,
        analyses: Analyses,
        stopwatch: Stopwatch,
        prefer: str,
        *,
        in_steps: bool = False,
        most_rows: int = MAX_TUPLES,
        settles_ties: bool = False,
        bounded: frozenset[SOp] = frozenset(),
    ) -> None:
        self.names, self.given, self.options, self.stopwatch = names, given, analyses.options, stopwatch
        self.prefer, self.in_steps, self.settles_ties = prefer, in_steps, settles_ties
        self.analyses, self.most_rows, self.bounded = analyses, most_rows, bounded

    @cached_property
    def facts(self) -> Facts:
        """What is known of s-ops and selectors: to begin with, what ways before this one have found."""
        return Facts(self.options, self.analyses.under(Assumptions(self.most_rows, self.bounded)))

    @cached_property
    @timed("graph")
    def split(self) -> Rewritten:
        """The s-ops rewritten where `prefer` asks for it, and to what single heads compute."""
        return split(self.given, self.prefer, self.facts, in_steps=self.in_steps, settles_ties=self.settles_ties)

    @cached_property
    @timed("graph")
    def graph(self) -> Rewritten:
        """The s-ops to compile: rewritten as their values allow as well."""
        with self.stopwatch.running("values"):
            self.facts.examine(self.split.roots)
        return settle(self.split, self.facts)

    @cached_property
    @timed("values")
    def checked(self) -> Facts:
        """The values of every s-op, and every selector as one head computes it. All refusals come from here.

        They are in the words of the program, where it is refused as well, rather than of what it was rewritten to.
        """
        graph = self.graph
        try:
            self.facts.check(graph.roots, graph.source_map)
        except (Refusal, Failures):
            self.facts.check(self.split.roots, self.split.source_map)
            raise
        return self.facts

    @cached_property
    @timed("schedule")
    def schedule(self) -> Analysis:
        """Which layer and head computes what."""
        return analyse(self.graph.roots)

    @cached_property
    @timed("layout")
    def plan(self) -> Plan:
        """What the residual stream holds, and how the heads score."""
        return plan(self.graph.roots, self.schedule, self.checked, self.options.precision, self.graph.source_map)

    @property
    def symbolic(self) -> SymbolicModel:
        """The network in names: heads and neurons over named directions."""
        if isinstance(self._symbolic, RaspError):
            raise self._symbolic
        return self._symbolic

    @cached_property
    @timed("layers")
    def _symbolic(self) -> SymbolicModel | Refusal | Failures:
        """The same, or why there is none: that is found once as well."""
        try:
            outputs = dict(zip(self.names, self.graph.roots, strict=True))
            return lower(outputs, self.plan, self.graph.source_map, self.options.precision)
        except (Refusal, Failures) as error:
            return error

    def comes_to(self, other: Passes) -> bool:
        """Whether another way ends with the same s-ops, of which the same is taken for granted."""
        if (self.most_rows, self.bounded) != (other.most_rows, other.bounded):
            return False
        return all(one is another for one, another in zip(self.split.roots, other.split.roots, strict=True))

    @property
    def stores_parts(self) -> bool:
        """Whether there is an elementwise s-op of which a part is stored, and might as well not be."""
        nodes = topological(self.split.roots)
        return any(is_stored(node) and not is_kept(node) and not is_intervened(node) for node in nodes)

    @property
    def size(self) -> float:
        """How many parameters the model would have; infinity where it is refused."""
        return self._found if isinstance(self._found, int) else math.inf

    @property
    def is_about_combinations(self) -> bool:
        """Whether it is refused because of how many combinations there are of several s-ops, so of no s-op alone."""
        errors = self._found.errors if isinstance(self._found, Failures) else [self._found]
        return any(isinstance(error, TooMany) for error in errors)

    @cached_property
    def coarser(self) -> Passes | None:
        """Where values of a listed mean lie too close together, the same way with bounds for that mean; else None.

        Not where it may be a large int: a number with bounds is right within the tolerance, and ints are equal.
        """
        mean = self._found.number if isinstance(self._found, TooClose) else None
        if mean is None or mean in self.bounded:
            return None
        if any(isinstance(value, int) and abs(value) >= _LARGE_INT for value in self.facts.values[mean].universe):
            return None
        return Passes(
            self.names,
            self.given,
            self.analyses,
            self.stopwatch,
            self.prefer,
            in_steps=self.in_steps,
            most_rows=self.most_rows,
            settles_ties=self.settles_ties,
            bounded=self.bounded | {mean},
        )

    @cached_property
    def _found(self) -> int | Refusal | Failures:
        """How many parameters the model would have, or why it is refused."""
        try:
            return Assembler(self.symbolic, self.options.dtype).size
        except (Refusal, Failures) as error:
            return error

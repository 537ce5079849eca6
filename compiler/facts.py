"""What can be compiled: every refusal at once, each with its place and reason."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.guards import one_key_needed
from compiler.options import Options
from compiler.selectors import Conjunction
from compiler.source_map import SourceMap
from compiler.timing import go_on
from compiler.values.analysis import MAX_TUPLES, Analyses, TooMany, ValueAnalysis
from compiler.values.width_bounds import WidthBounds
from rasp.errors import Failures, Refusal
from rasp.graph import (
    Aggregate,
    AggregateLabels,
    Constant,
    Fits,
    Node,
    Select,
    Selector,
    SelectorWidth,
    SOp,
    topological,
)
from rasp.operations import Atom, Symbol, describe


class Facts:
    """What is known of s-ops and selectors over the inputs that the options allow; found when it is asked for.

    `values` holds value sets and width bounds, `conjunctions` every selector as one head computes it. Facts of the same
    options may begin with the same `values`: what was found for one need not be found again for others.
    """

    def __init__(self, options: Options, values: ValueAnalysis | None = None) -> None:
        self.conjunctions: dict[Selector, Conjunction] = {}
        self.labels: tuple[Atom, ...] = options.labels
        self.values: ValueAnalysis = values or Analyses(options).listing(MAX_TUPLES)
        self._refused: dict[Node, Refusal] = {}
        self._ruled_out: dict[Node, Refusal] = {}
        self._tainted: dict[Node, bool] = {}
        self._asked: dict[Node, None] = {}

    def list_up_to(self, most_rows: int) -> None:
        """From now on combinations are listed up to so many."""
        self.values.list_up_to(most_rows)

    @property
    def max_length(self) -> int:
        return self.values.max_length

    def count(self, sop: SOp) -> int:
        """How many values an s-op can take; 0 where they are too many to list, or it cannot be compiled."""
        return len(self.values[sop].universe) if self.compiles(sop) else 0

    def computes(self, selector: Selector) -> bool:
        """Whether one head computes a selector, as far as the values of what it reads tell."""
        return self.compiles(head_for(selector))

    def width_bounds(self, selector: Selector) -> WidthBounds:
        """How many keys a selector can select. The Refusal of what it is made of, where it cannot be compiled."""
        head = head_for(selector)
        if not self.computes(selector):
            raise next(self._refused[node] for node in topological([head]) if node in self._refused)
        return self.values.width_bounds(selector)

    def compiles(self, node: Node) -> bool:
        """Whether the values of a node and of all that it reads are known."""
        self.examine([node])
        return not self._tainted[node]

    def refuse(self, node: Node, reason: Refusal) -> None:
        """Notes that a node cannot be compiled, whatever its values are, so that `check` says so."""
        self._ruled_out[node] = self._refused[node] = reason
        self._tainted[node] = True

    def check(self, roots: Sequence[SOp], source_map: SourceMap) -> None:
        """Nothing, or a Refusal: Failures with one for each node to blame (nodes above it are not repeated)."""
        self.examine(roots)
        errors = [
            self._refused[node].about(node).at(source_map.origins.get(node))
            for node in topological(roots)
            if node in self._refused
        ]
        if errors:
            raise errors[0] if len(errors) == 1 else Failures(errors)

    def examine(self, roots: Sequence[Node]) -> None:
        """Finds what can be known of some nodes and of all that they read; `check` tells of what is refused.

        Where a mean has too many values to combine, all that was ever asked for is looked at anew with that mean as a
        number with bounds; where a selector must select at most one key for the program to have a value, for the inputs
        on which it does.
        """
        self._asked |= dict.fromkeys(roots)
        revised = self._revised(roots)
        while revised is not None:
            self.conjunctions.clear()
            self._refused.clear()
            self._tainted.clear()
            self.values = revised
            revised = self._revised([*self._asked])

    def _revised(self, roots: Sequence[Node]) -> ValueAnalysis | None:
        """The analysis to begin anew with, if the nodes turn out to need one; else all is examined."""
        for node in topological(roots, self._tainted):
            go_on()
            self._tainted[node] = any(self._tainted[child] for child in node.children)
            if (selector := one_key_needed(node, self.values, self.conjunctions)) is not None:
                return self.values.selecting_one(selector)
            if self._tainted[node]:
                continue
            try:
                if node in self._ruled_out:
                    raise self._ruled_out[node]
                self._check_node(node)
            except TooMany as error:
                if (mean := self.values.widest(error.factors)) is not None:
                    return self.values.without(mean)
                self._refused[node] = error
                self._tainted[node] = True
            except Refusal as error:
                self._refused[node] = error
                self._tainted[node] = True
        return None

    def _check_node(self, node: Node) -> None:
        if isinstance(node, (Aggregate, SelectorWidth)) and node.selector not in self.conjunctions:
            self.conjunctions[node.selector] = self.values.conjunction(node.selector)
        if isinstance(node, AggregateLabels):
            raise Refusal(f"{node!r} reads the labels of edges, which no head computes")
        if isinstance(node, SOp):
            self.values[node]
        if isinstance(node, Select):
            _check_order(node, self.values)


def head_for(selector: Selector) -> Aggregate:
    """An aggregate that needs nothing but the head of a selector."""
    return Aggregate(selector, Constant(0), 0)


def _check_order(node: Select, values: ValueAnalysis) -> None:
    if isinstance(node, Fits):
        return
    keys, queries = values[node.keys].universe, values[node.queries].universe
    kinds = [{isinstance(value, str) for value in side} for side in (keys, queries)]
    if node.op not in ("==", "!=") and any(isinstance(value, Symbol) for value in (*keys, *queries)):
        raise Refusal(f"{node!r} orders what may be None or a tuple, which have no order", hint="compare with == or !=")
    if node.op not in ("==", "!=") and all(kinds) and not kinds[0] & kinds[1]:
        raise Refusal(
            f"{node.op} cannot order {describe(keys[0])} and {describe(queries[0])}: {node!r} has no value on any input"
        )

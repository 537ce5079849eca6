"""What every selector selects: the comparisons it is made of, and from them runs, or cells where runs do not pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np

from rasp.batch.conjunctions import (
    EVERYTHING,
    Conjunction,
    SignedSum,
    Union,
    complement,
    either,
    intersection,
    literal,
    product,
    signed,
    signed_without_gaps,
    together,
    without_gaps,
)
from rasp.batch.edges import Pairs, common
from rasp.batch.marks import CellMarks, Marks, RunMarks, smallest, spread
from rasp.batch.ragged import Block, Codes, Flags, Ragged
from rasp.batch.ranking import (
    ALL,
    EQUAL,
    LESS,
    ORDERED,
    RELATIONS,
    UNORDERED,
    Comparison,
    Ranking,
    compared,
    related,
)
from rasp.batch.runs import Runs, runs
from rasp.graph import (
    And,
    Best,
    Constant,
    Fits,
    LabelledRelation,
    Node,
    Not,
    Or,
    Prefer,
    Relation,
    Select,
    Selector,
    SOp,
    indices,
)
from rasp.meaning import EvaluationFault
from rasp.rules import Rules

T = TypeVar("T")

_CELL_STEP, _CELL_READ = 1.0, 3.0
_RUN_START, _RUN_POSITION = 60_000.0, 150.0
"""About how many nanoseconds it takes to compare one cell, to read it, and to find the runs of a conjunction."""

MAX_CELLS = 1 << 36

_CAUSAL = Select(indices, indices, "==")
_UP_TO: SignedSum = {frozenset({(_CAUSAL, LESS | EQUAL)}): 1}


class Selection:
    """The selectors of a batch. `ranking` gives the ranks of an s-op's values, which must be known by then."""

    def __init__(self, ragged: Ragged, causal: bool, ranking: Callable[[SOp], Ranking]) -> None:
        self.ragged = ragged
        self.causal = causal
        self._ranking = ranking
        self._comparisons: dict[Selector, Comparison] = {}
        self._sums: dict[Selector, SignedSum | None] = {}
        self._unions: dict[tuple[Selector, bool], Union | None] = {}
        self._marks: dict[Selector, Marks] = {}
        self._pairs: dict[Selector, Pairs] = {}

    def marks(self, selector: Selector) -> Marks:
        """The keys that each query selects."""
        if selector not in self._marks:
            self._marks[selector] = self._run_marks(selector) or self._cell_marks(selector)
        return self._marks[selector]

    def maxima(self, selector: Selector, ranks: Codes) -> Codes:
        """The largest rank [N] among the keys that each query selects, −1 where it selects none."""
        found = self._union_runs(selector) if self._runs_pay(selector) else None
        if found is None:
            return self._cell_marks(selector).maxima(ranks)
        result = np.full(self.ragged.size, -1, dtype=np.intp)
        for part in found:
            np.maximum(result, part.maxima(ranks), out=result)
        return result

    def choose(self, node: Best, ranks: Codes, size: int) -> None:
        """Says what the best keys of each query are: those selected whose rank, below `size`, is the largest one."""
        best = self.maxima(node.selector, ranks)
        none = best < 0
        self._comparisons[node] = Comparison(self.ragged, ranks, size, np.where(none, 0, best), best + 1)

    def prefer(self, node: Prefer) -> None:
        """Says which queries have no key that the condition marks too: those whose keys, all 0, equal them."""
        some = self.marks(And(node.selector, node.condition)).counts() > 0
        nothing = np.zeros(self.ragged.size, dtype=np.intp)
        self._comparisons[node] = Comparison(self.ragged, nothing, 1, nothing, np.where(some, 0, 1))

    def know(self, node: Selector, pairs: Pairs) -> None:
        """Says which cells a relation has on this batch."""
        self._pairs[node] = pairs

    def pairs(self, node: Selector) -> Pairs:
        """The cells of a relation that is known."""
        return self._pairs[node]

    def holds(self, root: Selector, queries: Codes, keys: Codes) -> Flags:
        """Whether a selector selects each of some cells."""
        found: dict[Selector, Flags] = {}
        for node in selectors(root):
            found[node] = _CELL[type(node)](self, node, (queries, keys), found)
        return found[root] & (keys <= queries) if self.causal else found[root]

    def literal_holds(self, pair: Selector, relation: int, queries: Codes, keys: Codes) -> Flags:
        """Whether key and query of each cell stand in the relation."""
        comparison = self.comparison(pair)
        found = comparison.holds(relation, keys, queries)
        for flags, places in zip(comparison.unordered, (keys, queries), strict=True):
            if flags is not None:
                found = np.where(flags[places], bool(relation & UNORDERED), found)
        return found

    def forget(self, node: Node) -> None:
        """Drops what is kept about a selector, or about comparisons with an s-op."""
        if isinstance(node, Selector):
            self._marks.pop(node, None)
            self._pairs.pop(node, None)
            self._comparisons.pop(node, None)
            return
        for pair in [pair for pair in self._comparisons if any(child is node for child in pair.children)]:
            del self._comparisons[pair]

    def cells(self, root: Selector, block: Block) -> Flags:
        """The cells of a block, keys first: [T, queries]."""
        found: dict[Selector, Flags] = {}
        for node in selectors(root):
            found[node] = _CELLS[type(node)](self, node, block, found)
        return found[root] & self.literal_cells(block, _CAUSAL, LESS | EQUAL) if self.causal else found[root]

    # -- comparisons

    def comparison(self, pair: Selector) -> Comparison:
        """A pair's keys compared with its queries."""
        if pair not in self._comparisons:
            self._comparisons[pair] = self._compared(pair)
        return self._comparisons[pair]

    def _compared(self, pair: Selector) -> Comparison:
        if pair is _CAUSAL:
            index = self.ragged.index
            return Comparison(self.ragged, index, self.ragged.longest, index, index + 1)
        assert isinstance(pair, Select)
        return compared(self.ragged, self._ranking(pair.keys), self._ranking(pair.queries))

    def _is_filter(self, pair: Selector) -> bool:
        return pair not in self._pairs and self.comparison(pair).is_filter

    def literal_cells(self, block: Block, pair: Selector, relation: int) -> Flags:
        """The cells of a block in which keys and queries stand in the relation."""
        comparison = self.comparison(pair)
        small = smallest(comparison.size + 1)
        keys = spread(block, comparison.keys.astype(small) if block.inputs > 1 else comparison.keys).astype(small)
        left, right = (side[block.queries].astype(small) for side in (comparison.left, comparison.right))
        cells = related(relation, keys, left, right)
        cells = cells if cells.shape == (block.length, len(left)) else np.broadcast_to(cells, (block.length, len(left)))
        for flags, at_keys in zip(comparison.unordered, (True, False), strict=True):
            if flags is not None:
                where = spread(block, flags) if at_keys else flags[block.queries]
                cells = np.where(where, bool(relation & UNORDERED), cells)
        return cells

    # -- runs

    def _run_marks(self, selector: Selector) -> RunMarks | None:
        terms = self._terms(selector) if self._runs_pay(selector) else None
        if terms is None:
            return None
        parts: list[tuple[int, Runs]] = []
        for term, times in terms.items():
            found = self._runs(term)
            if found is None:
                return None
            parts += [(times, part) for part in found]
        return RunMarks(self.ragged, parts)

    def _cell_marks(self, selector: Selector) -> CellMarks:
        """The selector cell by cell. EvaluationFault where that would take hours."""
        if self.ragged.cells > MAX_CELLS:
            told = f"{self.ragged.cells:,} cells ({self.ragged.size:,} tokens) are too many to look at"
            fault = EvaluationFault(selector, f"{told}, and its keys cannot be sorted")
            fault.hint = "give a shorter input"
            raise fault
        return CellMarks(self.ragged, lambda block: self.cells(selector, block))

    def _runs_pay(self, selector: Selector) -> bool:
        """Whether runs are cheaper than cells, if there is one conjunction for each comparison."""
        parts = sum(1 for _ in selectors(selector))
        by_cells = self.ragged.cells * (_CELL_STEP * parts + _CELL_READ)
        return parts * (_RUN_START + _RUN_POSITION * self.ragged.size) < by_cells

    def _runs(self, term: Conjunction) -> list[Runs] | None:
        edges = [(pair, relation) for pair, relation in term if pair in self._pairs]
        others = [(self.comparison(pair), relation) for pair, relation in term if pair not in self._pairs]
        if not edges:
            return runs(self.ragged, others)
        if any(relation != EQUAL for _, relation in edges):
            return None  # the cells without an edge are many, and in no order
        given = [self._pairs[pair] for pair, _ in edges]
        return [common(given, lambda queries, keys: _all_hold(others, queries, keys)).runs()]

    def _terms(self, selector: Selector) -> SignedSum | None:
        """The selector as a sum of conjunctions that may have runs."""
        for node in selectors(selector):
            if node not in self._sums:
                self._sums[node] = _SUMS[type(node)](self, node)
        found = self._sums[selector]
        if found is not None and self.causal:
            found = product(found, _UP_TO)
        return None if found is None else self._expanded(found)

    def _expanded(self, terms: SignedSum) -> SignedSum | None:
        result: SignedSum = {}
        for term, times in terms.items():
            parts = signed_without_gaps(term, self._is_filter)
            if parts is None:
                return None
            for part, factor in parts.items():
                result[part] = result.get(part, 0) + times * factor
        return {term: times for term, times in result.items() if times}

    def _union_runs(self, selector: Selector) -> list[Runs] | None:
        union = self._union(selector)
        if union is not None and self.causal:
            union = intersection(union, tuple(_UP_TO))
        if union is None:
            return None
        found: list[Runs] = []
        for term in without_gaps(union, self._is_filter):
            parts = self._runs(term)
            if parts is None:
                return None
            found += parts
        return found

    def _union(self, selector: Selector) -> Union | None:
        for node in selectors(selector):
            for wanted in (True, False):
                if (node, wanted) not in self._unions:
                    self._unions[node, wanted] = _UNIONS[type(node)](self, node, wanted)
        return self._unions[selector, True]

    def sum_of(self, node: Selector) -> SignedSum | None:
        """The sum of a selector whose sum is known."""
        return self._sums[node]

    def union_of(self, node: Selector, wanted: bool) -> Union | None:
        """The union of the cells that a selector has, or of those that it has not."""
        return self._unions[node, wanted]

    def literal(self, node: Select, wanted: bool = True) -> Union | None:
        """The cells of one comparison, or the other ones; None where values have no order."""
        pair, relation = _pair(node), RELATIONS[node.op]
        comparison = self.comparison(pair)
        if comparison.has_nan:
            return None
        relation = relation if wanted else ALL - relation
        if isinstance(node.keys, Constant) and isinstance(node.queries, Constant):
            held = related(relation, comparison.keys[:1], comparison.left[:1], comparison.right[:1])
            return (EVERYTHING,) if held[0] else ()
        return literal(pair, relation)


def _all_hold(literals: Sequence[tuple[Comparison, int]], queries: Codes, keys: Codes) -> Flags:
    found = np.ones(len(queries), dtype=bool)
    for comparison, relation in literals:
        found &= comparison.holds(relation, keys, queries)
    return found


def _pair(node: Select) -> Selector:
    """What two s-ops are compared under, whichever way; nodes are shared, so it is one node for all of them."""
    return Select(node.keys, node.queries, "==")


def selectors(root: Selector) -> Iterator[Selector]:
    """The selectors that one is made of, each once, itself last."""
    seen: set[Selector] = set()
    stack: list[tuple[Selector, bool]] = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack += [(child, False) for child in node.children if isinstance(child, Selector)]


def _if_all(function: Callable[..., T], *given: object) -> T | None:
    """The function of what is given, None where some of that is None."""
    return None if any(part is None for part in given) else function(*given)


def _select_sum(selection: Selection, node: Select) -> SignedSum | None:
    return _if_all(signed, selection.literal(node))


def _best_sum(selection: Selection, node: Best) -> SignedSum | None:
    return _if_all(product, selection.sum_of(node.selector), signed(literal(node, EQUAL)))


def _prefer_sum(selection: Selection, node: Prefer) -> SignedSum | None:
    allowed = _if_all(either, selection.sum_of(node.condition), signed(literal(node, EQUAL)))
    return _if_all(product, selection.sum_of(node.selector), allowed)


_SUMS: Rules[Callable[[Selection, Any], SignedSum | None]] = Rules(
    "the sums of conjunctions",
    {
        Select: _select_sum,
        And: lambda selection, node: _if_all(product, selection.sum_of(node.left), selection.sum_of(node.right)),
        Or: lambda selection, node: _if_all(either, selection.sum_of(node.left), selection.sum_of(node.right)),
        Not: lambda selection, node: _if_all(complement, selection.sum_of(node.selector)),
        Best: _best_sum,
        Prefer: _prefer_sum,
        Fits: lambda selection, node: signed(literal(node, EQUAL)),
        Relation: lambda selection, node: signed(literal(node, EQUAL)),
        LabelledRelation: lambda selection, node: signed(literal(node, EQUAL)),
    },
)


def _meeting(wanted: bool, *parts: Union | None) -> Union | None:
    """The union for what all parts have in common, if wanted; else, of their complements, what any of them has."""
    result = parts[0]
    for part in parts[1:]:
        result = _if_all(intersection if wanted else together, result, part)
    return result


def _best_union(selection: Selection, node: Best, wanted: bool) -> Union | None:
    is_best = literal(node, EQUAL if wanted else ORDERED - EQUAL)
    return _meeting(wanted, selection.union_of(node.selector, wanted), is_best)


def _prefer_union(selection: Selection, node: Prefer, wanted: bool) -> Union | None:
    free = literal(node, EQUAL if wanted else ORDERED - EQUAL)
    allowed = _meeting(not wanted, selection.union_of(node.condition, wanted), free)
    return _meeting(wanted, selection.union_of(node.selector, wanted), allowed)


def _pair_union(selection: Selection, node: And | Or, wanted: bool) -> Union | None:
    left, right = (selection.union_of(part, wanted) for part in (node.left, node.right))
    return _meeting(wanted is isinstance(node, And), left, right)


_UNIONS: Rules[Callable[[Selection, Any, bool], Union | None]] = Rules(
    "the unions of conjunctions",
    {
        Select: lambda selection, node, wanted: selection.literal(node, wanted),
        And: _pair_union,
        Or: _pair_union,
        Not: lambda selection, node, wanted: selection.union_of(node.selector, not wanted),
        Best: _best_union,
        Prefer: _prefer_union,
        Fits: lambda selection, node, wanted: literal(node, EQUAL if wanted else ORDERED - EQUAL),
        Relation: lambda selection, node, wanted: literal(node, EQUAL if wanted else ORDERED - EQUAL),
        LabelledRelation: lambda selection, node, wanted: literal(node, EQUAL if wanted else ORDERED - EQUAL),
    },
)


def _select_cells(selection: Selection, node: Select, block: Block, found: dict[Selector, Flags]) -> Flags:
    return selection.literal_cells(block, _pair(node), RELATIONS[node.op])


def _best_cells(selection: Selection, node: Best, block: Block, found: dict[Selector, Flags]) -> Flags:
    return found[node.selector] & selection.literal_cells(block, node, EQUAL)


def _prefer_cells(selection: Selection, node: Prefer, block: Block, found: dict[Selector, Flags]) -> Flags:
    return found[node.selector] & (found[node.condition] | selection.literal_cells(block, node, EQUAL))


_CELLS: Rules[Callable[[Selection, Any, Block, dict[Selector, Flags]], Flags]] = Rules(
    "the cells of a block",
    {
        Select: _select_cells,
        And: lambda selection, node, block, found: found[node.left] & found[node.right],
        Or: lambda selection, node, block, found: found[node.left] | found[node.right],
        Not: lambda selection, node, block, found: ~found[node.selector],
        Best: _best_cells,
        Prefer: _prefer_cells,
        Fits: lambda selection, node, block, found: selection.pairs(node).cells(block),
        Relation: lambda selection, node, block, found: selection.pairs(node).cells(block),
        LabelledRelation: lambda selection, node, block, found: selection.pairs(node).cells(block),
    },
)


_Cells: TypeAlias = "tuple[Codes, Codes]"


def _best_holds(selection: Selection, node: Best, at: _Cells, found: dict[Selector, Flags]) -> Flags:
    return found[node.selector] & selection.literal_holds(node, EQUAL, *at)


def _prefer_holds(selection: Selection, node: Prefer, at: _Cells, found: dict[Selector, Flags]) -> Flags:
    return found[node.selector] & (found[node.condition] | selection.literal_holds(node, EQUAL, *at))


_CELL: Rules[Callable[[Selection, Any, _Cells, dict[Selector, Flags]], Flags]] = Rules(
    "single cells",
    {
        Select: lambda selection, node, at, found: selection.literal_holds(_pair(node), RELATIONS[node.op], *at),
        Fits: lambda selection, node, at, found: selection.pairs(node).have(*at),
        Relation: lambda selection, node, at, found: selection.pairs(node).have(*at),
        LabelledRelation: lambda selection, node, at, found: selection.pairs(node).have(*at),
        And: lambda selection, node, at, found: found[node.left] & found[node.right],
        Or: lambda selection, node, at, found: found[node.left] | found[node.right],
        Not: lambda selection, node, at, found: ~found[node.selector],
        Best: _best_holds,
        Prefer: _prefer_holds,
    },
)

"""Which values every s-op can take, for every length and position, over a vocabulary and up to a maximum length.

Sets are kept per cell (n, i); cells with the same set share a *pattern*. Every set is a superset of what really
occurs. A Map is evaluated over its *sources* (the tokens, the indices, aggregates and widths), not over the Maps
between, so that what depends on one source stays together. A mean with too many possible values to list is a number
with bounds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from compiler.operations.differences import MeanDifference
from compiler.operations.indicator_means import Count, Flag
from compiler.operations.materialised import Intervened, Stored
from compiler.operations.opaque import Opaque, is_opaque
from compiler.options import Options
from compiler.selectors import JOINT, BoolTable, Conjunction, Predicate
from compiler.values.affine import is_product, products
from compiler.values.aggregates import aggregated, counted, indicator_counted
from compiler.values.categorical import Categorical, Tuples, evaluate, joined
from compiler.values.grid import Cells, Ints, PositionGrid
from compiler.values.linear import LinearForm, LinearForms
from compiler.values.one_head import as_one_head
from compiler.values.progressions import Progressions
from compiler.values.representatives import Representatives, ThresholdTest, check_test, represented
from compiler.values.sets import (
    Packed,
    Ranges,
    ValueSet,
    codes_of,
    everywhere,
    flat,
    grouped,
    singles,
    sizes,
    union,
    unlisted,
)
from compiler.values.sums import whole_sum
from compiler.values.width_bounds import WidthBounds, width_bounds_of
from rasp.errors import RaspError, Refusal
from rasp.graph import Aggregate, Constant, Indices, Map, Selector, SelectorWidth, SOp, Tokens
from rasp.meaning import convert
from rasp.operations import Atom, Operation, evaluate_atoms
from rasp.rules import Rules

MAX_TUPLES = 400_000
MAX_PATTERN_ENTRIES = 30_000_000
MANY = 64
MAX_REMEMBERED = 20_000_000
_MAX_BITS = 1000
_MOST_CELLS = 100_000_000
_MOST_PAIRS = 1 << 28
_AT_ONCE = 1 << 20


class TooMany(Refusal):
    """Some s-ops have too many possible combinations."""

    def __init__(self, factors: tuple[SOp, ...], count: str) -> None:
        names = Counter(repr(_number_behind(factor)) for factor in factors)
        shown = [name if times == 1 else f"{times} s-ops like {name}" for name, times in names.items()]
        super().__init__(f"{' and '.join(shown)} have {count} possible combinations")
        self.factors = factors


@dataclass(frozen=True)
class Assumptions:
    """What an analysis takes for granted: the same nodes have the same values under the same assumptions.

    The means in `bounded` are numbers with bounds, even if their values could be listed. The selectors in `single`
    select at most one key on every input on which the program has a value. Combinations are listed up to `most_rows`.
    """

    most_rows: int
    bounded: frozenset[SOp] = frozenset()
    single: frozenset[Selector] = frozenset()


class Analyses:
    """The value analyses of one compilation: one for each assumptions that were ever made.

    One that differs from another by its limit alone begins with what that one has found, if no list came near it.
    """

    def __init__(self, options: Options) -> None:
        self.options: Options = options
        self.grid: PositionGrid = PositionGrid(options.max_length)
        self.linear: LinearForms = LinearForms()
        self._made: dict[Assumptions, ValueAnalysis] = {}

    def listing(self, most_rows: int) -> ValueAnalysis:
        """The analysis that begins with nothing but a limit."""
        return self.under(Assumptions(most_rows))

    def under(self, assumptions: Assumptions) -> ValueAnalysis:
        """The analysis under some assumptions."""
        if assumptions not in self._made:
            found = self._made[assumptions] = ValueAnalysis(self, assumptions)
            alike = (other for other in self._made.values() if other is not found and other.holds_under(assumptions))
            for known in alike:
                found.begin_with(known)
        return self._made[assumptions]

    def is_limited(self, most_rows: int) -> bool:
        """Whether anything was ever refused by this limit."""
        return any(made.most_rows == most_rows and made.most_listed == math.inf for made in self._made.values())

    def forget(self, assumptions: Assumptions) -> None:
        """Whoever asks for an analysis under these assumptions gets a new one."""
        self._made.pop(assumptions, None)


def _number_behind(factor: SOp) -> SOp:
    """The s-op of the program that a factor is: of representatives, the number that they stand for."""
    return factor.args[0] if isinstance(factor, Map) and isinstance(factor.op, Representatives) else factor


class ValueAnalysis:
    """Value sets of s-ops and width bounds of selectors, each computed once and kept.

    `partial` holds the s-ops whose own operation may fail (a division by zero); where it does, no value is listed.
    `most_listed` is the longest list of combinations so far; infinity where one was too long.
    """

    def __init__(self, family: Analyses, assumptions: Assumptions) -> None:
        options = family.options
        self.vocabulary: tuple[Atom, ...] = options.vocab
        self.causal: bool = options.causal
        self.assumptions: Assumptions = assumptions
        self.most_rows: int = assumptions.most_rows
        self.most_listed: float = 0
        self.grid: PositionGrid = family.grid
        self._family = family
        self._static = options.masks == "auto"
        self._conjunctions: dict[Selector, Conjunction] = {}
        self._values: dict[SOp, ValueSet] = {}
        self._sources: dict[SOp, tuple[SOp, ...]] = {}
        self._factors: dict[SOp, tuple[SOp, ...]] = {}
        self._tuples: dict[tuple[SOp, ...], Tuples] = {}
        self._evaluated: dict[Tuples, dict[SOp, Categorical]] = {}
        self._width_bounds: dict[Selector, WidthBounds] = {}
        self._checked: dict[tuple[SOp, SOp | None, str], Refusal | None] = {}
        self.partial: dict[SOp, None] = {}
        self.progressions: Progressions = Progressions(self)
        self.linear: LinearForms = family.linear

    def holds_under(self, assumptions: Assumptions) -> bool:
        """Whether everything found so far would be found as well under some assumptions."""
        return self.most_listed <= assumptions.most_rows and self.assumptions == replace(
            assumptions, most_rows=self.assumptions.most_rows
        )

    def begin_with(self, known: ValueAnalysis) -> None:
        """Takes over all that another analysis has found."""
        self.most_listed = max(self.most_listed, known.most_listed)
        self._conjunctions |= known._conjunctions
        self._values |= known._values
        self._sources |= known._sources
        self._factors |= known._factors
        self._tuples |= known._tuples
        self._width_bounds |= known._width_bounds
        self._checked |= known._checked
        self.partial |= known.partial
        self.progressions.begin_with(known.progressions)

    @property
    def max_length(self) -> int:
        return self.grid.max_length

    @property
    def bounded(self) -> frozenset[SOp]:
        return self.assumptions.bounded

    @property
    def single(self) -> frozenset[Selector]:
        return self.assumptions.single

    def __getitem__(self, node: SOp) -> ValueSet:
        """The values of an s-op. Its gathers must have been asked for before, or be shallow."""
        if node not in self._values:
            found = _RULES[type(node)](self, node)
            if found.listed and not found.universe:
                raise Refusal(f"{node!r} has no value on any input{_reason(self, node)}")
            if any(isinstance(value, int) and value.bit_length() > _MAX_BITS for value in found.universe):
                raise Refusal(f"{node!r} may be an int that no float can hold")
            self._values[node] = found
        return self._values[node]

    def sources(self, node: SOp) -> tuple[SOp, ...]:
        """What an s-op is an elementwise function of: raw tokens, indices, aggregates, widths; each once."""
        if node not in self._sources:
            self._sources[node] = self._find_sources(node)
        return self._sources[node]

    def _find_sources(self, node: SOp) -> tuple[SOp, ...]:
        if isinstance(node, Constant):
            return ()
        if isinstance(node, Tokens):
            return (Tokens("asis"),)
        if not isinstance(node, Map) or is_opaque(node):
            return (node,)
        return tuple({source: None for arg in node.args for source in self.sources(arg)})

    def factors(self, node: SOp) -> tuple[SOp, ...]:
        """For each source of an s-op, what the s-op needs of it: the source, or the largest parts that read it alone.

        `a == 0 and b > 0` needs two booleans, not all values of a and b. Of a source with too many values to list it is
        representatives of them, where the s-op only compares and rounds it.
        """
        sources = self.sources(node)
        if not sources or node is sources[0] or (len(sources) == 1 and self[sources[0]].listed):
            return sources
        if node not in self._factors:
            parts = self._parts(node)
            self._factors[node] = tuple(self._factor(node, source, tuple(parts[source])) for source in sources)
        return self._factors[node]

    def _parts(self, root: SOp) -> dict[SOp, dict[SOp, None]]:
        """For each source the largest s-ops within the root that read it alone."""
        found: dict[SOp, dict[SOp, None]] = {source: {} for source in self.sources(root)}
        seen: set[SOp] = set()
        pending = [root]
        while pending:
            node = pending.pop()
            if node in seen:
                continue
            seen.add(node)
            sources = self.sources(node)
            if len(sources) == 1:
                found[sources[0]][node] = None
            elif isinstance(node, Map):
                pending += reversed(node.args)
        return found

    def _factor(self, node: SOp, source: SOp, parts: tuple[SOp, ...]) -> SOp:
        if not self[source].listed:
            representative = represented(self, node, source)
            return source if representative is None else representative
        if any(part is source for part in parts):
            return source
        factor = parts[0] if len(parts) == 1 else Map(JOINT, parts)
        if len(self[factor].universe) < len(self[source].universe):
            return factor
        return source

    def tuples(self, factors: tuple[SOp, ...]) -> Tuples:
        """The reachable combinations of these s-ops. Refusal where they are too many or cannot be listed."""
        if factors not in self._tuples:
            self._tuples[factors] = self._join(factors)
        return self._tuples[factors]

    def combinations(self, factors: tuple[SOp, ...]) -> int:
        """How many reachable combinations these s-ops have. Refusal where they are too many or cannot be listed."""
        if factors in self._tuples or len(factors) < 2:
            return len(self.tuples(factors).codes)
        return len(self._product(factors).reached)

    def table(self, node: SOp) -> tuple[Tuples, list[Any]]:
        """An s-op as a function of its factors: the reachable combinations, and its value for each.

        UNDEFINED stands where the s-op, or one it is made of, has no value.
        """
        tuples, found = self.column(node)
        return tuples, found.decoded

    def column(self, node: SOp) -> tuple[Tuples, Categorical]:
        """The same as `table`, as codes of the distinct values."""
        tuples, known = self.evaluated(node)
        return tuples, known[node]

    def evaluated(self, node: SOp) -> tuple[Tuples, Mapping[SOp, Categorical]]:
        """The reachable combinations of an s-op's factors, and the values there of every s-op made of them."""
        tuples = self.tuples(self.factors(node))
        known = self._known(tuples)
        if node not in known:
            known.update(evaluate(node, known, len(tuples.codes)))
        return tuples, known

    def columns(self, nodes: tuple[SOp, ...]) -> tuple[Categorical, ...]:
        """The values of several s-ops in their reachable combinations, without those that have no value."""
        tuples = self.tuples(self.factors(Map(JOINT, nodes)))
        known = self._known(tuples)
        for node in nodes:
            if node not in known:
                known.update(evaluate(node, known, len(tuples.codes)))
        found = [known[node] for node in nodes]
        if not len(tuples.codes):
            return tuple(found)
        picks, _ = joined(found)
        defined = np.all([pick != column.undefined for pick, column in zip(picks, found, strict=True)], axis=0)
        return tuple(Categorical.of(c.categories, pick[defined]) for pick, c in zip(picks, found, strict=True))

    def _known(self, tuples: Tuples) -> dict[SOp, Categorical]:
        """What has been evaluated over some combinations; to begin with the factors, and the parts of joint ones."""
        if tuples in self._evaluated:
            return self._evaluated[tuples]
        if sum(len(tuples.codes) * len(found) for tuples, found in self._evaluated.items()) > MAX_REMEMBERED:
            self._evaluated.clear()
        columns: dict[SOp, Categorical] = {}
        for index, factor in enumerate(tuples.factors):
            found = Categorical.of(self[factor].universe, np.ascontiguousarray(tuples.codes[:, index]))
            columns[factor] = found
            if isinstance(factor, Map) and factor.op is JOINT:
                for place, part in enumerate(factor.args):
                    columns[part] = found.mapped([value[place] for value in found.categories])
            if isinstance(factor, Map) and isinstance(factor.op, Representatives):
                columns[factor.args[0]] = found
        self._evaluated[tuples] = columns
        return columns

    def widest(self, factors: tuple[SOp, ...]) -> SOp | None:
        """Of the listed means that some s-ops read, the one with most values, if it has many."""
        found = {source: None for factor in factors for source in self.sources(factor)}
        means = [source for source in found if self._is_mean(source)]
        return max(means, key=lambda mean: len(self[mean].universe), default=None)

    def _is_mean(self, source: SOp) -> bool:
        values = self[source]
        if not isinstance(source, Aggregate) or len(values.universe) < MANY:
            return False
        return self[source.value].numbers and not isinstance(source.default, (str, bool))

    def without(self, mean: SOp) -> ValueAnalysis:
        """The analysis with one more mean as a number with bounds."""
        return self._family.under(replace(self.assumptions, bounded=self.bounded | {mean}))

    def selecting_one(self, selector: Selector) -> ValueAnalysis:
        """The analysis of inputs on which one more selector selects at most one key."""
        kept = {mean for mean in self.bounded if isinstance(mean, Aggregate) and mean.selector is not selector}
        return self._family.under(replace(self.assumptions, bounded=frozenset(kept), single=self.single | {selector}))

    def list_up_to(self, most_rows: int) -> None:
        """From now on combinations are listed up to so many; what was found stays.

        Under another limit than before it is this analysis alone that goes on from there: nobody else is given it.
        """
        if most_rows != self.most_rows:
            self._family.forget(self.assumptions)
            self.most_rows = most_rows

    def form(self, node: SOp) -> LinearForm | None:
        """A number as a linear form of numbers: itself where it is stored as it is; None where it is no number."""
        if not self[node].listed and not isinstance(node, Aggregate) and not is_product(self, node):
            return _sum_form(self, node)
        found = self.linear[node]
        if found is None or all(self[part].numeric for part in found.weights):
            return found
        return LinearForm({node: Fraction(1)}, Fraction(0))

    def check_test(self, test: ThresholdTest, source: SOp) -> None:
        """Nothing, or a Refusal where representatives do not stand for what lies between them: each time it is asked.

        It is checked once. What is asked on the way is part of the check itself, and so nothing then.
        """
        key = test.left, test.right, test.op
        if key not in self._checked:
            self._checked[key] = None
            try:
                check_test(self, test, source)
            except Refusal as error:
                self._checked[key] = error
        if (reason := self._checked[key]) is not None:
            raise Refusal(reason.message, hint=reason.hint)

    def conjunction(self, selector: Selector) -> Conjunction:
        """A selector as one head computes it. Refusal where none does."""
        if selector not in self._conjunctions:
            self._conjunctions[selector] = as_one_head(self, selector, static=self._static)
        return self._conjunctions[selector]

    def width_bounds(self, selector: Selector) -> WidthBounds:
        """How many keys a selector can select in each cell."""
        if selector not in self._width_bounds:
            found = width_bounds_of(self, self.conjunction(selector))
            self._width_bounds[selector] = found.of_one_key if selector in self.single else found
        return self._width_bounds[selector]

    def predicate_table(self, predicate: Predicate) -> BoolTable:
        """Whether each query value (row) and key value (column) of a predicate match, over the listed values."""
        queries, keys = self[predicate.queries], self[predicate.keys]
        for side, values in ((predicate.queries, queries), (predicate.keys, keys)):
            if not values.listed:
                raise Refusal(f"{side!r} is compared in a selector, but its possible values are too many to list")
        if len(queries.universe) * len(keys.universe) > _MOST_PAIRS:
            raise Refusal(
                f"{predicate.formula!r} compares {len(queries.universe):,} values with {len(keys.universe):,}: "
                "these are too many pairs to look at",
                hint="use a maximum length of up to 8,192; ints compared with == may be more in float64",
            )
        return predicate.table(queries.universe, keys.universe)

    def _join(self, factors: tuple[SOp, ...]) -> Tuples:
        if not factors:
            return Tuples((), np.zeros((1, 0), dtype=np.intp), (np.zeros(1, dtype=np.intp),), self.grid.same(0))
        if len(factors) > 1:
            return self._product(factors).tuples
        values = self._listed(factors[0])
        codes = np.arange(len(values.universe), dtype=np.intp)[:, None]
        return Tuples(factors, codes, values.patterns, values.cell_pattern)

    def _product(self, factors: tuple[SOp, ...]) -> _Product:
        last = self._listed(factors[-1])
        try:
            found = _Product(factors, self.tuples(factors[:-1]), last, self.most_rows)
        except TooMany:
            self.most_listed = math.inf
            raise
        self.most_listed = max(self.most_listed, found.most)
        return found

    def _listed(self, factor: SOp) -> ValueSet:
        values = self[factor]
        if not values.listed:
            raise Refusal(f"the possible values of {factor!r} are too many to list")
        return values


Sides: TypeAlias = tuple[Sequence[Ints], Sequence[Ints]]


class _Product:
    """The combinations of some s-ops, from those of all but the last, `left`, and the values of the last, `right`.

    `reached` are their codes, left · values + right. TooMany where they are more than `limit`, or some cell has more:
    `most` is the larger of the two numbers.
    """

    def __init__(self, factors: tuple[SOp, ...], left: Tuples, right: ValueSet, limit: int) -> None:
        self.factors, self.left, self.width = factors, left, len(right.universe)
        count = len(right.patterns)
        both = left.cell_pattern.with_other(right.cell_pattern, lambda some, other: some * count + other)
        self.pairs, self.cell_pattern = both.distinct(len(left.patterns) * count)
        self.sides: Sides = left.patterns, right.patterns
        entries = self._entries
        if entries.sum() > MAX_PATTERN_ENTRIES:
            self.pairs, entries = np.zeros(1, dtype=np.intp), np.array([len(left.codes) * self.width])
            self.sides = (np.arange(len(left.codes)),), (np.arange(self.width),)
            self.cell_pattern = self.cell_pattern.map(np.zeros_like)
        if entries.max() > limit:
            raise TooMany(factors, f"over {limit:,}")
        self.reached: Ints = self._reached
        if len(self.reached) > limit:
            raise TooMany(factors, f"{len(self.reached):,}")
        self.most: int = max(int(entries.max()), len(self.reached))

    @property
    def _entries(self) -> Ints:
        """How many combinations each product of two patterns has."""
        left, right = self.sides
        return sizes(left)[self.pairs // len(right)] * sizes(right)[self.pairs % len(right)]

    @property
    def _ranges(self) -> Ranges | None:
        """The products where they are ranges, as one code beside a range makes a range; else None."""
        left, right = self.sides
        if not (isinstance(left, Ranges) and isinstance(right, Ranges) and _has_one(left)):
            return None
        first, ranges = left.starts[self.pairs // len(right)] * self.width, right.at(self.pairs % len(right))
        return Ranges(first + ranges.starts, first + ranges.stops)

    @property
    def _reached(self) -> Ints:
        """All pairs of codes in some product of two patterns."""
        size, ranges = len(self.left.codes) * self.width, self._ranges
        if ranges is None:
            return _union_of(_products(self.sides, self.pairs, self._entries, self.width), size)
        return union(ranges, size) if size <= _MOST_CELLS else np.unique(ranges.flat)

    @property
    def tuples(self) -> Tuples:
        """The combinations, and which of them each product of two patterns has."""
        reached = self.reached
        codes = np.concatenate([self.left.codes[reached // self.width], (reached % self.width)[:, None]], axis=1)
        return Tuples(self.factors, codes, self._patterns, self.cell_pattern)

    @property
    def _patterns(self) -> Sequence[Ints]:
        """The places in `reached` of each product."""
        ranges, entries = self._ranges, self._entries
        if ranges is not None:
            starts = np.searchsorted(self.reached, ranges.starts)
            return Ranges(starts, starts + sizes(ranges))
        parts = _products(self.sides, self.pairs, entries, self.width)
        places = (np.searchsorted(self.reached, part).astype(np.int32) for part in parts)
        found: Any = np.concatenate([np.zeros(0, dtype=np.int32), *places])
        return Packed(found, np.cumsum(entries))


def _products(sides: Sides, pairs: Ints, entries: Ints, width: int) -> Iterator[Ints]:
    """The products of two patterns, each behind the other, a part at a time."""
    left, right = sides
    others = sizes(right)
    for some in np.split(np.arange(len(pairs)), np.flatnonzero(np.diff(np.cumsum(entries) // _AT_ONCE)) + 1):
        number = np.repeat(pairs[some], entries[some])
        place = np.arange(len(number)) - np.repeat(np.cumsum(entries[some]) - entries[some], entries[some])
        size = others[number % len(right)]
        codes = codes_of(left, number // len(right), place // size)
        yield codes.astype(np.intp) * width + codes_of(right, number % len(right), place % size)


def _union_of(parts: Iterator[Ints], size: int) -> Ints:
    """The numbers below `size` that are in some part, rising."""
    if size > _MOST_CELLS:
        return np.unique(np.concatenate([np.zeros(0, dtype=np.intp), *map(np.unique, parts)]))
    seen = np.zeros(size, dtype=bool)
    for part in parts:
        seen[part] = True
    return np.flatnonzero(seen)


def _has_one(sets: Sequence[Ints]) -> bool:
    return bool((sizes(sets) == 1).all())


def _tokens(analysis: ValueAnalysis, node: Tokens) -> ValueSet:
    if node.kind == "asis":
        return everywhere(analysis.grid, analysis.vocabulary)
    return _map(analysis, node)


def _indices(analysis: ValueAnalysis, node: Indices) -> ValueSet:
    grid = analysis.grid
    return ValueSet(tuple(range(grid.max_length)), singles(np.arange(grid.max_length)), grid.positions)


def _constant(analysis: ValueAnalysis, node: Constant) -> ValueSet:
    return everywhere(analysis.grid, [node.value])


def _map(analysis: ValueAnalysis, node: Map | Tokens) -> ValueSet:
    if isinstance(node, Map) and isinstance(node.op, Representatives):
        return everywhere(analysis.grid, list(map(float, node.op.points)))
    if isinstance(node, Map) and isinstance(node.op, Opaque):
        return OPAQUE[type(node.op)](analysis, node)
    if isinstance(node, Map) and (summed := whole_sum(analysis, node)) is not None:
        return summed
    if any(not analysis[factor].listed for factor in analysis.factors(node)):
        return _bounded(analysis, node)
    patterns, cell_pattern, known = _evaluated_patterns(analysis, node)
    found = known[node]
    if found.undefined is not None:
        _note_failures(analysis, node, known)
    order = [code for code in np.argsort(found.first_rows).tolist() if code != found.undefined]
    new = np.full(len(found.categories), len(order), dtype=np.intp)
    new[order] = np.arange(len(order))
    sets, index = _sets_of(new[found.codes], patterns, len(order))
    return grouped(sets, cell_pattern.map(index.__getitem__), [found.categories[code] for code in order])


def _sets_of(code: Ints, patterns: Sequence[Ints], count: int) -> tuple[Sequence[Ints], Ints]:
    """The codes below `count` that the rows of each pattern have: the distinct sets, and which of them each has.

    Other codes are those of rows without a value.
    """
    if isinstance(patterns, Ranges) and _has_one(patterns):
        found = code[patterns.starts]
        return Ranges(found, np.where(found < count, found + 1, found)), np.arange(len(found))
    number: dict[bytes, int] = {}
    sets: list[Ints] = []
    index = np.empty(len(patterns), dtype=np.intp)
    step = max(1, _AT_ONCE // (count + 1))
    for start in range(0, len(patterns), step):
        some = patterns[start : start + step]
        seen = np.zeros((len(some), count + 1), dtype=bool)
        seen[np.repeat(np.arange(len(some)), sizes(some)), code[flat(some)]] = True
        for at, (row, packed) in enumerate(
            zip(seen[:, :count], np.packbits(seen[:, :count], axis=1), strict=True), start
        ):
            index[at] = number.setdefault(packed.tobytes(), len(sets))
            if index[at] == len(sets):
                sets.append(np.flatnonzero(row))
    return sets, index


def _evaluated_patterns(
    analysis: ValueAnalysis, node: Map | Tokens
) -> tuple[Sequence[Ints], Cells, Mapping[SOp, Categorical]]:
    """What an s-op is in many rows, which of the rows are possible in each pattern, and the pattern of each cell.

    The rows are combinations of its factors, or the values of a sum that is all it reads.
    """
    if (read := _sum_read(analysis, node)) is not None:
        values = analysis[read]
        column = Categorical(values.universe, np.arange(len(values.universe), dtype=np.intp))
        return values.patterns, values.cell_pattern, evaluate(node, {read: column}, len(values.universe))
    tuples, known = analysis.evaluated(node)
    return tuples.patterns, tuples.cell_pattern, known


def _sum_read(analysis: ValueAnalysis, node: SOp) -> SOp | None:
    """The sum that is all an s-op reads, by operations that read nothing but it and constants; None for others."""
    while isinstance(node, Map) and not is_opaque(node):
        moving = {arg for arg in node.args if not isinstance(arg, Constant)}
        if len(moving) != 1:
            return None
        node = moving.pop()
        if is_sum(analysis, node):
            return node
    return None


def is_sum(analysis: ValueAnalysis, node: SOp) -> bool:
    """Whether the values of an s-op are those of a sum of ints, found without looking at all combinations."""
    return len(analysis.sources(node)) > 1 and isinstance(node, Map) and whole_sum(analysis, node) is not None


def _intervened(analysis: ValueAnalysis, node: Map) -> ValueSet:
    """All values of the s-op that is stored, at every position. Refusal where they cannot be listed."""
    (inner,) = node.args
    found = analysis[inner]
    if not found.listed:
        raise Refusal(
            f"{inner!r} has too many values to list, so that no other can be put in its place",
            hint="intervene on what it is made of",
        )
    return everywhere(analysis.grid, found.universe)


def _reason(analysis: ValueAnalysis, node: SOp) -> str:
    """Why an s-op has no value, by the first combination of values that its operation is given."""
    if isinstance(node, Tokens):
        kind = node.kind
        node = Map(Operation(kind, 1, (), lambda token: convert(kind, token)), (Tokens("asis"),))
    if not isinstance(node, Map):
        return ""
    found = analysis.columns(node.args)
    if not all(len(column.codes) for column in found):
        return ""
    try:
        evaluate_atoms(node.op, [column.decoded[0] for column in found])
    except RaspError as error:
        return f": {error.message}"
    return ""


def _note_failures(analysis: ValueAnalysis, node: Map | Tokens, known: Mapping[SOp, Categorical]) -> None:
    """Notes the node as partial where its own operation fails, not one it reads."""
    failed = known[node].codes == known[node].undefined
    for arg in node.args if isinstance(node, Map) else ():
        failed = failed & (known[arg].codes != known[arg].undefined)
    if failed.any():
        analysis.partial[node] = None


def _bounded(analysis: ValueAnalysis, node: Map | Tokens) -> ValueSet:
    if is_product(analysis, node):
        assert isinstance(node, Map)
        factor, mean = (analysis[arg].range for arg in node.args)
        ends = [Fraction(some) * Fraction(other) for some in factor for other in mean]
        return unlisted(analysis.grid, min(ends), max(ends))
    form = _sum_form(analysis, node)
    low = high = Fraction(form.constant)
    for part, weight in form.weights.items():
        values = analysis[part]
        if not values.numeric:
            raise Refusal(f"{part!r} is not a number everywhere")
        ends = [weight * Fraction(end) for end in values.range]
        low, high = low + min(ends), high + max(ends)
    bools = isinstance(node, Map) and node.op.name == "if" and not all(analysis[arg].numbers for arg in node.args[1:])
    return unlisted(analysis.grid, low, high, bools=bools)


def _sum_form(analysis: ValueAnalysis, node: SOp) -> LinearForm:
    """A number whose values are too many to list, and that is no mean and no product, as the sum that it is."""
    form = analysis.linear[node]
    if form is not None and set(form.weights) != {node}:
        return form
    return LinearForm(products(analysis, node), Fraction(0))


def _difference(analysis: ValueAnalysis, node: Map) -> ValueSet:
    (low, high), (least, most) = (analysis[mean].range for mean in node.args)
    below = most - low if isinstance(node.op, MeanDifference) and node.op.both else 0.0
    return unlisted(analysis.grid, 0.0, max(high - least, below, 0.0))


OPAQUE: dict[type[Opaque], Callable[[ValueAnalysis, Map], ValueSet]] = {
    Stored: lambda analysis, node: analysis[node.args[0]],
    Intervened: _intervened,
    MeanDifference: _difference,
    Flag: lambda analysis, node: everywhere(analysis.grid, (0, 1)),
    Count: indicator_counted,
}

_RULES: Rules[Callable[[ValueAnalysis, Any], ValueSet]] = Rules(
    "the value analysis",
    {
        Tokens: _tokens,
        Indices: _indices,
        Constant: _constant,
        Map: _map,
        Aggregate: aggregated,
        SelectorWidth: counted,
    },
)

"""Which values every s-op can take, for every length and position, over a vocabulary and up to a maximum length.

Sets are kept per cell (n, i); cells with the same set share a *pattern*. Every set is a superset of what really
occurs. A Map is evaluated over its *sources* (the tokens, the indices, aggregates and widths), not over the Maps
between, so that what depends on one source stays together. A mean with too many possible values to list is a number
with bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from compiler.affine import is_product, products
from compiler.cells import Cells, Ints
from compiler.columns import Coded, distinct, evaluate, joined, value_key
from compiler.cuts import Bins, Cut, bins, check_cut
from compiler.gaps import Gap, is_gap, is_opaque
from compiler.lattices import Lattices
from compiler.selectors import JOINT, BoolTable, Conjunction, Relation
from compiler.tally import is_count, is_flag, is_mean_of_mark, means_of
from rasp.elementwise import Atom, Operation, evaluate_atoms
from rasp.errors import RaspError, Refusal
from rasp.graph import Aggregate, Constant, Indices, Map, Selector, SelectorWidth, SOp, Tokens, topological
from rasp.interpret import convert

MAX_TUPLES = 400_000
MAX_PATTERN_ENTRIES = 30_000_000
MAX_MEANS = 60_000
MANY = 64
MAX_REMEMBERED = 20_000_000
_SAME = 1e-13
_MAX_BITS = 1000
_CRUMB = 1e-15
_EXACT = 2**53
_NAN_BITS = 0x7FF8_0000_0000_0001
Floats: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, eq=False)
class Values:
    """The values of one s-op: `universe` lists them, `patterns[cell_pattern[c]]` are the codes possible in cell c.

    An s-op whose values are too many to list has an empty universe and `bounds` (smallest, largest).
    """

    universe: tuple[Any, ...]
    patterns: tuple[Ints, ...]
    cell_pattern: Ints
    bounds: tuple[float, float] | None = None

    @property
    def listed(self) -> bool:
        return self.bounds is None

    @property
    def numeric(self) -> bool:
        return not self.listed or all(isinstance(v, (int, float)) for v in self.universe)

    @property
    def numbers(self) -> bool:
        """Whether a mean of these values always exists: ints and floats, no booleans."""
        return self.numeric and not any(isinstance(v, bool) for v in self.universe)

    @property
    def averaged(self) -> bool:
        """Whether a mean of these values is the mean of their numbers, a bool counting as 0 or 1.

        There is one unless all the values of an input are bools.
        """
        return self.numeric and (not self.listed or any(not isinstance(value, bool) for value in self.universe))

    @cached_property
    def may_be_bools(self) -> bool:
        """Whether the values of some input may all be bools, as far as the cells tell."""
        is_bool = [isinstance(value, bool) for value in self.universe]
        if not any(is_bool):
            return False
        cells = np.array([any(is_bool[code] for code in codes) for codes in self.patterns])[self.cell_pattern]
        lengths = range(1, math.isqrt(2 * len(cells)) + 1)
        return any(bool(cells[n * (n - 1) // 2 : n * (n + 1) // 2].all()) for n in lengths)

    @cached_property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value of a numeric s-op."""
        if self.bounds is not None:
            return self.bounds
        return float(min(self.universe)), float(max(self.universe))

    @cached_property
    def twins(self) -> tuple[int, ...]:
        """For each code the first code whose value no number of the same dtype can tell from it.

        1, 1.0 and True are twins, and so are floats that differ by rounding only: 2/3 − 1/3 and 1/3, or 0 and what is
        left of 0.1 + 0.2 − 0.3, a few units of the largest value.
        """
        numbers = sorted((float(v), code) for code, v in enumerate(self.universe) if isinstance(v, (int, float)))
        first = list(range(len(self.universe)))
        crumb = _CRUMB * max((abs(number) for number, _ in numbers), default=0.0)
        for (before, left), (after, right) in pairwise(numbers):
            if after - before <= max(crumb, _SAME * max(abs(before), abs(after))):
                first[right] = first[left]
        return tuple(first)

    @cached_property
    def masks(self) -> BoolTable:
        """patterns as a table, bool [patterns, values]."""
        table = np.zeros((len(self.patterns), len(self.universe)), dtype=bool)
        for row, codes in enumerate(self.patterns):
            table[row, codes] = True
        return table


@dataclass(frozen=True, eq=False)
class Tuples:
    """The reachable combinations of some s-ops: `codes[t, f]` is the code of s-op f's value in combination t."""

    factors: tuple[SOp, ...]
    codes: Ints
    patterns: tuple[Ints, ...]
    cell_pattern: Ints


@dataclass(frozen=True, eq=False)
class Spread:
    """How many keys a selector can mark, per cell: at least `low`, at most `high` (int arrays over cells)."""

    low: Ints
    high: Ints

    @property
    def never_empty(self) -> bool:
        return bool((self.low >= 1).all())

    @property
    def at_most_one(self) -> bool:
        return bool((self.high <= 1).all())

    @property
    def of_one_key(self) -> Spread:
        """The same on inputs on which no more than one key is marked."""
        return Spread(np.minimum(self.low, 1), np.minimum(self.high, 1))


class TooMany(Refusal):
    """Some s-ops have too many possible combinations."""

    def __init__(self, factors: tuple[SOp, ...], count: str) -> None:
        super().__init__(f"{' and '.join(map(repr, factors))} have {count} possible combinations")
        self.factors = factors


class ValueAnalysis:
    """Value sets of s-ops and marked-key counts of selectors, each computed once and kept.

    `partial` holds the s-ops whose own operation may fail (a division by zero); where it does, no value is listed.
    The means in `bounded` are numbers with bounds, even if their values could be listed. The selectors in `single` mark
    at most one key on every input on which the program has a value.
    """

    def __init__(
        self,
        vocabulary: Sequence[Atom],
        max_length: int,
        conjunctions: Mapping[Selector, Conjunction],
        causal: bool = False,
        bounded: frozenset[SOp] = frozenset(),
        single: frozenset[Selector] = frozenset(),
    ) -> None:
        self.vocabulary = tuple(vocabulary)
        self.bounded, self.single = bounded, single
        self.cells = Cells(max_length)
        self.conjunctions = conjunctions
        self.causal = causal
        self._values: dict[SOp, Values] = {}
        self._sources: dict[SOp, tuple[SOp, ...]] = {}
        self._factors: dict[SOp, tuple[SOp, ...]] = {}
        self._tuples: dict[tuple[SOp, ...], Tuples] = {}
        self._evaluated: dict[Tuples, dict[SOp, Coded]] = {}
        self._spreads: dict[Selector, Spread] = {}
        self._checked: dict[tuple[SOp, SOp | None], None] = {}
        self.partial: dict[SOp, None] = {}
        self.lattices = Lattices(self)

    def __getitem__(self, node: SOp) -> Values:
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
            binned = bins(self, node, source)
            return source if binned is None else binned
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

    def table(self, node: SOp) -> tuple[Tuples, list[Any]]:
        """An s-op as a function of its factors: the reachable combinations, and its value for each.

        UNDEFINED stands where the s-op, or one it is made of, has no value.
        """
        tuples, found = self.column(node)
        return tuples, found.decoded

    def column(self, node: SOp) -> tuple[Tuples, Coded]:
        """The same as `table`, as codes of the distinct values."""
        tuples, known = self.evaluated(node)
        return tuples, known[node]

    def evaluated(self, node: SOp) -> tuple[Tuples, Mapping[SOp, Coded]]:
        """The reachable combinations of an s-op's factors, and the values there of every s-op made of them."""
        tuples = self.tuples(self.factors(node))
        known = self._known(tuples)
        if node not in known:
            known.update(evaluate(node, known, len(tuples.codes)))
        return tuples, known

    def columns(self, nodes: tuple[SOp, ...]) -> tuple[Coded, ...]:
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
        return tuple(Coded.of(c.values, pick[defined]) for pick, c in zip(picks, found, strict=True))

    def _known(self, tuples: Tuples) -> dict[SOp, Coded]:
        """What has been evaluated over some combinations; to begin with the factors, and the parts of joint ones."""
        if tuples in self._evaluated:
            return self._evaluated[tuples]
        if sum(len(tuples.codes) * len(found) for tuples, found in self._evaluated.items()) > MAX_REMEMBERED:
            self._evaluated.clear()
        columns: dict[SOp, Coded] = {}
        for index, factor in enumerate(tuples.factors):
            found = Coded.of(self[factor].universe, np.ascontiguousarray(tuples.codes[:, index]))
            columns[factor] = found
            if isinstance(factor, Map) and factor.op is JOINT:
                for place, part in enumerate(factor.args):
                    columns[part] = found.mapped([value[place] for value in found.values])
            if isinstance(factor, Map) and isinstance(factor.op, Bins):
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
        """The same analysis from the start, with one more mean as a number with bounds."""
        return self._anew(self.bounded | {mean}, self.single)

    def marking_one(self, selector: Selector) -> ValueAnalysis:
        """The same analysis from the start, of inputs on which one more selector marks at most one key."""
        kept = {mean for mean in self.bounded if isinstance(mean, Aggregate) and mean.selector is not selector}
        return self._anew(frozenset(kept), self.single | {selector})

    def _anew(self, bounded: frozenset[SOp], single: frozenset[Selector]) -> ValueAnalysis:
        return ValueAnalysis(self.vocabulary, self.cells.max_length, self.conjunctions, self.causal, bounded, single)

    def form(self, node: SOp) -> LinearForm | None:
        """A number as a linear form of others: itself where it is stored as it is; None where it is no number."""
        if self[node].listed or isinstance(node, Aggregate) or is_product(self, node):
            return linear_form(node)
        return _sum_form(self, node)

    def check_cut(self, cut: Cut, source: SOp) -> None:
        """Nothing, or a Refusal where representatives do not stand for what lies between them. Checked once."""
        if (cut.left, cut.right) not in self._checked:
            self._checked[cut.left, cut.right] = None
            check_cut(self, cut, source)

    def spread(self, selector: Selector) -> Spread:
        """How many keys a selector can mark in each cell."""
        if selector not in self._spreads:
            found = _spread(self, self.conjunctions[selector])
            self._spreads[selector] = found.of_one_key if selector in self.single else found
        return self._spreads[selector]

    def relation_table(self, relation: Relation) -> BoolTable:
        """Whether each query value (row) and key value (column) of a relation match, over the listed values."""
        queries, keys = self[relation.queries], self[relation.keys]
        for side, values in ((relation.queries, queries), (relation.keys, keys)):
            if not values.listed:
                raise Refusal(f"{side!r} is compared in a selector, but its possible values are too many to list")
        return relation.table(queries.universe, keys.universe)

    def _join(self, factors: tuple[SOp, ...]) -> Tuples:
        if not factors:
            zero = np.zeros(len(self.cells), dtype=np.intp)
            return Tuples((), np.zeros((1, 0), dtype=np.intp), (np.zeros(1, dtype=np.intp),), zero)
        last = self[factors[-1]]
        if not last.listed:
            raise Refusal(f"the possible values of {factors[-1]!r} are too many to list")
        if len(factors) == 1:
            codes = np.arange(len(last.universe), dtype=np.intp)[:, None]
            return Tuples(factors, codes, last.patterns, last.cell_pattern)
        return _product(factors, self.tuples(factors[:-1]), last)


def _product(factors: tuple[SOp, ...], left: Tuples, right: Values) -> Tuples:
    width = len(right.universe)
    pairs, cell_pattern = np.unique(left.cell_pattern * len(right.patterns) + right.cell_pattern, return_inverse=True)
    sides = [(left.patterns[p // len(right.patterns)], right.patterns[p % len(right.patterns)]) for p in pairs.tolist()]
    if sum(len(a) * len(b) for a, b in sides) > MAX_PATTERN_ENTRIES:
        sides = [(np.arange(len(left.codes)), np.arange(width))]
        cell_pattern = np.zeros_like(cell_pattern)
    if max(len(a) * len(b) for a, b in sides) > MAX_TUPLES:
        raise TooMany(factors, f"over {MAX_TUPLES:,}")
    products = [(a[:, None] * width + b[None, :]).ravel() for a, b in sides]
    reached = np.unique(np.concatenate(products))
    if len(reached) > MAX_TUPLES:
        raise TooMany(factors, f"{len(reached):,}")
    codes = np.concatenate([left.codes[reached // width], (reached % width)[:, None]], axis=1)
    return Tuples(factors, codes, tuple(np.searchsorted(reached, p) for p in products), cell_pattern)


def _grouped(cells: Cells, sets: Sequence[Ints], cell_set: Ints, universe: Sequence[Any]) -> Values:
    """Values whose cell c may take the codes `sets[cell_set[c]]`; equal sets become one pattern, unused codes go.

    The codes of a set are distinct and rise.
    """
    used = _union(sets, len(universe))
    new = np.empty(len(universe), dtype=np.intp)
    new[used] = np.arange(len(used))
    patterns: dict[bytes, int] = {}
    arrays: list[Ints] = []
    index = np.empty(len(sets), dtype=np.intp)
    for row, codes in enumerate(sets):
        array = new[codes]
        known = patterns.setdefault(array.tobytes(), len(arrays))
        if known == len(arrays):
            arrays.append(array)
        index[row] = known
    return Values(tuple(universe[code] for code in used.tolist()), tuple(arrays), index[cell_set])


def _everywhere(cells: Cells, universe: Sequence[Any]) -> Values:
    return Values(tuple(universe), (np.arange(len(universe), dtype=np.intp),), np.zeros(len(cells), dtype=np.intp))


def _tokens(analysis: ValueAnalysis, node: Tokens) -> Values:
    if node.kind == "asis":
        return _everywhere(analysis.cells, analysis.vocabulary)
    return _map(analysis, node)


def _indices(analysis: ValueAnalysis, node: Indices) -> Values:
    cells = analysis.cells
    patterns = tuple(np.array([i], dtype=np.intp) for i in range(cells.max_length))
    return Values(tuple(range(cells.max_length)), patterns, cells.position)


def _constant(analysis: ValueAnalysis, node: Constant) -> Values:
    return _everywhere(analysis.cells, [node.value])


def _map(analysis: ValueAnalysis, node: Map | Tokens) -> Values:
    if isinstance(node, Map) and isinstance(node.op, Bins):
        return _everywhere(analysis.cells, list(map(float, node.op.points)))
    if is_gap(node):
        return _gap(analysis, node)
    if is_flag(node):
        return _everywhere(analysis.cells, (0, 1))
    if is_count(node):
        return _tallied(analysis, node)
    if any(not analysis[factor].listed for factor in analysis.factors(node)):
        return _bounded(analysis, node)
    tuples, known = analysis.evaluated(node)
    found = known[node]
    if found.undefined is not None:
        _note_failures(analysis, node, known)
    order = [code for code in np.argsort(found.first_rows).tolist() if code != found.undefined]
    new = np.full(len(found.values), len(order), dtype=np.intp)
    new[order] = np.arange(len(order))
    of_tuple = new[found.codes]
    sets = [_union([of_tuple[pattern]], len(order) + 1) for pattern in tuples.patterns]
    if found.undefined is not None:
        sets = [codes[codes < len(order)] for codes in sets]
    return _grouped(analysis.cells, sets, tuples.cell_pattern, [found.values[code] for code in order])


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


def _note_failures(analysis: ValueAnalysis, node: Map | Tokens, known: Mapping[SOp, Coded]) -> None:
    """Notes the node as partial where its own operation fails, not one it reads."""
    failed = known[node].codes == known[node].undefined
    for arg in node.args if isinstance(node, Map) else ():
        failed = failed & (known[arg].codes != known[arg].undefined)
    if failed.any():
        analysis.partial[node] = None


def _bounded(analysis: ValueAnalysis, node: Map | Tokens) -> Values:
    if is_product(analysis, node):
        assert isinstance(node, Map)
        factor, mean = (analysis[arg].range for arg in node.args)
        ends = [Fraction(some) * Fraction(other) for some in factor for other in mean]
        return unlisted(analysis.cells, float(min(ends)), float(max(ends)))
    form = _sum_form(analysis, node)
    low = high = Fraction(form.constant)
    for part, weight in form.weights.items():
        values = analysis[part]
        if not values.numeric:
            raise Refusal(f"{part!r} is not a number everywhere")
        ends = [weight * Fraction(end) for end in values.range]
        low, high = low + min(ends), high + max(ends)
    return unlisted(analysis.cells, float(low), float(high))


def _sum_form(analysis: ValueAnalysis, node: SOp) -> LinearForm:
    """A number whose values are too many to list, and that is no mean and no product, as the sum that it is."""
    form = linear_form(node)
    if form is not None and set(form.weights) != {node}:
        return form
    return LinearForm(products(analysis, node), Fraction(0))


def _gap(analysis: ValueAnalysis, node: Map) -> Values:
    (low, high), (least, most) = (analysis[mean].range for mean in node.args)
    below = most - low if isinstance(node.op, Gap) and node.op.both else 0.0
    return unlisted(analysis.cells, 0.0, max(high - least, below, 0.0))


def number_at_rest(node: Aggregate) -> float:
    """The default as a number; 0 for a string, which a numeric aggregate has only where no row is ever empty."""
    return 0.0 if isinstance(node.default, str) else float(node.default)


def unlisted(cells: Cells, low: float, high: float) -> Values:
    """A number between two bounds whose values are not listed."""
    return Values((), (np.zeros(0, dtype=np.intp),), np.zeros(len(cells), dtype=np.intp), (low, high))


@dataclass(frozen=True, eq=False)
class LinearForm:
    """A constant plus a weighted sum of s-ops, with exact weights."""

    weights: Mapping[SOp, Fraction]
    constant: Fraction


def linear_form(root: SOp) -> LinearForm | None:
    """An s-op as a linear form of the s-ops it adds, subtracts and scales; the s-op itself where it does neither.

    None for a constant that is no finite number.
    """
    forms: dict[SOp, LinearForm | None] = {}
    for node in topological([root]):
        if isinstance(node, SOp):
            forms[node] = _form(node, forms)
    return forms[root]


def _form(node: SOp, forms: Mapping[SOp, LinearForm | None]) -> LinearForm | None:
    if isinstance(node, Constant):
        value = node.value
        if isinstance(value, str) or not math.isfinite(value):
            return None
        return LinearForm({}, Fraction(value))
    itself = LinearForm({node: Fraction(1)}, Fraction(0))
    if not isinstance(node, Map) or node.op.name not in _LINEAR:
        return itself
    sides = [forms[arg] for arg in node.args]
    found = [side for side in sides if side is not None]
    return (_LINEAR[node.op.name](found) if len(found) == len(sides) else None) or itself


def _plus(a: LinearForm, b: LinearForm, sign: int = 1) -> LinearForm:
    weights = dict(a.weights)
    for part, weight in b.weights.items():
        weights[part] = weights.get(part, Fraction(0)) + sign * weight
    return LinearForm({p: w for p, w in weights.items() if w}, a.constant + sign * b.constant)


def _times(form: LinearForm, factor: Fraction) -> LinearForm:
    if factor == 0:
        return LinearForm({}, Fraction(0))
    return LinearForm({p: w * factor for p, w in form.weights.items()}, form.constant * factor)


def _scaled(sides: list[LinearForm]) -> LinearForm | None:
    left, right = sides
    if not right.weights:
        return _times(left, right.constant)
    return None if left.weights else _times(right, left.constant)


def _divided(sides: list[LinearForm]) -> LinearForm | None:
    left, right = sides
    return None if right.weights or right.constant == 0 else _times(left, 1 / right.constant)


_LINEAR: dict[str, Callable[[list[LinearForm]], LinearForm | None]] = {
    "+": lambda sides: _plus(sides[0], sides[1]),
    "-": lambda sides: _plus(sides[0], sides[1], -1),
    "neg": lambda sides: _times(sides[0], Fraction(-1)),
    "pos": lambda sides: sides[0],
    "*": _scaled,
    "/": _divided,
}


def _possible(queries: Values, keys: Values, table: BoolTable) -> tuple[BoolTable, BoolTable]:
    """For every query pattern and key pattern: whether some values match, and whether all do."""
    query_masks, key_masks = queries.masks.astype(np.float32), keys.masks.astype(np.float32)
    some = query_masks @ table.astype(np.float32) @ key_masks.T > 0
    every = query_masks @ (~table).astype(np.float32) @ key_masks.T == 0
    return some, every


def _spread(analysis: ValueAnalysis, selector: Conjunction) -> Spread:
    cells = analysis.cells
    low = np.zeros(len(cells), dtype=np.intp)
    high = np.zeros(len(cells), dtype=np.intp)
    for n, some, every in _rows(analysis, selector.relations):
        low[cells.row(n)] = every.sum(axis=1)
        high[cells.row(n)] = some.sum(axis=1)
    for relation in selector.relations:
        high = _most_for_one_value(analysis, relation, high)
    low = np.minimum(low, high)  # lower only where a key has no value, and so the input has none
    if not selector.preferences:
        return Spread(low, high)
    return Spread(np.minimum(low, 1), np.minimum(high, 1) if _tell_positions_apart(analysis, selector) else high)


def _most_for_one_value(analysis: ValueAnalysis, relation: Relation, high: Ints) -> Ints:
    """Per cell, the most keys a relation can mark for any one value of the query, where that may be below `high`.

    It is not below where the query has one value, or no more than one key is marked.
    """
    cells = analysis.cells
    queries, keys = analysis[relation.queries], analysis[relation.keys]
    several = np.array([len(codes) > 1 for codes in queries.patterns])[queries.cell_pattern] & (high > 1)
    if not several.any():
        return high
    table = analysis.relation_table(relation).astype(np.float32)
    some = (table @ keys.masks.T.astype(np.float32) > 0).astype(np.float32)
    most = high.copy()
    for n in range(1, cells.max_length + 1):
        row = cells.row(n)
        if not several[row].any():
            continue
        marked = some @ np.bincount(keys.cell_pattern[row], minlength=len(keys.patterns)).astype(np.float32)
        places = np.flatnonzero(several[row]) + row.start
        patterns, which = distinct(queries.cell_pattern[places], len(queries.patterns))
        largest = np.array([marked[queries.patterns[p]].max() for p in patterns.tolist()], dtype=np.intp)
        most[places] = np.minimum(high[places], largest[which])
    return most


def _tell_positions_apart(analysis: ValueAnalysis, selector: Conjunction) -> bool:
    """Whether no two positions of an input can have the same scores."""
    scores = tuple(score for score in selector.preferences if isinstance(score, SOp))
    if any(_tells_positions_apart(analysis, score) for score in scores):
        return True
    try:
        return len(scores) > 1 and _tells_positions_apart(analysis, Map(JOINT, scores))
    except Refusal:
        return False


def _tells_positions_apart(analysis: ValueAnalysis, score: SOp) -> bool:
    values = analysis[score]
    same: dict[Any, int] = {}
    code = np.array([same.setdefault(value, len(same)) for value in values.universe], dtype=np.intp)
    sets = [np.unique(code[pattern]) for pattern in values.patterns]
    for n in range(2, analysis.cells.max_length + 1):
        found = np.concatenate([sets[p] for p in values.cell_pattern[analysis.cells.row(n)].tolist()])
        if len(np.unique(found)) < len(found):
            return False
    return True


def _rows(analysis: ValueAnalysis, relations: Sequence[Relation]) -> Iterable[tuple[int, BoolTable, BoolTable]]:
    """For every length n: which (query, key) pairs may be marked, and which surely are; bool [n, n] each."""
    cells = analysis.cells
    prepared = []
    for relation in relations:
        queries, keys = analysis[relation.queries], analysis[relation.keys]
        table = analysis.relation_table(relation)
        own = _own(keys, table) if relation.keys is relation.queries else None
        prepared.append((queries.cell_pattern, keys.cell_pattern, own, *_possible(queries, keys, table)))
    for n in range(1, cells.max_length + 1):
        row = cells.row(n)
        some = np.ones((n, n), dtype=bool)
        every = np.ones((n, n), dtype=bool)
        for query_pattern, key_pattern, own, some_pattern, every_pattern in prepared:
            grid = np.ix_(query_pattern[row], key_pattern[row])
            some_here, every_here = some_pattern[grid], every_pattern[grid]
            if own is not None:
                np.fill_diagonal(some_here, own[0][key_pattern[row]])
                np.fill_diagonal(every_here, own[1][key_pattern[row]])
            some &= some_here
            every &= every_here
        yield (n, np.tril(some), np.tril(every)) if analysis.causal else (n, some, every)


def _own(values: Values, table: BoolTable) -> tuple[BoolTable, BoolTable]:
    """For every pattern whether a position matches itself: some value it can have does, and every value does."""
    same = table.diagonal()
    some = np.array([same[codes].any() for codes in values.patterns])
    return some, np.array([same[codes].all() for codes in values.patterns])


def _width(analysis: ValueAnalysis, node: SelectorWidth) -> Values:
    spread = analysis.spread(node.selector)
    return _counts(analysis, spread.low, spread.high)


def _tallied(analysis: ValueAnalysis, node: Map) -> Values:
    """How many keys a head marks; of marks with a condition, all of them or none."""
    mean = means_of(node)[0]
    spread = analysis.spread(mean.selector)
    conditional = len(mean.value.children) > 1
    return _counts(analysis, np.zeros_like(spread.low) if conditional else spread.low, spread.high)


def _counts(analysis: ValueAnalysis, low: Ints, high: Ints) -> Values:
    ends, cell_set = np.unique(np.stack([low, high], axis=1), axis=0, return_inverse=True)
    sets = [np.arange(low, high + 1) for low, high in ends.tolist()]
    return _grouped(analysis.cells, sets, cell_set.reshape(-1), range(analysis.cells.max_length + 1))


def _aggregate(analysis: ValueAnalysis, node: Aggregate) -> Values:
    spread = analysis.spread(node.selector)
    values = analysis[node.value]
    if is_mean_of_mark(node):
        return unlisted(analysis.cells, 0.0, 1.0)
    if not values.listed or node in analysis.bounded:
        return _mean_of_unlisted(analysis, node, values, spread)
    marks, cell_marks = _marked_values(analysis, node.selector, node.value)
    if not spread.at_most_one and not values.averaged and any(_is_number(value) for value in values.universe):
        raise Refusal(f"{node!r} may need the mean of values of several kinds: {_kinds(values)}")
    if spread.at_most_one or not values.averaged:
        return _copies(analysis, node, values, spread, marks, cell_marks)
    return _means(analysis, node, values, spread, marks, cell_marks)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _kinds(values: Values) -> str:
    return ", ".join(sorted({type(value).__name__ for value in values.universe}))


def _mean_of_unlisted(analysis: ValueAnalysis, node: Aggregate, values: Values, spread: Spread) -> Values:
    low, high = values.range
    if spread.never_empty:
        return unlisted(analysis.cells, low, high)
    if isinstance(node.default, str):
        raise Refusal(f"{node!r} mixes numbers that cannot be listed with a string default")
    return unlisted(analysis.cells, min(low, float(node.default)), max(high, float(node.default)))


def _marked_values(analysis: ValueAnalysis, selector: Selector, value: SOp) -> tuple[tuple[Ints, ...], Ints]:
    """The value codes that a selector may mark, per cell: distinct sets, and the index of each cell's set."""
    values = analysis[value]
    sets: dict[bytes, int] = {}
    arrays: list[Ints] = []
    of_patterns: dict[bytes, int] = {}
    cell_set = np.empty(len(analysis.cells), dtype=np.intp)
    for n, some, _ in _rows(analysis, analysis.conjunctions[selector].relations):
        row = analysis.cells.row(n)
        patterns, marked = _marked_patterns(some, values.cell_pattern[row], len(values.patterns))
        for cell, mask in enumerate(marked, row.start):
            key = patterns[mask].tobytes()
            if key not in of_patterns:
                codes = _union([values.patterns[p] for p in patterns[mask].tolist()], len(values.universe))
                of_patterns[key] = sets.setdefault(codes.tobytes(), len(arrays))
                if of_patterns[key] == len(arrays):
                    arrays.append(codes)
            cell_set[cell] = of_patterns[key]
    return tuple(arrays), cell_set


def _marked_patterns(some: BoolTable, patterns: Ints, count: int) -> tuple[Ints, BoolTable]:
    """The distinct patterns of the keys, of `count` there are, and which of them each query may mark."""
    found, which = distinct(patterns, count)
    if len(found) == 1:
        return found, np.any(some, axis=1, keepdims=True)
    if len(found) == len(patterns):
        return found, some[:, np.argsort(which)]
    return found, some.astype(np.float32) @ np.eye(len(found), dtype=np.float32)[which] > 0


def _union(sets: Sequence[Ints], count: int) -> Ints:
    """The codes below `count` that are in one of the sets, rising."""
    seen = np.zeros(count, dtype=bool)
    for codes in sets:
        seen[codes] = True
    return np.flatnonzero(seen)


def _copies(
    analysis: ValueAnalysis, node: Aggregate, values: Values, spread: Spread, marks: tuple[Ints, ...], cell_marks: Ints
) -> Values:
    universe = [*values.universe, node.default]
    default = next(
        (code for code, value in enumerate(values.universe) if value_key(value) == value_key(node.default)),
        len(values.universe),
    )
    empty = (spread.low == 0).astype(np.intp)
    kinds, cell_set = np.unique(cell_marks * 2 + empty, return_inverse=True)
    sets = [
        np.union1d(marks[kind // 2], [default]) if kind % 2 or not len(marks[kind // 2]) else marks[kind // 2]
        for kind in kinds.tolist()
    ]
    return _grouped(analysis.cells, sets, cell_set, universe)


def _means(
    analysis: ValueAnalysis, node: Aggregate, values: Values, spread: Spread, marks: tuple[Ints, ...], cell_marks: Ints
) -> Values:
    keys = np.stack([cell_marks, spread.low, spread.high], axis=1)
    kinds, cell_set = np.unique(keys, axis=0, return_inverse=True)
    numbering = _Numbering()
    sets: list[Ints] = []
    for mark, low, high in kinds.tolist():
        found = _mean_values([values.universe[code] for code in marks[mark].tolist()], low, high, node.default)
        if found is None or numbering.count > MAX_MEANS:
            return _mean_of_unlisted(analysis, node, values, spread)
        sets.append(numbering.codes(*found))
    return _grouped(analysis.cells, sets, cell_set.reshape(-1), numbering.universe())


class _Numbering:
    """Codes of values in order of first appearance: atoms one by one, floats as whole arrays.

    A float is known by its bits; any other atom by those of a NaN of its own, which no finite float has.
    """

    def __init__(self) -> None:
        self.count = 0
        self._atoms: dict[Hashable, tuple[int, Atom]] = {}
        self._bits = np.zeros(0, dtype=np.int64)
        self._codes = np.zeros(0, dtype=np.intp)

    def codes(self, atoms: Sequence[Atom], floats: Floats) -> Ints:
        """The distinct codes, rising, of some atoms and of some floats, which all become known."""
        bits = np.concatenate([np.array(list(map(self._bits_of, atoms)), dtype=np.int64), floats.view(np.int64)])
        bits = bits[np.sort(np.unique(bits, return_index=True)[1])]
        places = np.searchsorted(self._bits, bits)
        fresh = np.append(self._bits, 0)[places] != bits
        fresh[places == len(self._bits)] = True
        found = np.empty(len(bits), dtype=np.intp)
        found[~fresh] = self._codes[places[~fresh]]
        found[fresh] = np.arange(self.count, self.count + fresh.sum())
        self.count += int(fresh.sum())
        order = np.argsort(bits[fresh])
        self._bits = np.insert(self._bits, places[fresh][order], bits[fresh][order])
        self._codes = np.insert(self._codes, places[fresh][order], found[fresh][order])
        return np.sort(found)

    def _bits_of(self, atom: Atom) -> int:
        if isinstance(atom, float):
            return int(np.float64(atom).view(np.int64))
        return self._atoms.setdefault(value_key(atom), (_NAN_BITS + len(self._atoms), atom))[0]

    def universe(self) -> list[Atom]:
        """The value of every code."""
        atom_of = dict(self._atoms.values())
        bits = self._bits[np.argsort(self._codes)]
        return [atom_of.get(b, f) for b, f in zip(bits.tolist(), bits.view(np.float64).tolist(), strict=True)]


def _mean_values(candidates: list[Any], low: int, high: int, default: Atom) -> tuple[list[Any], Floats] | None:
    """Every mean of low to high values out of the candidates (a superset); None where they are too many to list."""
    nothing = np.zeros(0)
    found: list[Any] = [default] if low == 0 or not candidates else []
    if low <= 1:
        found += candidates
    if high < 2 or not candidates:
        return found, nothing
    if len({float(c) for c in candidates}) == 1:
        return [*found, float(candidates[0])], nothing
    if not all(isinstance(c, int) for c in candidates) or (high - low) * high > 50 * MAX_MEANS:
        return None
    smallest, largest = min(candidates), max(candidates)
    step = math.gcd(*(c - smallest for c in candidates))
    sizes = range(max(low, 2), high + 1)
    if sum(m * (largest - smallest) // step + 1 for m in sizes) > 50 * MAX_MEANS:
        return None
    means = np.unique(np.concatenate([_means_of(m, smallest, largest, step) for m in sizes]))
    return (found, means) if len(means) <= MAX_MEANS else None


def _means_of(size: int, smallest: int, largest: int, step: int) -> Floats:
    """The means of so many ints from `smallest` to `largest`, `step` apart, each rounded once."""
    totals = range(size * smallest, size * largest + 1, step)
    if max(map(abs, (totals.start, totals.stop))) > _EXACT:
        return np.array([total / size for total in totals])
    return np.arange(totals.start, totals.stop, totals.step) / size


_RULES: dict[type[SOp], Callable[[ValueAnalysis, Any], Values]] = {
    Tokens: _tokens,
    Indices: _indices,
    Constant: _constant,
    Map: _map,
    Aggregate: _aggregate,
    SelectorWidth: _width,
}

"""What the residual stream holds: which s-ops are stored, in which encoding, and how each is read.

Encodings: *one-hot* (one direction a value), *number* (one direction), and what heads write raw, *reciprocal* (1/(w+1)
for a width w, or 1/n for a length beside means) and *mean*. A function of one one-hot s-op is a linear view of it and
is not stored again. The first feed-forward of a layer stores a flag one-hot and a *count* as a number, of which the
second makes a one-hot where that is needed. Readers state what they need; asking may make further needs (a feed-forward
reads its sources). When all needs are known, `reader` gives the directions and the functionals that read them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias

from compiler.bit_codes import BitCode
from compiler.differences import is_difference
from compiler.indicator_means import is_count, is_flag, is_indicator_count, means_of
from compiler.materialised import is_stored, made
from compiler.source_map import SourceMap
from compiler.symbolic import ONE, Block, Direction, Functional, Matrix, combine
from compiler.values.affine import is_product
from compiler.values.along import along
from compiler.values.analysis import TooMany, ValueAnalysis
from compiler.values.categorical import UNDEFINED, value_key
from compiler.values.linear import LinearForm
from compiler.values.roundoff import largest, roundoff
from compiler.whole import is_whole
from rasp.errors import Refusal
from rasp.graph import (
    Aggregate,
    Indices,
    Map,
    Selector,
    SelectorWidth,
    SOp,
    Tokens,
    indicator,
    indices,
    length,
)
from rasp.operations import Operation

RAW_TOKENS = Tokens("asis")
FIRST = indicator(indices == 0)
_DEAR = 4096
MAX_STORED = 10_000
OutputKind: TypeAlias = Literal["categorical", "listed", "number"]


@dataclass(frozen=True, eq=False)
class Combination:
    """A function of one linear form of means that one head computes together: `mean` is that form, as a mean."""

    mean: Aggregate
    form: LinearForm


class Storage:
    """The needs of all readers. Ask with `categorical` and `number`; `one_hot`, `numbers`, `raw` hold what follows."""

    def __init__(self, analysis: ValueAnalysis, layer_of: Mapping[Any, int], length_is_mean: bool = False) -> None:
        self.analysis = analysis
        self.length_is_mean = length_is_mean
        self.layer_of: dict[Any, int] = dict(layer_of)
        self.one_hot: dict[SOp, set[Hashable] | None] = {}
        self.numbers: dict[SOp, None] = {}
        self.raw: dict[SOp, None] = {}
        self.combinations: dict[SOp, Combination] = {}
        self.combined: dict[SOp, None] = {}
        self.outputs: dict[SOp, OutputKind] = {}
        self.sums: dict[SOp, LinearForm] = {}
        self.indicator_counts: dict[Map, None] = {}
        self.waits: dict[SOp, dict[SOp, None]] = {}
        self.classes: dict[SOp, dict[SOp, SOp]] = {}
        self.deciding_forms: dict[SOp, LinearForm] = {}
        self.bit_codes: dict[SOp, BitCode] = {}

    @property
    def max_length(self) -> int:
        return self.analysis.max_length

    def is_copy(self, node: SOp) -> bool:
        """Whether an aggregate only ever copies strings, booleans or integers, so that its one-hot is exact."""
        if not isinstance(node, Aggregate) or not self.analysis[node].listed:
            return False
        values = self.analysis[node]
        if values.numeric and any(isinstance(value, float) for value in values.universe):
            return False
        return self.analysis.width_bounds(node.selector).at_most_one or not self.analysis[node.value].averaged

    def number_at_bos(self, node: Aggregate) -> float:
        """The default as a number, which BOS carries; 0 where no row is ever empty, as for a string."""
        if isinstance(node.default, str) or self.analysis.width_bounds(node.selector).never_empty:
            return 0.0
        return float(node.default)

    def is_mean_length(self, node: SOp) -> bool:
        """Whether the node is a length whose head writes 1/n, the mean of FIRST, and not 1/(n + 1), as for a width."""
        return node is length and self.length_is_mean

    def codes(self, node: SOp) -> tuple[int, ...]:
        """For each code of a universe the one that stands for it: its own for tokens, else its first numeric equal."""
        values = self.analysis[node]
        return tuple(range(len(values.universe))) if node is RAW_TOKENS else values.numerically_equal

    def is_clean(self, source: SOp) -> bool:
        """Whether a source can be stored one-hot by the embedding, by its head, or from means (a count)."""
        is_made = is_indicator_count(source) or is_stored(source)
        return isinstance(source, (Tokens, Indices)) or is_made or self.is_copy(source)

    def is_view(self, node: SOp) -> bool:
        """Whether every function of the node is a linear view of one one-hot source, or constant."""
        sources = self.analysis.sources(node)
        return not sources or (len(sources) == 1 and self.is_clean(sources[0]))

    def layer(self, node: SOp) -> int:
        """The layer whose feed-forward can compute a function of the node's sources; 0 is before any attention."""
        return max((self._source_layer(source) for source in self.analysis.sources(node)), default=0)

    def _source_layer(self, source: SOp) -> int:
        return self.layer(source.args[0]) if is_stored(source) else self.layer_of.get(source, 0)

    def stage(self, node: SOp) -> int:
        """How many feed-forwards of its layer come before the one that computes the node."""
        layer = self.layer(node)
        before = (part for part in self.waits.get(made(node), ()) if self.layer(part) == layer)
        return 1 + max((self._ready(part) for part in before), default=-1)

    def _ready(self, part: SOp) -> int:
        """The stage after which what others wait for can be read; −1: it is a view of what heads write."""
        if not self.is_view(part):
            return self.stage(part)
        counts = (is_count(source) for source in self.analysis.sources(part))
        staged = (source for source in self.analysis.sources(part) if is_flag(source) or is_stored(source))
        at_layer = (self.stage(source) for source in staged if self.layer(source) == self.layer(part))
        return max((*(1 for count in counts if count), *at_layer), default=-1)

    def categorical(self, node: SOp, wanted: set[Hashable] | None = None) -> None:
        """Need: for each wanted value (None: all), whether the node has it, exactly 0 or 1."""
        values, sources = self.analysis[node], self.analysis.sources(node)
        if not values.listed:
            raise Refusal(f"the possible values of {node!r} are too many to list, so it cannot be read by value")
        if self.is_view(node):
            self._store(sources)
            return
        count = len(values.universe if wanted is None else wanted)
        if count > MAX_STORED:
            raise Refusal(
                f"{node!r} has {count:,} values that neurons would have to tell apart, over {MAX_STORED:,}: "
                f"a direction and a neuron each make {2 * count**2:,} parameters",
                hint="use a smaller maximum length or vocabulary, or round the numbers",
            )
        known = self.one_hot.get(node, set())
        fresh = node not in self.one_hot
        self.one_hot[node] = None if known is None or wanted is None else known | wanted
        if fresh:
            self._feed(node)

    def by_bits(self, node: Aggregate, code: BitCode) -> None:
        """Need: an output that is a copy, by the bits of its code."""
        self.bit_codes[node] = code
        for bit in code.bits:
            self.layer_of[bit] = self.layer_of[node]
            self.number(bit)

    def _store(self, sources: Iterable[SOp]) -> None:
        """Need: sources that can be, one-hot."""
        for source in sources:
            is_fresh = source not in self.one_hot and source not in self.numbers
            self.one_hot[source] = None
            if is_stored(source) and is_fresh:
                self._feed(source.args[0])
            if is_indicator_count(source):
                self._indicator_count(source)
                if is_count(source):
                    self.deciding_forms[source] = LinearForm({source: Fraction(1)}, Fraction(0))

    def _indicator_count(self, node: Map) -> None:
        """Need: a flag one-hot, a count as a count. The feed-forward of its layer reads its means, and the turn."""
        if node in self.indicator_counts:
            return
        self.indicator_counts[node] = None
        if is_flag(node):
            self.one_hot[node] = None
            self.categorical(node.args[0])
            self._wait(node, [node.args[0]])
        for mean in means_of(node):
            self.raw[mean] = None
            if self.is_view(mean.value):
                self.categorical(mean.value)

    def number(self, node: SOp, *, exact: bool = False) -> None:
        """Need: the node as a number. `exact`: an integer without rounding error, for a head to compare."""
        values, sources = self.analysis[node], self.analysis.sources(node)
        if not values.numeric:
            raise Refusal(f"{node!r} is not a number everywhere")
        if not sources or len(values.universe) == 1:
            return
        if not values.listed and not isinstance(node, Aggregate):
            self._unlisted_number(node)
        elif len(sources) > 1:
            self._number_of_many(node, exact)
        elif isinstance(sources[0], (Tokens, Indices)):
            self.numbers[node] = None
        elif node is sources[0] and is_indicator_count(node):
            self._indicator_count(node)
        elif self.is_clean(sources[0]):
            self._number_of_copy(node, sources[0])
        elif node is sources[0] and isinstance(node, Aggregate) and not exact:
            self.raw[node] = None
        else:
            self._stored_number(node)

    def as_sum(self, node: SOp) -> bool:
        """Whether an output is a mean, or a linear form of means and of what is read without neurons.

        Its means of one head become one mean, which has the constant in its values: what cancels in the result then
        cancels before anything is rounded. `sums` has the form that is read.
        """
        form = self.analysis.form(node)
        if form is None or node in form.weights:
            return self._is_mean(node)
        if not any(map(self._is_mean, form.weights)):
            return False
        is_read = (self._is_mean(part) or self.is_copy(part) or self.is_view(part) for part in form.weights)
        if self.analysis[node].listed and not all(is_read):
            return False
        self.sums[node] = self._fused(form) or form
        return True

    def _is_mean(self, node: SOp) -> bool:
        return isinstance(node, Aggregate) and not self.is_copy(node) and self.analysis[node.value].numeric

    def sum_of_means(self, node: SOp) -> None:
        """Need: an output as a number."""
        for part in self.sums[node].weights if node in self.sums else (node,):
            self.number(part)

    def _fused(self, form: LinearForm) -> LinearForm | None:
        """The form with one mean for all means of a head; None where that is the form as it is."""
        by_head: dict[tuple[Selector, int], list[Aggregate]] = {}
        for part in form.weights:
            if isinstance(part, Aggregate) and self._is_mean(part) and not isinstance(part.default, str):
                by_head.setdefault((part.selector, self.layer_of[part]), []).append(part)
        alone = len(by_head) == 1 and sum(map(len, by_head.values())) == len(form.weights)
        constant = form.constant if alone else Fraction(0)
        groups = [group for group in by_head.values() if len(group) > 1 or constant]
        weights = dict(form.weights)
        for group in groups:
            mean = self._together(form, group, constant)
            if mean is None:
                return None
            for part in group:
                del weights[part]
            weights[mean] = Fraction(1)
        return LinearForm(weights, form.constant - constant) if groups else None

    def _together(self, form: LinearForm, means: list[Aggregate], constant: Fraction) -> Aggregate | None:
        """The weighted sum of some means of one head, and a constant, as one mean, if its values are known."""
        mean = _combined_mean(form, means, constant)
        try:
            values = self.analysis[mean.value]
        except Refusal:
            return None
        if not values.numbers:
            return None
        if mean not in self.layer_of:
            self.combined[mean] = None
            self.layer_of[mean] = self.layer_of[means[0]]
        return mean

    def _unlisted_number(self, node: SOp) -> None:
        """A product is stored, made by the feed-forward that can read its mean and its factor; any other is a sum."""
        if not is_product(self.analysis, node):
            form = self.analysis.form(node)
            assert form is not None
            for part in form.weights:
                self.number(part)
        elif node not in self.numbers:
            assert isinstance(node, Map)
            factor, mean = node.args
            self.numbers[node] = self.raw[mean] = None
            self.categorical(factor)
            self._wait(node, [factor])

    def form_read(self, node: SOp) -> LinearForm | None:
        """The linear form of stored numbers that a number is read as; None where it is read by itself."""
        if node in self.sums:
            return self.sums[node]
        if node in self.numbers or node in self.one_hot or self.is_view(node) or len(self.analysis[node].universe) == 1:
            return None
        form = self.analysis.form(node)
        return None if form is None or set(form.weights) == {node} else form

    def can_be_exact(self, node: SOp) -> bool:
        """Whether the node is an integer that `number(exact=True)` can provide without rounding error."""
        values = self.analysis[node]
        if not values.listed or not all(isinstance(value, int) for value in values.universe):
            return False
        form = self.analysis.form(node)
        if len(self.analysis.sources(node)) <= 1 or form is None or set(form.weights) == {node}:
            return True
        weights = [*form.weights.values(), form.constant]
        return all(weight.denominator == 1 for weight in weights) and all(map(self.can_be_exact, form.weights))

    def _number_of_many(self, node: SOp, exact: bool) -> None:
        form = self.analysis.form(node)
        if form is None or set(form.weights) == {node}:
            self._stored_number(node)
            return
        for part in form.weights:
            self.number(part, exact=exact)

    def _number_of_copy(self, node: SOp, source: SOp) -> None:
        if node is source and is_stored(source):
            self._number_of_stored(source)
        elif node is source and self.analysis[source].numeric:
            self.numbers[source] = None
        elif self._is_whole_multiple(node, source):
            self.number(source)
        else:
            self._store([source])

    def _is_whole_multiple(self, node: SOp, source: SOp) -> bool:
        """Whether an integer is another one times an integer, and one more, so that it is read off it without error."""
        form = self.analysis.linear[node]
        if form is None or set(form.weights) != {source} or not self.can_be_exact(source):
            return False
        return form.weights[source].denominator == form.constant.denominator == 1 and self.can_be_exact(node)

    def _number_of_stored(self, node: Map) -> None:
        """An integer is stored as one, if it does not jump along a raw number; other numbers are read off a one-hot."""
        if is_whole(node.args[0]) or not all(isinstance(value, int) for value in self.analysis[node].universe):
            self._store([node])
        elif node not in self.one_hot and node not in self.numbers:
            self.numbers[node] = None
            self._feed(node.args[0])

    def _stored_number(self, node: SOp) -> None:
        """Sums of steps are exact only on integers; other numbers are read off a one-hot."""
        values = self.analysis[node]
        if not values.listed or not all(isinstance(value, int) for value in values.universe):
            self.categorical(node)
        elif node not in self.numbers:
            self.numbers[node] = None
            self._feed(node)

    def _feed(self, node: SOp) -> None:
        """The feed-forward that computes the node reads its sources."""
        factors = self.analysis.factors(node)
        sources = self.analysis.sources(node)
        raw = [factor for factor, source in zip(factors, sources, strict=True) if not self.is_clean(source)]
        for source in sources:
            if not self.is_clean(source) and not self.analysis[source].numeric:
                raise Refusal(f"{source!r} may be a mean of numbers or a string: no head can write both")
        if len(sources) > 1 and self._follow_form(node, len(raw)):
            return
        clean = [source for source in sources if self.is_clean(source)]
        self._store(clean)
        self._wait(node, clean)
        if len(raw) > 1 and len(raw) == len(sources) and self._combine(node, raw):
            self.raw[self.combinations[node].mean] = None
        elif raw:
            self._read_raw(node, raw)

    def _read_raw(self, node: SOp, raw: list[SOp]) -> None:
        """One neuron reads at most one raw number: others are read as classes, made where they can be.

        Those of earlier layers were made classes by the feed-forward of theirs. If several are of the node's own layer,
        all become classes there, and the node goes into a feed-forward of its own after it.
        """
        newest = [factor for factor in raw if self.layer(factor) == self.layer(node)]
        as_classes = [factor for factor in raw if len(newest) > 1 or not any(factor is new for new in newest)]
        if len(newest) == 1:
            self._read_number(node, self.analysis.sources(newest[0])[0])
        elif not newest and len(raw) == 1:
            self._read_number(node, self.analysis.sources(raw[0])[0])
            return
        self.classes[node] = {}
        for factor in as_classes:
            self.classes[node][factor] = self._distinctions(node, factor)
        for part in self.classes[node].values():
            self.categorical(part)
        self._wait(node, self.classes[node].values())

    def _read_number(self, node: SOp, source: SOp) -> None:
        """Need: a raw number; a difference is made by the first feed-forward of its layer, from two means."""
        self.raw[source] = None
        if is_difference(source):
            self.raw.update(dict.fromkeys(source.args))
            self._wait(node, [source])

    def _wait(self, node: SOp, parts: Iterable[SOp]) -> None:
        self.waits.setdefault(node, {}).update(dict.fromkeys(parts))

    def deciding_form(self, node: SOp) -> LinearForm | None:
        """The linear form of several exact integers that alone decides the node's value, if there is one."""
        core = self.analysis.linear.core(node)
        form = self.analysis.linear[core]
        if form is None or len(form.weights) < 2 or not all(map(self.can_be_exact, form.weights)):
            return None
        if roundoff(self.analysis, core, tuple(form.weights)).at(largest(self.analysis[core].range)) >= 0.5:
            return None
        if any(weight.denominator != 1 for weight in (*form.weights.values(), form.constant)):
            return None
        found: dict[Any, Any] = {}
        for level, value in along(self.analysis, core, node):
            if level != int(level) or found.setdefault(level, value) != value:
                return None
        return form

    def _follow_form(self, node: SOp, raw: int) -> bool:
        """Whether the node is a function of one linear form of exact integers, and steps along it are cheaper."""
        form = self.deciding_form(node)
        if form is None:
            return False
        steps = 2 * len({level for level, _ in along(self.analysis, self.analysis.linear.core(node), node)})
        if steps >= (_DEAR if raw == 1 else self._combinations(node) * (2 if raw else 1)):
            return False
        for part in form.weights:
            self.number(part, exact=True)
        if any(self.stage(part) for part in form.weights if not self.is_view(part)):
            return False
        self.deciding_forms[node] = form
        self._wait(node, form.weights)
        return True

    def _combinations(self, node: SOp) -> float:
        """How many combinations the s-op's factors have; infinitely many where they are too many to list."""
        try:
            return len(self.analysis.tuples(self.analysis.factors(node)).codes)
        except TooMany:
            return math.inf

    def _distinctions(self, node: SOp, factor: SOp) -> SOp:
        """A factor reduced to what the node needs to know of it: a Map to class numbers.

        Two values are in one class where the node never differs between them, whatever the other factors are; of those
        that were reduced before, only the class is known.
        """
        tuples, found = self.analysis.column(node)
        at = _position(tuples.factors, factor)
        order = (at, *(index for index in range(len(tuples.factors)) if index != at))
        stands_for = [self._known_codes(node, tuples.factors[index]) for index in order]
        slices: dict[int, dict[tuple[int, ...], int]] = {}
        for row, value in zip(tuples.codes.tolist(), found.codes.tolist(), strict=True):
            code, *rest = (codes[row[index]] for index, codes in zip(order, stands_for, strict=True))
            slices.setdefault(code, {})[tuple(rest)] = value
        universe = self.analysis[factor].universe
        classes: list[dict[tuple[int, ...], int]] = []
        number = {code: _enter(classes, slices[code]) for code in sorted(slices, key=lambda c: universe[c])}
        return Map(
            class_operation(
                {value_key(v): number[c] for v, c in zip(universe, self.codes(factor), strict=True) if c in number}
            ),
            (factor,),
        )

    def _known_codes(self, node: SOp, factor: SOp) -> Sequence[int]:
        """For each code of a factor what a feed-forward can know of it."""
        classes = self.classes[node].get(factor)
        if not isinstance(classes, Map):
            return self.codes(factor)
        number: dict[Hashable, int] = dict(classes.op.key)  # type: ignore[call-overload]
        return [number.get(value_key(value), -1) for value in self.analysis[factor].universe]

    def _combine(self, node: SOp, raw: list[SOp]) -> bool:
        """Whether the node depends on its means only through one linear form that a single head can compute."""
        form = self.analysis.linear[self.analysis.linear.core(node)]
        means = [source for source in raw if isinstance(source, Aggregate)]
        if form is None or len(means) < len(raw) or set(form.weights) != set(raw):
            return False
        if len({(mean.selector, self.layer_of[mean]) for mean in means}) != 1:
            return False
        if any(isinstance(mean.default, str) for mean in means):
            return False
        form = _with_float_weights(form)
        combined = _combined_mean(form, means)
        if combined in self.layer_of and combined not in self.combined:
            return False
        self.combined[combined] = None
        self.layer_of[combined] = self.layer_of[means[0]]
        self.combinations[node] = Combination(combined, form)
        return True


def class_operation(number: Mapping[Hashable, int]) -> Operation:
    """The operation that maps a value to its class number; equal tables are equal operations."""
    return Operation("class", 1, tuple(sorted(number.items(), key=repr)), lambda value: number[value_key(value)])


def _position(nodes: tuple[SOp, ...], wanted: SOp) -> int:
    return next(index for index, node in enumerate(nodes) if node is wanted)


def _enter(classes: list[dict[tuple[int, ...], int]], part: dict[tuple[int, ...], int]) -> int:
    """The last class that agrees with a slice wherever both are known, extended by it; else a new one."""
    for index in reversed(range(len(classes))):
        known = classes[index]
        if all(known.get(key, value) == value for key, value in part.items()):
            known.update(part)
            return index
    classes.append(dict(part))
    return len(classes) - 1


def _with_float_weights(form: LinearForm) -> LinearForm:
    """The form, times an int where a weight is no float, such as 1/3: a mean can then be taken of its exact values."""
    rounded = [weight for weight in form.weights.values() if Fraction(float(weight)) != weight]
    factor = math.lcm(*(weight.denominator for weight in rounded))
    return LinearForm({part: weight * factor for part, weight in form.weights.items()}, form.constant * factor)


def _combined_mean(form: LinearForm, means: list[Aggregate], constant: Fraction = Fraction(0)) -> Aggregate:
    """The aggregate of the weighted sum of the means' values and a constant."""
    total: SOp | None = None
    default = constant
    for mean in means:
        weight = form.weights[mean]
        term = mean.value if weight == 1 else mean.value * _plain(weight)
        total = term if total is None else total + term
        default += weight * Fraction(mean.default)
    assert total is not None
    return Aggregate(means[0].selector, total + _plain(constant) if constant else total, _plain(default))


def _plain(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)


class Reader:
    """The directions of everything stored, and the functionals that read s-ops off them."""

    def __init__(self, storage: Storage, source_map: SourceMap) -> None:
        self.storage = storage
        self.analysis: ValueAnalysis = storage.analysis
        self.one_hot: dict[SOp, list[Direction | None]] = {}
        self.numbers: dict[SOp, Direction] = {}
        self.raw: dict[SOp, Direction] = {}
        self.counts: dict[SOp, Direction] = {}
        self.source_map = source_map
        for node, wanted in storage.one_hot.items():
            self.one_hot[node] = self._one_hot_directions(node, None if node in storage.numbers else wanted)
        for node in storage.numbers:
            if not self._is_view(node):
                self.numbers[node] = Direction(source_map.text(node), _number_at_bos(node, storage))
        for node in storage.raw:
            self.raw[node] = self._raw_direction(node)
        for node in storage.indicator_counts:
            if is_count(node):
                self.counts[node] = Direction(source_map.text(node))

    def _is_view(self, node: SOp) -> bool:
        sources = self.analysis.sources(node)
        return node in self.one_hot or (len(sources) == 1 and sources[0] in self.one_hot and self._clean(sources[0]))

    def _clean(self, source: SOp) -> bool:
        return self.storage.is_clean(source)

    def _raw_direction(self, node: SOp) -> Direction:
        if self.storage.is_mean_length(node):
            return Direction(f"1/{self.source_map.text(node)}")
        if isinstance(node, SelectorWidth):
            return Direction(f"1/({self.source_map.text(node)} + 1)", 1.0)
        if is_difference(node):
            return Direction(self.source_map.text(node))
        assert isinstance(node, Aggregate)
        return Direction(self.source_map.text(node), self.storage.number_at_bos(node))

    def _one_hot_directions(self, node: SOp, wanted: set[Hashable] | None) -> list[Direction | None]:
        """For each code of the node's universe its direction (equal numbers share one), None where nothing reads it."""
        name = self.source_map.text(node)
        default = node.default if isinstance(node, Aggregate) and self.storage.is_copy(node) else None
        universe, codes = self.analysis[node].universe, self.storage.codes(node)
        read = {codes[c] for c, value in enumerate(universe) if wanted is None or value_key(value) in wanted}
        shared = {
            code: Direction(f"{name}={_shown(universe[code])}", 1.0 if _is(universe[code], default) else 0.0)
            for code in sorted(read)
        }
        return [shared.get(code) for code in codes]

    def directions(self) -> list[Direction]:
        """Every stored direction once, in a fixed order."""
        found: dict[Direction, None] = {}
        for space in self.one_hot.values():
            found.update(dict.fromkeys(d for d in space if d is not None))
        found.update(dict.fromkeys(self.numbers.values()))
        found.update(dict.fromkeys(self.raw.values()))
        found.update(dict.fromkeys(self.counts.values()))
        return list(found)

    def number(self, node: SOp) -> Functional:
        """The functional whose value is the node's number."""
        if node in self.numbers:
            return {self.numbers[node]: 1.0}
        if node in self.counts:
            return {self.counts[node]: 1.0}
        if node in self.raw and isinstance(node, Aggregate):
            return {self.raw[node]: 1.0}
        if node in self.storage.sums:
            return self.form(self.storage.sums[node])
        sources = self.analysis.sources(node)
        if not sources or len(self.analysis[node].universe) == 1:
            return combine((float(self.analysis[node].universe[0]), {ONE: 1.0}))
        if len(sources) == 1 and sources[0] in self.one_hot and self._clean(sources[0]):
            return self.view(node, float)
        if node in self.one_hot:
            space = zip(self.one_hot[node], self.analysis[node].universe, strict=True)
            return combine(*((float(value), {direction: 1.0}) for direction, value in _once(space)))
        form = self.analysis.form(node)
        assert form is not None, node
        assert set(form.weights) != {node}, node
        return self.form(form)

    def form(self, form: LinearForm) -> Functional:
        """The functional whose value is a linear form of stored numbers."""
        parts = [(float(weight), self.number(part)) for part, weight in form.weights.items()]
        return combine(*parts, (float(form.constant), {ONE: 1.0}))

    def view(self, node: SOp, feature: Callable[[Any], float]) -> Functional:
        """A function of one one-hot source: the functional whose value is `feature` of the node's value."""
        tuples, values = self.analysis.table(node)
        space = self.one_hot[tuples.factors[0]]
        defined = [(code, value) for (code,), value in zip(tuples.codes.tolist(), values, strict=True) if _has(value)]
        return self._agreed(node, [(space[code], feature(value)) for code, value in defined])

    def feature(self, node: SOp, weights: Mapping[Hashable, float]) -> Functional:
        """The functional whose value is `weights[value_key(v)]` (0 if missing) where the node's value is v."""
        sources = self.analysis.sources(node)
        if not sources:
            return combine((weights.get(value_key(self.analysis[node].universe[0]), 0.0), {ONE: 1.0}))
        if len(sources) == 1 and sources[0] in self.one_hot and self._clean(sources[0]):
            return self.view(node, lambda value: weights.get(value_key(value), 0.0))
        universe = self.analysis[node].universe
        pairs = [(d, weights.get(value_key(v), 0.0)) for d, v in zip(self.one_hot[node], universe, strict=True)]
        return self._agreed(node, pairs)

    def block(self, node: SOp, row_of: Mapping[Hashable, int], table: Matrix) -> Block:
        """The functionals whose values are `table[row_of[value_key(v)]]` where the node's value is v (0 if missing)."""
        kept = {direction: row for direction, row in self._rows(node, row_of).items() if row >= 0 and table[row].any()}
        return Block(tuple(kept), table[list(kept.values())].reshape(len(kept), table.shape[1]))

    def indicators(self, node: SOp, row_of: Mapping[Hashable, int], count: int) -> list[Functional]:
        """For each row the functional that is 1 where the node's value has that row, else 0."""
        found: list[Functional] = [{} for _ in range(count)]
        for direction, row in self._rows(node, row_of).items():
            if row >= 0:
                found[row][direction] = 1.0
        return found

    def _rows(self, node: SOp, row_of: Mapping[Hashable, int]) -> dict[Direction, int]:
        """The row of each direction, −1 for none. Refusal where values that share a direction have different rows."""
        found: dict[Direction, int] = {}
        for direction, value in self._read_values(node):
            row = row_of.get(value_key(value), -1)
            if found.setdefault(direction, row) != row:
                raise Refusal(f"{node!r} is read apart where {direction.name} differs by type or rounding only")
        return found

    def _read_values(self, node: SOp) -> list[tuple[Direction, Any]]:
        """Each direction that tells something of a node's value, with a value it stands for."""
        sources = self.analysis.sources(node)
        if not sources:
            return [(ONE, self.analysis[node].universe[0])]
        if not self.storage.is_view(node):
            pairs = zip(self.one_hot[node], self.analysis[node].universe, strict=True)
            return [(direction, value) for direction, value in pairs if direction is not None]
        tuples, values = self.analysis.table(node)
        space = self.one_hot[tuples.factors[0]]
        rows = zip(tuples.codes.tolist(), values, strict=True)
        return [(d, value) for (code,), value in rows if _has(value) and (d := space[code]) is not None]

    def _agreed(self, node: SOp, pairs: list[tuple[Direction | None, float]]) -> Functional:
        """The weights by direction. Refusal where values that share a direction are to be told apart."""
        found: Functional = {}
        for direction, weight in pairs:
            if direction is None:
                continue
            if abs(found.setdefault(direction, weight) - weight) > 1e-9 * max(1.0, abs(weight)):
                raise Refusal(f"{node!r} is read apart where {direction.name} differs by type or rounding only")
        return {direction: weight for direction, weight in found.items() if weight}


def _has(value: Any) -> bool:
    return value is not UNDEFINED


def _is(value: Any, default: Any) -> bool:
    return default is not None and bool(value == default)


def _once(space: Any) -> list[tuple[Direction, Any]]:
    """Each stored direction with one of its values."""
    found: dict[Direction, Any] = {}
    for direction, value in space:
        if direction is not None:
            found.setdefault(direction, value)
    return list(found.items())


def _number_at_bos(node: SOp, storage: Storage) -> float:
    return storage.number_at_bos(node) if isinstance(node, Aggregate) and storage.is_copy(node) else 0.0


def _shown(value: Any) -> str:
    return f"({', '.join(map(str, value))})" if isinstance(value, tuple) else str(value)

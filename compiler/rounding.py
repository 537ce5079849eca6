"""Bounds on how far what is read of the residual stream is from the program's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from compiler.precision import Precision
from compiler.storage import Storage
from compiler.values.categorical import UNDEFINED
from compiler.values.linear import LinearForm
from compiler.values.roundoff import (
    EXACT,
    SLACK,
    UNBOUNDED,
    Error,
    Range,
    largest,
    of_one_sign,
    roundoff,
    sum_error,
)
from compiler.values.sets import NEAR, ValueSet
from rasp.graph import Aggregate, SOp
from rasp.operations import Atom


def number_error(node: SOp, storage: Storage, precision: Precision) -> float:
    """A bound on |what `Reader.number` reads − the program's number|, for every input."""
    return error_of(node, storage, precision).at(largest(storage.analysis[node].range))


def misses(node: SOp, storage: Storage, precision: Precision, smallest: float) -> float:
    """By how much a number may miss the program's, as a share of the larger of itself and the smallest value averaged.

    Where r is the number and s the smallest, relative·|r| + absolute ≤ (relative + absolute/s)·max(|r|, s).
    """
    error = error_of(node, storage, precision)
    if not error.absolute:
        return error.relative
    return error.relative + (error.absolute / smallest if smallest else math.inf)


def error_of(node: SOp, storage: Storage, precision: Precision) -> Error:
    """A bound on how far what `Reader.number` reads is from the program's number.

    An encoding that brings noise has an error of its own. What may be too large for the dtype has no bound.
    """
    if largest(storage.analysis[node].range) >= precision.largest:
        return UNBOUNDED
    own = storage.encoding(node).error(storage, precision)
    return _stored_error(node, storage, precision) if own is None else own


def _stored_error(node: SOp, storage: Storage, precision: Precision) -> Error:
    """The error of a number that is stored as exactly as its weights are, or read off such ones."""
    form = storage.form_read(node)
    if form is not None:
        is_fused = any(part in storage.combined for part in form.weights)
        meant = roundoff(storage.analysis, node, tuple(form.weights), rounded_means=is_fused)
        return form_error(form, storage, precision).then(meant)
    values = storage.analysis[node]
    merged = NEAR if values.is_merged and not storage.is_view(node) else 0.0
    if not merged and _is_exact(values, precision):
        return EXACT
    return Error(2 * precision.unit + merged, precision.tiniest)


def _is_exact(values: ValueSet, precision: Precision) -> bool:
    """Whether every value is one that the dtype holds."""
    dtype = np.dtype(precision.name)
    return values.listed and all(_held(value, dtype) for value in values.universe)


def _held(value: Atom, dtype: Any) -> bool:
    if isinstance(value, str) or abs(value) > float(np.finfo(dtype).max):
        return False
    return float(dtype.type(value)) == value


def form_error(form: LinearForm, storage: Storage, precision: Precision) -> Error:
    """The error of a weighted sum of stored numbers: of the numbers, of rounded weights and products, and of sums."""
    terms: list[tuple[Range, Error]] = []
    for part, weight in form.weights.items():
        low, high = sorted(float(weight * Fraction(end)) for end in storage.analysis[part].range)
        error = error_of(part, storage, precision).scaled(float(weight))
        terms.append(((low, high), error.then(_weighting(weight, precision))))
    if form.constant:
        terms.append(((float(form.constant),) * 2, _weighting(form.constant, precision)))
    return _added(terms, precision)


def _weighting(weight: Fraction, precision: Precision) -> Error:
    """What rounding a weight and its product does; nothing for ±1 and other powers of two."""
    if math.frexp(float(weight))[0] in (0.5, -0.5) and Fraction(float(weight)) == weight:
        return Error(0.0, precision.tiniest)
    return Error(2 * precision.unit, precision.tiniest)


def _added(terms: Sequence[tuple[Range, Error]], precision: Precision) -> Error:
    """The error of a sum in any order: every addition rounds a partial sum, which is no larger than all terms."""
    found, rounded = sum_error(terms), (len(terms) - 1) * precision.unit
    if sum(largest(reach) for reach, _ in terms) >= precision.largest:
        return UNBOUNDED
    if len(terms) == 1 or of_one_sign(*(reach for reach, _ in terms)):
        return found.then(Error(rounded))
    total = sum(largest(reach) + error.at(largest(reach)) for reach, error in terms)
    return found.then(Error(0.0, rounded * total))


def raw_error_at(node: SOp, storage: Storage, precision: Precision) -> Callable[[Fraction], float]:
    """A bound on the error of a raw number, as a function of what stands in its direction."""
    return storage.raw[node].raw_error(storage, precision)


def mean_error(mean: Aggregate, storage: Storage, precision: Precision) -> Error:
    """A bound on the error of a head's mean.

    All selected keys have the same weight, 1/T up to a unit or two. Each of the T terms of Σ w·v is rounded, and so are
    the sums, each by at most one unit of itself. Where no value has the other sign they are no larger than the mean, so
    the error is relative to it; else they are no larger than the largest value. Other keys, and BOS beside selected
    ones, add exact zeros; where nothing is selected the default arrives alone.

    A mean that stands for a linear form of means is compared with the exact form.
    """
    analysis = storage.analysis
    reach = analysis[mean.value].range
    read = error_of(mean.value, storage, precision)
    if mean in storage.combined:
        read = read.then(roundoff(analysis, mean.value))
    rounded = (int(analysis.width_bounds(mean.selector).high.max()) * _share(analysis[mean.value]) + 3) * precision.unit
    empty = 0.0 if analysis.width_bounds(mean.selector).never_empty else _error_at_bos(mean, storage, precision)
    read = Error(read.relative, read.absolute + empty)
    if of_one_sign(reach):
        return read.then(Error(rounded, precision.tiniest))
    off = read.at(largest(reach))
    return Error(rounded, off + rounded * (largest(reach) + off) + precision.tiniest)


@dataclass(frozen=True)
class Resting:
    """A term of what a number is at BOS: a weight times the default of an aggregate, which is off by `drift` there."""

    weight: Fraction
    default: Fraction
    drift: float

    @property
    def product(self) -> Fraction:
        return self.weight * self.default

    def times(self, weight: Fraction) -> Resting:
        return Resting(self.weight * weight, self.default, self.drift)


def drift_at_bos(node: SOp, storage: Storage, precision: Precision) -> float:
    """A bound on how far what stands for a number at BOS is from what should: an aggregate's default, else 0.

    Neurons write exact zeros there, except where they read means as they are.
    """
    return storage.encoding(node).drift(storage, precision)


def copy_drift(copy: Aggregate, storage: Storage, precision: Precision) -> float:
    """The same for a copy: its default is off by no more than any of its values."""
    return error_of(copy, storage, precision).at(abs(storage.number_at_bos(copy)))


def mean_drift(mean: Aggregate, storage: Storage, precision: Precision) -> float:
    """The same for a mean: its default is rounded, and so is what is added to reach it."""
    default = storage.number_at_bos(mean)
    rounded = 0.0 if held_exactly([Fraction(default)], precision) else precision.unit * abs(default)
    return rounded + _error_at_bos(mean, storage, precision)


def _error_at_bos(mean: Aggregate, storage: Storage, precision: Precision) -> float:
    """How far what a head reads at BOS may be from the default, apart from rounding the default itself.

    There it reads the terms that the aggregated s-op has at BOS, and adds c, the default less all of these. Where they
    and c are exact in the dtype, so are all sums. Else let S be the size of the terms and d that of the default, and so
    S + d at least that of c: rounding c, the weights and defaults, their products and n sums takes no more than n + 5
    units of S + (S + d).
    """
    terms = _terms_at_bos(mean.value, storage, precision)
    default = Fraction(storage.number_at_bos(mean))
    drift = sum(abs(float(term.weight)) * term.drift for term in terms) * SLACK
    numbers = [number for term in terms for number in (term.weight, term.default)]
    if held_exactly(numbers, precision) and added_exactly([default, *(term.product for term in terms)], precision):
        return drift
    size = float(sum(abs(term.product) for term in terms))
    return drift + (len(terms) + 5) * precision.unit * (2 * size + abs(float(default))) * SLACK if size else drift


def held_exactly(numbers: Sequence[Fraction], precision: Precision) -> bool:
    """Whether every one of some numbers is one that the dtype holds."""
    return all(added_exactly([number], precision) for number in numbers)


def added_exactly(numbers: Sequence[Fraction], precision: Precision) -> bool:
    """Whether the dtype holds some numbers and all sums of them in any order: multiples of one power of two."""
    denominator = max(number.denominator for number in numbers)
    if denominator & (denominator - 1) or denominator >= 1 / precision.tiniest:
        return False
    multiples = [int(number * denominator) for number in numbers if number]
    unit = min((multiple & -multiple for multiple in multiples), default=1)
    total = sum(map(abs, multiples))
    return total < precision.exact * unit and total < precision.largest * denominator


def _terms_at_bos(node: SOp, storage: Storage, precision: Precision) -> list[Resting]:
    """What a number is the sum of at BOS."""
    form = storage.form_read(node)
    if form is not None:
        parts = [(weight, _terms_at_bos(part, storage, precision)) for part, weight in form.weights.items()]
        return [term.times(weight) for weight, terms in parts for term in terms]
    drift = drift_at_bos(node, storage, precision)
    if isinstance(node, Aggregate) or drift:
        default = storage.number_at_bos(node) if isinstance(node, Aggregate) else 0
        return [Resting(Fraction(1), Fraction(default), drift)]
    (source, *others) = storage.analysis.sources(node) or (node,)
    if others or not storage.is_copy(source) or node in storage.numbers:
        return []
    return [Resting(Fraction(float(value)), Fraction(1), 0.0) for value in _at_default(node, source, storage)]


def _at_default(node: SOp, copy: SOp, storage: Storage) -> list[Atom]:
    """The value that a function of a copy has for its default, where it has one: at BOS the copy's one-hot shows it."""
    assert isinstance(copy, Aggregate)
    tuples, values = storage.analysis.table(node)
    universe = storage.analysis[tuples.factors[0]].universe
    pairs = zip(tuples.codes.tolist(), values, strict=True)
    return [value for (code,), value in pairs if universe[code] == copy.default and value is not UNDEFINED]


def _share(values: ValueSet) -> float:
    """A bound on the partial sums of n values of one sign, in any order, as a share of n times the whole sum S.

    After j terms a sum is at most j·M and at most S, where M is the largest size. Up to j = S/M the first bound is the
    better one and saves S²/2M in all, at least S·n·m/2M, where m is the smallest size. (Adding zeros rounds nothing.)
    """
    sizes = [abs(value) for value in values.universe if value]
    return 1 - float(min(sizes)) / (2 * float(max(sizes))) if sizes else 1.0

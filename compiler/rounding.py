"""Bounds on how far what is read of the residual stream is from the program's numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from compiler.differences import is_difference
from compiler.precision import Precision
from compiler.storage import Storage
from compiler.values.affine import is_product
from compiler.values.aggregates import number_at_rest
from compiler.values.linear import LinearForm
from compiler.values.progressions import gcd_of
from compiler.values.roundoff import EXACT, UNBOUNDED, Error, Range, largest, of_one_sign, roundoff, sum_error
from compiler.values.sets import NEAR, ValueSet
from rasp.graph import Aggregate, Map, SOp
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

    A stored number is exact up to one rounding of its weight. A product is a mean times a number, rounded, and zeros.
    What may be too large for the dtype has no bound.
    """
    if largest(storage.analysis[node].range) >= precision.largest:
        return UNBOUNDED
    if isinstance(node, Aggregate) and not storage.is_copy(node):
        return _mean_error(node, storage, precision)
    if is_product(storage.analysis, node):
        assert isinstance(node, Map)
        factor, mean = node.args
        found = error_of(mean, storage, precision).scaled(largest(storage.analysis[factor].range))
        return found.then(Error(4 * precision.unit, precision.tiniest))
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
    """A bound on the error of a mean, or of the difference of two means, as a function of the number itself."""
    if isinstance(node, Aggregate):
        error = error_of(node, storage, precision)
        return lambda level: error.at(float(level))
    assert is_difference(node)
    together = sum(number_error(mean, storage, precision) for mean in node.args)
    rounded = 2 * precision.unit * sum(largest(storage.analysis[mean].range) for mean in node.args)
    return lambda level: together + rounded


def _mean_error(mean: Aggregate, storage: Storage, precision: Precision) -> Error:
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


def _error_at_bos(mean: Aggregate, storage: Storage, precision: Precision) -> float:
    """How far what a head reads at BOS may be from the default.

    There it reads what the aggregated s-op has at BOS, its own defaults, and takes that off again. Where all of these
    are multiples of one number, and not too many, the sums are exact; else each is rounded.
    """
    terms = _terms_at_bos(mean.value, storage)
    exact = [*(term for term, _ in terms), Fraction(number_at_rest(mean))]
    unit = gcd_of(exact)
    total = sum(map(abs, exact))
    inner = sum(abs(float(weight)) * _error_at_bos(part, storage, precision) for _, (weight, part) in terms)
    if total < Fraction(precision.exact) * unit or not total:
        return inner
    return inner + 16 * precision.unit * float(total)


def _terms_at_bos(node: SOp, storage: Storage) -> list[tuple[Fraction, tuple[Fraction, Aggregate]]]:
    """What a number is the sum of at BOS: weights times defaults of the aggregates that it is read off."""
    if isinstance(node, Aggregate):
        return [(Fraction(number_at_rest(node)), (Fraction(1), node))]
    form = storage.form_read(node)
    parts = form.weights if form is not None else dict.fromkeys(storage.analysis.sources(node), Fraction(1))
    found = []
    for part, weight in parts.items():
        found += (
            [(weight * term, (weight * inner, mean)) for term, (inner, mean) in _terms_at_bos(part, storage)]
            if part is not node
            else []
        )
    return found


def _share(values: ValueSet) -> float:
    """A bound on the partial sums of n values of one sign, in any order, as a share of n times the whole sum S.

    After j terms a sum is at most j·M and at most S, where M is the largest size. Up to j = S/M the first bound is the
    better one and saves S²/2M in all, at least S·n·m/2M, where m is the smallest size. (Adding zeros rounds nothing.)
    """
    sizes = [abs(value) for value in values.universe if value]
    return 1 - float(min(sizes)) / (2 * float(max(sizes))) if sizes else 1.0

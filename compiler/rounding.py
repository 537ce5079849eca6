"""Bounds on the rounding error of numbers in the residual stream."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from compiler.gaps import is_gap
from compiler.precision import Precision
from compiler.storage import Storage
from compiler.values.affine import is_product
from compiler.values.aggregates import number_at_rest
from rasp.graph import Aggregate, Map, SOp


def number_error(node: SOp, storage: Storage, precision: Precision) -> float:
    """A bound on |what `Reader.number` reads − the program's number|, for every input.

    A stored number is exact up to one rounding of its weight. A head's mean sums T products of a weight, off by
    a few units, and a value, off by its own error. A linear form adds its parts' errors and rounds once a part. A
    product is a mean times a number, rounded, and zeros.
    """
    if node in storage.raw and isinstance(node, Aggregate):
        return _mean_error(node, storage, precision)
    size = max(map(abs, storage.analysis[node].range))
    if is_product(storage.analysis, node):
        assert isinstance(node, Map)
        factor, mean = node.args
        largest = max(map(abs, storage.analysis[factor].range))
        return largest * number_error(mean, storage, precision) + 4 * precision.unit * size
    form = storage.analysis.form(node)
    if node in storage.numbers or storage.is_view(node) or node in storage.one_hot or form is None:
        return 2 * precision.unit * size
    if set(form.weights) == {node}:
        return 2 * precision.unit * size
    total = float(abs(form.constant))
    error = 0.0
    for part, weight in form.weights.items():
        error += float(abs(weight)) * number_error(part, storage, precision)
        total += float(abs(weight)) * max(map(abs, storage.analysis[part].range))
    return error + (len(form.weights) + 3) * precision.unit * total


def raw_error_at(node: SOp, storage: Storage, precision: Precision) -> Callable[[Fraction], float]:
    """A bound on the error of a mean, or of the gap of two means, as a function of the number itself."""
    if isinstance(node, Aggregate):
        return mean_error_at(node, storage, precision)
    assert is_gap(node)
    error = sum(number_error(mean, storage, precision) for mean in node.args)
    rounded = 2 * precision.unit * sum(max(map(abs, storage.analysis[mean].range)) for mean in node.args)
    return lambda level: error + rounded


def mean_error_at(mean: Aggregate, storage: Storage, precision: Precision) -> Callable[[Fraction], float]:
    """A bound on the error of a head's mean as a function of the mean itself.

    Each of the T terms of Σ w·v is off by at most T + 8 units of its size. Where no value has the other sign, the
    sizes add up to the mean, so the error is relative to it; else they add up to at most the largest value.
    """
    values = storage.analysis[mean.value]
    ends = (*values.range, number_at_rest(mean))
    relative = (storage.analysis.cells.max_length + 8) * precision.unit
    added = number_error(mean.value, storage, precision)
    if min(ends) >= 0 or max(ends) <= 0:
        return lambda level: relative * abs(float(level)) + added
    largest = max(map(abs, ends))
    return lambda level: relative * largest + added


def _mean_error(mean: Aggregate, storage: Storage, precision: Precision) -> float:
    ends = map(Fraction, (*storage.analysis[mean.value].range, number_at_rest(mean)))
    return max(map(mean_error_at(mean, storage, precision), ends))

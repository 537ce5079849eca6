"""Bounds on the rounding error of numbers in the residual stream."""

from __future__ import annotations

from compiler.precision import Precision
from compiler.storage import Storage
from compiler.values import linear_form
from rasp.graph import Aggregate, SOp


def number_error(node: SOp, storage: Storage, precision: Precision) -> float:
    """A bound on |what `Reader.number` reads − the program's number|, for every input.

    A stored number is exact up to one rounding of its weight. A head's mean sums T products of a weight, off by
    a few units, and a value, off by its own error. A linear form adds its parts' errors and rounds once a part.
    """
    if node in storage.raw and isinstance(node, Aggregate):
        return _mean_error(node, storage, precision)
    size = max(map(abs, storage.analysis[node].range))
    form = linear_form(node)
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


def _mean_error(mean: Aggregate, storage: Storage, precision: Precision) -> float:
    terms = storage.analysis.cells.max_length + 8
    largest = max(map(abs, (*storage.analysis[mean.value].range, float(mean.default))))
    return terms * precision.unit * largest + number_error(mean.value, storage, precision)

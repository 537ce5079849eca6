"""Weighted sums of means of one head as one mean, of the weighted sum of their values: what cancels does so before
anything is rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from compiler.storage import Storage
from compiler.values.linear import LinearForm
from rasp.errors import Refusal
from rasp.graph import Aggregate, Selector, SOp


def as_sum(node: SOp, storage: Storage) -> bool:
    """Whether an output is a mean, or a linear form of means and of what is read without neurons.

    Its means of one head become one mean, which has the constant in its values. `storage.sums` has the form that is
    read.
    """
    form = storage.analysis.form(node)
    if form is None or node in form.weights:
        return _is_mean(node, storage)
    if not any(_is_mean(part, storage) for part in form.weights):
        return False
    is_read = (_is_mean(part, storage) or storage.is_copy(part) or storage.is_view(part) for part in form.weights)
    if storage.analysis[node].listed and not all(is_read):
        return False
    storage.sums[node] = _fused(form, storage) or form
    return True


def with_float_weights(form: LinearForm) -> LinearForm:
    """The form, times an int where a weight is no float, such as 1/3: a mean can then be taken of its exact values."""
    rounded = [weight for weight in form.weights.values() if Fraction(float(weight)) != weight]
    factor = math.lcm(*(weight.denominator for weight in rounded))
    return LinearForm({part: weight * factor for part, weight in form.weights.items()}, form.constant * factor)


def fused_mean(form: LinearForm, means: Sequence[Aggregate], constant: Fraction = Fraction(0)) -> Aggregate:
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


def _is_mean(node: SOp, storage: Storage) -> bool:
    return isinstance(node, Aggregate) and not storage.is_copy(node) and storage.analysis[node.value].numeric


def _fused(form: LinearForm, storage: Storage) -> LinearForm | None:
    """The form with one mean for all means of a head; None where that is the form as it is."""
    by_head = _by_head(form, storage)
    alone = len(by_head) == 1 and sum(map(len, by_head.values())) == len(form.weights)
    constant = form.constant if alone else Fraction(0)
    groups = [group for group in by_head.values() if len(group) > 1 or constant]
    weights = dict(form.weights)
    for group in groups:
        mean = _together(form, group, constant, storage)
        if mean is None:
            return None
        for part in group:
            del weights[part]
        weights[mean] = Fraction(1)
    return LinearForm(weights, form.constant - constant) if groups else None


def _by_head(form: LinearForm, storage: Storage) -> Mapping[tuple[Selector, int], list[Aggregate]]:
    found: dict[tuple[Selector, int], list[Aggregate]] = {}
    for part in form.weights:
        if isinstance(part, Aggregate) and _is_mean(part, storage) and not isinstance(part.default, str):
            found.setdefault((part.selector, storage.layer_of[part]), []).append(part)
    return found


def _together(form: LinearForm, means: list[Aggregate], constant: Fraction, storage: Storage) -> Aggregate | None:
    """The weighted sum of some means of one head, and a constant, as one mean, if its values are known."""
    mean = fused_mean(form, means, constant)
    try:
        values = storage.analysis[mean.value]
    except Refusal:
        return None
    if not values.numbers:
        return None
    if mean not in storage.layer_of:
        storage.combined[mean] = None
        storage.layer_of[mean] = storage.layer_of[means[0]]
    return mean


def _plain(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)

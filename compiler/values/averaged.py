"""The scale of a mean: the smallest value that is averaged, below which nothing is promised of its digits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from compiler.values.affine import is_product
from compiler.values.analysis import ValueAnalysis
from rasp.errors import Refusal
from rasp.graph import Aggregate, Map, SOp


def smallest_averaged(analysis: ValueAnalysis, root: SOp) -> float:
    """The smallest absolute value other than 0 of which a number is a mean; 0 where it is none.

    A linear form of means under one selector is one mean, of the linear form of their values.
    """
    form = analysis.form(root)
    if form is None or not form.weights:
        return 0.0
    means = {part: weight for part, weight in form.weights.items() if _is_averaged(analysis, part)}
    means = means or {part: weight for part, weight in form.weights.items() if isinstance(part, Aggregate)}
    together = _smallest_together(analysis, means, form.constant) if len(means) == len(form.weights) else None
    if together is not None:
        return together
    return min((_smallest(analysis, part, weight) for part, weight in means.items()), default=0.0)


def _is_averaged(analysis: ValueAnalysis, part: SOp) -> bool:
    if isinstance(part, Aggregate):
        return not analysis.width_bounds(part.selector).at_most_one
    return not analysis[part].listed


def _smallest(analysis: ValueAnalysis, part: SOp, weight: Fraction) -> float:
    """The smallest value that is averaged in one term of a linear form."""
    if is_product(analysis, part):
        assert isinstance(part, Map)
        factor, mean = part.args
        return _least(weight * Fraction(value) for value in analysis[factor].universe) * smallest_averaged(
            analysis, mean
        )
    if not isinstance(part, Aggregate):
        return float(abs(weight))
    value = analysis[part.value]
    if not value.listed:
        return float(abs(weight)) * smallest_averaged(analysis, part.value)
    return _least(weight * Fraction(number) for number in value.universe)


def _smallest_together(analysis: ValueAnalysis, means: Mapping[SOp, Fraction], constant: Fraction) -> float | None:
    """The smallest value that some means average; None but for means of listed values under one selector."""
    found = [mean for mean in means if isinstance(mean, Aggregate) and analysis[mean.value].listed]
    if len(found) < len(means) or len({mean.selector for mean in found}) > 1:
        return None
    try:
        columns = analysis.columns(tuple(mean.value for mean in found))
    except Refusal:
        return None
    rows = zip(*(column.decoded for column in columns), strict=True)
    weights = [means[mean] for mean in found]
    return _least(constant + sum(w * Fraction(v) for w, v in zip(weights, row, strict=True)) for row in set(rows))


def _least(values: Iterable[Fraction]) -> float:
    """The smallest absolute value other than 0; 0 where there is none."""
    return float(min((abs(value) for value in values if value), default=Fraction(0)))

"""When a model's output is the interpreter's: the one rule, for `verify` and the tests.

Values from a known list are equal; two floats are the same output where they differ by rounding only, within 1e-12 of
their size. A number too many to list may be off by `TOLERANCE` of the larger of its own size and of the smallest value
that it is a mean of: a mean of 1000000.1 and −1000000 is no better known than those are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from compiler.ir import ModelWeights, Readout
from compiler.rewrites.simplify import rewrite
from compiler.support import Facts
from compiler.values.affine import is_product
from compiler.values.analysis import ValueAnalysis
from rasp.elementwise import Atom
from rasp.errors import Refusal
from rasp.graph import Aggregate, Map, SOp

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}


@dataclass(frozen=True)
class Accuracy:
    """How near a number comes to the interpreter's: within `share` of the larger of the result and `smallest`."""

    share: float
    smallest: float


EXACT = Accuracy(0.0, 0.0)
_SAME_FLOAT = 1e-12


def accuracies(outputs: Mapping[str, SOp], weights: ModelWeights) -> dict[str, Accuracy]:
    """What is promised of every output of a model of these s-ops: EXACT where its values are listed."""
    if all(map(_is_listed, weights.outputs)):
        return dict.fromkeys(outputs, EXACT)
    facts = Facts(weights.vocabulary, weights.max_length, weights.causal)
    roots = rewrite(tuple(outputs.values()), {}, weights.prefer, facts).roots
    return promised(weights, dict(zip(outputs, roots, strict=True)), facts.values)


def promised(weights: ModelWeights, roots: Mapping[str, SOp], values: ValueAnalysis) -> dict[str, Accuracy]:
    """The same where the outputs as they are compiled, and their values, are known already."""
    share = TOLERANCE[weights.dtype]
    return {
        output.name: EXACT if _is_listed(output) else Accuracy(share, smallest_averaged(values, roots[output.name]))
        for output in weights.outputs
    }


def _is_listed(output: Readout) -> bool:
    return output.kind != "number" or bool(output.values)


def agree(expected: list[Atom] | str, found: list[Atom] | str, accuracy: Accuracy = EXACT) -> bool:
    """Whether two outputs are the same: both errors, or lists of equal strings and of numbers that are near enough."""
    if isinstance(expected, str) or isinstance(found, str):
        return isinstance(expected, str) and isinstance(found, str)
    if len(expected) != len(found):
        return False
    return all(_near(a, b, accuracy) for a, b in zip(expected, found, strict=True))


def same_kinds(expected: list[Atom] | str, found: list[Atom] | str) -> bool:
    """Whether two outputs that agree are of the same kinds, position by position; two errors are."""
    if isinstance(expected, str) or isinstance(found, str):
        return True
    return list(map(type, expected)) == list(map(type, found))


def _near(a: Atom, b: Atom, accuracy: Accuracy) -> bool:
    if a == b or isinstance(a, str) or isinstance(b, str):
        return a == b
    if accuracy is EXACT:
        return isinstance(a, float) and isinstance(b, float) and abs(a - b) <= _SAME_FLOAT * abs(a)
    return abs(a - b) <= accuracy.share * max(abs(a), accuracy.smallest)


def smallest_averaged(analysis: ValueAnalysis, root: SOp) -> float:
    """The smallest absolute value other than 0 of which a number too many to list is a mean; 0 for any other s-op.

    A linear form of means under one selector is one mean, of the linear form of their values.
    """
    if analysis[root].listed:
        return 0.0
    form = analysis.form(root)
    if form is None or not form.weights:
        return 0.0
    means = {part: weight for part, weight in form.weights.items() if not analysis[part].listed}
    together = _smallest_together(analysis, means, form.constant) if len(means) == len(form.weights) else None
    if together is not None:
        return together
    return min((_smallest(analysis, part, weight) for part, weight in means.items()), default=0.0)


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

"""What listed means stand for: with the bounds of `rounding`, the mathematics that constructions and proof share."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.storage import Storage
from compiler.values.linear import LinearForm
from rasp.graph import SelectorWidth, SOp


def combined_readings(
    form: LinearForm, means: tuple[SOp, ...], rows: Sequence[Sequence[int]], storage: Storage
) -> list[list[Fraction]]:
    """The true value of a linear form of means (without its constant) for the codes of the means in each row."""
    limit = storage.max_length
    weights = [form.weights[mean] for mean in means]
    universes = [[true_mean(Fraction(v), limit) for v in storage.analysis[mean].universe] for mean in means]
    return [[sum((w * u[c] for w, u, c in zip(weights, universes, row, strict=True)), Fraction())] for row in rows]


def width_reading(node: SelectorWidth, width: int, storage: Storage) -> Fraction:
    """What the head of a width writes: the share of BOS among w selected keys and itself, or that of 1 key in n."""
    return Fraction(1, width if storage.is_mean_length(node) else width + 1)


def true_mean(value: Fraction, max_length: int) -> Fraction:
    """The fraction that a listed mean of integers was rounded from; any other value as it is."""
    near = value.limit_denominator(max_length)
    return near if abs(near - value) <= abs(value) * Fraction(1, 2**50) else value

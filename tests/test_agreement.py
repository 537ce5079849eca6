"""The rule by which a model's output is the interpreter's."""

from __future__ import annotations

import pytest

from compiler.ir import Accuracy
from compiler.pipeline import compile_sop
from compiler.run.agreement import EXACT, accuracies, agree
from rasp.graph import SOp, aggregate, full, indices, select, selector_width, tokens_float, tokens_int
from rasp.operations import Atom


@pytest.mark.parametrize(
    ("expected", "found", "accuracy", "same"),
    [
        ([1e-12], [1e-12], EXACT, True),
        ([1e-12], [1.000001e-12], EXACT, False),
        ([0.1 + 0.2], [0.3], EXACT, True),
        ([0.1 + 0.2 - 0.3], [0.0], EXACT, False),
        ([10**16], [10**16 + 1], EXACT, False),
        ([1e-12], [1e-7], Accuracy(1e-5, 1e-9), False),
        ([1e-12], [1.1e-12], Accuracy(1e-5, 1e-6), True),
        ([1e6], [1e6 + 5], Accuracy(1e-5, 1e-9), True),
        ([10**6], [1e6 + 5], Accuracy(1e-5, 1e-9), True),
        ([1e6], [1e6 + 5], Accuracy(1e-12, 1e-9), False),
        (["a"], ["b"], Accuracy(1e-5, 1.0), False),
    ],
)
def test_numbers_are_near(expected: list[Atom], found: list[Atom], accuracy: Accuracy, same: bool) -> None:
    assert agree(expected, found, accuracy) is same


MEAN = aggregate(full, tokens_float)


@pytest.mark.parametrize(
    ("sop", "smallest"),
    [
        (MEAN, 0.5),
        (MEAN * 2, 1.0),
        (MEAN - 1000, 998.25),
        (MEAN + aggregate(full, tokens_float * tokens_float), 0.75),
        (MEAN + aggregate(select(indices, indices, "<"), tokens_float, 7), 0.5),
        (aggregate(full, aggregate(full, tokens_float)) * -4, 2.0),
        (MEAN * (indices + 3), 1.5),
    ],
)
def test_the_smallest_value_that_is_averaged(sop: SOp, smallest: float) -> None:
    """Over 0, 0.5 and 1.75: a linear form of means under one selector is one mean."""
    model = compile_sop({"x": sop}, (0, 0.5, 1.75), 30)
    (found,) = accuracies(model.weights).values()
    assert found.share == 1e-5
    assert found.smallest == pytest.approx(smallest)


def test_listed_values_are_exact() -> None:
    sops = {"width": selector_width(full), "mean": aggregate(full, tokens_int)}
    assert accuracies(compile_sop(sops, (0, 1, 2), 4).weights) == {"width": EXACT, "mean": EXACT}

"""When a model's output is the interpreter's: the one rule, for `verify` and the tests.

Values from a known list are equal; two floats are the same output where they differ by rounding only, within 1e-12 of
their size. A number too many to list may be off by a share, its dtype's tolerance, of the larger of its own size and of
the smallest value that it is a mean of: a mean of 1000000.1 and −1000000 is no better known than those are.
"""

from __future__ import annotations

from compiler.ir import Accuracy, ModelWeights
from rasp.operations import Atom

EXACT = Accuracy(0.0, 0.0)
_SAME_FLOAT = 1e-12


def accuracies(weights: ModelWeights) -> dict[str, Accuracy]:
    """What is promised of every output of a model: EXACT where its values are listed."""
    return {output.name: output.accuracy or EXACT for output in weights.outputs}


def agree(expected: list[Atom] | str, found: list[Atom] | str, accuracy: Accuracy = EXACT) -> bool:
    """Whether two outputs are the same: both errors, or lists of equal strings and of numbers that are near enough."""
    if isinstance(expected, str) or isinstance(found, str):
        return isinstance(expected, str) and isinstance(found, str)
    if len(expected) != len(found):
        return False
    return all(_near(a, b, accuracy) for a, b in zip(expected, found, strict=True))


def same_types(expected: list[Atom] | str, found: list[Atom] | str) -> bool:
    """Whether two outputs that agree are of the same types, position by position; two errors are."""
    if isinstance(expected, str) or isinstance(found, str):
        return True
    return list(map(type, expected)) == list(map(type, found))


def _near(a: Atom, b: Atom, accuracy: Accuracy) -> bool:
    if a == b or isinstance(a, str) or isinstance(b, str):
        return a == b
    if accuracy is EXACT:
        return isinstance(a, float) and isinstance(b, float) and abs(a - b) <= _SAME_FLOAT * abs(a)
    return abs(a - b) <= accuracy.share * max(abs(a), accuracy.smallest)

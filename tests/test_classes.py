"""The classes of a factor's values that an s-op does not tell apart."""

from __future__ import annotations

import random

import pytest

from compiler.encodings.classes import _Classes
from tests.counting import calls


def first_to_last(slices: list[dict[tuple[int, ...], int]]) -> list[int]:
    """The same by looking at every class, the last one first."""
    classes: list[dict[tuple[int, ...], int]] = []
    found = []
    for part in slices:
        agree = [at for at, known in enumerate(classes) if all(known.get(k, v) == v for k, v in part.items())]
        found.append(agree[-1] if agree else len(classes))
        classes += [] if agree else [{}]
        classes[found[-1]].update(part)
    return found


@pytest.mark.parametrize("seed", range(20))
def test_a_slice_is_in_the_last_class_that_agrees_with_it(seed: int) -> None:
    chance = random.Random(seed)
    slices: list[dict[tuple[int, ...], int]] = [
        {(key,): chance.randrange(3) for key in range(4) if chance.random() < 0.4 + 0.03 * seed} for _ in range(40)
    ]
    classes = _Classes()
    assert [classes.enter(part) for part in slices] == first_to_last(slices)


def test_classes_that_differ_somewhere_are_not_all_looked_at() -> None:
    def work(count: int) -> int:
        classes = _Classes()
        return calls(lambda: [classes.enter({(0,): value, (1,): 0}) for value in range(count)])

    assert work(200) < 2.1 * work(100)

"""Aggregates of what is all strings or all numbers, where several keys may be marked."""

from __future__ import annotations

import pytest

from compiler.pipeline import compile_sop
from compiler.run.verify import verify
from rasp.errors import ValueFault
from rasp.graph import (
    SOp,
    aggregate,
    full,
    indices,
    select,
    select_best,
    selector_width,
    tokens,
    tokens_asis,
    where,
)
from rasp.operations import Atom

SAME = select(tokens, tokens)
BEFORE = select(indices, indices, "<")
TEXT = aggregate(select(tokens, "b"), tokens)

BOTH: dict[str, tuple[SOp, tuple[Atom, ...]]] = {
    "a string or 0": (aggregate(full, TEXT), ("a", "b")),
    "a string as default": (aggregate(SAME, TEXT, "a"), ("a", "b")),
    "tokens": (aggregate(full, tokens_asis), ("a", 1, 2)),
    "another string as default": (aggregate(BEFORE, tokens_asis, "z") + "x", ("a", "b", 1)),
    "a string of them as default": (aggregate(BEFORE, tokens_asis, "a"), ("a", "b", 2)),
    "a number as default": (aggregate(BEFORE, tokens_asis, 5), ("a", 1, 2)),
    "a number above all as default": (aggregate(BEFORE, tokens_asis, 3), ("a", 1, 2)),
    "compared": (where(aggregate(full, tokens_asis) == 1.5, "yes", "no"), ("a", 1, 2)),
    "bools too": (aggregate(BEFORE, tokens_asis, 1), ("a", 1, True)),
    "in a selector": (selector_width(select(aggregate(full, tokens_asis), tokens_asis)), ("a", 1, 2)),
    "what is best": (aggregate(select_best(full, selector_width(SAME)), tokens_asis), ("a", 1, 2)),
    "the mean beside": (aggregate(full, tokens_asis) == aggregate(BEFORE, tokens_asis, 1), ("a", 1, 2)),
}
SUMS: dict[str, SOp] = {
    "the sum itself": TEXT + indices,
    "its mean": aggregate(full, (TEXT + indices) * 2),
    "its mean, with a default": aggregate(BEFORE, TEXT + indices, 1),
    "one value": aggregate(BEFORE, TEXT + 0, 1),
    "twice": aggregate(full, TEXT + TEXT + 1),
    "compared in a selector": selector_width(select(TEXT + indices, indices)),
    "compared": aggregate(full, TEXT - indices) > -1,
}


@pytest.mark.parametrize("name", SUMS)
def test_sums_that_have_a_value_only_of_numbers(name: str) -> None:
    found = verify(SUMS[name], compile_sop(SUMS[name], "ab", 4))
    assert found.exhaustive
    assert found.counterexample is None, found.counterexample
    assert 0 < found.undefined < found.count


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", BOTH)
def test_every_input(name: str, dtype: str, causal: bool) -> None:
    root, vocabulary = BOTH[name]
    model = compile_sop(root, vocabulary, 4, dtype=dtype, causal=causal)
    found = verify(root, model)
    assert found.exhaustive
    assert found.counterexample is None, found.counterexample
    assert found.undefined < found.count
    assert model.weights.heads == list(model.weights.predicted_heads)


def test_strings_and_numbers_together_are_an_error_as_in_the_interpreter() -> None:
    model = compile_sop(aggregate(full, tokens_asis) == 1, ("a", 1, 2), 3)
    assert model.run([1, 2]).output == [False, False]
    mixed: list[list[Atom]] = [["a", 1], ["a", "a"]]
    for given in mixed:
        with pytest.raises(ValueFault, match="not so"):
            model.run(given)

"""Every compilation ends with a comparison on inputs that are chosen to hurt, and a difference is an internal error."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from compiler.options import Options
from compiler.pipeline import Compilation, compile_sop
from compiler.run import second_opinion
from compiler.run.agreement import EXACT
from compiler.run.model import CompiledModel
from compiler.run.second_opinion import extremes, hurtful, telling_lengths
from rasp.errors import InternalFault
from rasp.graph import SOp, aggregate, elementwise, indices, length, select, selector_width, tokens, tokens_int
from rasp.language.program import parse_program
from rasp.operations import Atom

REVERSE = aggregate(select(indices, length - 1 - indices), tokens)


@pytest.fixture(autouse=True)
def all_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_opinion, "MOST", 100)


def broken(compilation: Compilation) -> CompiledModel:
    """The model with the meanings of its first two logits exchanged."""
    first, second, *others = compilation.weights.output.values
    output = replace(compilation.weights.output, values=(second, first, *others))
    return CompiledModel(replace(compilation.weights, outputs=(output,)))


def opinion(sop: SOp, model: CompiledModel, seconds: float = 1e9) -> int:
    return second_opinion.second_opinion({"x": sop}, model, {"x": EXACT}, [], seconds)


def test_a_right_model_passes_and_all_inputs_are_used() -> None:
    compilation = Compilation({"x": REVERSE}, Options("abcdefgh", 12))
    assert opinion(REVERSE, CompiledModel(compilation.weights)) == 100


def test_time_that_is_up_ends_it() -> None:
    compilation = Compilation({"x": REVERSE}, Options("abcdefgh", 12))
    assert 0 < opinion(REVERSE, CompiledModel(compilation.weights), 0) < 100


def test_a_wrong_model_is_an_internal_error_with_all_that_is_needed() -> None:
    compilation = Compilation({"x": REVERSE}, Options("ab", 3))
    with pytest.raises(InternalFault, match="does not give the interpreter's answer") as found:
        opinion(REVERSE, broken(compilation))
    text = str(found.value)
    assert text.startswith("internal error: the model of x")
    assert 'vocabulary ["a", "b"], maximum length 3, float32, prefer auto' in text
    assert "aggregate(s5, tokens);\n  x = s6;" in text
    assert "mistake of the compiler" in text


def test_every_compilation_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    compilation = Compilation({"x": REVERSE}, Options("ab", 3))
    wrong = broken(compilation).weights
    monkeypatch.setattr(compilation, "weights", wrong)
    monkeypatch.setattr(compilation, "certify", lambda weights: None)
    with pytest.raises(InternalFault):
        compilation.model()


def test_the_text_of_a_program_is_part_of_it() -> None:
    program = parse_program("same = select(tokens, tokens, ==);\nx = selector_width(same);")
    compilation = Compilation({"x": program.sop("x")}, Options("ab", 3), program=program)
    with pytest.raises(InternalFault) as found:
        opinion(program.sop("x") + 1, CompiledModel(compilation.weights))
    assert "same = select(tokens, tokens, ==);" in str(found.value)


def test_a_function_that_changes_its_mind() -> None:
    counter = itertools.count()
    root = elementwise(lambda token: next(counter) % 7, tokens_int)
    with pytest.raises(InternalFault) as found:
        compile_sop(root, tuple(range(5)), 3)
    assert "different answers to the same arguments" in str(found.value.hint)


@pytest.mark.parametrize(
    ("vocabulary", "expected"),
    [
        (("a", "b", "c"), {"a", "c"}),
        ((5, 0, -3, 1e-9, 7.5, 7), {5, 7, -3, 7.5, 1e-9, 0}),
        (("x", 1, 2, "b"), {"x", "b", 1, 2}),
        ((10**400, 0.5), {10**400, 0.5}),
    ],
)
def test_extremes(vocabulary: tuple[Atom, ...], expected: set[Atom]) -> None:
    assert set(extremes(vocabulary)) == expected


def test_what_hurts_is_among_the_inputs() -> None:
    found = set(itertools.islice(hurtful((1, 2, 3, 1000), 6, [4]), 200))
    assert {(1,), (2,), (3,), (1000,)} <= found
    assert {(1,) * 6, (1000,) * 6, (1,) * 3 + (1000,) * 3, (1000,) + (1,) * 5, (1, 2, 3, 1000, 1, 2)} <= found
    assert {len(tokens) for tokens in found} == {1, 2, 3, 4, 5, 6}
    assert len(list(hurtful(("a",), 1, []))) == 1


def test_lengths_with_the_fewest_and_the_most_values() -> None:
    compilation = Compilation({"x": selector_width(select(tokens, tokens))}, Options("ab", 5))
    assert telling_lengths(compilation.graph.roots, compilation.facts.values) == [1, 5]

"""Outputs are of the interpreter's kind: 2 and 2.0, 1 and True are different answers."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from compiler.artifact import load, save
from compiler.options import Options
from compiler.output_types import typing
from compiler.pipeline import Compilation, compile_sop
from compiler.report import report
from compiler.run.agreement import same_types
from compiler.run.verify import verify
from rasp.errors import DataFault, Refusal
from rasp.graph import (
    SOp,
    aggregate,
    full,
    indicator,
    indices,
    length,
    select,
    tokens,
    tokens_asis,
    tokens_float,
    tokens_int,
    where,
)
from rasp.interpret import run
from rasp.operations import Atom

SAME = select(tokens, tokens)
BEFORE = select(indices, indices, "<")
UP_TO = select(indices, indices, "<=")
PREVIOUS = select(indices, indices - 1)
MEAN = aggregate(SAME, indices)
LETTERS = ("a", "b", "c")
NUMBERS = (-3, -1, 2)
FRACTIONS = (0.1, 0.5, 2.0)

BY_CELL: list[tuple[SOp, tuple[Atom, ...]]] = [
    (aggregate(full, tokens_int), NUMBERS),
    (aggregate(UP_TO, tokens_int), NUMBERS),
    (aggregate(BEFORE, tokens_int), NUMBERS),
    (aggregate(BEFORE, tokens_int, 0.5), NUMBERS),
    (aggregate(PREVIOUS, tokens_int, 2.0), NUMBERS),
    (aggregate(PREVIOUS, tokens == "a"), LETTERS),
    (aggregate(PREVIOUS, tokens_float), FRACTIONS),
    (aggregate(full, tokens_float), FRACTIONS),
    (aggregate(full, tokens_int) + aggregate(UP_TO, tokens_int), NUMBERS),
    (aggregate(BEFORE, tokens_float, 1) * 2 - indices, FRACTIONS),
    (where(indices > 1, aggregate(full, tokens_int), True), NUMBERS),
    (indices * 2 / 2 + where(indices == 1, 1, 0.5), LETTERS),
    (tokens_asis, (1, True, 1.0, 0, False)),
    (-tokens_asis, (1, True, 1.0)),
    (aggregate(select(tokens_float, 0.5), indices, 0.5) + tokens_float, FRACTIONS),
]
BY_MARKS: list[tuple[SOp, tuple[Atom, ...]]] = [
    (MEAN, LETTERS),
    (MEAN * 2, LETTERS),
    (-MEAN, LETTERS),
    (aggregate(SAME & BEFORE, indices), LETTERS),
    (aggregate(SAME & BEFORE, indices, 0.0), LETTERS),
    (aggregate(select(tokens, "a"), indices, True), LETTERS),
    (aggregate(select(tokens, "a"), indices, "none"), LETTERS),
    (aggregate(select(tokens, "a"), indicator(tokens == "b"), False), LETTERS),
    (MEAN - aggregate(select(tokens, "a"), indices), LETTERS),
    (where(indices == 0, MEAN, aggregate(select(tokens, "a"), length, 1.0)), LETTERS),
    (aggregate(select(tokens_float, 0.5), tokens_float, 2), FRACTIONS),
    (aggregate(select(tokens_float, 0.5), tokens_float, 2) * 3 - indices, FRACTIONS),
]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("root", "vocabulary"), BY_CELL + BY_MARKS)
def test_numbers_have_the_kind_of_the_interpreters(
    root: SOp, vocabulary: tuple[Atom, ...], dtype: str, causal: bool
) -> None:
    model = compile_sop(root, vocabulary, 4, dtype=dtype, causal=causal)
    types = model.weights.output.types
    assert types is None or types.sure
    assert verify(root, model).counterexample is None


@pytest.mark.parametrize(("root", "vocabulary"), BY_CELL)
def test_what_the_cell_tells_costs_nothing(root: SOp, vocabulary: tuple[Atom, ...]) -> None:
    assert compile_sop(root, vocabulary, 4).weights.guards == ()


@pytest.mark.parametrize(("root", "vocabulary"), BY_MARKS)
def test_what_the_cell_does_not_tell_costs_two_directions_a_selector(root: SOp, vocabulary: tuple[Atom, ...]) -> None:
    guards = compile_sop(root, vocabulary, 4).weights.guards
    assert {guard.check for guard in guards} <= {"marks", "uniform"}
    assert sum(guard.check == "marks" for guard in guards) in (1, 2)


def test_bools_and_ints_are_told_apart_by_value() -> None:
    root = aggregate(select(tokens, "a"), indices, True)
    model = compile_sop(root, LETTERS, 4)
    for word in ("bb", "ba", "bbaa", "baba", "aba"):
        assert same_types(run(root, word), model.run(word).output)
    assert model.run("bb").output[0] is True
    assert model.run("ba").output == [1, 1]
    assert type(model.run("aba").output[0]) is float


@pytest.mark.parametrize("root", [aggregate(PREVIOUS, MEAN, 0), where(tokens == "a", MEAN, indices)])
def test_where_a_kind_is_not_known_the_report_says_so(root: SOp) -> None:
    model = compile_sop(root, LETTERS, 5, name="last")
    assert model.weights.output.types is not None
    assert not model.weights.output.types.sure
    assert "last: whether a number is a float, an int or a bool is not always known" in report(model)
    assert verify(root, model).counterexample is None


def test_a_wrong_kind_is_a_difference() -> None:
    model = compile_sop(MEAN, LETTERS, 3)
    weights = dataclasses.replace(model.weights, outputs=(dataclasses.replace(model.weights.output, types=None),))
    found = verify(MEAN, type(model)(weights))
    assert found.counterexample is not None
    assert found.counterexample.expected == found.counterexample.found


def test_the_certificate_notices_changed_kinds() -> None:
    made = Compilation({"mean": MEAN}, Options(LETTERS, 3))
    output = made.weights.output
    assert output.types is not None
    floats = tuple({states: ("float", dict[int, str]()) for states in table} for table in output.types.tables)
    for types in (
        None,
        dataclasses.replace(output.types, tables=floats),
        dataclasses.replace(output.types, guards=()),
        dataclasses.replace(output.types, sure=False),
    ):
        with pytest.raises(Refusal, match="the kinds of its numbers"):
            made.certify(dataclasses.replace(made.weights, outputs=(dataclasses.replace(output, types=types),)))
    (guard,) = made.weights.guards
    changed = guard.W_U.copy()
    changed[2, 0] += 1
    with pytest.raises(Refusal, match="other coefficients"):
        made.certify(dataclasses.replace(made.weights, guards=(dataclasses.replace(guard, W_U=changed),)))


def test_kinds_are_saved_and_checked(tmp_path: Path) -> None:
    path = tmp_path / "mean.safetensors"
    model = compile_sop({"mean": MEAN, "plain": tokens}, LETTERS, 3)
    save(model, path)
    loaded = load(path)
    assert [output.types for output in loaded.weights.outputs] == [output.types for output in model.weights.outputs]
    assert loaded.run("aba").output == [1.0, 1, 1.0]
    assert list(map(type, loaded.run("aba").output)) == [float, int, float]
    with safe_open(path, framework="numpy") as file:
        tensors, text = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()["rasp"]  # noqa: SIM118
    for part, wrong in (("runs", [[5, 0]]), ("runs", [[6, 9]]), ("guards", [3]), ("tables", [{"1": ["str", {}]}])):
        described = json.loads(text)
        described["outputs"][0]["kinds"][part] = wrong
        save_file(tensors, path, {"rasp": json.dumps(described)})
        with pytest.raises(DataFault, match="is damaged"):
            load(path)


def test_no_kinds_where_no_number_has_two() -> None:
    for root in (tokens, indices, length, MEAN > 1, aggregate(full, indices / 2) * 1.0):
        assert compile_sop(root, LETTERS, 4).weights.output.types is None
    values = Compilation({"mean": MEAN}, Options(LETTERS, 3)).checked.values
    found = typing(MEAN, list(values[MEAN].numerically_equal), values)
    assert found is not None
    assert found.aggregates == (MEAN,)

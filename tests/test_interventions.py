"""Counterfactuals: what comes out if an s-op were another value at some position, interpreted and in models."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import rasp
from compiler.artifact import load, save
from compiler.audit import audit
from compiler.run.model import CompiledModel
from compiler.run.random_graphs import random_relations
from compiler.run.verify import asked_of, verify
from rasp.__main__ import main
from rasp.errors import DataFault, NameFault, Refusal, ValueFault
from rasp.graph import (
    SOp,
    aggregate,
    elementwise,
    full,
    indices,
    select,
    select_best,
    selector_width,
    tokens,
    topological,
)
from rasp.inputs import tokens_of
from rasp.operations import Atom
from rasp.relations import Graph

PROGRAMS = Path(__file__).parent.parent / "programs"
DYCK = rasp.load(PROGRAMS / "dyck2.rasp")["dyck2"]
COUNT = selector_width(select(tokens, tokens)).named("count")


def test_an_s_op_has_other_values_at_some_positions() -> None:
    assert rasp.evaluate(COUNT + 1, "aab", given={"count": {0: 7, 2: 9}}) == [8, 3, 10]
    assert rasp.evaluate(COUNT + 1, "aab", given={COUNT: {1: 0}}) == [3, 1, 2]
    assert rasp.evaluate(COUNT, "aab", given={"count": {1: 0}}) == [2, 0, 1]
    assert rasp.evaluate(COUNT, "aab", given={}) == [2, 2, 1]


def test_what_reads_it_reads_the_other_value() -> None:
    assert rasp.evaluate(aggregate(full, COUNT), "aab", given={"count": {2: 2}}) == [2, 2, 2]
    assert rasp.evaluate(DYCK, "([])") == ["P", "P", "P", "T"]
    assert rasp.evaluate(DYCK, "([])", given={"level": {2: 1}}) == ["P", "P", "F", "F"]
    assert rasp.evaluate(select(COUNT, 2), "aab", given={"count": {0: 1}}) == [[False, True, False]] * 3


def test_what_has_no_value_as_it_is_has_none_with_another_value() -> None:
    mixed = aggregate(select(tokens, tokens, "<"), tokens, 0)
    with pytest.raises(ValueFault, match="strings and numbers stand together"):
        rasp.evaluate(mixed, "ab", given={mixed: {0: "b"}})


def test_long_inputs_are_as_short_ones() -> None:
    found = rasp.evaluate(COUNT + 1, "a" * 200, given={"count": {150: 5}})
    assert (found[149], found[150]) == (201, 6)


def test_interventions_are_json() -> None:
    shared: Any = json.loads(json.dumps({"count": {2: 5}}))
    assert rasp.evaluate(COUNT, "aab", given=shared) == [2, 2, 5]
    pairs = elementwise(lambda token, at: (token, at), tokens, indices).named("pairs")
    found = rasp.evaluate(pairs == ("z", 3), "ab", given={"pairs": {"1": ["z", 3]}})
    assert found == [False, True]


@pytest.mark.parametrize(
    ("given", "error", "reason"),
    [
        ({"cuont": {0: 1}}, NameFault, "there is count"),
        ({tokens == "a": {0: 1}}, NameFault, "does not read"),
        ({"count": {3: 1}}, DataFault, "positions are 0 to 2"),
        ({"count": {-1: 1}}, DataFault, "has no position -1"),
        ({"count": {"x": 1}}, DataFault, "has no position x"),
        ({"count": {0: {}}}, DataFault, "never a dict"),
        ({"count": {0: "a"}}, ValueFault, "strings and numbers stand together"),
    ],
)
def test_what_is_no_intervention_is_said(given: Any, error: type[Exception], reason: str) -> None:
    with pytest.raises(error) as found:
        rasp.evaluate(COUNT + 1, "aab", given=given)
    assert reason in str(found.value)


def test_a_name_of_two_s_ops_is_not_enough() -> None:
    one, two = (indices + 1).named("x"), (indices + 2).named("x")
    with pytest.raises(NameFault, match="2 s-ops are called x"):
        rasp.evaluate(one + two, "a", given={"x": {0: 1}})


def test_another_program_does_not_make_a_name_ambiguous() -> None:
    other = rasp.load(PROGRAMS / "balance.rasp")
    shared = other.sop("step")
    root = rasp.load(PROGRAMS / "shuffle_dyck.rasp").sop()
    assert shared in set(topological([root]))
    assert rasp.evaluate(root, "[[", given={"step": {0: -1}}) == [False, False]
    assert rasp.evaluate(root, "[]", given={"step": {0: 1}}) == [True, True]


def test_graphs_are_inputs_of_calls_too() -> None:
    near = aggregate(rasp.relation("edge"), indices, -1)
    assert near({"tokens": ["a", "b"], "edge": [[0, 1]]}) == [-1, 0]


# -- in models that were compiled for them


def program_of(path: Path) -> tuple[rasp.Program, list[Atom]]:
    """A bundled program and three tokens of its vocabulary, of its own input if it has as many."""
    program = rasp.load(path)
    own = [*tokens_of(program.header.own_inputs[0]), *(program.header.vocabulary or ())]
    return program, list(dict.fromkeys(own))[:3]


def input_of(few: Sequence[Atom], model: CompiledModel, chance: random.Random) -> list[Atom] | Graph:
    """A random input, with the relations that the model reads."""
    given = [chance.choice(few) for _ in range(chance.randint(1, model.weights.max_length))]
    asked = asked_of(model.weights.sops, model)
    return Graph(given, random_relations(len(given), chance, asked)) if asked else given


def named_s_ops(program: rasp.Program) -> list[str]:
    parts = topological([program.sop()])
    return sorted({program.names[node] for node in parts if isinstance(node, SOp) and node in program.names})


CASES = [
    (path, name)
    for path in (*sorted(PROGRAMS.glob("*.rasp")), *sorted(PROGRAMS.glob("graphs/*.rasp")))
    for name in named_s_ops(rasp.load(path))
]


@pytest.mark.parametrize(("path", "name"), CASES, ids=[f"{path.stem}-{name}" for path, name in CASES])
def test_the_model_gives_the_programs_counterfactual_for_every_value(path: Path, name: str) -> None:
    program, few = program_of(path)
    model = program.compile(few, 3 if path.parent.name == "graphs" else 4, interventions=[name])
    held = next((held for held in model.weights.held if held.name == name), None)
    if held is None:
        with pytest.raises(NameFault, match="has one value on every input"):
            model.intervene(few[:1], {name: {0: "x"}})
        return
    chance = random.Random(name)
    for value in held.values or held.numbers:
        given = input_of(few, model, chance)
        other = {name: {chance.randrange(len(given)): value, len(given) - 1: chance.choice(held.values or (value,))}}
        expected = found = None
        with suppress(rasp.RaspError):
            expected = rasp.evaluate(program.sop(), given, given=other)
        with suppress(rasp.RaspError):
            result = model.intervene(given, other)
            assert result.covered
            found = result.output
        assert found == expected or (found is not None and found == pytest.approx(expected)), (given, other)


def test_the_model_is_otherwise_the_same() -> None:
    program = rasp.load(PROGRAMS / "dyck2.rasp")
    model = program.compile("()[]", 5, interventions=["level", "opened"])
    assert verify(program.sop(), model, count=200).counterexample is None
    assert model.weights.interventions == ("level", "opened")
    assert model.weights.heads == program.compile("()[]", 5).weights.heads
    result, cache = model.run_with_cache("([])")
    assert (result.output, cache["level"]) == (["P", "P", "P", "T"], [1, 2, 2, 1])


def test_an_output_can_be_intervened_on_and_read_on() -> None:
    model = rasp.compile({"count": COUNT, "more": COUNT + 1}, "ab", 3, interventions=COUNT)
    result = model.intervene("aab", {COUNT: {2: 3}})
    assert result.outputs == {"count": [2, 2, 3], "more": [3, 3, 4]}
    assert result.covered


def test_an_s_op_without_a_name_is_intervened_on_by_its_node(tmp_path: Path) -> None:
    last = selector_width(select(indices, indices, ">"))
    model = rasp.compile(last * 10, "ab", 3, interventions=(one for one in [last]))
    assert model.weights.interventions == ("selector_width(select(indices, indices, >))",)
    assert model.intervene("aab", {last: {2: 2}}).output == [20, 10, 20]
    save(model, tmp_path / "x.safetensors")
    again = load(tmp_path / "x.safetensors")
    assert audit(again, "x").reason is None
    assert again.intervene("aab", {model.weights.interventions[0]: {2: 2}}).covered


def test_a_count_by_marks_is_stored_after_them() -> None:
    best = selector_width(select_best(full, indices) & select(tokens, tokens, "!="))
    model = rasp.compile(best * 2, "ab", 3, interventions=[best])
    assert model.intervene("aab", {best: {2: 1}}).output == [2, 2, 2]


def test_what_was_not_named_is_marked_as_not_covered() -> None:
    model = rasp.load(PROGRAMS / "dyck2.rasp").compile("()[]", 5, interventions="level")
    assert model.intervene("([])", {"level": {2: 1}}).covered
    assert not model.intervene("([])", {"opened": {2: 1}}).covered
    assert not model.intervene("([])", {"level": {2: 1}, "opened": {2: 1}}).covered
    assert not model.ablate(head=(0, 0)).intervene("([])", {"level": {2: 1}}).covered


def test_values_of_python_are_put_in_as_well() -> None:
    pairs = elementwise(lambda token, at: (token, at % 2), tokens, indices).named("pairs")
    last = elementwise(lambda pair: None if pair[1] else pair[0], pairs).named("last")
    model = rasp.compile(last, "ab", 3, interventions=["pairs", "last"])
    shared: Any = json.loads(json.dumps({"pairs": {"1": ["b", 0]}, "last": {"0": None}}))
    assert model.intervene("aab", shared).output == [None, "b", "b"] == rasp.evaluate(last, "aab", given=shared)


@pytest.mark.parametrize(
    ("values", "error", "reason"),
    [
        ({"level": {4: 1}}, DataFault, "positions are 0 to 3"),
        ({"level": {0: 99}}, ValueFault, "level is never the int 99"),
        ({"level": {0: "1"}}, ValueFault, "level is never the string"),
        ({"fits": {0: True}}, NameFault, 'interventions=["fits"]'),
        ({"lvl": {0: 1}}, NameFault, "did you mean level?"),
    ],
)
def test_what_cannot_be_written_is_said(values: Any, error: type[Exception], reason: str) -> None:
    model = rasp.load(PROGRAMS / "dyck2.rasp").compile("()[]", 5, interventions=["level"])
    with pytest.raises(error) as found:
        model.intervene("([])", values)
    assert reason in str(found.value)


def test_what_cannot_be_compiled_for_is_refused() -> None:
    with pytest.raises(NameFault, match="no s-op here is called levels"):
        rasp.load(PROGRAMS / "dyck2.rasp").compile("()[]", 5, interventions=["levels"])
    share = aggregate(select(indices, indices, "<="), rasp.tokens_float).named("share")
    with pytest.raises(Refusal, match="too many values to list"):
        rasp.compile(share > 0, [0.1, 0.7, 12.3, 55.1], 40, interventions=["share"])


def test_files_keep_what_a_model_was_compiled_for(tmp_path: Path) -> None:
    model = rasp.load(PROGRAMS / "dyck2.rasp").compile("()[]", 4, interventions=["level"])
    save(model, tmp_path / "x.safetensors")
    again = load(tmp_path / "x.safetensors")
    assert again.intervene("([])", {"level": {2: 1}}).output == ["P", "P", "F", "F"]
    found = audit(again, "x")
    assert (found.reason, found.certificate) == (None, model.weights.certificate)


# -- on the command line

LEVEL = '{"level": {"2": 1}}'


def said(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    return main(list(argv)), *capsys.readouterr()


def test_a_saved_intervention_is_made_by_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, kept, model = PROGRAMS / "dyck2.rasp", tmp_path / "level.json", tmp_path / "m.safetensors"
    kept.write_text(LEVEL)
    compiled = ["compile", str(program), "--max-length", "5", "--interventions", "level, opened", "-o", str(model)]
    assert main(compiled) == 0
    capsys.readouterr()
    for given in (LEVEL, str(kept)):
        assert said(capsys, "infer", str(model), "([])", "()", "--intervene", given) == (
            1,
            'dyck2("([])") = [P, P, F, F] (strings)\n',
            "data error: the input has no position 2\n  hint: positions are 0 to 1\n",
        )
        status, out, _ = said(capsys, "run", str(program), "([])", "()", "--intervene", given, "--json")
        assert (status, json.loads(out.splitlines()[0])["output"]) == (1, ["P", "P", "F", "F"])
        assert json.loads(out.splitlines()[1])["error"] == "the input has no position 2"


def test_a_command_says_what_the_certificate_does_not_cover(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(rasp.compile(COUNT + 1, "ab", 3, name="more"), tmp_path / "m.safetensors")
    asked = ["infer", str(tmp_path / "m.safetensors"), "ab", "--intervene", '{"count": {"0": 2}}', "--json"]
    status, out, err = said(capsys, *asked)
    assert (status, json.loads(out)["covered"]) == (0, False)
    assert err == "the certificate does not cover this: the model was compiled without --interventions count\n"


@pytest.mark.parametrize("given", ["{", '{"level": 2}', "[]", "nowhere.json"])
def test_what_is_no_intervention_is_an_error(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capsys, "run", str(PROGRAMS / "dyck2.rasp"), "([])", "--intervene", given)
    assert (status, out) == (1, "")
    assert err.startswith("data error: ")

"""Random programs give the same on the interpreter, the numpy reference and torch, or are refused with a reason.

There are five families: programs of any kind, about numbers, over relations, of a dozen lines, and with sets (`graphs`,
`numbers`, `relations`, `programs`, `sets`).
`pytest tests/test_differential.py --programs 5000 --seed 100000` runs other ones and more of them; a failure names its
family and seed, and `--programs 1 --seed SEED -k FAMILY` runs it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from compiler import cases, pipeline
from compiler.pipeline import compile
from compiler.rewrites import copies, linear, materialise, sets
from compiler.run.agreement import accuracies, agree, same_types
from compiler.run.graph_inputs import relation_labels
from compiler.run.model import ENGINES, CompiledModel
from compiler.run.verify import compare, drawn
from compiler.values import aggregates
from rasp.batch.run import BatchRun
from rasp.errors import Failures, RaspError, Refusal
from rasp.interpret import run
from rasp.operations import Atom
from tests.random_graphs import Case, random_case
from tests.random_numbers import random_numbers
from tests.random_programs import random_program
from tests.random_relations import LABELS, random_relations_compiled
from tests.random_sets import random_sets

TOGETHER, ALONE = 40, 3
"""How many inputs of one length are compared at once, and how many one by one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        first, count = metafunc.config.getoption("--seed"), metafunc.config.getoption("--programs")
        metafunc.parametrize("seed", range(first, first + count))


FAMILIES: dict[str, Callable[[int], Case]] = {
    "graphs": random_case,
    "numbers": random_numbers,
    "relations": random_relations_compiled,
    "programs": random_program,
    "sets": random_sets,
}


def compiled(case: Case) -> CompiledModel | None:
    """The model, or None where it is refused; any other error is a failure of the test. Every third one has masks for
    what depends on positions alone."""
    masks = "auto" if case.seed % 3 == 1 else "scores"
    options = {"dtype": case.dtype, "causal": case.causal, "masks": masks, "labels": LABELS}
    try:
        return compile(case.root, case.vocabulary, case.max_length, **options)  # type: ignore[arg-type]
    except (Refusal, Failures) as error:
        reasons = error.errors if isinstance(error, Failures) else [error]
        assert all(isinstance(reason, Refusal) and reason.message for reason in reasons), case
        return None


def interpreted(case: Case, tokens: Sequence[Atom]) -> list[Atom] | str:
    try:
        return run(case.root, tokens, causal=case.causal)
    except RaspError as error:
        return error.message


def inferred(model: CompiledModel, tokens: Sequence[Atom], engine: str) -> list[Atom] | str:
    try:
        return model.run(tokens, engine=engine).output
    except RaspError as error:
        return error.message


@pytest.mark.parametrize("family", FAMILIES)
def test_engines_agree(family: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every fourth program is compiled as if few means could be listed, every third in small steps, every fifth as if
    all its booleans were the members of sets, every second with functions of copies copied wherever they can be."""
    if seed % 2 == 1:
        monkeypatch.setattr(copies, "MANY", 2)
        monkeypatch.setattr(copies, "SHARE", 0)
    if seed % 4 == 3:
        monkeypatch.setattr(aggregates, "MAX_MEANS", 4)
        monkeypatch.setattr(linear, "MANY", 3)
    if seed % 3 == 1:
        monkeypatch.setattr(materialise, "FEW", 4)
        monkeypatch.setattr(pipeline, "TRIED_ROWS", 4)
    if seed % 5 == 2:
        monkeypatch.setattr(cases, "LESS", 0.0)
        monkeypatch.setattr(sets, "MEMBERS", 1)
        monkeypatch.setattr(sets, "MANY", 2)
    case = FAMILIES[family](seed)
    model = compiled(case)
    if model is None:
        return
    if not any("because no single head can tell" in note for note in model.weights.notes):
        assert sum(model.weights.heads) <= sum(model.weights.predicted_heads), case
    if not any("one layer more, because no single head can tell" in note for note in model.weights.notes):
        assert model.weights.depth <= len(model.weights.predicted_heads), case
    together(case, model, seed)
    (promised,) = accuracies(model.weights).values()
    for tokens in case.inputs[:ALONE]:
        expected = interpreted(case, tokens)
        for engine in (*ENGINES, "sparse"):
            found = inferred(model, tokens, engine)
            told = f"{case}\n{engine} on {tokens}: {expected} / {found}"
            assert agree(expected, found, promised), told
            types = model.weights.output.types
            assert (types is not None and not types.sure) or same_types(expected, found), told


def together(case: Case, model: CompiledModel, seed: int) -> None:
    """Compares on many inputs at once, of the longest length and of another one, as `verify` does."""
    rng = np.random.default_rng(seed)
    outputs, promised = {model.weights.output.name: case.root}, accuracies(model.weights)
    asked = relation_labels([case.root], LABELS)
    for length in {case.max_length, int(rng.integers(1, case.max_length + 1))}:
        ids = rng.integers(0, len(case.vocabulary), (TOGETHER, length))
        relations = drawn(ids, asked, random.Random(seed))
        found = compare(model, outputs, ids, promised, ENGINES, relations)
        assert found.counterexample is None, f"{case}\n{found.counterexample}"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_of_a_random_program_is_its_inputs_one_by_one(family: str) -> None:
    for seed in range(300):
        case = FAMILIES[family](seed)
        found = BatchRun.of(case.inputs, causal=case.causal).sop(case.root).lists()
        for tokens, values in zip(case.inputs, found, strict=True):
            expected = interpreted(case, tokens)
            assert values == (None if isinstance(expected, str) else expected), f"{case}\n{tokens}"
            assert values is None or same_types(expected, values), f"{case}\n{tokens}"


@pytest.mark.parametrize("family", FAMILIES)
def test_most_random_programs_compile(family: str) -> None:
    refused = [seed for seed in range(100) if compiled(FAMILIES[family](seed)) is None]
    assert len(refused) < 25


@pytest.mark.parametrize("family", FAMILIES)
def test_a_seed_is_one_program(family: str) -> None:
    first, again = FAMILIES[family](7), FAMILIES[family](7)
    assert first == again
    assert first.root is again.root


@pytest.mark.parametrize(("family", "case"), [("programs", 1117), ("programs", 30109)])
def test_feed_forwards_after_heads_without_neurons(family: str, case: int) -> None:
    """They belong to the layer before, in the network in names as in the arrays: else there would be no certificate."""
    assert compiled(FAMILIES[family](case)) is not None


def test_the_proof_asks_nothing_of_what_is_never_read_between_two_readings() -> None:
    """A width that goes together with some values is 1 or 3, while with others it is 2."""
    assert compiled(FAMILIES["programs"](70169)) is not None

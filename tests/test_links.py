"""A model knows its program: every head links to the selector it computes, every output to its s-op, in files too."""

from __future__ import annotations

from pathlib import Path

import pytest

from compiler.artifact import load, save
from compiler.pipeline import compile_sop
from compiler.run.model import CompiledModel
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
    tokens_asis,
    tokens_int,
)
from rasp.interpret import Run
from rasp.language.program import parse_program
from rasp.operations import Atom
from tests.test_certify import PROGRAMS

SAME_NAME = """
def shifted(k) {
    s = select(indices, indices - k, ==);
    return aggregate(s, tokens, "-");
}
same = shifted(1) == shifted(2);
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


def again(model: CompiledModel, path: Path) -> CompiledModel:
    """The model, saved and loaded."""
    save(model, path)
    return load(path)


def is_linked(model: CompiledModel, tokens: str) -> bool:
    """Whether every head attends alike to all that its selector marks, where it marks something."""
    trace = model.run(tokens).trace
    run = Run(tokens)
    pairs = [
        (run.selector(head.selector), given[1:, 1:])
        for layer, heads in zip(model.weights.layers, trace.attention, strict=True)
        for head, given in zip(layer.heads, heads, strict=True)
    ]
    return all(((given > 0) == marked)[marked.any(axis=1)].all() for marked, given in pairs)


def test_heads_of_one_name_have_their_own_selectors(path: Path) -> None:
    program = parse_program(SAME_NAME)
    model = compile_sop(program.sop("same"), ("a", "b"), 4, names=program.names, origins=program.origins)
    wanted = {select(indices, indices - 1), select(indices, indices - 2)}
    assert set(model.weights.selectors) == set(again(model, path).weights.selectors) == wanted
    assert [head.name for layer in model.weights.layers for head in layer.heads] == ["s", "s"]
    assert is_linked(again(model, path), "abba")


@pytest.mark.parametrize("name", PROGRAMS)
def test_links_come_back_as_the_same_nodes(name: str, path: Path) -> None:
    root, vocabulary = PROGRAMS[name]
    model = compile_sop(root, vocabulary, 5, name=name)
    loaded = again(model, path)
    assert model.weights.sops[name] is loaded.weights.sops[name] is root
    assert len(loaded.weights.selectors) == sum(model.weights.heads)
    assert all(x is y for x, y in zip(loaded.weights.selectors, model.weights.selectors, strict=True))


@pytest.mark.parametrize(
    ("root", "vocabulary"),
    [
        (aggregate(full, tokens_asis, "-"), ("x", 1, 2)),
        (selector_width(select_best(full, indices % 2) & select(tokens, tokens)), ("a", "b")),
        (
            aggregate(
                select(aggregate(full, tokens_int) > aggregate(select(indices, indices, "<="), tokens_int), True), 1
            ),
            tuple(range(20)),
        ),
        (aggregate(select(indices, indices, "<"), tokens_int, 10**30) < 10**29, (1, 2)),
    ],
)
def test_what_rewrites_made_comes_back(root: SOp, vocabulary: tuple[Atom, ...], path: Path) -> None:
    model = compile_sop(root, vocabulary, 4, name="x")
    loaded = again(model, path)
    assert loaded.weights.sops["x"] is root
    assert all(x is y for x, y in zip(loaded.weights.selectors, model.weights.selectors, strict=True))


def test_names_and_lines_come_back(path: Path) -> None:
    program = parse_program("same = select(tokens, tokens, ==);\n\nhist = selector_width(same);")
    model = compile_sop(program.sop(), ("a", "b"), 4, names=program.names, origins=program.origins, name="hist")
    weights = again(model, path).weights
    same, hist = program.selector("same"), program.sop("hist")
    assert (weights.names[same], weights.names[hist], weights.lines[same], weights.lines[hist]) == (
        "same",
        "hist",
        1,
        3,
    )


def test_a_python_function_comes_back_as_its_table(path: Path) -> None:
    vowel = elementwise(lambda token: token in "aei", tokens)
    model = compile_sop(aggregate(select(vowel, True), indices), ("a", "b"), 4, name="x")
    assert model.weights.selectors[0] is select(vowel, True)
    loaded = again(model, path)
    assert loaded.run("baab").output == [1.5] * 4
    assert Run("baab").sop(loaded.weights.sops["x"]).tolist() == [1.5] * 4
    assert is_linked(loaded, "baab")
    first = path.read_bytes()
    save(loaded, path)
    assert path.read_bytes() == first

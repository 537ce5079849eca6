"""The circuit of a model as JSON: by its schema, with all edges that there are, and inputs that show it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export
from compiler.run.reference import forward
from export.circuit import SCHEMA
from rasp.__main__ import main
from rasp.errors import DataFault
from rasp.interpret import run
from tests.bundled import EVERY, EVERY_GRAPH, GRAPHS, NAMES, bundled


def edges(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    """The edges that carry information."""
    return {(edge["from"], edge["to"], edge["into"]) for edge in found["edges"] if not edge["constant"]}


def test_reverse() -> None:
    found = export.circuit_of(bundled("reverse"))
    length, flip = "layers.0.heads.0", "layers.1.heads.0"
    assert edges(found) == {
        *((length, "layers.0.mlps.0", "in"), ("layers.0.mlps.0", flip, "q")),
        *(("W_pos", flip, "q"), ("W_pos", flip, "k"), ("W_E", flip, "v"), (flip, "W_U", "in")),
    }
    about = {part["name"]: part["about"] for part in found["components"]}
    assert found["nodes"][about[flip]["selector"]]["name"] == "flip"
    assert [group["for"] for group in about["layers.0.mlps.0"]["neurons"]] == ["length"]
    assert found["case"]["task_description"] == "Reverses the input."


@pytest.mark.parametrize("name", [*NAMES, *GRAPHS])
def test_every_program_by_the_schema(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    found = json.loads(json.dumps(export.circuit_of(bundled(name, 5))))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(found)


@EVERY
def test_inputs_differ_at_one_position_and_in_the_output(name: str) -> None:
    model = bundled(name)
    cases = export.circuit_of(model)["cases"]
    assert cases
    for case in cases:
        pair = [case["clean"], case["corrupted"]]
        differing = [at for at, (a, b) in enumerate(zip(*(run["input"] for run in pair), strict=True)) if a != b]
        assert differing == [case["position"]]
        assert all(run(model.weights.sops[model.weights.name], given["input"]) == given["output"] for given in pair)
        assert pair[0]["output"] != pair[1]["output"]


@EVERY_GRAPH
def test_programs_over_graphs_have_masks_and_differ_in_relations(name: str) -> None:
    model = bundled(name, 5)
    found = export.circuit_of(model)
    assert any(part["about"].get("mask") is not None for part in found["components"])
    for case in found["cases"]:
        pair = [case["clean"], case["corrupted"]]
        assert case["position"] is None
        assert pair[0]["input"] != pair[1]["input"]
        for given in pair:
            assert run(model.weights.sops[model.weights.name], given["input"]) == pytest.approx(given["output"])
    assert found["cases"]


@pytest.mark.parametrize("name", ["dyck2", "sort", "long_addition"])
def test_neurons_and_directions_are_all_there_is(name: str) -> None:
    weights = bundled(name).weights
    found = export.circuit_of(bundled(name))
    parts = [part for part in found["components"] if part["kind"] == "mlp"]
    for part, own in zip(parts, weights.feed_forwards, strict=True):
        groups = part["about"]["neurons"]
        assert sorted(unit for group in groups for unit in group["units"]) == list(range(len(own.neurons)))
        assert {at for group in groups for at in group["writes"]} == set(part["writes"])
    held = {at for space in found["held"] for at in space["directions"]}
    assert held <= set(range(weights.d_model))


def test_what_has_no_edges_out_changes_nothing() -> None:
    """A component whose written directions nobody reads could be taken away; any other changes the model."""
    weights = bundled("dyck2").weights
    ids = np.pad(np.random.default_rng(0).integers(1, 5, (40, 8)), ((0, 0), (1, 0)))
    sources = {writer for writer, _, _ in edges(export.circuit_of(bundled("dyck2")))}
    for at, layer in enumerate(weights.layers):
        head = layer.heads[0]
        silent = replace(layer, heads=(replace(head, W_O=0 * head.W_O), *layer.heads[1:]))
        edited = replace(weights, layers=(*weights.layers[:at], silent, *weights.layers[at + 1 :]))
        same = np.array_equal(forward(edited, ids).logits, forward(weights, ids).logits)
        assert same == (f"layers.{at}.heads.0" not in sources)


def test_an_edited_model_has_no_circuit_and_no_file(tmp_path: Path) -> None:
    edited = bundled("reverse").ablate(head=(1, 0))
    with pytest.raises(DataFault, match="cannot be exported: its edits are functions"):
        export.circuit_of(edited)
    with pytest.raises(DataFault, match="cannot be exported"):
        export.save(edited, tmp_path / "c.json", to="circuit")
    with pytest.raises(DataFault, match="cannot be exported"):
        export.runtime("torch", edited)


def test_the_subcommand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, path = str(tmp_path / "m.safetensors"), tmp_path / "c.json"
    assert main(["compile", "programs/reverse.rasp", "--max-length", "4", "-o", model]) == 0
    assert main(["export", model, "--to", "circuit", "-o", str(path)]) == 0
    assert json.loads(path.read_text())["format"] == "rasp-compiler circuit"

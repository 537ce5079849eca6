"""Models in TransformerLens, 3 or 4, whichever is installed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import compiler
import export
from compiler.run.graph_inputs import NOTHING
from compiler.run.model import CompiledModel
from export.lens_weights import lens_config, lens_tensors
from rasp import tokens
from rasp.__main__ import main
from rasp.errors import DataFault, Refusal
from tests.bundled import EVERY, EVERY_GRAPH, EVERY_QUESTION, ask, bundled, replay
from tests.documented import ROOT, example

pytestmark = pytest.mark.filterwarnings("ignore")  # the library's own and those of what it imports


@EVERY
def test_d_head_is_a_power_of_four_and_biases_are_0(name: str) -> None:
    config, tensors = lens_config(bundled(name).weights), lens_tensors(bundled(name).weights)
    assert math.log(config["d_head"], 4).is_integer()
    assert not any(array.any() for key, array in tensors.items() if ".b_" in key)
    assert tensors["blocks.0.attn.W_Q"].shape == (config["n_heads"], config["d_model"], config["d_head"])


@pytest.fixture
def lens() -> Any:
    return pytest.importorskip("transformer_lens", reason="transformer-lens is not installed: make interop runs this")


@EVERY
def test_every_program_replayed(name: str, replayed: int, lens: Any) -> None:
    replay(bundled(name), "transformer-lens", replayed)


@EVERY_QUESTION
def test_questions_on_graphs_replayed(name: str, replayed: int, lens: Any) -> None:
    replay(bundled(name), "transformer-lens", replayed)
    ask(bundled(name), "transformer-lens", replayed)


@EVERY
def test_every_program_in_float64_and_causal(name: str, replayed: int, lens: Any) -> None:
    replay(bundled(name, 6, "float64", causal=True), "transformer-lens", replayed)


@EVERY
def test_logits_and_attention_are_those_of_torch(name: str, lens: Any) -> None:
    model = bundled(name)
    ids = np.pad(np.random.default_rng(0).integers(1, len(model.weights.vocabulary) + 1, (50, 7)), ((0, 0), (1, 0)))
    own, found = model.trace(ids), export.runtime("transformer-lens", model)(ids, True, NOTHING)
    assert all(map(np.array_equal, (*found.outputs, *found.guards), (*own.outputs, *own.guards)))
    for mine, theirs in zip(own.attention, found.attention, strict=True):
        assert all(map(np.array_equal, theirs, mine))


@EVERY_GRAPH
def test_models_with_masks_are_refused(name: str, lens: Any) -> None:
    with pytest.raises(Refusal, match="look along relations or masks, and TransformerLens takes none"):
        export.to_transformer_lens(bundled(name, 5))


def test_the_example_of_the_page(monkeypatch: pytest.MonkeyPatch, lens: Any) -> None:
    monkeypatch.chdir(ROOT)
    assert len(example("formats.md", "to_transformer_lens")) == 2


def test_a_folder_reads_back(tmp_path: Path, lens: Any) -> None:
    import torch

    model, path, folder = bundled("sort"), str(tmp_path / "m.safetensors"), str(tmp_path / "lens")
    compiler.save(model, path)
    for _ in range(2):
        assert main(["export", path, "--to", "transformer-lens", "-o", folder]) == 0
    ids = torch.tensor(model.encode("cab"))[None]
    logits = export.load_transformer_lens(folder)(ids, return_type="logits")
    assert export.lens_values(model, logits[0]) == list("abc")
    with pytest.raises(DataFault, match="no folder of a model"):
        export.load_transformer_lens(tmp_path)


def test_what_gives_something_else_there_is_refused(monkeypatch: pytest.MonkeyPatch, lens: Any) -> None:
    def broken(model: CompiledModel) -> dict[str, Any]:
        return {name: 2 * array for name, array in lens_tensors(model).items()}  # type: ignore[arg-type]

    monkeypatch.setattr("export.lens.lens_tensors", broken)
    with pytest.raises(Refusal, match="computes something else than the program on"):
        export.to_transformer_lens(compiler.compile(tokens, "ab", 3))


def test_the_folder_of_something_else_is_left_alone(tmp_path: Path, lens: Any) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(DataFault, match="is something else"):
        export.save(bundled("reverse"), tmp_path, to="transformer-lens")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

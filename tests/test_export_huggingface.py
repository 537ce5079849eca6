"""Models as Hugging Face models, of a class of our own and of a stock one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import compiler
import export
from compiler.run.graph_inputs import NOTHING
from rasp import tokens, tokens_asis
from rasp.errors import DataFault, Refusal
from tests.bundled import EVERY, EVERY_GRAPH, EVERY_QUESTION, ask, bundled, replay
from tests.documented import ROOT, example

transformers: Any = pytest.importorskip("transformers", reason="transformers is not installed: make interop runs this")
pytestmark = pytest.mark.filterwarnings("ignore")  # the library's own

from export.stock_t5 import t5_runtime  # noqa: E402


@EVERY
def test_every_program_replayed(name: str, replayed: int) -> None:
    replay(bundled(name), "huggingface", replayed)
    replay(bundled(name), "huggingface-t5", replayed)


@EVERY_QUESTION
def test_questions_on_graphs_replayed(name: str, replayed: int) -> None:
    for engine in ("huggingface", "huggingface-t5"):
        replay(bundled(name), engine, replayed)
        ask(bundled(name), engine, replayed)


@EVERY
def test_every_program_in_float64_and_causal(name: str, replayed: int) -> None:
    replay(bundled(name, 6, "float64", causal=True), "huggingface", replayed)


@EVERY
def test_logits_are_those_of_torch(name: str) -> None:
    model = bundled(name)
    ids = np.pad(np.random.default_rng(0).integers(1, len(model.weights.vocabulary) + 1, (50, 7)), ((0, 0), (1, 0)))
    own = model.trace(ids)
    for engine in ("huggingface", "huggingface-t5"):
        found = export.runtime(engine, model)(ids, True, NOTHING)
        assert all(map(np.array_equal, (*found.outputs, *found.guards), (*own.outputs, *own.guards)))


@EVERY_GRAPH
def test_masks_are_an_input(name: str, replayed: int) -> None:
    replay(bundled(name, 5), "huggingface", replayed)
    with pytest.raises(Refusal, match="a stock T5 takes none"):
        export.runtime("huggingface-t5", bundled(name, 5))


def test_the_example_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "programs").symlink_to(ROOT / "programs")
    assert example("formats.md", "load_huggingface") == [list("cba")]


def test_attention_and_stream_of_a_padded_batch(tmp_path: Path) -> None:
    model = bundled("dyck2")
    network, tokenizer = export.to_huggingface(model)
    batch = tokenizer(["([])", "()"], return_tensors="pt", padding=True)
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    found = network(**batch, output_attentions=True, output_hidden_states=True)
    assert len(found.hidden_states) == len(model.weights.stages)
    trace = model.trace(model.encode("()"))
    for mine, theirs in zip(trace.attention, found.attentions, strict=True):
        assert np.array_equal(theirs[1, 0, :3, :3], mine[0])
    assert np.array_equal(found.hidden_states[-1][1, :3], trace.residuals[-1])


def test_a_stock_model_is_loaded_by_stock_code(tmp_path: Path) -> None:
    model = bundled("sort")
    export.save(model, tmp_path / "t5", to="huggingface-t5")
    ids = np.array([model.encode("cab"), model.encode("zba")])
    for attention in ("eager", "sdpa"):
        found = transformers.T5ForTokenClassification.from_pretrained(tmp_path / "t5", attn_implementation=attention)
        logits = t5_runtime(found.eval(), model.weights)(ids, False, NOTHING).logits
        assert np.array_equal(logits, model.trace(ids).logits)
    network, tokenizer = export.load_huggingface(tmp_path / "t5")
    given = network(**tokenizer("cab", return_tensors="pt"))
    assert export.lens_values(model, given.logits[0]) == list("abc")


def test_a_stock_model_is_refused_where_it_is_not_exact() -> None:
    for options in ({"dtype": "float64"}, {"causal": True}):
        model = compiler.compile(tokens, "ab", 3, **options)
        with pytest.raises(Refusal, match=r"a stock T5 holds no (float64|causal) model exactly"):
            export.runtime("huggingface-t5", model)


def test_other_dtypes_are_refused(tmp_path: Path) -> None:
    export.save(bundled("reverse"), tmp_path / "m", to="huggingface")
    network, _ = export.load_huggingface(tmp_path / "m")
    assert network(torch.tensor([[0, 1]])).logits.dtype == torch.float32
    network.to(torch.bfloat16)
    with pytest.raises(DataFault, match="would run in bfloat16"):
        network(torch.tensor([[0, 1]]))


def test_tokens_that_are_no_characters() -> None:
    model = compiler.compile(tokens_asis, [3, "3", True, "ab", "<bos>", 0.5], 4)
    network, tokenizer = export.to_huggingface(model)
    for text, given in (("3 true 0.5", [3, True, 0.5]), ('"3" "ab"', ["3", "ab"])):
        batch = tokenizer(text, return_tensors="pt")
        assert network.values(network(**batch)) == given
        assert tokenizer.decode(batch["input_ids"][0]) == f"<bos> {text}"
    words = export.to_huggingface(compiler.compile(tokens, ["<bos>", "x"], 4))[1]
    assert words("x <bos>")["input_ids"] == [0, 2, 1]
    with pytest.raises(DataFault, match="'y' is not in the vocabulary"):
        words("y")


def test_what_is_too_long_and_what_is_no_model(tmp_path: Path) -> None:
    network, tokenizer = export.to_huggingface(bundled("reverse"))
    with pytest.raises(DataFault, match="the input has 9 tokens, the model takes 8"):
        network(**tokenizer("abcdefghi", return_tensors="pt"))
    with pytest.raises(DataFault, match="no folder of a model"):
        export.load_huggingface(tmp_path)

"""Models as ONNX graphs: ONNX Runtime gives what torch gives, and a file reads back as the model it was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import compiler
import export
from compiler.run.graph_inputs import NOTHING
from compiler.tensors import named_tensors
from rasp import elementwise, tokens
from rasp.__main__ import main
from rasp.errors import DataFault, ValueFault
from tests.bundled import EVERY, EVERY_GRAPH, EVERY_QUESTION, ask, bundled, replay

pytest.importorskip("onnx", reason="onnx is not installed: make interop runs this")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: make interop runs this")

import onnx

from export.onnx_graph import onnx_bytes


@EVERY
def test_every_program_replayed(name: str, replayed: int) -> None:
    replay(bundled(name), "onnxruntime", replayed)
    replay(bundled(name), "onnxruntime-plain", max(1, replayed // 4))


@EVERY_QUESTION
def test_questions_on_graphs_replayed(name: str, replayed: int) -> None:
    for engine in ("onnxruntime", "onnxruntime-plain"):
        replay(bundled(name), engine, replayed)
        ask(bundled(name), engine, replayed)


@EVERY
def test_every_program_in_float64_and_causal(name: str, replayed: int) -> None:
    replay(bundled(name, 6, "float64", causal=True), "onnxruntime", replayed)


@EVERY
def test_logits_are_those_of_torch(name: str) -> None:
    """Bit for bit where they are integers, else within 1e-6."""
    model = bundled(name)
    size = len(model.weights.vocabulary)
    ids = np.pad(np.random.default_rng(0).integers(1, size + 1, (50, 7)), ((0, 0), (1, 0)))
    own, found = model.trace(ids), export.runtime("onnxruntime", model)(ids, True, NOTHING)
    for want, has in zip((*own.outputs, *own.guards), (*found.outputs, *found.guards), strict=True):
        assert np.allclose(has, want, rtol=1e-6, atol=1e-6)
        if model.weights.output.kind == "categorical":
            assert np.array_equal(has[:, 1:], want[:, 1:])
    for mine, theirs in zip(own.attention, found.attention, strict=True):
        assert np.allclose(theirs, mine, atol=1e-6)


@EVERY_GRAPH
def test_masks_are_inputs_of_the_graph(name: str, replayed: int) -> None:
    replay(bundled(name, 5), "onnxruntime", replayed)
    model = bundled(name, 5)
    given = onnx.load_from_string(onnx_bytes(model.weights)).graph.input
    assert [found.name for found in given[1:]] == [f"masks.{at}" for at, _ in enumerate(model.weights.masks)]


def test_a_graph_file_runs_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    export.save(bundled("graphs/degree", 5), tmp_path / "m.onnx", to="onnx")
    assert main(["infer", str(tmp_path / "m.onnx"), "-i", '{"tokens": "ab", "edges": [[0, 1]]}', "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == [0, 1]


def test_the_bias_is_not_fused_into_the_product(tmp_path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.optimized_model_filepath = 3, str(tmp_path / "optimised.onnx")
    onnxruntime.InferenceSession(onnx_bytes(bundled("dyck2").weights), options, providers=["CPUExecutionProvider"])
    operations = {node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node}
    assert {"MatMul", "Sub"} <= operations
    assert "Gemm" not in operations


def test_a_file_reads_back_as_the_model_it_was(tmp_path: Path) -> None:
    model, path = bundled("reverse"), tmp_path / "m.onnx"
    export.save(model, path, to="onnx")
    found = export.load_onnx(path)
    for name, tensor in named_tensors(model.weights).items():
        assert np.array_equal(named_tensors(found.weights)[name], tensor)
    assert found.run("hello", engine="onnxruntime").output == list("olleh")
    assert found.run("hello", engine="onnxruntime").attention[1][0].shape == (6, 6)


def test_the_same_model_gives_the_same_bytes() -> None:
    assert onnx_bytes(bundled("sort").weights) == onnx_bytes(bundled("sort").weights)


def test_infer_and_verify_take_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, path = str(tmp_path / "m.safetensors"), str(tmp_path / "m.onnx")
    compiler.save(compiler.compile(tokens, "ab", 3, name="same"), model)
    assert main(["export", model, "--to", "onnx", "-o", path]) == 0
    assert main(["infer", path, "-i", "abb"]) == 0
    assert capsys.readouterr().out.endswith('same("abb") = [a, b, b] (strings)\n')
    assert main(["verify", path]) == 0
    assert "interpreter, reference, torch and onnxruntime agree on 14 inputs" in capsys.readouterr().out


def test_an_input_without_a_value_is_an_error_there_too() -> None:
    model = compiler.compile(elementwise(lambda x: 1 // (x == "a"), tokens), "ab", 2)
    model.runtimes["onnxruntime"] = export.runtime("onnxruntime", model)
    assert model.run("aa", engine="onnxruntime").output == [1, 1]
    with pytest.raises(ValueFault, match=r"no value|not so"):
        model.run("ab", engine="onnxruntime")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda found: found.ClearField("metadata_props"), "not a compiled RASP model"),
        (lambda found: found.graph.initializer.pop(), "is missing"),
        (lambda found: found.graph.node.pop(), "its graph is not"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused(tmp_path: Path, edit: object, said: str) -> None:
    found = onnx.load_from_string(onnx_bytes(bundled("reverse").weights))
    assert callable(edit)
    edit(found)
    (tmp_path / "m.onnx").write_bytes(found.SerializeToString())
    with pytest.raises(DataFault, match=said):
        export.load_onnx(tmp_path / "m.onnx")
    (tmp_path / "m.onnx").write_bytes(b"nothing")
    with pytest.raises(DataFault, match="not an ONNX file"):
        export.load_onnx(tmp_path / "m.onnx")

"""The table of formats, the subcommand, and runtimes that need no other library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import compiler
import export
from rasp import tokens
from rasp.__main__ import main
from rasp.errors import DataFault
from tests.bundled import bundled, replay

MANY = 1_000


def test_an_unknown_format_is_an_error() -> None:
    with pytest.raises(DataFault, match="there is no format 'gguf'"):
        export.save(bundled("reverse"), "x", to="gguf")


def test_a_program_is_not_exported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "programs/sort.rasp", "--to", "onnx", "-o", "x"]) == 1
    assert "compile it first: rasp compile programs/sort.rasp" in capsys.readouterr().err


def test_a_library_that_is_missing_is_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import export, compiler; from rasp import tokens\n"
        f"export.save(compiler.compile(tokens, 'ab', 2), {str(tmp_path / 'm.onnx')!r}, to='onnx')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'hint: pip install "rasp-compiler[onnx]"' in done.stderr
    assert "this needs onnx, which is not installed" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_engine_that_is_not_known_is_an_error() -> None:
    with pytest.raises(DataFault, match="there is no engine 'abacus'"):
        bundled("reverse").run("ab", engine="abacus")
    with pytest.raises(DataFault, match="there is no runtime 'abacus'"):
        export.runtime("abacus", bundled("reverse"))


@pytest.mark.parametrize("engine", ["reference", "torch", "sparse"])
def test_runtimes_of_our_own(engine: str) -> None:
    replay(bundled("reverse"), engine, 100)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, while it compiles
@pytest.mark.parametrize("name", ["reverse", "dyck2"])
def test_torch_compile(name: str, replayed: int) -> None:
    if replayed < MANY:
        pytest.skip("torch.compile takes long: make interop runs this")
    replay(bundled(name), "torch-compile", replayed)


def test_a_difference_in_a_runtime_is_a_counterexample() -> None:
    model = compiler.compile(tokens, "ab", 2)
    model.runtimes["broken"] = lambda ids, whole, graphs: model.trace(np.where(ids > 0, 3 - ids, 0), "reference")
    found = compiler.verify(model.weights.sops, model, engines=["broken"]).counterexample
    assert found is not None
    assert found.engine == "broken"


def test_verify_replays_in_the_runtimes_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiler.save(compiler.compile(tokens, "ab", 3, name="same"), tmp_path / "m.safetensors")
    assert main(["verify", str(tmp_path / "m.safetensors"), "--runtime", "torch", "--runtime", "sparse"]) == 0
    assert "same: interpreter, torch and sparse agree on 14 inputs" in capsys.readouterr().out


def test_a_runtime_without_its_machine_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    compiler.save(compiler.compile(tokens, "ab", 3), tmp_path / "m.safetensors")
    assert main(["verify", str(tmp_path / "m.safetensors"), "--runtime", "cuda"]) == 1
    assert "torch finds no GPU here" in capsys.readouterr().err

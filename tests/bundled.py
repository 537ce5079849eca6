"""The programs in programs/ as compiled models, each compiled once a session: what is said of every one of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from export.runtimes import runtime
from rasp.language.program import load_program

PROGRAMS = Path(__file__).parent.parent / "programs"
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.rasp"))
GRAPHS = sorted(f"graphs/{path.stem}" for path in PROGRAMS.glob("graphs/*.rasp"))
EVERY = pytest.mark.parametrize("name", NAMES)
EVERY_GRAPH = pytest.mark.parametrize("name", GRAPHS)


@cache
def bundled(name: str, max_length: int = 8, dtype: str = "float32", causal: bool = False) -> CompiledModel:
    """A bundled program over the vocabulary in its header."""
    program = load_program(PROGRAMS / f"{name}.rasp")
    vocabulary = program.header.vocabulary
    assert vocabulary is not None
    model = program.compile(vocabulary, max_length, dtype=dtype, causal=causal)
    assert isinstance(model, CompiledModel)
    return model


def replay(model: CompiledModel, engine: str, count: int) -> None:
    """Replays `count` random inputs in a runtime beside the interpreter; they must agree."""
    model.runtimes[engine] = runtime(engine, model)
    found = verify(model.weights.sops, model, count=count, engines=[engine], exhaustive=count)
    assert found.counterexample is None
    assert found.count >= count or found.exhaustive

"""The programs in programs/ as compiled models, each compiled once a session: what is said of every one of them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

import compiler
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from export.runtimes import runtime
from rasp.language.program import load_program
from rasp.vocabulary import parse_vocabulary

PROGRAMS = Path(__file__).parent.parent / "programs"
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.rasp"))
EVERY = pytest.mark.parametrize("name", NAMES)


@cache
def bundled(name: str, max_length: int = 8, dtype: str = "float32", causal: bool = False) -> CompiledModel:
    """A bundled program over the vocabulary in its header."""
    program = load_program(PROGRAMS / f"{name}.rasp")
    vocabulary = re.search(r"^# vocab: +(.*)$", program.source.text, re.MULTILINE)
    assert vocabulary is not None
    return compiler.compile(
        program.sop(), parse_vocabulary(vocabulary[1]), max_length, dtype=dtype, causal=causal, name=program.default
    )


def replay(model: CompiledModel, engine: str, count: int) -> None:
    """Replays `count` random inputs in a runtime beside the interpreter; they must agree."""
    model.runtimes[engine] = runtime(engine, model)
    found = verify(model.weights.sops, model, count=count, engines=[engine], exhaustive=count)
    assert found.counterexample is None
    assert found.count >= count or found.exhaustive

"""The programs in programs/ as compiled models, each compiled once a session: what is said of every one of them."""

from __future__ import annotations

import random
from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from compiler.run.agreement import accuracies
from compiler.run.model import CompiledModel
from compiler.run.verify import compare, verify
from export.runtimes import runtime
from rasp.language.program import load_program
from rasp.operations import Atom

PROGRAMS = Path(__file__).parent.parent / "programs"
NAMES = sorted(path.stem for path in PROGRAMS.glob("*.rasp"))
GRAPHS = sorted(f"graphs/{path.stem}" for path in PROGRAMS.glob("graphs/*.rasp"))
QUESTIONS = sorted(f"graphqa/{path.stem}" for path in PROGRAMS.glob("graphqa/*.rasp"))
EVERY = pytest.mark.parametrize("name", NAMES)
EVERY_GRAPH = pytest.mark.parametrize("name", GRAPHS)
EVERY_QUESTION = pytest.mark.parametrize("name", QUESTIONS)


@cache
def bundled(name: str, max_length: int = 8, dtype: str = "float32", causal: bool = False) -> CompiledModel:
    """A bundled program over the vocabulary in its header."""
    model = load_program(PROGRAMS / f"{name}.rasp").compile(max_length=max_length, dtype=dtype, causal=causal)
    assert isinstance(model, CompiledModel)
    return model


def ask(model: CompiledModel, engine: str, count: int) -> None:
    """Asks a program of programs/graphqa in a runtime about random graphs of four vertices and three edges."""
    model.runtimes[engine] = runtime(engine, model)
    chance = random.Random(0)
    ids = np.array([model.encode(_question(chance))[1:] - 1 for _ in range(count)])
    found = compare(model, model.weights.sops, ids, accuracies(model.weights), [engine])
    assert found.counterexample is None
    assert found.count == count


def _question(chance: random.Random) -> list[Atom]:
    vertices = sorted(chance.sample(range(8), 4))
    edges = chance.sample(list(combinations(vertices, 2)), 3)
    first, second = chance.sample(vertices, 2)
    return [*map(str, vertices), *(f"{u}-{v}" for u, v in edges), f"{first}?{second}"]


def replay(model: CompiledModel, engine: str, count: int) -> None:
    """Replays `count` random inputs in a runtime beside the interpreter; they must agree."""
    model.runtimes[engine] = runtime(engine, model)
    found = verify(model.weights.sops, model, count=count, engines=[engine], exhaustive=count)
    assert found.counterexample is None
    assert found.count >= count or found.exhaustive

"""Compiling and comparing in one step: what most tests of the compiler do."""

from __future__ import annotations

from collections.abc import Sequence

from compiler.pipeline import compile_sop
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from rasp.graph import SOp
from rasp.language.program import parse_program
from rasp.layers import analyse
from rasp.operations import Atom


def exact(
    root: SOp, vocabulary: Sequence[Atom] = "ab", max_length: int = 5, *, dtype: str = "float32", count: int = 300
) -> CompiledModel:
    """The compiled model, no larger than predicted, after comparison with the interpreter found no difference."""
    model = compile_sop(root, tuple(vocabulary), max_length, dtype=dtype)
    found = verify(root, model, count=count)
    assert found.counterexample is None, f"{root}: {found.counterexample}"
    assert found.undefined < found.count, f"{root} has no value on any input"
    predicted = analyse([root])
    assert model.weights.depth <= predicted.depth, root
    assert sum(model.weights.heads) <= sum(predicted.heads), root
    return model


def program(text: str) -> SOp:
    """The last s-op of a program."""
    return parse_program(text).sop()

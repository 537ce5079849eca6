"""Every kind of storage is in the tables that ask for one, and s-ops are stored as they should be."""

import inspect
from collections.abc import Iterator
from typing import TypeVar

import pytest

from compiler.encodings.computed import Computed
from compiler.encodings.table import ENCODINGS
from compiler.encodings.writers import ByNeurons
from compiler.operations.opaque import Opaque
from compiler.options import Options
from compiler.pipeline import Compilation
from compiler.proof.neurons import RULES
from compiler.storage import Encoding
from compiler.values.analysis import OPAQUE
from rasp.language.program import parse_program

T = TypeVar("T")


def below(kind: type[T]) -> Iterator[type[T]]:
    for found in kind.__subclasses__():
        yield found
        yield from below(found)


def test_the_table_has_every_encoding_and_ends_with_the_one_for_all() -> None:
    concrete = {kind for kind in below(Encoding) if not inspect.isabstract(kind)}  # type: ignore[type-abstract]
    assert set(ENCODINGS) == concrete
    assert len(ENCODINGS) == len(concrete)
    assert ENCODINGS[-1] is Computed


def test_the_proof_has_a_rule_for_all_that_neurons_write() -> None:
    assert set(RULES) == {kind for kind in ENCODINGS if issubclass(kind, ByNeurons)}


def test_every_source_of_its_own_has_a_value_rule() -> None:
    assert set(OPAQUE) == set(below(Opaque))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tokens_int", "Embedded"),
        ("indices * 2", "Embedded"),
        ("aggregate(select(indices, indices + 1, ==), tokens_int)", "Copied"),
        ("aggregate(select(indices, indices, <=), tokens_int)", "Mean"),
        ("length", "Reciprocal"),
        ("selector_width(select(tokens, tokens, ==))", "Reciprocal"),
        ("aggregate(select(indices, indices, <=), tokens_int) > 0.5", "Computed"),
        ("tokens_int + selector_width(select(tokens, tokens, ==))", "Computed"),
    ],
)
def test_how_an_s_op_is_stored(text: str, kind: str) -> None:
    planned = Compilation({"": parse_program(f"it = {text};").sop("it")}, Options("012", 4)).plan
    (root,) = planned.storage.outputs
    assert type(planned.storage.encoding(root)).__name__ == kind

"""The door to the compiler for programs: one can be compiled, and nothing of the compiler is imported until then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from compiler.run.model import CompiledModel

Model: TypeAlias = "CompiledModel"


def compiled(sop: Any, vocab: Any, max_length: int, **options: Any) -> Model:
    """What `compiler.compile` gives."""
    from compiler.pipeline import compile

    return compile(sop, vocab, max_length, **options)

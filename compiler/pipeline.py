"""compile(): the passes in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from compiler.assemble import Assembler
from compiler.ir import ModelWeights
from compiler.lower import lower, plan
from compiler.model import CompiledModel
from compiler.precision import PRECISIONS
from compiler.support import check_options, check_support
from rasp.analyse import analyse
from rasp.elementwise import Atom
from rasp.expression import expression
from rasp.graph import Node, SOp
from rasp.source import Span


def compile_sop(
    sop: SOp,
    vocabulary: Sequence[Atom],
    max_length: int,
    *,
    dtype: str = "float32",
    causal: bool = False,
    name: str | None = None,
    names: Mapping[Node, str] | None = None,
    origins: Mapping[Node, Span] | None = None,
    program: str = "",
) -> CompiledModel:
    """Exact weights for an s-op over a vocabulary, for inputs of 1 to `max_length` tokens.

    `causal` masks every head to keys at or before the query (the interpreter's causal mode is the program then).
    `names` and `origins` (from a Program) name the parts and place the errors; `program` is kept in the artifact.
    Raises DataFault for a bad vocabulary, length or dtype, and Refusal (or Failures, all at once) for what cannot be
    compiled exactly.
    """
    check_options(vocabulary, max_length, dtype)
    precision = PRECISIONS[dtype]
    describe = _describer(names or {})
    values, conjunctions = check_support(sop, vocabulary, max_length, origins or {}, causal)
    analysis = analyse([sop])
    planned = plan(sop, analysis, values, conjunctions, precision)
    symbolic = lower(sop, planned, describe, precision)
    assembler = Assembler(symbolic, dtype)
    W_E, W_pos = assembler.embeddings(len(vocabulary), max_length)  # noqa: N806
    return CompiledModel(
        ModelWeights(
            name=name or describe(sop),
            vocabulary=tuple(vocabulary),
            max_length=max_length,
            dtype=dtype,
            directions=tuple(direction.name for direction in symbolic.directions),
            W_E=W_E,
            W_pos=W_pos,
            layers=tuple(map(assembler.layer, symbolic.layers)),
            output=assembler.readout(symbolic.output),
            guards=tuple(map(assembler.readout, symbolic.guards)),
            causal=causal,
            predicted_heads=tuple(analysis.heads),
            program=program,
        )
    )


def _describer(names: Mapping[Node, str]) -> Callable[[Node], str]:
    return lambda node: expression(node, names)

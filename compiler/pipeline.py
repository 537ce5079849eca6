"""compile(): the passes in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from compiler.assemble import Assembler
from compiler.certify import Certifier
from compiler.ir import ModelWeights
from compiler.lower import lower, plan
from compiler.model import CompiledModel
from compiler.precision import PRECISIONS
from compiler.simplify import rewrite
from compiler.support import check_options, check_support
from rasp.analyse import analyse
from rasp.elementwise import Atom
from rasp.expression import expression
from rasp.graph import Node, SOp
from rasp.source import Span


def compile_sop(
    sop: SOp | Mapping[str, SOp],
    vocabulary: Sequence[Atom],
    max_length: int,
    *,
    dtype: str = "float32",
    causal: bool = False,
    prefer: str = "depth",
    name: str | None = None,
    names: Mapping[Node, str] | None = None,
    origins: Mapping[Node, Span] | None = None,
    program: str = "",
) -> CompiledModel:
    """Exact weights for an s-op (or several, by name) over a vocabulary, for inputs of 1 to `max_length` tokens.

    `causal` masks every head to keys at or before the query (the interpreter's causal mode is the program then).
    `prefer` is `depth` (the predicted layers and heads) or `small` (two narrow heads may stand for a wide one).
    `names` and `origins` (from a Program) name the parts and place the errors; `program` is kept in the artifact.
    Raises DataFault for a bad vocabulary, length or dtype, and Refusal (or Failures, all at once) for what cannot be
    compiled exactly.
    """
    check_options(vocabulary, max_length, dtype, prefer)
    precision = PRECISIONS[dtype]
    given = {name or expression(sop, names): sop} if isinstance(sop, SOp) else dict(sop)
    rewritten = rewrite(tuple(given.values()), names or {}, prefer)
    outputs = dict(zip(given, rewritten.roots, strict=True))
    values, conjunctions = check_support(rewritten.roots, vocabulary, max_length, origins or {}, causal)
    planned = plan(rewritten.roots, analyse(rewritten.roots), values, conjunctions, precision)
    symbolic = lower(outputs, planned, _describer(rewritten.names), precision)
    assembler = Assembler(symbolic, dtype)
    W_E, W_pos = assembler.embeddings(len(vocabulary), max_length)  # noqa: N806
    weights = ModelWeights(
        name=", ".join(outputs),
        vocabulary=tuple(vocabulary),
        max_length=max_length,
        dtype=dtype,
        directions=tuple(direction.name for direction in symbolic.directions),
        W_E=W_E,
        W_pos=W_pos,
        layers=tuple(map(assembler.layer, symbolic.layers)),
        outputs=tuple(map(assembler.readout, symbolic.outputs)),
        guards=tuple(map(assembler.readout, symbolic.guards)),
        causal=causal,
        predicted_heads=tuple(analyse(given.values()).heads),
        program=program,
        notes=rewritten.notes,
    )
    certificate = Certifier(weights, planned, symbolic, conjunctions, precision).certificate()
    return CompiledModel(replace(weights, certificate=certificate))


def _describer(names: Mapping[Node, str]) -> Callable[[Node], str]:
    return lambda node: expression(node, names)

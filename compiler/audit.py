"""A model from a file beside what its program compiles to: all that is in the file is derived anew.

The program is compiled again, and everything in the file that is no weight must be what comes out: outputs and their
values, guards, kinds of numbers, directions, heads, names, notes. The weights themselves may have come about in any
way: they are proved right, as those of a fresh compilation are.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.artifact import description
from compiler.fields import shown
from compiler.functions import Table
from compiler.ir import Certificate, ModelWeights
from compiler.options import Options
from compiler.pipeline import Compilation
from compiler.run.model import CompiledModel
from compiler.source_map import SourceMap
from compiler.timing import Progress, silent
from rasp.errors import DataFault, Failures, RaspError
from rasp.graph import Map, Node, SOp, topological
from rasp.language.program import kept_program
from rasp.source import Source, Span

_PROVED_APART = ("program", "certificate")
_NEAR = 1e-3


@dataclass(frozen=True)
class Audit:
    """What is found of a model file: the certificate, proved anew, or the `reason` why there is none.

    `sops` are the outputs as its program has them; none where it has no program that can be run. `trusted` names the
    Python functions of a program built in Python: their tables are taken as they stand, with how many rows each.
    """

    sops: Mapping[str, SOp]
    certificate: Certificate | None
    reason: str | None
    trusted: Mapping[str, int]


def audit(model: CompiledModel, name: str, *, budget: int = 1, progress: Progress = silent) -> Audit:
    """The audit of a model from a file of that name. No other file is read, and nothing is ever raised for edits.

    Its program may do `budget` times what programs may do. `progress` is told of its passes, as by `compile`.
    """
    weights = model.weights
    trusted = {op.name: len(op.rows) for op in _tables(weights)}
    try:
        compilation = _compilation(weights, name, budget)
        compilation.stopwatch.progress = progress
    except RaspError as error:
        return Audit({}, None, f"its program cannot be run: {_said(error)}", trusted)
    try:
        certificate = _certificate(compilation, weights)
    except RaspError as error:
        return Audit(compilation.outputs, None, _said(error), trusted)
    return Audit(compilation.outputs, certificate, None, trusted)


def _tables(weights: ModelWeights) -> list[Table]:
    ops = {node.op: None for node in topological(weights.sops.values()) if isinstance(node, Map)}
    return [op for op in ops if isinstance(op, Table)]


def _said(error: RaspError) -> str:
    return error.errors[0].message if isinstance(error, Failures) else error.message


def _compilation(weights: ModelWeights, name: str, budget: int) -> Compilation:
    """The compilation of what a file says its program is: the text, or for a model built in Python the graph."""
    program = kept_program(weights.texts, name, budget=budget) if weights.texts else None
    sops = weights.sops if program is None else {output: program.sop(output) for output in weights.output_names}
    options = Options(
        weights.vocabulary,
        weights.max_length,
        dtype=weights.dtype,
        causal=weights.causal,
        prefer=weights.prefer,
        tolerance=weights.tolerance,
        labels=weights.labels,
        masks="auto" if weights.static_masks else "scores",
        interventions=weights.interventions,
    )
    source_map = SourceMap(weights.names, _origins(weights.lines)) if program is None else None
    return Compilation(sops, options, source_map=source_map, program=program)


def _origins(lines: Mapping[Node, int]) -> dict[Node, Span]:
    """Places that are on these lines, of a source whose text is not known."""
    last = max(lines.values(), default=0)
    source = Source("<graph>", "\n" * last)
    return {node: Span(source, line - 1, line - 1) for node, line in lines.items()}


def _certificate(compilation: Compilation, weights: ModelWeights) -> Certificate:
    """The certificate, proved anew. RaspError with the reason where anything is not what the program compiles to."""
    if compilation.program is not None and compilation.program.texts != weights.texts:
        raise DataFault("the texts kept with it are not those that its program loads")
    wanted, found = (json.loads(json.dumps(description(part))) for part in (compilation.weights, weights))
    for place in (key for key in wanted if key not in _PROVED_APART):
        for difference in _differences(place, wanted[place], found[place]):
            raise DataFault(difference)
    certificate = compilation.certify(weights)
    if weights.certificate is not None and not _agree(certificate, weights.certificate):
        raise DataFault("the certificate in it is not the one that is proved of it")
    return certificate


def _differences(place: str, wanted: Any, found: Any) -> Iterator[str]:
    """What is different in two JSON values, down to the kinds of numbers, in words."""
    if isinstance(wanted, dict) and isinstance(found, dict) and wanted.keys() == found.keys():
        for key in wanted:
            yield from _differences(f"{place} {key}", wanted[key], found[key])
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for at, (want, has) in enumerate(zip(wanted, found, strict=True)):
            yield from _differences(f"{place} {at}", want, has)
    elif isinstance(wanted, list) and isinstance(found, list):
        yield f"it has {len(found)} {place}, and its program compiles to {len(wanted)}"
    elif json.dumps(wanted) != json.dumps(found):
        yield f"its {place} is {shown(found)}, and its program compiles to {shown(wanted)}"


def _agree(proved: Certificate, found: Certificate) -> bool:
    """Whether a certificate is the proved one: its headroom may differ by rounding, and so where it is tightest."""
    same = (proved.statement, proved.checks) == (found.statement, found.checks)
    return same and math.isclose(proved.headroom, found.headroom, rel_tol=_NEAR)

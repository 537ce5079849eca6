"""compile(): the passes in order, each a value that can be looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from compiler.assemble import Assembler
from compiler.facts import Facts, check_options
from compiler.functions import Recorder
from compiler.ir import Certificate, LayerWeights, ModelWeights
from compiler.lower import SymbolicModel, lower
from compiler.plan import Plan, plan
from compiler.precision import precision
from compiler.proof.certify import Certifier
from compiler.rewrites.simplify import Rewritten, settle, split
from compiler.run.agreement import accuracies
from compiler.run.model import CompiledModel
from compiler.run.second_opinion import AT_LEAST, SHARE, second_opinion, telling_lengths
from compiler.selectors import Conjunction
from compiler.symbolic import Titles
from compiler.values.analysis import ValueAnalysis
from rasp.errors import Failures, Refusal
from rasp.graph import Node, Selector, SOp, topological
from rasp.language.program import Program
from rasp.layers import Analysis, Head, analyse
from rasp.operations import Atom, atom_key
from rasp.printing import expression
from rasp.recursion import deep_stack
from rasp.source import Span

T = TypeVar("T")


def compile_sop(
    sop: SOp | Mapping[str, SOp],
    vocabulary: Sequence[Atom],
    max_length: int,
    *,
    dtype: str = "float32",
    causal: bool = False,
    prefer: str = "auto",
    tolerance: float | None = None,
    name: str | None = None,
    names: Mapping[Node, str] | None = None,
    origins: Mapping[Node, Span] | None = None,
    program: Program | None = None,
) -> CompiledModel:
    """Exact weights for an s-op (or several, by name) over a vocabulary, for inputs of 1 to `max_length` tokens.

    `causal` masks every head to keys at or before the query (the interpreter's causal mode is the program then).
    `prefer` says whether two narrow heads may stand for a wide one: `auto` where it would need more than 1,024 score
    dimensions, `depth` nowhere (exactly the predicted heads), `small` wherever they can; and, but for `depth`, several
    heads for a width that no single head can tell. Layers are as predicted.
    `tolerance` is how near numbers too many to list must come to the interpreter's, as a share of the larger of the
    result and the smallest number averaged: 1e-5 in float32 and 1e-12 in float64, unless it says otherwise.
    `program` is where the s-ops come from: it names the parts, places the errors, and its texts are kept in the file,
    for `rasp verify` to start from. `names` and `origins` do the first two for s-ops built in Python, whose graph is
    kept in the file.
    Raises DataFault for a bad vocabulary, length or dtype, and Refusal (or Failures, all at once) for what cannot be
    compiled exactly.
    """
    known = program.names if names is None and program else names
    outputs = {name or expression(sop, known): sop} if isinstance(sop, SOp) else dict(sop)
    compilation = Compilation(
        outputs,
        vocabulary,
        max_length,
        dtype=dtype,
        causal=causal,
        prefer=prefer,
        tolerance=tolerance,
        names=names,
        origins=origins,
        program=program,
    )
    return compilation.model()


class Compilation:
    """One compilation, pass by pass: each pass is a value that is made when first asked for.

    In order: `graph`, `support` (values and conjunctions), `schedule`, `layout`, `layers`, `weights`, `certificate`.
    `timings` holds the seconds each pass took.
    """

    def __init__(
        self,
        outputs: Mapping[str, SOp],
        vocabulary: Sequence[Atom],
        max_length: int,
        *,
        dtype: str = "float32",
        causal: bool = False,
        prefer: str = "auto",
        tolerance: float | None = None,
        names: Mapping[Node, str] | None = None,
        origins: Mapping[Node, Span] | None = None,
        program: Program | None = None,
    ) -> None:
        check_options(vocabulary, max_length, dtype, prefer, tolerance)
        self.outputs, self.vocabulary, self.max_length = dict(outputs), tuple(vocabulary), max_length
        self.precision, self.causal, self.prefer = precision(dtype, tolerance), causal, prefer
        self.program = program
        self.names = self._own(names, program.names if program else {})
        self.origins = self._own(origins, program.origins if program else {})
        self.functions = Recorder(list(self.outputs.values()))
        self.facts = Facts(self.vocabulary, max_length, causal)
        self.timings: dict[str, float] = {}

    def _own(self, given: Mapping[Node, T] | None, of_program: Mapping[Node, T]) -> Mapping[Node, T]:
        """What is given of the nodes of the outputs, which is all that a file keeps; else what the program says."""
        if given is None:
            return of_program
        return {node: given[node] for node in topological(self.outputs.values()) if node in given}

    def _timed(self, name: str, compute: Callable[[], T]) -> T:
        start = time.perf_counter()
        with deep_stack():
            result = compute()
        self.timings[name] = self.timings.get(name, 0.0) + time.perf_counter() - start
        return result

    @cached_property
    def graph(self) -> Rewritten:
        """The s-ops to compile: rewritten where `prefer` asks for it, and then as their values allow."""
        found = self._split
        self._timed("values", lambda: self.facts.examine(found.roots))
        return self._timed("graph", lambda: settle(found, self.facts))

    @cached_property
    def _split(self) -> Rewritten:
        roots = tuple(map(self.functions.stand_in, self.outputs.values()))
        given = Rewritten(roots, self.functions.renamed(self.names), self.functions.renamed(self.origins), ())
        return self._timed("graph", lambda: split(given, self.prefer, self.facts))

    @cached_property
    def support(self) -> tuple[ValueAnalysis, dict[Selector, Conjunction]]:
        """The values of every s-op, and every selector as one head computes it. All refusals come from here."""
        graph = self.graph
        self._timed("values", lambda: self._check(graph))
        return self.facts.values, self.facts.conjunctions

    def _check(self, graph: Rewritten) -> None:
        """Nothing, or a refusal in the words of the program rather than of what it was rewritten to."""
        try:
            self.facts.check(graph.roots, graph.origins)
        except (Refusal, Failures):
            self.facts.check(self._split.roots, self._split.origins)
            raise

    @cached_property
    def schedule(self) -> Analysis:
        """Which layer and head computes what."""
        return self._timed("schedule", lambda: analyse(self.graph.roots))

    @cached_property
    def layout(self) -> Plan:
        """What the residual stream holds, and how the heads score."""
        values, conjunctions = self.support
        return self._timed(
            "layout",
            lambda: plan(self.graph.roots, self.schedule, values, conjunctions, self.precision, self._titles),
        )

    @cached_property
    def layers(self) -> SymbolicModel:
        """The network in names: heads and neurons over named directions."""
        outputs = dict(zip(self.outputs, self.graph.roots, strict=True))
        layout = self.layout
        return self._timed("layers", lambda: lower(outputs, layout, self._titles, self.precision))

    @property
    def _titles(self) -> Titles:
        return Titles(self.graph.names, self.graph.origins)

    @cached_property
    def weights(self) -> ModelWeights:
        """The arrays, without a certificate."""
        layers = self.layers
        return self._timed("weights", lambda: self._assembled(layers))

    @cached_property
    def certificate(self) -> Certificate:
        """The proof that the weights are exact."""
        return self.certify(self.weights)

    def certify(self, weights: ModelWeights) -> Certificate:
        """The proof for any weights of this compilation, such as ones read from a file. Refusal where it fails."""
        own = (tuple(map(atom_key, self.vocabulary)), self.max_length, self.precision.name, self.causal)
        if own != (tuple(map(atom_key, weights.vocabulary)), weights.max_length, weights.dtype, weights.causal):
            raise Refusal(f"{weights.name}: the weights are for another vocabulary, length, dtype or mask")
        certifier = Certifier(weights, self.layout, self.layers, self.support[1], self.precision)
        return self._timed("certificate", certifier.certificate)

    def model(self) -> CompiledModel:
        """The compiled model with its certificate. InternalFault where an input shows that it is wrong all the same."""
        weights = replace(self.weights, certificate=self.certificate)
        self._timed("second opinion", lambda: self._compare(CompiledModel(weights)))
        return CompiledModel(weights, self.timings)

    def _compare(self, model: CompiledModel) -> None:
        roots, values = self.graph.roots, self.facts.values
        seconds = SHARE * sum(self.timings.values()) + AT_LEAST
        second_opinion(self.outputs, model, accuracies(model.weights), telling_lengths(roots, values), seconds)

    def _unread(self, found: tuple[int, Head]) -> str:
        layer, head = found
        named = expression(head.selector, self.graph.names)
        return f"no {head.kind} head for {named} in layer {layer}: nobody reads it"

    def _untyped(self, layers: SymbolicModel) -> list[str]:
        """What is said of outputs whose numbers are right, but perhaps not of the interpreter's type."""
        found = [output.name for output in layers.outputs if output.types is not None and not output.types.sure]
        return [f"{name}: whether a number is a float, an int or a bool is not always known" for name in found]

    def _assembled(self, layers: SymbolicModel) -> ModelWeights:
        assembler = Assembler(layers, self.precision.name)
        assembler.check_size()
        before, found = assembler.layers()
        W_E, W_pos = assembler.embeddings(len(self.vocabulary), self.max_length)  # noqa: N806
        return ModelWeights(
            name=", ".join(self.outputs),
            vocabulary=self.vocabulary,
            max_length=self.max_length,
            dtype=self.precision.name,
            directions=tuple(direction.name for direction in layers.directions),
            W_E=W_E,
            W_pos=W_pos,
            input_feed_forwards=before,
            layers=tuple(map(self._linked, found)),
            outputs=tuple(
                replace(assembler.readout(output), node=self.outputs[output.name]) for output in layers.outputs
            ),
            guards=tuple(map(assembler.readout, layers.guards)),
            causal=self.causal,
            prefer=self.prefer,
            tolerance=self.precision.tolerance,
            predicted_heads=tuple(analyse(self.outputs.values()).heads),
            notes=(*self.graph.notes, *map(self._unread, self.layout.unread), *self._untyped(layers)),
            names=self.names,
            lines=self._lines(),
            tables=self.functions.tables,
            texts=self.program.texts if self.program else (),
        )

    def _linked(self, layer: LayerWeights) -> LayerWeights:
        """The layer with each head linked to a selector of the program's own functions, not of their stand-ins."""
        heads = (replace(head, selector=self.functions.original(head.selector)) for head in layer.heads)
        return replace(layer, heads=tuple(heads))

    def _lines(self) -> dict[Node, int]:
        titles = Titles({}, self.origins)
        found = {node: titles.line(node) for node in self.origins}
        return {node: line for node, line in found.items() if line is not None}

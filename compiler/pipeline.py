"""compile(): the passes in order, each a value that can be looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from compiler.assemble import Assembler
from compiler.contract import model_weights, unread_note
from compiler.facts import Facts
from compiler.functions import Recorder
from compiler.held import held
from compiler.ir import Certificate, ModelWeights
from compiler.lower import SymbolicModel, lower
from compiler.options import Options
from compiler.plan import Plan, plan
from compiler.proof.certify import Certifier
from compiler.rewrites.simplify import Rewritten, settle, split
from compiler.run.agreement import accuracies
from compiler.run.model import CompiledModel
from compiler.run.second_opinion import AT_LEAST, SHARE, second_opinion, telling_lengths
from compiler.source_map import SourceMap
from compiler.timing import Progress, Stopwatch, silent
from rasp.errors import Failures, Refusal
from rasp.graph import Node, SOp
from rasp.language.program import Program
from rasp.layers import Analysis, analyse
from rasp.operations import Atom, atom_key
from rasp.origins import known, program_of
from rasp.printing import expression
from rasp.recursion import deep_stack
from rasp.source import Span

T = TypeVar("T")
LARGE = 50_000
MUCH = 4


def compile(
    sop: SOp | Mapping[str, SOp],
    vocab: str | Iterable[Atom],
    max_length: int,
    *,
    dtype: str = "float32",
    causal: bool = False,
    prefer: str = "auto",
    tolerance: float | None = None,
    name: str | None = None,
    source_map: SourceMap | None = None,
    program: Program | None = None,
    progress: Progress = silent,
) -> CompiledModel:
    """Exact weights for an s-op (or several, by name) over a vocabulary, for inputs of 1 to `max_length` tokens.

    `Options` says what the vocabulary and the options mean. `program` is where the s-ops come from: it names the parts,
    places the errors, and its texts are kept in the file, for `rasp verify` to start from. It need not be given: an
    s-op knows the program that it was taken from, and those built in Python know their lines and what `named` called
    them (their graph is kept in the file). `source_map` says otherwise. `progress(done, total, name)` is called as each
    pass begins, with the share of the work that is done by then, about. Raises DataFault for a bad vocabulary or
    option, and Refusal (or Failures, all at once) for what cannot be compiled exactly.
    """
    options = Options(vocab, max_length, dtype=dtype, causal=causal, prefer=prefer, tolerance=tolerance)
    alone = source_map is None and program is None
    if alone:
        source_map = SourceMap(*known([sop] if isinstance(sop, SOp) else sop.values()))
    names = source_map.names if source_map else program.names if program else None
    outputs = {name or expression(sop, names): sop} if isinstance(sop, SOp) else dict(sop)
    program = _common_program(outputs) if alone else program
    return Compilation(outputs, options, source_map=source_map, program=program, progress=progress).model()


def _common_program(outputs: Mapping[str, SOp]) -> Program | None:
    """The program that all the s-ops were taken from, where it calls them what they are called here."""
    found = {id(program): program for sop in outputs.values() if (program := program_of(sop, Program)) is not None}
    program = next(iter(found.values()), None)
    if program is None or len(found) > 1:
        return None
    return program if all(program.variables.get(name) is sop for name, sop in outputs.items()) else None


def _step(name: str) -> Callable[[Callable[[Compilation], T]], cached_property[T]]:
    """A pass: a value made when first asked for, whose own seconds count to a name of the timings."""

    def of(make: Callable[[Compilation], T]) -> cached_property[T]:
        def made(self: Compilation) -> T:
            with deep_stack(), self.stopwatch.running(name):
                return make(self)

        made.__doc__ = make.__doc__
        return cached_property(made)

    return of


class Compilation:
    """One compilation, pass by pass, in the order in which they stand here: each is a value, made when first asked for.

    `timings` holds the seconds each pass took.
    """

    def __init__(
        self,
        outputs: Mapping[str, SOp],
        options: Options,
        *,
        source_map: SourceMap | None = None,
        program: Program | None = None,
        progress: Progress = silent,
    ) -> None:
        self.outputs, self.options, self.program = dict(outputs), options, program
        of_program = SourceMap(program.names, program.origins) if program else SourceMap()
        self.source_map = of_program if source_map is None else source_map.of_graph(self.outputs.values())
        self.functions = Recorder(list(self.outputs.values()))
        self.facts = Facts(options)
        self.stopwatch = Stopwatch(progress)

    @property
    def timings(self) -> dict[str, float]:
        return self.stopwatch.seconds

    @_step("graph")
    def given(self) -> Rewritten:
        """The s-ops as the program has them, Python functions as what records their answers."""
        roots = tuple(map(self.functions.stand_in, self.outputs.values()))
        return Rewritten(roots, self.source_map.moved(self.functions.stand_in), ())

    @_step("graph")
    def split(self) -> Rewritten:
        """The s-ops rewritten where `prefer` asks for it, and to what single heads compute."""
        return split(self.given, self.preference, self.facts)

    @_step("graph")
    def preference(self) -> str:
        """What `prefer` comes to: `auto` is `small` where that makes a large model much smaller."""
        if self.options.prefer != "auto":
            return self.options.prefer
        few, many = (_Trial(self, prefer) for prefer in ("auto", "small"))
        is_same = all(one is other for one, other in zip(few.split.roots, many.split.roots, strict=True))
        return "auto" if is_same or not many.is_much_smaller(few) else "small"

    @_step("graph")
    def graph(self) -> Rewritten:
        """The s-ops to compile: rewritten as their values allow as well."""
        with self.stopwatch.running("values"):
            self.facts.examine(self.split.roots)
        return settle(self.split, self.facts)

    @_step("values")
    def checked(self) -> Facts:
        """The values of every s-op, and every selector as one head computes it. All refusals come from here.

        They are in the words of the program, where it is refused as well, rather than of what it was rewritten to.
        """
        graph = self.graph
        try:
            self.facts.check(graph.roots, graph.source_map)
        except (Refusal, Failures):
            self.facts.check(self.split.roots, self.split.source_map)
            raise
        return self.facts

    @_step("schedule")
    def schedule(self) -> Analysis:
        """Which layer and head computes what."""
        return analyse(self.graph.roots)

    @_step("layout")
    def plan(self) -> Plan:
        """What the residual stream holds, and how the heads score."""
        return plan(self.graph.roots, self.schedule, self.checked, self.options.precision, self.graph.source_map)

    @_step("layers")
    def symbolic(self) -> SymbolicModel:
        """The network in names: heads and neurons over named directions."""
        outputs = dict(zip(self.outputs, self.graph.roots, strict=True))
        return lower(outputs, self.plan, self.graph.source_map, self.options.precision)

    @_step("weights")
    def weights(self) -> ModelWeights:
        """The arrays, without a certificate."""
        notes = [
            *self.graph.notes,
            *(unread_note(layer, head, self.graph.source_map) for layer, head in self.plan.unread),
        ]
        texts = self.program.texts if self.program else ()
        found = held(self.symbolic, self.graph.roots, self.graph_names, self.functions.original)
        shown = self.source_map, self.functions, texts, notes, found
        return model_weights(self.symbolic, self.outputs, self.options, *shown)

    @property
    def graph_names(self) -> dict[Node, str]:
        """What the nodes to compile are called: as in the program, and outputs as they are asked for."""
        return {**dict(zip(self.graph.roots, self.outputs, strict=True)), **self.graph.source_map.names}

    @_step("certificate")
    def certificate(self) -> Certificate:
        """The proof that the weights are exact."""
        return self.certify(self.weights)

    def certify(self, weights: ModelWeights) -> Certificate:
        """The proof for any weights of this compilation, such as ones read from a file. Refusal where it fails."""
        own = (*map(atom_key, self.options.vocab), self.options.max_length, self.options.dtype, self.options.causal)
        if own != (*map(atom_key, weights.vocabulary), weights.max_length, weights.dtype, weights.causal):
            raise Refusal(f"{weights.name}: the weights are for another vocabulary, length, dtype or mask")
        certifier = Certifier(weights, self.plan, self.symbolic, self.checked.conjunctions, self.options.precision)
        with deep_stack(), self.stopwatch.running("certificate"):
            return certifier.certificate()

    def model(self) -> CompiledModel:
        """The compiled model with its certificate. InternalFault where an input shows that it is wrong all the same."""
        weights = replace(self.weights, certificate=self.certificate)
        with deep_stack(), self.stopwatch.running("second opinion"):
            self._compare(CompiledModel(weights))
        return CompiledModel(weights, self.timings)

    def _compare(self, model: CompiledModel) -> None:
        lengths = telling_lengths(self.graph.roots, self.facts.values)
        seconds = SHARE * sum(self.timings.values()) + AT_LEAST
        second_opinion(self.outputs, model, accuracies(model.weights), lengths, seconds)


class _Trial(Compilation):
    """A compilation with another preference, as far as its size is known."""

    def __init__(self, of: Compilation, prefer: str) -> None:
        super().__init__(of.outputs, of.options, source_map=of.source_map)
        self.preference = prefer

    @property
    def size(self) -> float:
        """How many parameters the model would have; infinity where it is refused."""
        try:
            return Assembler(self.symbolic, self.options.dtype).size
        except (Refusal, Failures):
            return math.inf

    def is_much_smaller(self, other: _Trial) -> bool:
        """Whether the other one is large, and this one a quarter of it or less."""
        return LARGE < other.size < math.inf and MUCH * self.size <= other.size


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
    """What `compile` was called before, for one release: a text is a vocabulary of its characters."""
    given = names is not None or origins is not None
    of_program = SourceMap(program.names, program.origins) if program else SourceMap()
    source_map = SourceMap(
        of_program.names if names is None else names, of_program.origins if origins is None else origins
    )
    return compile(
        sop,
        tuple(vocabulary),
        max_length,
        dtype=dtype,
        causal=causal,
        prefer=prefer,
        tolerance=tolerance,
        name=name,
        source_map=source_map if given or program is None else None,
        program=program,
    )

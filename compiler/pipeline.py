"""compile(): the passes in order, each a value that can be looked at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TypeVar

from compiler.contract import model_weights, static_notes, unread_note
from compiler.facts import Facts
from compiler.functions import Recorder
from compiler.held import held
from compiler.ir import Certificate, ModelWeights
from compiler.lower import SymbolicModel
from compiler.options import Options
from compiler.passes import Passes, timed
from compiler.plan import Plan
from compiler.proof.certify import Certifier
from compiler.rewrites.simplify import Rewritten, exchanged, opened, splits_widths
from compiler.run.agreement import accuracies
from compiler.run.model import CompiledModel
from compiler.run.second_opinion import AT_LEAST, SHARE, second_opinion, telling_lengths
from compiler.source_map import SourceMap
from compiler.timing import Progress, Stopwatch, silent
from compiler.values.analysis import MAX_TUPLES, Analyses
from compiler.ways_out import WayOut, changes, other_options, shorter, with_way_out
from rasp.errors import Failures, RaspError, Refusal
from rasp.graph import Node, SOp, topological
from rasp.interventions import sop_called
from rasp.language.program import Program
from rasp.layers import Analysis
from rasp.operations import Atom, atom_key
from rasp.origins import known, program_of
from rasp.printing import expression
from rasp.recursion import deep_stack
from rasp.source import Span

T = TypeVar("T")
LARGE = 50_000
MUCH = 4
TRIED_ROWS = 50_000
MOST_BOUNDED = 3


def compile(
    sop: SOp | Mapping[str, SOp],
    vocab: str | Iterable[Atom],
    max_length: int,
    *,
    dtype: str = "float32",
    causal: bool = False,
    prefer: str = "auto",
    tolerance: float | None = None,
    masks: str = "scores",
    labels: str | Iterable[Atom] = (),
    name: str | None = None,
    source_map: SourceMap | None = None,
    program: Program | None = None,
    interventions: str | SOp | Iterable[str | SOp] = (),
    progress: Progress = silent,
) -> CompiledModel:
    """Exact weights for an s-op (or several, by name) over a vocabulary, for inputs of 1 to `max_length` tokens.

    `Options` says what the vocabulary and the options mean. `program` is where the s-ops come from: it names the parts,
    places the errors, and its texts are kept in the file, for `rasp verify` to start from. It need not be given: an
    s-op knows the program that it was taken from, and those built in Python know their lines and what `named` called
    them (their graph is kept in the file). `source_map` says otherwise. `interventions` are s-ops, or their names, that
    are stored so that `model.intervene` may put any value they can take in their place, at any position: the
    certificate then holds for that as well, and the model gives what `rasp.evaluate(…, given=…)` gives.
    `progress(done, total, name)` is called as each pass begins, with the share of the work that is done by then, about.
    Raises DataFault for a bad vocabulary or option, NameFault for an intervention on what is not there, and Refusal (or
    Failures, all at once) for what cannot be compiled exactly.
    """
    alone = source_map is None and program is None
    if alone:
        source_map = SourceMap(*known([sop] if isinstance(sop, SOp) else sop.values()))
    names = dict(source_map.names if source_map else program.names if program else {})
    outputs = {name or expression(sop, names): sop} if isinstance(sop, SOp) else dict(sop)
    program = _common_program(outputs) if alone else program
    wanted = _several(interventions)
    nameless: dict[Node, str] = {
        one: expression(one, names) for one in wanted if isinstance(one, SOp) and one not in names
    }
    if nameless:  # its text would not say which these are: the graph does
        of_program = SourceMap(program.names, program.origins) if program else SourceMap()
        source_map, program = (source_map or of_program).with_names(nameless), None
    names |= nameless
    asked = [one if isinstance(one, str) else names[one] for one in wanted]
    options = Options(
        vocab,
        max_length,
        dtype=dtype,
        causal=causal,
        prefer=prefer,
        tolerance=tolerance,
        masks=masks,
        interventions=asked,
        labels=labels,
    )
    return Compilation(outputs, options, source_map=source_map, program=program, progress=progress).model()


def _several(interventions: str | SOp | Iterable[str | SOp]) -> list[str | SOp]:
    """One s-op or name, or several, as a list."""
    return [interventions] if isinstance(interventions, (str, SOp)) else list(interventions)


def _common_program(outputs: Mapping[str, SOp]) -> Program | None:
    """The program that all the s-ops were taken from, where it calls them what they are called here."""
    found = {id(program): program for sop in outputs.values() if (program := program_of(sop, Program)) is not None}
    program = next(iter(found.values()), None)
    if program is None or len(found) > 1:
        return None
    return program if all(program.variables.get(name) is sop for name, sop in outputs.items()) else None


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
        self.outputs: dict[str, SOp] = dict(outputs)
        self.options: Options = options
        self.program: Program | None = program
        of_program = SourceMap(program.names, program.origins) if program else SourceMap()
        self.source_map: SourceMap = of_program if source_map is None else source_map.of_graph(self.outputs.values())
        self.functions: Recorder = Recorder(list(self.outputs.values()))
        self.stopwatch: Stopwatch = Stopwatch(progress)
        self._analyses: Analyses = Analyses(options)

    @property
    def timings(self) -> dict[str, float]:
        return self.stopwatch.seconds

    @cached_property
    @timed("graph")
    def given(self) -> Rewritten:
        """The s-ops as the program has them, Python functions as what records their answers."""
        roots = tuple(map(self.functions.stand_in, self.outputs.values()))
        found = Rewritten(roots, self.source_map.moved(self.functions.stand_in), ())
        return opened(found, [self._intervened(name, found) for name in self.options.interventions])

    def _intervened(self, name: str, found: Rewritten) -> SOp:
        """The s-op of that name. NameFault where there is none, or several."""
        names: dict[Node, str] = dict(zip(found.roots, self.outputs, strict=True))
        names |= found.source_map.names
        return sop_called(name, {node: [names[node]] for node in topological(found.roots) if node in names})

    @cached_property
    def passes(self) -> Passes:
        """The way to go: what makes the model small. `auto` is `small` where that makes a large model much smaller."""
        if self.options.prefer != "auto":
            return self._smaller(self.options.prefer)
        few = self._smaller("auto")
        if few.size <= LARGE or not splits_widths((*self.given.roots, *few.split.roots)):
            return few
        many = self._smaller("small", [few])
        if all(one is other for one, other in zip(few.split.roots, many.split.roots, strict=True)):
            return few
        return many if few.size < math.inf and MUCH * many.size <= few.size else few

    def _smaller(self, prefer: str, known: Sequence[Passes] = ()) -> Passes:
        """The smaller way; where it is refused, the one that computes as well how the interpreter rounds means.

        Where all are refused, the one whose reason tells most of what to do. What comes to the same as a `known` way,
        or as one that was refused, is not tried again.
        """
        refused: list[Passes] = []
        for settles_ties in (False, True):
            tried = self._tried(prefer, settles_ties, [*known, *refused])
            found = min(tried, key=lambda way: way.size)
            if found.size == math.inf:
                found = min(map(_fitting, tried), key=lambda way: way.size)
            if found.size < math.inf:
                found.facts.list_up_to(MAX_TUPLES)
                return found
            refused += tried
        return min(refused, key=lambda way: way.is_about_combinations)

    def _tried(self, prefer: str, settles_ties: bool, known: Sequence[Passes]) -> list[Passes]:
        """What is made at once and what is made in steps, if that is not the same.

        At once, combinations are listed up to TRIED_ROWS only, unless it is the only way.
        """
        steps = self._way(known, prefer, in_steps=True, settles_ties=settles_ties)
        if not steps.stores_parts:
            return [steps]
        whole = self._way(known, prefer, most_rows=TRIED_ROWS, settles_ties=settles_ties)
        if any(way.size < math.inf for way in (steps, whole)):
            return [steps, whole]
        if self._analyses.is_limited(TRIED_ROWS):
            whole = self._way(known, prefer, settles_ties=settles_ties)
        return [whole, steps]

    def _way(
        self,
        known: Sequence[Passes],
        prefer: str,
        *,
        in_steps: bool = False,
        most_rows: int = MAX_TUPLES,
        settles_ties: bool = False,
    ) -> Passes:
        found = Passes(
            tuple(self.outputs),
            self.given,
            self._analyses,
            self.stopwatch,
            prefer,
            in_steps=in_steps,
            most_rows=most_rows,
            settles_ties=settles_ties,
        )
        return next((way for way in known if way.comes_to(found)), found)

    @property
    def facts(self) -> Facts:
        """What is known of s-ops and selectors."""
        return self.passes.facts

    @property
    def split(self) -> Rewritten:
        """The s-ops rewritten where `prefer` asks for it, and to what single heads compute."""
        return self.passes.split

    @property
    def graph(self) -> Rewritten:
        """The s-ops to compile: rewritten as their values allow as well."""
        return self.passes.graph

    @property
    def checked(self) -> Facts:
        """The values of every s-op, and every selector as one head computes it."""
        return self.passes.checked

    @property
    def schedule(self) -> Analysis:
        """Which layer and head computes what."""
        return self.passes.schedule

    @property
    def plan(self) -> Plan:
        """What the residual stream holds, and how the heads score."""
        return self.passes.plan

    @property
    def symbolic(self) -> SymbolicModel:
        """The network in names: heads and neurons over named directions."""
        return self.passes.symbolic

    @cached_property
    @timed("weights")
    def weights(self) -> ModelWeights:
        """The arrays, without a certificate."""
        symbolic = self.symbolic
        notes = [
            *self.graph.notes,
            *(unread_note(layer, head, self.graph.source_map) for layer, head in self.plan.unread),
            *static_notes(self.plan, self.graph.source_map),
        ]
        texts = self.program.texts if self.program else ()
        found = held(symbolic, self.graph.roots, self.graph_names, self.functions.original)
        shown = self.source_map, self.functions, texts, notes, found
        return model_weights(symbolic, self.outputs, self.options, *shown)

    @property
    def graph_names(self) -> dict[Node, str]:
        """What the nodes to compile are called: as in the program, and outputs as they are asked for."""
        return {**dict(zip(self.graph.roots, self.outputs, strict=True)), **self.graph.source_map.names}

    @cached_property
    @timed("certificate")
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
        try:
            weights = replace(self.weights, certificate=self.certificate)
        except (Refusal, Failures) as error:
            raise self._with_way_out(error) from error.__cause__
        with deep_stack(), self.stopwatch.running("second opinion"):
            self._compare(CompiledModel(weights))
        return CompiledModel(weights, self.timings)

    def _with_way_out(self, error: RaspError) -> RaspError:
        """The refusal with what helps, as far as trying does not take long."""
        return with_way_out(error, self.ways_out(error))

    def ways_out(self, error: RaspError) -> Iterator[WayOut]:
        """What may help: other options, a number that is rounded (not where others may be put in), a smaller length."""
        for flag, options in other_options(error, self.options):
            yield WayOut(flag, partial(self._compiles, self.outputs, self.source_map, options))
        parts = () if self.options.interventions else changes(error, self.given.roots, self.given.source_map)
        for text, part, new in parts:
            changed = exchanged(self.given, part, new)
            outputs = dict(zip(self.outputs, changed.roots, strict=True))
            yield WayOut(text, partial(self._compiles, outputs, changed.source_map, self.options), is_option=False)
        for flag, options in shorter(self.options):
            yield WayOut(flag, partial(self._compiles, self.outputs, self.source_map, options))

    def _compiles(self, outputs: Mapping[str, SOp], source_map: SourceMap, options: Options) -> bool:
        """Whether s-ops compile with some options, certificate and all."""
        other = Compilation(outputs, options, source_map=source_map, program=self.program)
        try:
            return bool(other.certificate.statement)
        except (Refusal, Failures):
            return False

    def _compare(self, model: CompiledModel) -> None:
        lengths = telling_lengths(self.graph.roots, self.facts.values)
        seconds = SHARE * sum(self.timings.values()) + AT_LEAST
        second_opinion(self.outputs, model, accuracies(model.weights), lengths, seconds)


def _fitting(way: Passes) -> Passes:
    """A way to go; where it is refused as it lists means whose values lie too close together, one that does not."""
    coarser: Passes | None = way
    for _ in range(MOST_BOUNDED):
        coarser = coarser.coarser if coarser is not None and coarser.size == math.inf else coarser
    return way if coarser is None or coarser.size == math.inf else coarser


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

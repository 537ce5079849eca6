"""The subcommands compile and verify: for each `NAME_arguments(parser)` and `NAME_run(args)`, which gives the
exit status."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from compiler.artifact import save
from compiler.audit import Audit, audit
from compiler.emit import STAGES, emit
from compiler.ir import Certificate
from compiler.options import MASKS, PREFERENCES, Options
from compiler.pipeline import Compilation
from compiler.precision import PRECISIONS
from compiler.report import counts, report
from compiler.run.model import ENGINES, CompiledModel, Runtime
from compiler.run.resumed import ResumeFault
from compiler.run.verify import EXHAUSTIVE, Counterexample, Verification, verify, verify_on
from compiler.run.workers import BACKENDS, Workers
from rasp.arguments import examples
from rasp.errors import RaspError
from rasp.graph import SOp
from rasp.inputs import given_inputs, input_arguments, json_of, sequence_of, tokens_of
from rasp.language.budget import budget_argument
from rasp.language.header import MissingSize, model_size, size_arguments
from rasp.language.parameters import given_parameters, parameter_argument
from rasp.language.program import Program, load_program
from rasp.operations import Atom
from rasp.progress import Bar
from rasp.streams import say, warn
from rasp.visible import visible


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a count is a number from 1 on, not {text!r}")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for part in text.split(",") if (name := part.strip()))


def _compile_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "names", metavar="NAME", nargs="*", default=[], help="s-ops (default: the last one of the program)"
    )
    size_arguments(parser)
    parser.add_argument("--causal", action="store_true", help="decoder-only: no position attends to later ones")
    parser.add_argument(
        "--prefer",
        choices=list(PREFERENCES),
        default="auto",
        help="whether two narrow heads stand for a wide one: auto (default): where it would need more than 1,024 score "
        "dimensions, or a model of over 50,000 parameters becomes a quarter as large; depth: never, so that heads and "
        "layers are as predicted; small: wherever they can",
    )
    parser.add_argument(
        "--masks",
        choices=list(MASKS),
        default="scores",
        help="what depends on positions alone, such as a window: scores (default), as in the paper; auto: masks, which "
        "make the model smaller",
    )
    parser.add_argument(
        "--labels", metavar="LABELS", default="", help="labels that edges of the input may have, as tokens are written"
    )
    parser.add_argument(
        "--interventions",
        metavar="NAMES",
        type=_names,
        default=(),
        help="s-ops, as in level,opened, that are stored so that `rasp infer --intervene` may put any value they can "
        "take in their place; the certificate then holds for that as well",
    )
    parser.add_argument("--dtype", choices=list(PRECISIONS), default="float32", help="float type of the weights")
    parser.add_argument(
        "--tolerance",
        type=float,
        metavar="T",
        help="how near numbers too many to list must come to the interpreter's, as a share of the larger of the result "
        "and the smallest number averaged (default: 1e-5 in float32, 1e-12 in float64)",
    )
    input_arguments(parser)
    budget_argument(parser)
    parameter_argument(parser)


@dataclass(frozen=True)
class _Subject:
    """What a compile command works on."""

    program: Program
    names: list[str]
    options: Options

    @property
    def sops(self) -> dict[str, SOp]:
        names = self.names or [str(self.program.default)]
        return {name: self.program.sop(name) for name in names}

    @contextmanager
    def compilation(self) -> Iterator[Compilation]:
        """The compilation, with a bar while its passes run."""
        with Bar("compiling") as bar:
            yield Compilation(self.sops, self.options, program=self.program, progress=bar.tell)

    def compile(self) -> CompiledModel:
        with self.compilation() as compilation:
            return compilation.model()

    def emit(self, stage: str) -> str:
        with self.compilation() as compilation:
            return emit(compilation, stage)


def _subject(args: argparse.Namespace) -> _Subject:
    """The program, and vocabulary and length as given or as the inputs have them (which is said)."""
    program = load_program(args.file, budget=args.budget, **given_parameters(args))
    for name in args.names or [None]:
        program.sop(name)
    inputs = [tokens_of(given) for given in given_inputs(args)]
    try:
        size = model_size(program.header, args.vocab, args.max_length, inputs)
    except MissingSize as error:
        args.parser.error(f"{error.message}; {error.hint}")
    for remark in size.remarks:
        warn(remark)
    chosen = {"dtype": args.dtype, "causal": args.causal, "prefer": args.prefer, "tolerance": args.tolerance}
    chosen |= {"masks": args.masks, "labels": args.labels, "interventions": args.interventions}
    return _Subject(program, args.names, Options(size.vocabulary, size.max_length, **chosen))


# -- compile


def compile_arguments(parser: argparse.ArgumentParser) -> None:
    examples(
        parser,
        'rasp compile programs/reverse.rasp --vocab "a-z " --max-length 20 -o reverse.safetensors',
        "rasp compile programs/sort.rasp --vocab 0..9 --max-length 12 --json",
        "rasp compile programs/dyck2.rasp --interventions level -o dyck2.safetensors",
        "rasp compile programs/dyck2.rasp --emit schedule",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    _compile_options(parser)
    parser.add_argument("-o", "--output", metavar="OUT.safetensors", help="the file to write")
    parser.add_argument("--emit", choices=list(STAGES), help="print one pass of the compiler and stop there")
    parser.add_argument("--json", action="store_true", help="one JSON object: layers, heads, d_model, parameters")


def compile_run(args: argparse.Namespace) -> int:
    """Compiles an s-op, reports the size of the transformer, and saves it where a file is named."""
    subject = _subject(args)
    if args.emit is not None:
        say(subject.emit(args.emit))
        return 0
    model = subject.compile()
    if args.output is not None:
        save(model, args.output)
    if args.json:
        say(json.dumps(counts(model)))
        return 0
    say(report(model, shutil.get_terminal_size().columns if sys.stdout.isatty() else None))
    if args.output is not None:
        say(f"saved as {visible(args.output)}")
    return 0


# -- verify

# What makes a runtime ready for a model, by the name of the runtime.
Runtimes: TypeAlias = "Mapping[str, Callable[[CompiledModel], Runtime]]"


def verify_arguments(parser: argparse.ArgumentParser, runtimes: Runtimes) -> None:
    examples(
        parser,
        "rasp verify programs/histogram.rasp --vocab a-c --max-length 8",
        "rasp compile programs/reverse.rasp -o reverse.safetensors",
        "rasp verify reverse.safetensors --count 500",
        "rasp verify reverse.safetensors --runtime sparse --count 500",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program, or a compiled model (.safetensors or .onnx)")
    _compile_options(parser)
    parser.add_argument(
        "--runtime",
        choices=list(runtimes),
        action="append",
        help="where inputs are replayed, instead of numpy and torch; may be repeated",
    )
    parser.add_argument("--count", type=_count, default=2_000, metavar="K", help="random inputs (default 2000)")
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"every input there is, however many (default: every one where there are at most {EXHAUSTIVE:,}); where a "
        "program reads relations, inputs are always random",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random inputs (default 0)")
    parser.add_argument("--json", action="store_true", help="one JSON object: inputs compared and the first difference")
    parser.add_argument(
        "--workers",
        type=_count,
        metavar="K",
        help="processes at most, where a check is long enough to pay for starting them (default: one a core); the "
        "verdict is the same with any number. Runtimes other than numpy and torch replay in one process",
    )
    parser.add_argument(
        "--backend",
        choices=BACKENDS,
        default="loky",
        help="whose processes: loky (default), the cores of this machine, or dask, the cluster whose scheduler the "
        "environment variable DASK_SCHEDULER_ADDRESS names",
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="FILE",
        help="keep in FILE what is done, until all is: interrupted, the same command goes on from there",
    )


def verify_run(args: argparse.Namespace, load: Callable[[str], CompiledModel], runtimes: Runtimes) -> int:
    """Compares interpreter and engines; exit status 1 at a difference, and where nothing is certified."""
    workers = Workers(args.workers, args.backend)
    workers.check()
    saved = args.file.endswith((".safetensors", ".onnx"))
    model, audited = _saved(args, load) if saved else _compiled(args)
    model.runtimes |= {name: runtimes[name](model) for name in args.runtime or ()}
    engines = tuple(args.runtime or (*ENGINES, *model.runtimes))
    found, reason = _compared(args, model, audited, engines, workers)
    verdict = _Verdict(model.weights.name, engines, found, audited.certificate, reason, audited.trusted)
    say(json.dumps(verdict.as_json) if args.json else "\n".join(map(visible, verdict.lines())))
    return int(verdict.certificate is None)


def _compared(
    args: argparse.Namespace, model: CompiledModel, audited: Audit, engines: tuple[str, ...], workers: Workers
) -> tuple[Verification | None, str | None]:
    """What comes of comparing the model with its program, if it can be, and why nothing is certified, if nothing is."""
    if not set(model.weights.output_names) <= set(audited.sops):
        return None, audited.reason
    given = verify_on(audited.sops, model, map(sequence_of, given_inputs(args)), engines=engines)
    if given.counterexample is not None:
        return given, audited.reason
    options = {"count": args.count, "seed": args.seed, "workers": workers, "resume": args.resume}
    options |= {"exhaustive": sys.maxsize} if args.all else {}
    try:
        with Bar("comparing") as bar:
            found = verify(audited.sops, model, engines=engines, progress=bar.tell, **options)
    except ResumeFault:
        raise
    except KeyboardInterrupt:
        if args.resume is not None:
            warn(f"what is done is kept in {visible(str(args.resume))}; the same command goes on from there")
        raise
    except RaspError as error:
        return None, audited.reason or f"it cannot be compared: {error.message}"
    return replace(found, given=given.given, undefined=found.undefined + given.undefined), audited.reason


def _compiled(args: argparse.Namespace) -> tuple[CompiledModel, Audit]:
    subject = _subject(args)
    model = subject.compile()
    return model, Audit(subject.sops, model.weights.certificate, None, {})


def _saved(args: argparse.Namespace, load: Callable[[str], CompiledModel]) -> tuple[CompiledModel, Audit]:
    if args.names or args.vocab or args.max_length:
        args.parser.error("a compiled model has its own s-op, vocabulary and maximum length")
    model = load(args.file)
    with Bar("compiling") as bar:
        return model, audit(model, args.file, budget=args.budget, progress=bar.tell)


@dataclass(frozen=True)
class _Verdict:
    """What verify has found: the comparison, if there could be one, and the certificate or why there is none."""

    name: str
    engines: tuple[str, ...]
    comparison: Verification | None
    proved: Certificate | None
    reason: str | None
    trusted: Mapping[str, int]

    @property
    def example(self) -> Counterexample | None:
        return None if self.comparison is None else self.comparison.counterexample

    @property
    def certificate(self) -> Certificate | None:
        """The certificate; none beside a counterexample, or where nothing was compared."""
        return None if self.example is not None or self.comparison is None else self.proved

    @property
    def as_json(self) -> dict[str, Any]:
        example, found = self.example, self.comparison
        return {
            "name": self.name,
            "engines": self.engines,
            "equal": None if found is None else example is None,
            "inputs": 0 if found is None else found.count,
            "given": 0 if found is None else found.given,
            "exhaustive": found is not None and found.exhaustive,
            "undefined": 0 if found is None else found.undefined,
            "certificate": None if self.certificate is None else self.certificate.statement,
            "reason": self.reason,
            "trusted": dict(self.trusted),
            "counterexample": None if example is None else _difference(example),
        }

    def lines(self) -> Iterator[str]:
        """The verdict as text."""
        if self.example is not None:
            assert self.comparison is not None
            yield from _shown_difference(self.example, self.comparison.count)
        elif self.comparison is not None:
            which = "all" if self.comparison.exhaustive else "random and boundary"
            given = f" and {self.comparison.given:,} given" if self.comparison.given else ""
            count = f"{self.comparison.count:,} inputs ({which} inputs){given}"
            *most, last = ("interpreter", *self.engines)
            yield f"{self.name}: {', '.join(most)} and {last} agree on {count}"
        else:
            yield f"{self.name}: nothing to compare with"
        yield from self._certified()

    def _certified(self) -> Iterator[str]:
        if self.certificate is not None:
            yield f"  certified: {self.certificate.statement}"
        elif self.reason is not None or self.example is None:
            yield f"  not certified: {self.reason}"
        for name, rows in self.trusted.items():
            yield f"  taken on trust: the table of the Python function {name}, {rows:,} rows"
        if self.example is None and self.comparison is not None and self.comparison.undefined:
            yield f"  on {self.comparison.undefined:,} of them the program has no value, and the model says so"


def verdict(model: CompiledModel) -> str:
    """What comes of comparing a model that was compiled just now with its program, and its certificate, as text."""
    found = verify(model.weights.sops, model)
    certificate = model.weights.certificate
    return "\n".join(_Verdict(model.weights.name, ENGINES, found, certificate, None, {}).lines())


def _difference(example: Counterexample) -> dict[str, Any]:
    return {
        "output": example.output,
        "input": json_of(example.tokens),
        "engine": example.engine,
        "expected": example.expected,
        "found": example.found,
    }


def _shown_difference(example: Counterexample, count: int) -> Iterator[str]:
    yield f"{example.output}: DIFFERENT on input {count:,}"
    yield f"  input        {json.dumps(json_of(example.tokens))}"
    yield f"  interpreter  {_side(example.expected)}"
    yield f"  {example.engine:11}  {_side(example.found)}"


def _side(output: list[Atom] | str) -> str:
    return f"error: {output}" if isinstance(output, str) else json.dumps(output)

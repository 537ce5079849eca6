"""The subcommands compile, infer and verify: for each `NAME_arguments(parser)` and `NAME_run(args)`, which gives the
exit status."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from compiler.artifact import load, save
from compiler.emit import STAGES, emit
from compiler.ir import Certificate, ModelWeights
from compiler.model import CompiledModel
from compiler.pipeline import Compilation
from compiler.precision import PRECISIONS
from compiler.report import counts, report
from compiler.support import MAX_LENGTH, PREFERENCES
from compiler.verify import Verification, verify
from compiler.vocabulary import parse_vocabulary, vocabulary_of
from rasp.budget import budget_argument
from rasp.elementwise import Atom, column
from rasp.errors import DataFault, RaspError
from rasp.graph import SOp
from rasp.inputs import given_inputs, input_arguments, tokens_of
from rasp.program import Program, load_program, parse_program
from rasp.show import Input, given_text, values
from rasp.streams import say, warn
from rasp.visible import visible

_VOCABULARY = "characters (a-z), a range of ints (0..9), a list (red,green) or @FILE with a JSON list"


def _example(parser: argparse.ArgumentParser, *lines: str) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["example:", *("  " + line for line in lines)])


def _length(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_LENGTH:
        raise argparse.ArgumentTypeError(f"a maximum length is a number from 1 to {MAX_LENGTH}, not {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a count is a number from 1 on, not {text!r}")
    return int(text)


def _compile_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("names", metavar="NAME", nargs="*", help="s-ops (default: the last one of the program)")
    parser.add_argument("--vocab", metavar="TOKENS", help=f"{_VOCABULARY} (default: the tokens of the inputs)")
    parser.add_argument(
        "--max-length", type=_length, metavar="N", help="longest input (default: that of the longest input given)"
    )
    parser.add_argument("--causal", action="store_true", help="decoder-only: no position attends to later ones")
    parser.add_argument(
        "--prefer",
        choices=list(PREFERENCES),
        default="auto",
        help="whether two narrow heads stand for a wide one: auto (default): where it would need more than 1,024 score "
        "dimensions; depth: never, so that heads are as predicted; small: wherever they can",
    )
    parser.add_argument("--dtype", choices=list(PRECISIONS), default="float32", help="float type of the weights")
    input_arguments(parser)
    budget_argument(parser)


@dataclass
class _Subject:
    """What a compile command works on."""

    program: Program
    names: list[str]
    vocabulary: tuple[Atom, ...]
    max_length: int
    dtype: str
    causal: bool
    prefer: str

    @property
    def sops(self) -> dict[str, SOp]:
        names = self.names or [str(self.program.default)]
        return {name: self.program.sop(name) for name in names}

    @cached_property
    def compilation(self) -> Compilation:
        return Compilation(
            self.sops,
            self.vocabulary,
            self.max_length,
            dtype=self.dtype,
            causal=self.causal,
            prefer=self.prefer,
            names=self.program.names,
            origins=self.program.origins,
        )

    def compile(self) -> CompiledModel:
        return self.compilation.model(self.program.source.text)


def _subject(args: argparse.Namespace) -> _Subject:
    """The program, and vocabulary and length as given or as the inputs have them (which is said)."""
    program = load_program(args.file, budget=args.budget)
    for name in args.names or [None]:
        program.sop(name)
    inputs = [tokens_of(given) for given in given_inputs(args)]
    missing = [flag for flag, value in (("--vocab", args.vocab), ("--max-length", args.max_length)) if value is None]
    if missing and not inputs:
        args.parser.error(f"{' and '.join(missing)}: needed where no inputs are given with -i or --inputs")
    vocabulary = vocabulary_of(inputs) if args.vocab is None else parse_vocabulary(args.vocab)
    longest = max(map(len, inputs)) if args.max_length is None else args.max_length
    if missing:
        warn(f"from the inputs: vocabulary {_shown(vocabulary)}, maximum length {longest}")
    return _Subject(program, args.names, vocabulary, longest, args.dtype, args.causal, args.prefer)


def _shown(vocabulary: Sequence[Atom]) -> str:
    text = ", ".join(map(json.dumps, vocabulary[:20]))
    return f"{text}, … ({len(vocabulary)} tokens)" if len(vocabulary) > 20 else text


# -- compile


def compile_arguments(parser: argparse.ArgumentParser) -> None:
    _example(
        parser,
        'rasp compile programs/reverse.rasp --vocab "a-z " --max-length 20 -o reverse.safetensors',
        "rasp compile programs/sort.rasp --vocab 0..9 --max-length 12 --json",
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
        say(emit(subject.compilation, args.emit))
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


# -- infer


def infer_arguments(parser: argparse.ArgumentParser) -> None:
    _example(parser, "rasp infer reverse.safetensors -i hello", "rasp infer sort.safetensors -i '[3, 1, 2]' --json")
    parser.add_argument("model", metavar="MODEL.safetensors", help="a compiled model")
    input_arguments(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line: input and output")


def infer_run(args: argparse.Namespace) -> int:
    """Runs a saved model on every input, on torch."""
    model = load(args.model)
    inputs = given_inputs(args)
    if not inputs:
        args.parser.error("an input is needed: -i or --inputs")
    return int(sum([_infer(model, given, args.json) for given in inputs]) > 0)


def _infer(model: CompiledModel, given: Input, as_json: bool) -> bool:
    """Whether the input failed."""
    tokens = tokens_of(given)
    try:
        outputs = model.run(tokens).outputs
    except RaspError as error:
        warn(str(error))
        if as_json:
            say(json.dumps({"input": tokens, "error": error.message}))
        return True
    if as_json:
        only = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        say(json.dumps({"input": tokens, "output": only}))
        return False
    for name, output in outputs.items():
        say(f"{visible(name)}({given_text(given)}) = {values(column(output))}")
    return False


# -- verify


def verify_arguments(parser: argparse.ArgumentParser) -> None:
    _example(
        parser,
        "rasp verify programs/hist.rasp --vocab a-c --max-length 8",
        "rasp verify reverse.safetensors --count 5000",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program, or a compiled model (.safetensors)")
    _compile_options(parser)
    parser.add_argument("--count", type=_count, default=2_000, metavar="K", help="random inputs (default 2000)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random inputs (default 0)")
    parser.add_argument("--json", action="store_true", help="one JSON object: inputs compared and the first difference")


def verify_run(args: argparse.Namespace) -> int:
    """Compares interpreter, reference and torch; exit status 1 at a difference."""
    sops, model = _saved(args) if args.file.endswith(".safetensors") else _compiled(args)
    with _progress(not args.json and sys.stderr.isatty()) as progress:
        found = verify(sops, model, count=args.count, seed=args.seed, progress=progress)
    if args.json:
        say(json.dumps(_as_json(model, found)))
    else:
        say("\n".join(map(visible, _verdict(model, found))))
    return int(found.counterexample is not None or model.weights.certificate is None)


def _compiled(args: argparse.Namespace) -> tuple[dict[str, SOp], CompiledModel]:
    subject = _subject(args)
    return subject.sops, subject.compile()


def _saved(args: argparse.Namespace) -> tuple[dict[str, SOp], CompiledModel]:
    """A saved model, and its s-ops from the program text it carries. The stored weights are certified again."""
    if args.names or args.vocab or args.max_length:
        args.parser.error("a compiled model has its own s-op, vocabulary and maximum length")
    model = load(args.file)
    if not model.weights.program:
        raise DataFault(f"{args.file} carries no program to compare with")
    weights = model.weights
    program = parse_program(weights.program, args.file, budget=args.budget)
    subject = _Subject(
        program,
        weights.output_names,
        weights.vocabulary,
        weights.max_length,
        weights.dtype,
        weights.causal,
        weights.prefer,
    )
    return subject.sops, CompiledModel(replace(weights, certificate=_certified(subject, weights)))


def _certified(subject: _Subject, weights: ModelWeights) -> Certificate | None:
    """The certificate of stored weights, proved anew; None where they are not what their program compiles to."""
    try:
        return subject.compilation.certify(weights)
    except RaspError:
        return None


def _as_json(model: CompiledModel, found: Verification) -> dict[str, Any]:
    example = found.counterexample
    difference = None
    if example is not None:
        difference = {
            "output": example.output,
            "input": example.tokens,
            "engine": example.engine,
            "expected": example.expected,
            "found": example.found,
        }
    return {
        "name": model.weights.name,
        "equal": example is None,
        "inputs": found.count,
        "exhaustive": found.exhaustive,
        "undefined": found.undefined,
        "certificate": None if model.weights.certificate is None else model.weights.certificate.statement,
        "counterexample": difference,
    }


def _verdict(model: CompiledModel, found: Verification) -> Iterator[str]:
    example = found.counterexample
    if example is not None:
        yield f"{example.output}: DIFFERENT on input {found.count:,}"
        yield f"  input        {json.dumps(example.tokens)}"
        yield f"  interpreter  {_side(example.expected)}"
        yield f"  {example.engine:11}  {_side(example.found)}"
        return
    which = "all" if found.exhaustive else "random and boundary"
    yield f"{model.weights.name}: interpreter, reference and torch agree on {found.count:,} inputs ({which} inputs)"
    certificate = model.weights.certificate
    yield "  not certified" if certificate is None else f"  certified: {certificate.statement}"
    if found.undefined:
        yield f"  on {found.undefined:,} of them the program has no value, and the model says so"


def _side(output: list[Atom] | str) -> str:
    return f"error: {output}" if isinstance(output, str) else json.dumps(output)


@contextmanager
def _progress(visible: bool) -> Iterator[Callable[[int, int], None]]:
    if not visible:
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("comparing", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

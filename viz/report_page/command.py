"""The subcommand report: a program explained on one HTML page."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from rasp.errors import DataFault, RaspError
from rasp.files import write_whole
from rasp.inputs import given_inputs, input_arguments, tokens_of
from rasp.language.budget import budget_argument
from rasp.language.program import load_program
from rasp.operations import Atom
from rasp.streams import say, warn
from rasp.visible import visible
from rasp.vocabulary import parse_vocabulary
from viz.comparison import own_source
from viz.report_page.page import LEAST_LENGTH, Page, report, report_of


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp report`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (
        "examples:\n"
        "  rasp report programs/reverse.rasp -i hello -i abc -o reverse.html\n"
        "  rasp report programs/sort.rasp sorted -i hello --vocab a-z --max-length 10 -o sort.html"
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program, or a compiled model (.safetensors)")
    parser.add_argument("name", metavar="NAME", nargs="?", help="an s-op (default: the last one)")
    input_arguments(parser)
    budget_argument(parser)
    parser.add_argument("--vocab", metavar="TOKENS", help="tokens of the model (default: those of the inputs)")
    parser.add_argument(
        "--max-length",
        type=int,
        metavar="N",
        help=f"its longest input (default: the longest given, at least {LEAST_LENGTH})",
    )
    parser.add_argument("--causal", action="store_true", help="each position attends only to itself and those before")
    parser.add_argument("-o", "--output", metavar="PAGE", required=True, help="an .html file to write")


@dataclass(frozen=True)
class _Request:
    """What is asked for: of a file which s-op, on which inputs, compiled for what."""

    file: str
    name: str | None
    inputs: list[list[Atom]]
    vocab: str | None
    max_length: int | None
    causal: bool
    budget: int


def report_run(args: argparse.Namespace) -> int:
    """Writes the page of an s-op or a compiled model, and says where it is."""
    target = _target(args.output)
    inputs = [tokens_of(given) for given in given_inputs(args)]
    if not inputs:
        raise DataFault("a report shows one input at least, and none is given", hint="give one with -i")
    asked = _Request(args.file, args.name, inputs, args.vocab, args.max_length, args.causal, args.budget)
    write_whole(target, _of_model(asked) if asked.file.endswith(".safetensors") else _of_program(asked))
    say(visible(str(target)))
    return 0


def _of_model(asked: _Request) -> Page:
    """The page of a saved model, which has its own s-op, vocabulary, length and mask."""
    if asked.name or asked.vocab or asked.max_length or asked.causal:
        raise DataFault(
            "a compiled model is reported as it is, with its own s-op, vocabulary, length and mask",
            hint="give its program for others",
        )
    from compiler.artifact import load

    return report_of(load(asked.file), asked.inputs)


def _of_program(asked: _Request) -> Page:
    """The page of a program's s-op, which is compiled for it."""
    program = load_program(asked.file, budget=asked.budget)
    sop = program.sop(asked.name)
    if asked.vocab is None:
        warn("the vocabulary is that of the inputs")
    vocab = None if asked.vocab is None else parse_vocabulary(asked.vocab)
    source = own_source(program)
    try:
        return report(
            sop,
            asked.inputs,
            vocab=vocab,
            max_length=asked.max_length,
            source_map=source,
            program=program,
            causal=asked.causal,
        )
    except RaspError as error:
        program.place(error, sop)
        raise


def _target(path: str) -> Path:
    """The path, if a page can be written there. DataFault if not."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise DataFault(f"cannot write a page as {target.name!r}", hint="end the name in .html")
    if not target.parent.is_dir():
        raise DataFault(f"there is no folder {str(target.parent)!r} to write {target.name!r} in")
    return target

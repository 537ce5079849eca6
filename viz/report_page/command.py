"""The subcommand report: a program explained on one HTML page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rasp.errors import DataFault, RaspError
from rasp.files import write_whole
from rasp.inputs import given_inputs, input_arguments, tokens_of
from rasp.language.budget import budget_argument
from rasp.language.program import load_program
from rasp.operations import Atom
from rasp.streams import say, warn
from rasp.visible import visible
from viz.comparison import own_origins
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


def report_run(args: argparse.Namespace) -> int:
    """Writes the page of an s-op or a compiled model, and says where it is."""
    target = _target(args.output)
    inputs = [tokens_of(given) for given in given_inputs(args)]
    if not inputs:
        raise DataFault("a report shows one input at least, and none is given", hint="give one with -i")
    write_whole(target, _of_model(args, inputs) if args.file.endswith(".safetensors") else _of_program(args, inputs))
    say(visible(str(target)))
    return 0


def _of_model(args: argparse.Namespace, inputs: Sequence[Sequence[Atom]]) -> Page:
    """The page of a saved model, which has its own s-op, vocabulary, length and mask."""
    if args.name or args.vocab or args.max_length or args.causal:
        raise DataFault(
            "a compiled model is reported as it is, with its own s-op, vocabulary, length and mask",
            hint="give its program for others",
        )
    from compiler.artifact import load

    return report_of(load(args.file), inputs)


def _of_program(args: argparse.Namespace, inputs: Sequence[Sequence[Atom]]) -> Page:
    """The page of a program's s-op, which is compiled for it."""
    from compiler.vocabulary import parse_vocabulary

    program = load_program(args.file, budget=args.budget)
    sop = program.sop(args.name)
    if args.vocab is None:
        warn("the vocabulary is that of the inputs")
    try:
        return report(
            sop,
            inputs,
            vocabulary=None if args.vocab is None else parse_vocabulary(args.vocab),
            max_length=args.max_length,
            origins=own_origins(program),
            program=program,
            causal=args.causal,
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

"""The subcommands export, a model in the format of another library, and zoo, a folder of models."""

from __future__ import annotations

import argparse

from compiler.artifact import load
from compiler.options import MAX_LENGTH
from compiler.precision import PRECISIONS
from export.formats import FORMATS, save
from export.zoo import LENGTHS, build_zoo, zoo_programs
from rasp.arguments import examples
from rasp.errors import DataFault
from rasp.progress import Bar
from rasp.streams import say
from rasp.visible import visible


def export_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp export`."""
    examples(
        parser,
        "rasp compile programs/reverse.rasp -o reverse.safetensors",
        "rasp export reverse.safetensors --to state-dict -o reverse.npz",
    )
    parser.add_argument("model", metavar="MODEL.safetensors", help="a compiled model")
    summaries = "; ".join(f"{name}: {found.summary} ({found.written})" for name, found in FORMATS.items())
    parser.add_argument("--to", required=True, choices=list(FORMATS), help=summaries)
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="the file or folder to write")


def export_run(args: argparse.Namespace) -> int:
    """Writes a compiled model in another format, whole or not at all."""
    if args.model.endswith(".rasp"):
        raise DataFault(
            f"{args.model} is a program, and what is exported is a compiled model",
            hint=f"compile it first: rasp compile {args.model} … -o MODEL.safetensors",
        )
    save(load(args.model), args.output, args.to)
    say(f"saved as {visible(args.output)}: {FORMATS[args.to].summary}")
    return 0


def zoo_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp zoo`."""
    examples(parser, "rasp zoo build programs/reverse.rasp programs/sort.rasp --length 5 --length 8 -o zoo")
    parser.add_argument("action", choices=["build"], help="build: compile programs, each over the tokens in its header")
    parser.add_argument(
        "programs",
        metavar="FILE.rasp",
        nargs="*",
        default=["programs"],
        help="programs, or folders (default: programs)",
    )
    lengths = ", ".join(map(str, LENGTHS))
    parser.add_argument(
        "--length",
        type=int,
        choices=range(1, MAX_LENGTH + 1),
        action="append",
        metavar="N",
        help=f"a longest input; may be repeated (default: {lengths})",
    )
    parser.add_argument("--dtype", choices=list(PRECISIONS), action="append", help="may be repeated (default: float32)")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="the folder to write")


def zoo_run(args: argparse.Namespace) -> int:
    """Compiles programs at several sizes into a folder with an index."""
    with Bar("compiling") as bar:
        index = build_zoo(
            args.output, zoo_programs(args.programs), args.length or LENGTHS, args.dtype or ("float32",), bar.tell
        )
    refused = [entry for entry in index["models"] if "refused" in entry]
    for entry in refused:
        say(f"{entry['name']}: refused: {visible(entry['refused'])}")
    say(f"{len(index['models']) - len(refused)} models and their circuits in {visible(args.output)}, with an index")
    return 0

"""The subcommand export: a compiled model in the format of another library."""

from __future__ import annotations

import argparse

from compiler.artifact import load
from export.formats import FORMATS, save
from rasp.arguments import examples
from rasp.errors import DataFault
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

"""The subcommand fmt: programs in canonical layout, printed, checked or written back."""

from __future__ import annotations

import argparse
from pathlib import Path

from rasp.errors import RaspError
from rasp.files import write_whole
from rasp.language.formatter import canonical
from rasp.language.loading import read_source
from rasp.source import Source
from rasp.streams import say, typed_lines, warn
from rasp.visible import visible


def fmt_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp fmt`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "example:\n  rasp fmt --write programs/*.rasp\n  rasp fmt --check programs/*.rasp"
    parser.add_argument("files", metavar="FILE", nargs="+", help=".rasp programs; - is standard input")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only name the files that would change; status 1 if any")
    mode.add_argument("--write", action="store_true", help="rewrite the files that change, and name them")


def fmt_run(args: argparse.Namespace) -> int:
    """Lays out every file; exit status 1 if one is no program, or would change under --check."""
    if args.write and "-" in args.files:
        args.parser.error("standard input cannot be rewritten; leave out --write")
    return int(sum([_lay_out(name, args) for name in args.files]) > 0)


def _lay_out(name: str, args: argparse.Namespace) -> bool:
    """Prints, checks or rewrites one file; whether something is wrong with it."""
    try:
        source = Source("<stdin>", "".join(typed_lines())) if name == "-" else read_source(Path(name))
        text = canonical(source)
        if args.write and text != source.text:
            write_whole(Path(name), text)
    except RaspError as error:
        warn(error)
        return True
    if not (args.check or args.write):
        say(text, end="")
    elif text != source.text:
        say(visible(name))
        return bool(args.check)
    return False

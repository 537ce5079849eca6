"""The command line: finds the subcommands, and opens the door to one only when it is used."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from rasp import doors, interrupts, streams, threads
from rasp.arguments import Overview, Parser, did_you_mean
from rasp.errors import RaspError
from rasp.visible import visible

if TYPE_CHECKING:
    from rasp.shells import Command


def completion() -> doors.Subcommand:
    """The subcommand that knows all others."""
    from rasp.shells import completion_arguments, completion_run

    return completion_arguments, partial(completion_run, commands=_described)


def _described() -> Sequence[Command]:
    from rasp.shells import described

    found: dict[str, tuple[argparse.ArgumentParser, str]] = {}
    for name, (door, summary) in COMMANDS.items():
        parser = Parser()
        door()[0](parser)
        found[name] = parser, summary
    return described(found)


# Each subcommand: its door, and what it does in a line.
COMMANDS: dict[str, tuple[Callable[[], doors.Subcommand], str]] = {
    "run": (doors.run, "evaluate a program on inputs"),
    "repl": (doors.repl, "a console for statements"),
    "watch": (doors.watch, "check and run a program on every save, and show what has changed"),
    "check": (doors.check, "read programs without running them: layers, heads, mistakes, surprises"),
    "fmt": (doors.fmt, "lay programs out in one canonical way"),
    "analyse": (doors.analyse, "the layers and heads an s-op needs"),
    "compile": (doors.compile, "compile an s-op into transformer weights"),
    "infer": (doors.infer, "run compiled weights on inputs"),
    "verify": (doors.verify, "compare compiled weights with the program"),
    "export": (doors.export, "write compiled weights in a format of another library"),
    "zoo": (doors.zoo, "compile programs at several sizes into one folder with an index"),
    "draw": (doors.draw, "draw how an s-op is computed"),
    "report": (doors.report, "explain an s-op and its weights on one HTML page"),
    "train": (doors.train, "train transformers of the predicted size on what an s-op computes, and smaller ones"),
    "compare": (doors.compare, "compare the heads of a trained transformer with the program's"),
    "completion": (completion, "a script that completes subcommands, options and files in a shell"),
}

# `rasp` alone, or followed by one of these, is the console.
CONSOLE_OPTIONS = ("-i", "--no-init", "--color", "--budget")

# What is done with a file that stands in the place of a subcommand.
USUAL = {".rasp": "run", ".safetensors": "infer", ".onnx": "infer"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status: 0 fine, 1 program or data error, 2 usage, 130 interrupted."""
    try:
        interrupts.raise_again()
        threads.one_a_product()
        return _run(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        streams.complain("interrupted")
        if interrupts.is_command():
            # Python would wait for threads, and libraries in the midst of loading may crash.
            os._exit(interrupts.STATUS)
        return interrupts.STATUS
    finally:
        interrupts.end_at_once()


def _run(argv: list[str]) -> int:
    """Runs a subcommand. An error becomes one line on standard error; a closed pipe ends it quietly."""
    try:
        streams.prepare()
        try:
            return _dispatch(argv)
        finally:
            streams.flush()
    except RaspError as error:
        streams.complain(str(error))
    except streams.Unwritable as error:
        streams.give_up()
        if not error.quiet:
            streams.complain(str(error))
    except OSError as error:
        where = "" if error.filename is None else f"{visible(str(error.filename))}: "
        streams.complain(f"error: {where}{error.strerror or error}")
    except MemoryError:
        streams.complain("error: not enough memory")
    return 1


def _dispatch(argv: list[str]) -> int:
    if argv[:1] == ["--version"]:
        streams.say(f"rasp {_version()}")
        return 0
    argv = _with_subcommand(argv)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    parser = Parser(
        prog="rasp",
        formatter_class=Overview,
        description="RASP programs: run them, count their layers and heads, compile them into transformer weights.",
        epilog="`rasp SUBCOMMAND --help` says more. Without a subcommand: the console (rasp repl); "
        "a file alone is run (rasp run, rasp infer).",
    )
    parser.add_argument("--version", action="store_true", help="show which version this is, and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="SUBCOMMAND", required=True)
    for name, (door, summary) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            add_arguments, run = door()
            add_arguments(sub)
            sub.set_defaults(parser=sub, run=run)
    if chosen is not None and chosen not in COMMANDS:
        parser.error(f"there is no subcommand {visible(chosen)}{did_you_mean(chosen, COMMANDS) or _all_subcommands()}")
    args = parser.parse_command(argv)
    status: int = args.run(args)
    return status


def _with_subcommand(argv: list[str]) -> list[str]:
    """A command line whose subcommand is left out, with it: the console, or what is usual for a file of that kind.

    `rasp help compile` is `rasp compile --help`.
    """
    if argv[:1] == ["help"]:
        return [*argv[1:2], "--help"]
    if not argv or argv[0].split("=")[0] in CONSOLE_OPTIONS:
        return ["repl", *argv]
    usual = next((name for ending, name in USUAL.items() if argv[0].endswith(ending)), None)
    return argv if usual is None or argv[0] in COMMANDS else [usual, *argv]


def _all_subcommands() -> str:
    return f"; subcommands are {', '.join(COMMANDS)}"


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("rasp-compiler")
    except PackageNotFoundError:
        return "(not installed: run from its folder)"


if __name__ == "__main__":
    sys.exit(main())

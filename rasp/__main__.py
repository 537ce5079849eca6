"""The door: finds the subcommands, and imports the room one lives in only when it is used."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

from rasp import interrupts, streams
from rasp.arguments import Parser
from rasp.errors import DataFault, RaspError
from rasp.visible import visible

if TYPE_CHECKING:
    from rasp.console.session import Drawing
    from rasp.graph import Node, SOp
    from rasp.inputs import Input

# Each module has NAME_arguments(parser) and NAME_run(args) -> exit status.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("rasp.command", "evaluate a program on inputs"),
    "repl": ("rasp.console.command", "a console for statements"),
    "check": ("rasp.command", "read programs without running them: layers, heads, mistakes, surprises"),
    "fmt": ("rasp.command", "lay programs out in one canonical way"),
    "analyse": ("rasp.command", "the layers and heads an s-op needs"),
    "compile": ("compiler.command", "compile an s-op into transformer weights"),
    "infer": ("compiler.command", "run compiled weights on inputs"),
    "verify": ("compiler.command", "compare compiled weights with the program"),
    "draw": ("viz.command", "draw how an s-op is computed"),
    "report": ("viz.report.command", "explain an s-op and its weights on one HTML page"),
}

# `rasp` alone, or followed by one of these, is the console.
CONSOLE_OPTIONS = ("-i", "--no-init", "--color", "--budget")

# A function like `session.Drawing`: draws an s-op, gives the path of the picture.
DRAWING = ("viz.command", "draw_flow")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit status: 0 fine, 1 program or data error, 2 usage, 130 interrupted."""
    try:
        interrupts.raise_again()
        return _run(sys.argv[1:] if argv is None else list(argv))
    except KeyboardInterrupt:
        streams.complain("interrupted")
        if interrupts.is_command():
            os._exit(
                interrupts.STATUS
            )  # Python would wait for threads, and libraries in the midst of loading may crash
        return interrupts.STATUS
    finally:
        interrupts.end_at_once()


def _run(argv: list[str]) -> int:
    """Runs a subcommand; what goes wrong is said in a line, and nothing where whoever reads the output has enough."""
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
    if not argv or argv[0].split("=")[0] in CONSOLE_OPTIONS:
        argv = ["repl", *argv]
    chosen = next((word for word in argv if not word.startswith("-")), None)
    parser = Parser(
        prog="rasp",
        description="RASP programs: run them, count their layers and heads, compile them into transformer weights.",
        epilog="`rasp SUBCOMMAND --help` says more. Without a subcommand: the console (rasp repl).",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="SUBCOMMAND")
    for name, (module, summary) in COMMANDS.items():
        sub = subparsers.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
        if name == chosen:
            getattr(_room(module), f"{name}_arguments")(sub)
            sub.set_defaults(parser=sub)
    args = parser.parse_args(argv)
    args.drawing, args.room = _draw, _room
    status: int = getattr(_room(COMMANDS[args.command][0]), f"{args.command}_run")(args)
    return status


def _room(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise DataFault(f"this needs {error.name}, which is not installed", hint="pip install rasp-compiler") from error


def _draw(name: str, node: SOp, given: Input, names: Mapping[Node, str]) -> str:
    module, function = DRAWING
    drawing: Drawing = getattr(_room(module), function)
    return drawing(name, node, given, names)


if __name__ == "__main__":
    sys.exit(main())

"""The subcommand repl: a console at a terminal, or fed by a pipe. What each needs is imported when it is chosen."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rasp.arguments import examples
from rasp.errors import RaspError
from rasp.language.budget import budget_argument
from rasp.language.parameters import given_parameters, parameter_argument
from rasp.streams import typed_lines, warn

if TYPE_CHECKING:
    from rasp.console.console import Console
    from rasp.console.rooms import Rooms
    from rasp.operations import Atom


def repl_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp repl`, which are also those of `rasp` alone."""
    examples(parser, "rasp -i programs/sort.rasp", "echo 'indices+1;' | rasp repl")
    parser.add_argument("-i", dest="file", metavar="FILE", help="load this program first")
    budget_argument(parser)
    parameter_argument(parser)
    parser.add_argument("--no-init", action="store_true", help=f"do not run {init_file()}")
    parser.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colours (default: auto; see NO_COLOR)"
    )


@dataclass(frozen=True)
class _Start:
    """How a console begins: a program to load, what it may do, the statements before all others, and colours."""

    file: str | None
    budget: int
    parameters: Mapping[str, Atom]
    init: Path | None
    color: str


def repl_run(args: argparse.Namespace, *, rooms: Rooms) -> int:
    """A console; without banner and prompts where standard input is not a terminal."""
    if not sys.stdin.isatty():
        return _by_pipe(_Start(args.file, args.budget, given_parameters(args), None, args.color), rooms)
    init = None if args.no_init or not init_file().is_file() else init_file()
    return _at_terminal(_Start(args.file, args.budget, given_parameters(args), init, args.color), rooms)


def _by_pipe(start: _Start, rooms: Rooms) -> int:
    from rasp.console.pipe import piped, write

    console = _console(start, rooms)
    failed = start.file is not None and write(console.push(f":load {start.file}"), sys.stdout, sys.stderr)
    return int(failed) | piped(console, typed_lines(), sys.stdout, sys.stderr)


def _at_terminal(start: _Start, rooms: Rooms) -> int:
    """A prompt. The console behind it is made while the first input is typed, unless there is something to run."""
    from rasp.console.terminal import Terminal

    terminal = Terminal(lambda: _console(start, rooms), history_file(), start.color)
    terminal.greet()
    if start.init is not None:
        terminal.wait()
    ended = start.file is not None and terminal.answer(f":load {start.file}")
    return 0 if ended else terminal.run()


def _console(start: _Start, rooms: Rooms) -> Console:
    """A console that has run its first statements, of which only the errors are shown."""
    from rasp.console.console import Console
    from rasp.console.session import Session

    console = Console(Session(rooms.draw, budget=start.budget, parameters=start.parameters), rooms)
    console.options.color = start.color
    if start.init is not None:
        _initialise(console, start.init)
    return console


def _initialise(console: Console, path: Path) -> None:
    """Runs a file line by line as if it were typed, colon commands included; only its errors are shown."""
    from rasp.console.pipe import piped
    from rasp.language.loading import read_source

    try:
        lines = read_source(path).text.splitlines(True)
    except RaspError as error:
        warn(error)
        return
    piped(console, lines, io.StringIO(), sys.stderr, name=str(path))
    console.session.performed.clear()


def history_file() -> Path:
    """Where the lines typed are kept."""
    return _folder("XDG_STATE_HOME", ".local/state") / "history"


def init_file() -> Path:
    """The statements a console at a terminal begins with."""
    return _folder("XDG_CONFIG_HOME", ".config") / "init.rasp"


def _folder(variable: str, default: str) -> Path:
    """Our folder in one of the XDG base folders; these must be absolute."""
    given = os.environ.get(variable, "")
    base = given if os.path.isabs(given) else os.path.join(os.path.expanduser("~"), default)
    return Path(base, "rasp")

"""The subcommands run, analyse, check and fmt: for each `NAME_arguments(parser)` and `NAME_run(args)`, which gives
the exit status."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import cast

from rasp.batch.run import runs
from rasp.console.explain import layers_text
from rasp.console.session import Reply, Session
from rasp.console.show import Example, View, entry
from rasp.dtypes import labels
from rasp.errors import RaspError, TypeFault
from rasp.files import write_whole
from rasp.graph import Node, Selector, SOp
from rasp.inputs import given_inputs, input_arguments, tokens_of
from rasp.interpret import Run
from rasp.language.budget import Budget, budget_argument
from rasp.language.builtins import kind
from rasp.language.formatter import canonical
from rasp.language.lint import surprises
from rasp.language.loading import Disk, read_source
from rasp.language.parser import parse
from rasp.language.program import Program, load_program
from rasp.language.scope import Value
from rasp.layers import analyse
from rasp.printing import expression
from rasp.source import Source
from rasp.streams import say, typed_lines, warn
from rasp.visible import visible


def _example(parser: argparse.ArgumentParser, *lines: str) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["example:", *("  " + line for line in lines)])


# -- run


def run_arguments(parser: argparse.ArgumentParser) -> None:
    _example(parser, "rasp run programs/hist.rasp -i hello", "rasp run programs/sort.rasp -i '[3, 1, 2]' --json")
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    input_arguments(parser)
    budget_argument(parser)
    parser.add_argument("--show", metavar="NAME", help="the s-op or selector to show (default: the last s-op)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line: input and output")


def run_run(args: argparse.Namespace) -> int:
    """Evaluates a program on each input; without inputs, runs its statements as the console would."""
    if not args.input and args.inputs is None:
        return _run_as_console(args)
    program = load_program(args.file, budget=args.budget)
    name, value = _shown(program, args.show)
    if args.json and not isinstance(value, Node):
        raise TypeFault(f"{name} of {args.file} is {kind(value)}; only s-ops and selectors have an output")
    failed = False
    inputs = given_inputs(args)
    each = runs(value, map(tokens_of, inputs)) if isinstance(value, SOp) else map(Run, inputs)
    for given, run in zip(inputs, each, strict=True):
        try:
            _write_run(program, name, value, Example(given, run), args)
        except RaspError as error:
            failed = True
            warn(program.place(error, value) if isinstance(value, Node) else error)
            if args.json:
                say(json.dumps({"input": tokens_of(given), "error": error.message}))
    return int(failed)


def _shown(program: Program, name: str | None) -> tuple[str, Value]:
    if name is None:
        return str(program.default), program.sop()
    return name, program.variable(name)


def _write_run(program: Program, name: str, value: Value, example: Example, args: argparse.Namespace) -> None:
    if args.json:
        say(json.dumps({"input": tokens_of(example.given), "output": _output(example.run, value)}))
        return
    spend = Budget(args.budget).spend_cells
    view = View(example, example, False, lambda node: expression(node, program.names), spend)
    say(entry(name, value, view))


def _output(run: Run, value: Value) -> object:
    return run.selector(value).tolist() if isinstance(value, Selector) else run.sop(cast(SOp, value)).tolist()


def _run_as_console(args: argparse.Namespace) -> int:
    if args.json or args.show:
        args.parser.error("--json and --show need an input: -i or --inputs")
    files = Disk()
    source = files.add(read_source(Path(args.file)))
    session = Session(args.drawing, kind="file", files=files, budget=args.budget)
    for reply in session.replies(source):
        if _write_reply(reply):
            return 1
    return 0


def _write_reply(reply: Reply) -> bool:
    for part in reply.parts:
        if isinstance(part, RaspError):
            warn(part)
        else:
            say(part)
    return bool(reply.errors)


# -- analyse


def analyse_arguments(parser: argparse.ArgumentParser) -> None:
    _example(parser, "rasp analyse programs/sort.rasp", "rasp analyse programs/sort.rasp sorted --json")
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    parser.add_argument("name", metavar="NAME", nargs="?", help="an s-op or selector (default: the last s-op)")
    parser.add_argument("--json", action="store_true", help="one JSON object: layers and heads")
    budget_argument(parser)


def analyse_run(args: argparse.Namespace) -> int:
    """Says how many layers and heads an s-op needs."""
    program = load_program(args.file, budget=args.budget)
    name, value = _shown(program, args.name)
    if not isinstance(value, Node):
        raise TypeFault(f"{name} of {args.file} is {kind(value)}; only s-ops and selectors need layers")
    found = analyse([value])
    if args.json:
        counts = {"layers": found.depth, "heads": found.heads}
        predicted = {f"predicted_{key}": count for key, count in counts.items()}
        say(json.dumps({"name": name, **counts, **predicted, "paper_heads": found.paper_heads()}))
    else:
        say(layers_text(name, value, program.names, program.origins))
    return 0


# -- check


def check_arguments(parser: argparse.ArgumentParser) -> None:
    _example(parser, "rasp check programs/*.rasp")
    parser.add_argument("files", metavar="FILE", nargs="+", help=".rasp programs")
    budget_argument(parser)


def check_run(args: argparse.Namespace) -> int:
    """Reads every program without running it: its s-ops and selectors, surprises and mistakes."""
    return int(sum([_check(path, args.budget) for path in args.files]) > 0)


def _check(path: str, budget: int) -> bool:
    """Whether a file has mistakes."""
    try:
        source = read_source(Path(path))
        for surprise in surprises(parse(source).program):
            warn(surprise)
        program = load_program(path, budget=budget)
    except RaspError as error:
        warn(error)
        return True
    say("\n".join([f"{visible(path)}:", *_listing(program)]))
    return False


def _listing(program: Program) -> list[str]:
    nodes = {name: value for name, value in program.variables.items() if isinstance(value, Node)}
    known = labels(nodes.values())
    rows = [_row(name, node, known.get(node, "")) for name, node in nodes.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(name: str, node: Node, label: str) -> tuple[str, str, str, str, str]:
    found = analyse([node])
    heads = f"heads {found.heads}" if found.heads else "no heads"
    return name, "selector" if isinstance(node, Selector) else "s-op", label, f"layer {found.depth}", heads


# -- fmt


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

"""The subcommands run, analyse, check and fmt: for each `NAME_arguments(parser)` and `NAME_run(args)`, which gives
the exit status."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from rasp.arguments import examples
from rasp.batch.run import runs
from rasp.console.explain import layers_text
from rasp.console.rooms import Drawing
from rasp.console.session import Reply, Session
from rasp.console.show import Example, View, entry, values
from rasp.dtypes import types_of
from rasp.errors import RaspError, TypeFault
from rasp.files import write_whole
from rasp.graph import Node, Selector, SOp
from rasp.inputs import (
    Input,
    given_inputs,
    has_inputs,
    hint_at_words,
    input_arguments,
    json_of,
    positional_inputs,
    read_as_characters,
    sequence_of,
)
from rasp.interpret import Run
from rasp.interventions import Interventions, given_interventions, intervention_argument, settled
from rasp.language.budget import Budget, budget_argument
from rasp.language.builtins import described
from rasp.language.formatter import canonical
from rasp.language.header import Header, read_header
from rasp.language.lint import lint
from rasp.language.loading import Disk, read_source
from rasp.language.parameters import given_parameters, parameter_argument
from rasp.language.parser import parse
from rasp.language.program import Program, load_program
from rasp.language.scope import Value
from rasp.layers import analyse
from rasp.operations import Atom, column
from rasp.printing import expression, literal
from rasp.puzzles import Judgement, Puzzle, judge, puzzle
from rasp.source import Source
from rasp.streams import say, text_lines, warn
from rasp.visible import visible

# -- run


def run_arguments(parser: argparse.ArgumentParser) -> None:
    examples(
        parser,
        "rasp run programs/histogram.rasp -i hello",
        "rasp run programs/reverse.rasp hello",
        "rasp run programs/sort.rasp -i '[3, 1, 2]' --json",
        """rasp run programs/dyck2.rasp '([])' --intervene '{"level": {"2": 1}}'""",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    positional_inputs(parser)
    input_arguments(parser)
    budget_argument(parser)
    parameter_argument(parser)
    parser.add_argument("--show", metavar="NAME", help="the s-op or selector to show (default: the last s-op)")
    parser.add_argument("--causal", action="store_true", help="no position attends to later ones")
    intervention_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line: input and output")


def run_run(args: argparse.Namespace, *, drawing: Drawing) -> int:
    """Evaluates a program on each input; without inputs, runs its statements as the console would, on the header's."""
    header = read_header(Path(args.file))
    given = given_interventions(args)
    if not has_inputs(args) and not (args.json or args.show or args.causal or given):
        return _run_as_console(Path(args.file), args.budget, given_parameters(args), drawing, header)
    inputs = header.said_inputs(given_inputs(args))
    if not has_inputs(args) and not inputs:
        args.parser.error(
            "--json, --show, --causal and --intervene need an input: -i, --inputs or --graph, or # input: in its header"
        )
    program = load_program(args.file, budget=args.budget, **given_parameters(args))
    _remark_on_words(inputs, program.header)
    shown = _Shown(program, *_named(program, args.show), args.json, args.budget)
    if (shown.json or given) and not isinstance(shown.value, Node):
        found = described(shown.value)
        raise TypeFault(f"{shown.name} of {args.file} is {found}; only s-ops and selectors have an output")
    return int(_run_on(inputs, shown, causal=args.causal, given=given))


def _remark_on_words(inputs: Sequence[Input], header: Header) -> None:
    """Says how inputs with blanks were read, where the header's vocabulary has no blank."""
    known = header.vocabulary
    for remark in map(read_as_characters, inputs if known is not None and " " not in known else ()):
        if remark:
            warn(remark)


@dataclass(frozen=True)
class _Shown:
    """The value of a program that is shown on every input, as text or as JSON."""

    program: Program
    name: str
    value: Value
    json: bool
    budget: int

    def write(self, example: Example) -> None:
        """Prints the value on an input."""
        if self.json:
            say(json.dumps({"input": json_of(sequence_of(example.given)), "output": _output(example.run, self.value)}))
            return
        if isinstance(self.value, Node):
            _output(example.run, self.value)  # fails where the console says nothing: an input that lacks a relation
        spend = Budget(self.budget).spend_elements
        view = View(example, example, False, lambda node: expression(node, self.program.names), spend)
        say(entry(self.name, self.value, view))

    def complain(self, error: RaspError, given: Input) -> None:
        """Prints what went wrong on an input."""
        hint_at_words(given, error)
        warn(self.program.place(error, self.value) if isinstance(self.value, Node) else error)
        if self.json:
            say(json.dumps({"input": json_of(sequence_of(given)), "error": error.message}))


def _named(program: Program, name: str | None) -> tuple[str, Value]:
    if name is None:
        return str(program.default), program.sop()
    return name, program.variable(name)


def _run_on(inputs: list[Input], shown: _Shown, *, causal: bool, given: Interventions) -> bool:
    """Whether there was an input on which the value could not be shown."""
    each, failed = iter(_runs(inputs, shown.value, causal, given)), False
    for one in inputs:
        try:
            shown.write(Example(one, next(each)))
        except RaspError as error:
            failed = True
            shown.complain(error, one)
    return failed


def _runs(inputs: list[Input], value: Value, causal: bool, given: Interventions) -> Iterable[Run]:
    """A run for each input, with some s-ops overwritten."""
    sequences = map(sequence_of, inputs)
    if given and isinstance(value, Node):
        return map(partial(_counterfactual, value, given, causal), sequences)
    return (
        runs(value, sequences, causal=causal) if isinstance(value, SOp) else map(partial(Run, causal=causal), sequences)
    )


def _counterfactual(root: Node, given: Interventions, causal: bool, tokens: Sequence[Atom]) -> Run:
    return Run(tokens, causal=causal, given=settled(root, given, len(tokens)))


def _output(run: Run, value: Value) -> object:
    return run.selector(value).tolist() if isinstance(value, Selector) else run.sop(cast(SOp, value)).tolist()


def _run_as_console(path: Path, budget: int, parameters: Mapping[str, Atom], drawing: Drawing, header: Header) -> int:
    """Runs a file's statements, with the header's input as the running example."""
    files = Disk()
    source = files.add(read_source(path))
    session = Session(drawing, kind="file", files=files, budget=budget, parameters=parameters)
    for given in header.said_inputs([]):
        session.use_example(given)
    for reply in session.replies(source):
        if _write_reply(reply):
            return 1
    session.elaborator.parameters.check(source.name)
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
    examples(parser, "rasp analyse programs/sort.rasp", "rasp analyse programs/sort.rasp sorted --json")
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    parser.add_argument("name", metavar="NAME", nargs="?", help="an s-op or selector (default: the last s-op)")
    parser.add_argument("--json", action="store_true", help="one JSON object: layers and heads")
    budget_argument(parser)
    parameter_argument(parser)


def analyse_run(args: argparse.Namespace) -> int:
    """Says how many layers and heads an s-op needs."""
    program = load_program(args.file, budget=args.budget, **given_parameters(args))
    name, value = _named(program, args.name)
    if not isinstance(value, Node):
        raise TypeFault(f"{name} of {args.file} is {described(value)}; only s-ops and selectors need layers")
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
    examples(parser, "rasp check programs/*.rasp", "rasp check --puzzle 1")
    parser.add_argument("files", metavar="FILE", nargs="*", help=".rasp programs")
    parser.add_argument(
        "--puzzle",
        type=int,
        metavar="N",
        help="try the last s-op of each file as an answer to puzzle N of docs/puzzles.md; without files, show it",
    )
    budget_argument(parser)
    parameter_argument(parser)


def check_run(args: argparse.Namespace) -> int:
    """Reads every program without running it: its s-ops and selectors, surprises and mistakes; or tries answers."""
    if args.puzzle is not None:
        return _check_answers(args.puzzle, args.files, args.budget, given_parameters(args))
    if not args.files:
        args.parser.error("a file is needed, or a puzzle: --puzzle N")
    return int(sum([_check(path, args.budget, given_parameters(args)) for path in args.files]) > 0)


def _check_answers(number: int, paths: Sequence[str], budget: int, parameters: Mapping[str, Atom]) -> int:
    """Tries the answers to a puzzle; exit status 1 if one is wrong. Without any, shows what is asked for."""
    asked = puzzle(number)
    if not paths:
        say(
            f"{number}. {asked.title}\n   {asked.text}\n   answer({literal(asked.example)}) = {_row_text(asked.answer)}"
        )
    wrong = 0
    for path in paths:
        found = judge(asked, load_program(path, budget=budget, **parameters).sop())
        say("\n".join(_judgement(visible(path), asked, found)))
        wrong += found.mistake is not None
    return int(wrong > 0)


def _judgement(path: str, asked: Puzzle, found: Judgement) -> Iterator[str]:
    if found.mistake is not None:
        mistake = found.mistake
        gives = mistake.found if isinstance(mistake.found, str) else _row_text(mistake.found)
        yield f"{path}: {asked.title}: not yet"
        yield f"  input     {literal(mistake.given)}"
        yield f"  expected  {_row_text(mistake.expected)}"
        yield f"  found     {gives}"
        return
    yield f"{path}: {asked.title}: right on all {found.tried} inputs"
    best, own = (len(asked.heads), sum(asked.heads)), (len(found.heads), sum(found.heads))
    better = "as good as the best known" if own == best else "better than the best known" if own < best else ""
    yield f"  {_size(found.heads)}: {better or f'the best known has {_size(asked.heads)}'}"


def _size(heads: Sequence[int]) -> str:
    return f"{len(heads)} layer{'' if len(heads) == 1 else 's'}, heads {list(heads)}"


def _row_text(atoms: Sequence[Atom]) -> str:
    return values(column(atoms))


def _check(path: str, budget: int, parameters: Mapping[str, Atom]) -> bool:
    """Whether a file has mistakes."""
    try:
        source = read_source(Path(path))
        for warning in lint(parse(source).program):
            warn(warning)
        program = load_program(path, budget=budget, **parameters)
        faults = program.header.faults()
        for fault in faults:
            warn(fault)
    except RaspError as error:
        warn(error)
        return True
    say("\n".join([f"{visible(path)}:", *_listing(program)]))
    return bool(faults)


def _listing(program: Program) -> list[str]:
    nodes = {name: value for name, value in program.variables.items() if isinstance(value, Node)}
    known = types_of(nodes.values())
    rows = [_row(name, node, known.get(node, "")) for name, node in nodes.items()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _row(name: str, node: Node, type_name: str) -> tuple[str, str, str, str, str]:
    found = analyse([node])
    heads = f"heads {found.heads}" if found.heads else "no heads"
    return name, "selector" if isinstance(node, Selector) else "s-op", type_name, f"layer {found.depth}", heads


# -- fmt


def fmt_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp fmt`."""
    examples(parser, "rasp fmt --write programs/*.rasp", "rasp fmt --check programs/*.rasp")
    parser.add_argument("files", metavar="FILE", nargs="+", help=".rasp programs; - is standard input")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only name the files that would change; status 1 if any")
    mode.add_argument("--write", action="store_true", help="rewrite the files that change, and name them")


def fmt_run(args: argparse.Namespace) -> int:
    """Formats every file; exit status 1 if one is no program, or would change under --check."""
    if args.write and "-" in args.files:
        args.parser.error("standard input cannot be rewritten; leave out --write")
    deliver = _rewrite if args.write else _list if args.check else _print
    return int(sum([_format(name, deliver) for name in args.files]) > 0)


def _format(name: str, deliver: Callable[[str, str, str], bool]) -> bool:
    """Whether a file is no program, or what `deliver` says of its name, its text and its canonical text."""
    try:
        source = Source("<stdin>", "".join(text_lines())) if name == "-" else read_source(Path(name))
        return deliver(name, source.text, canonical(source))
    except RaspError as error:
        warn(error)
        return True


def _print(name: str, text: str, wanted: str) -> bool:
    say(wanted, end="")
    return False


def _list(name: str, text: str, wanted: str) -> bool:
    if text != wanted:
        say(visible(name))
    return text != wanted


def _rewrite(name: str, text: str, wanted: str) -> bool:
    if text != wanted:
        write_whole(Path(name), wanted)
        say(visible(name))
    return False

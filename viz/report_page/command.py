"""The subcommand report: a program explained on one HTML page."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.source_map import SourceMap
from rasp.arguments import examples
from rasp.desktop import open_file
from rasp.errors import DataFault, RaspError
from rasp.files import write_whole
from rasp.graph import SOp
from rasp.inputs import given_inputs, input_arguments, names_and_inputs, sequence_of
from rasp.language.budget import budget_argument
from rasp.language.header import model_size, size_arguments
from rasp.language.parameters import parameter_argument
from rasp.language.program import Program
from rasp.operations import Atom
from rasp.streams import say, warn
from rasp.visible import visible
from viz.comp_flows import file_name, folder
from viz.comparison import own_source
from viz.report_page.page import LEAST_LENGTH, Page, report, report_of
from viz.report_page.trained import Trained, Training
from viz.subject import names_of, opened, own_header

if TYPE_CHECKING:
    from compiler.run.model import CompiledModel
    from rasp.console.rooms import ReportRequest


LARGE_MEGABYTES = 1.0


def report_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp report`."""
    examples(
        parser,
        "rasp report programs/reverse.rasp hello abc -o reverse.html",
        "rasp report programs/sort.rasp sorted -i hello --vocab a-z --max-length 10 -o sort.html",
        "rasp report programs/reverse.rasp opposite reverse -i hello -o both.html",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program, or a compiled model (.safetensors)")
    names_and_inputs(parser, "NAME", "s-ops, in one model (default: the last one), then inputs, as after -i")
    input_arguments(parser)
    budget_argument(parser)
    parameter_argument(parser)
    size_arguments(parser)
    parser.add_argument("--causal", action="store_true", help="each position attends only to itself and those before")
    parser.add_argument(
        "--trained", metavar="DIR", help="what `rasp train` has written, to show beside the compiled model"
    )
    parser.add_argument("-o", "--output", metavar="PAGE", required=True, help="an .html file to write")
    parser.add_argument("--open", action="store_true", help="show the page at once")


@dataclass(frozen=True)
class _Request:
    """What is asked for: which s-ops, on which inputs, compiled for what."""

    names: list[str]
    inputs: list[Sequence[Atom]]
    vocab: str | None
    max_length: int | None
    causal: bool
    trained: Callable[[SOp], Trained] | None

    def beside(self, sops: Mapping[str, SOp]) -> Trained | None:
        """The trained model of the s-op, if one should be shown. DataFault for several s-ops."""
        if self.trained is None:
            return None
        if len(sops) > 1:
            raise DataFault("a trained model stands beside one s-op, and several are asked for", hint="name one")
        return self.trained(*sops.values())


def report_run(args: argparse.Namespace, *, training: Training) -> int:
    """Writes the page of an s-op or a compiled model, and says where it is; `training` opens what has been trained."""
    target = _target(args.output)
    subject = opened(args)
    names = names_of(args, subject)
    inputs = [sequence_of(given) for given in own_header(subject).said_inputs(given_inputs(args))]
    if not inputs:
        hint = "give one with -i, or write it at the beginning of the program: # input: hello"
        raise DataFault("a report shows one input at least, and none is given", hint=hint)
    size = args.vocab, args.max_length, args.causal
    trained = None if args.trained is None else partial(training, args.trained, inputs)
    asked = _Request(names, inputs, *size, trained)
    page = _of_program(subject, asked) if isinstance(subject, Program) else _of_model(subject, asked)
    write_whole(target, page)
    _warn_of_size(page)
    say(visible(str(target)))
    if args.open:
        open_file(target)
    return 0


def _warn_of_size(page: Page) -> None:
    size = len(page.encode()) / 1e6
    if size > LARGE_MEGABYTES:
        warn(f"the page has {size:.1f} MB; fewer or shorter inputs make it smaller")


def _of_model(model: CompiledModel, asked: _Request) -> Page:
    """The page of a saved model, which has its own s-op, vocabulary, length and mask."""
    if asked.names or asked.vocab or asked.max_length or asked.causal:
        raise DataFault(
            "a compiled model is reported as it is, with its own s-op, vocabulary, length and mask",
            hint="give its program for others",
        )
    return report_of(model, asked.inputs, trained=asked.beside(model.weights.sops))


def _of_program(program: Program, asked: _Request) -> Page:
    """The page of a program's s-ops, which are compiled for it."""
    sops = {name: program.sop(name) for name in asked.names or [_last(program)]}
    size = model_size(program.header, asked.vocab, asked.max_length, asked.inputs, least=LEAST_LENGTH)
    for remark in size.remarks:
        warn(remark)
    source, trained = own_source(program), asked.beside(sops)
    try:
        return report(
            sops,
            asked.inputs,
            vocab=size.vocabulary,
            max_length=size.max_length,
            source_map=source,
            program=program,
            causal=asked.causal,
            trained=trained,
        )
    except RaspError as error:
        for sop in sops.values():
            program.place(error, sop)
        raise


def _last(program: Program) -> str:
    """The name of the program's last s-op. NameFault where it has none."""
    program.sop()
    return str(program.default)


def write_report(asked: ReportRequest) -> str:
    """The path of a page on some s-ops at work on an input, in comp_flows/ under this folder."""
    page = report(
        asked.sops,
        [sequence_of(asked.given)],
        vocab=asked.size.vocabulary,
        max_length=asked.size.max_length,
        source_map=SourceMap(asked.names, asked.origins),
        causal=asked.causal,
    )
    path = folder() / f"{file_name(', '.join(asked.sops), asked.given)}.html"
    write_whole(path, page)
    return str(path)


def _target(path: str) -> Path:
    """The path, if a page can be written there. DataFault if not."""
    target = Path(path)
    if target.suffix.lower() not in (".html", ".htm"):
        raise DataFault(f"cannot write a page as {target.name!r}", hint="end the name in .html")
    if not target.parent.is_dir():
        raise DataFault(f"there is no folder {str(target.parent)!r} to write {target.name!r} in")
    return target

"""The subcommand draw, and the drawing that the language's draw(…) asks for."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from rasp.elementwise import Atom, atom_key
from rasp.errors import DataFault, RaspError, TypeFault
from rasp.graph import Node, Selector, SOp
from rasp.inputs import given_inputs, input_arguments, tokens_of
from rasp.operate import kind as kind_of
from rasp.program import Program, load_program
from rasp.show import Input
from viz.flow import flow
from viz.heads import heads
from viz.save import check_target, save
from viz.single import selector

_FOLDER = Path("comp_flows")
_LONGEST_NAME = 120


def draw_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp draw`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "example:\n  rasp draw programs/reverse.rasp -i hello -o reverse.svg"
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    parser.add_argument("name", metavar="NAME", nargs="?", help="an s-op or selector (default: the last s-op)")
    input_arguments(parser)
    parser.add_argument(
        "--kind",
        choices=list(_KINDS),
        help="heads: the compiled model's attention (default for an s-op); selector: the cells it marks (default for a "
        "selector); flow: the computation, layer by layer",
    )
    parser.add_argument("-o", "--output", metavar="PICTURE", required=True, help="a .png, .svg or .pdf file to write")


def draw_run(args: argparse.Namespace) -> int:
    """Draws one s-op or selector on one input, and says where the picture is."""
    target = check_target(args.output)
    tokens = _only_input(args)
    program = load_program(args.file)
    node = _node(program, args.name)
    chosen = args.kind or ("selector" if isinstance(node, Selector) else "heads")
    try:
        figure = _KINDS[chosen](node, tokens, program)
    except RaspError as error:
        program.place(error, node)
        raise
    print(save(figure, target))
    return 0


def draw_flow(name: str, node: SOp, given: Input, names: Mapping[Node, str]) -> str:
    """The path of the picture of an s-op's computation on an input: comp_flows/NAME(INPUT).pdf under this folder."""
    figure = flow(node, tokens_of(given), names={**names, node: name})
    try:
        _FOLDER.mkdir(exist_ok=True)
    except OSError as error:
        raise DataFault(f"cannot make the folder {_FOLDER}: {error.strerror}") from error
    return str(save(figure, _FOLDER / f"{_file_name(name, given)}.pdf"))


def _file_name(name: str, given: Input) -> str:
    """NAME(INPUT) without what a file name cannot hold."""
    text = f"{name}({given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)})"
    safe = "".join(char if char.isprintable() and char not in {os.sep, "/", "\\", ":", '"'} else "_" for char in text)
    return safe if len(safe) <= _LONGEST_NAME else safe[: _LONGEST_NAME - 1] + "…"


def _only_input(args: argparse.Namespace) -> list[Atom]:
    found = given_inputs(args)
    if len(found) != 1:
        raise DataFault(f"a picture shows one input, and {len(found)} are given", hint="give one with -i")
    return tokens_of(found[0])


def _node(program: Program, name: str | None) -> SOp | Selector:
    value = program.sop() if name is None else program.variable(name)
    if isinstance(value, (SOp, Selector)):
        return value
    raise TypeFault(f"{name} is {kind_of(value)}; only s-ops and selectors are drawn")


def _draw_heads(node: SOp | Selector, tokens: list[Atom], program: Program) -> Figure:
    """What the compiled model attends to, its vocabulary and length taken from the input."""
    if not isinstance(node, SOp):
        raise TypeFault("a selector alone is no model", hint="leave out --kind heads, or name an s-op that uses it")
    from compiler.pipeline import compile_sop

    vocabulary = list({atom_key(token): token for token in tokens}.values())
    model = compile_sop(node, vocabulary, len(tokens), names=program.names, origins=program.origins)
    titles = [[_title(head.name, head.kind) for head in layer.heads] for layer in model.layers]
    return heads(model.run(tokens).attention, tokens, titles=titles)


def _title(name: str, kind: str) -> str:
    return f"{name} (width)" if kind == "width" else name


def _draw_selector(node: SOp | Selector, tokens: list[Atom], program: Program) -> Figure:
    if not isinstance(node, Selector):
        raise TypeFault("an s-op has no pattern of its own", hint="use --kind heads or flow, or name a selector")
    axes = selector(node, tokens, title=program.names.get(node))
    figure = axes.figure
    assert isinstance(figure, Figure)
    return figure


def _draw_flow(node: SOp | Selector, tokens: list[Atom], program: Program) -> Figure:
    if not isinstance(node, SOp):
        raise TypeFault("a flow picture shows an s-op", hint="leave out --kind flow to draw the selector's pattern")
    return flow(node, tokens, names=program.names)


_KINDS = {"heads": _draw_heads, "selector": _draw_selector, "flow": _draw_flow}

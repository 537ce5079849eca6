"""The subcommand draw, and the drawing that the language's draw(…) asks for."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from compiler.source_map import SourceMap
from rasp.arguments import examples
from rasp.console.rooms import Finish, PictureRequest
from rasp.desktop import open_file
from rasp.errors import DataFault, RaspError, TypeFault
from rasp.graph import Node, Selector, SOp
from rasp.inputs import Input, given_inputs, input_arguments, names_and_inputs, sequence_of
from rasp.language.budget import budget_argument
from rasp.language.builtins import described
from rasp.language.header import model_size, size_arguments
from rasp.language.parameters import parameter_argument
from rasp.language.program import Program
from rasp.operations import Atom
from rasp.streams import say, warn
from rasp.visible import visible
from viz.comp_flows import file_name, folder
from viz.comparison import chosen_heads, compare, head_masks, head_titles, own_source
from viz.flow_chart import flow
from viz.head_grid import heads
from viz.look import Look, look_arguments, restyled
from viz.node_link import graph
from viz.residual_stream import residual
from viz.saving import DPI, check_target, save
from viz.single import head, selector
from viz.subject import names_of, opened, own_header
from viz.terminal_graph import graph_text
from viz.weight_tables import weights

if TYPE_CHECKING:
    from compiler.run.model import CompiledModel


def draw_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp draw`."""
    examples(
        parser,
        "rasp draw programs/reverse.rasp reverse hello -o reverse.svg",
        "rasp draw programs/reverse.rasp reverse -i hello --kind flow -o flow.pdf",
        "rasp draw programs/graphs/components.rasp --kind graph -o graph.png",
        "rasp draw programs/sort.rasp -i hello --layer 2 --head 1 --numbers --dark -o head.png",
        "rasp compile programs/reverse.rasp -o reverse.safetensors",
        "rasp draw reverse.safetensors -i hello -o heads.png",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program, or a compiled model (.safetensors)")
    names_and_inputs(parser, "NAME", "an s-op or selector (default: the last s-op), then an input, as after -i")
    input_arguments(parser)
    budget_argument(parser)
    parameter_argument(parser)
    parser.add_argument(
        "--kind",
        choices=["heads", "compare", "flow", "graph", "residual", "weights", "selector"],
        help="heads: the compiled model's attention (default for an s-op); compare: what each selector asks for beside "
        "what the softmax gives; flow: the computation, layer by layer; graph: the input as vertices and "
        "edges, with attention as their width and s-ops on the vertices; residual: the residual stream after each "
        "layer; weights: the matrices by name; selector: the cells it marks (default for a selector)",
    )
    size_arguments(parser)
    parser.add_argument("--causal", action="store_true", help="each position attends only to itself and those before")
    parser.add_argument("--layer", type=int, metavar="N", help="only the heads of this layer, counted from 1")
    parser.add_argument(
        "--head", type=int, metavar="N", help="only the head of this number, counted from 1 in its layer"
    )
    parser.add_argument("--numbers", action="store_true", help="write the weights in the cells")
    look_arguments(parser)
    parser.add_argument("--dpi", type=int, metavar="N", help="pixels an inch of a .png (default 160)")
    larger = parser.add_mutually_exclusive_group()
    larger.add_argument("--scale", type=float, metavar="X", help="draw a .png or .svg X times as large")
    larger.add_argument("--width", type=float, metavar="INCHES", help="scale a .png or .svg to this width")
    parser.add_argument("-o", "--output", metavar="PICTURE", required=True, help="a .png, .svg or .pdf file to write")
    parser.add_argument("--open", action="store_true", help="show the picture at once")


@dataclass(frozen=True)
class _Heads:
    """Which heads are drawn, all where nothing is said, and whether their weights are written in the cells."""

    layer: int | None = None
    head: int | None = None
    numbers: bool = False


_ALL_HEADS = _Heads()


@dataclass(frozen=True)
class _Request:
    """What is asked for: which picture of which name, on which input, compiled for what."""

    name: str | None
    kind: str | None
    tokens: Sequence[Atom]
    vocab: str | None
    max_length: int | None
    causal: bool
    heads: _Heads


def draw_run(args: argparse.Namespace) -> int:
    """Draws one s-op, selector or compiled model on one input, and says where the picture is."""
    target = check_target(args.output)
    subject = opened(args)
    names = names_of(args, subject)
    if len(names) > 1:
        raise DataFault(f"a picture shows one s-op, and {', '.join(names)} are named", hint="an input follows -i")
    inputs = _only(own_header(subject).said_inputs(given_inputs(args)))
    chosen = _Heads(args.layer, args.head, args.numbers)
    asked = _Request(next(iter(names), None), args.kind, inputs, args.vocab, args.max_length, args.causal, chosen)
    figure = _of_program(subject, asked) if isinstance(subject, Program) else _of_model(subject, asked)
    finish = Finish(args.colors, args.dark, args.dpi, args.scale, args.width, args.output)
    say(visible(_finished(figure, finish, target)))
    if args.open:
        open_file(target)
    return 0


def _finished(figure: Figure, finish: Finish, target: Path) -> str:
    """The path of a picture once it is recoloured, has the size that is asked for, and is written."""
    figure = restyled(figure, Look(finish.colors, finish.dark))
    scale = 1.0 if finish.scale is None else finish.scale
    scale = scale if finish.width is None else finish.width / figure.get_size_inches()[0]
    dpi = DPI if finish.dpi is None else finish.dpi
    if min(dpi, scale) <= 0:
        raise DataFault("a picture needs a size above 0")
    return str(save(figure, target, dpi=dpi, scale=scale))


# -- what the language and the console ask for


def draw_flow(name: str, node: SOp, given: Input, names: Mapping[Node, str]) -> str:
    """The path of the picture of an s-op's computation on an input: comp_flows/NAME(INPUT).pdf under this folder."""
    figure = flow(node, sequence_of(given), names={**names, node: name})
    return str(save(figure, folder() / f"{file_name(name, given)}.pdf"))


def draw_graph(given: Input, asked: PictureRequest | None, finish: Finish, width: int) -> tuple[str, str]:
    """The relations of an input, and the heads of an s-op at work on it: as text, and the path of a picture, which is
    comp_flows/NAME(INPUT)-graph.pdf under this folder, unless it is said."""
    name = "example" if asked is None else asked.name
    target = _target(finish, f"{file_name(name, given)}-graph")
    tokens, model = sequence_of(given), None if asked is None else _model(asked)
    return graph_text(tokens, model, width=width), _finished(graph(tokens, model), finish, target)


def draw_kind(asked: PictureRequest) -> str:
    """The path of a picture of one kind of an s-op or selector: in comp_flows/ under this folder, unless it is said."""
    target = _target(asked.finish, f"{file_name(asked.name, asked.given)}-{asked.kind}")
    tokens, known, heads = sequence_of(asked.given), {**asked.names, asked.node: asked.name}, _heads_of(asked)
    if isinstance(asked.node, Selector):
        _refuse_choice("selector", heads)
        figure = _selector_figure(asked.node, tokens, asked.kind, title=asked.name, causal=asked.causal)
    elif asked.kind == "flow":
        _refuse_choice("flow", heads)
        figure = flow(asked.node, tokens, names=known, causal=asked.causal)
    else:
        figure = _picture(_model(asked), asked.kind, tokens, heads)
    return _finished(figure, asked.finish, target)


def _heads_of(asked: PictureRequest) -> _Heads:
    return _Heads(asked.layer, asked.head, asked.numbers)


def _target(finish: Finish, name: str) -> Path:
    """Where a picture goes: a .png where its size is asked for, as a .pdf has the size of its texts."""
    if finish.output is not None:
        return check_target(Path(finish.output).expanduser())
    sized = {finish.dpi, finish.scale, finish.width} != {None}
    return folder() / f"{name}.{'png' if sized else 'pdf'}"


def _model(asked: PictureRequest) -> CompiledModel:
    from compiler.pipeline import compile

    assert isinstance(asked.node, SOp)
    known = SourceMap({**asked.names, asked.node: asked.name})
    size = asked.size.vocabulary, asked.size.max_length
    return compile(asked.node, *size, name=asked.name, source_map=known, causal=asked.causal)


# -- figures


def _only(found: Sequence[Input]) -> Sequence[Atom]:
    if len(found) != 1:
        raise DataFault(f"a picture shows one input, and {len(found)} are given", hint="give one with -i")
    return sequence_of(found[0])


def _of_model(model: CompiledModel, asked: _Request) -> Figure:
    """A picture of a saved model, which has its own s-op, vocabulary and length."""
    if asked.name or asked.vocab or asked.max_length or asked.causal or asked.kind == "selector":
        raise DataFault(
            "a compiled model is drawn as it is, with its own s-op, vocabulary, length and mask",
            hint="draw the program for another name, or a selector",
        )
    return _picture(model, asked.kind or "heads", asked.tokens, asked.heads)


def _picture(model: CompiledModel, kind: str, tokens: Sequence[Atom], chosen: _Heads = _ALL_HEADS) -> Figure:
    """A picture of a compiled model."""
    if kind == "compare":
        return compare(model, tokens, **asdict(chosen))
    if kind == "heads":
        return _heads(model, tokens, chosen)
    _refuse_choice(kind, chosen)
    if kind == "graph":
        return graph(tokens, model)
    if kind == "residual":
        return residual(model, tokens)
    if kind == "weights":
        return weights(model)
    own = model.weights
    return flow(own.sops[own.output.name], tokens, names=own.names, causal=own.causal)


def _refuse_choice(kind: str, chosen: _Heads) -> None:
    """DataFault where heads are chosen of a picture that does not show heads."""
    if chosen != _ALL_HEADS:
        raise DataFault(f"--layer, --head and --numbers are for pictures of heads, not for --kind {kind}")


def _heads(model: CompiledModel, tokens: Sequence[Atom], chosen: _Heads) -> Figure:
    """All heads, or those chosen; one alone is drawn large."""
    attention = model.run(tokens).attention
    shown = chosen_heads(attention, chosen.layer, chosen.head)
    titles, masks = head_titles(model), head_masks(model, tokens)
    if len(shown) == 1 and chosen.head is not None:
        ((at, number, pattern),) = shown
        title = f"layer {at}, head {number}: {titles[at - 1][number - 1]}"
        figure = head(pattern, tokens, title=title, mask=masks[at - 1][number - 1]).figure
        assert isinstance(figure, Figure)
        return figure
    every = chosen.layer is None and chosen.head is None
    layers = range(1, len(attention) + 1) if every else sorted({at for at, _, _ in shown})
    return heads(
        [[pattern for at, _, pattern in shown if at == layer] for layer in layers],
        tokens,
        titles=[[titles[at - 1][number - 1] for at, number, _ in shown if at == layer] for layer in layers],
        rows=[f"layer {layer}" for layer in layers],
        masks=[[masks[at - 1][number - 1] for at, number, _ in shown if at == layer] for layer in layers],
        numbers=chosen.numbers,
    )


def _of_program(program: Program, asked: _Request) -> Figure:
    node = _node(program, asked.name)
    try:
        return _draw_selector(node, program, asked) if isinstance(node, Selector) else _draw_sop(node, program, asked)
    except RaspError as error:
        program.place(error, node)
        raise


def _node(program: Program, name: str | None) -> SOp | Selector:
    value = program.sop() if name is None else program.variable(name)
    if isinstance(value, (SOp, Selector)):
        return value
    raise TypeFault(f"{name} is {described(value)}; only s-ops and selectors are drawn")


def _draw_selector(node: Selector, program: Program, asked: _Request) -> Figure:
    _refuse_choice("selector", asked.heads)
    return _selector_figure(node, asked.tokens, asked.kind, title=program.names.get(node), causal=asked.causal)


def _selector_figure(
    node: Selector, tokens: Sequence[Atom], kind: str | None, *, title: str | None, causal: bool = False
) -> Figure:
    if kind not in (None, "selector"):
        hint = f"leave out --kind {kind}, or name an s-op"
        raise TypeFault(f"a selector alone has no {kind} picture", hint=hint)
    figure = selector(node, tokens, title=title, causal=causal).figure
    assert isinstance(figure, Figure)
    return figure


def _draw_sop(node: SOp, program: Program, asked: _Request) -> Figure:
    if asked.kind == "selector":
        raise TypeFault("an s-op has no pattern of its own", hint="use --kind heads or flow, or name a selector")
    if asked.kind == "flow":
        _refuse_choice("flow", asked.heads)
        return flow(node, asked.tokens, names=program.names, causal=asked.causal)
    return _picture(_compiled(node, program, asked), asked.kind or "heads", asked.tokens, asked.heads)


def _compiled(node: SOp, program: Program, asked: _Request) -> CompiledModel:
    """The compiled model of an s-op; where vocabulary and length are from, if they are not given, is said."""
    from compiler.pipeline import compile

    size = model_size(program.header, asked.vocab, asked.max_length, [asked.tokens])
    for remark in size.remarks:
        warn(remark)
    return compile(node, size.vocabulary, size.max_length, source_map=own_source(program), causal=asked.causal)

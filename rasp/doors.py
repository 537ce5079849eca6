"""The doors to the other rooms: what lies behind each is imported when it is opened, and no other module names them.

Only the command line and the front of the package come here; what they open they hand on, as a value with a type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from rasp.errors import DataFault

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from compiler.run.model import CompiledModel
    from lab.shown import Beside
    from rasp.console.rooms import Compiled, CompileRequest, Finish, PictureRequest, ReportRequest
    from rasp.graph import Node, Selector, SOp
    from rasp.inputs import Input
    from rasp.operations import Atom

# What adds the arguments of a subcommand to a parser, and what runs it and gives the exit status.
Subcommand: TypeAlias = "tuple[Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]"


@contextmanager
def _installed() -> Iterator[None]:
    """DataFault where a library is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise DataFault(f"this needs {error.name}, which is not installed", hint="pip install rasp-compiler") from error


# -- subcommands


@_installed()
def run() -> Subcommand:
    from rasp.command import run_arguments, run_run

    return run_arguments, partial(run_run, drawing=Rooms().draw)


@_installed()
def repl() -> Subcommand:
    from rasp.console.command import repl_arguments, repl_run

    return repl_arguments, partial(repl_run, rooms=Rooms())


@_installed()
def check() -> Subcommand:
    from rasp.command import check_arguments, check_run

    return check_arguments, check_run


@_installed()
def fmt() -> Subcommand:
    from rasp.command import fmt_arguments, fmt_run

    return fmt_arguments, fmt_run


@_installed()
def watch() -> Subcommand:
    from rasp.watch import watch_arguments, watch_run

    return watch_arguments, watch_run


@_installed()
def analyse() -> Subcommand:
    from rasp.command import analyse_arguments, analyse_run

    return analyse_arguments, analyse_run


@_installed()
def compile() -> Subcommand:
    from compiler.command import compile_arguments, compile_run

    return compile_arguments, compile_run


@_installed()
def infer() -> Subcommand:
    from compiler.inference import infer_arguments, infer_run

    return infer_arguments, partial(infer_run, load=load_model)


@_installed()
def verify() -> Subcommand:
    from compiler.command import verify_arguments, verify_run
    from export.runtimes import RUNTIMES

    runtimes = {name: engine.open for name, engine in RUNTIMES.items()}
    return partial(verify_arguments, runtimes=runtimes), partial(verify_run, load=load_model, runtimes=runtimes)


@_installed()
def export() -> Subcommand:
    from export.command import export_arguments, export_run

    return export_arguments, export_run


@_installed()
def zoo() -> Subcommand:
    from export.command import zoo_arguments, zoo_run

    return zoo_arguments, zoo_run


@_installed()
def draw() -> Subcommand:
    from viz.command import draw_arguments, draw_run

    return draw_arguments, draw_run


@_installed()
def report() -> Subcommand:
    from viz.report_page.command import report_arguments, report_run

    return report_arguments, partial(report_run, training=trained)


@_installed()
def train() -> Subcommand:
    from lab.command import train_arguments, train_run

    return train_arguments, partial(train_run, pictures=Pictures())


@_installed()
def compare() -> Subcommand:
    from lab.command import compare_arguments, compare_run

    return compare_arguments, partial(compare_run, pictures=Pictures())


# -- what is asked for elsewhere


@_installed()
def trained(path: str, inputs: Sequence[Sequence[Atom]], sop: SOp) -> Beside:
    """The model in a folder of `rasp train`, on some inputs, beside the s-op that it was trained on."""
    from lab.shown import beside

    return beside(path, inputs, sop)


@_installed()
def load_model(path: str) -> CompiledModel:
    """The model in a file of a compiled model, or in one exported to ONNX."""
    if path.endswith(".onnx"):
        from export.doors import load_onnx

        return load_onnx(path)
    from compiler.artifact import load

    return load(path)


class Pictures:
    """`lab.command.Pictures`, drawn by the room for pictures."""

    @_installed()
    def curves(self, path: Path, curves: Mapping[str, Sequence[tuple[int, float]]], *, baseline: float | None) -> None:
        from viz.learned import curves as drawn
        from viz.saving import save

        save(drawn(curves, baseline=baseline), path)

    @_installed()
    def lengths(self, path: Path, shares: Mapping[str, Mapping[int, float]], *, trained: int) -> None:
        from viz.learned import lengths
        from viz.saving import save

        save(lengths(shares, trained=trained), path)

    @_installed()
    def heads(self, path: Path, tokens: Sequence[Atom], pairs: Sequence[tuple[int, str, Any, Any]]) -> None:
        from viz.learned import learned_heads
        from viz.saving import save

        save(learned_heads(tokens, pairs), path)


def notebooks() -> None:
    """Imports what says how notebooks show values."""
    import viz.notebook

    viz.notebook.install()


class Rooms:
    """`rasp.console.rooms.Rooms`, with the compiler and the pictures behind it."""

    @_installed()
    def draw(self, name: str, node: SOp, given: Input, names: Mapping[Node, str]) -> str:
        from viz.command import draw_flow

        return draw_flow(name, node, given, names)

    @_installed()
    def picture(self, asked: PictureRequest) -> str:
        from viz.command import draw_kind

        return draw_kind(asked)

    @_installed()
    def graph(self, given: Input, asked: PictureRequest | None, finish: Finish, width: int) -> tuple[str, str]:
        from viz.command import draw_graph

        return draw_graph(given, asked, finish, width)

    @_installed()
    def report(self, asked: ReportRequest) -> str:
        from viz.report_page.command import write_report

        return write_report(asked)

    def open(self, path: str) -> None:
        from rasp.desktop import open_file

        open_file(path)

    @_installed()
    def mask(self, selector: Selector) -> Selector | None:
        from compiler.selectors import mask_of

        return mask_of(selector)

    @_installed()
    def heatmap(
        self, weights: Any, tokens: Sequence[Atom], *, title: str, mask: Any, width: int, colour: bool, dark: bool
    ) -> str:
        from viz.terminal import heatmap

        return heatmap(weights, tokens, title=title, mask=mask, width=width, colour=colour, dark=dark)

    @_installed()
    def heatmaps(
        self,
        attention: Any,
        tokens: Sequence[Atom],
        *,
        titles: Sequence[Sequence[str]],
        masks: Sequence[Sequence[Any]],
        width: int,
        colour: bool,
        dark: bool,
    ) -> str:
        from viz.terminal import heatmaps

        return heatmaps(attention, tokens, titles=titles, masks=masks, width=width, colour=colour, dark=dark)

    @_installed()
    def compile(self, asked: CompileRequest) -> Compiled:
        from compiler.artifact import save
        from compiler.command import verdict
        from compiler.pipeline import compile
        from compiler.report import report
        from compiler.source_map import SourceMap
        from rasp.console.rooms import Compiled
        from rasp.progress import Bar

        with Bar("compiling") as bar:
            model = compile(
                asked.node,
                asked.vocabulary,
                asked.max_length,
                dtype=asked.dtype,
                prefer=asked.prefer,
                name=asked.name,
                source_map=SourceMap(asked.names, asked.origins),
                progress=bar.tell,
            )
        return Compiled(
            name=asked.name,
            report=str(report(model)),
            output=lambda tokens: model.run(tokens, engine="reference").output,
            verify=lambda: verdict(model),
            save=lambda path: save(model, path),
        )

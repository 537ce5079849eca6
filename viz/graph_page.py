"""docs/graphs.md: how many layers each program on graphs has, as a table and a plot, and a picture of every program.

`python -m viz.graph_page` makes all of it anew: what stands between the marks of the page, and docs/graphs/.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from compiler.pipeline import compile
from rasp.errors import Refusal
from rasp.files import read_text, write_whole
from rasp.inputs import Input, sequence_of
from rasp.language.program import Program, load_program
from rasp.layers import analyse
from rasp.operations import Atom
from rasp.vocabulary import vocabulary_of
from viz.comparison import own_source
from viz.gallery import exhibit_of, small_png
from viz.node_link import graph
from viz.style import INK, LABEL_SIZE, QUIET, TITLE_SIZE, Box, axes_at, new_figure, styled

_TABLE = ("<!-- layers, by viz/graph_page.py -->", "<!-- until here, layers -->")
_PICTURES = ("<!-- pictures, by viz/graph_page.py -->", "<!-- until here, pictures -->")
SIZES = range(3, 21)
SHOWN = (4, 8, 16)
COMPILED = (4, 8)
_COLOURS = ("#1f5f99", "#c2571a", "#3c8d5a", "#8a5fa8", "#b08a1e", "#5c6b7a")
_WIDTH, _HEIGHT, _NAMES = 2.6, 3.0, 1.55
_LEFT, _TOP, _BELOW, _BETWEEN = 0.5, 0.3, 0.75, 0.45


@dataclass(frozen=True)
class Task:
    """A program on graphs: what class its problem is of, and the layers that are predicted for n vertices."""

    folder: str
    name: str
    kind: str
    formula: str
    predicted: Callable[[int], int]

    def program(self, folder: Path, n: int) -> Program:
        """The program for n vertices."""
        usual = _usual(self.path(folder))
        return load_program(self.path(folder), n=n) if usual.parameters.get("n", n) != n else usual

    def path(self, folder: Path) -> Path:
        """The program's file."""
        return folder / self.folder / f"{self.name}.rasp"

    def follows_n(self, folder: Path) -> bool:
        """Whether how many vertices there are is a parameter of the program."""
        return "n" in _usual(self.path(folder)).parameters

    def built(self, folder: Path, n: int) -> int:
        """The layers that the program needs for n vertices."""
        return analyse([self.program(folder, n).sop()]).depth


@cache
def _usual(path: Path) -> Program:
    """A program as its file has it, read once."""
    return load_program(path)


def rounds(n: int) -> int:
    """K = max(1, ⌈log₂(n − 1)⌉): how often a path of one edge doubles until it has n − 1."""
    return max(1, (n - 2).bit_length())


TASKS = (
    Task("graphs", "degree", "one neighbourhood", "1", lambda n: 1),
    Task("graphs", "neighbour_mean", "one neighbourhood", "1", lambda n: 1),
    Task("graphs", "best_neighbour", "one neighbourhood", "1", lambda n: 1),
    Task("graphs", "kinship", "labelled edges, two steps", "2", lambda n: 2),
    Task("graphs", "triangles", "which neighbours, then whose neighbours they are", "2", lambda n: 2),
    Task("graphs", "k_hops", "reached in k = 2 hops", "2", lambda n: 2),
    Task("graphs", "averaging", "k = 2 rounds towards the mean of the neighbours", "2", lambda n: 2),
    Task("graphs", "colour_refinement", "1-WL, k = 2 rounds of two layers", "4", lambda n: 4),
    Task("graphs", "distance", "shortest paths from marked vertices, one hop a layer", "n − 1", lambda n: n - 1),
    Task("graphs", "components", "the least label spreads, one hop a layer", "n − 1", lambda n: n - 1),
    Task(
        "graphs",
        "components_by_squaring",
        "sets of vertices that double how far they reach",
        "K + 1",
        lambda n: rounds(n) + 1,
    ),
    Task("graphs", "bipartite", "components, then walks of 2n − 2 and 2n − 1 steps", "3n − 2", lambda n: 3 * n - 2),
    Task("graphqa", "node_count", "retrieval", "1", lambda n: 1),
    Task("graphqa", "edge_count", "retrieval", "1", lambda n: 1),
    Task("graphqa", "edge_exists", "retrieval", "1", lambda n: 1),
    Task("graphqa", "degree", "retrieval", "1", lambda n: 1),
    Task("graphqa", "connected_nodes", "an edge asked for, then its other end", "2", lambda n: 2),
    Task("graphqa", "triangle_count", "sets of neighbours, what two have in common", "3", lambda n: 3),
    Task("graphqa", "reachability", "paths that double in length", "K + 2", lambda n: rounds(n) + 2),
    Task("graphqa", "cycle_check", "components by doubling, then a sum", "K + 2", lambda n: rounds(n) + 2),
    Task("graphqa", "shortest_path", "doubling, then leaps that halve", "2K + 1", lambda n: 2 * rounds(n) + 1),
    Task("graphqa", "reachability_by_hops", "one hop a layer", "n", lambda n: n),
)
TITLES: Mapping[str, str] = {"graphs": "over relations", "graphqa": "questions in tokens"}


# -- the table


def table(folder: Path) -> str:
    """Every task with its class, the layers predicted, and those that its program has for some n."""
    lines = [
        f"| program | class | layers predicted | {' | '.join(f'n = {n}' for n in SHOWN)} |",
        "| --- " * (3 + len(SHOWN)) + "|",
    ]
    for task in TASKS:
        counts = " | ".join(str(task.built(folder, n)) for n in SHOWN)
        lines.append(f"| `{task.folder}/{task.name}` | {task.kind} | {task.formula} | {counts} |")
    return "\n".join(lines)


# -- the plot


def layers_figure(built: Mapping[Task, Mapping[int, int]], compiled: Mapping[Task, Mapping[int, int]]) -> Figure:
    """A figure of layers against n: a line for each formula, circles where programs are, filled where compiled.

    Both tables have for each task the layers by n.
    """
    width = _LEFT + 2 * (_WIDTH + _NAMES) + _BETWEEN
    with styled():
        figure = new_figure(width, _TOP + _HEIGHT + _BELOW)
        for at, family in enumerate(TITLES):
            left = _LEFT + at * (_WIDTH + _NAMES + _BETWEEN)
            ax = axes_at(figure, Box(left, _TOP, _WIDTH, _HEIGHT))
            _draw_family(ax, family, built, compiled)
        figure.text(
            _LEFT / width,
            0.02,
            "line: layers predicted, K = max(1, ⌈log₂(n − 1)⌉); circle: what the program needs; "
            "filled: the compiled model, with a certificate",
            fontsize=LABEL_SIZE,
            color=QUIET,
        )
    return figure


def _draw_family(
    ax: Axes, family: str, built: Mapping[Task, Mapping[int, int]], compiled: Mapping[Task, Mapping[int, int]]
) -> None:
    """The tasks of one folder: the formula's name stands at the end of its line, with the tasks that have it."""
    groups: dict[str, list[Task]] = {}
    for task in built:
        if task.folder == family:
            groups.setdefault(task.formula, []).append(task)
    for number, (formula, tasks) in enumerate(groups.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        sizes = list(built[tasks[0]])
        ends = [tasks[0].predicted(n) for n in sizes]
        ax.plot(sizes, ends, color=colour, linewidth=1.0, gid=formula)
        for found, fill in ((built, "none"), (_shared(tasks, compiled), colour)):
            points = np.array(sorted({point for task in tasks for point in found.get(task, {}).items()})).reshape(-1, 2)
            ax.scatter(points[:, 0], points[:, 1], s=12, facecolors=fill, edgecolors=colour, linewidths=0.8, zorder=3)
        named = "\n".join([formula, *_in_lines([task.name for task in tasks])])
        place = (sizes[-1], ends[-1])
        ax.annotate(
            named, place, (6, 0), textcoords="offset points", va="center", fontsize=LABEL_SIZE, color=colour,
            annotation_clip=False,
        )  # fmt: skip
    _finish(ax, family)


def _shared(tasks: Sequence[Task], found: Mapping[Task, Mapping[int, int]]) -> Mapping[Task, Mapping[int, int]]:
    """What is found for those n for which it is found of every task."""
    sizes = set.intersection(*({*found.get(task, {})} for task in tasks))
    return {task: {n: found[task][n] for n in sizes} for task in tasks if sizes}


def _in_lines(names: Sequence[str], room: int = 26) -> Iterator[str]:
    """Names with commas, in lines of at most so many characters where a name is not longer."""
    line = ""
    for name in names:
        if line and len(line) + len(name) + 2 > room:
            yield f"{line},"
            line = name
        else:
            line = f"{line}, {name}" if line else name
    yield line


def _finish(ax: Axes, family: str) -> None:
    ax.set_yscale("log", base=2)
    ax.set_ylim(0.8, 72)
    ax.yaxis.set_major_locator(FixedLocator([1, 2, 4, 8, 16, 32, 64]))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(FixedLocator([4, 8, 12, 16, 20]))
    ax.tick_params(length=2, labelsize=LABEL_SIZE, width=0.6)
    ax.set_xlabel("vertices n", fontsize=LABEL_SIZE, color=QUIET)
    ax.set_ylabel("layers", fontsize=LABEL_SIZE, color=QUIET)
    ax.set_title(TITLES[family], loc="left", fontsize=TITLE_SIZE, color=INK)
    ax.spines[["top", "right"]].set_visible(False)


# -- compiled models


def compiled_layers(task: Task, folder: Path, n: int) -> int | None:
    """The layers of the compiled model for n vertices, None where it has none of that size."""
    program = task.program(folder, n)
    header = program.header
    assert header.vocabulary is not None
    length = header.length if task.follows_n(folder) else n
    try:
        model = compile(program.sop(), header.vocabulary, length or n)
    except Refusal:
        return None
    assert model.weights.certificate is not None
    return model.weights.depth


# -- pictures of the programs


def drawn(task: Task, folder: Path) -> Figure:
    """The program's input as a graph, and every head of its compiled model at work on it."""
    given = _given(task, folder)
    tokens = sequence_of(given)
    program = task.program(folder, _vertices(tokens))
    model = compile(program.sop(), vocabulary_of([tokens]), len(tokens), source_map=own_source(program))
    return graph(tokens, model)


def _given(task: Task, folder: Path) -> Input:
    found = task.program(folder, max(SHOWN)).header.input
    assert found is not None
    return found


def _vertices(tokens: Sequence[Atom]) -> int:
    """How many vertices an input has: a token each, or as many as its edges and questions can name."""
    names = [int(name) for token in tokens for name in re.findall(r"\d+", str(token))]
    questions = any("?" in str(token) for token in tokens)
    return max(names) + 1 if questions else len(tokens)


def sections(folder: Path) -> str:
    """A section for each program: what it does, an input with its output, and its picture."""
    return "\n\n".join(_section(task, folder) for task in TASKS)


def _section(task: Task, folder: Path) -> str:
    about = exhibit_of(task.path(folder))
    assert about is not None
    return "\n\n".join(
        [
            f"### {task.folder}/{task.name}",
            f"{about.title} `{about.given}` gives `{about.output}`.",
            f"![Heads of {task.folder}/{task.name} on its input]({picture_of(task)})",
        ]
    )


def picture_of(task: Task) -> str:
    """The path of a program's picture, from docs/."""
    return f"graphs/{task.folder}-{task.name}.png"


# -- the page


def between(text: str, marks: tuple[str, str], new: str) -> str:
    """The text with what stands between two marks replaced."""
    before, _, rest = text.partition(marks[0])
    _, _, after = rest.partition(marks[1])
    return f"{before}{marks[0]}\n\n{new}\n\n{marks[1]}{after}"


def build(programs: Path, docs: Path) -> None:
    """Writes the parts of docs/graphs.md that are made here, and the pictures in docs/graphs; stale ones go."""
    (docs / "graphs").mkdir(exist_ok=True)
    pictures = {docs / picture_of(task): drawn(task, programs) for task in TASKS}
    pictures[docs / "graphs" / "layers.png"] = layers_figure(*_measured(programs))
    for path, figure in pictures.items():
        write_whole(path, small_png(figure))
    for stale in set((docs / "graphs").glob("*.png")) - set(pictures):
        stale.unlink()
    page = docs / "graphs.md"
    text = between(read_text(page), _TABLE, table(programs))
    write_whole(page, between(text, _PICTURES, sections(programs)))


def _measured(programs: Path) -> tuple[Mapping[Task, Mapping[int, int]], Mapping[Task, Mapping[int, int]]]:
    """The layers of each task by n: as its program needs them, and as compiled models have them."""
    built = {task: {n: task.built(programs, n) for n in SIZES} for task in TASKS}
    found = {task: {n: compiled_layers(task, programs, n) for n in COMPILED} for task in TASKS}
    return built, {task: {n: own for n, own in row.items() if own is not None} for task, row in found.items()}


if __name__ == "__main__":
    build(Path("programs"), Path("docs"))
    sys.exit(0)

"""A few whole pictures, compared with the files in tests/golden. `pytest --update` writes these again.

Matplotlib draws the same plan a little differently from version to version, so another version than that of the files
is not compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from compiler.pipeline import compile_sop
from rasp.graph import Node, aggregate, indices, length, select, tokens
from viz.comparison import compare
from viz.flow_chart import flow
from viz.node_link import graph
from viz.residual_stream import residual
from viz.saving import rendered

FOLDER = Path(__file__).parent / "golden"
VERSION = FOLDER / "matplotlib-version.txt"
flip = select(indices, length - indices - 1)
reverse = aggregate(flip, tokens)
NAMES: dict[Node, str] = {flip: "flip", reverse: "reverse"}


def _compiled() -> Figure:
    return compare(compile_sop(reverse, "abc", 3, names=NAMES), "abc")


PICTURES: dict[str, Callable[[], Figure]] = {
    "reverse-flow": lambda: flow(reverse, "abc", names=NAMES),
    "reverse-compare": _compiled,
    "reverse-graph": lambda: graph("abc", compile_sop(reverse, "abc", 3, names=NAMES)),
    "reverse-residual": lambda: residual(compile_sop(reverse, "abc", 3, names=NAMES), "abc"),
}


def coarse(svg: str) -> str:
    """The picture with coordinates to whole points: the last digits depend on the machine."""
    return re.sub(r"-?\d+\.\d+", lambda found: f"{float(found[0]):.0f}", svg)


@pytest.mark.parametrize("name", PICTURES)
def test_the_picture_is_as_before(name: str, update: bool) -> None:
    drawn = coarse(rendered(PICTURES[name](), ".svg").decode())
    target = FOLDER / f"{name}.svg"
    if update:
        FOLDER.mkdir(exist_ok=True)
        target.write_text(drawn)
        VERSION.write_text(matplotlib.__version__ + "\n")
    if VERSION.read_text().strip() != matplotlib.__version__:
        pytest.skip(f"the files are of Matplotlib {VERSION.read_text().strip()}, this is {matplotlib.__version__}")
    assert drawn == target.read_text(), "if this is meant, run pytest with --update"

"""Pictures in other looks: dark paper, other colour maps, numbers in cells, one head, other sizes."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from rasp.__main__ import main
from rasp.errors import DataFault
from viz.head_grid import heads
from viz.look import Look, opposite, restyled
from viz.saving import rendered
from viz.style import CELL_TEXT, INK, PAPER, SCALE, lab_of, rgb_of

ROOT = Path(__file__).parent.parent


def picture() -> Figure:
    weights = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0.05, 0.05, 0.9]])
    return heads([[weights, np.eye(3)]], "abc", titles=[["one", "two"]], numbers=True)


def lightness(colour: object) -> float:
    return float(lab_of(np.array([to_rgb(colour)]))[0, 0])  # type: ignore[arg-type]


def meshes(figure: Figure) -> list[QuadMesh]:
    return [artist for artist in figure.findobj() if isinstance(artist, QuadMesh)]


def test_colours_come_back_from_lab() -> None:
    rgb = np.random.default_rng(0).random((50, 3))
    assert np.allclose(rgb_of(lab_of(rgb)), rgb, atol=1e-3)


def test_on_dark_paper_everything_written_is_light() -> None:
    figure = restyled(picture(), Look(dark=True))
    assert lightness(figure.get_facecolor()) < 15
    assert all(lightness(axes.get_facecolor()) < 15 for axes in figure.axes)
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_gid() != CELL_TEXT]
    assert all(lightness(text.get_color()) > 45 for text in texts if text.get_text())
    lines = [line for line in figure.findobj(Line2D) if isinstance(line, Line2D)]
    assert all(lightness(line.get_color()) > 30 for line in lines)


def test_more_attention_is_lighter_on_dark_paper() -> None:
    mesh = meshes(restyled(picture(), Look(dark=True)))[0]
    shades = [lightness(mesh.to_rgba(np.array([value]))[0][:3]) for value in (0.01, 0.3, 0.6, 1.0)]
    assert shades == sorted(shades)
    assert any("black: none" in text.get_text() for text in restyled(picture(), Look(dark=True)).findobj(Text))


def test_the_opposite_of_the_opposite_has_nearly_the_same_lightness() -> None:
    for colour in (INK, PAPER, "#1f5f99"):
        once = opposite(np.array([[*to_rgb(colour), 1.0]]))
        assert abs(lightness(opposite(once)[0, :3]) - lightness(colour)) < 12


@pytest.mark.parametrize("look", [Look("viridis"), Look("viridis", dark=True)])
def test_a_colour_map_is_that_of_all_cells_and_the_bar(look: Look) -> None:
    figure = restyled(picture(), look)
    assert {mesh.get_cmap().name for mesh in meshes(figure)} == {"viridis"}
    assert SCALE.name == "rasp"


@pytest.mark.parametrize("look", [Look("viridis"), Look("Greys_r"), Look(dark=True), Look()])
def test_numbers_stand_out_from_their_cells(look: Look) -> None:
    figure = restyled(picture(), look)
    axes = figure.axes[0]
    (mesh,) = (artist for artist in axes.collections if isinstance(artist, QuadMesh))
    numbers = [text for text in axes.texts if text.get_gid() == CELL_TEXT]
    assert sorted(text.get_text() for text in numbers) == [".05", ".05", ".5", ".5", ".9", "1"]
    values = np.asarray(mesh.get_array()).reshape(3, 3)
    for text in numbers:
        key, query = map(int, text.get_position())
        behind = lightness(mesh.to_rgba(values[query : query + 1, key])[0][:3])
        assert abs(lightness(text.get_color()) - behind) > 35


def test_an_unknown_colour_map_is_an_error() -> None:
    with pytest.raises(DataFault, match="no colour map virids; did you mean viridis"):
        restyled(picture(), Look("virids"))


def test_a_png_has_the_pixels_asked_for() -> None:
    def width(data: bytes) -> int:
        return int.from_bytes(data[16:20], "big")

    inches = picture().get_size_inches()[0]
    assert abs(width(rendered(picture(), ".png", dpi=50)) - 50 * inches) <= 1
    assert abs(width(rendered(picture(), ".png", dpi=50, scale=2)) - 100 * inches) <= 1


def test_an_svg_is_scaled_as_a_whole() -> None:
    plain, larger = (ElementTree.fromstring(rendered(picture(), ".svg", scale=scale)) for scale in (1.0, 2.0))
    assert plain.get("viewBox") == larger.get("viewBox")
    for side in ("width", "height"):
        before, after = (float(re.sub("pt", "", tree.get(side) or "")) for tree in (plain, larger))
        assert after == pytest.approx(2 * before, rel=1e-5)


def test_a_pdf_is_not_scaled() -> None:
    with pytest.raises(DataFault, match="the size of its texts"):
        rendered(picture(), ".pdf", scale=2)


# -- the command


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.rasp").write_text((ROOT / "programs" / "reverse.rasp").read_text())


def draw(*words: str) -> int:
    return main(["draw", "p.rasp", "-i", "abc", "--vocab", "a-c", "--max-length", "4", *words])


@pytest.mark.parametrize(
    "words",
    [
        ["--layer", "2"],
        ["--head", "1", "--numbers"],
        ["--layer", "2", "--head", "1", "--dark"],
        ["--kind", "compare", "--layer", "1", "--numbers"],
        ["--kind", "flow", "--dark"],
        ["--kind", "residual", "--dark"],
        ["--kind", "weights", "--dark"],
        ["--colors", "magma", "--scale", "1.5"],
        ["--width", "10"],
        ["--causal"],
    ],
)
def test_every_option_draws(words: list[str]) -> None:
    assert draw(*words, "-o", "out.svg") == 0
    root = ElementTree.parse("out.svg").getroot()
    if "--width" in words:
        assert root.get("width") == "720pt"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--layer", "3"], "there is no layer 3\n  hint: of heads, layer 1 has 1, layer 2 has 1"),
        (["--layer", "1", "--head", "2"], "there is no head 2 in layer 1"),
        (["--kind", "compare", "--head", "2"], "there is no head 2"),
        (["--kind", "flow", "--numbers"], "not for --kind flow"),
        (["--kind", "weights", "--layer", "1"], "not for --kind weights"),
        (["--scale", "0"], "a size above 0"),
        (["--dpi", "-1"], "a size above 0"),
    ],
)
def test_what_cannot_be_drawn_is_said(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(*words, "-o", "out.svg") == 1
    assert message in capsys.readouterr().err
    assert not Path("out.svg").exists()


def test_a_picture_is_opened_when_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert draw("-o", "out.svg", "--open") == 1
    assert opened == [Path("out.svg").resolve().as_uri()]


def test_run_is_causal_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("c.rasp").write_text("# input: [5, 1, 3]\n\nmean = aggregate(full_s, tokens_int);\n")
    assert main(["run", "c.rasp", "--causal"]) == 0
    assert "mean([5, 1, 3]) = [5, 3.0, 3.0] (floats)" in capsys.readouterr().out
    assert main(["run", "c.rasp", "--causal", "--show", "full_s", "--json"]) == 0
    assert "[[true, false, false], [true, true, false], [true, true, true]]" in capsys.readouterr().out

"""rasp draw, and the language's draw(…)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from compiler.artifact import save
from compiler.pipeline import compile_sop
from rasp.__main__ import main
from rasp.errors import DataFault
from rasp.graph import indices
from rasp.language.program import load_program
from viz.command import draw_flow

PROGRAM = """flip = select(indices, length - indices - 1, ==);
reverse = aggregate(flip, tokens);
letters = ["a"];
mean = aggregate(select(1, 1, ==), tokens);
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "p.rasp"
    path.write_text(PROGRAM)
    return path


def draw(*words: str) -> int:
    return main(["draw", "p.rasp", *words])


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    "words",
    [
        ["reverse"],
        ["reverse", "--kind", "heads"],
        ["reverse", "--kind", "compare"],
        ["reverse", "--kind", "flow"],
        ["reverse", "--kind", "graph"],
        ["reverse", "--kind", "residual"],
        ["reverse", "--kind", "weights"],
        ["flip"],
        ["flip", "--kind", "selector"],
    ],
)
def test_every_kind_is_drawn(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(*words, "-i", "abcd", "-o", "out.svg") == 0
    assert capsys.readouterr().out == "out.svg\n"
    assert ElementTree.parse(tmp_path / "out.svg").getroot().tag.endswith("svg")


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reverse", "-i", "abc", "-o", "out.gif"], "cannot write a picture as 'out.gif'"),
        (["reverse", "-i", "abc", "-o", "no/out.png"], "there is no folder 'no'"),
        (["reverse", "-o", "out.png"], "a picture shows one input, and 0 are given"),
        (["reverse", "-i", "a", "-i", "b", "-o", "out.png"], "a picture shows one input, and 2 are given"),
        (["nothing", "-i", "abc", "-o", "out.png"], "p.rasp defines no nothing"),
        (["letters", "-i", "abc", "-o", "out.png"], "only s-ops and selectors are drawn"),
        (["flip", "--kind", "heads", "-i", "abc", "-o", "out.png"], "a selector alone has no heads picture"),
        (["flip", "--kind", "flow", "-i", "abc", "-o", "out.png"], "a selector alone has no flow picture"),
        (["reverse", "--kind", "selector", "-i", "abc", "-o", "out.png"], "an s-op has no pattern of its own"),
        (["reverse", "--vocab", "a-c", "-i", "abz", "-o", "out.png"], '"z" at position 2 is not in the vocabulary'),
        (["reverse", "--max-length", "2", "-i", "abc", "-o", "out.png"], "the model takes at most 2"),
        (["mean", "--kind", "flow", "-i", "abc", "-o", "out.png"], "p.rasp:4:8: value error"),
    ],
)
def test_a_mistake_is_said_and_leaves_no_file(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(*words) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["p.rasp"]


@pytest.mark.usefixtures("program")
def test_an_input_may_stand_behind_the_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw("reverse", "-i", "hello", "--kind", "flow", "-o", "wanted.svg") == 0
    for words in (["reverse", "hello"], ["hello"]):
        assert draw(*words, "--kind", "flow", "-o", "out.svg") == (0 if words[0] == "reverse" else 1)
    assert (tmp_path / "out.svg").read_bytes() == (tmp_path / "wanted.svg").read_bytes()
    assert "value error" in capsys.readouterr().err, "the last s-op is mean, which has no value on strings"
    assert main(["report", "p.rasp", "reverse", "abc", "ba", "-o", "out.html"]) == 0


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["revers"], "there is nothing called revers; did you mean reverse?\n  hint: if it is an input: -i revers"),
        (["reverse", "flip"], "a picture shows one s-op, and reverse, flip are named"),
        (["reverse", "abc", "cab"], "a picture shows one input, and 2 are given"),
    ],
)
def test_names_and_inputs_are_told_apart(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert draw(*words, "-o", "out.svg") == 1
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("program")
def test_vocabulary_and_length_are_taken_from_the_input_and_that_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert draw("reverse", "-i", "hello", "-o", "out.png") == 0
    assert capsys.readouterr().err == 'from the inputs: vocabulary "e", "h", "l", "o", maximum length 5\n'
    assert draw("reverse", "-i", "hello", "--vocab", "a-z", "--max-length", "9", "-o", "out.png") == 0
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("program")
def test_a_saved_model_is_drawn_like_its_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = load_program("p.rasp")
    save(compile_sop(program.sop("reverse"), "abc", 5, names=program.names, origins=program.origins), "m.safetensors")
    assert main(["draw", "m.safetensors", "-i", "abc", "-o", "model.svg"]) == 0
    assert draw("reverse", "-i", "abc", "-o", "program.svg") == 0
    assert (tmp_path / "model.svg").read_bytes() == (tmp_path / "program.svg").read_bytes()
    assert main(["draw", "m.safetensors", "--kind", "weights", "-i", "abc", "-o", "weights.svg"]) == 0
    for kind in ("compare", "flow"):
        assert main(["draw", "m.safetensors", "--kind", kind, "-i", "abc", "-o", "model.svg"]) == 0
        assert draw("reverse", "--kind", kind, "-i", "abc", "-o", "program.svg") == 0
        assert (tmp_path / "model.svg").read_bytes() == (tmp_path / "program.svg").read_bytes()
    assert main(["draw", "m.safetensors", "--kind", "selector", "-i", "abc", "-o", "flow.svg"]) == 1
    assert "drawn as it is" in capsys.readouterr().err


@pytest.mark.usefixtures("program")
@pytest.mark.parametrize("kind", ["flow", "compare"])
def test_causal_pictures_are_of_the_causal_program(kind: str, tmp_path: Path) -> None:
    given = ["length", "--kind", kind, "-i", "abc", "-o"]
    (tmp_path / "p.rasp").write_text("length = aggregate(full_s, indices);")
    assert draw(*given, "all.svg") == 0
    assert draw(*given, "causal.svg", "--causal") == 0
    assert (tmp_path / "all.svg").read_bytes() != (tmp_path / "causal.svg").read_bytes()


@pytest.mark.usefixtures("program")
def test_the_language_draws_into_comp_flows() -> None:
    path = Path(draw_flow("next", indices + 1, "abc", {}))
    assert path == Path("comp_flows/next(abc).pdf")
    assert path.read_bytes().startswith(b"%PDF")


@pytest.mark.usefixtures("program")
def test_an_input_that_is_no_file_name_is_written_as_one() -> None:
    assert draw_flow("s", indices, "a/b\n:", {}) == "comp_flows/s(a_b__).pdf"
    assert draw_flow("s", indices, ["x", 1], {}) == "comp_flows/s([_x_, 1]).pdf"
    assert len(Path(draw_flow("s", indices, "a" * 150, {})).name) == 124


def test_a_folder_that_cannot_be_made_is_said(program: Path) -> None:
    (program.parent / "comp_flows").write_text("")
    with pytest.raises(DataFault, match="cannot make the folder"):
        draw_flow("s", indices, "abc", {})


def test_another_process_draws_the_same_bytes(program: Path) -> None:
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])}
        command = [sys.executable, "-m", "rasp", "draw", "p.rasp", "reverse", "--kind", "flow", "-i", "abc"]
        subprocess.run([*command, "-o", f"{seed}.svg"], check=True, env=environment, capture_output=True)
    assert (program.parent / "1.svg").read_bytes() == (program.parent / "2.svg").read_bytes()


GRAPH = '{"tokens": "abc", "edges": [[0, 1], [1, 2]]}'


@pytest.mark.parametrize("kind", ["graph", "heads", "compare"])
def test_a_graph_is_drawn(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, picture = tmp_path / "g.rasp", tmp_path / "g.svg"
    program.write_text('degree = selector_width(relation("edges"));')
    assert main(["draw", str(program), "degree", "--kind", kind, "-i", GRAPH, "-o", str(picture)]) == 0
    assert capsys.readouterr().out == f"{picture}\n"
    assert picture.stat().st_size > 1000

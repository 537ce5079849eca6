"""Graphs that are none, or that a program has no value on: every subcommand that takes inputs says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.console.console import Console
from rasp.console.session import Session
from rasp.doors import Rooms

HEADER = '# vocab: a\n# length: 3\n# input: {"tokens": "aa", "edges": [[0, 1]]}\n\nedges = relation("edges");\n'
DEGREE = HEADER + "degree = selector_width(edges);\n"
SPREAD = HEADER + "spread = 1 / (selector_width(edges) - 1);\n"
BAD = {
    "a missing vertex": (
        {"tokens": "aa", "edges": [[0, 2]]},
        "edge [0, 2] of edges names position 2; those of the input are 0 to 1",
    ),
    "a vertex below 0": ({"tokens": "aa", "edges": [[0, -1]]}, "names position -1"),
    "an empty graph": ({"tokens": [], "edges": []}, "an input needs at least one token"),
    "an edge in an empty graph": ({"tokens": "", "edges": [[0, 0]]}, "needs at least one token"),
    "too many edges": ({"tokens": "a", "edges": [[0, 0]] * 2}, "edges lists 2 edges, and 1 position has 1 pair"),
    "two labels": ({"tokens": "aa", "edges": [[0, 1], [0, 1, "x"]]}, "is there twice, with no label and with 'x'"),
    "no edge": ({"tokens": "aa", "edges": [[0]]}, "[0] of edges is no edge"),
}
WAYS = {
    "run": ["run", "p.rasp"],
    "run --json": ["run", "p.rasp", "--json"],
    "infer": ["infer", "m.safetensors"],
    "compile": ["compile", "p.rasp"],
    "verify": ["verify", "p.rasp", "--count", "1"],
    "verify a model": ["verify", "m.safetensors", "--count", "1"],
    "draw": ["draw", "p.rasp", "-o", "p.svg"],
    "draw --kind graph": ["draw", "p.rasp", "--kind", "graph", "-o", "p.svg"],
    "draw --kind flow": ["draw", "p.rasp", "--kind", "flow", "-o", "p.svg"],
    "report": ["report", "p.rasp", "-o", "p.html"],
}
# What compiles for the inputs given, and is told here that three positions are the most.
SIZED = ("verify", "draw", "draw --kind graph", "report")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each program, with its compiled model."""
    found = {}
    for name, text in (("degree", DEGREE), ("spread", SPREAD)):
        found[name] = tmp_path_factory.mktemp(name)
        (found[name] / "p.rasp").write_text(text)
        assert main(["compile", str(found[name] / "p.rasp"), "-o", str(found[name] / "m.safetensors"), "--json"]) == 0
    return found


@pytest.fixture
def degree(saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved["degree"])


@pytest.fixture
def spread(saved: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved["spread"])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_graph_is_an_error(kind: str, way: str, degree: None, capsys: pytest.CaptureFixture[str]) -> None:
    given, words = BAD[kind]
    Path("g.jsonl").write_text(f"\n{json.dumps(given)}\n")
    for source, place in ((["-i", json.dumps(given)], ""), (["--inputs", "g.jsonl"], "line 2 of g.jsonl: ")):
        assert main([*WAYS[way], *source]) == 1
        out, err = capsys.readouterr()
        assert (out, f"data error: {place}" in err, words in err) == ("", True, True)


@pytest.mark.parametrize("way", WAYS)
def test_more_vertices_than_the_model_takes(way: str, degree: None, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["-i", json.dumps({"tokens": "aaaa", "edges": [[0, 3]]})]
    status = main([*WAYS[way], *given, *(["--max-length", "3"] if way in SIZED else [])])
    said = "the input has 4 tokens, the model takes at most 3"
    small = way in SIZED or "infer" in way or "model" in way
    assert (status, said in capsys.readouterr().err) == ((1, True) if small else (0, False))


@pytest.mark.parametrize("way", [way for way in WAYS if way != "compile"])
def test_an_input_without_the_relation(way: str, degree: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*WAYS[way], "-i", '{"tokens": "aa"}']) == 1
    assert 'the input has no relation "edges"' in capsys.readouterr().err


@pytest.mark.parametrize("way", ["run", "run --json", "infer", "draw", "draw --kind graph", "draw --kind flow"])
def test_a_self_loop_where_a_program_divides_by_one_less(
    way: str, spread: None, capsys: pytest.CaptureFixture[str]
) -> None:
    loop = {"tokens": "aa", "edges": [[0, 0]]}
    assert main([*WAYS[way], "-i", json.dumps(loop)]) == 1
    out, err = capsys.readouterr()
    assert "division by zero at position 0" in err or "not so at position 0: 1 / (" in err
    assert way != "run --json" or json.loads(out)["error"].startswith("division by zero at position 0")


def test_verify_and_the_page_say_that_there_is_no_value(spread: None, capsys: pytest.CaptureFixture[str]) -> None:
    loop = json.dumps({"tokens": "aa", "edges": [[0, 0]]})
    for file in ("p.rasp", "m.safetensors"):
        assert main(["verify", file, "--count", "1", "-i", loop]) == 0
        assert " and 1 given\n" in capsys.readouterr().out
    assert main([*WAYS["report"], "-i", loop]) == 0
    assert "division by zero at position 0" in Path("p.html").read_text()


def test_analyse_and_empty_relations_are_no_error(degree: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["analyse", "p.rasp"]) == 0
    for way in ("run", "infer", "verify", "draw --kind graph", "report"):
        assert main([*WAYS[way], "-i", '{"tokens": "a", "edges": []}']) == 0
    assert "[0]" in capsys.readouterr().out


def test_the_console_keeps_its_example_where_a_graph_is_none() -> None:
    console = Console(Session(), Rooms())
    for given, words in BAD.values():
        (error,) = console.push(f"set example {json.dumps(given)}").errors
        assert words in str(error)
    assert console.push("show example").text == '\ts-op example: "hello"\n\tselector example: "hello"'


def test_a_file_that_is_no_graph(degree: None, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.gml").write_text("graph [\n]\n")
    assert main(["run", "p.rasp", "--graph", "empty.gml"]) == 1
    assert "an input needs at least one token" in capsys.readouterr().err

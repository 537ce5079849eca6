"""The programs in programs/graphs/: what their headers promise, on every engine, and what networkx says of all graphs.

`pytest tests/test_graph_programs.py --vertices 6` takes all 33,867 graphs of up to 6 vertices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pytest

from compiler import load, save, verify
from compiler.run.batches import answers
from compiler.run.model import ENGINES, CompiledModel
from rasp import Graph, Program, evaluate
from rasp import load as load_program
from rasp.__main__ import main
from rasp.errors import DataFault, RaspError
from rasp.inputs import parse_input
from rasp.layers import analyse
from rasp.operations import Atom
from rasp.relations import Edges
from tests.test_programs import printed

FOLDER = Path(__file__).parent.parent / "programs" / "graphs"
FILES = sorted(path.stem for path in FOLDER.glob("*.rasp"))


def program(name: str) -> Program:
    return load_program(FOLDER / f"{name}.rasp")


def header(name: str) -> dict[str, str]:
    text = re.match(r"(#.*\n)*", (FOLDER / f"{name}.rasp").read_text(encoding="utf-8"))
    assert text is not None
    return dict(re.findall(r"^# ([\w-]+): +(.*)$", text[0], re.MULTILINE))


def given(name: str) -> Graph:
    found = parse_input(header(name)["input"])
    assert isinstance(found, Graph)
    return found


@cache
def model(name: str) -> CompiledModel:
    own = program(name)
    found: CompiledModel = own.compile(own.header.vocabulary or (), own.header.length or 0)
    return found


def test_there_are_programs() -> None:
    assert len(FILES) >= 12


@pytest.mark.parametrize("name", FILES)
def test_the_header_holds(name: str) -> None:
    said = header(name)
    assert printed(evaluate(program(name).sop(), given(name))) == said["output"]
    assert model(name).weights.depth == int(said["layers"]) == analyse([program(name).sop()]).depth
    assert ", ".join(map(str, model(name).weights.heads)) == said["heads"]


@pytest.mark.parametrize("name", FILES)
def test_a_program_is_for_as_many_vertices_as_its_parameter_says(name: str) -> None:
    parameters = program(name).parameters
    for n in (3, 7) if "n" in parameters else ():
        assert load_program(FOLDER / f"{name}.rasp", n=n).header.length == n


def same(found: list[Any], wanted: list[Any]) -> bool:
    return found == (wanted if isinstance(wanted[0], str) else pytest.approx(wanted, rel=1e-5))


@pytest.mark.parametrize("name", FILES)
def test_engines_files_and_random_graphs_agree(name: str, tmp_path: Path) -> None:
    own, sop = model(name), program(name).sop()
    wanted = evaluate(sop, given(name))
    for engine in (*ENGINES, "sparse"):
        assert same(own.run(given(name), engine=engine).output, wanted)
    save(own, tmp_path / "m.safetensors")
    assert same(load(tmp_path / "m.safetensors")(given(name)), wanted)
    assert verify(sop, own, count=25, engines=("reference",)).counterexample is None


# -- all graphs, as networkx has them


def all_graphs(least: int, most: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """Every labelled graph of so many vertices, as its pairs."""
    for length in range(least, most + 1):
        pairs = list(combinations(range(length), 2))
        for chosen in range(1 << len(pairs)):
            yield length, [pair for bit, pair in enumerate(pairs) if chosen >> bit & 1]


def input_of(length: int, pairs: Sequence[tuple[int, int]], tokens: Sequence[Atom]) -> Graph:
    both = sorted({(v, u) for u, v in pairs} | set(pairs))
    return Graph(tokens[:length], {"edges": Edges.sorted(length, [(u, v, None) for u, v in both])})


def hops(graph: Any, most: float) -> list[int]:
    near = networkx.single_source_shortest_path_length(graph, 0)
    return [near[v] if near.get(v, most + 1) <= most else -1 for v in graph]


def least_vertex(graph: Any) -> list[int]:
    return [min(networkx.node_connected_component(graph, v)) for v in graph]


def bipartite(graph: Any) -> list[bool]:
    found = {
        v: networkx.is_bipartite(graph.subgraph(part)) for part in networkx.connected_components(graph) for v in part
    }
    return [found[v] for v in graph]


ORACLES: Mapping[str, tuple[str, Callable[[Any], list[Any]]]] = {
    "degree": ("aaaaaa", lambda graph: [graph.degree(v) for v in graph]),
    "k_hops": ("*.....", lambda graph: [found >= 0 for found in hops(graph, 2)]),
    "components": ("......", least_vertex),
    "components_by_squaring": ("......", least_vertex),
    "distance": ("*.....", lambda graph: hops(graph, 9)),
    "triangles": ("......", lambda graph: list(networkx.triangles(graph).values())),
    "bipartite": ("......", bipartite),
}


@cache
def model_of(name: str, vertices: int) -> CompiledModel:
    """The model for so many vertices; its parameter n says how many there are, where it has one."""
    own = program(name)
    sized = load_program(FOLDER / f"{name}.rasp", n=vertices) if "n" in own.parameters else own
    found: CompiledModel = sized.compile(header(name)["vocab"], vertices)
    return found


@pytest.mark.parametrize("name", ORACLES)
def test_all_graphs_are_as_networkx_has_them(name: str, request: pytest.FixtureRequest) -> None:
    vertices = int(request.config.getoption("--vertices"))
    tokens, oracle = ORACLES[name]
    graphs = list(all_graphs(1, vertices))
    found = answers(model_of(name, vertices), [input_of(*each, tokens) for each in graphs])
    for (length, pairs), answer in zip(graphs, found, strict=True):
        graph = networkx.Graph(pairs)
        wanted = networkx.Graph()
        wanted.add_nodes_from(range(length))
        wanted.add_edges_from(graph.edges)
        assert isinstance(answer, dict), answer
        assert next(iter(answer.values())) == oracle(wanted), (length, pairs)


LARGER = {"triangles": 20, "components_by_squaring": 24}


@pytest.mark.parametrize("name", LARGER)
def test_larger_graphs_are_as_networkx_has_them(name: str) -> None:
    vertices, oracle = LARGER[name], ORACLES[name][1]
    rng = np.random.default_rng(vertices)
    graphs = [networkx.path_graph(vertices), networkx.complete_graph(vertices)]
    graphs += [
        networkx.gnp_random_graph(vertices, float(p), int(rng.integers(1 << 30))) for p in (0.04, 0.06, 0.1, 0.5)
    ]
    graphs = [networkx.relabel_nodes(graph, dict(enumerate(rng.permutation(vertices).tolist()))) for graph in graphs]
    found = answers(model_of(name, vertices), [input_of(vertices, list(g.edges), "." * vertices) for g in graphs])
    for graph, answer in zip(graphs, found, strict=True):
        wanted = networkx.Graph()
        wanted.add_nodes_from(range(vertices))
        wanted.add_edges_from(graph.edges)
        assert isinstance(answer, dict), answer
        assert next(iter(answer.values())) == oracle(wanted)


def test_how_many_graphs_there_are() -> None:
    assert sum(2 ** (n * (n - 1) // 2) for n in range(1, 7)) == 33_867


@pytest.mark.parametrize(("vertices", "rounds"), [(5, 2), (8, 3)])
def test_colours_are_the_partition_of_weisfeiler_and_leman(vertices: int, rounds: int) -> None:
    rng = np.random.default_rng(0)
    own = load_program(FOLDER / "colour_refinement.rasp", n=vertices, k=rounds)
    sop, model = own.sop(), own.compile(".", vertices)
    for _ in range(30):
        graph = networkx.gnp_random_graph(vertices, rng.random(), int(rng.integers(1 << 30)))
        given = input_of(vertices, list(graph.edges), "." * vertices)
        found = model(given)
        networkx.set_node_attributes(graph, ".", "token")
        hashes = networkx.weisfeiler_lehman_subgraph_hashes(graph, iterations=rounds, node_attr="token")
        assert found == evaluate(sop, given)
        last = [hashes[v][-1] if hashes[v] else "" for v in graph]
        same = [[a == b for b in last] for a in last]
        assert same == [[a == b for b in found] for a in found]


# -- graphs that are none, or too large


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"tokens": "abc", "edges": [[0, 3]]}', "names position 3"),
        ('{"tokens": "", "edges": []}', "at least one token"),
        (json.dumps({"tokens": "a" * 13, "edges": []}), "the model takes at most 12"),
        ('{"tokens": "abc"}', "no relation"),
        ('{"tokens": "ab?", "edges": []}', "not in the vocabulary"),
    ],
)
def test_bad_graphs_are_told_apart(text: str, words: str) -> None:

    with pytest.raises(RaspError, match=words):
        model("degree").run(parse_input(text))


def test_more_edges_than_pairs_are_too_many() -> None:
    edges = [[u, v, mark] for u in range(2) for v in range(2) for mark in ("x", "y")]
    with pytest.raises(DataFault, match="is there twice"):
        parse_input(json.dumps({"tokens": "ab", "edges": edges}))


def test_a_self_loop_where_one_is_subtracted() -> None:
    from rasp import parse

    sop = parse('d = selector_width(relation("edges")); x = 1 / (d - 1);').sop()
    with pytest.raises(RaspError, match="division by zero"):
        evaluate(sop, {"tokens": "a", "edges": [[0, 0]]})


def test_the_page_on_graphs_is_right() -> None:
    text = (FOLDER.parent.parent / "docs" / "graphs.md").read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(compile(code, "docs/graphs.md", "exec"), names)
    assert all(f"`graphs/{name}`" in text for name in FILES)


@pytest.mark.parametrize("kind", ["heads", "flow", "compare", "residual"])
def test_graphs_are_drawn(kind: str, tmp_path: Path) -> None:
    picture = tmp_path / "p.svg"
    assert main(["draw", str(FOLDER / "k_hops.rasp"), "--kind", kind, "-o", str(picture)]) == 0
    assert picture.stat().st_size > 1000


def test_graphs_are_reported(tmp_path: Path) -> None:
    page = tmp_path / "p.html"
    assert main(["report", str(FOLDER / "degree.rasp"), "-o", str(page)]) == 0
    assert "its heads have masks, which come with the examples" in page.read_text(encoding="utf-8")

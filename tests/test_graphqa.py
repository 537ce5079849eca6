"""The programs in programs/graphqa/: what their headers promise, and what networkx says of graphs of every generator.

`pytest tests/test_graphqa.py --graphs 500` takes 500 graphs of each generator.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, permutations
from pathlib import Path
from typing import Any

import networkx
import pytest

from compiler import load, save, verify
from compiler.run.batches import answers
from compiler.run.model import ENGINES, CompiledModel
from rasp import BatchRun, Program, analyse, evaluate
from rasp import load as load_program
from rasp.__main__ import main
from rasp.inputs import parse_input, tokens_of
from rasp.operations import Atom
from tests.test_programs import printed

FOLDER = Path(__file__).parent.parent / "programs" / "graphqa"
FILES = sorted(path.stem for path in FOLDER.glob("*.rasp"))
VERTICES = 8


@dataclass(frozen=True)
class Question:
    """A graph, the two vertices asked about, and the tokens that say so."""

    graph: Any
    first: int
    second: int
    tokens: tuple[str, ...]


def distance(asked: Question) -> int:
    near: dict[int, int] = networkx.single_source_shortest_path_length(asked.graph, asked.first)
    return near.get(asked.second, -1)


ORACLES: Mapping[str, Callable[[Question], Atom]] = {
    "node_count": lambda asked: len(asked.graph),
    "edge_count": lambda asked: asked.graph.number_of_edges(),
    "edge_exists": lambda asked: asked.graph.has_edge(asked.first, asked.second),
    "degree": lambda asked: asked.graph.degree(asked.first),
    "reachability": lambda asked: networkx.has_path(asked.graph, asked.first, asked.second),
    "reachability_by_hops": lambda asked: networkx.has_path(asked.graph, asked.first, asked.second),
    "cycle_check": lambda asked: not networkx.is_forest(asked.graph),
    "triangle_count": lambda asked: sum(networkx.triangles(asked.graph).values()) // 3,
    "shortest_path": distance,
}


def wanted(name: str, asked: Question) -> list[Atom]:
    """The answer at the question and nothing elsewhere; connected nodes are the vertices themselves."""
    if name == "connected_nodes":
        return [token in map(str, asked.graph[asked.first]) for token in asked.tokens]
    return [ORACLES[name](asked) if "?" in token else 0 for token in asked.tokens]


def vocabulary(n: int) -> list[str]:
    edges = [f"{u}-{v}" for u, v in combinations(range(n), 2)]
    return [*map(str, range(n)), *edges, *(f"{u}?{v}" for u, v in permutations(range(n), 2))]


def header(name: str) -> dict[str, str]:
    text = (FOLDER / f"{name}.rasp").read_text(encoding="utf-8").partition("load")[0]
    return dict(re.findall(r"^# ([\w-]+): +(.*)$", text, re.MULTILINE))


def program(name: str, n: int = VERTICES) -> Program:
    return load_program(FOLDER / f"{name}.rasp", n=n)


@cache
def model(name: str, n: int) -> CompiledModel:
    found: CompiledModel = program(name, n).compile(vocabulary(n), n + n * (n - 1) // 2 + 1)
    return found


def given(name: str) -> list[Atom]:
    return tokens_of(parse_input(header(name)["input"]))


# -- headers


def test_every_task_has_a_program() -> None:
    assert {*FILES} == {*ORACLES, "connected_nodes"}


@pytest.mark.parametrize("name", FILES)
def test_the_header_holds(name: str) -> None:
    said, own = header(name), program(name)
    assert printed(evaluate(own.sop(), given(name))) == said["output"]
    assert analyse([own.sop()]).heads == [int(count) for count in said["heads"].split(",")]
    assert len(said["heads"].split(",")) == int(said["layers"])


@pytest.mark.parametrize("name", FILES)
def test_the_size_in_the_header_follows_the_parameter(name: str) -> None:
    for n in (3, VERTICES, 12):
        own = program(name, n).header
        assert list(own.vocabulary or ()) == vocabulary(n)
        assert own.length == n + n * (n - 1) // 2 + 1


def test_a_task_compiles_for_so_many_vertices_as_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", str(FOLDER / "degree.rasp"), "--set", "n=6"]) == 0
    assert capsys.readouterr().err == "from the header: vocabulary tokens_of(n) (51 tokens), maximum length 22\n"


def rounds(n: int) -> int:
    return max(1, (n - 2).bit_length())


LAYERS: Mapping[str, Callable[[int], int]] = {
    "connected_nodes": lambda n: 2,
    "triangle_count": lambda n: 3,
    "reachability": lambda n: rounds(n) + 2,
    "cycle_check": lambda n: rounds(n) + 2,
    "shortest_path": lambda n: 2 * rounds(n) + 1,
    "reachability_by_hops": lambda n: n,
}


@pytest.mark.parametrize("name", FILES)
def test_layers_grow_as_the_theorems_allow(name: str) -> None:
    for n in (3, 4, 5, 6, 9, 10, 17, 18, 19):
        assert analyse([program(name, n).sop()]).depth == (LAYERS[name](n) if name in LAYERS else 1)


# -- what networkx says

GENERATORS: Mapping[str, Callable[..., Any]] = {
    "erdos_renyi": lambda n, rng: networkx.gnp_random_graph(n, rng.random(), rng),
    "barabasi_albert": lambda n, rng: networkx.barabasi_albert_graph(n, rng.randint(1, n - 1), rng),
    "stochastic_block": lambda n, rng: networkx.stochastic_block_model(
        [n // 2, n - n // 2], [[0.7, 0.1], [0.1, 0.7]], seed=rng
    ),
    "complete": lambda n, rng: networkx.complete_graph(n),
    "star": lambda n, rng: networkx.star_graph(n - 1),
    "path": lambda n, rng: networkx.path_graph(n),
    "scale_free": lambda n, rng: networkx.scale_free_graph(n, seed=rng),
    "small_world": lambda n, rng: networkx.watts_strogatz_graph(n, min(n - 1, 4), 0.3, rng),
}


def question(drawn: Any, first: int, second: int, rng: random.Random) -> Question:
    """The question about the simple graph beneath what was drawn, its tokens in any order."""
    graph = networkx.Graph()
    graph.add_nodes_from(drawn)
    graph.add_edges_from((u, v) for u, v, *_ in drawn.edges if u != v)
    edges = [f"{min(edge)}-{max(edge)}" for edge in graph.edges]
    tokens = [*map(str, graph), *edges, f"{first}?{second}"]
    rng.shuffle(tokens)
    return Question(graph, first, second, tuple(tokens))


@cache
def questions(count: int) -> list[Question]:
    """A question about each of `count` graphs of every generator, vertices named at random."""
    rng, found = random.Random(0), list[Question]()
    for draw in GENERATORS.values():
        for _ in range(count):
            graph = draw(rng.randint(3, VERTICES), rng)
            names = rng.sample(range(VERTICES), len(graph))
            graph = networkx.relabel_nodes(graph, dict(zip(sorted(graph), names, strict=True)))
            first, second = rng.sample(names, 2)
            found.append(question(graph, first, second, rng))
    return found


@pytest.mark.parametrize("name", FILES)
def test_graphs_of_every_generator(name: str, request: pytest.FixtureRequest) -> None:
    asked = questions(int(request.config.getoption("--graphs")))
    found = BatchRun.of([one.tokens for one in asked]).sop(program(name).sop()).lists()
    for one, answer in zip(asked, found, strict=True):
        assert answer == wanted(name, one), one.tokens


def every_question(n: int) -> Iterator[Question]:
    """Every question about every graph of n vertices."""
    pairs, rng = list(combinations(range(n), 2)), random.Random(1)
    for chosen in range(1 << len(pairs)):
        graph = networkx.empty_graph(n)
        graph.add_edges_from(pair for bit, pair in enumerate(pairs) if chosen >> bit & 1)
        for first, second in permutations(range(n), 2):
            yield question(graph, first, second, rng)


# -- compiled


@pytest.mark.parametrize("name", FILES)
def test_compiled_models_are_as_networkx_has_it(name: str) -> None:
    asked = list(every_question(4))
    for one, answer in zip(asked, answers(model(name, 4), [one.tokens for one in asked]), strict=True):
        assert isinstance(answer, dict), answer
        assert next(iter(answer.values())) == wanted(name, one), one.tokens


@pytest.mark.parametrize("name", FILES)
def test_compiled_models_on_graphs_of_every_generator(name: str, request: pytest.FixtureRequest) -> None:
    asked = questions(int(request.config.getoption("--graphs")))
    for one, answer in zip(asked, answers(model(name, VERTICES), [one.tokens for one in asked]), strict=True):
        assert isinstance(answer, dict), answer
        assert next(iter(answer.values())) == wanted(name, one), one.tokens


@pytest.mark.parametrize("name", FILES)
def test_compiled_models_have_the_layers_predicted(name: str) -> None:
    own, sop = model(name, VERTICES), program(name).sop()
    assert own.weights.heads == analyse([sop]).heads
    assert own.weights.certificate is not None
    assert verify(sop, own, count=25, engines=("reference",)).counterexample is None


@pytest.mark.parametrize("name", FILES)
def test_engines_and_files_agree_on_eight_vertices(name: str, tmp_path: Path) -> None:
    own = model(name, VERTICES)
    for engine in (*ENGINES, "sparse"):
        assert printed(own.run(given(name), engine=engine).output) == header(name)["output"]
    save(own, tmp_path / "m.safetensors")
    assert printed(load(tmp_path / "m.safetensors")(given(name))) == header(name)["output"]


# -- what is no such graph


@pytest.mark.parametrize(
    ("name", "tokens", "answer"),
    [
        ("degree", ["0", "1", "0-1", "0-1", "0?1"], 2),
        ("edge_count", ["0", "1", "0-1", "0-1", "0?1"], 2),
        ("cycle_check", ["0", "1", "0-1", "0-1", "0?1"], True),
        ("node_count", ["0?1"], 0),
        ("shortest_path", ["0", "1", "0?1"], -1),
        ("triangle_count", ["0", "0?1"], 0),
    ],
)
def test_edges_twice_and_none_at_all(name: str, tokens: list[str], answer: Atom) -> None:
    assert evaluate(program(name).sop(), tokens)[-1] == answer


def test_several_questions_are_answered_each_at_its_place() -> None:
    tokens = ["0", "1", "2", "3", "0-1", "1-2", "0?2", "2?1", "3?0"]
    assert evaluate(program("reachability").sop(), tokens)[-3:] == [True, True, False]
    assert evaluate(program("degree").sop(), tokens)[-3:] == [1, 1, 0]


def test_of_several_questions_the_last_one_is_answered() -> None:
    tokens = ["0", "1", "2", "3", "0-1", "1-2", "2?1", "0?2", "2?0"]
    assert evaluate(program("shortest_path").sop(), tokens) == [0, 0, 0, 0, 0, 0, 0, 0, 2]
    assert evaluate(program("shortest_path").sop(), [*tokens, "0?2"])[-4:] == [0, 2, 0, 2]


@pytest.mark.parametrize("name", FILES)
def test_several_questions_mean_what_the_interpreter_says(name: str) -> None:
    """Edges twice, edges of vertices that are not there, no question and several: in any order, at every engine."""
    n, own = 4, model(name, 4)
    rng, words = random.Random(7), own.weights.vocabulary
    asked = [word for word in words if "?" in str(word)]
    given = [[*rng.choices(words, k=rng.randint(1, 5)), *rng.choices(asked, k=count % 3)] for count in range(60)]
    given = [tokens[: own.weights.max_length] for tokens in given]
    wanted = BatchRun.of(given).sop(program(name, n).sop()).lists()
    for tokens, answer, right in zip(given, answers(own, given), wanted, strict=True):
        assert isinstance(answer, dict), tokens
        assert next(iter(answer.values())) == right, tokens


@pytest.mark.parametrize("n", [3, 4, 5, 9, 10, 17])
def test_the_longest_path_is_found(n: int) -> None:
    tokens = [*map(str, range(n)), *(f"{v}-{v + 1}" for v in range(n - 1)), f"{n - 1}?0"]
    assert evaluate(program("shortest_path", n).sop(), tokens)[-1] == n - 1
    assert evaluate(program("reachability", n).sop(), tokens)[-1] is True
    assert evaluate(program("reachability_by_hops", n).sop(), tokens)[-1] is True
    assert evaluate(program("cycle_check", n).sop(), ["0-2", *tokens])[-1] is True


def test_the_page_on_graphs_names_every_program() -> None:
    text = (FOLDER.parent.parent / "docs" / "graphs.md").read_text(encoding="utf-8")
    assert all(f"`graphqa/{name}`" in text for name in FILES)

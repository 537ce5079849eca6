"""Programs with relations as tasks: random graphs, and heads that can tell edges."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from lab.graphs import RelationRead, relations_read
from lab.mask_json import as_json, of_json
from lab.masks import Relational, edge_aware
from lab.patterns import targets
from lab.sampling import Inputs
from lab.task import Task
from rasp import (
    aggregate,
    evaluate,
    full,
    indicator,
    indices,
    label,
    parse,
    relation,
    selector_width,
    tokens,
    transpose,
)
from rasp.__main__ import main
from rasp.errors import DataFault
from rasp.graph import LabelledRelation, SOp

EDGES = relation("edges")
DEGREE = selector_width(EDGES)
RED = selector_width(relation("edges", "red"))


def task(sop: SOp = DEGREE, vocab: str = "a-c", length: int = 5, inputs: str = "random") -> Task:
    return Task.from_program(sop, vocab, length, inputs, count=300, held_out=50)


def keys(task: Task) -> tuple[set[object], set[object]]:
    sides = (task.training, task.held_out)
    found = [set(Inputs(side.ids, side.relations).keys()) for side in sides]
    return found[0], found[1]


@pytest.mark.parametrize("sop", [DEGREE, RED, aggregate(transpose(EDGES), indicator(tokens == "a"))], ids=str)
def test_labels_are_what_the_interpreter_says_of_each_graph(sop: SOp) -> None:
    found = task(sop)
    run = found.batch(found.held_out)
    for row in range(20):
        given = run.given(row)
        labels = found.held_out.labels[row, : len(given)]
        assert found.atoms(labels) == evaluate(sop, given)


@pytest.mark.parametrize("inputs", ["random", "balanced"])
def test_graphs_are_distinct_and_the_held_out_ones_others(inputs: str) -> None:
    found = task(inputs=inputs)
    training, held_out = keys(found)
    assert (len(training), len(held_out)) == (len(found.training), len(found.held_out))
    assert len(training) > 250
    assert not training & held_out
    assert keys(task(inputs=inputs)) == (training, held_out)


def test_a_graph_needs_no_second_token() -> None:
    assert len(task(vocab="a").training) > 200


def test_balanced_graphs_have_rare_labels() -> None:
    """Vertices with three edges are rare at random."""
    shares = {}
    for inputs in ("random", "balanced"):
        found = task(selector_width(EDGES) >= 3, inputs=inputs)
        shares[inputs] = max(np.bincount(found.training.labels[found.training.given])) / found.training.given.sum()
    assert shares["balanced"] < shares["random"] - 0.1


def test_the_relations_that_a_program_reads() -> None:
    both = RED + selector_width(relation("edges", "blue") & relation("other"))
    assert relations_read(both) == (RelationRead("edges", ("red", "blue", None)), RelationRead("other", (None,)))
    for unknown in (aggregate(EDGES, label(EDGES)), selector_width(relation("edges", tokens))):
        with pytest.raises(DataFault, match="labels the edges of edges have is not told by the program"):
            relations_read(unknown)


def test_graphs_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "graphs.jsonl"
    words = ["".join(word) for word in product("abc", repeat=3)]
    graphs = [{"tokens": word, "edges": [edge]} for word in words for edge in ([0, 1], [0, 2], [1, 0], [2, 0])]
    file.write_text("\n".join(map(json.dumps, [*graphs, *graphs])))
    found = task(inputs=str(file))
    assert len(found.training) + len(found.held_out) == len(graphs) == 108


def test_every_head_of_a_graph_task_can_tell_the_edges() -> None:
    assert edge_aware(tokens) is None
    assert edge_aware(DEGREE) == Relational((EDGES, full))
    found = edge_aware(RED + selector_width(relation("edges", tokens)))
    assert found is not None
    assert [isinstance(kind, LabelledRelation) for kind in found.kinds] == [False, True, False]
    masks = {(0, 0): found, (0, 1): Relational((transpose(EDGES),))}
    assert of_json(json.loads(json.dumps(as_json(masks)))) == masks


def test_the_programs_heads_are_compared_on_graphs() -> None:
    found = task(aggregate(EDGES, indices))
    ((target,),) = targets(found, found.held_out)
    for row, given in enumerate(map(found.batch(found.held_out).given, range(20))):
        cells = evaluate_cells(given)
        size = len(given)
        assert ((target.attention[row, 1 : size + 1, 1 : size + 1] > 0) == cells).all()


def evaluate_cells(given: object) -> object:
    from rasp import Run

    return Run(given).selector(EDGES)  # type: ignore[arg-type]


def test_a_graph_program_is_trained_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = tmp_path / "degree.rasp"
    program.write_text('edges = relation("edges");\ndegree = selector_width(edges);\n')
    assert parse(program.read_text()).sop() is DEGREE
    folder = tmp_path / "run"
    options = ("--vocab", "a-b", "--max-length", "3", "--steps", "2", "--positions", "sinusoidal")
    assert main(["train", str(program), *options, "-o", str(folder)]) == 0
    capsys.readouterr()
    given = '{"tokens": "aba", "edges": [[0, 1], [2, 1]]}'
    assert main(["compare", str(folder), "-i", given]) == 0
    assert "program [0, 2, 0] (ints)" in capsys.readouterr().out

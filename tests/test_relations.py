"""Relations: selectors that come with the input, in the language and its evaluations."""

import json
import random
import sys
from pathlib import Path

import networkx
import numpy as np
import pytest
import torch

from rasp import BatchRun, Graph, Run, evaluate, parse
from rasp.__main__ import main
from rasp.console.session import Session
from rasp.errors import DataFault, RaspError, SyntaxFault, TypeFault, ValueFault
from rasp.graph import SOp, aggregate, indices, label, relation, select, select_best, selector_width, transpose
from rasp.inputs import parse_input
from rasp.meaning import EvaluationFault, MissingRelation
from rasp.relations import Edges, from_networkx
from tests.random_relations import random_relation_case

PATH = {"tokens": "abcd", "edges": [[0, 1], [1, 2], [2, 3]]}
FAMILY = {"tokens": "abc", "edges": [[0, 1, "child"], [1, 2, "friend"], [0, 2, "child"]]}
EDGES = relation("edges")
DEGREE = selector_width(EDGES)


def value_of(text: str, given: object, *, causal: bool = False) -> list[object]:
    return evaluate(parse(text).sop(), given, causal=causal)  # type: ignore[arg-type]


# -- the language


def test_an_edge_sends_from_u_to_v() -> None:
    assert value_of('selector_width(relation("edges"));', PATH) == [0, 1, 1, 1]
    assert value_of('aggregate(relation("edges"), tokens, "-");', PATH) == ["-", "a", "b", "c"]


def test_the_mean_over_the_neighbours() -> None:
    given = {"tokens": [1, 2, 6], "edges": [[0, 2], [1, 2]]}
    assert value_of('aggregate(relation("edges"), tokens_int);', given) == [0, 0, 1.5]


def test_a_relation_joins_with_comparisons() -> None:
    text = 'edges = relation("edges"); local = edges or select(indices, indices, ==); {};'
    assert value_of(text.format("selector_width(local)"), PATH) == [1, 2, 2, 2]
    assert value_of(text.format('has_focus(edges and select(tokens, "b", ==))'), PATH) == [False, False, True, False]
    assert value_of(text.format("selector_width(not edges)"), PATH) == [4, 3, 3, 3]


def test_transpose_turns_every_selector_round() -> None:
    assert value_of('aggregate(transpose(relation("edges")), tokens, "-");', PATH) == ["b", "c", "d", "-"]
    text = "s = select(indices, indices, <) and not select(tokens, indices % 2, ==); selector_width({}(s));"
    run = Run("ab1")
    s = parse(text.format("")).selector("s")
    assert (run.selector(transpose(s)) == run.selector(s).T).all()
    assert transpose(transpose(s)) is s


def test_select_best_has_no_transpose() -> None:
    with pytest.raises(TypeFault, match="no transpose"):
        transpose(select_best(EDGES, indices))


def test_edges_with_a_label() -> None:
    assert value_of('selector_width(relation("edges", "child"));', FAMILY) == [0, 1, 1]
    assert value_of(
        'x = {"a": "", "b": "child", "c": "friend"}[tokens]; selector_width(relation("edges", x));', FAMILY
    ) == [
        0,
        1,
        1,
    ]


def test_the_label_wanted_is_read_where_the_edge_arrives() -> None:
    text = 'w = "child" if indices == 2 else "friend"; selector_width({}(relation("edges", w)));'
    assert value_of(text.format(""), FAMILY) == [0, 0, 1]
    assert value_of(text.format("transpose"), FAMILY) == [1, 0, 0]


def test_what_the_edges_carry() -> None:
    given = {"tokens": "abc", "edges": [[0, 2, 5], [1, 2, 8], [0, 1, 2.5]]}
    assert value_of('e = relation("edges"); aggregate(e, label(e));', given) == [0, 2.5, 6.5]
    assert value_of('e = relation("edges"); aggregate(e, 1 + label(e) - indices, -1);', given) == [-1, 3.5, 7.0]
    assert value_of('e = relation("edges"); aggregate(transpose(e), label(transpose(e)));', given) == [3.75, 8, 0]
    assert value_of('e = relation("edges"); aggregate(e and select(indices, 0, ==), label(e));', given) == [0, 2.5, 5]


def test_a_single_label_may_be_a_string() -> None:
    assert value_of('e = relation("edges"); aggregate(e and select(indices, 0, ==), label(e), "");', FAMILY) == [
        "",
        "child",
        "child",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('e = relation("edges"); aggregate(full_s, label(e));', "query 0 selects key 0"),
        ('e = relation("edges"); aggregate(e, label(e));', "has no label"),
    ],
)
def test_a_cell_without_a_label_is_named(text: str, words: str) -> None:
    with pytest.raises(EvaluationFault, match=words):
        value_of(text, PATH)


def test_strings_have_no_mean() -> None:
    with pytest.raises(EvaluationFault, match="only numbers have a mean, found strings"):
        value_of('e = relation("edges"); aggregate(e, label(e), "");', FAMILY)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('label(relation("e")) == 1;', "cannot be compared"),
        ('label(relation("e")) * 2;', "stands alone or in a sum"),
        ('label(relation("e")) + label(relation("e"));', "two labels"),
        ("label(full_s);", "takes a relation"),
        ("label(3);", "takes a relation"),
        ("relation(3);", "is a string"),
        ('relation("tokens");', "cannot be called tokens"),
        ('relation("e", full_s);', "must be an s-op"),
        ("relation();", "takes 1 to 2 arguments"),
        ("transpose(indices);", "takes a selector"),
        ('x = 1 if label(relation("e")) else 2;', "truth value"),
    ],
)
def test_what_relations_cannot_do(text: str, words: str) -> None:
    with pytest.raises(RaspError, match=words):
        parse(text)


def test_the_new_words_are_no_reserved_words() -> None:
    text = (
        "label = 3; edges = label + 1; relation = edges; transpose(relation) ; def transpose(label) { return label; }"
    )
    reply = Session().push("label = 3; relation = label + 1; def transpose(x) { return x; } transpose(relation);")
    assert not reply.errors, text
    assert "value: out =  4" in reply.text


def test_causal_mode_masks_last() -> None:
    given = {"tokens": "abc", "edges": [[2, 0], [0, 1], [1, 1]]}
    edges = 'e = relation("edges"); {};'
    assert value_of(edges.format("selector_width(e)"), given, causal=True) == [0, 2, 0]
    assert value_of(edges.format("selector_width(transpose(e))"), given, causal=True) == [0, 1, 1]
    assert value_of(edges.format("selector_width(not e)"), given, causal=True) == [1, 0, 3]
    assert value_of(edges.format("selector_width(transpose(not e))"), given, causal=True) == [1, 1, 2]


def test_python_builds_the_same_graph() -> None:
    program = parse('e = relation("edges"); d = selector_width(transpose(e) and relation("edges", indices));')
    assert program.sop("d") is selector_width(transpose(EDGES) & relation("edges", indices))
    assert aggregate(EDGES, label(EDGES) + indices) is parse(
        'aggregate(relation("edges"), indices + label(relation("edges")));'
    ).sop("out")


def test_relations_are_written_back() -> None:
    for text in (
        'relation("edges")',
        'transpose(relation("edges"))',
        'relation("edges", "child")',
        'transpose(relation("edges", tokens))',
        'aggregate(relation("edges"), label(relation("edges")) + indices, "x")',
    ):
        node = parse(f"x = {text};").variables["x"]
        assert repr(node) == text


# -- inputs


def test_undirected_edges_go_both_ways() -> None:
    given = {"tokens": "abc", "edges": [[0, 1], [1, 2]], "directed": False}
    assert evaluate(DEGREE, given) == [1, 2, 1]
    two = {**given, "directed": {"edges": False}, "more": [[0, 1]]}
    assert evaluate(selector_width(relation("more")), two) == [0, 1, 0]
    assert evaluate(DEGREE, two) == [1, 2, 1]


@pytest.mark.parametrize(
    "edges",
    [
        [[0, 1], [1, 2]],
        ((0, 1), (1, 2), (0, 1)),
        np.array([[False, True, False], [False, False, True], [False, False, False]]),
        np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]),
        np.array([[0, 1], [1, 2]]),
        torch.tensor([[0, 1], [1, 2]]),
    ],
)
def test_the_forms_of_edges_in_python(edges: object) -> None:
    assert evaluate(DEGREE, {"tokens": "abc", "edges": edges}) == [0, 1, 1]


def test_a_networkx_graph_is_an_input() -> None:
    graph = networkx.Graph([("x", "y"), ("y", "z")])
    assert evaluate(DEGREE, graph) == [1, 2, 1]
    directed = networkx.DiGraph()
    directed.add_node(0, token="a")
    directed.add_node(1, token="b")
    directed.add_edge(0, 1, label="child")
    assert from_networkx(directed).as_dict() == {"tokens": ["a", "b"], "edges": [[0, 1, "child"]]}


def test_numbers_of_a_matrix_are_labels() -> None:
    given = {"tokens": "abc", "edges": np.array([[0, 2.5, 1], [0, 0, 0], [0, 0, 0]])}
    assert evaluate(aggregate(EDGES, label(EDGES)), given) == [0, 2.5, 1.0]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"edges": []}, "needs tokens"),
        ({"tokens": "", "edges": []}, "at least one token"),
        ({"tokens": "ab", "edges": [[0, 2]]}, "names position 2; those of the input are 0 to 1"),
        ({"tokens": "a", "edges": [[0, -1]]}, "those of the input is 0"),
        ({"tokens": "ab", "edges": [[0]]}, "is no edge"),
        ({"tokens": "ab", "edges": [["a", "b"]]}, "positions are ints"),
        ({"tokens": "ab", "edges": [[0, True]]}, "positions are ints"),
        ({"tokens": "ab", "edges": [[0, 1, "x"], [0, 1, "y"]]}, "there twice, with 'x' and with 'y'"),
        ({"tokens": "ab", "edges": [[0, 1, "x"], [1, 0, "y"]], "directed": False}, "there twice"),
        ({"tokens": "ab", "edges": [[0, 1, [2]]]}, "label of edge"),
        ({"tokens": "ab", "edges": "0-1"}, "no list of edges"),
        ({"tokens": "ab", "edges": [], "directed": "yes"}, '"directed" is true, false'),
        ({"tokens": "ab", "edges": [], "directed": {"x": True}}, "speaks of 'x'"),
        ({"tokens": "ab", "edges": np.zeros((2, 2), dtype=int)}, "adjacency matrix as well as an edge_index"),
        ({"tokens": "ab", "edges": np.zeros((3, 3), dtype=int)}, "has the shape"),
        ({"tokens": [["a"]], "edges": []}, "strings and numbers"),
        ({"tokens": "ab", 3: []}, "name of a relation"),
    ],
)
def test_bad_graphs(given: dict[object, object], words: str) -> None:
    with pytest.raises(DataFault, match=words):
        Run(given)  # type: ignore[arg-type]


def test_an_input_that_lacks_the_relation() -> None:
    with pytest.raises(MissingRelation, match='no relation "edges"'):
        evaluate(DEGREE, "abc")


def test_graphs_are_values() -> None:
    first, again = parse_input(json.dumps(PATH)), parse_input(json.dumps(PATH))
    assert isinstance(first, Graph)
    assert first == again
    assert hash(first) == hash(again)
    assert list(first) == list("abcd")
    assert first != parse_input(json.dumps({**PATH, "edges": []}))


def test_braces_are_characters_where_they_are_no_graph() -> None:
    assert parse_input("{}{}") == "{}{}"
    assert parse_input('{"a": 1}') == '{"a": 1}'
    with pytest.raises(DataFault, match="begins like a graph"):
        parse_input('{"tokens": [')


# -- the near-linear evaluation


@pytest.mark.parametrize("seed", range(40))
def test_batches_and_long_inputs_agree_with_the_rules(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    case = random_relation_case(seed)
    wanted = [_attempt(lambda given=given: evaluate(case.root, given, causal=case.causal)) for given in case.inputs]
    batch = BatchRun.of(case.inputs, causal=case.causal).sop(case.root).lists()
    assert [None if row is None else list(map(repr, row)) for row in batch] == [
        row if row is None else list(map(repr, row)) for row in wanted
    ]
    monkeypatch.setattr("rasp.interpret.SHORT", 0)
    found = [_attempt(lambda given=given: evaluate(case.root, given, causal=case.causal)) for given in case.inputs]
    assert list(map(repr, found)) == list(map(repr, wanted))


def _attempt(compute: object) -> list[object] | None:
    try:
        return compute()  # type: ignore[operator]
    except ValueFault:
        return None


def test_a_large_graph_is_evaluated_by_its_edges() -> None:
    chance = random.Random(3)
    length = 20_000
    edges = [[chance.randrange(length), chance.randrange(length)] for _ in range(60_000)]
    given = {"tokens": [0] * length, "edges": edges}
    hit = EDGES & select(indices % 7, indices % 5, "<")
    found = Run(given).sop(selector_width(hit)).tolist()
    pairs = {(u, v) for u, v in edges}
    wanted = [0] * length
    for u, v in pairs:
        wanted[v] += u % 7 < v % 5
    assert found == wanted


def test_the_same_error_on_long_inputs() -> None:
    given = {"tokens": [0] * 200, "edges": [[u, 7, u] for u in range(5)]}
    for root, words in (
        (aggregate(select(indices, indices), label(EDGES)), "query 0 selects key 0"),
        (selector_width(relation("other")), "no relation"),
    ):
        with pytest.raises(ValueFault, match=words):
            evaluate(root, given)


# -- the console and the command line


def test_no_example_is_no_error() -> None:
    reply = Session().push('e = relation("edges"); d = selector_width(e);')
    assert not reply.errors
    assert 'No example: set example {"tokens": ["a", "b", "c"], "edges": [[0, 1], [1, 2]]}' in reply.text


def test_an_example_may_be_a_graph() -> None:
    session = Session()
    assert not session.push(
        'set example {"tokens": "abc", "edges": [[0, 1], [1, 2, "child"]], "directed": False}'
    ).errors
    assert "= [1, 2, 1] (ints)" in session.push('selector_width(relation("edges"));').text
    assert "= [0, 1, 1] (ints)" in session.push('selector_width(relation("edges", "child"));').text
    assert "=  [0, 1] (ints)" in session.push('(selector_width(relation("e")))({"tokens": "ab", "e": [[0, 1]]});').text


def test_a_label_is_shown() -> None:
    assert 'value: l =  label(relation("edges"))' in Session().push('l = label(relation("edges"));').text


PROGRAM = 'param k = 1;\nd = selector_width(relation("edges")) * k;\n'


def run_command(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    status = main(list(args))
    out, err = capsys.readouterr()
    return status, out, err


def test_graphs_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, lines = tmp_path / "d.rasp", tmp_path / "in.jsonl"
    program.write_text(PROGRAM)
    lines.write_text(json.dumps(PATH) + "\n")
    status, out, _ = run_command(capsys, "run", str(program), "--inputs", str(lines), "--json", "--set", "k=2")
    assert (status, json.loads(out)) == (0, {"input": PATH, "output": [0, 2, 2, 2]})
    status, _, err = run_command(capsys, "run", str(program), "-i", "abc")
    assert status == 1
    assert "no relation" in err


@pytest.mark.parametrize(("suffix", "write"), [(".gml", networkx.write_gml), (".graphml", networkx.write_graphml)])
def test_graphs_in_files(suffix: str, write: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, path = tmp_path / "d.rasp", tmp_path / f"g{suffix}"
    program.write_text(PROGRAM)
    graph = networkx.path_graph(3, networkx.DiGraph)
    networkx.set_node_attributes(graph, {0: "a", 1: "b", 2: "c"}, "token")
    write(graph, path)  # type: ignore[operator]
    status, out, _ = run_command(capsys, "run", str(program), "--graph", str(path), "--json")
    assert (status, json.loads(out)["output"]) == (0, [0, 1, 1])
    assert json.loads(out)["input"]["tokens"] == ["a", "b", "c"]


def test_an_edge_list_and_what_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program, path = tmp_path / "d.rasp", tmp_path / "g.txt"
    program.write_text(PROGRAM)
    path.write_text("0 1\n1 2\n")
    assert json.loads(run_command(capsys, "run", str(program), "--graph", str(path), "--json")[1])["output"] == [
        1,
        2,
        1,
    ]
    broken = tmp_path / "g.gml"
    broken.write_text("nothing [")
    assert "no graph that networkx can read" in run_command(capsys, "run", str(program), "--graph", str(broken))[2]
    assert "does not exist" in run_command(capsys, "run", str(program), "--graph", "missing.gml")[2]


def test_without_networkx(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "d.rasp"
    program.write_text(PROGRAM)
    monkeypatch.setitem(sys.modules, "networkx", None)
    status, _, err = run_command(capsys, "run", str(program), "--graph", "g.gml")
    assert status == 1
    assert "pip install networkx" in err


def test_edges_of_a_batch_must_fit() -> None:
    with pytest.raises(DataFault, match="over 3 positions"):
        BatchRun("ab", np.zeros((1, 2), dtype=int), relations=[{"e": Edges.of("e", 3, [])}])


# -- parameters


def test_parameters_have_defaults() -> None:
    assert parse("param n = 3; x = indices + n;").parameters == {"n": 3}
    assert value_of("param n = 3; x = indices + n;", "ab") == [3, 4]


def test_parameters_are_given(tmp_path: Path) -> None:
    from rasp import load

    path = tmp_path / "p.rasp"
    path.write_text("param n = 8; param f = 0.5; x = indices + n;")
    assert evaluate(load(path, n=12, f=2).sop(), "a") == [12]
    assert load(path, f=2).parameters == {"n": 8, "f": 2.0}


@pytest.mark.parametrize(
    ("given", "words"),
    [({"m": 1}, "has no parameter m"), ({"n": "a"}, "was given the string"), ({"n": True}, "was given the bool")],
)
def test_wrong_parameters(given: dict[str, object], words: str) -> None:
    with pytest.raises(RaspError, match=words):
        parse("param n = 8; x = indices + n;", **given)  # type: ignore[arg-type]


def test_param_is_a_name_where_nothing_follows() -> None:
    program = parse("param = 3; def f(param) { return param + 1; } x = f(param) * param;")
    assert program.variables["x"] == 12


def test_parameters_stand_at_the_top() -> None:
    with pytest.raises(SyntaxFault, match="inside a body"):
        parse("def f() { param n = 3; return n; }")
    with pytest.raises(TypeFault, match="a parameter is a number"):
        parse("param s = full_s;")


def test_a_loaded_file_may_have_parameters(tmp_path: Path) -> None:
    from rasp import load

    (tmp_path / "inner.rasp").write_text("param n = 8; y = indices + n;")
    outer = tmp_path / "outer.rasp"
    outer.write_text('load "inner"; x = y + 1;')
    sop = load(outer, n=1).sop()
    assert isinstance(sop, SOp)
    assert evaluate(sop, "ab") == [2, 3]

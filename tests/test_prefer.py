"""One wide head or several narrow ones: what `prefer` decides, what the notes say, and that both are exact."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

import compiler.rewrites.simplify
from compiler.artifact import load, save
from compiler.facts import Facts
from compiler.options import PREFERENCES, Options
from compiler.pipeline import Compilation, compile_sop
from compiler.report import report
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from compiler.tensors import parameter_counts
from compiler.values import analysis
from compiler.values.analysis import ValueAnalysis
from compiler.values.sets import ValueSet
from rasp.errors import Refusal, ValueFault
from rasp.graph import (
    Node,
    Selector,
    SelectorWidth,
    SOp,
    aggregate,
    full,
    indices,
    length,
    select,
    selector_width,
    sop,
    tokens,
    tokens_int,
    where,
)
from rasp.interpret import run
from rasp.language.program import load_program
from rasp.layers import analyse
from rasp.operations import Atom
from tests.exact import exact

PROGRAMS = Path(__file__).parent.parent / "programs"
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SAME = select(tokens, tokens)
BEFORE = select(indices, indices, "<")
GOES_BEFORE = select(tokens, tokens, "<") | (SAME & BEFORE)
HISTOGRAM = selector_width(SAME)


def compiled(name: str, max_length: int, prefer: str = "auto") -> CompiledModel:
    program = load_program(PROGRAMS / f"{name}.rasp")
    return compile_sop(program.sop(), LETTERS, max_length, prefer=prefer, names=program.names)


def score_dimensions(model: CompiledModel) -> int:
    return max(head.W_Q.shape[1] for layer in model.weights.layers for head in layer.heads)


@pytest.mark.parametrize(("name", "heads"), [("sort", [1, 1]), ("most_frequent", [2, 1, 1])])
def test_the_heads_of_a_small_model_stay_as_predicted(name: str, heads: list[int]) -> None:
    model = compiled(name, 2)
    assert (model.weights.heads, model.weights.notes) == (heads, ())
    assert parameter_counts(model.weights)["total"] < 50_000


@pytest.mark.parametrize(("name", "max_length", "heads"), [("sort", 10, [2, 1]), ("most_frequent", 20, [2, 2, 1])])
def test_a_large_model_is_split_where_that_makes_it_much_smaller(name: str, max_length: int, heads: list[int]) -> None:
    models = {prefer: compiled(name, max_length, prefer) for prefer in PREFERENCES}
    sizes = {prefer: parameter_counts(model.weights)["total"] for prefer, model in models.items()}
    assert models["auto"].weights.heads == heads
    assert sizes["depth"] > max(50_000, 4 * sizes["auto"])
    assert sizes["auto"] == sizes["small"]


@pytest.mark.parametrize("max_length", [40, 80])
@pytest.mark.parametrize(
    ("name", "heads", "most"), [("sort", [2, 1], 2_200_000), ("most_frequent", [2, 2, 1], 9_200_000)]
)
def test_a_very_wide_head_becomes_two(name: str, heads: list[int], most: int, max_length: int) -> None:
    model = compiled(name, max_length)
    assert model.weights.heads == heads
    assert model.weights.depth == len(model.weights.predicted_heads)
    assert score_dimensions(model) <= 1024
    assert parameter_counts(model.weights)["total"] <= most
    (note,) = model.weights.notes
    assert note.startswith("place: 2 heads instead of one of up to")
    assert "--prefer depth" in note
    assert f"note: {note}" in report(model)
    assert verify(load_program(PROGRAMS / f"{name}.rasp").sop(), model, count=5).counterexample is None


def test_depth_keeps_the_prediction_and_small_always_splits() -> None:
    assert compiled("sort", 40, "depth").weights.heads == [1, 1]
    assert compiled("sort", 5, "small").weights.heads == [2, 1]


def test_the_bound_is_that_of_the_head() -> None:
    """A lexicographic order takes V·N − 1 dimensions, and one for BOS."""
    root = selector_width(GOES_BEFORE)
    (note,) = compile_sop(root, LETTERS, 40).weights.notes
    assert "up to 1,040 score dimensions" in note
    assert score_dimensions(compile_sop(root, LETTERS, 40, prefer="depth")) == 1040


@pytest.mark.parametrize(
    "selector",
    [
        select(tokens, tokens, "<") | (SAME & select(indices, 3, "<")),
        select(tokens, "m", "<") | (select(tokens, "m") & BEFORE),
        select(tokens, tokens, "!=") | (SAME & select(indices % 2, indices % 2)),
    ],
)
def test_a_part_that_is_told_apart_little_counts_little(selector: Selector) -> None:
    model = compile_sop(selector_width(selector), LETTERS, 45)
    assert (model.weights.heads, model.weights.notes) == ([1], ())


def test_what_is_wide_and_cannot_be_split_stays_one() -> None:
    either = select(tokens, tokens, "<") | select(indices, indices, "<")
    assert compile_sop(selector_width(either), LETTERS, 40).weights.heads == [1]


def test_only_the_wide_part_of_a_conjunction_is_split() -> None:
    late = select(indices, 2, ">=")
    compilation = Compilation({"place": selector_width(late & GOES_BEFORE)}, Options(LETTERS, 40))
    found = {head.selector for head in compilation.schedule.layers[0]}
    assert found == {late & select(tokens, tokens, "<"), late & (SAME & BEFORE)}
    assert verify(selector_width(late & GOES_BEFORE), compilation.model(), count=20).counterexample is None


def test_orders_of_three_parts_are_split_as_often_as_needed() -> None:
    parity = indices % 2
    inner = select(tokens, tokens, "<") | (SAME & BEFORE)
    root = selector_width(select(parity, parity, "<") | (select(parity, parity) & inner))
    assert [compile_sop(root, LETTERS, 30, prefer=prefer).weights.heads for prefer in PREFERENCES] == [[3], [1], [3]]


def test_a_refusal_is_the_same_however_it_is_asked_for() -> None:
    wrong = 1 / (indices - indices)
    root = selector_width(select(wrong, wrong, "<") | (select(wrong, wrong) & BEFORE))
    for prefer in ("auto", "depth"):
        with pytest.raises(Refusal, match="has no value on any input"):
            compile_sop(root, LETTERS, 40, prefer=prefer)


def test_a_refusal_has_the_words_of_the_program() -> None:
    with pytest.raises(Refusal, match=r"1 / \(indices - indices\) has no value on any input: division by zero"):
        compile_sop(aggregate(SAME, 1 / (indices - indices)), "ab", 4)


def test_the_graph_asks_only_for_parts() -> None:
    """The values of the joint of tokens and indices, 26 · 160 of them for every cell, are never listed."""
    compilation = Compilation({"place": selector_width(GOES_BEFORE)}, Options(LETTERS, 160))
    assert len(compilation.graph.notes) == 1
    assert (tokens, indices) not in compilation.facts.values._tuples
    assert (indices, tokens) not in compilation.facts.values._tuples


def test_what_is_known_of_a_node_is_found_once_for_all_ways_that_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    found: Counter[Node] = Counter()
    rule: Callable[[ValueAnalysis, SOp], ValueSet] = analysis._RULES[SelectorWidth]

    def counted(values: ValueAnalysis, node: SelectorWidth) -> ValueSet:
        found[node] += 1
        return rule(values, node)

    monkeypatch.setattr("compiler.pipeline.LARGE", 0)
    monkeypatch.setitem(cast(dict[type, object], analysis._RULES), SelectorWidth, counted)
    passes = Compilation({"": load_program(PROGRAMS / "most_frequent.rasp").sop()}, Options("abc", 4)).passes
    assert passes.prefer == "auto"
    assert set(found.values()) == {1}


def test_a_pass_may_ask_how_many_keys_are_marked() -> None:
    facts = Facts(Options("ab", 3))
    found = facts.width_bounds(select(indices, indices - 1))
    assert (found.at_most_one, found.never_empty) == (True, False)
    with pytest.raises(Refusal, match="has no value"):
        facts.width_bounds(select(1 / (indices - indices), 1))


# -- every way is exact


def parts() -> list[SOp]:
    is_first = selector_width(BEFORE & SAME) == 0
    place = aggregate(select(indices, indices - 1), tokens, "-")
    mean = aggregate(full, where(tokens == "a", 1, 0))
    return [tokens, indices, HISTOGRAM, place, mean, where(is_first, HISTOGRAM, 0), length - indices, HISTOGRAM > 1]


USES: list[Callable[[SOp], SOp]] = [
    lambda width: width,
    lambda width: width > 2,
    lambda width: aggregate(select(width, indices), tokens, "-"),
    lambda width: selector_width(select(width, width, "<")),
    lambda width: where(width > HISTOGRAM, tokens, "-"),
]


def random_order(rng: random.Random) -> Selector:
    """A random lexicographic order of two or three parts, with a further condition on some."""
    a, b, c = rng.sample(parts(), 3)
    last = select(b, b, rng.choice(["<", ">", "=="]))
    inner = select(b, b, "<") | (select(b, b) & select(c, c, ">")) if rng.random() < 0.3 else last
    order = select(a, a, rng.choice("<>")) | (select(a, a) & inner)
    return order & BEFORE if rng.random() < 0.3 else order


@pytest.mark.parametrize("seed", range(25))
def test_narrow_heads_count_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    root = rng.choice(USES)(selector_width(random_order(rng)))
    monkeypatch.setattr(compiler.rewrites.simplify, "MAX_SCORE_DIMENSIONS", 1)
    model = compile_sop(root, "abc", 6)
    if not any("on every input" in note for note in model.weights.notes):
        assert sum(model.weights.heads) >= sum(analyse([root]).heads)
    assert model.weights.depth <= analyse([root]).depth
    assert verify(root, model, count=100, seed=seed).counterexample is None


# -- files


@pytest.mark.parametrize("prefer", ["auto", "depth", "small"])
def test_a_file_is_certified_as_it_was_compiled(prefer: str, tmp_path: Path) -> None:
    program = load_program(PROGRAMS / "sort.rasp")
    sops = {"sorted": program.sop()}
    model = Compilation(sops, Options(LETTERS, 40, prefer=prefer), program=program).model()
    save(model, tmp_path / "m.safetensors")
    found = load(tmp_path / "m.safetensors").weights
    assert (found.prefer, found.notes) == (prefer, model.weights.notes)
    again = Compilation(sops, Options(LETTERS, 40, prefer=prefer), program=program)
    assert again.certify(found).statement == model.weights.certificate.statement  # type: ignore[union-attr]


# -- heads that nothing reads


def test_a_head_that_nobody_reads_is_named() -> None:
    model = compile_sop(selector_width(SAME & select(0, HISTOGRAM, "<")), (1, 2), 4)
    assert (model.weights.heads, model.weights.predicted_heads) == ([1], (1, 1))
    assert model.weights.notes == ("no width head for select(tokens, tokens, ==) in layer 1: nothing reads it",)


@pytest.mark.parametrize(
    ("root", "max_length", "value"),
    [
        (length, 1, 1),
        (aggregate(BEFORE, tokens), 1, 0),
        (aggregate(BEFORE, tokens, "-"), 1, "-"),
        (HISTOGRAM * 0, 4, 0),
        (aggregate(select(0, 0, "!="), tokens), 4, 0),
        (aggregate(select(indices, 2, "=="), length) >= 0, 4, True),
        (where(HISTOGRAM > 0, 7, length), 4, 7),
    ],
)
def test_what_has_one_value_is_not_computed(root: SOp, max_length: int, value: Atom) -> None:
    model = exact(root, "ab", max_length)
    assert model.weights.heads == []
    assert "on every input: nothing computes it" in model.weights.notes[0]
    assert model.run("a").output == [value]


def test_what_may_fail_is_computed_though_it_has_one_value() -> None:
    fails_at_1 = length % (tokens_int - 1)
    for root in (aggregate(full, fails_at_1) * 0 >= 0, where(length > 0, 7, fails_at_1)):
        model = compile_sop(root, (0, 1), 3)
        assert model.run([0, 0]).output == run(root, [0, 0])
        with pytest.raises(ValueFault):
            model.run([0, 1])


def test_a_constant_gives_its_name_to_nothing() -> None:
    ones = sop(1) + indices
    model = compile_sop(length + ones, "ab", 1, names={length: "length", ones: "ones"})
    assert not any("length" in name for name in model.weights.directions)
    assert "predicted   1 layer, heads 1" in report(model)
    assert "compiled    0 layers" in report(model)


def test_where_every_head_is_read_there_is_no_note() -> None:
    assert compile_sop(HISTOGRAM + 1, "ab", 4).weights.notes == ()

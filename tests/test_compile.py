"""compile_sop as a whole: edges of vocabularies and lengths, options, refusals with their places, determinism."""

from __future__ import annotations

import numpy as np
import pytest

from compiler import assemble
from compiler.facts import Facts
from compiler.ir import FeedForwardWeights, HeadWeights
from compiler.options import Options
from compiler.pipeline import compile_sop
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from compiler.tensors import named_tensors, parameter_counts, with_tensors
from compiler.values import aggregates
from rasp.errors import DataFault, Failures, RaspError, Refusal, ValueFault
from rasp.graph import (
    SOp,
    aggregate,
    apply,
    full,
    indicator,
    indices,
    length,
    select,
    select_best,
    selector_width,
    sop,
    tokens,
    tokens_asis,
    tokens_int,
    where,
)
from rasp.interpret import run
from rasp.language.program import Program, parse_program
from rasp.layers import analyse
from rasp.operations import Atom, Operation
from tests.exact import exact, program

SAME = select(tokens, tokens)
BEFORE = select(indices, indices, "<")
REVERSE = aggregate(select(indices, length - 1 - indices), tokens)
HISTOGRAM = selector_width(SAME)
ROOTS = [
    tokens,
    indices,
    length,
    HISTOGRAM,
    REVERSE,
    aggregate(BEFORE, indicator(tokens == "a"), 0.5),
    where(HISTOGRAM > 1, tokens, "-"),
    where(aggregate(full, indicator(tokens == "a")) > 0.5, length, -1),
    aggregate(full, indices) + length,
]


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("max_length", [1, 2])
@pytest.mark.parametrize("vocabulary", ["a", "ab"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_smallest_models(root: SOp, max_length: int, vocabulary: str, dtype: str) -> None:
    exact(root, vocabulary, max_length, dtype=dtype)


@pytest.mark.parametrize(
    "vocabulary",
    [
        (True,),
        (True, False),
        (0, 1, 2),
        (-3, 10**6),
        (0.5, -0.25),
        (1, 1.0, True),
        (0.0, -0.0),
        ("a", 1, 2.5, True),
        ("", "a"),
        ("ab", "a b", 'quote"', "é", "\n"),
    ],
)
@pytest.mark.parametrize("root", [tokens, HISTOGRAM, REVERSE, tokens == "1"])
def test_vocabularies_of_all_kinds(root: SOp, vocabulary: tuple[Atom, ...]) -> None:
    exact(root, vocabulary, 3)


@pytest.mark.parametrize("value", [0, 1, -2.5, True, "x", "", 10**6])
def test_constants(value: Atom) -> None:
    model = exact(sop(value), "ab", 3)
    assert model.weights.layers == ()
    assert [type(found) for found in model.run("ab").output] == [type(value)] * 2


@pytest.mark.parametrize(
    "root",
    [
        selector_width(SAME | BEFORE),
        selector_width(~(SAME & BEFORE)),
        aggregate(BEFORE & SAME, tokens, "none"),
        aggregate(BEFORE, aggregate(BEFORE & SAME, indices)),
        aggregate(SAME, indices),
        aggregate(full, where(tokens == "a", -1, 1)),
        HISTOGRAM * length,
        selector_width(select(aggregate(full, indices), 1.5, "<")),
    ],
)
def test_what_others_refuse_or_get_wrong(root: SOp) -> None:
    exact(root, "abc", 6, count=200)
    exact(root, "ab", 30, count=100)


@pytest.mark.parametrize("max_length", [3, 30])
def test_outputs_are_ints_where_the_program_has_ints(max_length: int) -> None:
    model = compile_sop(HISTOGRAM, ("a", "b"), max_length)
    assert [type(value) for value in model.run("aab").output] == [int] * 3
    assert model.run("aab").output == [2, 2, 1]


@pytest.mark.parametrize("root", ROOTS)
def test_compiling_twice_gives_the_same_weights(root: SOp) -> None:
    first, second = (compile_sop(root, ("a", "b"), 6).weights for _ in range(2))
    assert first.directions == second.directions
    assert named_tensors(first).keys() == named_tensors(second).keys()
    assert all((tensor == named_tensors(second)[name]).all() for name, tensor in named_tensors(first).items())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_weight_has_the_dtype(dtype: str) -> None:
    model = compile_sop(where(HISTOGRAM > 1, REVERSE, "-"), ("a", "b"), 6, dtype=dtype)
    assert {str(tensor.dtype) for tensor in named_tensors(model.weights).values()} == {dtype}
    assert {str(tensor.dtype) for tensor in model.network.parameters()} == {f"torch.{dtype}"}


def test_shapes_fit_the_contract() -> None:
    weights = compile_sop(where(HISTOGRAM > 1, REVERSE, "-"), tuple("abc"), 7).weights
    width = weights.d_model
    assert len(set(weights.directions)) == width
    assert (weights.W_E.shape, weights.W_pos.shape) == ((4, width), (8, width))
    for layer in weights.layers:
        for head in layer.heads:
            check_head(head, width)
    for feed_forward in weights.feed_forwards:
        check_feed_forward(feed_forward, width)
    assert weights.output.W_U.shape == (width, len(weights.output.values))


def check_head(head: HeadWeights, width: int) -> None:
    assert head.W_Q.shape == head.W_K.shape
    assert head.W_Q.shape[0] == head.W_V.shape[0] == head.W_O.shape[1] == width
    assert head.W_V.shape[1] == head.W_O.shape[0]


def check_feed_forward(weights: FeedForwardWeights, width: int) -> None:
    count = len(weights.neurons)
    assert (weights.W_in.shape, weights.b_in.shape, weights.W_out.shape) == ((width, count), (count,), (count, width))


def deep() -> CompiledModel:
    """A model with an input feed-forward, and a layer of several ones."""
    program = parse_program(
        """before = select(tokens, tokens, <) or (select(tokens, tokens, ==) and select(indices, indices, <));
place = selector_width(before);
count = selector_width(select(tokens, tokens, ==));
x = aggregate(select(place * count, indices, ==), indices, 0);
"""
    )
    return compile_sop(program.sop("x"), "abc", 4, names=program.names)


@pytest.mark.parametrize("engine", ["torch", "reference"])
def test_layers_and_heads_agree_wherever_they_are_counted(engine: str) -> None:
    model = deep()
    result = model.run("cab", engine=engine)
    heads = [2, 1]
    assert model.weights.heads == [len(layer.heads) for layer in model.layers] == heads
    assert [len(layer) for layer in result.attention] == [len(layer) for layer in result.trace.attention] == heads
    assert [len(layer.get_submodule("heads")._modules) for layer in model.network.layers] == heads
    assert model.weights.depth == len(heads)


@pytest.mark.parametrize("engine", ["torch", "reference"])
def test_a_feed_forward_without_attention_belongs_to_the_layer_before_it(engine: str) -> None:
    model = deep()
    assert len(model.weights.input_feed_forwards) == 1
    assert [len(layer.feed_forwards) for layer in model.layers] == [2, 0]
    assert [stage.title for stage in model.weights.stages] == [
        "embedding",
        "input feed-forward",
        "layer 1: attention",
        "layer 1: feed-forward",
        "layer 1: feed-forward 2",
        "layer 2: attention",
    ]
    assert [stage.layer for stage in model.weights.stages] == [None, None, 0, 0, 0, 1]
    assert len(model.run("cab", engine=engine).trace.residuals) == len(model.weights.stages)
    assert [bool(block.heads) for block in model.weights.blocks] == [False, True, False, True]


def test_tensors_are_named_by_layer_and_can_be_replaced() -> None:
    weights = deep().weights
    parts = {name.rpartition(".")[0] for name in named_tensors(weights) if "heads" in name or "mlps" in name}
    assert sorted(parts) == [
        "input_mlps.0",
        *("layers.0.heads.0", "layers.0.heads.1", "layers.0.mlps.0", "layers.0.mlps.1"),
        "layers.1.heads.0",
    ]
    changed = with_tensors(weights, {"layers.0.mlps.1.b_in": weights.layers[0].feed_forwards[1].b_in + 1})
    assert (changed.layers[0].feed_forwards[1].b_in - weights.layers[0].feed_forwards[1].b_in == 1).all()
    assert changed.layers[1].heads[0].W_Q is weights.layers[1].heads[0].W_Q
    with pytest.raises(KeyError):
        with_tensors(weights, {"layers.2.heads.0.W_Q": weights.W_E})


def test_parameters_are_counted() -> None:
    weights = compile_sop(HISTOGRAM, ("a", "b"), 4).weights
    assert parameter_counts(weights)["total"] == sum(tensor.size for tensor in named_tensors(weights).values())
    assert parameter_counts(weights)["nonzero"] == sum(
        (tensor != 0).sum() for tensor in named_tensors(weights).values()
    )


def test_bos_keeps_to_itself() -> None:
    model = compile_sop(where(HISTOGRAM > 1, REVERSE, "-"), ("a", "b"), 6)
    for given in ("a", "abab", "bbbbbb"):
        for heads in model.run(given).attention:
            assert all((head[0] == np.eye(len(given) + 1)[0]).all() for head in heads)


def test_bos_does_not_depend_on_the_input() -> None:
    model = compile_sop(where(HISTOGRAM > 1, REVERSE, "-"), ("a", "b"), 6)
    streams = [[residual[0] for residual in model.run(given).trace.residuals] for given in ("a", "abab", "bbbbbb")]
    for stream in streams[1:]:
        assert all((first == other).all() for first, other in zip(streams[0], stream, strict=True))


def test_a_batch_gives_what_single_inputs_give() -> None:
    model = compile_sop(REVERSE, tuple("abc"), 5)
    inputs = ["abcab", "ccccc", "baaab"]
    for engine in ("reference", "torch"):
        trace = model.trace(np.stack([model.encode(given) for given in inputs]), engine)
        assert [list(*model.decode(trace, at).values()) for at in range(3)] == [list(given[::-1]) for given in inputs]


@pytest.mark.parametrize(
    ("vocabulary", "max_length", "dtype", "words"),
    [
        ((), 3, "float32", "the vocabulary is empty"),
        (("a", "a"), 3, "float32", "holds 'a' twice"),
        ((1.0, 1.0), 3, "float32", "holds 1.0 twice"),
        (("a", None), 3, "float32", "not a NoneType"),
        (("a",), 0, "float32", "maximum length must be from 1"),
        (("a",), -1, "float32", "maximum length must be from 1"),
        (("a",), 10**6, "float32", "maximum length must be from 1"),
        (("a",), 3, "float16", "the dtype is one of float32, float64, not 'float16'"),
        ((float("nan"), 1.0), 3, "float32", "nan"),
        ((float("inf"),), 3, "float32", "inf"),
    ],
)
def test_bad_options(vocabulary: tuple[Atom, ...], max_length: int, dtype: str, words: str) -> None:
    with pytest.raises(RaspError, match=words):
        compile_sop(tokens_asis, vocabulary, max_length, dtype=dtype)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("", "at least one token"),
        ("aaaa", "4 tokens, the model takes at most 3"),
        ("ax", 'the string "x" at position 1 is not in the vocabulary'),
        ([1], "the int 1 at position 0 is not in the vocabulary"),
        ([None], "a NoneType at position 0"),
    ],
)
def test_inputs_the_model_cannot_take(given: list[Atom], words: str) -> None:
    model = compile_sop(tokens, ("a", "b"), 3)
    with pytest.raises(DataFault, match=words):
        model.run(given)


A_KEY = select(tokens, "a", "==")
PLACE = aggregate(A_KEY, indices)
PICKED = Operation.element([10, 20, 30])
INDEXED = {
    "as it is": apply(PICKED, PLACE),
    "computed with": apply(PICKED, (PLACE + 1) % 3) * 2,
    "two of them": apply(PICKED, (aggregate(select(tokens, "b", "=="), indices) + PLACE) % 3),
    "a width beside it": apply(PICKED, PLACE % 3) + selector_width(A_KEY),
    "another mean beside it": apply(PICKED, PLACE % 3) + aggregate(A_KEY, indices * indices, 0.5),
    "a copied string beside it": where(apply(PICKED, PLACE % 3) > 10, aggregate(A_KEY, tokens, "-"), "other"),
    "always the same": apply(Operation.element([10]), aggregate(A_KEY, 0)),
    "in a selector": aggregate(select(apply(PICKED, PLACE % 3), 10 * indices, ">"), tokens, "-"),
    "of all keys": apply(PICKED, aggregate(full, indices)),
}


@pytest.mark.parametrize("most", [3, 60_000])
@pytest.mark.parametrize("name", INDEXED)
def test_a_list_indexed_by_a_mean_needs_one_key(name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MAX_MEANS", most)
    root = INDEXED[name]
    model = compile_sop(root, "abc", 4)
    found = verify(root, model)
    assert found.exhaustive
    assert found.counterexample is None
    assert 0 < found.undefined < found.count
    with pytest.raises(ValueFault, match="selects at most one key"):
        model.run("aaaa")


def test_what_was_asked_for_is_still_known_when_all_is_looked_at_anew() -> None:
    facts = Facts(Options("abc", 4))
    before = aggregate(BEFORE, indices)
    assert facts.count(before) > 3
    assert facts.count(INDEXED["as it is"]) == 3
    assert A_KEY in facts.values.single
    assert len(facts.values[before].universe) > 3


def test_selectors_that_share_their_parts_are_looked_at_once() -> None:
    odd, again, many = SAME, SAME & BEFORE, SAME
    for step in range(40):
        other = select(indices, step % 3, "<") if step % 2 else BEFORE
        odd = (odd & ~other) | (~odd & other)
        again = again & again
    for step in range(1_500):
        many = many & ~select(indices, step % 7 + 3)
    for selector in (odd, again, many):
        exact(selector_width(selector), "ab", 4)
    best = select_best(many, indices)
    for _ in range(40):
        best = best & (again | best)
    exact(aggregate(best, indices, -1), "ab", 4)


def test_equal_indices_of_two_types_are_told_apart() -> None:
    root = parse_program("""m = aggregate(select(tokens, "a", ==), indices, 1.0);\ny = [4, 5, 6][m];\n""").sop()
    assert run(root, "bba") == [6, 6, 6]
    assert verify(root, exact(root, "ab", 3)).exhaustive


def compiled(program: Program, vocabulary: tuple[Atom, ...], max_length: int) -> CompiledModel:
    return compile_sop(program.sop(), vocabulary, max_length, names=program.names, origins=program.origins)


@pytest.mark.parametrize(
    ("text", "vocabulary", "places"),
    [
        ("x = select(tokens, tokens_int, <);\ny = selector_width(x);", ("1", "2"), ["1:5"]),
        ("y = 1 /\n 0 + 1;", ("a",), None),
        ("y = 1 / (indices - indices);", ("a",), ["1:5"]),
        ("a = 1 / (indices - indices);\nb = 2 / (length - length);\ny = a + b;", ("a",), ["1:5", "2:5"]),
        ("a = 1 / (indices - indices);\nb = a + 1;\ny = b + a;", ("a",), ["1:5"]),
    ],
)
def test_refusals_come_all_at_once_with_their_places(
    text: str, vocabulary: tuple[Atom, ...], places: list[str] | None
) -> None:
    with pytest.raises(RaspError) as caught:
        compiled(parse_program(text, "p.rasp"), vocabulary, 3)
    errors = caught.value.errors if isinstance(caught.value, Failures) else [caught.value]
    assert all(error.message for error in errors)
    if places is not None:
        assert all(isinstance(error, Refusal) for error in errors)
        assert [str(error.span) for error in errors] == [f"p.rasp:{place}" for place in places]


def test_a_refusal_shows_line_and_caret() -> None:
    with pytest.raises(Refusal) as caught:
        compiled(parse_program("y = 1 / (indices - indices);", "p.rasp"), ("a",), 3)
    assert str(caught.value).startswith("p.rasp:1:5: cannot compile: ")
    assert "y = 1 / (indices - indices);" in str(caught.value)
    assert "^" in str(caught.value)


def test_several_outputs_share_a_model() -> None:
    roots = {"hist": HISTOGRAM, "rev": REVERSE, "often": HISTOGRAM > 1, "token": tokens}
    model = compile_sop(roots, ("a", "b"), 5)
    assert verify(roots, model).counterexample is None
    assert model.run("aab").outputs == {name: run(root, "aab") for name, root in roots.items()}
    assert sum(model.weights.heads) == sum(analyse(roots.values()).heads)


def test_one_output_without_a_value_is_an_error() -> None:
    model = compile_sop({"inverse": 1 / tokens_int, "token": tokens_int}, (0, 1), 2)
    assert model.run([1, 1]).outputs == {"inverse": [1.0, 1.0], "token": [1, 1]}
    with pytest.raises(ValueFault):
        model.run([1, 0])


@pytest.mark.parametrize("default", [False, 0, 0.5])
def test_a_mean_of_bools_is_an_error_whatever_the_default(default: Atom) -> None:
    copied = aggregate(select(tokens, "a"), indices > 0, default)
    for root in (copied, copied * copied):
        model = compile_sop(root, ("a", "b"), 3)
        assert model.run("bab").output == run(root, "bab")
        assert model.run("bbb").output == run(root, "bbb")
        with pytest.raises(ValueFault):
            run(root, "baa")
        with pytest.raises(ValueFault):
            model.run("baa")


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_causal_models(root: SOp, dtype: str) -> None:
    model = compile_sop(root, ("a", "b"), 5, dtype=dtype, causal=True)
    assert verify(root, model).counterexample is None
    assert model.run("aabab").output[:3] == model.run("aabba").output[:3]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("root", "heads"),
    [
        (aggregate(full, indicator(tokens == "a")) + length, [1]),
        (aggregate(full, indices) * length, [1]),
        (where(aggregate(full, indicator(tokens == "a")) > 0, REVERSE, "-"), [1, 1]),
        (aggregate(full, indicator(HISTOGRAM > 1)) * length + selector_width(full), [1, 1]),
    ],
)
def test_length_shares_the_head_of_other_means_of_all_positions(root: SOp, heads: list[int], dtype: str) -> None:
    model = exact(root, "abc", 6, dtype=dtype)
    assert model.weights.heads == analyse([root]).heads == heads
    found = [head.kind for layer in model.weights.layers for head in layer.heads if head.selector is full]
    assert set(found) == {"aggregate"}


def test_length_alone_is_a_width() -> None:
    assert [head.kind for head in compile_sop(length, "ab", 6).weights.layers[0].heads] == ["width"]
    assert compile_sop(length, "ab", 6).weights.d_model == 4


def test_length_beside_a_mean_costs_one_direction_and_no_head() -> None:
    some = aggregate(full, indicator(tokens == "a")) > 0
    mean, width, both = (
        compile_sop(found, "ab", 30).weights for found in ({"x": some}, {"x": length}, {"x": some, "y": length})
    )
    assert both.heads == [1]
    assert {*both.directions} == {*mean.directions, "1/length", "length", "indicator(indices == 0)"}
    assert {*width.directions} == {"one", "bos", "1/(length + 1)", "length"}


def test_the_longest_length_beside_a_mean_is_exact() -> None:
    model = compile_sop({"n": length, "some": aggregate(full, indicator(tokens == "a")) > 0}, "ab", 512)
    assert model.weights.heads == [1]
    for size in (1, 511, 512):
        assert model.run("b" * size).outputs["n"] == [size] * size


def test_causal_attention_is_lower_triangular() -> None:
    model = compile_sop(aggregate(SAME, indices), ("a", "b"), 5, causal=True)
    for heads in model.run("ababa").attention:
        assert all((np.triu(head, 1) == 0).all() for head in heads)


def test_names_of_the_program_reach_the_weights() -> None:
    program = parse_program("same = select(tokens, tokens, ==);\nhist = selector_width(same);\ny = hist > 1;")
    model = compiled(program, ("a", "b"), 4)
    assert model.weights.layers[0].heads[0].name == "same"
    assert any("hist" in direction for direction in model.weights.directions)


def test_doubling_compiles_at_once() -> None:
    node: SOp = tokens_int
    for _ in range(15):
        node = node + node
    model = exact(node, (1, 2), 2)
    assert model.run([1, 2]).output == run(node, [1, 2])


@pytest.mark.parametrize(
    ("root", "dtype"),
    [
        (tokens_int * 10**400, "float64"),
        (sop(10**400), "float64"),
        (aggregate(BEFORE, indices, 10**400), "float64"),
        (aggregate(BEFORE, indices, 1e300), "float32"),
        (aggregate(full, tokens_int * 1e200), "float32"),
        (aggregate(full, tokens_int * 1e-200), "float32"),
        (aggregate(full, tokens_int + 10**7), "float32"),
        (tokens_int * 1e308 * 10, "float64"),
    ],
)
def test_numbers_beyond_the_dtype_are_refused(root: SOp, dtype: str) -> None:
    with pytest.raises(Refusal):
        compile_sop(root, (1, 2), 3, dtype=dtype)


def test_large_numbers_within_the_dtype() -> None:
    exact(tokens_int * 10**40, (1, 2), 3)
    exact(aggregate(full, tokens_int * 1e200), (1, 2), 3, dtype="float64")


def test_a_model_beyond_memory_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    model = compile_sop(REVERSE, "abc", 6)
    stored = sum(
        matrix.size
        for layer in model.weights.layers
        for part in (*layer.heads, *layer.feed_forwards)
        for name, matrix in vars(part).items()
        if name.startswith("W_")
    )
    monkeypatch.setattr(assemble, "MAX_PARAMETERS", stored)
    compile_sop(REVERSE, "abc", 6)
    monkeypatch.setattr(assemble, "MAX_PARAMETERS", stored - 1)
    with pytest.raises(Refusal, match=f"would have {stored:,} parameters"):
        compile_sop(REVERSE, "abc", 6)


def test_parts_that_never_have_values_together_are_refused() -> None:
    first_two = aggregate(select(indices < 2, True), indices, -1)
    root = where(tokens == "b", 1 / indicator(length < 2), where(length < first_two, 3 / indices, 1))
    with pytest.raises(Refusal, match="has no value on any input"):
        compile_sop(root, "abc", 4)


def test_neurons_of_a_layer_whose_head_nothing_reads_go_to_the_layer_before() -> None:
    copied = aggregate(select(indices, indices, ">"), "a", "a")
    always = sop(True) | (selector_width(select(copied, copied, "!=")) != indices)
    exact(where(aggregate(select(tokens, "b"), always, True), "x", "x"), "ab", 4)


def test_a_mean_that_only_types_decide() -> None:
    text = "x = aggregate(select(tokens, tokens, >), False); y = aggregate(select(indices, indices, <=), x);"
    assert verify(program(text), exact(program(text), (0, 1, 2), 4)).exhaustive


def test_what_may_have_any_of_its_values_put_in_has_no_type_that_is_told() -> None:
    text = "x = aggregate(select(tokens, tokens, >), False); y = aggregate(select(indices, indices, <=), x);"
    with pytest.raises(Refusal, match="may be a bool or the number that equals it"):
        parse_program(text).compile(vocab=(0, 1, 2), max_length=4, interventions=["x"])

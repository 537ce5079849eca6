"""Models for long inputs: exact numbers where they lie close together, and work that grows no faster than it must."""

import tracemalloc
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from compiler.gadgets.steps import RawInput, StepBuilder, cheapest_steps, stepped
from compiler.gadgets.tables import Space
from compiler.options import Options
from compiler.passes import Passes
from compiler.pipeline import Compilation, compile
from compiler.precision import PRECISIONS
from compiler.proof.heads import Heads, _RowScores
from compiler.proof.squares import squares_of
from compiler.proof.stairs import Stairs, stairs_of
from compiler.run import second_opinion
from compiler.run.verify import verify
from compiler.selectors import BoolTable, compared
from compiler.symbolic import ONE, Direction, Matrix
from compiler.values import width_bounds
from compiler.values.analysis import Analyses
from compiler.values.categorical import Categorical, evaluate
from compiler.values.width_bounds import width_bounds_of
from rasp.errors import Refusal
from rasp.graph import SelectorWidth, SOp, aggregate, indices, length, select, tokens
from rasp.language.program import load_program
from rasp.operations import COMPARISONS, Atom
from tests.counting import calls

FLOAT32 = PRECISIONS["float32"]


def test_every_width_up_to_4096_is_exact_in_float32() -> None:
    raw, out = Direction("1/(w + 1)", 1.0), Direction("w")
    targets = [{out: float(w)} if w else {} for w in range(4097)]
    entries = stepped([()] * 4097, targets, [[Fraction(1, w + 1)] for w in range(4097)])
    neurons = cheapest_steps("w", entries, [], RawInput(raw, lambda x: 4 * FLOAT32.unit * float(x)), FLOAT32)
    weights = np.array([[n.inputs.get(raw, 0), n.inputs.get(ONE, 0), n.bias, n.outputs[out]] for n in neurons])
    slope, one, bias, change = weights.astype(np.float32).T
    for noise in (1 - 2.0**-22, 1, 1 + 2.0**-22):
        read = (noise / np.arange(1, 4098)).astype(np.float32)
        hidden = np.maximum((read[:, None] * slope + one) + bias, 0)
        assert np.array_equal(hidden @ change, np.arange(4097, dtype=np.float32))


def test_steps_in_many_contexts_take_as_much_work_as_there_are_contexts() -> None:
    raw, out = Direction("x"), Direction("y")

    def work(count: int) -> int:
        codes, one = range(count), {out: 1.0}
        space = Space(codes, {code: frozenset({Direction(str(code))}) for code in codes})
        contexts = [(code, other) for code in codes for other in (code, (code + 1) % count) for _ in range(2)]
        targets = [one if code == other and at % 2 else {} for at, (code, other) in enumerate(contexts)]
        entries = stepped(contexts, targets, [[Fraction(at % 2)] for at in range(len(contexts))])
        builder = StepBuilder("y", entries, [space, space], RawInput(raw, lambda x: 0.0), FLOAT32)
        builder._gate = lambda box, strength: {}  # type: ignore[method-assign]
        return calls(builder.neurons)

    assert work(200) < 2.2 * work(100)


@pytest.mark.parametrize("size", [600, 900])
def test_beyond_512_tokens(size: int) -> None:
    model = compile({"reverse": load_program("programs/reverse.rasp").sop(), "n": length}, "ab", size)
    given = tuple("ab"[at % 3 == 0] for at in range(size))
    for part in (given, given[:-1], given[:1]):
        found = model.run(part, engine="reference").outputs
        assert (found["reverse"], found["n"]) == (list(reversed(part)), [len(part)] * len(part))


def test_digits_compare_positions_in_few_dimensions() -> None:
    shifted = aggregate(select(indices, indices - 7, "=="), tokens, "-")
    model = compile(shifted, "ab", 2100)
    assert model.weights.layers[0].heads[0].W_Q.shape[1] <= 8
    assert model.run(tuple("ab" * 1050), engine="reference").output == [*"-------", *("ab" * 1047)[:2093]]


def test_how_many_keys_are_selected_is_counted_for_all_lengths_at_once() -> None:
    def work(size: int) -> int:
        sorted_ = load_program("programs/reverse.rasp").sop()
        facts = Compilation({"": sorted_}, Options("abc", size)).checked
        head = next(iter(facts.conjunctions.values()))
        return calls(lambda: width_bounds_of(facts.values, head))

    assert work(80) == work(40)


def test_a_sum_of_length_and_position_grows_with_their_number_not_with_their_pairs() -> None:
    def work(size: int) -> int:
        facts = Compilation({"": length - 1 - indices}, Options("abc", size)).facts
        facts.examine([length, indices])
        return calls(lambda: facts.values[length - 1 - indices])

    assert work(160) < 2.2 * work(80)


@pytest.mark.parametrize("op", COMPARISONS)
def test_comparisons_of_all_pairs_are_those_of_atoms(op: str) -> None:
    atoms: list[Atom] = [0, True, 1.0, -0.0, 2**60, 2**60 + 1, float(2**60), float("inf"), float("nan"), "", "a", "b"]
    is_one = [[op in ("==", "!=") or isinstance(k, str) is isinstance(q, str) for k in atoms] for q in atoms]
    wanted = [
        [one and COMPARISONS[op](k, q) for one, k in zip(row, atoms, strict=True)]
        for row, q in zip(is_one, atoms, strict=True)
    ]
    assert compared(op, atoms, atoms).tolist() == wanted


def test_widths_of_ties_and_orders_count_as_before() -> None:
    before = SelectorWidth(select(tokens, tokens, "==") & select(indices, indices, "<"))
    facts = Compilation({"": before}, Options("ab", 5)).checked
    bounds = facts.values.width_bounds(before.selector)
    assert bounds.high.tolist() == [i for n in range(1, 6) for i in range(n)]
    assert bounds.low.max() == 0


@pytest.mark.parametrize("engine", ["reference", "torch", "sparse"])
@pytest.mark.parametrize("causal", [False, True])
def test_attention_in_blocks_of_queries_gives_the_same(
    engine: str, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from compiler.run import network, reference

    model = compile(load_program("programs/most_frequent.rasp").sop(), "abc", 9, causal=causal)
    ids = np.stack([model.encode("abcabbcca"), model.encode("ccccababb")])
    whole = model.trace(ids, engine, whole=False).logits
    monkeypatch.setattr(reference, "BLOCK", 70)
    monkeypatch.setattr(network, "BLOCK", 70)
    assert np.array_equal(model.trace(ids, engine, whole=False).logits, whole)


def test_no_attention_is_larger_than_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.run.reference.BLOCK", 1 << 17)
    model = compile(aggregate(select(indices, indices - 1, "=="), tokens, "-"), "ab", 1200)
    ids = model.encode("ab" * 600)
    tracemalloc.start()
    model.trace(ids, "reference", whole=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1200 * 1200 * 4


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["sort", "most_frequent", "dyck2", "induction", "reverse"])
def test_counts_of_selected_keys_are_those_of_all_pairs(
    name: str, causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sop = load_program(f"programs/{name}.rasp").sop()
    facts = Compilation({"": sop}, Options("ab(){}", 7, causal=causal, prefer="small")).checked
    for most in (1, 1 << 24):
        monkeypatch.setattr(width_bounds, "_MOST_PAIRS", most)
        for conjunction in facts.conjunctions.values():
            pairs = width_bounds.Pairs(facts.values, conjunction)
            for part in (pairs.some, pairs.every):
                every = [pairs.of_length(part, n).sum(axis=1) for n in range(1, 8)]
                assert np.array_equal(pairs.counts(part).full, np.concatenate(every))


def test_a_sum_that_a_head_reads_by_value_is_proved_by_its_combinations() -> None:
    place = SelectorWidth(select(indices, indices, "<="))
    model = compile(aggregate(select(length, -place - indices, "!="), tokens, ""), "ab", 4)
    assert verify(model.weights.sops, model, engines=("reference",)).counterexample is None


def test_wide_heads_that_nothing_splits_are_not_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[str] = []

    def way(self: Compilation, prefer: str) -> Passes:
        ways.append(prefer)
        return Passes(("",), self.given, Analyses(self.options), self.stopwatch, prefer)

    monkeypatch.setattr("compiler.pipeline.LARGE", 0)
    monkeypatch.setattr(Compilation, "_smaller", way)
    assert Compilation({"": load_program("programs/reverse.rasp").sop()}, Options("abc", 9)).passes.size > 0
    assert ways == ["auto"]


def test_ints_and_floats_that_stand_together_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers, codes = [0, *(1 / at for at in range(2, 10)), 2**53], np.arange(10)
    columns: dict[SOp, Categorical] = {
        indices: Categorical(numbers, codes),
        length: Categorical([0.0, *numbers[1:]], codes),
    }
    one_by_one = evaluate(indices <= length, {**columns, indices: Categorical([*numbers[:-1], 2**53 + 1], codes)}, 10)
    assert one_by_one[indices <= length].decoded == [True] * 9 + [False]
    monkeypatch.setattr("compiler.values.categorical.evaluate_atoms", None)
    assert evaluate(indices <= length, columns, 10)[indices <= length].decoded == [True] * 10


def test_models_for_tens_of_thousands_of_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_opinion, "LONGEST", 8)
    model = compile(aggregate(select(indices, indices - 2), tokens, "-"), "ab", 12_000, dtype="float64")
    assert model.run("abba", engine="reference").output == ["-", "-", "a", "b"]


def stairs(size: int, **changed: float) -> tuple[Stairs | None, list[np.ndarray[Any, Any]]]:
    """Steps that turn 1/(w + 1) into w, with one number of the last changed; and what is wanted, and read."""
    raw, out = Direction("1/(w + 1)", 1.0), Direction("w")
    read = [Fraction(1, w + 1) for w in range(size)]
    entries = stepped([()] * size, [{out: float(w)} if w else {} for w in range(size)], [[level] for level in read])
    neurons = cheapest_steps("w", entries, [], RawInput(raw, lambda x: 4 * FLOAT32.unit * float(x)), FLOAT32)
    rows = [[n.inputs.get(raw, 0.0), n.inputs.get(ONE, 0.0), n.bias, n.outputs[out]] for n in neurons]
    table = np.array(rows)
    table[-2:] += [changed.get(name, 0.0) for name in ("slope", "rest", "bias", "written")]
    levels = np.array(read, dtype=np.float64)
    found = stairs_of(table[:, 0], table[:, 1], table[:, 2], table[:, 3:], FLOAT32)
    return found, [np.arange(float(size))[:, None], levels * (1 - 2.0**-22), levels * (1 + 2.0**-22)]


def test_steps_are_proved_where_they_are_taken() -> None:
    found, (want, low, high) = stairs(300)
    assert found is not None
    assert found.give(want, low, high)
    assert not found.give(want[::-1], low, high)
    assert not found.give(want, low * 0.99, high * 1.01)


@pytest.mark.parametrize(("name", "by"), [("bias", 40.0), ("bias", -40.0), ("rest", 2.0**20), ("rest", -(2.0**23))])
def test_steps_with_another_number_are_not_proved(name: str, by: float) -> None:
    found, (want, low, high) = stairs(300, **{name: by})
    assert found is None or not found.give(want, low, high)


def test_what_is_no_pair_of_steps_is_not_taken_for_one() -> None:
    assert stairs(300, slope=1.0)[0] is None
    assert stairs(300, written=1.0)[0] is None


def test_scores_by_squares_are_proved_without_pairs() -> None:
    values = list(range(-3, 9))
    keys = np.array([[k, k * k, 1] for k in values], dtype=np.float64)
    queries = np.array([[10 * q, -5, -5 * q * q] for q in values], dtype=np.float64)
    found = squares_of(values, queries, values, keys)
    assert found is not None
    assert (found.low, found.high, found.gap) == (0, 0, 5)
    dense = queries @ keys.T
    assert found.reach >= (np.abs(queries) @ np.abs(keys).T).max()
    assert [found.gap, found.low] == [-dense[~np.eye(12, dtype=bool)].max(), dense.diagonal().min()]
    for row, column in ((0, 0), (3, 1), (7, 2)):
        wrong = queries.copy()
        wrong[row, column] += 1
        assert squares_of(values, wrong, values, keys) is None or column == 2
        assert squares_of(values, queries, values, keys + (keys == keys[row, column])) is None


def test_a_query_without_an_equal_key_falls_short_of_all() -> None:
    keys = np.array([[k, k * k] for k in range(4)], dtype=np.float64)
    queries = np.array([[2 * q, -1] for q in (1, 2, 7)], dtype=np.float64)
    found = squares_of([1, 2, 7], queries, [0, 1, 2, 3], keys)
    assert found is not None
    assert (found.low, found.high) == (1, 4)
    assert found.gap <= 1 - (queries[2] @ keys.T).max()


def test_the_certificate_of_a_long_model_looks_at_no_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[int] = []

    def row_scores(self: Heads, queries: Matrix, keys: Matrix, truth: BoolTable) -> _RowScores:
        looked.append(truth.size)
        return plain(self, queries, keys, truth)

    plain = Heads._row_scores
    monkeypatch.setattr(Heads, "_row_scores", row_scores)
    monkeypatch.setattr("compiler.proof.units.Group._part_gives", None)
    assert compile(load_program("programs/reverse.rasp").sop(), "ab", 90).weights.certificate is not None
    assert max(looked) <= 4


def test_too_many_pairs_of_values_are_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("compiler.values.analysis._MOST_PAIRS", 100)
    with pytest.raises(Refusal, match="compares 20 values with 20: these are too many pairs to look at"):
        compile(aggregate(select(indices, indices, "<"), tokens, "-") == "a", "ab", 20)

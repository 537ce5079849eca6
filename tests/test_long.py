"""Models for long inputs: exact numbers where they lie close together, and work that grows no faster than it must."""

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest

from compiler.gadgets.steps import RawInput, cheapest_steps, stepped
from compiler.options import Options
from compiler.passes import Passes
from compiler.pipeline import Compilation, compile
from compiler.precision import PRECISIONS
from compiler.run.verify import verify
from compiler.selectors import compared
from compiler.symbolic import ONE, Direction
from compiler.values import width_bounds
from compiler.values.categorical import Categorical, evaluate
from compiler.values.width_bounds import width_bounds_of
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
        return Passes(("",), self.given, self.options, self.stopwatch, prefer)

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

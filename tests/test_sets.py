"""Sets as lists of boolean s-ops: every member is stored and asked for alone, and no table has all sets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cloudpickle
import pytest

from compiler.operations.indicator_means import MARK
from compiler.operations.materialised import KEPT
from compiler.options import Options
from compiler.pipeline import Compilation
from compiler.proof.cases import are_the_formula
from compiler.run.model import CompiledModel
from compiler.selectors import Case, Cases
from rasp import load
from rasp.errors import Refusal
from tests.exact import exact, program

PROGRAMS = Path(__file__).parent.parent / "programs"
LETTERS = "abcdefg"
SEEN = """
letters = ["a", "b", "c", "d", "e", "f"];
before = select(indices, indices, <);
seen = [aggregate(before, indicator(tokens == a)) > 0 for a in letters];
s = select(1, 0, ==);
"""
WRITTEN = {
    "by the library": "s = contains_any(tokens, letters, seen);",
    "in another order": """
        for p in zip(letters, seen) { s = (select(True, p[1], ==) and select(tokens, p[0], ==)) or s; }""",
    "by negation": """
        for p in zip(letters, seen) { s = s or not (select(tokens, p[0], !=) or select(True, p[1], !=)); }""",
    "as several s-ops": """
        for p in zip(letters, seen) { s = s or (select(tokens == p[0], True, ==) and select(True, p[1], ==)); }""",
    "in two halves": """
        half = contains_any(tokens, [letters[i] for i in range(3)], [seen[i] for i in range(3)]);
        s = half or contains_any(tokens, [letters[i] for i in range(3, 6)], [seen[i] for i in range(3, 6)]);""",
}
HELD = "for p in zip(letters, seen) { s = s or (select(p[1], True, ==) and select(p[0], tokens, ==)); }"


def of_letters(text: str) -> CompiledModel:
    return exact(program(SEEN + text), LETTERS, 4)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_set_is_one_head_of_one_dimension_a_member(written: str) -> None:
    model = of_letters(f"{WRITTEN[written]} x = aggregate(s, indices, -1);")
    assert model.weights.heads == [1, 1]
    assert model.weights.layers[1].heads[0].W_Q.shape[1] == 1 + 6


def test_keys_with_none_of_the_ids_are_never_marked() -> None:
    model = of_letters("x = selector_width(contains_any(tokens, letters, seen));")
    assert model("gagg") == [0, 0, 1, 1]
    assert model("gggg") == [0, 0, 0, 0]


def test_members_may_be_those_of_the_key() -> None:
    model = of_letters(f"{HELD} x = selector_width(s);")
    assert model.weights.layers[1].heads[0].W_Q.shape[1] == 1 + 6
    assert model("agaa") == [3, 0, 3, 3]


def test_what_is_not_in_the_set_is_selected_too() -> None:
    of_letters("x = aggregate(not contains_any(tokens, letters, seen), indices, -1);")


def test_an_id_may_be_there_twice() -> None:
    of_letters("""
        s = contains_any(tokens, letters + ["a"], seen + [tokens == "c"]);
        x = selector_width(s and select(indices, indices, <=));""")


def test_the_best_of_a_set_is_chosen_by_the_same_head() -> None:
    best = "select_best(contains_any(tokens, letters, seen), indices)"
    assert of_letters(f'x = aggregate({best}, tokens, "-");').weights.heads == [1, 1]


def test_a_table_of_all_sets_is_left_where_it_is_small() -> None:
    model = exact(program(f"{SEEN}x = selector_width(contains_any(tokens, [letters[0]], [seen[0]]));"), LETTERS, 4)
    assert model.weights.layers[1].heads[0].W_Q.shape[1] == 1 + 1


def test_a_set_that_grows_by_a_member_takes_a_direction_more_in_each_layer() -> None:
    path = PROGRAMS / "graphs" / "components_by_squaring.rasp"
    ten, eleven = (load(path, n=n).compile(".", n).weights for n in (10, 11))
    assert ten.heads == eleven.heads == [1] * 5
    assert eleven.d_model - ten.d_model == 1 + 2 * 5 + 1


def cases() -> tuple[Compilation, Cases]:
    sop = program(f"{SEEN}x = selector_width(contains_any(tokens, letters, seen));")
    compilation = Compilation({"x": sop}, Options(LETTERS, 4))
    found = [one for s in compilation.checked.conjunctions.values() for one in s.predicates if isinstance(one, Cases)]
    return compilation, found[0]


def test_the_proof_compares_the_cases_with_the_formula() -> None:
    compilation, found = cases()
    values = compilation.facts.values
    first, second, *others = found.cases
    assert are_the_formula(found, lambda node: values[node].universe)
    exchanged = (Case(second.choices, first.asked), Case(first.choices, second.asked), *others)
    for wrong in (exchanged, (first, *others), (Case(first.choices | second.choices, first.asked), *others)):
        assert not are_the_formula(replace(found, cases=wrong), lambda node: values[node].universe)


def test_the_certificate_looks_at_each_member_alone() -> None:
    compilation, _ = cases()
    head = compilation.weights.layers[1].heads[0]
    compilation.certify(compilation.weights)
    for matrix in (head.W_Q, head.W_K):
        row, column = next(place for place in zip(*map(list, matrix[:, 1:].nonzero()), strict=True))
        kept = matrix[row, 1 + column]
        matrix[row, 1 + column] = 0
        with pytest.raises(Refusal, match="no certificate"):
            compilation.certify(compilation.weights)
        matrix[row, 1 + column] = kept


# -- whether all or any of many hold

MANY = """
members = [aggregate(select(indices, indices, <=), indicator(tokens == a)) > 0 for a in letters];
"""
ASKED = {
    "all": "x = True; for m in members { x = x and m; }",
    "any": "x = False; for m in members { x = x or m; }",
    "none": "x = True; for m in members { x = x and not m; }",
    "not all": "x = True; for m in members { x = x and m; } x = not x;",
    "some and not others": """
        x = True;
        for i in range(10) { x = x and (members[i] if i < 1 else not members[i]); }""",
    "how many before the first": """
        none, x = True, 0;
        for m in members { none = none and not m; x = x + indicator(none); }""",
    "which is the first": """
        x = 10;
        for i in range(10) { x = 9 - i if members[9 - i] else x; }""",
    "what the last one says": """
        x = -1;
        for i in range(10) { x = x if not members[i] else (i * i if i % 3 > 0 else -5); }""",
    "any, of two sources each": """
        x = False;
        for i in range(10) { x = x or (members[i] and indices > i); }""",
    "a condition besides": """
        x = tokens == "j";
        for m in members { x = x or not m; }
        x = 1 if x and indices > 0 else 0;""",
}


@pytest.mark.parametrize("asked", ASKED)
def test_whether_many_hold_is_how_many_do(asked: str) -> None:
    letters = "letters = [" + ", ".join(f'"{a}"' for a in "abcdefghij") + "];"
    model = exact(program(f"{letters}{MANY}{ASKED[asked]}"), "abcdefghij", 12)
    assert model.weights.d_model < 80


def test_there_is_no_limit_on_how_many() -> None:
    letters = "letters = [" + ", ".join(map(str, range(40))) + "];"
    text = f"{letters}{MANY}".replace("tokens ==", "tokens_int ==") + ASKED["none"] + "x = x or tokens_int == 3;"
    exact(program(text), tuple(range(41)), 6)


def test_what_is_stored_reaches_other_processes() -> None:
    for op in (KEPT, MARK):
        assert cloudpickle.loads(cloudpickle.dumps(op)) == op


def test_a_choice_by_many_conditions_that_are_copied() -> None:
    """A mark that is copied in the place of what it is a mark of has its two values listed."""
    before = "select(indices, indices, <)"
    lines = [f"b{at} = aggregate(select(indices, indices - {at + 1}, ==), tokens_int) == {at};" for at in range(2)]
    lines += [f"b{at} = aggregate({before}, indicator(tokens_int == {at})) > 0;" for at in range(2, 9)]
    choice = "".join(f"{at} if {'not ' * (at % 2)}b{at} else (" for at in range(9)) + "9" + ")" * 9
    exact(program("\n".join([*lines, f"found = {choice};"])), tuple(range(10)), 3)

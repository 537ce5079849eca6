"""select_best beside other selectors and under selector_width: exact on every short input, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from compiler.options import Options
from compiler.pipeline import Compilation, compile_sop
from compiler.report import report
from compiler.run.model import CompiledModel
from compiler.run.verify import verify
from compiler.values import aggregates
from compiler.values.analysis import TooMany
from rasp.errors import Refusal
from rasp.graph import (
    Best,
    Prefer,
    Selector,
    SOp,
    aggregate,
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
from rasp.layers import analyse
from rasp.operations import Atom
from rasp.printing import expression

SAME = select(tokens, tokens, "==")
BEFORE = select(indices, indices, "<")
UP_TO = select(indices, indices, "<=")
IS_A = select(tokens, "a")
EVEN = select(indices % 2, 0)
COUNT = selector_width(SAME)
LAST = select_best(full, indices)
COMMON = select_best(full, COUNT)

CHOICES: dict[str, Selector] = {
    "last": LAST,
    "last same before": select_best(SAME & BEFORE, indices),
    "ties": COMMON,
    "ties before": select_best(BEFORE, COUNT),
    "all tied": select_best(UP_TO, sop(1)),
    "fractions": select_best(full, where(tokens == "a", -2.5, 0.25)),
    "last if it is a": LAST & IS_A,
    "last before if it is a": IS_A & select_best(BEFORE, indices),
    "last if it is not a": LAST & ~IS_A,
    "last if it is the same": LAST & SAME,
    "last before if it is the same": select_best(BEFORE, indices) & SAME,
    "last before if it is another": select_best(BEFORE, indices) & ~SAME,
    "ties that are a": COMMON & IS_A,
    "ties that are even": COMMON & EVEN,
    "ties that are the same": COMMON & SAME,
    "ties that are the same, before": select_best(UP_TO, COUNT) & SAME & BEFORE,
    "ties, a or even": COMMON & (IS_A | EVEN),
    "ties, a or the same": COMMON & (IS_A | ~SAME),
    "ties where the query is a": COMMON & select(1, indicator(tokens == "a")),
    "ties where the query is a, even": COMMON & select(1, indicator(tokens == "a")) & EVEN,
    "ties, the query a or the key even": COMMON & (select(1, indicator(tokens == "a")) | EVEN),
    "not not": ~~COMMON,
    "not (not or)": ~(~COMMON | BEFORE),
    "not (not and)": ~(~(COMMON & EVEN)),
    "either": (COMMON & IS_A) | (BEFORE & COMMON),
    "twice": COMMON & COMMON,
    "best of best": select_best(COMMON, indices),
    "best of best, tied": select_best(select_best(BEFORE, COUNT), indices % 2),
    "best of a condition": select_best(COMMON & IS_A, indices),
    "best of a condition, tied": select_best(COMMON & SAME, indices % 2),
    "best of two conditions": select_best(COMMON & SAME, indices % 2) & BEFORE,
    "conditions of every kind": select_best(select_best(UP_TO, COUNT) & ~IS_A, indices % 2) & (SAME | EVEN),
    "never": LAST & ~full & BEFORE,
    "always": LAST & full,
    "condition that never holds": COMMON & select(indices, indices + 9),
    "condition of a width": COMMON & select(indices, COUNT),
    "condition of a width at the key": COMMON & select(COUNT, 1),
}

VALUES: dict[str, tuple[SOp, Atom]] = {
    "position": (indices, -1),
    "position or half": (indices, 0.5),
    "count": (COUNT, 0),
    "mark": (indicator(tokens == "a"), 1),
}

COPIES: dict[str, tuple[SOp, Atom]] = {
    "token": (tokens, "-"),
    "token or one of them": (tokens, "a"),
    "bool": (tokens == "a", False),
    "bool or true": (indices > 1, True),
    "token or number": (tokens, 0),
    "bool or number": (tokens == "a", 0),
    "position": (indices, -1),
}


def everywhere(
    root: SOp | Mapping[str, SOp],
    vocabulary: str = "ab",
    max_length: int = 4,
    *,
    dtype: str = "float32",
    causal: bool = False,
) -> CompiledModel:
    """The model, no larger than predicted, after every input agreed on the interpreter, the reference and torch."""
    model = compile_sop(root, tuple(vocabulary), max_length, dtype=dtype, causal=causal)
    found = verify(root, model)
    assert found.exhaustive
    assert found.counterexample is None, found.counterexample
    predicted = analyse([root] if isinstance(root, SOp) else root.values())
    assert model.weights.depth <= predicted.depth
    assert sum(model.weights.heads) <= sum(predicted.heads)
    return model


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CHOICES)
def test_widths(name: str, dtype: str) -> None:
    everywhere(selector_width(CHOICES[name]), dtype=dtype)


@pytest.mark.parametrize("name", CHOICES)
def test_widths_in_causal_mode(name: str) -> None:
    everywhere(selector_width(CHOICES[name]), causal=True)


@pytest.mark.parametrize("name", CHOICES)
def test_widths_over_three_tokens(name: str) -> None:
    everywhere(selector_width(CHOICES[name]), "abc", 4)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CHOICES)
def test_means(name: str, dtype: str, causal: bool) -> None:
    means = {value: aggregate(CHOICES[name], *read) for value, read in VALUES.items()}
    everywhere(means, dtype=dtype, causal=causal)


@pytest.mark.parametrize("value", COPIES)
@pytest.mark.parametrize("name", CHOICES)
def test_copies(name: str, value: str) -> None:
    """Where what is best is tied, the program may have no value; then the model has none either."""
    if (name, value) == ("never", "token or number"):
        return
    everywhere(aggregate(CHOICES[name], *COPIES[value]))


@pytest.mark.parametrize("default", ["a", 1])
@pytest.mark.parametrize("name", [name for name in CHOICES if name.startswith(("last", "best of a"))])
def test_copies_of_what_is_all_strings_or_all_numbers(name: str, default: Atom) -> None:
    if name == "best of a condition, tied":
        return
    text = aggregate(select(tokens, "b"), tokens)
    everywhere(
        {"": aggregate(CHOICES[name], text, default), "beside": aggregate(CHOICES[name], text, default) + tokens}
    )


@pytest.mark.parametrize("name", ["last", "last before if it is the same", "best of a condition"])
def test_a_number_with_a_string_as_default(name: str) -> None:
    everywhere(aggregate(CHOICES[name], indices, "b"))


@pytest.mark.parametrize(
    "use",
    [
        lambda width: width == 1,
        lambda width: width * 2 + indices,
        lambda width: where(width > 1, tokens, "-"),
        lambda width: aggregate(select(indices, width), tokens, "-"),
        lambda width: selector_width(select(width, width, "<")),
        lambda width: aggregate(full, width),
        lambda width: width + COUNT > length,
    ],
)
@pytest.mark.parametrize("name", ["last before if it is the same", "ties", "ties that are even", "ties, a or the same"])
def test_a_width_is_used_like_any_other(name: str, use: Callable[[SOp], SOp]) -> None:
    everywhere(use(selector_width(CHOICES[name])))


def test_width_and_mean_share_a_head() -> None:
    chosen = COMMON & SAME
    model = everywhere(selector_width(chosen) * 10 + aggregate(chosen, indices, -1))
    assert model.weights.heads == [1, 1]


def test_one_head_whatever_stands_around_select_best() -> None:
    assert everywhere(selector_width(LAST & SAME)).weights.heads == [1]
    assert everywhere(aggregate(select_best(UP_TO, indices % 2) & IS_A, tokens, "-")).weights.heads == [1]


def test_numbers_as_tokens() -> None:
    root = aggregate(select_best(full, tokens_int) & select(tokens_int, indices, ">"), indices, -1)
    model = compile_sop(root, (0, 1, 3), 4)
    assert verify(root, model).counterexample is None
    width = selector_width(select_best(full, tokens_asis))
    model = compile_sop(width, (0.1, 0.2, -3), 4, dtype="float64")
    assert verify(width, model).counterexample is None


def test_a_program_fails_where_a_score_fails_though_it_decides_nothing() -> None:
    tied = select_best(select_best(full, indices), 1 / (length - 2))
    root = aggregate(tied, indices)
    model = compile_sop(root, ("a",), 3)
    assert verify(root, model).counterexample is None


def test_a_program_fails_where_a_condition_fails_though_one_key_is_best() -> None:
    condition = select(tokens_asis, indices * 0, "<=")
    root = selector_width(LAST & condition)
    model = compile_sop(root, ("a", 0), 3)
    found = verify(root, model)
    assert found.counterexample is None
    assert found.undefined == found.count - 3
    for use in (selector_width, lambda chosen: aggregate(chosen, tokens_asis == 0, 0)):
        root = use(LAST & select(1 / indices, indices, "<"))
        assert verify(root, compile_sop(root, ("a", 0), 3)).counterexample is None


def test_conditions_on_numbers_too_many_to_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MAX_MEANS", 4)
    mean = aggregate(UP_TO, indicator(tokens == "a"))
    for condition in (select(mean, 0.4, ">"), select(mean, indices % 2, "<=")):
        everywhere(selector_width(LAST & condition))
        everywhere(aggregate(COMMON & condition, indices, -1))
        everywhere(selector_width(COMMON & condition))


# -- the width of what no head marks


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", ["not", "or", "or last", "but", "neither", "mixed", "unless"])
def test_a_width_that_no_single_head_can_tell_is_a_sum_of_widths(name: str, causal: bool) -> None:
    root = selector_width(REFUSED[name])
    model = compile_sop(root, ("a", "b"), 4, causal=causal)
    assert verify(root, model).counterexample is None
    assert model.weights.depth <= analyse([root]).depth
    with pytest.raises(Refusal, match="no single head can compute"):
        compile_sop(root, ("a", "b"), 4, causal=causal, prefer="depth")


def test_a_sum_of_widths_is_said_in_the_report() -> None:
    assert "2 heads, because no single head can tell" in report(compile_sop(selector_width(~COMMON), ("a", "b"), 3))


def test_a_width_fails_where_what_is_left_out_of_it_fails() -> None:
    """Whether or not the key is best, all are marked; but where the score has no value, neither has the program."""
    always = LAST | ~LAST
    assert verify(selector_width(always), compile_sop(selector_width(always), ("a",), 3)).counterexample is None
    failing = select_best(full, 1 / indices)
    root = selector_width(failing | ~failing)
    with pytest.raises(Refusal):
        compile_sop(root, ("a",), 3, prefer="depth")
    found = verify(root, compile_sop(root, ("a",), 3))
    assert (found.counterexample, found.undefined) == (None, found.count)


# -- refusals


REFUSED: dict[str, Selector] = {
    "not": ~COMMON,
    "or": COMMON | BEFORE,
    "or last": LAST | select(indices, indices, "=="),
    "but": BEFORE & ~select_best(BEFORE, indices),
    "best of not": select_best(~COMMON, indices),
    "neither": ~(COMMON | IS_A),
    "mixed": (COMMON & SAME) | (~COMMON & IS_A),
    "unless": (~COMMON & SAME) | (EVEN & (COMMON | BEFORE)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_head_computes_is_refused(name: str) -> None:
    with pytest.raises(Refusal, match="no single head can compute") as error:
        compile_sop(aggregate(REFUSED[name], indices, -1), ("a", "b"), 4, prefer="depth")
    assert error.value.hint is not None
    assert "one layer more does it" in error.value.hint


def test_two_orders_at_once_are_refused() -> None:
    with pytest.raises(Refusal, match="of two orders of the keys, the scores of a head follow one"):
        compile_sop(aggregate(COMMON & select_best(full, indices % 2), indices), ("a", "b"), 4, prefer="depth")


@pytest.mark.parametrize("name", [*REFUSED, "two orders", "floats"])
def test_what_no_head_computes_takes_one_layer_more(name: str) -> None:
    others = {
        "two orders": COMMON & select_best(full, indices % 2),
        "floats": ~select_best(full, where(tokens == "a", 0.1, 0.7)),
    }
    selector = {**REFUSED, **others}[name]
    for root in (aggregate(selector, indices, -1), aggregate(selector, tokens, "")):
        model = compile_sop(root, ("a", "b"), 4)
        assert verify(root, model).exhaustive
        assert model.weights.depth == analyse([root]).depth + 1
        assert "one layer more, because no single head can tell" in report(model)


def as_hinted(selector: Selector) -> Selector:
    """The selector with every select_best written with one layer more, as the hint of a refusal says."""
    if isinstance(selector, Best):
        inner = as_hinted(selector.selector)
        top = aggregate(select_best(select_best(inner, selector.score), indices), selector.score)
        return inner & select(selector.score, top, "==")
    parts = [as_hinted(child) if isinstance(child, Selector) else child for child in selector.children]
    return type(selector)(*parts) if any(isinstance(part, Selector) for part in parts) else selector


@pytest.mark.parametrize(
    "selector",
    [*REFUSED.values(), COMMON & select_best(full, indices % 2), ~select_best(full, where(tokens == "a", 0.1, 0.7))],
)
def test_the_way_out_of_a_refusal_works(selector: Selector) -> None:
    hinted = as_hinted(selector)
    for use in (selector_width, lambda chosen: aggregate(chosen, indices, -1)):
        model = compile_sop(use(hinted), ("a", "b"), 4)
        assert verify(use(selector), model).counterexample is None


def test_what_lies_below_a_refusal_is_named_by_its_own_reason() -> None:
    many = aggregate(full, aggregate(UP_TO, tokens_int / 7.3))
    with pytest.raises(Refusal, match="too many to list"):
        compile_sop(aggregate(select_best(full, many) & IS_A, indices), tuple("0123456789"), 12)


# -- what the compiler makes of it


def test_a_preferred_condition_is_a_selector_like_others() -> None:
    chosen = Prefer(BEFORE, SAME)
    assert expression(chosen) == "prefer(…, …)"
    assert run(aggregate(chosen, indices, -1), "aabb") == [-1, 0, 0.5, 2]
    assert expression(chosen, {BEFORE: "before", SAME: "same"}) == "prefer(before, same)"


def test_a_compiled_graph_gives_what_the_program_gives() -> None:
    for name in ("ties that are the same", "ties, a or the same", "conditions of every kind"):
        for root in (selector_width(CHOICES[name]), aggregate(CHOICES[name], indices, -1)):
            graph = Compilation({"out": root}, Options(("a", "b"), 5)).graph
            for tokens_given in ("a", "ab", "aab", "babb", "ababb"):
                assert run(graph.roots[0], tokens_given) == run(root, tokens_given)


def test_the_report_says_what_stands_for_a_width() -> None:
    assert "at most one key is best" in report(compile_sop(selector_width(LAST), ("a",), 3))
    assert "one mean for each of 3 positions" in report(compile_sop(selector_width(COMMON), ("a", "b"), 3))


def test_a_refusal_says_each_name_once() -> None:
    first, second = select_best(full, indices), select_best(select(tokens, "a"), indices)
    with pytest.raises(Refusal, match=r"best by indices among two sets of keys at once"):
        compile_sop(aggregate(first & second, tokens, ""), "ab", 4, prefer="depth")
    counts = [selector_width(select(tokens, token) & select(indices, indices, "<=")) for token in "ab"]
    assert "2 s-ops like selector_width" in TooMany(tuple(counts), "9").message

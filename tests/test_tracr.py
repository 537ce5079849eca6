"""Programs of Tracr: of its own classes where it is installed, and everywhere of classes that stand in for them."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

import rasp
from rasp.errors import Failures, Refusal, TypeFault
from rasp.meaning import EvaluationFault
from tests import tracr_stand_in
from tests.random_tracr import random_tracr


@pytest.fixture(params=["stand-in", "tracr"])
def t(request: pytest.FixtureRequest) -> Any:
    """The module of Tracr's expressions, `tracr.rasp.rasp`, or what stands in for it."""
    if request.param == "stand-in":
        return tracr_stand_in
    return pytest.importorskip("tracr.rasp.rasp", reason="Tracr is not installed: make interop-tracr runs this")


def same_token(t: Any) -> Any:
    return t.Select(t.tokens, t.tokens, t.Comparison.EQ)


def before(t: Any) -> Any:
    return t.Select(t.indices, t.indices, t.Comparison.LEQ)


def earlier_copies(t: Any) -> Any:
    return t.SelectorAnd(same_token(t), t.Select(t.indices, t.indices, t.Comparison.LT))


def place(t: Any) -> Any:
    smaller = t.Select(t.tokens, t.tokens, t.Comparison.LT)
    return t.SelectorWidth(smaller | earlier_copies(t)).named("target_position")


def sort(t: Any) -> Any:
    return t.Aggregate(t.Select(place(t), t.indices, t.Comparison.EQ), t.tokens)


def previous(t: Any) -> Any:
    return t.Aggregate(t.Select(t.indices, t.indices, lambda key, query: key == query - 1), t.tokens)


def last(t: Any, sop: Any, default: Any = None) -> Any:
    return t.Aggregate(t.Select(t.indices, t.length - 1, t.Comparison.EQ), sop, default)


def share(t: Any, token: str) -> Any:
    return t.numerical(t.Aggregate(before(t), t.numerical(t.tokens == token), default=0))


PROGRAMS: dict[str, Any] = {
    "histogram": lambda t: t.SelectorWidth(same_token(t)),
    "length": lambda t: t.SelectorWidth(t.Select(t.tokens, t.tokens, t.Comparison.TRUE)),
    "reverse": lambda t: t.Aggregate(
        t.Select(t.indices, t.length - t.indices - 1, t.Comparison.EQ).named("flip"), t.tokens
    ),
    "balance": lambda t: t.LinearSequenceMap(share(t, "a"), share(t, "b"), 1, -1),
    "sort": sort,
    "previous": previous,
    "function of none": lambda t: t.Map(lambda token: token + "!", previous(t)),
    "functions of none": lambda t: t.SequenceMap(lambda a, b: a + b, previous(t), t.tokens),
    "linear of none": lambda t: t.LinearSequenceMap(t.Map(lambda x: x == "a", previous(t)), t.indices, 2, -0.5),
    "none by a function": lambda t: t.Map(lambda token: None if token == "a" else token, t.tokens),
    "selected by none": lambda t: t.SelectorWidth(
        t.Select(previous(t), t.tokens, lambda key, query: key is None or key == query)
    ),
    "not": lambda t: t.SelectorWidth(~earlier_copies(t)),
    "not of one": lambda t: t.SelectorWidth(~same_token(t) | before(t)),
    "combined": lambda t: t.SelectorWidth(same_token(t) & t.Select(t.tokens, t.tokens, t.Comparison.LEQ)),
    "never": lambda t: t.Aggregate(t.Select(t.tokens, t.tokens, t.Comparison.FALSE), t.indices, 7),
    "constants": lambda t: t.SequenceMap(lambda a, b: a * b, t.ConstantSOp([3, 1, 2]), t.Full(2)),
    "no value": lambda t: t.Full(None),
    "matrix": lambda t: t.SelectorWidth(t.ConstantSelector([[True, False, True], [False] * 3, [True] * 3])),
    "other comparisons": lambda t: t.SelectorWidth(
        t.SelectorAnd(t.Select(t.tokens, t.tokens, t.Comparison.NEQ), t.Select(t.indices, t.indices, t.Comparison.GEQ))
    ),
    "more": lambda t: t.SelectorWidth(t.Select(t.indices, t.indices, t.Comparison.GT)),
    "arithmetic": lambda t: 2 * (t.indices + 1) / (t.length + 1) - t.indices,
    "mean of true": lambda t: t.Aggregate(before(t), t.Full(True)),
    "mean of bools or a default": lambda t: t.Aggregate(before(t), last(t, t.tokens == "a", True)),
    "logic": lambda t: (t.tokens == "a") & ~(t.indices > 1) | (t.tokens == "c"),
    "pairs": lambda t: t.Map(lambda pair: pair[1], t.SequenceMap(lambda a, b: (a, b), t.tokens, t.indices)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_means_here_what_it_means_there_and_is_compiled(t: Any, name: str) -> None:
    program = PROGRAMS[name](t)
    node = rasp.from_tracr(program)
    lengths = (3,) if name in ("matrix", "constants") else (1, 2, 3)
    given = [list(found) for n in lengths for found in product("abc", repeat=n)]
    expected = pytest.approx(flat(*(program(one) for one in given)))
    assert flat(*node(given)) == expected
    assert flat(*rasp.compile(node, "abc", 3).batch(given)) == expected


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_stand_in_means_what_tracr_does(name: str) -> None:
    tracr = pytest.importorskip("tracr.rasp.rasp", reason="Tracr is not installed: make interop-tracr runs this")
    one, other = PROGRAMS[name](tracr), PROGRAMS[name](tracr_stand_in)
    for given in product("abc", repeat=3):
        assert list(map(repr, one(given))) == list(map(repr, other(given)))


def flat(*rows: Sequence[Any]) -> list[Any]:
    """The values one after another, bools as the numbers that equal them, and tuples as their parts."""
    found: list[Any] = []
    for value in (value for row in rows for value in row):
        found += flat(value) if isinstance(value, tuple) else [int(value) if isinstance(value, bool) else value]
    return found


def test_names_that_were_given_are_kept_and_others_are_not(t: Any) -> None:
    """Tracr puts its own names beside those that were given, as soon as it is asked for them."""
    program = sort(t)
    assert (program.name, program.selector.keys.name) == ("aggregate", "target_position")
    model = rasp.compile(rasp.from_tracr(program), "abc", 3)
    assert model.names().sops[0] == "target_position"
    assert "aggregate" not in model.names().sops
    assert model.run_with_cache("cab")[1]["target_position"] == [2, 0, 1]


def test_a_bool_from_one_position_stays_a_bool(t: Any) -> None:
    assert rasp.from_tracr(last(t, t.tokens == "a"))("ba") == [True, True]
    assert list(map(repr, rasp.from_tracr(last(t, t.tokens == "a"))("ba"))) == ["True", "True"]


def test_what_the_language_has_no_values_for_is_an_error_here(t: Any) -> None:
    """Tracr's evaluator has some: it looks at those alone that are averaged."""
    width = t.SelectorWidth(same_token(t))
    with_text = t.Aggregate(t.Select(t.indices, t.indices, t.Comparison.LT), width, default="z")
    later = t.Select(t.indices, t.Full(1), t.Comparison.GEQ)
    among_none = t.Aggregate(later, t.Map(lambda x: x if x else None, t.indices))
    assert list(with_text("aaa")) == ["z", 3, 3]
    assert list(among_none("aab")) == [1.5, 1.5, 1.5]
    with pytest.raises(EvaluationFault, match="strings and numbers stand together"):
        rasp.from_tracr(with_text)("aaa")
    with pytest.raises(EvaluationFault, match="only numbers have a mean"):
        rasp.from_tracr(among_none)("aab")


def test_where_tracrs_evaluator_has_no_value_there_may_be_one_here(t: Any) -> None:
    of_none = t.SelectorWidth(t.Select(previous(t), t.tokens, t.Comparison.EQ))
    of_text = t.Aggregate(same_token(t), t.tokens)
    for program, values in ((of_none, [1, 0]), (of_text, ["a", "b"])):
        assert rasp.from_tracr(program)("ab") == values
    for program in (of_none, of_text):
        with pytest.raises(ValueError, match=r"is None|supported for aggregation"):
            program("aab")


def test_operators_come_over_as_operators(t: Any) -> None:
    assert rasp.from_tracr(2 * (t.indices + 1) - 3) is 2 * (rasp.indices + 1) - 3
    assert rasp.from_tracr(5 - t.length) is 5 - rasp.length
    assert rasp.from_tracr(~(t.tokens == "a")) is ~(rasp.tokens_asis == "a")
    assert rasp.from_tracr(t.length - t.indices - 1) is rasp.length - rasp.indices - 1
    either = (t.indices < 1) | (t.tokens != "b")
    assert rasp.from_tracr(either) is (rasp.indices < 1) | (rasp.tokens_asis != "b")


def test_balances_of_long_inputs_are_compiled(t: Any) -> None:
    """As functions of four means they would be tables too large to list."""
    balances = [t.LinearSequenceMap(share(t, one), share(t, other), 1, -1) for one, other in ("ab", "cd")]
    negative = (balances[0] < 0) | t.Map(lambda x: x, balances[1] < 0)
    given = list("abba" * 10)
    assert rasp.compile(rasp.from_tracr(negative), "a-d", 40)(given) == negative(given)


def test_what_comes_after_a_function_is_asked_about_none(t: Any) -> None:
    """Tracr makes one Map of these, so that the second one sees what the first one gives."""
    program = t.Map(lambda x: x is None, t.Map(lambda x: None if x > 1 else x, t.indices + 1))
    assert rasp.from_tracr(program)("ab") == program("ab") == [False, True]
    assert rasp.from_tracr(t.Map(lambda x: str(x), t.indices + 1) + "!")("ab") == ["1!", "2!"]


# Seeds of programs that are compiled: each model takes a while.
COMPILED = 20


def test_random_programs_have_the_same_values(t: Any) -> None:
    """Wherever both evaluators have some, and models are right or refused."""
    same = 0
    for seed in range(200):
        rng = random.Random(seed)
        program = random_tracr(t, rng)
        node = rasp.from_tracr(program)
        pairs = list(values_of_both(program, node, rng))
        for given, there, here in pairs:
            assert here == pytest.approx(there), (seed, given)
        if pairs and seed < COMPILED:
            check_model(node, pairs)
        same += len(pairs)
    assert same > 400


def values_of_both(program: Any, node: Any, rng: random.Random) -> Iterator[tuple[list[int], list[Any], list[Any]]]:
    """Inputs on which both evaluators have values, and these."""
    for _ in range(4):
        given = rng.choices(range(3), k=rng.randint(1, 5))
        try:
            there = flat(program(given))
        except (ValueError, TypeError, ArithmeticError):
            continue
        with suppress(EvaluationFault):
            yield given, there, flat(node(given))


def check_model(node: Any, pairs: Sequence[tuple[list[int], list[Any], list[Any]]]) -> None:
    with suppress(Refusal, Failures):
        model = rasp.compile(node, range(3), 5)
        for given, there, _ in pairs:
            assert flat(model(given)) == pytest.approx(there, abs=1e-5)


def test_causal_programs_have_the_same_values() -> None:
    causal: Any = pytest.importorskip("tracr.rasp.causal_eval", reason="no Tracr: make interop-tracr runs this")
    tracr: Any = pytest.importorskip("tracr.rasp.rasp")
    for name, build in PROGRAMS.items():
        if name not in ("matrix", "constants", "arithmetic", "reverse", "mean of bools or a default"):
            program, given = build(tracr), list("abcab")
            node, expected = rasp.from_tracr(program), pytest.approx(flat(causal.evaluate(program, given)))
            assert flat(node(given, causal=True)) == expected, name
            assert flat(rasp.compile(node, "abc", 5, causal=True)(given)) == expected, name


def test_the_length_of_a_causal_program_is_what_is_read_so_far(t: Any) -> None:
    """Tracr's evaluator knows all of the input even then, and Tracr compiles no `length`."""
    assert rasp.from_tracr(t.length)("abc", causal=True) == [1, 2, 3]


def test_equal_programs_are_one_graph(t: Any) -> None:
    assert rasp.from_tracr(sort(t)) is rasp.from_tracr(sort(t))
    deep = t.tokens
    for _ in range(3000):
        deep = t.Map(str.upper, deep, simplify=False)
    assert rasp.from_tracr(deep)("a") == ["A"]


def test_what_tracr_does_not_have_is_an_error() -> None:
    with pytest.raises(TypeFault, match="int is no expression of Tracr"):
        rasp.from_tracr(3)


def test_all_of_tracrs_own_cases() -> None:
    """Its library's programs on its inputs: what its evaluator gives, here and compiled."""
    cases: Any = pytest.importorskip("tracr.compiler.test_cases", reason="no Tracr: make interop-tracr runs this")
    for case in cases.TEST_CASES:
        program, given = case["program"], case["test_input"]
        node, expected = rasp.from_tracr(program), pytest.approx(flat(program(given)), abs=1e-6)
        assert flat(node(given)) == expected, case["testcase_name"]
        model = rasp.compile(node, sorted(case["vocab"]), case["max_seq_len"])
        assert flat(model(given)) == expected, case["testcase_name"]


# What Tracr's own compiler makes of programs, as docs/porting.md has it: vocabulary, program, input, what its evaluator
# gives, and what its model gives, or how it is refused.
THERE: dict[str, tuple[Any, Any, Any, Any, Any]] = {
    "widths of 10 and more": (
        "ab",
        lambda t: t.SelectorWidth(same_token(t)),
        "a" * 10 + "b" * 9,
        [10] * 10 + [9] * 9,
        [9] * 19,
    ),
    "nothing selected": ("ab", previous, "abab", [None, "a", "b", "a"], ["a", "a", "b", "a"]),
    "a negative number": (
        "ab",
        lambda t: t.numerical(t.Map(lambda token: -1 if token == "a" else 1, t.tokens)),
        "abab",
        [-1, 1, -1, 1],
        [0, 1, 0, 1],
    ),
    "a mean of tokens": ([1, 2, 3], lambda t: t.Aggregate(before(t), t.tokens), [1, 2, 3], [1, 1.5, 2], [1, 1, 1]),
    "a numerical mean": (
        [1, 2, 3],
        lambda t: t.numerical(t.Aggregate(before(t), t.numerical(t.Map(lambda x: x, t.tokens)), default=0)),
        [1, 2, 3],
        [1, 1.5, 2],
        NotImplementedError,
    ),
    "the width of a combined selector": (
        "ab",
        lambda t: t.SelectorWidth(earlier_copies(t)),
        "abab",
        [0, 0, 1, 1],
        AttributeError,
    ),
    "an aggregate of a combined selector": (
        "ab",
        lambda t: t.Aggregate(~earlier_copies(t) & before(t) & same_token(t), t.tokens),
        "abab",
        list("abab"),
        TypeError,
    ),
    "another default": (
        "ab",
        lambda t: t.Aggregate(t.Select(t.indices, t.indices, t.Comparison.GT), t.indices, default=-1),
        "ab",
        [1, -1],
        NotImplementedError,
    ),
    "no tokens": ("ab", lambda t: t.indices + 1, "abab", [1, 2, 3, 4], ValueError),
    "the length": (
        "ab",
        lambda t: t.SequenceMap(lambda a, b: a * b, t.tokens, t.length),
        "ab",
        ["aa", "bb"],
        ValueError,
    ),
    "a constant": (
        "ab",
        lambda t: t.SequenceMap(lambda a, b: a + b, t.tokens, t.Full("!")),
        "a",
        ["a!"],
        NotImplementedError,
    ),
}


@pytest.mark.parametrize("name", THERE)
def test_what_tracrs_own_compiler_makes_of_a_program(name: str) -> None:
    compiling: Any = pytest.importorskip("tracr.compiler.compiling", reason="no Tracr: make interop-tracr runs this")
    tracr = pytest.importorskip("tracr.rasp.rasp")
    vocabulary, build, given, expected, there = THERE[name]
    program = build(tracr)

    def compiled() -> Any:
        model = compiling.compile_rasp_to_model(program, vocab=set(vocabulary), max_seq_len=20, compiler_bos="bos")
        return model.apply(["bos", *given]).decoded[1:]

    assert list(program(list(given))) == expected
    assert flat(rasp.compile(rasp.from_tracr(program), vocabulary, 20)(given)) == pytest.approx(expected)
    if isinstance(there, list):
        assert compiled() == pytest.approx(there)
    else:
        with pytest.raises(there):
            compiled()

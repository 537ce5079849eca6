"""The interpreter's rounded arithmetic is the meaning: what magnitudes and cancellations must not change."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest

import compiler.rounding
from compiler.facts import Facts
from compiler.options import Options
from compiler.pipeline import Compilation, compile_sop
from compiler.rounding import error_of
from compiler.run.verify import verify
from compiler.source_map import SourceMap
from compiler.values.roundoff import Error, roundoff, sum_error
from rasp.errors import DataFault, Refusal
from rasp.graph import SOp, aggregate, full, indices, select, tokens_float
from rasp.interpret import run
from rasp.operations import Atom
from tests.exact import exact, program

BOTH = pytest.mark.parametrize("dtype", ["float32", "float64"])
MEAN = "m = aggregate(full_s, tokens_float); "
Numbers = tuple[Atom, ...]


@BOTH
@pytest.mark.parametrize(
    ("text", "vocabulary", "max_length"),
    [
        ("x = aggregate(select(indices,0,==),tokens_int);", (1, 2, 10**16), 2),
        ('x = 10^(4*indices) + indicator(tokens=="a");', ("a", "b"), 5),
        ("x = 0 if indices else tokens_asis;", (1, 2**53 + 1), 2),
        ("x = indices * tokens_float;", (2, 10**16), 2),
        ("x = [5, 3.5, 10^17, 0][length];", (0,), 3),
        ("x = 9223372036854775808 - length;", (0,), 2),
        ("x = aggregate(full_s, tokens_asis);", (2**53 + 1, 2**53), 1),
        ("x = tokens_float;", (1.0, 1.00000000000009, 1.00000000000018), 2),
        ("x = aggregate(select(indices,0,==),tokens_float);", (1.0, 1.00000000000009, 1.00000000000018), 2),
        ("x = tokens_float == 0.3;", (0.1 + 0.2, 0.3), 2),
        ("x = tokens_asis;", (0.0, -0.0, 5e-17), 2),
        ("x = tokens_asis;", (1, True, 0.5, False), 3),
        ("x = aggregate(select(indices, indices, <), tokens_int, -999);", tuple(range(4)), 6),
        ("x = aggregate(full_s, tokens_float - tokens_int, 1);", (1e-9, 0.0, 1.0), 1),
        ("x = aggregate(full_s, 0, 1000000.0);", (0,), 2),
        ("x = aggregate(select(indices, indices, ==), indices / 1, 100000000000000000);", (0,), 2),
        ("x = aggregate(full_s, 1) + aggregate(full_s, tokens_asis);", (0, 0.1), 2),
        ("x = aggregate(full_s, tokens_asis, 1000000.0) - aggregate(full_s, tokens_asis);", (0, 0.1), 2),
        ("x = aggregate(select(indices, 1, ==), 1 - tokens_float, 0.0);", (0, 5e-13, 1e-12), 2),
        ("x = aggregate(full_s, tokens_float);", (1e12, 0.3, 1.0, 1e-6), 2),
        (MEAN + "x = m - 0.1 + 0.1 == m;", (0.1, 0.2, 0.7), 4),
        (MEAN + "x = m / 10 * 10 - m == 0;", (0.1, 0.2, 0.7), 4),
        (MEAN + "x = (m + 1099511627776) - m == 1099511627776;", (0.1, 0.2, 0.7), 4),
        (MEAN + "x = (m - aggregate(full_s, tokens_float * 2)) * 1000000;", (0.1, 0.25, 0.7), 4),
    ],
)
def test_programs_with_numbers_far_apart(text: str, vocabulary: Numbers, max_length: int, dtype: str) -> None:
    assert verify(program(text), exact(program(text), vocabulary, max_length, dtype=dtype)).exhaustive


def test_near_floats_are_told_apart_where_the_dtype_can() -> None:
    root = program("x = aggregate(select(indices,0,==),tokens_float) == 1.0;")
    exact(root, (1.0, 1.00000000000009, 1.00000000000018), 2, dtype="float64")
    with pytest.raises(Refusal, match="too close to tell apart"):
        compile_sop(root, (1.0, 1.00000000000009), 2)


MANY = tuple(round(0.1 + 0.7 * number, 1) for number in range(12))


@BOTH
@pytest.mark.parametrize(
    "condition", ["m - 0.1 + 0.1 == m", "m / 10 * 10 - m == 0", "(m + 1099511627776) - m == 1099511627776"]
)
def test_what_only_rounding_decides_is_refused(condition: str, dtype: str) -> None:
    with pytest.raises(Refusal, match="depends on how floats are rounded"):
        compile_sop(program(f"{MEAN}x = {condition};"), MANY, 7, dtype=dtype)


def test_what_only_rounding_decides_is_refused_each_time_it_is_asked() -> None:
    root = program(f"{MEAN}x = m - 0.1 + 0.1 == m;")
    facts = Facts(Options(MANY, 7))
    with pytest.raises(Refusal):
        facts.check([root], SourceMap())
    for _ in range(2):
        with pytest.raises(Refusal, match="depends on how floats are rounded"):
            facts.values.factors(root)


@BOTH
@pytest.mark.parametrize(
    "condition", ["m - 1 + 1.5 > 3", "m + m > 7", "round(m * 3)", "m - m / 3 > 2.2", "(3 if m > 2 else m - 1) > 1"]
)
def test_what_rounding_does_not_decide_compiles(condition: str, dtype: str) -> None:
    exact(program(f"{MEAN}x = {condition};"), (*range(60), 0.5), 5, dtype=dtype)


@pytest.mark.parametrize(
    ("text", "vocabulary"),
    [
        (MEAN + "x = m - 1000000;", (1000000.1, 1000000.2, 1000000.4, 1000000.8)),
        (MEAN + "x = (m - aggregate(full_s, tokens_float / 4)) * 1000000;", MANY),
        (MEAN + "x = 1000 - m * 8;", MANY),
    ],
)
def test_what_cancels_does_so_before_anything_is_rounded(text: str, vocabulary: Numbers) -> None:
    root = program(text)
    model = compile_sop(root, vocabulary, 12)
    assert model.weights.output.accuracy is not None
    assert verify(root, model).counterexample is None


@BOTH
@pytest.mark.parametrize(
    ("text", "vocabulary"),
    [
        ("x = aggregate(full_s,tokens_float);", (1000000.5, 0.1, -1000000.5, *range(40))),
        (MEAN + "x = m / 10 * 10 - m;", MANY),
        (MEAN + "x = m - (m - 0.1);", (0, 1000000.0, *range(1, 40))),
        (MEAN + "w = aggregate(select(indices, 0, >), tokens_float); x = (m - w + 10000000000) - 10000000000;", MANY),
    ],
)
def test_what_misses_the_promise_is_refused_with_a_way_out_that_works(
    text: str, vocabulary: Numbers, dtype: str
) -> None:
    with pytest.raises(Refusal, match="what is left after numbers cancel") as caught:
        compile_sop(program(text), vocabulary, 7, dtype=dtype)
    hint = str(caught.value.hint)
    if "compiles it" not in hint:
        assert all(flag in hint for flag in ("--max-length 3", "--tolerance 0.001"))
        return
    options = {"max_length": 7, "dtype": dtype, "tolerance": None, **_named(hint)}
    assert compile_sop(program(text), vocabulary, **options).weights.certificate is not None  # type: ignore[arg-type]


def _named(hint: str) -> dict[str, object]:
    """The option that a way out names."""
    flag, value = hint.removesuffix(" compiles it").split()
    kinds = {"--dtype": str, "--max-length": int, "--tolerance": float}
    return {flag.removeprefix("--").replace("-", "_"): kinds[flag](value)}


def test_a_tolerance_is_a_way_out_and_kept_to() -> None:
    root = program("x = aggregate(full_s,tokens_float);")
    vocabulary = (*range(-40, 40), 0.5)
    with pytest.raises(Refusal, match="1e-05 is promised"):
        compile_sop(root, vocabulary, 7)
    model = compile_sop(root, vocabulary, 7, tolerance=1e-3)
    assert model.weights.output.accuracy is not None
    assert model.weights.output.accuracy.share == 1e-3
    assert verify(root, model).counterexample is None
    with pytest.raises(DataFault, match="between 0 and 1"):
        compile_sop(root, vocabulary, 7, tolerance=2)


def test_a_bool_beside_unlisted_means_is_no_number_to_average() -> None:
    text = "x = aggregate(full_s, aggregate(select(tokens_asis, 0, <), tokens_asis, True));"
    with pytest.raises(Refusal):
        compile_sop(program(text), (-1.5, 0, *range(1, 60)), 5)


@BOTH
def test_defaults_far_apart_do_not_cancel_at_bos(dtype: str) -> None:
    text = (
        "far = aggregate(full_s, aggregate(full_s, tokens_int, -999), 100000000000000000);"
        "best = aggregate(select_best(full_s, tokens_asis), far, 1000000.0);"
        "x = aggregate(select(tokens_asis, 2.5, ==), best, 1);"
    )
    try:
        model = compile_sop(program(text), (0.5000000000000001, 1.5, 2.5), 5, dtype=dtype)
    except Refusal:
        return
    assert verify(program(text), model).counterexample is None


DEFAULTS_OF_TWO = (
    "inner = aggregate(select(indices, indices, <), tokens_float, {});"
    "x = aggregate(select(tokens_float, 9, ==), inner, {});"
)
TENTHS = (0.1, 0.25, 1.7, 3.3, 0.77, 5.21, 9.0)


@BOTH
@pytest.mark.parametrize(("inner", "outer"), [(0.7, -0.1), (3, 2.5), (0.3, 0.9), (0.2, 0.5), (1024, 0.5), (0, 0.1)])
def test_a_default_that_the_dtype_rounds_is_within_the_promise(inner: float, outer: float, dtype: str) -> None:
    root = program(DEFAULTS_OF_TWO.format(inner, outer))
    model = compile_sop(root, TENTHS, 12, dtype=dtype)
    assert verify(root, model, count=60).counterexample is None


def test_what_cancels_at_bos_is_refused() -> None:
    with pytest.raises(Refusal, match="what is left after numbers cancel may be off by"):
        compile_sop(program(DEFAULTS_OF_TWO.format(100000.1, 0.1)), TENTHS, 12)


def test_a_long_mean_of_one_sign_is_refused_for_its_rounding() -> None:
    with pytest.raises(Refusal, match="a sum rounded at every step may be off by 6"):
        compile_sop(program("x = aggregate(full_s, indices);"), "ab", 1025)


def test_the_certificate_adds_up_what_is_read_at_bos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.rounding, "_error_at_bos", lambda *_: 0.0)
    with pytest.raises(Refusal, match="what is read at BOS is not the default"):
        compile_sop(program(DEFAULTS_OF_TWO.format(1000.7, 0.1)), TENTHS, 12)


@BOTH
def test_ints_that_are_one_float_are_refused_where_steps_would_tell_them(dtype: str) -> None:
    """As a number they would be right within the tolerance, but ints never differ by rounding."""
    root = program("x = aggregate(full_s, (tokens_int - 2) * 10) + aggregate(full_s, (tokens_int - 2) * 10);")
    with pytest.raises(Refusal, match="too close to tell apart"):
        compile_sop(root, (10**16,), 2, dtype=dtype)


def test_a_column_with_strings_has_no_means_to_read() -> None:
    root = program('x = aggregate(select(tokens, tokens, >), tokens_float if (indices < 1) else "z");')
    with pytest.raises(Refusal):
        compile_sop(root, (2**63, 2.0**63), 2, dtype="float64", causal=True)


def test_numbers_beyond_the_largest_float_are_refused() -> None:
    exact(program("x = 18446744073709551616 * aggregate(full_s, tokens_asis);"), (18446744073709551616, 0.1), 2)
    with pytest.raises(Refusal, match=r"beyond the largest float|may give inf"):
        compile_sop(program("x = aggregate(full_s, tokens_asis*1e300)*1e10;"), (1, 2), 2)


def _spread(rng: random.Random) -> float:
    return rng.choice([-1, 1]) * rng.random() * 10.0 ** rng.randint(-9, 9)


def test_roundoff_bounds_the_interpreters_arithmetic() -> None:
    rng = random.Random(3)
    for _ in range(200):
        values = [_spread(rng) for _ in range(4)]
        root: SOp = tokens_float
        exact_of, found = [Fraction(v) for v in values], list(values)
        for _ in range(rng.randint(1, 5)):
            number, op = _spread(rng), rng.choice("+-*/")
            root = {"+": root + number, "-": root - number, "*": root * number, "/": root / number}[op]
            step = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}
            exact_of = [step[op](value, Fraction(number)) for value in exact_of]
            found = [step[op](value, number) for value in found]
        analysis = Compilation({"x": root}, Options(values, 1)).checked.values
        error = roundoff(analysis, root)
        for value, meant in zip(found, exact_of, strict=True):
            assert abs(Fraction(value) - meant) <= Fraction(error.at(float(meant)))


def test_errors_of_one_sign_are_relative() -> None:
    assert sum_error([((0, 9), Error(1e-3)), ((1, 2), Error(1e-4, 5))]) == Error(1e-3, 5)
    assert sum_error([((0, 9), Error(1e-3)), ((-1, 2), Error(0.0, 5))]) == Error(0.0, 9e-3 + 5)


@BOTH
def test_means_are_as_near_as_their_bound_says(dtype: str) -> None:
    rng = random.Random(5)
    vocabulary = [_spread(rng) for _ in range(30)]
    for root in (aggregate(full, tokens_float), aggregate(select(indices, indices, "<="), tokens_float * tokens_float)):
        made = Compilation({"x": root}, Options(vocabulary, 9, dtype=dtype, tolerance=0.99))
        error = error_of(root, made.plan.storage, made.options.precision)

        assert math.isfinite(error.absolute)
        try:
            model = made.model()
        except Refusal:
            continue
        for _ in range(30):
            given = [rng.choice(vocabulary) for _ in range(rng.randint(1, 9))]
            for want, got in zip(_interpreted(root, given), model.run(given).output, strict=True):
                assert abs(want - float(got)) <= error.at(want) * (1 + 1e-9)


def _interpreted(root: SOp, given: list[float]) -> list[float]:
    return list(map(float, run(root, given)))

"""What a refusal says helps has been tried."""

from __future__ import annotations

from functools import reduce

import pytest

from compiler.options import Options
from compiler.pipeline import Compilation, compile
from compiler.ways_out import with_way_out
from rasp.errors import Failures, Refusal
from rasp.graph import SOp, Tokens, aggregate, apply, full, indices, select, select_best, tokens, tokens_asis, where
from rasp.operations import Operation
from tests.test_representatives import PLACE

CLOSE = aggregate(select(indices, 0, "=="), Tokens("float")) == 1.0


def refused(root: SOp, vocabulary: tuple[float | str, ...], max_length: int, **options: str) -> Refusal:
    with pytest.raises(Refusal) as error:
        compile(root, vocabulary, max_length, **options)  # type: ignore[arg-type]
    return error.value


def test_float64_is_named_where_it_compiles() -> None:
    assert refused(CLOSE, (1.0, 1.00000000000009), 2).hint == "--dtype float64 compiles it"
    compile(CLOSE, (1.0, 1.00000000000009), 2, dtype="float64")


def test_options_that_do_not_help_are_not_named() -> None:
    hint = refused(CLOSE, (1.0, 1.0 + 2**-50), 4).hint
    assert hint == "neither --dtype float64 nor --max-length 2 helps"


def test_a_smaller_length_is_named_where_it_compiles() -> None:
    found = refused(PLACE % 2 == 0, ("a", "b"), 90, dtype="float64")
    assert found.hint == "compare or round the number first; --max-length 45 compiles it"
    compile(PLACE % 2 == 0, "ab", 45, dtype="float64")


def test_advice_on_the_program_stays_where_no_option_helps() -> None:
    error = Refusal("one", hint="round the number first")
    with_way_out(error, Options("ab", 4), lambda options: False)
    assert error.hint == "round the number first"


def test_what_depth_refuses_auto_compiles() -> None:
    root = aggregate(~select_best(full, tokens_asis), indices, -1)
    hint = refused(root, (1, 2), 3, prefer="depth").hint
    assert hint is not None
    assert "--prefer auto builds it" in hint


def test_all_refusals_are_told_with_one_way_out() -> None:
    errors = Failures([Refusal("one", hint="use float64"), Refusal("other", hint="use float64")])
    with_way_out(errors, Options("ab", 4), lambda options: options.max_length == 2)
    assert [error.hint for error in errors.errors] == [None, "--max-length 2 compiles it"]


def test_nothing_is_tried_after_a_long_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compilation = Compilation({"": CLOSE}, Options((1.0, 1.00000000000009), 2))
    compilation.stopwatch.seconds["values"] = 60.0
    with pytest.raises(Refusal, match="too close to tell apart") as error:
        compilation.model()
    assert error.value.hint == "use float64, or a smaller maximum length"


def test_of_several_ways_that_are_refused_the_one_with_a_reason_of_its_own_is_told() -> None:
    """At once there are too many combinations; in steps only the comparison is left to refuse."""
    rounded = (apply("round", aggregate(select(tokens, tokens, op), indices * 5)) for op in ("==", "!=", "<=", ">="))
    root = where(CLOSE, reduce(lambda left, right: (left * 3 + right) % 5, rounded), 0)
    assert "type or rounding" in refused(root, (1.0, 1.00000000000009), 8).message


def test_too_many_combinations_are_told_in_the_words_of_the_program() -> None:
    rounded = (apply("round", aggregate(select(tokens, tokens, op), indices * 5)) for op in ("==", "!=", "<=", ">="))
    found = refused(apply(Operation.python(lambda *parts: sum(parts) % 7, 4), *rounded), ("a", "b"), 8)
    assert "aggregate(select(tokens, tokens, ==), indices * 5) and aggregate(select(tokens" in found.message
    assert "possible combinations" in found.message

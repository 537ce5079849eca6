"""What a refusal says helps has been tried."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import pytest

from compiler import ways_out
from compiler.lower import SymbolicModel, lower
from compiler.options import Options
from compiler.pipeline import Compilation, compile
from compiler.timing import OutOfTime, within
from compiler.values import aggregates
from compiler.ways_out import WayOut, with_way_out
from rasp.errors import Failures, Refusal
from rasp.graph import SOp, Tokens, aggregate, apply, full, indices, select, select_best, tokens, tokens_asis, where
from rasp.language.program import parse_program
from rasp.operations import COMPARISONS, Operation
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
    error = Refusal("one", hint="use float64, or a smaller maximum length")
    ways = [WayOut("--dtype float64", lambda: False), WayOut("--max-length 2", lambda: False)]
    assert with_way_out(error, ways).hint == "neither --dtype float64 nor --max-length 2 helps"


def test_options_are_tried_first_then_changes_of_the_program_and_a_smaller_length_last() -> None:
    compilation = Compilation({"": apply("^", PLACE, 2) == 4}, Options("ab", 90))
    with pytest.raises(Refusal) as error:
        compilation.model()
    place = "aggregate(select(tokens, tokens, ==), indices)"
    tried = [way.text for way in compilation.ways_out(error.value)]
    assert tried == ["--dtype float64", f"round({place}) in its place", "--max-length 45"]
    assert error.value.hint == f"round({place}) in its place compiles it"


def test_a_number_that_is_rounded_is_named_where_that_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aggregates, "MAX_MEANS", 3)
    text = "m = aggregate(select(tokens, tokens, ==), indices); four = m ^ 2 == 4;"
    with pytest.raises(Refusal, match="not in a linear way") as error:
        parse_program(text).compile(vocab="ab", max_length=6)
    assert error.value.hint == "round(m) in its place compiles it"
    rounded = parse_program(text.replace("four = m", "four = round(m)")).compile(vocab="ab", max_length=6)
    assert rounded.run("aba").output == [False, False, False]


def test_a_change_that_does_not_help_is_not_named() -> None:
    ways = [WayOut("round(m) in its place", lambda: False, is_option=False), WayOut("--prefer auto", lambda: False)]
    assert with_way_out(Refusal("one"), ways).hint == "--prefer auto does not help"


def test_advice_on_the_program_stays_where_no_option_helps() -> None:
    error = with_way_out(Refusal("one", hint="compare with =="), [WayOut("--prefer auto", lambda: False)])
    assert error.hint == "compare with =="


def test_what_depth_refuses_auto_compiles() -> None:
    root = aggregate(~select_best(full, tokens_asis), indices, -1)
    hint = refused(root, (1, 2), 3, prefer="depth").hint
    assert hint is not None
    assert "--prefer auto builds it" in hint


def test_all_refusals_are_told_with_one_way_out() -> None:
    errors = Failures([Refusal("one", hint="use float64"), Refusal("other", hint="use float64")])
    with_way_out(errors, [WayOut("--dtype float64", lambda: False), WayOut("--max-length 2", lambda: True)])
    assert [error.hint for error in errors.errors] == [None, "--max-length 2 compiles it"]


def test_what_there_is_no_time_to_try_is_not_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways_out, "PATIENCE", 0.0)
    hint = refused(CLOSE, (1.0, 1.00000000000009), 2).hint
    assert hint == "not tried, as it takes long: use float64, or a smaller maximum length"


def test_a_trial_stops_when_its_time_is_over() -> None:
    with within(0.0), pytest.raises(OutOfTime):
        Compilation({"": indices}, Options("ab", 2)).model()
    Compilation({"": indices}, Options("ab", 2)).model()


def test_an_index_into_which_anything_may_be_put_is_refused_in_the_words_of_the_program() -> None:
    text = "m = aggregate(select(tokens, tokens, ==), indices); y = [1, 2, 3, 4][m];"
    with pytest.raises(Refusal, match="only where a number is an int"):
        parse_program(text).compile(vocab=(0, 1), max_length=4, interventions=["m"])


def test_of_several_ways_that_are_refused_the_one_with_a_reason_of_its_own_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """At once there are too many combinations; in steps only the comparison is left to refuse."""
    monkeypatch.setattr(ways_out, "PATIENCE", 0.0)
    rounded = (apply("round", aggregate(select(tokens, tokens, op), indices * 9)) for op in (*COMPARISONS,))
    root = where(CLOSE, reduce(lambda left, right: (left * 3 + right) % 5, rounded), 0)
    assert "type or rounding" in refused(root, (1.0, 1.00000000000009), 4).message


def test_too_many_combinations_are_told_in_the_words_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways_out, "PATIENCE", 0.0)
    monkeypatch.setattr(aggregates, "MAX_MEANS", 3)
    rounded = (apply("round", aggregate(select(tokens, tokens, op), indices * 9)) for op in (*COMPARISONS,))
    found = refused(apply(Operation.python(lambda *parts: sum(parts) % 7, 6), *rounded), ("a", "b"), 4)
    assert "aggregate(select(tokens, tokens, ==), indices * 9) and aggregate(select(tokens" in found.message
    assert "possible combinations" in found.message


def test_each_way_is_refused_once_and_before_any_neurons_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    lowered: list[SOp] = []

    def lower_and_note(outputs: Mapping[str, SOp], *rest: Any) -> SymbolicModel:
        lowered.append(*outputs.values())
        return lower(outputs, *rest)

    monkeypatch.setattr("compiler.passes.lower", lower_and_note)
    monkeypatch.setattr("compiler.encodings.ways.table_neurons", None)
    rounded = (apply("round", aggregate(select(tokens, tokens, op), indices * 5)) for op in ("==", "!="))
    root = where(CLOSE, reduce(lambda left, right: (left * 3 + right) % 5, rounded), 0)
    compilation = Compilation({"": root}, Options((1.0, 1.00000000000009), 8))
    counts = []
    for _ in range(2):
        with pytest.raises(Refusal, match="type or rounding"):
            assert compilation.weights
        counts.append(len(lowered))
    assert counts[0] == counts[1] > 0

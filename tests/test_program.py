"""Programs as values: variables, names, places, the default s-op, and what is missing."""

from pathlib import Path

import pytest

from rasp.errors import Failures, NameFault, RaspError
from rasp.graph import full, length
from rasp.interpret import Run
from rasp.language.program import Program, load_program, parse_program
from tests.counting import grows_linearly

HIST = """# how often each token occurs
same = select(tokens, tokens, ==);
hist = selector_width(same);
_private = 1;
first = not has_focus(same and select(indices, indices, <));
"""


@pytest.fixture
def hist() -> Program:
    return parse_program(HIST, "hist.rasp")


def test_variables_are_public_and_in_order(hist: Program) -> None:
    assert list(hist.variables) == ["same", "hist", "first"]


def test_s_ops_and_selectors_by_name(hist: Program) -> None:
    assert Run("aab").sop(hist.sop("hist")).tolist() == [2, 2, 1]
    assert Run("ab").selector(hist.selector("same")).tolist() == [[True, False], [False, True]]
    assert hist.sop("length") is length
    assert hist.selector("full_s") is full


@pytest.mark.parametrize(
    ("text", "default"),
    [
        (HIST, "first"),
        ("a = indices; b = 1;", "a"),
        ("a = indices; indices + 1;", "out"),
        ("a = indices; b = tokens; a;", "a"),
        ("a, b = indices, tokens; s = full_s;", "b"),
        ("for i in range(3) { a = indices + i; }", "a"),
        ("a = indices; def f() { z = tokens; return z; }", "a"),
        ("x = 1;", None),
    ],
)
def test_default(text: str, default: str | None) -> None:
    assert parse_program(text).default == default


def test_names_are_those_of_variables(hist: Program) -> None:
    assert hist.names[hist.sop("hist")] == "hist"
    assert hist.names[hist.selector("same")] == "same"
    assert set(hist.names.values()) == {"same", "hist", "first"}


def test_names_inside_functions() -> None:
    program = parse_program("def f() { same = select(tokens, tokens, ==); return selector_width(same); } hist = f();")
    assert set(program.names.values()) == {"same", "hist"}


def test_origins_are_the_latest_places(hist: Program) -> None:
    assert str(hist.origins[hist.sop("hist")]) == "hist.rasp:3:8"
    assert str(hist.origins[hist.selector("same")]) == "hist.rasp:2:8"
    assert hist.origins[hist.sop("first")].line == 5


def test_a_program_that_the_running_example_does_not_suit() -> None:
    program = parse_program("x = tokens_int + 1; tokens_int([1]); set example [1]\nexamples off\ny = x * 2;")
    assert Run([1, 2]).sop(program.sop("y")).tolist() == [4, 6]


@pytest.mark.parametrize(
    ("name", "words", "hint"),
    [
        ("hits", "defines no hits", "did you mean hist?"),
        ("same", "same of hist.rasp is a selector", "its s-ops are hist, first"),
        ("zzzz", "defines no zzzz", "its s-ops are"),
    ],
)
def test_missing_s_ops(hist: Program, name: str, words: str, hint: str) -> None:
    with pytest.raises(NameFault) as caught:
        hist.sop(name)
    assert words in caught.value.message
    assert hint in str(caught.value.hint)


def test_no_s_op_at_all() -> None:
    with pytest.raises(NameFault, match="defines no s-op"):
        parse_program("x = 1;").sop()


def test_mistakes_come_all_at_once_and_are_not_repeated() -> None:
    with pytest.raises(Failures) as caught:
        parse_program('a = 1 + "x";\nb = a;\nc = (;\nd = nothing;\n')
    assert [error.span and error.span.line for error in caught.value.errors] == [1, 3, 4]


def test_one_mistake_comes_as_itself() -> None:
    with pytest.raises(NameFault, match="nothing"):
        parse_program("x = nothing;")


def test_the_place_of_an_error_of_evaluation() -> None:
    program = parse_program("x = tokens_int;\ny = 1 / x;", "p.rasp")
    with pytest.raises(RaspError) as caught:
        Run([1, 0]).sop(program.sop())
    assert str(program.place(caught.value, program.sop()).span) == "p.rasp:2:5"


def test_load_program(tmp_path: Path) -> None:
    (tmp_path / "lib.rasp").write_text("def f(x) { return x + 1; }")
    (tmp_path / "main.rasp").write_text('load "lib";\ny = f(indices);')
    program = load_program(tmp_path / "main.rasp")
    assert Run("ab").sop(program.sop()).tolist() == [1, 2]
    assert program.origins[program.sop()].source.name.endswith("lib.rasp")


def test_library_names_may_be_set() -> None:
    assert parse_program("length = 3; x = length;").variables == {"length": 3, "x": 3}


def test_elaboration_is_linear() -> None:
    def elaborated(count: int) -> None:
        text = "x0 = indices;\n" + "".join(f"x{i} = x{i - 1} + {i};\n" for i in range(1, count))
        assert len(parse_program(text).origins) >= count

    assert grows_linearly(elaborated, 200)


def test_doubling_is_instant() -> None:
    program = parse_program("x = tokens_int; for i in range(60) { x = x + x; }")
    assert Run([1]).sop(program.sop("x")).tolist() == [2**60]


def test_out_of_a_program_is_its_expression_statement() -> None:
    program = parse_program("indices + 1; y = 3;")
    assert program.sop() is program.variables["out"]
    assert "out" not in parse_program("y = indices;").variables

"""What a program may do while it is elaborated: every way to blow up ends in an error that says how to go on."""

from pathlib import Path

import pytest

from rasp.__main__ import main
from rasp.console.console import Console
from rasp.console.session import Session
from rasp.language.budget import LIMITS, Budget, OverBudget
from rasp.language.program import load_program, parse_program

TWICE = "def f0(x) { return x; }\n" + "".join(
    f"def f{i}(x) {{ return f{i - 1}(x) + f{i - 1}(x); }}\n" for i in range(1, 41)
)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousandth of the real limits: what exceeds these would exceed those."""
    for name, limit in list(LIMITS.items()):
        monkeypatch.setitem(LIMITS, name, limit // 1000)


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        (TWICE + "y = f40(1);", "<program>:", "5,000 steps"),
        ("for i in range(1000) {\n for j in range(1000) {\n  x = i; } }", "<program>:", "5,000 steps"),
        ("x = [[[i+j for i in range(100)] for j in range(100)] for k in range(100)];", "<program>:1", "5,000 steps"),
        ("x = indices;\nfor i in range(1000) { x = x+i; }", "<program>:2:28:", "300 s-ops and selectors"),
        ("def f(n) { return f(n-1) + 1 if n else indices; }\ny = f(400);", "<program>:1:19:", "300 s-ops"),
        ("x = [1];\nfor i in range(40) { x = [x, x]; }\nz = [1];\nfor i in range(40) { z = [z, z]; }\n"
         "y = x == z;", "<program>:5:5:", "10,000 elements"),
        ("x = [1]; for i in range(40) { x = [x, x]; } z = [1]; for i in range(40) { z = [z, z]; }\ny = x < z;",
         "<program>:2:5:", "10,000 elements"),
        ("x = [1]; for i in range(40) { x = [x, x]; } z = [1]; for i in range(40) { z = [z, z]; }\ny = x in [0, z];",
         "<program>:2:5:", "in needs an atom"),
        ("d = {0: 1}; e = d; for i in range(40) { d = {1: d, 2: d}; e = {1: e, 2: e}; }\ny = d == e;",
         "<program>:2:5:", "10,000 elements"),
        ("x = range(10^12);", "<program>:1:5:", "10,000 elements"),
        ("x = range(10^30);", "<program>:1:5:", "10,000 elements"),
        ("x = [1] * 10^12;", "<program>:1:5:", "10,000 elements"),
        ("x = [1];\nfor i in range(40) { x = x + x; }", "<program>:2:26:", "10,000 elements"),
        ("x = range(200); y = zip(x, x, x); z = [zip(y, y, y) for i in x];", "<program>:1:", "10,000 elements"),
        ("x = range(200);\nfor i in range(100) { for j in x { k = 1; } }", "<program>:2:", "5,000 steps"),
        ("x = range(200);\nfor i in range(100) { y = x[indices]; }", "<program>:2:27:", "10,000 elements"),
        ("x = range(200);\nfor i in range(100) { y = indices in x; }", "<program>:2:27:", "10,000 elements"),
        ('x = "";\nfor i in range(2000) { x = x + "0123456789"; }', "<program>:2:28:", "elements"),
        ('x = ["a"*10000 for i in range(100)];', "<program>:1:6:", "10,000 elements"),
        ("x = [2^(10000+i) for i in range(200)];", "<program>:1:6:", "10,000 elements"),
        ("def f(n) { return f(n); }\ny = f(0);", "<program>:1:19:", "nested more than 1024"),
    ],
)  # fmt: skip
def test_what_explodes_ends_in_an_error_with_its_place(text: str, place: str, what: str) -> None:
    with pytest.raises(Exception, match=what) as caught:
        parse_program(text)
    assert str(caught.value).startswith(place)


def test_the_error_names_the_option_that_raises_the_limit() -> None:
    text = "for i in range(2000) { x = i; }"
    with pytest.raises(OverBudget) as caught:
        parse_program(text)
    assert caught.value.message.endswith("; --budget 2 allows more")
    assert caught.value.hint == "at the console :set budget 2, in Python budget=2"
    assert parse_program(text, budget=2).variables["x"] == 1999


@pytest.mark.parametrize("text", ["x == x", "x != x", "[x, 1] == [x, 1]", "x <= x", "{1: x} == {1: x}"])
def test_a_list_equals_itself_without_being_looked_into(text: str) -> None:
    program = parse_program(f"x = [1]; for i in range(40) {{ x = [x, x]; }} y = {text};")
    assert program.variables["y"] is (text != "x != x")


def test_a_number_that_is_none_equals_itself_only_in_the_same_list() -> None:
    program = parse_program("n = 10.0^300 * 10.0^300; m = n - n; x = [m]; a = m == m; b = x == x; c = [m] == [m-m];")
    assert [program.variables[name] for name in "abc"] == [False, True, False]


@pytest.mark.parametrize("end", ["x;", "y = [x]; y;", "for i in range(3) { x = [x, x]; } x;"])
def test_a_list_with_shared_parts_is_not_printed(end: str) -> None:
    reply = Session().push("for i in range(40) { x = [x, x] if i else [1]; } " + end)
    assert "10,000 elements of lists made, copied, compared or shown" in str(reply.errors[-1])


def test_what_is_nested_deeply_is_not_printed_for_hours() -> None:
    reply = Session().push("x = [1]; for i in range(500) { x = [x]; } x;")
    assert isinstance(reply.errors[0], OverBudget)


def test_s_ops_that_are_tried_count() -> None:
    reply = Session().push("x = indices; for i in range(250) { x = x + i; }")
    assert "s-ops tried" in str(reply.errors[0])


def test_a_session_has_its_budget_anew_for_each_text_and_stops_the_text_that_spent_it() -> None:
    session = Session()
    reply = session.push("x = 1; for i in range(10000) { x = i; } y = 2;")
    assert [type(part) for part in reply.parts] == [str, OverBudget]
    assert session.push("x; y = 3;").text.splitlines()[-1] == "    value: y =  3"


def test_the_console_sets_the_budget() -> None:
    console = Console(Session())
    assert console.push("for i in range(2000) { x = i; }").errors
    assert console.push(":set budget 2").errors == []
    assert console.push("for i in range(2000) { x = i; }").errors == []
    assert "from 1 on, not 'none'" in str(console.push(":set budget none").errors[0])
    assert console.push(":set budget").text.split() == ["budget", "2"]
    assert console.push(":type [i for i in range(90000)]").errors


def test_files_that_load_files(tmp_path: Path) -> None:
    for i in range(20):
        (tmp_path / f"f{i}.rasp").write_text(f'load "f{i + 1}";\n' * 2)
    (tmp_path / "f20.rasp").write_text("x = 1;")
    with pytest.raises(OverBudget, match="5,000 steps"):
        load_program(tmp_path / "f0.rasp")


@pytest.mark.parametrize("command", ["run", "check", "analyse"])
def test_every_command_that_reads_programs_has_the_option(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.rasp"
    path.write_text("for i in range(2000) { x = indices; }\ny = x;")
    budget = ["--budget", "100"]
    assert main([command, str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"{path}:1:")
    assert main([command, str(path), *budget]) == 0


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "", "9" * 40, "²"])
def test_a_budget_is_a_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["check", f"--budget={text}", "p.rasp"])
    assert "a budget is a number from 1 on" in capsys.readouterr().err


def test_what_is_left() -> None:
    budget = Budget(3)
    budget.spend_steps(14_999)
    with pytest.raises(OverBudget, match="15,000 steps"):
        budget.spend_steps(2)
    budget.renew()
    budget.spend_steps()

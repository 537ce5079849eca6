"""The command line: arguments in; standard output, standard error and exit status out."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from rasp.__main__ import COMMANDS
from tests.commands import run

HIST = "same = select(tokens, tokens, ==);\nhist = selector_width(same);\nk = 3;\n"
SORT = "x = tokens_int;\ny = sort(x, x);\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hist.rasp").write_text(HIST)
    Path("sort.rasp").write_text(SORT)
    Path("bad.rasp").write_text("x = (;\ny = nothing;\n")
    Path("m.safetensors").write_bytes(b"\x00")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["run", "hist.rasp", "-i", "aab"], '     s-op: hist\n \t Example: hist("aab") = [2, 2, 1] (ints)\n'),
        (["run", "sort.rasp", "-i", "[2,1]"], "     s-op: y\n \t Example: y([2, 1]) = [1, 2] (ints)\n"),
        (["run", "hist.rasp", "-i", "aab", "--json"], '{"input": ["a", "a", "b"], "output": [2, 2, 1]}\n'),
        (["run", "hist.rasp", "-i", "ab", "--show", "same", "--json"],
         '{"input": ["a", "b"], "output": [[true, false], [false, true]]}\n'),
        (["run", "hist.rasp", "-i", "ab", "--show", "k"], "    value: k =  3\n"),
        (["run", "hist.rasp"], None),
        (["analyse", "sort.rasp"], None),
        (["check", "hist.rasp", "sort.rasp"],
         "hist.rasp:\n  same  selector        layer 0  no heads\n  hist  s-op      ints  layer 1  heads [1]\n"
         "sort.rasp:\n  x  s-op  ints     layer 0  no heads\n  y  s-op  numbers  layer 2  heads [1, 1]\n"),
    ],
)  # fmt: skip
def test_what_is_printed(capsys: pytest.CaptureFixture[str], argv: list[str], expected: str | None) -> None:
    status, out, err = run(capsys, *argv)
    assert (status, err) == (0, "")
    assert out == expected or (expected is None and out)


@pytest.mark.parametrize(
    "argv",
    [
        ["hist.rasp", "aab"],
        ["run", "hist.rasp", "aab"],
        ["run", "--show", "hist", "hist.rasp", "aab"],
        ["run", "hist.rasp", "--show", "hist", "aab"],
    ],
)
def test_an_input_may_stand_behind_the_file(capsys: pytest.CaptureFixture[str], argv: list[str]) -> None:
    assert run(capsys, *argv) == (0, '     s-op: hist\n \t Example: hist("aab") = [2, 2, 1] (ints)\n', "")


def test_a_compiled_model_alone_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "compile", "hist.rasp", "--vocab", "ab", "--max-length", "3", "-o", "hist.safetensors")
    assert run(capsys, "hist.safetensors", "aab") == (0, 'hist("aab") = [2, 2, 1] (ints)\n', "")


def test_a_vocabulary_of_words_is_remarked_on(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "compile", "hist.rasp", "--vocab", "abc,#", "--max-length", "3")
    assert (status, err) == (0, 'the vocabulary is a list, divided by commas: "abc", "#"\n')


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    text = Path(__file__).parent.parent.joinpath("pyproject.toml").read_text()
    assert run(capsys, "--version") == (0, f"rasp {tomllib.loads(text)['project']['version']}\n", "")


def test_inputs_keep_their_order(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inputs").write_text('[3, 1]\n"21"\n')
    status, out, _ = run(capsys, "run", "sort.rasp", "-i", "[9]", "--inputs", "inputs", "--json")
    assert (status, [json.loads(line)["output"] for line in out.splitlines()]) == (0, [[9], [1, 3], [1, 2]])


def test_inputs_from_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "run", "hist.rasp", "--inputs", "-", "--json", typed="ab\naa\n")
    assert [json.loads(line)["output"] for line in out.splitlines()] == [[1, 1], [2, 2]]


def test_an_input_that_fails_is_told_and_the_others_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "run", "sort.rasp", "-i", "ab", "-i", "[1]", "--json")
    assert status == 1
    assert ["output" in json.loads(line) for line in out.splitlines()] == [False, True]
    assert err.startswith("sort.rasp:1:5: value error")


def test_run_without_inputs_stops_at_the_first_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.rasp").write_text("x = 1;\ny = nothing;\nz = 2;\n")
    status, out, err = run(capsys, "run", "p.rasp")
    assert (status, out) == (1, "    value: x =  1\n")
    assert err.startswith("p.rasp:2:5: name error")


def test_analyse_json(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "analyse", "sort.rasp", "y", "--json")
    found = json.loads(out)
    assert (found["layers"], found["heads"]) == (2, [1, 1])
    assert (found["predicted_layers"], found["predicted_heads"]) == (2, [1, 1])


def test_check_tells_surprises_and_mistakes(capsys: pytest.CaptureFixture[str]) -> None:
    Path("odd.rasp").write_text('x = not tokens == "a";\n')
    status, out, err = run(capsys, "check", "bad.rasp", "odd.rasp")
    assert status == 1
    assert "bad.rasp:1:6: syntax error" in err
    assert "bad.rasp:2:5: name error" in err
    assert 'read as: (not tokens) == "a"' in err
    assert out == "odd.rasp:\n  x  s-op  bools  layer 0  no heads\n"


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["run", "none.rasp", "-i", "a"], 1, "cannot read none.rasp"),
        (["run", "bad.rasp", "-i", "a"], 1, "syntax error"),
        (["run", "hist.rasp", "-i", ""], 1, "at least one token"),
        (["run", "hist.rasp", "-i", "a", "--show", "hits"], 1, "did you mean hist?"),
        (["run", "hist.rasp", "-i", "a", "--show", "k", "--json"], 1, "only s-ops and selectors"),
        (["run", "hist.rasp", "--json"], 2, "need an input"),
        (["analyse", "hist.rasp", "k"], 1, "only s-ops and selectors need layers"),
        (["check", "none.rasp"], 1, "cannot read"),
        (["run"], 2, "the following arguments are required: FILE\n"),
        (["nothing"], 2, "there is no subcommand nothing; subcommands are run, repl,"),
        (["compil"], 2, "there is no subcommand compil; did you mean compile?"),
        (["run", "hist.rasp", "--what"], 2, "unrecognized"),
        (["run", "hist.rasp", "--input_s=x"], 2, "unrecognized arguments: --input_s=x; did you mean --inputs?"),
        (["repl", "--color", "alway"], 2, "(choose from auto, always, never); did you mean always?"),
        (["watch", "hist.rasp", "aab"], 2, "unrecognized arguments: aab; an input follows -i"),
        (["run", "hits.rasp"], 1, "no such file\n  hint: did you mean hist.rasp?"),
        (["hist", "-i", "aab"], 2, "there is no subcommand hist"),
        (
            ["run", "m.safetensors"],
            1,
            "is a compiled model, no program\n  hint: rasp infer m.safetensors",
        ),
        (["infer", "hist.rasp", "-i", "a"], 1, "hist.rasp is a program, no compiled model\n  hint: rasp run hist.rasp"),
        (["run", "hist.rasp", "[]"], 1, "empty list"),
        (["run", "hist.rasp", "[3, 1,"], 1, "looks like a list"),
        (["run", "sort.rasp", "red green"], 1, """a list of its words is '["red", "green"]'"""),
        (["compile", "hist.rasp", "--vocab", "0-100"], 1, "for ints write 0..100"),
    ],
)
def test_errors(capsys: pytest.CaptureFixture[str], argv: list[str], status: int, words: str) -> None:
    found, out, err = run(capsys, *argv)
    assert (found, out) == (status, "")
    assert words in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["run", "analyse", "check", "repl"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], name: str) -> None:
    status, out, _ = run(capsys, name, "--help")
    assert (status, f"example:\n  rasp {name}" in out or "| rasp repl" in out) == (0, True)


@pytest.mark.parametrize(("words", "options"), [(["help"], ["--help"]), (["help", "compile"], ["compile", "--help"])])
def test_help_is_a_word_too(capsys: pytest.CaptureFixture[str], words: list[str], options: list[str]) -> None:
    assert run(capsys, *words) == run(capsys, *options)


def test_help_lists_every_subcommand(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--help")
    assert status == 0
    assert all(f"\n    {name} " in out for name in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "out", "words", "status"),
    [
        ("x=1;\nx+1;\n", "    value: x =  1\n    value: out =  2\n", "", 0),
        ("x=\n1\n;", "    value: x =  1\n", "", 0),
        ("1+1", "    value: out =  2\n", "", 0),
        ("def f(x) {\n return x;\n}\nf(2);", "     console function: f(x)\n    value: out =  2\n", "", 0),
        ("nothing;\n2;\n", "    value: out =  2\n", "<stdin>:1:1: name error", 1),
        ("1;\n\n2;\n@;\n3;", "    value: out =  1\n    value: out =  2\n    value: out =  3\n", "<stdin>:4:1", 1),
        ("1;\nexit\n2;", "    value: out =  1\n", "", 0),
        ("x = (1;\n2;", "    value: out =  2\n", "<stdin>:1:7: syntax error", 1),
        ("1;\nx = (1", "    value: out =  1\n", "<stdin>:2:7: syntax error", 1),
        ("# nothing\n", "", "", 0),
        ("", "", "", 0),
        ("set example \"ab\"\nindices;", '     s-op: indices\n \t Example: indices("ab") = [0, 1] (ints)\n', "", 0),
    ],
)  # fmt: skip
def test_piped(capsys: pytest.CaptureFixture[str], typed: str, out: str, words: str, status: int) -> None:
    found = run(capsys, "repl", typed=typed)
    assert found[:2] == (status, out)
    assert words in found[2]
    assert bool(found[2]) is bool(words)


def test_an_interrupt_is_130(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("rasp.command.check_run", interrupted)
    assert run(capsys, "check", "hist.rasp") == (130, "", "interrupted\n")


def shell(command: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parent.parent)
    environment = os.environ | {"PYTHONPATH": root, "RASP": f"{sys.executable} -m rasp"}
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=environment, check=False)


def test_a_closed_pipe_is_quiet() -> None:
    Path("many").write_text("ab\n" * 5000)
    found = shell("$RASP run hist.rasp --inputs many --json | head -1")
    assert (found.stdout, found.stderr) == ('{"input": ["a", "b"], "output": [1, 1]}\n', "")


def test_as_a_module() -> None:
    found = shell("echo 'indices;' | $RASP repl")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == '     s-op: indices\n \t Example: indices("hello") = [0, 1, 2, 3, 4] (ints)\n'


def test_the_front_end_imports_nothing_heavy() -> None:
    heavy = "torch matplotlib lark prompt_toolkit compiler viz"
    code = f"import sys, rasp, rasp.__main__, rasp.command; print([m for m in '{heavy}'.split() if m in sys.modules])"
    found = shell(f'{sys.executable} -W error -c "{code}"')
    assert found.stdout == "[]\n", found.stderr

"""compile, infer and verify: arguments in; standard output, standard error, exit status and files out."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as to_bytes

from compiler.artifact import load, save
from compiler.pipeline import compile_sop
from compiler.report import counts, report
from compiler.run.model import ENGINES
from rasp.graph import aggregate, elementwise, full, indices, length, select, tokens
from rasp.operations import Atom
from tests.commands import run as rasp

PROGRAM = """same = select(tokens, tokens, ==);
hist = selector_width(same);
rev = aggregate(select(indices, length - 1 - indices, ==), tokens);
"""
SMALL = ("--vocab", "a-c", "--max-length", "4")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("p.rasp").write_text(PROGRAM)
    Path("numbers.rasp").write_text("x = tokens_int;\ny = sort(x, x);\n")
    Path("divide.rasp").write_text("y = 1 / tokens_int;\n")
    Path("bad.rasp").write_text("x = (;\ny = nothing;\n")
    Path("refused.rasp").write_text("a = 1 / (indices - indices);\nb = 2 / (length - length);\ny = a + b;\n")
    return tmp_path


def objects(out: str) -> list[Any]:
    """One JSON object a line, and nothing else."""
    found = [json.loads(line) for line in out.splitlines()]
    assert all(isinstance(item, dict) for item in found)
    assert out.endswith("\n")
    return found


def saved(capsys: pytest.CaptureFixture[str], name: str = "rev", *options: str) -> str:
    assert rasp(capsys, "compile", "p.rasp", name, *SMALL, "-o", "m.safetensors", *options)[0] == 0
    return "m.safetensors"


# -- compile


def test_compile_reports_and_saves(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = rasp(capsys, "compile", "p.rasp", *SMALL, "-o", "m.safetensors")
    assert (status, err) == (0, "")
    for words in ("rev: 3 tokens, up to 4 positions", "predicted   2 layers, heads 1, 1", "compiled    2 layers"):
        assert words in out
    assert "m.safetensors" in out
    assert load("m.safetensors").run("abc").output == ["c", "b", "a"]


def test_the_report_counts_the_directions_of_each_sop(capsys: pytest.CaptureFixture[str]) -> None:
    Path("e.rasp").write_text('x = aggregate(select(tokens, "=", ==), indices == 2);\ny = x or tokens == "=";\n')
    _, out, _ = rasp(capsys, "compile", "e.rasp", "--vocab", "ab=", "--max-length", "4")
    (line,) = [line for line in out.splitlines() if "d_model" in line]
    spaces = (
        'one, bos, y 2, x 2, tokens_asis 3, indices 4, select(tokens, "=", ==): distance, select(…): distance squared'
    )
    assert line.split(": ", 1)[1] == spaces.replace("(…)", '(tokens, "=", ==)')


def test_compile_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = rasp(capsys, "compile", "p.rasp", "hist", *SMALL, "--json")
    (found,) = objects(out)
    assert (status, err) == (0, "")
    assert (found["layers"], found["heads"], found["predicted_layers"], found["predicted_heads"]) == (1, [1], 1, [1])
    assert found["d_model"] > 0
    assert 0 < found["parameters"]["nonzero"] <= found["parameters"]["total"]


def test_compile_json_and_save_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = rasp(capsys, "compile", "p.rasp", "hist", *SMALL, "--json", "-o", "m.safetensors")
    assert len(objects(out)) == 1
    assert Path("m.safetensors").exists()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype(capsys: pytest.CaptureFixture[str], dtype: str) -> None:
    assert load(saved(capsys, "rev", "--dtype", dtype)).weights.W_E.dtype == dtype


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), 'vocabulary "a", "b", "x", maximum length 3'),
        (("--max-length", "9"), 'vocabulary "a", "b", "x"'),
        (("--vocab", "a-z"), "maximum length 3"),
    ],
)
def test_vocabulary_and_length_from_the_inputs(
    capsys: pytest.CaptureFixture[str], options: tuple[str, ...], said: str
) -> None:
    status, out, err = rasp(capsys, "compile", "p.rasp", "-i", "ab", "-i", "xab", *options, "--json")
    assert status == 0
    assert len(objects(out)) == 1
    assert err.startswith("from the inputs: ")
    assert said in err


def test_nothing_is_said_where_both_are_given(capsys: pytest.CaptureFixture[str]) -> None:
    assert rasp(capsys, "compile", "p.rasp", *SMALL, "-i", "ab", "--json")[2] == ""


def test_inputs_from_a_file_and_from_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inputs").write_text('"ab"\n[1, 2, 3]\n')
    status, _, said = rasp(capsys, "compile", "p.rasp", "--inputs", "inputs")
    from_stdin = rasp(capsys, "compile", "p.rasp", "--inputs", "-", typed='"ab"\n[1, 2, 3]\n')
    assert (from_stdin[0], from_stdin[2]) == (status, said)
    assert "vocabulary 1, 2, 3" in said


def test_a_vocabulary_in_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    Path("v.json").write_text('["red", 1, true]')
    options = ("--vocab", "@v.json", "--max-length", "3", "-o", "m.safetensors")
    assert rasp(capsys, "compile", "p.rasp", *options)[0] == 0
    assert load("m.safetensors").weights.vocabulary == ("red", 1, True)


# -- infer


def test_infer(capsys: pytest.CaptureFixture[str]) -> None:
    assert rasp(capsys, "infer", saved(capsys), "-i", "abc") == (0, 'rev("abc") = [c, b, a] (strings)\n', "")


def test_infer_json_keeps_the_order(capsys: pytest.CaptureFixture[str]) -> None:
    Path("inputs").write_text('["c", "b"]\n"a"\n')
    status, out, err = rasp(capsys, "infer", saved(capsys), "-i", "abc", "--inputs", "inputs", "--json")
    assert (status, err) == (0, "")
    assert objects(out) == [
        {"input": ["a", "b", "c"], "output": ["c", "b", "a"]},
        {"input": ["c", "b"], "output": ["b", "c"]},
        {"input": ["a"], "output": ["a"]},
    ]


def test_infer_needs_no_source(capsys: pytest.CaptureFixture[str]) -> None:
    model = saved(capsys)
    Path("p.rasp").unlink()
    assert rasp(capsys, "infer", model, "-i", "ab")[0] == 0


@pytest.mark.parametrize("engine", [*ENGINES, "sparse"])
def test_infer_on_many_inputs_of_all_lengths_in_their_order(capsys: pytest.CaptureFixture[str], engine: str) -> None:
    inputs = ["abca"[at % 3 : at % 4 + 1] or "c" for at in range(200)]
    Path("inputs").write_text("\n".join(inputs))
    status, out, err = rasp(capsys, "infer", saved(capsys), "--inputs", "inputs", "--json", "--engine", engine)
    assert (status, err) == (0, "")
    assert objects(out) == [{"input": list(given), "output": list(given[::-1])} for given in inputs]


def test_infer_needs_no_torch(capsys: pytest.CaptureFixture[str]) -> None:
    code = "import sys; from rasp.__main__ import main; main(); print('torch' in sys.modules)"
    command = [sys.executable, "-c", code, "infer", saved(capsys), "-i", "abc"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == 'rev("abc") = [c, b, a] (strings)\nFalse\n'


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("abz", 'the string "z" at position 2 is not in the vocabulary'),
        ("aaaaa", "the input has 5 tokens, the model takes at most 4"),
        ("[1]", "the int 1 at position 0 is not in the vocabulary"),
    ],
)
def test_an_input_that_fails_is_told_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str], given: str, words: str
) -> None:
    status, out, err = rasp(capsys, "infer", saved(capsys), "-i", given, "-i", "ab", "--json")
    assert status == 1
    assert ["output" in found for found in objects(out)] == [False, True]
    assert words in err


def test_an_input_without_a_value(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--vocab", "0..2", "--max-length", "3", "-o", "m.safetensors")
    assert rasp(capsys, "compile", "divide.rasp", *options)[0] == 0
    status, out, err = rasp(capsys, "infer", "m.safetensors", "-i", "[1, 0]", "-i", "[1, 2]", "--json")
    assert status == 1
    assert objects(out)[1] == {"input": [1, 2], "output": [1.0, 0.5]}
    assert "value error" in err


# -- verify


def test_verify(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = rasp(capsys, "verify", "p.rasp", *SMALL)
    assert (status, err) == (0, "")
    assert "agree on 120 inputs (all inputs)" in out


def test_verify_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = rasp(capsys, "verify", "p.rasp", "hist", *SMALL, "--json")
    (found,) = objects(out)
    assert (status, err) == (0, "")
    assert (found["equal"], found["inputs"], found["exhaustive"], found["counterexample"]) == (True, 120, True, None)


def test_verify_a_saved_model(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = rasp(capsys, "verify", saved(capsys))
    assert status == 0
    assert "agree on 120 inputs" in out


def test_verify_some_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--vocab", "a-z", "--max-length", "9", "--count", "20", "--seed", "3")
    status, out, _ = rasp(capsys, "verify", "p.rasp", *options, "--json")
    (found,) = objects(out)
    assert (status, found["exhaustive"]) == (0, False)
    assert 20 < found["inputs"] < 200


def test_verify_says_on_how_many_inputs_there_is_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = rasp(capsys, "verify", "divide.rasp", "--vocab", "0..1", "--max-length", "2")
    assert status == 0
    assert "on 4 of them the program has no value" in out


@pytest.mark.parametrize("as_json", [True, False])
def test_a_difference_is_shown_and_status_1(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    model = Path(saved(capsys))
    model.write_bytes(model.read_bytes().replace(b"length - 1 - indices", b"length - 2 - indices"))
    status, out, err = rasp(capsys, "verify", str(model), *["--json"] * as_json)
    assert (status, err) == (1, "")
    if as_json:
        (found,) = objects(out)
        assert found["equal"] is False
        assert found["certificate"] is None
        assert "its program compiles to" in found["reason"]
        assert found["counterexample"]["input"] == ["a"]
    else:
        assert "DIFFERENT" in out
        assert "interpreter" in out


# -- mistakes


@pytest.mark.parametrize(
    ("argv", "status", "words"),
    [
        (["compile", "none.rasp", *SMALL], 1, "cannot read none.rasp"),
        (["compile", "bad.rasp", *SMALL], 1, "bad.rasp:1:6: syntax error"),
        (["compile", "p.rasp", "hits", *SMALL], 1, "did you mean hist?"),
        (["compile", "p.rasp", "same", *SMALL], 1, "is a selector, no s-op"),
        (["compile", "refused.rasp", *SMALL], 1, "refused.rasp:1:5: cannot compile"),
        (["compile", "refused.rasp", *SMALL], 1, "refused.rasp:2:5: cannot compile"),
        (["compile", "p.rasp", "--vocab", "aa", "--max-length", "3"], 1, "twice"),
        (["compile", "p.rasp", "--vocab", "", "--max-length", "3"], 1, "the vocabulary is empty"),
        (["compile", "p.rasp", "--vocab", "@none", "--max-length", "3"], 1, "cannot read none"),
        (["compile", "numbers.rasp", "--vocab", "a-c", "--max-length", "3"], 1, "numbers.rasp:1:5"),
        (["compile", "p.rasp", *SMALL, "-o", "none/m.safetensors"], 1, "cannot write none/m.safetensors"),
        (["compile", "p.rasp", *SMALL, "--inputs", "none"], 1, "cannot read none"),
        (["compile", "p.rasp"], 2, "--vocab and --max-length"),
        (["compile", "p.rasp", "--vocab", "a-c"], 2, "--max-length"),
        (["compile", "p.rasp", "--max-length", "3"], 2, "--vocab"),
        (["compile", "p.rasp", "--vocab", "a", "--max-length", "0"], 2, "a maximum length is a number from 1"),
        (["compile", "p.rasp", "--vocab", "a", "--max-length", "many"], 2, "a maximum length is a number"),
        (["compile", "p.rasp", *SMALL, "--dtype", "float16"], 2, "invalid choice"),
        (["compile"], 2, "required"),
        (["infer", "none.safetensors", "-i", "a"], 1, "there is no file none.safetensors"),
        (["infer", "p.rasp", "-i", "a"], 1, "p.rasp is a program, no compiled model"),
        (["infer", "p.rasp"], 1, "p.rasp is a program, no compiled model"),
        (["infer"], 2, "required"),
        (["verify", "p.rasp"], 2, "--vocab and --max-length"),
        (["verify", "none.safetensors"], 1, "there is no file"),
        (["verify", "p.rasp", *SMALL, "--count", "0"], 2, "a count is a number from 1"),
    ],
)
@pytest.mark.parametrize("as_json", [True, False])
def test_mistakes(capsys: pytest.CaptureFixture[str], argv: list[str], status: int, words: str, as_json: bool) -> None:
    before = sorted(path.name for path in Path().iterdir())
    found, out, err = rasp(capsys, *argv, *["--json"] * as_json)
    assert (found, out) == (status, "")
    assert words in err
    assert "Traceback" not in err
    assert sorted(path.name for path in Path().iterdir()) == before


def test_infer_without_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = rasp(capsys, "infer", saved(capsys))
    assert (status, out) == (2, "")
    assert "an input is needed" in err


def test_a_saved_model_has_its_own_vocabulary(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = rasp(capsys, "verify", saved(capsys), "--vocab", "a-b")
    assert status == 2
    assert "has its own" in err


def test_a_failed_compilation_keeps_the_old_file(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path(saved(capsys)).read_bytes()
    assert rasp(capsys, "compile", "refused.rasp", *SMALL, "-o", "m.safetensors")[0] == 1
    assert Path("m.safetensors").read_bytes() == before


@pytest.mark.parametrize("name", ["compile", "infer", "verify"])
def test_help_has_an_example(capsys: pytest.CaptureFixture[str], name: str) -> None:
    status, out, _ = rasp(capsys, name, "--help")
    assert status == 0
    assert f"\n  rasp {name} " in out


def test_the_report_fits_the_terminal() -> None:
    places = [aggregate(select(indices, number), indices) for number in range(12)]
    model = compile_sop(reduce(add, places) * length, "ab", 14, name="sum")
    wide, narrow = report(model), report(model, 60)
    assert max(map(len, wide.splitlines())) > 60 >= max(map(len, narrow.splitlines()))
    assert narrow.split() == wide.split()
    assert not any(line.startswith("d_model") or line[:1].strip() for line in narrow.splitlines()[1:])


def test_the_json_has_every_direction() -> None:
    model = compile_sop(length, "ab", 3)
    assert counts(model)["directions"] == list(model.weights.directions)


# -- verify, of files


def edited(model: str, change: Callable[[Any], object]) -> str:
    """The file with a changed description."""
    content = Path(model).read_bytes()
    fields = json.loads(json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]["rasp"])
    change(fields)
    Path(model).write_bytes(to_bytes(tensors_of(content), {"rasp": json.dumps(fields)}))
    return model


@pytest.mark.parametrize("as_json", [True, False])
def test_an_edited_value_is_not_certified(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    model = edited(saved(capsys), lambda fields: fields["outputs"][0]["values"].__setitem__(0, "EVIL"))
    status, out, err = rasp(capsys, "verify", model, *["--json"] * as_json)
    assert (status, err) == (1, "")
    assert "outputs 0 values 0 is 'EVIL', and its program compiles to 'a'" in out
    assert not as_json or (objects(out)[0]["certificate"], objects(out)[0]["equal"]) == (None, False)


@pytest.mark.parametrize("as_json", [True, False])
def test_a_program_that_cannot_be_run_is_not_certified(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    model = edited(saved(capsys), lambda fields: fields["program"][0].update(text='load "p"; x = (;'))
    status, out, err = rasp(capsys, "verify", model, *["--json"] * as_json)
    assert (status, err) == (1, "")
    assert "its program cannot be run" in out
    if as_json:
        (found,) = objects(out)
        assert (found["equal"], found["inputs"], found["certificate"]) == (None, 0, None)


def test_a_python_function_is_said_to_be_trusted(capsys: pytest.CaptureFixture[str]) -> None:
    def vowel(token: Atom) -> Atom:
        return token in ("a", "e")

    save(compile_sop(aggregate(full, elementwise(vowel, tokens)), "abc", 3, name="x"), "x.safetensors")
    status, out, _ = rasp(capsys, "verify", "x.safetensors")
    assert status == 0
    assert "taken on trust: the table of the Python function vowel, 3 rows" in out
    assert objects(rasp(capsys, "verify", "x.safetensors", "--json")[1])[0]["trusted"] == {"vowel": 3}

"""A program's header: what its `# vocab:`, `# length:` and `# input:` are defaults for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from compiler.artifact import load
from rasp.console.console import Console
from rasp.console.session import Session
from rasp.doors import Rooms
from rasp.errors import DataFault
from rasp.language.header import MissingSize, header_of, model_size
from rasp.language.program import load_program, parse_program
from rasp.operations import Atom
from rasp.source import Source
from rasp.vocabulary import parse_vocabulary
from tests.commands import run as rasp

ROOT = Path(__file__).parent.parent
TEXT = """# Brackets.
#
# input:   "(a)"
# vocab:   (a-c )
# length:  7

opens = tokens == "(";  # input: [1]
"""
PROGRAMS = sorted(path.name for path in (ROOT / "programs").glob("*.rasp"))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.rasp").write_text(TEXT)


def test_a_header_is_the_comment_at_the_beginning() -> None:
    header = header_of(Source("p", TEXT))
    assert (header.input, header.vocabulary, header.length) == ("(a)", tuple("(abc )"), 7)
    assert header_of(Source("p", "x = 1;\n# length: 3\n")).fields == {}
    assert header_of(Source("p", "# input: [1, 2]")).input == [1, 2]


@pytest.mark.parametrize(
    ("text", "field", "place"),
    [("#\n# length: seven\nx = 1;", "length", "p:2:11"), ("# vocab: c-a", "vocabulary", "p:1:10")],
)
def test_what_a_header_cannot_mean_is_an_error_at_its_line(text: str, field: str, place: str) -> None:
    with pytest.raises(DataFault) as found:
        getattr(header_of(Source("p", text)), field)
    assert str(found.value.span) == place


SIZED = """# vocab:   = ["a"] + [names[v] for v in range(_first, n)]
# length:  n * (n - 1) / 2

param n = 4;
_first = 1;
names = "uvwx";
x = indices;
"""


@pytest.mark.parametrize(("n", "vocabulary", "length"), [(4, "avwx", 6), (3, "avw", 3)])
def test_a_header_may_depend_on_parameters(n: int, vocabulary: str, length: int) -> None:
    header = parse_program(SIZED, n=n).header
    assert (header.vocabulary, header.length) == (tuple(vocabulary), length)
    assert header.depends
    assert parse_program('# vocab: = "ab"\nx = indices;').header.vocabulary == ("a", "b")


@pytest.mark.parametrize("vocab", ["=", "= ", "=a", "a= ", "=,a"])
def test_equality_signs_are_tokens_too(vocab: str) -> None:
    assert header_of(Source("p", f"# vocab: {vocab}")).vocabulary == parse_vocabulary(vocab)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# length: n +", "<program>:1:14: syntax error: expected an expression, found the end of the text"),
        ("# length: n; n", "<program>:1:12: syntax error: expected the end of the expression, found `;`"),
        ("# length: m", "<program>:1:11: name error: the name m is not defined"),
        ("# length: n / 3", "1:11: data error: a maximum length is a number from 1 on, and this is 1.3333333333333333"),
        ("# length: n - 4", "1:11: data error: a maximum length is a number from 1 on, and this is 0"),
        ("# length: x", "1:11: data error: a maximum length is a number from 1 on, and this is an s-op"),
        ("# vocab: = n", "1:12: data error: a vocabulary is a list of tokens, and this is an int"),
        ("# vocab: = [x]", "1:12: data error: a vocabulary is a list of tokens, and this is a list"),
        ("# vocab: = []", "1:10: data error: the vocabulary is empty"),
        ("# vocab: = [n, n]", "1:10: data error: the vocabulary '[n, n]' holds 4 twice"),
        ("# vocab: = [1][n]", "1:12: lookup error:"),
    ],
)
def test_an_expression_that_gives_no_size_is_an_error_at_its_place(text: str, said: str) -> None:
    header = parse_program(f"{text}\nparam n = 4;\nx = indices;").header
    (fault,) = header.faults()
    assert said in str(fault)


def test_the_console_works_out_the_header_of_a_file() -> None:
    Path("sized.rasp").write_text(SIZED)
    console = Console(Session(), Rooms())
    assert console.push(":load sized.rasp").text.endswith(
        'from the header: vocabulary ["a"] + [names[v] for v in range(_first, n)] (4 tokens), maximum length 6'
    )
    assert "4 tokens, up to 6 positions" in console.push(":compile x").text
    Path("broken.rasp").write_text(SIZED + "y = ;")
    assert "from the header" not in console.push(":load broken.rasp").text


@pytest.mark.parametrize(
    ("vocab", "length", "inputs", "expected", "remarks"),
    [
        (None, None, [], ("(abc )", 7), ['from the header: vocabulary "(a-c )", maximum length 7']),
        ("xy", None, [], ("xy", 7), ["from the header: maximum length 7"]),
        ("xy", 3, [], ("xy", 3), []),
        (None, None, ["ba"], ("(abc )", 7), ['from the header: vocabulary "(a-c )", maximum length 7']),
        (None, None, ["bx"], ("bx", 7), ["from the header: maximum length 7", 'from the inputs: vocabulary "b", "x"']),
        (None, 9, ["b" * 8], ("(abc )", 9), ['from the header: vocabulary "(a-c )"']),
    ],
)
def test_what_is_asked_for_then_the_header_then_the_inputs(
    vocab: str | None, length: int | None, inputs: list[list[Atom]], expected: tuple[str, int], remarks: list[str]
) -> None:
    size = model_size(header_of(Source("p", TEXT)), vocab, length, inputs)
    assert (size.vocabulary, size.max_length, list(size.remarks)) == (tuple(expected[0]), expected[1], remarks)


def test_a_size_that_nothing_says_is_an_error() -> None:
    with pytest.raises(MissingSize, match="--max-length: needed"):
        model_size(header_of(Source("p", "# vocab: ab")), None, None, [])


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_bundled_program_runs_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(ROOT / "programs" / name)
    status, out, err = rasp(capsys, "run", path)
    assert status == 0, err
    assert err.startswith("from the header: input ")
    assert "Example: " in out


def test_compile_and_verify_take_the_header(capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = rasp(capsys, "compile", "p.rasp", "-o", "m.safetensors", "--json")
    assert (status, err) == (0, 'from the header: vocabulary "(a-c )", maximum length 7\n')
    assert (load("m.safetensors").weights.vocabulary, load("m.safetensors").weights.max_length) == (tuple("(abc )"), 7)
    assert rasp(capsys, "verify", "p.rasp", "--count", "5")[0] == 0


def test_run_and_infer_take_the_input_of_the_header(capsys: pytest.CaptureFixture[str]) -> None:
    rasp(capsys, "compile", "p.rasp", "-o", "m.safetensors", "--json")
    for argv in (["run", "p.rasp", "--json"], ["infer", "m.safetensors", "--json"]):
        status, out, err = rasp(capsys, *argv)
        assert json.loads(out) == {"input": ["(", "a", ")"], "output": [True, False, False]}
        assert (status, err) == (0, 'from the header: input "(a)"\n')


@pytest.mark.parametrize("file", ["p.rasp", "m.safetensors"])
def test_draw_takes_the_input_of_the_header(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    rasp(capsys, "compile", "p.rasp", "-o", "m.safetensors", "--json")
    status, out, err = rasp(capsys, "draw", file, "--kind", "flow", "-o", "out.svg")
    assert (status, out, err) == (0, "out.svg\n", 'from the header: input "(a)"\n')


def test_load_at_the_console_takes_the_header() -> None:
    console = Console(Session(), Rooms())
    said = console.push(":load p.rasp").text
    assert said.endswith('from the header: example "(a)", vocabulary "(a-c )", maximum length 7')
    assert 'opens("(a)") = [T, F, F]' in console.push("opens;").text
    assert "6 tokens, up to 7 positions" in console.push(":compile opens").text
    assert "6 tokens, up to 9 positions" in console.push(":compile opens --max-length 9").text


def test_a_loaded_file_is_tried_on_its_own_input() -> None:
    """The running example stays as it is, unless the file sets another."""
    Path("ints.rasp").write_text("# input: [3, 1]\n\nx = tokens_int;\n")
    Path("sets.rasp").write_text('# input: [3, 1]\n\nset example "ab"\n')
    session = Session()
    assert session.push('load "ints";').errors == []
    assert session.settings.sop_example.given == "hello"
    session.push('load "sets";')
    assert session.settings.sop_example.given == "ab"


def test_a_comment_that_is_no_input_does_not_stop_a_load() -> None:
    Path("odd.rasp").write_text('# input: ""\n\nx = 1;\n')
    assert Session().push('load "odd";').errors == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# length: 0", "p.rasp:1:11: data error: a maximum length is a number"),
        ("# length: many", "p.rasp:1:11: name error: the name many is not defined"),
        ("# vocab: ab\n# input: abc", 'p.rasp:2:10: data error: the header\'s vocabulary has no "c"'),
        ("# length: 2\n# input: abc", "p.rasp:2:10: data error: the header's input is longer than 2 tokens"),
        ("# input: abc\n# vocab: a-c", ""),
    ],
)
def test_check_finds_a_header_that_is_no_use(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.rasp").write_text(f"{text}\n\nx = indices;\n")
    status, out, err = rasp(capsys, "check", "p.rasp")
    assert "x  s-op" in out
    assert err.startswith(said)
    assert bool(err) is bool(status) is bool(said)


def test_a_program_is_compiled_for_what_its_header_says() -> None:
    model = load_program("p.rasp").compile()
    assert (model.weights.vocabulary, model.weights.max_length) == (tuple("(abc )"), 7)
    assert load_program("p.rasp").compile(max_length=3).weights.max_length == 3
    with pytest.raises(DataFault, match="vocab and max_length: needed where the header of <program> does not say it"):
        parse_program("x = indices;").compile()


def test_blanks_that_are_no_tokens_are_remarked_on(capsys: pytest.CaptureFixture[str]) -> None:
    words = """the input was read as its 3 characters; a list of its words is '["a", "b"]'\n"""
    Path("q.rasp").write_text("# vocab: a-c\nsame = tokens;\n")
    assert rasp(capsys, "run", "q.rasp", "a b")[2] == words
    assert rasp(capsys, "run", "p.rasp", "a b")[2] == "", "its vocabulary has a blank"
    rasp(capsys, "compile", "q.rasp", "--max-length", "3", "-o", "q.safetensors")
    assert words.strip() in rasp(capsys, "infer", "q.safetensors", "a b")[2]

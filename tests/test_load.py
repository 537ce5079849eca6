"""Loading files: what they see, what they leave, what is printed."""

from pathlib import Path

import pytest

from rasp.console.session import Session
from rasp.errors import DataFault, ValueFault
from rasp.graph import indices, tokens
from rasp.language.loading import Text
from rasp.language.program import kept_program, load_program, parse_program


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def reply(*texts: str) -> str:
    session = Session()
    answers = [session.push(text) for text in texts]
    return "\n".join(str(part) if isinstance(part, str) else f"!! {part.message}" for part in answers[-1].parts)


def test_public_names_are_set_and_private_ones_stay_hidden() -> None:
    write("a.rasp", "_helper = 5; x = _helper + 1; def f() { return _helper; }")
    assert reply('load "a";', "x; f();") == "    value: x =  6\n    value: out =  5"
    assert "_helper" in reply('load "a";', "_helper;")


def test_the_file_sees_nothing_of_the_console() -> None:
    write("a.rasp", "y = x;\nt = tokens;")
    text = reply("x = 1; tokens = indices;", 'load "a";')
    assert text.startswith("!! the name x is not defined\n     s-op: t")
    assert reply("tokens = indices;", 'load "a";', 't("a");') == "\t =  [a] (strings)"


def test_tokens_and_later_names_pass_on_at_once() -> None:
    write("a.rasp", "tokens = indices; x = 1; y = nothing; z = 2;")
    assert reply('load "a";', 'tokens("ab"); x; z;').splitlines() == [
        "\t =  [0, 1] (ints)",
        "    value: x =  1",
        "    value: z =  2",
    ]


def test_out_is_not_passed_on() -> None:
    write("a.rasp", "5; x = out;")
    assert reply('load "a";', "x;") == "    value: x =  5"
    assert "out is not defined" in reply('load "a";', "out;")


def test_library_names_may_be_shadowed_in_the_file_alone() -> None:
    write("a.rasp", "length = 3; x = length;")
    text = reply('load "a";', "x; length;")
    assert text.startswith("    value: x =  3\n     s-op: length")
    assert "belongs to the library" in reply('load "a";')


def test_a_file_passes_on_what_it_loads() -> None:
    write("sub/b.rasp", "deep = 1; _own = 2;")
    write("sub/a.rasp", 'load "b"; x = deep;')
    assert reply('load "sub/a";') == "    value: deep =  1\n    value: x =  1"
    assert reply('load "sub/a";', "deep;") == "    value: deep =  1"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1; b=2; a=3;", ["    value: b =  2", "    value: a =  3"]),
        ("a=1; b=2; a;", ["    value: b =  2", "    value: a =  1"]),
        ("a=indices; s=full_s;", ["     s-op: a", "     selector: s"]),
        ("5; indices; indices+1; indices(\"a\"); for i in [1] { j=i; }", ["     s-op: indices"]),
        ("def f(x) { return x; }", ["     a function: f(x)"]),
        ("_own=1; a=_own; _own;", ["    value: a =  1"]),
        ("a=1; out; 5; out;", ["    value: a =  1"]),
        (
            "length=3; length; full_s; a,max,b=1,2,3;",
            ["!! length belongs", "!! max belongs", "     selector: full_s", "    value: a =  1"],
        ),
        ("examples off\nset example \"ab\"\nx=1;", ["    value: x =  1"]),
        ("a,b=1,[indices];", ["    value: a =  1", "     list: b =  [", "\t\t     s-op: indices", " " * 16 + "]"]),
    ],
)  # fmt: skip
def test_what_is_printed(text: str, expected: list[str]) -> None:
    write("a.rasp", text)
    found = [line.split(" to the library")[0] for line in reply('load "a";').splitlines()]
    assert found == expected


def test_what_is_refused_is_not_listed_by_the_files_around_either() -> None:
    write("b.rasp", "length = 3; length;")
    write("a.rasp", 'load "b"; length; x = length;')
    assert reply('load "a";').splitlines()[1:] == ["    value: x =  3"]


def test_commands_in_a_file() -> None:
    write("a.rasp", "examples off\nfull seq display on\nset example mine\nx = 1;")
    assert reply('mine = "ab";', 'load "a";', "indices;") == (
        "     s-op: indices\n \t Example:\n \t\tinput:   a b \t (strings)\n \t\toutput:  0 1 \t (ints)"
    )


def test_loading_inside_functions_and_loops() -> None:
    write("a.rasp", "x = 7;")
    assert reply('def f() { load "a"; return x + 1; }', "f();") == "    value: out =  8"
    assert reply('for i in [1] { load "a"; }', "x;") == "    value: x =  7"
    assert "not defined" in reply('def f() { load "a"; return x; } f();', "x;")


def test_functions_name_the_path_loaded() -> None:
    write("libs/a.rasp", "def f() { def g(x) { return x; } return g; }")
    assert reply('load "libs/a";') == "     libs/a function: f()"
    assert reply('load "libs/a";', "h = f();") == "     libs/a' function: h(x)"


def test_a_file_is_found_beside_its_loader_then_here_then_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    write("elsewhere/c.rasp", "x = 1;")
    write("c2.rasp", "y = 2;")
    write("sub/c3.rasp", "z = 3;")
    write("sub/main.rasp", 'load "c"; load "c2"; load "c3";')
    monkeypatch.setenv("RASP_PATH", "nowhere:elsewhere")
    assert reply('load "sub/main";', "[x,y,z];") == "     list: out = [1, 2, 3]"


def test_a_file_that_loads_itself() -> None:
    write("a.rasp", 'x = 1; load "a"; y = 2;')
    assert reply('load "a";') == "!! a.rasp loads itself\n    value: x =  1\n    value: y =  2"


def test_a_file_that_is_no_text() -> None:
    Path("a.rasp").write_bytes(b"\xff\xfe")
    assert reply('load "a";') == "!! a.rasp is not UTF-8 text"


def test_exit_in_a_file_ends_that_file_only() -> None:
    write("a.rasp", "x = 1;\nexit\ny = 2;")
    write("b.rasp", 'load "a"; z = 3;')
    session = Session()
    assert session.push('load "b";').parts == ("    value: x =  1", "    value: z =  3")
    assert session.push("y;").errors
    assert parse_program('load "b"; w = 4;').variables.keys() == {"x", "z", "w"}


def test_what_was_loaded_is_kept_and_enough_without_the_files(folder: Path) -> None:
    write("sub/b.rasp", 'load "deep"; x = deep;')
    write("sub/deep.rasp", "deep = indices;")
    write("deep.rasp", "deep = tokens;")
    write("main.rasp", 'load "sub/b"; load "deep"; y = x + 1; z = deep;')
    program = load_program("main.rasp")
    assert [text.loads for text in program.texts] == [{"sub/b": 1, "deep": 2}, {"deep": 3}, {}, {}]
    for file in folder.rglob("*.rasp"):
        file.unlink()
    kept = kept_program(program.texts, "model.safetensors")
    assert kept.sop("y") is indices + 1
    assert kept.sop("z") is tokens
    assert kept.texts == program.texts


def test_a_kept_program_reads_no_other_file() -> None:
    write("b.rasp", "x = 1;")
    with pytest.raises(DataFault, match="is not kept with it"):
        kept_program([Text('load "b";')], "model.safetensors")


def test_a_kept_file_that_loads_itself() -> None:
    with pytest.raises(ValueFault, match="loads itself"):
        kept_program([Text('load "a";', {"a": 1}), Text('load "a";', {"a": 1})], "m")

"""The Pygments lexer and the editors' syntax files: no word unknown, none forgotten."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, String, Token, _TokenType

from rasp.language import elaborate, highlight, lexer
from rasp.language.highlight import RaspLexer
from rasp.language.parser import parse
from rasp.language.scope import RESERVED
from rasp.source import Source

ROOT = Path(__file__).parent.parent
EDITORS = ROOT / "docs" / "editors"
PROGRAMS = sorted([*ROOT.glob("programs/**/*.rasp"), *ROOT.glob("rasp/**/*.rasp")])


def coloured(text: str) -> list[tuple[_TokenType, str]]:
    return [(kind, word) for kind, word in RaspLexer().get_tokens(text) if word.strip()]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_have_no_error_tokens(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert Error not in {kind for kind, _ in coloured(text)}


@pytest.mark.parametrize(
    "text",
    [
        "set example \"abc\"", "set s-op example [1, 2]", "show selector example", "examples off", "s-op examples on",
        "full seq display on", "exit", "quit()", ':trace hist "a.b"', ":load lib/a.rasp", "?sort", ":set color never",
        "s - op;", "d = {'a': 1}['a'] != 2;", "a-b^c%d/e*f<=g>=h<i>j;", "draw(x, 'ab');",
    ],
)  # fmt: skip
def test_statements_and_commands_have_no_error_tokens(text: str) -> None:
    assert Error not in {kind for kind, _ in coloured(text)}


PIECES = """x f 1 2.5 1e3 'a' "b'" ( ) [ ] { } , ; : = == != < + - ^ % not and if else in for def return select
aggregate range round( indices tokens full_s set example show s-op selector full seq display examples on off exit load
draw # é"""


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from([*PIECES.split(), "\n", "full seq display", "set example", "x = 1;", "f(1)"]), max_size=12)
)
def test_what_the_parser_accepts_has_no_error_tokens(pieces: list[str]) -> None:
    text = " ".join(pieces)
    if not parse(Source("", text), closed=True).errors:
        assert Error not in {kind for kind, _ in coloured(text)}


def test_the_kinds_of_words() -> None:
    found = coloured('def f(x) { return x if not tokens == "a" else select_best(s, 1.5); } # end')
    kinds = {word: kind for kind, word in found}
    assert kinds["def"] is kinds["return"] is kinds["if"] is kinds["else"] is Keyword
    assert kinds["f"] is kinds["select_best"] is Name.Function
    assert kinds["not"] is Operator.Word
    assert kinds["tokens"] is Name.Builtin.Pseudo
    assert kinds['"a"'] is String.Double
    assert kinds["1.5"] is Number.Float
    assert kinds["# end"] is Comment.Single


def test_command_words_are_names_elsewhere() -> None:
    kinds = {word: kind for kind, word in coloured("set example 'a'")}
    assert kinds["set"] is kinds["example"] is Keyword
    kinds = {word: kind for kind, word in coloured("offset = example_1;")}
    assert kinds["offset"] is kinds["example_1"] is Name


def test_colon_commands_only_at_the_start() -> None:
    assert coloured(":help sort")[0] == (Name.Decorator, ":help")
    assert coloured("d = {'a'\n:b};")[4][0] is Token.Punctuation


def test_the_words_are_those_of_the_language() -> None:
    assert set(highlight.KEYWORDS) | set(highlight.WORD_OPERATORS) == lexer.KEYWORDS
    assert set(highlight.FORMS) == lexer.FORMS
    library = elaborate.library()
    assert library.outer is not None
    assert {name for name in library.names if not name.startswith("_")} == set(highlight.LIBRARY)
    assert set(library.outer.names) | {"tokens"} == {
        *highlight.CONSTANTS,
        *highlight.INPUTS,
        *highlight.PREDEFINED,
    }
    known = {*ALL_WORDS, "out", "get"}
    assert known >= RESERVED


def test_the_entry_point() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["entry-points"]["pygments.lexers"] == {"rasp": "rasp.language.highlight:RaspLexer"}


ALL_WORDS = {
    *highlight.KEYWORDS, *highlight.WORD_OPERATORS, *highlight.FORMS, *highlight.CONSTANTS, *highlight.INPUTS,
    *highlight.LIBRARY, *highlight.STATEMENT_WORDS, *highlight.COMMAND_WORDS,
}  # fmt: skip


def test_the_textmate_grammar_has_the_same_words() -> None:
    grammar = json.loads((EDITORS / "vscode" / "rasp.tmLanguage.json").read_text(encoding="utf-8"))
    found: set[str] = set()
    for rule in grammar["repository"]["words"]["patterns"]:
        found |= set(re.fullmatch(r"\\b\((.*)\)\\b", rule["match"])[1].split("|"))  # type: ignore[index]
    assert found == ALL_WORDS


def test_the_extension_names_its_files() -> None:
    folder = EDITORS / "vscode"
    contributes = json.loads((folder / "package.json").read_text(encoding="utf-8"))["contributes"]
    assert (folder / contributes["grammars"][0]["path"]).is_file()
    assert (folder / contributes["languages"][0]["configuration"]).is_file()


def test_the_vim_syntax_has_the_same_words() -> None:
    text = (EDITORS / "rasp.vim").read_text(encoding="utf-8")
    found = {word for line in re.findall(r"^syn keyword \w+ (.*)$", text, re.MULTILINE) for word in line.split()}
    matched = set(re.findall(r"^syn match \w+ /\\<([a-z -]+)\\>/$", text, re.MULTILINE))
    assert found | matched == ALL_WORDS


@pytest.mark.skipif(shutil.which("vim") is None, reason="needs vim")
def test_vim_takes_the_syntax(tmp_path: Path) -> None:
    (tmp_path / "syntax").mkdir()
    shutil.copy(EDITORS / "rasp.vim", tmp_path / "syntax")
    (tmp_path / "a.rasp").write_text("def f(x) {\ncontains # end\n", encoding="utf-8")
    commands = [
        f"set runtimepath^={tmp_path}", "syntax on", f"edit {tmp_path}/a.rasp", "set syntax=rasp",
        f"redir! > {tmp_path}/found",
        *(f'echo synIDattr(synID({line},{column},1),"name")' for line, column in ((1, 1), (1, 5), (2, 1), (2, 10))),
        "echo v:errmsg", "redir END", "qa!",
    ]  # fmt: skip
    script = tmp_path / "script.vim"
    script.write_text("\n".join(commands), encoding="utf-8")
    subprocess.run(["vim", "-N", "-u", "NONE", "-es", "-S", script], check=False, timeout=20, stdin=subprocess.DEVNULL)
    found = (tmp_path / "found").read_text(encoding="utf-8").split()
    assert found == ["raspKeyword", "raspFunctionName", "raspLibrary", "raspComment"]

"""A Pygments lexer for RASP: the colours of the console, of the docs, and of `pygmentize -l rasp`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, ClassVar

from pygments.lexer import RegexLexer, bygroups, include, words
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

KEYWORDS = ("if", "else", "def", "return", "for")
WORD_OPERATORS = ("and", "or", "not", "in")
FORMS = ("select", "aggregate", "range", "zip", "len", "round", "indicator")
CONSTANTS = ("True", "False")
INPUTS = ("tokens", "tokens_str", "tokens_int", "tokens_float", "tokens_bool", "tokens_asis", "indices")
LIBRARY = (
    "full_s", "length", "selector_width", "select_best", "has_focus", "count", "contains", "max", "min", "average",
    "load_from_location", "shift", "select_from_last", "select_from_first", "mark_last_instance",
    "mark_first_instance", "sort", "select_next_identical",
)  # fmt: skip
PREDEFINED = ("relation", "transpose", "label", "contains_any")
STATEMENT_WORDS = ("load", "draw")
COMMAND_WORDS = ("set", "show", "example", "examples", "on", "off", "s-op", "selector", "full seq display",
                 "exit", "quit")  # fmt: skip


_groups: Callable[..., Any] = bygroups


class RaspLexer(RegexLexer):
    """Everything the parser accepts, the commands of the console, and the console's colon commands."""

    name = "RASP"
    aliases: ClassVar[list[str]] = ["rasp"]
    filenames: ClassVar[list[str]] = ["*.rasp"]
    url = "https://arxiv.org/abs/2106.06981"
    flags = re.MULTILINE | re.ASCII

    tokens: ClassVar[dict[str, list[Any]]] = {
        "root": [
            (r"\A\s*(?::[A-Za-z]*|\?)", Name.Decorator, "colon command"),
            include("code"),
        ],
        "code": [
            (r"\s+", Whitespace),
            (r"#.*", Comment.Single),
            (r"\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)", Number.Float),
            (r"\d+", Number.Integer),
            (r'"[^"\n]*"', String.Double),
            (r"'[^'\n]*'", String.Single),
            include("commands"),
            (r"(def)(\s+)([A-Za-z_]\w*)", _groups(Keyword, Whitespace, Name.Function)),
            (words(KEYWORDS, r"\b", r"\b"), Keyword),
            (words(WORD_OPERATORS, r"\b", r"\b"), Operator.Word),
            (words(FORMS, r"\b", r"\b"), Name.Builtin),
            (words(CONSTANTS, r"\b", r"\b"), Keyword.Constant),
            (words(INPUTS, r"\b", r"\b"), Name.Builtin.Pseudo),
            (words(LIBRARY, r"\b", r"\b"), Name.Function),
            (words(PREDEFINED, r"\b", r"\b(?=\s*\()"), Name.Function),
            (r"[A-Za-z_]\w*", Name),
            (r"[=!<>]=|[-+*/%^<>=]", Operator),
            (r"[()\[\]{},;:]", Punctuation),
        ],
        "commands": [
            (
                r"\b(set|show)([ \t]+)(?:(s-op|selector)([ \t]+))?(example)\b",
                _groups(Keyword, Whitespace, Keyword, Whitespace, Keyword),
            ),
            (
                r"\b(?:(s-op|selector)([ \t]+))?(examples)([ \t]+)(on|off)\b",
                _groups(Keyword, Whitespace, Keyword, Whitespace, Keyword),
            ),
            (r"\b(param)(\s+)(?=[A-Za-z_]\w*\s*=(?!=))", _groups(Keyword, Whitespace)),
            (r"\b(full seq display)(\s+)(on|off)\b", _groups(Keyword, Whitespace, Keyword)),
            (r"\b(full seq display|s-op)\b", Keyword),
            (r"\b(load|draw|exit|quit)\b(?=\s*[\"'(;#]|\s*$)", Keyword),
        ],
        "colon command": [
            (r"\n", Whitespace, "#pop"),
            include("code"),
            (r".", Text),
        ],
    }

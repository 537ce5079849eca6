"""Text to tokens: words, numbers, strings and symbols with their places; comments are kept beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, cast

from rasp.source import Source, Span

KEYWORDS = frozenset({"if", "else", "not", "and", "or", "def", "return", "for", "in"})

FORMS = frozenset({"select", "aggregate", "range", "zip", "len", "round", "indicator"})

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r\n\f]+|\A\ufeff)
    | (?P<comment>\#[^\n]*)
    | (?P<float>\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+))
    | (?P<int>\d+)
    | (?P<string>"[^"\n]*"|'[^'\n]*')
    | (?P<word>full[ ]seq[ ]display\b|s-op\b|[A-Za-z_][A-Za-z0-9_]*)
    | (?P<symbol>[=!<>]=|[-+*/%^<>=()\[\]{},;:])
    | (?P<unclosed>["'][^\n]*)
    | (?P<strange>.)""",
    re.VERBOSE | re.ASCII,
)


TokenKind: TypeAlias = Literal["float", "int", "string", "word", "symbol", "unclosed", "strange", "end"]


class Token(NamedTuple):
    """One word, number, string or symbol of the text, or its end."""

    kind: TokenKind
    text: str
    start: int
    end: int
    first: bool  # the first token on its line

    def is_(self, *texts: str) -> bool:
        """Whether this is one of these words or symbols."""
        return self.text in texts and self.kind in ("word", "symbol")


@dataclass(frozen=True)
class Lexed:
    """The tokens of a source, the last of kind `end`, and its comments in order."""

    source: Source
    tokens: tuple[Token, ...]
    comments: tuple[Span, ...]


def lex(source: Source, part: Span | None = None) -> Lexed:
    """The tokens and comments of a source, or of a part of it.

    Never fails: what cannot be a word becomes an unclosed or strange token.
    """
    begin, end = (0, len(source.text)) if part is None else (part.start, part.end)
    tokens: list[Token] = []
    comments: list[Span] = []
    first = True
    for match in _TOKEN.finditer(source.text, begin, end):
        kind = match.lastgroup
        if kind == "blank":
            first = first or "\n" in match.group()
        elif kind == "comment":
            comments.append(Span(source, match.start(), match.start() + len(match.group().rstrip())))
        else:
            tokens.append(Token(cast(TokenKind, kind), match.group(), match.start(), match.end(), first))
            first = False
    tokens.append(Token("end", "", end, end, True))
    return Lexed(source, tuple(tokens), tuple(comments))


def open_brackets(lexed: Lexed, kinds: str = "([{") -> int:
    """How many more brackets of these kinds are opened than closed."""
    closing = kinds.translate(str.maketrans("([{", ")]}"))
    return sum(token.is_(*kinds) - token.is_(*closing) for token in lexed.tokens)

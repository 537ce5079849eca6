"""A program's header: the comment it begins with, whose `# vocab:`, `# length:` and `# input:` are defaults.

A length may be an expression of the program, such as one of its parameters, and so may a vocabulary behind `=`.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from rasp.errors import DataFault, RaspError
from rasp.inputs import Input, json_of, parse_input, tokens_of
from rasp.language.builtins import described
from rasp.language.loading import read_source
from rasp.language.scope import Value
from rasp.operations import Atom, atom_key, is_atom
from rasp.source import Source, Span
from rasp.streams import warn
from rasp.vocabulary import FORMS, distinct, parse_vocabulary, remark_on, shown, vocabulary_of

T = TypeVar("T")

_COMMENT = re.compile(r"(?:[ \t]*#.*(?:\n|\Z))*")
_LENGTHS = "write # length: 20, or an expression of the program's names such as n + 1"
_VOCABULARIES = 'behind = stands an expression of the program\'s names, a list such as ["a", "b"] or a string'
# Blanks at the end of a line belong to what is said: a vocabulary may end in one.
_FIELD = re.compile(r"^[ \t]*#[ \t]*(vocab|length|input):[ \t]+(\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Header:
    """What the header of a program says. Each field is read when it is asked for; None where the header has none.

    `worked_out` gives the value of an expression in the header, where the program has been run.
    """

    fields: dict[str, Span]
    worked_out: Callable[[Span], Value] | None = None

    @cached_property
    def vocabulary(self) -> tuple[Atom, ...] | None:
        """The tokens after `# vocab:`. DataFault at that line where they are no vocabulary; the expression's error."""
        with_blanks = self.fields.get("vocab")
        if with_blanks is None:
            return None
        try:
            part = _expression(with_blanks)
            return parse_vocabulary(with_blanks.text) if part is None else _listed(self._value(part), part)
        except DataFault as error:
            raise error.at(with_blanks) from None

    @cached_property
    def length(self) -> int | None:
        """The longest input, after `# length:`. DataFault there where it is no number from 1 on; the expression's."""
        place = self.fields.get("length")
        if place is None:
            return None
        text = place.text.strip()
        if text.isascii() and text.isdecimal() and int(text) > 0:
            return int(text)
        if self.worked_out is None or text.isdecimal():
            raise DataFault(f"a maximum length is a number from 1 on, not {text!r}", place, hint=_LENGTHS)
        return _whole(self._value(place), place)

    @property
    def depends(self) -> bool:
        """Whether the program must have been run before all of the header can be read."""
        vocab, length = self.fields.get("vocab"), self.fields.get("length")
        return (vocab is not None and _expression(vocab) is not None) or (
            length is not None and not length.text.strip().isdecimal()
        )

    def _value(self, part: Span) -> Value:
        """The value of an expression, whose errors say what it stands for."""
        if self.worked_out is None:
            raise DataFault(f"what {part.text.strip()} is, is known when the program has run")
        try:
            return self.worked_out(part)
        except RaspError as error:
            error.hint = error.hint or (_LENGTHS if part is self.fields.get("length") else _VOCABULARIES)
            raise

    @property
    def input(self) -> Input | None:
        """The input after `# input:`. DataFault at that line where it is none."""
        place = self.fields.get("input")
        if place is None:
            return None
        try:
            return parse_input(place.text.strip())
        except DataFault as error:
            raise error.at(place) from None

    @property
    def vocabulary_text(self) -> str:
        """The vocabulary as a remark names it: as it is written, with how many tokens an expression gives."""
        place = self.fields["vocab"]
        part = _expression(place)
        if part is None or self.vocabulary is None:
            return json.dumps(place.text, ensure_ascii=False)
        return f"{part.text.strip()} ({len(self.vocabulary)} tokens)"

    def faults(self) -> list[RaspError]:
        """What cannot be read in it, and an input that is not made of its tokens or is longer than its inputs are."""
        found: list[RaspError] = []
        vocabulary, length = _or_fault(lambda: self.vocabulary, found), _or_fault(lambda: self.length, found)
        given = [token for one in _or_fault(lambda: self.own_inputs, found) or [] for token in tokens_of(one)]
        known = {atom_key(token) for token in (given if vocabulary is None else vocabulary)}
        others = vocabulary_of([[token for token in given if atom_key(token) not in known]])
        if others:
            found.append(DataFault(f"the header's vocabulary has no {shown(others)}", self.fields["input"]))
        if length is not None and len(given) > length:
            found.append(DataFault(f"the header's input is longer than {length} tokens", self.fields["input"]))
        return found

    @property
    def own_inputs(self) -> list[Input]:
        """The input of the header, or none."""
        return [] if self.input is None else [self.input]

    def said_inputs(self, given: Sequence[Input]) -> list[Input]:
        """The inputs given; where there are none, that of the header, which is said on standard error."""
        own = [] if given else self.own_inputs
        for found in own:
            warn(f"from the header: input {json.dumps(json_of(found), ensure_ascii=False)}")
        return [*given, *own]


def _expression(vocab: Span) -> Span | None:
    """The expression that a vocabulary is: what stands behind `=` and a blank."""
    behind = vocab.text[2:].strip() if vocab.text.startswith("= ") else ""
    return Span(vocab.source, vocab.start + 2, vocab.end) if behind else None


def _listed(value: Value, part: Span) -> tuple[Atom, ...]:
    """The tokens that the value of an expression is. DataFault where it is none or several times the same."""
    tokens = [token for token in value if is_atom(token)] if isinstance(value, (str, list)) else []
    if isinstance(value, (str, list)) and len(tokens) == len(value):
        return distinct(tokens, part.text.strip())
    raise DataFault(f"a vocabulary is a list of tokens, and this is {described(value)}", part, hint=_VOCABULARIES)


def _whole(value: Value, part: Span) -> int:
    """The number that the value of an expression is. DataFault where it is none, or not from 1 on."""
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if number is None or number < 1 or number % 1:
        what = described(value) if number is None else number
        raise DataFault(f"a maximum length is a number from 1 on, and this is {what}", part, hint=_LENGTHS)
    return int(number)


def _or_fault(read: Callable[[], T], faults: list[RaspError]) -> T | None:
    """What is read, or None and one fault more."""
    try:
        return read()
    except RaspError as error:
        faults.append(error)
        return None


def header_of(source: Source, worked_out: Callable[[Span], Value] | None = None) -> Header:
    """The header of a text: of two lines that say the same thing the first counts.

    Of a program, `Program.header` knows the values of expressions as well.
    """
    comment = _COMMENT.match(source.text)
    end = comment.end() if comment is not None else 0
    found: dict[str, Span] = {}
    for match in _FIELD.finditer(source.text, 0, end):
        found.setdefault(match[1], Span(source, match.start(2), match.end(2)))
    return Header(found, worked_out)


def read_header(path: Path) -> Header:
    """The header of a file. DataFault where it cannot be read."""
    return header_of(read_source(path))


# -- the model a program is compiled into


def size_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `--vocab` and `--max-length`."""
    parser.add_argument(
        "--vocab", metavar="TOKENS", help=f"{FORMS} (default: the program's # vocab:, else the tokens of the inputs)"
    )
    parser.add_argument(
        "--max-length",
        type=_positive,
        metavar="N",
        help="longest input (default: the program's # length:, else that of the longest input)",
    )


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"a maximum length is a number from 1 on, not {text!r}")
    return int(text)


@dataclass(frozen=True)
class ModelSize:
    """Vocabulary and maximum length of a model; `remarks` say where they are from, if not from who asked."""

    vocabulary: tuple[Atom, ...]
    max_length: int
    remarks: tuple[str, ...]


def model_size(
    header: Header,
    vocab: str | None,
    max_length: int | None,
    inputs: Sequence[Sequence[Atom]],
    *,
    least: int = 1,
    called: str = "inputs",
) -> ModelSize:
    """What was asked for; else what the header says, where the inputs fit it; else what the inputs need.

    `least` is the smallest maximum length that inputs give, `called` what remarks call them. MissingSize where nothing
    says what it should be.
    """
    tokens, longest = _vocabulary(header, vocab, inputs), _length(header, max_length, inputs, least)
    if tokens is None or longest is None:
        missing = {"--vocab": tokens, "--max-length": longest}
        raise MissingSize([flag for flag, found in missing.items() if found is None])
    said = [
        (tokens[1], f"vocabulary {header.vocabulary_text if tokens[1] == 'header' else shown(tokens[0])}"),
        (longest[1], f"maximum length {longest[0]}"),
    ]
    own = remark_on(vocab) if vocab is not None else ""
    return ModelSize(tokens[0], longest[0], (*([own] if own else []), *_remarks(said, called)))


class MissingSize(DataFault):
    """Neither the command nor the header nor an input says which tokens a model takes, or how many."""

    def __init__(self, flags: Sequence[str]) -> None:
        what = " and ".join(flags)
        super().__init__(
            f"{what}: needed where neither the program's header nor inputs (-i or --inputs) say it",
            hint="or begin the program with lines such as # vocab: a-z and # length: 20",
        )


def _vocabulary(
    header: Header, asked: str | None, inputs: Sequence[Sequence[Atom]]
) -> tuple[tuple[Atom, ...], str] | None:
    """The tokens, and who says so."""
    if asked is not None:
        return parse_vocabulary(asked), ""
    of_inputs, of_header = vocabulary_of(inputs), header.vocabulary
    if of_header is not None and {*map(atom_key, of_inputs)} <= {*map(atom_key, of_header)}:
        return of_header, "header"
    return (of_inputs, "inputs") if of_inputs else None


def _length(header: Header, asked: int | None, inputs: Sequence[Sequence[Atom]], least: int) -> tuple[int, str] | None:
    """The maximum length, and who says so."""
    if asked is not None:
        return asked, ""
    longest, of_header = max(map(len, inputs), default=0), header.length
    if of_header is not None and longest <= of_header:
        return of_header, "header"
    return (max(longest, least), "inputs") if inputs else None


def _remarks(said: Sequence[tuple[str, str]], called: str) -> Iterator[str]:
    """A line for each source, with all that is from there."""
    for source, name in (("header", "header"), ("inputs", called)):
        parts = [part for where, part in said if where == source]
        if parts:
            yield f"from the {name}: {', '.join(parts)}"

"""Inputs from a command line or a file: a string (its characters) or a JSON list of atoms."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias, cast

from rasp.errors import DataFault, RaspError
from rasp.files import read_text
from rasp.operations import Atom
from rasp.streams import typed_lines

Input: TypeAlias = "str | list[Atom]"


def input_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `-i` and `--inputs` to a subcommand."""
    parser.add_argument(
        "-i",
        "--input",
        action="append",
        default=[],
        metavar="INPUT",
        help="an input: its characters, or a JSON list such as '[1, 2]'; may be repeated",
    )
    parser.add_argument(
        "--inputs", metavar="FILE", help="a file with one JSON list or string a line; - is standard input"
    )


def positional_inputs(parser: argparse.ArgumentParser) -> None:
    """Lets inputs stand behind the file, as they do after `-i`."""
    parser.add_argument("more_inputs", metavar="INPUT", nargs="*", help="inputs, as after -i")


def given_inputs(args: argparse.Namespace) -> list[Input]:
    """The inputs that stand behind the file, those of `-i`, then those of `--inputs`."""
    found = [parse_input(text) for text in [*getattr(args, "more_inputs", []), *args.input]]
    return found + list(read_inputs(args.inputs)) if args.inputs is not None else found


def parse_input(text: str) -> Input:
    """A JSON list of atoms or a JSON string where the text is one, else its characters.

    DataFault if it is empty, or seems to be meant as a list and is none.
    """
    found = _json(text)
    given: Input = cast(Input, found) if _is_input(found) else text
    if found == []:
        raise DataFault("an input needs at least one token, and this is an empty list", hint=_characters(text))
    if not given:
        raise DataFault("an input needs at least one token")
    if given is text and _MEANT_AS_LIST.match(text):
        raise DataFault(
            f"{text} looks like a list, but is no JSON list of strings, numbers and booleans", hint=_out(text)
        )
    return given


# A value, or a comma between values, after the bracket: no sequence of brackets alone.
_MEANT_AS_LIST = re.compile(r"\[\s*([-\d\"]|(null|true|false|NaN)\b|\w+\s*,|'\w*'\s*[,\]]|\[\s*[-\d\"])")


def _out(text: str) -> str:
    return f"""write strings in double quotes, as in '["a", "b"]'; {_characters(text)}"""


def _characters(text: str) -> str:
    return f"for the characters themselves write '{json.dumps(text, ensure_ascii=False)}'"


def _json(text: str) -> object:
    if not text.startswith(("[", '"')):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_input(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, (int, float, str)) for item in value)
    return isinstance(value, str)


def hint_at_words(given: Input, error: RaspError) -> None:
    """Adds a hint to what went wrong on an input with blanks in it, which was read as its characters."""
    if isinstance(given, str) and len(given.split()) > 1:
        words = json.dumps(given.split(), ensure_ascii=False)
        hint = f"the input was read as its {len(given)} characters; a list of its words is '{words}'"
        error.hint = f"{error.hint}; {hint}" if error.hint else hint


def read_inputs(name: str) -> Iterator[Input]:
    """The inputs of a file, one a line; empty lines are skipped. DataFault names the line that is none."""
    for number, line in enumerate(_lines(name), 1):
        text = line.strip("\r\n")
        if not text.strip():
            continue
        try:
            yield parse_input(text.strip() if text.lstrip().startswith(("[", '"')) else text)
        except DataFault as error:
            raise DataFault(f"line {number} of {name}: {error.message}") from error


def _lines(name: str) -> Iterable[str]:
    if name == "-":
        return typed_lines()
    return read_text(Path(name)).splitlines()


def tokens_of(given: Input) -> list[Atom]:
    """An input as the list of its tokens."""
    return list(given)

"""Inputs from a command line or a file: a string (its characters), a JSON list of atoms, or a graph."""

from __future__ import annotations

import argparse
import io
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TypeAlias, cast

from rasp.arguments import did_you_mean
from rasp.errors import DataFault, NameFault, RaspError
from rasp.files import read_text
from rasp.operations import Atom
from rasp.relations import Graph, from_networkx, given_graph
from rasp.streams import text_lines
from rasp.visible import visible

Input: TypeAlias = "str | list[Atom] | Graph"


def input_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds `-i`, `--inputs` and `--graph` to a subcommand."""
    parser.add_argument(
        "-i",
        "--input",
        action="append",
        default=[],
        metavar="INPUT",
        help="an input: its characters, a JSON list such as '[1, 2]', or a graph such as "
        '\'{"tokens": ["a", "b"], "edges": [[0, 1]]}\'; may be repeated',
    )
    parser.add_argument(
        "--inputs", metavar="FILE", help="a file with one JSON list, string or graph a line; - is standard input"
    )
    parser.add_argument(
        "--graph",
        action="append",
        default=[],
        metavar="FILE",
        help="a graph as an edge list, GraphML (.graphml) or GML (.gml): tokens are the attribute `token` of its "
        "vertices, or their names, and labels the attribute `label` of its edges; needs networkx; may be repeated",
    )


def positional_inputs(parser: argparse.ArgumentParser) -> None:
    """Lets inputs stand behind the file, as they do after `-i`."""
    parser.add_argument("more_inputs", metavar="INPUT", nargs="*", default=[], help="inputs, as after -i")


def names_and_inputs(parser: argparse.ArgumentParser, metavar: str, text: str) -> None:
    """Lets names of s-ops stand behind the file, then inputs: `names_among` tells them apart."""
    parser.add_argument("more_inputs", metavar=metavar, nargs="*", default=[], help=text)


def names_among(args: argparse.Namespace, known: Collection[str]) -> list[str]:
    """The names at the beginning of what stands behind the file; what follows them is left there as inputs.

    Where options give inputs, all of it are names. NameFault for an input that looks like a misspelt name.
    """
    words: list[str] = args.more_inputs
    if args.input or args.graph or args.inputs is not None:
        args.more_inputs = []
        return words
    names = list(takewhile(known.__contains__, words))
    args.more_inputs = words[len(names) :]
    for word in args.more_inputs[:1]:
        close = did_you_mean(word, known)
        if close:
            raise NameFault(f"there is nothing called {visible(word)}{close}", hint=f"if it is an input: -i {word}")
    return names


def given_inputs(args: argparse.Namespace) -> list[Input]:
    """The inputs that stand behind the file, those of `-i`, then those of `--inputs`, then those of `--graph`."""
    found = [parse_input(text) for text in [*getattr(args, "more_inputs", []), *args.input]]
    if args.inputs is not None:
        read = list(read_inputs(args.inputs))
        if not read:
            raise DataFault(f"{_called(args.inputs)} has no inputs", hint="write one a line")
        found += read
    return found + [read_graph(Path(name)) for name in args.graph]


def has_inputs(args: argparse.Namespace) -> bool:
    """Whether the command line gives inputs, or a file that should have some."""
    return bool(getattr(args, "more_inputs", []) or args.input or args.graph or args.inputs is not None)


_JSON = ("[", '"', "{")


def parse_input(text: str) -> Input:
    """A JSON list of atoms, string or graph where the text is one, else its characters.

    DataFault if it is empty, or seems to be meant as a list or graph and is none.
    """
    found = _json(text)
    if isinstance(found, dict) and "tokens" in found:
        return given_graph(found)
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
    if not text.startswith(_JSON):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        if text.startswith("{") and '"tokens"' in text:
            raise DataFault(f"this begins like a graph, and is no JSON: {error}") from error
        return None


def _is_input(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(item, (int, float, str)) for item in value)
    return isinstance(value, str)


def hint_at_words(given: Input, error: RaspError) -> None:
    """Adds a hint to what went wrong on an input with blanks in it, which was read as its characters."""
    hint = read_as_characters(given)
    if hint:
        error.hint = f"{error.hint}; {hint}" if error.hint else hint


def read_as_characters(given: Input | Sequence[Atom]) -> str:
    """How an input with blanks in it was read, and how to write its words; nothing for any other."""
    if not isinstance(given, str) or len(given.split()) < 2:
        return ""
    words = json.dumps(given.split(), ensure_ascii=False)
    return f"the input was read as its {len(given)} characters; a list of its words is '{words}'"


def read_inputs(name: str) -> Iterator[Input]:
    """The inputs of a file, one a line; empty lines are skipped. DataFault names the line that is none."""
    for number, line in enumerate(_lines(name), 1):
        text = line.strip("\r\n")
        if not text.strip():
            continue
        try:
            yield parse_input(text.strip() if text.lstrip().startswith(_JSON) else text)
        except DataFault as error:
            raise DataFault(f"line {number} of {_called(name)}: {error.message}", hint=error.hint) from error


def _called(name: str) -> str:
    return "standard input" if name == "-" else name


def _lines(name: str) -> Iterable[str]:
    """The lines of a file as a terminal has them: a token may hold any other character that Unicode ends lines with."""
    if name == "-":
        return text_lines()
    return io.StringIO(read_text(Path(name)), newline=None)


def tokens_of(given: Input) -> list[Atom]:
    """An input as the list of its tokens."""
    return list(given)


def sequence_of(given: Input) -> Sequence[Atom]:
    """An input as a sequence of tokens: a graph is one as it is."""
    return given if isinstance(given, Graph) else list(given)


def json_of(given: Input | Sequence[Atom]) -> object:
    """An input as JSON has it."""
    if isinstance(given, str):
        return given
    return given.as_dict() if isinstance(given, Graph) else list(given)


def read_graph(path: Path) -> Graph:
    """The graph in a file. DataFault where networkx is missing, and for what it cannot read."""
    try:
        import networkx
    except ModuleNotFoundError as error:
        raise DataFault(
            "reading graphs from files needs networkx, which is not installed",
            hint="pip install networkx",
        ) from error
    readers = {".graphml": networkx.read_graphml, ".gml": networkx.read_gml}
    try:
        found = readers.get(path.suffix.lower(), networkx.read_edgelist)(path)
    except FileNotFoundError as error:
        raise DataFault(f"{path} does not exist") from error
    except Exception as error:  # whatever networkx and the parsers below it raise for a damaged file
        raise DataFault(f"{path} is no graph that networkx can read: {error}") from error
    return from_networkx(found)

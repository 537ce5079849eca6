"""Vocabularies: the tokens that a text means at every front door, and those that occur in inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rasp.errors import DataFault
from rasp.files import read_text
from rasp.operations import Atom, atom_key

_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_INTS_BY_HYPHEN = re.compile(r"(-?\d+)-(-?\d+)")
_CHARACTERS_BY_POINTS = re.compile(r"([^\W\d])\.\.([^\W\d])")
_LARGEST = 100_000
_MANY = 20
FORMS = "characters (a-z), a range of ints (0..9), a list (red,green) or @FILE with a JSON list"


def parse_vocabulary(text: str) -> tuple[Atom, ...]:
    """The tokens a text stands for: characters with ranges such as `a-z`, `0..9`, a comma list, or `@FILE`.

    A list whose items are all numbers is a list of numbers. DataFault where there is no such vocabulary.
    """
    if text.startswith("@") and len(text) > 1:
        return _from_file(text[1:])
    numbers = _RANGE.fullmatch(text)
    if numbers:
        return _range(int(numbers[1]), int(numbers[2]), text)
    if "," in text and len(text) > 1:
        return _list(text)
    _refuse_other_ranges(text)
    return distinct(_characters(text), text)


def remark_on(text: str) -> str:
    """A remark on a vocabulary given as a text: tokens of a list have several characters, or nothing."""
    tokens = parse_vocabulary(text) if "," in text and not text.startswith("@") else ()
    if not any(isinstance(token, str) and len(token) > 1 for token in tokens):
        return ""
    return f"the vocabulary is a list, divided by commas: {shown(tokens)}"


def shown(vocabulary: Sequence[Atom]) -> str:
    """A vocabulary as a remark names it: the first twenty tokens."""
    text = ", ".join(json.dumps(token, ensure_ascii=False) for token in vocabulary[:_MANY])
    return f"{text}, … ({len(vocabulary)} tokens)" if len(vocabulary) > _MANY else text


def vocabulary_of(inputs: Iterable[Sequence[Atom]]) -> tuple[Atom, ...]:
    """The distinct tokens of some inputs, numbers first, each kind in order."""
    found = {atom_key(token): token for tokens in inputs for token in tokens}
    return tuple(sorted(found.values(), key=lambda token: (isinstance(token, str), token)))


def _from_file(path: str) -> tuple[Atom, ...]:
    try:
        found = json.loads(read_text(Path(path)))
    except (ValueError, RecursionError) as error:
        raise DataFault(
            f"the vocabulary {path} is not JSON: {error}", hint='write a list such as ["a", "b"]'
        ) from error
    if not isinstance(found, list) or not found or not all(isinstance(t, (int, float, str)) for t in found):
        raise DataFault(f"the vocabulary {path} must be a JSON list of strings, numbers or booleans")
    return distinct(found, path)


def _range(first: int, last: int, text: str) -> tuple[Atom, ...]:
    if last < first:
        raise DataFault(f"the range {text} is empty", hint=f"write {last}..{first}")
    if last - first >= _LARGEST:
        raise DataFault(f"the range {text} has more than {_LARGEST:,} tokens")
    return tuple(range(first, last + 1))


def _refuse_other_ranges(text: str) -> None:
    """DataFault where a range of ints is written like one of characters, or the other way round."""
    ints, characters = _INTS_BY_HYPHEN.fullmatch(text), _CHARACTERS_BY_POINTS.fullmatch(text)
    if ints and len(text) > 3:
        hint = f"for ints write {ints[1]}..{ints[2]}; characters are written one by one, or as a range such as 0-9"
        raise DataFault(f"{text!r} is neither a range of characters nor of ints", hint=hint)
    if characters:
        raise DataFault(f"{text!r} is no range of ints", hint=f"for characters write {characters[1]}-{characters[2]}")


def _list(text: str) -> tuple[Atom, ...]:
    items = text.split(",")
    if not all(items):
        raise DataFault(f"the vocabulary {text!r} has an empty item", hint=f"a vocabulary is {FORMS}")
    return distinct(_as_numbers(items) or list(items), text)


def _as_numbers(items: list[str]) -> list[Atom] | None:
    try:
        found = [json.loads(item) for item in items]
    except ValueError:
        return None
    return found if all(isinstance(item, (int, float)) for item in found) else None


def _characters(text: str) -> list[Atom]:
    """The characters of a text, `x-y` standing for all from x to y."""
    found: list[Atom] = []
    at = 0
    while at < len(text):
        if at + 2 < len(text) and text[at + 1] == "-":
            first, last = text[at], text[at + 2]
            if last < first:
                raise DataFault(f"the range {first}-{last} in the vocabulary is empty", hint=f"write {last}-{first}")
            found += map(chr, range(ord(first), ord(last) + 1))
            at += 3
        else:
            found.append(text[at])
            at += 1
    return found


def distinct(tokens: Sequence[Atom], text: str) -> tuple[Atom, ...]:
    """The tokens that `text` stands for. DataFault where there are none, or one twice."""
    if not tokens:
        raise DataFault("the vocabulary is empty", hint=f"a vocabulary is {FORMS}")
    found: dict[object, Atom] = {}
    for token in tokens:
        if atom_key(token) in found:
            raise DataFault(f"the vocabulary {text!r} holds {token!r} twice")
        found[atom_key(token)] = token
    return tuple(found.values())

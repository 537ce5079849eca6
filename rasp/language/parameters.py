"""Parameters: what `param NAME = VALUE;` in a program declares, and `--set NAME=VALUE` gives."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from rasp.errors import NameFault, TypeFault

if TYPE_CHECKING:
    from rasp.operations import Atom

_NUMBERS = (int, float)


class Parameters:
    """The values given for parameters by name, and what a program has declared so far: name and value in force."""

    def __init__(self, given: Mapping[str, Atom] | None = None) -> None:
        self.given: dict[str, Atom] = dict(given or {})
        self.declared: dict[str, Atom] = {}

    def declare(self, name: str, default: Atom) -> Atom:
        """The value of a parameter: what was given for it, else its default. TypeFault where the kinds differ."""
        value = self.given.get(name, default)
        if type(value) is int and type(default) is float:
            value = float(value)
        if type(value) is not type(default):
            from rasp.operations import describe

            raise TypeFault(f"the parameter {name} was given {describe(value)}, and its default is {describe(default)}")
        self.declared[name] = value
        return value

    def check(self, program: str) -> None:
        """NameFault where a value was given for what the program does not declare."""
        unknown = next((name for name in self.given if name not in self.declared), None)
        if unknown is None:
            return
        known = list(self.declared)
        close = difflib.get_close_matches(unknown, known, 1, 0.6)
        hint = f"its parameters are {', '.join(known)}" if known else "a parameter is declared by `param n = 8;`"
        raise NameFault(f"{program} has no parameter {unknown}", hint=f"did you mean {close[0]}?" if close else hint)


def parameter_argument(parser: argparse.ArgumentParser) -> None:
    """Adds `--set`."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        dest="parameters",
        metavar="NAME=VALUE",
        help="a value for a parameter of the program, in place of the one in `param NAME = VALUE;`; may be repeated",
    )


def given_parameters(args: argparse.Namespace) -> dict[str, Atom]:
    """The values of `--set`, by name."""
    return dict(args.parameters)


def _setting(text: str) -> tuple[str, Atom]:
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise argparse.ArgumentTypeError(f"NAME=VALUE, such as n=12, not {text!r}")
    return name, _atom(value.strip())


def _atom(text: str) -> Atom:
    """A number, True or False where the text is one, else the text, quotes around it left out."""
    if text in ("True", "False"):
        return text == "True"
    for kind in _NUMBERS:
        try:
            return kind(text)
        except ValueError:
            continue
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text

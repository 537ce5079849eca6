"""Interventions: other values for an s-op at some positions, whatever the program computes there.

`{"level": {2: 1}}` makes the s-op called level 1 at position 2. The s-op may be given itself in the place of its name,
and positions may be texts, so that what was written as JSON can be read back as it is.
"""

from __future__ import annotations

import argparse
import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rasp.errors import DataFault, NameFault
from rasp.files import read_text
from rasp.graph import Node, SOp, topological
from rasp.operations import Atom, from_python, is_atom
from rasp.origins import all_names

Interventions: TypeAlias = "Mapping[Any, Mapping[Any, Any]]"


def intervention_argument(parser: argparse.ArgumentParser) -> None:
    """Adds `--intervene`."""
    parser.add_argument(
        "--intervene",
        metavar="JSON",
        help="other values for s-ops at some positions (from 0), whatever is computed there, such as "
        """'{"level": {"2": 1}}', or a file with such a text""",
    )


def given_interventions(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """What `--intervene` says, none where it is not given. DataFault where it is no intervention, or no file."""
    text: str | None = args.intervene
    if text is None:
        return {}
    found = _json(text if text.lstrip().startswith("{") else read_text(Path(text)))
    if not isinstance(found, dict) or not all(isinstance(places, dict) for places in found.values()):
        raise DataFault("an intervention says which s-op, where and what", hint=f"such as {_EXAMPLE}")
    return found


_EXAMPLE = """'{"level": {"2": 1}}': level is 1 at position 2"""


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataFault(f"an intervention is JSON, and this is none: {error}", hint=f"such as {_EXAMPLE}") from error


def settled(root: Node, given: Interventions, length: int) -> dict[SOp, dict[int, Atom]]:
    """Interventions by s-op and position. NameFault for one that the root does not read, DataFault for no position."""
    parts = {part: None for part in topological([root]) if isinstance(part, SOp)}
    names = all_names([root])
    found: dict[SOp, dict[int, Atom]] = {}
    for asked, values in given.items():
        node = asked if isinstance(asked, SOp) else sop_called(str(asked), names)
        if node not in parts:
            raise NameFault(f"{root!r} does not read {asked}")
        found[node] = {position(at, length): value_of(value) for at, value in values.items()}
    return found


def sop_called(name: str, names: Mapping[Node, Sequence[str]]) -> SOp:
    """The one s-op of that name, of several that it may have. NameFault where there is none, or several s-ops."""
    found = [node for node, called in names.items() if name in called and isinstance(node, SOp)]
    if not found:
        every = [one for node, called in names.items() if isinstance(node, SOp) for one in called]
        close = difflib.get_close_matches(name, every, 3) or every
        raise NameFault(f"no s-op here is called {name}", hint=f"there is {', '.join(close)}" if close else None)
    if len(found) > 1:
        raise NameFault(f"{len(found)} s-ops are called {name}", hint="give the s-op in the place of its name")
    return found[0]


def position(given: Any, length: int) -> int:
    """A position of a token. DataFault where the input has none."""
    if not str(given).isdecimal() or not 0 <= int(given) < length:
        raise DataFault(f"the input has no position {given}", hint=f"positions are 0 to {length - 1}")
    return int(given)


def value_of(value: Any) -> Atom:
    """A value as an atom; a list, as JSON has it, is a tuple. DataFault for what is none."""
    found = from_python(_tuples(value))
    if not is_atom(found):
        raise DataFault(f"an s-op is never a {type(value).__name__}", hint="give an atom, None or a tuple")
    return found


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, (list, tuple)) else value

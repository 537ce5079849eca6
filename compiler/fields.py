"""The values of a JSON description, each checked: what it should be comes back, anything else is a DataFault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from rasp.errors import DataFault
from rasp.operations import Atom, Symbol, is_atom

_LARGEST = 2**63
_SHOWN = 60
W = TypeVar("W", bound=str)


def shown(found: Any) -> str:
    """What stands in a description, as an error says it."""
    text = ascii(found)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def plain(value: Any) -> Any:
    """Atoms, tuples of them and atoms by name, as JSON: every number comes back as it is, however large."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Symbol):
        return {"python": _plain_python(value.value)}
    if isinstance(value, tuple):
        return list(map(plain, value))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _LARGEST:
        return {"int": hex(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": repr(value)}
    return value


def _plain_python(value: Any) -> Any:
    """What a symbol stands for as JSON: null, or the list of a tuple's parts."""
    return list(map(_plain_python, value)) if isinstance(value, tuple) else None if value is None else plain(value)


def _python(found: Any) -> Any:
    """What `_plain_python` was given."""
    return tuple(map(_python, found)) if isinstance(found, list) else None if found is None else unplain(found)


def unplain(found: Any) -> Any:
    """What `plain` was given. DataFault for anything else."""
    if isinstance(found, list):
        return tuple(map(unplain, found))
    if isinstance(found, dict) and list(found) == ["python"] and isinstance(found["python"], (list, type(None))):
        return Symbol(_python(found["python"]))
    if isinstance(found, dict) and len(found) == 1 and all(isinstance(part, str) for part in found.values()):
        if "int" in found:
            return int(found["int"], 16)
        if "float" in found:
            return float(found["float"])
    if not is_atom(found):
        raise DataFault(f"{shown(found)} is no value")
    return found


def atom(found: Any) -> Atom:
    """The atom in a description. DataFault where it is none."""
    value = unplain(found)
    if not is_atom(value):
        raise DataFault(f"{shown(found)} is no value")
    return value


def text(found: Any) -> str:
    """The text in a description. DataFault where it is none."""
    if not isinstance(found, str):
        raise DataFault(f"{shown(found)} is no text")
    return found


def count(found: Any) -> int:
    """The whole number from 0 on in a description. DataFault where it is none."""
    if type(found) is not int or found < 0:
        raise DataFault(f"{shown(found)} is no whole number from 0 on")
    return found


def number(found: Any) -> float:
    """The finite number from 0 on in a description. DataFault where it is none."""
    if type(found) not in (int, float) or not 0 <= found < math.inf:
        raise DataFault(f"{shown(found)} is no finite number from 0 on")
    return float(found)


def line(found: Any) -> int | None:
    """The line number in a description, or None. DataFault where it is neither."""
    if found is not None and count(found) == 0:
        raise DataFault("lines are counted from 1")
    return None if found is None else count(found)


def listed(found: Any) -> list[Any]:
    """The list in a description. DataFault where it is none."""
    if not isinstance(found, list):
        raise DataFault(f"{shown(found)} is no list")
    return found


def mapping(found: Any) -> Mapping[str, Any]:
    """The fields of a part of a description. DataFault where it has none."""
    if not isinstance(found, dict):
        raise DataFault(f"{shown(found)} has no fields")
    return found


def one_of(found: Any, *known: W) -> W:
    """The word in a description, one of those known. DataFault for any other."""
    word = next((word for word in known if word == text(found)), None)
    if word is None:
        raise DataFault(f"{shown(found)} is none of {', '.join(known)}")
    return word


def truth(found: Any) -> bool:
    """True or false, as a description has it. DataFault for anything else."""
    if not isinstance(found, bool):
        raise DataFault(f"{shown(found)} is not true or false")
    return found

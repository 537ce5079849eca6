"""How notebooks show values: the classes ask here, and the room that draws, found when something is shown, says how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
Representation: TypeAlias = Callable[[Any], "str | None"]

_svg: dict[type, Representation] = {}
_html: dict[type, Representation] = {}
_doors: list[Callable[[], object]] = []


class Displayed:
    """A value that a notebook may show as a picture or a table; where it has none, the notebook shows its text."""

    def _repr_svg_(self) -> str | None:
        return _representation(_svg, self)

    def _repr_html_(self) -> str | None:
        return _representation(_html, self)


def as_svg(shown: type[T], draw: Callable[[T], str | None]) -> None:
    """Says how values of a class are drawn; None for one that is to be shown as text."""
    _svg[shown] = draw


def as_html(shown: type[T], write: Callable[[T], str | None]) -> None:
    """Says how values of a class are written as HTML."""
    _html[shown] = write


def find_with(door: Callable[[], object]) -> None:
    """Says what is called before anything is shown first: it imports whatever calls `as_svg` and `as_html`."""
    _doors.append(door)


def _representation(known: Mapping[type, Representation], value: object) -> str | None:
    """None also where a library that draws is not installed: a notebook then shows the text."""
    try:
        while _doors:
            _doors.pop()()
        found = next((known[kind] for kind in type(value).__mro__ if kind in known), None)
        return None if found is None else found(value)
    except ModuleNotFoundError:
        return None

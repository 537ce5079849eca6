"""How notebooks show values: the classes ask here, and the room that draws, found when something is shown, says how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
R = TypeVar("R")
Representation: TypeAlias = Callable[[Any], "str | None"]
# What Treescope gives is its own; NotImplemented is "as anything else".
TreeRepresentation: TypeAlias = Callable[[Any, "str | None", Any], Any]

_svg: dict[type, Representation] = {}
_html: dict[type, Representation] = {}
_trees: dict[type, TreeRepresentation] = {}
_doors: list[Callable[[], object]] = []


class Displayed:
    """A value that a notebook may show as a picture or a table; where it has none, the notebook shows its text."""

    def _repr_svg_(self) -> str | None:
        return _representation(_svg, self)

    def _repr_html_(self) -> str | None:
        return _representation(_html, self)

    def __treescope_repr__(self, path: str | None, subtree_renderer: Any) -> Any:
        """How Treescope shows it, where that is installed."""
        found = _found(_trees, self)
        return NotImplemented if found is None else found(self, path, subtree_renderer)


def as_svg(shown: type[T], draw: Callable[[T], str | None]) -> None:
    """Says how values of a class are drawn; None for one that is to be shown as text."""
    _svg[shown] = draw


def as_html(shown: type[T], write: Callable[[T], str | None]) -> None:
    """Says how values of a class are written as HTML."""
    _html[shown] = write


def as_tree(shown: type[T], render: Callable[[T, str | None, Any], Any]) -> None:
    """Says how Treescope shows values of a class."""
    _trees[shown] = render


def find_with(door: Callable[[], object]) -> None:
    """Says what is called before anything is shown first: it imports whatever calls `as_svg` and `as_html`."""
    _doors.append(door)


def _representation(known: Mapping[type, Representation], value: object) -> str | None:
    """None also where a library that draws is not installed: a notebook then shows the text."""
    try:
        found = _found(known, value)
        return None if found is None else found(value)
    except ModuleNotFoundError:
        return None


def _found(known: Mapping[type, R], value: object) -> R | None:
    """What a table has for the class of a value, or for the nearest one above."""
    while _doors:
        _doors.pop()()
    return next((known[kind] for kind in type(value).__mro__ if kind in known), None)

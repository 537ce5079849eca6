"""Tables with one rule for each kind of node; a missing rule is an error that names the kind and the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from rasp.errors import RaspError

Rule = TypeVar("Rule")


class MissingRule(RaspError):
    """A kind of node that a table does not know."""

    kind = "internal error"


class Rules(dict[type[Any], Rule]):
    """The rules of a table, by the class of what they are for. MissingRule where there is none."""

    def __init__(self, table: str, rules: Mapping[type[Any], Rule]) -> None:
        super().__init__(rules)
        self.table = table

    def __missing__(self, kind: type[Any]) -> NoReturn:
        raise MissingRule(f"{self.table} has no rule for {kind.__name__}", hint=f"it has {self._known()}")

    def _known(self) -> str:
        return ", ".join(sorted(kind.__name__ for kind in self))

"""RASP programs as a graph of s-ops: written in Python or loaded from a file, interpreted, and measured.

What needs numpy is imported when it is first used, so that the console is there at once.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from rasp import interrupts

interrupts.end_at_once()

from rasp.errors import (  # noqa: E402
    DataFault,
    Failures,
    LookupFault,
    NameFault,
    RaspError,
    Refusal,
    SyntaxFault,
    TypeFault,
    ValueFault,
)

if TYPE_CHECKING:
    from rasp.batch.run import BatchRun
    from rasp.console.session import Reply, Session
    from rasp.graph import (
        Node,
        Selector,
        SOp,
        aggregate,
        elementwise,
        full,
        indicator,
        indices,
        length,
        select,
        select_best,
        selector_width,
        tokens,
        tokens_asis,
        tokens_bool,
        tokens_float,
        tokens_int,
        where,
    )
    from rasp.interpret import Run
    from rasp.interpret import run as evaluate
    from rasp.language.program import Program, load_program, parse_program
    from rasp.layers import Analysis, Head, analyse

__all__ = [
    "Analysis",
    "BatchRun",
    "DataFault",
    "Failures",
    "Head",
    "LookupFault",
    "NameFault",
    "Node",
    "Program",
    "RaspError",
    "Refusal",
    "Reply",
    "Run",
    "SOp",
    "Selector",
    "Session",
    "SyntaxFault",
    "TypeFault",
    "ValueFault",
    "aggregate",
    "analyse",
    "elementwise",
    "evaluate",
    "full",
    "indicator",
    "indices",
    "length",
    "load_program",
    "parse_program",
    "select",
    "select_best",
    "selector_width",
    "tokens",
    "tokens_asis",
    "tokens_bool",
    "tokens_float",
    "tokens_int",
    "where",
]

_HOMES = {
    "rasp.batch.run": ("BatchRun",),
    "rasp.layers": ("Analysis", "Head", "analyse"),
    "rasp.graph": (
        "Node",
        "SOp",
        "Selector",
        "aggregate",
        "elementwise",
        "full",
        "indicator",
        "indices",
        "length",
        "select",
        "select_best",
        "selector_width",
        "tokens",
        "tokens_asis",
        "tokens_bool",
        "tokens_float",
        "tokens_int",
        "where",
    ),
    "rasp.interpret": ("Run", "evaluate"),
    "rasp.language.program": ("Program", "load_program", "parse_program"),
    "rasp.console.session": ("Reply", "Session"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_OWN_NAMES = {"evaluate": "run"}


class _Package(ModuleType):
    """This package: a submodule does not hide the public name it shares (`analyse`)."""

    def __getattr__(self, name: str) -> object:
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOME_OF[name]), _OWN_NAMES.get(name, name))
        self.__dict__[name] = value
        return value

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOME_OF and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package

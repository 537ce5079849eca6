"""RASP programs as a graph of s-ops: written in Python or loaded from a file, interpreted, measured and compiled.

What needs numpy is imported when it is first used, so that the console is there at once; so are the other rooms.
"""

from importlib import import_module
from typing import TYPE_CHECKING
from warnings import warn

from rasp import interrupts

interrupts.end_at_once()

from rasp import display, doors  # noqa: E402
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

display.find_with(doors.notebooks)

if TYPE_CHECKING:
    from compiler.pipeline import compile
    from rasp.batch.run import BatchRun
    from rasp.console.session import Reply, Session
    from rasp.graph import (
        Constant,
        Node,
        Selector,
        SOp,
        aggregate,
        elementwise,
        full,
        indicator,
        indices,
        label,
        length,
        relation,
        select,
        select_best,
        selector_width,
        tokens,
        tokens_asis,
        tokens_bool,
        tokens_float,
        tokens_int,
        transpose,
        where,
    )
    from rasp.interpret import Run
    from rasp.interpret import run as evaluate
    from rasp.language.program import Program
    from rasp.language.program import load_program as load
    from rasp.language.program import parse_program as parse
    from rasp.layers import Analysis, Head, analyse
    from rasp.relations import Edges, Graph
    from rasp.tracr import from_tracr

__all__ = [
    "Analysis",
    "BatchRun",
    "Constant",
    "DataFault",
    "Edges",
    "Failures",
    "Graph",
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
    "compile",
    "elementwise",
    "evaluate",
    "from_tracr",
    "full",
    "indicator",
    "indices",
    "label",
    "length",
    "load",
    "parse",
    "relation",
    "select",
    "select_best",
    "selector_width",
    "tokens",
    "tokens_asis",
    "tokens_bool",
    "tokens_float",
    "tokens_int",
    "transpose",
    "where",
]

# Where each public name that is imported late is found: as in the imports for types above.
_GRAPH = (
    *("Constant", "Node", "SOp", "Selector", "aggregate", "elementwise", "full", "indicator", "indices", "length"),
    *("select", "select_best", "selector_width", "tokens", "tokens_asis", "tokens_bool", "tokens_float", "tokens_int"),
    *("where", "relation", "transpose", "label"),
)
_HOMES: dict[str, tuple[str, str]] = {
    **{name: ("rasp.graph", name) for name in _GRAPH},
    "Analysis": ("rasp.layers", "Analysis"),
    "Head": ("rasp.layers", "Head"),
    "Edges": ("rasp.relations", "Edges"),
    "Graph": ("rasp.relations", "Graph"),
    "analyse": ("rasp.layers", "analyse"),
    "Run": ("rasp.interpret", "Run"),
    "evaluate": ("rasp.interpret", "run"),
    "from_tracr": ("rasp.tracr", "from_tracr"),
    "Program": ("rasp.language.program", "Program"),
    "load": ("rasp.language.program", "load_program"),
    "parse": ("rasp.language.program", "parse_program"),
    "BatchRun": ("rasp.batch.run", "BatchRun"),
    "Reply": ("rasp.console.session", "Reply"),
    "Session": ("rasp.console.session", "Session"),
    "compile": ("compiler.pipeline", "compile"),
}
# What public names were called; these go with the next release.
_FORMER = {"load_program": "load", "parse_program": "parse"}


def __getattr__(name: str) -> object:
    if name in _FORMER:
        warn(f"rasp.{name} is called rasp.{_FORMER[name]}", DeprecationWarning, stacklevel=2)
        return __getattr__(_FORMER[name])
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own_name = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), own_name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

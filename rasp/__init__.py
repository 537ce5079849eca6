"""RASP programs as a graph of s-ops: written in Python or loaded from a file, interpreted, measured and compiled.

What needs numpy is imported when it is first used, so that the console is there at once; so are the other rooms.
"""

from typing import TYPE_CHECKING

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
from rasp.late import late  # noqa: E402

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

# Where each public name is found: as in the imports for types above.
_HOMES = {
    "compiler.pipeline": "compile",
    "rasp.batch.run": "BatchRun",
    "rasp.console.session": "Reply, Session",
    "rasp.graph": (
        "Constant, Node, Selector, SOp, aggregate, elementwise, full, indicator, indices, label, length, "
        "relation, select, select_best, selector_width, tokens, tokens_asis, tokens_bool, tokens_float, "
        "tokens_int, transpose, where"
    ),
    "rasp.interpret": "Run, run as evaluate",
    "rasp.language.program": "Program, load_program as load, parse_program as parse",
    "rasp.layers": "Analysis, Head, analyse",
    "rasp.relations": "Edges, Graph",
    "rasp.tracr": "from_tracr",
}
__getattr__, __dir__ = late(__name__, _HOMES, {"load_program": "load", "parse_program": "parse"})

"""Pictures of RASP programs and their models, in files and in notebooks.

Drawing is imported when a name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from viz.comparison import compare
    from viz.flow_chart import flow
    from viz.graph_text import graph_text
    from viz.head_grid import heads
    from viz.node_link import graph
    from viz.notebook import show_on
    from viz.report_page import report
    from viz.residual_stream import residual
    from viz.saving import save
    from viz.single import head, selector
    from viz.terminal import heatmap, heatmaps
    from viz.weight_tables import weights

__all__ = [
    "compare",
    "flow",
    "graph",
    "graph_text",
    "head",
    "heads",
    "heatmap",
    "heatmaps",
    "report",
    "residual",
    "save",
    "selector",
    "show_on",
    "weights",
]

# Where each public name is found: as in the imports for types above.
_HOMES: dict[str, tuple[str, str]] = {
    "compare": ("viz.comparison", "compare"),
    "flow": ("viz.flow_chart", "flow"),
    "graph_text": ("viz.graph_text", "graph_text"),
    "heads": ("viz.head_grid", "heads"),
    "graph": ("viz.node_link", "graph"),
    "show_on": ("viz.notebook", "show_on"),
    "report": ("viz.report_page", "report"),
    "residual": ("viz.residual_stream", "residual"),
    "save": ("viz.saving", "save"),
    "head": ("viz.single", "head"),
    "selector": ("viz.single", "selector"),
    "heatmap": ("viz.terminal", "heatmap"),
    "heatmaps": ("viz.terminal", "heatmaps"),
    "weights": ("viz.weight_tables", "weights"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own_name = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), own_name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

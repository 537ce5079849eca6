"""Pictures of RASP programs and their models, in files and in notebooks.

Drawing is imported when a name is first used.
"""

from typing import TYPE_CHECKING

from rasp.late import late

if TYPE_CHECKING:
    from viz.comparison import compare
    from viz.flow_chart import flow
    from viz.head_grid import heads
    from viz.node_link import graph
    from viz.notebook import show_on
    from viz.report_page import report
    from viz.residual_stream import residual
    from viz.saving import save
    from viz.single import head, selector
    from viz.terminal import heatmap, heatmaps
    from viz.terminal_graph import graph_text
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
_HOMES = {
    "viz.comparison": "compare",
    "viz.flow_chart": "flow",
    "viz.terminal_graph": "graph_text",
    "viz.head_grid": "heads",
    "viz.node_link": "graph",
    "viz.notebook": "show_on",
    "viz.report_page": "report",
    "viz.residual_stream": "residual",
    "viz.saving": "save",
    "viz.single": "head, selector",
    "viz.terminal": "heatmap, heatmaps",
    "viz.weight_tables": "weights",
}
__getattr__, __dir__ = late(__name__, _HOMES)

"""The lanes and colours by which the rows of a flow picture are told apart."""

from __future__ import annotations

from rasp.graph import SOp
from viz.flow_chart.content import Flow

COLOURS = ("#0b6e8c", "#b3541e", "#5b3fa0", "#2f7d32", "#a3265f", "#7a5c00", "#3a5fcd", "#5c6470", "#c0392b", "#008a6a")


def lanes(flow: Flow) -> dict[SOp, int]:
    """The lane of every row that is read, 0 nearest to the tables; rows share one where they are never read at once."""
    spans = {node: span for node, span in _spans(flow).items() if span[1]}
    lane: dict[SOp, int] = {}
    for node, (start, end) in spans.items():
        busy = {lane[other] for other in lane if spans[other][1] >= start and spans[other][0] <= end}
        lane[node] = next(index for index in range(len(spans) + 1) if index not in busy)
    return lane


def colours(flow: Flow) -> dict[SOp, str]:
    """The colour of every row: where they run out, the one whose row was read for the last time longest ago."""
    used = dict.fromkeys(COLOURS, -1)
    chosen: dict[SOp, str] = {}
    for node, (start, end) in _spans(flow).items():
        chosen[node] = min(used, key=used.__getitem__)
        used[chosen[node]] = max(start, end)
    return chosen


def _spans(flow: Flow) -> dict[SOp, tuple[int, int]]:
    """The line of the page on which each row stands, and the last one on which it is read, 0 if it never is."""
    line = 0
    first: dict[SOp, int] = {}
    last: dict[SOp, int] = {}
    for stage in flow.stages:
        for head in stage.heads:
            last.update((read.node, line) for read in head.reads)
        for row in stage.rows:
            line += 1
            first[row.node] = line
            last.update((source, line) for source in row.reads)
        line += 1
    return {node: (line, last.get(node, 0)) for node, line in first.items()}

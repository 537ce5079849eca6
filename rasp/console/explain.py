"""What an s-op is and does, as text: its type, its layers and heads, and its steps on an input."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rasp.console.show import short
from rasp.dtypes import types_of
from rasp.graph import Constant, Indices, Node, Selector, SOp, Tokens, topological
from rasp.interpret import Run
from rasp.language.builtins import type_name
from rasp.language.scope import Function, Value
from rasp.layers import Analysis, analyse
from rasp.operations import type_of
from rasp.printing import expression, literal
from rasp.source import Span

_WIDTH = 80
_NAME_WIDTH = 28
_PATTERNS = 8
# The gaps before the values and behind them, and the longest kind of values.
_END_WIDTH = len("    keys marked")


def type_text(value: Value) -> str:
    """What a value is: `s-op of ints, 1 layer, heads [1]`."""
    if isinstance(value, SOp):
        return f"s-op of {types_of([value])[value]}, {cost_text(analyse([value]))}"
    if isinstance(value, Selector):
        return f"selector, {cost_text(analyse([value]))}"
    if isinstance(value, Function):
        return f"function of {_count(len(value.parameters), 'argument')}, {_where(value.where)}"
    if isinstance(value, (list, dict)):
        return f"{type_name(value)} of {_count(len(value), 'element')}"
    return type_name(value)


def _where(place: str) -> str:
    places = {"console": "defined at the console", "library": "of the library"}
    return places.get(place, f"defined in {place}")


def cost_text(found: Analysis) -> str:
    """`2 layers, heads [1, 2]`."""
    return f"{_count(found.depth, 'layer')}, heads {found.heads}" if found.depth else "no layers"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def layers_text(title: str, node: Node, names: Mapping[Node, str], origins: Mapping[Node, Span]) -> str:
    """The heads of every layer a node needs, with what each selector is and where it was written."""
    found = analyse([node])
    lines = [f"{title}: {cost_text(found)}"]
    for number, heads in enumerate(found.layers, 1):
        lines.append(f"  layer {number}")
        for head in heads:
            place = f"   ({origins[head.selector]})" if head.selector in origins else ""
            lines.append(f"    {head.kind:9}  {titled(head.selector, names)}{place}")
    return "\n".join(lines)


def titled(node: Node, names: Mapping[Node, str]) -> str:
    """A node as it is written, its name in front where it has one."""
    name = names.get(node)
    others = {other: text for other, text in names.items() if other is not node}
    text = expression(node, others)
    return f"{name} = {text}" if name is not None and name != text else text


# -- the steps


def trace_text(
    node: Node,
    run: Run,
    names: Mapping[Node, str],
    width: int = _WIDTH,
    mask: Callable[[Selector], Any] = lambda selector: None,
) -> str:
    """Every step of a node on an input, one a line, a column for each position; selectors by what each row selects.

    `mask` gives the matrix of what a selector lets a query see, None for everything.
    """
    steps = [step for step in topological([node]) if _worth_a_line(step, node, names)]
    tokens = [literal(token) for token in run.tokens]
    rows = [("input", tokens, ""), *((titled(step, names), *_cells(step, run, mask)) for step in steps)]
    return "\n".join(_table(rows, width))


def _worth_a_line(step: Node, root: Node, names: Mapping[Node, str]) -> bool:
    return step is root or step in names or not isinstance(step, (Constant, Tokens, Indices))


def _cells(step: Node, run: Run, mask: Callable[[Selector], Any]) -> tuple[list[str], str]:
    """What a step is at each position, and what kind of values these are."""
    if isinstance(step, Selector):
        selected, seen = run.selector(step), mask(step)
        sight = np.ones_like(selected) if seen is None else seen
        marks = list(map(_marks, selected.tolist(), sight.tolist()))
        return marks, "marks" if len(run) <= _PATTERNS else "keys marked"
    assert isinstance(step, SOp)
    found = run.sop(step)
    return [short(atom) for atom in found.tolist()], type_of(found)


def _marks(row: Sequence[bool], sight: Sequence[bool]) -> str:
    """The keys a query selects: a block, dot or cross for each, or how many where that would be too wide."""
    if len(row) > _PATTERNS:
        return str(sum(row))
    return "".join("█" if cell else "·" if seen else "×" for cell, seen in zip(row, sight, strict=True))


def _table(rows: Sequence[tuple[str, Sequence[str], str]], width: int) -> Iterator[str]:
    """Rows with aligned columns, cut into stretches of positions that fit the width; long names get their own line."""
    longest = max(len(name) for name, _, _ in rows)
    margin = min(_NAME_WIDTH, longest)
    widths = [max(map(len, column)) for column in zip(*(cells for _, cells, _ in rows), strict=True)]
    stretches = list(_stretches(widths, width - margin - _END_WIDTH))
    for start, stop in stretches:
        if len(stretches) > 1:
            yield f"positions {start} to {stop - 1}"
        for name, cells, end in rows:
            if len(name) > margin:
                yield name
            shown = "  ".join(cells[i].rjust(widths[i]) for i in range(start, stop))
            yield f"{name if len(name) <= margin else '':{margin}}  {shown}  {end}".rstrip()


def _stretches(widths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    start = used = 0
    for index, width in enumerate(widths):
        if index > start and used + width > room:
            yield start, index
            start, used = index, 0
        used += width + 2
    yield start, len(widths)

"""What a flow picture shows, before any place is decided: the s-ops and heads of each layer, and who reads whom.

Left out are constants, and elementwise results without a name that serve only one other elementwise operation: their
readers are said to read what these read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rasp.errors import TypeFault
from rasp.graph import (
    Aggregate,
    AggregateLabels,
    Best,
    Constant,
    EdgeLabel,
    Map,
    Node,
    Select,
    Selector,
    SelectorWidth,
    SOp,
    indices,
    length,
    topological,
)
from rasp.interpret import Run
from rasp.layers import Analysis, Gather, Head, analyse
from rasp.operations import Atom
from rasp.printing import expression
from viz.attention import Visible, sight_of

_NAME, _FORMULA, _RESULT = 90, 45, 30


@dataclass(frozen=True, eq=False)
class Row:
    """An s-op with its value at each position. `reads` are the rows an elementwise operation is made from."""

    node: SOp
    name: str
    formula: str
    values: tuple[Atom, ...]
    reads: tuple[SOp, ...]


@dataclass(frozen=True)
class Read:
    """A row that a head reads, and as what: key, query, score or value."""

    node: SOp
    role: str


@dataclass(frozen=True, eq=False)
class HeadView:
    """A head: its selector's name, formula and pattern [q, k], the rows it reads, the rows it writes and their names.

    `sight` is where it may look at all, None for everywhere.

    A result without a name is called by what is aggregated, as the selector is named already.
    """

    title: str
    formula: str
    marked: NDArray[np.bool_]
    reads: tuple[Read, ...]
    writes: tuple[SOp, ...]
    results: tuple[str, ...]
    sight: Visible | None = None


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer: its heads, and the rows there are after it that were not there before.

    Stage 0 is the input. One without a number begins a further column: rows of earlier layers that are read there.
    """

    number: int | None
    heads: tuple[HeadView, ...]
    rows: tuple[Row, ...]

    @property
    def title(self) -> str:
        if self.number is None:
            return "from earlier layers"
        return f"layer {self.number}" if self.number else "input"

    @property
    def reads(self) -> set[SOp]:
        """The rows that its heads and its own rows are made from."""
        by_heads = {read.node for head in self.heads for read in head.reads}
        return by_heads.union(*(row.reads for row in self.rows))


@dataclass(frozen=True, eq=False)
class Flow:
    """The stages of one computation on one input."""

    tokens: tuple[Atom, ...]
    stages: tuple[Stage, ...]

    @property
    def rows(self) -> dict[SOp, Row]:
        return {row.node: row for stage in self.stages for row in stage.rows}


def columns(flow: Flow, heights: Sequence[float], tallest: float) -> list[Flow]:
    """The flow cut between layers into parts no taller than that, as far as single layers allow.

    The input stays with the first layer. Each part after the first begins with the rows of earlier parts that it reads.
    """
    parts: list[list[Stage]] = []
    room = 0.0
    for stage, height in zip(flow.stages, heights, strict=True):
        if not parts or (height > room and parts[-1][-1].number):
            parts.append([])
            room = tallest
        parts[-1].append(stage)
        room -= height
    return [Flow(flow.tokens, tuple(_with_carried(part, flow))) for part in parts]


def _with_carried(part: Sequence[Stage], flow: Flow) -> Iterator[Stage]:
    own = {row.node for stage in part for row in stage.rows}
    reads = set[SOp]().union(*(stage.reads for stage in part)) - own
    if reads:
        carried = tuple(replace(row, reads=(), formula="") for node, row in flow.rows.items() if node in reads)
        yield Stage(None, (), carried)
    yield from part


def contents(
    node: SOp, tokens: Sequence[Atom], names: Mapping[Node, str] | None = None, *, causal: bool = False
) -> Flow:
    """The flow of an s-op on an input. TypeFault for a selector; where it has no value, the interpreter's fault."""
    if not isinstance(node, SOp):
        raise TypeFault("a flow picture shows an s-op, and this is a selector", hint="draw its pattern instead")
    return _Writer(node, Run(tokens, causal=causal), names or {}).flow()


class _Writer:
    """Puts the nodes of one s-op in their stages."""

    def __init__(self, root: SOp, run: Run, names: Mapping[Node, str]) -> None:
        self.run = run
        self.tokens = tuple(run.tokens)
        self.names = names
        self.analysis: Analysis = analyse([root])
        self.nodes = list(topological([root]))
        self.shown = _shown(root, self.nodes, names)

    def flow(self) -> Flow:
        return Flow(self.tokens, tuple(self._stage(number) for number in range(self.analysis.depth + 1)))

    def _stage(self, number: int) -> Stage:
        here = [node for node in self.shown if self.analysis.layer_of[node] == number]
        gathers = [node for node in here if isinstance(node, Gather)]
        others = [node for node in here if not isinstance(node, Gather)]
        heads = self.analysis.layers[number - 1] if number else ()
        return Stage(
            number, tuple(self._head(head, gathers) for head in heads), tuple(map(self._row, gathers + others))
        )

    def _row(self, node: SOp) -> Row:
        name, formula = self._written(node)
        reads = self._sources(node.args) if isinstance(node, Map) else ()
        values = tuple(self.run.sop(node).tolist())
        return Row(node, name, formula, values, reads)

    def _written(self, node: Node) -> tuple[str, str]:
        """The name of a node, and what it stands for where that says more; the latter alone for one without name."""
        name = self.names.get(node)
        others = {other: text for other, text in self.names.items() if other is not node}
        formula = expression(node, others, _FORMULA if name and isinstance(node, SOp) else _NAME)
        return (name, "" if formula == name else formula) if name else (formula, "")

    def _sources(self, nodes: Iterable[SOp]) -> tuple[SOp, ...]:
        """The rows shown among these nodes, or what the hidden ones are made from; each once."""
        found: dict[SOp, None] = {}
        waiting, seen = list(nodes), set[SOp]()
        while waiting:
            node = waiting.pop(0)
            if node in self.shown:
                found[node] = None
            elif isinstance(node, Map) and node not in seen:
                seen.add(node)
                waiting = [*node.args, *waiting]
        return tuple(found)

    def _head(self, head: Head, gathers: Sequence[Gather]) -> HeadView:
        writes = [node for node in gathers if self.analysis.head(node, self.analysis.layer_of[node]) == head]
        pairs = [(node, role) for node, role in _parts(head.selector)]
        pairs += [(node.value, "value") for node in writes if isinstance(node, Aggregate)]
        pairs += [(indices, "value") for node in writes if node is length and head.kind == "aggregate"]
        reads = {Read(source, role): None for node, role in pairs for source in self._sources([node])}
        title, formula = self._written(head.selector)
        marked = np.asarray(self.run.selector(head.selector), dtype=bool)
        results = tuple(map(self._result, writes))
        sight = sight_of(head.selector, self.run)
        return HeadView(title, formula, marked, tuple(reads), tuple(writes), results, sight)

    def _result(self, node: Gather) -> str:
        if node in self.names or node is length:
            return self._written(node)[0]
        if isinstance(node, SelectorWidth):
            return "selector_width(…)"
        if isinstance(node, AggregateLabels):
            return f"aggregate(…, {EdgeLabel(node.relation, node.terms)!r})"
        return f"aggregate(…, {self.names.get(node.value) or expression(node.value, self.names, _RESULT)})"


def _parts(selector: Selector) -> list[tuple[SOp, str]]:
    """The s-ops a selector compares, each with its part in it; every selector inside it is visited once."""
    found: list[tuple[SOp, str]] = []
    waiting, seen = [selector], {selector}
    while waiting:
        inner = waiting.pop(0)
        if isinstance(inner, Select):
            found += [(inner.keys, "key"), (inner.queries, "query")]
        if isinstance(inner, Best):
            found.append((inner.score, "score"))
        fresh = [child for child in inner.children if isinstance(child, Selector) and child not in seen]
        waiting += fresh
        seen.update(fresh)
    return found


def _shown(root: SOp, nodes: Sequence[Node], names: Mapping[Node, str]) -> dict[SOp, None]:
    """The s-ops that get a row, in the order of the graph."""
    users: dict[Node, dict[Node, None]] = {node: {} for node in nodes}
    for node in nodes:
        for child in node.children:
            users[child][node] = None
    return {
        node: None
        for node in nodes
        if isinstance(node, SOp) and (node is root or not _minor(node, list(users[node]), names))
    }


def _minor(node: SOp, users: Sequence[Node], names: Mapping[Node, str]) -> bool:
    if isinstance(node, Constant):
        return True
    return isinstance(node, Map) and node not in names and len(users) == 1 and isinstance(users[0], Map)

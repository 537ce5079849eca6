"""The s-op graph as JSON: the nodes in topological order, each with the numbers of those it is made of.

Reading it back gives the very nodes of the program, because equal nodes are one node. Only a Python function comes back
as something else, the table of what it was asked when the program was compiled.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeVar

from compiler.fields import atom, count, listed, mapping, plain, shown, text, truth, unplain
from compiler.functions import Table, table
from compiler.guards import KIND, UNREAD
from compiler.ir import ModelWeights
from compiler.operations.differences import DISTANCE, EXCESS
from compiler.operations.indicator_means import MARK, counting, flagging, indicator_at
from compiler.operations.materialised import INTERVENED, KEPT, STORED
from compiler.rewrites.labels import label_mean
from compiler.rewrites.mixed_types import NUMBER, both, code
from compiler.rewrites.select_best import look_up
from rasp.errors import DataFault
from rasp.graph import (
    Aggregate,
    AggregateLabels,
    And,
    Best,
    Constant,
    Fits,
    Indices,
    LabelledRelation,
    Map,
    Node,
    Not,
    Or,
    Prefer,
    Relation,
    Select,
    Selector,
    SelectorWidth,
    SOp,
    Tokens,
    topological,
)
from rasp.operations import COMPARISONS, OPERATIONS, Operation, restored

T = TypeVar("T", bound=Node)

_KINDS: Mapping[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        *(Tokens, Indices, Constant, Map, Aggregate, SelectorWidth),
        *(Select, Fits, And, Or, Not, Best, Prefer),
        *(Relation, LabelledRelation, AggregateLabels),
    )
}
_OWN = (KIND, UNREAD, NUMBER, EXCESS, DISTANCE, STORED, KEPT, INTERVENED)
_NAMED: Mapping[str, Operation] = {op.name: op for op in (*OPERATIONS.values(), *_OWN)}
_TOKEN_KINDS = ("str", "int", "float", "bool", "asis")

_MADE: Mapping[str, Callable[[int, Any], Operation]] = {
    "in": lambda arity, key: restored("in", key),
    "element": lambda arity, key: restored("element", key),
    "entry": lambda arity, key: restored("entry", key),
    "mark": lambda arity, key: indicator_at(key, arity) if isinstance(key, int) else look_up("mark", arity, dict(key)),
    "indicator": lambda arity, key: MARK,
    "turn": lambda arity, key: look_up("turn", arity, dict(key)),
    "count": lambda arity, key: counting(arity),
    "flag": lambda arity, key: flagging(arity),
    "code": lambda arity, key: code(key),
    "string or number": lambda arity, key: both(*key),
    "mean of labels": lambda arity, key: label_mean(*key),
}


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes, children before parents, with the names and the source lines that some of them have."""

    nodes: tuple[Node, ...]
    names: Mapping[Node, str]
    lines: Mapping[Node, int]

    def node(self, found: Any, kind: type[T]) -> T:
        """The node that a description gives the number of. DataFault where there is none of that kind."""
        return _one(found, self.nodes, kind)


def numbered(weights: ModelWeights) -> dict[Node, int]:
    """The place of every node of a model in its description: the program's, then those of heads and of what is held."""
    held = [found.node for found in weights.held]
    nodes = topological([*weights.sops.values(), *weights.selectors, *weights.masks, *held])
    return {node: at for at, node in enumerate(nodes)}


def described(weights: ModelWeights) -> list[dict[str, Any]]:
    """The graph of a model as JSON, a Python function in it as its table."""
    return described_nodes(numbered(weights), weights.names, weights.lines, weights.tables)


def described_nodes(
    number: Mapping[Node, int],
    names: Mapping[Node, str] = MappingProxyType({}),
    lines: Mapping[Node, int] = MappingProxyType({}),
    tables: Mapping[Operation, Table] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """Nodes as JSON, in the order of their numbers, which has children first.

    A Python function becomes its table; without one it stays what it is, which JSON cannot hold.
    """
    found = []
    for node in number:
        parts: dict[str, Any] = {"node": type(node).__name__}
        for field in fields(node):
            parts[field.name] = _described(getattr(node, field.name), number, tables)
        if node in names:
            parts["name"] = names[node]
        if node in lines:
            parts["line"] = lines[node]
        found.append(parts)
    return found


def _described(value: Any, number: Mapping[Node, int], tables: Mapping[Operation, Table]) -> Any:
    if isinstance(value, Node):
        return number[value]
    if isinstance(value, tuple):
        return [number[part] for part in value]
    return _operation(tables.get(value, value)) if isinstance(value, Operation) else plain(value)


def _operation(op: Operation) -> dict[str, Any]:
    if isinstance(op, Table):
        rows = [[list(map(plain, atoms)), None if value is None else plain(value)] for atoms, value in op.rows]
        return {"table": op.name, "rows": rows}
    if _NAMED.get(op.name) == op:
        return {"name": op.name}
    return {"name": op.name, "arity": op.arity, "key": plain(op.key)}


def graph_of(found: Any) -> Graph:
    """The graph in a description. DataFault where it is none."""
    nodes: list[Node] = []
    names: dict[Node, str] = {}
    lines: dict[Node, int] = {}
    for parts in listed(found):
        node = _node(mapping(parts), nodes)
        nodes.append(node)
        names |= {node: text(parts["name"])} if "name" in parts else {}
        lines |= {node: count(parts["line"])} if "line" in parts else {}
    return Graph(tuple(nodes), names, lines)


def _node(parts: Mapping[str, Any], nodes: Sequence[Node]) -> Node:
    kind = _KINDS[parts["node"]]
    node = kind(*(_READERS[str(field.type)](parts[field.name], nodes) for field in fields(kind)))
    if not _is_sound(node):
        raise DataFault(f"a node of its graph has no meaning: {shown(parts)}")
    return node


def _is_sound(node: Node) -> bool:
    """Whether the words in a node mean something, and its operation takes as many s-ops."""
    if isinstance(node, Map):
        return isinstance(node.op, Table) or node.op.arity == len(node.args)
    if isinstance(node, Fits):
        return isinstance(node.op, Table)
    if isinstance(node, Select):
        return node.op in COMPARISONS
    return not isinstance(node, Tokens) or node.kind in _TOKEN_KINDS


def _one(found: Any, nodes: Sequence[Node], kind: type[T]) -> T:
    node = nodes[found] if type(found) is int and 0 <= found < len(nodes) else None
    if not isinstance(node, kind):
        raise DataFault(f"{shown(found)} is not the number of an earlier {kind.__name__} of its graph")
    return node


def _operation_of(found: Any) -> Operation:
    if "table" in mapping(found):
        rows = [(tuple(map(atom, atoms)), None if value is None else atom(value)) for atoms, value in found["rows"]]
        return table(text(found["table"]), rows)
    if "key" not in found:
        return _NAMED[text(found["name"])]
    return _MADE[text(found["name"])](count(found["arity"]), unplain(found["key"]))


_READERS: Mapping[str, Callable[[Any, Sequence[Node]], Any]] = {
    "str": lambda found, nodes: text(found),
    "Atom": lambda found, nodes: atom(found),
    "Operation": lambda found, nodes: _operation_of(found),
    "SOp": lambda found, nodes: _one(found, nodes, SOp),
    "Selector": lambda found, nodes: _one(found, nodes, Selector),
    "Relation": lambda found, nodes: _one(found, nodes, Relation),
    "bool": lambda found, nodes: truth(found),
    "tuple[SOp, ...]": lambda found, nodes: tuple(_one(part, nodes, SOp) for part in listed(found)),
}

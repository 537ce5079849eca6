"""Python functions in a graph: what each was asked while its program was compiled, and what it answered.

A Python function cannot be stored in a file, but over a vocabulary and up to a length it is only ever asked a finite
number of times. So before anything is compiled each one is replaced by a stand-in that writes down its answers. Then
the function can be stored as that table, and a program with tables in it compiles to the same weights: the compiler
asks the same questions, and gets the same answers.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, TypeVar, cast

from rasp.errors import LookupFault
from rasp.graph import Fits, Map, Node, SOp, topological
from rasp.operations import Atom, Operation, atom_key, describe, is_atom

T = TypeVar("T", bound=Node)
Row: TypeAlias = tuple[tuple[Atom, ...], Atom | None]


@dataclass(frozen=True)
class Table(Operation):
    """An operation that is known by its rows: arguments, and the value there (None where there is none)."""

    rows: tuple[Row, ...] = field(compare=False, default=())

    def __reduce__(self) -> tuple[Any, ...]:
        return table, (self.name, self.rows)


def table(name: str, rows: Sequence[Row]) -> Table:
    """The operation of some rows; on other arguments it has no value."""
    known = {tuple(map(atom_key, atoms)): value for atoms, value in rows}

    def look_up(*atoms: Atom) -> Atom:
        value = known.get(tuple(map(atom_key, atoms)))
        if value is None:
            raise LookupFault(f"the table of {name} has no value for {', '.join(map(describe, atoms))}")
        return value

    key = tuple((arguments, None if value is None else atom_key(value)) for arguments, value in known.items())
    arity = max((len(atoms) for atoms, _ in rows), default=0)
    return Table(name, arity, key, look_up, None, tuple(rows))


def is_function(op: Operation) -> bool:
    """Whether an operation is a Python function, or the table of one."""
    return isinstance(op, Table) or callable(op.key)


class Recorder:
    """The stand-ins of the Python functions in some s-ops. Where there are none, every node stands for itself."""

    def __init__(self, roots: Sequence[SOp]) -> None:
        self._rows: dict[Operation, dict[Hashable, Row]] = {}
        nodes = list(topological(roots))
        functions = {node.op: None for node in nodes if isinstance(node, (Map, Fits)) and is_function(node.op)}
        self._stand_ins = {op: self._stand_in(op) for op in functions}
        self._original = {stand_in: op for op, stand_in in self._stand_ins.items()}
        self._nodes = _with_operations(nodes, self._stand_ins)

    def stand_in(self, node: T) -> T:
        """What is compiled in the place of a node of the program."""
        return cast(T, self._nodes.get(node, node))

    def renamed(self, known: Mapping[Node, Any]) -> dict[Node, Any]:
        """Facts about nodes of the program as facts about what is compiled in their places."""
        return {self.stand_in(node): fact for node, fact in known.items()}

    def original(self, node: T) -> T:
        """A node with the program's own functions in it again."""
        if not self._original:
            return node
        return cast(T, _with_operations(list(topological([node])), self._original).get(node, node))

    @property
    def tables(self) -> dict[Operation, Table]:
        """The functions as tables of all that they have been asked so far."""
        return {op: table(op.name, [rows[key] for key in sorted(rows, key=repr)]) for op, rows in self._rows.items()}

    def _stand_in(self, op: Operation) -> Operation:
        rows = self._rows[op] = {}

        def asked(*atoms: Atom) -> Atom:
            key = tuple(map(atom_key, atoms))
            rows[key] = (atoms, None)
            value = op.function(*atoms)
            rows[key] = (atoms, value if is_atom(value) else None)
            return value

        return Operation(op.name, op.arity, (op.key, object()), asked)


def _with_operations(nodes: Sequence[Node], new: Mapping[Operation, Operation]) -> dict[Node, Node]:
    """The nodes, children first, each with what it becomes where operations are exchanged; empty where none are."""
    found: dict[Node, Node] = {}
    if not new:
        return found
    for node in nodes:
        values = (_exchanged(getattr(node, part.name), new, found) for part in fields(node))
        found[node] = type(node)(*values)
    return found


def _exchanged(value: Any, new: Mapping[Operation, Operation], found: Mapping[Node, Node]) -> Any:
    if isinstance(value, Operation):
        return new.get(value, value)
    if isinstance(value, tuple):
        return tuple(found[part] for part in value)
    return found[value] if isinstance(value, Node) else value

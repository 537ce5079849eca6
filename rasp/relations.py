"""Graphs as inputs: tokens, and relations between their positions.

An edge u → v sends from u to v: as a selector, the row of v marks the column of u. An adjacency matrix A[u, v], as
networkx and PyTorch Geometric's `edge_index` have it, is therefore the selector transposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias, cast, overload

import numpy as np

from rasp.display import Displayed
from rasp.errors import DataFault
from rasp.operations import Atom, atom_key, is_atom

Places: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]
Cells: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
Label: TypeAlias = "Atom | None"
Edge: TypeAlias = "tuple[int, int, Label]"

_WORDS = ("tokens", "directed")


@dataclass(frozen=True, eq=False)
class Edges:
    """One relation over `length` positions: edge i goes from `sources[i]` to `targets[i]` and has the label
    `levels[codes[i]]`, None where it has none. Each pair occurs once; edges come by target, then by source."""

    length: int
    sources: Places
    targets: Places
    codes: Places
    levels: tuple[Label, ...]

    @classmethod
    def of(cls, name: str, length: int, edges: Iterable[object], *, directed: bool = True) -> Edges:
        """Edges as pairs, or triples with a label. DataFault for one that is none, for two labels on one pair, and for
        more edges than there are pairs."""
        found: dict[tuple[int, int], Label] = {}
        listed = list(edges)
        for edge in listed:
            source, target, label = _edge(name, length, edge)
            for pair in ((source, target), (target, source))[: 1 if directed else 2]:
                if pair in found and atom_key(found[pair]) != atom_key(label):
                    raise _two_labels(name, pair, found[pair], label)
                found[pair] = label
        if len(listed) > length**2:
            raise DataFault(
                f"{name} lists {len(listed)} edges, and {length} position{'s have' if length > 1 else ' has'} "
                f"{length**2} pair{'s' if length > 1 else ''}",
                hint="an edge is listed once; several kinds of edges between two positions are several relations",
            )
        return cls.sorted(length, [(*pair, label) for pair, label in found.items()])

    @classmethod
    def sorted(cls, length: int, edges: Sequence[Edge]) -> Edges:
        """Edges that are known to be in order, each pair once."""
        edges = sorted(edges, key=lambda edge: (edge[1], edge[0]))
        known: dict[Any, int] = {}
        codes = [known.setdefault(atom_key(label), len(known)) for _, _, label in edges]
        levels = {code: label for code, (_, _, label) in zip(codes, edges, strict=True)}
        sources, targets, places = (
            np.array(part, dtype=np.intp) for part in ([e[0] for e in edges], [e[1] for e in edges], codes)
        )
        return cls(length, sources, targets, places, tuple(levels[code] for code in range(len(levels))))

    def __len__(self) -> int:
        return len(self.sources)

    def __iter__(self) -> Iterator[Edge]:
        """Every edge as (source, target, label)."""
        labels = (self.levels[code] for code in self.codes.tolist())
        return iter(list(zip(self.sources.tolist(), self.targets.tolist(), labels, strict=True)))

    @cached_property
    def cells(self) -> Cells:
        """The relation as a selector [T, T]: row = query = target, column = key = source."""
        found = np.zeros((self.length, self.length), dtype=bool)
        found[self.targets, self.sources] = True
        return found

    @cached_property
    def label_cells(self) -> Places:
        """The code of each cell's label [T, T], −1 where there is no edge."""
        found = np.full((self.length, self.length), -1, dtype=np.intp)
        found[self.targets, self.sources] = self.codes
        return found

    @property
    def goes_both_ways(self) -> bool:
        """Whether every edge is there the other way round too, with the same label."""
        return bool((self.label_cells == self.label_cells.T).all())

    def listed(self) -> list[list[Atom]]:
        """The edges as JSON has them: [u, v], or [u, v, label]."""
        return [[u, v] if label is None else [u, v, label] for u, v, label in self]


def _edge(name: str, length: int, edge: object) -> Edge:
    if not isinstance(edge, (list, tuple)) or not 2 <= len(edge) <= 3:
        raise DataFault(f"{edge!r} of {name} is no edge", hint='an edge is [from, to] or [from, to, "label"]')
    for place in edge[:2]:
        if isinstance(place, bool) or not isinstance(place, (int, np.integer)):
            raise DataFault(f"{list(edge)!r} of {name} is no edge: positions are ints from 0 on, not {place!r}")
        if not 0 <= place < length:
            told = "is 0" if length == 1 else f"are 0 to {length - 1}"
            raise DataFault(f"edge {list(edge)!r} of {name} names position {place}; those of the input {told}")
    label = edge[2] if len(edge) == 3 else None
    if label is not None and not is_atom(label):
        raise DataFault(f"the label of edge {list(edge)!r} of {name} is no string or number")
    return int(edge[0]), int(edge[1]), label


def _two_labels(name: str, pair: tuple[int, int], first: Label, second: Label) -> DataFault:
    shown = ["no label" if label is None else repr(label) for label in (first, second)]
    return DataFault(
        f"edge {list(pair)} of {name} is there twice, with {shown[0]} and with {shown[1]}",
        hint="several kinds of edges between the same two positions are several relations",
    )


class Graph(Sequence[Atom], Displayed):
    """An input with relations: as a sequence it is its tokens, which are the values at the vertices 0 … n−1.

    `relations` has the edges of each relation by name. `given` is the tokens as they came, a string or a list.
    """

    def __init__(self, tokens: str | Sequence[Atom], relations: Mapping[str, Edges]) -> None:
        self.given: str | list[Atom] = tokens if isinstance(tokens, str) else list(tokens)
        self.tokens: list[Atom] = list(tokens)
        self.relations: dict[str, Edges] = dict(relations)
        if not self.tokens:
            raise DataFault("an input needs at least one token")
        for name, edges in self.relations.items():
            if edges.length != len(self.tokens):
                raise DataFault(f"{name} is over {edges.length} positions, and the input has {len(self.tokens)}")

    @overload
    def __getitem__(self, at: int) -> Atom: ...
    @overload
    def __getitem__(self, at: slice) -> list[Atom]: ...
    def __getitem__(self, at: int | slice) -> Atom | list[Atom]:
        return self.tokens[at]

    def __len__(self) -> int:
        return len(self.tokens)

    def __repr__(self) -> str:
        return repr(self.as_dict())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Graph) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[object, ...]:
        relations = sorted((name, tuple(map(_edge_key, edges))) for name, edges in self.relations.items())
        return tuple(map(atom_key, self.tokens)), tuple(relations)

    def as_dict(self) -> dict[str, Any]:
        """The input as JSON has it, every edge once and directed."""
        return {"tokens": self.given, **{name: edges.listed() for name, edges in self.relations.items()}}


def _edge_key(edge: Edge) -> tuple[int, int, object]:
    return edge[0], edge[1], atom_key(edge[2])


def given_graph(value: Mapping[Any, Any]) -> Graph:
    """The input of a dictionary: "tokens", and under any other name the edges of a relation.

    Edges are a list of pairs (triples with a label), an adjacency matrix [n, n] (its numbers other than 0 and 1 are
    labels) or an `edge_index` [2, E]. With "directed": false every edge goes both ways; {"edges": false} says it of one
    relation. DataFault for anything else.
    """
    if "tokens" not in value:
        raise DataFault("a graph needs tokens", hint='for example {"tokens": ["a", "b"], "edges": [[0, 1]]}')
    tokens = _tokens(value["tokens"])
    if not tokens:
        raise DataFault("an input needs at least one token")
    names = [name for name in value if name not in _WORDS]
    directed = _directed(value.get("directed", True), names)
    return Graph(tokens, {name: _edges(name, tokens, value[name], directed[name]) for name in names})


def _tokens(value: object) -> str | list[Atom]:
    if isinstance(value, str):
        return value
    tokens = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(tokens, (list, tuple)) or not all(map(is_atom, tokens)):
        raise DataFault("the tokens of a graph are a string or a list of strings and numbers, one for each vertex")
    return list(tokens)


def _directed(value: object, names: Sequence[str]) -> dict[str, bool]:
    """Whether each relation is directed."""
    for name in names:
        if not isinstance(name, str):
            raise DataFault(f"the name of a relation is a string, not {name!r}")
    if isinstance(value, bool):
        return dict.fromkeys(names, value)
    if isinstance(value, Mapping) and all(isinstance(each, bool) for each in value.values()):
        strange = [name for name in value if name not in names]
        if strange:
            raise DataFault(f'"directed" speaks of {strange[0]!r}, and the input has no such relation')
        return {name: bool(value.get(name, True)) for name in names}
    raise DataFault('"directed" is true, false, or one of these for each relation: {"edges": false}')


def _edges(name: str, tokens: Sequence[Atom], value: object, directed: bool) -> Edges:
    if hasattr(value, "detach"):  # a tensor, of a library that is not imported here
        value = cast(Any, value).detach().cpu().numpy()
    if isinstance(value, np.ndarray):
        return from_array(name, len(tokens), value, directed=directed)
    if not isinstance(value, (list, tuple)):
        raise DataFault(f"{name} is no list of edges", hint='edges are written [[0, 1], [1, 2, "label"]]')
    return Edges.of(name, len(tokens), value, directed=directed)


def from_array(name: str, length: int, array: np.ndarray[Any, Any], *, directed: bool = True) -> Edges:
    """The edges of an adjacency matrix [n, n] or an `edge_index` [2, E]; DataFault where it could be either, or is
    neither."""
    is_square = array.shape == (length, length)
    is_index = array.ndim == 2 and len(array) == 2 and array.dtype.kind in "iu"
    if is_square and is_index:
        raise DataFault(
            f"{name} is 2 × 2: for two tokens that is an adjacency matrix as well as an edge_index",
            hint="give a list of edges, or the matrix as booleans",
        )
    if is_square:
        return from_adjacency(name, array, directed=directed)
    if is_index:
        return Edges.of(name, length, array.T.tolist(), directed=directed)
    raise DataFault(
        f"{name} has the shape {list(array.shape)}; for {length} tokens edges are a list of pairs, an adjacency "
        f"matrix [{length}, {length}] or an edge_index [2, E] of ints"
    )


def from_adjacency(name: str, matrix: np.ndarray[Any, Any], *, directed: bool = True) -> Edges:
    """The edges u → v where A[u, v] is not 0; in a matrix of other numbers than 0 and 1 they are the labels."""
    sources, targets = np.nonzero(matrix)
    weights = matrix[sources, targets]
    labels = [None] * len(weights) if (weights == 1).all() else weights.tolist()
    edges = zip(sources.tolist(), targets.tolist(), labels, strict=True)
    return Edges.of(name, len(matrix), edges, directed=directed)


def from_networkx(graph: Any, *, tokens: str = "token", labels: str = "label") -> Graph:
    """The input of a networkx graph: its vertices in its order, edges under the name `edges`.

    The attribute `tokens` of the vertices is their tokens (their names where none has it), `labels` that of the edges
    their labels; an edge with the attribute `relation` belongs to the relation of that name. An undirected graph gives
    every edge both ways. DataFault for a graph without vertices, and for one edge with two labels.
    """
    place = {vertex: number for number, vertex in enumerate(graph.nodes)}
    named: dict[str, list[list[object]]] = {"edges": []}
    for source, target, data in graph.edges(data=True):
        edge = [place[source], place[target], *([data[labels]] if labels in data else [])]
        named.setdefault(str(data.get("relation", "edges")), []).append(edge)
    if len(named) > 1 and not named["edges"]:
        del named["edges"]
    found = [data.get(tokens) for _, data in graph.nodes(data=True)]
    own = found if any(token is not None for token in found) else [_token(vertex) for vertex in graph.nodes]
    missing = next((vertex for vertex, token in zip(graph.nodes, own, strict=True) if not is_atom(token)), None)
    if missing is not None:
        raise DataFault(f"vertex {missing!r} has no {tokens}, and others have", hint="give one to all or none")
    return given_graph({"tokens": own, **named, "directed": bool(graph.is_directed())})


def _token(vertex: object) -> object:
    return vertex if is_atom(vertex) else str(vertex)


def graph_of(given: object) -> Graph | None:
    """An input with relations: a Graph, a dictionary (`given_graph`) or a networkx graph; None for what has none."""
    if isinstance(given, Graph):
        return given
    if isinstance(given, Mapping):
        return given_graph(given)
    if all(hasattr(given, part) for part in ("nodes", "edges", "is_directed")):
        return from_networkx(given)
    return None


def relations_of(given: object) -> Mapping[str, Edges]:
    """The relations of an input that has been read; none where it is a string or a list."""
    return given.relations if isinstance(given, Graph) else {}

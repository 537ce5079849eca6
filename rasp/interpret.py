"""The interpreter: the values of s-ops and the cells of selectors on one input, with numpy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from rasp.errors import DataFault, RaspError, TypeFault
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
from rasp.interventions import Interventions, settled
from rasp.meaning import EvaluationFault, MissingRelation, convert, label_means, mean_of, not_an_edge
from rasp.operations import (
    COMPARISONS,
    OPERATIONS,
    Atom,
    Column,
    ElementFault,
    atom_key,
    column,
    evaluate,
    evaluate_atoms,
    is_atom,
    python_value,
    type_of,
)
from rasp.relations import Edges, graph_of
from rasp.rules import Rules

if TYPE_CHECKING:
    from rasp.batch.evaluation import Evaluation

Matrix: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
_EXACT_FLOAT = 2**53

# What the cells of all selectors of a run may take together, and what a cell takes while it is worked with.
MAX_BYTES = 4 * 2**30

# Up to so many tokens, whole matrices are the fastest.
SHORT = 150
_WORKING_BYTES = 8


class Run:
    """One input and everything computed on it so far; each s-op is evaluated once.

    An input is its tokens, or a graph: a dictionary such as {"tokens": …, "edges": …}, a Graph or a networkx graph.

    `causal` masks every selector to keys at or before the query, as a decoder-only transformer does. The rules in this
    file are the meaning of every node. They make a matrix of each selector; on more than SHORT tokens `rasp.batch`
    finds the same values without, and matrices are made only to be shown. `given` are other values that some s-ops have
    at some positions, whatever their rules say.
    """

    def __init__(
        self,
        tokens: Sequence[Atom] | Mapping[str, Any],
        *,
        causal: bool = False,
        given: Mapping[SOp, Mapping[int, Atom]] | None = None,
    ) -> None:
        graph = graph_of(tokens)
        self.tokens: list[Atom] = _checked_input(cast(Sequence[Atom], tokens) if graph is None else graph)
        self.relations: Mapping[str, Edges] = {} if graph is None else graph.relations
        self.causal = causal
        self._given = given or {}
        self._values: dict[Node, Any] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def evaluated(self) -> int:
        """How many nodes have been evaluated so far."""
        return len(self._values)

    def sop(self, node: SOp) -> Column:
        """The column of an s-op, one value a position. EvaluationFault where it has none."""
        if node in self._values or self._is_short:
            return self._value(node)
        return self._long.column(node)

    def edges(self, node: Node, name: str) -> Edges:
        """The edges of a relation that a node reads. MissingRelation where the input has none of that name."""
        if name not in self.relations:
            raise MissingRelation(node, name)
        return self.relations[name]

    def know(self, node: SOp, values: Column) -> None:
        """Takes the values of an s-op as they were found elsewhere, such as in a batch."""
        self._values[node] = values

    def selector(self, node: Selector) -> Matrix:
        """The cells of a selector, bool [T, T]: row = query, column = key."""
        if self._is_short:
            return self._value(node)
        self._bytes = 0
        self._reserve(node)
        return self._long.matrix(node)

    @property
    def _is_short(self) -> bool:
        """Whether the rules of this file find the values: on few tokens, and where some are given."""
        return len(self) <= SHORT or bool(self._given)

    @cached_property
    def _long(self) -> Evaluation:
        from rasp.batch.evaluation import of_one_input

        return of_one_input(self.tokens, self.relations, causal=self.causal)

    def _value(self, root: Node) -> Any:
        for node in topological([root], self._values):
            self._values[node] = self._evaluate(node)
        return self._values[root]

    def _evaluate(self, node: Node) -> Any:
        if isinstance(node, Selector):
            self._reserve(node)
        children = [self._values[child] for child in node.children]
        value = _RULES[type(node)](self, node, *children)
        if isinstance(node, SOp):
            _check_type(node, value)
            if node in self._given:
                value = _replaced(value, self._given[node])
                _check_type(node, value)
        return value

    def _reserve(self, node: Selector) -> None:
        """Counts the cells of one more selector. EvaluationFault where there would be no memory for them."""
        cells = len(self) ** 2
        self._bytes += cells
        if self._bytes + _WORKING_BYTES * cells > MAX_BYTES:
            fault = EvaluationFault(node, f"{cells:,} cells ({len(self):,} tokens) are more than fit into memory")
            fault.hint = "give a shorter input"
            raise fault


def run(
    node: Node,
    tokens: Sequence[Atom] | Mapping[str, Any],
    *,
    causal: bool = False,
    given: Interventions | None = None,
) -> list[Any]:
    """The values of an s-op as a list of atoms, or a selector's rows as lists of bools, on an input (see `Run`).

    `given` are interventions: `{"level": {2: 1}}` asks what comes out if the s-op called level were 1 at position 2,
    however it is computed. The s-op itself may stand for its name. NameFault for one that is not read, DataFault for a
    position that is none.
    """
    fresh = Run(tokens, causal=causal)
    if given:
        fresh = Run(tokens, causal=causal, given=settled(node, given, len(fresh)))
    if isinstance(node, Selector):
        return fresh.selector(node).tolist()
    if isinstance(node, SOp):
        return as_python(fresh.sop(node))
    raise TypeFault(f"expected an s-op or a selector, found {type(node).__name__}")


def _replaced(values: Column, others: Mapping[int, Atom]) -> Column:
    """A column with other values at some positions."""
    return column([others.get(at, value) for at, value in enumerate(values.tolist())])


def as_python(values: Column) -> list[Any]:
    """A column as a list of Python values: symbols as None and tuples."""
    found = values.tolist()
    return list(map(python_value, found)) if values.dtype == object else found


def _checked_input(tokens: Sequence[Atom]) -> list[Atom]:
    found = list(tokens)
    if not found:
        raise DataFault("an input needs at least one token")
    if set(map(type, found)) <= {str, int, float, bool}:
        return found
    for position, token in enumerate(found):
        if not is_atom(token):
            raise DataFault(f"token {position} of the input is a {type(token).__name__}, not a string or a number")
    return found


def _check_type(node: SOp, values: Column) -> None:
    if values.dtype != object:
        return
    try:
        type_of(values)
    except RaspError as error:
        raise EvaluationFault(node, error.message) from error


def _tokens(run: Run, node: Tokens) -> Column:
    try:
        return column([convert(node.kind, token) for token in run.tokens])
    except RaspError as error:
        position = next(i for i, token in enumerate(run.tokens) if not _converts(node.kind, token))
        raise EvaluationFault(node, error.message, position) from error


def _converts(kind: str, token: Atom) -> bool:
    try:
        convert(kind, token)
    except RaspError:
        return False
    return True


def _map(run: Run, node: Map, *args: Column) -> Column:
    columns = iter(args)
    given = [next(columns) for arg in node.args]
    try:
        return evaluate(node.op, given)
    except ElementFault as error:
        raise EvaluationFault(node, error.message, error.position, error.atoms) from error


def _compare(op: str, keys: Column, queries: Column) -> Matrix:
    """keys[k] op queries[q] for all pairs; distinct values are compared once."""
    key_values, key_codes = _distinct(keys)
    query_values, query_codes = _distinct(queries)
    vector = OPERATIONS[op].vector
    assert vector is not None
    grid = vector(key_values[None, :], query_values[:, None])
    if grid is None:
        compare = COMPARISONS[op]
        grid = np.array([[compare(k, q) for k in key_values.tolist()] for q in query_values.tolist()], dtype=bool)
    return grid[query_codes[:, None], key_codes[None, :]]


def _distinct(values: Column) -> tuple[Column, np.ndarray[Any, np.dtype[np.intp]]]:
    if values.dtype != object:
        return np.unique(values, return_inverse=True)
    codes: dict[Any, int] = {}
    atoms = values.tolist()
    positions = np.array([codes.setdefault(atom_key(atom), len(codes)) for atom in atoms], dtype=np.intp)
    first = np.unique(positions, return_index=True)[1]
    return column([atoms[i] for i in first]), positions


def _select(run: Run, node: Select, keys: Column, queries: Column) -> Matrix:
    try:
        selected = _compare(node.op, keys, queries)
    except RaspError as error:
        raise EvaluationFault(node, error.message) from error
    return np.tril(selected) if run.causal else selected


def _fits(run: Run, node: Fits, keys: Column, queries: Column) -> Matrix:
    key_values, key_codes = _distinct(keys)
    query_values, query_codes = _distinct(queries)
    pairs = [(key, query) for query in query_values.tolist() for key in key_values.tolist()]
    try:
        found = [bool(evaluate_atoms(node.op, pair)) for pair in pairs]
    except ElementFault as error:
        raise EvaluationFault(node, error.message, None, error.atoms) from error
    grid = np.array(found, dtype=bool).reshape(len(query_values), len(key_values))
    selected = grid[query_codes[:, None], key_codes[None, :]]
    return np.tril(selected) if run.causal else selected


def _relation(run: Run, node: Relation) -> Matrix:
    cells = run.edges(node, node.input_name).cells
    selected = cells.T if node.transposed else cells
    return np.tril(selected) if run.causal else selected


def _labelled(run: Run, node: LabelledRelation, selected: Matrix, wanted: Column) -> Matrix:
    """The edges with the label that is wanted where they arrive: at the query, unless they are turned round."""
    edges = run.edges(node, node.relation.input_name)
    atoms = wanted.tolist()
    equal = np.array([[level is not None and level == atom for level in edges.levels] for atom in atoms], dtype=bool)
    cells = np.zeros((len(run), len(run)), dtype=bool)
    cells[edges.targets, edges.sources] = equal[edges.targets, edges.codes]
    return selected & (cells.T if node.relation.transposed else cells)


def _not(run: Run, node: Not, selected: Matrix) -> Matrix:
    return np.tril(~selected) if run.causal else ~selected


def _best(run: Run, node: Best, selected: Matrix, score: Column) -> Matrix:
    _check_numbers(node, score, "select_best needs a score of numbers")
    if score.dtype == object:
        keys = [(value != value, 0 if value != value else value) for value in score.tolist()]  # nan is the largest
        order = {key: rank for rank, key in enumerate(sorted(set(keys)))}
        score = np.array([order[key] for key in keys], dtype=np.int64)
    codes = np.unique(score, return_inverse=True)[1]
    ranked = np.where(selected, codes[None, :], -1)
    best: Matrix = selected & (ranked == ranked.max(axis=1, keepdims=True))
    return best


def _prefer(run: Run, node: Prefer, selected: Matrix, condition: Matrix) -> Matrix:
    both = selected & condition
    preferred: Matrix = np.where(both.any(axis=1, keepdims=True), both, selected)
    return preferred


def _check_numbers(node: Node, values: Column, complaint: str) -> None:
    kind = type_of(values)
    if kind not in ("ints", "floats"):
        raise EvaluationFault(node, f"{complaint}, found {kind}")


def _width(run: Run, node: SelectorWidth, selected: Matrix) -> Column:
    return selected.sum(axis=1, dtype=np.int64)


def _aggregate(run: Run, node: Aggregate, selected: Matrix, values: Column) -> Column:
    counts = selected.sum(axis=1)
    if (counts > 1).any():
        _check_numbers(node, values, "a row selects several positions, and only numbers have a mean")
    if (counts > 1).all() and values.dtype.kind == "i" and _sums_exactly(values):
        return np.asarray((selected.astype(np.float64) @ values) / counts)
    if (counts == 1).all():
        return values[selected.argmax(axis=1)]
    return column([_row(node, values, row, count) for row, count in zip(selected, counts.tolist(), strict=True)])


def _sums_exactly(values: Column) -> bool:
    return len(values) * max(abs(int(values.min())), abs(int(values.max()))) < _EXACT_FLOAT


def _row(node: Aggregate, values: Column, row: Matrix, count: int) -> Atom:
    if count == 0:
        return node.default
    if count == 1:
        return values[int(row.argmax())].item() if values.dtype != object else values[int(row.argmax())]
    return mean_of(node, values[row])


def _aggregate_labels(run: Run, node: AggregateLabels, selected: Matrix, edges: Matrix, *terms: Column) -> Column:
    outside = np.argwhere(selected & ~edges)
    if len(outside):
        raise not_an_edge(node, *outside[0].tolist())
    found = run.edges(node, node.relation.input_name)
    codes = found.label_cells.T if node.relation.transposed else found.label_cells
    queries, keys = np.nonzero(selected)
    labels = [found.levels[code] for code in codes[queries, keys].tolist()]
    columns = [term[keys].tolist() for term in terms]
    return column(label_means(node, len(run), queries.tolist(), keys.tolist(), labels, columns))


def _constant(run: Run, node: Constant) -> Column:
    return column([node.value] * len(run))


_RULES: Rules[Callable[..., Any]] = Rules(
    "the interpreter",
    {
        Tokens: _tokens,
        Indices: lambda run, node: np.arange(len(run), dtype=np.int64),
        Constant: _constant,
        Map: _map,
        Aggregate: _aggregate,
        SelectorWidth: _width,
        AggregateLabels: _aggregate_labels,
        Select: _select,
        Fits: _fits,
        Relation: _relation,
        LabelledRelation: _labelled,
        And: lambda run, node, left, right: left & right,
        Or: lambda run, node, left, right: left | right,
        Not: _not,
        Best: _best,
        Prefer: _prefer,
    },
)

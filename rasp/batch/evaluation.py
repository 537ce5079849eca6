"""Nodes evaluated on many inputs at once: one rule a node kind, over columns that hold every position of all inputs.

The rules of `rasp.interpret` are the meaning; these give the same values, of the same types, and fail on the same
inputs. No selector becomes a matrix here: a selector is what it compares, and `selection` finds what it selects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from rasp.batch.columns import (
    Categorical,
    Values,
    combined,
    composed,
    constant,
    expanded,
    factorized,
    gathered,
    interned,
    taken,
    tuples,
)
from rasp.batch.edges import Pairs, PooledEdges, pooled
from rasp.batch.marks import Marks
from rasp.batch.means import numerators, quotients, special_means
from rasp.batch.ragged import Block, Codes, Flags, Ragged
from rasp.batch.ranking import Ranking, ranked
from rasp.batch.selection import Selection
from rasp.errors import RaspError
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
from rasp.meaning import EvaluationFault, MissingRelation, convert, label_means, mean, not_an_edge
from rasp.operations import (
    COMPARISONS,
    Atom,
    Column,
    ElementFault,
    Operation,
    Symbol,
    atom_key,
    column,
    evaluate,
    evaluate_atoms,
    type_of,
)
from rasp.relations import Edges
from rasp.rules import Rules

KEPT_POSITIONS = 1 << 16

# Of so many cells at most it is found out one by one whether a Python function is true there.
MAX_FITS = 1 << 26


class Evaluation:
    """Tokens [N] of a batch, the relations of each input, and what is computed on them.

    With `strict` an error is raised at the first node that fails, as for one input; else the inputs on which a node or
    one that it needs has no value are flagged in `failed`, and its values there mean nothing. An s-op is evaluated
    once, unless the batch is too long to keep the values of all of them.
    """

    def __init__(
        self,
        tokens: Categorical,
        ragged: Ragged,
        relations: Sequence[Mapping[str, Edges]] = (),
        *,
        causal: bool = False,
        strict: bool = False,
    ) -> None:
        self.tokens = tokens
        self.relations = relations or [{}] * len(ragged)
        self._edges: dict[Relation, PooledEdges] = {}
        self.ragged = ragged
        self.strict = strict
        self.selection = Selection(ragged, causal, self.ranking)
        self._values: dict[Node, Values] = {}
        self._failed: dict[Node, Flags | None] = {}
        self._rankings: dict[SOp, Ranking] = {}

    def values(self, root: SOp) -> Values:
        """The values of an s-op at all positions."""
        self._evaluate(root)
        return self._values[root]

    def failed(self, root: Node) -> Flags:
        """The inputs [B] on which the node has no value."""
        self._evaluate(root)
        found = self._failed[root]
        return np.zeros(len(self.ragged), dtype=bool) if found is None else found

    def cells(self, root: Selector) -> Iterator[tuple[Block, Flags]]:
        """The cells of a selector, a block at a time, keys first: [T, queries]."""
        self._evaluate(root)
        for block in self.ragged.blocks():
            yield block, self.selection.cells(root, block)

    def column(self, root: SOp) -> Column:
        """The values of an s-op at all positions, as the interpreter has them."""
        return expanded(self.values(root))

    def matrix(self, root: Selector) -> Flags:
        """The cells of a selector on the one input there is, [T, T]: row = query, column = key."""
        result = np.empty((self.ragged.size, self.ragged.size), dtype=bool)
        for block, cells in self.cells(root):
            result[block.queries] = cells.T
        return result

    def ranking(self, sop: SOp) -> Ranking:
        """The ranks of the values of an s-op that is known."""
        if sop not in self._rankings:
            self._rankings[sop] = ranked(self._values[sop])
        return self._rankings[sop]

    # -- the walk

    def _evaluate(self, root: Node) -> None:
        order = list(topological([root], self._failed))
        readers = dict.fromkeys(order, 0)
        for child in (root, *(child for node in order for child in node.children)):
            if child in readers:
                readers[child] += 1
        for node in order:
            self._visit(node)
            if isinstance(node, SOp):
                self._release(node.children, readers)

    def _visit(self, node: Node) -> None:
        failed = [self._failed[child] for child in node.children]
        failed.append(_RULES[type(node)](self, node))
        if isinstance(node, SOp):
            failed.append(self._mixed(node))
        self._failed[node] = combined(failed)

    def _release(self, nodes: Sequence[Node], readers: dict[Node, int]) -> None:
        """Forgets what was read for the last time: what selectors select, and, in a long batch, values.

        `readers` counts who is still to read each node of this walk; what an earlier one left stays.
        """
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            readers[node] = readers.get(node, 0) - 1
            if readers[node]:
                continue
            if isinstance(node, Selector):
                waiting += node.children
            elif self.ragged.size <= KEPT_POSITIONS:
                continue
            self._forget(node)

    def _forget(self, node: Node) -> None:
        self._failed.pop(node, None)
        self._values.pop(node, None)
        if isinstance(node, SOp):
            self._rankings.pop(node, None)
        self.selection.forget(node)

    # -- what fails

    def _fails(self, inputs: Flags, explain: Callable[[], RaspError]) -> Flags | None:
        """The flags, None for none; with `strict` the error where there are any."""
        if not inputs.any():
            return None
        if self.strict:
            raise explain()
        return inputs

    def _mixed(self, node: SOp) -> Flags | None:
        """Inputs on which strings and numbers stand together."""
        values = self._values[node]
        if not isinstance(values, Categorical):
            return None
        texts = self._texts(values)
        if not texts.any() or texts.all():
            return None
        inputs = self.ragged.any(texts) & self.ragged.any(~texts & ~self._symbols(values))
        return self._fails(inputs, lambda: EvaluationFault(node, "strings and numbers stand together in one s-op"))

    def _texts(self, values: Values) -> Flags:
        """Where a value is a string."""
        return self._levels(values, lambda atom: isinstance(atom, str) and not isinstance(atom, Symbol))

    def _symbols(self, values: Values) -> Flags:
        return self._levels(values, lambda atom: isinstance(atom, Symbol))

    def _levels(self, values: Values, test: Callable[[Atom], bool]) -> Flags:
        """Where a test holds that no number passes."""
        if not isinstance(values, Categorical):
            return np.zeros(len(values), dtype=bool)
        return np.array([test(atom) for atom in values.levels.tolist()])[values.codes]

    def not_numbers(self, values: Values) -> Flags:
        """Inputs [B] on which a column is labelled neither ints nor floats."""
        if not isinstance(values, Categorical):
            return np.full(len(self.ragged), values.dtype.kind == "b")
        numbers = np.array([not isinstance(atom, (str, bool)) for atom in values.levels.tolist()])[values.codes]
        return ~self.ragged.any(numbers) | self.ragged.any(self._texts(values) | self._symbols(values))

    # -- one rule a node kind: it sets the values, and returns the inputs on which there are none

    def of_tokens(self, node: Tokens) -> Flags | None:
        return self._apply(node, _conversion(node.kind), [self.tokens])

    def of_indices(self, node: Indices) -> None:
        self._values[node] = self.ragged.index

    def of_constant(self, node: Constant) -> None:
        self._values[node] = constant(node.value, self.ragged.size)

    def of_map(self, node: Map) -> Flags | None:
        given = [self._values[arg] for arg in node.args]
        if node.op.vector is not None:
            columns = [values for values in given if not isinstance(values, Categorical)]
            found = node.op.vector(*columns) if len(columns) == len(given) else None
            if found is not None:
                self._values[node] = found
                return None
        return self._apply(node, node.op, given)

    def _apply(self, node: SOp, op: Operation, given: Sequence[Values]) -> Flags | None:
        """The operation once on each tuple of values that stand together."""
        columns, places = tuples(given)
        levels, failed = _evaluated(op, columns)
        self._values[node] = gathered(levels, places) if levels.dtype != object else interned(levels.tolist(), places)
        if failed is None:
            return None
        at = failed[places]
        return self._fails(self.ragged.any(at), lambda: _element_fault(node, op, columns, places, int(at.argmax())))

    def of_select(self, node: Select) -> Flags | None:
        keys, queries = self._values[node.keys], self._values[node.queries]
        if node.op in ("==", "!="):
            return None
        texts = [self._texts(values) for values in (keys, queries)]
        symbols = self._symbols(keys) | self._symbols(queries)
        if not (texts[0] != texts[1]).any() and not symbols.any():
            return None
        inputs = (self.ragged.any(texts[0]) != self.ragged.any(texts[1])) | self.ragged.any(symbols)
        return self._fails(inputs, lambda: _order_fault(node, expanded(keys), expanded(queries)))

    def of_fits(self, node: Fits) -> Flags | None:
        """The cells where the function is true; each two values are asked for once, if they meet in an input at all."""
        keys, queries = factorized(self._values[node.keys]), factorized(self._values[node.queries])
        if self.ragged.cells > MAX_FITS:
            fault = EvaluationFault(node, f"{self.ragged.cells:,} cells are too many to ask a Python function about")
            fault.hint = "give a shorter input"
            raise fault
        asked = _Asked(node, keys[0].tolist(), queries[0].tolist())
        failed = np.zeros(len(self.ragged), dtype=bool)
        found: list[tuple[Codes, Codes]] = []
        for at, (start, length) in enumerate(zip(self.ragged.starts, self.ragged.lengths, strict=True)):
            own = slice(int(start), int(start + length))
            cells, failed[at] = asked.cells(keys[1][own], queries[1][own])
            query_places, key_places = np.nonzero(cells)
            found.append((query_places + start, key_places + start))
        places = (np.concatenate(parts) for parts in zip(*found, strict=True))
        self.selection.know(node, Pairs(self.ragged, *places))
        return self._fails(failed, asked.fault)

    def edges(self, node: Relation) -> PooledEdges:
        """A relation on all inputs."""
        if node not in self._edges:
            plain = pooled(node.input_name, self.ragged, self.relations)
            self._edges[node] = plain.transposed() if node.transposed else plain
        return self._edges[node]

    def of_relation(self, node: Relation) -> Flags | None:
        edges = self.edges(node)
        self.selection.know(node, edges.pairs)
        return self._fails(edges.lacking, lambda: MissingRelation(node, node.input_name))

    def of_labelled(self, node: LabelledRelation) -> None:
        """The edges whose label equals what is wanted where they arrive; each two atoms are compared once."""
        edges = self.edges(node.relation)
        levels, codes = factorized(self._values[node.wanted])
        atoms = levels.tolist()
        equal = np.array(
            [[level is not None and level == atom for level in edges.levels] for atom in atoms], dtype=bool
        )
        arrival = edges.pairs.keys if node.relation.transposed else edges.pairs.queries
        pairs = edges.pairs.where(equal[codes[arrival], edges.codes]) if len(edges.pairs) else edges.pairs
        self.selection.know(node, pairs)

    def of_best(self, node: Best) -> Flags | None:
        score = self._values[node.score]
        failed = self._check_numbers(node, score, self.not_numbers(score), "select_best needs a score of numbers")
        ranking = self.ranking(node.score)
        self.selection.choose(node, ranking.codes, ranking.size)
        return failed

    def of_prefer(self, node: Prefer) -> None:
        self.selection.prefer(node)

    def _check_numbers(self, node: Node, values: Values, inputs: Flags, complaint: str) -> Flags | None:
        return self._fails(inputs, lambda: EvaluationFault(node, f"{complaint}, found {type_of(expanded(values))}"))

    def of_width(self, node: SelectorWidth) -> None:
        self._values[node] = self.selection.marks(node.selector).counts()

    def of_aggregate(self, node: Aggregate) -> Flags | None:
        marks, values = self.selection.marks(node.selector), self._values[node.value]
        counts = marks.counts()
        several, failed = counts > 1, None
        if several.any():
            inputs = self.ragged.any(several) & self.not_numbers(values)
            failed = self._check_numbers(
                node, values, inputs, "a row selects several positions, and only numbers have a mean"
            )
        pieces, overflow = self._pieces(node, marks, values, counts)
        self._values[node] = composed(self.ragged.size, pieces)
        return combined([failed, overflow])

    def of_labels(self, node: AggregateLabels) -> Flags | None:
        """By the interpreter's rule, one input after the other: each has a column with a value for each edge."""
        edges = self.edges(node.relation)
        chosen = self.selection.holds(node.selector, edges.pairs.queries, edges.pairs.keys)
        pairs, labels = edges.pairs.where(chosen), [edges.levels[code] for code in edges.codes[chosen].tolist()]
        terms = [taken(self._values[term], pairs.keys) for term in node.terms]
        columns = [expanded(values).tolist() if len(pairs) else [] for values in terms]
        counts = np.bincount(pairs.queries, minlength=self.ragged.size)
        outside = self.ragged.any(self.selection.marks(node.selector).counts() != counts)
        failed = self._fails(outside, lambda: self._not_an_edge(node, edges.pairs))
        found, faults = _label_means(node, self.ragged, pairs, [labels, *columns])
        self._values[node] = interned(found, np.arange(len(found)))
        flags = np.array([fault is not None for fault in faults])
        return combined([failed, self._fails(flags, lambda: next(fault for fault in faults if fault is not None))])

    def _not_an_edge(self, node: AggregateLabels, edges: Pairs) -> EvaluationFault:
        """The error of the first cell selected that is no edge."""
        for block in self.ragged.blocks():
            extra = np.argwhere((self.selection.cells(node.selector, block) & ~edges.cells(block)).T)
            if len(extra):
                query, key = extra[0].tolist()
                return not_an_edge(node, query + block.offset, key)
        raise AssertionError(f"{node!r} selects edges alone")

    def _pieces(
        self, node: Aggregate, marks: Marks, values: Values, counts: Codes
    ) -> tuple[list[tuple[Flags | None, Values]], Flags | None]:
        """The values of the rows that mark one key, several, or none, and the inputs with a mean beyond all floats."""
        pieces: list[tuple[Flags | None, Values]] = []
        single, several, overflow = counts == 1, counts > 1, None
        if single.all():
            return [(None, taken(values, marks.keys()))], None
        if single.any():
            pieces.append((single, taken(values, marks.keys()[single])))
        if several.any():
            means, overflow = self._means(node, marks, values, counts)
            pieces.append((None if several.all() else several, means if several.all() else means[several]))
        if not counts.all():
            none = counts == 0
            pieces.append((none, constant(node.default, int(none.sum()))))
        return pieces, overflow

    def _means(self, node: Aggregate, marks: Marks, values: Values, counts: Codes) -> tuple[Column, Flags | None]:
        """The means [N] where several keys are marked, and the inputs that have one too large for a float."""
        several = counts > 1
        given = numerators(values, self.ragged.longest)
        means = np.zeros(self.ragged.size)
        means[several], too_large = quotients(marks.totals(given.whole)[several], counts[several], given.shift)
        failed = np.zeros(self.ragged.size, dtype=bool)
        if too_large is not None:
            failed[several] = too_large
        if given.special is not None and given.plain:
            means = special_means(means, [marks.totals(flags.astype(np.int64)) for flags in given.special])
        elif given.special is not None:
            failed = self._plain_means(node, values, several, means)
        inputs = self.ragged.any(failed)
        return means, self._fails(inputs, lambda: EvaluationFault(node, "the mean is too large for a float"))

    def _plain_means(self, node: Aggregate, values: Values, several: Flags, means: Column) -> Flags:
        """Sets the means by the interpreter's rule, row by row, where nan or ±inf stand beside the largest floats.

        Not those of inputs where there is no mean, as other things than numbers stand in the column.
        """
        atoms, failed = expanded(values), np.zeros(len(means), dtype=bool)
        several = several & ~self.not_numbers(values)[self.ragged.row]
        for block in self.ragged.blocks():
            cells = self.selection.cells(node.selector, block)
            for query in (np.flatnonzero(several[block.queries]) + block.queries.start).tolist():
                start = int(self.ragged.first[query])
                own = atoms[start : start + block.length]
                try:
                    means[query] = mean(own[cells[:, query - block.queries.start]])
                except OverflowError:
                    failed[query] = True
        return failed


def numbered(tokens: Sequence[Atom]) -> Categorical:
    """The different tokens, and which one stands at each position."""
    if set(map(type, tokens)) == {str}:
        known: dict[Any, int] = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
        codes = np.fromiter(map(known.__getitem__, tokens), dtype=np.intp, count=len(tokens))
        return Categorical(_objects(list(known)), codes)
    known = {}
    codes = np.array([known.setdefault(atom_key(token), len(known)) for token in tokens], dtype=np.intp)
    first = np.unique(codes, return_index=True)[1]
    return Categorical(_objects([tokens[at] for at in first.tolist()]), codes)


def _objects(atoms: Sequence[Atom]) -> Column:
    result = np.empty(len(atoms), dtype=object)
    result[:] = atoms
    return result


def of_one_input(
    tokens: Sequence[Atom], relations: Mapping[str, Edges] | None = None, *, causal: bool = False
) -> Evaluation:
    """The evaluation of one input; an error is raised where a node has no value."""
    given, ragged = [relations or {}], Ragged(np.array([len(tokens)]))
    return Evaluation(numbered(tokens), ragged, given, causal=causal, strict=True)


def _label_means(
    node: AggregateLabels, ragged: Ragged, pairs: Pairs, columns: Sequence[Sequence[Any]]
) -> tuple[list[Atom], list[RaspError | None]]:
    """The values at all positions, and for each input why it has none; defaults stand there."""
    values: list[Atom] = []
    faults: list[RaspError | None] = []
    ends = np.searchsorted(pairs.queries, ragged.starts + ragged.lengths).tolist()
    begin = 0
    for start, length, end in zip(ragged.starts.tolist(), ragged.lengths.tolist(), ends, strict=True):
        part = slice(begin, end)
        labels, *terms = (list(values[part]) for values in columns)
        queries, keys = ((side[part] - start).tolist() for side in (pairs.queries, pairs.keys))
        try:
            values += label_means(node, length, queries, keys, labels, terms)
            faults.append(None)
        except RaspError as error:
            values += [node.default] * length
            faults.append(error)
        begin = end
    return values, faults


def _conversion(kind: str) -> Operation:
    return Operation(f"tokens_{kind}", 1, (), lambda token: convert(kind, token))


def _evaluated(op: Operation, columns: Sequence[Column]) -> tuple[Column, Flags | None]:
    """The operation on each tuple, and where it fails; some value of the right kind stands there."""
    try:
        return evaluate(op, columns), None
    except ElementFault:
        rows = list(zip(*(values.tolist() for values in columns), strict=True))
        found = [_attempt(op, row) for row in rows]
    filler = next((atom for atom in found if atom is not None), 0)
    return column([filler if atom is None else atom for atom in found]), np.array([atom is None for atom in found])


def _attempt(op: Operation, atoms: Sequence[Atom]) -> Atom | None:
    try:
        return evaluate_atoms(op, atoms)
    except ElementFault:
        return None


def _element_fault(
    node: SOp, op: Operation, columns: Sequence[Column], places: Codes, position: int
) -> EvaluationFault:
    atoms = [values[places[position] : places[position] + 1].tolist()[0] for values in columns]
    try:
        evaluate_atoms(op, atoms, position)
    except ElementFault as error:
        shown = () if isinstance(node, Tokens) else error.atoms
        return EvaluationFault(node, error.message, position, shown)
    raise AssertionError(f"{op.name} has a value after all")


def _order_fault(node: Select, keys: Column, queries: Column) -> EvaluationFault:
    """The error of the pair of atoms that the interpreter compares first."""
    key, query = (list(dict.fromkeys(_in_order(values).tolist())) for values in (keys, queries))
    for at in query:
        for other in key:
            try:
                COMPARISONS[node.op](other, at)
            except RaspError as error:
                return EvaluationFault(node, error.message)
    raise AssertionError(f"{node.op} has a value after all")


def _in_order(values: Column) -> Column:
    """The values in the order in which the interpreter compares them."""
    return values if values.dtype == object else np.unique(values)


class _Asked:
    """What a function of a key and a query says of the values that meet, and the first error it raises."""

    def __init__(self, node: Fits, keys: Sequence[Atom], queries: Sequence[Atom]) -> None:
        self.node, self.keys, self.queries = node, keys, queries
        self._known: dict[tuple[int, int], bool | None] = {}
        self._error: ElementFault | None = None

    def cells(self, keys: Codes, queries: Codes) -> tuple[Flags, bool]:
        """The cells [queries, keys] of one input, and whether the function fails on some of them."""
        key_codes, key_places = np.unique(keys, return_inverse=True)
        query_codes, query_places = np.unique(queries, return_inverse=True)
        said = [[self._says(key, query) for key in key_codes.tolist()] for query in query_codes.tolist()]
        grid = np.array([[answer is True for answer in row] for row in said])
        return grid[query_places[:, None], key_places[None, :]], any(answer is None for row in said for answer in row)

    def _says(self, key: int, query: int) -> bool | None:
        if (key, query) not in self._known:
            try:
                said = bool(evaluate_atoms(self.node.op, (self.keys[key], self.queries[query])))
                self._known[key, query] = said
            except ElementFault as error:
                self._known[key, query], self._error = None, self._error or error
        return self._known[key, query]

    def fault(self) -> EvaluationFault:
        assert self._error is not None
        return EvaluationFault(self.node, self._error.message, None, self._error.atoms)


def _made_of_selectors(evaluation: Evaluation, node: And | Or | Not) -> None:
    """Nothing: what such a selector selects is found when it is read."""


_RULES: Rules[Callable[[Evaluation, Any], Flags | None]] = Rules(
    "the evaluation of batches",
    {
        Tokens: Evaluation.of_tokens,
        Indices: Evaluation.of_indices,
        Constant: Evaluation.of_constant,
        Map: Evaluation.of_map,
        Aggregate: Evaluation.of_aggregate,
        AggregateLabels: Evaluation.of_labels,
        SelectorWidth: Evaluation.of_width,
        Select: Evaluation.of_select,
        Fits: Evaluation.of_fits,
        Relation: Evaluation.of_relation,
        LabelledRelation: Evaluation.of_labelled,
        Best: Evaluation.of_best,
        Prefer: Evaluation.of_prefer,
        And: _made_of_selectors,
        Or: _made_of_selectors,
        Not: _made_of_selectors,
    },
)

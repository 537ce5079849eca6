"""BatchRun: a program on many inputs at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from rasp.batch.columns import Categorical, factorized
from rasp.batch.evaluation import Evaluation, numbered
from rasp.batch.ragged import Codes, Flags, Ragged
from rasp.errors import DataFault, RaspError
from rasp.graph import Node, Selector, SOp
from rasp.interpret import Run
from rasp.operations import Atom, Column, column, is_atom
from rasp.relations import Edges, Graph, graph_of, relations_of
from rasp.vocabulary import parse_vocabulary

CHUNK = 1 << 16


@dataclass(frozen=True, eq=False)
class BatchColumn:
    """An s-op on a batch: `levels[codes[b, t]]` at position t of input b, where `defined[b]` and t is in the input.

    codes [B, T] are −1 beyond the end of an input; where the s-op has no value they mean nothing.
    """

    levels: Column
    codes: Codes
    lengths: Codes
    defined: Flags

    def lists(self) -> list[list[Atom] | None]:
        """The values on each input, None where there are none."""
        atoms = self.levels.astype(object)
        rows = zip(self.codes, self.lengths.tolist(), self.defined.tolist(), strict=True)
        return [atoms[codes[:length]].tolist() if defined else None for codes, length, defined in rows]


class BatchRun:
    """Inputs `vocab[ids[b, t]]` for t below `lengths[b]` (all of them where no lengths are given), ids [B, T], with
    `relations[b]` between their positions where programs read any.

    What a `Run` of each input would give, for all of them in one go: elementwise operations once for each distinct
    tuple of values, selectors as what they compare. DataFault for no inputs, an empty one, and ids beyond the
    vocabulary (its tokens, or a text such as `a-z`). `causal` masks every selector to keys at or before the query.
    """

    def __init__(
        self,
        vocab: str | Iterable[Atom],
        ids: Codes,
        lengths: Codes | None = None,
        relations: Sequence[Mapping[str, Edges]] = (),
        *,
        causal: bool = False,
    ) -> None:
        self.ids: Codes = np.asarray(ids, dtype=np.intp)
        rows, width = self.ids.shape
        self.lengths: Codes = np.full(rows, width) if lengths is None else np.asarray(lengths, dtype=np.intp)
        self.vocabulary: tuple[Atom, ...] = parse_vocabulary(vocab) if isinstance(vocab, str) else tuple(vocab)
        self.causal: bool = causal
        self.relations = relations
        self._given = np.arange(width) < self.lengths[:, None]
        self._check()
        self._order = np.argsort(self.lengths, kind="stable")
        tokens = np.empty(len(self.vocabulary), dtype=object)
        tokens[:] = self.vocabulary
        codes = self.ids[self._order][self._given[self._order]]
        given = [relations[row] for row in self._order.tolist()] if relations else ()
        ragged = Ragged(self.lengths[self._order])
        self._evaluation = Evaluation(Categorical(tokens, codes), ragged, given, causal=causal)

    @classmethod
    def of(cls, inputs: Sequence[Sequence[Atom] | Mapping[str, Any]], *, causal: bool = False) -> BatchRun:
        """The batch of these inputs, which may be graphs; the vocabulary is what occurs in them."""
        rows = [graph_of(given) or cast("Sequence[Atom]", given) for given in inputs]
        lengths = np.array(list(map(len, rows)), dtype=np.intp)
        tokens = [token for given in rows for token in given]
        if not tokens or not lengths.all():
            raise DataFault("a batch needs inputs, and an input needs at least one token")
        for token in tokens:
            if not is_atom(token):
                raise DataFault(f"a token of the inputs is a {type(token).__name__}, not a string or a number")
        found = numbered(tokens)
        ids = np.zeros((len(rows), int(lengths.max())), dtype=np.intp)
        ids[np.arange(ids.shape[1]) < lengths[:, None]] = found.codes
        return cls(found.levels.tolist(), ids, lengths, _relations(rows), causal=causal)

    def _check(self) -> None:
        if not len(self.lengths) or self.lengths.min() < 1 or self.lengths.max() > self.ids.shape[1]:
            raise DataFault(f"a batch needs inputs of 1 to {self.ids.shape[1]} tokens")
        used = self.ids[self._given]
        if used.min() < 0 or used.max() >= len(self.vocabulary):
            raise DataFault(f"ids are places in the vocabulary, 0 to {len(self.vocabulary) - 1}")
        if not self.relations:
            return
        if len(self.relations) != len(self.lengths):
            raise DataFault(f"{len(self.lengths)} inputs need relations for each, found {len(self.relations)}")
        for length, relations in zip(self.lengths.tolist(), self.relations, strict=True):
            wrong = next((edges.length for edges in relations.values() if edges.length != length), None)
            if wrong is not None:
                raise DataFault(f"a relation of an input of {length} tokens is over {wrong} positions")

    def __len__(self) -> int:
        return len(self.lengths)

    def given(self, index: int) -> Sequence[Atom]:
        """One input: a graph where it has relations, else the list of its tokens."""
        relations = self.relations[index] if self.relations else {}
        return Graph(self.tokens(index), relations) if relations else self.tokens(index)

    def tokens(self, index: int) -> list[Atom]:
        """The tokens of one input."""
        return [self.vocabulary[number] for number in self.ids[index, : self.lengths[index]].tolist()]

    def sop(self, node: SOp) -> BatchColumn:
        """The values of an s-op on all inputs."""
        levels, codes = factorized(self._evaluation.values(node))
        return BatchColumn(levels, self._placed(codes, -1), self.lengths, self.defined(node))

    def numbers(self, node: SOp) -> Column | None:
        """The values [B, T] of an s-op that are all of one numeric type, 0 beyond an input's end; else None."""
        values = self._evaluation.values(node)
        return None if isinstance(values, Categorical) else self._placed(values, 0)

    def defined(self, node: Node) -> Flags:
        """The inputs [B] on which the node has a value."""
        result = np.empty(len(self), dtype=bool)
        result[self._order] = ~self._evaluation.failed(node)
        return result

    def error(self, node: Node, index: int) -> RaspError | None:
        """Why the node has no value on an input; None where it has one."""
        run = Run(self.given(index), causal=self.causal)
        try:
            run.selector(node) if isinstance(node, Selector) else run.sop(node)  # type: ignore[arg-type]
        except RaspError as error:
            return error
        return None

    def selector(self, node: Selector) -> Flags:
        """The cells [B, T, T] of a selector: row = query, column = key; none beyond the end of an input."""
        width = self.ids.shape[1]
        result = np.zeros((len(self), width, width), dtype=bool)
        for block, cells in self._evaluation.cells(node):
            shape = (block.length, block.inputs, -1)
            inputs = self._order[block.first_input : block.first_input + block.inputs]
            queries = slice(block.offset, block.offset + cells.reshape(shape).shape[2])
            result[inputs, queries, : block.length] = cells.reshape(shape).transpose(1, 2, 0)
        return result

    def _placed(self, values: Column, filler: Any) -> Column:
        """Values of all positions at their inputs: [B, T]."""
        result = np.full(self.ids.shape, filler, dtype=values.dtype)
        rows = np.full_like(result, filler)
        rows[self._given[self._order]] = values
        result[self._order] = rows
        return result


def _relations(inputs: Sequence[Sequence[Atom]]) -> Sequence[Mapping[str, Edges]]:
    """The relations of each input; nothing at all where none has any."""
    found = list(map(relations_of, inputs))
    return found if any(found) else ()


def runs(node: SOp, inputs: Iterable[Sequence[Atom]], *, causal: bool = False) -> Iterator[Run]:
    """A Run for each input, which knows what the s-op is there if that could be found for many inputs at once."""
    waiting = iter(inputs)
    while chunk := _chunk(waiting):
        try:
            known = BatchRun.of(chunk, causal=causal).sop(node).lists() if len(chunk) > 1 else [None]
        except RaspError:
            known = [None] * len(chunk)
        for given, values in zip(chunk, known, strict=True):
            run = Run(given, causal=causal)
            if values is not None:
                run.know(node, column(values))
            yield run


def _chunk(inputs: Iterator[Sequence[Atom]]) -> list[Sequence[Atom]]:
    """The next inputs: as many as have CHUNK tokens together, and one more."""
    found: list[Sequence[Atom]] = []
    size = 0
    while size < CHUNK and (given := next(inputs, None)) is not None:
        found.append(given)
        size += len(given)
    return found

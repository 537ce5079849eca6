"""Random programs of a dozen s-ops, each made of earlier ones, as people write them: few operations a line.

They are drawn like those of `random_graphs`, each from one seed. Most lines are read by later ones, so that the last is
a composition of six or more steps.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from rasp.batch.run import BatchRun
from rasp.graph import SOp, apply, where
from rasp.operations import Atom
from tests.random_graphs import VOCABULARIES, Branch, Case, Grower

LINES = 12
_INPUTS = 10
_TRIES = 8
_WEIGHTS = {"number": 5, "boolean": 3, "text": 2}


def random_program(seed: int, *, lines: int = LINES, longest: int = 6) -> Case:
    """The case of a seed: its root is the last of `lines` s-ops."""
    rng = random.Random(seed)
    vocabulary = rng.choice(VOCABULARIES)
    max_length = rng.randint(1, longest)
    dtype = rng.choice(["float32", "float64"])
    causal = rng.random() < 0.2
    drawn = tuple(tuple(rng.choice(vocabulary) for _ in range(rng.randint(1, max_length))) for _ in range(_INPUTS - 1))
    inputs = ((vocabulary[0],) * max_length, *drawn)
    author = Author(rng, vocabulary, inputs, causal)
    for _ in range(lines - 1):
        author.line(rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0])
    return Case(seed, author.last_line(), vocabulary, max_length, dtype, causal, inputs)


class Author(Grower):
    """Writes one s-op after the other. Where one is read, it is mostly one that nothing has read so far."""

    def __init__(
        self, rng: random.Random, vocabulary: Sequence[Atom], inputs: Sequence[Sequence[Atom]], causal: bool
    ) -> None:
        super().__init__(rng, vocabulary)
        self.inputs, self.causal = inputs, causal
        self.lines: dict[str, list[SOp]] = {kind: [] for kind in _WEIGHTS}
        self.unread: dict[str, list[SOp]] = {kind: [] for kind in _WEIGHTS}

    def line(self, kind: str) -> SOp:
        """A new s-op of a kind, with a value on some input: one or two operations on what there is."""
        for _ in range(_TRIES):
            unread = dict(self.unread)
            found: SOp = getattr(self, kind)(self.rng.choice([1, 1, 2]))
            if kind == "number" and self.rng.random() < 0.5:
                found = apply("%", apply("round", found), self.rng.choice([2, 3, 5]))
            if self._has_values(found):
                break
            self.unread = unread
        self.lines[kind].append(found)
        self.unread[kind] = [*self.unread[kind], found]
        return found

    def _has_values(self, line: SOp) -> bool:
        found = BatchRun.of(self.inputs, causal=self.causal).sop(line).lists()
        return any(values is not None for values in found)

    def last_line(self) -> SOp:
        """What reads lines of each kind, if there are any: else it makes them."""
        test, one, other = (self._read(kind) for kind in ("boolean", "number", "number"))
        if not self.lines["text"] or self.rng.random() < 0.5:
            return where(test, one, apply("+", one, other))
        text = self._read("text")
        return where(test, text, where(apply("<", one, other), apply("+", text, text), text))

    def _read(self, kind: str) -> SOp:
        found = self._earlier(kind)
        return self.line(kind) if found is None else found

    def _grow(self, kind: str, depth: int, leaves: Sequence[SOp], branches: Sequence[Branch]) -> SOp:
        if depth > 0:
            (branch,) = self.rng.choices([b for _, b in branches], [weight for weight, _ in branches])
            return branch(depth - 1)
        earlier = self._earlier(kind) if self.rng.random() < 0.7 else None
        return self.rng.choice(leaves) if earlier is None else earlier

    def _earlier(self, kind: str) -> SOp | None:
        """A line that nothing has read so far, if there is one, else any line."""
        pool = self.unread[kind] or self.lines[kind]
        if not pool:
            return None
        found = self.rng.choice(pool)
        self.unread[kind] = [line for line in self.unread[kind] if line is not found]
        return found

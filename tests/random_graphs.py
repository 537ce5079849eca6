"""Random programs, each drawn from one seed: an s-op, a vocabulary, a maximum length, a dtype, and inputs."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rasp.graph import (
    Selector,
    SOp,
    aggregate,
    apply,
    full,
    indicator,
    indices,
    length,
    select,
    select_best,
    selector_width,
    sop,
    tokens,
    tokens_asis,
    tokens_bool,
    tokens_float,
    tokens_int,
    where,
)
from rasp.operations import Atom, Operation, is_atom
from rasp.printing import expression

VOCABULARIES: tuple[tuple[Atom, ...], ...] = (
    ("a", "b"),
    ("a", "b", "c"),
    ("(", ")"),
    ("x",),
    ("0", "1", "2"),
    ("", "ab", "b"),
    (0, 1, 2),
    (-1, 0, 2),
    (7,),
    (True, False),
    (0.5, 1.5, -2.0),
    (1, 0.25, True),
    ("a", 1),
)
LENGTHS = (1, 2, 3, 4, 5, 8, 13)
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_INPUTS = 10

Branch: TypeAlias = "tuple[int, Callable[[int], SOp]]"


@dataclass(frozen=True)
class Case:
    """A program with all that is needed to compile it, and inputs to compare on."""

    seed: int
    root: SOp
    vocabulary: tuple[Atom, ...]
    max_length: int
    dtype: str
    causal: bool
    inputs: tuple[Sequence[Atom], ...]

    def __str__(self) -> str:
        text = expression(self.root, limit=5_000)
        causal = ", causal" if self.causal else ""
        return f"seed {self.seed}: {text} over {list(self.vocabulary)}, length {self.max_length}, {self.dtype}{causal}"


def random_case(seed: int, *, longest: int = 13, depth: int = 4) -> Case:
    """The case of a seed; the deepest programs get short inputs. The same seed and limits give the same case."""
    rng = random.Random(seed)
    vocabulary = rng.choice(VOCABULARIES)
    depth = rng.randint(min(2, depth), depth)
    max_length = rng.choice([n for n in LENGTHS if n <= (longest if depth < 4 else min(longest, 5))])
    dtype = rng.choice(["float32", "float64"])
    causal = rng.random() < 0.2
    root = Grower(rng, vocabulary).any(depth)
    inputs = tuple(tuple(rng.choice(vocabulary) for _ in range(rng.randint(1, max_length))) for _ in range(_INPUTS - 1))
    return Case(seed, root, vocabulary, max_length, dtype, causal, ((vocabulary[0],) * max_length, *inputs))


class Grower:
    """Grows s-ops of a wanted type and at most a wanted depth; what was grown before may be used again."""

    def __init__(self, rng: random.Random, vocabulary: Sequence[Atom]) -> None:
        self.rng = rng
        self.vocabulary = vocabulary
        self.numeric = all(not isinstance(token, str) for token in vocabulary)
        self.digits = all(isinstance(token, str) and token.isdecimal() for token in vocabulary)
        self.known: dict[str, list[SOp]] = {"number": [], "boolean": [], "text": []}
        self.selectors: list[Selector] = [full]

    def any(self, depth: int) -> SOp:
        """An s-op of any type."""
        return self.rng.choice([self.number, self.boolean, self.text])(depth)

    def number(self, depth: int) -> SOp:
        leaves = [indices, indices, length, *map(sop, (0, 1, 2, -1, 3, 0.5))]
        leaves += [tokens_int, tokens_asis, tokens_float] if self.numeric else [tokens_int] * self.digits
        branches: list[Branch] = [
            (3, lambda d: selector_width(self.selector(d))),
            (4, lambda d: aggregate(self.selector(d), self.number(d), self.default(0, 0, 1, -1, 0.5))),
            (2, self._two_of_one_selector),
            (2, lambda d: indicator(self.boolean(d))),
            (2, lambda d: where(self.boolean(d), self.number(d), self.number(d))),
            (1, lambda d: apply("%", self.number(d), self.rng.choice([2, 3]))),
            (1, lambda d: apply("round", self.number(d))),
            (1, lambda d: apply("/", self.number(d), self.number(d))),
            (1, lambda d: apply("^", self.number(d), 2)),
            (1, lambda d: apply("neg", self.number(d))),
            (1, lambda d: apply(Operation.element([5, 3, 5, 2]), apply("%", self.number(d), 4))),
            (1, lambda d: apply(Operation.entry([(token, n) for n, token in enumerate(self.vocabulary)]), tokens_asis)),
            (6, lambda d: apply(self.rng.choice("+-*"), self.number(d), self.number(d))),
        ]
        return self._grow("number", depth, leaves, branches)

    def boolean(self, depth: int) -> SOp:
        leaves = [self._is_token(), self._is_token(), apply("<", indices, 2), sop(True)]
        leaves += [tokens_bool] * self.numeric
        branches: list[Branch] = [
            (4, lambda d: apply(self.rng.choice(COMPARISONS), self.number(d), self.number(d))),
            (2, lambda d: apply(self.rng.choice(COMPARISONS), self.text(d), self.text(d))),
            (3, lambda d: apply(self.rng.choice(["and", "or"]), self.boolean(d), self.boolean(d))),
            (1, lambda d: apply("not", self.boolean(d))),
            (1, lambda d: aggregate(self.selector(d), self.boolean(d), self.default(False, True, 0))),
            (1, lambda d: apply(Operation.member(["a", "", 1, 0.5]), self.any(d))),
        ]
        return self._grow("boolean", depth, leaves, branches)

    def text(self, depth: int) -> SOp:
        leaves = [tokens, tokens, sop("a"), sop("")]
        branches: list[Branch] = [
            (4, lambda d: aggregate(self.selector(d), self.text(d), self.default("", "z", "a", 0))),
            (2, lambda d: where(self.boolean(d), self.text(d), self.text(d))),
            (2, lambda d: apply("+", self.text(d), self.text(d))),
            (1, lambda d: apply("*", self.text(d), self.rng.choice([0, 1, 2]))),
            (1, lambda d: apply(Operation.element("wxyz"), apply("%", self.number(d), 4))),
        ]
        return self._grow("text", depth, leaves, branches)

    def selector(self, depth: int) -> Selector:
        if self.rng.random() < 0.15:
            return self.rng.choice(self.selectors)
        branches: list[tuple[int, Callable[[int], Selector]]] = [
            (2, lambda d: select(tokens, tokens, self.rng.choice(COMPARISONS))),
            (3, lambda d: select(indices, indices, self.rng.choice(COMPARISONS))),
            (2, lambda d: select(self.boolean(d), self.rng.choice([sop(True), self.boolean(d)]), "==")),
            (5, lambda d: select(self.number(d), self.number(d), self.rng.choice(COMPARISONS))),
            (1, lambda d: select(self.text(d), self.text(d), self.rng.choice(COMPARISONS))),
        ]
        if depth > 0:
            branches += [
                (2, lambda d: self.selector(d) & self.selector(d)),
                (2, lambda d: self.selector(d) | self.selector(d)),
                (1, lambda d: ~self.selector(d)),
                (1, lambda d: select_best(self.selector(d), self.number(d))),
                (2, self._beside_best),
            ]
        (branch,) = self.rng.choices([b for _, b in branches], [weight for weight, _ in branches])
        found = branch(max(depth - 1, 0))
        self.selectors.append(found)
        return found

    def _beside_best(self, depth: int) -> Selector:
        """select_best with conditions around it, written in one of several ways; most are what one head computes."""
        best = select_best(self.selector(depth), self.rng.choice([self.number(depth), indices, -indices]))
        condition = self.selector(depth)
        shape = self.rng.randrange(8)
        if shape == 0:
            return ~(~best | condition)
        if shape == 1:
            return (best & condition) | (self.selector(depth) & best)
        if shape == 2:
            return select_best(best & condition, self.number(depth))
        if shape == 3:
            return self.rng.choice([~best, best | condition, condition & ~best])
        return self.rng.choice([best & condition, condition & best])

    def default(self, *choices: Atom) -> Atom:
        return self.rng.choice(choices)

    def _two_of_one_selector(self, depth: int) -> SOp:
        selector = self.selector(depth)
        first, second = (aggregate(selector, self.number(depth)) for _ in range(2))
        return apply(self.rng.choice(["+", "-", "<", "=="]), first, second)

    def _is_token(self) -> SOp:
        token = self.rng.choice(self.vocabulary)
        assert is_atom(token)
        return apply("==", tokens_asis, token)

    def _grow(self, kind: str, depth: int, leaves: Sequence[SOp], branches: Sequence[Branch]) -> SOp:
        if self.known[kind] and self.rng.random() < 0.12:
            return self.rng.choice(self.known[kind])
        if depth <= 0 or self.rng.random() < 0.15:
            return self.rng.choice(leaves)
        (branch,) = self.rng.choices([b for _, b in branches], [weight for weight, _ in branches])
        found = branch(depth - 1)
        self.known[kind].append(found)
        return found

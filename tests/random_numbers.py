"""Random programs about numbers: magnitudes from 1e-12 to 1e18, near-equal floats, mixed types, sums that cancel.

They are drawn like those of `random_graphs`, each from one seed, and aim at what rounding, overflow and the types of
numbers can get wrong.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

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
    tokens_asis,
    tokens_bool,
    tokens_float,
    tokens_int,
    where,
)
from rasp.operations import Atom, Operation, atom_key
from tests.random_graphs import COMPARISONS, Branch, Case, Grower

POOLS: tuple[tuple[Atom, ...], ...] = (
    (0.1, 0.2, 0.3, 0.1 + 0.2, 0.7, 0.6, 1.1, 2.2, 3.3),
    (1.0, 1.00000000000009, 1.00000000000018, 1.0000000000000002, 0.9999999999999999),
    (1 / 3, 2 / 3, 1 - 2 / 3, 2 / 3 - 1 / 3, 1.0, 1),
    (2**53, 2**53 + 1, 2**53 - 1, 2.0**53, -(2**53) - 1, 1, 0),
    (2**63, 2**63 - 1, -(2**63), 2**63 + 1, 2**64, 2.0**63, 1),
    (10**16, 10**18, 10**18 + 1, 10**25, 1, 2, -1, 1e16),
    (0.5, 1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 0.5000000000000001),
    (1000000.1, 1000000.2, 1000000.5, 0.1, -1000000.5, 1e6),
    (0.0, -0.0, 0, 1, -1, 0.1, -0.1),
    (True, False, 0, 1, 1.0, 0.0, 2, 0.5),
    ("a", "1", 1, 1.0, True, 0.5, 2),
    (0, 1, 2, 3, -1),
    (0.25, 0.5, 1, 2, -3.0),
    ("a", "b"),
    ("0", "1", "12"),
)
MANTISSAS = (1, 2, 3, 5, 1.5, 0.1, 7.3, 1 / 3)
BIG = (10, 1000, 10**6, 1e6, 10**9, 1e12, 2**40, 2**53, 10**16, 1e18, 10**18)
SMALL = (0.1, 0.2, 0.3, 0.1 + 0.2, 0.5, 1e-3, 1e-6, 1e-9, 1e-12, 1 / 3, -0.0, -0.1)
PLAIN = (0, 1, 2, 3, -1, -2, 1.0, 0.25)
DEFAULTS: tuple[Atom, ...] = (0, 0, 0.0, 1, -1, -999, 1e6, -1e-9, 10**17, True)
_INPUTS = 24


def random_numbers(seed: int) -> Case:
    """The case of a seed. All inputs up to a few dozen, or those of one token, of equal tokens, and random ones."""
    rng = random.Random(seed)
    vocabulary = random_vocabulary(rng)
    max_length = rng.choice([1, 2, 2, 3, 3, 4, 5, 8])
    dtype = rng.choice(["float32", "float64"])
    causal = rng.random() < 0.25
    grower = NumberGrower(rng, vocabulary)
    root = rng.choice([grower.number, grower.number, grower.boolean, grower.any])(rng.choice([1, 2, 2, 3, 3, 4]))
    return Case(seed, root, vocabulary, max_length, dtype, causal, _inputs(rng, vocabulary, max_length))


def random_vocabulary(rng: random.Random) -> tuple[Atom, ...]:
    """One to four tokens: out of one pool, or numbers of any magnitude, or some of both."""
    size = rng.choice([1, 2, 2, 3, 3, 4])
    pool = rng.choice(POOLS)
    draw: Sequence[Callable[[], Atom]] = (lambda: rng.choice(pool), lambda: magnitude(rng))
    share = rng.choice([0.0, 0.0, 0.3, 1.0])
    found = [draw[rng.random() < share]() for _ in range(size)]
    return tuple({atom_key(token): token for token in found}.values())


def magnitude(rng: random.Random) -> int | float:
    """A number from about 1e-12 to 1e18 of either sign, an int where it can be one, half of the times."""
    sign, mantissa, exponent = rng.choice([1, 1, -1]), rng.choice(MANTISSAS), rng.randint(-12, 18)
    if exponent >= 0 and rng.random() < 0.5:
        return sign * int(round(mantissa * 2) * 10**exponent)
    return sign * mantissa * 10.0**exponent


def _inputs(rng: random.Random, vocabulary: Sequence[Atom], longest: int) -> tuple[tuple[Atom, ...], ...]:
    if sum(len(vocabulary) ** n for n in range(1, longest + 1)) <= _INPUTS:
        return tuple(tokens for n in range(1, longest + 1) for tokens in itertools.product(vocabulary, repeat=n))
    equal = [(token,) * n for token in vocabulary for n in {1, longest}]
    rest = max(4, _INPUTS - len(equal))
    drawn = [tuple(rng.choice(vocabulary) for _ in range(rng.randint(2, longest))) for _ in range(rest)]
    return tuple(dict.fromkeys([*equal, *drawn]))


class NumberGrower(Grower):
    """Grows s-ops that are mostly numbers, with constants and defaults of all sizes."""

    def constant(self) -> int | float:
        """A number of the vocabulary, or a plain, small, big or any one."""
        own = [token for token in self.vocabulary if not isinstance(token, str)]
        pools: list[Callable[[], int | float]] = [
            lambda: self.rng.choice(PLAIN),
            lambda: self.rng.choice(SMALL),
            lambda: self.rng.choice(BIG),
            lambda: magnitude(self.rng),
            lambda: self.rng.choice(own or PLAIN),
        ]
        return self.rng.choices(pools, [4, 3, 3, 1, 4])[0]()

    def number(self, depth: int) -> SOp:
        leaves = [indices, length, *(sop(self.constant()) for _ in range(3))]
        leaves += [tokens_float, tokens_float, tokens_asis, tokens_asis, tokens_int] if self.numeric else []
        leaves += [tokens_int, tokens_float] if self.digits else []
        branches: list[Branch] = [
            (9, lambda d: aggregate(self.selector(d), self.number(d), self.rng.choice(DEFAULTS))),
            (2, lambda d: aggregate(full, self.number(d))),
            (1, lambda d: selector_width(self.selector(d))),
            (2, self._two_of_one_selector),
            (6, self._cancelling),
            (4, self._both_signs),
            (5, lambda d: apply(self.rng.choice("+-*"), self.number(d), self.number(d))),
            (4, lambda d: apply(self.rng.choice("+-*/"), self.number(d), self.constant())),
            (1, lambda d: apply("/", self.number(d), self.number(d))),
            (3, lambda d: apply("%", self.number(d), self.rng.choice([1, 2, 0.1, 0.5, 0.3, -3, 1e6, self.constant()]))),
            (3, self._rounded),
            (1, lambda d: apply("^", self.number(d), self.rng.choice([2, 3, 0.5, -1]))),
            (1, lambda d: apply("^", self.rng.choice([2, 10, 10.0]), apply("*", indices, self.rng.choice([1, 4, -3])))),
            (1, lambda d: apply("neg", self.number(d))),
            (2, lambda d: indicator(self.boolean(d))),
            (3, lambda d: where(self.boolean(d), self.number(d), self.number(d))),
            (3, self._looked_up),
            (
                1,
                lambda d: apply(
                    Operation.element([5, 3.5, 10**17, -0.0]), apply("%", apply("round", self.number(d)), 4)
                ),
            ),
        ]
        return self._grow("number", depth, leaves, branches)

    def boolean(self, depth: int) -> SOp:
        leaves = [self._is_token(), apply("<", indices, 1), apply("==", tokens_asis, self.constant()), sop(True)]
        leaves += [tokens_bool] * self.numeric
        branches: list[Branch] = [
            (4, lambda d: apply(self.rng.choice(COMPARISONS), self.number(d), self.number(d))),
            (4, lambda d: apply(self.rng.choice(COMPARISONS), self.number(d), self.constant())),
            (4, self._still_equal),
            (1, lambda d: apply(self.rng.choice(["and", "or"]), self.boolean(d), self.boolean(d))),
            (1, lambda d: apply("not", self.rng.choice([self.boolean, self.number])(d))),
            (1, lambda d: aggregate(self.selector(d), self.boolean(d), self.rng.choice((False, True, 0)))),
            (2, lambda d: apply(Operation.member([self.constant() for _ in range(3)]), self.number(d))),
        ]
        return self._grow("boolean", depth, leaves, branches)

    def selector(self, depth: int) -> Selector:
        plain: list[Callable[[], Selector]] = [
            lambda: full,
            lambda: select(indices, indices, self.rng.choice(COMPARISONS)),
            lambda: select(indices, self.rng.choice([sop(0), indices - 1, length - 1 - indices, indices + 1]), "=="),
            lambda: select(tokens_asis, tokens_asis, self.rng.choice(["==", "!="])),
            lambda: select(tokens_asis, sop(self.rng.choice(self.vocabulary)), "=="),
            lambda: select(self.number(min(depth, 1)), self.number(min(depth, 1)), self.rng.choice(COMPARISONS)),
            lambda: select_best(full, self.number(min(depth, 1))),
        ]
        if self.rng.random() < 0.75:
            return self.rng.choices(plain, [5, 4, 4, 2, 2, 3, 2])[0]()
        return super().selector(min(depth, 1))

    def _cancelling(self, depth: int) -> SOp:
        """A number with something put on and taken off again, or the difference of two, made large."""
        x, c = self.number(depth), self.constant()
        shapes: list[Callable[[], SOp]] = [
            lambda: apply("+", apply("-", x, c), c),
            lambda: apply("-", apply("+", x, c), c),
            lambda: apply("-", apply("*", apply("/", x, 10), 10), x),
            lambda: apply("/", apply("*", x, c), c),
            lambda: apply("-", x, c),
            lambda: apply("*", apply("-", x, self.number(depth)), self.rng.choice(BIG)),
            lambda: apply("-", apply("+", x, apply("*", x, 2)), apply("*", x, 3)),
        ]
        return self.rng.choice(shapes)()

    def _both_signs(self, depth: int) -> SOp:
        """The mean of values of both signs."""
        value = self.number(depth)
        condition = self.rng.choice([apply("==", apply("%", indices, 2), 0), self.boolean(min(depth, 1))])
        return aggregate(self.selector(depth), where(condition, value, apply("neg", value)))

    def _rounded(self, depth: int) -> SOp:
        x = self.number(depth)
        shapes: list[Callable[[], SOp]] = [
            lambda: apply("round", x),
            lambda: apply("/", apply("round", apply("*", x, 2)), 2),
            lambda: apply("round", apply("+", x, 0.5)),
            lambda: apply("%", apply("+", x, 0.5), 1),
        ]
        return self.rng.choice(shapes)()

    def _still_equal(self, depth: int) -> SOp:
        """Whether a number is what it was, or another that differs by rounding only."""
        x, c = self.number(depth), self.constant()
        shapes: list[Callable[[], SOp]] = [
            lambda: apply(self.rng.choice(COMPARISONS), apply("+", apply("-", x, c), c), x),
            lambda: apply("==", apply("-", apply("+", x, c), x), c),
            lambda: apply("==", apply("-", apply("*", apply("/", x, 10), 10), x), 0),
            lambda: apply(self.rng.choice(COMPARISONS), apply("+", x, 0.1 + 0.2), apply("+", x, 0.3)),
            lambda: apply("==", apply("*", x, 1.0), x),
        ]
        return self.rng.choice(shapes)()

    def _looked_up(self, depth: int) -> SOp:
        """A dictionary at tokens, or a choice by whether a number is one of its keys before it is looked up."""
        if self.rng.random() < 0.5:
            table = Operation.entry([(token, self.constant()) for token in self.vocabulary])
            return apply(table, tokens_asis)
        x = self.number(depth)
        keys = [self.constant() for _ in range(2)] + [0.1 + 0.2, 0.3, 1, 0]
        return apply(
            Operation.entry([(key, n) for n, key in enumerate(keys)]), where(apply(Operation.member(keys), x), x, 0)
        )

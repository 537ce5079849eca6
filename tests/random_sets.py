"""Random programs with sets: lists of boolean s-ops, selectors that ask for their members, and whether many hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import reduce
from operator import and_, or_

from rasp.graph import (
    Selector,
    SOp,
    aggregate,
    full,
    indicator,
    indices,
    select,
    select_best,
    selector_width,
    sop,
    tokens,
    where,
)
from rasp.operations import Atom
from tests.random_graphs import Case

LETTERS = "abcdef"


class Programs:
    """Draws sets and what asks for them."""

    def __init__(self, chance: random.Random, letters: str, longest: int) -> None:
        self.chance, self.letters, self.longest = chance, letters, longest
        self.members = [self.boolean() for _ in range(chance.randint(2, 6))]

    def selector(self) -> Selector:
        """Some keys."""
        before = select(indices, indices, self.chance.choice(("<", "<=", "!=")))
        return self.chance.choice((before, before, full, select(tokens, tokens), before & select(tokens, tokens)))

    def boolean(self) -> SOp:
        """A boolean s-op of one of several kinds."""
        letter = self.chance.choice(self.letters)
        seen = aggregate(self.selector(), indicator(tokens == letter)) > 0
        many = selector_width(self.selector()) > self.chance.randint(0, 2)
        found = self.chance.choice((seen, seen, seen, many, tokens == letter, indices > self.chance.randint(0, 2)))
        return ~found if self.chance.random() < 0.2 else found

    def identity(self) -> tuple[SOp, list[Atom]]:
        """What tells who a key or a query is, and what that may be."""
        before = aggregate(select(indices, indices - 1, "=="), tokens, "-")
        places: list[Atom] = list(range(self.longest + 1))
        return self.chance.choice(((tokens, [*LETTERS]), (before, [*LETTERS, "-"]), (indices, places)))

    def clause(self, identity: SOp, value: Atom, member: SOp, by_keys: bool) -> Selector:
        """Keys (or queries) of one identity, if a member is in the set of the query (or key)."""
        one, other = (identity, value) if self.chance.random() < 0.7 else (identity == value, True)
        who = select(one, other) if by_keys else select(other, one)
        there = select(True, member) if by_keys else select(member, True)
        if self.chance.random() < 0.2:
            return ~(~who | ~there)
        return who & there if self.chance.random() < 0.5 else there & who

    def inside(self) -> Selector:
        """The keys that are in the set of a query, or have the query in theirs, perhaps among others."""
        identity, values = self.identity()
        by_keys = self.chance.random() < 0.6
        pairs = [(self.chance.choice(values), member) for member in self.members]
        found = reduce(or_, [self.clause(identity, *pair, by_keys) for pair in pairs])
        kind = self.chance.random()
        if kind < 0.2:
            return ~found
        if kind < 0.4:
            return found & self.selector()
        return found | select(tokens, tokens) if kind < 0.5 else found

    def next_round(self) -> None:
        """The members as the union of those of the keys in the set."""
        inside = self.inside()
        self.members = [aggregate(inside, indicator(member)) > 0 for member in self.members]

    def chain(self) -> SOp:
        """Whether all of the members hold, or any, or how many come before the first."""
        kind = self.chance.choice((and_, or_))
        held = [~member if self.chance.random() < 0.4 else member for member in self.members]
        if self.chance.random() < 0.3:
            return sum((indicator(reduce(kind, held[: at + 1])) for at in range(1, len(held))), indicator(held[0]))
        return reduce(kind, held)

    def first(self) -> SOp:
        """An int for the first of the members that holds."""
        found: SOp | int = self.chance.randint(-2, 7)
        for member in self.members:
            value = self.chance.randint(-2, 7)
            found = where(member, value, found) if self.chance.random() < 0.7 else where(member, found, value)
        return sop(found)

    def root(self) -> SOp:
        """What is computed in the end."""
        for _ in range(self.chance.randint(0, 1)):
            self.next_round()
        made: list[Callable[[], SOp]] = [
            lambda: selector_width(self.inside()),
            lambda: aggregate(self.inside(), indices, -1),
            lambda: aggregate(select_best(self.inside(), indices), tokens, "-"),
            lambda: indicator(aggregate(self.inside(), indicator(self.members[0])) > 0) + indicator(self.members[1]),
            self.chain,
            self.first,
            lambda: where(self.chain() == 0, indices, -1),
        ]
        return self.chance.choice(made)()


def random_sets(seed: int) -> Case:
    """The case of a seed."""
    chance = random.Random(f"sets {seed}")
    letters = LETTERS[: chance.randint(2, 6)]
    longest = chance.randint(2, 5)
    root = Programs(chance, letters, longest).root()
    inputs = ["".join(chance.choice(letters) for _ in range(chance.randint(1, longest))) for _ in range(8)]
    dtype = "float64" if chance.random() < 0.2 else "float32"
    return Case(seed, root, tuple(letters), longest, dtype, chance.random() < 0.2, tuple(map(tuple, inputs)))

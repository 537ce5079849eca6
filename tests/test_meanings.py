"""What the programs in programs/ say they compute, against plain Python, on random inputs."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from rasp.interpret import run
from rasp.language.program import load_program

PROGRAMS = Path(__file__).parent.parent / "programs"
ROUNDS = 200
SIZES = ["XS", "S", "M", "L", "XL"]


def dyck(tokens: Sequence[str]) -> list[str]:
    partner = {")": "(", "]": "[", "}": "{"}
    stack: list[str] = []
    found: list[str] = []
    for token in tokens:
        if token not in partner:
            stack.append(token)
        elif not stack or stack.pop() != partner[token]:
            break
        found.append("P" if stack else "T")
    return found + ["F"] * (len(tokens) - len(found))


def closed(tokens: Sequence[str]) -> bool:
    return dyck(tokens)[-1:] in ([], ["T"])


def shuffle_dyck(tokens: Sequence[str]) -> list[bool]:
    return [all(closed([token for token in tokens if token in pair]) for pair in ("()", "[]"))] * len(tokens)


def addition(tokens: Sequence[str]) -> list[int]:
    total = sum(int(number or "0") for number in "".join(tokens).split("+"))
    return [int(digit) for digit in str(total).zfill(len(tokens))]


def double_histogram(tokens: Sequence[str]) -> list[int]:
    counts = Counter(tokens)
    return [list(counts.values()).count(counts[token]) for token in tokens]


def filled(found: list[str], tokens: Sequence[str]) -> list[str]:
    return found + ["-"] * (len(tokens) - len(found))


def most_frequent(tokens: Sequence[str]) -> list[str]:
    return filled([token for token, _ in Counter(tokens).most_common()], tokens)


def unique(tokens: Sequence[str]) -> list[str]:
    return filled(list(dict.fromkeys(tokens)), tokens)


def induction(tokens: Sequence[str]) -> list[str]:
    found = []
    for at, token in enumerate(tokens):
        earlier = [place for place in range(at) if tokens[place] == token]
        found.append(tokens[earlier[-1] + 1] if earlier else "-")
    return found


def last_occurrence(tokens: Sequence[str]) -> list[int]:
    return [len(tokens) - 1 - tokens[::-1].index(token) for token in tokens]


def binary(tokens: Sequence[str]) -> list[int]:
    return [int("".join(tokens[max(0, at - 7) : at + 1]), 2) for at in range(len(tokens))]


def rules(tokens: Sequence[str]) -> list[bool]:
    clauses = [tokens[at : at + 3] for at in range(0, len(tokens), 4)]
    known = {right for left, _, right in clauses if left == "x"}
    for _ in range(3):
        known |= {right for left, _, right in clauses if left in known}
    return [token in known for token in tokens]


Draw = Callable[[random.Random], Sequence[Any]]
Meaning = Callable[[Sequence[Any]], list[Any]]


def some(tokens: Sequence[Any], longest: int = 12) -> Draw:
    """Random tokens, few of them different now and then."""

    def draw(rng: random.Random) -> Sequence[Any]:
        part = rng.sample(tokens, rng.randint(1, len(tokens)))
        return [rng.choice(part) for _ in range(rng.randint(1, longest))]

    return draw


def nested(pairs: Sequence[str]) -> Draw:
    """Brackets that nest, the end cut off now and then, and one of them replaced now and then."""

    def draw(rng: random.Random) -> list[str]:
        found: list[str] = []
        for _ in range(rng.randint(1, 8)):
            at, width = rng.randint(0, len(found)), rng.choice([0, 0, 2, 4])
            pair = rng.choice(pairs)
            end = at + width if closed(found[at : at + width]) else at
            found[at:end] = [pair[0], *found[at:end], pair[1]]
        if rng.random() < 0.3:
            found[rng.randrange(len(found))] = rng.choice("".join(pairs))
        return found[: rng.randint(1, len(found))] if rng.random() < 0.3 else found

    return draw


def sums(rng: random.Random) -> list[str]:
    digits = rng.choice(["09", "0459", "0123456789"])
    numbers = ["".join(rng.choices(digits, k=rng.randint(1, 7))) for _ in range(2)]
    return list("+".join(numbers[: rng.choice([1, 2, 2, 2])]))


def clauses(rng: random.Random) -> list[str]:
    found = [f"{rng.choice('abcde')}>{rng.choice('abcde')}" for _ in range(rng.randint(0, 4))]
    found.insert(rng.randint(0, len(found)), f"x:{rng.choice('abcde')}")
    return list(";".join(found))


MEANINGS: dict[str, tuple[Draw, Meaning]] = {
    "balance": (nested(["()"]), shuffle_dyck),
    "binary_to_decimal": (some("01", 20), binary),
    "double_histogram": (some("abcde"), double_histogram),
    "dyck2": (nested(["()", "[]"]), dyck),
    "dyck2_plain": (nested(["()", "[]"]), dyck),
    "dyck3": (nested(["()", "[]", "{}"]), dyck),
    "dyck3_plain": (nested(["()", "[]", "{}"]), dyck),
    "first_occurrence": (some("abcde"), lambda tokens: [tokens.index(token) for token in tokens]),
    "histogram": (some("abcde"), lambda tokens: [tokens.count(token) for token in tokens]),
    "induction": (some("abcde"), induction),
    "last_occurrence": (some("abcde"), last_occurrence),
    "long_addition": (sums, addition),
    "majority": (some("01"), lambda tokens: [2 * tokens.count("1") > len(tokens)] * len(tokens)),
    "most_frequent": (some("abcde"), most_frequent),
    "parity": (some("01"), lambda tokens: [tokens.count("1") % 2] * len(tokens)),
    "reverse": (some("abcde"), lambda tokens: list(tokens[::-1])),
    "rules": (clauses, rules),
    "running_maximum": (some(range(26)), lambda tokens: [max(tokens[: at + 1]) for at in range(len(tokens))]),
    "shuffle_dyck": (nested(["()", "[]"]), shuffle_dyck),
    "sort": (some("abcde"), lambda tokens: sorted(tokens)),
    "sort_by_key": (some(SIZES), lambda tokens: sorted(tokens, key=SIZES.index)),
    "unique": (some("abcde"), unique),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_meaning(name: str) -> None:
    draw, meaning = MEANINGS[name]
    sop = load_program(PROGRAMS / f"{name}.rasp").sop()
    rng = random.Random(name)
    seen: set[str] = set()
    for _ in range(ROUNDS):
        tokens = draw(rng)
        expected = meaning(tokens)
        assert run(sop, tokens) == expected, tokens
        seen.update(map(str, expected))
    assert len(seen) > 1, "the inputs show more than one answer"


@pytest.mark.parametrize("name", ["dyck2", "dyck2_plain"])
def test_every_short_dyck(name: str) -> None:
    sop = load_program(PROGRAMS / f"{name}.rasp").sop()
    for tokens in itertools.product("()[]", repeat=5):
        assert run(sop, tokens) == dyck(tokens)

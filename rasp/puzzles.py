"""Twelve puzzles: what an answer must compute, on which inputs it is tried, and how small the best known one is.

What is right is said here by plain Python functions, so that nothing gives an answer away.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from rasp.errors import DataFault, RaspError
from rasp.graph import SOp
from rasp.interpret import Run
from rasp.layers import analyse
from rasp.operations import Atom

_COUNT = 200
_LONGEST = 12


@dataclass(frozen=True)
class Puzzle:
    """A puzzle: what is asked for, an input to show it on, what is right, which inputs occur, and the size to beat.

    `heads` are those of the best known answer in each layer.
    """

    title: str
    text: str
    example: str
    right: Callable[[str], Sequence[Atom]]
    drawn: Callable[[random.Random], str]
    edges: tuple[str, ...]
    heads: tuple[int, ...]

    @property
    def answer(self) -> Sequence[Atom]:
        """What is right on the example."""
        return self.right(self.example)

    def inputs(self) -> Iterator[str]:
        """The inputs an answer is tried on, the same each time: the example, odd ones, then random ones."""
        rng = random.Random(self.title)
        yield from dict.fromkeys([self.example, *self.edges, *(self.drawn(rng) for _ in range(_COUNT))])


# -- inputs


def _letters(letters: str, least: int = 1) -> Callable[[random.Random], str]:
    return lambda rng: "".join(rng.choices(letters, k=rng.randint(least, _LONGEST)))


def _mirrored(rng: random.Random) -> str:
    """Often a palindrome, often nearly one."""
    half = "".join(rng.choices("ab", k=rng.randint(1, 6)))
    whole = list(half + half[::-1][rng.randint(0, 1) :])
    if rng.random() < 0.5:
        whole[rng.randrange(len(whole))] = rng.choice("ab")
    return "".join(whole)


def _brackets(rng: random.Random) -> str:
    """Brackets that nest."""
    text = ""
    for _ in range(rng.randint(1, 6)):
        place = rng.randint(0, len(text))
        text = text[:place] + "()" + text[place:]
    return text


def _sentence(rng: random.Random) -> str:
    """Words with one blank between any two."""
    words = ["".join(rng.choices("abc", k=rng.randint(1, 4))) for _ in range(rng.randint(1, 4))]
    return " ".join(words)


# -- what is right


def _countdown(text: str) -> list[Atom]:
    return [len(text) - 1 - i for i in range(len(text))]


def _so_far(text: str) -> list[Atom]:
    return [text[: i + 1].count(char) for i, char in enumerate(text)]


def _digit_sum(text: str) -> list[Atom]:
    return [sum(map(int, text))] * len(text)


def _one_more(text: str) -> list[Atom]:
    return list(format((int(text, 2) + 1) % 2 ** len(text), f"0{len(text)}b"))


def _favourite(text: str) -> list[Atom]:
    return [Counter(text).most_common(1)[0][0]] * len(text)


def _runs(text: str) -> list[Atom]:
    lengths = [len(list(group)) for _, group in groupby(text)]
    return [length for length in lengths for _ in range(length)]


def _partners(text: str) -> list[Atom]:
    found: list[Atom] = [0] * len(text)
    opened: list[int] = []
    for place, char in enumerate(text):
        if char == "(":
            opened.append(place)
        else:
            found[place] = opened.pop()
            found[int(found[place])] = place
    return found


PUZZLES: tuple[Puzzle, ...] = (
    Puzzle(
        "Countdown",
        "How many tokens come after each position?",
        "rasp",
        _countdown,
        _letters("abc"),
        ("a",),
        (1,),
    ),
    Puzzle(
        "The first word",
        "Every position shows the token that the input begins with.",
        "hello",
        lambda text: [text[0]] * len(text),
        _letters("abc"),
        ("a", "ab"),
        (1,),
    ),
    Puzzle(
        "Not alone",
        "At each position: does its token occur anywhere else in the input?",
        "hello",
        lambda text: [text.count(char) > 1 for char in text],
        _letters("abcdef"),
        ("a", "aa"),
        (1,),
    ),
    Puzzle(
        "So far",
        "At each position: how often has its token come until here, this time included?",
        "banana",
        _so_far,
        _letters("ab"),
        ("a", "aaaa"),
        (1,),
    ),
    Puzzle(
        "Sum of digits",
        "Every position shows the sum of all digits of the input.",
        "31415",
        _digit_sum,
        _letters("0123456789"),
        ("0", "999999999999"),
        (1,),
    ),
    Puzzle(
        "One more",
        "The input is a number in binary. Add one to it; a carry out of the leftmost bit is lost. Bits stay strings.",
        "01011",
        _one_more,
        _letters("01"),
        ("0", "1", "1111", "0111111"),
        (1,),
    ),
    Puzzle(
        "Round the corner",
        "Every token moves one place to the right, and the last one comes in at the left.",
        "hello",
        lambda text: list(text[-1] + text[:-1]),
        _letters("abc"),
        ("a", "ab"),
        (2,),
    ),
    Puzzle(
        "The favourite",
        "Every position shows the token that occurs most often; of several, the one that occurs first.",
        "banana",
        _favourite,
        _letters("abcd"),
        ("a", "ab", "abba"),
        (1, 1),
    ),
    Puzzle(
        "There and back",
        "At every position: does the input read the same from right to left?",
        "racecar",
        lambda text: [text == text[::-1]] * len(text),
        _mirrored,
        ("a", "ab", "aba", "abab"),
        (1, 1, 1),
    ),
    Puzzle(
        "Runs",
        "Equal tokens next to each other are a run. At each position: how long is the run that it stands in?",
        "aabccc",
        _runs,
        _letters("ab"),
        ("a", "aaaaaa", "abab", "aabbaa"),
        (3,),
    ),
    Puzzle(
        "Partners",
        'The input is of "(" and ")", and they nest. At each bracket: at which position does its partner stand?',
        "(()())",
        _partners,
        _brackets,
        ("()", "()()", "((()))"),
        (1, 2),
    ),
    Puzzle(
        "Word by word",
        "The input is words with one blank between any two. Turn their order round; each word stays readable.",
        "the cat sat",
        lambda text: list(" ".join(reversed(text.split(" ")))),
        _sentence,
        ("a", "ab c", "a b c d"),
        (3, 1),
    ),
)


def puzzle(number: int) -> Puzzle:
    """The puzzle of that number, counted from 1. DataFault where there is none."""
    if not 1 <= number <= len(PUZZLES):
        raise DataFault(f"there is no puzzle {number}", hint=f"puzzles are numbered from 1 to {len(PUZZLES)}")
    return PUZZLES[number - 1]


# -- an answer


@dataclass(frozen=True)
class Mistake:
    """An input on which an answer is not right: what was expected, and what it gives or why it gives nothing."""

    given: str
    expected: Sequence[Atom]
    found: Sequence[Atom] | str


@dataclass(frozen=True)
class Judgement:
    """What comes of trying an answer: on how many inputs, the shortest it is not right on, and its heads by layer."""

    tried: int
    mistake: Mistake | None
    heads: tuple[int, ...]


def judge(asked: Puzzle, answer: SOp) -> Judgement:
    """An answer, tried on every input of a puzzle."""
    inputs = list(asked.inputs())
    mistakes = [found for given in inputs if (found := _mistake(asked, answer, given)) is not None]
    shortest = min(mistakes, key=lambda found: len(found.given), default=None)
    return Judgement(len(inputs), shortest, tuple(analyse([answer]).heads))


def _mistake(asked: Puzzle, answer: SOp, given: str) -> Mistake | None:
    expected = asked.right(given)
    try:
        found = Run(given).sop(answer).tolist()
    except RaspError as error:
        return Mistake(given, expected, error.message)
    return None if all(map(_equal, expected, found)) else Mistake(given, expected, found)


def _equal(expected: Atom, found: Atom) -> bool:
    """Whether two values are the same; of numbers it does not matter whether they are ints or nearly ints."""
    if isinstance(expected, (str, bool)) or isinstance(found, (str, bool)):
        return type(expected) is type(found) and expected == found
    return math.isclose(expected, found, rel_tol=1e-9, abs_tol=1e-9)

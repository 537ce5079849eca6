"""Programs that are composed of many s-ops: what each means, that it compiles exactly, and how small.

Every program is compared with a few lines of Python, and the compiled model with the interpreter.
"""

from __future__ import annotations

import random
import statistics
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from compiler.ir import Accuracy
from compiler.pipeline import compile_sop
from compiler.run.agreement import accuracies, agree
from compiler.run.model import CompiledModel
from compiler.run.verify import compare, verify
from compiler.tensors import parameter_counts
from rasp.graph import SOp
from rasp.interpret import run
from rasp.language.program import load_program
from rasp.layers import analyse
from rasp.operations import Atom, atom_key
from tests.exact import program

PROGRAMS = Path(__file__).parent.parent / "programs"
Tokens: TypeAlias = Sequence[Atom]
Draw: TypeAlias = Callable[[random.Random, int], list[Atom]]
DIGITS = tuple(range(10))
LETTERS = tuple(string.ascii_lowercase)


@dataclass(frozen=True)
class Case:
    """A program, what it means in Python, and where it is compiled; `draw` gives inputs on which Python knows it."""

    text: str
    vocabulary: tuple[Atom, ...]
    oracle: Callable[[Tokens], list[Atom]]
    draw: Draw | None = None
    causal: bool = False

    @property
    def sop(self) -> SOp:
        return program(self.text)

    def input(self, rng: random.Random, longest: int) -> list[Atom]:
        if self.draw is not None:
            return self.draw(rng, longest)
        return [rng.choice(self.vocabulary) for _ in range(rng.randint(1, longest))]

    def compiled(self, max_length: int, prefer: str = "auto") -> CompiledModel:
        return compile_sop(self.sop, self.vocabulary, max_length, causal=self.causal, prefer=prefer)


def numbers(tokens: Tokens) -> list[float]:
    return list(map(float, tokens))


# -- what is linear in what is stored

FORMS: dict[str, Callable[[float], Atom]] = {
    "x": lambda x: x,
    "x + 1": lambda x: x + 1,
    "-x": lambda x: -x,
    "2*x": lambda x: 2 * x,
    "x % 2": lambda x: x % 2,
}


def sorted_then(form: str) -> Case:
    """The tokens in order, and a form of each."""
    text = f"x = sort(tokens_int, tokens_int); y = {form};"
    return Case(text, DIGITS, lambda tokens: [FORMS[form](x) for x in sorted(numbers(tokens))])


SORT = {form: sorted_then(form) for form in FORMS}

MAXIMUM = Case(
    "x = tokens_int; most = aggregate(select_best(full_s, x), x);",
    tuple(range(6)),
    lambda tokens: [max(tokens[: i + 1]) for i in range(len(tokens))],
    causal=True,
)
MINIMUM = Case(
    "x = tokens_int; least = -aggregate(select_best(full_s, -x), -x);",
    tuple(range(6)),
    lambda tokens: [min(tokens[: i + 1]) for i in range(len(tokens))],
    causal=True,
)
BELOW_MAXIMUM = Case(
    "x = tokens_int; below = aggregate(select_best(full_s, x), x) - x;",
    DIGITS,
    lambda tokens: [max(numbers(tokens)) - x for x in numbers(tokens)],
)

# -- brackets


def balances(tokens: Tokens, pair: str) -> list[int]:
    """How many more brackets of a pair are opened than closed, after each token."""
    found = [0]
    for token in tokens:
        found.append(found[-1] + (token == pair[0]) - (token == pair[1]))
    return found[1:]


OPENS_LESS_CLOSES = Case(
    """
    so_far = select(indices, indices, <=);
    opens = aggregate(so_far, indicator(tokens == "("));
    closes = aggregate(so_far, indicator(tokens == ")"));
    difference = opens - closes;
    """,
    tuple("()x"),
    lambda tokens: [balance / (i + 1) for i, balance in enumerate(balances(tokens, "()"))],
)


def balanced(tokens: Tokens) -> list[Atom]:
    found, wrong, answers = balances(tokens, "()"), False, list[Atom]()
    for balance in found:
        wrong = wrong or balance < 0
        answers.append("F" if wrong else "T" if balance == 0 else "P")
    return answers


BALANCE = Case(
    """
    so_far = select(indices, indices, <=);
    def counted(bracket) {
        return round((indices + 1) * aggregate(so_far, indicator(tokens == bracket)));
    }
    depth = counted("(") - counted(")");
    wrong = aggregate(so_far, indicator(depth < 0)) > 0;
    balance = "F" if wrong else ("T" if depth == 0 else "P");
    """,
    tuple("()x"),
    balanced,
)


def shuffled(tokens: Tokens) -> list[Atom]:
    found = [balances(tokens, pair) for pair in ("()", "[]")]
    return [all(min(of) >= 0 and of[-1] == 0 for of in found)] * len(tokens)


def shuffled_brackets(rng: random.Random, longest: int) -> list[Atom]:
    """Often a shuffle of balanced sequences, else any brackets."""
    size = rng.randint(1, longest // 2)
    if rng.random() < 0.3:
        return [rng.choice("()[]") for _ in range(size)]
    tokens, waiting = list[Atom](), list[str]()
    for pair in rng.choices(["()", "[]"], k=size):
        tokens.append(pair[0])
        waiting.append(pair[1])
        while waiting and rng.random() < 0.5:
            tokens.append(waiting.pop(rng.randrange(len(waiting))))
    return tokens + rng.sample(waiting, len(waiting))


SHUFFLE_DYCK = Case(
    """
    so_far = select(indices, indices, <=);
    def share(bracket) { return aggregate(so_far, indicator(tokens == bracket)); }
    x = share("(") - share(")");
    y = share("[") - share("]");
    wrong = aggregate(full_s, indicator(x < 0 or y < 0)) > 0;
    shuffle = (x == 0 and y == 0)[-1] and not wrong;
    """,
    tuple("()[]"),
    shuffled,
    shuffled_brackets,
)

# -- numbers

LONG_ADDITION = Case(
    """
    plus = aggregate(select(tokens, "+", ==), indices);
    d = {"+": 0-1, "0": 0, "1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9}[tokens];
    v = aggregate(select(indices + (length - plus), indices, ==), d, 0);
    w = d if indices > plus else 0;
    column = v + w;
    definite = select(column, 9, !=) and select(indices, indices, >);
    carry = aggregate(select_best(definite, -indices), indicator(column > 9));
    total = (column + carry) % 10;
    """,
    tuple("0123456789+"),
    lambda tokens: [int(d) for d in str(sum(map(int, "".join(map(str, tokens)).split("+")))).zfill(len(tokens))],
    lambda rng, longest: [*number(rng, (longest - 1) // 2), "+", *number(rng, (longest - 1) // 2)],
)


def number(rng: random.Random, longest: int) -> list[Atom]:
    return [rng.choice("0123456789999") for _ in range(rng.randint(1, longest))]


MEDIAN = Case(
    """
    s = sort(tokens_int, tokens_int);
    low = aggregate(select(indices, (length - 1 - (length - 1) % 2) / 2, ==), s);
    high = aggregate(select(indices, (length - length % 2) / 2, ==), s);
    median = (low + high) / 2;
    """,
    tuple(range(11)),
    lambda tokens: [statistics.median(numbers(tokens))] * len(tokens),
)

DIGIT_BY_DIGIT = Case(
    """
    digit = {"0": 0, "1": 1, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6, "7": 7, "8": 8, "9": 9, "+": 0, "=": 0}[tokens];
    plus = aggregate(select_from_first(tokens, "+"), indices, -1);
    equals = aggregate(select_from_first(tokens, "="), indices, -1);
    place = indices - equals;
    first = aggregate(select(indices, plus - 1 - place, ==), digit);
    second = aggregate(select(indices, equals - 1 - place, ==) and select(indices, plus, >), digit);
    first_before = aggregate(select(indices, plus - place, ==) and select(indices, plus, <), digit);
    second_before = aggregate(select(indices, equals - place, ==) and select(indices, plus, >), digit);
    carry = indicator(place > 0 and digit < first_before + second_before);
    width = max(plus, equals - plus - 1);
    total = first + second + carry;
    next = "?" if plus < 0 or equals < 0 or place < 0 else
           ("." if place >= width and carry == 0 else "0123456789"[total % 10]);
    """,
    tuple("0123456789+="),
    lambda tokens: next_digits("".join(map(str, tokens))),
    lambda rng, _: list(sum_so_far(rng)),
    causal=True,
)


def next_digits(text: str) -> list[Atom]:
    """What follows each token of "12+9=12.": digits of the sum, the last one first, and "?" where it is not known."""
    question, _, _ = text.partition("=")
    given = list[Atom]("?" * len(question))
    if "=" not in text:
        return given
    answer = str(sum(map(int, question.split("+"))))[::-1]
    width = max(map(len, question.split("+")))
    return [*given, *answer.ljust(width, "0"), "."][: len(text)]


def sum_so_far(rng: random.Random) -> str:
    """A sum of numbers of 1 to 3 digits and what has been said of its result, of any length."""
    question = "".join(map(str, [*number(rng, 3), "+", *number(rng, 3)]))
    answer = "".join(map(str, next_digits(question + "=" * 9)[len(question) :]))
    text = f"{question}={answer.partition('.')[0]}"
    return text[: rng.randint(1, len(text))]


# -- a recognizer whose heads come from dictionaries of selectors

KINDS = ("()", "[]", "{}", "<>", "«»", "‹›")
RECOGNIZER = Case(
    """
    partner = {"(": ")", "[": "]", "{": "}", "<": ">", "«": "»", "‹": "›"};
    opener = {partner[bracket]: bracket for bracket in partner};
    here = select(indices, indices, ==);
    side = {"left": select(indices, indices, <), "right": select(indices, indices, >)};
    nearer = {"left": indices, "right": -indices};
    def looking(way, symbol) {
        return select_best(select(symbol, "", !=) and side[way], nearer[way]);
    }
    def among(symbol, neighbour, pairs) {
        found = False;
        for bracket in pairs { found = found or (symbol == bracket and neighbour == pairs[bracket]); }
        return found;
    }
    symbol = "" if tokens == "x" else tokens;
    for round_ in range(12) {
        heads = {way: looking(way, symbol) for way in side};
        next_to = {way: aggregate(heads[way], symbol, "") for way in heads};
        old = aggregate(here, symbol, "");
        closed = among(old, next_to["right"], partner) or among(old, next_to["left"], opener);
        symbol = "" if closed else old;
    }
    recognized = aggregate(full_s, indicator(symbol != "")) == 0;
    """,
    (*"".join(KINDS), "x"),
    lambda tokens: [nested(tokens)] * len(tokens),
    lambda rng, longest: nested_brackets(rng, longest),
)


def nested(tokens: Tokens) -> bool:
    waiting = list[Atom]()
    for token in tokens:
        if any(token == pair[0] for pair in KINDS):
            waiting.append(token)
        elif token != "x" and (not waiting or f"{waiting.pop()}{token}" not in KINDS):
            return False
    return not waiting


def nested_brackets(rng: random.Random, longest: int) -> list[Atom]:
    """Brackets that nest, sometimes with one changed."""
    tokens, waiting = list[Atom](), list[str]()
    for pair in rng.choices(KINDS, k=rng.randint(1, longest // 2)):
        tokens.append(pair[0])
        waiting.append(pair[1])
        while waiting and rng.random() < 0.4:
            tokens.append(waiting.pop())
    tokens += reversed(waiting)
    if rng.random() < 0.4:
        tokens[rng.randrange(len(tokens))] = rng.choice("".join(KINDS) + "x")
    return tokens


# In each round the symbol itself is read on, not a copy of it: every round reads all rounds before it.
RECOGNIZER_OF_ROUNDS = Case(
    RECOGNIZER.text.replace('aggregate(here, symbol, "")', "symbol"),
    RECOGNIZER.vocabulary,
    RECOGNIZER.oracle,
    RECOGNIZER.draw,
)

CASES: dict[str, tuple[Case, int]] = {
    **{f"sort: {form}": (case, 20) for form, case in SORT.items()},
    "opens less closes": (OPENS_LESS_CLOSES, 20),
    "maximum": (MAXIMUM, 20),
    "minimum": (MINIMUM, 20),
    "below maximum": (BELOW_MAXIMUM, 10),
    "balance": (BALANCE, 40),
    "shuffle-Dyck": (SHUFFLE_DYCK, 20),
    "long addition": (LONG_ADDITION, 17),
    "median": (MEDIAN, 9),
    "digit by digit": (DIGIT_BY_DIGIT, 12),
    "recognizer": (RECOGNIZER, 17),
    "recognizer of rounds": (RECOGNIZER_OF_ROUNDS, 17),
}


@pytest.mark.parametrize("name", CASES)
def test_the_program_means_what_it_says(name: str) -> None:
    case, longest = CASES[name]
    rng, sop = random.Random(0), case.sop
    inputs = [case.input(rng, longest) for _ in range(40)]
    answers = [case.oracle(tokens) for tokens in inputs]
    for tokens, answer in zip(inputs, answers, strict=True):
        assert agree(answer, run(sop, tokens, causal=case.causal), Accuracy(1e-12, 1e-12)), tokens
    assert len({atom_key(value) for answer in answers for value in answer}) > 1


# -- compiled


def parameters(model: CompiledModel) -> int:
    return parameter_counts(model.weights)["total"]


def exact(case: Case, max_length: int, prefer: str = "auto") -> CompiledModel:
    """The compiled model, of the depth predicted, after comparison with the interpreter found no difference."""
    model = case.compiled(max_length, prefer)
    assert model.weights.certificate is not None
    assert model.weights.depth == analyse([case.sop]).depth
    rng, promised = random.Random(1), accuracies(model.weights)[model.weights.output.name]
    for _ in range(10):
        tokens = case.input(rng, max_length)
        assert agree(case.oracle(tokens), model.run(tokens).output, promised), tokens
    for length in (1, max_length):
        ids = np.random.default_rng(0).integers(0, len(case.vocabulary), (20, length))
        found = compare(model, {model.weights.output.name: case.sop}, ids, accuracies(model.weights))
        assert found.counterexample is None, found.counterexample
    return model


@pytest.mark.parametrize(
    ("name", "max_length", "most"),
    [
        ("opens less closes", 20, 3_000),
        ("below maximum", 10, 20_000),
        ("balance", 15, 6_000),
        ("balance", 40, 15_000),
        ("shuffle-Dyck", 20, 15_000),
        ("shuffle-Dyck", 100, 150_000),
        ("long addition", 5, 15_000),
        ("long addition", 17, 80_000),
        ("long addition", 41, 250_000),
        ("median", 9, 200_000),
        ("median", 20, 200_000),
        ("digit by digit", 12, 100_000),
        ("recognizer", 17, 2_000_000),
        ("recognizer of rounds", 17, 1_000_000),
    ],
)
def test_it_compiles_exactly_and_small(name: str, max_length: int, most: int) -> None:
    assert parameters(exact(CASES[name][0], max_length)) < most


@pytest.mark.parametrize("prefer", ["depth", "small", "auto"])
@pytest.mark.parametrize("form", ["x + 1", "-x", "2*x", "x % 2"])
def test_what_is_computed_of_a_stored_number_costs_next_to_nothing(form: str, prefer: str) -> None:
    assert parameters(exact(SORT[form], 20, prefer)) <= 1.2 * parameters(SORT["x"].compiled(20, prefer))


def test_the_minimum_is_as_small_as_the_maximum() -> None:
    assert parameters(exact(MINIMUM, 20)) <= 2 * parameters(exact(MAXIMUM, 20))


def test_letters_are_sorted_by_two_heads() -> None:
    model = compile_sop(program("y = sort(tokens, tokens);"), LETTERS, 10)
    assert (model.weights.predicted_heads, model.weights.heads) == ((1, 1), [2, 1])
    assert parameters(model) <= 26_622


def test_nesting_grows_steadily_with_the_length() -> None:
    dyck2 = load_program(PROGRAMS / "dyck2.rasp").sop()
    sizes = [parameters(compile_sop(dyck2, tuple("()[]"), max_length)) for max_length in (70, 80)]
    assert sizes[1] < 1.4 * sizes[0]


@pytest.mark.parametrize("default", [-999, 300, -300, 10**6])
def test_a_mean_may_have_a_far_default(default: int) -> None:
    text = f"so_far = select(indices, indices, <); y = aggregate(so_far and select(tokens, 1, ==), indices, {default});"
    model = compile_sop(program(text), (0, 1, 2), 12)
    assert verify(program(text), model, count=40).counterexample is None


@pytest.mark.parametrize(
    ("name", "tokens", "max_length", "most"),
    [
        ("histogram", 200, 10, 4_000),
        ("reverse", 200, 10, 12_000),
        ("histogram", 1_000, 40, 20_000),
        ("reverse", 1_000, 40, 60_000),
    ],
)
def test_many_tokens_have_short_codes(name: str, tokens: int, max_length: int, most: int) -> None:
    sop = load_program(PROGRAMS / f"{name}.rasp").sop()
    model = compile_sop(sop, tuple(f"t{i}" for i in range(tokens)), max_length)
    assert verify(sop, model, count=20).counterexample is None
    assert parameters(model) < most


def test_a_sum_over_the_whole_input_is_small() -> None:
    """Its mean has 201 values, times the length: the length is made classes, and steps along the mean do the rest."""
    model = compile_sop(program("y = round(length * aggregate(full_s, tokens_int));"), tuple(range(6)), 20)
    assert parameters(model) < 25_000

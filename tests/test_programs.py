"""Every program in programs/: what its header promises holds on every engine."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from compiler.pipeline import compile_sop
from compiler.run.model import ENGINES, CompiledModel
from compiler.run.verify import verify
from compiler.tensors import parameter_counts
from rasp.console.show import values
from rasp.inputs import parse_input, tokens_of
from rasp.interpret import run
from rasp.language.program import Program, load_program
from rasp.layers import analyse
from rasp.operations import Atom, column
from rasp.vocabulary import parse_vocabulary

PROGRAMS = Path(__file__).parent.parent / "programs"
FILES = sorted(path.name for path in PROGRAMS.glob("*.rasp"))
KEYS = ("input", "output", "vocab", "layers", "heads")


@dataclass(frozen=True)
class Promise:
    """A program and what its header says."""

    program: Program
    header: dict[str, str]

    @cached_property
    def given(self) -> list[Atom]:
        return tokens_of(parse_input(self.header["input"]))

    @cached_property
    def vocabulary(self) -> tuple[Atom, ...]:
        return parse_vocabulary(self.header["vocab"])

    @cached_property
    def heads(self) -> list[int]:
        return [int(count) for count in self.header["heads"].split(",") if count.strip()]

    @cached_property
    def few_tokens(self) -> tuple[Atom, ...]:
        """Three tokens of the vocabulary, of the input if it has as many."""
        return tuple(dict.fromkeys([*self.given, *self.vocabulary]))[:3]

    def compile(
        self, vocabulary: tuple[Atom, ...], max_length: int, dtype: str = "float32", prefer: str = "auto"
    ) -> CompiledModel:
        program = self.program
        return compile_sop(program.sop(), vocabulary, max_length, dtype=dtype, prefer=prefer, names=program.names)


@pytest.fixture(params=FILES)
def promise(request: pytest.FixtureRequest) -> Promise:
    path = PROGRAMS / request.param
    header = re.match(r"(#.*\n)*", path.read_text(encoding="utf-8"))
    assert header is not None
    return Promise(load_program(path), dict(re.findall(r"^# ([\w-]+): +(.*)$", header[0], re.MULTILINE)))


def printed(atoms: list[Atom]) -> str:
    """`[h, e]`: as the language prints values, with no repetition sign and no type."""
    text = values(column(atoms)).rsplit(" (", 1)[0]
    same = re.fullmatch(r"\[(.*)\]\*(\d+)", text)
    return f"[{', '.join([same[1]] * int(same[2]))}]" if same else text


def test_the_header_is_complete(promise: Promise) -> None:
    text = promise.program.source.text
    assert set(KEYS) <= set(promise.header)
    assert re.match(r"# [A-Z\d].{12,}\n", text), "the first line says what the program does"
    assert set(promise.given) <= set(promise.vocabulary)
    assert len(promise.heads) == int(promise.header["layers"])


def test_the_interpreter_keeps_the_promise(promise: Promise) -> None:
    assert printed(run(promise.program.sop(), promise.given)) == promise.header["output"]


def test_the_analysis_keeps_the_promise(promise: Promise) -> None:
    assert analyse([promise.program.sop()]).heads == promise.heads


def test_the_compiled_model_keeps_the_promise(promise: Promise) -> None:
    model = promise.compile(promise.vocabulary, max(len(promise.given), 12), prefer="depth")
    assert model.weights.heads == promise.heads
    for engine in ENGINES:
        assert printed(model.run(promise.given, engine=engine).output) == promise.header["output"]
    assert verify(promise.program.sop(), model, count=40).counterexample is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_short_input(promise: Promise, dtype: str) -> None:
    model = promise.compile(promise.few_tokens, 5, dtype)
    found = verify(promise.program.sop(), model)
    assert (found.counterexample, found.exhaustive) == (None, True)
    assert found.count == sum(len(promise.few_tokens) ** n for n in range(1, 6))


@pytest.mark.parametrize("max_length", [40, 160])
def test_long_inputs(promise: Promise, max_length: int) -> None:
    model = promise.compile(promise.vocabulary, max_length)
    assert list(model.weights.predicted_heads) == promise.heads
    assert model.weights.depth == len(promise.heads)
    assert (model.weights.heads == promise.heads) is not any(
        " heads instead of " in note for note in model.weights.notes
    )
    assert model.weights.certificate is not None
    assert verify(promise.program.sop(), model, count=max(2, 400 // max_length)).counterexample is None


@pytest.mark.parametrize("name", ["reverse", "histogram", "sort"])
@pytest.mark.parametrize("max_length", [20, 40])
def test_letters(name: str, max_length: int) -> None:
    program = load_program(PROGRAMS / f"{name}.rasp")
    model = compile_sop(program.sop(), parse_vocabulary("a-z"), max_length)
    found = verify(program.sop(), model, count=300)
    assert found.counterexample is None
    assert found.count > 300
    assert parameter_counts(model.weights)["total"] < 22_000_000 / 4


def shuffled_brackets(rng: random.Random, length: int) -> list[str]:
    """A shuffle of a balanced sequence of "()" and one of "[]", together `length` tokens."""
    pairs = [rng.choice([("(", ")"), ("[", "]")]) for _ in range(length // 2)]
    found: list[str] = []
    waiting: list[str] = []
    while pairs or waiting:
        if pairs and (not waiting or rng.random() < 0.6):
            opening, closing = pairs.pop()
            found.append(opening)
            waiting.append(closing)
        else:
            found.append(waiting.pop(rng.randrange(len(waiting))))
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_shuffle_dyck_of_100_brackets(engine: str) -> None:
    program = load_program(PROGRAMS / "shuffle_dyck.rasp")
    model = compile_sop(program.sop(), tuple("()[]"), 100)
    rng = random.Random(0)
    for _ in range(30):
        given = shuffled_brackets(rng, 100)
        assert model.run(given, engine=engine).output == [True] * 100
        changed = rng.randrange(100)
        given[changed] = rng.choice([token for token in "()[]" if token != given[changed]])
        assert model.run(given, engine=engine).output == [False] * 100


def test_reverse_where_others_are_wrong() -> None:
    program = load_program(PROGRAMS / "reverse.rasp")
    model = compile_sop(program.sop(), parse_vocabulary("a-p"), 20)
    assert verify(program.sop(), model, count=10_000).counterexample is None

"""Many inputs at once: the answers are those of each input alone, in their order."""

import itertools
from collections.abc import Iterator

import pytest

from compiler.pipeline import compile_sop
from compiler.run.batches import Answer, answers
from compiler.run.model import ENGINES, CompiledModel
from rasp.errors import RaspError
from rasp.graph import tokens_int
from rasp.operations import Atom

VOCABULARY = (0, 1, 2)


@pytest.fixture(scope="module")
def model() -> CompiledModel:
    return compile_sop(6 / tokens_int, VOCABULARY, 5, name="x")


def inputs() -> list[tuple[Atom, ...]]:
    lengths = [list(itertools.product(VOCABULARY, repeat=length)) for length in (3, 1, 4, 2)]
    turns = itertools.chain.from_iterable(itertools.zip_longest(*lengths))
    return [*(given for given in turns if given is not None), (), (7, 1), (1,) * 6]


def one_by_one(model: CompiledModel, engine: str) -> Iterator[Answer]:
    for tokens in inputs():
        try:
            yield model.run(tokens, engine=engine).outputs
        except RaspError as error:
            yield error


@pytest.mark.parametrize("engine", ENGINES)
def test_the_answers_are_those_of_each_input_alone(model: CompiledModel, engine: str) -> None:
    assert list(map(str, answers(model, inputs(), engine))) == list(map(str, one_by_one(model, engine)))


def test_answers_come_before_all_is_done(model: CompiledModel) -> None:
    calls: list[tuple[float, float]] = []
    found = answers(model, [(1,)] * 1000, progress=lambda done, total: calls.append((done, total)))
    assert next(found) == {"x": [6.0]}
    assert calls[-1][0] < 1000
    assert len(list(found)) == 999
    assert calls[-1] == (1000, 1000)


@pytest.mark.parametrize("engine", ENGINES)
def test_attention_is_kept_only_where_it_is_asked_for(model: CompiledModel, engine: str) -> None:
    ids = model.encode((1, 2))
    whole, bare = (model.trace(ids, engine, whole=asked) for asked in (True, False))
    assert len(whole.residuals) == len(model.weights.stages)
    assert (bare.attention, bare.residuals) == ((), ())
    assert (bare.logits == whole.logits).all()

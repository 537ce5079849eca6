"""The front for Python: programs, s-ops and models are indexed, called, compiled and shown without ceremony."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import rasp
from rasp.errors import DataFault, NameFault, TypeFault, ValueFault
from rasp.graph import Constant, aggregate, elementwise, full, indices, length, select, tokens, tokens_int

PROGRAMS = Path(__file__).parent.parent / "programs"
DYCK = rasp.load(PROGRAMS / "dyck2.rasp")
MODEL = DYCK.compile(vocab="()[]", max_length=5)


def test_a_program_gives_its_values_by_name() -> None:
    assert DYCK["dyck2"] is DYCK.sop("dyck2")
    with pytest.raises(NameFault, match="defines no dick2"):
        DYCK["dick2"]


def test_an_sop_is_called_on_one_input_or_several() -> None:
    assert tokens("ab") == tokens(["a", "b"]) == tokens(("a", "b")) == ["a", "b"]
    assert (length + 0)([["a"], ["a", "b"]]) == [[1], [2, 2]]
    assert tokens_int(np.array([3, 4])) == [3, 4]
    assert select(indices, 0)("ab") == [[True, False]] * 2
    assert select(indices, 0)([["a"]]) == [[[True]]]
    assert aggregate(full, indices)("abc", causal=True) == [0, 0.5, 1]


def test_what_is_no_input_is_said() -> None:
    with pytest.raises(DataFault, match="item 1 of a list of inputs is no list"):
        tokens([["a"], "b"])
    with pytest.raises(DataFault, match="not a int"):
        tokens(3)  # type: ignore[arg-type]
    with pytest.raises(DataFault, match="at least one token"):
        tokens("")


def test_a_model_is_called_as_an_sop_is() -> None:
    assert MODEL("([])") == MODEL(list("([])")) == DYCK["dyck2"]("([])")
    assert MODEL([["(", ")"], ["["]]) == MODEL.batch(["()", "["]) == [["P", "T"], ["P"]]
    assert MODEL.run("()").outputs == {"dyck2": ["P", "T"]}


def test_a_batch_is_padded_to_its_longest_and_gives_what_each_gives_alone() -> None:
    inputs = ["(", "[(", ")))", "([])", "()[]("]
    assert MODEL.batch(inputs) == [MODEL.run(given).output for given in inputs]


def test_errors_of_a_batch_name_the_input() -> None:
    mean = rasp.compile(aggregate(full, tokens), "ab", 3)
    with pytest.raises(ValueFault) as error:
        mean.batch(["a", "b", "ab"])
    assert "this is input 2 of the batch" in str(error.value)
    with pytest.raises(DataFault, match="a batch is a list of inputs"):
        MODEL.batch("()")
    with pytest.raises(DataFault, match="not in the vocabulary") as outside:
        MODEL.batch(["()", "x"])
    assert "this is input 1 of the batch" in str(outside.value)


def test_an_sop_of_a_program_brings_its_names_lines_and_text() -> None:
    model = rasp.compile(rasp.load(PROGRAMS / "reverse.rasp")["reverse"], vocab="ab", max_length=3)
    assert model.weights.name == "reverse"
    assert [head.name for layer in model.layers for head in layer.heads][-1] == "flip"
    assert model.weights.program == (PROGRAMS / "reverse.rasp").read_text(encoding="utf-8")


def test_what_is_built_on_an_sop_of_a_program_keeps_its_names() -> None:
    reverse = rasp.load(PROGRAMS / "reverse.rasp")["reverse"]
    model = rasp.compile(reverse == "a", "ab", 3)
    assert model.weights.name == 'reverse == "a"'
    assert model.weights.program == ""


def test_an_sop_built_in_python_knows_its_name_and_line() -> None:
    flip = select(length - 2 - indices, indices).named("flipped")
    line = test_an_sop_built_in_python_knows_its_name_and_line.__code__.co_firstlineno + 1
    head = rasp.compile(aggregate(flip, tokens, "-"), "ab", 3).layers[1].heads[0]
    assert (head.name, head.line) == ("flipped", line)


def test_a_refusal_shows_the_line_of_python() -> None:
    def shout(token: str) -> str:
        raise AssertionError(token)

    with pytest.raises(rasp.RaspError) as error:
        rasp.compile(elementwise(len, aggregate(select(indices, 0), tokens) + 1), "ab", 3)
    assert "test_python.py:" in str(error.value)
    assert "elementwise(len" in str(error.value)


def test_names_are_texts_and_inputs_keep_theirs() -> None:
    with pytest.raises(TypeFault, match="a name is a text"):
        (indices + 1).named("")
    assert repr(tokens.named("words")) == "tokens"
    assert rasp.compile({"x": tokens}, "ab", 2).weights.names == {}


def test_representations_say_what_there_is() -> None:
    assert repr(DYCK).endswith("dyck2.rasp: dyck, dyck2>")
    assert repr(MODEL).startswith("<CompiledModel dyck2: 3 layers, heads [1, 1, 1], d_model ")
    assert " parameters (" in repr(MODEL)
    assert "4 tokens, up to 5 positions, float32, certified, headroom" in repr(MODEL)
    assert repr(MODEL.run("()")) == "<Result of ['(', ')']: dyck2 = ['P', 'T']>"


def test_several_sops_are_compiled_by_name() -> None:
    program = rasp.parse("x = length; y = x + 1;")
    assert program.compile("ab", 3, ["x", "y"]).run("ab").outputs == {"x": [2, 2], "y": [3, 3]}
    assert program.compile("ab", 3)("ab") == [3, 3]
    with pytest.raises(NameFault, match="defines no z"):
        program.compile("ab", 3, "z")


def test_constants_are_public() -> None:
    assert rasp.Constant is Constant
    assert rasp.compile({"one": Constant(1)}, "a", 2)("aa") == [1, 1]


def test_what_belongs_to_the_library_is_called_by_no_programs_name() -> None:
    rasp.parse("x = length;").sop("x")
    assert rasp.compile(length == 2, "a", 2).weights.name == "length == 2"

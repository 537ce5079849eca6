"""Models as files: what is saved comes back, what is damaged is refused, nothing is half written."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as to_bytes
from safetensors.numpy import save_file

from compiler.artifact import load, save
from compiler.pipeline import compile_sop
from compiler.run.model import CompiledModel
from compiler.tensors import named_tensors
from rasp.errors import DataFault, RaspError
from rasp.graph import SOp, aggregate, indices, length, select, selector_width, tokens, tokens_asis, where
from rasp.language.program import parse_program
from rasp.operations import Atom
from tests.bundled import EVERY_GRAPH, bundled
from tests.random_graphs import random_case

REVERSE = aggregate(select(indices, length - 1 - indices), tokens)
HISTOGRAM = selector_width(select(tokens, tokens))
KEPT = where(HISTOGRAM > 1, REVERSE, "-")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


@pytest.fixture
def content(path: Path) -> bytes:
    save(compile_sop(KEPT, ("a", "b"), 4), path)
    return path.read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("root", "vocabulary", "given"),
    [
        (KEPT, ("a", "b"), ["a", "b", "a"]),
        (tokens, ("é", '"', "\n", ""), ["\n", "", "é"]),
        (tokens_asis, (1, 2.5, True), [True, 1, 2.5]),
        (tokens_asis, ("x", 1), [1, 1]),
        (aggregate(select(indices, 0), tokens_asis), (0.1, 0.2), [0.1, 0.2]),
    ],
)
def test_what_is_saved_comes_back(
    path: Path, root: SOp, vocabulary: tuple[Atom, ...], given: list[Atom], dtype: str
) -> None:
    model = compile_sop(root, vocabulary, 4, dtype=dtype, program=parse_program("x = tokens;"), name="x")
    save(model, path)
    again = load(path)
    assert named_tensors(again.weights).keys() == named_tensors(model.weights).keys()
    for name, tensor in named_tensors(model.weights).items():
        assert (named_tensors(again.weights)[name] == tensor).all()
    for field in ("name", "vocabulary", "max_length", "dtype", "directions", "predicted_heads", "texts", "notes"):
        assert getattr(again.weights, field) == getattr(model.weights, field)
    assert list(map(repr, again.run(given).output)) == list(map(repr, model.run(given).output))


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_random_models_come_back(path: Path, seed: int) -> None:
    case = random_case(seed)
    try:
        model = compile_sop(case.root, case.vocabulary, case.max_length, dtype=case.dtype, causal=case.causal)
    except RaspError:
        return
    save(model, path)
    again = load(path)
    for given in case.inputs[:3]:
        assert outcome(again, given) == outcome(model, given)


def outcome(model: CompiledModel, given: Sequence[Atom]) -> str:
    try:
        return repr(model.run(given).output)
    except RaspError as error:
        return error.message


def test_the_same_model_is_the_same_bytes(path: Path, content: bytes) -> None:
    save(compile_sop(KEPT, ("a", "b"), 4), path)
    assert path.read_bytes() == content
    save(load(path), path)
    assert path.read_bytes() == content


def check_refused(path: Path, damaged: bytes) -> None:
    """A damaged file is a DataFault that names it."""
    path.write_bytes(damaged)
    with pytest.raises(DataFault, match=path.name):
        load(path)


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 100, 0.5, 0.99, -1])
def test_truncated(path: Path, content: bytes, keep: float) -> None:
    check_refused(path, content[: int(keep * len(content)) if isinstance(keep, float) else keep])


@pytest.mark.parametrize(
    "foreign",
    [
        b"not a model",
        b"\x00" * 100,
        b"PK\x03\x04 a zip file",
        to_bytes({"weight": np.zeros(3, dtype=np.float32)}),
        to_bytes({"weight": np.zeros(3, dtype=np.float32)}, {"format": "pt"}),
        to_bytes({"weight": np.zeros(3, dtype=np.float32)}, {"rasp": "{}"}),
        to_bytes({"weight": np.zeros(3, dtype=np.float32)}, {"rasp": "[]"}),
        to_bytes({"weight": np.zeros(3, dtype=np.float32)}, {"rasp": "3"}),
        to_bytes({"weight": np.zeros(3, dtype=np.float32)}, {"rasp": "{"}),
        to_bytes({"weight": np.zeros(3, dtype=np.float32)}, {"rasp": "[" * 100_000}),
    ],
)
def test_foreign(path: Path, foreign: bytes) -> None:
    check_refused(path, foreign)


def test_flipped_bytes_in_the_description(path: Path, content: bytes) -> None:
    """A changed byte is refused, or changes nothing but a text: it never ends in another exception."""
    rng = random.Random(0)
    size = int.from_bytes(content[:8], "little")
    refused = 0
    for _ in range(300):
        damaged = bytearray(content)
        damaged[rng.randrange(8 + size)] ^= 1 << rng.randrange(8)
        path.write_bytes(damaged)
        try:
            outcome(load(path), ("a", "b"))
        except DataFault:
            refused += 1
    assert refused > 150


def description(content: bytes) -> dict[str, Any]:
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found: dict[str, Any] = json.loads(header["__metadata__"]["rasp"])
    return found


Damage = Callable[[dict[str, Any], dict[str, Any]], None]


def setting(*keys: str | int, to: object) -> Damage:
    """Sets one field of the description."""

    def damage(tensors: dict[str, Any], fields: Any) -> None:
        *way, last = keys
        for key in way:
            fields = fields[key]
        fields[last] = to

    return damage


def removing(key: str) -> Damage:
    return lambda tensors, fields: fields.pop(key)


def with_tensor(name: str, change: Callable[[Any], Any]) -> Damage:
    return lambda tensors, fields: tensors.update({name: change(tensors[name])})


def filled(value: float) -> Callable[[Any], Any]:
    return lambda tensor: np.full_like(tensor, value)


@pytest.mark.parametrize(
    "damage",
    [
        *map(removing, ["format", "version", "vocabulary", "max_length", "dtype", "directions", "layers", "outputs"]),
        *map(removing, ["guards", "program", "name", "predicted_heads", "causal"]),
        setting("format", to="another"),
        setting("version", to=99),
        setting("version", to="1"),
        setting("vocabulary", to=[]),
        setting("vocabulary", to="ab"),
        setting("vocabulary", to=["a", "a"]),
        setting("vocabulary", to=["a", None]),
        setting("vocabulary", to=["a", "b", "c"]),
        setting("vocabulary", to=5),
        setting("max_length", to=0),
        setting("max_length", to="4"),
        setting("max_length", to=True),
        setting("max_length", to=5),
        setting("dtype", to="int8"),
        setting("dtype", to="float64"),
        setting("dtype", to=[]),
        setting("directions", to=["one"]),
        setting("directions", to=7),
        setting("layers", to=[]),
        setting("layers", to="layers"),
        setting("layers", 0, "heads", to=None),
        setting("layers", 0, "heads", 0, to="head"),
        setting("layers", 0, "heads", to=[]),
        setting("layers", 0, "feed_forwards", to=3),
        setting("layers", 0, "feed_forwards", 0, to=3),
        setting("input", to=[[]]),
        setting("outputs", to=[]),
        setting("outputs", to={}),
        setting("outputs", 0, "kind", to="magic"),
        setting("outputs", 0, "values", to=[]),
        setting("outputs", 0, "values", to=[None, "a", "b"]),
        setting("predicted_heads", to=["many"]),
        setting("guards", to=None),
        setting("causal", to="yes"),
        lambda tensors, fields: tensors.__delitem__("W_E"),
        lambda tensors, fields: tensors.update(extra=np.zeros(2, dtype=np.float32)),
        with_tensor("W_U", lambda tensor: tensor.T),
        with_tensor("W_U", lambda tensor: tensor[:, :0]),
        with_tensor("W_U", lambda tensor: tensor.astype(np.float64)),
        with_tensor("W_pos", lambda tensor: tensor[:-1]),
        with_tensor("W_E", filled(np.nan)),
        with_tensor("W_E", filled(np.inf)),
    ],
)
def test_damaged_fields(path: Path, content: bytes, damage: Damage) -> None:
    tensors, fields = tensors_of(content), description(content)
    damage(tensors, fields)
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    check_refused(path, to_bytes(tensors, {"rasp": json.dumps(fields)}))


def test_the_damage_is_what_is_refused(path: Path, content: bytes) -> None:
    save_file(tensors_of(content), path, {"rasp": json.dumps(description(content))})
    assert load(path).run("aba").output == ["a", "-", "a"]


def test_no_file_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="there is no file"):
        load(tmp_path / "none.safetensors")
    with pytest.raises(DataFault, match="there is no file"):
        load(tmp_path)


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    model = compile_sop(tokens, ("a",), 2)
    with pytest.raises(DataFault, match="cannot write"):
        save(model, tmp_path / "missing" / "model.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataFault, match="cannot write"):
        save(model, tmp_path / "folder")
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_a_failed_write_leaves_the_old_file(path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(DataFault, match="No space left on device"):
        save(compile_sop(tokens, ("a",), 2), path)
    assert path.read_bytes() == content
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({}, "KEPT --vocab a,b --max-length 4 --dtype float32 -o"),
        (
            {"vocabulary": ["a", "b,c"], "causal": True},
            "--vocab @TOKENS.json --max-length 4 --dtype float32 --causal",
        ),
        ({"vocabulary": [1, 2], "dtype": "float64"}, "--vocab 1,2 --max-length 4 --dtype float64"),
        ({"vocabulary": None, "outputs": 3}, "rasp compile PROGRAM.rasp --vocab @TOKENS.json"),
    ],
)
def test_a_file_of_an_old_format_says_how_to_make_it_anew(
    path: Path, content: bytes, changes: dict[str, Any], option: str
) -> None:
    fields = description(content) | {"version": 1, "outputs": [{"name": "KEPT"}]} | changes
    path.write_bytes(to_bytes(tensors_of(content), {"rasp": json.dumps(fields)}))
    with pytest.raises(DataFault, match="has the old format 1") as found:
        load(path)
    assert option in str(found.value.hint)


@pytest.mark.parametrize(
    "damage",
    [
        setting("layers", 0, "heads", 0, "line", to=1e999),
        setting("layers", 0, "heads", 0, "line", to=0),
        setting("layers", 0, "heads", 0, "line", to=True),
        setting("layers", 0, "heads", 0, "kind", to="width "),
        setting("layers", 0, "heads", 0, "selector", to=0),
        setting("name", to=None),
        setting("name", to=["x"]),
        setting("version", to=2.0),
        setting("version", to=None),
        setting("notes", to="note"),
        setting("predicted_heads", to=[1.0]),
        setting("outputs", 0, "node", to=-1),
        setting("graph", 0, "node", to="Node"),
        setting("graph", 0, "more", to=1),
        setting("program", to=[{"text": "x = 1;", "loads": {"a": 1}, "parameters": {}}]),
        setting("certificate", "checks", to=1.5),
        setting("certificate", "more", to=1),
        setting("more", to=1),
    ],
)
def test_every_field_has_its_type(path: Path, content: bytes, damage: Damage) -> None:
    test_damaged_fields(path, content, damage)


def test_a_field_that_stands_twice(path: Path, content: bytes) -> None:
    text = json.dumps(description(content))
    check_refused(path, to_bytes(tensors_of(content), {"rasp": '{"name": "x", ' + text[1:]}))


@EVERY_GRAPH
def test_programs_over_graphs_read_back(path: Path, name: str) -> None:
    save(bundled(name, 5), path)
    first = path.read_bytes()
    save(load(path), path)
    assert path.read_bytes() == first

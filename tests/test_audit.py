"""What `verify` says of edited model files: what can change an answer is noticed, and nothing ends in a traceback."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load as tensors_of
from safetensors.numpy import save as to_bytes

from compiler.artifact import load, save
from compiler.audit import Audit, audit
from compiler.options import Options
from compiler.pipeline import Compilation, compile_sop
from rasp.errors import DataFault, Refusal
from rasp.graph import aggregate, elementwise, full, indices, select, tokens, tokens_asis, where
from rasp.language.program import load_program, parse_program
from rasp.operations import Atom

BOOM = """
same = select(tokens, tokens, ==);
hist = selector_width(same);
x = "boom" if hist > 1 else tokens;
"""
GUARDED = """
m = aggregate(select(indices, indices, <=), tokens_asis, "none");
y = 10 / (tokens_asis - 1) if indices > 0 else 0;
z = m;
"""
CHOICE = """
last = aggregate(select_best(select(tokens, tokens, ==) and select(indices, indices, <), indices), indices, -1);
n = selector_width(select_best(full_s, indicator(tokens == "a")) and select(tokens, tokens, ==));
"""
KINDS = "k = aggregate(select(indices, indices, <), tokens_asis, 2) + 0;"


def written(path: Path, text: str, names: list[str], vocabulary: tuple[Atom, ...], length: int = 3) -> Path:
    """The file of a compiled program."""
    program = parse_program(text)
    save(compile_sop({name: program.sop(name) for name in names}, vocabulary, length, program=program), path)
    return path


def description(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found: dict[str, Any] = json.loads(header["__metadata__"]["rasp"])
    return found


def edited(path: Path, fields: object, tensors: dict[str, Any] | None = None) -> Path:
    """The file with other fields (and tensors)."""
    kept = tensors_of(path.read_bytes()) if tensors is None else tensors
    other = path.with_name("edited.safetensors")
    other.write_bytes(to_bytes(kept, {"rasp": json.dumps(fields)}))
    return other


def audited(path: Path) -> Audit:
    return audit(load(path), path.name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.safetensors"


MODELS: dict[str, tuple[str, list[str], tuple[Atom, ...]]] = {
    "boom": (BOOM, ["x", "hist"], ("a", "b")),
    "guarded": (GUARDED, ["y", "z"], (1, 2, 3)),
    "kinds": (KINDS, ["k"], (1, 2)),
    "choice": (CHOICE, ["last", "n"], ("a", "b")),
    "numbers": (
        "mean = aggregate(full_s, tokens_float); x = mean * 2 + 1;",
        ["x"],
        tuple(1 + i**3 / 73 for i in range(30)),
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_what_was_compiled_is_certified(path: Path, name: str) -> None:
    text, names, vocabulary = MODELS[name]
    found = audited(written(path, text, names, vocabulary))
    assert found.certificate is not None, found.reason
    assert (found.reason, list(found.sops), found.trusted) == (None, names, {})


def reason(path: Path, change: Callable[[Any, dict[str, Any]], object]) -> str:
    """Why a file is not certified after a change of its fields and tensors."""
    fields, tensors = description(path), tensors_of(path.read_bytes())
    change(fields, tensors)
    found = audited(edited(path, fields, tensors))
    assert found.certificate is None
    assert found.reason is not None
    return found.reason


def test_another_value_is_noticed(path: Path) -> None:
    written(path, *MODELS["boom"])
    place = description(path)["outputs"][0]["values"].index("boom")
    said = reason(path, lambda fields, tensors: fields["outputs"][0]["values"].__setitem__(place, "EVIL"))
    assert said == f"its outputs 0 values {place} is 'EVIL', and its program compiles to 'boom'"


def test_another_check_is_noticed(path: Path) -> None:
    written(path, *MODELS["guarded"])
    checks = [guard["check"] for guard in description(path)["guards"]]
    place = checks.index("defined")
    said = reason(path, lambda fields, tensors: fields["guards"][place].update(check="uniform"))
    assert said == f"its guards {place} check is 'uniform', and its program compiles to 'defined'"


def test_a_guard_more_or_less_is_noticed(path: Path) -> None:
    written(path, *MODELS["guarded"])
    count = len(description(path)["guards"])

    def doubled(fields: Any, tensors: dict[str, Any]) -> None:
        fields["guards"].append(fields["guards"][-1])
        tensors[f"guards.{count}.W_U"] = tensors[f"guards.{count - 1}.W_U"]

    def removed(fields: Any, tensors: dict[str, Any]) -> None:
        fields["guards"].pop()
        tensors.pop(f"guards.{count - 1}.W_U")

    assert reason(path, doubled) == f"it has {count + 1} guards, and its program compiles to {count}"
    assert reason(path, removed) == f"it has {count - 1} guards, and its program compiles to {count}"


def test_the_proof_alone_notices_a_guard_less() -> None:
    root, vocabulary = 1 / tokens_asis, (0, 1)
    made = Compilation({"x": root}, Options(vocabulary, 3))
    for weights in (
        replace(made.weights, guards=()),
        replace(made.weights, guards=made.weights.guards * 2),
        replace(made.weights, outputs=made.weights.outputs * 2),
        replace(made.weights, guards=(replace(made.weights.guards[0], check="uniform"),)),
    ):
        with pytest.raises(Refusal, match=r"no certificate: x: the (guards|outputs) are not those of this program"):
            made.certify(weights)


def test_an_output_less_is_another_model(path: Path) -> None:
    written(path, *MODELS["boom"])

    def removed(fields: Any, tensors: dict[str, Any]) -> None:
        fields["outputs"].pop()
        fields["name"] = "x"
        tensors.pop("outputs.1.W_U")

    assert "graph" in reason(path, removed) or "directions" in reason(path, removed)


# -- programs


def test_files_that_a_program_loads_are_kept_with_its_model(tmp_path: Path, path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "same.rasp").write_text("same = select(tokens, tokens, ==);")
    (tmp_path / "main.rasp").write_text('load "parts/same";\nx = selector_width(same);')
    program = load_program(tmp_path / "main.rasp")
    save(compile_sop({"x": program.sop("x")}, ("a", "b"), 3, program=program), path)
    for file in tmp_path.rglob("*.rasp"):
        file.unlink()
    assert audited(path).certificate is not None


def test_a_program_reads_no_file_of_whoever_verifies_it(tmp_path: Path, path: Path) -> None:
    written(path, "x = tokens;", ["x"], ("a",))
    secret = tmp_path / "secret.rasp"
    secret.write_text("x = indices;")

    def loading(fields: Any, tensors: dict[str, Any]) -> None:
        fields["program"][0]["text"] = f'load "{secret.with_suffix("")}"; x = tokens;'

    assert "which is not kept with it" in reason(path, loading)


def test_texts_that_nothing_loads_are_noticed(path: Path) -> None:
    written(path, "x = tokens;", ["x"], ("a",))
    more = {"text": "y = 1;", "loads": {}, "parameters": {}}
    assert "are not those that its program loads" in reason(path, lambda fields, _: fields["program"].append(more))


def test_a_model_built_in_python_is_verified_from_its_graph(path: Path) -> None:
    root = aggregate(select(indices, indices, "<="), tokens_asis)
    save(compile_sop(root, (1, 2), 3, name="x", names={root: "x"}), path)
    found = audited(path)
    assert found.certificate is not None, found.reason
    assert (found.sops["x"] is root, found.trusted) == (True, {})


def test_a_python_function_is_taken_on_trust(path: Path) -> None:
    def vowel(token: Atom) -> bool:
        return token in ("a", "e")

    save(compile_sop(aggregate(full, elementwise(vowel, tokens)), ("a", "b", "c"), 3, name="x"), path)
    found = audited(path)
    assert found.certificate is not None, found.reason
    assert found.trusted == {"vowel": 3}


def test_names_and_lines_of_a_graph_are_bound(path: Path) -> None:
    program = parse_program("\n\nsame = select(tokens, tokens, ==);\nx = selector_width(same);")
    root = program.sop("x")
    save(compile_sop(root, ("a", "b"), 3, name="x", names=program.names, origins=program.origins), path)
    assert description(path)["program"] == []
    assert description(path)["layers"][0]["heads"][0]["line"] == 3
    found = audited(path)
    assert found.certificate is not None, found.reason


# -- every edit of the description

NEARLY: dict[type, Callable[[Any], list[Any]]] = {
    bool: lambda value: [not value, int(value)],
    int: lambda value: [value + 1, value - 1, float(value), -value or 7],
    float: lambda value: [value + 1, value * (1 + 1e-9), int(value)],
    str: lambda value: [value + "x", value[1:], value.upper(), f" {value}"],
    type(None): lambda value: [],
}
OTHERS: list[Any] = [None, True, 0, -1, 2, 1.5, 1e999, float("nan"), 10**30, "", "boo\x1b[0m", [], [0], {}, {"a": 1}]

# What may be edited without changing any answer. The text of a program and the table of a Python function are compiled
# as they stand; without a text the graph is the program. A certificate is proved anew, and that one is shown.
# Vocabulary, mask and preference are options, not derived: other ones are another model, proved anew.
HARMLESS = {
    *("program", "program text", "graph op rows", "vocabulary", "causal", "prefer"),
    *("certificate", "certificate tightest", "certificate headroom"),
}


@dataclass
class Edit:
    """An edited description, and the place of the edit."""

    place: tuple[str | int, ...]
    fields: Any

    @property
    def key(self) -> str:
        return " ".join(str(part) for part in self.place if isinstance(part, str))


def places(fields: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every field, list item and leaf of a description."""
    if place:
        yield place
    parts = fields.items() if isinstance(fields, dict) else enumerate(fields) if isinstance(fields, list) else ()
    for key, part in parts:
        yield from places(part, (*place, key))


def at(fields: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        fields = fields[key]
    return fields


def edits(fields: Any, rng: random.Random, count: int) -> Iterator[Edit]:
    """Some edits: a part replaced by one of another type or a near one, removed, doubled, or with a field more."""
    everywhere = list(places(fields))
    for _ in range(count):
        place = rng.choice(everywhere)
        changed = copy.deepcopy(fields)
        around, last = at(changed, place[:-1]), place[-1]
        now = around[last]
        near = NEARLY.get(type(now), lambda value: [])(now)
        kind = rng.choice(["near", "near", "other", "remove", "double", "more"])
        if kind == "near" and near:
            around[last] = rng.choice(near)
        elif kind == "remove":
            del around[last]
        elif kind == "double" and isinstance(around, list):
            around.insert(int(last), copy.deepcopy(now))
        elif kind == "more" and isinstance(now, dict):
            now["more"] = 1
        else:
            around[last] = rng.choice(OTHERS)
        if json.dumps(changed) != json.dumps(fields):
            yield Edit(place, changed)


def built_in_python(path: Path) -> Path:
    """The file of a model with a Python function in it."""
    vowel = elementwise(lambda token: token in ("a", "e"), tokens)
    sops = {"x": aggregate(select(vowel, True), indices), "y": where(vowel, tokens, "-")}
    save(compile_sop(sops, ("a", "b", "e"), 3, names={vowel: "vowel"}), path)
    return path


@pytest.mark.parametrize("name", [*MODELS, "python"])
def test_every_edit_is_refused_or_not_certified(name: str, path: Path) -> None:
    written(path, *MODELS[name]) if name in MODELS else built_in_python(path)
    fields, tensors = description(path), tensors_of(path.read_bytes())
    refused = uncertified = 0
    for edit in edits(fields, random.Random(name), 150):
        other = edited(path, edit.fields, tensors)
        try:
            found = audited(other)
        except DataFault:
            refused += 1
            continue
        uncertified += found.certificate is None
        assert (found.certificate is None) == (found.reason is not None)
        assert found.certificate is None or edit.key in HARMLESS, edit.place
    assert refused > 20
    assert uncertified > 10

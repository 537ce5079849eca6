"""Outputs that copy one of many values are read by the bits of their codes."""

from dataclasses import replace
from pathlib import Path

import pytest

from compiler.artifact import load, save
from compiler.options import Options
from compiler.pipeline import Compilation
from rasp.errors import Refusal
from rasp.language.program import parse_program
from tests.exact import exact, program

MANY = tuple(f"t{number}" for number in range(70))
REVERSE = "found = aggregate(select(indices, length - 1 - indices, ==), tokens);"


@pytest.mark.parametrize(
    "text",
    [
        REVERSE,
        'found = aggregate(select(indices + 1, indices, ==), tokens, "t3");',
        'found = aggregate(select(indices + 1, indices, ==), tokens, "none");',
        'found = aggregate(select(indices + 1, indices, ==), "a" if tokens in ["t1", "t2"] else tokens, "none");',
        "found = aggregate(select_best(full_s, indices), tokens);",
    ],
)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_copies_of_many_values_are_exact(text: str, length: int) -> None:
    model = exact(program(text), MANY, length)
    assert length == 1 or model.weights.output.kind == "coded"


def test_what_is_both_an_output_and_read_by_value() -> None:
    text = f'{REVERSE} again = "same" if found == tokens else found;'
    exact(program(text), MANY, 4)


def test_a_model_of_codes_is_kept_in_its_file(tmp_path: Path) -> None:
    model = exact(program(REVERSE), MANY, 4)
    save(model, tmp_path / "m.safetensors")
    assert load(tmp_path / "m.safetensors").run(["t1", "t69"]).output == ["t69", "t1"]


def test_a_cache_decodes_what_is_held_in_codes() -> None:
    text = f'{REVERSE} last = "same" if found == tokens else found;'
    model = parse_program(text).compile(MANY, 4, ["found", "last"])
    cache = model.run_with_cache(["t1", "t2", "t69"])[1]
    assert model.weights.output.kind == "coded"
    assert cache["found"] == ["t69", "t2", "t1"]
    assert cache.margins("found") == pytest.approx([1, 1, 1])
    assert cache["last"] == ["t69", "same", "t1"]


def test_a_logit_with_another_code_is_no_certificate() -> None:
    made = Compilation({"found": program(REVERSE)}, Options(MANY, 4))
    output = made.weights.output
    W_U = output.W_U.copy()  # noqa: N806
    W_U[:, 3] = W_U[:, 4]
    with pytest.raises(Refusal, match="no certificate"):
        made.certify(replace(made.weights, outputs=(replace(output, W_U=W_U),)))

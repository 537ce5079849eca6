"""Weights as plain arrays: a forward pass written from the page on formats gives the model's logits."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import export
from compiler.tensors import named_tensors
from rasp.errors import DataFault
from tests.bundled import EVERY, bundled

PAGE = Path(__file__).parent.parent / "docs" / "formats.md"


def documented() -> str:
    """The forward pass that the page has."""
    found = re.search(r"```python\n(def forward.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@EVERY
def test_the_documented_forward_pass_gives_the_logits(name: str, tmp_path: Path) -> None:
    model = bundled(name)
    export.save(model, tmp_path / "m.safetensors", to="state-dict")
    scope: dict[str, object] = {"torch": torch}
    exec(documented(), scope)
    ids = np.pad(np.random.default_rng(0).integers(1, len(model.weights.vocabulary) + 1, (20, 6)), ((0, 0), (1, 0)))
    forward = scope["forward"]
    assert callable(forward)
    assert torch.equal(
        forward(load_file(tmp_path / "m.safetensors"), torch.from_numpy(ids)), model.network(torch.from_numpy(ids))
    )


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".pt"])
def test_every_weight_is_there_under_its_name(suffix: str, tmp_path: Path) -> None:
    path, own = tmp_path / f"m{suffix}", named_tensors(bundled("dyck2").weights)
    export.save(bundled("dyck2"), path, to="state-dict")
    loaders: dict[str, Callable[[Path], Any]] = {".safetensors": load_file, ".npz": np.load, ".pt": torch.load}
    found = loaders[suffix](path)
    assert set(found) == set(own)
    assert all(np.array_equal(np.asarray(found[name]), own[name]) for name in own)


def test_another_suffix_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match=r"is not written as \.bin"):
        export.save(bundled("dyck2"), tmp_path / "m.bin", to="state-dict")

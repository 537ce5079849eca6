"""Figures as files: by suffix, whole or not at all, the same bytes each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from rasp.errors import DataFault
from viz.head_grid import heads
from viz.saving import rendered, save
from viz.style import new_figure


def picture() -> Figure:
    return heads([[np.eye(4)]], "abc", titles=[["same"]])


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.PDF", b"%PDF")])
def test_the_suffix_says_the_kind(tmp_path: Path, name: str, magic: bytes) -> None:
    assert save(picture(), tmp_path / name).read_bytes().startswith(magic)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_the_same_picture_is_the_same_bytes(suffix: str) -> None:
    assert rendered(picture(), suffix) == rendered(picture(), suffix)


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="cannot write a picture") as fault:
        save(picture(), tmp_path / "a.gif")
    assert ".png, .svg, .pdf" in str(fault.value)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="no folder"):
        save(picture(), tmp_path / "no" / "a.png")


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    with pytest.raises(DataFault, match="cannot write"):
        save(picture(), tmp_path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_picture_too_large_for_its_format_is_refused_with_its_size(tmp_path: Path) -> None:
    with pytest.raises(DataFault, match="80,000 × 320 pixels") as fault:
        save(new_figure(500, 2), tmp_path / "a.png")
    assert ".svg" in str(fault.value)
    assert save(new_figure(500, 2), tmp_path / "a.svg").exists()

"""The notebooks of docs/: their code runs, and their own checks hold; in Jupyter too where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "docs" / "notebooks").glob("*.ipynb"))


def cells(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_code_of_a_notebook_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    code = ["".join(cell["source"]) for cell in cells(path) if cell["cell_type"] == "code"]
    assert any("assert " in text for text in code)
    for text in code:
        exec(compile(text, str(path), "exec"), names)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_what_it_printed(path: Path) -> None:
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path) if "outputs" in cell)
    assert len({cell["id"] for cell in cells(path)}) == len(cells(path))


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_jupyter(path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="no Jupyter here: pip install -e .[docs]")
    client = pytest.importorskip("nbclient", reason="no Jupyter here: pip install -e .[docs]")
    client.NotebookClient(nbformat.read(path, as_version=4), timeout=120, kernel_name="python3").execute()

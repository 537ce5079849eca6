"""The pages for those who work on this: what they name is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import rasp

ROOT = Path(__file__).parent.parent
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}


def code(page: str) -> list[str]:
    """What a page sets as code."""
    return re.findall(r"`([^`\n]+)`", (ROOT / page).read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/extending.md", "docs/decisions.md", "docs/exactness.md"])
def test_files_that_a_page_names_exist(page: str) -> None:
    paths = [text for text in code(page) if re.fullmatch(r"[\w./]+", text) and text.split("/")[0] in FOLDERS]
    paths += [f"tests/{text}" for text in code(page) if re.fullmatch(r"test_\w+\.py", text)]
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_changes_list_every_public_name() -> None:
    assert set(rasp.__all__) <= set(code("CHANGELOG.md"))


def test_the_changes_name_modules_that_are_there() -> None:
    table = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").partition("### Modules of `rasp`")[2]
    now = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    for row in now:
        names = re.findall(r"`([\w.]+)`", row)
        package = names[0].rpartition(".")[0]
        paths = [(package + name if name.startswith(".") else name).replace(".", "/") for name in names]
        assert all((ROOT / f"{path}.py").exists() for path in paths), row

"""The pages about Python: every example is run, and gives what stands below it."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

import rasp

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("page", ["python", "porting"])
def test_the_examples_of_a_page_are_true(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    example = doctest.DocTestParser().get_doctest(text, {}, page, f"docs/{page}.md", 0)
    assert len(example.examples) > 5
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    said: list[str] = []
    runner.run(example, out=said.append)
    assert not said, "".join(said)


def test_the_example_of_the_readme_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line with a comment is an expression, and the comment what it gives."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert block is not None
    (tmp_path / "programs").symlink_to(ROOT / "programs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for line in block[1].splitlines():
        code, _, expected = line.partition("  # ")
        if expected:
            assert repr(eval(code, names)) == expected, code
        else:
            exec(code, names)
    assert (tmp_path / "dyck2.json").exists()


def test_what_the_pages_call_by_name_is_public() -> None:
    text = (ROOT / "docs" / "porting.md").read_text(encoding="utf-8")
    tables = [cell for row in text.splitlines() if row.startswith("| `") for cell in re.split(r"(?<!\\)\|", row)[2:3]]
    called = {name for cell in tables for name in re.findall(r"(?<![.\w])([a-z_]+)\(", cell)} - {"m", "s"}
    assert {name for name in called if not hasattr(rasp, name)} == set()

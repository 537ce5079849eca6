"""What is installed: every room and its files, tools in groups and in an extra, names with full types, a release."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = ("rasp", "compiler", "export", "lab", "viz")


def test_the_groups_are_the_extra() -> None:
    """`uv sync` and `pip install --group` take groups, `pip install .[test]` the extra: the same tools."""
    groups = PROJECT["dependency-groups"]
    assert groups["dev"] == [{"include-group": "test"}, {"include-group": "lint"}]
    assert sorted({*groups["test"], *groups["lint"]}) == sorted(PROJECT["project"]["optional-dependencies"]["test"])


def test_every_library_that_is_asked_for_is_an_extra() -> None:
    text = "".join(path.read_text(encoding="utf-8") for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    asked = set(re.findall(r'with extra\("([\w-]+)"\)', text))
    assert asked
    assert asked <= set(PROJECT["project"]["optional-dependencies"])


def test_every_environment_of_interop_is_an_extra() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(r"^ENVIRONMENTS := (.*)$", makefile, re.MULTILINE)
    assert found is not None
    for name in found[1].split():
        assert name.removesuffix("-3") in PROJECT["project"]["optional-dependencies"]
        tests = re.search(rf"^TESTS_{name} := (.*)$", makefile, re.MULTILINE)
        assert tests is not None
        assert all((ROOT / path).is_file() for path in tests[1].split())


def test_a_release_is_built_tested_and_published_without_a_secret() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "id-token: write" in text
    assert "pypa/gh-action-pypi-publish" in text
    assert text.index("make test") < text.index("make dist") < text.index("publish:")
    assert not re.search(r"secrets\.|password:|token: \$", text)


def test_the_wheel_has_every_room_and_its_files(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77", reason="building needs setuptools 77")
    build = "import setuptools.build_meta as b, sys; b.build_wheel(sys.argv[1])"
    source = tmp_path / "source"
    source.mkdir()
    for name in (*ROOMS, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == set(ROOMS)

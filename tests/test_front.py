"""What `import rasp` offers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import rasp

FRONT = Path(rasp.__file__)


def test_every_public_name_is_there() -> None:
    assert all(getattr(rasp, name) is not None for name in rasp.__all__)
    assert set(rasp.__all__) <= set(dir(rasp))
    assert not hasattr(rasp, "nothing")


def test_the_package_is_a_module_like_any_other() -> None:
    assert type(rasp) is ModuleType


def test_no_module_shares_a_public_name() -> None:
    modules = {path.stem for path in FRONT.parent.iterdir()}
    assert not modules & set(rasp.__all__)


def test_the_names_found_late_have_the_types_of_their_imports() -> None:
    found = {
        alias.asname or alias.name: (node.module, alias.name)
        for block in ast.parse(FRONT.read_text(encoding="utf-8")).body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert found == rasp._HOMES


def test_a_program_is_loaded_and_evaluated() -> None:
    assert rasp.evaluate(rasp.parse("x = indices * 2;").sop(), "abc") == [0, 2, 4]
    program = rasp.load(FRONT.parent.parent / "programs" / "reverse.rasp")
    assert rasp.evaluate(program.sop(), "abc") == ["c", "b", "a"]


def test_the_compiler_is_imported_when_it_is_asked_for() -> None:
    code = (
        "import sys, rasp; assert not {'compiler', 'viz', 'numpy'} & set(sys.modules)\n"
        "assert 'compile' in dir(rasp); assert 'compiler' not in sys.modules\n"
        "rasp.compile; assert 'compiler' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(("former", "name"), [("load_program", "load"), ("parse_program", "parse")])
def test_former_names_stay_for_one_release(former: str, name: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"is called rasp.{name}"):
        assert getattr(rasp, former) is getattr(rasp, name)

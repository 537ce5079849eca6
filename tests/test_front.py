"""What `import rasp`, `import compiler`, `import export`, `import lab` and `import viz` offer."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import compiler
import export
import lab
import rasp
import viz
from rasp.late import homes_of

FRONT = Path(rasp.__file__)


EVERY = pytest.mark.parametrize(
    "package", [rasp, compiler, export, lab, viz], ids=lambda package: str(package.__name__)
)


def front(package: ModuleType) -> Path:
    assert package.__file__ is not None
    return Path(package.__file__)


@EVERY
def test_every_public_name_is_there(package: ModuleType) -> None:
    assert all(getattr(package, name) is not None for name in package.__all__)
    assert set(package.__all__) <= set(dir(package))
    assert not hasattr(package, "nothing")


@EVERY
def test_the_package_is_a_module_like_any_other(package: ModuleType) -> None:
    assert type(package) is ModuleType


@EVERY
def test_no_module_shares_a_public_name(package: ModuleType) -> None:
    modules = {path.stem for path in front(package).parent.iterdir()}
    assert not modules & set(package.__all__)


@EVERY
def test_the_names_found_late_have_the_types_of_their_imports(package: ModuleType) -> None:
    found = {
        alias.asname or alias.name: (node.module, alias.name)
        for block in ast.parse(front(package).read_text(encoding="utf-8")).body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert found == {name: home for name, home in homes_of(package._HOMES).items() if name in package.__all__}
    assert {*found} | ({*package.__all__} & vars(package).keys()) >= {*package.__all__}


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


def test_a_model_is_compiled_saved_loaded_and_verified(tmp_path: Path) -> None:
    same = rasp.tokens == "a"
    model = compiler.compile(same, vocab="a-c", max_length=2)
    compiler.save(model, tmp_path / "m.safetensors")
    loaded = compiler.load(tmp_path / "m.safetensors")
    assert loaded.weights.vocabulary == ("a", "b", "c")
    assert compiler.verify(same, loaded).counterexample is None


def test_a_vocabulary_is_parsed_once_and_old_names_take_characters() -> None:
    options = compiler.Options("0..2", 3)
    assert options.vocab == compiler.Options(options.vocab, 3).vocab == (0, 1, 2)
    with pytest.warns(DeprecationWarning, match=r"is called compiler\.compile"):
        former: Any = compiler.compile_sop
    model = former(rasp.tokens, "a-", 1)
    assert model.weights.vocabulary == ("a", "-")


def test_the_compiler_is_there_without_torch() -> None:
    code = "import sys, compiler; compiler.compile, compiler.verify; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

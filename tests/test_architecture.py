"""Which room may import which (rasp <- compiler <- export, lab, viz), and heavy libraries only where they belong."""

from __future__ import annotations

import ast
import graphlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("rasp", "compiler", "export", "lab", "viz")
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
}
DEPENDENCIES = {
    "rasp": {"rasp"},
    "compiler": {"rasp", "compiler"},
    "export": {"rasp", "compiler", "export"},
    "lab": {"rasp", "compiler", "lab"},
    "viz": {"rasp", "compiler", "viz"},
}
# What may name the rooms that are imported after its own, but only late: these open the doors between the rooms.
DOORS = ("rasp", "rasp.doors", "rasp.compiling")
# The parts of `rasp`, in the order in which they may be imported. The doors and the command line come last.
PARTS = ("graph", "language", "console", "front")
FRONT = ("rasp", "rasp.doors", "rasp.command", "rasp.shells", "rasp.watch", "rasp.__main__")
MAY_IMPORT_TORCH = (*("compiler.run.network", "lab.model", "lab.optimizers", "lab.training"),)
FOREIGN = {"google", "onnx", "onnxruntime", "transformer_lens", "transformers"}


def imports(path: Path, *, late: bool = True) -> Iterator[str]:
    """The modules a file imports; with `late` false only what importing the file imports."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            inner = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in MODULES else node.module or "" for name in inner)
        elif late or (not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not _only_typing(node)):
            waiting += ast.iter_child_nodes(node)


def _only_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


# What the proof reads of the compiler: what must be right for a certificate to be right (docs/exactness.md says why).
# Of the constructions it reads what a plan of a head is, no more.
TRUSTED = {
    *("compiler.values.affine", "compiler.values.aggregates", "compiler.values.grid", "compiler.values.categorical"),
    *("compiler.assemble", "compiler.ir", "compiler.lower", "compiler.outputs", "compiler.plan", "compiler.symbolic"),
    *("compiler.rounding", "compiler.selectors", "compiler.storage", "compiler.precision", "compiler.run.decode"),
    *(
        "compiler.operations.differences",
        "compiler.operations.indicator_means",
        "compiler.means",
        "compiler.gadgets.attention",
    ),
    *(
        "compiler.operations.materialised",
        "compiler.values.roundoff",
        "compiler.values.along",
        "compiler.operations.whole",
        "compiler.operations.bit_codes",
        "compiler.reader",
        "compiler.values.linear",
    ),
}


def top(module: str) -> str:
    return module.split(".")[0]


@pytest.mark.parametrize("module", MODULES)
def test_rooms_import_one_way(module: str) -> None:
    rooms = {top(name) for name in imports(MODULES[module], late=module not in DOORS)} & set(ROOMS)
    assert rooms <= DEPENDENCIES[top(module)]


def part(module: str) -> str:
    """The part of `rasp` that a module belongs to."""
    folder = module.split(".")[1] if module.count(".") else ""
    return "front" if module in FRONT else folder if folder in PARTS else "graph"


@pytest.mark.parametrize("module", [module for module in MODULES if top(module) == "rasp"])
def test_the_parts_of_rasp_import_one_way(module: str) -> None:
    """console -> language -> graph, late imports and those for types only as well."""
    parts = {PARTS.index(part(name)) for name in imports(MODULES[module]) if top(name) == "rasp"}
    assert max(parts, default=0) <= PARTS.index(part(module))


@pytest.mark.parametrize("module", MODULES)
def test_modules_are_imported_by_their_names(module: str) -> None:
    """An import written as a string is one that nothing checks."""
    assert module == "rasp.late" or "importlib" not in imports(MODULES[module])


@pytest.mark.parametrize("module", MODULES)
def test_heavy_libraries_stay_in_their_rooms(module: str) -> None:
    found = {top(name) for name in imports(MODULES[module])}
    assert "torch" not in found or module in MAY_IMPORT_TORCH or top(module) == "export"
    assert "matplotlib" not in found or top(module) == "viz"
    assert "lark" not in found
    assert not found & FOREIGN or top(module) == "export"


def test_the_proof_reads_its_trusted_base_and_nothing_else() -> None:
    read = {name for module in MODULES if module.startswith("compiler.proof") for name in imports(MODULES[module])}
    ours = {name for name in read if top(name) == "compiler"}
    ours -= {name for name in ours if name.startswith(("compiler.proof", "compiler.encodings."))}
    assert ours <= TRUSTED, "name what is new in docs/exactness.md"


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("compiler.run.")])
def test_running_reads_no_construction(module: str) -> None:
    built = ("compiler.gadgets", "compiler.rewrites", "compiler.proof", "compiler.lower", "compiler.pipeline")
    assert not [name for name in imports(MODULES[module]) if name.startswith(built)]


def test_the_contract_imports_nothing_of_the_compiler_but_tables_of_functions() -> None:
    assert {name for name in imports(MODULES["compiler.ir"]) if top(name) == "compiler"} == {"compiler.functions"}


VALUES = [module for module in MODULES if module.startswith("compiler.values.")]


@pytest.mark.parametrize("module", VALUES)
def test_what_values_there_are_does_not_depend_on_how_they_are_held(module: str) -> None:
    held = ("compiler.storage", "compiler.symbolic", "compiler.gadgets", "compiler.rewrites", "compiler.proof")
    assert not [name for name in imports(MODULES[module]) if name.startswith((*held, "compiler.run", "compiler.plan"))]


@pytest.mark.parametrize("module", [module for module in MODULES if module.startswith("compiler.gadgets.")])
def test_constructions_neither_run_nor_prove(module: str) -> None:
    assert not [name for name in imports(MODULES[module]) if name.startswith(("compiler.run", "compiler.proof"))]


def test_nothing_imports_the_door() -> None:
    assert not [module for module in MODULES if "rasp.__main__" in imports(MODULES[module])]


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are(module: str) -> None:
    assert module.split(".")[-1] not in ("utils", "util", "helpers", "common", "misc")
    text = MODULES[module].read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def loaded_by(modules: list[str]) -> set[str]:
    """Which heavy libraries a fresh Python has after importing these modules."""
    heavy = ["torch", "matplotlib", "lark", "compiler", "lab", "viz", *sorted(FOREIGN)]
    code = f"import sys, {', '.join(modules)}; print(*(name for name in {heavy} if name in sys.modules))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return set(done.stdout.split())


def test_rasp_loads_nothing_heavy() -> None:
    assert loaded_by(["rasp"]) == set()
    assert loaded_by([module for module in MODULES if top(module) == "rasp"]) == set()


def test_the_compiler_loads_torch_only_to_run_a_network() -> None:
    light = [name for name in MODULES if top(name) == "compiler" and not name.startswith(MAY_IMPORT_TORCH)]
    assert loaded_by(light) == {"compiler"}
    assert loaded_by(["compiler.run.network"]) == {"compiler", "torch"}


def test_the_table_of_formats_loads_no_other_library() -> None:
    assert loaded_by(["export.formats", "export.runtimes", "export.command"]) == {"compiler"}


def test_the_lab_loads_torch_only_to_train_a_model() -> None:
    assert "torch" not in loaded_by(["lab", "lab.task", "lab.patterns", "lab.masks", "lab.checkpoint"])
    assert loaded_by(["lab.model"]) == {"lab", "torch"}


def test_the_check_sees_imports() -> None:
    assert "torch" in imports(MODULES["compiler.run.network"])
    assert "compiler.run.network" in imports(MODULES["compiler.run.model"])
    assert "compiler.run.network" not in imports(MODULES["compiler.run.model"], late=False)


def circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """The groups of modules that import each other round about."""
    order = graphlib.TopologicalSorter(graph)
    try:
        order.prepare()
    except graphlib.CycleError as error:
        return [tuple(error.args[1])]
    return []


@pytest.mark.parametrize("room", ROOMS)
def test_no_files_import_each_other_round_about(room: str) -> None:
    """Late imports and those for types only count too; not the doors of packages, nor nodes shown or called."""
    inner = {module for module in MODULES if top(module) == room and MODULES[module].name != "__init__.py"}
    graph = {module: set(imports(MODULES[module])) & inner for module in inner}
    graph.get("rasp.graph", set()).difference_update({"rasp.printing", "rasp.calls"})
    assert circles(graph) == []


def test_the_check_sees_circles() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


@pytest.mark.parametrize("page", ["extending", "exactness"])
def test_pages_name_files_that_are_there(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:rasp|compiler|export|viz|tests)/[\w/.-]+)`", text))
    assert named
    assert sorted(path for path in named if not (ROOT / path).exists()) == []

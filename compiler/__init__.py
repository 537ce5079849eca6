"""Exact transformer weights for s-ops: compiled, proved, run, saved and loaded.

Names are imported when they are first used, and torch only when a model first runs on it.
"""

from importlib import import_module
from typing import TYPE_CHECKING
from warnings import warn

if TYPE_CHECKING:
    from compiler.artifact import load, save
    from compiler.options import Options
    from compiler.pipeline import Compilation, compile
    from compiler.run.model import CompiledModel
    from compiler.run.result import Result
    from compiler.run.verify import Counterexample, Verification, verify
    from compiler.run.workers import Workers
    from compiler.source_map import SourceMap

__all__ = [
    "Compilation",
    "CompiledModel",
    "Counterexample",
    "Options",
    "Result",
    "SourceMap",
    "Verification",
    "Workers",
    "compile",
    "load",
    "save",
    "verify",
]

# Where each public name is found: as in the imports for types above.
_HOMES: dict[str, tuple[str, str]] = {
    "load": ("compiler.artifact", "load"),
    "save": ("compiler.artifact", "save"),
    "Options": ("compiler.options", "Options"),
    "Compilation": ("compiler.pipeline", "Compilation"),
    "compile": ("compiler.pipeline", "compile"),
    "CompiledModel": ("compiler.run.model", "CompiledModel"),
    "Result": ("compiler.run.result", "Result"),
    "Counterexample": ("compiler.run.verify", "Counterexample"),
    "Verification": ("compiler.run.verify", "Verification"),
    "verify": ("compiler.run.verify", "verify"),
    "Workers": ("compiler.run.workers", "Workers"),
    "SourceMap": ("compiler.source_map", "SourceMap"),
}


def __getattr__(name: str) -> object:
    if name == "compile_sop":
        warn("compiler.compile_sop is called compiler.compile", DeprecationWarning, stacklevel=2)
        return import_module("compiler.pipeline").compile_sop
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own_name = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), own_name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

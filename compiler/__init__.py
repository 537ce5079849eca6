"""Exact transformer weights for s-ops: compiled, proved, run, saved and loaded.

Names are imported when they are first used, and torch only when a model first runs on it.
"""

from typing import TYPE_CHECKING

from rasp.late import late

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

# Where each public name is found: as in the imports for types above; and what `compile` was called before.
_HOMES = {
    "compiler.artifact": "load, save",
    "compiler.options": "Options",
    "compiler.pipeline": "Compilation, compile, compile_sop",
    "compiler.run.model": "CompiledModel",
    "compiler.run.result": "Result",
    "compiler.run.verify": "Counterexample, Verification, verify",
    "compiler.run.workers": "Workers",
    "compiler.source_map": "SourceMap",
}
__getattr__, __dir__ = late(__name__, _HOMES, {"compile_sop": "compile"})

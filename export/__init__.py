"""Compiled models in the formats of other libraries, and run by their runtimes."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.formats import FORMATS, load_onnx, save
    from export.runtimes import RUNTIMES, runtime

__all__ = [
    "FORMATS",
    "RUNTIMES",
    "load_onnx",
    "runtime",
    "save",
]

# Where each public name is found; what needs another library is imported when it is first used.
_HOMES: dict[str, tuple[str, str]] = {
    "FORMATS": ("export.formats", "FORMATS"),
    "load_onnx": ("export.formats", "load_onnx"),
    "save": ("export.formats", "save"),
    "RUNTIMES": ("export.runtimes", "RUNTIMES"),
    "runtime": ("export.runtimes", "runtime"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own_name = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), own_name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

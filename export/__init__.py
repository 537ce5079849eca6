"""Compiled models in the formats of other libraries, and run by their runtimes."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from export.circuit import circuit_of
    from export.doors import load_huggingface, load_onnx, load_transformer_lens, to_huggingface, to_transformer_lens
    from export.formats import FORMATS, Format, save
    from export.lens_weights import lens_blocks, lens_values
    from export.runtimes import RUNTIMES, runtime
    from export.zoo import build_zoo

__all__ = [
    "FORMATS",
    "RUNTIMES",
    "Format",
    "build_zoo",
    "circuit_of",
    "lens_blocks",
    "lens_values",
    "load_huggingface",
    "load_onnx",
    "load_transformer_lens",
    "runtime",
    "save",
    "to_huggingface",
    "to_transformer_lens",
]

# Where each public name is found; what needs another library is imported when it is first used.
_HOMES: dict[str, tuple[str, str]] = {
    "circuit_of": ("export.circuit", "circuit_of"),
    "load_huggingface": ("export.doors", "load_huggingface"),
    "to_huggingface": ("export.doors", "to_huggingface"),
    "load_onnx": ("export.doors", "load_onnx"),
    "load_transformer_lens": ("export.doors", "load_transformer_lens"),
    "to_transformer_lens": ("export.doors", "to_transformer_lens"),
    "FORMATS": ("export.formats", "FORMATS"),
    "Format": ("export.formats", "Format"),
    "save": ("export.formats", "save"),
    "lens_blocks": ("export.lens_weights", "lens_blocks"),
    "lens_values": ("export.lens_weights", "lens_values"),
    "RUNTIMES": ("export.runtimes", "RUNTIMES"),
    "runtime": ("export.runtimes", "runtime"),
    "build_zoo": ("export.zoo", "build_zoo"),
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, own_name = _HOMES[name]
    value = globals()[name] = getattr(import_module(module), own_name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

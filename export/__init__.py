"""Compiled models in the formats of other libraries, and run by their runtimes."""

from typing import TYPE_CHECKING

from rasp.late import late

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

# Where each public name is found, when it is first used: as in the imports for types above.
_HOMES = {
    "export.circuit": "circuit_of",
    "export.doors": "load_huggingface, load_onnx, load_transformer_lens, to_huggingface, to_transformer_lens",
    "export.formats": "FORMATS, Format, save",
    "export.lens_weights": "lens_blocks, lens_values",
    "export.runtimes": "RUNTIMES, runtime",
    "export.zoo": "build_zoo",
}
__getattr__, __dir__ = late(__name__, _HOMES)

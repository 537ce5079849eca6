"""The formats that models are exported to: one table, one file for each format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from compiler.run.model import CompiledModel
from export.doors import save_huggingface, save_onnx, save_t5, save_transformer_lens
from export.extras import unedited, unmasked
from rasp.errors import DataFault
from rasp.files import write_whole


@dataclass(frozen=True)
class Format:
    """A format: what it is in a line, what is written (a file, or a folder), and what writes it."""

    summary: str
    written: str
    write: Callable[[CompiledModel, Path], None]


def _state_dict(model: CompiledModel, path: Path) -> None:
    from export.state_dict import state_dict_bytes

    write_whole(path, state_dict_bytes(unmasked(model, "a state dict").weights, path.suffix))


def _circuit(model: CompiledModel, path: Path) -> None:
    from export.circuit import circuit_bytes

    write_whole(path, circuit_bytes(model))


FORMATS: dict[str, Format] = {
    "onnx": Format("an ONNX graph: logits, guards and the attention of every head", "OUT.onnx", save_onnx),
    "state-dict": Format("the weights alone, by name", "OUT.safetensors, OUT.npz or OUT.pt", _state_dict),
    "circuit": Format("which head and which neurons compute what, and from what", "OUT.json", _circuit),
    "huggingface": Format("a Hugging Face model of our own class, with tokenizer", "a folder OUT", save_huggingface),
    "huggingface-t5": Format("a stock Hugging Face T5, with tokenizer", "a folder OUT", save_t5),
    "transformer-lens": Format("a model for TransformerLens 3 and 4", "a folder OUT", save_transformer_lens),
}


def save(model: CompiledModel, path: str | Path, to: str) -> None:
    """Writes a model in a format of `FORMATS`, whole or not at all.

    DataFault for an unknown format, an edited model, a library that is not installed, or a place that cannot be
    written; Refusal where the format cannot hold the model exactly.
    """
    if to not in FORMATS:
        raise DataFault(f"there is no format {to!r}", hint=f"formats are {', '.join(FORMATS)}")
    FORMATS[to].write(unedited(model), Path(path))

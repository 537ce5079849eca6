"""What needs another library: imported when it is called for; where it is missing, a DataFault names the extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from compiler.run.model import CompiledModel
from export.extras import extra, unedited
from rasp.files import write_whole


def save_onnx(model: CompiledModel, path: Path) -> None:
    """Writes an ONNX file."""
    with extra("onnx"):
        from export.onnx_graph import onnx_bytes
    write_whole(path, onnx_bytes(model.weights))


def load_onnx(path: str | Path) -> CompiledModel:
    """The model in an exported ONNX file, with the runtime `onnxruntime` that runs the file's graph.

    DataFault for a missing, damaged or foreign file, also where the graph is not what its weights are exported as.
    """
    with extra("onnx"):
        from export import onnx_file
    return onnx_file.load(path)


def save_transformer_lens(model: CompiledModel, path: Path) -> None:
    """Writes a folder for TransformerLens. Errors as for `to_transformer_lens`."""
    with extra("transformer-lens"):
        from export import lens
    lens.save_transformer_lens(model, path)


def to_transformer_lens(model: CompiledModel) -> Any:
    """The model in TransformerLens: a `TransformerBridge` (4.x) or a `HookedTransformer` (3.x), whichever is installed.

    Token ids [B, T] are those of `model.encode`, as a tensor; `lens_values` reads the logits. Some inputs are replayed
    in it: Refusal where one gives anything else than the program, or where it cannot hold the model exactly. DataFault
    for an edited model.
    """
    with extra("transformer-lens"):
        from export import lens
    return lens.to_transformer_lens(unedited(model))


def load_transformer_lens(folder: str | Path) -> Any:
    """The TransformerLens model in a folder that was exported. DataFault where there is none."""
    with extra("transformer-lens"):
        from export import lens
    return lens.load_transformer_lens(folder)


def save_huggingface(model: CompiledModel, path: Path) -> None:
    """Writes a folder for Hugging Face. DataFault where it cannot be written."""
    with extra("huggingface"):
        from export import huggingface
    huggingface.save_huggingface(model, path)


def to_huggingface(model: CompiledModel) -> tuple[Any, Any]:
    """The model as a `PreTrainedModel`, of a class of our own, and its tokenizer.

    It runs in the dtype it is certified in and refuses others; `model.values(output, index, length)` reads the logits.
    DataFault for an edited model.
    """
    with extra("huggingface"):
        from export import huggingface
    return huggingface.to_huggingface(unedited(model))


def load_huggingface(folder: str | Path) -> tuple[Any, Any]:
    """The model and the tokenizer in an exported folder, also those of a stock T5. DataFault where there are none."""
    with extra("huggingface"):
        from export import huggingface
    return huggingface.load_huggingface(folder)


def save_t5(model: CompiledModel, path: Path) -> None:
    """Writes a folder with a stock T5. Refusal where it cannot hold the model exactly."""
    with extra("huggingface"):
        from export import stock_t5
    stock_t5.save_t5(model, path)

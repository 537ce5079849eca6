"""Reads an exported ONNX file back: its weights are checked as those of a model file are, ONNX Runtime runs it."""

from __future__ import annotations

from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from compiler.artifact import KEY, model_of
from compiler.run.model import CompiledModel
from export.onnx_graph import onnx_model
from export.onnx_runtime import RUNTIME, session
from rasp.errors import DataFault


def load(path: str | Path) -> CompiledModel:
    """The model in an ONNX file that was exported, with the runtime `onnxruntime` that runs the file's graph.

    DataFault for a missing, damaged or foreign file, also where the graph is not what its weights are exported as.
    """
    content, found = _read(Path(path))
    written = {prop.key: prop.value for prop in found.metadata_props}.get(KEY)
    if written is None:
        raise DataFault(f"{path} is an ONNX file, but not a compiled RASP model")
    model = model_of(written, {part.name: numpy_helper.to_array(part) for part in found.graph.initializer}, str(path))
    if onnx_model(model.weights).graph != found.graph:
        raise DataFault(
            f"{path} is damaged: its graph is not the one that its weights are exported as",
            hint="what other tools make of a graph is theirs to run, and to verify",
        )
    model.runtimes[RUNTIME] = session(content, model.weights)
    return model


def _read(path: Path) -> tuple[bytes, onnx.ModelProto]:
    if not path.is_file():
        raise DataFault(f"there is no file {path}")
    try:
        content = path.read_bytes()
        return content, onnx.load_from_string(content)
    except (DecodeError, OSError, ValueError) as error:
        raise DataFault(f"{path} is not an ONNX file, or is damaged: {error}") from error

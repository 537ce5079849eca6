"""The runtimes in which a model can be replayed: one table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from compiler.run.model import CompiledModel, Runtime
from export.extras import extra, unedited
from rasp.errors import DataFault


@dataclass(frozen=True)
class Engine:
    """A runtime: what it is in a line, and what makes it ready for a model."""

    summary: str
    open: Callable[[CompiledModel], Runtime]


def _own(name: str, model: CompiledModel) -> Runtime:
    """One of the model's own engines, whatever else has its name among the model's runtimes."""
    own = CompiledModel(model.weights)
    return lambda token_ids, whole, graphs: own.trace(token_ids, name, whole=whole, graphs=graphs)


def _compiled(model: CompiledModel) -> Runtime:
    from export.torch_runtimes import compiled

    return compiled(model.weights)


def _cuda(model: CompiledModel) -> Runtime:
    from export.torch_runtimes import cuda

    return cuda(model.weights)


def _onnxruntime(optimised: bool, model: CompiledModel) -> Runtime:
    with extra("onnx"):
        from export.onnx_runtime import onnxruntime_of
    return onnxruntime_of(model.weights, optimised=optimised)


def _lens(model: CompiledModel) -> Runtime:
    with extra("transformer-lens"):
        from export.lens import lens_runtime, to_transformer_lens
    return lens_runtime(to_transformer_lens(model), model)


def _huggingface(model: CompiledModel) -> Runtime:
    with extra("huggingface"):
        from export.huggingface import huggingface_runtime
    return huggingface_runtime(model)


def _t5(model: CompiledModel) -> Runtime:
    with extra("huggingface"):
        from export.stock_t5 import t5_runtime, to_t5
    return t5_runtime(to_t5(model)[0], model.weights)


RUNTIMES: dict[str, Engine] = {
    "reference": Engine("numpy", partial(_own, "reference")),
    "torch": Engine("torch on the CPU", partial(_own, "torch")),
    "sparse": Engine("torch without most of the zeros", partial(_own, "sparse")),
    "torch-compile": Engine("torch.compile on the CPU", _compiled),
    "cuda": Engine("torch on a GPU", _cuda),
    "onnxruntime": Engine("ONNX Runtime on the CPU", partial(_onnxruntime, True)),
    "onnxruntime-plain": Engine("ONNX Runtime without its optimiser", partial(_onnxruntime, False)),
    "transformer-lens": Engine("TransformerLens 3 or 4", _lens),
    "huggingface": Engine("Hugging Face, saved and loaded", _huggingface),
    "huggingface-t5": Engine("a stock Hugging Face T5", _t5),
}


def runtime(name: str, model: CompiledModel) -> Runtime:
    """What runs a model in one of `RUNTIMES`: token ids [T] or [B, T] in, a trace out.

    DataFault for an unknown runtime, for one that is not there, and for an edited model.
    """
    if name not in RUNTIMES:
        raise DataFault(f"there is no runtime {name!r}", hint=f"runtimes are {', '.join(RUNTIMES)}")
    return RUNTIMES[name].open(unedited(model))

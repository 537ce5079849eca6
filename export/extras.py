"""What an export needs: a model as it was compiled, and libraries that nothing else needs, each an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from compiler.run.model import CompiledModel
from rasp.errors import DataFault, Refusal


@contextmanager
def extra(name: str) -> Iterator[None]:
    """DataFault where a library of the extra of that name is not installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        library = (error.name or name).split(".")[0]
        raise DataFault(
            f"this needs {library}, which is not installed", hint=f'pip install "rasp-compiler[{name}]"'
        ) from error


def unmasked(model: CompiledModel, name: str) -> CompiledModel:
    """The model. Refusal for one whose heads look along masks, which something of that name has no place for."""
    if model.weights.masks:
        raise Refusal(
            f"heads of this model look along relations or masks, and {name} takes none",
            hint="ONNX, --to huggingface and torch take them as inputs",
        )
    return model


def unedited(model: CompiledModel) -> CompiledModel:
    """The model. DataFault for one with edits, which are functions and no weights."""
    if model.edits:
        raise DataFault(
            "an edited model cannot be exported: its edits are functions", hint="export the model it was made of"
        )
    return model

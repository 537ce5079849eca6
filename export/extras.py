"""What an export needs: a model as it was compiled, and libraries that nothing else needs, each an extra."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from compiler.run.model import CompiledModel
from rasp.errors import DataFault


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


def unedited(model: CompiledModel) -> CompiledModel:
    """The model. DataFault for one with edits, which are functions and no weights."""
    if model.edits:
        raise DataFault(
            "an edited model cannot be exported: its edits are functions", hint="export the model it was made of"
        )
    return model

"""The libraries that exports need and nothing else does: each an extra of the package, with what to do without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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

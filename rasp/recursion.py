"""Room on the Python stack for programs that recurse a thousand calls deep."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

FRAMES = 400_000


@contextmanager
def deep_stack() -> Iterator[None]:
    """Python may nest FRAMES calls inside. Calls from Python to Python take heap, not the C stack."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, FRAMES))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)

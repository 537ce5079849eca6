"""How many seconds each pass took, without those of the passes that it asks for; and how far a compilation is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

# Is told how much of how much is done, about, and the name of the pass that runs, which is half done by then.
Progress: TypeAlias = Callable[[float, float, str], None]

# About which share of the time each pass takes in programs that take over a second to compile.
_SHARES = {
    "graph": 0.04,
    "values": 0.45,
    "schedule": 0.01,
    "layout": 0.08,
    "layers": 0.08,
    "weights": 0.02,
    "certificate": 0.20,
    "second opinion": 0.12,
}


def silent(done: float, total: float, name: str) -> None:
    """Progress that nobody asks for."""


class OutOfTime(Exception):
    """What is tried only for so long has taken longer."""


_DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Lets what runs inside take so many seconds: `go_on` raises OutOfTime once they are over."""
    token = _DEADLINE.set(time.perf_counter() + seconds)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def go_on() -> None:
    """Nothing, or OutOfTime: asked before each pass, and in long ones before each s-op."""
    deadline = _DEADLINE.get()
    if deadline is not None and time.perf_counter() > deadline:
        raise OutOfTime


class Stopwatch:
    """Seconds by name, in the order in which names ended. `progress` is told whenever another pass runs."""

    def __init__(self, progress: Progress = silent) -> None:
        self.seconds: dict[str, float] = {}
        self.progress = progress
        self._inner: list[float] = []
        self._running: list[str] = []

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Counts the time until the end to a name, but for what counts to other names meanwhile."""
        go_on()
        start = time.perf_counter()
        self._inner.append(0.0)
        self._running.append(name)
        self._tell()
        try:
            yield
        finally:
            elapsed, inner = time.perf_counter() - start, self._inner.pop()
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed - inner
            if self._inner:
                self._inner[-1] += elapsed
            self._running.pop()
            self._tell()

    def _tell(self) -> None:
        if self._running:
            name = self._running[-1]
            half = 0.0 if name in self.seconds else _SHARES[name] / 2
            self.progress(sum(_SHARES[name] for name in self.seconds) + half, 1.0, name)

"""Parts of long work in several processes, where that pays: loky's on the cores of this machine, or a dask cluster's.

Work begins in this process. Once its pace is known, so is what is left; other processes take over where they save more
time than they take to start. Results come in the order of the parts either way, and are the same.
"""

from __future__ import annotations

import hashlib
import logging
import math
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Generic, TypeVar

from rasp.errors import DataFault
from rasp.graph import Node

P = TypeVar("P")
R = TypeVar("R")

BACKENDS = ("loky", "dask")
WORTH = 5.0
"""So many seconds must other processes save: starting some, each of which imports torch, takes about as long."""
_KNOWN = 0.5
_AHEAD = 3


@dataclass(frozen=True)
class Workers:
    """How many processes there may be (none given: one a core, or all of the cluster), and whose: `loky` or `dask`."""

    count: int | None = None
    backend: str = "loky"

    def check(self) -> None:
        """Nothing, or a DataFault where the backend is not known or not installed."""
        if self.backend not in BACKENDS:
            raise DataFault(f"there is no backend {self.backend!r}", hint=f"backends are {' and '.join(BACKENDS)}")
        if self.backend == "dask":
            _dask()

    def pay(self, left: float) -> bool:
        """Whether they take enough off the seconds that are left for one process."""
        return left > WORTH and left * (1 - 1 / (self.count or self._most())) > WORTH

    def _most(self) -> float:
        from loky import cpu_count

        return cpu_count() if self.backend == "loky" else math.inf


ALL_CORES = Workers()


@dataclass(frozen=True)
class Work(Generic[P, R]):
    """What is done for each part. `roots` are the nodes of the s-op graph in it; `cost` says how long a part takes
    beside others, and `total` is the sum of the costs of all parts."""

    do: Callable[[P], R]
    roots: Sequence[Node]
    cost: Callable[[P], float]
    total: float

    def results(self, parts: Iterable[P], workers: Workers) -> Generator[R, None, None]:
        """The result of each part, in the order of the parts. DataFault where a process dies."""
        coming, pace = iter(parts), _Pace(self.total)
        for part in coming:
            if workers.pay(pace.left) and (content := self._packed()) is not None:
                yield from _elsewhere(content, chain([part], coming), workers)
                return
            with pace.timed(self.cost(part)):
                result = self.do(part)
            yield result

    def _packed(self) -> bytes | None:
        """The work as bytes; None where something in it cannot leave this process."""
        from compiler.run.packed import packed

        try:
            return packed(self.do, self.roots)
        except (TypeError, AttributeError, ValueError, pickle.PicklingError, RecursionError):
            return None


class _Pace:
    """How long the work takes. The first part does not count, as much is made ready with it."""

    def __init__(self, total: float) -> None:
        self._total, self._seconds, self._timed, self._first = total, 0.0, 0.0, True

    @contextmanager
    def timed(self, cost: float) -> Iterator[None]:
        """Takes note of how long a part of that cost takes."""
        start = time.perf_counter()
        yield
        self._total -= cost
        if not self._first:
            self._seconds += time.perf_counter() - start
            self._timed += cost
        self._first = False

    @property
    def left(self) -> float:
        """So many seconds the rest will take in this process; none as long as nothing is known."""
        return self._total * self._seconds / self._timed if self._seconds > _KNOWN else 0.0


def _elsewhere(content: bytes, parts: Iterator[Any], workers: Workers) -> Iterator[Any]:
    """The results of work that is packed, in the order of the parts; some are always under way."""
    with _RUNNING[workers.backend](content, workers.count) as processes:
        waiting = deque(map(processes.submit, islice(parts, _AHEAD * processes.count)))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(map(processes.submit, islice(parts, 1)))
                yield result
        finally:
            for part in waiting:
                part.cancel()


@dataclass(frozen=True)
class _Processes:
    """How many processes there are, and what has one do a part: the result is a future."""

    count: int
    submit: Callable[[Any], Any]


# -- the cores of this machine


@contextmanager
def _on_loky(content: bytes, count: int | None) -> Iterator[_Processes]:
    """Processes of this machine. They read the work from a file, and end with it."""
    from loky import BrokenProcessPool, ProcessPoolExecutor, cpu_count

    count = count or cpu_count()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "work"
        file.write_bytes(content)
        pool = ProcessPoolExecutor(count, initializer=_begin, initargs=(file,), env=dict.fromkeys(_THREADS, "1"))
        try:
            yield _Processes(count, lambda part: pool.submit(_one, part))
        except BrokenProcessPool as error:
            raise DataFault(
                "the other processes died, for want of memory or because they cannot import what the check needs; "
                "--workers 1 does without them"
            ) from error
        finally:
            pool.shutdown()


# Threads that share a core wait for each other.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_work: list[Callable[[Any], Any]] = []


def _begin(file: Path) -> None:
    """Makes a process ready for its work. Ctrl-C is for the process that has started it."""
    from compiler.run.packed import unpacked

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _work[:] = [unpacked(file.read_bytes())]


def _one(part: Any) -> Any:
    return _work[0](part)


# -- a cluster


@contextmanager
def _on_dask(content: bytes, count: int | None) -> Iterator[_Processes]:
    """A dask cluster, to which the work is sent once."""
    with _client(count) as client:
        name = hashlib.sha256(content).hexdigest()
        sent = client.scatter(content, broadcast=True, hash=False)
        threads = sum(client.nthreads().values()) or 1
        yield _Processes(
            min(count or threads, threads), lambda part: client.submit(_one_of, name, sent, part, pure=False)
        )


def _client(count: int | None) -> AbstractContextManager[Any]:
    """The cluster that this process is connected with, else the one in the settings, else one of its own."""
    dask, distributed = _dask()
    with suppress(ValueError):
        return nullcontext(distributed.Client.current())
    if dask.config.get("scheduler-address", None) is not None:
        return distributed.Client()
    own = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": logging.ERROR}
    return distributed.Client(n_workers=count, **own)


def _dask() -> tuple[Any, Any]:
    """dask and its scheduler. DataFault where they are not installed."""
    try:
        import dask
        import distributed
    except ModuleNotFoundError as error:
        raise DataFault(
            f"the backend dask needs {error.name}, which is not installed",
            hint='pip install "rasp-compiler[dask]", or --backend loky for the cores of this machine',
        ) from error
    return dask, distributed


_known: dict[str, Callable[[Any], Any]] = {}


def _one_of(name: str, content: bytes, part: Any) -> Any:
    """The result of a part, by work of that name, which is unpacked once."""
    from compiler.run.packed import unpacked

    if name not in _known:
        _known.clear()
        _known[name] = unpacked(content)
    return _known[name](part)


_RUNNING = {"loky": _on_loky, "dask": _on_dask}

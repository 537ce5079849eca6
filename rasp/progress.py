"""How far long work is: a bar at the terminal, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, Task
    from rich.text import Text

DELAY = 1.0


class Bar:
    """What is being done, how much of it is done, for how long, and how long it will still take, by the pace so far.

    It appears after a second, and is gone at the end. There is none where standard error is no terminal.
    """

    def __init__(self, what: str, *, shown: bool = True) -> None:
        self.what, self._done, self._total = what, 0.0, 0.0
        self._shown = shown and sys.stderr.isatty()
        self._began = time.monotonic()
        self._first: tuple[float, float] | None = None
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._live: Progress | None = None

    def __enter__(self) -> Bar:
        self._wait()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._shown = False
        self.hide()

    def tell(self, done: float, total: float, what: str | None = None) -> None:
        """Takes note of how much of how much is done, and of what is done now."""
        self._done, self._total, self.what = done, total, what or self.what
        if self._first is None:
            self._first = time.monotonic(), self._share
        if self._timer is None:
            self._wait()
        live = self._live
        if live is not None:
            live.update(live.task_ids[0], completed=done, total=total, description=self.what)

    @property
    def _share(self) -> float:
        return self._done / self._total if self._total else 0.0

    @property
    def estimate(self) -> str:
        """How long it still takes, by the pace since something was told first: what was done before may be of old."""
        at, before = self._first or (self._began, 0.0)
        if self._share > before:
            return left(time.monotonic() - at, (self._share - before) / (1 - before))
        return left(time.monotonic() - self._began, self._share)

    def hide(self) -> None:
        """Makes room for what is to be said; the bar comes back a second after it is told something."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            live, self._timer, self._live = self._live, None, None
        if live is not None:
            live.stop()

    def _wait(self) -> None:
        if self._shown:
            self._timer = threading.Timer(DELAY, self._appear)
            self._timer.daemon = True
            self._timer.start()

    def _appear(self) -> None:
        live = _live(self)
        task = live.add_task(self.what, completed=int(self._done), total=self._total or None)
        live.update(task, completed=self._done)
        live.tasks[0].start_time = self._began
        with self._lock:
            if self._timer is threading.current_thread():
                self._live = live
                live.start()


def _live(bar: Bar) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.text import Text

    class Left(ProgressColumn):
        """The time that is left."""

        def render(self, task: Task) -> Text:
            return Text(bar.estimate, style="progress.remaining")

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn())
    return Progress(
        *(*columns, TimeElapsedColumn(), Left()),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
        get_time=time.monotonic,
    )


def left(spent: float, share: float) -> str:
    """How long work takes still, of which a share took some seconds; nothing is said of what has not begun."""
    if share <= 0:
        return ""
    return f"about {timedelta(seconds=round(spent * (1 - share) / share))} left"

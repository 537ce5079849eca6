"""Ctrl-C at any time: the command `rasp` ends with one line and status 130, however early or late it comes.

While a subcommand runs, Ctrl-C is a KeyboardInterrupt as usual. Before, while Python still imports, and after, while it
takes itself down, that would be a traceback or worse: then the process ends at once. Programs that import this package
are not touched.
"""

import os
import signal
import sys
from contextlib import suppress
from itertools import pairwise
from types import FrameType

STATUS = 130


def is_command() -> bool:
    """Whether this process is the command, by its script or by `python -m rasp`."""
    as_module = ("-m", "rasp") in pairwise(sys.orig_argv)
    return as_module or os.path.basename(sys.argv[0] if sys.argv else "") in ("rasp", "rasp.exe")


def end_at_once() -> None:
    """From now on Ctrl-C ends the command without anything else. Where it is ignored, as under nohup, it stays so."""
    if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """From now on Ctrl-C is a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: FrameType | None) -> None:
    with suppress(OSError):
        os.write(2, b"interrupted\n")
    os._exit(STATUS)

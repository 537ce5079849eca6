"""How much work something is, counted: a time says more about the machine than about the program."""

import gc
import sys
from collections.abc import Callable
from types import FrameType


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, ours and those of C; those that collecting garbage calls are not counted."""
    count = 0

    def counted(frame: FrameType, event: str, arg: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    gc.collect()
    gc.disable()
    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


def grows_linearly(work: Callable[[int], object], size: int) -> bool:
    """Whether twice the size is about twice the work. What is done once is done beforehand."""
    work(size)
    return calls(lambda: work(2 * size)) < 2.2 * calls(lambda: work(size))

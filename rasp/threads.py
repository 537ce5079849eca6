"""How many threads the command has for a product of matrices."""

import os

from rasp.interrupts import is_command

_COUNTS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def one_a_product() -> None:
    """From now on a library that multiplies arrays takes one thread, unless the environment says how many.

    To be called before numpy is imported, which starts the threads. Nearly all products here are small: threads that
    share one wait for each other, spinning, and take many times as long where other processes want the cores as well.
    torch has threads of its own, and keeps them. Programs that import this package are not touched.
    """
    if is_command() and not any(name in os.environ for name in _COUNTS):
        os.environ["OPENBLAS_NUM_THREADS"] = "1"

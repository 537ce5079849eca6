"""How much sooner `rasp verify` is done with all cores of this machine than with one.

Both ways are commands of their own, run in turn; seconds are those on the clock, from start to end, and medians of some
runs. Nothing else should run beside them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.page import ROOT, WRITE, show

MODELS = {"reverse": "a-z", "sort": "a-z", "dyck2": "()[]"}
LENGTH = 20
COUNT = 200_000


def rasp(*arguments: str) -> float:
    """The seconds a command takes. It must find no difference."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "rasp", *arguments], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - start


def row(name: str, cores: int, runs: int) -> str:
    """The table's row for one program."""
    with TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.safetensors")
        rasp("compile", f"programs/{name}.rasp", "--vocab", MODELS[name], "--max-length", str(LENGTH), "-o", model)
        command = "verify", model, "--count", str(COUNT), "--workers"
        pairs = [(rasp(*command, "1"), rasp(*command, str(cores))) for _ in range(runs)]
    one, all_of_them = map(statistics.median, zip(*pairs, strict=True))
    return f"| {name} | {COUNT:,} | {one:.1f} | {all_of_them:.1f} | {one / all_of_them:.2f}× |"


def report(runs: int) -> Iterator[str]:
    """The table, a line at a time."""
    cores = len(os.sched_getaffinity(0))
    yield f"`rasp verify` on random inputs of up to {LENGTH} tokens, seconds from start to end:"
    yield ""
    yield f"| program | inputs | one process | {cores} processes | ratio |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in MODELS:
        yield row(name, cores, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2, metavar="K", help="runs of each (default 2)")
    parser.add_argument("--write", action="store_true", help=WRITE)
    args = parser.parse_args()
    show("workers", report(args.runs), write=args.write)


if __name__ == "__main__":
    main()

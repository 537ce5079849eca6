"""How fast the interpreter is: on one input of ever more tokens, on many inputs, and in `verify`.

Every ratio is of two ways measured in turn in one process. *Matrices* is the way of the rules in `rasp/interpret.py`,
which short inputs take; *one by one* is a run, or a comparison, for each input. Seconds are CPU seconds of one thread,
the median of some runs; memory is the largest that a process of its own had, in MB, Python's 40 MB among them.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from unittest import mock

import numpy as np

from benchmarks.page import ROOT, WRITE, show
from compiler.pipeline import compile_sop
from compiler.run.agreement import accuracies
from compiler.run.model import ENGINES
from compiler.run.verify import compare, difference
from rasp.batch.run import BatchRun
from rasp.graph import SOp
from rasp.interpret import Run
from rasp.language.program import load_program
from rasp.operations import Atom
from rasp.vocabulary import parse_vocabulary

PROGRAMS = ("reverse", "histogram", "sort", "dyck2", "most_frequent")
LENGTHS = (10, 50, 150, 400, 1_000, 3_000, 100_000, 1_000_000)
LONGEST_MATRIX = 3_000
INPUTS, SHORTEST, LONGEST = 10_000, 5, 20
VERIFIED = {"reverse": ("a-d", 6), "histogram": ("a-d", 6), "sort": ("a-d", 6), "dyck2": ("()[]", 6)}


def sop_of(name: str) -> SOp:
    return load_program(ROOT / "programs" / f"{name}.rasp").sop()


def tokens_for(name: str, count: int) -> list[Atom]:
    """Random letters, or random brackets that nest as long as there are tokens."""
    rng = random.Random(1)
    if not name.startswith("dyck"):
        return list(rng.choices("abcdefghijklmnopqrstuvwxyz", k=count))
    found: list[Atom] = []
    awaited: list[str] = []
    while len(found) < count:
        if awaited and (rng.random() < 0.5 or len(found) + len(awaited) >= count):
            found.append(awaited.pop())
        else:
            opening = rng.choice("([")
            found.append(opening)
            awaited.append({"(": ")", "[": "]"}[opening])
    return found


def seconds(work: Callable[[], object], runs: int) -> float:
    """The median of the CPU seconds of some runs, after one that does not count; cheap work is repeated in each."""
    start = time.process_time()
    work()
    repeats = max(1, min(100, int(0.02 / max(time.process_time() - start, 1e-6))))
    found = []
    for _ in range(runs):
        start = time.process_time()
        for _ in range(repeats):
            work()
        found.append((time.process_time() - start) / repeats)
    return statistics.median(found)


# -- one input


def long_input(name: str, count: int, runs: int) -> tuple[float, float | None]:
    """Seconds for a run, and with matrices where those are not too large."""
    sop, tokens = sop_of(name), tokens_for(name, count)
    ours = seconds(lambda: Run(tokens).sop(sop), runs)
    if count > LONGEST_MATRIX:
        return ours, None
    with mock.patch("rasp.interpret.SHORT", count):
        return ours, seconds(lambda: Run(tokens).sop(sop), runs)


def once(name: str, count: int) -> None:
    """Prints the seconds and the memory of one run in this process."""
    sop, tokens = sop_of(name), tokens_for(name, count)
    start = time.process_time()
    Run(tokens).sop(sop)
    spent = time.process_time() - start
    print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))


def alone(name: str, count: int) -> tuple[float, float]:
    """The seconds and the memory of one run in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.interpret", "--once", name, str(count)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    spent, memory = json.loads(done.stdout)
    return spent, memory


def lengths_table(runs: int) -> Iterator[str]:
    """Milliseconds by length, how much longer matrices take, and how time grows from 100,000 tokens on."""
    yield "| program | " + " | ".join(f"{count:,}" for count in LENGTHS) + " | growth | MB |"
    yield "| --- |" + " ---: |" * (len(LENGTHS) + 2)
    for name in PROGRAMS:
        cells = []
        for count in LENGTHS[:-2]:
            ours, matrices = long_input(name, count, runs)
            times = "" if matrices is None else f" ({matrices / ours:.1f}×)"
            cells.append(f"{1e3 * ours:.2f}{times}")
        (before, _), (after, memory) = (alone(name, count) for count in LENGTHS[-2:])
        growth = math.log(after / before) / math.log(LENGTHS[-1] / LENGTHS[-2])
        yield (
            f"| {name} | "
            + " | ".join([*cells, f"{1e3 * before:.0f}", f"{1e3 * after:.0f}"])
            + (f" | n^{growth:.2f} | {memory:.0f} |")
        )


def slowest(count: int, runs: int) -> str:
    """Which of all programs takes longest for so many tokens of its own vocabulary."""
    found = []
    for path in sorted((ROOT / "programs").glob("*.rasp")):
        program, rng = load_program(path), random.Random(1)
        words = re.findall(r"^# vocab: +(.*)$", program.source.text, re.MULTILINE)
        tokens, sop = rng.choices(parse_vocabulary(words[0]), k=count), program.sop()
        found.append((seconds(lambda: Run(tokens).sop(sop), runs), path.stem))  # noqa: B023
    longest, name = max(found)
    return f"Of all {len(found)} programs the slowest at {count:,} tokens is {name}: {1e3 * longest:.1f} ms."


# -- many inputs


def random_batch(vocabulary: Sequence[Atom]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.integers(0, len(vocabulary), (INPUTS, LONGEST)), rng.integers(SHORTEST, LONGEST + 1, INPUTS)


def batches_table(runs: int) -> Iterator[str]:
    """Seconds for many inputs at once, and one by one."""
    yield "| program | at once, s | one by one, s | ratio |"
    yield "| --- | ---: | ---: | ---: |"
    for name in PROGRAMS:
        sop, vocabulary = sop_of(name), "()[]" if name.startswith("dyck") else "abcdefghijklmnopqrstuvwxyz"
        ids, lengths = random_batch(vocabulary)
        batch = BatchRun(vocabulary, ids, lengths)
        inputs = [batch.tokens(at) for at in range(len(batch))]

        def at_once(vocabulary: str = vocabulary, sop: SOp = sop) -> object:
            return BatchRun(vocabulary, ids, lengths).sop(sop).lists()  # noqa: B023

        def one_by_one(sop: SOp = sop) -> object:
            return [Run(tokens).sop(sop).tolist() for tokens in inputs]  # noqa: B023

        ours, theirs = seconds(at_once, runs), seconds(one_by_one, 1)
        yield f"| {name} | {ours:.3f} | {theirs:.2f} | {theirs / ours:.0f}× |"


def verify_table(runs: int) -> Iterator[str]:
    """Microseconds an input that `verify` takes, with all inputs of one length at once, and one by one."""
    yield "| program | inputs | at once, µs each | one by one, µs each | ratio |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name, (words, length) in VERIFIED.items():
        sop, vocabulary = sop_of(name), parse_vocabulary(words)
        model = compile_sop(sop, vocabulary, length)
        outputs, promised = {model.weights.output.name: sop}, accuracies(model.weights)
        count = len(vocabulary) ** length
        ids = np.arange(count)[:, None] // len(vocabulary) ** np.arange(length) % len(vocabulary)

        def at_once() -> object:
            return compare(model, outputs, ids, promised)  # noqa: B023

        def one_by_one() -> object:
            encoded = np.pad(ids + 1, ((0, 0), (1, 0)))  # noqa: B023
            traces = [(engine, model.trace(encoded, engine)) for engine in ENGINES]  # noqa: B023
            for at, row in enumerate(ids.tolist()):  # noqa: B023
                tokens = [vocabulary[number] for number in row]  # noqa: B023
                given = [(engine, trace, at) for engine, trace in traces]
                assert difference(model, outputs, tokens, given, promised) is None  # noqa: B023
            return None

        ours, theirs = (1e6 * seconds(work, times) / count for work, times in ((at_once, runs), (one_by_one, 1)))
        yield f"| {name} | {count:,} | {ours:.1f} | {theirs:.0f} | {theirs / ours:.0f}× |"


def report(runs: int) -> Iterator[str]:
    """The tables, line by line."""
    yield "Milliseconds for one input of so many tokens; in brackets how many times as long it takes with matrices:"
    yield ""
    yield from lengths_table(runs)
    yield ""
    yield slowest(1_000, runs)
    yield ""
    yield f"{INPUTS:,} inputs of {SHORTEST} to {LONGEST} tokens:"
    yield ""
    yield from batches_table(runs)
    yield ""
    yield "`verify`, both engines and the interpreter:"
    yield ""
    yield from verify_table(runs)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="times each way is measured (default 5)")
    parser.add_argument("--write", action="store_true", help=WRITE)
    parser.add_argument("--once", nargs=2, metavar=("PROGRAM", "TOKENS"), help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Prints the tables, a line at a time, or puts them where the page has its last ones."""
    args = arguments()
    if args.once:
        once(args.once[0], int(args.once[1]))
        return
    show("interpret", report(args.runs), write=args.write)


if __name__ == "__main__":
    main()

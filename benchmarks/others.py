"""The same programs here, in the original RASP and in Tracr, measured in turn in one run.

`--original` is a checkout of the original (tech-srl/RASP, after its setup.sh), `--tracr` one of DeepMind's Tracr, or
nothing where Tracr is installed. The original is fed lines as a user would type them; what one evaluation takes is the
difference between many and one, so its start does not count. Seconds are CPU seconds, medians of some runs.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from compiler.pipeline import compile
from compiler.tensors import parameter_counts
from rasp.graph import SOp
from rasp.interpret import Run
from rasp.language.program import load_program

ROOT = Path(__file__).parent.parent
PROGRAMS = ("reverse", "histogram", "sort", "most_frequent")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
BATCH, LENGTH, INTERPRETED = 256, 40, 400
EVALUATIONS = 5


class NotThere(Exception):
    """What was named is no checkout, or cannot be imported."""


def sop_of(name: str) -> SOp:
    return load_program(ROOT / "programs" / f"{name}.rasp").sop()


def letters(count: int) -> str:
    return "".join(random.Random(1).choices(LETTERS, k=count))


def median(work: Callable[[], object], runs: int) -> float:
    """The median of the CPU seconds of some runs, after one that does not count."""
    work()
    found = []
    for _ in range(runs):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return statistics.median(found)


# -- the original


@dataclass(frozen=True)
class Original:
    """A checkout of the original, and the Python that runs it."""

    folder: Path
    python: str

    @classmethod
    def at(cls, path: str) -> Original:
        """The checkout in a folder. NotThere where it is none."""
        folder = Path(path).expanduser().resolve()
        if not (folder / "RASP_support").is_dir():
            raise NotThere(f"{path} is no checkout of the original: it has no folder RASP_support")
        own = folder / "raspenv" / "bin" / "python"
        return cls(folder, str(own) if own.exists() else sys.executable)

    def seconds(self, name: str, tokens: str, runs: int) -> float:
        """CPU seconds to evaluate a program once. NotThere where it does not give our answer."""
        wanted = ",".join(map(str, Run(list(tokens)).sop(sop_of(name)).tolist()))
        once, often = (
            statistics.median(self._run(name, tokens, count, wanted) for _ in range(runs))
            for count in (1, 1 + EVALUATIONS)
        )
        return max(often - once, 1e-6) / EVALUATIONS

    def _run(self, name: str, tokens: str, count: int, wanted: str) -> float:
        text = (ROOT / "programs" / f"{name}.rasp").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        root = lines[-1].partition(" =")[0]
        typed = "\n".join([*lines, *[f'{root}("{tokens}");'] * count, ""])
        before = _children()
        done = subprocess.run(
            [self.python, "-m", "RASP_support"], input=typed, capture_output=True, text=True, cwd=self.folder
        )
        if done.stdout.replace(" ", "").count(wanted) < count:
            raise NotThere(
                f"the original does not give {name} of {tokens[:10]}…: {(done.stderr or done.stdout)[-300:]}"
            )
        return _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -- Tracr


@dataclass(frozen=True)
class Tracr:
    """Tracr's modules."""

    rasp: Any
    lib: Any
    compiling: Any
    jax: Any

    @classmethod
    def at(cls, path: str) -> Tracr:
        """Tracr from a checkout, or as it is installed. NotThere where it cannot be imported."""
        if path:
            if not (Path(path).expanduser() / "tracr" / "compiler").is_dir():
                raise NotThere(f"{path} is no checkout of Tracr: it has no folder tracr/compiler")
            sys.path.insert(0, str(Path(path).expanduser().resolve()))
        try:
            import jax
            from tracr.compiler import compiling, lib
            from tracr.rasp import rasp
        except ImportError as error:
            raise NotThere(f"Tracr cannot be imported ({error}): install it, with jax and haiku") from error
        return cls(rasp, lib, compiling, jax)

    def program(self, name: str, length: int) -> Any:
        """Tracr's own program for the same task and inputs of that length; None where its library has none."""
        made: Mapping[str, Callable[[], Any]] = {
            "reverse": lambda: self.lib.make_reverse(self.rasp.tokens),
            "histogram": lambda: self.lib.make_hist(),
            "sort": lambda: self.lib.make_sort(self.rasp.tokens, self.rasp.tokens, max_seq_len=length, min_key=1),
        }
        return made[name]() if name in made else None

    def compiled(self, name: str) -> Any:
        """Its model for 26 tokens and inputs of 40, in Tracr's defaults; tokens are numbers, as its sort needs."""
        return self.compiling.compile_rasp_to_model(
            self.program(name, LENGTH), vocab=set(range(1, len(LETTERS) + 1)), max_seq_len=LENGTH, compiler_bos="bos"
        )

    def parameters(self, model: Any) -> int:
        return sum(int(np.size(array)) for array in self.jax.tree_util.tree_leaves(model.params))

    def batch(self, model: Any) -> Callable[[], object]:
        """A forward pass of many inputs, compiled by jax."""
        rng = np.random.default_rng(1)
        rows = rng.integers(1, len(LETTERS) + 1, (BATCH, LENGTH)).tolist()
        ids = self.jax.numpy.array([model.input_encoder.encode(["bos", *row]) for row in rows])
        run = self.jax.jit(lambda given: model.forward(model.params, given).unembedded_output)
        return lambda: self.jax.block_until_ready(run(ids))


# -- tables


def interpreting(original: Original | None, tracr: Tracr | None, runs: int) -> Iterator[str]:
    """Milliseconds to evaluate a program on one input."""
    yield f"Milliseconds for one input of {INTERPRETED} tokens:"
    yield ""
    yield "| program | here | original | times | Tracr | times |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for name in PROGRAMS:
        sop, text = sop_of(name), letters(INTERPRETED)
        ours = median(lambda: [Run(text).sop(sop) for _ in range(20)], runs) / 20  # noqa: B023
        theirs = None if original is None else original.seconds(name, text, runs)
        program = None if tracr is None else tracr.program(name, INTERPRETED)
        numbers = [LETTERS.index(letter) + 1 for letter in text]
        others = None if program is None else median(lambda: program(numbers), 1)  # noqa: B023
        yield f"| {name} | {1e3 * ours:.2f} | {_beside(theirs, ours)} | {_beside(others, ours)} |"


def _beside(theirs: float | None, ours: float) -> str:
    """Milliseconds, and how many times as long as ours."""
    return "– | –" if theirs is None else f"{1e3 * theirs:,.1f} | {theirs / ours:,.0f}×"


def models(tracr: Tracr, runs: int) -> Iterator[str]:
    """What compiling takes, how large models are, and how long a batch takes."""
    yield f"Models for {len(LETTERS)} tokens and inputs of {LENGTH}; {BATCH} such inputs, with Tracr's model jitted:"
    yield ""
    columns = ("compile, s", "Tracr, s", "parameters", "Tracr's", "network, ms", "sparse, ms", "Tracr, ms")
    yield f"| program | {' | '.join(columns)} | times network | times sparse |"
    yield "| --- |" + " ---: |" * 9
    for name in PROGRAMS:
        if tracr.program(name, LENGTH) is None:
            continue
        sop = sop_of(name)
        seconds = median(lambda: compile(sop, "a-z", LENGTH), runs), median(lambda: tracr.compiled(name), 1)  # noqa: B023
        model, other = compile(sop, "a-z", LENGTH), tracr.compiled(name)
        ids = np.random.default_rng(1).integers(1, len(LETTERS) + 1, (BATCH, LENGTH + 1))
        ids[:, 0] = 0
        given, network, sparse = torch.from_numpy(ids), model.network, model.sparse_network
        with torch.no_grad():
            own, without = (1e3 * median(lambda: part(given), runs) for part in (network, sparse))  # noqa: B023
        theirs = 1e3 * median(tracr.batch(other), runs)
        sizes = f"{parameter_counts(model.weights)['total']:,} | {tracr.parameters(other):,}"
        yield (
            f"| {name} | {seconds[0]:.2f} | {seconds[1]:.2f} | {sizes} | {own:.1f} | {without:.1f} | {theirs:.1f} "
            f"| {theirs / own:.1f}× | {theirs / without:.1f}× |"
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", metavar="DIR", help="a checkout of the original RASP")
    parser.add_argument("--tracr", metavar="DIR", nargs="?", const="", help="a checkout of Tracr (none: as installed)")
    parser.add_argument("--runs", type=int, default=5, help="times each way is measured (default 5)")
    args = parser.parse_args()
    if args.original is None and args.tracr is None:
        parser.error("name what to measure beside: --original DIR, --tracr [DIR], or both")
    return args


def main() -> int:
    """Prints the tables, a line at a time."""
    args = arguments()
    torch.set_num_threads(1)
    try:
        original = None if args.original is None else Original.at(args.original)
        tracr = None if args.tracr is None else Tracr.at(args.tracr)
        for line in interpreting(original, tracr, args.runs):
            print(line, flush=True)
        if tracr is not None:
            print()
            for line in models(tracr, args.runs):
                print(line, flush=True)
    except NotThere as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

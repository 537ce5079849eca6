"""The same programs here, in the original RASP and in Tracr, measured in turn in one run.

`--original` is a checkout of the original (tech-srl/RASP, after its setup.sh), `--tracr` one of DeepMind's Tracr, or
nothing where Tracr is installed (`make interop-tracr` makes such an environment). The original is fed lines as a user
would type them; what one evaluation takes is the difference between many and one, so its start does not count. Seconds
are CPU seconds, added up over the threads: medians of some runs, in which the ways that are compared take turns.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import torch

import rasp
from benchmarks.page import ROOT, WRITE, show
from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from compiler.tensors import parameter_counts
from rasp.graph import SOp
from rasp.interpret import Run
from rasp.language.program import load_program
from rasp.operations import Atom

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NUMBERS = {letter: number for number, letter in enumerate(LETTERS, 1)}
BATCH, LENGTH, INTERPRETED = 256, 40, 400
EVALUATIONS, REPEATS = 5, 10


class NotThere(Exception):
    """What was named is no checkout, or cannot be imported."""


@dataclass(frozen=True)
class Compared:
    """A program of ours, its counterpart in Tracr's library, and who else can be asked about it.

    `theirs` takes that library, the module of Tracr's expressions and the maximum length. `same`: it gives the same
    values; else it is the nearest that the library has.
    """

    name: str
    theirs: Callable[[Any, Any, int], Any]
    same: bool = True
    in_original: bool = True
    modelled: bool = True

    @property
    def sop(self) -> SOp:
        return load_program(ROOT / "programs" / f"{self.name}.rasp").sop()

    def tokens(self, count: int) -> list[Atom]:
        """Random letters, or brackets."""
        return list(random.Random(1).choices("()[]" if "dyck" in self.name else LETTERS, k=count))


PROGRAMS = (
    Compared("reverse", lambda lib, theirs, _: lib.make_reverse(theirs.tokens)),
    Compared("histogram", lambda lib, *_: lib.make_hist()),
    Compared(
        "sort",
        lambda lib, theirs, length: lib.make_sort(theirs.tokens, theirs.tokens, max_seq_len=length, min_key=1),
    ),
    Compared(
        "shuffle_dyck",
        lambda lib, *_: lib.make_shuffle_dyck(["()", "[]"]),
        in_original=False,
        modelled=False,
    ),
    Compared(
        "dyck2",
        lambda lib, *_: lib.make_shuffle_dyck(["()", "[]"]),
        same=False,
        in_original=False,
        modelled=False,
    ),
    Compared("most_frequent", lambda lib, _, length: lib.make_sort_freq(max_seq_len=length), same=False),
)


def numbers(values: Sequence[Atom]) -> list[Any]:
    """Letters as numbers, which Tracr's sort needs; other values as they are."""
    return [NUMBERS.get(value, value) if isinstance(value, str) else value for value in values]


def medians(ways: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """The median of the CPU seconds of each way; they run in turn, after one run that does not count."""
    found: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()
    for _ in range(runs):
        for seconds, way in zip(found, ways, strict=True):
            start = time.process_time()
            way()
            seconds.append(time.process_time() - start)
    return list(map(statistics.median, found))


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

    def seconds(self, program: Compared, tokens: Sequence[Atom], runs: int) -> float:
        """CPU seconds to evaluate a program once. NotThere where it does not give our answer."""
        wanted = ",".join(map(str, Run(list(tokens)).sop(program.sop).tolist()))
        once, often = (
            statistics.median(self._run(program.name, "".join(map(str, tokens)), count, wanted) for _ in range(runs))
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

    def program(self, compared: Compared, length: int) -> Any:
        """The program of Tracr's library for inputs of that length."""
        return compared.theirs(self.lib, self.rasp, length)

    def compiled(self, compared: Compared) -> TracrModel:
        """Its model for 26 tokens, as numbers, and inputs of 40, in Tracr's defaults."""
        program = self.program(compared, LENGTH)
        model = self.compiling.compile_rasp_to_model(
            program, vocab=set(NUMBERS.values()), max_seq_len=LENGTH, compiler_bos="bos"
        )
        return TracrModel(program, model, self.jax)


@dataclass(frozen=True)
class TracrModel:
    """A program of Tracr's and what Tracr compiled it to."""

    program: Any
    model: Any
    jax: Any

    @property
    def parameters(self) -> int:
        return sum(int(np.size(array)) for array in self.jax.tree_util.tree_leaves(self.model.params))

    @cached_property
    def _jitted(self) -> Callable[[Any], Any]:
        return self.jax.jit(lambda given: self.model.forward(self.model.params, given).unembedded_output)

    def batch(self, rows: Sequence[Sequence[int]]) -> Callable[[], Any]:
        """A forward pass of many inputs, compiled by jax."""
        ids = self.jax.numpy.array([self.model.input_encoder.encode(["bos", *row]) for row in rows])
        return lambda: self.jax.block_until_ready(self._jitted(ids))

    def right(self, rows: Sequence[Sequence[int]]) -> int:
        """For how many inputs it gives what Tracr's own interpreter gives."""
        given = np.asarray(self.batch(rows)()).tolist()
        decoded = [self.model.output_encoder.decode(row[1:]) for row in given]
        return sum(list(self.program(row)) == list(found) for row, found in zip(rows, decoded, strict=True))


# -- tables


def interpreting(original: Original | None, tracr: Tracr | None, runs: int) -> Iterator[str]:
    """Milliseconds to evaluate a program on one input."""
    yield f"Milliseconds for one input of {INTERPRETED} tokens:"
    yield ""
    titles = ["program", "here"]
    titles += ["original", "times"] if original else []
    titles += ["Tracr", "times", "Tracr's program here", "times"] if tracr else []
    yield f"| {' | '.join(titles)} |"
    yield "| --- |" + " ---: |" * (len(titles) - 1)
    for compared in PROGRAMS:
        tokens, sop = compared.tokens(INTERPRETED), compared.sop
        ways = [often(lambda: Run(tokens).sop(sop))]  # noqa: B023
        ways += [] if tracr is None else beside_tracr(compared, tracr, tokens)
        ours, *theirs = (1e3 * seconds for seconds in medians(ways, runs))
        ours /= REPEATS
        cells = [f"{compared.name}{'' if compared.same or tracr is None else ' *'}", f"{ours:.2f}"]
        if original is not None:
            known = compared.in_original
            cells += times(1e3 * original.seconds(compared, tokens, runs), ours) if known else ["–", "–"]
        if tracr is not None:
            converted = theirs[1] / REPEATS
            cells += [*times(theirs[0], ours), f"{converted:.2f}", f"{theirs[0] / converted:,.0f}×"]
        yield f"| {' | '.join(cells)} |"
    if tracr is not None:
        yield ""
        yield (
            "\\* Tracr's library has no such program, and its nearest is measured: for dyck2 shuffle-Dyck-2, where the "
            "two kinds of brackets may cross; for most_frequent all tokens by frequency, copies included. *Tracr's "
            "program here* is the same program through `rasp.from_tracr` in this interpreter."
        )


def often(work: Callable[[], object]) -> Callable[[], object]:
    """What is short, again and again: after a long run of the other its memory is not at hand."""
    return lambda: [work() for _ in range(REPEATS)]


def times(theirs: float, ours: float) -> list[str]:
    """Milliseconds, and how many times as long as ours."""
    return [f"{theirs:,.1f}", f"{theirs / ours:,.0f}×"]


def beside_tracr(compared: Compared, tracr: Tracr, tokens: list[Atom]) -> list[Callable[[], object]]:
    """Tracr's evaluation of its program, and ours of the same. NotThere where values are not the same."""
    program, given = tracr.program(compared, len(tokens)), numbers(tokens)
    theirs, converted = list(program(given)), rasp.from_tracr(program)
    answers = [Run(given).sop(converted).tolist()]
    answers += [numbers(Run(tokens).sop(compared.sop).tolist())] if compared.same else []
    if any(answer != theirs for answer in answers):
        raise NotThere(f"Tracr does not give {compared.name} of {given[:10]}…: {theirs[:10]}…")
    return [lambda: program(given), often(lambda: Run(given).sop(converted))]


def models(tracr: Tracr, runs: int) -> Iterator[str]:
    """What compiling takes, how large models are, how long a batch takes, and how many answers are right."""
    batches = []
    yield f"Models for {len(LETTERS)} tokens and inputs of {LENGTH}, both as they are by default:"
    yield ""
    yield "| program | compile, s | Tracr, s | times | parameters | Tracr's | times |"
    yield "| --- |" + " ---: |" * 6
    for compared in PROGRAMS:
        if compared.modelled:
            model, other = compile(compared.sop, "a-z", LENGTH), tracr.compiled(compared)
            ways = [lambda: compile(compared.sop, "a-z", LENGTH), lambda: tracr.compiled(compared)]  # noqa: B023
            ours, theirs = medians(ways, runs)
            size, larger = parameter_counts(model.weights)["total"], other.parameters
            cells = f"{ours:.2f} | {theirs:.2f} | {theirs / ours:.0f}× | {size:,} | {larger:,} | {larger / size:,.0f}×"
            yield f"| {compared.name} | {cells} |"
            batches.append(batch(compared, model, other, runs))
    yield ""
    yield f"{BATCH} inputs of {LENGTH} tokens through these models, Tracr's jitted:"
    yield ""
    yield "| program | network, ms | sparse, ms | Tracr, ms | times network | times sparse | right | Tracr's right |"
    yield "| --- |" + " ---: |" * 7
    yield from batches


def batch(compared: Compared, model: CompiledModel, other: TracrModel, runs: int) -> str:
    """A line of the table of batches."""
    rows = np.random.default_rng(1).integers(1, len(LETTERS) + 1, (BATCH, LENGTH))
    ids, inputs = torch.from_numpy(np.pad(rows, ((0, 0), (1, 0)))), [[LETTERS[n - 1] for n in row] for row in rows]
    right = sum(model.batch([row])[0] == Run(row).sop(compared.sop).tolist() for row in inputs)
    with torch.no_grad():
        ways = [often(lambda: model.network(ids)), often(lambda: model.sparse_network(ids)), other.batch(rows.tolist())]
        network, sparse, theirs = (1e3 * seconds for seconds in medians(ways, runs))
    network, sparse = network / REPEATS, sparse / REPEATS
    return (
        f"| {compared.name} | {network:.1f} | {sparse:.1f} | {theirs:,.1f} | {theirs / network:.1f}× "
        f"| {theirs / sparse:.1f}× | {right} | {other.right(rows.tolist())} |"
    )


def versions() -> str:
    """What is compared, by name and version, where it is installed as a package."""
    found = []
    for name in ("tracr-pypi", "jax", "torch", "numpy"):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def report(original: Original | None, tracr: Tracr | None, runs: int) -> Iterator[str]:
    """The tables, line by line."""
    yield f"CPU seconds, medians of {runs} runs in turn; {versions()}."
    yield ""
    yield from interpreting(original, tracr, runs)
    if tracr is not None:
        yield ""
        yield from models(tracr, runs)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--original", metavar="DIR", help="a checkout of the original RASP")
    parser.add_argument("--tracr", metavar="DIR", nargs="?", const="", help="a checkout of Tracr (none: as installed)")
    parser.add_argument("--runs", type=int, default=3, help="times each way is measured (default 3)")
    parser.add_argument("--write", action="store_true", help=WRITE)
    args = parser.parse_args()
    if args.original is None and args.tracr is None:
        parser.error("name what to measure beside: --original DIR, --tracr [DIR], or both")
    return args


def main() -> int:
    """Prints the tables, a line at a time, and puts them on the page if asked."""
    args = arguments()
    torch.set_num_threads(1)
    try:
        original = None if args.original is None else Original.at(args.original)
        tracr = None if args.tracr is None else Tracr.at(args.tracr)
        show("others", report(original, tracr, args.runs), write=args.write)
    except NotThere as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

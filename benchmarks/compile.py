"""How large compiled programs are and how long compiling takes, beside what Tracr needs for the same programs.

A program is compiled as `--prefer auto` has it, and as `depth` and `small` have it where that is another model. *times*
is how many parameters Tracr needs for one of ours. Tracr's figures were measured on two cores, 26 tokens (DeepMind's
Tracr at its defaults, its own library programs); "-" stands where none was measured.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compiler.options import PREFERENCES, Options
from compiler.pipeline import Compilation, compile_sop
from compiler.precision import PRECISIONS
from compiler.run.model import CompiledModel
from compiler.tensors import parameter_counts
from rasp.errors import RaspError
from rasp.graph import Node
from rasp.language.program import Program, load_program
from rasp.operations import Atom
from rasp.vocabulary import parse_vocabulary

PROGRAMS = Path(__file__).parent.parent / "programs"
LETTERS = parse_vocabulary("a-z")


@dataclass(frozen=True)
class Figures:
    """Layers, parameters and seconds to compile; `seconds` as text since some runs were stopped."""

    layers: int | None
    parameters: int | None
    seconds: str


TRACR = {
    ("reverse", 40): Figures(4, 4_300_000, "2.0"),
    ("reverse", 80): Figures(None, None, "> 120"),
    ("sort", 40): Figures(3, 22_000_000, "5.8"),
    ("sort", 80): Figures(None, 86_000_000, "45"),
    ("most_frequent", 40): Figures(5, 92_000_000, "16"),
    ("shuffle_dyck", 40): Figures(8, None, "> 120"),
    ("histogram", 40): Figures(1, 39_000, "0.06"),
}

COLUMNS = "{:<14}{:>4}{:>7}{:>7}{:>8}{:>8}{:>13}{:>12}{:>9}   {:>6}{:>12}{:>8}{:>7}"
HEADINGS = (
    *("program", "N", "prefer", "layers", "heads", "d_model", "parameters", "nonzero", "seconds"),
    *("layers", "parameters", "seconds", "times"),
)


def vocabulary_of(program: Program) -> tuple[Atom, ...]:
    """The 26 letters where the program is made for some letters, else the vocabulary of its header."""
    found = re.search(r"^# vocab: +(.*)$", program.source.text, re.MULTILINE)
    own = parse_vocabulary(found[1]) if found else LETTERS
    return LETTERS if set(own) <= {*LETTERS, " "} else own


def preferences(program: Program, max_length: int) -> Iterator[str]:
    """The preferences that give models of their own, the default first."""
    known: set[tuple[Node, ...]] = set()
    for prefer in PREFERENCES:
        compilation = Compilation({"": program.sop()}, Options(vocabulary_of(program), max_length, prefer=prefer))
        if compilation.graph.roots not in known:
            known.add(compilation.graph.roots)
            yield prefer


def measure(program: Program, max_length: int, prefer: str, dtype: str, runs: int) -> tuple[CompiledModel, float]:
    """The model, and the median of the seconds that compiling it took."""
    sop, vocabulary, names = program.sop(), vocabulary_of(program), program.names
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        model = compile_sop(sop, vocabulary, max_length, dtype=dtype, prefer=prefer, names=names)
        seconds.append(time.perf_counter() - start)
    return model, statistics.median(seconds)


def row(program: Program, name: str, max_length: int, prefer: str, dtype: str, runs: int) -> str:
    """One line of the table."""
    try:
        model, seconds = measure(program, max_length, prefer, dtype, runs)
    except RaspError as error:
        return f"{name:<14}{max_length:>4}{prefer:>7}  {error.message}"
    weights = model.weights
    ours = (
        prefer,
        weights.depth,
        ",".join(map(str, weights.heads)),
        weights.d_model,
        f"{parameter_counts(weights)['total']:,}",
        f"{parameter_counts(weights)['nonzero']:,}",
        f"{seconds:.2f}",
    )
    return COLUMNS.format(name, max_length, *ours, *theirs(name, max_length, parameter_counts(weights)["total"]))


def theirs(name: str, max_length: int, ours: int) -> tuple[str, str, str, str]:
    """Tracr's layers, parameters, seconds, and its parameters as a multiple of ours."""
    found = TRACR.get((name, max_length), Figures(None, None, "-"))
    if found.parameters is None:
        return str(found.layers or "-"), "-", found.seconds, "-"
    return str(found.layers or "-"), f"{found.parameters:,}", found.seconds, f"{found.parameters / ours:.3g}"


def table(names: Sequence[str], lengths: Sequence[int], dtype: str, runs: int) -> Iterator[str]:
    """The lines of the table, each as soon as it is known."""
    yield f"{'':<84}Tracr (two cores, 26 tokens)"
    yield COLUMNS.format(*HEADINGS)
    for name in names:
        program = load_program(PROGRAMS / f"{name}.rasp")
        for max_length in lengths:
            for prefer in preferences(program, max_length):
                yield row(program, name, max_length, prefer, dtype, runs if prefer == "auto" else 1)


def arguments() -> argparse.Namespace:
    known = sorted(path.stem for path in PROGRAMS.glob("*.rasp"))
    compared = [name for name in dict.fromkeys(name for name, _ in TRACR) if name in known]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.epilog = "example:\n  python benchmarks/compile.py reverse sort --lengths 40 80 --runs 5"
    parser.add_argument("programs", nargs="*", default=compared, metavar="PROGRAM", help=f"of {', '.join(known)}")
    parser.add_argument("--lengths", type=int, nargs="+", default=[40, 80], metavar="N", help="maximum lengths")
    parser.add_argument("--dtype", choices=list(PRECISIONS), default="float32", help="float type of the weights")
    parser.add_argument("--runs", type=int, default=3, help="times the default is measured (default 3), others once")
    args = parser.parse_args()
    missing = [name for name in args.programs if name not in known]
    if missing or args.runs < 1:
        parser.error(f"no such programs: {', '.join(missing)}" if missing else "--runs must be 1 or more")
    return args


def main() -> None:
    """Prints the table, a line at a time."""
    args = arguments()
    for line in table(args.programs, args.lengths, args.dtype, args.runs):
        print(line, flush=True)


if __name__ == "__main__":
    main()

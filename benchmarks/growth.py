"""How compiling grows with the maximum length and the vocabulary, and how long models may be.

Each model is compiled, and run once, in a process of its own: CPU seconds on one thread, and the most memory beyond
what the imports take. *growth* is the exponent between two sizes; beside it stands that of the parameter count.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.page import PAGE, ROOT, WRITE, show
from compiler.ir import ModelWeights
from compiler.pipeline import compile
from compiler.tensors import parameter_counts
from rasp import evaluate
from rasp.errors import RaspError
from rasp.graph import SOp, length
from rasp.language.program import load_program
from rasp.operations import Atom
from rasp.vocabulary import parse_vocabulary

PICTURE = ROOT / "docs" / "performance" / "growth.png"
COMPARED = ("reverse", "histogram", "sort", "most_frequent")
LENGTHS = (20, 40, 80, 160, 400, 1000)
TOKENS = (25, 100, 400, 1000)
LONG = ("reverse", "histogram", "length", "shift", "induction")
LONGEST = 65_536


@dataclass(frozen=True)
class Figures:
    """One model: CPU seconds to compile it and to run it on a longest input, its size, megabytes beyond the imports."""

    seconds: float
    layers: int
    parameters: int
    weights: float
    compiling: float
    running: float
    most: float


def sop_of(name: str) -> SOp:
    return length if name == "length" else load_program(ROOT / "programs" / f"{name}.rasp").sop()


def vocabulary_of(name: str) -> tuple[Atom, ...]:
    """The vocabulary in the header of a program."""
    if name == "length":
        return parse_vocabulary("a-z")
    text = (ROOT / "programs" / f"{name}.rasp").read_text(encoding="utf-8")
    return parse_vocabulary(re.findall(r"^# vocab: +(.*)$", text, re.MULTILINE)[0])


def megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measured(name: str, size: int, tokens: int, dtype: str) -> Figures:
    """The figures of one model, in this process. `tokens` 0: the vocabulary of the program's header."""
    sop = sop_of(name)
    vocabulary = tuple(range(tokens)) if tokens else vocabulary_of(name)
    before, start = megabytes(), time.process_time()
    model = compile(sop, vocabulary, size, dtype=dtype)
    seconds, compiling = time.process_time() - start, megabytes() - before
    given = random.Random(0).choices(vocabulary, k=size)
    start = time.process_time()
    found = model.decode(model.trace(model.encode(given), "reference", whole=False))
    running = time.process_time() - start
    assert name not in LONG or next(iter(found.values())) == evaluate(sop, given)
    counts = parameter_counts(model.weights)
    return Figures(
        seconds, model.weights.depth, counts["total"], _size(model.weights), compiling, running, megabytes() - before
    )


def _size(weights: ModelWeights) -> float:
    return parameter_counts(weights)["total"] * np.dtype(weights.dtype).itemsize / 2**20


def figures(name: str, size: int, tokens: int = 0, dtype: str = "float32") -> Figures | str:
    """The same in a process of its own; the reason where the model is refused."""
    command = [sys.executable, "-m", "benchmarks.growth", "--one", name, str(size), str(tokens), dtype]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found = json.loads(done.stdout)
    return found if isinstance(found, str) else Figures(**found)


def exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """By what power of the size a value grows from the first size to the last."""
    return math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0])


def lengths_table(found: dict[str, dict[int, Figures]]) -> Iterator[str]:
    """CPU seconds by maximum length."""
    yield "CPU seconds to compile, certificate and second opinion included, by maximum length; growth is from 160 on:"
    yield ""
    yield f"| program | {' | '.join(f'{size:,}' for size in LENGTHS)} | growth | of parameters | MB | of weights |"
    yield f"| --- |{' ---: |' * (len(LENGTHS) + 4)}"
    for name, row in found.items():
        late = [size for size in row if size >= 160]
        grown = exponent(late, [row[size].seconds for size in late])
        larger = exponent(late, [row[size].parameters for size in late])
        cells = " | ".join(f"{row[size].seconds:.2f}" if size in row else "–" for size in LENGTHS)
        last = row[late[-1]]
        yield f"| {name} | {cells} | N^{grown:.2f} | N^{larger:.2f} | {last.compiling:.0f} | {last.weights:.0f} |"


def tokens_table() -> Iterator[str]:
    """CPU seconds by the size of the vocabulary."""
    yield ""
    yield "CPU seconds to compile for inputs of 20 tokens, by how many tokens there are; growth is from 100 on:"
    yield ""
    yield f"| program | {' | '.join(f'{count:,}' for count in TOKENS)} | growth |"
    yield f"| --- |{' ---: |' * (len(TOKENS) + 1)}"
    for name in ("reverse", "histogram"):
        row = {count: found for count in TOKENS if isinstance(found := figures(name, 20, count), Figures)}
        late = [count for count in row if count >= 100]
        grown = exponent(late, [row[count].seconds for count in late])
        yield f"| {name} | {' | '.join(f'{row[count].seconds:.2f}' for count in row)} | V^{grown:.2f} |"


def bundled(size: int) -> str:
    """The slowest of all programs, and how many compile within two seconds."""
    found = {path.stem: figures(path.stem, size) for path in sorted((ROOT / "programs").glob("*.rasp"))}
    compiled = {name: row.seconds for name, row in found.items() if isinstance(row, Figures)}
    slowest = max(compiled, key=lambda name: compiled[name])
    quick = sum(seconds <= 2 for seconds in compiled.values())
    refused = ", ".join(name for name in found if name not in compiled) or "none"
    return (
        f"Of {len(found)} programs at N = {size}, {quick} compile within 2 seconds; the slowest is {slowest}: "
        f"{compiled[slowest]:.1f} s. Refused: {refused}."
    )


def addition(size: int) -> str:
    """What long addition takes, which composes the most."""
    found = figures("long_addition", size)
    assert isinstance(found, Figures), found
    sizes = f"{found.parameters:,} parameters, {found.weights:.0f} MB"
    return f"Long addition at N = {size}: {sizes}, in {found.seconds:.1f} s and {found.compiling:.0f} MB."


def long_table(size: int, dtype: str) -> Iterator[str]:
    """Long models, run once on a longest input, for which the interpreter gives the same."""
    yield ""
    yield f"Models for {size:,} tokens, certified in {dtype}, and one input of {size:,} tokens through numpy:"
    yield ""
    yield "| program | compile, s | layers | parameters | MB of weights | run, s | MB, compiling | MB, with the run |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for name in LONG:
        found = figures(name, size, dtype=dtype)
        if isinstance(found, str):
            yield f"| {name} | {found} | | | | | | |"
            continue
        sizes = f"{found.layers} | {found.parameters:,} | {found.weights:.0f}"
        costs = f"{found.running:.1f} | {found.compiling:,.0f} | {found.most:,.0f}"
        yield f"| {name} | {found.seconds:.1f} | {sizes} | {costs} |"


def report(size: int, longest: bool) -> Iterator[str]:
    """All tables, a line at a time, and the picture."""
    found = {name: {at: row for at in LENGTHS if isinstance(row := figures(name, at), Figures)} for name in COMPARED}
    yield from lengths_table(found)
    draw(found)
    yield ""
    yield f"![CPU seconds by maximum length]({PICTURE.relative_to(PAGE.parent)})"
    yield from tokens_table()
    yield ""
    yield bundled(160)
    yield ""
    yield addition(400)
    yield from long_table(size, "float32")
    yield from long_table(LONGEST, "float64") if longest else ()


def draw(found: dict[str, dict[int, Figures]]) -> None:
    """The picture of how compiling grows."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, row in found.items():
        axes.loglog(list(row), [figures.seconds for figures in row.values()], marker="o", label=name)
    axes.set(xlabel="maximum length", ylabel="CPU seconds")
    axes.legend(frameon=False)
    axes.grid(which="major", alpha=0.3)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=120)


def once(name: str, size: int, tokens: int, dtype: str) -> None:
    """Prints the figures of one model as JSON."""
    try:
        print(json.dumps(asdict(measured(name, size, tokens, dtype))))
    except RaspError as error:
        print(json.dumps(f"refused: {error.message}"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", type=int, default=4096, metavar="N", help="length of the long models (default 4096)")
    parser.add_argument("--write", action="store_true", help=WRITE)
    parser.add_argument("--longest", action="store_true", help=f"models of {LONGEST:,} tokens too: about ten minutes")
    parser.add_argument("--one", nargs=4, metavar=("PROGRAM", "N", "TOKENS", "DTYPE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        once(args.one[0], int(args.one[1]), int(args.one[2]), args.one[3])
        return
    show("growth", report(args.long, args.longest), write=args.write)


if __name__ == "__main__":
    main()

"""How fast compiled models run: the network beside bare products of the same shapes, and the command from its start.

Every ratio is of ways measured in turn in one process. *Bare* is a function of the same matrices, filled at random:
products, softmax and ReLU, with no module around them. *Sparse* is the network without most of its zeros. Seconds are
CPU seconds, added up over the threads; those that wait take none.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

# Before torch is loaded: threads that wait for others would spin, and seconds say nothing.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from torch import Tensor

from benchmarks.page import ROOT, WRITE, show
from compiler.artifact import save
from compiler.ir import Array, FeedForwardWeights, HeadWeights, ModelWeights
from compiler.pipeline import compile
from compiler.run.model import CompiledModel
from rasp.language.program import load_program

PROGRAMS = ("reverse", "histogram", "sort", "most_frequent", "dyck2")
BATCH, LENGTH = 256, 40
STREAM, STACKED = 100, ((1, 1, 1), (1, 4, 27), (2, 4, 27), (6, 4, 27), (4, 16, 1))
INPUTS, SHORTEST, LONGEST = 10_000, 5, 20


def model_of(name: str) -> CompiledModel:
    return compile(load_program(ROOT / "programs" / f"{name}.rasp").sop(), "()[]" if "dyck" in name else "a-z", LENGTH)


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


# -- the forward pass


def bare(weights: ModelWeights) -> Callable[[Tensor], Tensor]:
    """A forward pass through random matrices of the model's shapes."""
    generator = torch.Generator().manual_seed(0)

    def like(array: Array) -> Tensor:
        return 0.1 * torch.randn(array.shape, generator=generator)

    def feed_forward(part: FeedForwardWeights) -> Callable[[Tensor], Tensor]:
        W_in, b_in, W_out = like(part.W_in), like(part.b_in), like(part.W_out)  # noqa: N806
        return lambda x: x + torch.relu(x @ W_in + b_in) @ W_out

    def head(part: HeadWeights) -> Callable[[Tensor], Tensor]:
        q, k, v, o = like(part.W_Q), like(part.W_K), like(part.W_V), like(part.W_O)
        return lambda x: ((x @ q) @ (x @ k).transpose(-1, -2)).softmax(-1) @ (x @ v) @ o

    embedding, positions, unembedding = like(weights.W_E), like(weights.W_pos), like(weights.output.W_U)
    before = [feed_forward(part) for part in weights.input_feed_forwards]
    layers = [(list(map(head, layer.heads)), list(map(feed_forward, layer.feed_forwards))) for layer in weights.layers]

    def forward(ids: Tensor) -> Tensor:
        x = embedding[ids] + positions[: ids.shape[1]]
        for step in before:
            x = step(x)
        for heads, steps in layers:
            written = [attend(x) for attend in heads]
            for update in written:
                x = x + update
            for step in steps:
                x = step(x)
        return x @ unembedding

    return forward


def forward_table(runs: int) -> Iterator[str]:
    """Milliseconds for a batch, and how many times as long as bare products the network takes."""
    yield "| program | bare, ms | network, ms | ratio | sparse, ms | ratio | numpy, ms | logits |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for name in PROGRAMS:
        model = model_of(name)
        ids = torch.from_numpy(random_ids(len(model.weights.vocabulary)))
        network, sparse, products = model.network, model.sparse_network, bare(model.weights)
        with torch.no_grad():
            same = torch.equal(network(ids), sparse(ids))
            ways = (
                lambda: products(ids),  # noqa: B023
                lambda: network(ids),  # noqa: B023
                lambda: sparse(ids),  # noqa: B023
                lambda: model.trace(ids.numpy(), "reference", whole=False),  # noqa: B023
            )
            least, own, without, plain = (1e3 * seconds for seconds in medians(ways, runs))
        yield (
            f"| {name} | {least:.1f} | {own:.1f} | {own / least:.2f}× | {without:.1f} | {without / least:.2f}× "
            f"| {plain:.1f} | {'equal' if same else 'DIFFERENT'} |"
        )


def random_ids(vocabulary_size: int) -> np.ndarray:
    found = np.random.default_rng(1).integers(1, vocabulary_size + 1, (BATCH, LENGTH + 1))
    found[:, 0] = 0
    return found


# -- heads side by side


def stacked_table(runs: int) -> Iterator[str]:
    """Milliseconds for heads of one layer: each alone, one product for all queries, keys and values, scores batched."""
    yield "| heads | d_head | d_value | each alone, ms | one product, ms | scores batched as well, ms |"
    yield "| ---: | ---: | ---: | ---: | ---: | ---: |"
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((BATCH, LENGTH + 1, STREAM), generator=generator)
    for count, size, value in STACKED:
        matrices = [
            [torch.randn((STREAM, width), generator=generator) for width in (size, size, value)] for _ in range(count)
        ]
        ways = (
            lambda: [_read(x @ q, x @ k, x @ v) for q, k, v in matrices],  # noqa: B023
            lambda: _together(x, matrices),  # noqa: B023
            lambda: _batched(x, matrices),  # noqa: B023
        )
        with torch.no_grad():
            cells = " | ".join(f"{1e3 * seconds:.1f}" for seconds in medians(ways, runs))
        yield f"| {count} | {size} | {value} | {cells} |"


def _read(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    return (queries @ keys.transpose(-1, -2)).softmax(-1) @ values


def _together(x: Tensor, matrices: Sequence[Sequence[Tensor]]) -> list[Tensor]:
    flat = [matrix for head in matrices for matrix in head]
    parts = torch.split(x @ torch.cat(flat, dim=1), [matrix.shape[1] for matrix in flat], dim=-1)
    return list(map(_read, parts[::3], parts[1::3], parts[2::3]))


def _batched(x: Tensor, matrices: Sequence[Sequence[Tensor]]) -> Tensor:
    kinds = [torch.cat(kind, dim=1) for kind in zip(*matrices, strict=True)]
    parts = torch.split(x @ torch.cat(kinds, dim=1), [kind.shape[1] for kind in kinds], dim=-1)
    return _read(*(part.reshape(*part.shape[:2], len(matrices), -1).transpose(1, 2) for part in parts))


# -- the command


def command_table(runs: int) -> Iterator[str]:
    """Seconds of commands of their own, beside Python with numpy alone."""
    with tempfile.TemporaryDirectory() as folder:
        model, inputs = f"{folder}/sort.safetensors", Path(folder, "inputs")
        save(model_of("sort"), model)
        rng = random.Random(1)
        words = (
            "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(SHORTEST, LONGEST))) for _ in range(INPUTS)
        )
        inputs.write_text("\n".join(words), encoding="utf-8")
        commands = {
            "python -c 'import numpy'": ["-c", "import numpy"],
            "rasp --help": ["-m", "rasp", "--help"],
            "rasp run sort.rasp -i hello": ["-m", "rasp", "run", str(ROOT / "programs/sort.rasp"), "-i", "hello"],
            "rasp infer sort.safetensors -i hello": ["-m", "rasp", "infer", model, "-i", "hello"],
            "… --engine torch": ["-m", "rasp", "infer", model, "-i", "hello", "--engine", "torch"],
            f"rasp infer … --inputs ({INPUTS:,} of {SHORTEST} to {LONGEST} tokens)": [
                *("-m", "rasp", "infer", model, "--inputs", str(inputs))
            ],
        }
        ways = [lambda command=command: run(command) for command in commands.values()]
        found = medians_of_children(ways, runs)
    yield "| command | CPU seconds | times numpy's start |"
    yield "| --- | ---: | ---: |"
    for title, seconds in zip(commands, found, strict=True):
        yield f"| `{title}` | {seconds:.2f} | {seconds / found[0]:.1f}× |"


def run(arguments: Sequence[str]) -> None:
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)


def medians_of_children(ways: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """The median of the CPU seconds of the processes that each way starts; they run in turn."""
    found: list[list[float]] = [[] for _ in ways]
    for _ in range(runs):
        for seconds, way in zip(found, ways, strict=True):
            start = children_seconds()
            way()
            seconds.append(children_seconds() - start)
    return list(map(statistics.median, found))


def children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def report(runs: int, threads: Sequence[int]) -> Iterator[str]:
    """The tables, line by line."""
    for count in threads:
        torch.set_num_threads(count)
        counted = "one thread" if count == 1 else f"{count} threads"
        yield f"{BATCH} inputs of {LENGTH} tokens, models of that length, {counted} of torch:"
        yield ""
        yield from forward_table(runs)
        yield ""
    torch.set_num_threads(1)
    yield f"The heads of a layer side by side, the same batch, a stream of {STREAM}, one thread:"
    yield ""
    yield from stacked_table(runs)
    yield ""
    yield "The command, each a process of its own:"
    yield ""
    yield from command_table(min(runs, 5))


def main() -> None:
    """Prints the tables, a line at a time, or puts them where the page has its last ones."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9, help="times each way is measured (default 9)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="a table for each (default 1 2)")
    parser.add_argument("--write", action="store_true", help=WRITE)
    args = parser.parse_args()
    show("forward", report(args.runs, args.threads), write=args.write)


if __name__ == "__main__":
    main()

"""docs/lab.md: the tables of its blocks, each made by the commands that the block names.

A block begins with `<!-- KIND`, goes on with commands, a line each, and `-->`, and ends with `<!-- end -->`; what
stands between is written anew. Runs of `rasp train` are kept in out/lab, and what is there is not trained again; KIND
is `run` (all tables of each run), `runs` (a line for each run) or `lengths` (what share is right at each length). The
tables of a block `noise` are those of benchmarks/noise.py, made each time, as they are of the compiler as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from statistics import fmean

from benchmarks import noise
from lab.ablation import Result, markdown, table
from lab.folder import Folder
from lab.shown import Shown
from lab.task import Task
from lab.training import use_threads
from rasp.__main__ import main as rasp
from rasp.files import read_text, write_whole
from viz.learned import lengths as lengths_drawn
from viz.saving import save

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "lab.md"
RUNS = ROOT / "out" / "lab"
_BLOCK = re.compile(r"<!-- (run|runs|lengths|noise)\n(.*?)-->\n.*?<!-- end -->", re.DOTALL)
_SIZES = ("predicted", "one head less", "one layer less", "one layer less, twice as wide")
_LENGTHS = (1, 2, 5, 10, 11, 12, 14, 16, 20)


@dataclass(frozen=True)
class Run:
    """A command that trains, and what came of it."""

    command: str

    @property
    def path(self) -> Path:
        """The folder of the run: its command in letters, and a checksum that tells commands apart."""
        words = " ".join(shlex.split(self.command)[2:]).replace("programs/", "").replace(".rasp", "")
        checksum = hashlib.sha256(self.command.encode()).hexdigest()[:6]
        return RUNS / f"{re.sub(r'[^A-Za-z0-9]+', '-', words).strip('-')}-{checksum}"

    def carry_out(self) -> None:
        """Trains what is not trained yet. SystemExit where that fails or is interrupted."""
        _, *words = shlex.split(self.command)
        print(self.command, file=sys.stderr, flush=True)
        with redirect_stdout(io.StringIO()):
            status = rasp([*words, "-o", str(self.path)])
        if status:
            raise SystemExit(status)

    @cached_property
    def folder(self) -> Folder:
        return Folder.open(self.path)

    @cached_property
    def task(self) -> Task:
        return self.folder.plan.task()

    @cached_property
    def shown(self) -> Shown:
        return Shown.of(self.folder, self.task)

    @cached_property
    def results(self) -> list[Result]:
        return self.folder.carry_out(self.task, lambda variant, seed, found: None)

    @property
    def options(self) -> str:
        """The command without the words that all have."""
        return self.command.removeprefix("rasp train ").replace("|", "\\|")


def whole(runs: Sequence[Run]) -> str:
    """All tables of each run, below its command."""
    parts = []
    for run in runs:
        parts += [f"`{run.command}`", table(run.results, run.task.majority_rate, seconds=False)]
        parts += filter(None, [run.shown.heads_table()])
    return "\n\n".join(parts)


def lines(runs: Sequence[Run]) -> str:
    """A line for each run: the sizes side by side, and the heads of the predicted one."""
    trained = {result.variant.name for run in runs for result in run.results}
    sizes = [name for name in _SIZES if name in trained]
    columns = ("`rasp train` …", "size", *sizes, "steps to 99 %", "agreement (uniform)", "answers kept")
    return markdown(columns, [_line(run, sizes) for run in runs])


def _line(run: Run, sizes: Sequence[str]) -> list[str]:
    found: Mapping[str, Result] = {result.variant.name: result for result in run.results}
    config = run.results[0].variant.config
    tokens = [found[name].tokens_spread if name in found else "" for name in sizes]
    heads = [pair for pair in run.shown.compared.heads if pair.informative]
    agreement = " ".join(
        [f"{fmean(pair.agreement for pair in heads):.3f}", f"({fmean(pair.uniform for pair in heads):.3f})"]
        if heads
        else ["uninformative"]
    )
    kept = f"{run.shown.compared.kept:.1%}"
    steps = run.results[0].steps_to_learn
    return [f"`{run.options}`", f"{config.layers}, {config.heads}", *tokens, steps, agreement, kept]


def by_length(runs: Sequence[Run]) -> str:
    """A line for each run with the share that is right at some lengths, and a picture of all lengths."""
    shares = {run.options: run.shown.lengths() for run in runs}
    picture = PAGE.parent / "lab" / f"lengths-{runs[0].folder.plan.name}.png"
    save(lengths_drawn(shares, trained=runs[0].task.max_length), picture)
    rows = [[f"`{name}`", *(_share(found, length) for length in _LENGTHS)] for name, found in shares.items()]
    shown = markdown(("`rasp train` …", *map(str, _LENGTHS)), rows)
    return f"{shown}\n\n![What share of tokens is right at each length](lab/{picture.name})"


def _share(found: Mapping[int, float], length: int) -> str:
    return f"{found[length]:.1%}" if length in found else ""


def under_noise(commands: Sequence[str]) -> str:
    """The table of each command of benchmarks/noise.py, below the command."""
    tables = []
    for command in commands:
        print(command, file=sys.stderr, flush=True)
        args = noise.parser().parse_args(shlex.split(command)[2:])
        tables.append(f"`{command}`\n\n{noise.table(args.files, args.vocab, args.max_length)}")
    return "\n\n".join(tables)


@cache
def carried_out(command: str) -> Run:
    """The run of a command, which has come to its end."""
    run = Run(command)
    run.carry_out()
    return run


def trained(shown: Callable[[Sequence[Run]], str]) -> Callable[[Sequence[str]], str]:
    """What shows runs, as a function of their commands, which are carried out."""
    return lambda commands: shown(list(map(carried_out, commands)))


KINDS: Mapping[str, Callable[[Sequence[str]], str]] = {
    "run": trained(whole),
    "runs": trained(lines),
    "lengths": trained(by_length),
    "noise": under_noise,
}


def written(page: str) -> str:
    """The page with its blocks written anew; their commands are carried out."""

    def block(found: re.Match[str]) -> str:
        return f"<!-- {found[1]}\n{found[2]}-->\n{KINDS[found[1]](found[2].splitlines())}\n<!-- end -->"

    return _BLOCK.sub(block, page)


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    use_threads(1)
    write_whole(PAGE, written(read_text(PAGE)))


if __name__ == "__main__":
    main()

"""The subcommands train and compare: for each `NAME_arguments(parser)` and `NAME_run(args)`, which gives the exit
status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from lab.ablation import Result, Variant, conclusion, table
from lab.folder import Folder, Plan, Progress
from lab.model import NORMS, POSITIONS
from lab.optimizers import OPTIMIZERS
from lab.presets import PRESETS
from lab.shown import HeadPair, OnInput, Shown
from lab.task import Task
from lab.training import DEVICES, PRECISIONS, SUPERVISIONS, Measurement, device_of, use_threads
from rasp.arguments import examples
from rasp.console.show import values
from rasp.errors import DataFault
from rasp.inputs import given_inputs, input_arguments, sequence_of
from rasp.language.budget import budget_argument
from rasp.language.header import Header, MissingSize, model_size
from rasp.language.parameters import given_parameters, parameter_argument
from rasp.language.program import load_program
from rasp.operations import Atom, column
from rasp.streams import say, warn
from rasp.visible import visible
from rasp.vocabulary import FORMS

_DEFAULT = "tiny"


class Pictures(Protocol):
    """What draws the results; it lies in another room."""

    def curves(self, path: Path, curves: Mapping[str, Sequence[tuple[int, float]]], *, baseline: float | None) -> None:
        """Writes a picture of the accuracies after so many steps."""

    def lengths(self, path: Path, shares: Mapping[str, Mapping[int, float]], *, trained: int) -> None:
        """Writes a picture of what share is right at each length; longer inputs than `trained` were not seen."""

    def heads(self, path: Path, tokens: Sequence[Atom], pairs: Sequence[HeadPair]) -> None:
        """Writes a picture of learned heads beside the program's."""


# -- train


def train_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp train`."""
    examples(
        parser,
        "rasp train programs/reverse.rasp --vocab a-j --ablate -o out/reverse",
        "rasp train programs/double_histogram.rasp --vocab a-j --supervise kl --steps 3000",
        last="Run again with the same options, an interrupted run goes on where it was.",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    parser.add_argument("name", metavar="NAME", nargs="?", help="an s-op (default: the last s-op)")
    parser.add_argument("--vocab", metavar="TOKENS", help=f"{FORMS} (default: the program's # vocab:)")
    parser.add_argument(
        "--max-length",
        type=_count,
        metavar="N",
        help="longest input (default: the preset's; if none is named, a shorter # length: of the program)",
    )
    parser.add_argument(
        "--preset",
        choices=list(PRESETS),
        help="; ".join(f"{name}: {preset}" for name, preset in PRESETS.items()) + " (default: tiny)",
    )
    parser.add_argument(
        "--inputs",
        default="random",
        metavar="HOW",
        help="random (default), balanced (rare labels are made as frequent as others), or a file with one a line",
    )
    parser.add_argument("--positions", choices=POSITIONS, default="learned", help="how positions are told apart")
    parser.add_argument("--no-bos", action="store_true", help="without a BOS token in front of the input")
    parser.add_argument("--causal", action="store_true", help="no position attends to later ones")
    parser.add_argument(
        "--supervise", choices=SUPERVISIONS, help="teach heads the program's attention, by this distance"
    )
    parser.add_argument(
        "--mask",
        action="append",
        default=[],
        metavar="HEAD=SELECTOR",
        help="what a head may see, as in 1.2=window(3), layer and head from 1 on: causal, window(N), stride(N), or a "
        "selector of the program; several, with commas, are kinds of edges. May be given more than once",
    )
    parser.add_argument("--norm", choices=NORMS, default="pre", help="layer norms before each part (default) or after")
    parser.add_argument("--ablate", action="store_true", help="train smaller models as well, and conclude")
    parser.add_argument("--seeds", type=_count, metavar="K", help="models of each size (default: the preset's)")
    parser.add_argument("--steps", type=_count, metavar="K", help="steps of training (default: the preset's)")
    parser.add_argument(
        "--optimizer", choices=OPTIMIZERS, default="adamw", help="what takes the steps (default: adamw)"
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="float32", help="of products while training")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="default: a GPU where torch finds one")
    parser.add_argument("-o", "--output", metavar="DIR", help="the folder to write (default: NAME-trained)")
    budget_argument(parser)
    parameter_argument(parser)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


def train_run(args: argparse.Namespace, *, pictures: Pictures) -> int:
    """Trains the predicted size, and with --ablate smaller ones; says what came of it."""
    use_threads(1)
    device = device_of(args.device)
    plan = plan_of(args)
    task = plan.task()
    folder = Folder.start(Path(args.output or f"{plan.name}-trained"), plan)
    _say_task(plan, task)
    with _progress(plan.training.steps, sys.stderr.isatty()) as progress:
        results = folder.carry_out(task, progress, device=device)
    shown = Shown.of(folder, task)
    _say_results(plan, task, results, shown)
    _draw(pictures, folder.path, results, shown)
    say(f"written to {visible(str(folder.path))}")
    return 0


def plan_of(args: argparse.Namespace) -> Plan:
    """What a run is asked for: the preset, and what the options say otherwise. Its program's errors."""
    program = load_program(args.file, budget=args.budget, **given_parameters(args))
    program.sop(args.name)
    preset = PRESETS[args.preset or _DEFAULT]
    vocabulary, longest = _size(args, program.header, preset.max_length)
    return Plan(
        file=args.file,
        budget=args.budget,
        texts=program.texts,
        name=args.name or str(program.default),
        vocabulary=vocabulary,
        max_length=longest,
        inputs=args.inputs,
        count=preset.count,
        held_out=1_000,
        causal=args.causal,
        encoder={
            "d_model": preset.d_model,
            "positions": args.positions,
            "bos": not args.no_bos,
            "norm": args.norm,
        },
        training=replace(
            preset.training,
            steps=args.steps or preset.training.steps,
            supervise=args.supervise,
            optimizer=args.optimizer,
            precision=args.precision,
        ),
        seeds=args.seeds or preset.seeds,
        ablate=args.ablate,
        masks=tuple(args.mask),
        grid=preset.grid,
    )


def _size(args: argparse.Namespace, header: Header, preset: int) -> tuple[tuple[Atom, ...], int]:
    """Vocabulary and longest input: as given, else as the preset or the header says, which is said.

    A preset that is named decides on the length, another one keeps training short.
    """
    longest = args.max_length or (preset if args.preset else min(preset, header.length or preset))
    try:
        size = model_size(header, args.vocab, longest, [])
    except MissingSize as error:
        args.parser.error(f"{error.message}; {error.hint}")
    for remark in size.remarks:
        warn(remark)
    return size.vocabulary, size.max_length


def _say_task(plan: Plan, task: Task) -> None:
    labels = "numbers" if task.classes is None else f"{len(task.classes)} labels"
    say(
        f"{visible(plan.name)}: {len(task.training):,} inputs for training and {len(task.held_out):,} others, of up to "
        f"{task.max_length} of {len(task.vocabulary)} tokens; {labels}"
    )
    if task.undefined:
        say(f"  left out: {task.undefined:,} inputs on which the program has no value")


def _say_results(plan: Plan, task: Task, results: Sequence[Result], shown: Shown) -> None:
    parts = [table(results, task.majority_rate), conclusion(results, task), *plan.variants(task)[1]]
    say("\n" + "\n\n".join(map(_visible, filter(None, [*parts, shown.heads_table()]))))


def _draw(pictures: Pictures, folder: Path, results: Sequence[Result], shown: Shown) -> None:
    """Writes the pictures of a run; the heads are shown on the longest input held out."""
    task = shown.task
    pictures.curves(folder / "curves.svg", _curves(results), baseline=task.majority_rate)
    pictures.lengths(folder / "lengths.svg", {"predicted": shown.lengths()}, trained=task.max_length)
    longest = int(task.held_out.lengths.argmax())
    found = shown.on(task.batch(task.held_out).given(longest))
    if found.pairs:
        pictures.heads(folder / "heads.svg", found.tokens, found.pairs)


def _visible(text: str) -> str:
    """A table as it can be printed: nothing in it commands a terminal."""
    return "\n".join(map(visible, text.splitlines()))


def _curves(results: Sequence[Result]) -> dict[str, list[tuple[int, float]]]:
    """The accuracies of each model by step, its name with the seed where there are several."""
    return {
        result.variant.name + (f", seed {seed}" if len(result.histories) > 1 else ""): [
            (found.step, found.token_accuracy) for found in measured
        ]
        for result in results
        for seed, measured in enumerate(result.histories)
    }


@contextmanager
def _progress(steps: int, shown: bool) -> Iterator[Progress]:
    """A bar for each model."""
    if not shown:
        yield lambda variant, seed, found: None
        return
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks: dict[tuple[Variant, int], Any] = {}

        def told(variant: Variant, seed: int, found: Measurement) -> None:
            if (variant, seed) not in tasks:
                tasks[variant, seed] = bars.add_task("", total=steps)
            text = f"{variant.name}, seed {seed}: {found.token_accuracy:.1%}"
            bars.update(tasks[variant, seed], completed=found.step, description=text)

        yield told


# -- compare


def compare_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp compare`."""
    examples(
        parser,
        "rasp train programs/reverse.rasp --vocab a-j --ablate -o out/reverse",
        "rasp compare out/reverse -i abcde -o heads.png",
    )
    parser.add_argument("folder", metavar="DIR", help="what `rasp train` has written")
    input_arguments(parser)
    parser.add_argument("-o", "--output", metavar="PICTURE", help="the picture to write (default: DIR/heads.svg)")


def compare_run(args: argparse.Namespace, *, pictures: Pictures) -> int:
    """Compares the learned heads of a run with the program's; draws both on an input, beside the answers."""
    use_threads(1)
    inputs = [sequence_of(given) for given in given_inputs(args)]
    if len(inputs) > 1:
        raise DataFault(f"a picture shows one input, and {len(inputs)} are given", hint="give one with -i")
    if args.output and not inputs:
        args.parser.error("an input to draw is needed: -i")
    folder = Folder.open(Path(args.folder))
    shown = Shown.of(folder, folder.plan.task())
    right = shown.trained.last.token_accuracy
    say(f"{visible(folder.plan.name)}, seed {shown.seed}: {right:.2%} of held-out tokens are right\n")
    say(_visible(shown.heads_table()) or "There are no heads to compare: the program or the model has no attention.")
    say("\n" + shown.lengths_table())
    if inputs:
        _show(pictures, Path(args.output) if args.output else folder.path / "heads.svg", shown.on(inputs[0]))
    return 0


def _show(pictures: Pictures, path: Path, found: OnInput) -> None:
    """Answers and heads on one input."""
    say(f"\n  program {values(column(found.wanted))}\n  model   {values(column(found.answers))}")
    if found.pairs:
        pictures.heads(path, found.tokens, found.pairs)
    say(f"\n{visible(str(path))}")

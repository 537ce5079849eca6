"""The subcommands train and compare: for each `NAME_arguments(parser)` and `NAME_run(args)`, which gives the exit
status."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np

from lab.ablation import Result, Variant, conclusion, markdown, table
from lab.comparison import Comparison, accuracy_by_length, compare
from lab.folder import Folder, Plan, Progress
from lab.model import NORMS, POSITIONS
from lab.optimizers import OPTIMIZERS
from lab.patterns import targets
from lab.presets import PRESETS
from lab.task import Examples, Numbers, Task
from lab.training import DEVICES, PRECISIONS, SUPERVISIONS, Measurement, Trained, device_of, observe, use_threads
from rasp.arguments import examples
from rasp.console.show import values
from rasp.errors import DataFault
from rasp.inputs import given_inputs, input_arguments, tokens_of
from rasp.language.budget import budget_argument
from rasp.language.header import Header, MissingSize, header_of, model_size
from rasp.language.parameters import given_parameters, parameter_argument
from rasp.language.program import Program, load_program
from rasp.operations import Atom, column
from rasp.printing import expression
from rasp.streams import say, warn
from rasp.visible import visible
from rasp.vocabulary import FORMS

# A learned head beside the program's: its layer from 1 on, a title, and both attentions [S, S].
HeadPair: TypeAlias = "tuple[int, str, Numbers, Numbers]"

_COMPARED = 500
_DEFAULT = "tiny"


class Pictures(Protocol):
    """What draws the results; it lies in another room."""

    def curves(self, path: Path, curves: Mapping[str, Sequence[tuple[int, float]]], *, baseline: float | None) -> None:
        """Writes a picture of the accuracies after so many steps."""

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
    trained, _ = folder.best(task)
    _say_results(plan, task, results, trained)
    pictures.curves(folder.path / "curves.svg", _curves(results), baseline=task.majority_rate)
    longest = task.held_out.take(np.array([int(task.held_out.lengths.argmax())]))
    _draw(pictures, folder.path / "heads.svg", plan.program(), task, trained, longest)
    say(f"written to {visible(str(folder.path))}")
    return 0


def plan_of(args: argparse.Namespace) -> Plan:
    """What a run is asked for: the preset, and what the options say otherwise. Its program's errors."""
    program = load_program(args.file, budget=args.budget, **given_parameters(args))
    program.sop(args.name)
    preset = PRESETS[args.preset or _DEFAULT]
    vocabulary, longest = _size(args, header_of(program.source), preset.max_length)
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


def _say_results(plan: Plan, task: Task, results: Sequence[Result], trained: Trained) -> None:
    parts = [table(results, task.majority_rate), conclusion(results, task), *plan.variants(task)[1]]
    compared = compare(trained.model, task, _some(task.held_out))
    if compared.heads:
        parts += [heads_table(plan.program(), compared), swap_said(compared)]
    say("\n" + "\n\n".join(map(_visible, parts)))


def _visible(text: str) -> str:
    """A table as it can be printed: nothing in it commands a terminal."""
    return "\n".join(map(visible, text.splitlines()))


def _some(examples: Examples) -> Examples:
    return examples.take(np.arange(min(_COMPARED, len(examples))))


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


# -- heads


def heads_table(program: Program, compared: Comparison) -> str:
    """The program's heads and the learned ones as a Markdown table."""
    columns = ("layer", "program", "learned head", "agreement", "uniform head", "same argmax", "answers kept")
    rows = [
        [
            str(pair.layer + 1),
            _head_name(program, pair.target.head),
            str(pair.head + 1),
            f"{pair.agreement:.3f}",
            f"{pair.uniform:.3f}" + ("" if pair.informative else " (uninformative)"),
            f"{pair.same_argmax:.1%}",
            f"{pair.kept:.1%}",
        ]
        for pair in compared.heads
    ]
    return markdown(columns, rows)


def _head_name(program: Program, head: Any) -> str:
    name = program.names.get(head.selector) or expression(head.selector, program.names)
    return f"{name} (width)" if head.kind == "width" else name


def lengths_table(trained: Trained, task: Task, longer: Examples | None) -> str:
    """What share of tokens is right in inputs of each length, and in inputs longer than any trained on."""
    columns = ("length", "tokens right")
    found = accuracy_by_length(trained.model, task, task.held_out)
    rows = [[str(length), f"{share:.1%}"] for length, share in found.items()]
    if longer is not None:
        more = accuracy_by_length(trained.model, task, longer)
        rows += [[f"{length} (not trained)", f"{share:.1%}"] for length, share in more.items()]
    return markdown(columns, rows)


def swap_said(compared: Comparison) -> str:
    """What the swap test of all heads at once has shown."""
    return f"With the program's attention in all of these heads at once, {compared.kept:.1%} of the answers stay."


def _draw(pictures: Pictures, path: Path, program: Program, task: Task, trained: Trained, example: Examples) -> None:
    """Writes a picture of the heads on one input, if there are any."""
    length = int(example.lengths[0])
    pairs = list(_pairs(program, task, trained, example))
    if pairs:
        tokens = [task.vocabulary[number] for number in example.ids[0, :length]]
        pictures.heads(path, tokens, pairs)


def _pairs(program: Program, task: Task, trained: Trained, example: Examples) -> Iterator[HeadPair]:
    """The heads on one input; which learned head belongs to which of the program's is told by the held-out inputs."""
    length, bos = int(example.lengths[0]), trained.model.config.bos
    size = length + bos
    wanted = targets(task, example, bos=bos)
    own = observe(trained.model, task, example).patterns
    for pair in compare(trained.model, task, _some(task.held_out)).heads:
        place = next(h for h, target in enumerate(wanted[pair.layer]) if target.head == pair.target.head)
        asked = wanted[pair.layer][place].attention[0, :size, :size]
        learned = own[pair.layer][0, pair.head, :size, :size]
        yield pair.layer + 1, _head_name(program, pair.target.head), asked, learned


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
    inputs = [tokens_of(given) for given in given_inputs(args)]
    if len(inputs) > 1:
        raise DataFault(f"a picture shows one input, and {len(inputs)} are given", hint="give one with -i")
    if args.output and not inputs:
        args.parser.error("an input to draw is needed: -i")
    folder = Folder.open(Path(args.folder))
    task = folder.plan.task()
    trained, seed = folder.best(task)
    compared = compare(trained.model, task, _some(task.held_out))
    say(f"{visible(folder.plan.name)}, seed {seed}: {trained.last.token_accuracy:.2%} of held-out tokens are right\n")
    if not compared.heads:
        say("There are no heads to compare: the program or the model has no attention.")
        return 0
    say(_visible(heads_table(folder.plan.program(), compared)) + "\n\n" + swap_said(compared) + "\n")
    say(lengths_table(trained, task, folder.plan.longer(task)))
    if inputs:
        target = Path(args.output) if args.output else folder.path / "heads.svg"
        _show(pictures, target, folder, task, trained, inputs[0])
    return 0


def _show(pictures: Pictures, path: Path, folder: Folder, task: Task, trained: Trained, tokens: list[Atom]) -> None:
    """Answers and heads on one input."""
    example = task.examples([tokens])
    program = folder.plan.program()
    answers = task.atoms(observe(trained.model, task, example).answers[0])
    wanted = task.batch(example).sop(task.sop).lists()[0] or []
    say(f"\n  program {values(column(wanted))}\n  model   {values(column(answers))}")
    _draw(pictures, path, program, task, trained, example)
    say(f"\n{visible(str(path))}")

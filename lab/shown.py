"""What a run shows of a trained model: its heads beside the program's, and how much is right, at which lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np

from lab.ablation import markdown
from lab.comparison import Comparison, HeadComparison, accuracy_by_length, compare
from lab.folder import Folder
from lab.patterns import HeadTarget, targets
from lab.task import Examples, Numbers, Task
from lab.training import Trained, observe
from rasp.errors import DataFault, RaspError
from rasp.graph import SOp
from rasp.language.program import Program
from rasp.layers import Head
from rasp.operations import Atom
from rasp.printing import expression

# A learned head beside the program's: its layer from 1 on, a title, and both attentions [S, S].
HeadPair: TypeAlias = "tuple[int, str, Numbers, Numbers]"

HEAD_COLUMNS = ("layer", "program", "learned head", "agreement", "uniform head", "same argmax", "answers kept")
_COMPARED = 500


@dataclass(frozen=True, eq=False)
class OnInput:
    """A trained model on an input: the program's values, its own answers, and its heads beside the program's.

    With a `fault` there is nothing else: why the model cannot take the input.
    """

    tokens: tuple[Atom, ...]
    wanted: tuple[Atom, ...] = ()
    answers: tuple[Atom, ...] = ()
    pairs: tuple[HeadPair, ...] = ()
    fault: str | None = None


@dataclass(frozen=True, eq=False)
class Shown:
    """A trained model beside its program, on the inputs held out, and on `longer` ones where it can take them."""

    program: Program
    task: Task
    trained: Trained
    seed: int
    longer: Examples | None = None

    @classmethod
    def of(cls, folder: Folder, task: Task) -> Shown:
        """The best model of a run, on its task. DataFault where there is none yet."""
        trained, seed = folder.best(task)
        return cls(folder.plan.program(), task, trained, seed, folder.plan.longer(task))

    @cached_property
    def compared(self) -> Comparison:
        """The heads on some of the inputs held out."""
        held_out = self.task.held_out
        return compare(self.trained.model, self.task, held_out.take(np.arange(min(_COMPARED, len(held_out)))))

    def head_rows(self) -> list[list[str]]:
        """The program's heads and the learned ones as the rows of a table with HEAD_COLUMNS."""
        return [
            [
                str(pair.layer + 1),
                self._name(pair.target.head),
                str(pair.head + 1),
                f"{pair.agreement:.3f}",
                f"{pair.uniform:.3f}" + ("" if pair.informative else " (uninformative)"),
                f"{pair.same_argmax:.1%}",
                f"{pair.kept:.1%}",
            ]
            for pair in self.compared.heads
        ]

    def heads_table(self) -> str:
        """The program's heads and the learned ones as a Markdown table, and the swap test; empty without heads."""
        if not self.compared.heads:
            return ""
        return f"{markdown(HEAD_COLUMNS, self.head_rows())}\n\n{self.swap_said()}"

    def swap_said(self) -> str:
        """What the swap test of all heads at once has shown."""
        kept = self.compared.kept
        return f"With the program's attention in all of these heads at once, {kept:.1%} of the answers stay."

    def lengths(self) -> dict[int, float]:
        """The share of tokens that is right in inputs of each length, those longer than any trained on among them."""
        model = self.trained.model
        found = accuracy_by_length(model, self.task, self.task.held_out)
        return found | ({} if self.longer is None else accuracy_by_length(model, self.task, self.longer))

    def lengths_table(self) -> str:
        """`lengths` as a Markdown table."""
        rows = [[self._length(length), f"{share:.1%}"] for length, share in self.lengths().items()]
        return markdown(("length", "tokens right"), rows)

    def _length(self, length: int) -> str:
        return f"{length}" if length <= self.task.max_length else f"{length} (not trained)"

    def on(self, tokens: Sequence[Atom]) -> OnInput:
        """The model on an input. DataFault for one it cannot take; the program's own error where it has no value."""
        example = self.task.examples([tokens])
        wanted = self.task.batch(example).sop(self.task.sop).lists()[0] or []
        seen = observe(self.trained.model, self.task, example)
        asked = targets(self.task, example, bos=self.trained.model.config.bos)
        pairs = tuple(self._pair(pair, asked[pair.layer], seen.patterns[pair.layer]) for pair in self.compared.heads)
        return OnInput(tuple(tokens), tuple(wanted), tuple(self.task.atoms(seen.answers[0])), pairs)

    def _pair(self, pair: HeadComparison, asked: Sequence[HeadTarget], patterns: Numbers) -> HeadPair:
        """A head on one input; which learned head belongs to which of the program's the held-out inputs have told."""
        own = next(target.attention[0] for target in asked if target.head == pair.target.head)
        return pair.layer + 1, self._name(pair.target.head), own, patterns[0, pair.head]

    def _name(self, head: Head) -> str:
        name = self.program.names.get(head.selector) or expression(head.selector, self.program.names)
        return f"{name} (width)" if head.kind == "width" else name


@dataclass(frozen=True, eq=False)
class Beside:
    """A trained model for a page on its program: what is said of it, the table of its heads, and some inputs."""

    said: tuple[str, ...]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    inputs: tuple[OnInput, ...]


def beside(path: str, inputs: Sequence[Sequence[Atom]], sop: SOp) -> Beside:
    """The best model of a run on some inputs. DataFault where there is none, and where it is of another s-op."""
    folder = Folder.open(Path(path))
    if folder.plan.program().sop(folder.plan.name) is not sop:
        raise DataFault(f"the model in {path} was trained on another program", hint="train one on this program")
    found = Shown.of(folder, folder.plan.task())
    config, right = found.trained.model.config, found.trained.last.token_accuracy
    said = f"{config.layers} layers of {config.heads} heads, d_model {config.d_model}, trained on examples of up to "
    said += f"{config.max_length} tokens: {right:.2%} of the tokens of other inputs are right."
    swapped = (found.swap_said(),) if found.compared.heads else ()
    return Beside((said, *swapped), HEAD_COLUMNS, found.head_rows(), tuple(_on(found, tokens) for tokens in inputs))


def _on(found: Shown, tokens: Sequence[Atom]) -> OnInput:
    try:
        return found.on(tokens)
    except RaspError as error:
        return OnInput(tuple(tokens), fault=error.message)

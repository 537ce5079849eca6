"""The predicted size and its ablations: what is trained, the table of what came of it, and what follows from that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

from lab.model import EncoderConfig
from lab.task import Task
from lab.training import Measurement, size_of

LEARNED = 0.99
"""A task counts as learned when so many tokens are right."""

_COLUMNS = (
    *("model", "layers", "heads", "d_model", "seeds", "tokens right", "inputs right"),
    *("most frequent label", "steps to 99 %", "seconds"),
)


@dataclass(frozen=True)
class Variant:
    """A size to train, and what it is called."""

    name: str
    config: EncoderConfig

    @property
    def stem(self) -> str:
        """What its files are called."""
        return f"model-{self.config.layers}x{self.config.heads}x{self.config.d_model}"


def predicted(task: Task, options: Mapping[str, Any]) -> Variant:
    """The size that the analysis predicts: its layers, each with as many heads as its widest one.

    Without BOS a width takes two heads, as the paper counts.
    """
    heads = task.analysis.heads if options.get("bos", True) else task.analysis.paper_heads()
    return Variant("predicted", size_of(task, task.analysis.depth, max(heads, default=0), **options))


def ablations(whole: Variant) -> tuple[list[Variant], list[str]]:
    """The predicted size with one head less, one layer less, and that with twice the heads and the width.

    Also what is left out, and why.
    """
    config = whole.config
    if not config.layers:
        return [], ["the program needs no attention, so there is nothing to take away"]
    shallow = replace(config, layers=config.layers - 1)
    wide = replace(shallow, heads=2 * config.heads, d_model=2 * config.d_model)
    found = [Variant("one layer less", shallow), Variant("one layer less, twice as wide", wide)]
    if config.heads == 1:
        return found, ["one head less: left out, as no head would remain"]
    return [Variant("one head less", replace(config, heads=config.heads - 1)), *found], []


@dataclass(frozen=True)
class Result:
    """What came of training a variant: the measurements of each seed."""

    variant: Variant
    histories: tuple[tuple[Measurement, ...], ...]

    @property
    def last(self) -> list[Measurement]:
        return [history[-1] for history in self.histories]

    @property
    def tokens(self) -> float:
        """The mean share of tokens that are right at the end."""
        return fmean(found.token_accuracy for found in self.last)

    def cells(self, majority: float | None) -> Iterator[str]:
        """A row of the table."""
        config = self.variant.config
        yield from (self.variant.name, str(config.layers), str(config.heads if config.layers else 0))
        yield from (str(config.d_model), str(len(self.histories)))
        yield self.tokens_spread
        yield _spread([found.sequence_accuracy for found in self.last])
        yield "" if majority is None else _percent(majority)
        yield self.steps_to_learn
        yield f"{fmean(found.seconds for found in self.last):.1f}"

    @property
    def tokens_spread(self) -> str:
        """The mean share of tokens that are right at the end, in percent; of several models also the least."""
        return _spread([found.token_accuracy for found in self.last])

    @property
    def steps_to_learn(self) -> str:
        """The median of the steps to 99 %, and how many seeds got there."""
        reached = [step for step in map(_steps_to, self.histories) if step is not None]
        if not reached:
            return "never"
        some = "" if len(reached) == len(self.histories) else f" ({len(reached)} of {len(self.histories)} seeds)"
        return f"{median(reached):g}{some}"


def _steps_to(history: Sequence[Measurement]) -> int | None:
    return next((found.step for found in history if found.token_accuracy >= LEARNED), None)


def _percent(share: float) -> str:
    """A share in percent; 100 only where it is all."""
    return "100 %" if share == 1 else f"{min(share * 100, 99.99):.2f} %"


def _spread(shares: Sequence[float]) -> str:
    """The mean of some shares; of several also the least."""
    worst = "" if len(shares) == 1 else f" (least {_percent(min(shares))})"
    return _percent(fmean(shares)) + worst


def table(results: Sequence[Result], majority: float | None, *, seconds: bool = True) -> str:
    """All results as a Markdown table, with or without the seconds that training took."""
    shown = len(_COLUMNS) - (not seconds)
    return markdown(_COLUMNS[:shown], [list(result.cells(majority))[:shown] for result in results])


def markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table with its columns aligned."""
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    lines = [columns, ["-" * width for width in widths], *rows]
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def conclusion(results: Sequence[Result], task: Task) -> str:
    """What follows from the results, with its caveats."""
    whole, *ablated = results
    config = whole.variant.config
    size = f"{_count(config.layers, 'layer')} of {_count(config.heads, 'head')}" if config.layers else "no attention"
    said = f"The predicted size ({size}) gets {_percent(whole.tokens)} of the held-out tokens right."
    if whole.tokens < LEARNED:
        return f"{said} That is not enough to conclude anything: supervise the heads, or take more steps."
    steps = max(found.step for result in results for found in result.last)
    budget = ", ".join([f"up to {_count(steps, 'step')}", _count(len(whole.histories), "seed")])
    caveat = f"All this with {budget}, {_count(len(task.vocabulary), 'token')} and lengths up to {task.max_length}"
    if any(result.tokens >= LEARNED for result in ablated):
        caveat += ": with few tokens a smaller model can find another way, such as counting the tokens for a sort"
    return " ".join([said, *map(_verdict, ablated), f"{caveat}."])


def _verdict(result: Result) -> str:
    name, tokens = result.variant.name.capitalize(), _percent(result.tokens)
    if result.tokens >= LEARNED:
        return f"{name} gets {tokens}: that suffices here as well."
    return f"{name} gets {tokens}."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"

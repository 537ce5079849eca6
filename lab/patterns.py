"""Where a program's heads look, as attention: what supervision teaches, and what learned heads are compared with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lab.task import Examples, Numbers, Task
from rasp.batch.ragged import Flags
from rasp.layers import Head


@dataclass(frozen=True, eq=False)
class HeadTarget:
    """The attention [B, S, S] that a head of the program asks for, and the rows [B, S] where it asks for any.

    With BOS, S = N + 1 and position 0 is BOS; its own row and those beyond the end of an input ask for nothing.
    """

    head: Head
    attention: Numbers
    rows: Flags


def targets(task: Task, examples: Examples, *, bos: bool = True) -> list[list[HeadTarget]]:
    """The attention of the program's heads on some inputs, layer by layer.

    An aggregate asks for equal shares of the keys it selects, and for BOS where it selects none; a width for equal
    shares of BOS and the keys it selects. Without BOS nothing is asked for in rows that select nothing.
    """
    run = task.batch(examples)
    return [[_target(head, run.selector(head.selector), examples.given, bos) for head in layer] for layer in task.heads]


def _target(head: Head, selected: Flags, given: Flags, bos: bool) -> HeadTarget:
    keys, rows = selected, given
    if bos:
        keys = np.pad(selected, ((0, 0), (1, 0), (1, 0)))
        keys[:, :, 0] = (head.kind == "width") | ~keys.any(axis=2)
        rows = np.pad(given, ((0, 0), (1, 0)))
    counts = keys.sum(axis=2, dtype=np.float32, keepdims=True)
    attention = keys / np.maximum(counts, np.float32(1))
    return HeadTarget(head, attention, rows & (counts[:, :, 0] > 0))

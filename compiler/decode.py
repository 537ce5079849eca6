"""From logits to values, with the checks that turn a failed guard into an error instead of a wrong answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from compiler.ir import Array, Readout
from rasp.elementwise import Atom, column, label
from rasp.errors import RaspError, ValueFault

_CLEAN = 0.25


def decode(readout: Readout, logits: Array) -> list[Atom]:
    """One value a position from logits [T, O]. ValueFault where they stand for no value of the program."""
    if readout.kind == "number":
        return _numbers(readout, logits[:, 0])
    codes = logits.argmax(axis=1)
    expected = np.zeros_like(logits)
    expected[np.arange(len(logits)), codes] = 1
    off = np.abs(logits - expected).max(axis=1)
    if (off > _CLEAN).any():
        position = int((off > _CLEAN).argmax())
        raise ValueFault(f"{readout.name} has no value at position {position}: the program has none on this input")
    return _labelled(readout, [readout.values[code] for code in codes.tolist()])


def check(guard: Readout, logits: Array) -> None:
    """Nothing, or a ValueFault where the guard [T, O] says that the program has no value on this input."""
    if guard.check in ("single", "mean"):
        _check_marks(guard, logits)
        return
    found = decode(guard, logits)
    if guard.check == "defined" and not all(found):
        raise ValueFault(f"not so at position {found.index(False)}: {guard.name}")
    if guard.check == "uniform" and len(set(found)) > 1:
        raise ValueFault(f"not so on this input: {guard.name}")


def _check_marks(guard: Readout, logits: Array) -> None:
    """Where a row marks several keys: an error for values without a mean, and for a column of nothing but bools."""
    several = logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64) ** 2 > _CLEAN / 2
    if not several.any() or (guard.check == "mean" and (logits[:, 2] < 0.5).any()):
        return
    raise ValueFault(f"not so at position {int(several.argmax())}: {guard.name}, as values without a mean need")


def _numbers(readout: Readout, logits: Array) -> list[Atom]:
    if not readout.values:
        return [float(x) for x in logits]
    levels = np.array([float(value) for value in readout.values])
    right = np.clip(np.searchsorted(levels, logits), 1, max(len(levels) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(levels) - 1)
    nearest = np.where(np.abs(logits - levels[left]) <= np.abs(levels[right] - logits), left, right)
    _check_near(readout, logits, levels, nearest)
    return _labelled(readout, [readout.values[code] for code in nearest.tolist()])


def _check_near(readout: Readout, logits: Array, levels: Any, nearest: Any) -> None:
    """A number must be much nearer to its value than to any other."""
    gap = np.diff(levels).min() if len(levels) > 1 else 1.0
    off = np.abs(logits - levels[nearest])
    if (off > _CLEAN * gap).any():
        position = int((off > _CLEAN * gap).argmax())
        raise ValueFault(
            f"{readout.name} is {logits[position]:.9g} at position {position}, which is none of its values"
        )


def _labelled(readout: Readout, values: list[Atom]) -> list[Atom]:
    try:
        label(column(values))
    except RaspError as error:
        raise ValueFault(f"{readout.name}: {error.message}") from error
    return values

"""From logits to values, with the checks that turn a failed guard into an error instead of a wrong answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from compiler.ir import Array, Readout
from rasp.elementwise import Atom, column, label
from rasp.errors import RaspError, ValueFault

_CLEAN = 0.25


_CASTS: Mapping[str | None, Callable[[Any], Atom]] = {"bool": bool, "int": round, "float": float}


def decode(readout: Readout, logits: Array, marks: Sequence[Sequence[str]] = ()) -> list[Atom]:
    """One value a position from logits [T, O]. ValueFault where they stand for no value of the program.

    `marks` say how many keys are marked, for each guard that the readout's kinds ask for.
    """
    _check_finite(readout, logits)
    if readout.kind == "number" and not readout.values:
        return _typed(readout, [float(x) for x in logits[:, 0]], [0] * len(logits), marks)
    codes = _nearest(readout, logits[:, 0]) if readout.kind == "number" else _clearest(readout, logits)
    return _labelled(readout, _typed(readout, [readout.values[code] for code in codes], codes, marks))


def _check_finite(readout: Readout, logits: Array) -> None:
    """Nothing, or a ValueFault where a logit is no number: exact weights never give that."""
    broken = ~np.isfinite(logits).all(axis=1)
    if broken.any():
        position = int(broken.argmax())
        found = logits[position][~np.isfinite(logits[position])][0]
        raise ValueFault(
            f"{readout.name}: the model computes {found:g} at position {position}, which stands for no value",
            hint="the weights are exact only as they were compiled, and in the dtype they were certified in",
        )


def _clearest(readout: Readout, logits: Array) -> list[int]:
    codes = logits.argmax(axis=1)
    expected = np.zeros_like(logits)
    expected[np.arange(len(logits)), codes] = 1
    off = np.abs(logits - expected).max(axis=1)
    unclear = ~(off <= _CLEAN)
    if unclear.any():
        position = int(unclear.argmax())
        raise ValueFault(f"{readout.name} has no value at position {position}: the program has none on this input")
    return codes.tolist()


def _typed(readout: Readout, values: list[Atom], codes: Sequence[int], marks: Sequence[Sequence[str]]) -> list[Atom]:
    """The values, each number of the kind that the program's has."""
    kinds = readout.kinds
    if kinds is None:
        return values
    states = ["".join(digits) for digits in zip(*marks, strict=True)] if marks else [""] * len(values)
    return [
        value if isinstance(value, str) else _CASTS.get(kinds.kind(len(values), at, states[at], code), _as_is)(value)
        for at, (value, code) in enumerate(zip(values, codes, strict=True))
    ]


def _as_is(value: Atom) -> Atom:
    return value


def marked(guard: Readout, logits: Array) -> list[str]:
    """How many keys a head marks at each position, told by its guard [T, 2]: 0, 1, or 2 for several."""
    _check_finite(guard, logits)
    nothing = float(guard.values[0])
    states = np.where(_several(logits), 2, np.where(np.abs(logits[:, 0] - nothing) < _CLEAN, 0, 1))
    return list(map(str, states.tolist()))


def _several(logits: Array) -> Any:
    """Whether z has a variance: it is at least ¼ where several positions are marked, and 0 for one or none."""
    return logits[:, 1].astype(np.float64) - logits[:, 0].astype(np.float64) ** 2 > _CLEAN / 2


def check(guard: Readout, logits: Array) -> None:
    """Nothing, or a ValueFault where the guard [T, O] says that the program has no value on this input."""
    _check_finite(guard, logits)
    if guard.check in ("single", "mean"):
        _check_marks(guard, logits)
        return
    if guard.check == "marks":
        return
    found = decode(guard, logits)
    if guard.check == "defined" and not all(found):
        raise ValueFault(f"not so at position {found.index(False)}: {guard.name}")
    if guard.check == "uniform" and len(set(found)) > 1:
        raise ValueFault(f"not so on this input: {guard.name}")


def _check_marks(guard: Readout, logits: Array) -> None:
    """Where a row marks several keys: an error for values without a mean, or a column of nothing but such values."""
    several = _several(logits)
    if not several.any() or (guard.check == "mean" and (logits[:, 2] < 0.5).any()):
        return
    raise ValueFault(f"not so at position {int(several.argmax())}: {guard.name}")


def _nearest(readout: Readout, logits: Array) -> list[int]:
    levels = np.array([float(value) for value in readout.values])
    right = np.clip(np.searchsorted(levels, logits), 1, max(len(levels) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(levels) - 1)
    nearest = np.where(np.abs(logits - levels[left]) <= np.abs(levels[right] - logits), left, right)
    _check_near(readout, logits, levels, nearest)
    return nearest.tolist()


def _check_near(readout: Readout, logits: Array, levels: Any, nearest: Any) -> None:
    """A number must be much nearer to its value than to any other."""
    unclear = ~(np.abs(logits - levels[nearest]) <= _CLEAN * np.array(own_gaps(levels))[nearest])
    if unclear.any():
        position = int(unclear.argmax())
        raise ValueFault(
            f"{readout.name} is {logits[position]:.9g} at position {position}, which is none of its values"
        )


def own_gaps(levels: Sequence[float]) -> list[float]:
    """For each of some rising numbers how far the nearest other one is; 1 for a single number."""
    if len(levels) < 2:
        return [1.0] * len(levels)
    gaps = [float(after - before) for before, after in pairwise(levels)]
    return [min(before, after) for before, after in zip([gaps[0], *gaps], [*gaps, gaps[-1]], strict=True)]


def _labelled(readout: Readout, values: list[Atom]) -> list[Atom]:
    try:
        label(column(values))
    except RaspError as error:
        raise ValueFault(f"{readout.name}: {error.message}") from error
    return values

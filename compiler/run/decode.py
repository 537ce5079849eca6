"""From logits to values, with the checks that turn a failed guard into an error instead of a wrong answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

from compiler.ir import Array, OutputTypes, Readout
from rasp.errors import RaspError, ValueFault
from rasp.operations import Atom, column, type_of

_CLEAN = 0.25
Codes: TypeAlias = np.ndarray[Any, np.dtype[np.intp]]
Flags: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]

_CASTS: Mapping[str | None, Callable[[Any], Atom]] = {"bool": bool, "int": round, "float": float}


def decode(readout: Readout, logits: Array, selected: Sequence[Sequence[str]] = ()) -> list[Atom]:
    """One value a position from logits [T, O]. ValueFault where they stand for no value of the program.

    `selected` say how many keys are selected, for each guard that the readout's types ask for.
    """
    _check_finite(readout, logits)
    if readout.kind == "number" and not readout.values:
        return _typed(readout, [float(x) for x in logits[:, 0]], [0] * len(logits), selected)
    codes = _nearest(readout, logits[:, 0]) if readout.kind == "number" else _clearest(readout, logits)
    return _labelled(readout, _typed(readout, [readout.values[code] for code in codes], codes, selected))


def closest(readout: Readout, logits: Array, selected: Sequence[Sequence[str]] = ()) -> tuple[list[Atom], list[float]]:
    """The value nearest to the logits [T, O] at each position, and its margin. ValueFault for no numbers at all.

    A margin is 1 where the logits are as the program's model has them, 0 halfway to another value, less further away;
    it is nan for numbers too many to list.
    """
    _check_finite(readout, logits)
    if readout.kind == "number" and not readout.values:
        found: list[Atom] = [float(x) for x in logits[:, 0]]
        return _typed(readout, found, [0] * len(found), selected), [math.nan] * len(found)
    if readout.kind == "number":
        codes, off = nearest(readout, logits[:, 0])[0].tolist(), logits[:, 0].astype(np.float64)
        levels, gaps = (np.array(part)[codes] for part in (_levels(readout), own_gaps(_levels(readout))))
        margins = 1 - 2 * np.abs(off - levels) / gaps
    else:
        codes, ranked = clearest(readout, logits)[0].tolist(), np.sort(logits, axis=1)
        margins = ranked[:, -1] - (ranked[:, -2] if logits.shape[1] > 1 else 0)
    return _typed(readout, [readout.values[code] for code in codes], codes, selected), margins.tolist()


def _levels(readout: Readout) -> list[float]:
    return [float(value) for value in readout.values]


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
    codes, unclear = clearest(readout, logits)
    if unclear.any():
        position = int(unclear.argmax())
        raise ValueFault(f"{readout.name} has no value at position {position}: the program has none on this input")
    return codes.tolist()


def clearest(readout: Readout, logits: Array) -> tuple[Codes, Flags]:
    """Which logit is 1, from logits [..., O], and where it is not clear that one is and the others are 0.

    Of a `coded` output the others are 0 or less.
    """
    codes = logits.argmax(axis=-1)
    chosen = codes[..., None]
    off = logits.copy() if readout.kind == "coded" else np.abs(logits)
    np.put_along_axis(off, chosen, np.abs(np.take_along_axis(logits, chosen, axis=-1) - 1), axis=-1)
    return codes, ~(off.max(axis=-1) <= _CLEAN)


def _typed(readout: Readout, values: list[Atom], codes: Sequence[int], selected: Sequence[Sequence[str]]) -> list[Atom]:
    """The values, each number of the type that the program's has."""
    types = readout.types
    if types is None:
        return values
    digits = list(map("".join, zip(*selected, strict=True))) if selected else [""] * len(values)
    return [
        cast(types, value, code, (len(values), at), digits[at])
        for at, (value, code) in enumerate(zip(values, codes, strict=True))
    ]


def cast(types: OutputTypes, value: Atom, code: int, cell: tuple[int, int], digits: str) -> Atom:
    """A value by its place among the readout's, as the type it has in a cell (length, position) for these digits."""
    if isinstance(value, str):
        return value
    return _CASTS.get(types.type_name(*cell, digits, code), _as_is)(value)


def _as_is(value: Atom) -> Atom:
    return value


def selected_states(guard: Readout, logits: Array) -> list[str]:
    """How many keys a head selects at each position, told by its guard [T, 2]: 0, 1, or 2 for several."""
    _check_finite(guard, logits)
    return list(map(str, states(guard, logits).tolist()))


def states(guard: Readout, logits: Array) -> Codes:
    """How many keys a head selects, from its guard's logits [..., 2]: 0, 1, or 2 for several."""
    nothing = float(guard.values[0])
    return np.where(several(logits), 2, np.where(np.abs(logits[..., 0] - nothing) < _CLEAN, 0, 1))


def several(logits: Array) -> Flags:
    """Whether z has a variance: it is at least ¼ where several positions are selected, and 0 for one or none."""
    variance: Array = logits[..., 1].astype(np.float64) - logits[..., 0].astype(np.float64) ** 2
    return variance > _CLEAN / 2


def check(guard: Readout, logits: Array) -> None:
    """Nothing, or a ValueFault where the guard [T, O] says that the program has no value on this input."""
    _check_finite(guard, logits)
    if guard.check in ("single", "mean"):
        _check_selected(guard, logits)
        return
    if guard.check == "marks":
        return
    found = decode(guard, logits)
    if guard.check == "defined" and not all(found):
        raise ValueFault(f"not so at position {found.index(False)}: {guard.name}")
    if guard.check == "uniform" and len(set(found)) > 1:
        raise ValueFault(f"not so on this input: {guard.name}")


def _check_selected(guard: Readout, logits: Array) -> None:
    """Where a row selects several keys: an error for values without a mean, or a column of nothing but such values."""
    found = several(logits)
    if not found.any() or (guard.check == "mean" and (logits[:, 2] < 0.5).any()):
        return
    raise ValueFault(f"not so at position {int(found.argmax())}: {guard.name}")


def _nearest(readout: Readout, logits: Array) -> list[int]:
    codes, unclear = nearest(readout, logits)
    if unclear.any():
        position = int(unclear.argmax())
        raise ValueFault(
            f"{readout.name} is {logits[position]:.9g} at position {position}, which is none of its values"
        )
    return codes.tolist()


def nearest(readout: Readout, logits: Array) -> tuple[Codes, Flags]:
    """Which of its values a number [...] is nearest to, and where it is not much nearer to it than to any other."""
    values = _levels(readout)
    levels, gaps = np.array(values), np.array(own_gaps(values))
    right = np.clip(np.searchsorted(levels, logits), 1, max(len(levels) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(levels) - 1)
    codes = np.where(np.abs(logits - levels[left]) <= np.abs(levels[right] - logits), left, right)
    return codes, ~(np.abs(logits - levels[codes]) <= _CLEAN * gaps[codes])


def own_gaps(levels: Sequence[float]) -> list[float]:
    """For each of some rising numbers how far the nearest other one is; 1 for a single number."""
    if len(levels) < 2:
        return [1.0] * len(levels)
    gaps = [float(after - before) for before, after in pairwise(levels)]
    return [min(before, after) for before, after in zip([gaps[0], *gaps], [*gaps, gaps[-1]], strict=True)]


def _labelled(readout: Readout, values: list[Atom]) -> list[Atom]:
    try:
        type_of(column(values))
    except RaspError as error:
        raise ValueFault(f"{readout.name}: {error.message}") from error
    return values

"""Which inputs of a batch an engine gets right, told for all of them at once.

The rules are those of `decode` and `agreement`, which are for one input. Here every distinct case (what is expected,
what is decoded, and what decides its type) is judged by them once. An input that is not settled here is to be looked at
there: that is where the words of a difference come from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from compiler.ir import Accuracy, Array, ModelWeights, Readout
from compiler.run.agreement import agree, same_types
from compiler.run.decode import Codes, Flags, cast, clearest, nearest, several, states
from compiler.run.reference import Trace
from rasp.batch.columns import distinct
from rasp.batch.run import BatchColumn
from rasp.operations import Atom, Symbol

_EXACT_FLOAT = 2**53


def settled(
    weights: ModelWeights, trace: Trace, wanted: Mapping[str, BatchColumn], promised: Mapping[str, Accuracy]
) -> Flags:
    """The inputs [B], all of one length, on which the outputs of a trace are certainly as wanted.

    Those on which the program has no value and the model says so are among them.
    """
    guards = [logits[:, 1:] for logits in trace.guards]
    failed = np.zeros(len(trace.outputs[0]), dtype=bool)
    for guard, logits in zip(weights.guards, guards, strict=True):
        failed |= _guard_fails(guard, logits)
    same = ~failed
    for output, every in zip(weights.outputs, trace.outputs, strict=True):
        given = _Given(output, every[:, 1:], _states(weights, output, guards), wanted[output.name])
        fails, agrees = (given.listed if _is_listed(output) else given.number)(promised[output.name])
        failed |= fails
        same &= agrees
    undefined = ~np.logical_and.reduce([column.defined for column in wanted.values()])
    result: Flags = np.where(failed | undefined, failed & undefined, same)
    return result


def _is_listed(output: Readout) -> bool:
    return output.kind != "number" or bool(output.values)


def _any(flags: Flags) -> Flags:
    """For each input, whether a flag [B, T] is set."""
    return np.logical_or.reduce(flags, axis=1)


def _broken(logits: Array) -> Flags:
    """Where some logit [B, T, O] is no number."""
    return ~np.logical_and.reduce(np.isfinite(logits), axis=(1, 2))


def _guard_fails(guard: Readout, logits: Array) -> Flags:
    """Where `check` of a guard raises, from its logits [B, T, O]."""
    broken = _broken(logits)
    if guard.check == "marks":
        return broken
    if guard.check in ("single", "mean"):
        found = _any(several(logits))
        return broken | (found & ~_any(logits[..., 2] < 0.5) if guard.check == "mean" else found)
    codes, unclear = _decoded(guard, logits)
    broken |= _any(unclear)
    if guard.check == "defined":
        return broken | _any(~np.array([bool(value) for value in guard.values])[codes])
    numbers = {value: number for number, value in enumerate(guard.values)}
    classes = np.array([numbers[value] for value in guard.values])[codes]
    return broken | _any(classes != classes[:, :1])


def _decoded(readout: Readout, logits: Array) -> tuple[Codes, Flags]:
    """Which of the readout's values stands at each position [B, T], and where none is clearly meant."""
    return nearest(readout, logits[..., 0]) if readout.kind == "number" else clearest(readout, logits)


def _states(weights: ModelWeights, output: Readout, guards: list[Array]) -> Codes | None:
    """The digits of the guards that decide an output's types, as one number a position; None where there are none."""
    if output.types is None or not output.types.guards:
        return None
    digits = [states(weights.guards[place], guards[place]) for place in output.types.guards]
    return sum((digit * 3**power for power, digit in enumerate(digits)), np.zeros_like(digits[0]))


class _Given:
    """An output's logits [B, T, O], the states of its guards [B, T], and what is wanted of it."""

    def __init__(self, output: Readout, logits: Array, selected: Codes | None, wanted: BatchColumn) -> None:
        self.output, self.logits, self.wanted = output, logits, wanted
        shape = logits.shape[:2]
        self.length = shape[1]
        self.selected = np.zeros(shape, dtype=np.intp) if selected is None else selected
        self.tables = np.zeros(self.length, dtype=np.intp)
        if output.types is not None:
            first = self.length * (self.length - 1) // 2
            self.tables = output.types.table_of[first : first + self.length]
        self.broken = _broken(logits)

    def listed(self, accuracy: Accuracy) -> tuple[Flags, Flags]:
        """Where decoding fails [B], and where what is decoded from a list of values is as wanted."""
        codes, unclear = _decoded(self.output, self.logits)
        failed = self.broken | _any(unclear) | self._mixed(codes)
        return failed, self._judged(codes, accuracy)

    def _mixed(self, codes: Codes) -> Flags:
        """Where strings and numbers stand together."""
        symbols = np.array([isinstance(value, Symbol) for value in self.output.values])[codes]
        texts = np.array([isinstance(value, str) for value in self.output.values])[codes] & ~symbols
        return _any(texts) & _any(~texts & ~symbols)

    def _judged(self, codes: Codes, accuracy: Accuracy) -> Flags:
        """Where each position's value is as wanted; every distinct case is judged once, at one of its positions."""
        sizes = (len(self.output.values), 3 ** len(self._guards), int(self.tables.max()) + 1)
        keys, size = self.wanted.codes, len(self.wanted.levels)
        for part, count in zip((codes, self.selected, self.tables), sizes, strict=True):
            keys, size = keys * count + part, size * count
        _, places = distinct(keys.ravel(), size)
        one = np.empty(int(places.max()) + 1, dtype=np.intp)
        one[places] = np.arange(len(places))
        rows, positions = np.divmod(one, self.length)
        verdicts = [
            self._same(row, position, int(codes[row, position]), accuracy)
            for row, position in zip(rows.tolist(), positions.tolist(), strict=True)
        ]
        return ~_any(~np.array(verdicts)[places].reshape(codes.shape))

    def _same(self, row: int, position: int, code: int, accuracy: Accuracy) -> bool:
        expected = self.wanted.levels[self.wanted.codes[row, position : position + 1]].tolist()
        found = [self.output.values[code]]
        if (types := self.output.types) is not None:
            found = [cast(types, found[0], code, (self.length, position), self._digits(self.selected[row, position]))]
        return agree(expected, found, accuracy) and (not self._sure or same_types(expected, found))

    @property
    def _guards(self) -> tuple[int, ...]:
        return () if self.output.types is None else self.output.types.guards

    @property
    def _sure(self) -> bool:
        return self.output.types is None or self.output.types.sure

    def _digits(self, state: int) -> str:
        return "".join(str(int(state) // 3**power % 3) for power in range(len(self._guards)))

    def number(self, accuracy: Accuracy) -> tuple[Flags, Flags]:
        """Where decoding fails [B], and where the number decoded is as near to what is wanted as was promised."""
        atoms = self.wanted.levels.tolist()
        wanted = np.array([_as_float(atom) for atom in atoms])[self.wanted.codes]
        types = np.array([type(atom).__name__ for atom in atoms])[self.wanted.codes]
        found, own = self.logits[..., 0].astype(np.float64), self._types()
        found = np.where(own == "int", np.rint(found), np.where(own == "bool", found != 0, found))
        with np.errstate(invalid="ignore"):
            off = np.abs(wanted - found)
        near = (wanted == found) | (off <= accuracy.share * np.maximum(np.abs(wanted), accuracy.smallest))
        if self._sure:
            near &= types == own
        return self.broken, ~_any(~near)

    def _types(self) -> np.ndarray[Any, np.dtype[np.str_]]:
        """The type of the number at each position [B, T]."""
        if (types := self.output.types) is None:
            return np.broadcast_to(np.array("float"), self.selected.shape)
        result = np.full(self.selected.shape, "float")
        for state in np.unique(self.selected).tolist():
            names = [types.type_name(self.length, at, self._digits(state), 0) or "float" for at in range(self.length)]
            result = np.where(self.selected == state, np.array(names), result)
        return result


def _as_float(atom: Atom) -> float:
    """The same number as a float; nan, which nothing is near to, where there is none."""
    if isinstance(atom, str) or (isinstance(atom, int) and abs(atom) > _EXACT_FLOAT):
        return math.nan
    return float(atom)

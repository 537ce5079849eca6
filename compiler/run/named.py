"""S-ops in the residual stream, by name: which value each has at each position, and how another value would look."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compiler.ir import Array, Held, ModelWeights, Readout
from compiler.run.decode import closest, own_gaps, selected_states
from rasp.errors import NameFault, RaspError, ValueFault
from rasp.graph import Constant, Indices, Map, Node, SOp, Tokens, topological
from rasp.interpret import Run
from rasp.operations import Atom, Column, column, describe, evaluate, from_python


@dataclass(frozen=True)
class Decoded:
    """The value nearest to what the stream holds at each position, and by how much it is nearer than any other.

    A margin is 1 where the stream is as it was compiled, and 0 or less halfway to another value; it is nan for numbers
    too many to list.
    """

    values: list[Atom]
    margins: list[float]


class NamedSOps:
    """The named s-ops of a model."""

    def __init__(self, weights: ModelWeights) -> None:
        self.weights = weights
        self.names = list(dict.fromkeys(held.name for held in weights.held if held.name is not None))

    def find(self, asked: str | SOp) -> Held:
        """How the s-op of that name, or that node, is held. NameFault where there is none, or several."""
        found = [held for held in self.weights.held if held.node is asked]
        name = self.weights.names.get(asked) if isinstance(asked, SOp) else asked
        found = found or [held for held in self.weights.held if held.name == name and name is not None]
        if not found and name in self.weights.interventions:
            raise NameFault(f"{name} has one value on every input, so that nothing computes it or reads another")
        if not found:
            close = difflib.get_close_matches(str(name), self.names, 3)
            known = f"did you mean {' or '.join(close)}?" if close else f"its s-ops are {', '.join(self.names)}"
            raise NameFault(f"{self.weights.name} has no s-op {asked}", hint=known)
        if len(found) > 1:
            raise NameFault(f"{len(found)} s-ops are called {name}", hint="give the node in the place of its name")
        return found[0]

    def decoded(self, held: Held, tokens: Sequence[Atom], stream: Array) -> Decoded:
        """The values of an s-op on an input whose residual stream [T, D] after the last layer is this (without BOS).

        NameFault where it is neither held there nor computed, position by position, from what is.
        """
        direct = self._read(held, stream)
        return direct if direct is not None else self._computed(held, tokens, stream)

    def _read(self, held: Held, stream: Array) -> Decoded | None:
        """The values as the stream itself holds them, or as an output is read from it; None where it does neither."""
        direct = _direct(held, stream)
        output = next((found for found in self.weights.outputs if found.node is held.node), None)
        return self._read_out(output, stream) if direct is None and output is not None else direct

    def _read_out(self, output: Readout, stream: Array) -> Decoded:
        """The values of an output, some of which the stream holds in codes that only the unembedding reads."""
        guards = [self.weights.guards[place] for place in (output.types.guards if output.types else ())]
        states = [selected_states(guard, stream @ guard.W_U) for guard in guards]
        return Decoded(*closest(output, stream @ output.W_U, states))

    def _computed(self, held: Held, tokens: Sequence[Atom], stream: Array) -> Decoded:
        found = ((other.node, self._read(other, stream)) for other in self.weights.held if other is not held)
        known: dict[Node, Decoded] = {node: decoded for node, decoded in found if decoded is not None}
        columns: dict[Node, Column] = {node: column(decoded.values) for node, decoded in known.items()}
        used: list[list[float]] = []
        run = Run(tokens)
        for part in topological([held.node], known):
            if isinstance(part, (Tokens, Indices, Constant)):
                columns[part] = run.sop(part)
            elif isinstance(part, Map):
                columns[part] = _evaluated(held, part, columns)
                used += [known[arg].margins for arg in part.args if arg in known]
            else:
                raise NameFault(
                    f"{held.name} is not in the residual stream: {part!r} is only there as part of something else",
                    hint=f'rasp.compile(…, interventions=["{held.name}"]) stores it',
                )
        margins = [min(each) for each in zip([1.0] * len(tokens), *used, strict=True)]
        return Decoded(columns[held.node].tolist(), margins)


def _evaluated(held: Held, node: Map, columns: Mapping[Node, Column]) -> Column:
    try:
        return evaluate(node.op, [columns[arg] for arg in node.args])
    except RaspError as error:
        raise ValueFault(f"{held.name} has no value on this input: {error.message}") from error


def _direct(held: Held, stream: Array) -> Decoded | None:
    """The values as the stream itself holds them; None where it does not, or does not tell some of them apart."""
    if held.values and held.rows.count(-1) <= 1:
        return _by_value(held, stream)
    return None if held.row is None else _by_number(held, stream[:, held.row])


def _by_value(held: Held, stream: Array) -> Decoded:
    rows = sorted(set(held.rows) - {-1})
    looks = np.array([[float(row == own) for row in rows] for own in held.rows]).reshape(len(held.rows), len(rows))
    off = np.abs(stream[:, None, rows].astype(np.float64) - looks).max(axis=-1, initial=0.0)
    nearest = off.argmin(axis=1)
    ranked = np.sort(off, axis=1)
    margins = ranked[:, 1] - ranked[:, 0] if len(held.values) > 1 else 1 - 2 * ranked[:, 0]
    return Decoded([held.values[code] for code in nearest.tolist()], margins.tolist())


def _by_number(held: Held, found: Array) -> Decoded:
    if not held.numbers:
        return Decoded([float(number) for number in found], [float("nan")] * len(found))
    order = np.argsort(held.levels)
    levels = np.array(held.levels)[order]
    gaps = np.array(own_gaps(levels.tolist()))
    off = np.abs(found.astype(np.float64)[:, None] - levels)
    nearest = off.argmin(axis=1)
    margins = 1 - 2 * off[np.arange(len(found)), nearest] / gaps[nearest]
    return Decoded([held.numbers[code] for code in order[nearest].tolist()], margins.tolist())


def looks(held: Held, value: Any) -> dict[int, float]:
    """What each direction of an s-op is where it has a value. ValueFault for a value that it cannot have."""
    value = from_python(value)
    known = held.values or held.numbers
    if known and not any(one == value and isinstance(one, str) == isinstance(value, str) for one in known):
        shown = ", ".join(map(repr, known[:12])) + (", …" if len(known) > 12 else "")
        raise ValueFault(f"{held.name} is never {describe(value)}", hint=f"it is one of {shown}")
    found = {row: 0.0 for row in held.rows if row >= 0}
    own = next((row for one, row in zip(held.values, held.rows, strict=True) if one == value), -1)
    found |= {own: 1.0} if own >= 0 else {}
    if held.row is not None:
        levels = dict(zip(held.numbers, held.levels, strict=True))
        found[held.row] = levels.get(value, float(value))
    return found

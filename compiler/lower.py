"""From a plan to a network in names: what every head and every hidden unit reads and writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from compiler.encodings.embedded import Column, Embedded
from compiler.encodings.writers import ByNeurons
from compiler.gadgets.attention import lower_head
from compiler.gadgets.tables import IndistinctError
from compiler.guards import IS_BOOL, Guard
from compiler.ir import Accuracy, Check, OutputTypes, ReadoutKind
from compiler.operations.bit_codes import bit
from compiler.output_types import packed
from compiler.outputs import distinct_numbers, output_codes
from compiler.plan import Plan
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.source_map import SourceMap
from compiler.storage import RAW_TOKENS, Storage
from compiler.symbolic import BOS, ONE, Direction, Functional, Neuron, SymbolicHead, combine
from compiler.timing import go_on
from compiler.values.averaged import smallest_averaged
from compiler.values.categorical import DEFINED, value_key
from rasp.errors import Refusal
from rasp.graph import Aggregate, Map, Node, Selector, SOp
from rasp.operations import Atom


@dataclass(eq=False)
class SymbolicLayer:
    """Heads, then neurons; `groups` says which of the neurons write which encoding."""

    heads: list[SymbolicHead] = field(default_factory=list)
    neurons: list[Neuron] = field(default_factory=list)
    groups: list[tuple[ByNeurons, slice]] = field(default_factory=list)

    def add(self, encoding: ByNeurons, neurons: list[Neuron]) -> None:
        """Puts the neurons that write an encoding behind the others."""
        self.groups.append((encoding, slice(len(self.neurons), len(self.neurons) + len(neurons))))
        self.neurons += neurons


@dataclass(frozen=True, eq=False)
class SymbolicReadout:
    """A readout in names: one functional a logit."""

    name: str
    node: SOp
    kind: ReadoutKind
    values: tuple[Atom, ...]
    logits: tuple[Functional, ...]
    check: Check | None = None
    types: OutputTypes | None = None
    accuracy: Accuracy | None = None


@dataclass(frozen=True, eq=False)
class SymbolicModel:
    """A network in names. `token_features` and `position_features` are columns of W_E and W_pos."""

    directions: tuple[Direction, ...]
    token_features: Mapping[Direction, Column]
    position_features: Mapping[Direction, Column]
    layers: tuple[SymbolicLayer, ...]
    outputs: tuple[SymbolicReadout, ...]
    guards: tuple[SymbolicReadout, ...]
    reader: Reader


def lower(outputs: Mapping[str, SOp], planned: Plan, source_map: SourceMap, precision: Precision) -> SymbolicModel:
    """The network in names of a plan, with a readout for each named output."""
    storage = planned.storage
    names = {**_count_names(planned.selected_counts, source_map), **_bit_names(storage, source_map)}
    reader = Reader(storage, source_map.with_names(names))
    _check(reader)
    layers: list[SymbolicLayer] = []
    stored = (*reader.one_hot, *reader.numbers)
    depth = max((*(head.layer for head, _ in planned.heads), *map(storage.layer, stored)), default=0)
    for at in range(depth + 1):
        heads = [lower_head(head, written, reader, precision) for head, written in planned.heads if head.layer == at]
        for layer in _with_neurons(at, heads, reader, precision):
            belongs = bool(layers) and not layers[-1].neurons and not layer.heads
            layers.append(replace(layer, heads=layers.pop().heads) if belongs else layer)
    token_features, position_features = _embeddings(reader)
    directions = [ONE, BOS, *reader.directions()]
    return SymbolicModel(
        tuple(directions),
        token_features,
        position_features,
        tuple(layers),
        tuple(
            replace(_readout(name, root, storage, reader, precision), types=_types(root, planned))
            for name, root in outputs.items()
        ),
        tuple(_guard(guard, reader) for guard in planned.guards),
        reader,
    )


def _count_names(
    selected_counts: Mapping[Selector, tuple[Aggregate, Aggregate]], source_map: SourceMap
) -> dict[Node, str]:
    found: dict[Node, str] = {}
    for selector, (z, square) in selected_counts.items():
        found[z] = f"{source_map.text(selector)}: distance"
        found[square] = f"{source_map.text(selector)}: distance squared"
    return found


def _bit_names(storage: Storage, source_map: SourceMap) -> dict[Node, str]:
    codes = storage.bit_codes.items()
    return {bit: f"{source_map.text(node)}: bit {at}" for node, code in codes for at, bit in enumerate(code.bits)}


def _types(root: SOp, planned: Plan) -> OutputTypes | None:
    found = planned.typings.get(root)
    if found is None:
        return None
    place = {g.nodes[0].selector: at for at, g in enumerate(planned.guards) if g.check == "marks"}  # type: ignore[attr-defined]
    return packed(found, tuple(place[node.selector] for node in found.aggregates))


def _with_neurons(at: int, heads: list[SymbolicHead], reader: Reader, precision: Precision) -> list[SymbolicLayer]:
    """A layer with its feed-forward, and after it, where some are needed, feed-forwards of their own."""
    stages: dict[int, SymbolicLayer] = defaultdict(SymbolicLayer, {0: SymbolicLayer(heads)})
    for encoding in reader.placed:
        if isinstance(encoding, ByNeurons) and reader.storage.layer(encoding.node) == at:
            stages[encoding.stage(reader.storage)].add(encoding, _neurons(encoding, reader, precision))
    return [found for _, found in sorted(stages.items()) if found.heads or found.neurons]


def _neurons(encoding: ByNeurons, reader: Reader, precision: Precision) -> list[Neuron]:
    go_on()
    with _in_words_of(encoding.node, reader):
        return encoding.neurons(reader, precision)


def _check(reader: Reader) -> None:
    """Nothing, or a Refusal that can be told before neurons are made."""
    for encoding in reader.placed:
        if isinstance(encoding, ByNeurons):
            with _in_words_of(encoding.node, reader):
                encoding.check(reader)


@contextmanager
def _in_words_of(node: SOp, reader: Reader) -> Iterator[None]:
    """Refusals are placed at a node, and say what its values are that are not told apart."""
    with reader.source_map.placed(node):
        try:
            yield
        except IndistinctError as error:
            if isinstance(node, Map) and node.op is IS_BOOL:
                raise _mixed_with_bools(node.args[0]) from error
            if isinstance(node, Map) and node.op is DEFINED:
                raise _needs_an_int(node.args[0]) from error
            raise


def _truth(node: SOp, reader: Reader) -> Functional:
    """The functional that is 1 where a guard's s-op is True."""
    try:
        return reader.feature(node, {value_key(True): 1.0})
    except Refusal as error:
        if isinstance(node, Map) and node.op is IS_BOOL:
            raise _mixed_with_bools(node.args[0]) from error
        raise


def _needs_an_int(node: SOp) -> Refusal:
    return Refusal(f"{node!r} has a value only where a number is an int, and not where it is an equal float")


def _mixed_with_bools(node: SOp) -> Refusal:
    return Refusal(
        f"{node!r} may be a bool or the number that equals it, and whether several of them have a mean depends on that"
    )


def _embeddings(reader: Reader) -> tuple[dict[Direction, Column], dict[Direction, Column]]:
    """Columns over the vocabulary and over positions 0 … N−1."""
    tokens: dict[Direction, Column] = {}
    positions: dict[Direction, Column] = {}
    for encoding in reader.placed:
        if isinstance(encoding, Embedded):
            (tokens if encoding.source(reader.storage) is RAW_TOKENS else positions).update(encoding.columns(reader))
    return tokens, positions


def _readout(name: str, root: SOp, storage: Storage, reader: Reader, precision: Precision) -> SymbolicReadout:
    values = storage.analysis[root]
    if storage.outputs[root] == "listed":
        return SymbolicReadout(name, root, "number", tuple(distinct_numbers(values)), (reader.number(root),))
    if storage.outputs[root] == "number":
        accuracy = Accuracy(precision.tolerance, smallest_averaged(storage.analysis, root))
        return SymbolicReadout(name, root, "number", (), (reader.number(root),), accuracy=accuracy)
    if root in storage.bit_codes:
        return _readout_by_bits(name, root, reader)
    return _categorical_readout(name, root, reader, None)


def _readout_by_bits(name: str, root: SOp, reader: Reader) -> SymbolicReadout:
    """For each class the logit (Σ b_k(c)·b_k(x) − B)/2 + 1, which is 1 less the bits that differ."""
    code = reader.storage.bit_codes[root]
    read = list(map(reader.number, code.bits))
    constant = {ONE: 1 - len(read) / 2}
    logits = (
        combine(*((bit(number, at) / 2, found) for at, found in enumerate(read)), (1.0, constant))
        for number in range(code.size)
    )
    first = {number: value for value, number in _numbered(root, reader)}
    return SymbolicReadout(name, root, "coded", tuple(first[at] for at in range(code.size)), tuple(logits))


def _numbered(root: SOp, reader: Reader) -> list[tuple[Atom, int]]:
    """The values that stand for their classes, each with the number of its class."""
    universe, number = reader.analysis[root].universe, reader.storage.bit_codes[root].number
    return [
        (universe[code], number[value_key(universe[code])]) for code in sorted(set(output_codes(root, reader.storage)))
    ]


def _categorical_readout(name: str, node: SOp, reader: Reader, check: Check | None) -> SymbolicReadout:
    universe, stands_for = reader.analysis[node].universe, output_codes(node, reader.storage)
    codes = sorted(set(stands_for))
    number = {code: at for at, code in enumerate(codes)}
    row_of = {value_key(value): number[code] for value, code in zip(universe, stands_for, strict=True)}
    logits = tuple(reader.indicators(node, row_of, len(codes)))
    return SymbolicReadout(name, node, "categorical", tuple(universe[code] for code in codes), logits, check)


def _checked_by_value(guard: Guard, reader: Reader) -> SymbolicReadout:
    node = guard.nodes[0]
    try:
        return _categorical_readout(guard.name, node, reader, guard.check)
    except Refusal as error:
        if isinstance(node, Map) and node.op is DEFINED:
            raise _needs_an_int(node.args[0]) from error
        raise


def _guard(guard: Guard, reader: Reader) -> SymbolicReadout:
    if guard.check not in ("single", "mean", "marks"):
        return _checked_by_value(guard, reader)
    z, square, *others = guard.nodes
    without_mean = [_truth(node, reader) for node in others]
    logits = (reader.number(z), reader.number(square), *without_mean)
    if guard.check == "marks":
        assert isinstance(z, Aggregate)
        return SymbolicReadout(guard.name, z, "single", (z.default,), logits, "marks")
    return SymbolicReadout(guard.name, z, guard.check, (), logits, guard.check)

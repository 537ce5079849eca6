"""What is stored in the residual stream and which heads write it, decided before any weight is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from compiler.encodings.mean import Mean
from compiler.encodings.table import ENCODINGS
from compiler.encodings.writers import ByHead
from compiler.facts import Facts
from compiler.gadgets.attention import HeadPlan, distances, plan_head
from compiler.guards import Guard, selection_guards, value_guards
from compiler.output_types import Typing, typing
from compiler.outputs import demand_output, readout_classes
from compiler.precision import Precision
from compiler.selectors import Conjunction
from compiler.source_map import SourceMap
from compiler.storage import Storage
from compiler.values.analysis import ValueAnalysis
from rasp.graph import Aggregate, Selector, SOp
from rasp.layers import Analysis, Head


@dataclass(frozen=True, eq=False)
class Plan:
    """All heads from the first layer to the last, with what they write, and everything stored on their behalf.

    `unread` are the heads, each with its layer, that the analysis has and nothing reads, so that they are left out.
    `selected_counts` are for some selectors the two means that tell how many keys they select.
    """

    storage: Storage
    heads: tuple[tuple[HeadPlan, tuple[ByHead, ...]], ...]
    guards: tuple[Guard, ...]
    typings: Mapping[SOp, Typing]
    unread: tuple[tuple[int, Head], ...]
    selected_counts: Mapping[Selector, tuple[Aggregate, Aggregate]]


def plan(
    roots: Sequence[SOp],
    analysis: Analysis,
    facts: Facts,
    precision: Precision,
    source_map: SourceMap,
) -> Plan:
    """What must be stored, decided from the output back to the input: a layer's needs are known once later ones are."""
    values = facts.values
    storage = Storage(values, analysis.layer_of, analysis.length_is_mean, ENCODINGS)
    for root in roots:
        with source_map.placed(root):
            demand_output(root, storage, precision)
    guards = value_guards(roots, values)
    for guard in guards:
        storage.categorical(guard.nodes[0])
    typings = {root: typing(root, readout_classes(root, storage), values) for root in roots}
    known = {root: found for root, found in typings.items() if found is not None}
    heads = _Heads(storage, facts.conjunctions, precision, source_map, _wanted_counts(roots, values, known))
    layers = [heads.of_layer(layer, analysis) for layer in range(analysis.depth, 0, -1)]
    planned = tuple(head for layer in reversed(layers) for head in layer)
    return Plan(
        storage, planned, (*guards, *heads.guards()), known, tuple(reversed(heads.unread)), heads.selected_counts
    )


def _wanted_counts(
    roots: Sequence[SOp], values: ValueAnalysis, typings: Mapping[SOp, Typing]
) -> dict[Selector, list[Guard]]:
    """For each selector what must be told of how many keys it selects: for the program to have a value, or for outputs'
    types."""
    wanted = selection_guards(roots, values)
    told = {aggregate.selector: None for found in typings.values() for aggregate in found.aggregates}
    for selector in told:
        wanted.setdefault(selector, []).append(Guard(f"how many keys {selector!r} selects", "marks", ()))
    return wanted


@dataclass(eq=False)
class _Heads:
    """The heads planned so far, from the last layer on, with the fields `selected_counts` and `unread` of the Plan."""

    storage: Storage
    conjunctions: Mapping[Selector, Conjunction]
    precision: Precision
    source_map: SourceMap
    wanted: Mapping[Selector, list[Guard]]
    selected_counts: dict[Selector, tuple[Aggregate, Aggregate]] = field(default_factory=dict)
    unread: list[tuple[int, Head]] = field(default_factory=list)

    def of_layer(self, layer: int, analysis: Analysis) -> list[tuple[HeadPlan, tuple[ByHead, ...]]]:
        """The heads of a layer, with what each writes; what they read is stored from here on."""
        found = []
        for head, members in _members(self.storage, layer, analysis).items():
            for member in members:
                with self.source_map.placed(member.node):
                    member.at_keys(self.storage)
            written = (*members, *self._selected_counts(head, layer))
            if written:
                found.append((self._planned(layer, head), written))
            else:
                self.unread.append((layer, head))
        return found

    def guards(self) -> list[Guard]:
        """The guards of how many keys are selected, with the two means that they read."""
        pairs = ((means, guard) for selector, means in self.selected_counts.items() for guard in self.wanted[selector])
        return [replace(guard, nodes=(*means, *guard.nodes)) for means, guard in pairs]

    def _planned(self, layer: int, head: Head) -> HeadPlan:
        conjunction = self.conjunctions[head.selector]
        with self.source_map.placed(head.selector):
            return plan_head(layer, head, conjunction, self.storage.analysis, self.storage, self.precision.exact)

    def _selected_counts(self, head: Head, layer: int) -> tuple[Mean, ...]:
        """The two means that this head writes for the guards of its selector, if they ask and have none yet."""
        if head.kind != "aggregate" or head.selector not in self.wanted or head.selector in self.selected_counts:
            return ()
        self.selected_counts[head.selector] = means = _count_means(head, layer, self.storage)
        for guard in self.wanted[head.selector]:
            for read in guard.nodes:
                self.storage.categorical(read)
        return tuple(self._raw(mean) for mean in means)

    def _raw(self, mean: Aggregate) -> Mean:
        self.storage.raw[mean] = found = Mean(mean)
        return found


def _count_means(head: Head, layer: int, storage: Storage) -> tuple[Aggregate, Aggregate]:
    """Two more means for a head to write, which tell whether it selects several keys, one, or none.

    The rows of a selector are the same in every layer, so one pair a selector is enough. Where nothing is selected, z
    is one above all distances.
    """
    longest = storage.max_length
    above = longest - longest // 2
    z, square = (
        Aggregate(head.selector, value, default)
        for value, default in zip(distances(longest), (above, above**2), strict=True)
    )
    for mean in (z, square):
        storage.number(mean.value)
        storage.layer_of[mean] = layer
    return z, square


def _members(storage: Storage, layer: int, analysis: Analysis) -> dict[Head, tuple[ByHead, ...]]:
    """The heads of a layer, as analysed, and what each writes: nothing where nothing reads it."""
    found: dict[Head, dict[ByHead, None]] = {head: {} for head in analysis.layers[layer - 1]}
    for encoding in (*storage.one_hot.values(), *storage.numbers.values(), *storage.raw.values()):
        if isinstance(encoding, ByHead) and storage.layer_of[encoding.node] == layer:
            found.setdefault(analysis.head(encoding.gather, layer), {})[encoding] = None
    return {head: tuple(written) for head, written in found.items()}

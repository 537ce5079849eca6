"""From an analysed s-op to a network in names: what every head and every hidden unit reads and writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.gadgets.attention import HeadPlan, distances, lower_head, plan_head
from compiler.gadgets.feedforward import gap_neurons, neurons_for, tally_neurons
from compiler.gadgets.tables import IndistinctError
from compiler.gaps import is_gap
from compiler.guards import Guard, mark_guards, value_guards
from compiler.ir import Accuracy, Kinds
from compiler.kinds import Typing, packed, typing
from compiler.precision import Precision
from compiler.residual import BOS, ONE, Direction, Functional, Neuron, SymbolicHead, SymbolicLayer, Titles
from compiler.rounding import error_of, misses
from compiler.run.decode import own_gaps
from compiler.selectors import Conjunction
from compiler.storage import RAW_TOKENS, OutputKind, Reader, Storage
from compiler.tally import is_count
from compiler.values.analysis import ValueAnalysis
from compiler.values.averaged import smallest_averaged
from compiler.values.columns import DEFINED, UNDEFINED, value_key
from compiler.values.sets import Values
from rasp.elementwise import Atom
from rasp.errors import Refusal
from rasp.graph import Aggregate, Indices, Map, Node, Selector, SelectorWidth, SOp, Tokens
from rasp.layers import Analysis, Gather, Head, head_of


@dataclass(frozen=True, eq=False)
class SymbolicReadout:
    """A readout in names: one functional a logit."""

    name: str
    node: SOp
    kind: str
    values: tuple[Atom, ...]
    logits: tuple[Functional, ...]
    check: str | None = None
    kinds: Kinds | None = None
    accuracy: Accuracy | None = None


@dataclass(frozen=True, eq=False)
class SymbolicModel:
    """A network in names. `token_features` and `position_features` are columns of W_E and W_pos."""

    directions: tuple[Direction, ...]
    token_features: Mapping[Direction, Sequence[float]]
    position_features: Mapping[Direction, Sequence[float]]
    layers: tuple[SymbolicLayer, ...]
    outputs: tuple[SymbolicReadout, ...]
    guards: tuple[SymbolicReadout, ...]
    reader: Reader


@dataclass(frozen=True, eq=False)
class Plan:
    """All heads from the first layer to the last, with what they write, and everything stored on their behalf.

    `unread` are the heads, each with its layer, that the analysis has and nobody reads, so that they are left out.
    `marks` are for some selectors the two means that tell how many keys they mark.
    """

    storage: Storage
    heads: tuple[tuple[HeadPlan, tuple[Gather, ...]], ...]
    guards: tuple[Guard, ...]
    typings: Mapping[SOp, Typing]
    unread: tuple[tuple[int, Head], ...]
    marks: Mapping[Selector, tuple[Aggregate, Aggregate]]


def plan(
    roots: Sequence[SOp],
    analysis: Analysis,
    values: ValueAnalysis,
    conjunctions: Mapping[Selector, Conjunction],
    precision: Precision,
    titles: Titles,
) -> Plan:
    """What must be stored, decided from the output back to the input: a layer's needs are known once later ones are."""
    storage = Storage(values, analysis.layer_of)
    for root in roots:
        with titles.placed(root):
            demand_output(root, storage, precision)
    guards = value_guards(roots, values)
    for guard in guards:
        storage.categorical(guard.nodes[0])
    marks: dict[Selector, tuple[Aggregate, Aggregate]] = {}
    heads: list[tuple[HeadPlan, tuple[Gather, ...]]] = []
    unread: list[tuple[int, Head]] = []
    wanted = mark_guards(roots, values)
    typings = {root: typing(root, _classes(root, storage), values) for root in roots}
    told = {aggregate.selector: None for found in typings.values() if found for aggregate in found.aggregates}
    for selector in told:
        wanted.setdefault(selector, []).append(Guard(f"how many keys {selector!r} marks", "marks", ()))
    for layer in range(analysis.depth, 0, -1):
        of_layer: list[tuple[HeadPlan, tuple[Gather, ...]]] = []
        for head, members in _members(storage, layer, analysis).items():
            for node in members:
                with titles.placed(node):
                    demand_value(node, storage)
            if head.kind == "aggregate" and head.selector in wanted and head.selector not in marks:
                marks[head.selector] = _marks(head, layer, storage)
                members = (*members, *marks[head.selector])
                for guard in wanted[head.selector]:
                    for read in guard.nodes:
                        storage.categorical(read)
            if not members:
                unread.append((layer, head))
                continue
            with titles.placed(head.selector):
                found = plan_head(layer, head, conjunctions[head.selector], values, storage, precision.exact)
            of_layer.append((found, members))
        heads = of_layer + heads
    guards += [
        replace(guard, nodes=(*means, *guard.nodes)) for selector, means in marks.items() for guard in wanted[selector]
    ]
    known = {root: found for root, found in typings.items() if found is not None}
    return Plan(storage, tuple(heads), tuple(guards), known, tuple(reversed(unread)), marks)


def _marks(head: Head, layer: int, storage: Storage) -> tuple[Aggregate, Aggregate]:
    """Two more means for a head to write, which tell whether it marks several keys, one, or none.

    The rows of a selector are the same in every layer, so one pair a selector is enough. Where nothing is marked, z is
    one above all distances.
    """
    longest = storage.analysis.cells.max_length
    above = longest - longest // 2
    z, square = (
        Aggregate(head.selector, value, default)
        for value, default in zip(distances(longest), (above, above**2), strict=True)
    )
    for mean in (z, square):
        storage.number(mean.value)
        storage.layer_of[mean] = layer
        storage.raw[mean] = None
    return z, square


def _members(storage: Storage, layer: int, analysis: Analysis) -> dict[Head, tuple[Gather, ...]]:
    """The heads of a layer, as analysed, and the aggregates and widths each writes: none where nobody reads them."""
    found: dict[Head, dict[Gather, None]] = {head: {} for head in analysis.layers[layer - 1]}
    for node in (*storage.one_hot, *storage.numbers, *storage.raw):
        is_gather = isinstance(node, (Aggregate, SelectorWidth))
        if is_gather and storage.layer_of[node] == layer and (node in storage.raw or storage.is_copy(node)):
            assert isinstance(node, (Aggregate, SelectorWidth))
            found.setdefault(head_of(node), {})[node] = None
    return {head: tuple(members) for head, members in found.items()}


def demand_value(node: Gather, storage: Storage) -> None:
    """What the head of a stored gather reads at the keys."""
    if isinstance(node, SelectorWidth):
        return
    if node in storage.one_hot and storage.is_copy(node):
        storage.categorical(node.value)
    else:
        storage.number(node.value)


def demand_output(root: SOp, storage: Storage, precision: Precision) -> None:
    """An output of numbers is read as a number where that is exact enough, everything else by value."""
    found = storage.outputs[root] = _output_kind(root, storage, precision)
    if found == "categorical":
        storage.sums.pop(root, None)
        storage.categorical(root)
    elif _is_int(storage.analysis[root]):
        storage.number(root)
    else:
        storage.sum_of_means(root)


def _output_kind(root: SOp, storage: Storage, precision: Precision) -> OutputKind:
    """How an output is read: as a number of a list, as any number within its accuracy, or by value."""
    values = storage.analysis[root]
    if values.listed and not values.numbers:
        return "categorical"
    if _is_int(values):
        return "listed" if max(map(abs, values.range)) < precision.exact / 64 else "categorical"
    is_sum = storage.as_sum(root)
    if not values.listed:
        return "number"
    if not is_sum:
        return "categorical"
    if _tellable(root, storage, precision):
        return "listed"
    smallest = smallest_averaged(storage.analysis, root)
    missed = misses(root, storage, precision, smallest)
    if missed <= precision.tolerance and _ints_stay(root, storage, precision):
        return "number"
    if isinstance(root, Aggregate) and not _tellable(root, storage, precision, share=4):
        raise Refusal(
            f"the values of {root!r} lie closer together than {precision.name} tells apart, and as a number it may be "
            f"off by {missed:.2g} of the larger of the result and {smallest:.6g}, the smallest number that is averaged",
            hint="use float64, or --tolerance with a larger number",
        )
    return "categorical"


def _is_int(values: Values) -> bool:
    return values.listed and all(isinstance(value, int) for value in values.universe)


def _ints_stay(root: SOp, storage: Storage, precision: Precision) -> bool:
    """Whether the ints among the values of a number come out as they are, once rounded."""
    error = error_of(root, storage, precision)
    ints = (value for value in storage.analysis[root].universe if isinstance(value, int))
    return all(error.at(float(value)) < 1 / 4 for value in ints)


def _tellable(root: SOp, storage: Storage, precision: Precision, share: int = 8) -> bool:
    """Whether a number is known up to so small a share of the gaps beside each of its values.

    Where several floats stand for one value, it may be off by how far they are apart as well.
    """
    widths = _widths(storage.analysis[root])
    error = error_of(root, storage, precision)
    pairs = zip(widths.items(), own_gaps(list(widths)), strict=True)
    return all(error.at(level) + width < gap / share for (level, width), gap in pairs)


def _widths(values: Values) -> dict[float, float]:
    """For one value of each group of twins, rising, how far from it the furthest of the others is."""
    found = {float(number): 0.0 for number in _distinct_numbers(values)}
    for code, own in enumerate(values.twins):
        level = float(values.universe[own])
        found[level] = max(found[level], abs(float(values.universe[code]) - level))
    return found


def _distinct_numbers(values: Values) -> list[Atom]:
    """One value of each group of twins, rising."""
    return sorted({code: values.universe[code] for code in values.twins}.values())


def lower(outputs: Mapping[str, SOp], planned: Plan, titles: Titles, precision: Precision) -> SymbolicModel:
    """The network in names of a plan, with a readout for each named output."""
    storage = planned.storage
    reader = Reader(storage, titles.with_names(_mark_names(planned.marks, titles)))
    layers: list[SymbolicLayer] = []
    stored = (*reader.one_hot, *reader.numbers)
    depth = max((*(head.layer for head, _ in planned.heads), *map(storage.layer, stored)), default=0)
    for at in range(depth + 1):
        heads = [
            lower_head(head, members, storage, reader, precision) for head, members in planned.heads if head.layer == at
        ]
        layers += _with_neurons(at, heads, storage, reader, precision)
    token_features, position_features = _embeddings(storage, reader)
    directions = [ONE, BOS, *reader.directions()]
    return SymbolicModel(
        tuple(directions),
        token_features,
        position_features,
        tuple(layers),
        tuple(
            replace(_readout(name, root, storage, reader, precision), kinds=_kinds(root, planned))
            for name, root in outputs.items()
        ),
        tuple(_guard(guard, reader) for guard in planned.guards),
        reader,
    )


def _mark_names(marks: Mapping[Selector, tuple[Aggregate, Aggregate]], titles: Titles) -> dict[Node, str]:
    found: dict[Node, str] = {}
    for selector, (z, square) in marks.items():
        found[z] = f"{titles.text(selector)}: distance"
        found[square] = f"{titles.text(selector)}: distance squared"
    return found


def _kinds(root: SOp, planned: Plan) -> Kinds | None:
    found = planned.typings.get(root)
    if found is None:
        return None
    place = {g.nodes[0].selector: at for at, g in enumerate(planned.guards) if g.check == "marks"}  # type: ignore[attr-defined]
    return packed(found, tuple(place[node.selector] for node in found.aggregates))


def _with_neurons(
    at: int, heads: list[SymbolicHead], storage: Storage, reader: Reader, precision: Precision
) -> list[SymbolicLayer]:
    """A layer with its feed-forward, and after it, where some are needed, feed-forwards of their own."""
    stages: dict[int, SymbolicLayer] = defaultdict(SymbolicLayer, {0: SymbolicLayer(heads)})
    for tally in storage.tallies:
        if storage.layer(tally) == at:
            stages[0 if is_count(tally) else storage.stage(tally)].add(
                tally, tally_neurons(tally, storage, reader, precision)
            )
    for node in storage.raw:
        if is_gap(node) and storage.layer(node) == at:
            stages[0].add(node, gap_neurons(node, reader))
    for node in (*reader.one_hot, *reader.numbers):
        if storage.layer(node) != at:
            continue
        if is_count(node):
            stages[1].add(node, _neurons(node, storage, reader, precision))
        elif not storage.is_view(node):
            stages[storage.stage(node)].add(node, _neurons(node, storage, reader, precision))
    return [found for _, found in sorted(stages.items()) if found.heads or found.neurons]


def _neurons(node: SOp, storage: Storage, reader: Reader, precision: Precision) -> list[Neuron]:
    with reader.titles.placed(node):
        try:
            return neurons_for(node, storage, reader, precision)
        except IndistinctError as error:
            if isinstance(node, Map) and node.op is DEFINED:
                raise Refusal(
                    f"{node.args[0]!r} has a value only where a number is an int, and not where it is an equal float",
                    hint="round(...) makes an int of the number; select_best marks one key, whose value is no mean",
                ) from error
            raise


def _embeddings(
    storage: Storage, reader: Reader
) -> tuple[dict[Direction, Sequence[float]], dict[Direction, Sequence[float]]]:
    """Columns over the vocabulary and over positions 0 … N−1."""
    tokens: dict[Direction, Sequence[float]] = {}
    positions: dict[Direction, Sequence[float]] = {}
    for source, columns in ((RAW_TOKENS, tokens), (Indices(), positions)):
        size = len(storage.analysis[source].universe)
        for code, direction in enumerate(reader.one_hot.get(source, ())):
            assert direction is not None
            columns[direction] = [1.0 if other == code else 0.0 for other in range(size)]
        for node, direction in reader.numbers.items():
            sources = storage.analysis.sources(node)
            if len(sources) == 1 and sources[0] is source:
                values = storage.analysis.table(node)[1]
                columns[direction] = [0.0 if value is UNDEFINED else float(value) for value in values]
    return tokens, positions


def _readout(name: str, root: SOp, storage: Storage, reader: Reader, precision: Precision) -> SymbolicReadout:
    values = storage.analysis[root]
    if storage.outputs[root] == "listed":
        return SymbolicReadout(name, root, "number", tuple(_distinct_numbers(values)), (reader.number(root),))
    if storage.outputs[root] == "number":
        accuracy = Accuracy(precision.tolerance, smallest_averaged(storage.analysis, root))
        return SymbolicReadout(name, root, "number", (), (reader.number(root),), accuracy=accuracy)
    return _categorical_readout(name, root, reader, None)


def _classes(root: SOp, storage: Storage) -> list[int]:
    """For each code of an output's universe the place of its value, or of its twin, in the readout's values."""
    values = storage.analysis[root]
    codes = output_codes(root, storage)
    if storage.outputs[root] == "number":
        return [0] * len(codes)
    if storage.outputs[root] == "listed":
        codes = values.twins
        order = sorted(set(codes), key=lambda code: float(values.universe[code]))
    else:
        order = sorted(set(codes))
    place = {code: at for at, code in enumerate(order)}
    return [place[code] for code in codes]


def output_codes(node: SOp, storage: Storage) -> tuple[int, ...]:
    """For each code of a node's universe the code it is read as: its own for tokens, else a twin."""
    values = storage.analysis[node]
    is_embedded = all(isinstance(source, (Tokens, Indices)) for source in storage.analysis.sources(node))
    is_single = len(storage.analysis.sources(node)) == 1
    return tuple(range(len(values.universe))) if is_embedded and is_single else values.twins


def _categorical_readout(name: str, node: SOp, reader: Reader, check: str | None) -> SymbolicReadout:
    universe, stands_for = reader.analysis[node].universe, output_codes(node, reader.storage)
    codes = sorted(set(stands_for))
    number = {code: at for at, code in enumerate(codes)}
    row_of = {value_key(value): number[code] for value, code in zip(universe, stands_for, strict=True)}
    logits = tuple(reader.indicators(node, row_of, len(codes)))
    return SymbolicReadout(name, node, "categorical", tuple(universe[code] for code in codes), logits, check)


def _guard(guard: Guard, reader: Reader) -> SymbolicReadout:
    if guard.check not in ("single", "mean", "marks"):
        return _categorical_readout(guard.name, guard.nodes[0], reader, guard.check)
    z, square, *others = guard.nodes
    without_mean = [reader.feature(node, {value_key(True): 1.0}) for node in others]
    logits = (reader.number(z), reader.number(square), *without_mean)
    if guard.check == "marks":
        assert isinstance(z, Aggregate)
        return SymbolicReadout(guard.name, z, "single", (z.default,), logits, "marks")
    return SymbolicReadout(guard.name, z, guard.check, (), logits, guard.check)

"""What must hold on an input for the program to have a value there, beyond what the s-ops' own values say."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from compiler.ir import Check
from compiler.values.analysis import ValueAnalysis
from compiler.values.categorical import DEFINED
from compiler.values.sets import ValueSet
from rasp.errors import Refusal
from rasp.graph import Aggregate, Fits, Map, Node, Select, Selector, SOp, topological
from rasp.operations import OPERATIONS, Operation, Symbol

KIND = Operation("kind", 1, (), lambda value: "string" if isinstance(value, str) else "number")
_ARITHMETIC = {"+", "-", "*", "/", "%", "^", "neg", "pos"}
IS_BOOL = Operation("is bool", 1, (), lambda value: isinstance(value, bool))
_IS_TEXT = Operation("is text", 1, (), lambda value: isinstance(value, str))
UNREAD = Operation("unread", 1, (), lambda value: value)


@dataclass(frozen=True)
class Code(Operation):
    """An operation that numbers strings from 1 on, and gives 0 for numbers: its mean tells which string is selected."""


@dataclass(frozen=True, eq=False)
class Guard:
    """Something that must hold for the program to have a value: what is read, and the `check` of a Readout."""

    name: str
    check: Check
    nodes: tuple[SOp, ...]


def value_guards(roots: Sequence[SOp], values: ValueAnalysis) -> list[Guard]:
    """Guards for operations that may fail, and for s-ops and comparisons that may mix strings and numbers."""
    nodes = list(topological(roots))
    partial = [node for node in nodes if isinstance(node, SOp) and node in values.partial]
    defined = [Guard(f"{node!r} has a value", "defined", (Map(DEFINED, (node,)),)) for node in partial]
    uniform = [
        Guard(f"{node!r} holds strings or numbers, not both", "uniform", (Map(KIND, (node,)),))
        for node in _mixed(roots, values)
    ]
    ordered = [guard for node in nodes if isinstance(node, Select) for guard in _order_guards(node, values)]
    return defined + uniform + ordered


def _mixed(roots: Sequence[SOp], values: ValueAnalysis) -> list[SOp]:
    """Inner s-ops that may hold strings and numbers together, on which the program would have no value.

    Not an aggregate of what a rewrite has called UNREAD: where its default is of another kind, nothing reads it.
    """
    ends = set(roots)
    nodes = [node for node in topological(roots) if isinstance(node, SOp) and node not in ends]
    return [node for node in nodes if holds_both(values[node]) and not is_unread(node)]


def is_unread(node: SOp) -> bool:
    """Whether an s-op is an aggregate of what a rewrite has called UNREAD."""
    return isinstance(node, Aggregate) and isinstance(node.value, Map) and node.value.op is UNREAD


def holds_both(values: ValueSet) -> bool:
    """Whether there are strings and numbers among some values; symbols go with either.

    Refusal where there are all three: which of them stand together could not be told.
    """
    kinds = {isinstance(value, str) for value in values.universe if not isinstance(value, Symbol)}
    if len(kinds) > 1 and any(isinstance(value, Symbol) for value in values.universe):
        raise Refusal("strings, numbers and None (or a tuple) may stand in one s-op")
    return len(kinds) > 1


def _order_guards(node: Select, values: ValueAnalysis) -> list[Guard]:
    """The guard that keys and queries can be ordered, where some are strings and some are numbers.

    Each side is all strings or all numbers, or has a guard for that, so one position tells of all.
    """
    kinds = {isinstance(value, str) for side in (node.keys, node.queries) for value in values[side].universe}
    if isinstance(node, Fits) or node.op in ("==", "!=") or len(kinds) < 2:
        return []
    same = Map(OPERATIONS["=="], (Map(KIND, (node.keys,)), Map(KIND, (node.queries,))))
    return [Guard(f"{node.keys!r} and {node.queries!r} can be ordered", "defined", (same,))]


def selection_guards(roots: Sequence[SOp], values: ValueAnalysis) -> dict[Selector, list[Guard]]:
    """For each selector what must hold of the keys it selects: at most one where values have no mean, or need none.

    Where the values may all be bools and need a mean, one of them must be a number, or at most one is selected.
    """
    found: dict[Selector, list[Guard]] = {}
    nodes = [node for node in topological(roots) if isinstance(node, Aggregate)]
    for node in nodes:
        if node.selector in values.single:
            found[node.selector] = [_single(node.selector, "as an index needs: a mean is a float")]
        elif _may_mix(node, values):
            found[node.selector] = [_single(node.selector, "as values without a mean need")]
    for node in nodes:
        if node.selector not in found or found[node.selector][0].check == "mean":
            guards = _mean_guards(node, values)
            if guards:
                found.setdefault(node.selector, []).extend(guards)
    return found


def _single(selector: Selector, reason: str) -> Guard:
    return Guard(f"{selector!r} selects at most one key, {reason}", "single", ())


def _may_mix(node: Aggregate, values: ValueAnalysis) -> bool:
    """Whether an aggregate copies values that have no mean, and may select several keys for all that is known."""
    return not values[node.value].averaged and not values.width_bounds(node.selector).at_most_one


def _mean_guards(node: Aggregate, values: ValueAnalysis) -> list[Guard]:
    found = values[node.value]
    if isinstance(node.value, Map) and isinstance(node.value.op, Code):
        (read,) = node.value.args
        return [Guard(f"{read!r} holds numbers where several are selected", "mean", (Map(_IS_TEXT, (read,)),))]
    if not (found.averaged and found.may_be_bools) or values.width_bounds(node.selector).at_most_one:
        return []
    return [Guard(f"{node.value!r} holds a number where several are selected", "mean", (Map(IS_BOOL, (node.value,)),))]


def one_key_needed(node: Node, values: ValueAnalysis, computed: Container[Selector]) -> Selector | None:
    """A selector that must not select several keys, or else this s-op has no value: it needs an int and gets their
    mean.

    None where there is no such selector among those that heads compute, or none that may select several keys for all
    that is known.
    """
    if not isinstance(node, Map) or node.op.name != "element":
        return None
    sources = (source for source in values.sources(node) if isinstance(source, Aggregate))
    for source in sources:
        if source.selector in computed and _is_float(node.args[0], source) and _may_be_mean(source, values):
            return source.selector
    return None


def _is_float(node: SOp, mean: SOp) -> bool:
    """Whether an s-op is a float wherever the mean is one, if it has a value there."""
    known: dict[Node, bool] = {}
    for part in topological([node]):
        is_arithmetic = isinstance(part, Map) and part.op.name in _ARITHMETIC
        known[part] = part is mean or (is_arithmetic and any(known[child] for child in part.children))
    return known[node]


def _may_be_mean(node: Aggregate, values: ValueAnalysis) -> bool:
    try:
        return not values.width_bounds(node.selector).at_most_one
    except Refusal:
        return False


def may_fail(node: SOp, values: ValueAnalysis) -> bool:
    """Whether there may be an input on which this s-op, or one that it reads, has no value."""
    return bool(value_guards([node], values) or selection_guards([node], values))

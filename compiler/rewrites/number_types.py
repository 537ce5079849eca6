"""Whether a number is a bool, an int or a float, where the program depends on it: told by how many keys are selected.

1, 1.0 and True are one number in the residual stream. Most operations do not tell them apart, but an index has to be an
int, only an int repeats a string, and a column of bools has no mean. The type of what a head returns follows from how
many keys it selects: none gives the default, one gives that key's value, and several a mean, which is a float. The same
head returns, for each position, the mean of what is 1 there and 0 elsewhere, so that neurons count the selected keys;
and where the values, or the default, are of several types, the mean of the number of the type as well, which with at
most one key selected is that number itself.

So what asks for the type reads "the number, as that type" in the place of the number: the same value on every input.
A combination that cannot occur, such as an int that is ½, is read as a float.
"""

from __future__ import annotations

from typing import Any

from compiler.facts import Facts
from compiler.operations.indicator_means import count, position_indicators
from compiler.operations.materialised import is_intervened, is_stored, stored
from compiler.operations.opaque import is_opaque
from compiler.rewrites.change import Change
from compiler.values.categorical import joined
from rasp.graph import Aggregate, Constant, Map, Node, SOp, where
from rasp.operations import OPERATIONS, Atom, Operation

_TYPES = (bool, int, float)
_FLOAT = _TYPES.index(float)
_BLIND = {*OPERATIONS} - {"*", "^"}
"""What gives equal values for equal numbers, whatever their types; * may repeat a string."""


def _number_of(value: Atom) -> int:
    """The number of a value's type, from the narrowest on; a string has none, and gets the first."""
    return _TYPES.index(type(value)) if type(value) in _TYPES else 0


def _as_type(value: Atom, number: Atom) -> Atom:
    """A number as the type of that number; as a float where it is none of that type, or there is no such type."""
    if isinstance(value, str):
        return value
    kind = _TYPES[int(number)] if number in range(len(_TYPES)) else float
    return kind(value) if kind(value) == value else float(value)


_TYPE = Operation("type", 1, (), _number_of)
_AS_TYPE = Operation("as type", 2, (), _as_type)


def settle_types(node: Node, facts: Facts) -> Change | None:
    """What depends on the type of a number, of numbers whose type is known; an aggregate, of such values."""
    asked = _asked(node, facts)
    if asked is None or not facts.compiles(node):
        return None
    types = _Types(facts)
    new = types.typed(asked)
    if new is asked or not facts.compiles(new):
        return None
    return Change(
        Aggregate(node.selector, new, node.default) if isinstance(node, Aggregate) else new, named=types.named
    )


def _asked(node: Node, facts: Facts) -> SOp | None:
    """The s-op whose numbers must have their types: one that tells them apart, or the values of an aggregate.

    A mean of what may be all bools is none.
    """
    if isinstance(node, Map):
        return node if node.op.name not in _BLIND and not is_opaque(node) and _tells_apart(node, facts) else None
    if not isinstance(node, Aggregate) or not facts.compiles(node):
        return None
    values = facts.values[node.value]
    needs_mean = values.averaged and values.may_be_bools and not facts.width_bounds(node.selector).at_most_one
    return node.value if needs_mean else None


def _tells_apart(node: Map, facts: Facts) -> bool:
    """Whether an operation gives different values, or none, for arguments that are equal."""
    if not facts.compiles(node) or not all(facts.values[arg].listed for arg in node.args):
        return False
    _, known = facts.values.evaluated(node)
    columns = [known[part] for part in (*node.args, node)]
    picks, _ = joined(columns)
    *args, found = ([part.categories[code] for code in pick] for part, pick in zip(columns, picks, strict=True))
    given: dict[tuple[Any, ...], Any] = {}
    return any(given.setdefault(row, value) != value for row, value in zip(zip(*args, strict=True), found, strict=True))


def _put(node: SOp, known: dict[SOp, SOp]) -> SOp:
    """The s-op of what is known for its sources; `known` gets what is found for its parts."""
    if node not in known:
        if not isinstance(node, Map):
            return node
        known[node] = Map(node.op, tuple(_put(arg, known) for arg in node.args))
    return known[node]


class _Types:
    """S-ops of numbers whose types are known, in the place of those whose types are not.

    `named` are the means that tell the types.
    """

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.named: dict[Node, str] = {}

    def typed(self, root: SOp) -> SOp:
        """The s-op, of sources as their types; itself where these are plain."""
        sources = self.facts.values.sources(root)
        return _put(root, {source: self._typed_source(source) for source in sources})

    def _typed_source(self, source: SOp) -> SOp:
        if not self._is_mixed(source):
            return source
        number = self._type_of(source)
        return source if number is None else Map(_AS_TYPE, (source, number))

    def _is_mixed(self, source: SOp) -> bool:
        """Whether values of a source are equal, but of several types."""
        universe = self.facts.values[source].universe
        return len({*universe}) < len({(type(value), value) for value in universe})

    def _type_of(self, source: SOp) -> SOp | None:
        """The number of a source's type; None where it is not known."""
        if isinstance(source, Aggregate):
            return self._type_of_aggregate(source)
        if is_stored(source) and not is_intervened(source):
            return stored(Map(_TYPE, (self.typed(source.args[0]),)))
        return None

    def _type_of_aggregate(self, node: Aggregate) -> SOp:
        own = self._type_of_few(node)
        if self.facts.width_bounds(node.selector).at_most_one:
            return own
        several = count(tuple(self._marks(node))) > 1
        return where(several, _FLOAT, own)

    def _type_of_few(self, node: Aggregate) -> SOp:
        """The number of the type where at most one key is selected."""
        of_values = Map(_TYPE, (self.typed(node.value),))
        numbers = {*self.facts.values[of_values].universe}
        if not self.facts.width_bounds(node.selector).never_empty:
            numbers.add(_number_of(node.default))
        if len(numbers) == 1:
            return Constant(*numbers)
        found = Aggregate(node.selector, of_values, _number_of(node.default))
        self.named[found] = "{}: type"
        return found

    def _marks(self, node: Aggregate) -> list[Aggregate]:
        """For each position the mean of what is 1 there and 0 elsewhere."""
        marks = [Aggregate(node.selector, one, 0) for one in position_indicators(self.facts.max_length, None)]
        self.named |= {mark: f"{{}}: {place}" for place, mark in enumerate(marks)}
        return marks

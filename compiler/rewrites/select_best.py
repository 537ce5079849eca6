"""select_best beside other selectors and under selector_width, as what one head can compute.

A head selects the keys with the largest score, and a score depends on its key and its query alone. So a head computes a
*chain*: the keys that a selector without select_best selects, of those the best by a score, or those that meet a
condition, and so on. That nothing of what is best meets a condition is not for the scores to say: BOS would have to
win below the best score, which depends on the input. But then the selected keys themselves can tell. Let X be what is
selected so far, and prefer the keys of X that meet the condition b. If some do, they are `X and b`. If none does, X is
left, `X and b` is empty, and every key that is selected then, whatever later preferences do, says so. Either way all
selected keys agree on b.

- b reads keys alone: the head reads `v if b else d` in place of v. Where b fails, all selected keys give the default d.
- Otherwise, for each class c of queries that b pairs with the same keys, the head also returns the mean of the s-op
  that is 1 at those keys and 0 elsewhere. Where the query is in c this is 1 or 0, and a feed-forward reads it.
- The width of what is at most one key is a mean of ones. Any other is counted by position: a head that selects w keys
  returns, of the s-op that is 1 at position i and 0 elsewhere, 1/w or 0, so that w is the number of positive means.

Where b fails and several keys are tied, position decides: a copied string is then copied from one key.

No other way to combine is what one head computes, whose attention is the same on all selected keys and 0 elsewhere:

- Of what selects keys that are not best, take `not select_best(full_s, score)` and keys with the scores 1, 2 and 3. Of
  1 and 2 the first is selected alone, so its score in the head is larger; of 1, 2 and 3 the first two are selected, so
  their scores are equal. Or take `select_best(full_s, score) or b` where only the first key meets b: of 1 and 2 both
  are selected, so their scores are equal; of 1, 2 and 3 it is the first and the last, so the second's is smaller.
- Of what is best by two scores at once, take keys with the scores (2, 1), (1, 3) and (2, 2). Of the first two nothing
  is selected, but each alone is: the head must see both, so their scores are equal. So are those of the second and the
  third. But of the first and the third, the third is selected alone, so its score is larger.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from compiler.facts import Facts, head_for
from compiler.guards import UNREAD, holds_both, may_fail
from compiler.operations.indicator_means import Indicator, count, flag, position_indicators
from compiler.rewrites.change import Change
from compiler.selectors import (
    comparisons,
    conjunction,
    conjuncts,
    folded,
    inward,
    is_edge,
    leaves,
    predicate_of,
    reads_no_key,
    replaced,
)
from compiler.values.categorical import value_key
from compiler.values.representatives import with_representatives
from compiler.values.sets import ValueSet
from rasp.errors import Refusal
from rasp.graph import (
    Aggregate,
    And,
    Best,
    Constant,
    Fits,
    Map,
    Node,
    Not,
    Or,
    Prefer,
    Select,
    Selector,
    SelectorWidth,
    SOp,
    apply,
    full,
    indicator,
    indices,
    topological,
    where,
)
from rasp.operations import OPERATIONS, Atom, Operation

nothing = Not(full)


@dataclass(frozen=True, eq=False)
class Chain:
    """Of the keys that `base` selects, step by step the best by a score or those that meet a condition."""

    base: Selector
    steps: tuple[SOp | Selector, ...]


@dataclass(frozen=True, eq=False)
class Choice:
    """What a head selects for a chain, and the condition on which the chain selects that and not nothing, if any.

    All selected keys agree on the condition. `single`: never more than one key is selected.
    """

    selector: Selector
    condition: Selector | None
    single: bool


def choose(node: Node, facts: Facts) -> Change | None:
    """An aggregate or width of a selector with select_best, from what one head computes; None where it is that."""
    if not isinstance(node, (Aggregate, SelectorWidth)) or not _bests(node.selector):
        return None
    if not all(map(facts.compiles, node.children)):
        return None
    if isinstance(node, Aggregate) and _is_one_choice(node.selector):
        return None
    try:
        return _change(node, _choice(_chain(node.selector), facts), facts)
    except Refusal as error:
        facts.refuse(node, error)
        return None


def _is_one_choice(selector: Selector) -> bool:
    try:
        conjunction(selector)
    except Refusal:
        return False
    return True


# -- from a selector to a chain


def _bests(selector: Selector) -> list[Best]:
    """The outermost select_bests in a selector, each once."""
    return [leaf for leaf in leaves(selector) if isinstance(leaf, Best)]


def _chain(selector: Selector) -> Chain:
    """The selector as a chain. Refusal where it is none."""
    if isinstance(selector, Best):
        inner = _chain(selector.selector)
        return Chain(inner.base, (*inner.steps, selector.score))
    bests = _bests(selector)
    if not bests:
        return Chain(inward(selector), ())
    for best in bests:
        if _without(selector, best):
            return _conditional(selector, best)
    raise Refusal(
        f"{selector!r} depends on {bests[0]!r} in a way that no single head can compute: whether two keys share its "
        "attention would depend on a third, and the score of a key depends on that key and the query alone",
        hint=_another_layer(bests[0]),
    )


def _conditional(selector: Selector, best: Best) -> Chain:
    """A selector that selects nothing outside of `best`: its chain, then the condition that is left.

    A condition on the query alone may as well come first.
    """
    chain, condition = _chain(best), _with(selector, best)
    if others := _bests(condition):
        other = others[0].score
        scores = f"{best.score!r} among two sets of keys" if other is best.score else f"{best.score!r} and by {other!r}"
        raise Refusal(
            f"{selector!r} selects what is best by {scores} at once, and no one head can compute that: of two orders "
            "of the keys, the scores of a head follow one",
            hint=_another_layer(best),
        )
    base, steps = chain.base, list(chain.steps)
    for conjunct in conjuncts(inward(condition)):
        if conjunct is full:
            continue
        if any(map(is_edge, leaves(conjunct))):
            raise Refusal(
                f"{selector!r} asks of what is best whether {conjunct!r} selects it, which its head cannot tell",
                hint="let select_best choose among the edges, or ask in another layer",
            )
        if reads_no_key(conjunct):
            base = And(base, conjunct)
        else:
            steps.append(conjunct)
    return Chain(base, tuple(steps))


def _another_layer(best: Best) -> str:
    first = f"select_best({best!r}, indices)"
    return (
        f"one layer more does it (--prefer auto builds it): with top = aggregate({first}, {best.score!r}) the selector "
        f"({best.selector!r} and select({best.score!r}, top, ==)) selects the same keys, and may stand anywhere"
    )


def _without(selector: Selector, best: Best) -> bool:
    """Whether the selector selects nothing where `best` selects nothing, whatever else is selected."""
    return put(selector, best, nothing) is nothing


def put(selector: Selector, best: Selector, by: Selector) -> Selector:
    """The selector with `full` or `nothing` in the place of `best`, without the parts that do not matter then."""
    return folded(selector, lambda leaf: by if leaf is best else leaf, _SIMPLE)


def _negated(selector: Selector) -> Selector:
    return selector.selector if isinstance(selector, Not) else Not(selector)


def _both(left: Selector, right: Selector) -> Selector:
    return _joined(And, left, right, full, nothing)


def _either(left: Selector, right: Selector) -> Selector:
    return _joined(Or, left, right, nothing, full)


def _joined(
    kind: type[And] | type[Or], left: Selector, right: Selector, neutral: Selector, decisive: Selector
) -> Selector:
    if left is decisive or right is decisive:
        return decisive
    return right if left is neutral else left if right is neutral else kind(left, right)


_SIMPLE: Mapping[type[Selector], Callable[..., Selector]] = {Not: _negated, And: _both, Or: _either}


def _with(selector: Selector, best: Best) -> Selector:
    """The selector where `best` selects everything, every comparison kept: one may fail, whatever it says."""
    return replaced(selector, lambda leaf: full if leaf is best else leaf)


# -- the width of what is no chain


def count_apart(node: Node, facts: Facts) -> Change | None:
    """The width of a selector that is no chain, as a sum of widths of chains, if there is one; one head each.

    Let the selector be F outside of what is best, and G inside. It selects F, and besides what is best and in G only,
    but not what is best and in F only.
    """
    if not isinstance(node, SelectorWidth) or not _bests(node.selector):
        return None
    terms = _terms(node.selector)
    total: SOp | None = None
    for sign, term in terms:
        width = SelectorWidth(term)
        total = width if total is None else Map(OPERATIONS[sign], (total, width))
    if total is None or terms[0][1] is node.selector:
        return None
    left_out = set(leaves(node.selector)) - set(topological([total]))
    if any(_may_fail(leaf, facts) for leaf in left_out if not _is_constant(leaf)):
        return None
    cost = (
        f"{len(terms)} heads, because no single head can tell, and a feed-forward that adds and subtracts their counts"
    )
    return Change(total, lambda text: f"{text}: {cost}")


def _terms(selector: Selector) -> list[tuple[str, Selector]]:
    """Signed chains whose widths add up to the width of the selector; empty if none are found."""
    if _is_chain(selector):
        return [("+", selector)]
    for best in _bests(selector):
        outside, inside = put(selector, best, nothing), put(selector, best, full)
        parts = [("+", _only_in(best, inside, outside)), ("-", _only_in(best, outside, inside))]
        found = [(sign, part) for sign, part in parts if part is not nothing]
        rest = _terms(outside) if all(_is_chain(part) for _, part in found) else []
        if rest:
            return rest + found
    return []


def _only_in(best: Best, inside: Selector, outside: Selector) -> Selector:
    """What is best and in one selector, but not in another."""
    return _both(best, _both(inside, put(Not(outside), best, nothing)))


def _is_constant(leaf: Selector) -> bool:
    return isinstance(leaf, Select) and isinstance(leaf.keys, Constant) and isinstance(leaf.queries, Constant)


def _is_chain(selector: Selector) -> bool:
    try:
        _chain(selector)
    except Refusal:
        return False
    return True


# -- what is no chain, in one layer more


def put_before(node: Node, facts: Facts) -> Change | None:
    """An aggregate or width of what is no chain, with a select_best that is in the way computed in a layer before.

    `best` selects the keys of its selector with the best score. An aggregate reads that score from the last of them;
    then the keys are those of the selector whose score equals it. Where there are none, the selector selects none.
    """
    if not isinstance(node, (Aggregate, SelectorWidth)) or _is_chain(node.selector):
        return None
    if not all(map(facts.compiles, node.children)):
        return None
    selector = _in_layers(node.selector)
    changed = SelectorWidth(selector) if isinstance(node, SelectorWidth) else replace(node, selector=selector)
    cost = "one layer more, because no single head can tell: the best score is read before it is compared"
    return Change(changed, lambda text: f"{text}: {cost} (--prefer depth refuses it)", {selector: "{}"})


def _in_layers(selector: Selector) -> Selector:
    """The same selector as a chain, with as few of its select_bests compared with a score as are found."""
    if _is_chain(selector):
        return selector
    if isinstance(selector, Best):
        return Best(_in_layers(selector.selector), selector.score)
    compared = [_with_compared(selector, best) for best in _bests(selector)]
    chains = [found for found in compared if _is_chain(found)]
    return chains[0] if chains else _in_layers(compared[0])


def _with_compared(selector: Selector, best: Best) -> Selector:
    """The selector with what is best known by its score."""
    inner = _in_layers(best.selector)
    top = Aggregate(Best(Best(inner, best.score), indices), best.score, 0)
    compared = And(inner, Select(best.score, top, "=="))
    return replaced(selector, lambda leaf: compared if leaf is best else leaf)


# -- from a chain to what a head selects


def _choice(chain: Chain, facts: Facts) -> Choice:
    """What a head selects for a chain. Preferences that no tie is left for are left out."""
    selector, conditions = chain.base, list[Selector]()
    single = facts.width_bounds(selector).at_most_one
    for step in chain.steps:
        if isinstance(step, SOp):
            if not (single and _is_harmless(step, facts)):
                selector = Best(selector, step)
                single = single or facts.width_bounds(selector).at_most_one
        else:
            conditions.append(step)
            if not single or _may_fail(step, facts):
                selector = Prefer(selector, step) if _reads_query(step) else Best(selector, indicator(_as_sop(step)))
    if not conditions:
        return Choice(selector, None, single)
    condition = reduce(And, conditions)
    if selector is chain.base:
        return Choice(And(selector, condition), None, single)
    return Choice(selector if single else _broken(selector, condition, facts), condition, single)


def _is_harmless(score: SOp, facts: Facts) -> bool:
    """Whether the program has a value even where the score is not computed: it is a number and cannot fail."""
    return facts.compiles(score) and facts.values[score].numbers and not may_fail(score, facts.values)


def _may_fail(condition: Selector, facts: Facts) -> bool:
    """Whether the program may have no value because of a condition."""
    return not facts.computes(condition) or may_fail(head_for(condition), facts.values)


def _broken(selector: Selector, condition: Selector, facts: Facts) -> Selector:
    """The selector with ties between keys that do not meet the condition broken by position; all others stay.

    By a score that is their position where the condition reads keys alone. Else by preferring, for each binary digit of
    the position, the keys that meet the condition or have the digit: those that meet it are always preferred.
    """
    size = facts.max_length
    if not _reads_query(condition):
        return Best(selector, where(_as_sop(condition), size, indices))
    selector = Prefer(selector, condition)
    for digit in range((size - 1).bit_length()):
        is_set = apply(Operation.element([position >> digit & 1 for position in range(size)]), indices)
        selector = Prefer(selector, Or(condition, Select(is_set, Constant(1), "==")))
    return selector


def _reads_query(condition: Selector) -> bool:
    return any(not isinstance(leaf.queries, Constant) for leaf in comparisons(condition))


def _as_sop(condition: Selector) -> SOp:
    """A condition on keys alone as the s-op that is true at the keys that meet it."""
    return folded(condition, _compared, _LOGIC)


def _compared(leaf: Selector) -> SOp:
    assert isinstance(leaf, Select)
    op = leaf.op if isinstance(leaf, Fits) else OPERATIONS[leaf.op]
    return Map(op, (leaf.keys, leaf.queries))


_LOGIC: Mapping[type[Selector], Callable[..., SOp]] = {
    Not: lambda inner: Map(OPERATIONS["not"], (inner,)),
    And: lambda left, right: Map(OPERATIONS["and"], (left, right)),
    Or: lambda left, right: Map(OPERATIONS["or"], (left, right)),
}


# -- from what a head selects to the value


def _change(node: Aggregate | SelectorWidth, choice: Choice, facts: Facts) -> Change:
    builder = _Builder(choice, facts)
    value = builder.width() if isinstance(node, SelectorWidth) else builder.aggregate(node)
    named = dict(builder.named)
    if choice.selector not in set(topological([node.selector])):
        named[choice.selector] = "{}"
    return Change(value, lambda text: f"{text}: {builder.note}", named)


class _Builder:
    """The s-ops that stand for an aggregate or a width; `note` says how, `named` what the new ones are called."""

    def __init__(self, choice: Choice, facts: Facts) -> None:
        self.choice, self.facts = choice, facts
        self.named: dict[Node, str] = {}
        self.note = "select_best chooses among the keys that there are"

    def aggregate(self, node: Aggregate) -> SOp:
        selector, condition = self.choice.selector, self.choice.condition
        if condition is None:
            return Aggregate(selector, node.value, node.default)
        values = self.facts.values[node.value]
        alike = _is_alike(values, node.default)
        if not _reads_query(condition) and alike:
            self.note = "its head selects what is best, and reads the default where that does not meet the condition"
            return Aggregate(selector, where(_as_sop(condition), node.value, node.default), node.default)
        self.note = "its head selects what is best, and neurons ask whether that meets the condition"
        default = node.default if alike or not values.listed else values.universe[0]
        value = apply(UNREAD, node.value) if holds_both(values) else node.value
        return where(self._meets() == 1, Aggregate(selector, value, default), node.default)

    def width(self) -> SOp:
        selector, condition = self.choice.selector, self.choice.condition
        if not isinstance(selector, (Best, Prefer)):
            return SelectorWidth(selector)
        if condition is not None and _reads_query(condition):
            met = self._meets()
            return met if self.choice.single else where(met == 1, self._count(None), 0)
        is_met = None if condition is None else _as_sop(condition)
        if self.choice.single:
            self.note = "at most one key is best, so the mean of ones is the width"
            return Aggregate(selector, Constant(1) if is_met is None else indicator(is_met), 0)
        return self._count(is_met)

    def _count(self, condition: SOp | None) -> SOp:
        size = self.facts.max_length
        self.note = f"how many keys are best is counted by neurons, from one mean for each of {size} positions"
        indicators = position_indicators(size, condition)
        return count(tuple(self._mean(one, f"{position}") for position, one in enumerate(indicators)))

    def _meets(self) -> SOp:
        """1 where the selected keys meet the condition, else 0."""
        assert self.choice.condition is not None
        self.note = "its head selects what is best, and neurons ask whether that meets the condition"
        predicate = predicate_of(with_representatives(self.facts.values, self.choice.condition))
        if not all(map(self.facts.compiles, (*predicate.key_parts, *predicate.query_parts))):
            raise Refusal(f"{self.choice.condition!r} cannot be compiled")
        table = self.facts.values.predicate_table(predicate)
        met = {row.tobytes(): row for row in table if row.any()} or {table[0].tobytes(): table[0]}
        number = {row: at for at, row in enumerate(met)}
        turns = [number.get(row.tobytes(), len(number)) for row in table]
        queries, keys = (self.facts.values[side].universe for side in (predicate.queries, predicate.keys))
        asked = predicate.query_parts or (Constant(True),)
        turn = _table("turn", asked, dict(zip(map(value_key, queries), turns, strict=True)))
        means = []
        for at, row in enumerate(met.values()):
            paired = {value_key(value): int(holds) for value, holds in zip(keys, row.tolist(), strict=True)}
            means.append(self._mean(_table("mark", predicate.key_parts, paired), f"condition {at}"))
        return flag(turn, tuple(means))

    def _mean(self, one: Map, name: str) -> Aggregate:
        mean = Aggregate(self.choice.selector, one, 0)
        self.named[mean] = "{}: " + name
        return mean


def _table(name: str, parts: tuple[SOp, ...], entries: Mapping[Hashable, int]) -> Map:
    """The s-op that looks up the values of some s-ops."""
    return Map(look_up(name, len(parts), entries), parts)


def look_up(name: str, arity: int, entries: Mapping[Hashable, int]) -> Operation:
    """The operation that looks up its arguments in a table by their key."""

    def found(*values: Any) -> Atom:
        return entries[value_key(values[0] if len(values) == 1 else values)]

    kind = Indicator if name == "mark" else Operation
    return kind(name, arity, tuple(sorted(entries.items(), key=repr)), found)


def _is_alike(values: ValueSet, default: Atom) -> bool:
    """Whether a default is of the kind of the values: a string, a boolean, or another number."""
    kinds = {str: "str", bool: "bool"}
    of_default = kinds.get(type(default), "number")
    return {kinds.get(type(value), "number") for value in values.universe} <= {of_default} and (
        values.listed or of_default == "number"
    )

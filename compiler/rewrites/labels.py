"""Labels of edges that depend on data, as heads along the edges of one label each.

A mask is given with the input, so which label a query asks for cannot change it. But an s-op has listed values: for
each of them a head looks along the edges with that label, and a feed-forward takes the one that the query asks for.
Rows that ask for another label select nothing in it, so what must hold of a row's keys is asked of its own head alone.

The mean of labels follows from how many of the selected edges have each: the mean of so many of one label, so many of
the next. It is computed by the interpreter's own rule, which rounds once. A sum of labels with s-ops at the keys needs
the exact sum of these as well. Where they are ints it is their mean times the number of edges, rounded to an int: the
mean is off by a share of 2⁻⁵³ at most, so that the product is far less than ½ off below 2⁵⁰.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from compiler.facts import Facts
from compiler.rewrites.change import Change
from compiler.selectors import leaves, replaced
from rasp.errors import Refusal, ValueFault
from rasp.graph import (
    Aggregate,
    AggregateLabels,
    And,
    Best,
    Constant,
    LabelledRelation,
    Map,
    Node,
    Prefer,
    Relation,
    Select,
    Selector,
    SelectorWidth,
    SOp,
    apply,
    full,
    where,
)
from rasp.meaning import label_means
from rasp.operations import Atom, Operation, atom_key, atom_of

MOST_LABELS = 16
_EXACT = 2**50
_DECLARE = "say which labels edges may have: --labels 1,2,3, or labels=[1, 2, 3] in Python"


def ask_apart(node: Node, facts: Facts) -> Change | None:
    """An aggregate or width along edges whose label an s-op says, as one head for each of its values."""
    if not isinstance(node, (Aggregate, SelectorWidth)):
        return None
    asked = next(iter(_asked(node.selector)), None)
    if asked is None or not facts.compiles(asked.wanted):
        return None
    try:
        found = _apart(node, asked, facts)
    except Refusal as error:
        facts.refuse(node, error)
        return None
    cost = "a head for each label that may be asked for, because no single head can tell"
    return Change(found, lambda text: f"{text}: {cost}")


def _asked(selector: Selector) -> list[LabelledRelation]:
    """The parts of a selector that ask for a label by an s-op, those inside select_best as well."""
    found: list[LabelledRelation] = []
    for leaf in leaves(selector):
        if isinstance(leaf, LabelledRelation) and not isinstance(leaf.wanted, Constant):
            found.append(leaf)
        elif isinstance(leaf, (Best, Prefer)):
            found += _asked(leaf.selector)
    return found


def _apart(node: Aggregate | SelectorWidth, asked: LabelledRelation, facts: Facts) -> SOp:
    values = facts.values[asked.wanted]
    if not values.listed or len(values.universe) > MOST_LABELS:
        raise Refusal(
            f"{asked!r} may ask for more than {MOST_LABELS} labels, and each takes a head",
            hint="ask for fewer, such as with a dictionary of those there are",
        )
    by_label = [(value, _with(node.selector, asked, value)) for value in values.universe]
    if asked.relation.transposed:
        return _at_keys(node, asked, by_label, facts)
    parts = [(value, And(Select(Constant(True), apply("==", asked.wanted, value), "=="), s)) for value, s in by_label]
    if isinstance(node, SelectorWidth):
        return _sum([_further(SelectorWidth(selector), facts) for _, selector in parts])
    *most, (_, last) = parts
    found: SOp = _further(Aggregate(last, node.value, node.default), facts)
    for value, selector in reversed(most):
        own = _further(Aggregate(selector, node.value, node.default), facts)
        found = where(apply("==", asked.wanted, value), own, found)
    return found


def _further(node: Aggregate | SelectorWidth, facts: Facts) -> SOp:
    """The node, with further labels that it asks for taken apart as well."""
    change = ask_apart(node, facts)
    return node if change is None else change.node  # type: ignore[return-value]


def _at_keys(
    node: Aggregate | SelectorWidth, asked: LabelledRelation, by_label: Sequence[tuple[Atom, Selector]], facts: Facts
) -> SOp:
    """Where keys say the label, those that say one share no cell with the others, so their widths add up."""
    if isinstance(node, Aggregate) or any(isinstance(leaf, (Best, Prefer)) for leaf in leaves(node.selector)):
        raise Refusal(
            f"{node!r} mixes keys that ask for different labels, which no single head selects",
            hint="count them, or aggregate what each label selects",
        )
    widths = (SelectorWidth(And(Select(asked.wanted, Constant(value), "=="), s)) for value, s in by_label)
    return _sum([_further(width, facts) for width in widths])


def _sum(widths: Sequence[SOp]) -> SOp:
    return reduce(lambda left, right: apply("+", left, right), widths)


def _with(selector: Selector, asked: LabelledRelation, value: Atom) -> Selector:
    """The selector with the edges of one label in place of those that are asked for."""

    def part(leaf: Selector) -> Selector:
        if leaf is asked:
            return LabelledRelation(asked.relation, Constant(value))
        if isinstance(leaf, Best):
            return Best(_with(leaf.selector, asked, value), leaf.score)
        return leaf

    return replaced(selector, part)


# -- labels as values


def mean_of_labels(node: Node, facts: Facts) -> Change | None:
    """A mean of labels from how many of the selected edges have each."""
    if not isinstance(node, AggregateLabels) or not all(map(facts.compiles, node.terms)):
        return None
    try:
        return _counted(node, facts)
    except Refusal as error:
        facts.refuse(node, error)
        return None


def _counted(node: AggregateLabels, facts: Facts) -> Change:
    if not facts.labels:
        raise Refusal(f"{node!r} reads the labels of edges, and which there are is not known", hint=_DECLARE)
    if node.terms and not _are_ints(node, facts):
        raise Refusal(
            f"{node!r} adds numbers that are not all ints, and its mean is rounded once: no head returns that",
            hint="aggregate the label alone, and the rest by an aggregate of its own",
        )
    counts: list[SOp] = [
        SelectorWidth(And(node.selector, LabelledRelation(node.relation, Constant(label)))) for label in facts.labels
    ]
    every = SelectorWidth(node.selector)
    operation = label_mean(tuple(map(atom_key, facts.labels)), atom_key(node.default), with_terms=bool(node.terms))
    terms = [Aggregate(node.selector, _sum(node.terms), 0)] if node.terms else []
    cost = f"{len(counts) + 1} heads, because no single head can tell how many edges have each label"
    return Change(Map(operation, (every, *terms, *counts)), lambda text: f"{text}: {cost}")


def _are_ints(node: AggregateLabels, facts: Facts) -> bool:
    """Whether labels and what is added to them are ints, so small that sums of as many as there are keys are exact."""
    values = [facts.values[term] for term in node.terms]
    if not all(found.listed for found in values):
        return False
    numbers = [facts.labels, *(found.universe for found in values)]
    if not all(type(number) is int for column in numbers for number in column):
        return False
    return sum(max(map(abs, column), default=0) for column in numbers) * facts.values.max_length < _EXACT


def label_mean(labels: tuple[object, ...], default: object, with_terms: bool = False) -> Operation:
    """The mean of so many of each label, by the interpreter's rule; the first argument is how many edges there are.

    With terms, the second is the mean of what is added to the labels: all are ints.
    """
    known, empty = tuple(map(atom_of, labels)), atom_of(default)

    def column(every: Atom, *counts: Atom) -> list[Atom]:
        if sum(counts) != every:  # type: ignore[arg-type]
            raise ValueFault("an edge without one of the labels is selected, or no edge")
        return [label for label, count in zip(known, counts, strict=True) for _ in range(count)]  # type: ignore[arg-type]

    def mean(found: list[Atom]) -> Atom:
        node = AggregateLabels(full, Relation("edges"), (), empty)
        return label_means(node, 1, [0] * len(found), range(len(found)), found, ())[0]

    def of_labels(every: Atom, *counts: Atom) -> Atom:
        return mean(column(every, *counts))

    def of_sums(every: Atom, terms: Atom, *counts: Atom) -> Atom:
        found = column(every, *counts)
        total = round(terms * every)  # type: ignore[operator, arg-type]
        return mean([found[0] + total, *found[1:]] if found else found)

    key = (labels, default, with_terms)
    return Operation("mean of labels", len(labels) + 1 + with_terms, key, of_sums if with_terms else of_labels)

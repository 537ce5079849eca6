"""An aggregate of what is all strings or all numbers, where a head may select several keys.

A column holds strings or numbers, not both, but which may depend on the input. Of numbers the aggregate is their mean,
of strings the one that is selected. So the head returns two means: of the numbers (0 for strings), and of codes of the
strings (0 for numbers); and which of them counts, the query's own value says. Where one string is selected the mean of
the codes is its code. Where several are selected the program has no value, and a guard notices.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping

from compiler.facts import Facts
from compiler.guards import KIND, Code, holds_both, is_unread
from compiler.rewrites.change import Change
from rasp.graph import Aggregate, Map, Node
from rasp.operations import Atom, Operation, atom_key, atom_of

NUMBER = Operation("number", 1, (), lambda value: 0 if isinstance(value, str) else value)


def split_mixed(node: Node, facts: Facts) -> Change | None:
    """The aggregate from a mean of numbers and one of codes; None where its values are of one kind, or at most one."""
    if not isinstance(node, Aggregate) or is_unread(node) or not facts.compiles(node.value):
        return None
    values = facts.values[node.value]
    numbers = [value for value in values.universe if not isinstance(value, str)]
    if not holds_both(values) or all(isinstance(number, bool) for number in numbers):
        return None
    if not facts.computes(node.selector) or facts.width_bounds(node.selector).at_most_one:
        return None
    texts = [value for value in values.universe if isinstance(value, str)]
    empty = math.floor(max(map(float, numbers))) + 1 if isinstance(node.default, str) else node.default
    coded = Aggregate(node.selector, Map(code(tuple(texts)), (node.value,)), len(texts) + 1)
    number = Aggregate(node.selector, Map(NUMBER, (node.value,)), empty)
    operation = both(tuple(texts), atom_key(node.default), atom_key(empty))
    return Change(Map(operation, (Map(KIND, (node.value,)), coded, number)))


def code(texts: tuple[str, ...]) -> Code:
    """The number of a string among some, from 1 on; 0 for all else."""
    codes: Mapping[Atom, int] = {text: number for number, text in enumerate(texts, 1)}
    return Code("code", 1, texts, lambda value: codes.get(value, 0))


def both(texts: tuple[str, ...], default_key: Hashable, empty_key: Hashable) -> Operation:
    """The string with a code, or the number, as the kind says; the default for the number that means nothing selected.

    The default and that number are given by their keys, which tell 1, 1.0 and True apart.
    """
    default, empty = atom_of(default_key), atom_of(empty_key)
    known = [texts[0], *texts, default]

    def chosen(kind: Atom, code: Atom, number: Atom) -> Atom:
        if kind == "string":
            return known[round(float(code))]
        return default if isinstance(default, str) and number == empty else number

    return Operation("string or number", 3, (texts, default_key, empty_key), chosen)

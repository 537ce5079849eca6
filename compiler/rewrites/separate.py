"""An aggregate of what is all strings or all numbers, where a head may mark several keys.

A column holds strings or numbers, not both, but which may depend on the input. Of numbers the aggregate is their mean,
of strings the one that is marked. So the head returns two means: of the numbers (0 for strings), and of codes of the
strings (0 for numbers); and which of them counts, the query's own value says. Where one string is marked the mean of
the codes is its code. Where several are marked the program has no value, and a guard notices.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from compiler.guards import KIND, Code, holds_both, is_unread
from compiler.rewrites.change import Change
from compiler.support import Facts
from rasp.elementwise import Atom, Operation, atom_key
from rasp.graph import Aggregate, Map, Node, SOp

_NUMBER = Operation("number", 1, (), lambda value: 0 if isinstance(value, str) else value)


def separate(node: Node, facts: Facts) -> Change | None:
    """The aggregate from a mean of numbers and one of codes; None where its values are of one kind, or at most one."""
    if not isinstance(node, Aggregate) or is_unread(node) or not facts.compiles(node.value):
        return None
    values = facts.values[node.value]
    numbers = [value for value in values.universe if not isinstance(value, str)]
    if not holds_both(values) or all(isinstance(number, bool) for number in numbers):
        return None
    if not facts.computes(node.selector) or facts.spread(node.selector).at_most_one:
        return None
    texts = [value for value in values.universe if isinstance(value, str)]
    empty = math.floor(max(map(float, numbers))) + 1 if isinstance(node.default, str) else node.default
    coded = Aggregate(node.selector, Map(_code(texts), (node.value,)), len(texts) + 1)
    number = Aggregate(node.selector, Map(_NUMBER, (node.value,)), empty)
    return Change(_both(texts, node.default, empty, node.value, coded, number))


def _code(texts: list[str]) -> Code:
    codes: Mapping[Atom, int] = {text: code for code, text in enumerate(texts, 1)}
    return Code("code", 1, tuple(texts), lambda value: codes.get(value, 0))


def _both(texts: list[str], default: Atom, empty: Atom, value: SOp, coded: SOp, number: SOp) -> Map:
    known = [texts[0], *texts, default]

    def both(kind: Atom, code: Atom, number: Atom) -> Atom:
        if kind == "string":
            return known[round(float(code))]
        return default if isinstance(default, str) and number == empty else number

    key = (tuple(texts), atom_key(default), atom_key(empty))
    return Map(Operation("string or number", 3, key, both), (Map(KIND, (value,)), coded, number))

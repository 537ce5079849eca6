"""The remainder of a number whose values are too many to list, by a constant: the number less a multiple.

x % k is x - k·f, where f is the integer with k·f <= x < k·(f + 1), which comparisons of x tell. The interpreter's
floats agree to the last bit: it takes what is left of x/k cut to an integer, which is exact, and adds k to it, rounded
once, where x is below 0; and x - k·f rounds the same exact number once, as k·f is exact.
"""

from __future__ import annotations

import math
from fractions import Fraction

from compiler.facts import Facts
from compiler.rewrites.change import Change
from rasp.graph import Constant, Map, Node, SOp, apply, where

_MOST_MULTIPLES = 64
_LARGEST = 2**20


def unfold_remainder(node: Node, facts: Facts) -> Change | None:
    """The remainder as a difference, where the number cannot be listed."""
    if not isinstance(node, Map) or node.op.name != "%" or not isinstance(node.args[1], Constant):
        return None
    number, divisor = node.args[0], node.args[1].value
    if isinstance(divisor, (str, bool)) or not _is_exact(divisor) or not facts.compiles(number):
        return None
    values = facts.values[number]
    if values.listed or values.may_be_bools:
        return None
    first, last = (math.floor(Fraction(end) / Fraction(divisor)) for end in values.range)
    if last - first > _MOST_MULTIPLES or max(map(abs, values.range)) > _LARGEST:
        return None
    multiple: SOp = Constant(divisor * first)
    for turn in range(first + 1, last + 1):
        multiple = where(apply(">=", number, divisor * turn), divisor * turn, multiple)
    return Change(apply("-", number, multiple))


def _is_exact(divisor: float) -> bool:
    """Whether all multiples are floats: the divisor is positive, and has few binary digits."""
    ratio = Fraction(divisor)
    return 2**-10 <= divisor <= _LARGEST and ratio.denominator <= 2**10

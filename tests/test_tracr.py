"""Programs of Tracr: the classes here have the names and attributes of Tracr's, and an evaluator that means the same.

Tracr itself is on no package index, so that these stand in for it.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest

import rasp
from rasp.errors import TypeFault


class Comparison(enum.Enum):
    EQ = "=="
    LT = "<"
    LEQ = "<="
    GT = ">"
    GEQ = ">="
    NEQ = "!="
    TRUE = "True"
    FALSE = "False"

    def __call__(self, key: Any, query: Any) -> bool:
        compare = {"EQ": "eq", "NEQ": "ne", "LT": "lt", "LEQ": "le", "GT": "gt", "GEQ": "ge"}
        return bool(getattr(operator, compare[self.name])(key, query)) if self.name in compare else self.name == "TRUE"


@dataclass(eq=False)
class RASPExpr:
    annotations: dict[str, str] = field(default_factory=dict, kw_only=True)

    def named(self, name: str) -> Any:
        self.annotations["name"] = name
        return self


class TokensType(RASPExpr): ...


class IndicesType(RASPExpr): ...


class LengthType(RASPExpr): ...


@dataclass(eq=False)
class Full(RASPExpr):
    fill: Any


@dataclass(eq=False)
class ConstantSOp(RASPExpr):
    value: Sequence[Any]


@dataclass(eq=False)
class Map(RASPExpr):
    f: Callable[[Any], Any]
    inner: RASPExpr


@dataclass(eq=False)
class SequenceMap(RASPExpr):
    f: Callable[[Any, Any], Any]
    fst: RASPExpr
    snd: RASPExpr


class LinearSequenceMap(SequenceMap):
    def __init__(self, fst: RASPExpr, snd: RASPExpr, fst_fac: float, snd_fac: float) -> None:
        super().__init__(lambda a, b: a * fst_fac + b * snd_fac, fst, snd)
        self.fst_fac, self.snd_fac = fst_fac, snd_fac


@dataclass(eq=False)
class Select(RASPExpr):
    keys: RASPExpr
    queries: RASPExpr
    predicate: Callable[[Any, Any], bool]


@dataclass(eq=False)
class ConstantSelector(RASPExpr):
    value: Sequence[Sequence[bool]]


@dataclass(eq=False)
class SelectorAnd(RASPExpr):
    fst: RASPExpr
    snd: RASPExpr


class SelectorOr(SelectorAnd): ...


@dataclass(eq=False)
class SelectorNot(RASPExpr):
    inner: RASPExpr


@dataclass(eq=False)
class SelectorWidth(RASPExpr):
    selector: RASPExpr


@dataclass(eq=False)
class Aggregate(RASPExpr):
    selector: RASPExpr
    sop: RASPExpr
    default: Any = None


def evaluated(e: Any, xs: Sequence[Any]) -> Any:
    """What Tracr's evaluator gives: values, or rows of a selector."""

    def of(part: Any) -> Any:
        return evaluated(part, xs)

    match e:
        case TokensType():
            return list(xs)
        case IndicesType():
            return list(range(len(xs)))
        case LengthType():
            return [len(xs)] * len(xs)
        case Full():
            return [e.fill] * len(xs)
        case ConstantSOp() | ConstantSelector():
            return e.value
        case Map():
            return [None if x is None else e.f(x) for x in of(e.inner)]
        case SequenceMap():
            return [None if None in (x, y) else e.f(x, y) for x, y in zip(of(e.fst), of(e.snd), strict=True)]
        case Select():
            return [[bool(e.predicate(k, q)) for k in of(e.keys)] for q in of(e.queries)]
        case SelectorOr():
            return [[a or b for a, b in zip(*rows, strict=True)] for rows in zip(of(e.fst), of(e.snd), strict=True)]
        case SelectorAnd():
            return [[a and b for a, b in zip(*rows, strict=True)] for rows in zip(of(e.fst), of(e.snd), strict=True)]
        case SelectorNot():
            return [[not cell for cell in row] for row in of(e.inner)]
        case SelectorWidth():
            return [sum(row) for row in of(e.selector)]
        case Aggregate():
            values = of(e.sop)
            rows = [[v for v, chosen in zip(values, row, strict=True) if chosen] for row in of(e.selector)]
            return [_mean(row) if row else e.default for row in rows]
    raise AssertionError(e)


def _mean(values: list[Any]) -> Any:
    return sum(values) / len(values) if isinstance(values[0], (int, float)) else values[0]


TOKENS, INDICES, LENGTH = TokensType(), IndicesType(), LengthType()
ALL = Select(TOKENS, TOKENS, Comparison.TRUE)
BEFORE = Select(INDICES, INDICES, Comparison.LEQ)
IS_A = Map(lambda token: token == "a", TOKENS)
SHARE = Aggregate(BEFORE, IS_A)
SMALLER = Select(TOKENS, TOKENS, Comparison.LT)
SAME = SelectorAnd(Select(TOKENS, TOKENS, Comparison.EQ), Select(INDICES, INDICES, Comparison.LT))
PLACE = SelectorWidth(SelectorOr(SMALLER, SAME)).named("target_position")
PREVIOUS = Aggregate(Select(INDICES, INDICES, lambda key, query: key == query - 1), TOKENS)

PROGRAMS = {
    "histogram": SelectorWidth(Select(TOKENS, TOKENS, Comparison.EQ)),
    "length": SelectorWidth(ALL),
    "reverse": Aggregate(
        Select(INDICES, Map(lambda x: x - 1, SequenceMap(lambda a, b: a - b, LENGTH, INDICES)), Comparison.EQ), TOKENS
    ),
    "share of previous": SHARE,
    "balance": LinearSequenceMap(SHARE, Aggregate(BEFORE, Map(lambda token: token == "b", TOKENS)), 1, -1),
    "sort": Aggregate(Select(PLACE, INDICES, Comparison.EQ), TOKENS),
    "previous": PREVIOUS,
    "function of none": Map(lambda token: token + "!", PREVIOUS),
    "functions of none": SequenceMap(lambda a, b: a + b, PREVIOUS, TOKENS),
    "not": SelectorWidth(SelectorNot(SAME)),
    "never": Aggregate(Select(TOKENS, TOKENS, Comparison.FALSE), INDICES, 7),
    "constants": SequenceMap(lambda a, b: a * b, ConstantSOp([3, 1, 2]), Full(2)),
    "matrix": SelectorWidth(ConstantSelector([[True, False, True], [False] * 3, [True] * 3])),
    "other comparisons": SelectorWidth(
        SelectorAnd(Select(TOKENS, TOKENS, Comparison.NEQ), Select(INDICES, INDICES, Comparison.GEQ))
    ),
    "more": SelectorWidth(Select(INDICES, INDICES, Comparison.GT)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_means_here_what_it_means_there_and_is_compiled(name: str) -> None:
    program = PROGRAMS[name]
    node = rasp.from_tracr(program)
    lengths = (3,) if name in ("matrix", "constants") else (1, 2, 3)
    given = [list(found) for n in lengths for found in product("abc", repeat=n)]
    expected = pytest.approx(flat([evaluated(program, one) for one in given]))
    assert flat(node(given)) == expected
    assert flat(rasp.compile(node, "abc", 3).batch(given)) == expected


def flat(rows: Sequence[Sequence[Any]]) -> list[Any]:
    return [value for row in rows for value in row]


def test_names_that_were_given_are_kept_and_others_are_not() -> None:
    model = rasp.compile(rasp.from_tracr(PROGRAMS["sort"]), "abc", 3)
    assert model.names().sops[0] == "target_position"
    assert model.run_with_cache("cab")[1]["target_position"] == [2, 0, 1]


def test_equal_programs_are_one_graph() -> None:
    assert rasp.from_tracr(PROGRAMS["sort"]) is rasp.from_tracr(PROGRAMS["sort"])
    deep: RASPExpr = TOKENS
    for _ in range(3000):
        deep = Map(str.upper, deep)
    assert rasp.from_tracr(deep)("a") == ["A"]


def test_what_tracr_does_not_have_is_an_error() -> None:
    with pytest.raises(TypeFault, match="int is no expression of Tracr"):
        rasp.from_tracr(3)

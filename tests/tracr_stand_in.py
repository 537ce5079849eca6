"""Expressions that look and mean as those of `tracr.rasp.rasp`: the same names, attributes and simplifications.

tests/test_tracr.py holds both beside each other where Tracr is installed.
"""

from __future__ import annotations

import copy
import enum
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "EQ": operator.eq,
    "NEQ": operator.ne,
    "LT": operator.lt,
    "LEQ": operator.le,
    "GT": operator.gt,
    "GEQ": operator.ge,
    "TRUE": lambda key, query: True,
    "FALSE": lambda key, query: False,
}


class Comparison(enum.Enum):
    EQ = "=="
    LT = "<"
    LEQ = "<="
    GT = ">"
    GEQ = ">="
    NEQ = "!="
    TRUE = "True"
    FALSE = "False"

    def __call__(self, key: Any, query: Any) -> Any:
        if key is None or query is None:
            raise ValueError(f"{'key' if key is None else 'query'} is None!")
        return _COMPARE[self.name](key, query)


class Encoding(enum.Enum):
    CATEGORICAL = "categorical"
    NUMERICAL = "numerical"


class _Annotations(Mapping[str, Any]):
    """What was said of an expression; a default is put in when it is first asked for."""

    def __init__(self, expression: RASPExpr, **given: Any) -> None:
        self._expr, self._inner_dict = expression, dict(given)

    def __getitem__(self, key: str) -> Any:
        if key not in self._inner_dict:
            defaults = {"name": self._expr.DEFAULT_NAME, "encoding": Encoding.CATEGORICAL}
            self._inner_dict[key] = defaults[key]
        return self._inner_dict[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inner_dict)

    def __len__(self) -> int:
        return len(self._inner_dict)


class RASPExpr:
    DEFAULT_NAME = ""

    def __init__(self) -> None:
        self._annotations = _Annotations(self)

    @property
    def annotations(self) -> _Annotations:
        return self._annotations

    @property
    def name(self) -> str:
        return self.annotations["name"]

    def annotated(self, **given: Any) -> Any:
        new = copy.copy(self)
        new._annotations = _Annotations(new, **{**self.annotations, **given})
        return new

    def named(self, name: str) -> Any:
        return self.annotated(name=name)

    def __call__(self, xs: Sequence[Any]) -> Any:
        raise NotImplementedError


class SOp(RASPExpr):
    """The operators are known by the names of their functions, so these are named as there."""

    __hash__ = RASPExpr.__hash__

    def __lt__(self, other: Any) -> SOp:
        return Map(lambda x: x < other, self)

    def __le__(self, other: Any) -> SOp:
        return Map(lambda x: x <= other, self)

    def __gt__(self, other: Any) -> SOp:
        return Map(lambda x: x > other, self)

    def __ge__(self, other: Any) -> SOp:
        return Map(lambda x: x >= other, self)

    def __eq__(self, other: Any) -> SOp:  # type: ignore[override]
        return Map(lambda x: x == other, self)

    def __ne__(self, other: Any) -> SOp:  # type: ignore[override]
        return Map(lambda x: x != other, self)

    def __add__(self, other: Any) -> SOp:
        if isinstance(other, SOp):
            return SequenceMap(lambda x, y: x + y, self, other)
        return Map(lambda x: x + other, self)

    def __sub__(self, other: Any) -> SOp:
        if isinstance(other, SOp):
            return SequenceMap(lambda x, y: x - y, self, other)
        return Map(lambda x: x - other, self)

    def __mul__(self, other: Any) -> SOp:
        if isinstance(other, SOp):
            return SequenceMap(lambda x, y: x * y, self, other)
        return Map(lambda x: x * other, self)

    def __truediv__(self, other: Any) -> SOp:
        if isinstance(other, SOp):
            return SequenceMap(lambda x, y: x / y, self, other)
        return Map(lambda x: x / other, self)

    def __and__(self, other: Any) -> SOp:
        if isinstance(other, SOp):
            return SequenceMap(lambda x, y: x and y, self, other)
        return Map(lambda x: x and other, self)

    def __or__(self, other: Any) -> SOp:
        if isinstance(other, SOp):
            return SequenceMap(lambda x, y: x or y, self, other)
        return Map(lambda x: x or other, self)

    def __radd__(self, other: Any) -> SOp:
        return Map(lambda x: other + x, self)

    def __rsub__(self, other: Any) -> SOp:
        return Map(lambda x: other - x, self)

    def __rmul__(self, other: Any) -> SOp:
        return Map(lambda x: other * x, self)

    def __invert__(self) -> SOp:
        return Map(lambda x: not x, self)


class TokensType(SOp):
    DEFAULT_NAME = "tokens"

    def __call__(self, xs: Sequence[Any]) -> Any:
        return list(xs)


class IndicesType(SOp):
    DEFAULT_NAME = "indices"

    def __call__(self, xs: Sequence[Any]) -> Any:
        return list(range(len(xs)))


class LengthType(SOp):
    DEFAULT_NAME = "length"

    def __call__(self, xs: Sequence[Any]) -> Any:
        return [len(xs)] * len(xs)


tokens, indices, length = TokensType(), IndicesType(), LengthType()


class Map(SOp):
    DEFAULT_NAME = "map"

    def __init__(self, f: Callable[[Any], Any], inner: SOp, simplify: bool = True) -> None:
        super().__init__()
        self.f, self.inner = f, inner
        if simplify and isinstance(inner, Map):
            inner_f = inner.f
            self.f, self.inner = lambda x: f(inner_f(x)), inner.inner

    def __call__(self, xs: Sequence[Any]) -> Any:
        return [None if x is None else self.f(x) for x in self.inner(xs)]


class SequenceMap(SOp):
    DEFAULT_NAME = "sequence_map"

    def __init__(self, f: Callable[[Any, Any], Any], fst: SOp, snd: SOp) -> None:
        super().__init__()
        self.f, self.fst, self.snd = f, fst, snd

    def __call__(self, xs: Sequence[Any]) -> Any:
        pairs = zip(self.fst(xs), self.snd(xs), strict=True)
        return [None if x is None or y is None else self.f(x, y) for x, y in pairs]


class LinearSequenceMap(SequenceMap):
    DEFAULT_NAME = "linear_sequence_map"

    def __init__(self, fst: SOp, snd: SOp, fst_fac: float, snd_fac: float) -> None:
        super().__init__(lambda x, y: fst_fac * x + snd_fac * y, fst, snd)
        self.fst_fac, self.snd_fac = fst_fac, snd_fac


class Full(SOp):
    DEFAULT_NAME = "full"

    def __init__(self, fill: Any) -> None:
        super().__init__()
        self.fill = fill

    def __call__(self, xs: Sequence[Any]) -> Any:
        return [self.fill] * len(xs)


class _Constant(RASPExpr):
    def __init__(self, value: Sequence[Any], check_length: bool = True) -> None:
        super().__init__()
        self.value, self.check_length = value, check_length

    def __call__(self, xs: Sequence[Any]) -> Any:
        if self.check_length and len(xs) != len(self.value):
            raise ValueError(f"Constant len {len(self.value)} doesn't match input len {len(xs)}.")
        return self.value


class ConstantSOp(_Constant, SOp):
    DEFAULT_NAME = "constant_sop"


class Selector(RASPExpr):
    def __and__(self, other: Selector) -> Selector:
        return _combined(self, other, lambda a, b: a and b) or SelectorAnd(self, other)

    def __or__(self, other: Selector) -> Selector:
        return _combined(self, other, lambda a, b: a or b) or SelectorOr(self, other)

    def __invert__(self) -> Selector:
        if not isinstance(self, Select):
            return SelectorNot(self)
        predicate = self.predicate
        return Select(self.keys, self.queries, lambda key, query: not predicate(key, query))


def _combined(fst: Selector, snd: Selector, f: Callable[[Any, Any], Any]) -> Select | None:
    """One selection in the place of two with the same keys and queries."""
    if not isinstance(fst, Select) or not isinstance(snd, Select):
        return None
    if fst.keys is not snd.keys or fst.queries is not snd.queries:
        return None
    one, other = fst.predicate, snd.predicate
    return Select(fst.keys, fst.queries, lambda key, query: f(one(key, query), other(key, query)))


class Select(Selector):
    DEFAULT_NAME = "select"

    def __init__(self, keys: SOp, queries: SOp, predicate: Callable[[Any, Any], Any]) -> None:
        super().__init__()
        self.keys, self.queries, self.predicate = keys, queries, predicate

    def __call__(self, xs: Sequence[Any]) -> Any:
        keys = self.keys(xs)
        return [[bool(self.predicate(key, query)) for key in keys] for query in self.queries(xs)]


class ConstantSelector(_Constant, Selector):
    DEFAULT_NAME = "constant_selector"


class SelectorAnd(Selector):
    DEFAULT_NAME = "selector_and"
    COMBINE: Callable[[Any, Any], Any] = staticmethod(operator.and_)

    def __init__(self, fst: Selector, snd: Selector) -> None:
        super().__init__()
        self.fst, self.snd = fst, snd

    def __call__(self, xs: Sequence[Any]) -> Any:
        rows = zip(self.fst(xs), self.snd(xs), strict=True)
        return [[self.COMBINE(bool(a), bool(b)) for a, b in zip(*row, strict=True)] for row in rows]


class SelectorOr(SelectorAnd):
    DEFAULT_NAME = "selector_or"
    COMBINE = staticmethod(operator.or_)


class SelectorNot(Selector):
    DEFAULT_NAME = "selector_not"

    def __init__(self, inner: Selector) -> None:
        super().__init__()
        self.inner = inner

    def __call__(self, xs: Sequence[Any]) -> Any:
        return [[not cell for cell in row] for row in self.inner(xs)]


class SelectorWidth(SOp):
    DEFAULT_NAME = "selector_width"

    def __init__(self, selector: Selector) -> None:
        super().__init__()
        self.selector = selector

    def __call__(self, xs: Sequence[Any]) -> Any:
        return [sum(row) for row in self.selector(xs)]


class Aggregate(SOp):
    DEFAULT_NAME = "aggregate"

    def __init__(self, selector: Selector, sop: SOp, default: Any = None) -> None:
        super().__init__()
        self.selector, self.sop, self.default = selector, sop, default

    def __call__(self, xs: Sequence[Any]) -> Any:
        values, rows = self.sop(xs), self.selector(xs)
        return [_mean([v for v, cell in zip(values, row, strict=True) if cell], self.default) for row in rows]


def _mean(values: list[Any], default: Any) -> Any:
    if len(values) < 2:
        return values[0] if values else default
    if not all(isinstance(value, (int, float)) for value in values):
        raise ValueError(f"Only types int, bool, and float are supported for aggregation. Received sequence: {values}")
    return sum(values) / len(values)


def numerical(sop: SOp) -> Any:
    return sop.annotated(encoding=Encoding.NUMERICAL)


def categorical(sop: SOp) -> Any:
    return sop.annotated(encoding=Encoding.CATEGORICAL)

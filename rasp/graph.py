"""The s-op graph: the few kinds of nodes that every RASP program is made of.

Nodes are immutable and shared: building a node that exists already gives the existing one, so equality is identity and
two selectors written twice are one head. Nothing is evaluated here, and facts about nodes (names, places, values,
layers) live in tables outside, keyed by node.

Operators are overloaded for Python users: `indices + 1`, `tokens == "a"`, `s & t`, `~s`. `==` therefore builds an
s-op; compare nodes with `is`.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Self, TypeAlias, cast

from rasp.display import Displayed
from rasp.errors import TypeFault
from rasp.operations import COMPARISONS, OPERATIONS, Atom, Operation, atom_key, from_python, is_atom

if TYPE_CHECKING:
    from rasp.calls import Given

_nodes: weakref.WeakValueDictionary[Hashable, Node] = weakref.WeakValueDictionary()

# Under these names a node keeps the line of Python that built it and what it was called there, for `rasp.origins`.
BUILT, _NAME = "_built", "_name"


class _Shared(type):
    """Constructing a node looks it up first."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        fresh = super().__call__(*args, **kwargs)
        key = (cls, *(_field_key(getattr(fresh, name)) for name in _field_names(cls)))
        node = _nodes.setdefault(key, fresh)
        if BUILT not in node.__dict__ and (line := _line_of_python()) is not None:
            node.__dict__[BUILT] = line
        return node


def _line_of_python() -> tuple[str, int] | None:
    """The file and the line that called into this file, unless that is one of ours: those build for somebody else."""
    frame = sys._getframe(2)
    while frame.f_globals.get("__name__") == __name__ and frame.f_back is not None:
        frame = frame.f_back
    room = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return None if room in _ROOMS else (frame.f_code.co_filename, frame.f_lineno)


_ROOMS = ("rasp", "compiler", "lab", "viz")


@cache
def _field_names(cls: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(cls))


def _field_key(value: Any) -> Hashable:
    if isinstance(value, Node):
        return id(value)
    if isinstance(value, tuple):
        return tuple(map(_field_key, value))
    if isinstance(value, Operation):
        return value
    return atom_key(value)


@dataclass(frozen=True, eq=False, repr=False)
class Node(Displayed, metaclass=_Shared):
    """Any node. `children` are the nodes it is built from, in the order of its fields."""

    @cached_property
    def children(self) -> tuple[Node, ...]:
        found: list[Node] = []
        for name in _field_names(type(self)):
            value = getattr(self, name)
            found += [v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Node)]
        return tuple(found)

    def __repr__(self) -> str:
        from rasp.printing import expression

        return expression(self)

    def __call__(self, given: Given, *, causal: bool = False) -> list[Any]:
        """The values on an input, one a position; of a selector its rows, each a list of bools.

        A string is one input, its characters; so is a flat list of atoms. A list of lists is several inputs, and gives
        a list for each. EvaluationFault where there is no value.
        """
        from rasp.calls import call

        return call(self, given, causal=causal)

    def named(self, name: str) -> Self:
        """This node, which reports, pictures and models will call by that name. Inputs and constants keep their own.

        A node is what it is made of: two that are equal have one name, the one given last.
        """
        if not name or not name.isprintable():
            raise TypeFault(f"a name is a text of printable characters, not {name!r}")
        if not isinstance(self, (Tokens, Indices, Constant)):
            vars(self)[_NAME] = name
        return self

    def __bool__(self) -> bool:
        raise TypeFault(
            "an s-op or selector has no truth value of its own; it has one at each position",
            hint="use &, | and ~ in place of and, or and not; compare nodes with `is`",
        )

    if TYPE_CHECKING:

        def __hash__(self) -> int: ...

    else:
        # Nodes are looked up all the time: this one is called without Python between.
        __hash__ = object.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, name) for name in _field_names(type(self)))


# None and tuples are values from Python that are only ever equal or not: `rasp.operations.Symbol`.
Value: TypeAlias = "Atom | tuple[Any, ...] | None"
SOpLike: TypeAlias = "SOp | Value"


class SOp(Node):
    """A value at each position."""

    def __add__(self, other: SOpLike) -> SOp:
        if isinstance(other, EdgeLabel):
            return NotImplemented
        return apply("+", self, other)

    def __radd__(self, other: SOpLike) -> SOp:
        return apply("+", other, self)

    def __sub__(self, other: SOpLike) -> SOp:
        return apply("-", self, other)

    def __rsub__(self, other: SOpLike) -> SOp:
        return apply("-", other, self)

    def __mul__(self, other: SOpLike) -> SOp:
        return apply("*", self, other)

    def __rmul__(self, other: SOpLike) -> SOp:
        return apply("*", other, self)

    def __truediv__(self, other: SOpLike) -> SOp:
        return apply("/", self, other)

    def __rtruediv__(self, other: SOpLike) -> SOp:
        return apply("/", other, self)

    def __mod__(self, other: SOpLike) -> SOp:
        return apply("%", self, other)

    def __rmod__(self, other: SOpLike) -> SOp:
        return apply("%", other, self)

    def __pow__(self, other: SOpLike) -> SOp:
        return apply("^", self, other)

    def __rpow__(self, other: SOpLike) -> SOp:
        return apply("^", other, self)

    def __neg__(self) -> SOp:
        return apply("neg", self)

    def __pos__(self) -> SOp:
        return apply("pos", self)

    def __round__(self) -> SOp:
        return apply("round", self)

    def __eq__(self, other: object) -> SOp:  # type: ignore[override]
        return apply("==", self, cast(SOpLike, other))

    def __ne__(self, other: object) -> SOp:  # type: ignore[override]
        return apply("!=", self, cast(SOpLike, other))

    def __lt__(self, other: SOpLike) -> SOp:
        return apply("<", self, other)

    def __le__(self, other: SOpLike) -> SOp:
        return apply("<=", self, other)

    def __gt__(self, other: SOpLike) -> SOp:
        return apply(">", self, other)

    def __ge__(self, other: SOpLike) -> SOp:
        return apply(">=", self, other)

    def __and__(self, other: SOpLike) -> SOp:
        return apply("and", self, other)

    def __rand__(self, other: SOpLike) -> SOp:
        return apply("and", other, self)

    def __or__(self, other: SOpLike) -> SOp:
        return apply("or", self, other)

    def __ror__(self, other: SOpLike) -> SOp:
        return apply("or", other, self)

    def __invert__(self) -> SOp:
        return apply("not", self)

    if TYPE_CHECKING:

        def __hash__(self) -> int: ...

    else:
        __hash__ = Node.__hash__


class Selector(Node):
    """Which key positions each query position selects. Row = query, column = key."""

    def __and__(self, other: Selector) -> Selector:
        return And(self, _selector(other))

    def __or__(self, other: Selector) -> Selector:
        return Or(self, _selector(other))

    def __invert__(self) -> Selector:
        return Not(self)


@dataclass(frozen=True, eq=False, repr=False)
class Tokens(SOp):
    """The input, converted to `kind`: str, int, float, bool, or asis (as it is)."""

    kind: str


@dataclass(frozen=True, eq=False, repr=False)
class Indices(SOp):
    """0 … n−1."""


@dataclass(frozen=True, eq=False, repr=False)
class Constant(SOp):
    """The same atom at every position."""

    value: Atom

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", from_python(self.value))


@dataclass(frozen=True, eq=False, repr=False)
class Map(SOp):
    """An elementwise operation on s-ops."""

    op: Operation
    args: tuple[SOp, ...]


@dataclass(frozen=True, eq=False, repr=False)
class Aggregate(SOp):
    """The mean of `value` over the selected positions: of one, the value itself; of none, `default`."""

    selector: Selector
    value: SOp
    default: Atom

    def __post_init__(self) -> None:
        object.__setattr__(self, "default", from_python(self.default))


@dataclass(frozen=True, eq=False, repr=False)
class AggregateLabels(SOp):
    """An aggregate whose value is the label of the edge between query and key, plus the `terms` at the key."""

    selector: Selector
    relation: Relation
    terms: tuple[SOp, ...]
    default: Atom


@dataclass(frozen=True, eq=False, repr=False)
class SelectorWidth(SOp):
    """How many positions each row selects."""

    selector: Selector


@dataclass(frozen=True, eq=False, repr=False)
class Select(Selector):
    """Key k is selected for query q where `keys[k] op queries[q]`."""

    keys: SOp
    queries: SOp
    op: str


@dataclass(frozen=True, eq=False, repr=False)
class Relation(Selector):
    """What the input gives under this name: edge u → v selects key u for query v; `transposed`, key v for query u."""

    input_name: str
    transposed: bool = False


@dataclass(frozen=True, eq=False, repr=False)
class LabelledRelation(Selector):
    """The edges of a relation whose label equals `wanted` where the edge arrives (at the query, unless transposed)."""

    relation: Relation
    wanted: SOp


@dataclass(frozen=True, eq=False, repr=False)
class Fits(Select):
    """Key k is selected for query q where a Python function of both is true."""

    op: Operation  # type: ignore[assignment]


@dataclass(frozen=True, eq=False, repr=False)
class And(Selector):
    """Cells that both selectors select."""

    left: Selector
    right: Selector


@dataclass(frozen=True, eq=False, repr=False)
class Or(Selector):
    """Cells that either selector selects."""

    left: Selector
    right: Selector


@dataclass(frozen=True, eq=False, repr=False)
class Not(Selector):
    """Cells that the selector does not select."""

    selector: Selector


@dataclass(frozen=True, eq=False, repr=False)
class Best(Selector):
    """Of the selected keys of each row, those whose score is largest; ties stay together."""

    selector: Selector
    score: SOp


@dataclass(frozen=True, eq=False, repr=False)
class Prefer(Selector):
    """Of the selected keys of each row, those that the condition selects too; where it selects none of them, all.

    The compiler makes it of `select_best(…) and condition`; no program says it.
    """

    selector: Selector
    condition: Selector


def given_name(node: Node) -> str | None:
    """What `named` called a node."""
    name: str | None = vars(node).get(_NAME)
    return name


@dataclass(frozen=True, eq=False)
class EdgeLabel:
    """`label(R)`, alone or in a sum with s-ops at the key: it has a value for each edge, so only aggregates take it."""

    relation: Relation
    terms: tuple[SOp, ...] = ()

    def __repr__(self) -> str:
        return " + ".join([f"label({self.relation!r})", *map(repr, self.terms)])

    def __add__(self, other: SOpLike) -> EdgeLabel:
        return EdgeLabel(self.relation, (*self.terms, sop(other)))

    def __radd__(self, other: SOpLike) -> EdgeLabel:
        return self + other

    def __sub__(self, other: SOpLike) -> EdgeLabel:
        return self + -sop(other)


def sop(value: SOpLike) -> SOp:
    """An s-op as it is, an atom (or None, or a tuple) as a Constant. TypeFault for anything else."""
    if isinstance(value, SOp):
        return value
    atom = from_python(value)
    if is_atom(atom):
        return Constant(atom)
    raise TypeFault(f"expected an s-op or an atom, found {type(value).__name__}")


def _selector(value: object) -> Selector:
    if isinstance(value, Selector):
        return value
    raise TypeFault(f"expected a selector, found {type(value).__name__}")


def apply(op: str | Operation, *args: SOpLike) -> SOp:
    """The Map of an operation (by name or as it is) on s-ops and atoms."""
    operation = OPERATIONS[op] if isinstance(op, str) else op
    return Map(operation, tuple(map(sop, args)))


def select(keys: SOpLike, queries: SOpLike, op: str | Callable[[Any, Any], Any] = "==") -> Selector:
    """Selects key k for query q where `keys[k] op queries[q]`; op one of == != < <= > >=.

    Or any Python function of a key and a query: they fit where it is true. It must depend on these two alone, and to be
    compiled both s-ops need values that can be listed.
    """
    if not isinstance(op, str):
        _check_arguments(op, 2)
        return Fits(sop(keys), sop(queries), Operation.python(op, 2))
    if op not in COMPARISONS:
        raise TypeFault(f"a comparison is one of {' '.join(COMPARISONS)}, or a function of two values, not {op!r}")
    return Select(sop(keys), sop(queries), op)


def relation(name: str, label: SOpLike | None = None) -> Selector:
    """The selector that the input gives under this name; with a label (an atom or an s-op) only the edges that have it.

    An edge u → v selects key u for query v, and an s-op of labels is read at v.
    """
    if not isinstance(name, str):
        raise TypeFault(f"the name of a relation is a string, not {type(name).__name__}")
    return Relation(name) if label is None else LabelledRelation(Relation(name), sop(label))


def transpose(selector: Selector) -> Selector:
    """The selector with rows and columns exchanged. TypeFault for one with select_best, which looks at whole rows.

    Only comparisons and relations are turned round, so that what a causal mask hides is hidden last.
    """
    turned: dict[Selector, Selector] = {}
    pending = [_selector(selector)]
    while pending:
        parts = [part for part in _transposed_parts(pending[-1]) if part not in turned]
        if parts:
            pending += parts
        else:
            node = pending.pop()
            turned[node] = _transposed(node, turned)
    return turned[selector]


def _transposed_parts(node: Selector) -> list[Selector]:
    parts = node.children if isinstance(node, (And, Or, Not)) else ()
    return [part for part in parts if isinstance(part, Selector)]


def _transposed(node: Selector, turned: Mapping[Selector, Selector]) -> Selector:
    match node:
        case Relation(input_name=name, transposed=transposed):
            return Relation(name, not transposed)
        case LabelledRelation(relation=inner, wanted=wanted):
            return LabelledRelation(Relation(inner.input_name, not inner.transposed), wanted)
        case Fits(op=function):
            raise TypeFault(
                f"{node!r} has no transpose: {function.name} takes a key and a query",
                hint="write a function that takes them the other way round",
            )
        case Select(keys=keys, queries=queries, op=op):
            return Select(queries, keys, _MIRRORED[op])
        case And(left=left, right=right):
            return And(turned[left], turned[right])
        case Or(left=left, right=right):
            return Or(turned[left], turned[right])
        case Not(selector=inner):
            return Not(turned[inner])
    raise TypeFault(
        "a selector with select_best has no transpose: the best key of each row says nothing about columns",
        hint="transpose what select_best chooses from",
    )


_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def label(relation: Selector) -> EdgeLabel:
    """What the edges of a relation carry, as the value of an aggregate. TypeFault for what is no relation."""
    if isinstance(relation, LabelledRelation):
        return EdgeLabel(relation.relation)
    if isinstance(relation, Relation):
        return EdgeLabel(relation)
    raise TypeFault("label takes a relation: only the edges of the input carry labels")


def aggregate(selector: Selector, value: SOpLike | EdgeLabel, default: Value = 0) -> SOp:
    """The mean of `value` over the selected positions of each row, `default` where there are none."""
    if isinstance(value, EdgeLabel):
        return AggregateLabels(_selector(selector), value.relation, value.terms, from_python(default))
    return Aggregate(_selector(selector), sop(value), from_python(default))


def selector_width(selector: Selector) -> SOp:
    """How many positions each row of the selector selects."""
    return SelectorWidth(_selector(selector))


def select_best(selector: Selector, score: SOpLike) -> Selector:
    """Of the keys the selector selects in a row, those with the largest score; ties stay together."""
    return Best(_selector(selector), sop(score))


def where(condition: SOpLike, then: SOpLike, otherwise: SOpLike) -> SOp:
    """`then` where the condition is true, `otherwise` elsewhere; both sides are evaluated everywhere."""
    return apply("if", condition, then, otherwise)


def elementwise(function: Callable[..., Any], *args: SOpLike) -> SOp:
    """A Python function, applied at each position. The same function object is the same operation.

    It is given atoms and returns one; None and tuples are values too, which can be compared for equality, looked up,
    copied and given back, but have no order and no mean. It must depend on its arguments alone: long inputs and batches
    ask it once for all positions with equal ones, and the compiler asks it for every combination that can occur, and
    writes down what it says. TypeFault where it does not take so many arguments.
    """
    _check_arguments(function, len(args))
    return apply(Operation.python(function, len(args)), *args)


def _check_arguments(function: Callable[..., Any], count: int) -> None:
    import inspect  # takes as long to import as half of the rest

    try:
        inspect.signature(function).bind(*range(count))
    except TypeError as error:
        raise TypeFault(f"the function is given {count} arguments: {error}") from None
    except ValueError:
        return  # some built-in functions do not say what they take


def indicator(value: SOpLike) -> SOp:
    """1 where the s-op is true, 0 elsewhere."""
    return apply("indicator", value)


def topological(roots: Iterable[Node], known: Container[Node] = ()) -> Iterator[Node]:
    """Every node the roots need, each once, children before parents, in a fixed order; nothing below a known node."""
    seen: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False) for root in reversed(list(roots))]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            yield node
        elif id(node) not in seen and node not in known:
            seen.add(id(node))
            stack.append((node, True))
            stack += [(child, False) for child in reversed(node.children) if id(child) not in seen]


tokens: Tokens = Tokens("str")
tokens_int: Tokens = Tokens("int")
tokens_float: Tokens = Tokens("float")
tokens_bool: Tokens = Tokens("bool")
tokens_asis: Tokens = Tokens("asis")
indices: Indices = Indices()
full: Select = Select(Constant(1), Constant(1), "==")
length: SelectorWidth = SelectorWidth(full)

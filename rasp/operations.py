"""Elementwise operations: one table of what each does to atoms, and to whole columns at once.

An atom is an int, float, str or bool. A column is a numpy array with one value a position: int64, float64 or bool
where every value has that type (and fits), object otherwise. Every value keeps its own Python type: `column.tolist()`
gives the atoms back.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeGuard

import numpy as np

from rasp.errors import LookupFault, RaspError, TypeFault, ValueFault
from rasp.visible import printable

Atom: TypeAlias = int | float | str | bool
Column: TypeAlias = np.ndarray[Any, np.dtype[Any]]

MAX_BITS = 1 << 16
MAX_TEXT = 1 << 20
_EXACT_FLOAT = 2**53


class Symbol(str):
    """A categorical value from Python that is neither text nor number: None, or a tuple of values.

    It equals itself alone, and has neither an order nor a mean. It is a str so that whatever takes it for a value
    without arithmetic is right; no text equals it, not even its own. `value` is the Python value.
    """

    value: tuple[Any, ...] | None

    def __new__(cls, value: tuple[Any, ...] | None) -> Symbol:
        found = super().__new__(cls, repr(value))
        found.value = value
        return found

    def __getnewargs__(self) -> tuple[Any, ...]:
        return (self.value,)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Symbol) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(("symbol", str.__hash__(self)))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __repr__(self) -> str:
        return str(self)


def is_atom(value: object) -> TypeGuard[Atom]:
    return isinstance(value, (int, float, str))


def from_python(value: Any) -> Any:
    """A value of a Python function, of a constant or a default as an atom; what cannot be one comes back as it is.

    None and tuples of values become symbols, numbers of numpy plain numbers.
    """
    if type(value) in (str, int, float, bool, Symbol):
        return value
    if isinstance(value, tuple):
        parts = tuple(python_value(from_python(part)) for part in value)
        return (
            Symbol(parts) if all(part is None or is_atom(part) or isinstance(part, tuple) for part in parts) else value
        )
    if value is None:
        return Symbol(None)
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    return next((kind(plain) for kind in (bool, int, float, str) if isinstance(plain, kind)), value)


def python_value(atom: Any) -> Any:
    """An atom as Python functions see it and as results give it: a symbol as None or a tuple."""
    return atom.value if isinstance(atom, Symbol) else atom


def atom_key(value: Hashable) -> Hashable:
    """What tells atoms apart that Python calls equal: 1, 1.0 and True, 0.0 and −0.0."""
    if isinstance(value, float) and (value == 0 or value != value):
        return ("float", repr(value))
    return (type(value).__name__, value)


def column(values: Sequence[Atom]) -> Column:
    """The column of these atoms, in the tightest dtype that keeps every value's type."""
    kinds = set(map(type, values))
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    if kinds == {float}:
        return np.array(values, dtype=np.float64)
    if kinds == {int}:
        try:
            return np.array(values, dtype=np.int64)
        except OverflowError:
            pass
    result = np.empty(len(values), dtype=object)
    result[:] = values
    return result


def type_of(values: Column) -> str:
    """strings, bools, ints or floats: how a whole column is called. ValueFault where strings stand with numbers.

    Symbols may stand with either: such a column is called strings, or symbols and numbers.
    """
    if values.dtype != object:
        return {"i": "ints", "f": "floats", "b": "bools"}[values.dtype.kind]
    kinds = set(map(type, values.tolist()))
    if kinds <= {str, Symbol}:
        return "strings" if str in kinds else "symbols"
    if kinds.isdisjoint({str}) and Symbol in kinds:
        return "symbols and numbers"
    if str in kinds:
        raise ValueFault("strings and numbers stand together in one s-op")
    if kinds == {bool}:
        return "bools"
    if kinds <= {int, bool}:
        return "ints"
    return "floats"


@dataclass(frozen=True)
class Operation:
    """A function of atoms. `key` tells apart operations of one name that hold data (a list, a dictionary)."""

    name: str
    arity: int
    key: Hashable = ()
    function: Callable[..., Atom] = field(compare=False, default=operator.pos)
    vector: Callable[..., Column | None] | None = field(compare=False, default=None)

    @staticmethod
    def python(function: Callable[..., Any], arity: int = 1) -> Operation:
        """A Python function as an operation, told apart by the function's identity.

        It is given None and tuples for symbols, and may give them; whatever it raises is a ValueFault.
        """
        name = getattr(function, "__name__", "function")

        def asked(*atoms: Atom) -> Atom:
            try:
                found: Atom = from_python(function(*map(python_value, atoms)))
            except RaspError:
                raise
            except Exception as error:
                raise ValueFault(f"{name} raises {type(error).__name__}: {error}") from error
            return found

        return Operation(name, arity, function, asked)

    @staticmethod
    def member(items: Sequence[Atom]) -> Operation:
        """Whether the argument equals one of `items`."""
        return Operation("in", 1, tuple(map(atom_key, items)), lambda value: any(_equal(value, item) for item in items))

    @staticmethod
    def element(items: Sequence[Atom]) -> Operation:
        """The element of a list or string at an int."""

        def at(index: Atom) -> Atom:
            if not isinstance(index, int):
                raise TypeFault(f"an index is an int, not {describe(index)}")
            if not -len(items) <= index < len(items):
                raise LookupFault(f"index {index} is outside a list of {len(items)}")
            return items[index]

        return Operation("element", 1, tuple(map(atom_key, items)), at)

    @staticmethod
    def entry(pairs: Sequence[tuple[Atom, Atom]]) -> Operation:
        """The value of a dictionary at a key."""
        table = dict(pairs)

        def at(key: Atom) -> Atom:
            if key not in table:
                raise LookupFault(f"{describe(key)} is not a key of the dictionary")
            return table[key]

        return Operation("entry", 1, tuple((atom_key(k), atom_key(v)) for k, v in pairs), at)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by name and data; a Python function by reference."""
        return restored, (self.name, self.key, self.arity)


def restored(name: str, key: Any, arity: int = 1) -> Operation:
    """The operation of that name with that key; the arity is for a Python function, others know theirs."""
    if callable(key):
        return Operation.python(key, arity)
    if name == "entry":
        return Operation.entry([(atom_of(k), atom_of(v)) for k, v in key])
    if name in ("in", "element"):
        return (Operation.member if name == "in" else Operation.element)([atom_of(part) for part in key])
    return OPERATIONS[name]


def atom_of(key: Any) -> Atom:
    """The atom that a key of `atom_key` stands for."""
    return float(key[1]) if key[0] == "float" else key[1]


class ElementFault(ValueFault):
    """An operation has no value at some position: `position` and the atoms it was given there."""

    def __init__(self, op: Operation, position: int, atoms: Sequence[Atom], reason: RaspError) -> None:
        self.op = op
        self.position = position
        self.atoms = tuple(atoms)
        self.reason = reason
        super().__init__(reason.message)


def describe(value: Atom) -> str:
    """An atom with its type, as errors name it."""
    if isinstance(value, Symbol):
        return str(value)
    if isinstance(value, str):
        return f'the string "{printable(value)}"'
    kind = {bool: "bool", int: "int", float: "float"}[type(value)]
    return f"the {kind} {value}" if abs(value) < 10**20 else f"a very large {kind}"


def _numbers(name: str, *values: Atom) -> None:
    for value in values:
        if isinstance(value, str):
            raise TypeFault(f"{name} needs numbers, found {describe(value)}")


def _small(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ValueFault(f"the result has more than {MAX_BITS} bits")
    return value


def add(a: Any, b: Any) -> Atom:
    if isinstance(a, str) and isinstance(b, str) and not isinstance(a, Symbol) and not isinstance(b, Symbol):
        if len(a) + len(b) > MAX_TEXT:
            raise ValueFault(f"the result has more than {MAX_TEXT} characters")
        return a + b
    if isinstance(a, str) or isinstance(b, str):
        raise TypeFault(f"+ joins two strings or adds two numbers, found {describe(a)} and {describe(b)}")
    return _small(a + b)


def subtract(a: Any, b: Any) -> Atom:
    _numbers("-", a, b)
    return _small(a - b)


def multiply(a: Any, b: Any) -> Atom:
    if isinstance(a, Symbol) or isinstance(b, Symbol):
        raise TypeFault(f"* needs numbers, or a string and a number, found {describe(a)} and {describe(b)}")
    text, times = (a, b) if isinstance(a, str) else (b, a)
    if isinstance(text, str):
        if not isinstance(times, int):
            raise TypeFault(f"* repeats a string an int number of times, found {describe(a)} and {describe(b)}")
        if len(text) * times > MAX_TEXT:
            raise ValueFault(f"the result has more than {MAX_TEXT} characters")
        return text * times
    return _small(a * b)


def divide(a: Any, b: Any) -> Atom:
    _numbers("/", a, b)
    if b == 0:
        raise ValueFault("division by zero")
    return a / b


def modulo(a: Any, b: Any) -> Atom:
    _numbers("%", a, b)
    if b == 0:
        raise ValueFault("remainder of a division by zero")
    return a % b


def power(a: Any, b: Any) -> Atom:
    _numbers("^", a, b)
    if a == 0 and b < 0:
        raise ValueFault("zero to a negative power")
    if a < 0 and isinstance(b, float) and not b.is_integer():
        raise ValueFault("a negative number to a fractional power is no real number")
    if isinstance(a, int) and isinstance(b, int) and b > 0 and a.bit_length() * b > 2 * MAX_BITS and abs(a) > 1:
        raise ValueFault(f"the result has more than {MAX_BITS} bits")
    return _small(a**b)


def _equal(a: Atom, b: Atom) -> bool:
    return a == b


def _ordered(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(a: Any, b: Any) -> bool:
        if isinstance(a, str) is not isinstance(b, str) or isinstance(a, Symbol) or isinstance(b, Symbol):
            raise TypeFault(f"{symbol} cannot order {describe(a)} and {describe(b)}")
        return compare(a, b)

    return ordered


def negate(a: Any) -> Atom:
    _numbers("-", a)
    return -a


def plus(a: Any) -> Atom:
    _numbers("+", a)
    return +a


def round_even(a: Any) -> Atom:
    _numbers("round", a)
    if isinstance(a, float) and not math.isfinite(a):
        raise ValueFault(f"round needs a finite number, found {a}")
    return round(a)


def _numeric(*columns: Column) -> bool:
    return all(c.dtype != object for c in columns)


def _limit(values: Column) -> int:
    if values.dtype.kind == "b" or not len(values):
        return 1
    return max(abs(int(values.min())), abs(int(values.max())))


def _integral(values: Column) -> Column:
    return values.astype(np.int64) if values.dtype.kind == "b" else values


def _arithmetic(function: Callable[[Any, Any], Any], bound: Callable[[int, int], int]) -> Callable[..., Column | None]:
    def vector(a: Column, b: Column) -> Column | None:
        if not _numeric(a, b):
            return None
        if "f" in (a.dtype.kind, b.dtype.kind):
            with np.errstate(all="ignore"):
                return function(a, b) if _floatable(a, b) else None
        if bound(_limit(a), _limit(b)) >= 2**63:
            return None
        return function(_integral(a), _integral(b))

    return vector


def _floatable(*columns: Column) -> bool:
    """Whether turning ints into floats loses nothing."""
    return all(c.dtype.kind != "i" or _limit(c) <= _EXACT_FLOAT for c in columns)


def _divide(a: Column, b: Column) -> Column | None:
    if not _numeric(a, b) or not _floatable(a, b) or (b == 0).any():
        return None
    with np.errstate(all="ignore"):
        return np.asarray(np.true_divide(_integral(a), _integral(b)))


def _modulo(a: Column, b: Column) -> Column | None:
    if not _numeric(a, b) or not _floatable(a, b) or (b == 0).any():
        return None
    if any(c.dtype.kind == "f" and not np.isfinite(c).all() for c in (a, b)):
        return None
    return np.asarray(np.mod(_integral(a), _integral(b)))


def _compare(function: Callable[[Any, Any], Any]) -> Callable[..., Column | None]:
    def vector(a: Column, b: Column) -> Column | None:
        if not _numeric(a, b) or (a.dtype.kind != b.dtype.kind and not _floatable(a, b)):
            return None
        return np.asarray(function(a, b))

    return vector


def truth(values: Column) -> Column:
    """The truth value of each element: zero and the empty string are false."""
    return values.astype(bool)


def _round(a: Column) -> Column | None:
    if a.dtype.kind in "ib":
        return _integral(a)
    if a.dtype.kind != "f" or not np.isfinite(a).all() or (np.abs(a) >= 2.0**62).any():
        return None
    return np.rint(a).astype(np.int64)


def _choose(condition: Column, then: Column, otherwise: Column) -> Column | None:
    if then.dtype == otherwise.dtype:
        return np.where(truth(condition), then, otherwise)
    return None


def _signed(function: Callable[[Any], Any]) -> Callable[[Column], Column | None]:
    def vector(a: Column) -> Column | None:
        if not _numeric(a) or (a.dtype.kind == "i" and _limit(a) >= 2**63):
            return None
        return function(_integral(a))

    return vector


COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda a, b: not _equal(a, b),
    "<": _ordered("<", operator.lt),
    "<=": _ordered("<=", operator.le),
    ">": _ordered(">", operator.gt),
    ">=": _ordered(">=", operator.ge),
}

# Comparisons as Python and numpy have them, of numbers and arrays of numbers.
PLAIN_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

OPERATIONS: dict[str, Operation] = {
    op.name: op
    for op in (
        Operation("+", 2, (), add, _arithmetic(operator.add, lambda a, b: a + b)),
        Operation("-", 2, (), subtract, _arithmetic(operator.sub, lambda a, b: a + b)),
        Operation("*", 2, (), multiply, _arithmetic(operator.mul, lambda a, b: a * b)),
        Operation("/", 2, (), divide, _divide),
        Operation("%", 2, (), modulo, _modulo),
        Operation("^", 2, (), power),
        *(
            Operation(symbol, 2, (), function, _compare(PLAIN_COMPARISONS[symbol]))
            for symbol, function in COMPARISONS.items()
        ),
        Operation("and", 2, (), lambda a, b: bool(a) and bool(b), lambda a, b: truth(a) & truth(b)),
        Operation("or", 2, (), lambda a, b: bool(a) or bool(b), lambda a, b: truth(a) | truth(b)),
        Operation("not", 1, (), lambda a: not a, lambda a: ~truth(a)),
        Operation("neg", 1, (), negate, _signed(operator.neg)),
        Operation("pos", 1, (), plus, _signed(operator.pos)),
        Operation("round", 1, (), round_even, _round),
        Operation("indicator", 1, (), lambda a: int(bool(a)), lambda a: truth(a).astype(np.int64)),
        Operation("if", 3, (), lambda c, a, b: a if c else b, _choose),
    )
}


def evaluate(op: Operation, columns: Sequence[Column]) -> Column:
    """The operation at every position of columns of one length. ElementFault names the first position that fails."""
    if op.vector is not None:
        result = op.vector(*columns)
        if result is not None:
            return result
    rows = list(zip(*(c.tolist() for c in columns), strict=True))
    return column([evaluate_atoms(op, row, position) for position, row in enumerate(rows)])


def evaluate_atoms(op: Operation, atoms: Sequence[Atom], position: int = 0) -> Atom:
    """The operation on one tuple of atoms; whatever goes wrong is an ElementFault for that position."""
    try:
        result = op.function(*atoms)
    except RaspError as error:
        raise ElementFault(op, position, atoms, error) from error
    except (ArithmeticError, TypeError, ValueError, LookupError) as error:
        raise ElementFault(op, position, atoms, ValueFault(str(error))) from error
    if not is_atom(result):
        raise ElementFault(op, position, atoms, TypeFault(f"{op.name} gave {type(result).__name__}, not an atom"))
    return result

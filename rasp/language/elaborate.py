"""A syntax tree, run: names, functions, loops and lists are worked out; s-ops and selectors become graph nodes.

Two tables of rules, one small function for each kind of statement and expression. What is to be tried, printed or
drawn is the affair of a Host. Calls nest a thousand deep: rules call each other from Python to Python only, which
takes no C stack (see `stack`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from rasp.errors import RaspError, TypeFault, ValueFault
from rasp.graph import (
    Node,
    Selector,
    SOp,
    full,
    indices,
    length,
    tokens,
    tokens_asis,
    tokens_bool,
    tokens_float,
    tokens_int,
)
from rasp.inputs import Input
from rasp.language import builtins, syntax
from rasp.language.budget import Budget, OverBudget, weight
from rasp.language.loading import Disk, Files, read_source
from rasp.language.parameters import Parameters
from rasp.language.parser import parse
from rasp.language.scope import Closure, Function, Primitive, Scope, ScopeKind, Value
from rasp.meaning import EvaluationFault
from rasp.operations import Atom, is_atom
from rasp.recursion import deep_stack
from rasp.rules import Rules
from rasp.source import Source, Span

CALLS = 1024
_SHOWN_CALLS = 4
# Finding, reading and parsing a file takes as long as this many statements, and one more for each character.
_STEPS_A_FILE = 1000
_PRELUDE = Path(__file__).with_name("prelude.rasp")


class Mode(Enum):
    """What becomes of a statement's values: CONSOLE tries and prints them, FILE tries them and lists them at its end,
    LOOP only tries them, INNER (a function's body) does none of it."""

    CONSOLE = "console"
    FILE = "file"
    LOOP = "loop"
    INNER = "inner"


class Host(Protocol):
    """Who runs a program and what that means for its statements."""

    def console(self) -> Scope | None:
        """The scope that commands see, if there is a console."""

    def admit(self, name: str, value: Value, mode: Mode) -> str:
        """What to print for a value about to be stored; raises where it must not be."""

    def present(self, entry: str, mode: Mode) -> None:
        """Prints what `admit` gave, now that the value is stored."""

    def apply(self, node: Node, given: Input, mode: Mode) -> None:
        """`S(INPUT);`"""

    def draw(self, name: str, node: SOp, given: Input | None, mode: Mode) -> None:
        """`draw(S);`, `draw(S, INPUT);`"""

    def command(self, statement: syntax.Command, value: Value | None) -> None:
        """A command, with the value of its expression if it has one."""

    def enter_file(self, source: Source) -> None:
        """A file begins."""

    def leave_file(self, listing: dict[str, Value] | None) -> None:
        """A file ends; what it should print, or None where nothing is printed."""

    def problem(self, error: RaspError) -> None:
        """A statement of a loaded file failed and was skipped."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A call in progress: where it was made, what was called, and the call around it."""

    site: Span
    function: Function
    outer: Frame | None


@dataclass(frozen=True)
class Origin:
    """Where a node was built, and in which call."""

    span: Span
    frame: Frame | None


class Elaborator:
    """Runs statements and keeps what it learns about nodes: their origins, and the names functions had for them."""

    def __init__(
        self,
        host: Host,
        files: Files | None = None,
        budget: Budget | None = None,
        parameters: Mapping[str, Atom] | None = None,
    ) -> None:
        self.host = host
        self.files: Files = Disk() if files is None else files
        self.budget: Budget = budget or Budget()
        self.parameters: Parameters = Parameters(parameters)
        self.origins: dict[Node, Origin] = {}
        self.local_names: dict[Node, str] = {}
        self.frame: Frame | None = None
        self.depth: int = 0
        self.loading: list[str] = []
        self._placed: RaspError | None = None

    # -- running

    def perform(self, statement: syntax.Statement, scope: Scope, mode: Mode) -> None:
        """Runs one statement from the top. Whatever goes wrong is a RaspError with its place."""
        with self._from_the_top(statement.span):
            self.execute(statement, scope, mode)

    def work_out(self, node: syntax.Expression, scope: Scope) -> Value:
        """The value of an expression that stands alone. Whatever goes wrong is a RaspError with its place."""
        with self._from_the_top(node.span):
            return self.value(node, scope)

    @contextmanager
    def _from_the_top(self, span: Span) -> Iterator[None]:
        frame, depth, loading = self.frame, self.depth, list(self.loading)
        try:
            with deep_stack():
                yield
        except RecursionError:
            raise ValueFault("calls and expressions are nested too deeply", span) from None
        except MemoryError:
            raise ValueFault("there is not enough memory for this", span) from None
        finally:
            self.frame, self.depth, self.loading = frame, depth, loading

    def execute(self, statement: syntax.Statement, scope: Scope, mode: Mode) -> None:
        try:
            self.budget.spend_steps()
            _STATEMENTS[type(statement)](self, statement, scope, mode)
        except RaspError as error:
            raise self.placed(error, statement.span) from error.__cause__

    def value(self, node: syntax.Expression, scope: Scope) -> Value:
        """The value of an expression."""
        try:
            self.budget.spend_steps()
            result = _EXPRESSIONS[type(node)](self, node, scope)
            if type(node) in _BUILDING:
                self._built(result, node.span)
        except RaspError as error:
            raise self.placed(error, node.span) from error.__cause__
        return result

    def _built(self, result: Value, span: Span) -> None:
        """Notes the place of a node; counts a text or number that may be large."""
        if isinstance(result, Node):
            self.mark(result, span)
        else:
            self.budget.spend_elements(weight(result))

    def values(self, nodes: Iterable[syntax.Expression], scope: Scope) -> list[Value]:
        return [self.value(node, scope) for node in nodes]

    # -- places

    def mark(self, node: Node, span: Span) -> None:
        """Notes where a node was built; parts of it without a place were built there too."""
        origin = Origin(span, self.frame)
        self.budget.spend_nodes()
        self.origins[node] = origin
        stack = list(node.children)
        while stack:
            part = stack.pop()
            if part not in self.origins and part.children:
                self.origins[part] = origin
                stack += part.children

    def placed(self, error: RaspError, span: Span) -> RaspError:
        """The error with its place and the calls that led there; only the innermost place counts."""
        if self._placed is error:
            return error
        self._placed = error
        origin = Origin(error.span or span, self.frame)
        if isinstance(error, EvaluationFault):
            origin = self.origins.get(error.node, origin)
        error.span, frame = outside_library(origin)
        error.notes[:0] = _call_chain(frame)
        if isinstance(error, EvaluationFault) and not _seen_in(span, error.span, frame):
            error.notes.append(f"asked for at {span}\n{span.excerpt()}")
        return error

    # -- functions

    def call(self, function: Function, args: Sequence[Value], site: Span) -> Value:
        """The value of a call; several returned values come as a list."""
        optional = function.optional if isinstance(function, Primitive) else 0
        if not len(function.parameters) - optional <= len(args) <= len(function.parameters):
            raise TypeFault(_argument_count(function, len(args)))
        if isinstance(function, Primitive):
            built = function.build(*args)
            if isinstance(built, Node):
                self.mark(built, site)
            return built
        assert isinstance(function, Closure)
        if self.depth >= CALLS:
            raise ValueFault(f"calls are nested more than {CALLS} deep", hint="does the recursion ever end?")
        scope = Scope("function", function.scope, function.where + "'")
        for parameter, arg in zip(function.parameters, args, strict=True):
            scope.names[parameter] = arg
        outer = self.frame
        self.frame = Frame(site, function, outer)
        self.depth += 1
        for statement in function.definition.body:
            self.execute(statement, scope, Mode.INNER)
        results = self.values(function.definition.results, scope)
        self.frame = outer
        self.depth -= 1
        return results[0] if len(results) == 1 else results

    # -- storing

    def store(self, target: syntax.Name, value: Value, scope: Scope, mode: Mode) -> None:
        """Tries, stores and presents one value."""
        _check_names([target], scope)
        self.keep(target.name, value, self.host.admit(target.name, value, mode), scope, mode)

    def keep(self, name: str, value: Value, entry: str, scope: Scope, mode: Mode) -> None:
        """Stores and presents a value that was admitted. What a load could not pass on is not listed."""
        if mode is Mode.INNER and isinstance(value, Node):
            self.local_names.setdefault(value, name)
        scope.assign(name, value)
        if mode is Mode.FILE:
            scope.touch(name, value)
        self.host.present(entry, mode)

    # -- files

    def run_file(self, source: Source, scope: Scope, mode: Mode) -> None:
        """Runs every statement of a file; those that fail are reported and skipped."""
        identity = self.files.identity(source)
        if identity in self.loading:
            raise ValueFault(f"{source.name} loads itself")
        self.budget.spend_steps(_STEPS_A_FILE + len(source.text))
        self.loading.append(identity)
        parsed = parse(source)
        for item in in_order(parsed.program.statements, parsed.errors):
            if isinstance(item, RaspError):
                self.host.problem(item)
                continue
            try:
                self.perform(item, scope, mode)
            except OverBudget:
                raise
            except RaspError as error:
                self.host.problem(error)
            except FileEnded:
                break
        self.loading.pop()


class FileEnded(Exception):
    """An exit command was run in a loaded file, which ends that file only."""


def in_order(statements: Sequence[syntax.Statement], errors: Sequence[RaspError]) -> list[syntax.Statement | RaspError]:
    """Statements and mistakes in the order of their places."""
    items: list[syntax.Statement | RaspError] = [*statements, *errors]
    return sorted(items, key=lambda item: item.span.start if item.span is not None else 0)


def outside_library(origin: Origin) -> tuple[Span, Frame | None]:
    """The place and its calls, taken out to where the user's text calls the library."""
    span, frame = origin.span, origin.frame
    while frame is not None and frame.function.where.startswith("library"):
        span, frame = frame.site, frame.outer
    return span, frame


def _seen_in(span: Span, place: Span, frame: Frame | None) -> bool:
    """Whether a place, or one of the calls that led there, stands in a span."""
    while place not in span and frame is not None:
        place, frame = frame.site, frame.outer
    return place in span


def _call_chain(frame: Frame | None) -> list[str]:
    calls: list[str] = []
    while frame is not None:
        calls.append(f"in {frame.function.name}, called from {frame.site}")
        frame = frame.outer
    if len(calls) <= 2 * _SHOWN_CALLS:
        return calls
    hidden = len(calls) - 2 * _SHOWN_CALLS
    return [*calls[:_SHOWN_CALLS], f"… {hidden} more calls …", *calls[-_SHOWN_CALLS:]]


def _argument_count(function: Function, found: int) -> str:
    count, optional = len(function.parameters), function.optional if isinstance(function, Primitive) else 0
    wanted = f"{f'{count - optional} to ' if optional else ''}{count} argument{'' if count == 1 else 's'}"
    return f"{function.name}({', '.join(function.parameters)}) takes {wanted}, found {found}"


# -- the library


class Silent:
    """A host that tries and prints nothing: the library has it, and what only wants the graph."""

    def console(self) -> Scope | None:
        return None

    def admit(self, name: str, value: Value, mode: Mode) -> str:
        return ""

    def present(self, entry: str, mode: Mode) -> None:
        return None

    def apply(self, node: Node, given: Input, mode: Mode) -> None:
        return None

    def draw(self, name: str, node: SOp, given: Input | None, mode: Mode) -> None:
        return None

    def command(self, statement: syntax.Command, value: Value | None) -> None:
        return None

    def enter_file(self, source: Source) -> None:
        return None

    def leave_file(self, listing: dict[str, Value] | None) -> None:
        return None

    def problem(self, error: RaspError) -> None:
        raise error


@cache
def library() -> Scope:
    """The scope of the library, inside the scope of built-in names."""
    built_in = Scope("built-in", None)
    built_in.names |= {"True": True, "False": False, "indices": indices, "tokens_str": tokens}
    built_in.names |= {"tokens_int": tokens_int, "tokens_float": tokens_float}
    built_in.names |= {"tokens_bool": tokens_bool, "tokens_asis": tokens_asis}
    # Programs may call their own things by these names, at the console too: they are not the library's.
    built_in.names |= {
        "relation": Primitive("relation", ("name", "label"), "library", builtins.relation, optional=1),
        "transpose": Primitive("transpose", ("s",), "library", builtins.transpose),
        "label": Primitive("label", ("relation",), "library", builtins.label),
    }
    scope = Scope("library", built_in, "library")
    scope.names |= {
        "full_s": full,
        "length": length,
        "selector_width": Primitive("selector_width", ("s",), "library", builtins.width),
        "select_best": Primitive("select_best", ("s", "score"), "library", builtins.best),
        "select_from_last": Primitive("select_from_last", ("seq", "val"), "library", builtins.select_from_last),
        "select_from_first": Primitive("select_from_first", ("seq", "val"), "library", builtins.select_from_first),
    }
    Elaborator(Silent()).run_file(read_source(_PRELUDE), scope, Mode.INNER)
    # Younger than the programs that may have one of their own.
    built_in.names["contains_any"] = scope.names.pop("contains_any")
    return scope


def new_scope(kind: ScopeKind, where: str, passes_to: Scope | None = None) -> Scope:
    """A scope for a console or a file as at start-up: the library outside, and `tokens`."""
    scope = Scope(kind, library(), where, passes_to)
    scope.names["tokens"] = tokens
    return scope


# -- statements


def ungrouped(node: syntax.Expression) -> syntax.Expression:
    """The expression inside any brackets around it."""
    while isinstance(node, syntax.Group):
        node = node.inner
    return node


def _evaluate(self: Elaborator, node: syntax.Evaluate, scope: Scope, mode: Mode) -> None:
    inner = ungrouped(node.value)
    if isinstance(inner, syntax.Call):
        callee = self.value(inner.function, scope)
        if isinstance(callee, Node):
            self.host.apply(callee, _input(self, inner, scope), mode)
            return
        value = _called(self, inner, callee, scope)
    else:
        value = self.value(node.value, scope)
    name = inner.name if isinstance(inner, syntax.Name) else "out"
    entry = self.host.admit(name, value, mode)
    scope.names["out"] = value
    if mode is Mode.FILE and isinstance(inner, syntax.Name):
        scope.touch(name, value)
    self.host.present(entry, mode)


def _input(self: Elaborator, node: syntax.Call, scope: Scope) -> Input:
    if len(node.args) != 1:
        raise TypeFault(f"an s-op or selector is applied to one input, found {len(node.args)} arguments", node.span)
    given = self.value(node.args[0], scope)
    self.budget.spend_elements(_size_of_input(given))
    return builtins.atoms_of_input(given)


def _size_of_input(given: Value) -> int:
    """How many elements an input has, those of the lists of its edges too."""
    if isinstance(given, dict):
        return sum(map(_size_of_input, given.values()))
    return len(given) if isinstance(given, list) else 0


def _assign(self: Elaborator, node: syntax.Assign, scope: Scope, mode: Mode) -> None:
    """All right sides and all targets are checked first; what stands before a reserved name is stored all the same."""
    refusals = [_refusal(target, scope) for target in node.targets]
    if refusals[0] is not None:
        raise refusals[0]
    values = _values_for(self, node, scope)
    names = [target.name for target in node.targets]
    entries = [self.host.admit(name, value, mode) for name, value in zip(names, values, strict=True)]
    for name, value, entry, refusal in zip(names, values, entries, refusals, strict=True):
        if refusal is not None:
            raise refusal
        self.keep(name, value, entry, scope, mode)
        scope.names["out"] = value


def _param(self: Elaborator, node: syntax.Param, scope: Scope, mode: Mode) -> None:
    """A parameter is an assignment whose value may be given from outside."""
    _check_names([node.target], scope)
    default = self.value(node.value, scope)
    if not is_atom(default):
        raise TypeFault(f"a parameter is a number, a string or a boolean, not {builtins.described(default)}")
    self.store(node.target, self.parameters.declare(node.target.name, default), scope, mode)


def _refusal(name: syntax.Name, scope: Scope) -> RaspError | None:
    """Why a name must not be set here, with its place."""
    try:
        scope.check(name.name)
    except RaspError as error:
        return error.at(name.span)
    return None


def _check_names(names: Iterable[syntax.Name], scope: Scope) -> None:
    for name in names:
        if (refusal := _refusal(name, scope)) is not None:
            raise refusal


def _values_for(self: Elaborator, node: syntax.Assign, scope: Scope) -> list[Value]:
    """A value for each target."""
    values = self.values(node.values, scope)
    if len(node.targets) == 1:
        return values if len(values) == 1 else [values]
    if len(values) == 1:
        return builtins.unpack(values[0], len(node.targets))
    if len(values) != len(node.targets):
        raise TypeFault(f"{len(node.targets)} names need {len(node.targets)} values, found {len(values)}")
    return values


def _define(self: Elaborator, node: syntax.Define, scope: Scope, mode: Mode) -> None:
    parameters = tuple(parameter.name for parameter in node.parameters)
    _check_names(node.parameters, _PLAIN)
    self.store(node.name, Closure(node.name.name, parameters, scope.where, node, scope), scope, mode)


_PLAIN = Scope("local", None)


def _for(self: Elaborator, node: syntax.For, scope: Scope, mode: Mode) -> None:
    _check_names(node.names, scope)
    inner = Mode.INNER if mode is Mode.INNER else Mode.LOOP
    for element in _elements(self, node.iterable, scope, "a loop"):
        self.budget.spend_steps()
        for name, value in _bound(node.names, element):
            self.store(name, value, scope, inner)
        for statement in node.body:
            self.execute(statement, scope, inner)


def _elements(self: Elaborator, node: syntax.Expression, scope: Scope, what: str) -> list[Value]:
    iterable = self.value(node, scope)
    self.budget.spend_elements(len(iterable) if isinstance(iterable, (list, dict)) else 0)
    return builtins.elements(iterable, what)


def _bound(names: tuple[syntax.Name, ...], element: Value) -> Iterable[tuple[syntax.Name, Value]]:
    if len(names) == 1:
        return [(names[0], element)]
    return list(zip(names, builtins.unpack(element, len(names)), strict=True))


def _load(self: Elaborator, node: syntax.Load, scope: Scope, mode: Mode) -> None:
    source = self.files.load(node.path, node.span.source.name)
    inner = new_scope("file", node.path, scope)
    listed = mode in (Mode.CONSOLE, Mode.FILE)
    self.host.enter_file(source)
    try:
        self.run_file(source, inner, Mode.FILE if listed else mode)
    finally:
        self.host.leave_file(inner.touched if mode is Mode.CONSOLE else None)


def _draw(self: Elaborator, node: syntax.Draw, scope: Scope, mode: Mode) -> None:
    value = self.value(node.value, scope)
    if not isinstance(value, SOp):
        raise TypeFault(f"draw takes an s-op, not {builtins.described(value)}", node.value.span)
    given = None if node.input is None else builtins.atoms_of_input(self.value(node.input, scope))
    inner = ungrouped(node.value)
    self.host.draw(inner.name if isinstance(inner, syntax.Name) else "out", value, given, mode)


def _command(self: Elaborator, node: syntax.Command, scope: Scope, mode: Mode) -> None:
    self.host.command(node, None)


def _exit(self: Elaborator, node: syntax.Exit, scope: Scope, mode: Mode) -> None:
    if scope.passes_to is not None:
        raise FileEnded
    self.host.command(node, None)


def _set_example(self: Elaborator, node: syntax.SetExample, scope: Scope, mode: Mode) -> None:
    self.host.command(node, self.value(node.value, self.host.console() or scope))


_STATEMENTS: Rules[Callable[[Elaborator, Any, Scope, Mode], None]] = Rules(
    "the elaboration of statements",
    {
        syntax.Evaluate: _evaluate,
        syntax.Assign: _assign,
        syntax.Param: _param,
        syntax.Define: _define,
        syntax.For: _for,
        syntax.Load: _load,
        syntax.Draw: _draw,
        syntax.SetExample: _set_example,
        syntax.ShowExample: _command,
        syntax.ShowExamples: _command,
        syntax.FullDisplay: _command,
        syntax.Exit: _exit,
    },
)


# -- expressions


def _literal(self: Elaborator, node: syntax.Literal, scope: Scope) -> Value:
    return node.value


_INPUTS = frozenset({"indices", "tokens_str", "tokens_int", "tokens_float", "tokens_bool", "tokens_asis"})


def _name(self: Elaborator, node: syntax.Name, scope: Scope) -> Value:
    value = scope.lookup(node.name)
    if node.name in _INPUTS and isinstance(value, Node):
        self.origins[value] = Origin(node.span, self.frame)
    return value


def _group(self: Elaborator, node: syntax.Group, scope: Scope) -> Value:
    return self.value(node.inner, scope)


def _unary(self: Elaborator, node: syntax.Unary, scope: Scope) -> Value:
    return builtins.unary(node.op, self.value(node.operand, scope))


def _binary(self: Elaborator, node: syntax.Binary, scope: Scope) -> Value:
    left = self.value(node.left, scope)
    return builtins.binary(node.op, left, self.value(node.right, scope), self.budget.spend_elements)


def _ternary(self: Elaborator, node: syntax.Ternary, scope: Scope) -> Value:
    condition = self.value(node.condition, scope)
    if isinstance(condition, SOp):
        then = self.value(node.then, scope)
        return builtins.choose(condition, then, self.value(node.otherwise, scope))
    if isinstance(condition, Selector):
        raise TypeFault("a condition is an atom, a list or an s-op, not a selector", node.condition.span)
    return self.value(node.then if builtins.truth(condition) else node.otherwise, scope)


def _in(self: Elaborator, node: syntax.In, scope: Scope) -> Value:
    item = self.value(node.item, scope)
    return builtins.contains(item, self.value(node.collection, scope), self.budget.spend_elements)


def _index(self: Elaborator, node: syntax.Index, scope: Scope) -> Value:
    base = self.value(node.base, scope)
    return builtins.index(base, self.value(node.index, scope), self.budget.spend_elements)


def _call(self: Elaborator, node: syntax.Call, scope: Scope) -> Value:
    callee = self.value(node.function, scope)
    if isinstance(callee, Node):
        _input(self, node, scope)
        raise TypeFault(
            f"{builtins.described(callee)} applied to an input is for printing only; it is not a value",
            hint="write it as a statement of its own",
        )
    return _called(self, node, callee, scope)


def _called(self: Elaborator, node: syntax.Call, callee: Value, scope: Scope) -> Value:
    if not isinstance(callee, Function):
        raise TypeFault(f"{builtins.described(callee)} cannot be called", node.function.span)
    args = self.values(node.args, scope)
    try:
        return self.call(callee, args, node.span)
    except RaspError as error:
        raise self.placed(error, node.span) from error.__cause__


def _select(self: Elaborator, node: syntax.Select, scope: Scope) -> Value:
    keys = self.value(node.keys, scope)
    return builtins.select(keys, self.value(node.queries, scope), node.op)


def _aggregate(self: Elaborator, node: syntax.Aggregate, scope: Scope) -> Value:
    selector = self.value(node.selector, scope)
    value = self.value(node.value, scope)
    return builtins.aggregate(selector, value, 0 if node.default is None else self.value(node.default, scope))


def _form(self: Elaborator, node: syntax.Form, scope: Scope) -> Value:
    return builtins.form(node.word, self.values(node.args, scope), self.budget.spend_elements)


def _list(self: Elaborator, node: syntax.ListDisplay, scope: Scope) -> Value:
    return self.values(node.items, scope)


def _key(self: Elaborator, node: syntax.Expression, scope: Scope) -> Atom:
    key = self.value(node, scope)
    if not is_atom(key):
        raise TypeFault(f"the keys of a dictionary are atoms, not {builtins.described(key)}", node.span)
    return key


def _dict(self: Elaborator, node: syntax.DictDisplay, scope: Scope) -> Value:
    found: dict[Atom, Value] = {}
    for key, value in node.pairs:
        atom = _key(self, key, scope)
        found[atom] = self.value(value, scope)
    return found


def _rounds(
    self: Elaborator, node: syntax.ListComprehension | syntax.DictComprehension, scope: Scope
) -> Iterator[Scope]:
    """A scope for each element of a comprehension, its names set. What it runs over is worked out at once."""
    _check_names(node.names, _PLAIN)
    elements = _elements(self, node.iterable, scope, "a comprehension")
    return (_round(node.names, element, scope) for element in elements)


def _round(names: tuple[syntax.Name, ...], element: Value, scope: Scope) -> Scope:
    inner = Scope("local", scope, scope.where)
    inner.names |= {name.name: value for name, value in _bound(names, element)}
    return inner


def _list_comprehension(self: Elaborator, node: syntax.ListComprehension, scope: Scope) -> Value:
    return [self.value(node.element, inner) for inner in _rounds(self, node, scope)]


def _dict_comprehension(self: Elaborator, node: syntax.DictComprehension, scope: Scope) -> Value:
    found: dict[Atom, Value] = {}
    for inner in _rounds(self, node, scope):
        key = _key(self, node.key, inner)
        found[key] = self.value(node.value, inner)
    return found


_EXPRESSIONS: Rules[Callable[[Elaborator, Any, Scope], Value]] = Rules(
    "the elaboration of expressions",
    {
        syntax.Literal: _literal,
        syntax.Name: _name,
        syntax.Group: _group,
        syntax.Unary: _unary,
        syntax.Binary: _binary,
        syntax.Ternary: _ternary,
        syntax.In: _in,
        syntax.Index: _index,
        syntax.Call: _call,
        syntax.Select: _select,
        syntax.Aggregate: _aggregate,
        syntax.Form: _form,
        syntax.ListDisplay: _list,
        syntax.DictDisplay: _dict,
        syntax.ListComprehension: _list_comprehension,
        syntax.DictComprehension: _dict_comprehension,
    },
)

_BUILDING = frozenset(
    {
        syntax.Unary,
        syntax.Binary,
        syntax.Ternary,
        syntax.In,
        syntax.Index,
        syntax.Select,
        syntax.Aggregate,
        syntax.Form,
    }
)

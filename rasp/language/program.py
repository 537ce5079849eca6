"""A .rasp file as a value: its variables as s-ops, selectors, functions and data, without anything being run."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rasp.compiling import Model, compiled
from rasp.errors import DataFault, Failures, NameFault, RaspError
from rasp.graph import Constant, Indices, Node, Selector, SOp, Tokens, topological
from rasp.language import syntax
from rasp.language.budget import Budget, OverBudget
from rasp.language.builtins import described
from rasp.language.elaborate import (
    Elaborator,
    Mode,
    Silent,
    in_order,
    library,
    new_scope,
    outside_library,
    ungrouped,
)
from rasp.language.header import Header, header_of
from rasp.language.lexer import lex
from rasp.language.loading import Disk, Files, Kept, Text, read_source
from rasp.language.parser import parse, parse_expression
from rasp.language.scope import Scope, UndefinedName, Value
from rasp.meaning import EvaluationFault
from rasp.operations import Atom
from rasp.origins import remember
from rasp.source import Source, Span


@dataclass(frozen=True, repr=False)
class Program:
    """What a file defines.

    `variables` are its public values, in the order of first assignment, and last, as `out`, what an expression
    statement gave. `names` holds the nodes that are bound to a variable, `origins` the place that built each node.
    `default` is the s-op that was assigned last, or None. `texts` are its own text and those of the files it loads.
    `parameters` holds the value of each parameter, `scope` every name of the file itself.
    """

    source: Source
    variables: dict[str, Value]
    names: dict[Node, str]
    origins: dict[Node, Span]
    default: str | None
    syntax: syntax.Program = field(repr=False)
    texts: tuple[Text, ...] = field(repr=False)
    parameters: dict[str, Atom]
    scope: Scope = field(repr=False)

    def __repr__(self) -> str:
        return f"<Program {self.source.name}: {', '.join(self.variables) or 'nothing'}>"

    def __getitem__(self, name: str) -> Any:
        """`program["name"]`: the value of that name, as `variable` gives it."""
        return self.variable(name)

    @property
    def header(self) -> Header:
        """The header, whose expressions have the program's names."""
        return header_of(self.source, self._work_out)

    def _work_out(self, part: Span) -> Value:
        """The value of an expression in a comment of the program."""
        return Elaborator(Silent()).work_out(parse_expression(part), self.scope)

    def compile(
        self,
        vocab: str | Iterable[Atom] | None = None,
        max_length: int | None = None,
        name: str | Sequence[str] | None = None,
        **options: Any,
    ) -> Model:
        """The compiled model of the s-op of that name, of several, or of the one assigned last.

        Vocabulary and length are those in the program's header where they are not given; these, options and errors are
        those of `rasp.compile`. DataFault where nothing says what they are, NameFault for a name that is no s-op.
        """
        names = [name or self.default or ""] if name is None or isinstance(name, str) else list(name)
        outputs = {each: self.sop(each or None) for each in names}
        header = self.header
        vocab = header.vocabulary if vocab is None else vocab
        max_length = header.length if max_length is None else max_length
        if vocab is None or max_length is None:
            missing = [name for name, found in (("vocab", vocab), ("max_length", max_length)) if found is None]
            raise DataFault(
                f"{' and '.join(missing)}: needed where the header of {self.source.name} does not say it",
                hint='compile(vocab="a-z", max_length=20), or begin the program with # vocab: a-z and # length: 20',
            )
        return compiled(outputs, vocab, max_length, program=self, **options)

    def variable(self, name: str) -> Value:
        """The value of that name, of the program or of the library. NameFault where there is none."""
        found = self.variables.get(name, _library_value(name))
        if found is None:
            raise NameFault(f"{self.source.name} defines no {name}", hint=self._suggestion(name, Node, "name"))
        return self._remembered(name, found)

    @property
    def known(self) -> list[str]:
        """What `variable` finds: the program's names, then s-ops and selectors of the library."""
        of_library = (name for name, value in library().names.items() if isinstance(value, Node))
        return list(dict.fromkeys([*self.variables, *of_library]))

    def sop(self, name: str | None = None) -> SOp:
        """The s-op of that name, or the default one. NameFault where there is none."""
        value = self._value(name, SOp, "s-op")
        assert isinstance(value, SOp)
        return value

    def selector(self, name: str) -> Selector:
        """The selector of that name. NameFault where there is none."""
        value = self._value(name, Selector, "selector")
        assert isinstance(value, Selector)
        return value

    def place(self, error: RaspError, root: Node) -> RaspError:
        """An error of evaluating `root`, placed where the node that failed, or what first needs it, was built."""
        if isinstance(error, EvaluationFault):
            spans = [self.origins.get(node) for node in topological([root]) if _needs(node, error.node)]
            error.at(next((span for span in spans if span is not None), None))
        return error

    def _value(self, name: str | None, wanted: type[Node], called: str) -> Value:
        name = self.default if name is None else name
        if name is None:
            raise NameFault(f"{self.source.name} defines no s-op", hint="assign one to a name")
        found = self.variables.get(name, _library_value(name))
        if found is None:
            raise NameFault(f"{self.source.name} defines no {name}", hint=self._suggestion(name, wanted, called))
        if not isinstance(found, wanted):
            hint = self._suggestion("", wanted, called)
            raise NameFault(f"{name} of {self.source.name} is {described(found)}, no {called}", hint=hint)
        return self._remembered(name, found)

    def _remembered(self, name: str, value: Value) -> Value:
        """A value, which if it is an s-op or a selector of this program now knows so; `length` is everybody's."""
        of_library = any(value is known for known in library().names.values())
        if isinstance(value, Node) and name in self.variables and not of_library:
            remember(value, self)
        return value

    def _suggestion(self, name: str, wanted: type[Node], called: str) -> str:
        fitting = [known for known, value in self.variables.items() if isinstance(value, wanted)]
        close = difflib.get_close_matches(name, fitting, 3, 0.6)
        if close:
            return f"did you mean {' or '.join(close)}?"
        return f"its {called}s are {', '.join(fitting)}" if fitting else f"it has no {called}s"


def _needs(node: Node, part: Node) -> bool:
    return node is part or any(child is part for child in node.children)


def _library_value(name: str) -> Value | None:
    try:
        return library().lookup(name)
    except UndefinedName:
        return None


def load_program(path: str | Path, *, budget: int = 1, **parameters: Atom) -> Program:
    """The program in a file, with values for its parameters: `load("reach.rasp", n=12)`.

    Its mistakes come all at once: one as itself, several as Failures. NameFault for a parameter that it does not have,
    OverBudget where it does more than `budget` times what programs may do.
    """
    disk = Disk()
    return _program(disk.add(read_source(Path(path))), str(Path(path).with_suffix("")), disk, budget, parameters)


def parse_program(text: str, name: str = "<program>", *, budget: int = 1, **parameters: Atom) -> Program:
    """The program in a text; the rest as for a file. What it loads is looked for on the disk."""
    return _program(Source(name, text), "console", Disk(), budget, parameters)


def kept_program(texts: Sequence[Text], name: str, *, budget: int = 1) -> Program:
    """The program in the first of some texts, with its parameters. What it loads is in the others: no file is read."""
    return _program(Source(name, texts[0].text), "console", Kept(texts, name), budget, texts[0].parameters)


def _program(source: Source, where: str, files: Files, budget: int, parameters: Mapping[str, Atom]) -> Program:
    parsed = parse(source)
    run = _Run(source, where, files, Budget(budget), parameters)
    if parsed.errors:
        run.broken.update(_words_set(source))
    for item in in_order(parsed.program.statements, parsed.errors):
        run.step(item)
    if run.errors:
        raise run.errors[0] if len(run.errors) == 1 else Failures(run.errors)
    run.elaborator.parameters.check(source.name)
    return run.program(parsed.program)


class _Run(Silent):
    """A program as it is elaborated, statement by statement."""

    def __init__(
        self, source: Source, where: str, files: Files, budget: Budget, parameters: Mapping[str, Atom]
    ) -> None:
        self.source = source
        self.scope = new_scope("file", where)
        self.elaborator = Elaborator(self, files, budget, parameters)
        self.errors: list[RaspError] = []
        self.broken: set[str] = set()
        self.default: str | None = None
        self.out: Value | None = None
        self.ended = False
        self.elaborator.loading.append(files.identity(source))

    def problem(self, error: RaspError) -> None:
        self.errors.append(error)

    def command(self, statement: syntax.Command, value: Value | None) -> None:
        self.ended = self.ended or isinstance(statement, syntax.Exit)

    def step(self, item: syntax.Statement | RaspError) -> None:
        """Runs a statement, unless the program has ended or spent its budget. What a failed one would have set is not
        missed again."""
        if self.ended:
            return
        if isinstance(item, RaspError):
            self.errors.append(item)
            return
        try:
            self.elaborator.perform(item, self.scope, Mode.FILE)
        except RaspError as error:
            if not (isinstance(error, UndefinedName) and error.name in self.broken):
                self.errors.append(error)
            self.broken.update(set_by(item))
            self.ended = isinstance(error, OverBudget)
        else:
            for name in set_by(item):
                value = self.scope.names.get(name)
                if name == "out":
                    self.out = value
                if isinstance(value, SOp):
                    self.default = name

    def program(self, tree: syntax.Program) -> Program:
        """The program that the statements made."""
        names = self.scope.names
        variables = {n: v for n, v in names.items() if not n.startswith("_") and n not in ("tokens", "out")}
        if names["tokens"] is not library().lookup("tokens_str"):
            variables["tokens"] = names["tokens"]
        if self.out is not None:
            variables["out"] = self.out
        origins = {node: outside_library(origin)[0] for node, origin in self.elaborator.origins.items()}
        return Program(
            self.source,
            variables,
            self._names(variables),
            origins,
            self.default,
            tree,
            self._texts(),
            self.elaborator.parameters.declared,
            self.scope,
        )

    def _texts(self) -> tuple[Text, ...]:
        """The texts, and with the first one what was given for its parameters."""
        main, *loaded = self.elaborator.files.texts(self.source)
        return (replace(main, parameters=self.elaborator.parameters.given), *loaded)

    def _names(self, variables: dict[str, Value]) -> dict[Node, str]:
        found: dict[Node, str] = {}
        private = {name: value for name, value in self.scope.names.items() if name.startswith("_")}
        for name, value in [*variables.items(), *private.items()]:
            if isinstance(value, Node) and not isinstance(value, (Tokens, Indices, Constant)) and name != "out":
                found.setdefault(value, name)
        for node, name in self.elaborator.local_names.items():
            if not isinstance(node, (Tokens, Indices, Constant)):
                found.setdefault(node, name)
        return found


def _words_set(source: Source) -> Iterator[str]:
    """The words that seem to be set somewhere in a text that has syntax errors."""
    words = lex(source).tokens
    for place, word in enumerate(words[:-1]):
        if word.kind == "word" and (words[place + 1].is_("=", ",") or (place and words[place - 1].is_("def"))):
            yield word.text


def set_by(statement: syntax.Statement) -> Iterator[str]:
    """The names a statement sets where it stands."""
    if isinstance(statement, syntax.Assign):
        yield from (target.name for target in statement.targets)
    elif isinstance(statement, syntax.Param):
        yield statement.target.name
    elif isinstance(statement, syntax.Define):
        yield statement.name.name
    elif isinstance(statement, syntax.Evaluate):
        inner = ungrouped(statement.value)
        yield inner.name if isinstance(inner, syntax.Name) else "out"
    elif isinstance(statement, syntax.For):
        for inner_statement in statement.body:
            yield from set_by(inner_statement)

"""A session: text in, a reply out. It knows no terminal; it never prints, reads or exits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from rasp.console import show
from rasp.console.banner import FIRST_EXAMPLE
from rasp.console.rooms import Drawing
from rasp.console.show import Example, View
from rasp.errors import DataFault, RaspError, ValueFault
from rasp.graph import Node, Selector, SOp
from rasp.inputs import Input
from rasp.interpret import Run
from rasp.language import builtins, syntax
from rasp.language.budget import Budget, OverBudget
from rasp.language.elaborate import Elaborator, Mode, in_order, new_scope
from rasp.language.header import header_of
from rasp.language.lint import LintWarning, lint
from rasp.language.loading import Files
from rasp.language.parser import Parsed, parse
from rasp.language.scope import Scope, Value
from rasp.meaning import EvaluationFault, MissingRelation
from rasp.operations import Atom
from rasp.printing import expression
from rasp.rules import Rules
from rasp.source import CONSOLE, Source


@dataclass(frozen=True)
class Reply:
    """What a session answers: texts and errors in their order, and warnings about surprising groupings.

    `incomplete` means that nothing was run, because the text goes on; `ended`, that the session is over.
    """

    parts: tuple[str | RaspError, ...] = ()
    warnings: tuple[LintWarning, ...] = ()
    incomplete: bool = False
    ended: bool = False

    @property
    def text(self) -> str:
        """What was printed, errors left out."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    @property
    def errors(self) -> list[RaspError]:
        return [part for part in self.parts if isinstance(part, RaspError)]


# Evaluating a node takes as long as this many statements.
_STEPS_A_NODE = 25


class _Ended(Exception):
    """An exit command was run."""


@dataclass(frozen=True)
class _Chunk(Source):
    """A text that stands further down in what was typed or piped: its lines count from `first`."""

    first: int = 1

    def locate(self, offset: int) -> tuple[int, int]:
        line, place = super().locate(offset)
        return line + self.first - 1, place

    def line(self, number: int) -> str:
        return super().line(number - self.first + 1)


@dataclass
class Settings:
    """What the commands of the console change."""

    sop_example: Example
    selector_example: Example
    sop_examples: bool = True
    selector_examples: bool = True
    full: bool = False


@dataclass(frozen=True)
class State:
    """What statements change: the variables, the settings, and how many statements there were."""

    names: dict[str, Value]
    settings: Settings
    performed: int

    def sets_like(self, other: State) -> bool:
        """Whether the same is set, `out` left aside. Values are compared by identity: s-ops have an == of their own."""
        here, there = self.names.keys() - {"out"}, other.names.keys() - {"out"}
        same = here == there and all(self.names[name] is other.names[name] for name in here)
        return same and self.settings == other.settings


class Session:
    """A console: its variables, its settings, and what it prints.

    `kind` is "console", or "file" where library names may be set too. Without a `drawing`, draw is an error.
    `performed` has every statement that succeeded. `budget` multiplies what each text may do, `parameters` are
    values for those that programs declare.
    """

    def __init__(
        self,
        drawing: Drawing | None = None,
        kind: Literal["console", "file"] = "console",
        files: Files | None = None,
        budget: int = 1,
        parameters: Mapping[str, Atom] | None = None,
    ) -> None:
        self.scope: Scope = new_scope(kind, "console")
        self.elaborator: Elaborator = Elaborator(self, files, Budget(budget), parameters)
        self.drawing = drawing
        first = Example(FIRST_EXAMPLE, Run(FIRST_EXAMPLE))
        self.settings: Settings = Settings(first, first)
        self.performed: list[syntax.Statement] = []
        self._kept: list[tuple[Settings, Settings]] = []
        self._parts: list[str | RaspError] = []

    @property
    def budget(self) -> Budget:
        """What a text may do."""
        return self.elaborator.budget

    def push(self, text: str, *, closed: bool = True, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Runs a text, unless it is incomplete.

        With `closed` its last semicolon may be missing, and mistakes are answered at once; without, a text that ends
        inside a statement waits for the rest.
        """
        parsed = parse(_Chunk(name, text, first_line), closed=closed)
        if parsed.incomplete or (parsed.goes_on and not closed):
            return Reply(incomplete=True)
        return self._run(parsed)

    def finish(self, text: str, *, name: str = CONSOLE, first_line: int = 1) -> Reply:
        """Runs a text that nothing follows: what is incomplete is an error."""
        return self._run(parse(_Chunk(name, text, first_line), closed=True))

    def _run(self, parsed: Parsed) -> Reply:
        self.budget.renew()
        return self._answer(in_order(parsed.program.statements, parsed.errors), tuple(lint(parsed.program)))

    def replies(self, source: Source) -> Iterator[Reply]:
        """Runs a whole text statement by statement, a reply for each."""
        parsed = parse(source, closed=True)
        yield Reply(warnings=tuple(lint(parsed.program)))
        self.budget.renew()
        for item in in_order(parsed.program.statements, parsed.errors):
            reply = self._answer([item], ())
            yield reply
            if reply.ended or any(isinstance(error, OverBudget) for error in reply.errors):
                return

    def _answer(self, items: list[syntax.Statement | RaspError], warnings: tuple[LintWarning, ...]) -> Reply:
        self._parts, self._kept = [], []
        for item in items:
            try:
                self._step(item)
            except _Ended:
                return Reply(tuple(self._parts), warnings, ended=True)
            except OverBudget as error:
                self._parts.append(error)
                break
        return Reply(tuple(self._parts), warnings)

    def _step(self, item: syntax.Statement | RaspError) -> None:
        if isinstance(item, RaspError):
            self._parts.append(item)
            return
        try:
            self.elaborator.perform(item, self.scope, Mode.CONSOLE)
        except OverBudget:
            raise
        except RaspError as error:
            self._parts.append(error)
        else:
            self.performed.append(item)

    # -- going back

    def state(self) -> State:
        """What statements can change, as it is now."""
        return State(dict(self.scope.names), replace(self.settings), len(self.performed))

    def restore(self, state: State) -> None:
        """Makes everything as it was."""
        self.scope.names.clear()
        self.scope.names.update(state.names)
        self.settings = replace(state.settings)
        del self.performed[state.performed :]

    # -- names

    def names(self) -> dict[Node, str]:
        """The variable of each node that has one, the one set last if there are several."""
        found = dict(self.elaborator.local_names)
        scope: Scope | None = self.scope
        scopes = [scope]
        while scope is not None:
            scopes.append(scope := scope.outer)
        for scope in reversed(scopes):
            for name, value in scope.names.items() if scope is not None else ():
                if isinstance(value, Node) and name != "out":
                    found[value] = name
        return found

    def _view(self, examples: bool = True) -> View:
        settings = self.settings
        sop = settings.sop_example if examples and settings.sop_examples else None
        selector = settings.selector_example if examples and settings.selector_examples else None
        names = cache(self.names)
        return View(
            sop,
            selector,
            settings.full,
            lambda node: names().get(node) or expression(node, names()),
            self.budget.spend_elements,
        )

    # -- host of the elaborator

    def console(self) -> Scope | None:
        return self.scope

    def admit(self, name: str, value: Value, mode: Mode) -> str:
        if mode is Mode.INNER:
            return ""
        self._try(value)
        return self._shown(name, value) if mode is Mode.CONSOLE else ""

    def _shown(self, name: str, value: Value) -> str:
        """A value under its name. What fails here is a selector: all were tried on the other example."""
        try:
            return show.entry(name, value, self._view())
        except EvaluationFault as error:
            error.notes.append(f"while it was shown on the example of selectors, {self.settings.selector_example.text}")
            error.hint = error.hint or 'set another example: set selector example "…"'
            raise

    def _try(self, value: Value) -> None:
        """Evaluates every s-op and selector of a value on the running example."""
        waiting, seen = [value], set[int]()
        while waiting:
            top = waiting.pop()
            if isinstance(top, (list, dict)) and id(top) not in seen:
                seen.add(id(top))
                items = top if isinstance(top, list) else top.values()
                self.budget.spend_elements(len(items))
                waiting += [item for item in items if isinstance(item, (list, dict, Node))]
            elif isinstance(top, Node):
                self._computed(top, self.settings.sop_example)

    def _computed(self, node: Node, example: Example) -> None:
        before = example.run.evaluated
        try:
            if isinstance(node, SOp):
                example.run.sop(node)
            elif isinstance(node, Selector):
                example.run.selector(node)
        except MissingRelation:
            pass  # the example has no graph (yet): what is built on it is stored all the same
        except EvaluationFault as error:
            error.notes.append(f"while it was tried on the example {example.text}")
            error.hint = error.hint or 'set another example: set example "…"'
            raise
        self.budget.spend_steps(_STEPS_A_NODE * (example.run.evaluated - before))

    def present(self, entry: str, mode: Mode) -> None:
        if mode is Mode.CONSOLE:
            self._parts.append(entry)

    def apply(self, node: Node, given: Input, mode: Mode) -> None:
        if mode is Mode.INNER:
            return
        text = show.application(node, Example(given, Run(given)), self.settings.full)
        if mode is Mode.CONSOLE:
            self._parts.append(text)

    def draw(self, name: str, node: SOp, given: Input | None, mode: Mode) -> None:
        example = self.settings.sop_example if given is None else Example(given, Run(given))
        text = show.application(node, example, self.settings.full)
        if self.drawing is None:
            raise ValueFault(
                "there is nothing to draw with here", hint="`rasp repl` draws where matplotlib is installed"
            )
        path = self.drawing(name, node, example.given, self.names())
        if mode is Mode.CONSOLE:
            self._parts += [text, f"     drawing: {path}"]

    def enter_file(self, source: Source) -> None:
        """What the file sets is tried on the input that it is written for, where its header names one."""
        before = replace(self.settings)
        with suppress(DataFault):
            for given in header_of(source).own_inputs:
                self.use_example(given)
        self._kept.append((before, replace(self.settings)))

    def leave_file(self, listing: dict[str, Value] | None) -> None:
        """Examples are shown again as before; the running ones are again what they were, unless the file set others."""
        before, began = self._kept.pop()
        now = self.settings
        now.sop_examples, now.selector_examples = before.sop_examples, before.selector_examples
        if now.sop_example is began.sop_example:
            now.sop_example = before.sop_example
        if now.selector_example is began.selector_example:
            now.selector_example = before.selector_example
        for name, value in (listing or {}).items():
            self._parts.append(show.entry(name, value, self._view(examples=False)))

    def problem(self, error: RaspError) -> None:
        self._parts.append(error)

    def command(self, statement: syntax.Command, value: Value | None) -> None:
        _COMMANDS[type(statement)](self, statement, value)

    # -- commands

    def use_example(self, given: Input, which: str = "both") -> None:
        """Makes an input the running example of s-ops, of selectors, or of both."""
        example = Example(given, Run(given))
        if which != "selector":
            self.settings.sop_example = example
        if which != "s-op":
            self.settings.selector_example = example

    def set_example(self, statement: syntax.SetExample, value: Value) -> None:
        self.use_example(builtins.atoms_of_input(value), statement.which)

    def show_example(self, statement: syntax.ShowExample, value: None) -> None:
        examples = {"s-op": self.settings.sop_example, "selector": self.settings.selector_example}
        for which, example in examples.items():
            if statement.which in (which, "both"):
                self._parts.append(f"\t{which} example: {example.text}")

    def show_examples(self, statement: syntax.ShowExamples, value: None) -> None:
        if statement.which != "selector":
            self.settings.sop_examples = statement.on
        if statement.which != "s-op":
            self.settings.selector_examples = statement.on

    def full_display(self, statement: syntax.FullDisplay, value: None) -> None:
        self.settings.full = statement.on

    def exit(self, statement: syntax.Exit, value: None) -> None:
        raise _Ended


_COMMANDS: Rules[Callable[[Session, Any, Any], None]] = Rules(
    "the session's commands",
    {
        syntax.SetExample: Session.set_example,
        syntax.ShowExample: Session.show_example,
        syntax.ShowExamples: Session.show_examples,
        syntax.FullDisplay: Session.full_display,
        syntax.Exit: Session.exit,
    },
)

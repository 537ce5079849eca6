"""The subcommand watch: on every save a program is checked and run, and what has changed is shown."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rasp.arguments import examples
from rasp.console.banner import FIRST_EXAMPLE
from rasp.console.explain import cost_text
from rasp.console.show import given_text, values
from rasp.errors import RaspError
from rasp.graph import Selector, SOp
from rasp.inputs import Input, given_inputs, input_arguments
from rasp.interpret import Run
from rasp.language.budget import budget_argument
from rasp.language.header import header_of
from rasp.language.lint import lint
from rasp.language.loading import read_source
from rasp.language.parameters import given_parameters, parameter_argument
from rasp.language.parser import parse
from rasp.language.program import Program, load_program
from rasp.layers import analyse
from rasp.operations import Atom
from rasp.source import Source
from rasp.streams import say
from rasp.visible import visible

_PAUSE = 0.3


def watch_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp watch`."""
    examples(
        parser,
        "rasp watch programs/dyck2.rasp --once",
        "rasp watch programs/reverse.rasp -i hello -i abc --once",
        last="Without --once it goes on until Ctrl-C.",
    )
    parser.add_argument("file", metavar="FILE", help="a .rasp program")
    input_arguments(parser)
    budget_argument(parser)
    parameter_argument(parser)
    parser.add_argument("--once", action="store_true", help="look once and end, with status 1 at mistakes")


def watch_run(args: argparse.Namespace) -> int:
    """Looks at a program whenever it, or what it loads, is saved; until it is interrupted."""
    given, path = given_inputs(args), Path(args.file)
    looking = _Looking(path, given, args.budget, given_parameters(args))
    if args.once:
        found = looking.look()
        say("\n".join(map(visible, found.lines())))
        return int(bool(found.mistakes))
    before: Look | None = None
    stamps: Sequence[object] = ()
    while True:
        if (now := looking.stamps()) != stamps:
            stamps, found = now, looking.look()
            said = found.lines() if before is None else found.changes(before)
            say("\n".join([f"-- {time.strftime('%H:%M:%S')} {visible(args.file)}", *map(visible, said)]))
            before = found if not found.mistakes or before is None else before
        time.sleep(_PAUSE)


@dataclass(frozen=True)
class Look:
    """What there is to see of a program: mistakes, warnings, and of each s-op and selector its size and its values."""

    mistakes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    costs: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """All of it."""
        return [*self._said(), *(line for name in self.costs for line in self._entry(name))]

    def changes(self, before: Look) -> list[str]:
        """What is new since an earlier look, what has changed, and what is gone."""
        if self.mistakes:
            return self._said()
        return [*self._said(), *(self._changed(before) or ["nothing has changed"])]

    def _changed(self, before: Look) -> list[str]:
        lines = [line for name in self.costs if name not in before.costs for line in self._entry(name, "new: ")]
        for name in (name for name in self.costs if name in before.costs):
            lines += self._differences(name, before)
        return lines + [f"gone: {name}" for name in before.costs if name not in self.costs]

    def _differences(self, name: str, before: Look) -> Iterator[str]:
        if self.costs[name] != before.costs[name]:
            yield f"{name}: {self.costs[name]}, was {before.costs[name]}"
        old = before.values.get(name, {})
        for given, found in self.values.get(name, {}).items():
            if given in old and old[given] != found:
                yield f"{name}({given}) = {found}"
                yield f"{'was':>{len(name) + len(given) + 2}} = {old[given]}"
            elif given not in old:
                yield f"{name}({given}) = {found}"

    def _said(self) -> list[str]:
        return [line for text in (*self.mistakes, *self.warnings) for line in text.splitlines()]

    def _entry(self, name: str, before: str = "") -> Iterator[str]:
        yield f"{before}{name}: {self.costs[name]}"
        yield from (f"  {name}({given}) = {found}" for given, found in self.values.get(name, {}).items())


def look_at(path: Path, given: Sequence[Input] = ()) -> Look:
    """A program as it is now, on some inputs or on that of its header."""
    return _Looking(path, given, 1, {}).look()


@dataclass
class _Looking:
    """A program that is looked at again and again: on inputs given, or on those of its header."""

    path: Path
    given: Sequence[Input]
    budget: int
    parameters: Mapping[str, Atom]
    files: tuple[Path, ...] = ()

    def stamps(self) -> list[object]:
        """What differs after a save."""
        return [_stamp(path) for path in (self.path, *self.files)]

    def look(self) -> Look:
        """The program as it is now."""
        try:
            source = read_source(self.path)
            warnings = tuple(map(str, lint(parse(source).program)))
            program = load_program(self.path, budget=self.budget, **self.parameters)
            inputs = self.given or header_of(source).own_inputs or [FIRST_EXAMPLE]
        except RaspError as error:
            return Look(mistakes=(str(error),))
        self.files = tuple(sorted(_files(program, self.path)))
        return _look(program, warnings, inputs)


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _files(program: Program, path: Path) -> set[Path]:
    """The files that a program has loaded, as far as something in them is still there."""
    sources: set[Source] = {span.source for span in program.origins.values()}
    return {Path(source.name) for source in sources} - {path}


def _look(program: Program, warnings: tuple[str, ...], inputs: Sequence[Input]) -> Look:
    costs, found = dict[str, str](), dict[str, dict[str, str]]()
    for name, value in program.variables.items():
        if isinstance(value, (SOp, Selector)):
            costs[name] = f"{'s-op' if isinstance(value, SOp) else 'selector'}, {cost_text(analyse([value]))}"
        if isinstance(value, SOp):
            found[name] = {given_text(given): _values(value, given) for given in inputs}
    return Look((), warnings, costs, found)


def _values(node: SOp, given: Input) -> str:
    try:
        return values(Run(given).sop(node))
    except RaspError as error:
        return f"{error.kind}: {error.message}"

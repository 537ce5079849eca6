"""Values as text, in the forms of the original interpreter. Pure functions: text out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rasp.errors import ValueFault
from rasp.graph import EdgeLabel, Node, Selector, SOp
from rasp.inputs import Input
from rasp.interpret import Matrix, Run
from rasp.language.budget import weight
from rasp.language.scope import Function, Value
from rasp.meaning import MissingRelation
from rasp.operations import Atom, Column, atom_key, column, is_atom, type_of
from rasp.printing import literal
from rasp.visible import printable

# A line of its own for an element weighs as much as this many elements of a list on one line.
_LINE = 8

_SKIPPED = "[skipped full display: identical values]"


@dataclass(frozen=True)
class Example:
    """An input as it was given, and what is computed on it."""

    given: Input
    run: Run

    @property
    def text(self) -> str:
        return given_text(self.given)


@dataclass(frozen=True)
class View:
    """How values are shown: the examples of s-ops and selectors (None: not shown), and the full display.

    `spend` is told how many elements a list has before it is written, with those of the lists in it.
    """

    sop: Example | None
    selector: Example | None
    full: bool
    name_of: Callable[[Node], str]
    spend: Callable[[int], None]


def given_text(given: Input) -> str:
    """An input in quotes if it is a string, else as a list or a dictionary."""
    return literal(given) if isinstance(given, str) else repr(given)


# -- lists of values


def short(atom: Atom) -> str:
    """A value as an item of a list of values: T or F, three decimals, text without quotes."""
    if isinstance(atom, bool):
        return "T" if atom else "F"
    return repr(round(atom, 3)) if isinstance(atom, float) else printable(str(atom))


def _long(atom: Atom) -> str:
    return repr(atom) if isinstance(atom, float) else short(atom)


def _identical(atoms: Sequence[Atom]) -> bool:
    return len(atoms) > 1 and len({atom_key(atom) for atom in atoms}) == 1


def values(found: Column) -> str:
    """`[h, e, y] (strings)`, or `[0.5]*3 (floats)` where all are equal."""
    atoms = found.tolist()
    if _identical(atoms):
        return f"[{short(atoms[0])}]*{len(atoms)} ({type_of(found)})"
    return f"[{', '.join(map(short, atoms))}] ({type_of(found)})"


def _full_lines(given: Sequence[Atom], found: Column) -> list[str]:
    """The input above the output, all padded to one width."""
    above, below = list(map(_long, given)), _cells(found)
    width = max(map(len, above + below))
    rows = [" ".join(cell.rjust(width) for cell in row) for row in (above, below)]
    return [
        f" \t\tinput:   {rows[0]} \t ({_label_of_input(given)})",
        f" \t\toutput:  {rows[1]} \t ({type_of(found)})",
    ]


def _cells(found: Column) -> list[str]:
    """The values in full; of booleans only the rarer kind."""
    atoms = found.tolist()
    texts = list(map(_long, atoms))
    if type_of(found) != "bools":
        return texts
    true = sum(atoms)
    hidden = {True: 2 * true > len(atoms), False: 2 * true < len(atoms)}
    return [" " if hidden[atom] else text for atom, text in zip(atoms, texts, strict=True)]


def _label_of_input(given: Sequence[Atom]) -> str:
    try:
        return type_of(column(given))
    except ValueFault:
        return "mixed"


# -- selectors


def grid(selected: Matrix, tokens: Sequence[Atom]) -> list[str]:
    """The cells of a selector, one line a query position, the keys above."""
    texts = list(map(_long, tokens))
    width = max(map(len, texts))
    lines = [" \t\t\t" + " " * (width + 4) + " ".join(text.rjust(width) for text in texts)]
    for text, row in zip(texts, selected.tolist(), strict=True):
        cells = " ".join(("1" if cell else " ").rjust(width) for cell in row)
        lines.append(f" \t\t\t {text.rjust(width)} | {cells}")
    return lines


# -- one value under its name


def entry(name: str, value: Value, view: View) -> str:
    """What is printed for a value under a name."""
    _spend(value, view.spend)
    return "\n".join(_entry(name, value, view))


def _spend(value: Value, spend: Callable[[int], None]) -> None:
    """Tells what will be written: each element, with its indentation where it has a line of its own."""
    waiting = [(1, value)]
    while waiting:
        depth, top = waiting.pop()
        if not isinstance(top, (list, dict)):
            continue
        items = top if isinstance(top, list) else list(top.values())
        plain = all(map(is_atom, items))
        spend(len(items) + sum(map(weight, items)))
        if not plain:
            spend(len(items) * (_LINE + depth))
            waiting += [(depth + 1, item) for item in items]


def _entry(name: str, value: Value, view: View, key: str = "") -> list[str]:
    """The lines of a value; with the key of a dictionary the first line begins with it."""
    start = f" {key}    " if key else "     "
    if isinstance(value, SOp):
        return [f"{start}s-op: {name}", *_sop_example(name, value, view)]
    if isinstance(value, Selector):
        return [f"{start}selector: {name}", *_selector_example(value, view)]
    if isinstance(value, Function):
        return [f"{start}{value.where} function: {name or value.name}({', '.join(value.parameters)})"]
    if isinstance(value, (list, dict)):
        return _container(start, name, value, view)
    shown = repr(value) if isinstance(value, EdgeLabel) else literal(value)
    return [f"{start if key else '    '}value: {_equals(name)} {shown}"]


def _equals(name: str) -> str:
    return f"{name} = " if name else ""


def _sop_example(name: str, node: SOp, view: View) -> Iterator[str]:
    if view.sop is None:
        return
    try:
        found = view.sop.run.sop(node)
    except MissingRelation as error:
        yield _without_example(error)
        return
    short = f" \t Example: {name}({view.sop.text}) = {values(found)}"
    if not view.full:
        yield short
    elif _identical(found.tolist()):
        yield f"{short} {_SKIPPED}"
    else:
        yield " \t Example:"
        yield from _full_lines(view.sop.run.tokens, found)


def _selector_example(node: Selector, view: View) -> Iterator[str]:
    if view.selector is None:
        return
    try:
        cells = view.selector.run.selector(node)
    except MissingRelation as error:
        yield _without_example(error)
        return
    yield " \t Example:"
    yield from grid(cells, view.selector.run.tokens)


def _without_example(error: MissingRelation) -> str:
    return f' \t No example: set example {{"tokens": ["a", "b", "c"], {literal(error.name)}: [[0, 1], [1, 2]]}}'


def _container(start: str, name: str, value: list[Value] | dict[Atom, Value], view: View) -> list[str]:
    """On one line if it holds atoms only; else two tabs further an entry for each element, or three and its key."""
    word, opening, closing = ("list", "[", "]") if isinstance(value, list) else ("dict", "{", "}")
    head = f"{start}{word}: {_equals(name)}"
    items = list(value) if isinstance(value, list) else list(value.values())
    if all(map(is_atom, items)):
        return [head + repr(value)]
    lines = [f"{head} {opening}"]
    keys = [""] * len(items) if isinstance(value, list) else [f"{literal(key)} :" for key in value]
    for key, item in zip(keys, items, strict=True):
        own = view.name_of(item) if isinstance(item, Node) else ""
        tabs = "\t\t\t" if key else "\t\t"
        lines += [tabs + line for line in _entry(own, item, view, key)]
    return [*lines, " " * (len(head) + 1) + closing]


def application(node: Node, example: Example, full: bool) -> str:
    """What is printed for an s-op or selector applied to an input."""
    if isinstance(node, Selector):
        return "\n".join(["\t = ", *grid(example.run.selector(node), example.run.tokens)])
    assert isinstance(node, SOp)
    found = example.run.sop(node)
    if not full:
        return f"\t =  {values(found)}"
    if _identical(found.tolist()):
        return f"\t =  {values(found)} {_SKIPPED}"
    return "\n".join(["\t =", *_full_lines(example.run.tokens, found)])

"""The colon commands that go back: what was typed and set, undone, timed, or edited and run again."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from rasp.console.context import Context
from rasp.console.editor import edited
from rasp.console.explain import titled, type_text
from rasp.console.prompt import is_colon_command
from rasp.console.session import Reply
from rasp.errors import DataFault, NameFault, SyntaxFault
from rasp.graph import Node
from rasp.language.program import set_by
from rasp.language.scope import Value
from rasp.operations import is_atom
from rasp.printing import literal

_LATEST = 20


def names(context: Context, rest: str) -> str:
    """The variables of the session: what kind of value each is, and how it is written."""
    known = context.names()
    found = {
        name: value
        for name, value in context.session.scope.names.items()
        if name != "out" and not (name == "tokens" and value not in known)
    }
    if not found:
        return "nothing is set yet; an assignment sets a name: x = indices + 1"
    rows = [(name, type_text(value), _written(value, known)) for name, value in found.items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    lines = (f"  {name:{widths[0]}}  {kind:{widths[1]}}  {text}".rstrip() for name, kind, text in rows)
    return "\n".join(_cut(line, context.screen.width) for line in lines)


def _written(value: Value, known: dict[Node, str]) -> str:
    if isinstance(value, Node):
        return titled(value, {node: name for node, name in known.items() if node is not value})
    return literal(value) if is_atom(value) else ""


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else line[: width - 1] + "…"


def history(context: Context, rest: str) -> str:
    """What was typed in this session, the latest inputs, numbered."""
    if rest and not rest.isdecimal():
        raise SyntaxFault(f"how many inputs is a number, not {rest}", hint="write :history 50")
    lines = list(enumerate(context.typed, 1))[-int(rest or _LATEST) or len(context.typed) :]
    return "\n".join(f"{number:4}  {_indented(text)}" for number, text in lines) or "nothing has been typed yet"


def _indented(text: str) -> str:
    return text.replace("\n", "\n      ")


def undo(context: Context, rest: str) -> str:
    """Takes back the last input that set something."""
    text = context.undo()
    if text is None:
        raise DataFault("there is nothing to undo")
    first, *more = text.splitlines()
    return f"undone: {first}{' …' if more else ''}"


def timed(context: Context, rest: str) -> Reply:
    """The reply to an input, and how long it took."""
    if not rest:
        raise SyntaxFault("there is nothing to time", hint="write :time STATEMENT, or :time :compile NAME")
    start = time.perf_counter()
    reply = context.perform(rest)
    return replace(reply, parts=(*reply.parts, f"took {time.perf_counter() - start:.3f} s"))


def edit(context: Context, rest: str) -> str | Reply:
    """Opens an editor on the last input, on what set a name, or on a file; then runs what was changed."""
    if context.edit_file is None:
        raise DataFault("there is no editor here", hint="start the console at a terminal, with $EDITOR set")
    if rest.endswith(".rasp"):
        context.edit_file(Path(rest).expanduser())
        return context.perform(f":load {rest}")
    before = _definition(context, rest) if rest else _last(context)
    after = edited(before, context.edit_file)
    if not after.strip() or after.strip() == before.strip():
        return "nothing was changed, so nothing is run"
    context.typed.append(after.strip())
    return context.perform(after)


def _last(context: Context) -> str:
    statements = [text for text in context.typed if not is_colon_command(text)]
    if not statements:
        raise DataFault("nothing has been typed yet that could be edited", hint="write :edit FILE.rasp for a file")
    return statements[-1]


def _definition(context: Context, name: str) -> str:
    """The statement that set a name last."""
    for statement in reversed(context.session.performed):
        if name in set_by(statement) and name in context.session.scope.names:
            return statement.span.text
    raise NameFault(
        f"no statement of this session sets {name}", hint=":names lists what is set; :edit FILE.rasp edits a file"
    )

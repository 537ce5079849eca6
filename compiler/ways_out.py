"""The way out that a refusal names: options, or a change of the program, with which it compiles, tried before it is
named.

What is tried is first what keeps the program as it is, then the same program with one number rounded, close to what is
refused, and last a smaller length. All trials together take PATIENCE seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from compiler.guards import IS_BOOL
from compiler.options import Options
from compiler.source_map import SourceMap
from compiler.timing import OutOfTime, within
from rasp.dtypes import types_of
from rasp.errors import Failures, RaspError, Refusal
from rasp.graph import Map, Node, SOp, apply, topological

PATIENCE = 4.0
"""So many seconds the trials may take, together."""

LOOSE = 0.001
"""The tolerance that is tried."""

_CHANGES = 6
_LONGEST = 60


@dataclass(frozen=True)
class WayOut:
    """Something that may help, as it is named, and whether the program compiles with it."""

    text: str
    helps: Callable[[], bool]
    is_option: bool = True


def with_way_out(error: RaspError, ways: Iterable[WayOut]) -> RaspError:
    """The refusal with the first of some ways out that helps in its hint, and none that does not.

    What a refusal says of how to write the program otherwise stays. Of several refusals the last one tells. Options
    that there was no time to try are not promised.
    """
    errors = error.errors if isinstance(error, Failures) else [error]
    last, (found, tried) = errors[-1], _first(ways)
    if found is not None and found.text in (last.hint or ""):
        return error
    untried = "; ".join(dict.fromkeys(one.hint for one in errors if one.hint and _names_options(one.hint)))
    for one in errors:
        one.hint = None if one.hint and _names_options(one.hint) else one.hint
    in_vain = [way.text for way in tried if way.is_option]
    if found is not None:
        last.hint = f"{last.hint}; {found.text} compiles it" if last.hint else f"{found.text} compiles it"
    elif in_vain:
        last.hint = last.hint or _in_vain(in_vain)
    elif untried:
        last.hint = last.hint or f"not tried, as it takes long: {untried}"
    return error


def _first(ways: Iterable[WayOut]) -> tuple[WayOut | None, list[WayOut]]:
    """The first way that helps, and those before it that do not, as far as there is time."""
    tried: list[WayOut] = []
    try:
        with within(PATIENCE):
            for way in ways:
                if way.helps():
                    return way, tried
                tried.append(way)
    except OutOfTime:
        pass
    return None, tried


# -- options


def other_options(error: RaspError, options: Options) -> Iterator[tuple[str, Options]]:
    """Other options that keep the length, with the flag that asks for each.

    Less is promised only where it is accuracy that is missed, and narrow heads are built where the size is.
    """
    hints = " ".join(one.hint or "" for one in (error.errors if isinstance(error, Failures) else [error]))
    if options.prefer == "depth":
        yield "--prefer auto", replace(options, prefer="auto")
    if options.prefer != "small" and "--prefer small" in hints:
        yield "--prefer small", replace(options, prefer="small")
    if options.dtype == "float32":
        yield "--dtype float64", replace(options, dtype="float64")
    if "--tolerance" in hints and (options.tolerance or 0.0) < LOOSE:
        yield f"--tolerance {LOOSE}", replace(options, tolerance=LOOSE)


def shorter(options: Options) -> Iterator[tuple[str, Options]]:
    """Half the length, with the flag that asks for it."""
    half = options.max_length // 2
    if half > 1:
        yield f"--max-length {half}", replace(options, max_length=half)


def _names_options(hint: str) -> bool:
    return any(words in hint for words in ("float64", "smaller maximum length", "--prefer", "--tolerance"))


def _in_vain(flags: Sequence[str]) -> str:
    return f"neither {' nor '.join(flags)} helps" if len(flags) > 1 else f"{flags[0]} does not help"


# -- changes of the program


def changes(error: RaspError, outputs: Iterable[SOp], source_map: SourceMap) -> Iterator[tuple[str, SOp, SOp]]:
    """S-ops of the program and what to write for each, with the text of that: the number rounded, a bool as a number.

    They are those that what is refused reads, the nearest first, and of these first the ones that have names.
    """
    roots = list(outputs)
    for one in error.errors if isinstance(error, Failures) else [error]:
        subject = getattr(one, "subject", None)
        if isinstance(one, Refusal) and isinstance(subject, Node):
            yield from islice(_changes(subject, roots, source_map), _CHANGES)


def _changes(subject: Node, roots: Sequence[SOp], source_map: SourceMap) -> Iterator[tuple[str, SOp, SOp]]:
    types, ends = types_of(roots), set(roots)
    read = [node for node in topological([subject]) if node is not subject and node in types and node not in ends]
    wanted = ("bools",) if isinstance(subject, Map) and subject.op is IS_BOOL else ("floats", "numbers", "unknown")
    found = [node for node in reversed(read) if isinstance(node, SOp) and types[node] in wanted and node.children]
    for node in sorted(found, key=lambda node: node not in source_map.names):
        text = source_map.text(node)
        if "…" not in text and len(text) <= _LONGEST:
            name = "indicator" if wanted == ("bools",) else "round"
            yield f"{name}({text}) in its place", node, apply(name, node)

"""The way out that a refusal names: options with which the program compiles, tried before they are named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from compiler.options import Options
from rasp.errors import Failures, RaspError

CHEAP = 2.0
"""So many seconds may have gone by for other options to be tried as well; each takes about as long."""

LOOSE = 0.001
"""The tolerance that is tried."""


def with_way_out(error: RaspError, options: Options, compiles: Callable[[Options], bool]) -> RaspError:
    """The refusal with the first of other options that compiles the program in its hint, and none that do not.

    What a refusal says of how to write the program otherwise stays. Of several refusals the last one tells.
    """
    errors = error.errors if isinstance(error, Failures) else [error]
    last, others = errors[-1], dict(_others(options, any("--tolerance" in (one.hint or "") for one in errors)))
    found = next((flag for flag, other in others.items() if compiles(other)), None)
    if found is not None and found in (last.hint or ""):
        return error
    for one in errors:
        one.hint = None if one.hint and _names_options(one.hint) else one.hint
    if found is not None:
        last.hint = f"{last.hint}; {found} compiles it" if last.hint else f"{found} compiles it"
    elif others:
        last.hint = last.hint or _in_vain([*others])
    return error


def _others(options: Options, of_accuracy: bool) -> Iterator[tuple[str, Options]]:
    """Other options, with the flag that asks for each; less is promised only where it is accuracy that is missed."""
    if options.prefer == "depth":
        yield "--prefer auto", replace(options, prefer="auto")
    if options.dtype == "float32":
        yield "--dtype float64", replace(options, dtype="float64")
    if of_accuracy and (options.tolerance or 0.0) < LOOSE:
        yield f"--tolerance {LOOSE}", replace(options, tolerance=LOOSE)
    half = options.max_length // 2
    if half > 1:
        yield f"--max-length {half}", replace(options, max_length=half)


def _names_options(hint: str) -> bool:
    return any(words in hint for words in ("float64", "smaller maximum length", "--prefer", "--tolerance"))


def _in_vain(flags: Sequence[str]) -> str:
    return f"neither {' nor '.join(flags)} helps" if len(flags) > 1 else f"{flags[0]} does not help"

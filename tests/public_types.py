"""Which public names have types that are not fully known, by pyright on the installed packages: `make types`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

ROOMS = ("rasp", "compiler", "export", "lab", "viz")


def homes(room: str) -> set[str]:
    """Where each public name of a room is defined."""
    package = import_module(room)
    return {
        f"{value.__module__}.{value.__qualname__}"
        for name in package.__all__
        if hasattr(value := getattr(package, name), "__qualname__")
    }


def incomplete(room: str) -> Iterator[str]:
    """The public names of a room, and their members, whose types are unknown or ambiguous, with the reason."""
    command = ["pyright", "--verifytypes", room, "--ignoreexternal", "--outputjson"]
    done = subprocess.run(command, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)["typeCompleteness"]
    if not found["symbols"]:
        yield f"{room}: pyright finds no symbols: it has to be installed beside pyright, and not in editable mode"
    public = homes(room)
    for symbol in found["symbols"]:
        name = symbol["name"]
        is_public = any(name == own or name.startswith(f"{own}.") for own in public)
        if is_public and (symbol["isTypeAmbiguous"] or not symbol["isTypeKnown"]):
            reasons = [reason["message"].splitlines()[0] for reason in symbol["diagnostics"]]
            yield f"{name}: {'; '.join(reasons)}"


def main() -> int:
    """Prints them; exit status 1 where there are some."""
    lines = [line for room in ROOMS for line in incomplete(room)]
    print("\n".join(lines) or f"the public names of {', '.join(ROOMS)} have full types")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())

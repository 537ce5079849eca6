"""Public names that a package imports when they are first used (PEP 562): importing the package itself is quick.

__getattr__, __dir__ = late(__name__, {"package.module": "Name, own_name as name"})
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any
from warnings import warn

# The modules that names are in, with the names as an import statement has them.
Homes = Mapping[str, str]


def homes_of(homes: Homes) -> dict[str, tuple[str, str]]:
    """For each public name the module that it is in, and what it is called there."""
    found = {}
    for module, names in homes.items():
        for part in names.split(","):
            own, _, public = part.strip().partition(" as ")
            found[public or own] = (module, own)
    return found


def late(
    package: str, homes: Homes, former: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """What a package's `__getattr__` and `__dir__` are: names are found in their homes, and kept.

    `former` has for what public names were called what they are called now; these go with the next release.
    """
    found, now = homes_of(homes), former or {}

    def get(name: str) -> Any:
        home = found.get(name) or found.get(now.get(name, ""))
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(home[0]), home[1])
        if name in now:
            warn(f"{package}.{name} is called {package}.{now[name]}", DeprecationWarning, stacklevel=2)
        else:
            setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *found} - {*now})

    return get, names

"""Python examples of the pages: run as they stand, with what they say each expression gives."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent


def example(page: str, word: str) -> list[Any]:
    """Runs the block of a page in docs/ that has this word; what its commented expressions give, as it says they do."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    block = next(found for found in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if word in found)
    scope: dict[str, Any] = {}
    given = []
    for statement in ast.parse(block).body:
        source = ast.unparse(statement)
        said = re.search(r"  # (.*)$", block.splitlines()[(statement.end_lineno or 1) - 1])
        if isinstance(statement, ast.Expr) and said is not None:
            given.append(eval(source, scope))
            assert given[-1] == ast.literal_eval(said[1]), source
        else:
            exec(source, scope)
    return given

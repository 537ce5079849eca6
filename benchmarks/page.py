"""docs/performance.md, in which each benchmark has a part of its own, between two comments."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rasp.files import read_text, write_whole

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
WRITE = f"put the tables into {PAGE.relative_to(ROOT)}"


def show(benchmark: str, lines: Iterable[str], *, write: bool) -> None:
    """Prints lines as they come; to `write`, puts them into the benchmark's part of the page when all are there."""
    found = []
    for line in lines:
        print(line, flush=True)
        found.append(line)
    if write:
        begin, end = f"<!-- by benchmarks/{benchmark}.py -->", f"<!-- until here, {benchmark} -->"
        before, _, rest = read_text(PAGE).partition(begin)
        write_whole(PAGE, "\n".join([f"{before}{begin}", "", *found, "", f"{end}{rest.partition(end)[2]}"]))

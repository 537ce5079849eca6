"""docs/programs.md lists every program, as its header has it."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "programs.md").read_text(encoding="utf-8")
    heads = r"[\d, ]+ \((?P<predicted>[\d, ]+)\)|(?P<found>[\d, ]+)"
    rows = re.finditer(rf"^\| \[(\w+)\].* \| (\d+) \| (?:{heads}) \| \d+ \| \d+ \| [\d,]+ \|$", page, re.MULTILINE)
    found = [(row[1], row[2], row["predicted"] or row["found"]) for row in rows]
    expected = []
    for path in sorted((ROOT / "programs").glob("*.rasp")):
        header = dict(re.findall(r"^# (layers|heads): +(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE))
        expected.append((path.stem, header["layers"], header["heads"]))
    assert found == expected

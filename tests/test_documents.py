"""The README and the pages of docs/: their commands work, and their links lead somewhere."""

from __future__ import annotations

import argparse
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest

from rasp.__main__ import COMMANDS, main

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(
    (ROOT / "docs").glob("*.md")
)
# Options that leave less to compute, and change nothing else.
SMALLER = {
    "train": ["--steps", "1", "--seeds", "1", "--max-length", "8"],
    "zoo": ["--length", "5"],
    "repl": [],
    "watch": ["--once"],
}
FEWER = {"zoo build programs": "zoo build programs/reverse.rasp", "--count 1000000": "--count 1000"}
COMMAND = re.compile(r"^(?:    |\$ )?(?:rasp|\.venv/bin/rasp) ([a-z].*)$", re.MULTILINE)
INLINE = re.compile(r"`rasp ([a-z][^`]*)`")
RUN_ELSEWHERE = ("tutorial", "lab")  # by a test of its own, and by make lab
PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b|\.\.\.|[|<>]")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)|src=\"([^\"]+)\"")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def words_of(line: str) -> list[str]:
    """The words of a command line, without a remark behind it."""
    return shlex.split(line, comments=True)


def readme_commands() -> list[str]:
    blocks = re.findall(
        r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    return [line for block in blocks for line in COMMAND.findall(block)]


def test_every_command_of_the_readme_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("programs").symlink_to(ROOT / "programs")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    commands = readme_commands()
    assert len(commands) > 10
    for line in commands:
        succeeds(line, capsys)


def succeeds(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command runs, or says what is not installed."""
    for long, short in FEWER.items():
        line = line.replace(long, short)
    words = words_of(line)
    try:
        status = main([*words, *SMALLER.get(words[0], [])])
    except SystemExit as ended:
        status = int(ended.code or 0)
    found = capsys.readouterr()
    assert status == 0 or "is not installed" in found.err, (line, found.err)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.stem not in RUN_ELSEWHERE and COMMAND.search(page.read_text(encoding="utf-8"))],
    ids=name,
)
def test_every_command_of_a_page_works(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    """One after the other, as a reader would."""
    if not request.config.getoption("--commands"):
        pytest.skip("all commands of the pages are run by --commands, as make fuzz does")
    monkeypatch.chdir(tmp_path)
    Path("programs").symlink_to(ROOT / "programs")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    networkx.write_gml(networkx.karate_club_graph(), "karate.gml")
    Path("countdown.rasp").write_text((ROOT / "tests" / "puzzles" / "01.rasp").read_text())
    for line in COMMAND.findall(page.read_text(encoding="utf-8")):
        if not PLACEHOLDER.search(line):
            succeeds(line, capsys)


def commands_of(page: Path) -> Iterator[list[str]]:
    text = page.read_text(encoding="utf-8")
    for line in [*COMMAND.findall(text), *INLINE.findall(text)]:
        if "…" not in line and not PLACEHOLDER.search(line):
            yield words_of(line)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_a_page_names_can_be_read(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its subcommand, its options and its programs are there; those of the tutorial and the README are also run."""
    monkeypatch.chdir(ROOT)
    for words in commands_of(page):
        assert words[0] in COMMANDS, words
        parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
        COMMANDS[words[0]][0]()[0](parser)
        options = {word.split("=")[0] for word in words if word.startswith("--") and len(word) > 2}
        assert options <= set(parser._option_string_actions), words
        programs = [word for word in words if word.startswith("programs/") and "*" not in word]
        assert [path for path in programs if not Path(path).exists()] == []


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in links."""
    headings = re.findall(r"^#+ +(.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for found in LINK.findall(page.read_text(encoding="utf-8")):
        target, _, anchor = "".join(found).partition("#")
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name}: {target}#{anchor}"

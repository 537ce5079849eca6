"""The command line as a person sees it."""

from __future__ import annotations

import io
import sys

import pytest

from rasp.__main__ import main


def run(capsys: pytest.CaptureFixture[str], *argv: str, typed: str = "") -> tuple[int, str, str]:
    """The exit status of a command, what it prints, and what it prints as errors; `typed` is its standard input."""
    before, sys.stdin = sys.stdin, io.StringIO(typed)
    try:
        status = main(argv)
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        sys.stdin = before
    return status, *capsys.readouterr()

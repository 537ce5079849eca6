"""The reader of command lines, and what the help of every subcommand has."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from rasp.streams import put


def examples(parser: argparse.ArgumentParser, *lines: str) -> None:
    """Ends the help of a subcommand with examples, kept as written."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["example:", *("  " + line for line in lines)])


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that prints as everything else here is printed, and takes `--` as the value of an option."""

    def _print_message(self, message: str, file: Any = None) -> None:
        put(file or sys.stderr, message, end="")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # Only after `--option=` does an option come with a lone `--`; there it is a value, not the end of the options.
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            value = self._get_value(action, "--")
            self._check_value(action, value)
            return value
        return super()._get_values(action, arg_strings)

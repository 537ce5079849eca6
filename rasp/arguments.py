"""The reader of command lines, and what the help of every subcommand has."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from rasp.streams import put


def examples(parser: argparse.ArgumentParser, *lines: str, last: str = "") -> None:
    """Ends the help of a subcommand with examples, kept as written, and a last remark."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "\n".join(["example:", *("  " + line for line in lines), *(["", last] if last else [])])


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A question after the known word that is most like another, or nothing."""
    close = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {close[0]}?" if close else ""


class Overview(argparse.HelpFormatter):
    """The help of a command with subcommands, whose names stand further in than its options."""

    def add_argument(self, action: argparse.Action) -> None:
        super().add_argument(action)
        for inner in self._iter_indented_subactions(action):
            needed = len(self._format_action_invocation(inner)) + self._current_indent
            self._action_max_length = max(self._action_max_length, needed)


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that prints as everything else here is printed, takes `--` as the value of an option, and says
    which option or choice may have been meant."""

    def parse_command(self, argv: Sequence[str]) -> argparse.Namespace:
        """The arguments of a subcommand; inputs of one that takes them may stand anywhere."""
        args, extras = self.parse_known_args(argv)
        if hasattr(args, "more_inputs") and not any(word.startswith("-") for word in extras):
            args.more_inputs = [*args.more_inputs, *extras]
        elif extras:
            args.parser.refuse(extras)
        return args

    def refuse(self, words: Sequence[str]) -> NoReturn:
        """Ends with an error that names words which mean nothing here."""
        options = [word.split("=")[0] for word in words if word.startswith("--")]
        close = next(filter(None, (did_you_mean(word, self._option_string_actions) for word in options)), "")
        as_input = "; an input follows -i" if not options and "-i" in self._option_string_actions else ""
        self.error(f"unrecognized arguments: {' '.join(words)}{close}{as_input}")

    def _print_message(self, message: str, file: Any = None) -> None:
        put(file or sys.stderr, message, end="")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = ", ".join(map(str, action.choices))
            close = did_you_mean(str(value), map(str, action.choices))
            raise argparse.ArgumentError(action, f"invalid choice: {value!r} (choose from {known}){close}")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        # Only after `--option=` does an option come with a lone `--`; there it is a value, not the end of the options.
        if action.option_strings and action.nargs is None and arg_strings == ["--"]:
            value = self._get_value(action, "--")
            self._check_value(action, value)
            return value
        return super()._get_values(action, arg_strings)

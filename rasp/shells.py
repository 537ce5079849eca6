"""The subcommand completion: a script that teaches a shell the subcommands, their options and the files they take."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rasp.arguments import examples
from rasp.streams import say

# How a positional argument says which files it takes.
_ENDING = re.compile(r"\.(?:rasp|safetensors|onnx)\b")
_SUMMARY = 60


@dataclass(frozen=True)
class Option:
    """An option: its names, what it does in a few words, its choices, and whether a value follows it."""

    names: tuple[str, ...]
    summary: str
    choices: tuple[str, ...]
    takes_value: bool


@dataclass(frozen=True)
class Command:
    """A subcommand: what it does, its options, the words and the endings of files that may stand behind it."""

    name: str
    summary: str
    options: tuple[Option, ...]
    words: tuple[str, ...]
    endings: tuple[str, ...]


def described(parsers: Mapping[str, tuple[argparse.ArgumentParser, str]]) -> tuple[Command, ...]:
    """What completion should know of some subcommands, each with its parser and what it does."""
    return tuple(_command(name, parser, summary) for name, (parser, summary) in parsers.items())


def _command(name: str, parser: argparse.ArgumentParser, summary: str) -> Command:
    actions = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    positional = [action for action in actions if not action.option_strings]
    words = tuple(str(choice) for action in positional for choice in action.choices or ())
    endings = dict.fromkeys(
        found for action in positional for found in _ENDING.findall(f"{action.metavar} {action.help}")
    )
    options = tuple(_option(action) for action in actions if action.option_strings)
    return Command(name, summary, options, words, tuple(endings))


def _option(action: argparse.Action) -> Option:
    choices = tuple(map(str, action.choices or ()))
    return Option(tuple(action.option_strings), _short(action.help or ""), choices, action.nargs != 0)


def _short(text: str) -> str:
    """The first words of a help text."""
    first = re.split(r"[;:(]", text.replace("%%", "%"))[0].strip()
    return first if len(first) <= _SUMMARY else first[: _SUMMARY - 1] + "…"


# -- bash


def bash(commands: Sequence[Command]) -> str:
    """A script for bash."""
    names = " ".join(command.name for command in commands)
    return "\n".join(
        [
            "# completion of rasp for bash: source <(rasp completion bash)",
            "_rasp() {",
            '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="" word',
            '    local options="" words="" endings=""',
            '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
            f'        case "$word" in {names.replace(" ", "|")}) command="$word"; break ;; esac',
            "    done",
            '    case "$command $prev" in',
            *(f"        {line}" for command in commands for line in _bash_values(command)),
            "    esac",
            '    case "$command" in',
            f'        "") words="{names}"; options="--help --version"; endings="rasp safetensors onnx" ;;',
            *(f"        {_bash_words(command)}" for command in commands),
            "    esac",
            '    if [[ "$cur" == -* ]]; then words="$options"; endings=""; fi',
            '    COMPREPLY=($(compgen -W "$words" -- "$cur"))',
            '    for word in $endings; do COMPREPLY+=($(compgen -f -X "!*.$word" -- "$cur")); done',
            '    if [[ -n "$endings" ]]; then COMPREPLY+=($(compgen -d -- "$cur")); fi',
            "}",
            "complete -o default -o filenames -F _rasp rasp",
        ]
    )


def _bash_values(command: Command) -> Iterator[str]:
    """What may follow an option: its choices, or a file of any kind."""
    for option in command.options:
        patterns = "|".join(f'"{command.name} {name}"' for name in option.names)
        if option.choices:
            choices = " ".join(option.choices)
            yield f'{patterns}) COMPREPLY=($(compgen -W "{choices}" -- "$cur")); return ;;'
        elif option.takes_value:
            yield f'{patterns}) COMPREPLY=($(compgen -f -- "$cur")); return ;;'


def _bash_words(command: Command) -> str:
    options = " ".join(name for option in command.options for name in option.names)
    endings = " ".join(ending.removeprefix(".") for ending in command.endings)
    return f'{command.name}) words="{" ".join(command.words)}"; options="{options}"; endings="{endings}" ;;'


# -- zsh


def zsh(commands: Sequence[Command]) -> str:
    """A script for zsh, to source or to keep as _rasp in a folder of $fpath."""
    return "\n".join(
        [
            "#compdef rasp",
            "# completion of rasp for zsh: source <(rasp completion zsh)",
            "_rasp() {",
            "    local -a subcommands=(",
            *(f"        {shlex.quote(f'{command.name}:{command.summary}')}" for command in commands),
            "    )",
            "    if (( CURRENT == 2 )); then",
            "        _describe subcommand subcommands",
            '        _files -g "*.(rasp|safetensors|onnx)"',
            "        return",
            "    fi",
            "    shift words; (( CURRENT-- ))",
            '    case "$words[1]" in',
            *(line for command in commands for line in _zsh_case(command)),
            "    esac",
            "}",
            'if [[ "$funcstack[1]" == _rasp ]]; then _rasp "$@"; else compdef _rasp rasp; fi',
        ]
    )


def _zsh_case(command: Command) -> Iterator[str]:
    yield f"        {command.name})"
    specs = [_zsh_option(name, option) for option in command.options for name in option.names]
    if command.words:
        specs.append(f"*:word:({' '.join(command.words)})")
    if command.endings:
        specs.append(f'*:file:_files -g "*.({"|".join(ending.removeprefix(".") for ending in command.endings)})"')
    yield "            _arguments \\"
    yield from (f"                {shlex.quote(spec)} \\" for spec in specs[:-1])
    yield f"                {shlex.quote(specs[-1])} ;;"


def _zsh_option(name: str, option: Option) -> str:
    """An option as `_arguments` wants it: its summary in brackets, then what follows it."""
    summary = re.sub(r"([\[\]:\\])", r"\\\1", option.summary)
    value = f":value:({' '.join(option.choices)})" if option.choices else ":value:_files" if option.takes_value else ""
    equals = "=" if value and name.startswith("--") else ""
    return f"*{name}{equals}[{summary}]{value}"


# -- fish


def fish(commands: Sequence[Command]) -> str:
    """A script for fish."""
    return "\n".join(
        [
            "# completion of rasp for fish: rasp completion fish | source",
            "complete -c rasp -f",
            "complete -c rasp -n __fish_use_subcommand -a '(__fish_complete_suffix .rasp)'",
            *(line for command in commands for line in _fish_lines(command)),
        ]
    )


def _fish_lines(command: Command) -> Iterator[str]:
    yield f"complete -c rasp -n __fish_use_subcommand -a {command.name} -d {_fish_quoted(command.summary)}"
    here = f"complete -c rasp -n '__fish_seen_subcommand_from {command.name}'"
    if command.words:
        yield f"{here} -a {_fish_quoted(' '.join(command.words))}"
    yield from (f"{here} -a '(__fish_complete_suffix {ending})'" for ending in command.endings)
    for option in command.options:
        names = " ".join(f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names)
        value = f" -x -a {_fish_quoted(' '.join(option.choices))}" if option.choices else " -rF" * option.takes_value
        yield f"{here} {names}{value} -d {_fish_quoted(option.summary)}"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# -- the subcommand

SHELLS: dict[str, Callable[[Sequence[Command]], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def completion_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp completion`."""
    examples(
        parser,
        "rasp completion bash",
        "rasp completion zsh",
        "rasp completion fish",
        last="For good: `source <(rasp completion bash)` in ~/.bashrc (zsh in ~/.zshrc, after compinit);\n"
        "`rasp completion fish > ~/.config/fish/completions/rasp.fish`.",
    )
    parser.add_argument("shell", choices=list(SHELLS), help="the shell to write a script for")


def completion_run(args: argparse.Namespace, *, commands: Callable[[], Sequence[Command]]) -> int:
    """Prints the script of a shell."""
    say(SHELLS[args.shell](commands()))
    return 0

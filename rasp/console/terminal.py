"""The console at a terminal: reading with history, completion and colours; the session behind it knows none of this."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER, EditingMode
from prompt_toolkit.filters import Condition, emacs_mode, has_focus
from prompt_toolkit.history import FileHistory, History, InMemoryHistory, ThreadedHistory
from prompt_toolkit.input import Input as KeyInput
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout.processors import HighlightMatchingBracketProcessor
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.output import ColorDepth, Output
from prompt_toolkit.output.defaults import create_output
from prompt_toolkit.styles import Style

from rasp.console.background import Background, background
from rasp.console.banner import BANNER, FIRST_EXAMPLE
from rasp.console.completion import NO_NAMES, Names, candidates
from rasp.console.editor import edit_file
from rasp.console.prompt import INDENT, definitions_begun, goes_on, indentation
from rasp.language.highlight import RaspLexer
from rasp.streams import say, warn

if TYPE_CHECKING:
    from rasp.console.console import Console
    from rasp.console.context import Screen
    from rasp.console.session import Reply

PROMPT = ">> "
MORE = ".. "

_STYLE = Style.from_dict(
    {
        "prompt": "bold",
        "bottom-toolbar": "noreverse ansibrightblack",
        "pygments.keyword": "ansimagenta",
        "pygments.keyword.constant": "ansicyan",
        "pygments.operator.word": "ansimagenta",
        "pygments.name.builtin": "ansiblue",
        "pygments.name.builtin.pseudo": "ansicyan",
        "pygments.name.function": "ansiblue",
        "pygments.name.decorator": "ansimagenta",
        "pygments.literal.string": "ansigreen",
        "pygments.literal.number": "ansiyellow",
        "pygments.comment": "ansibrightblack italic",
        "pygments.error": "ansired",
        "matching-bracket.cursor": "bold underline",
        "matching-bracket.other": "bold underline",
    }
)
_DUMB = ("dumb", "unknown")
_RED, _YELLOW, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[0m"


class Terminal:
    """A prompt, and the console behind it, which is made while the first input is typed."""

    def __init__(
        self,
        make_console: Callable[[], Console],
        history: Path,
        color: str = "auto",
        *,
        input: KeyInput | None = None,
        output: Output | None = None,
    ) -> None:
        self._make = make_console
        self._executor = ThreadPoolExecutor(1)
        self._future: Future[Console] | None = None
        self._color = color
        self._on: Background | None = None
        self.prompt = self._new_prompt(kept_history(history), input, output)
        self.prompt.app.after_render += lambda _: self.begin()

    def _new_prompt(self, history: History, input: KeyInput | None, output: Output | None) -> PromptSession[str]:
        return PromptSession(
            PROMPT,
            multiline=True,
            prompt_continuation=MORE,
            history=history,
            enable_history_search=True,
            auto_suggest=AutoSuggestFromHistory(),
            completer=_NameCompleter(self.names),
            complete_in_thread=True,
            lexer=PygmentsLexer(RaspLexer),
            style=_STYLE,
            include_default_pygments_style=False,
            input_processors=[HighlightMatchingBracketProcessor(chars="[](){}")],
            bottom_toolbar=self.status,
            key_bindings=_keys(),
            enable_open_in_editor=True,
            enable_suspend=True,
            tempfile_suffix=".rasp",
            color_depth=color_depth(self._color),
            input=input,
            output=output or create_output(always_prefer_tty=True),
        )

    # -- the console behind the prompt

    def begin(self) -> None:
        """Begins to make the console, if that was not done."""
        if self._future is None:
            self._future = self._executor.submit(self._make)
            self._future.add_done_callback(lambda _: self.prompt.app.invalidate())

    def wait(self) -> Console:
        """The console, once it is there."""
        self.begin()
        assert self._future is not None
        return self._future.result()

    @property
    def known(self) -> Console | None:
        """The console, if it is there already."""
        made = self._future is not None and self._future.done() and self._future.exception() is None
        return self.wait() if made else None

    # -- talking

    def greet(self) -> None:
        """Prints what a console says at its start."""
        say(BANNER)

    def run(self) -> int:
        """Reads and answers until the end of input or a command that ends; the exit status."""
        while True:
            try:
                text = self.read()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return 0
            if text.strip() and self.answer(text):
                return 0

    def read(self) -> str:
        """The next input, over as many lines as it takes."""
        if os.environ.get("TERM", "") in _DUMB:
            return _plain_input()
        return self.prompt.prompt()

    def answer(self, text: str) -> bool:
        """Runs an input and writes the reply; whether the session ended. Ctrl-C stops it, and no more."""
        try:
            console = self.wait()
            console.screen = self._screen()
            console.edit_file, console.ask_background = edit_file, self._background
            reply = console.finish(text)
        except KeyboardInterrupt:
            self._say("interrupted", _YELLOW)
            return False
        self.write(reply)
        self._take_options()
        return reply.ended

    def _screen(self) -> Screen:
        from rasp.console.context import Screen

        return Screen(max(40, shutil.get_terminal_size().columns), colored(self._color) and sys.stdout.isatty())

    def _background(self) -> Background:
        """What the terminal writes on, asked once."""
        if self._on is None:
            self._on = background()
        return self._on

    def write(self, reply: Reply) -> None:
        """Writes a reply in its order, errors and warnings to standard error."""
        for warning in reply.warnings:
            self._say(str(warning), _YELLOW)
        for part in reply.parts:
            if isinstance(part, str):
                say(part, coloured=True)
            else:
                self._say(str(part), _RED)

    def _say(self, text: str, color: str) -> None:
        """Writes to standard error, the first line in colour where there are colours."""
        first, line_end, rest = text.partition("\n")
        if colored(self._color) and sys.stderr.isatty():
            first = f"{color}{first}{_PLAIN}"
        warn(first + line_end + rest, coloured=True)

    def _take_options(self) -> None:
        """Applies what `:set` may have changed."""
        options = self.wait().options
        self._color = options.color
        self.prompt.color_depth = color_depth(options.color)
        self.prompt.editing_mode = EditingMode.VI if options.keys == "vi" else EditingMode.EMACS

    def status(self) -> str:
        """The line at the bottom: the running example and what is switched."""
        now = self.known.status if self.known is not None else f'example "{FIRST_EXAMPLE}"'
        return f" {now}  ·  :help  ·  Ctrl-D leaves"

    def names(self) -> Names:
        """What completion should know."""
        return self.known.completions() if self.known is not None else NO_NAMES


class _NameCompleter(Completer):
    """Candidates as prompt_toolkit wants them."""

    def __init__(self, names: Callable[[], Names]) -> None:
        self.names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        for found in candidates(document.text_before_cursor, self.names()):
            note = f"{found.kind}  {found.note}".rstrip()
            yield Completion(found.text, -found.length, display_meta=note)


class _KeptHistory(FileHistory):
    """A history file; lines that cannot be written are only remembered."""

    def store_string(self, string: str) -> None:
        with suppress(OSError):
            super().store_string(string)


def kept_history(path: Path) -> History:
    """The history in a file, its folder made; one in memory where that cannot be."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError:
        return InMemoryHistory()
    return ThreadedHistory(_KeptHistory(path))


def colored(mode: str) -> bool:
    """Whether to use colours: as `mode` says; where it is "auto", unless NO_COLOR is set or the terminal has none."""
    if mode != "auto":
        return mode == "always"
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM", "") not in _DUMB


def color_depth(mode: str) -> ColorDepth:
    """How many colours the prompt uses: the sixteen of the terminal, so that they suit its background, or none."""
    return ColorDepth.DEPTH_4_BIT if colored(mode) else ColorDepth.DEPTH_1_BIT


def _plain_input() -> str:
    """The next input at a terminal that cannot move its cursor."""
    try:
        text = input(PROMPT)
        while goes_on(text):
            text += "\n" + input(MORE + "  " * definitions_begun(text))
    except (EOFError, KeyboardInterrupt):
        print()
        raise
    return text


# -- keys


def _keys() -> KeyBindings:
    """Enter, Alt-Enter (with vi keys it is Escape, then Enter), Tab and the closing bracket."""
    keys = KeyBindings()
    typing = has_focus(DEFAULT_BUFFER)
    keys.add("enter", filter=typing)(_enter)
    keys.add("escape", "enter", filter=typing & emacs_mode)(_new_line)
    keys.add("tab", filter=typing & Condition(_in_margin))(_indent)
    keys.add("}", filter=typing & Condition(_in_margin))(_outdent)
    return keys


def _enter(event: KeyPressEvent) -> None:
    """Takes a completion; runs a complete text; else begins a new line."""
    buffer = event.current_buffer
    if buffer.complete_state is not None and buffer.complete_state.current_completion is not None:
        buffer.complete_state = None
    elif buffer.document.text_after_cursor.count("\n") or goes_on(buffer.text):
        _new_line(event)
    else:
        buffer.validate_and_handle()


def _new_line(event: KeyPressEvent) -> None:
    buffer = event.current_buffer
    buffer.insert_text("\n" + indentation(buffer.document.text_before_cursor))


def _in_margin() -> bool:
    """Whether only blanks stand before the cursor on a further line."""
    before = get_app().current_buffer.document.text_before_cursor
    return "\n" in before and not before.rpartition("\n")[2].strip()


def _indent(event: KeyPressEvent) -> None:
    event.current_buffer.insert_text(INDENT)


def _outdent(event: KeyPressEvent) -> None:
    buffer = event.current_buffer
    if buffer.document.current_line_before_cursor.endswith(INDENT):
        buffer.delete_before_cursor(len(INDENT))
    buffer.insert_text("}")

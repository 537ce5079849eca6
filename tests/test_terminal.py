"""The terminal layer: keys in through a pipe, and once everything in a real pseudo-terminal."""

import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.input.base import PipeInput
from prompt_toolkit.output import ColorDepth, DummyOutput

from rasp.console import command
from rasp.console.completion import NO_NAMES, candidates
from rasp.console.console import Console
from rasp.console.prompt import definitions_begun, goes_on, indentation
from rasp.console.session import Session
from rasp.console.terminal import Terminal, colored, kept_history
from rasp.doors import Rooms

ROOT = Path(__file__).parent.parent
ENTER, ALT_ENTER, CTRL_C, CTRL_D, TAB, UP, RIGHT = "\r", "\x1b\r", "\x03", "\x04", "\t", "\x1b[A", "\x1b[C"


def console() -> Console:
    return Console(Session(), Rooms())


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[PipeInput]:
    monkeypatch.setenv("TERM", "xterm")
    with create_pipe_input() as pipe:
        yield pipe


@pytest.fixture
def terminal(keys: PipeInput, tmp_path: Path) -> Terminal:
    return Terminal(console, tmp_path / "state" / "history", input=keys, output=DummyOutput())


Typing = Callable[[str], tuple[str, str]]


@pytest.fixture
def typing(keys: PipeInput, terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> Typing:
    """What stands on standard output and standard error after these keys, and Ctrl-D."""

    def type_keys(text: str) -> tuple[str, str]:
        keys.send_text(text + CTRL_D)
        assert terminal.run() == 0
        return capsys.readouterr()

    return type_keys


VALUE = "    value: {} =  {}\n"


def test_a_complete_statement_runs(typing: Typing) -> None:
    assert typing("1 + 1" + ENTER) == (VALUE.format("out", 2), "")


def test_an_incomplete_one_goes_on(typing: Typing) -> None:
    text = ENTER.join(["def f(x) {", "return x + 1;", "}", "f(", "1", ")", ""])
    assert typing(text)[0] == "     console function: f(x)\n" + VALUE.format("out", 2)


def test_lines_are_indented(keys: PipeInput, terminal: Terminal) -> None:
    keys.send_text(ENTER.join(["def f(x) {", "for i in [1] {", "x = i;", "}", "return x;", "}", ""]))
    assert terminal.read() == (
        "def f(x) {\n    for i in [1] {\n        x = i;\n    }\n    return x;\n}"
    )  # fmt: skip


def test_tab_indents_in_the_margin(keys: PipeInput, terminal: Terminal) -> None:
    keys.send_text("x = 1" + ALT_ENTER + TAB + "+ 1" + ENTER)
    assert terminal.read() == "x = 1\n    + 1"


def test_alt_enter_begins_a_new_line(typing: Typing) -> None:
    assert typing("x = 1;" + ALT_ENTER + "y = 2" + ENTER)[0] == VALUE.format("x", 1) + VALUE.format("y", 2)


def test_enter_inside_a_text_begins_a_new_line(keys: PipeInput, terminal: Terminal) -> None:
    keys.send_text("x = 1;" + ALT_ENTER + "y = 2" + UP + ENTER + "\x1b[B\x05" + ENTER)
    assert terminal.read().count("\n") == 2


def test_a_pasted_block_is_one_input(typing: Typing) -> None:
    pasted = "\x1b[200~a = 1;\ndef g(x) {\n  return x;\n}\n\x1b[201~"
    assert typing(pasted + ENTER)[0] == VALUE.format("a", 1) + "     console function: g(x)\n"


def test_mistakes_do_not_wait_for_more(typing: Typing) -> None:
    out, err = typing("x = );" + ENTER + "2" + ENTER)
    assert out == VALUE.format("out", 2)
    assert err.startswith("<console>:1:5: syntax error")


def test_ctrl_c_clears_the_line(typing: Typing) -> None:
    assert typing("x = (1" + ENTER + "2" + CTRL_C + "3" + ENTER) == (VALUE.format("out", 3), "")


def test_ctrl_d_deletes_where_there_is_text(typing: Typing) -> None:
    assert typing("12\x01" + CTRL_D + ENTER)[0] == VALUE.format("out", 2)


def test_ctrl_c_stops_a_run(typing: Typing, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Session, "finish", interrupted)
        assert typing("1" + ENTER) == ("", "interrupted\n")
    assert typing("2" + ENTER) == (VALUE.format("out", 2), "")


@pytest.mark.parametrize("end", ["exit", "quit()", ":quit", ":q"])
def test_commands_that_leave(keys: PipeInput, terminal: Terminal, end: str) -> None:
    keys.send_text(end + ENTER)
    assert terminal.run() == 0


def test_colon_commands_are_answered(typing: Typing) -> None:
    out, err = typing(":type indices + 1" + ENTER + "?sort" + ENTER + ":nope" + ENTER)
    assert out.startswith("indices + 1: s-op of ints, no layers\nsort(seq, key)")
    assert err.startswith("name error: there is no command :nope")


def test_options_are_followed(typing: Typing, terminal: Terminal) -> None:
    typing(":set color never" + ENTER + ":set keys vi" + ENTER)
    assert terminal.prompt.color_depth is ColorDepth.DEPTH_1_BIT
    assert terminal.prompt.editing_mode.value == "VI"


def test_history_is_kept(keys: PipeInput, terminal: Terminal, tmp_path: Path) -> None:
    keys.send_text("x = (" + ENTER + "1)" + ENTER + "y" + ENTER)
    typed = [terminal.read(), terminal.read()]
    assert typed == ["x = (\n    1)", "y"]
    assert list(kept_history(tmp_path / "state" / "history").load_history_strings()) == typed[::-1]


def test_history_suggests(keys: PipeInput, terminal: Terminal) -> None:
    keys.send_text("some_name = 1" + ENTER)
    terminal.read()

    def accept(_: object) -> None:
        if terminal.prompt.default_buffer.suggestion is not None:
            keys.send_text(RIGHT + ENTER)

    terminal.prompt.default_buffer.on_suggestion_set += accept
    keys.send_text("some")
    assert terminal.read() == "some_name = 1"


def test_history_without_a_place_is_in_memory(tmp_path: Path, keys: PipeInput) -> None:
    (tmp_path / "file").write_text("")
    history = kept_history(tmp_path / "file" / "history")
    history.append_string("x")
    assert history.get_strings() == ["x"]


def test_completion_by_tab(keys: PipeInput, terminal: Terminal) -> None:
    keys.send_text("select_next" + TAB)

    def enter(_: object) -> None:
        if terminal.prompt.default_buffer.text.endswith("identical"):
            keys.send_text(ENTER)

    terminal.prompt.default_buffer.on_text_changed += enter
    assert terminal.read() == "select_next_identical"


# -- what is known without a terminal


@pytest.mark.parametrize(
    ("text", "more"),
    [("x = (", True), ("def f() {", True), ("x = 1", False), ("x = )", False), ("", False), (":type (", False),
     ("? (", False), ("for i in [1] { x = i;", True), ("[1,", True), ("1 +", True)],
)  # fmt: skip
def test_what_goes_on(text: str, more: bool) -> None:
    assert goes_on(text) is more


def test_indentation() -> None:
    assert indentation("def f() { x = [1,") == " " * 8
    assert indentation("}") == ""


def words(before: str, given: Console | None = None) -> dict[str, tuple[str, str]]:
    names = NO_NAMES if given is None else given.completions()
    return {found.text: (found.kind, found.note) for found in candidates(before, names)}


def test_completion_has_kinds_and_notes() -> None:
    known = console()
    known.push(
        "same = select(tokens, tokens, ==); some = selector_width(same); def sum(a, b) { return a + b; } sx = 2;"
    )
    found = words("y = s", known)
    assert found["same"] == ("selector", "select(tokens, tokens, ==)")
    assert found["some"] == ("s-op", "selector_width(same)")
    assert found["sum"] == ("function", "sum(a, b)")
    assert found["sx"] == ("value", "2")
    assert found["sort"] == ("function", "sort(seq, key): seq in the rising order of key; ties keep their order")
    assert found["select"][0] == "form"
    assert "set example" not in found
    assert words("s", known)["set example"][0] == "command"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("examples o", {"on", "off"}), ("s-op examples ", {"on", "off"}), ("set ", {"example", "s-op example",
         "selector example"}), ("full seq display ", {"on", "off"}), (":tr", {"trace"}), (":l", {"layers", "load"}),
        (":set col", {"color"}), (":set color ", {"auto", "always", "never"}), (":help :co", {":compile"}),
        ("?sort", {"sort"}), (":type has", {"has_focus"}), ('x = "sel', set()), ("# sel", set()), ("1 + ", set()),
        ("x.", set()), ("set example le", {"len", "length"}),
    ],
)  # fmt: skip
def test_completion(before: str, expected: set[str]) -> None:
    assert set(words(before, console())) == expected


def test_completion_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("lib.rasp", "list.txt", ".hidden.rasp"):
        (tmp_path / name).write_text("")
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "a.rasp").write_text("")
    assert words('load "li') == {"lib": ("file", ""), "lists/": ("folder", "")}
    assert set(words("load 'lists/")) == {"a"}
    assert set(words(":load li", console())) == {"lib.rasp", "lists/"}
    assert words('load "nowhere/') == {}


@pytest.mark.parametrize(
    ("mode", "variables", "expected"),
    [("auto", {}, True), ("auto", {"NO_COLOR": "1"}, False), ("auto", {"NO_COLOR": ""}, True),
     ("always", {"NO_COLOR": "1"}, True), ("never", {}, False), ("auto", {"TERM": "dumb"}, False)],
)  # fmt: skip
def test_colors(monkeypatch: pytest.MonkeyPatch, mode: str, variables: dict[str, str], expected: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in ({"TERM": "xterm"} | variables).items():
        monkeypatch.setenv(name, value)
    assert colored(mode) is expected


def test_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/someone")
    assert command.history_file() == tmp_path / "rasp" / "history"
    assert command.init_file() == Path("/home/someone/.config/rasp/init.rasp")


def test_the_status_line(terminal: Terminal) -> None:
    assert terminal.status().startswith(' example "hello"')
    terminal.wait().push('set s-op example "ab"')
    terminal.wait().push("selector examples off")
    assert terminal.status().startswith(' s-op "ab"  ·  selector "hello"  ·  selector examples off  ·')


# -- a real terminal


class Screen:
    """`rasp` in a pseudo-terminal: keys are sent, and text is waited for."""

    def __init__(self, folder: Path, *argv: str, **variables: str) -> None:
        import fcntl
        import pty
        import termios

        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
        environment = {"PYTHONPATH": str(ROOT), "HOME": str(folder), "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rasp", *argv], stdin=slave, stdout=slave, stderr=slave, cwd=folder,
            env=os.environ | environment | variables, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.seen = ""

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *failure: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def send(self, keys: str) -> None:
        self.seen = ""
        os.write(self.master, keys.encode())

    def expect(self, text: str) -> None:
        """Waits until this text stands in what came since the last keys, colours left out."""
        self.until(lambda: text in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.seen), text)

    def expect_prompt(self) -> None:
        """Waits until a prompt reads keys: it then asks for pasted text to be marked."""
        self.until(lambda: "\x1b[?2004h" in self.seen, "a prompt")

    def until(self, there: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + 30
        while not there():
            ready, _, _ = select.select([self.master], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{what!r} is not in {self.seen!r}"
            self.seen += os.read(self.master, 65536).decode(errors="replace")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_real_terminal(tmp_path: Path) -> None:
    (tmp_path / "lib.rasp").write_text("x = indices * 2;\n")
    (tmp_path / ".config" / "rasp").mkdir(parents=True)
    (tmp_path / ".config" / "rasp" / "init.rasp").write_text('set example "abc"\n:set keys emacs\n')
    with Screen(tmp_path, "-i", "lib") as screen:
        screen.expect("running example is: hello")
        screen.expect("     s-op: x")
        screen.expect_prompt()
        screen.send("x" + ENTER)
        screen.expect('x("abc") = [0, 2, 4] (ints)')
        screen.expect_prompt()
        screen.send("for i in range(1000000) { y = indices + i; }" + ENTER)
        time.sleep(0.5)
        os.killpg(screen.process.pid, signal.SIGINT)
        screen.expect("interrupted")
        screen.expect_prompt()
        screen.send("nothing" + ENTER)
        screen.expect("name error")
        screen.expect_prompt()
        screen.send(CTRL_D)
        assert screen.process.wait(10) == 0
    assert "+nothing" in (tmp_path / ".local/state/rasp/history").read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_dumb_terminal(tmp_path: Path) -> None:
    with Screen(tmp_path, TERM="dumb") as screen:
        screen.expect(">> ")
        screen.send("x = (1\n")
        screen.expect(".. ")
        screen.send(")\n")
        screen.expect("value: x =  1")
        screen.send("def f() {\n")
        screen.expect("..   ")
        screen.send("return 1; }\n")
        screen.expect("function: f()")
        screen.send("nothing\n")
        screen.expect("name error")
        assert "\x1b" not in screen.seen
        screen.send(CTRL_D)
        assert screen.process.wait(10) == 0


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("x = {", 0),
        ("for i in l {", 0),
        ("def f()", 1),
        ("def f() { for i in l { x=1; }", 1),
        ("def f() { def g() { x = {1: 2};", 2),
        ("def f() { def g() { return 1; }", 1),
        ("def f() { return 1; }", 0),
    ],
)
def test_definitions_begun(text: str, count: int) -> None:
    assert definitions_begun(text) == count


def test_the_prompt_needs_nothing_heavy() -> None:
    heavy = ["numpy", "torch", "matplotlib", "lark", "compiler", "viz"]
    ours = "rasp.__main__, rasp.console.command, rasp.console.terminal"
    code = f"import sys, {ours}; print([name for name in {heavy} if name in sys.modules])"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == "[]\n"

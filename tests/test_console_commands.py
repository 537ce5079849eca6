"""The colon commands that go back, that compile, and that draw; help without a colon."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compiler.artifact import load
from rasp.console.background import Background, background, of_answer
from rasp.console.completion import candidates
from rasp.console.console import Console
from rasp.console.context import Screen
from rasp.console.editor import edit_file
from rasp.console.session import Session
from rasp.doors import Rooms

HIST = "hist = selector_width(select(tokens, tokens, ==));"


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.chdir(tmp_path)
    return Console(Session(Rooms().draw), Rooms())


@pytest.fixture
def fresh(console: Console) -> Console:
    assert not console.push(HIST).errors
    return console


def complaint(console: Console, text: str) -> str:
    (error,) = console.push(text).errors
    return str(error)


# -- help


@pytest.mark.parametrize(
    ("text", "command"),
    [("help", ":help"), ("help()", ":help"), (" help ; ", ":help"), ("help select", ":help select"),
     ('help("select")', ":help select"), ("help(select);", ":help select"), ("help :trace", ":help :trace"),
     ("help set example", ":help set example"), ("?", ":help"), ("?select", ":help select")],
)  # fmt: skip
def test_help_needs_no_colon(text: str, command: str, console: Console) -> None:
    assert console.finish(text).text == console.finish(command).text != ""


def test_help_is_a_variable_where_it_was_set(console: Console) -> None:
    assert console.push("help = 3; help;").text == "    value: help =  3\n    value: help =  3"
    assert console.push("help").text == "    value: help =  3"


def test_a_pipe_has_no_plain_help(console: Console) -> None:
    assert console.push("help", closed=False).incomplete


# -- names, undo, history, time


def test_names_lists_what_is_set(fresh: Console) -> None:
    fresh.screen = Screen(100)
    fresh.push("k = [1, 2]; def f(x) { return x; } same = select(tokens, tokens, ==);")
    assert fresh.push(":names").text.splitlines() == [
        "  hist  s-op of ints, 1 layer, heads [1]                selector_width(same)",
        "  k     list of 2 elements",
        "  f     function of 1 argument, defined at the console",
        "  same  selector, no layers                             select(tokens, tokens, ==)",
    ]


def test_names_of_an_empty_session(console: Console) -> None:
    assert "nothing is set" in console.push(":names").text


def test_undo_takes_back_what_was_set(fresh: Console) -> None:
    fresh.push("x = 1;")
    fresh.push("x;")
    fresh.push("x = 2;\ny = 3;")
    assert fresh.push(":undo").text == "undone: x = 2; …"
    assert fresh.push("x;").text == "    value: x =  1"
    assert complaint(fresh, "y;").startswith("<console>:1:1: name error")
    assert fresh.push(":u").text == "undone: x = 1;"
    assert fresh.push(":undo").text == f"undone: {HIST}"
    assert complaint(fresh, ":undo") == "data error: there is nothing to undo"


def test_undo_takes_back_settings_and_loads(fresh: Console) -> None:
    Path("p.rasp").write_text('# input: "ab"\n# vocab: ab\n\nz = 1;\n')
    fresh.push(":load p.rasp")
    assert fresh.push(":undo").text == "undone: :load p.rasp"
    assert (fresh.session.settings.sop_example.given, fresh.header.vocabulary) == ("hello", None)
    fresh.push('set example "abc"')
    fresh.push(":undo")
    assert fresh.session.settings.sop_example.given == "hello"


def test_what_was_undone_is_not_saved(fresh: Console) -> None:
    fresh.push("x = 1;")
    fresh.push(":undo")
    fresh.push(":save kept")
    assert "x" not in Path("kept.rasp").read_text().replace("index", "")


def test_history_lists_what_was_typed(fresh: Console) -> None:
    fresh.push("x = (1\n+ 1);")
    assert fresh.push(":history").text == f"   1  {HIST}\n   2  x = (1\n      + 1);"
    assert fresh.push(":history 1").text == "   3  :history"
    assert "is a number" in complaint(fresh, ":history all")


def test_time_says_how_long_it_took(fresh: Console) -> None:
    said = fresh.push(":time x = 1;").text
    assert re.fullmatch(r"    value: x =  1\ntook \d+\.\d{3} s", said)
    assert "hist: s-op" in fresh.push(":time :type hist").text
    assert fresh.push("x;").text == "    value: x =  1"
    assert "nothing to time" in complaint(fresh, ":time")


# -- edit


def editor(old: str, new: str) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        path.write_text(path.read_text().replace(old, new))

    return edit


def test_edit_runs_the_last_input_changed(fresh: Console) -> None:
    fresh.edit_file = editor("hist", "count_all")
    assert "s-op: count_all" in fresh.push(":edit").text
    assert fresh.push(":edit").text == "nothing was changed, so nothing is run"


def test_edit_runs_the_definition_of_a_name(fresh: Console) -> None:
    fresh.push("x = 1;")
    fresh.edit_file = editor("tokens, tokens", "tokens, 'l'")
    assert 'hist("hello") = [2]*5 (ints)' in fresh.push(":edit hist").text
    assert "no statement of this session sets y" in complaint(fresh, ":edit y")


def test_edit_loads_a_file_again(fresh: Console) -> None:
    Path("p.rasp").write_text("z = 1;\n")
    fresh.edit_file = editor("1", "2")
    assert fresh.push(":edit p.rasp").text == "    value: z =  2"


def test_without_a_terminal_there_is_no_editor(fresh: Console) -> None:
    assert "no editor here" in complaint(fresh, ":edit")


def test_the_editor_is_that_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_text("a")
    monkeypatch.setenv("VISUAL", "sed -i s/a/b/")
    edit_file(path)
    assert path.read_text() == "b"


# -- models


def test_run_gives_what_the_weights_give(fresh: Console) -> None:
    assert fresh.push(':run hist "hell"').text == '  the weights on "hell": [1, 1, 2, 2] (ints)'
    assert "not in the vocabulary" in complaint(fresh, ":run hist abc")
    fresh.push(":compile hist --vocab a-c --max-length 3")
    assert fresh.push(":run hist abc").text == '  the weights on "abc": [1]*3 (ints)'


def test_verify_compares_the_weights(fresh: Console) -> None:
    said = fresh.push(":verify hist").text
    assert said.startswith(
        "hist: interpreter, reference and torch agree on 1,364 inputs (all inputs)\n  certified: exact"
    )


def test_a_model_is_saved(fresh: Console) -> None:
    assert "nothing has been compiled yet" in complaint(fresh, ":save m.safetensors")
    fresh.push(":compile hist --vocab ab --max-length 3")
    assert fresh.push(":save m.safetensors").text == "hist saved as m.safetensors"
    assert load("m.safetensors").run("aab").output == [2, 2, 1]
    assert "there is a file m.safetensors already" in complaint(fresh, ":save m.safetensors")


def test_report_writes_a_page(fresh: Console) -> None:
    assert fresh.push(":report hist aab").text == "     report: comp_flows/hist(aab).html"
    assert "hist" in Path("comp_flows/hist(aab).html").read_text()


def test_report_takes_several_s_ops_and_a_mask(fresh: Console) -> None:
    fresh.push('far = aggregate(select(indices, length - 1, ==), tokens, "-");')
    assert fresh.push(":report hist, far aab --causal").text == "     report: comp_flows/hist, far(aab).html"
    page = Path("comp_flows/hist, far(aab).html").read_text()
    data = json.loads(re.findall(r'type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL)[0])
    assert [output["name"] for output in data["outputs"]] == ["hist", "far"]
    assert data["inputs"][0]["values"] == [["1", "2", "1"], ["a", "a", "b"]]
    assert ":report NAME[, NAME..] [INPUT]" in complaint(fresh, ":report hist,")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (":draw hist aab --kind heads", "hist(aab)-heads.pdf"),
        (":draw hist --kind flow", "hist(hello)-flow.pdf"),
        (":draw same", "same(hello)-selector.pdf"),
        (':draw hist "a --b" --kind=compare', "hist(a --b)-compare.pdf"),
    ],
)
def test_draw_takes_a_kind(text: str, name: str, fresh: Console) -> None:
    fresh.push("same = select(tokens, tokens, ==);")
    assert fresh.push(text).text == f"     drawing: comp_flows/{name}"
    assert Path("comp_flows", name).read_bytes().startswith(b"%PDF")


def drawn(console: Console, text: str) -> str:
    reply = console.push(text)
    assert not reply.errors, reply.errors
    return reply.text.removeprefix("     drawing: ")


def test_draw_says_how_a_picture_looks(fresh: Console) -> None:
    wide, dark = drawn(fresh, ":draw hist --width 3"), drawn(fresh, ":draw hist aab --dark --output dark.svg")
    assert (wide, dark) == ("comp_flows/hist(hello)-flow.png", "dark.svg")
    assert Path(wide).read_bytes()[:4] == b"\x89PNG"
    drawn(fresh, ":draw hist aab --output light.svg")
    assert Path("dark.svg").read_text() != Path("light.svg").read_text()
    drawn(fresh, ":draw hist aab --kind heads --colors Greens --dpi 20 --output small.png")
    assert 8 < int.from_bytes(Path("small.png").read_bytes()[16:20], "big") < 200


def test_draw_takes_a_layer_a_head_and_a_mask(fresh: Console) -> None:
    assert drawn(fresh, ":draw hist aab --layer 1 --head 1 --output one.svg") == "one.svg"
    assert drawn(fresh, ":draw hist aab --numbers --output all.svg") == "all.svg"
    assert drawn(fresh, ":draw hist aab --numbers --causal --output causal.svg") == "causal.svg"
    assert Path("all.svg").read_text() != Path("causal.svg").read_text()
    assert "there is no head 2" in complaint(fresh, ":draw hist aab --layer 1 --head 2")
    assert "--layer, --head and --numbers are for pictures of heads" in complaint(
        fresh, ":draw hist --kind flow --head 1"
    )
    assert "--head is a number from 1 on, not 0" in complaint(fresh, ":draw hist --head 0")
    assert "there is no colour map Green; did you mean Greens?" in complaint(fresh, ":draw hist --colors Green")
    assert "a picture needs a size above 0" in complaint(fresh, ":draw hist --scale 0")


def test_a_picture_is_opened_when_asked(fresh: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def browse(uri: str) -> bool:
        opened.append(uri)
        return len(opened) == 1

    monkeypatch.setattr("webbrowser.open", browse)
    fresh.push(":draw hist")
    assert opened == []
    fresh.push(":draw hist --open")
    assert opened[0].endswith("/comp_flows/hist%28hello%29-flow.pdf")
    assert "nothing here that shows" in complaint(fresh, ":draw hist --open")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (":compile hist --vocabs a-c", "cannot read --vocabs here; did you mean --vocab?"),
        (":compile hist --prefer smal", "--prefer is one of auto, depth, small, not smal; did you mean small?"),
        (":draw hist --kind head", "did you mean heads?"),
        (":draw hist --kind", "--kind needs a value"),
        (":set colour never", "there is no option colour; did you mean color?"),
        (":compille hist", "there is no command :compille; did you mean :compile?"),
    ],
)
def test_options_and_commands_are_corrected(text: str, words: str, fresh: Console) -> None:
    assert words in complaint(fresh, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (":compile hist --", ["--vocab", "--max-length", "--dtype", "--prefer"]),
        (":compile hist --dtype float3", ["float32"]),
        (":c hist --prefer=", ["auto", "depth", "small"]),
        (":draw hist abc --ki", ["--kind"]),
        (":draw hist --kind w", ["weights"]),
        (":set background ", ["auto", "dark", "light"]),
        (":verify hi", ["hist"]),
    ],
)
def test_options_complete(text: str, expected: list[str], fresh: Console) -> None:
    assert [found.text for found in candidates(text, fresh.completions())] == expected


def test_options_complete_with_a_note_on_what_follows(fresh: Console) -> None:
    notes = {found.text: found.note for found in candidates(":draw hist --", fresh.completions())}
    assert notes["--layer"] == "a number from 1 on"
    assert notes["--kind"].startswith("flow, heads, ")
    assert notes["--dark"] == ""


@pytest.mark.parametrize(
    ("short", "name"), [("t", "type"), ("tr", "trace"), ("r", "reload"), ("h", "help"), ("s", "save"), ("l", "layers")]
)
def test_the_shortest_forms_keep_their_meaning(short: str, name: str, console: Console) -> None:
    from rasp.console.commands import COMMANDS, command

    assert command(short) is COMMANDS[name]


# -- the screen


def test_trace_takes_the_width_of_the_terminal(fresh: Console) -> None:
    narrow = fresh.push(":trace hist abcdefghijklmnopqrst").text
    fresh.screen = Screen(200)
    wide = fresh.push(":trace hist abcdefghijklmnopqrst").text
    assert "positions 0 to" in narrow
    assert "positions" not in wide
    assert max(map(len, wide.splitlines())) > 80 >= max(map(len, narrow.splitlines()))


@pytest.mark.parametrize(("said", "word"), [("dark", "lighter"), ("light", "darker"), ("unknown", "fuller")])
def test_more_attention_looks_as_it_is_said_to(said: Background, word: str, fresh: Console) -> None:
    fresh.ask_background = lambda: said
    assert f"a row is a query, {word} is more attention" in fresh.push(":heads hist").text
    fresh.push(":set background light")
    assert "darker is more" in fresh.push(":heads hist").text


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("\x1b]11;rgb:0000/0000/0000\x1b\\\x1b[?6c", "dark"),
        ("\x1b]11;rgb:ffff/ffff/dddd\x07\x1b[?6c", "light"),
        ("\x1b]11;rgb:28/2c/34\x07", "dark"),
        ("\x1b[?6c", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_background_a_terminal_answers(answer: str, expected: str) -> None:
    assert of_answer(answer) == expected


@pytest.mark.parametrize(("value", "expected"), [("15;0", "dark"), ("0;15", "light"), ("0;default;15", "light")])
def test_the_background_of_the_environment(value: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORFGBG", value)
    assert background() == expected


def test_a_terminal_is_asked_what_it_writes_on() -> None:
    """A pseudo-terminal answers, as a dark one does."""
    master, slave = os.openpty()
    code = "from rasp.console.background import background; print(background())"
    environment = {name: value for name, value in os.environ.items() if name != "COLORFGBG"}
    environment["PYTHONPATH"] = str(Path(__file__).parent.parent)
    asking = subprocess.Popen([sys.executable, "-c", code], stdin=slave, stdout=slave, env=environment)
    os.close(slave)
    assert b"\x1b]11;?" in os.read(master, 1024)
    os.write(master, b"\x1b]11;rgb:1111/2222/3333\x1b\\\x1b[?62;4c")
    assert asking.wait(20) == 0
    assert b"dark" in os.read(master, 1024)
    os.close(master)


EDGES = '{"tokens": ["a", "b"], "edges": [[0, 1]]}'
NAMED = "({'tokens': ['a', 'b'], 'edges': [[0, 1]]})".translate({ord("'"): "_", ord(":"): "_"})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (":graph", "example"),
        (":graph degree", "degree"),
        (f":graph degree {EDGES}", "degree"),
        (":draw degree", "degree"),
    ],
)
def test_graph_draws_the_example(text: str, name: str, fresh: Console) -> None:
    fresh.push(f"set example {EDGES}")
    fresh.push('degree = selector_width(relation("edges"));')
    kind = ".pdf" if text.startswith(":draw") else "-graph.pdf"
    assert (fresh.push(text).text or "").endswith(f"drawing: comp_flows/{name}{NAMED}{kind}")


def test_a_graph_is_written_as_text(fresh: Console) -> None:
    fresh.push(f"set example {EDGES}")
    fresh.push('degree = selector_width(relation("edges"));')
    assert fresh.push(":graph").text.splitlines()[:3] == ["input: edges, from key to query", "  0  a", "  1  b  from 0"]
    lines = fresh.push(":graph degree").text.splitlines()
    assert lines[3:6] == [
        'layer 1, head 1: relation("edges") (width); on the vertices: degree',
        "  0  a  0  ━━━━━━━━ 1 on BOS",
        "  1  b  1  ━━━━ 0.5 on 0, BOS",
    ]


def test_heads_steps_and_weights_take_graphs(fresh: Console) -> None:
    fresh.push(f"set example {EDGES}")
    fresh.push('edges = relation("edges");')
    fresh.push("hit = selector_width((edges or select(indices, indices, ==)) and select(tokens, 'b', ==));")
    assert fresh.push(":heads hit").text.splitlines()[-4:] == ["a · ×  ∅", "b · ██", "", "×: hidden by the mask"]
    assert "·×   ·█  marks" in fresh.push(":trace hit").text
    assert "the weights on" in fresh.push(":run hit").text
    assert fresh.push(":run hit").text.endswith(": [0, 1] (ints)")

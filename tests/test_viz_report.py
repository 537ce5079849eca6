"""The report page: what it holds, and how it behaves in a real browser."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.pipeline import compile_sop
from compiler.run.model import CompiledModel
from compiler.source_map import SourceMap
from rasp.__main__ import main
from rasp.errors import DataFault, RaspError
from rasp.graph import SOp, Tokens, aggregate, full, indicator, indices, length, select, tokens, tokens_asis
from rasp.inputs import parse_input, sequence_of, tokens_of
from rasp.interpret import run
from rasp.language.header import header_of
from rasp.language.program import Program, load_program
from rasp.operations import Atom
from rasp.relations import given_graph
from rasp.vocabulary import parse_vocabulary, vocabulary_of
from tests.chromium import Chromium, installed
from viz.report_page import report
from viz.report_page import report_of as report_of_model
from viz.report_page.content import contents, line_of, shown, sparse
from viz.report_page.page import page

PROGRAMS = sorted((Path(__file__).parent.parent / "programs").glob("*.rasp"))
REVERSE = Path(__file__).parent.parent / "programs" / "reverse.rasp"
flipped = length - indices - 1
flip = select(indices, flipped)
reverse = aggregate(flip, tokens)
ODD = ["<script>", '"', "&", "'", " ", "</script><b>", "\u2028"]


def header(path: Path, word: str) -> str:
    """What a bundled program's header says: its input, its vocabulary."""
    found = re.search(rf"^# {word}: {{1,4}}(.*)$", path.read_text(), re.MULTILINE)
    assert found
    return found[1]


def report_of(path: Path, vocabulary: str, inputs: Sequence[Sequence[Atom]]) -> tuple[Program, str]:
    program = load_program(path)
    text = report(
        program.sop(),
        inputs,
        vocab=parse_vocabulary(vocabulary),
        program=program,
    )
    return program, text


def data_of(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_a_sparse_matrix_holds_every_number() -> None:
    matrix = np.zeros((3, 4))
    matrix[0, 0], matrix[1, 3], matrix[2, 0] = 2.5, -1, 2.5
    packed = sparse(matrix)
    again = np.zeros(12)
    places = np.cumsum(packed["cells"][::2]) - 1
    again[places] = [packed["values"][code] for code in packed["cells"][1::2]]
    assert (again.reshape(packed["shape"]) == matrix).all()


def test_atoms_are_written_as_the_interpreter_writes_them() -> None:
    assert [shown(atom) for atom in (True, False, 1, 1.0, -0.0, 0.5, 1 / 3, 1e12, 1e20, "x")] == [
        "T", "F", "1", "1.0", "-0.0", "0.5", "0.333333333333", "1e+12", "1e+20", "x",
    ]  # fmt: skip


def test_a_direction_has_the_line_of_the_node_it_is_named_after() -> None:
    lines = {"length": 1, "flip": 2, "select(a, b)": 3}
    assert [line_of(name, lines) for name in ("flip", "1/(length + 1)", "tokens")] == [2, 1, None]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_bundled_programs_make_small_pages(path: Path) -> None:
    given = tokens_of(parse_input(header(path, "input")))
    _, text = report_of(path, header(path, "vocab"), [given])
    assert len(text.encode()) < 1_000_000
    assert data_of(text)["live"]


def test_the_same_input_makes_the_same_bytes() -> None:
    assert report(reverse, ["abc"]) == report(reverse, ["abc"])


def test_a_notebook_shows_a_page_in_a_frame() -> None:
    shown_page = report(reverse, ["abc"])._repr_html_()
    assert shown_page.startswith('<iframe sandbox="allow-scripts"')
    assert shown_page.count("<") == 2


def test_the_policy_lets_in_only_what_is_in_the_file() -> None:
    text = report(reverse, ["abc"])
    assert re.search(r"Content-Security-Policy\" content=\"default-src 'none'; script-src 'sha256-", text)
    assert not re.search(r"https?://|src=|@import|url\(", text)


@dataclass(frozen=True)
class OnInput:
    tokens: Sequence[Atom]
    wanted: Sequence[Atom] = ()
    answers: Sequence[Atom] = ()
    pairs: Sequence[tuple[int, str, Any, Any]] = ()
    fault: str | None = None


@dataclass(frozen=True)
class Trained:
    said: Sequence[str]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    inputs: Sequence[OnInput]


def test_odd_tokens_of_a_trained_model_stay_text_and_its_pictures_are_let_in() -> None:
    pairs = [(1, "<i>flip</i>", np.eye(8), np.eye(8))]
    inputs = [OnInput(ODD, ODD, ODD, pairs), OnInput(["<i>"], fault="no <i>")]
    text = report(reverse, [ODD], trained=Trained(["<i>said</i>"], ["<i>"], [["<i>cell</i>"]], inputs))
    assert text.count("<script") == 2
    assert "<i>" not in text
    assert text.count("<img") == 1
    assert "img-src data:" in text


def test_odd_tokens_and_programs_cannot_leave_their_place() -> None:
    model = compile_sop(reverse, ODD, 5, dtype="float64", name="</title><i>")
    text = page(contents(model, [ODD[:5]]), 'x = "</li><i>";')
    assert text.count("<script") == 2
    assert "<i>" not in text
    assert data_of(text)["vocabulary"] == ODD


def test_lines_of_loaded_programs_are_not_taken_for_lines_of_this(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    path = REVERSE.with_name("dyck3.rasp")
    assert main(["report", str(path), "-i", "()", "-o", str(target)]) == 0
    data = data_of(target.read_text(encoding="utf-8"))
    lines = [head["line"] for layer in data["layers"] for head in layer["heads"]]
    assert lines == [None] * 3


def test_a_large_model_stays_out_of_the_page_and_its_examples_are_in() -> None:
    before = select(tokens, tokens, "<") | (select(tokens, tokens) & select(indices, indices, "<"))
    some = aggregate(before, indicator(indices >= 0))
    data = data_of(report(some, ["hello"], vocab=parse_vocabulary("a-z"), max_length=16))
    assert not data["live"]
    assert data["embedding"] is None
    assert data["inputs"][0]["values"] == [["1", "0", "1.0", "1.0", "1.0"]]
    assert data["inputs"][0]["trace"]["answers"]["outputs"][0]["texts"] == data["inputs"][0]["values"][0]


def test_what_has_no_value_is_said() -> None:
    letters = aggregate(select(tokens, "a"), tokens)
    (given,) = data_of(report(letters, ["aab"]))["inputs"]
    assert given["values"] is None
    assert "only numbers have a mean" in given["fault"]


def test_the_command_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "page.html"
    assert main(["report", str(REVERSE), "-i", "hello", "-i", "abc", "-o", str(target)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"{target}\n", 'from the header: vocabulary "a-z ", maximum length 20\n')
    assert len(data_of(target.read_text(encoding="utf-8"))["inputs"]) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-i", "abc", "-o", "page.pdf"], "cannot write a page as 'page.pdf'"),
        (["-i", "abc", "-o", "no/page.html"], "there is no folder 'no'"),
        (["-i", "abz", "--vocab", "a-c", "-o", "page.html"], '"z" at position 2 is not in the vocabulary'),
    ],
)
def test_a_mistake_is_said(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["report", str(REVERSE), *words]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_size_of_a_large_page_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("viz.report_page.command.LARGE_MEGABYTES", 0.01)
    assert main(["report", str(REVERSE), "-o", str(tmp_path / "page.html")]) == 0
    assert "the page has 0.1 MB; fewer or shorter inputs make it smaller" in capsys.readouterr().err


def test_a_report_is_opened_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def browse(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr("webbrowser.open", browse)
    target = tmp_path / "page.html"
    assert main(["report", str(REVERSE), "-o", str(target), "--open"]) == 0
    assert opened == [target.as_uri()]


def test_without_an_input_a_report_takes_the_headers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, plain = tmp_path / "page.html", tmp_path / "plain.rasp"
    assert main(["report", str(REVERSE), "-o", str(target)]) == 0
    assert data_of(target.read_text(encoding="utf-8"))["inputs"][0]["values"] == [list("olleh")]
    assert 'from the header: input "hello"' in capsys.readouterr().err
    plain.write_text("x = indices;")
    assert main(["report", str(plain), "-o", str(target)]) == 1
    assert "a report shows one input at least" in capsys.readouterr().err


def test_a_causal_model_is_reported_with_the_causal_interpreter(tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    (tmp_path / "p.rasp").write_text("place = aggregate(full_s, indices);")
    assert main(["report", str(tmp_path / "p.rasp"), "-i", "abc", "--causal", "-o", str(target)]) == 0
    data = data_of(target.read_text(encoding="utf-8"))
    assert data["causal"]
    assert data["name"] == "place"
    assert data["inputs"][0]["values"] == [["0", "0.5", "1.0"]]
    assert max(off for layer in data["inputs"][0]["off"] for off in layer) < 1e-12


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_saved_model_is_reported_and_runs_where_a_page_can_compute_it(tmp_path: Path, dtype: str) -> None:
    model, target = tmp_path / "m.safetensors", tmp_path / "page.html"
    assert (
        main(["compile", str(REVERSE), "--vocab", "a-c", "--max-length", "4", "--dtype", dtype, "-o", str(model)]) == 0
    )
    assert main(["report", str(model), "-i", "abc", "-o", str(target)]) == 0
    data = data_of(target.read_text(encoding="utf-8"))
    assert data["live"] is (dtype == "float64")
    assert data["whyNot"] == (None if data["live"] else "it is made for float32, and a page computes in float64")
    assert data["inputs"][0]["values"] == [["c", "b", "a"]]
    assert main(["report", str(model), "-i", "abc", "--causal", "-o", str(target)]) == 1


def test_several_sops_are_on_one_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target, trained = tmp_path / "page.html", str(tmp_path)
    words = ["report", str(REVERSE), "opposite", "reverse", "-i", "abc", "-o", str(target)]
    assert main(words) == 0
    data = data_of(target.read_text(encoding="utf-8"))
    assert [output["name"] for output in data["outputs"]] == ["opposite", "reverse"]
    assert data["inputs"][0]["values"] == [["2", "1", "0"], ["c", "b", "a"]]
    assert main([*words, "--trained", trained]) == 1
    assert "a trained model stands beside one s-op" in capsys.readouterr().err


def test_a_model_outside_the_page_has_its_answers_without_each_head_and_the_heads_weights(tmp_path: Path) -> None:
    model = compile_sop(reverse, "abc", 4, name="reverse")
    (given,) = data_of(page(contents(model, ["abc"]), ""))["inputs"]
    assert set(given["without"]) == {"1.1", "2.1"}
    result = model.ablate(head=(1, 0)).run("abc", strict=False)
    (answer,) = given["without"]["2.1"]["outputs"]
    assert answer == {"texts": result.output, "unsure": [True] * 3}
    head = data_of(page(contents(model, ["abc"]), ""))["layers"][1]["heads"][0]
    assert head["W_Q"] == sparse(model.weights.layers[1].heads[0].W_Q)


def test_comments_of_a_program_are_marked() -> None:
    text = page(
        contents(compile_sop(reverse, "abc", 4, dtype="float64"), ["abc"]), "# one\r\n  # two\r\nx = 1; # three"
    )
    assert re.findall(r'<li data-number="(\d)" class="comment">', text) == ["1", "2"]


def test_the_page_says_which_directions_hold_a_named_sop() -> None:
    data = data_of(
        report(reverse, ["hello"], source_map=SourceMap({reverse: "reverse", length: "size", flipped: "opposite"}))
    )
    held = {one["name"]: one["group"] for one in data["named"]}
    assert data["groups"][held["reverse"]]["name"] == "reverse"
    assert data["groups"][held["size"]]["values"] == []
    assert held["opposite"] is None


def test_sops_of_one_name_are_not_said_to_be_held_by_the_other_ones_directions() -> None:
    one, two = (aggregate(select(indices, indices - k), tokens, "-") for k in (1, 2))
    data = data_of(report(one == two, ["abca"], source_map=SourceMap({one: "s", two: "s", one == two: "same"})))
    assert [row["group"] for row in data["named"] if row["name"] == "s"] == [None, None]


def test_an_input_that_is_too_long_is_refused() -> None:
    with pytest.raises(DataFault, match="at most 3"):
        report(reverse, ["abcd"], max_length=3)


# -- in a browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    program = installed()
    if program is None:
        pytest.skip("there is no Chromium here (Debian: apt-get install chromium)")
    chromium = Chromium(program, tmp_path_factory.mktemp("profile"))
    yield chromium
    chromium.close()


def opened(browser: Chromium, folder: Path, text: str) -> None:
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    browser.events.clear()
    browser.open(file)


def row(browser: Chromium, name: str) -> list[str]:
    """The cells of a row of the output table: their values in full."""
    found: list[str] = browser.value(
        "(() => { const row = [...document.querySelectorAll('#output tr')]"
        f".find((row) => row.cells[0].textContent === {json.dumps(name)});"
        " return row ? [...row.cells].slice(1).map((cell) => cell.title || cell.textContent) : []; })()"
    )
    return found


def typed(browser: Chromium, tokens: Sequence[Atom]) -> list[str]:
    """The model's row after an input was typed and run."""
    text = "".join(map(str, tokens)) if all(isinstance(t, str) and len(t) == 1 for t in tokens) else json.dumps(tokens)
    browser.value(
        f"document.getElementById('typed').value = {json.dumps(text)};document.getElementById('form').requestSubmit()"
    )
    return row(browser, "model")


def test_the_page_loads_without_complaint_and_without_network(browser: Chromium, tmp_path: Path) -> None:
    program, text = report_of(REVERSE, "a-z", ["hello", "abc"])
    opened(browser, tmp_path, text)
    assert browser.complaints() == []
    assert browser.requests() == [(tmp_path / "page.html").resolve().as_uri()]
    assert row(browser, "interpreter") == row(browser, "model") == run(program.sop(), "hello")
    assert set(row(browser, "difference")) == {"0"}
    assert browser.value("document.querySelectorAll('table').length") == browser.value(
        "document.querySelectorAll('table > caption').length"
    )


def test_pointing_at_a_cell_says_its_value_and_lights_every_head(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["hello"])[1])
    browser.point(".layer:nth-child(2) tbody tr:nth-child(2) td:nth-of-type(6)")
    status = "document.getElementById('status').textContent"
    assert browser.value(status) == "Layer 2, flip: query 0 “h”, key 4 “o”: attention 1; brings reverse=o"
    assert browser.value("document.querySelectorAll('tr.lit').length") == 2
    browser.point(".layer:nth-child(1) tbody tr:nth-child(2) td:nth-of-type(6)")
    assert "attention 1/6 = .167" in browser.value(status)
    assert browser.complaints() == []


def test_the_keyboard_moves_inside_a_head_and_between_heads(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["hello"])[1])
    browser.value("document.querySelector('.head td[tabindex=\"0\"]').focus()")
    for key in ("ArrowDown", "ArrowRight", "n"):
        browser.press(key)
    status = browser.value("document.getElementById('status').textContent")
    assert status.startswith("Layer 2, flip: query 1 “e”, key 0 “h”: attention 0")


def test_a_line_marks_what_belongs_to_it_and_back(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["hello"])[1])
    browser.value("document.querySelector('#lines button[data-line=\"13\"]').click()")
    assert browser.value("document.querySelectorAll('.head.linked b')[0].textContent") == "full_s (width)"
    assert "directions of length" in browser.value("document.getElementById('status').textContent")
    browser.value("document.querySelector('.head:not(.linked) .line-link').click()")
    assert browser.value("document.querySelector('#lines [aria-pressed=\"true\"]').dataset.line") == "14"


def test_the_stream_is_stepped_through_and_says_what_changed(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["hello"])[1])
    names = "[...document.querySelectorAll('#stages button')].map((button) => button.textContent)"
    stages = ["embedding", "layer 1: attention", "layer 1: feed-forward", "layer 2: attention"]
    assert browser.value(names) == stages
    counts = []
    for stage in range(4):
        browser.value(f"document.querySelectorAll('#stages button')[{stage}].click()")
        counts.append(browser.value("document.querySelectorAll('#residual td.changed').length"))
    assert counts == [0, 6, 5, 5]


@pytest.mark.parametrize("stem", ["reverse", "sort", "balance", "running_fraction", "histogram_bos"])
def test_typed_inputs_give_the_interpreters_answers(browser: Chromium, tmp_path: Path, stem: str) -> None:
    path = REVERSE.with_name(f"{stem}.rasp")
    vocabulary = parse_vocabulary(header(path, "vocab"))
    program, text = report_of(path, header(path, "vocab"), [vocabulary[:3]])
    opened(browser, tmp_path, text)
    chance = random.Random(stem)
    for _ in range(50 if stem == "reverse" else 20):
        given = [chance.choice(vocabulary) for _ in range(chance.randint(1, 10))]
        assert typed(browser, given) == list(map(shown, run(program.sop(), given))), given
    assert browser.complaints() == []


@pytest.mark.parametrize(
    ("root", "vocabulary"),
    [
        (aggregate(select(tokens, "a"), indices, True), ("a", "b", "c")),
        (aggregate(select(indices, indices - 1), tokens == "a"), ("a", "b")),
        (aggregate(full, tokens_asis) > 0.4, (True, False, 0)),
        (tokens_asis, (1, True)),
    ],
)
def test_typed_inputs_tell_bools_from_numbers(
    browser: Chromium, tmp_path: Path, root: SOp, vocabulary: tuple[Atom, ...]
) -> None:
    opened(browser, tmp_path, report(root, [vocabulary], vocab=vocabulary, max_length=4))
    for given in (list(given) for n in (1, 2, 3) for given in product(vocabulary, repeat=n)):
        try:
            expected = list(map(shown, run(root, given)))
        except RaspError:
            assert typed(browser, given) == []
            assert "has no value" in browser.value("document.body.textContent")
        else:
            assert typed(browser, given) == expected, given
    assert browser.complaints() == []


def test_a_typed_input_has_what_the_page_can_compute_and_says_what_it_cannot(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["hello"])[1])
    assert typed(browser, "abc") == ["c", "b", "a"]
    (why,) = row(browser, "interpreter")
    assert why.startswith("not known: it ran on the examples only")
    assert row(browser, "difference") == []
    values = "[...document.querySelectorAll('#values tbody tr')].map((row) => [...row.cells].map((c) => c.textContent))"
    assert browser.value(values)[1:] == [
        ["opposite", "not in the stream by this name, and the interpreter is not part of this page"],
        ["reverse, in the model line 15", "c", "b", "a"],
    ]


def test_example_values_of_the_interpreter_and_the_model_stand_side_by_side(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["abc"])[1])
    names = "[...document.querySelectorAll('#values tbody th')].map((cell) => cell.textContent)"
    assert browser.value(names) == ["token", "opposite line 13", "reverse line 15", "↳ in the model"]
    assert browser.value("document.querySelectorAll('#values .wrong').length") == 0


@pytest.mark.parametrize("width", [390, 1400])
def test_nothing_is_wider_than_the_page(browser: Chromium, tmp_path: Path, width: int) -> None:
    _, text = report_of(REVERSE, "a-z ", [("hello world " * 5)[:60]])
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
    opened(browser, tmp_path, text)
    wide, room = browser.value("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    browser.call("Emulation.clearDeviceMetricsOverride")
    assert wide <= room


def test_floats_keep_their_point(browser: Chromium, tmp_path: Path) -> None:
    mean = aggregate(full, Tokens("float"))
    opened(browser, tmp_path, report(mean, [[1.0, 3.0]], vocab=[1.0, 3.0, 0.25], max_length=3))
    assert row(browser, "interpreter") == row(browser, "model") == ["2.0", "2.0"]
    for given in ([1.0], [0.25], [3.0, 3.0], [1.0, 1.0, 0.25]):
        assert typed(browser, given) == list(map(shown, run(mean, given))), given


def test_typed_inputs_are_checked(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-c", ["abc"])[1])
    problem = "document.getElementById('problem').textContent"
    for text, message in (("abd", "“d” at position 2"), ("a" * 11, "has 11 tokens"), ("", "at least one token")):
        typed(browser, text)
        assert message in browser.value(problem)
    assert typed(browser, "cab") == ["b", "a", "c"]
    assert browser.value(problem) == ""


def test_odd_tokens_are_text_in_the_page(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report(reverse, [ODD], vocab=ODD))
    assert browser.complaints() == []
    assert row(browser, "model") == list(reversed(ODD))
    assert typed(browser, ODD[:2]) == ODD[1::-1]
    assert browser.value("document.querySelectorAll('b').length") == 2


def test_an_input_without_a_value_is_said_on_both_sides(browser: Chromium, tmp_path: Path) -> None:
    letters = aggregate(select(tokens, "a"), tokens)
    opened(browser, tmp_path, report(letters, ["aab", "abb"]))
    notes = browser.value("document.getElementById('output').textContent")
    assert "The interpreter has no value" in notes
    assert "The model has no value" in notes


def test_a_large_model_shows_its_examples(browser: Chromium, tmp_path: Path) -> None:
    before = select(tokens, tokens, "<") | (select(tokens, tokens) & select(indices, indices, "<"))
    some = aggregate(before, indicator(indices >= 0))
    text = report(some, ["hello", "abba"], vocab=parse_vocabulary("a-z"), max_length=16)
    opened(browser, tmp_path, text)
    assert row(browser, "model") == ["1", "0", "1.0", "1.0", "1.0"]
    assert browser.value("document.getElementById('run').hidden")
    assert browser.complaints() == []


def click(browser: Chromium, selector: str) -> None:
    browser.value(f"document.querySelector({json.dumps(selector)}).click()")


def texts(browser: Chromium, selector: str) -> list[str]:
    found: list[str] = browser.value(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((one) => one.textContent)"
    )
    return found


def test_layers_stand_side_by_side_where_there_is_room(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["hello"])[1])
    tops = "[...document.querySelectorAll('.layer')].map((layer) => layer.getBoundingClientRect().top)"
    assert len(set(browser.value(tops))) == 1


@pytest.mark.parametrize("stem", ["reverse", "sort", "histogram_bos", "running_fraction"])
def test_without_a_head_the_page_answers_what_the_ablated_model_answers(
    browser: Chromium, tmp_path: Path, stem: str
) -> None:
    path = REVERSE.with_name(f"{stem}.rasp")
    vocabulary = parse_vocabulary(header(path, "vocab"))
    program = load_program(path)
    model = compile_sop(program.sop(), vocabulary, 6, dtype="float64", program=program)
    opened(browser, tmp_path, page(contents(model, [vocabulary[:4]]), program.source.text))
    for layer, count in enumerate(model.weights.heads):
        for head in range(count):
            click(browser, f'[data-key="off-{layer + 1}.{head + 1}"]')
            expected = model.ablate(head=(layer, head)).run(vocabulary[:4], strict=False)
            rows = browser.value("[...document.querySelectorAll('#output tr')].at(-1).textContent")
            assert "without" in rows
            cells = "[...[...document.querySelectorAll('#output tr')].at(-1).cells].slice(1).map((cell) => cell.title)"
            assert browser.value(cells) == list(map(shown, expected.output))
            click(browser, f'[data-key="off-{layer + 1}.{head + 1}"]')
    assert row(browser, "model") == list(map(shown, run(program.sop(), vocabulary[:4])))
    assert browser.complaints() == []


def test_a_head_of_a_model_outside_the_page_is_switched_off_for_the_examples(browser: Chromium, tmp_path: Path) -> None:
    model = compile_sop(reverse, "abc", 4, name="reverse")
    opened(browser, tmp_path, page(contents(model, ["abc"]), ""))
    click(browser, '[data-key="off-2.1"]')
    click(browser, '[data-key="off-1.1"]')
    expected = model.ablate(head=(0, 0)).run("abc", strict=False)
    (name,) = [text for text in texts(browser, "#output th") if text.startswith("without")]
    assert row(browser, name) == expected.output
    assert "as in the whole model" in texts(browser, ".head caption")[0]
    assert browser.complaints() == []


def test_the_heads_behind_one_that_is_off_say_how_far_they_go_astray(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["hello"])[1])
    click(browser, '[data-key="off-1.1"]')
    first, second = texts(browser, ".head caption")
    assert "off: what it would attend to" in first
    assert "off the whole model by 1" in second
    (status,) = texts(browser, "#status")
    assert status.startswith("Without full_s (width) (layer 1), reverse changes at 4 positions of 5.")


def test_what_the_stream_no_longer_says_is_no_empty_string(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["ab"])[1])
    click(browser, '[data-key="off-2.1"]')
    rows = "[...document.querySelectorAll('#values tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
    assert browser.value(rows)[-1] == ["↳ in the model without flip (layer 2)", "(none)", "(none)"]


def test_weights_of_a_head_are_its_two_products(browser: Chromium, tmp_path: Path) -> None:
    model = compile_sop(reverse, "abc", 4, dtype="float64")
    opened(browser, tmp_path, page(contents(model, ["abc"]), ""))
    click(browser, '[data-key="weights-2.1"]')
    head = model.weights.layers[1].heads[0]
    for table, both in enumerate((head.W_Q @ head.W_K.T, head.W_V @ head.W_O)):
        rows, columns = both.any(axis=1), both.any(axis=0)
        cells = f"[...document.querySelectorAll('.product')[{table}].querySelectorAll('td')]"
        browser.value(f"{cells}[0].focus()")
        assert browser.value(f"{cells}.map((cell) => cell.textContent !== '')") == [
            bool(x) for x in both[rows][:, columns].ravel()
        ]
        (status,) = texts(browser, "#status")
        assert status.endswith(f": {both[rows][:, columns][0, 0]:.12g}")
    assert browser.complaints() == []


def test_play_steps_through_the_stages_and_says_what_each_head_brings(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["abc"])[1])
    browser.value("window.setTimeout = (next) => { window.next = next; return 1; }")
    click(browser, "#play")
    seen = []
    for _ in range(4):
        seen += texts(browser, '#stages [aria-pressed="true"]')
        browser.value("window.next()")
    assert seen == ["embedding", "layer 1: attention", "layer 1: feed-forward", "layer 2: attention"]
    assert texts(browser, "#play") == ["▶ Play"]
    assert texts(browser, "#brings td") == ["", "c", "b", "a"]
    (status,) = texts(browser, "#status")
    assert status == "Step 4 of 4, layer 2: attention: flip brings reverse."


def test_letters_switch_a_head_off_and_show_its_weights(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["abc"])[1])
    browser.value("document.querySelector('.layer:nth-child(2) td').focus()")
    browser.press("ArrowDown")
    browser.press("o")
    assert texts(browser, '.tools [aria-pressed="true"]') == ["is off"]
    assert browser.value("document.activeElement.closest('.layer').textContent").startswith("Layer 2")
    browser.press("o")
    browser.press("w")
    assert texts(browser, '.tools [aria-pressed="true"]') == ["weights"]
    assert texts(browser, "#weights-title") == ["Weights of flip, layer 2"]


def test_the_tab_key_reaches_every_control(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["abc"])[1])
    browser.value("window.reached = new Set(); addEventListener('focusin', (event) => reached.add(event.target))")
    controls = "[...document.querySelectorAll('select, input, button:not(.comment-fold *), td[tabindex=\"0\"]')]"
    for _ in range(browser.value(f"{controls}.length")):
        browser.press("Tab")
    assert browser.value(f"{controls}.filter((one) => !reached.has(one)).map((one) => one.outerHTML)") == []


def test_comments_are_folded_on_phones_alone(browser: Chromium, tmp_path: Path) -> None:
    seen = "[...document.querySelectorAll('#lines li')].filter((line) => line.offsetHeight).length"
    size = {"height": 900, "deviceScaleFactor": 1, "mobile": True}
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["abc"])[1])
    wide = browser.value(seen)
    browser.call("Emulation.setDeviceMetricsOverride", width=390, **size)
    folded = browser.value(seen)
    click(browser, ".comment-fold button")
    assert (wide, folded, browser.value(seen)) == (15, 5, 16)
    browser.call("Emulation.clearDeviceMetricsOverride")


def test_a_model_with_masks_runs_in_the_page_on_its_examples(browser: Chromium, tmp_path: Path) -> None:
    program = load_program(REVERSE.parent / "graphs" / "degree.rasp")
    (given,) = (sequence_of(one) for one in header_of(program.source).said_inputs([]))
    model = compile_sop(program.sop(), "abcd", 6, dtype="float64", program=program)
    opened(browser, tmp_path, report_of_model(model, [given]))
    assert row(browser, "model") == list(map(shown, model(given)))
    click(browser, '[data-key="off-1.1"]')
    expected = model.ablate(head=(0, 0)).run(given, strict=False).output
    (name,) = [text for text in texts(browser, "#output th") if text.startswith("without")]
    assert row(browser, name) == list(map(shown, expected))
    assert browser.value("document.getElementById('run').hidden")
    assert browser.complaints() == []


def test_a_page_in_a_notebooks_frame_has_no_complaint(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report(reverse, ["abc"])._repr_html_())
    assert browser.complaints() == []


def test_a_causal_model_runs_in_the_page(browser: Chromium, tmp_path: Path) -> None:
    mean = aggregate(full, Tokens("int"))
    opened(browser, tmp_path, report(mean, [[1, 2]], vocab=[1, 2, 3], max_length=4, causal=True))
    assert typed(browser, [3, 1, 2]) == ["3", "2.0", "2.0"]
    click(browser, '[data-key="off-1.1"]')
    assert "causal" in texts(browser, "#size")[0]
    assert browser.complaints() == []


def test_two_inputs_are_compared(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z", ["abca", "abcd"])[1])
    chosen = "document.getElementById('others')"
    browser.value(f"{chosen}.value = '1'; {chosen}.dispatchEvent(new Event('change'))")
    assert len(texts(browser, ".head table")) == 4
    assert "reverse of the two inputs differs at position 0." in texts(browser, "#output p")
    assert len(texts(browser, "#residual table")) == 2
    assert browser.complaints() == []


def test_a_link_holds_what_is_shown(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, report_of(REVERSE, "a-z ", ["hello"])[1])
    typed(browser, "a b c")
    click(browser, '[data-key="off-2.1"]')
    click(browser, '[data-key="weights-1.1"]')
    click(browser, '[data-key="stage-1"]')
    click(browser, '#lines button[data-line="14"]')
    link = browser.value("location.href")
    shown_text = "document.querySelector('main').innerText"
    before = browser.value(shown_text)
    browser.open(tmp_path / "page.html")
    browser.value(f"location.assign({json.dumps(link)}); new Promise((done) => setTimeout(done, 50))")
    assert browser.value(shown_text) == before
    browser.value("location.hash = '#off=7.1'; new Promise((done) => setTimeout(done, 50))")
    assert texts(browser, "#problem") == ["The link asks for off “7.1”, which this page does not have."]


# -- graphs: masks in the matrices, and drawings of vertices and edges

GRAPHS = REVERSE.parent / "graphs"


def graph_page(name: str, *graphs: dict[str, Any], max_length: int = 0, dtype: str = "float64") -> str:
    """The page of a graph program on some graphs, compiled for their tokens and their size."""
    inputs = [given_graph(one) for one in graphs]
    size = max_length or max(map(len, inputs))
    model = load_program(GRAPHS / f"{name}.rasp").compile(vocabulary_of(inputs), size, dtype=dtype)
    assert isinstance(model, CompiledModel)
    return report_of_model(model, inputs)


PATH = {"tokens": "*..", "edges": [[0, 1], [1, 2, "far"]]}


def test_a_graph_is_in_the_page_with_what_its_heads_put_on_the_vertices() -> None:
    data = data_of(graph_page("k_hops", PATH))
    (given,) = data["inputs"]
    assert given["graph"]["relations"] == [{"name": "edges", "edges": [[0, 1, None], [1, 2, "far"]], "both": False}]
    assert [layer[0] for layer in given["graph"]["values"]] == [["T", "T", "F"], ["T", "T", "T"]]
    assert data["onVertices"]["names"][1] == ["reached"]
    assert len(given["graph"]["places"]) == 3
    assert data_of(report(reverse, ["abc"]))["inputs"][0]["graph"] is None


@pytest.mark.parametrize("size", [12, 60])
def test_pages_of_graphs_stay_below_a_megabyte(size: int) -> None:
    pairs = [[u, v] for u in range(size) for v in range(size) if (u * 7 + v * 5) % 11 == 0]
    assert len(graph_page("k_hops", {"tokens": "*" + "." * (size - 1), "edges": pairs}).encode()) < 500_000


def status(browser: Chromium) -> str:
    (found,) = texts(browser, "#status")
    return found


def test_what_a_mask_hides_is_apart_from_what_is_not_looked_at(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, graph_page("k_hops", PATH))
    rows = "[...document.querySelector('.head table').tBodies[0].rows].map((row) => [...row.querySelectorAll('td')]"
    hidden = f"{rows}.map((cell) => +cell.classList.contains('hidden')).join('')).join(' ')"
    assert browser.value(hidden) == "0111 0011 0001 0100"
    assert not browser.value("document.getElementById('mask-help').hidden")
    browser.point(".head tbody tr:nth-child(2) td:nth-of-type(4)")
    assert status(browser).endswith("attention 0, as the mask hides the key")
    browser.point(".head tbody tr:nth-child(4) td:nth-of-type(4)")
    assert status(browser).endswith("attention 0, though the key is in sight")
    opened(browser, tmp_path, report(reverse, ["abc"]))
    assert browser.value("document.getElementById('mask-help').hidden")
    assert browser.value("document.getElementById('graph-section').hidden")


def test_an_edge_of_a_drawing_is_as_wide_as_its_attention(browser: Chromium, tmp_path: Path) -> None:
    given = {"tokens": [1, 0, 1, 1], "edges": [[0, 1], [2, 1], [3, 1], [1, 0]]}
    opened(browser, tmp_path, graph_page("neighbour_mean", given))
    drawn = "[...document.querySelectorAll('#graph svg')].at(-1)"
    widths = browser.value(f"[...{drawn}.querySelectorAll('.drawn')].map((line) => +line.getAttribute('stroke-width'))")
    assert widths == pytest.approx([9.0, *[1 + 8 / 3] * 3], abs=0.01)
    on_vertices = browser.value(f"[...{drawn}.querySelectorAll('.vertex')].map((one) => one.textContent)")
    assert on_vertices == ["00", "1.01", "02", "03"]
    assert "on the vertices: neighbour_mean" in texts(browser, "#graph .drawing:last-child p")[-1]
    assert browser.complaints() == []


def test_drawings_and_matrices_are_pointed_at_together(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, graph_page("k_hops", PATH))
    browser.point('[data-layer="1"] .edge[data-q="3"][data-k="2"] .hit')
    assert status(browser).startswith("Layer 2, ")
    assert "query 2 “.”, key 1 “.”: attention 1/2 = .5; brings " in status(browser)
    assert status(browser).endswith("at the query reached is T")
    lit = "document.querySelectorAll('#graph .vertex.lit').length"
    assert (browser.value(lit), browser.value("document.querySelectorAll('.head td.at').length")) == (6, 1)
    browser.point(".head tbody tr:nth-child(3) td:nth-of-type(2)")
    assert browser.value("document.querySelectorAll('#graph .edge.at').length") == 3
    browser.point('.canvas svg.given .edge[data-q="3"] .hit')
    assert status(browser) == "edges: an edge from 1 “.” to 2 “.”, far"


def test_the_keys_of_the_matrices_move_in_the_drawings(browser: Chromium, tmp_path: Path) -> None:
    opened(browser, tmp_path, graph_page("k_hops", PATH))
    browser.value("document.querySelector('#graph svg').focus()")
    for key in ("n", "ArrowDown", "ArrowLeft"):
        browser.press(key)
    assert "Layer 1" in status(browser)
    assert "query 1 “.”, key BOS: attention" in status(browser)
    for key in ("ArrowLeft", "End", "ArrowDown", "ArrowDown", "p", "Home"):
        browser.press(key)
    assert status(browser) == "edges: no edge from 0 “*” to 2 “.”"
    for key in ("n", "o"):
        browser.press(key)
    assert texts(browser, '[data-key="graph-off-1.1"]') == ["is off"]
    assert browser.value("document.activeElement === document.querySelectorAll('#graph svg')[1]")
    browser.press("w")
    assert texts(browser, "#weights-title")[0].endswith("layer 1")
    assert browser.complaints() == []


def test_what_a_drawing_leaves_out_is_said(browser: Chromium, tmp_path: Path) -> None:
    full_graph = [[u, v] for u in range(40) for v in range(40)]
    opened(browser, tmp_path, graph_page("degree", {"tokens": "a" * 40, "edges": full_graph}, dtype="float32"))
    assert "Of 1600 lines, 600 are left out: the 1000 widest are drawn." in texts(browser, "#graph p")
    many = {"tokens": "a" * 201, "edges": [[0, 1]]}
    opened(browser, tmp_path, graph_page("degree", many, dtype="float32"))
    assert texts(browser, "#graph p") == ["The graph has 201 vertices; what is drawn has at most 200."]
    assert browser.complaints() == []


def test_graphs_of_the_same_tokens_have_links_of_their_own(browser: Chromium, tmp_path: Path) -> None:
    other = {"tokens": "*..", "edges": [[0, 2]]}
    opened(browser, tmp_path, graph_page("k_hops", PATH, other))
    assert texts(browser, "#examples option") == ["*.., edges: 2", "*.., edges: 1"]
    browser.value("location.hash = '#input=example:2'; new Promise((done) => setTimeout(done, 50))")
    assert browser.value("document.querySelectorAll('svg.given .edge').length") == 1
    assert browser.value("location.hash") == "#input=example%3A2"
    browser.value("location.hash = '#input=example:3'; new Promise((done) => setTimeout(done, 50))")
    assert texts(browser, "#problem") == ["The link asks for an example that this page does not have."]


@pytest.mark.parametrize("width", [390, 1400])
def test_drawings_stay_inside_the_page(browser: Chromium, tmp_path: Path, width: int) -> None:
    pairs = [[u, v] for u in range(60) for v in range(60) if (u * 7 + v * 5) % 31 == 0]
    opened(browser, tmp_path, graph_page("k_hops", {"tokens": "*" + "." * 59, "edges": pairs}))
    browser.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=True)
    assert browser.value("document.documentElement.scrollWidth") <= width
    browser.call("Emulation.clearDeviceMetricsOverride")

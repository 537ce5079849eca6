"""The session: whole conversations kept as text, and how it behaves between them.

A transcript holds both sides: a line after `>> ` is typed, `.. ` goes on with it, all else is the answer (errors
included). `pytest --update` rewrites the answers.
"""

from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path

import pytest

from rasp.console.banner import BANNER
from rasp.console.pipe import piped
from rasp.console.session import Reply, Session
from rasp.graph import Node, SOp
from rasp.inputs import Input
from rasp.interpret import Run
from tests.counting import grows_linearly

TRANSCRIPTS = sorted(Path(__file__).with_name("transcripts").glob("*.txt"))


def typed(transcript: str) -> Iterator[str]:
    """The inputs of a transcript, each with its further lines."""
    waiting: list[str] = []
    for line in transcript.splitlines():
        if line.startswith(">> "):
            if waiting:
                yield "\n".join(waiting)
            waiting = [line[3:]]
        elif line.startswith(".. "):
            waiting.append(line[3:])
    if waiting:
        yield "\n".join(waiting)


def conversation(transcript: str) -> str:
    """The transcript with the answers of a fresh session."""
    session = Session()
    lines: list[str] = []
    for text in typed(transcript):
        first, *more = text.split("\n")
        lines += [f">> {first}", *(f".. {line}" for line in more)]
        reply = session.push(text)
        assert not reply.incomplete, text
        lines += [str(part) for part in (*reply.warnings, *reply.parts)]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcripts(path: Path, update: bool) -> None:
    expected = path.read_text(encoding="utf-8")
    found = conversation(expected)
    if update:
        path.write_text(found, encoding="utf-8")
    else:
        assert found == expected


def test_the_banner() -> None:
    assert BANNER == "RASP 0.1\nrunning example is: hello"


@pytest.mark.parametrize("text", ["x = (1", "def f(x) {", "x = 1 +", "for i in [1] {"])
def test_incomplete_text_runs_nothing(text: str) -> None:
    session = Session()
    assert session.push("y = 1; " + text) == Reply(incomplete=True)
    assert session.push("y;").errors


def test_the_last_semicolon() -> None:
    assert Session().push("1 + 1").text == "    value: out =  2"
    assert Session().push("1 + 1", closed=False).incomplete
    assert Session().finish("1 + 1").text == "    value: out =  2"
    assert Session().finish("1 +").errors


def test_texts_and_errors_come_in_order() -> None:
    parts = Session().push("1; nothing; 2; ); 3;").parts
    assert [isinstance(part, str) for part in parts] == [True, False, True, False, True]


def test_warnings_do_not_change_the_meaning() -> None:
    reply = Session().push("a=2; not a==2;")
    assert [str(warning.grouping) for warning in reply.warnings] == ["(not a)==2"]
    assert not reply.errors


def test_line_numbers_can_start_further_down() -> None:
    (error,) = Session().push("\nx = nothing;", first_line=10).errors
    assert str(error).splitlines()[:2] == ["<console>:11:5: name error: the name nothing is not defined",
                                           "    x = nothing;"]  # fmt: skip


def test_an_interrupt_leaves_the_session_usable(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    session.push("x = indices;")

    def interrupted(run: Run, node: SOp) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Run, "sop", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.push("def f(n) { return 1 if n==0 else f(n-1); } y = x + f(20);")
    assert session.push("y;").errors
    assert session.push("f(1000);").text == "    value: out =  1"


def test_draw_without_a_drawing_is_an_error() -> None:
    (error,) = Session().push("draw(indices);").errors
    assert "nothing to draw with" in error.message


def test_draw_asks_its_drawing_and_prints_the_values() -> None:
    asked: list[tuple[str, Input, str]] = []

    def drawing(name: str, node: SOp, given: Input, names: Mapping[Node, str]) -> str:
        asked.append((name, given, names.get(node, "")))
        return f"comp_flows/{name}.pdf"

    session = Session(drawing)
    reply = session.push('x = tokens + "!"; draw(x); draw(x, "ab"); draw(x + "?");')
    assert asked[:2] == [("x", "hello", "x"), ("x", "ab", "x")]
    assert reply.text.splitlines()[2:5] == [
        "\t =  [h!, e!, l!, l!, o!] (strings)",
        "     drawing: comp_flows/x.pdf",
        "\t =  [a!, b!] (strings)",
    ]


def test_a_drawing_may_have_an_input_that_the_example_is_not() -> None:
    session = Session(lambda name, node, given, names: "x.pdf")
    assert session.push('def f() { return tokens_int; } draw(f(), "12");').errors == []


def test_many_statements_take_linear_time() -> None:
    def ran(count: int) -> None:
        assert not Session().push("".join(f'y{i} = shift(tokens, {i}, "-");\n' for i in range(count))).errors

    assert grows_linearly(ran, 100)


def test_doubling_chain() -> None:
    reply = Session().push("y=indices; for i in range(60) { y=y+y; } y;")
    assert reply.text.endswith(f"[0, {2**60}, {2**61}, {3 * 2**60}, {2**62}] (ints)")


def test_a_pipe_is_answered_at_once_after_a_bracket_left_open() -> None:
    out, err = StringIO(), StringIO()

    def lines() -> Iterator[str]:
        yield "x = (1;\n"
        assert "expected `)`" in err.getvalue()
        yield "2;\n"
        assert out.getvalue() == "    value: out =  2\n"

    assert piped(Session(), lines(), out, err) == 1


def test_a_selector_that_cannot_be_shown_on_its_example() -> None:
    session = Session()
    session.push('set s-op example [1]\nset selector example "ab"')
    (error,) = session.push("s = select(tokens_int, 1, ==);").errors
    assert error.notes == ['while it was shown on the example of selectors, "ab"']
    assert session.push("s;").errors

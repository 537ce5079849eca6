"""Random programs: whatever is typed, only RaspErrors come out, and twice the same."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rasp.console.session import Session

ATOMS = st.sampled_from(["0", "1", "-2", "2.5", '"a"', "'l'", "True", "1e300", "10^30"])
LEAVES = ATOMS | st.sampled_from(
    ["tokens", "indices", "length", "tokens_int", "full_s", "x", "y", "f", "[]", "{}", "max"]
)
INFIX = st.sampled_from(["+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "in"])
SHAPES = [
    "aggregate({0}, {1})", "aggregate({0}, {1}, {2})", "selector_width({0})", "select({0}, {1}, <)",
    "select({0}, {1}, ==)", "select_best({0}, {1})", "round({0})", "indicator({0})", "[{0}, {1}]", "{{{0}: {1}}}",
    "{0}[{1}]", "{0}({1})", "len({0})", "range({0})", "zip({0}, {1})", "[k for k in {0}]", "{{k: {1} for k in {0}}}",
    "({0} if {1} else {2})", "not {0}", "-{0}", "f({0})", "sort({0}, {1})", "shift({0}, {1}, {2})",
    "mark_last_instance({0}, {1})", "load_from_location({0}, {1})", "max({0}, {1})", "select_next_identical({0})",
]  # fmt: skip


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    shaped = st.builds(lambda shape, a, b, c: shape.format(a, b, c), st.sampled_from(SHAPES), inner, inner, inner)
    return shaped | st.builds(lambda a, op, b: f"({a} {op} {b})", inner, INFIX, inner)


EXPRESSIONS = st.recursive(LEAVES, larger, max_leaves=8)
STATEMENTS = st.one_of(
    st.builds("{};".format, EXPRESSIONS),
    st.builds("x = {};".format, EXPRESSIONS),
    st.builds("x, y = {}, {};".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("x, y = {};".format, EXPRESSIONS),
    st.builds("def f(x) {{ y = {}; return {}; }}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("for x in {} {{ y = {}; }}".format, EXPRESSIONS, EXPRESSIONS),
    st.builds("set example {}\n".format, EXPRESSIONS),
    st.sampled_from(["full seq display on\n", "full seq display off\n", "examples off\n", "examples on\n"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(STATEMENTS, min_size=1, max_size=6))
def test_sensible_programs(statements: list[str]) -> None:
    text = "".join(statements)
    first, second = Session().push(text), Session().push(text)
    assert [str(part) for part in first.parts] == [str(part) for part in second.parts]


TEXT = """x f 1 2.5 'a' " ( ) [ ] { } , ; : = == < + - ^ not and if else in for def return select( aggregate( range(
round( indices tokens full_s length set example show s-op full seq display examples on off exit load draw( # @ é"""
PIECES = st.sampled_from([*TEXT.split(), "\n"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=25), st.booleans())
def test_any_text(pieces: list[str], closed: bool) -> None:
    Session().push(" ".join(pieces), closed=closed)
    Session().finish(" ".join(pieces))

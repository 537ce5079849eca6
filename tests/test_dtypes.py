"""Types known from the graph alone."""

import pytest

from rasp.dtypes import types_of
from rasp.language.program import parse_program


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tokens", "strings"),
        ("tokens_bool", "bools"),
        ("tokens_asis", "unknown"),
        ("indices + 1", "ints"),
        ("indices / 2", "floats"),
        ("indices + 0.5", "floats"),
        ("indices ^ indices", "numbers"),
        ('tokens + "a"', "strings"),
        ("not indices", "bools"),
        ('tokens in ["a"]', "bools"),
        ("round(indices / 2)", "ints"),
        ("1 if indices > 1 else 2.0", "numbers"),
        ("1 if indices > 1 else True", "ints"),
        ('1 if indices > 1 else "a"', "unknown"),
        ("selector_width(full_s)", "ints"),
        ("average(indices)", "numbers"),
        ("aggregate(full_s, indices / 2, 0.0)", "floats"),
        ('shift(tokens, 1, "-")', "strings"),
        ("shift(indices > 1, 1, 0)", "ints"),
        ('{"a": 1}[tokens]', "unknown"),
    ],
)
def test_types(text: str, expected: str) -> None:
    node = parse_program(f"x = {text};").sop("x")
    assert types_of([node])[node] == expected

"""A kind of node that a table does not know is an error that names both."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from compiler.pipeline import compile_sop
from rasp.dtypes import types_of
from rasp.graph import Node, Selector, SOp, indices, selector_width
from rasp.interpret import run
from rasp.language.elaborate import Elaborator, Mode, Silent, new_scope
from rasp.language.syntax import Statement
from rasp.printing import expression
from rasp.rules import MissingRule
from rasp.source import Source, Span


@dataclass(frozen=True, eq=False, repr=False)
class Odd(SOp):
    """An s-op that nobody knows."""


@dataclass(frozen=True, eq=False, repr=False)
class OddSelector(Selector):
    """A selector that nobody knows."""


@pytest.mark.parametrize(
    ("use", "table"),
    [
        (lambda node: run(node, "ab"), "the interpreter"),
        (lambda node: run(node, "ab" * 100), "the evaluation of batches"),
        (lambda node: expression(node), "the writer of expressions"),
        (lambda node: types_of([node]), "the inference of types"),
        (lambda node: compile_sop(node, "ab", 2), "the"),
    ],
)
def test_s_ops(use: Callable[[Node], object], table: str) -> None:
    with pytest.raises(MissingRule, match=f"{table}.* has no rule for Odd"):
        use(Odd() + indices if table in ("the interpreter", "the evaluation of batches") else Odd())


@pytest.mark.parametrize(
    "use",
    [
        lambda node: run(node, "ab"),
        lambda node: run(node, "ab" * 100),
        lambda node: compile_sop(node, "ab", 2),
    ],
)
def test_selectors(use: Callable[[Node], object]) -> None:
    with pytest.raises(MissingRule, match="has no rule for OddSelector"):
        use(selector_width(OddSelector()))


def test_statements() -> None:
    class Strange(Statement):
        span = Span(Source("", ""), 0, 0)

    with pytest.raises(MissingRule, match="the elaboration of statements has no rule for Strange"):
        Elaborator(Silent()).perform(Strange.__new__(Strange), new_scope("file", ""), Mode.FILE)

"""What comes of running a model on one input."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from compiler.ir import Array
from compiler.run.graph_inputs import HeadMasks
from compiler.run.reference import Trace
from rasp.display import Displayed
from rasp.operations import Atom

BOS_LABEL = "BOS"


@dataclass(frozen=True, eq=False)
class Result(Displayed):
    """One input through the model: the values of each output by name, and everything the forward pass did.

    BOS is in row and column 0 of the trace. `covered`: the certificate is about this result, as the model was not
    changed, or only in ways it was compiled for. A result that is not strict has the values nearest to what was
    computed, with a margin for each (1 as compiled, 0 or less halfway to another value, nan for numbers too many to
    list), and the `complaints` that would have been errors. `sight` works out its `masks`.
    """

    tokens: tuple[Atom, ...]
    outputs: dict[str, list[Any]]
    trace: Trace
    margins: dict[str, list[float]] = field(default_factory=dict)
    complaints: tuple[str, ...] = ()
    covered: bool = True
    sight: Callable[[], HeadMasks] = tuple

    def __repr__(self) -> str:
        found = ", ".join(f"{name} = {values}" for name, values in self.outputs.items())
        return f"<Result of {list(self.tokens)}: {found}>"

    @property
    def output(self) -> list[Any]:
        """The values of the first output, one a token."""
        return next(iter(self.outputs.values()))

    @property
    def attention(self) -> tuple[tuple[Array, ...], ...]:
        """Attention [T+1, T+1] of each head of each layer; row = query."""
        return self.trace.attention

    @property
    def masks(self) -> HeadMasks:
        """For each head of each layer where a query may look, [T+1, T+1], None for everywhere."""
        return self.sight()

    @property
    def labels(self) -> list[str]:
        """BOS and the tokens, as pictures label them."""
        return [BOS_LABEL, *map(str, self.tokens)]

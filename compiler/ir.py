"""The contract between the compiler and whatever runs its weights: plain arrays with names.

Shapes: D d_model, K d_head (queries and keys), W value width of a head, M d_mlp, V vocabulary, N maximum length,
O outputs. Position 0 of every sequence is BOS; attention[q, k] has the query in the row.

    x       = W_E[token] + W_pos[position]                                    [T, D]
    scores  = (x W_Q) (x W_K)^T            (no division: the scale is in W_Q)  [T, T]
              (causal: minus infinity where the key is after the query)
    x       = x + softmax(scores) (x W_V) W_O     summed over the heads        [T, D]
    x       = x + relu(x W_in + b_in) W_out                                    [T, D]
    logits  = x W_U                                                           [T, O]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from compiler.functions import Table
from rasp.elementwise import Atom, Operation
from rasp.graph import Node, Selector, SOp
from rasp.loading import Text

Array: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]


@dataclass(frozen=True)
class Certificate:
    """What is proved of a model, by how many checks, and where it is tightest.

    `headroom` is the smallest factor by which a margin exceeds what is needed (1 is just enough).
    """

    statement: str
    checks: int
    headroom: float
    tightest: str


@dataclass(frozen=True, eq=False)
class HeadWeights:
    """One attention head: what it computes and its four matrices.

    `selector` is the node of the s-op graph that says which keys to attend to: the program's own node where no rewrite
    changed it (then `head.selector is program.selector("s")`), and `Run(tokens).selector(head.selector)` is always what
    the head should attend to. It comes back from a file. `kind` is aggregate or width; `name` is what the selector is
    called and `line` its source line (if known), both only to be shown.
    """

    selector: Selector
    name: str
    line: int | None
    kind: str
    W_Q: Array
    W_K: Array
    W_V: Array
    W_O: Array


@dataclass(frozen=True, eq=False)
class FeedForwardWeights:
    """One hidden ReLU layer; `neurons` says which s-op each hidden unit is for, `lines` the source line of that."""

    W_in: Array
    b_in: Array
    W_out: Array
    neurons: tuple[str, ...]
    lines: tuple[int | None, ...]


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Attention, then feed-forward; either may be missing."""

    heads: tuple[HeadWeights, ...]
    feed_forward: FeedForwardWeights | None


KindTable: TypeAlias = dict[str, tuple[str, dict[int, str]]]


@dataclass(frozen=True)
class Kinds:
    """Which kind a decoded number has (`bool`, `int` or `float`), where equal numbers of several kinds are possible.

    `runs` are (count, table) over the cells: lengths from 1 on, and the positions in each. `guards` are the places of
    guards that each tell how many keys a head marks: 0, 1, or 2 for several. `tables[t]` has, for these digits, the
    usual kind, and the kind of each value (by its place in the readout's `values`) that has another. `sure` says that
    this is always the interpreter's kind.
    """

    runs: tuple[tuple[int, int], ...]
    tables: tuple[KindTable, ...]
    guards: tuple[int, ...] = ()
    sure: bool = True

    @cached_property
    def table_of(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """The table of every cell."""
        counts, tables = zip(*self.runs, strict=True)
        return np.repeat(np.array(tables, dtype=np.intp), counts)

    def kind(self, length: int, position: int, states: str, number: int) -> str | None:
        """The kind of a value there; None for states that never occur."""
        table = self.tables[self.table_of[length * (length - 1) // 2 + position]]
        usual, others = table.get(states, (None, {}))
        return others.get(number, usual)


@dataclass(frozen=True, eq=False)
class Readout:
    """How residual vectors become values: W_U [D, O], and the meaning of the O logits.

    `categorical`: logit o is 1 where the value is `values[o]`, else 0. `number`: the one logit is the number; where
    `values` are given it is one of them. `single`: logits (m, s) are the mean of z and of z² over the marked
    positions, and s − m² = 0 says that only one was marked. `mean`: the same, and a third logit is 1 where the value is
    a bool (or a string), of which alone there is no mean. A readout with `check` only guards others; `marks` guards
    nothing, but tells how many keys a head marks, m being `values[0]` where it is none. `kinds` tells equal numbers of
    different kinds apart. `node` is the s-op of the program that an output gives; a guard has none.
    """

    name: str
    kind: str
    values: tuple[Atom, ...]
    W_U: Array
    check: str | None = None
    kinds: Kinds | None = None
    node: SOp | None = None


def output_tensor(index: int) -> str:
    """The name of an output's unembedding: the first one's is plain W_U."""
    return f"outputs.{index}.W_U" if index else "W_U"


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """A whole compiled model. `directions` names the D residual directions; `predicted_heads` is the analysis.

    `names` and `lines` are what the program calls its nodes, and where it builds them. `tables` has for each Python
    function in it all that it was asked when it was compiled. `texts` are the program's text and those of the files it
    loads; there are none for s-ops built in Python.
    """

    name: str
    vocabulary: tuple[Atom, ...]
    max_length: int
    dtype: str
    directions: tuple[str, ...]
    W_E: Array
    W_pos: Array
    layers: tuple[LayerWeights, ...]
    outputs: tuple[Readout, ...]
    guards: tuple[Readout, ...]
    causal: bool
    prefer: str
    predicted_heads: tuple[int, ...]
    notes: tuple[str, ...] = ()
    certificate: Certificate | None = None
    names: Mapping[Node, str] = field(default_factory=dict)
    lines: Mapping[Node, int] = field(default_factory=dict)
    tables: Mapping[Operation, Table] = field(default_factory=dict)
    texts: tuple[Text, ...] = ()

    @property
    def program(self) -> str:
        """The text of the program; empty for a model of s-ops built in Python."""
        return self.texts[0].text if self.texts else ""

    @property
    def sops(self) -> dict[str, SOp]:
        """The s-op of the program that each output gives."""
        return {output.name: output.node for output in self.outputs if output.node is not None}

    @property
    def selectors(self) -> list[Selector]:
        """The selector of every head, layer by layer."""
        return [head.selector for layer in self.layers for head in layer.heads]

    @property
    def output(self) -> Readout:
        """The first output."""
        return self.outputs[0]

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, in order."""
        return [output.name for output in self.outputs]

    @property
    def d_model(self) -> int:
        return len(self.directions)

    @property
    def heads(self) -> list[int]:
        """Heads of every layer that has attention."""
        return [len(layer.heads) for layer in self.layers if layer.heads]

    @property
    def depth(self) -> int:
        """How many layers have attention."""
        return len(self.heads)

    def tensors(self) -> dict[str, Array]:
        """Every weight under its stable name."""
        found = {"W_E": self.W_E, "W_pos": self.W_pos}
        for index, output in enumerate(self.outputs):
            found[output_tensor(index)] = output.W_U
        for index, guard in enumerate(self.guards):
            found[f"guards.{index}.W_U"] = guard.W_U
        for at, layer in enumerate(self.layers):
            for number, head in enumerate(layer.heads):
                for part in ("W_Q", "W_K", "W_V", "W_O"):
                    found[f"layers.{at}.heads.{number}.{part}"] = getattr(head, part)
            if layer.feed_forward is not None:
                for part in ("W_in", "b_in", "W_out"):
                    found[f"layers.{at}.mlp.{part}"] = getattr(layer.feed_forward, part)
        return found

    @property
    def parameters(self) -> dict[str, int]:
        """How many parameters there are, and how many are not zero."""
        tensors = self.tensors().values()
        return {"total": sum(t.size for t in tensors), "nonzero": sum(int(np.count_nonzero(t)) for t in tensors)}

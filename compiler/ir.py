"""The contract between the compiler and whatever runs its weights: plain arrays with names, and no logic.

Shapes: D d_model, K d_head (queries and keys), W value width of a head, M d_mlp, V vocabulary, N maximum length,
O outputs. Position 0 of every sequence is BOS; attention[q, k] has the query in the row.

    x       = W_E[token] + W_pos[position]                                    [T, D]
    x       = x + relu(x W_in + b_in) W_out       for each input feed-forward  [T, D]
    in each layer
    scores  = (x W_Q) (x W_K)^T            (no division: the scale is in W_Q)  [T, T]
              (causal: minus infinity where the key is after the query; with a mask: where it does not let the query
              look; BOS sees itself only, and all see BOS)
    x       = x + softmax(scores) (x W_V) W_O     summed over the heads        [T, D]
    x       = x + relu(x W_in + b_in) W_out       for each feed-forward        [T, D]
    after the last one
    logits  = x W_U                                                           [T, O]

The bias of a hidden layer is added after the product, as it stands here: its rounding is part of the constructions.

A layer has attention, and usually one feed-forward after it, or none; what does not fit into one hidden layer takes
several, one after another, and they belong to the same layer. Before the first layer there may be input feed-forwards.
So whatever goes by layers has equally many: `layers`, the attention of traces and results, the layers of the torch
module, the names of tensors. Layers and heads count from 0 in Python, and from 1 in texts and pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np

from compiler.functions import Table
from rasp.graph import Node, Selector, SOp
from rasp.language.loading import Text
from rasp.layers import HeadKind
from rasp.operations import Atom, Operation

Array: TypeAlias = np.ndarray[Any, np.dtype[np.floating[Any]]]
ReadoutKind: TypeAlias = Literal["categorical", "coded", "number", "single", "mean"]
Check: TypeAlias = Literal["defined", "uniform", "single", "mean", "marks"]


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
    called and `line` its source line (if known), both only to be shown. `mask` says where a query may look at all: a
    selector of relations of the input and of positions; None: everywhere.
    """

    selector: Selector
    name: str
    line: int | None
    kind: HeadKind
    W_Q: Array
    W_K: Array
    W_V: Array
    W_O: Array
    mask: Selector | None = None

    TENSORS: ClassVar = ("W_Q", "W_K", "W_V", "W_O")


@dataclass(frozen=True, eq=False)
class FeedForwardWeights:
    """One hidden ReLU layer; `neurons` says which s-op each hidden unit is for, `lines` the source line of that."""

    W_in: Array
    b_in: Array
    W_out: Array
    neurons: tuple[str, ...]
    lines: tuple[int | None, ...]

    TENSORS: ClassVar = ("W_in", "b_in", "W_out")


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """Attention, of one head at least, then feed-forwards one after another: usually one or none."""

    heads: tuple[HeadWeights, ...]
    feed_forwards: tuple[FeedForwardWeights, ...]


@dataclass(frozen=True, eq=False)
class Block:
    """Attention and the feed-forward right after it; either may be missing."""

    heads: tuple[HeadWeights, ...]
    feed_forward: FeedForwardWeights | None


@dataclass(frozen=True)
class Stage:
    """A moment of the forward pass at which a trace has the residual stream.

    `layer` counts from 0 and is None before the first one; `title` is what texts and pictures call the moment.
    """

    layer: int | None
    title: str


TypeTable: TypeAlias = dict[str, tuple[str, dict[int, str]]]


@dataclass(frozen=True)
class OutputTypes:
    """Which type a decoded number has (`bool`, `int` or `float`), where equal numbers of several types are possible.

    `runs` are (count, table) over the cells: lengths from 1 on, and the positions in each. `guards` are the places of
    guards that each tell how many keys a head selects: 0, 1, or 2 for several. `tables[t]` has, for these digits, the
    usual type, and the type of each value (by its place in the readout's `values`) that has another. `sure` says that
    this is always the interpreter's type.
    """

    runs: tuple[tuple[int, int], ...]
    tables: tuple[TypeTable, ...]
    guards: tuple[int, ...] = ()
    sure: bool = True

    @cached_property
    def table_of(self) -> np.ndarray[Any, np.dtype[np.intp]]:
        """The table of every cell."""
        counts, tables = zip(*self.runs, strict=True)
        return np.repeat(np.array(tables, dtype=np.intp), counts)

    def type_name(self, length: int, position: int, states: str, number: int) -> str | None:
        """The type of a value there; None for states that never occur."""
        table = self.tables[self.table_of[length * (length - 1) // 2 + position]]
        usual, others = table.get(states, (None, {}))
        return others.get(number, usual)


@dataclass(frozen=True)
class Accuracy:
    """How near a float comes to the interpreter's: within `share` of the larger of the result and `smallest`."""

    share: float
    smallest: float

    def __str__(self) -> str:
        return f"within {self.share:.3g} of itself, or {self.share * self.smallest:.3g} where that is more"


@dataclass(frozen=True, eq=False)
class Readout:
    """How residual vectors become values: W_U [D, O], and the meaning of the O logits.

    `categorical`: logit o is 1 where the value is `values[o]`, else 0; `coded`: else 0 or less. `number`: the one
    logit is the number; where `values` are given it is one of them. `single`: logits (m, s) are the mean of z and
    of z² over the selected positions, and s − m² = 0 says that only one was selected. `mean`: the same, and a third
    logit is 1 where the value is a bool (or a string), of which alone there is no mean. A readout with `check` only
    guards others; `marks` guards nothing, but tells how many keys a head selects, m being `values[0]` where it is
    none. `types` tells equal numbers of different types apart. `node` is the s-op of the program that an output
    gives; a guard has none. `accuracy` is what is promised of a number that is none of a list.
    """

    name: str
    kind: ReadoutKind
    values: tuple[Atom, ...]
    W_U: Array
    check: Check | None = None
    types: OutputTypes | None = None
    node: SOp | None = None
    accuracy: Accuracy | None = None


@dataclass(frozen=True, eq=False)
class Held:
    """How the residual stream holds an s-op. Directions are rows of the stream.

    By value: where it is `values[i]`, direction `rows[i]` is 1 and the others are 0; −1 stands for none of them. As a
    number: where it is `numbers[i]` (they rise), direction `row` is `levels[i]`, which is the number itself but for a
    width w that is held as 1/(w + 1); direction `row` is the number where they are too many to list. Either, both or
    neither: what the stream does not hold is computed from what it does. Equal numbers of several types are one
    value here. `name` is what the program calls the s-op, if anything; `node` is the s-op as it was compiled.
    """

    name: str | None
    node: SOp
    values: tuple[Atom, ...] = ()
    rows: tuple[int, ...] = ()
    numbers: tuple[Atom, ...] = ()
    levels: tuple[float, ...] = ()
    row: int | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the stream holds it."""
        return bool(self.values) or self.row is not None


@dataclass(frozen=True, eq=False)
class ModelWeights:
    """A whole compiled model. `directions` names the D residual directions; `predicted_heads` is the analysis.

    `names` and `lines` are what the program calls its nodes, and where it builds them. `tables` has for each Python
    function in it all that it was asked when it was compiled. `held` says where the s-ops that have names are held, and
    what those are computed from; those in `interventions` may have any other value. `texts` are the program's text and
    those of the files it loads; there are none for s-ops built in Python. `labels` are those that edges of the input
    may have. `static_masks` says whether what depends on positions alone was to become masks.
    """

    name: str
    vocabulary: tuple[Atom, ...]
    max_length: int
    dtype: str
    directions: tuple[str, ...]
    W_E: Array
    W_pos: Array
    input_feed_forwards: tuple[FeedForwardWeights, ...]
    layers: tuple[LayerWeights, ...]
    outputs: tuple[Readout, ...]
    guards: tuple[Readout, ...]
    causal: bool
    prefer: str
    tolerance: float
    predicted_heads: tuple[int, ...]
    notes: tuple[str, ...] = ()
    certificate: Certificate | None = None
    names: Mapping[Node, str] = field(default_factory=dict)
    lines: Mapping[Node, int] = field(default_factory=dict)
    tables: Mapping[Operation, Table] = field(default_factory=dict)
    texts: tuple[Text, ...] = ()
    held: tuple[Held, ...] = ()
    interventions: tuple[str, ...] = ()
    labels: tuple[Atom, ...] = ()
    static_masks: bool = False

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
    def masks(self) -> list[Selector]:
        """The masks that heads have, each once."""
        heads = (head for layer in self.layers for head in layer.heads)
        return list({head.mask: None for head in heads if head.mask is not None})

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
        """How many heads each layer has."""
        return [len(layer.heads) for layer in self.layers]

    @property
    def depth(self) -> int:
        """How many layers there are."""
        return len(self.layers)

    @property
    def feed_forwards(self) -> list[FeedForwardWeights]:
        """Every feed-forward in the order of computation, those of the input first."""
        return [*self.input_feed_forwards, *(found for layer in self.layers for found in layer.feed_forwards)]

    @property
    def blocks(self) -> list[Block]:
        """The whole computation as attention and feed-forward in turn."""
        found = [Block((), weights) for weights in self.input_feed_forwards]
        for layer in self.layers:
            first, *more = layer.feed_forwards or (None,)
            found += [Block(layer.heads, first), *(Block((), weights) for weights in more)]
        return found

    @property
    def stages(self) -> list[Stage]:
        """The moments at which a trace has the residual stream: at the start, and after every step."""
        found = [
            Stage(None, title) for title in ("embedding", *_titles("input feed-forward", self.input_feed_forwards))
        ]
        for at, layer in enumerate(self.layers):
            steps = ("attention", *_titles("feed-forward", layer.feed_forwards))
            found += [Stage(at, f"layer {at + 1}: {step}") for step in steps]
        return found


def _titles(step: str, several: Sequence[object]) -> list[str]:
    """The step's name for each of several; with numbers from the second one on."""
    return [step if number == 1 else f"{step} {number}" for number, _ in enumerate(several, 1)]

"""What the residual stream holds: which s-ops are stored, in which encoding, and what readers ask of them.

Every stored s-op has an `Encoding`, one of `compiler/encodings`, which says who writes it. It is read in one of three
ways: *by value* (one direction a value, exactly 0 or 1), as an exact *number* (one direction), or *raw*, as a number
with the rounding noise of a head. What is a linear view of something stored is not stored again: a function of one
one-hot s-op, or a weighted sum of numbers.

Readers ask with `categorical` and `number`; asking may make further needs (a feed-forward reads its sources). When all
needs are known, `compiler/reader.py` gives the directions and the functionals that read them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar, Literal, TypeAlias

from compiler.operations.bit_codes import BitCode
from compiler.operations.materialised import is_stored, made
from compiler.precision import Precision
from compiler.symbolic import Direction
from compiler.values.affine import is_product
from compiler.values.analysis import ValueAnalysis
from compiler.values.linear import LinearForm
from compiler.values.roundoff import Error
from rasp.errors import Refusal
from rasp.graph import Aggregate, Indices, SOp, Tokens, indicator, indices, length

RAW_TOKENS = Tokens("asis")
FIRST = indicator(indices == 0)
MAX_STORED = 10_000
OutputKind: TypeAlias = Literal["categorical", "listed", "number"]


@dataclass(eq=False)
class Encoding(ABC):
    """How an s-op is stored. `wanted` are the values that are read of a one-hot, None for all of them.

    A new encoding is a file in `compiler/encodings`, its place in `ENCODINGS`, and a rule in the proof.
    """

    node: SOp
    wanted: set[Hashable] | None = field(default_factory=set, kw_only=True)
    is_exact: ClassVar[bool] = False
    """Whether it can be stored one-hot as it arrives, so that every function of it is read for free."""
    stays: ClassVar[bool] = False
    """Whether its number has a direction beside its one-hot, which is made from it."""

    @classmethod
    @abstractmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        """Whether this is the encoding of an s-op, if none of those before it in the table is."""

    def by_value(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        """Need: for each wanted value (None: all), whether the node has it, exactly 0 or 1."""
        raise NotImplementedError(f"{self.node!r} is not read by value")

    def show(self, storage: Storage, wanted: set[Hashable] | None) -> None:
        """Enters what is read by value of the one-hot that this encoding is."""
        self.wanted = None if wanted is None or self.wanted is None else self.wanted | wanted
        storage.one_hot[self.node] = self

    def as_number(self, storage: Storage, exact: bool) -> None:
        """Need: the node as a number; `exact`: an integer without rounding error."""
        raise NotImplementedError(f"{self.node!r} is not read as a number")

    def as_raw(self, storage: Storage) -> None:
        """Need: the number as a head writes it, with its rounding noise, for a feed-forward to take steps along."""
        storage.raw[self.node] = self

    def ready(self, storage: Storage) -> int:
        """The stage of its layer's feed-forwards after which it can be read; −1 where none has to come before."""
        return -1

    def direction(self, name: str, storage: Storage) -> Direction:
        """The direction of the number, with what it holds at BOS."""
        return Direction(name)

    def default(self, storage: Storage) -> Any:
        """The value that a one-hot shows at BOS; None where it shows none."""
        return None

    def level(self, number: float) -> float:
        """What stands in the direction of a number."""
        return number

    def error(self, storage: Storage, precision: Precision) -> Error | None:
        """How far the number that is read may be off. None: it is exact up to one rounding of its weights."""
        return None

    def raw_error(self, storage: Storage, precision: Precision) -> Callable[[Fraction], float]:
        """A bound on the error of a raw number, as a function of what is in its direction."""
        raise NotImplementedError(f"{self.node!r} is not read raw")

    def drift(self, storage: Storage, precision: Precision) -> float:
        """How far what stands for the number at BOS may be from what should; neurons write exact zeros there."""
        return 0.0


class Storage:
    """The needs of all readers. Ask with `categorical` and `number`; `one_hot`, `numbers`, `raw` hold what follows.

    `encodings` are tried in order for each s-op. `combined` are means that stand for linear forms of means; `waits` are
    for some s-ops those whose feed-forwards come before theirs.
    """

    def __init__(
        self,
        analysis: ValueAnalysis,
        layer_of: Mapping[Any, int],
        length_is_mean: bool,
        encodings: Sequence[type[Encoding]],
    ) -> None:
        self.analysis = analysis
        self.length_is_mean = length_is_mean
        self.layer_of: dict[Any, int] = dict(layer_of)
        self.one_hot: dict[SOp, Encoding] = {}
        self.numbers: dict[SOp, Encoding] = {}
        self.raw: dict[SOp, Encoding] = {}
        self.combined: dict[SOp, None] = {}
        self.outputs: dict[SOp, OutputKind] = {}
        self.sums: dict[SOp, LinearForm] = {}
        self.bit_codes: dict[SOp, BitCode] = {}
        self.waits: dict[SOp, dict[SOp, None]] = {}
        self._layers: dict[SOp, int] = {}
        self._layers_known = 0
        self._stages: dict[SOp, int] = {}
        self._encodings = encodings
        self._encoding_of: dict[SOp, Encoding] = {}

    @property
    def max_length(self) -> int:
        return self.analysis.max_length

    def encoding(self, node: SOp) -> Encoding:
        """The encoding an s-op has where it is stored as it is."""
        if node not in self._encoding_of:
            kind = next(kind for kind in self._encodings if kind.stores(node, self))
            self._encoding_of[node] = kind(node)
        return self._encoding_of[node]

    # -- what is known of s-ops

    def is_copy(self, node: SOp) -> bool:
        """Whether an aggregate only ever copies strings, booleans or integers, so that its one-hot is exact."""
        if not isinstance(node, Aggregate) or not self.analysis[node].listed:
            return False
        values = self.analysis[node]
        if values.numeric and any(isinstance(value, float) for value in values.universe):
            return False
        return self.analysis.width_bounds(node.selector).at_most_one or not self.analysis[node.value].averaged

    def number_at_bos(self, node: Aggregate) -> float:
        """The default as a number, which BOS carries; 0 where no row is ever empty, as for a string."""
        if isinstance(node.default, str) or self.analysis.width_bounds(node.selector).never_empty:
            return 0.0
        return float(node.default)

    def is_mean_length(self, node: SOp) -> bool:
        """Whether the node is a length whose head writes 1/n, the mean of FIRST, and not 1/(n + 1), as for a width."""
        return node is length and self.length_is_mean

    def codes(self, node: SOp) -> tuple[int, ...]:
        """For each code of a universe the one that stands for it: its own for tokens, else its first numeric equal."""
        values = self.analysis[node]
        return tuple(range(len(values.universe))) if node is RAW_TOKENS else values.numerically_equal

    def is_view(self, node: SOp) -> bool:
        """Whether every function of the node is a linear view of one one-hot source, or constant."""
        sources = self.analysis.sources(node)
        return not sources or (len(sources) == 1 and self.encoding(sources[0]).is_exact)

    def can_be_exact(self, node: SOp) -> bool:
        """Whether the node is an integer that `number(exact=True)` can provide without rounding error."""
        if not self.is_integer(node):
            return False
        form = self.analysis.form(node)
        if len(self.analysis.sources(node)) <= 1 or form is None or set(form.weights) == {node}:
            return True
        weights = [*form.weights.values(), form.constant]
        return all(weight.denominator == 1 for weight in weights) and all(map(self.can_be_exact, form.weights))

    def is_integer(self, node: SOp) -> bool:
        """Whether the node is always an int, of listed ones."""
        values = self.analysis[node]
        return values.listed and all(isinstance(value, int) for value in values.universe)

    # -- when it can be computed

    def layer(self, node: SOp) -> int:
        """The layer whose feed-forward can compute a function of the node's sources; 0 is before any attention."""
        if len(self.layer_of) != self._layers_known:
            self._layers.clear()
            self._stages.clear()
            self._layers_known = len(self.layer_of)
        if node not in self._layers:
            sources = self.analysis.sources(node)
            self._layers[node] = max((self._source_layer(source) for source in sources), default=0)
        return self._layers[node]

    def _source_layer(self, source: SOp) -> int:
        return self.layer(made(source)) if is_stored(source) else self.layer_of.get(source, 0)

    def stage(self, node: SOp) -> int:
        """How many feed-forwards of its layer come before the one that computes the node."""
        if node not in self._stages:
            layer = self.layer(node)
            before = (part for part in self._awaited(node) if self.layer(part) == layer)
            self._stages[node] = 1 + max((self._ready(part) for part in before), default=-1)
        return self._stages[node]

    def _awaited(self, node: SOp) -> Iterable[SOp]:
        """What a node waits for. What is stored of a source of its own waits for it; both stand under the source."""
        source = made(node)
        parts = self.waits.get(source, {})
        if source not in parts:
            return parts
        return [source] if is_stored(node) else [part for part in parts if part is not source]

    def _ready(self, part: SOp) -> int:
        """The stage after which what others wait for can be read; −1: it is a view of what heads write."""
        if not self.is_view(part):
            return self.stage(part)
        return max((self.encoding(source).ready(self) for source in self.analysis.sources(part)), default=-1)

    def wait(self, node: SOp, parts: Iterable[SOp]) -> None:
        """The feed-forward that makes a node comes after those that make some others."""
        self.waits.setdefault(node, {}).update(dict.fromkeys(parts))
        self._stages.clear()

    # -- what readers ask

    def categorical(self, node: SOp, wanted: set[Hashable] | None = None) -> None:
        """Need: for each wanted value (None: all), whether the node has it, exactly 0 or 1."""
        if not self.analysis[node].listed:
            raise Refusal(f"the possible values of {node!r} are too many to list, so it cannot be read by value")
        if self.is_view(node):
            for source in self.analysis.sources(node):
                self.encoding(source).by_value(self, None)
        else:
            self.encoding(node).by_value(self, wanted)

    def number(self, node: SOp, *, exact: bool = False) -> None:
        """Need: the node as a number. `exact`: an integer without rounding error, for a head to compare."""
        if not self.analysis[node].numeric:
            raise Refusal(f"{node!r} is not a number everywhere")
        if self._is_constant(node):
            return
        parts = self._added(node)
        if parts is not None:
            for part in parts:
                self.number(part, exact=exact)
        elif (copied := self._copied(node)) is None:
            self.encoding(node).as_number(self, exact)
        elif self._is_whole_multiple(node, copied):
            self.number(copied)
        else:
            self.encoding(copied).by_value(self, None)

    def by_bits(self, node: Aggregate, code: BitCode) -> None:
        """Need: an output that is a copy, by the bits of its code."""
        self.bit_codes[node] = code
        for bit in code.bits:
            self.layer_of[bit] = self.layer_of[node]
            self.number(bit)

    def sum_of_means(self, node: SOp) -> None:
        """Need: an output as a number."""
        for part in self.sums[node].weights if node in self.sums else (node,):
            self.number(part)

    def form_read(self, node: SOp) -> LinearForm | None:
        """The linear form of stored numbers that a number is read as; None where it is read by itself."""
        if node in self.sums:
            return self.sums[node]
        if node in self.numbers or node in self.one_hot or self.is_view(node) or len(self.analysis[node].universe) == 1:
            return None
        form = self.analysis.form(node)
        return None if form is None or set(form.weights) == {node} else form

    def _is_constant(self, node: SOp) -> bool:
        return not self.analysis.sources(node) or len(self.analysis[node].universe) == 1

    def _added(self, node: SOp) -> Iterable[SOp] | None:
        """The numbers that a number is a weighted sum of, if it is read so; None where it is stored or a view."""
        if not self.analysis[node].listed:
            if isinstance(node, Aggregate) or is_product(self.analysis, node):
                return None
        elif len(self.analysis.sources(node)) == 1:
            return None
        form = self.analysis.form(node)
        return None if form is None or set(form.weights) == {node} else form.weights

    def _copied(self, node: SOp) -> SOp | None:
        """The one exact source that a number is a function of, and that is not itself; None where it is stored.

        A function of tokens or of indices is a number of its own, which the embedding has.
        """
        sources = self.analysis.sources(node)
        if node is sources[0] or not self.is_view(node) or isinstance(sources[0], (Tokens, Indices)):
            return None
        return sources[0]

    def _is_whole_multiple(self, node: SOp, source: SOp) -> bool:
        """Whether an integer is another one times an integer, and one more, so that it is read off it without error."""
        form = self.analysis.linear[node]
        if form is None or set(form.weights) != {source} or not self.can_be_exact(source):
            return False
        return form.weights[source].denominator == form.constant.denominator == 1 and self.can_be_exact(node)

"""By how much one mean is larger than another: ReLU(x − y), and for a distance ReLU(y − x) as well.

Both units are 0 at BOS, where they are masked, and nothing else is read: what is off in x or y is off in the gap by as
much, and one subtraction rounds. `compiler/operations/differences.py` says why a single step can then tell whether it
is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from compiler.encodings.writers import ByNeurons
from compiler.operations.differences import MeanDifference, is_difference
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.rounding import drift_at_bos, number_error
from compiler.storage import Storage
from compiler.symbolic import Neuron, masked
from compiler.values.roundoff import largest
from rasp.graph import Map, SOp


class Gap(ByNeurons):
    """The excess of one mean over another, or the distance of the two, raw."""

    node: Map

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return is_difference(node)

    def as_raw(self, storage: Storage) -> None:
        super().as_raw(storage)
        for mean in self.node.args:
            storage.encoding(mean).as_raw(storage)

    def neurons(self, reader: Reader, precision: Precision) -> list[Neuron]:
        left, right = (reader.raw[mean] for mean in self.node.args)
        signs = (1.0, -1.0) if isinstance(self.node.op, MeanDifference) and self.node.op.both else (1.0,)
        written = {reader.raw[self.node]: 1.0}
        return [Neuron(masked({left: sign, right: -sign}), 0.0, written) for sign in signs]

    def raw_error(self, storage: Storage, precision: Precision) -> Callable[[Fraction], float]:
        together = sum(number_error(mean, storage, precision) for mean in self.node.args)
        rounded = 2 * precision.unit * sum(largest(storage.analysis[mean].range) for mean in self.node.args)
        return lambda level: together + rounded

    def drift(self, storage: Storage, precision: Precision) -> float:
        return 2 * sum(drift_at_bos(mean, storage, precision) for mean in self.node.args)

"""A mean times a listed number: v·ReLU(x − B·outside) − v·ReLU(−x − B·outside) for each value v of the factor.

`outside` is the sum of the indicators of all other values, and B is above |x|. Where the factor is v, nothing is added
to x, so x arrives as it was read, once; elsewhere both units are off.
"""

from __future__ import annotations

import math

from compiler.encodings.writers import ByNeurons
from compiler.precision import Precision
from compiler.reader import Reader
from compiler.rounding import drift_at_bos, error_of
from compiler.storage import Storage
from compiler.symbolic import Neuron, combine, masked
from compiler.values.affine import is_product
from compiler.values.categorical import value_key
from compiler.values.roundoff import Error, largest
from rasp.errors import Refusal
from rasp.graph import Map, SOp


class Product(ByNeurons):
    """A mean whose values are too many to list, times an s-op of few values."""

    node: Map

    @classmethod
    def stores(cls, node: SOp, storage: Storage) -> bool:
        return is_product(storage.analysis, node)

    def as_number(self, storage: Storage, exact: bool) -> None:
        if self.node in storage.numbers:
            return
        factor, mean = self.node.args
        storage.numbers[self.node] = self
        storage.encoding(mean).as_raw(storage)
        storage.categorical(factor)
        storage.wait(self.node, [factor])

    def neurons(self, reader: Reader, precision: Precision) -> list[Neuron]:
        factor, mean = self.node.args
        values, (low, high) = reader.analysis[factor], reader.analysis[mean].range
        equal = values.numerically_equal
        number = {code: row for row, code in enumerate(sorted(set(equal)))}
        row_of = {value_key(value): number[code] for value, code in zip(values.universe, equal, strict=True)}
        indicators = reader.indicators(factor, row_of, len(number))
        strength = 2.0 ** self._exponent(max(abs(low), abs(high), 1.0), precision)
        found = []
        for code, row in number.items():
            weight = float(values.universe[code])
            outside = combine(*((-strength, other) for at, other in enumerate(indicators) if at != row))
            for sign in (1.0, -1.0):
                if weight and (high > 0 if sign > 0 else low < 0):
                    inputs = combine((sign, {reader.raw[mean]: 1.0}), (1.0, outside))
                    found.append(Neuron(masked(inputs), 0.0, {reader.numbers[self.node]: sign * weight}))
        return found

    def _exponent(self, size: float, precision: Precision) -> int:
        """That of a power of two above the mean. Refusal where the dtype has none."""
        if 4 * size >= precision.largest:
            raise Refusal(f"{self.node!r}: a mean of {size:.3g} is too large for gates in {precision.name}")
        return math.ceil(math.log2(size) + 1)

    def error(self, storage: Storage, precision: Precision) -> Error:
        """A mean times a number, rounded, and zeros."""
        factor, mean = self.node.args
        found = error_of(mean, storage, precision).scaled(largest(storage.analysis[factor].range))
        return found.then(Error(4 * precision.unit, precision.tiniest))

    def drift(self, storage: Storage, precision: Precision) -> float:
        """All units are active for what the mean is above its default."""
        factor, mean = self.node.args
        return 2 * sum(map(abs, storage.analysis[factor].universe)) * drift_at_bos(mean, storage, precision)

"""All encodings, in the order in which they are tried: an s-op has the first that stores it."""

from __future__ import annotations

from compiler.encodings.computed import Computed
from compiler.encodings.copied import Copied
from compiler.encodings.counts import Count, Flag
from compiler.encodings.embedded import Embedded
from compiler.encodings.gap import Gap
from compiler.encodings.mean import Mean
from compiler.encodings.product import Product
from compiler.encodings.reciprocal import Reciprocal, Share
from compiler.storage import Encoding

ENCODINGS: tuple[type[Encoding], ...] = (
    Embedded,
    Copied,
    Mean,
    Share,
    Reciprocal,
    Count,
    Flag,
    Gap,
    Product,
    Computed,
)

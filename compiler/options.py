"""What a model is compiled for, given once: the front doors parse and check it, and the passes hand it on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from compiler.precision import PRECISIONS, Precision, precision
from rasp.errors import DataFault
from rasp.operations import Atom, atom_key, is_atom
from rasp.vocabulary import parse_vocabulary

MAX_LENGTH = 65_536
PREFERENCES = ("auto", "depth", "small")
MASKS = ("scores", "auto")


@dataclass(frozen=True, init=False)
class Options:
    """Which inputs a model is for, in which floats, and what it may trade.

    `vocab` are its tokens, given one by one or as a text such as `a-z`, `0..9`, `red,green` or `@FILE`; `max_length` is
    the longest input. `causal` masks every head to keys at or before the query (the interpreter's causal mode is the
    program then). `prefer` says whether two narrow heads may stand for a wide one: `auto` where it would need more than
    1,024 score dimensions, or where a model of over 50,000 parameters becomes a quarter as large or less; `depth`
    nowhere (exactly the predicted heads); `small` wherever they can; and, but for `depth`, several heads for a width
    that no single head can tell, and one layer more for another selector that no single head computes. Else layers are
    as predicted. `tolerance` is how near numbers too many to list must come to the interpreter's, as a share of the
    larger of the result and the smallest number averaged: None for 1e-5 in float32 and 1e-12 in float64.
    `masks` says what becomes of what depends on positions alone, such as a window: `scores`, as in the paper, or masks
    (`auto`), which take no dimension.
    `interventions` are the names of s-ops that are stored for `model.intervene` to put other values in, with all of
    which the certificate holds. `labels` are those that edges of the input may have, where a program reads labels as
    values: `1..3`, `red,green`, or a list. DataFault for a bad vocabulary, length, dtype, preference or tolerance.
    """

    vocab: tuple[Atom, ...]
    max_length: int
    dtype: str
    causal: bool
    prefer: str
    tolerance: float | None
    masks: str
    interventions: tuple[str, ...]
    labels: tuple[Atom, ...]

    def __init__(
        self,
        vocab: str | Iterable[Atom],
        max_length: int,
        *,
        dtype: str = "float32",
        causal: bool = False,
        prefer: str = "auto",
        tolerance: float | None = None,
        masks: str = "scores",
        interventions: Iterable[str] = (),
        labels: str | Iterable[Atom] = (),
    ) -> None:
        tokens = parse_vocabulary(vocab) if isinstance(vocab, str) and vocab else tuple(vocab)
        named = (interventions,) if isinstance(interventions, str) else tuple(interventions)
        marks = parse_vocabulary(labels) if isinstance(labels, str) and labels else tuple(labels)
        given = (tokens, max_length, dtype, causal, prefer, tolerance, masks, named, marks)
        for name, value in zip(self.__dataclass_fields__, given, strict=True):
            object.__setattr__(self, name, value)
        _check_vocabulary(tokens)
        _check_labels(marks)
        self._check()

    def _check(self) -> None:
        if not 1 <= self.max_length <= MAX_LENGTH:
            raise DataFault(
                f"the maximum length must be from 1 to {MAX_LENGTH:,}, not {self.max_length:,}",
                hint="beyond that, what is kept of every position takes gigabytes",
            )
        if self.dtype not in PRECISIONS:
            raise DataFault(f"the dtype is one of {', '.join(PRECISIONS)}, not {self.dtype!r}")
        if self.prefer not in PREFERENCES:
            raise DataFault(f"prefer is one of {', '.join(PREFERENCES)}, not {self.prefer!r}")
        if self.masks not in MASKS:
            raise DataFault(f"masks is one of {', '.join(MASKS)}, not {self.masks!r}")
        if self.tolerance is not None and not 0 < self.tolerance < 1:
            raise DataFault(f"the tolerance is a number between 0 and 1, not {self.tolerance}")

    @cached_property
    def precision(self) -> Precision:
        """What the dtype can hold, with the accuracy asked for, or its own."""
        return precision(self.dtype, self.tolerance)


def _check_labels(labels: Sequence[Atom]) -> None:
    for at, label in enumerate(labels):
        if not is_atom(label) or (isinstance(label, float) and not math.isfinite(label)):
            raise DataFault(f"a label is a string or a finite number, not {label!r}")
        if label in labels[:at]:
            raise DataFault(f"the labels hold {label!r} twice")


def _check_vocabulary(tokens: Sequence[Atom]) -> None:
    if not tokens:
        raise DataFault("the vocabulary is empty")
    seen = set()
    for token in tokens:
        if not is_atom(token):
            raise DataFault(f"a token is a string or a number, not a {type(token).__name__}")
        if isinstance(token, float) and not math.isfinite(token):
            raise DataFault(f"a token is a finite number, not {token}")
        if atom_key(token) in seen:
            raise DataFault(f"the vocabulary holds {token!r} twice")
        seen.add(atom_key(token))

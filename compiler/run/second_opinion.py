"""A second opinion on a compiled model: the interpreter and the numpy reference on inputs that are chosen to hurt.

The proof and the constructions share the analysis of values, so one mistake there could fool both. The interpreter
shares nothing with them. A difference is a mistake of the compiler, and no model comes of it.
"""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction

import numpy as np

from compiler.functions import is_function
from compiler.ir import Accuracy
from compiler.run.batches import batch_size
from compiler.run.model import CompiledModel
from compiler.run.verify import Counterexample, asked_of, compare, drawn
from compiler.values.analysis import ValueAnalysis
from compiler.values.grid import Cells
from compiler.values.sets import sizes
from rasp.errors import InternalFault
from rasp.graph import Map, Node, SOp, topological
from rasp.inputs import json_of
from rasp.operations import Atom
from rasp.printing import expression

MOST = 400
SHARE, AT_LEAST = 0.1, 0.05
_FIRST = 8
_SHOWN = 4_000
_LENGTHS = 4
LONGEST = 4096
MOST_TOKENS = 200_000


def second_opinion(
    sops: Mapping[str, SOp],
    model: CompiledModel,
    promised: Mapping[str, Accuracy],
    lengths: Sequence[int],
    seconds: float,
) -> int:
    """How many of at most MOST inputs were compared, in about so many seconds. InternalFault at a difference.

    Of other lengths than 1 and the longest, those in `lengths` come first. What is beyond LONGEST, and would take
    minutes, is left to the certificate.
    """
    longest = min(model.weights.max_length, LONGEST)
    inputs = _affordable(
        hurtful(model.weights.vocabulary, longest, [length for length in lengths if length <= longest])
    )
    place = {id(token): at for at, token in enumerate(model.weights.vocabulary)}
    asked, chance = asked_of(sops, model), random.Random(0)
    end, done = time.perf_counter() + seconds, 0
    for batch in _batches(inputs, model):
        if done and time.perf_counter() > end:
            break
        ids = np.array([[place[id(token)] for token in tokens] for tokens in batch])
        found = compare(model, sops, ids, promised, ("reference",), drawn(ids, asked, chance))
        if found.counterexample is not None:
            raise _fault(sops, model, found.counterexample)
        done += found.count
    return done


def _affordable(inputs: Iterable[tuple[Atom, ...]]) -> Iterator[tuple[Atom, ...]]:
    """The first MOST inputs, or as many as have MOST_TOKENS together."""
    count = 0
    for tokens in itertools.islice(inputs, MOST):
        yield tokens
        count += len(tokens)
        if count > MOST_TOKENS:
            return


def _batches(inputs: Iterable[tuple[Atom, ...]], model: CompiledModel) -> Iterator[list[tuple[Atom, ...]]]:
    """Some inputs in batches of one length, larger and larger ones; the first batches of all lengths come first."""
    by_length: dict[int, list[tuple[Atom, ...]]] = {}
    for tokens in inputs:
        by_length.setdefault(len(tokens), []).append(tokens)
    split = []
    for length, group in by_length.items():
        largest, starts = batch_size(model, length), [0]
        while starts[-1] < len(group):
            starts.append(starts[-1] + min(_FIRST << len(starts) - 1, largest))
        split.append([group[start:stop] for start, stop in itertools.pairwise(starts)])
    for turn in itertools.zip_longest(*split):
        yield from (batch for batch in turn if batch is not None)


# -- inputs that hurt


def hurtful(vocabulary: Sequence[Atom], longest: int, lengths: Sequence[int]) -> Iterator[tuple[Atom, ...]]:
    """Inputs that are likely to show a mistake, each once, the kinds of them in turn.

    Every token alone, extremes together and all equal at the longest length and at some others, and random ones.
    """
    seen: set[tuple[int, ...]] = set()
    place = {id(token): at for at, token in enumerate(vocabulary)}
    others = [length for length in dict.fromkeys((*lengths, 2, longest - 1)) if 1 < length < longest]
    kinds = [
        _of_length(vocabulary, longest),
        ((token,) for token in _spread(vocabulary)),
        _in_turn([_of_length(vocabulary, length) for length in others]),
        _random(vocabulary, longest),
    ]
    for tokens in _in_turn(kinds):
        key = tuple(place[id(token)] for token in tokens)
        if key not in seen:
            seen.add(key)
            yield tokens


def _in_turn(kinds: Sequence[Iterator[tuple[Atom, ...]]]) -> Iterator[tuple[Atom, ...]]:
    for turn in itertools.zip_longest(*kinds):
        yield from (tokens for tokens in turn if tokens is not None)


def _spread(vocabulary: Sequence[Atom]) -> Iterator[Atom]:
    """The tokens, those at the ends first and then ever closer ones: all of them, if there are few."""
    count = len(vocabulary)
    order = sorted(range(count), key=lambda at: int(f"{at:0{count.bit_length()}b}"[::-1], 2))
    yield from (vocabulary[at] for at in dict.fromkeys((0, count - 1, *order)))


def _of_length(vocabulary: Sequence[Atom], length: int) -> Iterator[tuple[Atom, ...]]:
    """Two extremes half and half, one among many, and in turn; all equal; the vocabulary up and down."""
    ends = extremes(vocabulary)
    half = length // 2
    for low, high in itertools.permutations(ends, 2):
        yield (low,) * half + (high,) * (length - half)
        yield (low,) + (high,) * (length - 1)
        yield tuple((low, high)[at % 2] for at in range(length))
    yield from ((token,) * length for token in ends)
    yield tuple(vocabulary[at % len(vocabulary)] for at in range(length))
    yield tuple(vocabulary[-1 - at % len(vocabulary)] for at in range(length))


def extremes(vocabulary: Sequence[Atom]) -> list[Atom]:
    """The first and the last token; of numbers the smallest and largest, also in size, and the two nearest."""
    numbers = sorted(token for token in vocabulary if not isinstance(token, str))
    texts = sorted(token for token in vocabulary if isinstance(token, str))
    sizes = sorted((token for token in numbers if token), key=abs)
    pairs = list(itertools.pairwise(numbers))
    nearest = min(pairs, key=lambda pair: Fraction(pair[1]) - Fraction(pair[0])) if pairs else ()
    found = [*numbers[:1], *numbers[-1:], *sizes[:1], *sizes[-1:], *nearest, *texts[:1], *texts[-1:]]
    return list({id(token): token for token in (*found, vocabulary[0], vocabulary[-1])}.values())


def _random(vocabulary: Sequence[Atom], longest: int) -> Iterator[tuple[Atom, ...]]:
    rng = random.Random(0)
    for number in range(MOST):
        part = vocabulary if number % 2 else rng.sample(list(vocabulary), min(len(vocabulary), rng.randint(1, 3)))
        yield tuple(rng.choices(part, k=rng.randint(1, longest)))


def telling_lengths(roots: Sequence[SOp], values: ValueAnalysis) -> list[int]:
    """The lengths at which some s-op has the fewest values, and the most: the mistakes of an analysis lie there."""
    found: dict[int, None] = {}
    for node in topological(roots):
        known = values[node] if isinstance(node, SOp) else None
        if known is not None and known.listed and len(known.patterns) > 1:
            found |= dict.fromkeys(_extreme_lengths(known.cell_pattern.map(sizes(known.patterns).__getitem__)))
        if len(found) >= _LENGTHS:
            break
    return list(found)


def _extreme_lengths(number: Cells) -> tuple[int, int]:
    """The first length at which a cell has the smallest number, and the first with the largest."""
    first = (number.numbers.argmin(), number.numbers.argmax())
    if number.along == "cell":
        return tuple(int(number.grid.length[at]) for at in first)  # type: ignore[return-value]
    return tuple(int(at) + 1 for at in first)  # type: ignore[return-value]


# -- what is said of a difference


def _fault(sops: Mapping[str, SOp], model: CompiledModel, example: Counterexample) -> InternalFault:
    weights = model.weights
    program = weights.program or "\n".join(_written(sops))
    used = (node for node in topological(sops.values()) if isinstance(node, Map))
    hint = (
        "does a Python function give different answers to the same arguments?"
        if any(is_function(node.op) for node in used)
        else "this is a mistake of the compiler, not of the program: please report it with all of the above"
    )
    return InternalFault(
        f"the model of {example.output} does not give the interpreter's answer",
        notes=[
            f"input        {json.dumps(json_of(example.tokens))}",
            f"interpreter  {_side(example.expected)}",
            f"model        {_side(example.found)}",
            f"compiled with vocabulary {json.dumps(weights.vocabulary)[:_SHOWN]}, maximum length {weights.max_length}, "
            f"{weights.dtype}, prefer {weights.prefer}{', causal' if weights.causal else ''}, from the program",
            *program[:_SHOWN].splitlines(),
        ],
        hint=hint,
    )


def _written(sops: Mapping[str, SOp]) -> Iterator[str]:
    """The s-ops as a program, one line a node: no part of an expression is too deep to be shown."""
    names: dict[Node, str] = {}
    for node in topological(sops.values()):
        if node.children:
            text = expression(node, names, _SHOWN)
            names[node] = f"s{len(names) + 1}"
            yield f"{names[node]} = {text};"
    yield from (f"{name} = {expression(sop, names)};" for name, sop in sops.items())


def _side(output: list[Atom] | str) -> str:
    return f"error: {output}" if isinstance(output, str) else json.dumps(output)

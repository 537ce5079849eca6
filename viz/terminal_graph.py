"""A graph as text: a line a vertex with its value and what it looks at, for the relations of an input and each head."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any

from compiler.run.model import CompiledModel
from rasp.operations import Atom
from viz.labels import BOS, label
from viz.terminal import cells
from viz.vertex_pictures import Picture, pictures_of

_WIDEST_BAR = 8
_NARROWEST = 20
_SIGNS = {
    "attention": "each line: a vertex, its value, and how much attention it has on each of the places named",
    "idle": "in sight: the mask lets the vertex look there, and it does not; what is not named is hidden",
    "faint": "attention below 0.001, or half an even share, is left out",
}


def graph_text(
    given: Sequence[Atom] | Mapping[str, Any], model: CompiledModel | None = None, *, width: int = 80
) -> str:
    """Lines of text for a graph input, and of a `model` for each head at work on it, as wide as `width` where that is
    enough.

    Keys of the same weight stand together, runs of places as 3-7. Errors as for `viz.graph`.
    """
    found = pictures_of(given, model)
    pictures = [picture for layer in found.layers for picture in layer]
    tokens = [label(token) for token in found.tokens]
    lines = [line for picture in pictures for line in _block(picture, tokens, width)]
    signs = [said for sign, said in _SIGNS.items() if any(_has(picture, sign) for picture in pictures)]
    return "\n".join([*lines, *(line for text in (*signs, *found.remarks) for line in wrap(text, width))])


def _has(picture: Picture, sign: str) -> bool:
    if sign == "attention":
        return not picture.given
    return picture.faint if sign == "faint" else bool(picture.idle.any())


def _block(picture: Picture, tokens: Sequence[str], width: int) -> Iterator[str]:
    """A title, then a line for each vertex; what is too wide goes on in lines of its own, further in."""
    yield from (line.replace("\N{NO-BREAK SPACE}", " ") for line in wrap("; ".join(picture.title), width))
    columns = [list(map(str, range(len(tokens)))), tokens, *([] if picture.given else [picture.texts])]
    widths = [max(map(cells, column)) for column in columns]
    for vertex, row in enumerate(zip(*columns, strict=True)):
        texts = [text + " " * (wide - cells(text)) for text, wide in zip(row, widths, strict=True)]
        start = f"  {'  '.join(texts)}  "
        said = _edges(picture, vertex) if picture.given else _attention(picture, vertex)
        first, *more = wrap(said, max(_NARROWEST, width - cells(start))) or [""]
        yield f"{start}{first}".rstrip()
        yield from (" " * cells(start) + line for line in more)


def _edges(picture: Picture, vertex: int) -> str:
    """What a vertex of a relation is joined with, or where its edges come from."""
    edges = {key: (vertex, key) for key in picture.attention[vertex].nonzero()[0].tolist()}
    if not picture.arrows:
        edges |= {query: (query, vertex) for query in picture.attention[:, vertex].nonzero()[0].tolist()}
    if not edges:
        return ""
    texts = {key: picture.labels.get(edges[key], "") for key in sorted(edges)}
    found = ", ".join(f"{key} ({text})" if text else str(key) for key, text in texts.items())
    return f"{'from' if picture.arrows else 'with'} {found if any(texts.values()) else _listed(texts)}"


def _attention(picture: Picture, vertex: int) -> str:
    """What a vertex looks at, strongest first, and what is in sight that it does not look at."""
    weights = picture.attention[vertex]
    shown = sorted({*weights[weights > 0].tolist(), *picture.on_bos[[vertex]].tolist()} - {0.0}, reverse=True)
    parts = [f"{_bar(weight)} {text} on {_seen(picture, vertex, text)}" for text, weight in _numbers(shown).items()]
    idle = picture.idle[vertex].nonzero()[0].tolist()
    return "   ".join([*parts, *([f"in sight: {_listed(idle)}"] if idle else [])])


def _numbers(weights: Iterable[float]) -> dict[str, float]:
    """Weights by how they are written; those that are written alike are one."""
    return {_written(weight): weight for weight in weights}


def _written(weight: float) -> str:
    return f"{weight:.3g}"


def _bar(weight: float) -> str:
    return "━" * max(1, round(_WIDEST_BAR * weight))


def _seen(picture: Picture, vertex: int, number: str) -> str:
    """The places that have this weight, and BOS where it has it."""
    keys = [key for key, weight in enumerate(picture.attention[vertex].tolist()) if _written(weight) == number]
    bos = [BOS] if _written(picture.on_bos[vertex]) == number else []
    return ", ".join([*([_listed(keys)] if keys else []), *bos])


def _listed(places: Iterable[int]) -> str:
    """Places in order, runs of three and more by their ends."""
    runs = [[place for _, place in run] for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)

"""Where the vertices of a graph stand in a picture, in inches: no two nearer than a gap, the same places each time.

Each connected component is laid out by networkx and has its vertices pushed apart; components stand side by side. One
that would become too long that way, such as a path of many vertices, stands on a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import pi, sin, sqrt

import networkx
import numpy as np
from numpy.typing import NDArray

from rasp.operations import Atom
from rasp.relations import relations_of

Places = NDArray[np.float64]

_NEAREST = 1.4
"""How far neighbours should stand from one another, in gaps, before any are pushed apart."""
_LONGEST = 24.0
"""How long a component may be, in gaps, unless it is longer on a circle."""
_EXACT = 80
"""Up to so many vertices every distance counts (Kamada and Kawai 1989); of more, springs along the edges."""
_PUSHES = 300
_TURN = pi * (3 - sqrt(5))


def input_places(tokens: Sequence[Atom], gap: float) -> Places:
    """Places [n, 2] of an input's positions: as its relations join them, or on a circle where it has none."""
    relations = relations_of(tokens)
    if not relations:
        return on_circle(len(tokens), gap)
    together = networkx.Graph()
    together.add_nodes_from(range(len(tokens)))
    for edges in relations.values():
        together.add_edges_from((u, v) for u, v, _ in edges if u != v)
    return vertex_places(together, gap)


def vertex_places(graph: networkx.Graph, gap: float) -> Places:
    """Places [n, 2] of the vertices 0 … n−1, whose least coordinates are 0; any two are at least `gap` apart."""
    found = np.zeros((len(graph), 2))
    parts = sorted(map(sorted, networkx.connected_components(graph)), key=lambda part: (-len(part), part))
    drawn = [_component(graph.subgraph(part), gap) for part in parts]
    for part, own, corner in zip(parts, drawn, _corners([own.max(axis=0) for own in drawn], gap), strict=True):
        found[part] = own + corner
    return _from_zero(found * [1, -1])  # the first row of components is the topmost


def _component(graph: networkx.Graph, gap: float) -> Places:
    """The places of a connected graph's vertices in order, from 0 on."""
    size = len(graph)
    if size <= 2:
        return np.arange(size)[:, None] * np.array([[_NEAREST * gap, 0.0]])
    circle = on_circle(size, gap)
    free = _from_zero(_apart(_scaled(_by_networkx(graph), gap), gap))
    too_long = np.ptp(free, axis=0).max() > max(_LONGEST * gap, np.ptp(circle, axis=0).max())
    return circle if too_long or _nearest(free).min() < 0.99 * gap else free


def _by_networkx(graph: networkx.Graph) -> Places:
    drawn = (
        networkx.kamada_kawai_layout(graph)
        if len(graph) <= _EXACT
        else networkx.spring_layout(graph, seed=0, pos=networkx.circular_layout(graph))
    )
    return _lying(np.array([drawn[vertex] for vertex in sorted(graph)], dtype=np.float64))


def _lying(places: Places) -> Places:
    """The places turned so that they reach furthest from left to right; the first vertex is not on the right."""
    middle = places - places.mean(axis=0)
    axes = np.linalg.svd(middle, full_matrices=False)[2]
    signs = np.where((middle @ axes.T)[0] > 0, -1.0, 1.0)
    return np.asarray(middle @ axes.T * signs)


def on_circle(size: int, gap: float) -> Places:
    """Vertices in order around a circle, neighbours a little more than a gap apart."""
    angles = np.linspace(pi / 2, -3 * pi / 2, size, endpoint=False)
    return _from_zero(np.stack([np.cos(angles), np.sin(angles)], axis=1) * 1.05 * gap / 2 / sin(pi / size))


def _scaled(places: Places, gap: float) -> Places:
    """The places drawn so large that nearest vertices are on average as far apart as they should be."""
    return places * (_NEAREST * gap / max(float(_nearest(places).mean()), 1e-9))


def _distances(places: Places) -> Places:
    found: Places = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(found, np.inf)
    return found


def _nearest(places: Places) -> Places:
    """How far each vertex is from the nearest other one."""
    return np.asarray(_distances(places).min(axis=1))


def _apart(places: Places, gap: float) -> Places:
    """The places after vertices nearer than a gap have been pushed apart, as often as that is needed and allowed."""
    ways = np.arange(len(places)) * _TURN
    places = places + 1e-3 * gap * np.stack([np.cos(ways), np.sin(ways)], axis=1)  # no two in one place
    for _ in range(_PUSHES):
        distances = _distances(places)
        lacking = np.clip(1.01 * gap - distances, 0.0, None)
        if not lacking.any():
            break
        ways_out = (places[:, None] - places[None]) / distances[..., None]
        places = places + (ways_out * lacking[..., None] / 2).sum(axis=1)
    return places


def _from_zero(places: Places) -> Places:
    return np.asarray(places - places.min(axis=0))


def _corners(sizes: Sequence[Places], gap: float) -> list[Places]:
    """The lower left corner of each component: in rows, from left to right, about as wide as high."""
    room = [size + _NEAREST * gap for size in sizes]
    widest = max(sqrt(1.6 * sum(float(w * h) for w, h in room)), max(float(w) for w, _ in room))
    corners, x, y, height = [], 0.0, 0.0, 0.0
    for width, high in room:
        if x and x + width > widest + 1e-9:
            x, y, height = 0.0, y + height, 0.0
        corners.append(np.array([x, y]))
        x, height = x + float(width), max(height, float(high))
    return corners

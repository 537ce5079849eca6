"""Layers and heads, counted without a compiler."""

from __future__ import annotations

import itertools
from collections import defaultdict

import pytest

from rasp.graph import (
    Aggregate,
    Node,
    SelectorWidth,
    SOp,
    aggregate,
    full,
    indices,
    length,
    select,
    select_best,
    selector_width,
    tokens,
    topological,
)
from rasp.layers import Gather, Head, analyse, head_of
from tests.random_graphs import random_case

SAME = select(tokens, tokens)
BEFORE = select(indices, indices, "<")
HISTOGRAM = selector_width(SAME)
REVERSE = aggregate(select(indices, length - 1 - indices), tokens)


def average(value: SOp) -> SOp:
    return aggregate(full, value)


def chain(depth: int) -> SOp:
    found: SOp = indices
    for _ in range(depth):
        found = aggregate(select(found, indices, "<"), found)
    return found


@pytest.mark.parametrize(
    ("roots", "heads"),
    [
        ([tokens], []),
        ([indices + 1 == 2], []),
        ([full], []),
        ([HISTOGRAM], [1]),
        ([HISTOGRAM + HISTOGRAM * 2], [1]),
        ([aggregate(SAME, indices) + aggregate(SAME, indices * indices)], [1]),
        ([aggregate(SAME, indices) + selector_width(SAME)], [2]),
        ([aggregate(SAME, indices, 0) + aggregate(SAME, indices, 1)], [1]),
        ([aggregate(SAME, indices) + aggregate(BEFORE, indices)], [2]),
        ([REVERSE], [1, 1]),
        ([average(indices) + length], [1]),
        ([average(indices) + selector_width(full)], [1]),
        ([average(indices) + selector_width(SAME) + length], [2]),
        ([average(tokens == REVERSE) + length], [1, 1, 1]),
        ([select(HISTOGRAM, HISTOGRAM)], [1]),
        ([selector_width(select(HISTOGRAM, indices) & select(length, 3))], [2, 1]),
        ([selector_width(select_best(full, HISTOGRAM))], [1, 1]),
        ([REVERSE, HISTOGRAM], [1, 2]),
        ([chain(5)], [1] * 5),
    ],
)
def test_layers_and_heads(roots: list[Node], heads: list[int]) -> None:
    found = analyse(roots)
    assert sorted(found.heads) == sorted(heads)
    assert found.depth == len(heads)


def test_what_can_wait_goes_where_there_is_room() -> None:
    spare = [aggregate(select(indices, indices + shift), tokens) for shift in range(3)]
    found = analyse([REVERSE, *spare])
    assert sorted(found.heads) == [2, 3]


def test_what_can_share_a_head_waits_for_it() -> None:
    early, late = aggregate(SAME, indices), aggregate(SAME, length)
    found = analyse([early + late])
    assert found.heads == [1, 1]
    assert found.layer_of[early] == found.layer_of[late] == 2


def test_length_is_a_mean_where_there_are_others() -> None:
    assert analyse([length]).layers == ((Head(full, "width"),),)
    assert analyse([average(indices) + length]).layers == ((Head(full, "aggregate"),),)
    assert analyse([average(length) + length]).layers == ((Head(full, "width"),), (Head(full, "aggregate"),))


def test_a_layer_of_every_node() -> None:
    found = analyse([tokens == REVERSE + 1])
    nodes = (tokens, length, length - 1 - indices, REVERSE, REVERSE + 1)
    assert [found.layer_of[node] for node in nodes] == [0, 1, 1, 2, 2]
    assert found.layers == ((Head(full, "width"),), (head_of_reverse(),))


def head_of_reverse() -> Head:
    assert isinstance(REVERSE, Aggregate)
    return head_of(REVERSE)


@pytest.mark.parametrize(
    ("root", "heads"),
    [
        (HISTOGRAM, [2]),
        (REVERSE, [1, 1]),
        (average(indices) + length, [1]),
        (HISTOGRAM + aggregate(SAME, indices), [3]),
    ],
)
def test_heads_as_the_paper_counts_them(root: SOp, heads: list[int]) -> None:
    assert analyse([root]).paper_heads() == heads


def best_cost(gathers: list[Gather], depth: int) -> tuple[int, int]:
    """The smallest (largest layer, total) of all ways to place the gathers."""
    below = {
        node: {child for child in topological(node.children) if isinstance(child, (Aggregate, SelectorWidth))}
        for node in gathers
    }
    costs = []
    for layers in itertools.product(range(depth), repeat=len(gathers)):
        placed = dict(zip(gathers, layers, strict=True))
        if all(placed[part] < placed[node] for node in gathers for part in below[node]):
            heads: dict[int, set[Head]] = defaultdict(set)
            for node in gathers:
                heads[placed[node]].add(head_of(node))
            costs.append((max(map(len, heads.values())), sum(map(len, heads.values()))))
    return min(costs)


def small_programs() -> list[int]:
    """Seeds of random programs with few enough gathers to try every placement."""
    seeds = []
    for seed in range(400):
        found = analyse([random_case(seed).root])
        gathers = [node for node in found.layer_of if isinstance(node, Gather)]
        if 2 <= len(gathers) <= 7 and found.depth >= 2 and found.depth ** len(gathers) <= 3_000:
            seeds.append(seed)
    return seeds


def test_no_placement_is_better() -> None:
    seeds = small_programs()
    assert len(seeds) > 40
    for seed in seeds:
        root = random_case(seed).root
        found = analyse([root])
        gathers = [node for node in topological([root]) if isinstance(node, Gather)]
        assert (max(found.heads), sum(found.heads)) == best_cost(gathers, found.depth), root


def test_large_graphs_are_counted_fast() -> None:
    found: SOp = indices
    for step in range(300):
        side = aggregate(select(indices, indices + step), tokens == "a")
        found = aggregate(select(found, indices + step, "<"), found + side)
    assert analyse([found]).depth == 301


def test_many_aggregates_wait_for_the_one_that_their_head_is_needed_for() -> None:
    before = select(indices, indices, "<")
    early = [aggregate(before, indices + number) for number in range(15)]
    root = sum(early[1:], early[0]) + aggregate(before, aggregate(before, selector_width(before)))
    assert analyse([root]).heads == [1, 1, 1]

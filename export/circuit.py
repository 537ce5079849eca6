"""The circuit of a compiled model, known rather than found: which part computes what of the program, and what it reads.

A file of it is JSON by `circuit.schema.json`. Methods that look for circuits can be scored against it: its `edges` say
which component reads which direction that another one writes, its `cases` are pairs of inputs, clean and corrupted, of
one length and with different outputs, and it has what the collections of such models keep with each case.

An edge is there where weights are: the writer's matrix has a column for a direction, and the reader's one a row of it.
Directions that hold the same number on every input (`one` and `bos`) carry no information: their edges are `constant`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from compiler.fields import plain
from compiler.graph_json import described, numbered
from compiler.ir import Array, FeedForwardWeights, HeadWeights, Held, ModelWeights, Readout
from compiler.run.graph_inputs import relation_labels
from compiler.run.model import CompiledModel
from compiler.symbolic import BOS, ONE
from compiler.tensors import guard_tensor, input_mlp, layer_head, layer_mlp, output_tensor
from export.extras import unedited
from export.lens_weights import lens_blocks, lens_config
from rasp.errors import RaspError
from rasp.operations import Atom
from rasp.printing import expression
from rasp.relations import Edges, Graph, Label

FORMAT, VERSION = "rasp-compiler circuit", 1
SCHEMA = Path(__file__).parent / "circuit.schema.json"
_CASES, _TRIES = 20, 400
_CONSTANT = {ONE.name, BOS.name}
Described: TypeAlias = "dict[str, Any]"


@dataclass(frozen=True)
class Component:
    """A part of the model: which directions it writes, which it reads by which of its matrices, and what it is for."""

    name: str
    kind: str
    writes: list[int]
    reads: dict[str, list[int]]
    about: Described = field(default_factory=dict)


def circuit_bytes(model: CompiledModel, seed: int = 0) -> bytes:
    """The file of `circuit_of`."""
    return (json.dumps(circuit_of(model, seed), indent=1) + "\n").encode()


def circuit_of(model: CompiledModel, seed: int = 0) -> Described:
    """The circuit as JSON, with pairs of inputs drawn from a seed; the same model and seed give the same.

    DataFault for an edited model.
    """
    weights = unedited(model).weights
    found = list(_components(weights))
    names = weights.names
    nodes = [
        part | {"expression": expression(node, names)}
        for node, part in zip(numbered(weights), described(weights), strict=True)
    ]
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": weights.name,
        "program": weights.program,
        "nodes": nodes,
        "directions": list(weights.directions),
        "held": [
            {"name": held.name, "expression": expression(held.node, names), "directions": _rows(held)}
            for held in weights.held
            if held.is_stored
        ],
        "components": list(map(asdict, found)),
        "edges": list(_edges(found, weights.directions)),
        "transformer_lens": {"blocks": lens_blocks(model)},
        "case": _case(weights),
        "cases": list(_cases(model, seed)),
    }


def _rows(held: Held) -> list[int]:
    """The directions that hold an s-op, by value or as a number."""
    return sorted({row for row in (*held.rows, held.row) if row is not None and row >= 0})


def _case(weights: ModelWeights) -> Described:
    """What collections of benchmark circuits keep of a case, under the names that they use."""
    first = weights.program.partition("\n")[0]
    return {
        "case_id": weights.name,
        "task_description": first.removeprefix("#").strip() if first.startswith("#") else weights.name,
        "vocab": plain(weights.vocabulary),
        "min_seq_len": 2,
        "max_seq_len": weights.max_length + 1,
        "transformer_cfg": lens_config(weights),
    }


# -- components


def _components(weights: ModelWeights) -> Iterator[Component]:
    """The parts of a model in the order of computation."""
    yield Component("W_E", "embedding", _written(weights.W_E), {})
    yield Component("W_pos", "positions", _written(weights.W_pos), {})
    for number, part in enumerate(weights.input_feed_forwards):
        yield _mlp(part, input_mlp(number), {"layer": None, "mlp": number})
    number_of = numbered(weights)
    for at, layer in enumerate(weights.layers):
        for number, head in enumerate(layer.heads):
            place = {"layer": at, "head": number}
            about = {
                **{"selector": number_of[head.selector], "computes": head.kind, "name": head.name, "line": head.line},
                "mask": None if head.mask is None else number_of[head.mask],
            }
            yield _head(head, layer_head(at, number), place | about)
        for number, part in enumerate(layer.feed_forwards):
            yield _mlp(part, layer_mlp(at, number), {"layer": at, "mlp": number})
    for at, output in enumerate(weights.outputs):
        node = None if output.node is None else number_of[output.node]
        yield _readout(output, output_tensor(at), "output", {"node": node})
    for at, guard in enumerate(weights.guards):
        yield _readout(guard, guard_tensor(at), "guard", {"check": guard.check})


def _head(head: HeadWeights, name: str, about: Described) -> Component:
    reads = {"q": _read(head.W_Q), "k": _read(head.W_K), "v": _read(head.W_V)}
    return Component(name, "head", _written(head.W_O), reads, about)


def _mlp(part: FeedForwardWeights, name: str, about: Described) -> Component:
    return Component(name, "mlp", _written(part.W_out), {"in": _read(part.W_in)}, about | {"neurons": _groups(part)})


def _groups(part: FeedForwardWeights) -> list[Described]:
    """The hidden units of a feed-forward by the s-op that they are for."""
    units = sorted(range(len(part.neurons)), key=lambda unit: (part.neurons.index(part.neurons[unit]), unit))
    found = []
    for name, group in groupby(units, key=lambda unit: part.neurons[unit]):
        own = list(group)
        line = part.lines[own[0]]
        reads, writes = _read(part.W_in[:, own]), _written(part.W_out[own])
        found.append({"for": name, "line": line, "units": own, "reads": reads, "writes": writes})
    return found


def _readout(readout: Readout, name: str, kind: str, about: Described) -> Component:
    values = {"name": readout.name, "reads_as": readout.kind, "values": plain(readout.values)}
    return Component(name, kind, [], {"in": _read(readout.W_U)}, about | values)


def _written(array: Array) -> list[int]:
    """The directions that a matrix [..., D] writes."""
    return [int(at) for at in np.flatnonzero(array.any(axis=0))]


def _read(array: Array) -> list[int]:
    """The directions that a matrix [D, ...] reads."""
    return [int(at) for at in np.flatnonzero(array.any(axis=1))]


def _edges(components: Sequence[Component], directions: Sequence[str]) -> Iterator[Described]:
    """From each writer to each later reader that shares directions with it: which ones, and into which matrix."""
    for at, reader in enumerate(components):
        for writer in components[:at]:
            if _same_step(writer, reader):
                continue
            for matrix, read in reader.reads.items():
                if shared := sorted(set(writer.writes) & set(read)):
                    constant = {directions[found] for found in shared} <= _CONSTANT
                    yield {
                        **{"from": writer.name, "to": reader.name, "into": matrix},
                        **{"directions": shared, "constant": constant},
                    }


def _same_step(writer: Component, reader: Component) -> bool:
    """Whether two parts are heads of one layer, which read what was there before either."""
    return writer.kind == reader.kind == "head" and writer.about["layer"] == reader.about["layer"]


# -- inputs


def _cases(model: CompiledModel, seed: int) -> Iterator[Described]:
    """Pairs of inputs that differ in the output: in one token, or where relations are read, in them."""
    rng = random.Random(seed)
    asked = relation_labels(model.weights.sops.values(), model.weights.labels)
    found = 0
    for _ in range(_TRIES):
        clean, corrupted, position = _pair(model.weights, rng, asked)
        outputs = _output(model, clean), _output(model, corrupted)
        if None not in outputs and outputs[0] != outputs[1] and found < _CASES:
            found += 1
            yield {
                "clean": {"input": _plain_input(clean), "output": outputs[0]},
                "corrupted": {"input": _plain_input(corrupted), "output": outputs[1]},
                "position": position,
            }


def _pair(
    weights: ModelWeights, rng: random.Random, asked: Mapping[str, Sequence[Label]]
) -> tuple[Sequence[Atom], Sequence[Atom], int | None]:
    """Two inputs of one length, and the position of the token in which they differ."""
    clean = [rng.choice(weights.vocabulary) for _ in range(rng.randint(1, weights.max_length))]
    if asked:
        return _graph(clean, rng, asked), _graph(clean, rng, asked), None
    at = rng.randrange(len(clean))
    return clean, [*clean[:at], rng.choice(weights.vocabulary), *clean[at + 1 :]], at


def _graph(tokens: list[Atom], rng: random.Random, asked: Mapping[str, Sequence[Label]]) -> Graph:
    """The tokens with random relations, of any density."""
    size = range(len(tokens))
    return Graph(
        tokens,
        {
            name: Edges.sorted(
                len(tokens), [(u, v, rng.choice(labels)) for u in size for v in size if rng.random() < density]
            )
            for name, labels in asked.items()
            for density in [rng.random()]
        },
    )


def _plain_input(given: Sequence[Atom]) -> Any:
    """An input as JSON: a list of tokens, or an object with relations."""
    if isinstance(given, Graph):
        return given.as_dict() | {"tokens": plain(tuple(given.tokens))}
    return plain(tuple(given))


def _output(model: CompiledModel, given: Sequence[Atom]) -> list[Any] | None:
    """The first output as JSON; None where the program has no value."""
    try:
        return list(plain(tuple(model.run(given, engine="reference").output)))
    except RaspError:
        return None

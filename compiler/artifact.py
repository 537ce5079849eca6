"""A compiled model as one .safetensors file: tensors under stable names, everything else as JSON metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from compiler.graph_json import Graph, described, graph_of, line, numbered, text
from compiler.ir import (
    Array,
    Certificate,
    FeedForwardWeights,
    HeadWeights,
    Kinds,
    LayerWeights,
    ModelWeights,
    Readout,
    output_tensor,
)
from compiler.kinds import KINDS
from compiler.model import CompiledModel
from compiler.precision import PRECISIONS
from compiler.support import PREFERENCES
from rasp.elementwise import atom_key, is_atom
from rasp.errors import DataFault, RaspError
from rasp.files import write_whole
from rasp.graph import Node, Selector, SOp

FORMAT = "rasp-compiler model"
VERSION = 2
_KEY = "rasp"
_LOGITS = {"categorical": 0, "number": 1, "single": 2, "mean": 3}


def save(model: CompiledModel, path: str | Path) -> None:
    """Writes the model to a file, whole or not at all. DataFault where it cannot be written."""
    weights = model.weights
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in weights.tensors().items()}
    content = to_bytes(tensors, {_KEY: json.dumps(_description(weights), ensure_ascii=False)})
    write_whole(Path(path), content)


def load(path: str | Path) -> CompiledModel:
    """The model in a file. DataFault for a missing, damaged or foreign file; every field and shape is checked."""
    tensors, text = _read(Path(path))
    if text is None:
        raise DataFault(f"{path} is a safetensors file, but not a compiled RASP model")
    try:
        weights = _weights(json.loads(text), tensors)
    except RaspError as error:
        raise DataFault(f"{path} is damaged: {error.message}") from error
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise DataFault(f"{path} is damaged: its description is not complete ({error})") from error
    return CompiledModel(weights)


def _description(weights: ModelWeights) -> dict[str, Any]:
    number = numbered(weights)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": weights.name,
        "program": weights.program,
        "vocabulary": weights.vocabulary,
        "max_length": weights.max_length,
        "dtype": weights.dtype,
        "causal": weights.causal,
        "prefer": weights.prefer,
        "directions": weights.directions,
        "graph": described(weights),
        "layers": [_layer_description(layer, number) for layer in weights.layers],
        "outputs": [_output_description(output, number) for output in weights.outputs],
        "guards": list(map(_readout_description, weights.guards)),
        "predicted_heads": weights.predicted_heads,
        "notes": weights.notes,
        "certificate": None if weights.certificate is None else asdict(weights.certificate),
    }


def _layer_description(layer: LayerWeights, number: Mapping[Node, int]) -> dict[str, Any]:
    heads = [
        {"selector": number[head.selector], "kind": head.kind, "name": head.name, "line": head.line}
        for head in layer.heads
    ]
    weights = layer.feed_forward
    neurons = None if weights is None else list(zip(weights.neurons, weights.lines, strict=True))
    return {"heads": heads, "neurons": neurons}


def _output_description(output: Readout, number: Mapping[Node, int]) -> dict[str, Any]:
    return _readout_description(output) | ({} if output.node is None else {"node": number[output.node]})


def _readout_description(readout: Readout) -> dict[str, Any]:
    found = {"name": readout.name, "kind": readout.kind, "values": readout.values, "check": readout.check}
    return found if readout.kinds is None else {**found, "kinds": asdict(readout.kinds)}


def _read(path: Path) -> tuple[dict[str, Array], str | None]:
    if not path.is_file():
        raise DataFault(f"there is no file {path}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(_KEY)
            return {name: file.get_tensor(name) for name in file.keys()}, text  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise DataFault(f"{path} is not a safetensors file, or is damaged: {error}") from error


def _weights(found: Mapping[str, Any], tensors: dict[str, Array]) -> ModelWeights:
    if found.get("format") != FORMAT:
        raise DataFault("it is not a compiled RASP model")
    if found["version"] != VERSION:
        raise DataFault(f"its format version is {found['version']}, this program reads {VERSION}")
    _check_plain(found)
    graph = graph_of(found["graph"])
    take = _Tensors(tensors, found["dtype"], len(found["directions"]))
    vocabulary, longest = tuple(found["vocabulary"]), found["max_length"]
    model = ModelWeights(
        name=str(found["name"]),
        vocabulary=vocabulary,
        max_length=longest,
        dtype=found["dtype"],
        directions=tuple(map(str, found["directions"])),
        W_E=take("W_E", len(vocabulary) + 1, take.width),
        W_pos=take("W_pos", longest + 1, take.width),
        layers=tuple(_layer(layer, f"layers.{at}", take, graph) for at, layer in enumerate(found["layers"])),
        outputs=tuple(_output(output, output_tensor(at), take, graph) for at, output in enumerate(found["outputs"])),
        guards=tuple(_readout(guard, f"guards.{at}.W_U", take) for at, guard in enumerate(found["guards"])),
        causal=found["causal"],
        prefer=found["prefer"],
        predicted_heads=tuple(map(int, found["predicted_heads"])),
        program=str(found["program"]),
        notes=tuple(map(str, found["notes"])),
        certificate=None if found["certificate"] is None else Certificate(**found["certificate"]),
        names=graph.names,
        lines=graph.lines,
    )
    take.check_all_taken()
    _check_kinds(model)
    return model


def _check_kinds(model: ModelWeights) -> None:
    for kinds in (output.kinds for output in model.outputs if output.kinds is not None):
        cells = model.max_length * (model.max_length + 1) // 2
        known = all(0 <= at < len(model.guards) and model.guards[at].check == "marks" for at in kinds.guards)
        if sum(count for count, _ in kinds.runs) != cells or not known:
            raise DataFault("the kinds of its numbers do not fit its cells and guards")


def _check_plain(found: Mapping[str, Any]) -> None:
    if not found["outputs"]:
        raise DataFault("it has no output")
    if found["dtype"] not in PRECISIONS:
        raise DataFault(f"its dtype is {found['dtype']!r}")
    if type(found["max_length"]) is not int or found["max_length"] < 1:
        raise DataFault(f"its maximum length is {found['max_length']!r}")
    vocabulary = found["vocabulary"]
    if not isinstance(vocabulary, list) or not vocabulary or not all(map(is_atom, vocabulary)):
        raise DataFault("its vocabulary is not a list of tokens")
    if len(set(map(atom_key, vocabulary))) < len(vocabulary):
        raise DataFault("its vocabulary holds a token twice")
    if found["prefer"] not in PREFERENCES:
        raise DataFault(f"its preference is {found['prefer']!r}")
    if not isinstance(found["causal"], bool):
        raise DataFault("it does not say whether it is causal")


class _Tensors:
    """Takes tensors by name, checking shape, dtype and that numbers are finite."""

    def __init__(self, tensors: dict[str, Array], dtype: str, width: int) -> None:
        self.tensors = dict(tensors)
        self.dtype = dtype
        self.width = width

    def __call__(self, name: str, *shape: int | None) -> Array:
        if name not in self.tensors:
            raise DataFault(f"the tensor {name} is missing")
        tensor = self.tensors.pop(name)
        fits = len(tensor.shape) == len(shape) and all(
            want in (None, size) for want, size in zip(shape, tensor.shape, strict=True)
        )
        if not fits:
            raise DataFault(f"the tensor {name} has shape {tensor.shape}, expected {shape}")
        if tensor.dtype != self.dtype:
            raise DataFault(f"the tensor {name} is {tensor.dtype}, expected {self.dtype}")
        if not np.isfinite(tensor).all():
            raise DataFault(f"the tensor {name} holds numbers that are not finite")
        return tensor

    def check_all_taken(self) -> None:
        if self.tensors:
            raise DataFault(f"there are tensors that belong to nothing: {', '.join(sorted(self.tensors))}")


def _layer(found: Mapping[str, Any], prefix: str, take: _Tensors, graph: Graph) -> LayerWeights:
    heads = tuple(_head(head, f"{prefix}.heads.{at}", take, graph) for at, head in enumerate(found["heads"]))
    neurons = found["neurons"]
    if neurons is None:
        return LayerWeights(heads, None)
    count = len(neurons)
    feed_forward = FeedForwardWeights(
        W_in=take(f"{prefix}.mlp.W_in", take.width, count),
        b_in=take(f"{prefix}.mlp.b_in", count),
        W_out=take(f"{prefix}.mlp.W_out", count, take.width),
        neurons=tuple(str(name) for name, _ in neurons),
        lines=tuple(_line(line) for _, line in neurons),
    )
    return LayerWeights(heads, feed_forward)


def _head(found: Mapping[str, Any], prefix: str, take: _Tensors, graph: Graph) -> HeadWeights:
    selector = graph.node(found["selector"], Selector)
    queries = take(f"{prefix}.W_Q", take.width, None)
    keys = take(f"{prefix}.W_K", *queries.shape)
    values = take(f"{prefix}.W_V", take.width, None)
    outputs = take(f"{prefix}.W_O", values.shape[1], take.width)
    shown = text(found["name"]), line(found["line"])
    return HeadWeights(selector, *shown, text(found["kind"]), queries, keys, values, outputs)


def _line(found: Any) -> int | None:
    return None if found is None else int(found)


def _output(found: Mapping[str, Any], name: str, take: _Tensors, graph: Graph) -> Readout:
    return replace(_readout(found, name, take), node=graph.node(found["node"], SOp))


def _readout(found: Mapping[str, Any], name: str, take: _Tensors) -> Readout:
    values = tuple(found["values"])
    if found["kind"] not in _LOGITS or not all(map(is_atom, values)):
        raise DataFault(f"the readout {found['name']!r} has no meaning here")
    logits = _LOGITS[found["kind"]] or len(values)
    kinds = None if found.get("kinds") is None else _kinds(found["kinds"])
    return Readout(str(found["name"]), found["kind"], values, take(name, take.width, logits), found["check"], kinds)


def _kinds(found: Mapping[str, Any]) -> Kinds:
    runs = tuple((int(count), int(table)) for count, table in found["runs"])
    tables = tuple({str(states): _rule(rule) for states, rule in table.items()} for table in found["tables"])
    if not all(count > 0 and 0 <= table < len(tables) for count, table in runs):
        raise DataFault("the kinds of its numbers have no meaning here")
    return Kinds(runs, tables, tuple(map(int, found["guards"])), bool(found["sure"]))


def _rule(found: Any) -> tuple[str, dict[int, str]]:
    usual, others = found
    if not {usual, *others.values()} <= set(KINDS):
        raise DataFault("the kinds of its numbers have no meaning here")
    return usual, {int(number): kind for number, kind in others.items()}

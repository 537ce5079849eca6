"""A compiled model as one .safetensors file: tensors under stable names, everything else as JSON metadata."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar, get_args

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as to_bytes

from compiler.fields import atom, count, line, listed, mapping, number, one_of, plain, shown, text, truth
from compiler.graph_json import Graph, described, graph_of, numbered
from compiler.ir import (
    Accuracy,
    Array,
    Certificate,
    Check,
    FeedForwardWeights,
    HeadWeights,
    Held,
    LayerWeights,
    ModelWeights,
    OutputTypes,
    Readout,
    ReadoutKind,
)
from compiler.options import PREFERENCES
from compiler.output_types import TYPES
from compiler.precision import PRECISIONS
from compiler.run.model import CompiledModel
from compiler.tensors import guard_tensor, input_mlp, layer_head, layer_mlp, named_tensors, output_tensor
from rasp.errors import DataFault, RaspError
from rasp.files import write_whole
from rasp.graph import Node, Selector, SOp
from rasp.language.loading import Text
from rasp.layers import HeadKind
from rasp.operations import Atom, atom_key
from rasp.vocabulary import parse_vocabulary

T = TypeVar("T")

FORMAT = "rasp-compiler model"
VERSION = 3
KEY = "rasp"
_LOGITS: Mapping[ReadoutKind, int] = {"categorical": 0, "coded": 0, "number": 1, "single": 2, "mean": 3}
_CHECKED: Mapping[Check, ReadoutKind] = {
    "defined": "categorical",
    "uniform": "categorical",
    "single": "single",
    "mean": "mean",
    "marks": "single",
}


def save(model: CompiledModel, path: str | Path) -> None:
    """Writes the model to a file, whole or not at all. DataFault where it cannot be written, and for an edited one."""
    write_whole(Path(path), model_bytes(model))


def model_bytes(model: CompiledModel) -> bytes:
    """The file of a model: the same for the same model, byte for byte. DataFault for an edited one."""
    if model.edits:
        raise DataFault("an edited model has no file: its edits are functions", hint="save the model it was made of")
    weights = model.weights
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in named_tensors(weights).items()}
    return to_bytes(tensors, {KEY: json.dumps(description(weights))})


def load(path: str | Path) -> CompiledModel:
    """The model in a file. DataFault for a missing, damaged or foreign file.

    Every field and shape is checked, and the description must be the one that `save` would write of what was read: so
    there is nothing in it that is not understood.
    """
    if Path(path).suffix == ".rasp":
        hint = f"rasp run {path} evaluates it; rasp compile {path} -o MODEL.safetensors makes a model of it"
        raise DataFault(f"{path} is a program, no compiled model", hint=hint)
    tensors, written = _read(Path(path))
    if written is None:
        raise DataFault(f"{path} is a safetensors file, but not a compiled RASP model")
    return model_of(written, tensors, str(path))


def model_of(written: str, tensors: Mapping[str, Array], path: str) -> CompiledModel:
    """The model of a description, as JSON, and of its tensors, from a file of that name. DataFault if it is damaged."""
    try:
        found = _parsed(written)
    except (DataFault, ValueError, RecursionError) as error:
        raise DataFault(f"{path} is damaged: its description cannot be read ({error})") from error
    _check_version(found, path)
    try:
        weights = _weights(found, dict(tensors))
        if not _same(description(weights), found):
            raise DataFault("its description is not as it would be written of what it says")
    except RaspError as error:
        raise DataFault(f"{path} is damaged: {error.message}") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as error:
        raise DataFault(f"{path} is damaged: its description is not complete ({error})") from error
    return CompiledModel(weights)


def _parsed(written: str) -> Mapping[str, Any]:
    """The JSON of a description, in which no field stands twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            raise DataFault("a field stands twice")
        return fields

    return mapping(json.loads(written, object_pairs_hook=once))


def _check_version(found: Mapping[str, Any], path: str) -> None:
    """Nothing, or a DataFault for what is no model, or one that another version of this program wrote."""
    if found.get("format") != FORMAT:
        raise DataFault(f"{path} is damaged: it is not a compiled RASP model")
    version = found.get("version")
    if type(version) is not int or version < 1:
        raise DataFault(f"{path} is damaged: it has no format version")
    if version > VERSION:
        raise DataFault(f"{path} has format {version}, and this program reads {VERSION}: a newer one wrote it")
    if version < VERSION:
        raise DataFault(
            f"{path} has the old format {version}, and this program reads {VERSION}",
            hint=f"make it anew: rasp compile PROGRAM.rasp {_options(found)} -o {path}",
        )


def _options(found: Mapping[str, Any]) -> str:
    """What an old file says of how it was compiled, as options of the command line."""
    outputs = found.get("outputs") if isinstance(found.get("outputs"), list) else []
    names = [str(output["name"]) for output in outputs or () if isinstance(output, dict) and "name" in output]
    options = [*names, "--vocab", _vocabulary_option(found.get("vocabulary"))]
    options += ["--max-length", str(found.get("max_length", "N")), "--dtype", str(found.get("dtype", "float32"))]
    options += ["--causal"] if found.get("causal") is True else []
    return shlex.join(options)


def _vocabulary_option(found: Any) -> str:
    """The tokens as `--vocab` takes them, or a file for what is no list of plain ones."""
    try:
        option = ",".join(map(str, found))
        return option if list(map(repr, parse_vocabulary(option))) == list(map(repr, found)) else "@TOKENS.json"
    except (RaspError, TypeError):
        return "@TOKENS.json"


def _same(described: Any, found: Any) -> bool:
    """Whether two descriptions are the same JSON, down to the kinds of numbers."""
    first, second = (json.dumps(part, sort_keys=True) for part in (json.loads(json.dumps(described)), found))
    return first == second


def description(weights: ModelWeights) -> dict[str, Any]:
    """Everything of a model but its tensors, as JSON."""
    number = numbered(weights)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": weights.name,
        "program": [{**asdict(part), "parameters": plain(part.parameters)} for part in weights.texts],
        "vocabulary": plain(weights.vocabulary),
        "max_length": weights.max_length,
        "dtype": weights.dtype,
        "causal": weights.causal,
        "prefer": weights.prefer,
        "tolerance": weights.tolerance,
        **({"static_masks": True} if weights.static_masks else {}),
        **({"labels": plain(weights.labels)} if weights.labels else {}),
        "directions": weights.directions,
        "graph": described(weights),
        "input": list(map(_neurons, weights.input_feed_forwards)),
        "layers": [_layer_description(layer, number) for layer in weights.layers],
        "outputs": [_output_description(output, number) for output in weights.outputs],
        "guards": list(map(_guard_description, weights.guards)),
        "interventions": weights.interventions,
        "held": [_held_description(held, number) for held in weights.held],
        "predicted_heads": weights.predicted_heads,
        "notes": weights.notes,
        "certificate": None if weights.certificate is None else _certificate_description(weights.certificate),
    }


def _layer_description(layer: LayerWeights, number: Mapping[Node, int]) -> dict[str, Any]:
    heads = [_head_description(head, number) for head in layer.heads]
    return {"heads": heads, "feed_forwards": list(map(_neurons, layer.feed_forwards))}


def _head_description(head: HeadWeights, number: Mapping[Node, int]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "selector": number[head.selector],
        "kind": head.kind,
        "name": head.name,
        "line": head.line,
    }
    return found if head.mask is None else {**found, "mask": number[head.mask]}


def _neurons(weights: FeedForwardWeights) -> list[tuple[str, int | None]]:
    """What each hidden unit of a feed-forward is for, and its line."""
    return list(zip(weights.neurons, weights.lines, strict=True))


def _output_description(output: Readout, number: Mapping[Node, int]) -> dict[str, Any]:
    node = None if output.node is None else number[output.node]
    types = None if output.types is None else asdict(output.types)
    accuracy = None if output.accuracy is None else asdict(output.accuracy)
    values = {"values": plain(output.values), "kinds": types, "accuracy": accuracy}
    return {"name": output.name, "node": node, "kind": output.kind, **values}


def _held_description(held: Held, number: Mapping[Node, int]) -> dict[str, Any]:
    by_value = {"values": plain(held.values), "rows": held.rows}
    as_number = {"numbers": plain(held.numbers), "levels": held.levels, "row": held.row}
    return {"name": held.name, "node": number[held.node], **by_value, **as_number}


def _certificate_description(certificate: Certificate) -> dict[str, Any]:
    return {**asdict(certificate), "headroom": plain(certificate.headroom)}


def _guard_description(guard: Readout) -> dict[str, Any]:
    return {"name": guard.name, "kind": guard.kind, "values": plain(guard.values), "check": guard.check}


def _read(path: Path) -> tuple[dict[str, Array], str | None]:
    if not path.is_file():
        raise DataFault(f"there is no file {path}")
    try:
        with safe_open(str(path), framework="numpy") as file:
            text = (file.metadata() or {}).get(KEY)
            return {name: file.get_tensor(name) for name in file.keys()}, text  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise DataFault(f"{path} is not a safetensors file, or is damaged: {error}") from error


def _weights(found: Mapping[str, Any], tensors: dict[str, Array]) -> ModelWeights:
    graph = graph_of(found["graph"])
    directions = tuple(map(text, listed(found["directions"])))
    take = _Tensors(tensors, one_of(found["dtype"], *PRECISIONS), len(directions))
    vocabulary, longest = _vocabulary(found["vocabulary"]), count(found["max_length"])
    guards = tuple(_guard(mapping(guard), guard_tensor(at), take) for at, guard in enumerate(listed(found["guards"])))
    outputs = listed(found["outputs"])
    model = ModelWeights(
        name=text(found["name"]),
        vocabulary=vocabulary,
        max_length=longest,
        dtype=take.dtype,
        directions=directions,
        W_E=take("W_E", len(vocabulary) + 1, take.width),
        W_pos=take("W_pos", longest + 1, take.width),
        input_feed_forwards=_feed_forwards(found["input"], input_mlp, take),
        layers=tuple(_layer(mapping(layer), at, take, graph) for at, layer in enumerate(listed(found["layers"]))),
        outputs=tuple(_output(mapping(out), output_tensor(at), take, graph) for at, out in enumerate(outputs)),
        guards=guards,
        causal=truth(found["causal"]),
        prefer=one_of(found["prefer"], *PREFERENCES),
        tolerance=number(found["tolerance"]),
        static_masks=truth(found.get("static_masks", False)),
        labels=tuple(map(atom, listed(found.get("labels", [])))),
        predicted_heads=tuple(map(count, listed(found["predicted_heads"]))),
        texts=_texts(listed(found["program"])),
        notes=tuple(map(text, listed(found["notes"]))),
        certificate=None if found["certificate"] is None else _certificate(mapping(found["certificate"])),
        names=graph.names,
        lines=graph.lines,
        interventions=tuple(map(text, listed(found["interventions"]))),
        held=tuple(_held(mapping(held), graph, take.width) for held in listed(found["held"])),
    )
    take.check_all_taken()
    _check_whole(model)
    return model


def _held(found: Mapping[str, Any], graph: Graph, width: int) -> Held:
    """How an s-op is held. DataFault where that is in no direction of the model, or says nothing."""
    name = None if found["name"] is None else text(found["name"])
    values, numbers = (tuple(map(atom, listed(found[part]))) for part in ("values", "numbers"))
    rows = tuple(-1 if row == -1 else count(row) for row in listed(found["rows"]))
    row = None if found["row"] is None else count(found["row"])
    levels = tuple(map(_finite, listed(found["levels"])))
    fits = len(rows) == len(values) and len(levels) == len(numbers) and max((*rows, row or 0)) < width
    if not fits or not _are_rising(numbers):
        raise DataFault(f"{shown(found['name'])} is held by no directions of the model")
    return Held(name, graph.node(found["node"], SOp), values, rows, numbers, levels, row)


def _finite(found: Any) -> float:
    if not isinstance(found, float) or not math.isfinite(found):
        raise DataFault(f"{shown(found)} is no finite number")
    return found


def _vocabulary(found: Any) -> tuple[Atom, ...]:
    tokens = tuple(map(atom, listed(found)))
    if not tokens:
        raise DataFault("its vocabulary is empty")
    if len(set(map(atom_key, tokens))) < len(tokens):
        raise DataFault("its vocabulary holds a token twice")
    return tokens


def _texts(found: list[Any]) -> tuple[Text, ...]:
    """A program's text and those of the files that it loads. DataFault where one loads what is not there."""
    texts = tuple(
        Text(text(part["text"]), _by_name(part["loads"], count), _by_name(part["parameters"], atom)) for part in found
    )
    if any(at >= len(texts) for part in texts for at in part.loads.values()):
        raise DataFault("its program loads a file that is not kept with it")
    return texts


def _by_name(found: Any, read: Callable[[Any], T]) -> dict[str, T]:
    return {name: read(value) for name, value in mapping(found).items()}


def _certificate(found: Mapping[str, Any]) -> Certificate:
    headroom = atom(found["headroom"])
    if not isinstance(headroom, float):
        raise DataFault(f"the headroom of its certificate is {shown(headroom)}")
    return Certificate(text(found["statement"]), count(found["checks"]), headroom, text(found["tightest"]))


def _check_whole(model: ModelWeights) -> None:
    """Nothing, or a DataFault where the parts of a model do not fit together."""
    if model.max_length < 1:
        raise DataFault("its maximum length is 0")
    if not model.outputs or len(set(model.output_names)) < len(model.outputs):
        raise DataFault("it has no output, or two of one name")
    cells = model.max_length * (model.max_length + 1) // 2
    for types in (output.types for output in model.outputs if output.types is not None):
        known = all(at < len(model.guards) and model.guards[at].check == "marks" for at in types.guards)
        if sum(size for size, _ in types.runs) != cells or not known:
            raise DataFault("the kinds of its numbers do not fit its cells and guards")


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


def _layer(found: Mapping[str, Any], at: int, take: _Tensors, graph: Graph) -> LayerWeights:
    heads = enumerate(listed(found["heads"]))
    taken = tuple(_head(mapping(head), layer_head(at, number), take, graph) for number, head in heads)
    if not taken:
        raise DataFault(f"its layer {at} has no heads")
    return LayerWeights(taken, _feed_forwards(found["feed_forwards"], partial(layer_mlp, at), take))


def _feed_forwards(found: Any, prefix: Callable[[int], str], take: _Tensors) -> tuple[FeedForwardWeights, ...]:
    return tuple(_feed_forward(listed(part), prefix(number), take) for number, part in enumerate(listed(found)))


def _feed_forward(found: Sequence[Any], prefix: str, take: _Tensors) -> FeedForwardWeights:
    neurons = [(text(name), line(number)) for name, number in map(listed, found)]
    return FeedForwardWeights(
        W_in=take(f"{prefix}.W_in", take.width, len(neurons)),
        b_in=take(f"{prefix}.b_in", len(neurons)),
        W_out=take(f"{prefix}.W_out", len(neurons), take.width),
        neurons=tuple(name for name, _ in neurons),
        lines=tuple(number for _, number in neurons),
    )


def _head(found: Mapping[str, Any], prefix: str, take: _Tensors, graph: Graph) -> HeadWeights:
    selector = graph.node(found["selector"], Selector)
    queries = take(f"{prefix}.W_Q", take.width, None)
    keys = take(f"{prefix}.W_K", *queries.shape)
    values = take(f"{prefix}.W_V", take.width, None)
    outputs = take(f"{prefix}.W_O", values.shape[1], take.width)
    kind = one_of(found["kind"], *get_args(HeadKind))
    mask = graph.node(found["mask"], Selector) if "mask" in found else None
    return HeadWeights(selector, text(found["name"]), line(found["line"]), kind, queries, keys, values, outputs, mask)


def _output(found: Mapping[str, Any], name: str, take: _Tensors, graph: Graph) -> Readout:
    kind: ReadoutKind = one_of(found["kind"], "categorical", "coded", "number")
    values = tuple(map(atom, listed(found["values"])))
    if kind == "number" and not _are_rising(values):
        raise DataFault(f"the values of its output {shown(found['name'])} are not rising numbers")
    types = None if found["kinds"] is None else _types(mapping(found["kinds"]))
    W_U = take(name, take.width, _LOGITS[kind] or len(values))  # noqa: N806
    accuracy = None if found["accuracy"] is None else _accuracy(mapping(found["accuracy"]))
    return Readout(text(found["name"]), kind, values, W_U, None, types, graph.node(found["node"], SOp), accuracy)


def _accuracy(found: Mapping[str, Any]) -> Accuracy:
    return Accuracy(number(found["share"]), number(found["smallest"]))


def _are_rising(values: Sequence[Atom]) -> bool:
    return not any(isinstance(value, str) for value in values) and all(
        math.isfinite(low) and math.isfinite(high) and low < high for low, high in pairwise(map(float, values))
    )


def _guard(found: Mapping[str, Any], name: str, take: _Tensors) -> Readout:
    """A guard, whose check says what its logits must be; one that only counts keys has the number for no key."""
    check, values = one_of(found["check"], *_CHECKED), tuple(map(atom, listed(found["values"])))
    kind = one_of(found["kind"], _CHECKED[check])
    if check == "marks" and not (len(values) == 1 and isinstance(values[0], (int, float))):
        raise DataFault(f"its guard {shown(found['name'])} does not say how it looks where no key is selected")
    W_U = take(name, take.width, _LOGITS[kind] or len(values))  # noqa: N806
    return Readout(text(found["name"]), kind, values, W_U, check)


def _types(found: Mapping[str, Any]) -> OutputTypes:
    guards = tuple(map(count, listed(found["guards"])))
    runs = tuple((count(size), count(table)) for size, table in listed(found["runs"]))
    tables = tuple(
        {states: _rule(rule, len(guards), states) for states, rule in mapping(table).items()}
        for table in listed(found["tables"])
    )
    if not all(size > 0 and table < len(tables) for size, table in runs):
        raise DataFault("the kinds of its numbers have no meaning here")
    return OutputTypes(runs, tables, guards, truth(found["sure"]))


def _rule(found: Any, guards: int, states: str) -> tuple[str, dict[int, str]]:
    usual, others = listed(found)
    if len(states) != guards or set(states) - set("012"):
        raise DataFault(f"{shown(states)} does not say how many keys are selected")
    types = {int(number): one_of(kind, *TYPES) for number, kind in mapping(others).items()}
    return one_of(usual, *TYPES), types

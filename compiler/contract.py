"""The last pass: arrays, readouts and all that a file keeps, as the contract in `ir` has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from compiler.assemble import Assembler
from compiler.functions import Recorder
from compiler.ir import Held, LayerWeights, ModelWeights
from compiler.lower import SymbolicModel
from compiler.options import Options
from compiler.plan import Plan
from compiler.selectors import relations_in
from compiler.source_map import SourceMap
from rasp.graph import SOp
from rasp.language.loading import Text
from rasp.layers import Head, analyse
from rasp.printing import expression


def model_weights(
    symbolic: SymbolicModel,
    outputs: Mapping[str, SOp],
    options: Options,
    source_map: SourceMap,
    functions: Recorder,
    texts: tuple[Text, ...],
    notes: Iterable[str],
    held: tuple[Held, ...] = (),
) -> ModelWeights:
    """A network in names as arrays, with the program's own nodes and functions in it. It has no certificate yet."""
    assembler = Assembler(symbolic, options.dtype)
    assembler.check_size()
    before, layers = assembler.layers()
    W_E, W_pos = assembler.embeddings(len(options.vocab), options.max_length)  # noqa: N806
    return ModelWeights(
        name=", ".join(outputs),
        vocabulary=options.vocab,
        max_length=options.max_length,
        dtype=options.dtype,
        directions=tuple(direction.name for direction in symbolic.directions),
        W_E=W_E,
        W_pos=W_pos,
        input_feed_forwards=before,
        layers=tuple(_linked(layer, functions) for layer in layers),
        outputs=tuple(replace(assembler.readout(found), node=outputs[found.name]) for found in symbolic.outputs),
        guards=tuple(map(assembler.readout, symbolic.guards)),
        causal=options.causal,
        prefer=options.prefer,
        static_masks=options.masks == "auto",
        labels=options.labels,
        tolerance=options.precision.tolerance,
        predicted_heads=tuple(analyse(outputs.values()).heads),
        notes=(*notes, *_untyped(symbolic)),
        names=source_map.names,
        lines=source_map.lines,
        tables=functions.tables,
        texts=texts,
        held=held,
        interventions=options.interventions,
    )


def _linked(layer: LayerWeights, functions: Recorder) -> LayerWeights:
    """The layer with each head linked to a selector of the program's own functions, not of their stand-ins."""
    heads = (replace(head, selector=functions.original(head.selector)) for head in layer.heads)
    return replace(layer, heads=tuple(heads))


def unread_note(layer: int, head: Head, source_map: SourceMap) -> str:
    """What is said of a head that the analysis has and nothing reads."""
    return f"no {head.kind} head for {expression(head.selector, source_map.names)} in layer {layer}: nothing reads it"


def static_notes(planned: Plan, source_map: SourceMap) -> list[str]:
    """What is said of heads whose masks say what depends on positions alone."""
    found = {
        plan.head.selector: plan.mask
        for plan, _ in planned.heads
        if plan.mask is not None and not relations_in([plan.mask])
    }
    return [
        f"{source_map.text(selector)}: a mask says {expression(mask)}, which then takes no scores (--masks scores)"
        for selector, mask in found.items()
    ]


def _untyped(symbolic: SymbolicModel) -> list[str]:
    """What is said of outputs whose numbers are right, but perhaps not of the interpreter's type."""
    found = [output.name for output in symbolic.outputs if output.types is not None and not output.types.sure]
    return [f"{name}: whether a number is a float, an int or a bool is not always known" for name in found]

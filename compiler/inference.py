"""The subcommand infer: a saved model on inputs. What compiles is not imported for it, so that it starts at once."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence

from compiler.run.batches import Answer, answers
from compiler.run.model import ENGINES, CompiledModel
from rasp.arguments import examples
from rasp.console.show import given_text, values
from rasp.errors import RaspError
from rasp.inputs import Input, given_inputs, hint_at_words, input_arguments, json_of, positional_inputs, sequence_of
from rasp.interventions import Interventions, given_interventions, intervention_argument
from rasp.language.header import header_of
from rasp.operations import column
from rasp.progress import Bar
from rasp.source import Source
from rasp.streams import say, warn
from rasp.visible import visible


def infer_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of `rasp infer`."""
    examples(
        parser,
        "rasp compile programs/reverse.rasp -o reverse.safetensors",
        "rasp infer reverse.safetensors -i hello",
        "echo hello | rasp infer reverse.safetensors --inputs - --json",
        "rasp compile programs/dyck2.rasp --interventions level -o dyck2.safetensors",
        """rasp infer dyck2.safetensors '([])' --intervene '{"level": {"2": 1}}'""",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a compiled model: a .safetensors file, or an exported .onnx file"
    )
    positional_inputs(parser)
    input_arguments(parser)
    parser.add_argument(
        "--engine",
        choices=(*ENGINES, "sparse"),
        help="what runs the weights: reference (default), which is numpy and starts at once; torch, the network, which "
        "starts later and takes all cores; sparse, torch without most of the zeros (default for an .onnx file: ONNX "
        "Runtime)",
    )
    intervention_argument(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object a line: input and output")


def infer_run(args: argparse.Namespace, load: Callable[[str], CompiledModel]) -> int:
    """Runs a saved model on every input; results come in the order of the inputs, as soon as they are there."""
    model = load(args.model)
    engine, interventions = args.engine or next(iter(model.runtimes), "reference"), given_interventions(args)
    inputs = header_of(Source(args.model, model.weights.program)).said_inputs(given_inputs(args))
    if not inputs:
        args.parser.error("an input is needed: -i or --inputs")
    if interventions:
        _remark_on(model, interventions)
        return _counterfactuals(model, inputs, interventions, args.engine or "reference", args.json)
    failed = False
    # At a terminal the results themselves show how far it is.
    with Bar("inputs", shown=not sys.stdout.isatty()) as bar:
        for given, answer in zip(inputs, answers(model, list(map(sequence_of, inputs)), engine, bar.tell), strict=True):
            if isinstance(answer, RaspError):
                bar.hide()
                failed = True
            _write(given, answer, args.json)
    return int(failed)


def _remark_on(model: CompiledModel, interventions: Interventions) -> None:
    """Says where the certificate is not about what comes out."""
    others = ",".join(name for name in interventions if name not in model.weights.interventions)
    if others:
        warn(f"the certificate does not cover this: the model was compiled without --interventions {visible(others)}")


def _counterfactuals(
    model: CompiledModel, inputs: Sequence[Input], interventions: Interventions, engine: str, as_json: bool
) -> int:
    """Prints the values on each input while some s-ops have other values; 1 where there are none on one."""
    failed = False
    for given in inputs:
        try:
            found = model.intervene(sequence_of(given), interventions, engine=engine)
        except RaspError as error:
            failed = True
            _write(given, error, as_json)
        else:
            _write(given, found.outputs, as_json, covered=found.covered)
    return int(failed)


def _write(given: Input, answer: Answer, as_json: bool, **more: bool) -> None:
    """Prints the values on an input, or why there are none."""
    if isinstance(answer, RaspError):
        hint_at_words(given, answer)
        warn(str(answer))
    if as_json:
        say(json.dumps({"input": json_of(sequence_of(given))} | _fields(answer) | more))
    elif not isinstance(answer, RaspError):
        for name, output in answer.items():
            say(f"{visible(name)}({given_text(given)}) = {values(column(output))}")


def _fields(answer: Answer) -> dict[str, object]:
    if isinstance(answer, RaspError):
        return {"error": answer.message}
    return {"output": next(iter(answer.values())) if len(answer) == 1 else answer}
